"""Passes over coded columns against the dense matrix in extended precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels._jit import CHUNK
from kernels.information import information_matrix, information_pass
from kernels.logistic import (
    TOGETHER,
    deviance_and_gradient,
    gradient_of_residual,
    gradient_pass,
    linear_predictor,
    linear_predictors,
    predictor_pass,
    residual_pass,
)
from tests import naive
from tests.kernels.support import COMPILED, examples, make_table, weights_or_none

EDGES = [1, 2, 3, 511, 513, 4095, 4096, 4097, 8193]
"""Row counts at the edges of chunks (4,096), segments (32) and sub-chunks (512)."""
if COMPILED:
    EDGES += [32 * 512 - 1, 32 * 512, 32 * 512 + 33, 3 * 4096 + 5]


def check(table, beta, rel=1e-12):
    """Compare every pass at one coefficient vector with the dense sums."""
    n = len(table.treated)
    wanted = naive.logistic_pass(table.dense, beta, table.treated, weights_or_none(table))
    x = np.abs(table.dense)
    w = table.weights if len(table.weights) else np.ones(n)
    eta = np.full(n, np.nan)
    deviance, gradient = deviance_and_gradient(
        table.columns, beta, table.treated, table.weights, eta
    )
    assert np.max(np.abs(eta - wanted.eta) / (x @ np.abs(beta) + 1.0)) <= 1e-14
    # Each factor 1 + exp(-|e|) is rounded before its logarithm is taken.
    assert abs(deviance - wanted.deviance) <= rel * wanted.deviance + 4e-16 * w.sum()
    # Each sum may be off by rounding of the sum of its absolute terms.
    reach = x.T @ w
    assert np.all(np.abs(gradient - wanted.gradient) <= rel * (reach + 1e-10))
    again = np.full(n, np.nan)
    linear_predictor(table.columns, beta, again)
    assert np.array_equal(eta, again)
    several = np.array([beta * size for size in np.linspace(1.0, -0.5, TOGETHER + 1)])
    together = linear_predictors(table.columns, several)
    for row, slopes in zip(together, several, strict=True):
        linear_predictor(table.columns, slopes, again)
        assert np.array_equal(row, again)
    information = information_matrix(table.columns, eta, table.weights)
    assert np.array_equal(information, information.T)
    products = (x * w[:, None]).T @ x
    assert np.all(np.abs(information - wanted.information) <= rel * (products + 1e-300))
    flat = information_matrix(table.columns, eta, table.weights, flat=True)
    dense = (table.dense * (0.25 * w)[:, None]).T @ table.dense
    assert np.all(np.abs(flat - dense) <= rel * (products + 1e-300))
    residual = np.random.default_rng(n).normal(size=n)
    sums = gradient_of_residual(table.columns, residual)
    assert np.all(np.abs(sums - table.dense.T @ residual) <= rel * (x.T @ np.abs(residual) + 1e-10))


def coefficients(p, size=0.5, seed=0):
    return np.random.default_rng([seed, p]).normal(size=p) * size


@pytest.mark.parametrize("n", EDGES)
def test_passes_at_the_edges_of_chunks(n):
    table = make_table(n, 2, (3, 5))
    check(table, coefficients(table.columns.n_terms))


@pytest.mark.parametrize("n", EDGES)
def test_weighted_passes_at_the_edges_of_chunks(n):
    table = make_table(n, 1, (4,), weighted=True, seed=1)
    check(table, coefficients(table.columns.n_terms))


@pytest.mark.parametrize("n", [1, 3, 513, 4097])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("numbers", "levels"),
    [
        *((0, ()), (3, ()), (0, (2,)), (0, (6, 7, 8, 9)), (1, (300,)), (2, (1, 2))),
        # Products are formed in panels of 16 columns, the intercept among them.
        *((15, ()), (17, (70,)), (32, (3,))),
    ],
)
def test_passes_of_every_shape(n, weighted, numbers, levels):
    if not COMPILED and n > 513:
        n = 700
    table = make_table(n, numbers, levels, weighted=weighted, seed=2)
    check(table, coefficients(table.columns.n_terms))


@given(
    st.integers(1, 60),
    st.integers(0, 3),
    st.lists(st.integers(1, 70), max_size=4),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1000),
)
@examples(60, 25)
def test_passes_of_any_small_table(n, numbers, levels, weighted, references, seed):
    table = make_table(
        n, numbers, tuple(levels), weighted=weighted, references=references, seed=seed
    )
    check(table, coefficients(table.columns.n_terms, seed=seed))


@pytest.mark.parametrize("logit", [40.0, -40.0, 600.0, -600.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_extreme_logits(logit, weighted):
    # 4,096 factors of at most 2 are multiplied before a logarithm is taken: near logit 0 they are
    # all 2.
    n = 5_000 if COMPILED else 1_100
    table = make_table(n, 1, (3,), weighted=weighted, seed=3)
    beta = np.zeros(table.columns.n_terms)
    beta[0] = logit
    check(table, beta)
    labels = np.full(n, 1 if logit > 0 else 0, dtype=np.uint8)
    check(table._replace(treated=labels), beta)


@pytest.mark.parametrize("n", [1, 511, 512, 513, 4095, 4096, 9_000 if COMPILED else 1_500])
def test_products_of_factors_of_two_do_not_overflow(n):
    table = make_table(n, 1, (), seed=4)
    eta = np.empty(n)
    deviance, _ = deviance_and_gradient(table.columns, np.zeros(2), table.treated, np.empty(0), eta)
    assert abs(deviance / (2 * n * np.log(2)) - 1) < 1e-14


def test_steep_slopes_mix_tiny_and_huge_logits():
    table = make_table(1_500 if COMPILED else 700, 2, (4,), seed=5)
    check(table, coefficients(table.columns.n_terms, size=30.0))


def test_gradient_is_the_slope_of_the_deviance():
    table = make_table(700, 2, (3,), weighted=True, seed=9)
    beta = coefficients(table.columns.n_terms)
    eta = np.empty(700)
    weights = table.weights
    _, gradient = deviance_and_gradient(table.columns, beta, table.treated, weights, eta)
    information = information_matrix(table.columns, eta, weights)
    step = 1e-5
    for j in range(len(beta)):
        up, down = beta.copy(), beta.copy()
        up[j] += step
        down[j] -= step
        above, slope_above = deviance_and_gradient(
            table.columns, up, table.treated, weights, np.empty(700)
        )
        below, slope_below = deviance_and_gradient(
            table.columns, down, table.treated, weights, np.empty(700)
        )
        assert abs((above - below) / (2 * step) + 2 * gradient[j]) < 1e-4
        assert np.allclose((slope_below - slope_above) / (2 * step), information[j], atol=1e-5)


def test_consecutive_ranges_give_the_result_of_one_call():
    n = 3 * CHUNK + 100
    table = make_table(n, 1, (4,), seed=10)
    if not COMPILED:
        n = CHUNK + 100
        table = make_table(n, 1, (4,), seed=10)
    chunks = (n + CHUNK - 1) // CHUNK
    columns, beta = table.columns, coefficients(table.columns.n_terms)
    whole = np.full((chunks, columns.n_terms + 1), np.nan)
    parts = whole.copy()
    eta, eta_parts = np.full(n, np.nan), np.full(n, np.nan)
    gradient_pass(columns, beta, table.treated, table.weights, eta, whole, 0, chunks)
    for start in range(chunks):
        gradient_pass(
            columns, beta, table.treated, table.weights, eta_parts, parts, start, start + 1
        )
    assert np.array_equal(whole, parts)
    assert np.array_equal(eta, eta_parts)
    sums = whole.copy()
    residual_pass(columns, eta, sums, 0, chunks)
    for start in range(chunks):
        residual_pass(columns, eta, parts, start, start + 1)
    assert np.array_equal(sums, parts)
    eta_parts[:] = np.nan
    for start in range(chunks):
        predictor_pass(columns, beta, eta_parts, start, start + 1)
    assert np.array_equal(eta, eta_parts)


def test_information_in_steps_is_that_of_one_call():
    n = 40_000 if COMPILED else 600
    table = make_table(n, 1, (3,), seed=11)
    eta = coefficients(n)
    cells = len(table.columns.cell_term)

    def sums(step):
        dense = np.zeros((32, 2, 2))
        cross = np.zeros((32, cells, 16))
        tables = np.zeros((32, 0))
        for progress in range(0, 4, step):
            information_pass(
                *(table.columns, eta, table.weights, False, dense, cross, tables),
                *(progress, step, 0, 32),
            )
        return dense, cross

    for one, other in zip(sums(1), sums(4), strict=True):
        assert np.array_equal(one, other)


def test_a_zero_weight_row_counts_for_nothing():
    table = make_table(900 if COMPILED else 300, 2, (5,), weighted=True, seed=12)
    beta = coefficients(table.columns.n_terms)
    keep = table.weights > 0
    assert not keep.all()
    eta = np.empty(len(keep))
    deviance, gradient = deviance_and_gradient(
        table.columns, beta, table.treated, table.weights, eta
    )
    fewer = naive.logistic_pass(table.dense[keep], beta, table.treated[keep], table.weights[keep])
    assert abs(deviance / fewer.deviance - 1) < 1e-12
    assert np.allclose(gradient, fewer.gradient, atol=1e-9)
