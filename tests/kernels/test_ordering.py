"""Sorting by packed keys against Python's own sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.ordering import order_by_key, rows_by_cell_and_score, rows_by_score
from tests import naive
from tests.kernels.support import COMPILED, examples

N = 50_000 if COMPILED else 400


def check(score):
    score = np.asarray(score, dtype=np.float64)
    kept = score.copy()
    rows, sorted_score = rows_by_score(score)
    assert np.array_equal(rows, naive.order_by(score))
    assert np.array_equal(sorted_score, score[rows])
    assert np.array_equal(score.view(np.int64), kept.view(np.int64))
    # A third of the rows left out, and junk in them: the rest keeps its order.
    take = np.arange(len(score)) % 3 != 1
    junk = np.where(take, score, np.nan)
    rows, sorted_score = rows_by_score(junk, take)
    assert np.array_equal(rows, np.flatnonzero(take)[naive.order_by(score[take])])
    assert np.array_equal(sorted_score, score[rows])


@given(st.lists(st.integers(-3, 3), max_size=60))
@examples(100, 60)
def test_small_whole_numbers_with_many_ties(values):
    check(values)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=60))
@examples(200, 80)
def test_any_finite_floats(values):
    check(values)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2)), max_size=80),
    st.sampled_from([1e-300, 1e-16, 1.0, 1e6, 1e300]),
)
@examples(100, 50)
def test_differences_below_the_packed_precision(values, unit):
    steps = np.array([a for a, _ in values], dtype=np.float64) * unit
    for i, (_, small) in enumerate(values):
        toward = np.inf if small > 0 else -np.inf
        for _ in range(abs(small)):
            steps[i] = np.nextafter(steps[i], toward)
    check(steps)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 23, 24, 25, 26, 48, 63, 64, 65, 1000])
def test_sizes_at_the_edges_of_runs_and_bits(n):
    rng = np.random.default_rng(n)
    check(rng.normal(size=n))
    check(np.full(n, -2.5))
    check(np.arange(n)[::-1])
    check(rng.integers(0, 3, n))


@pytest.mark.parametrize("outlier", [1e300, -1e300, 1.7e308, 1e18, -1e9])
def test_one_outlier_puts_everybody_else_in_one_run(outlier):
    score = np.random.default_rng(5).normal(size=200)
    score[17] = outlier
    score[90] = score[3]
    check(score)
    score[40] = -outlier
    check(score)


def test_signed_zeros_are_equal_and_subnormals_are_not():
    check([0.0, -0.0, 5e-324, -5e-324, 0.0, -0.0, 1e-310, -1e-310, 2.3e-308])
    check([-0.0, 0.0] * 20)
    check(np.arange(60)[::-1] * 5e-324)


def test_the_whole_range_of_floats():
    huge = 1.7976931348623157e308
    check([huge, -huge, 0.0, huge / 2, -huge, huge])
    check(np.random.default_rng(6).uniform(-1, 1, 100) * huge)


def test_a_long_run_falls_back_to_merging():
    score = 1.0 + np.random.default_rng(7).integers(0, 50, N) * 2.0**-52
    score[0], score[1] = 1e6, -1e6
    check(score)


def test_many_rows():
    rng = np.random.default_rng(8)
    check(rng.normal(size=N))
    check(np.round(rng.normal(size=N), 2))
    check(rng.normal(size=N) ** 31)


@given(
    st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 4), st.booleans()), max_size=60),
    st.integers(5, 8),
)
@examples(100, 60)
def test_cells_are_dealt_in_score_order(given_rows, n_cells):
    score = np.array([a for a, _, _ in given_rows], dtype=np.float64)
    cell = np.array([c for _, c, _ in given_rows], dtype=np.int64)
    take = np.array([t for _, _, t in given_rows], dtype=np.bool_)
    rows, sorted_score, start = rows_by_cell_and_score(score, take, cell, n_cells)
    taken = np.flatnonzero(take)
    assert np.array_equal(rows, taken[naive.order_by_cell(score[take], cell[take])])
    assert np.array_equal(sorted_score, score[rows])
    counts = [int(np.count_nonzero(cell[take] == c)) for c in range(n_cells)]
    assert list(start) == [0, *np.cumsum(counts)]


def test_no_cells_are_the_plain_order():
    score = np.array([3.0, 1.0, 2.0, 1.0])
    take = np.array([True, True, False, True])
    rows, sorted_score, start = rows_by_cell_and_score(score, take, None, 1)
    assert list(rows) == [1, 3, 0]
    assert list(sorted_score) == [1.0, 1.0, 3.0]
    assert list(start) == [0, 3]


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=60), st.integers(0, 9))
@examples(150, 80)
def test_order_by_key(keys, near):
    # Neighbours of a large key agree in all packed bits.
    keys += [2**64 - 1 - near, 2**64 - 1, 2**63 + near, 2**63, near, near]
    found = order_by_key(np.array(keys, dtype=np.uint64))
    assert np.array_equal(found, naive.order_by(keys))


def test_order_by_key_of_no_rows_one_row_and_equal_rows():
    for keys in ([], [5], [7] * 50):
        found = order_by_key(np.array(keys, dtype=np.uint64))
        assert list(found) == list(range(len(keys)))
