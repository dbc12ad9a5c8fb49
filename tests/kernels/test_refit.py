"""Counts against plain Python, and refits against fits of copied rows."""

import numpy as np
import pytest

from kernels import dependence, newton
from kernels._jit import CHUNK
from kernels.cholesky import factor
from kernels.columns import number_columns
from kernels.philox import STAGE_COUNTS
from kernels.refit import REFITTED, SLOW, TOLERANCE, WIDTH, counts_into, refit
from tests import naive
from tests.kernels.support import COMPILED, make_table

SEED = (11, 2**63 + 5)


def drawn(unit, start, draws, first, blocks):
    counts = np.full((4 * blocks, len(unit)), 9, dtype=np.uint16)
    counts_into(
        np.array(unit, dtype=np.int64),
        np.array(start, dtype=np.int64),
        np.array(draws, dtype=np.int64),
        np.uint64(SEED[0]),
        np.uint64(SEED[1]),
        first,
        counts,
    )
    return counts


def plain_counts(unit, start, draws, replicate):
    people = np.zeros(start[-1], dtype=int)
    d = 0
    for stratum, number in enumerate(draws):
        size = start[stratum + 1] - start[stratum]
        for _ in range(number):
            word = naive.philox4x64((d, replicate // 4, STAGE_COUNTS, 0), SEED)[replicate % 4]
            people[start[stratum] + (word * size >> 64)] += 1
            d += 1
    return np.array([people[u] if u >= 0 else 0 for u in unit])


def test_counts_are_those_of_plain_python():
    rng = np.random.default_rng(0)
    unit = np.concatenate([rng.permutation(17), [-1, 3, 3, 16]])
    start, draws = [0, 5, 17], [5, 9]
    found = drawn(unit, start, draws, 6, 2)
    for r in range(8):
        assert np.array_equal(found[r], plain_counts(unit, start, draws, 24 + r))
    assert np.array_equal(drawn(unit, start, draws, 7, 1), found[4:])


def test_each_stratum_gets_its_draws():
    unit = np.arange(30)
    found = drawn(unit, [0, 10, 30], [10, 20], 0, 5)
    assert np.array_equal(found[:, :10].sum(axis=1), np.full(20, 10))
    assert np.array_equal(found[:, 10:].sum(axis=1), np.full(20, 20))


def full_fit(table, ridge=0.0):
    active = dependence.independent_columns(
        table.columns, np.empty(0), np.ones(table.columns.n_terms, dtype=np.bool_)
    )
    fitted = newton.fit(table.columns, table.treated, np.empty(0), active, ridge=ridge)
    assert fitted.status == newton.CONVERGED
    lower = np.empty_like(fitted.information)
    factor(fitted.information, lower, active.copy(), 0.0)
    return fitted, lower, active


def bootstrap_counts(n, seed=0):
    rng = np.random.default_rng([seed, n])
    counts = np.zeros((WIDTH, n), dtype=np.uint16)
    for own in counts:
        own[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    return counts


def refitted(table, counts, ridge=0.0, ratio=1.0):
    fitted, lower, active = full_fit(table, ridge)
    penalty = np.full(table.columns.n_terms, ridge)
    penalty[0] = 0.0
    return refit(table.columns, table.treated, counts, fitted.beta, lower, active, penalty, ratio)


@pytest.mark.parametrize(("numbers", "levels"), [(2, ()), (0, (3, 4)), (3, (2, 5, 3)), (0, ())])
@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_a_refit_is_the_fit_of_copied_rows(numbers, levels, ridge):
    n = 2 * CHUNK + 901 if COMPILED and numbers == 3 else 700
    table = make_table(n, numbers, levels)
    counts = bootstrap_counts(n)
    beta, eta, passes, status = refitted(table, counts, ridge)
    assert np.array_equal(status, np.full(WIDTH, REFITTED))
    assert np.all(passes >= 1)
    for r in range(0, WIDTH, 3):
        rows = np.repeat(np.arange(n), counts[r])
        wanted = naive.logistic_fit(table.dense[rows], table.treated[rows], ridge=ridge)
        assert np.allclose(eta[r], table.dense @ wanted.beta, rtol=0, atol=1e-8)
        assert np.allclose(eta[r], table.dense @ beta[r], rtol=0, atol=1e-12)


def test_the_scaled_gradient_is_as_small_as_promised():
    table = make_table(900, 2, (3, 4))
    counts = bootstrap_counts(900)
    fitted, _, active = full_fit(table)
    beta, _, _, _ = refitted(table, counts)
    deviation = np.sqrt(np.diagonal(fitted.information)[active])
    for r in range(WIDTH):
        at = naive.logistic_pass(table.dense, beta[r], table.treated, counts[r].astype(float))
        assert np.max(np.abs(at.gradient[active]) / deviation) <= TOLERANCE


def test_counts_of_one_need_one_pass():
    table = make_table(600, 2, (3,))
    fitted, _, _ = full_fit(table)
    beta, _, passes, status = refitted(table, np.ones((WIDTH, 600), dtype=np.uint16))
    assert np.array_equal(passes, np.ones(WIDTH))
    assert np.array_equal(status, np.full(WIDTH, REFITTED))
    assert np.allclose(beta, fitted.beta, rtol=0, atol=1e-10)


def test_a_replicate_does_not_depend_on_its_neighbours():
    table = make_table(800, 3, (4, 3))
    counts = bootstrap_counts(800)
    beta, eta, passes, _ = refitted(table, counts)
    order = np.array([5, 0, 7, 7, 2, 1, 3, 0])
    other = refitted(table, counts[order])
    assert np.array_equal(other[0], beta[order])
    assert np.array_equal(other[1], eta[order])
    assert np.array_equal(other[2], passes[order])


def test_fewer_draws_scale_the_metric():
    table = make_table(2000, 2, (3,))
    rng = np.random.default_rng(3)
    counts = bootstrap_counts(2000)
    for own in counts:
        own[:] = np.bincount(rng.integers(0, 2000, 500), minlength=2000)
    _, eta, passes, status = refitted(table, counts, ratio=0.25)
    assert np.array_equal(status, np.full(WIDTH, REFITTED))
    assert passes.max() < 25
    wanted = naive.logistic_fit(table.dense, table.treated, counts[0].astype(float))
    assert np.allclose(eta[0], table.dense @ wanted.beta, rtol=0, atol=1e-8)


def test_a_replicate_without_a_maximum_is_not_called_fitted():
    table = make_table(400, 1, ())
    counts = bootstrap_counts(400)
    # Drawn: treated people above the median of the number, others below it.
    (number,) = number_columns(table.columns)
    above = number > np.median(number)
    counts[2] = np.where(above == (table.treated == 1), 1, 0)
    _, _, _, status = refitted(table, counts)
    assert status[2] == SLOW
    assert np.array_equal(np.delete(status, 2), np.full(WIDTH - 1, REFITTED))
