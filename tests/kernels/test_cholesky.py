"""Cholesky factor, solves and inverse against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.cholesky import condition_number, factor, invert, solve
from tests import naive
from tests.kernels.support import examples


def factored(a, active=None, tolerance=0.0):
    p = len(a)
    lower = np.full((p, p), np.nan)
    active = np.ones(p, dtype=np.bool_) if active is None else np.array(active, dtype=np.bool_)
    dropped = factor(np.ascontiguousarray(a, dtype=np.float64), lower, active, tolerance)
    return lower, active, dropped


def positive(p, seed):
    x = np.random.default_rng([seed, p]).normal(size=(2 * p + 3, p))
    return x.T @ x


@pytest.mark.parametrize("p", [1, 2, 3, 7, 40])
def test_factor_is_numpys(p):
    a = positive(p, 1)
    lower, active, dropped = factored(a)
    assert dropped == 0
    assert np.all(active)
    assert np.all(np.triu(lower, 1) == 0)
    assert np.max(np.abs(lower - np.linalg.cholesky(a))) <= 1e-12 * np.max(np.abs(a))


def test_only_the_lower_triangle_is_read():
    a = positive(5, 2)
    spoiled = np.tril(a) + np.triu(np.full((5, 5), np.nan), 1)
    assert np.array_equal(factored(spoiled)[0], factored(a)[0])


@pytest.mark.parametrize("p", [1, 2, 5, 40])
def test_solve_and_invert_over_the_active_columns(p):
    a = positive(p, 3)
    rng = np.random.default_rng(p)
    active = rng.random(p) < 0.7
    active[0] = True
    lower, now, _ = factored(a, active)
    assert np.array_equal(now, active)
    assert np.all(lower[~active] == 0)
    assert np.all(lower[:, ~active] == 0)
    b = rng.normal(size=p)
    x = np.full(p, np.nan)
    solve(lower, now, b, x)
    part = np.ix_(active, active)
    assert np.allclose(x[active], np.linalg.solve(a[part], b[active]), rtol=1e-10, atol=1e-12)
    assert np.all(x[~active] == 0)
    same = b.copy()
    solve(lower, now, same, same)
    assert np.array_equal(same, x)
    inverse = np.full((p, p), np.nan)
    invert(lower, now, inverse)
    assert np.array_equal(inverse, inverse.T)
    assert np.allclose(inverse[part], np.linalg.inv(a[part]), rtol=1e-9, atol=1e-12)
    assert np.all(inverse[~active] == 0)


@given(st.integers(1, 8), st.integers(0, 2**31))
@examples(150, 80)
def test_the_later_of_dependent_columns_goes(p, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, size=(30, p)).astype(np.float64)
    for j in range(1, p):
        if rng.random() < 0.4:
            x[:, j] = x[:, :j] @ rng.integers(-2, 3, size=j)
    lower, active, dropped = factored(x.T @ x, tolerance=1e-11)
    wanted = naive.independent_columns(x)
    assert list(active) == list(wanted)
    assert dropped == np.count_nonzero(~wanted)
    part = np.ix_(wanted, wanted)
    assert np.allclose((lower @ lower.T)[part], (x.T @ x)[part], atol=1e-9)
    assert np.all(lower[~wanted] == 0)


def test_tolerance_is_a_share_of_the_columns_own_length():
    for gap, wanted in ((1e-6, [True, True]), (1e-3, [True, True]), (1e-8, [True, False])):
        # Column two is 1000 (column one + gap of something else): squared share gap^2.
        x = np.array([[1.0, 1000.0], [0.0, 1000.0 * gap]])
        a = x.T @ x
        assert list(factored(a, tolerance=1e-13)[1]) == wanted
    zero = np.zeros((2, 2))
    assert factored(zero)[2] == 2
    indefinite = np.array([[1.0, 2.0], [2.0, 1.0]])
    assert list(factored(indefinite)[1]) == [True, False]


def test_a_dependent_column_does_not_touch_the_rest():
    x = np.random.default_rng(6).normal(size=(20, 4))
    x = np.column_stack([x[:, 0], x[:, 1], x[:, 0] - x[:, 1], x[:, 2], x[:, 3]])
    a = x.T @ x
    lower, active, _ = factored(a, tolerance=1e-11)
    keep = [0, 1, 3, 4]
    assert list(np.flatnonzero(active)) == keep
    part = np.ix_(keep, keep)
    assert np.allclose(lower[part], np.linalg.cholesky(a[part]))


def test_condition_number_is_that_of_the_unit_diagonal_matrix():
    a = positive(6, 7)
    scale = np.array([1e-8, 1.0, 1e8, 3.0, 1e-3, 5.0])
    a = a * scale[:, None] * scale
    active = np.array([True, True, False, True, True, True])
    lower, active, _ = factored(a, active)
    inverse = np.empty_like(a)
    invert(lower, active, inverse)
    part = np.ix_(active, active)
    root = np.sqrt(np.diag(a)[active])
    unit = a[part] / root[:, None] / root
    wanted = np.linalg.norm(unit, 1) * np.linalg.norm(np.linalg.inv(unit), 1)
    assert abs(condition_number(a, inverse, active) / wanted - 1) < 1e-8
    nothing = np.zeros(6, dtype=np.bool_)
    assert condition_number(a, inverse, nothing) == 1.0


def test_condition_number_of_the_identity_is_one():
    eye = np.eye(4)
    assert condition_number(eye, eye, np.ones(4, dtype=np.bool_)) == 1.0
