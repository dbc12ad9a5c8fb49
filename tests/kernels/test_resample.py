"""Multipliers and draws against plain Python, and replicates as pure functions of their number."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels._jit import CHUNK
from kernels.philox import STAGE_MULTIPLIER, STAGE_SETS
from kernels.resample import (
    EXPONENTIAL,
    GAUSSIAN,
    MAMMEN,
    centred,
    drawn_sums,
    multiplier_sums,
)
from tests import naive
from tests.kernels.support import COMPILED, examples

KINDS = [GAUSSIAN, MAMMEN, EXPONENTIAL]
SEED = (2**64 - 3, 7)


def plain_words(number, replicate, stage, seed=SEED):
    return naive.philox4x64((number, replicate // 4, stage, 0), seed)


def plain_multiplier(kind, unit, replicate):
    words = plain_words(unit, replicate, STAGE_MULTIPLIER)
    lane = replicate % 4
    if kind == MAMMEN:
        root = math.sqrt(5)
        low = words[lane] / 2**64 < (root + 1) / (2 * root)
        return (1 - root) / 2 if low else (1 + root) / 2
    if kind == EXPONENTIAL:
        return -math.log(((words[lane] >> 11) + 1) / 2**53)
    first, second = words[lane // 2 * 2], words[lane // 2 * 2 + 1]
    radius = math.sqrt(-2 * math.log(((first >> 11) + 1) / 2**53))
    quarter, part = divmod(second, 2**62)
    angle = (quarter + (part >> 9) / 2**53 - 0.5) * math.pi / 2
    return radius * (math.sin(angle) if lane % 2 else math.cos(angle))


def multipliers(kind, unit, start, stop):
    """Each unit's own multipliers: columns of a unit matrix."""
    return multiplier_sums(kind, unit, np.eye(len(unit)), SEED, start, stop)


def keys(n, seed=0):
    return np.random.default_rng([seed, n]).integers(0, 2**64, n, dtype=np.uint64)


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 9), st.integers(0, 2**40), st.integers(0, 9))
@examples(25, 8)
def test_multipliers_are_those_of_plain_python(kind, n, start, length):
    unit = keys(n)
    found = multipliers(kind, unit, start, start + length)
    for r in range(length):
        for i in range(n):
            wanted = plain_multiplier(kind, int(unit[i]), start + r)
            assert found[r, i] == pytest.approx(wanted, rel=2e-15, abs=5e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_sums_over_several_chunks(kind):
    n = 2 * CHUNK + 700 if COMPILED else 700
    unit = keys(n)
    values = np.random.default_rng(1).normal(size=(2, n))
    found = multiplier_sums(kind, unit, values, SEED, 3, 5)
    for r in (3, 4):
        weights = np.array([plain_multiplier(kind, int(u), r) for u in unit])
        assert np.allclose(found[r - 3], values @ weights, rtol=1e-12, atol=1e-12)


@pytest.mark.skipif(not COMPILED, reason="many draws")
def test_moments_of_the_multipliers():
    unit = keys(100)
    for kind, moments in ((GAUSSIAN, (0, 1, 0)), (MAMMEN, (0, 1, 1)), (EXPONENTIAL, (1, 2, 6))):
        x = multipliers(kind, unit, 0, 4000).ravel()
        for power, wanted in enumerate(moments, start=1):
            error = np.std(x**power) / math.sqrt(len(x))
            assert abs(np.mean(x**power) - wanted) < 5 * error


@pytest.mark.skipif(not COMPILED, reason="many draws")
def test_normal_multipliers_are_normal_and_not_correlated():
    x = multipliers(GAUSSIAN, keys(100), 0, 4000)
    ordered = np.sort(x.ravel())
    below = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in ordered])
    gap = np.max(np.abs(below - (np.arange(len(below)) + 0.5) / len(below)))
    assert gap < 1.95 / math.sqrt(len(below))  # Kolmogorov's 0.1 % point
    # Four consecutive replicates share a block, and pairs of them a radius.
    for lag in (1, 2, 3):
        product = (x[:-lag] * x[lag:]).ravel()
        assert abs(product.mean()) < 5 / math.sqrt(len(product))
        squares = (x[:-lag] ** 2 - 1) * (x[lag:] ** 2 - 1)
        assert abs(squares.mean()) < 5 * squares.std() / math.sqrt(squares.size)


@pytest.mark.parametrize("kind", KINDS)
def test_a_replicate_is_the_same_alone_and_in_any_batch(kind):
    n = CHUNK + 10 if COMPILED else 30
    unit = keys(n)
    values = np.random.default_rng(2).normal(size=(2, n))
    together = multiplier_sums(kind, unit, values, SEED, 0, 13)
    for r in (12, 0, 5, 3):
        assert np.array_equal(multiplier_sums(kind, unit, values, SEED, r, r + 1)[0], together[r])
    assert np.array_equal(multiplier_sums(kind, unit, values, SEED, 0, 7), together[:7])
    assert np.array_equal(multiplier_sums(kind, unit, values, SEED, 6, 13), together[6:])


@pytest.mark.parametrize("kind", KINDS)
def test_multipliers_belong_to_the_unit_and_not_to_its_place(kind):
    unit = keys(40)
    order = np.random.default_rng(3).permutation(40)
    assert np.array_equal(
        multipliers(kind, unit[order], 0, 8), multipliers(kind, unit, 0, 8)[:, order]
    )


def test_columns_share_their_multipliers_and_seeds_do_not():
    unit = keys(25)
    values = np.random.default_rng(4).normal(size=(1, 25))
    both = np.vstack([values, 2 * values])
    found = multiplier_sums(MAMMEN, unit, both, SEED, 0, 6)
    assert np.array_equal(found[:, 1], 2 * found[:, 0])
    assert not np.array_equal(found, multiplier_sums(MAMMEN, unit, both, (1, 7), 0, 6))
    assert not np.array_equal(found, multiplier_sums(MAMMEN, unit, both, (SEED[0], 8), 0, 6))


def plain_draws(n, draws, replicate, *, replace):
    """Rows drawn by one replicate, in order."""
    left = list(range(n))
    rows = []
    for d in range(draws):
        word = plain_words(d, replicate, STAGE_SETS)[replicate % 4]
        if replace:
            rows.append(word * n >> 64)
        else:
            place = d + (word * (n - d) >> 64)
            left[d], left[place] = left[place], left[d]
            rows.append(left[d])
    return rows


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 6), st.booleans())
@examples(60, 15)
def test_drawn_sums_are_those_of_plain_python(n, draws, start, replace):
    draws = draws if replace else min(n, draws)
    values = np.random.default_rng([n, draws]).normal(size=(n, 3))
    found = drawn_sums(values, draws, SEED, start, start + 5, replace=replace)
    for r in range(5):
        rows = plain_draws(n, draws, start + r, replace=replace)
        assert np.allclose(found[r], values[rows].sum(axis=0), rtol=1e-13, atol=1e-13)


def test_draws_over_several_chunks():
    n = 50
    draws = 2 * CHUNK + 300 if COMPILED else 300
    found = drawn_sums(np.eye(n), draws, SEED, 2, 4)
    for r in (2, 3):
        wanted = np.bincount(plain_draws(n, draws, r, replace=True), minlength=n)
        assert np.array_equal(found[r - 2], wanted)


def test_a_subsample_takes_nobody_twice_and_everybody_equally_often():
    n, draws = 12, 5
    count = 3000 if COMPILED else 200
    found = drawn_sums(np.eye(n), draws, SEED, 0, count, replace=False)
    assert set(np.unique(found)) == {0.0, 1.0}
    assert np.array_equal(found.sum(axis=1), np.full(count, draws))
    share = draws / n
    error = math.sqrt(share * (1 - share) / count)
    assert np.max(np.abs(found.mean(axis=0) - share)) < 4.5 * error
    assert np.array_equal(drawn_sums(np.eye(n), n, SEED, 0, 3, replace=False), np.ones((3, n)))


def test_a_draw_is_the_same_alone_and_in_any_batch():
    values = np.random.default_rng(5).normal(size=(20, 2))
    for replace in (True, False):
        together = drawn_sums(values, 15, SEED, 0, 11, replace=replace)
        for r in (10, 0, 6):
            alone = drawn_sums(values, 15, SEED, r, r + 1, replace=replace)
            assert np.array_equal(alone[0], together[r])


def test_centred_columns_sum_to_nothing():
    values = np.random.default_rng(6).normal(size=(2, 101)) + 1e3
    found = centred(values)
    assert np.allclose(found, values - values.mean(axis=1, keepdims=True), rtol=0, atol=1e-12)
    assert values[0, 0] != found[0, 0]
    assert centred(np.empty((1, 0))).shape == (1, 0)
