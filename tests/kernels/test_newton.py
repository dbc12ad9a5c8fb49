"""Fits against a dense Newton, and against stored behaviour of hard cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import newton
from kernels.columns import pack_categories
from kernels.logistic import gradient_of_residual
from kernels.newton import CONVERGED, fit
from kernels.pilot import case_control_sample, pilot_sizes
from tests import naive
from tests.kernels.support import (
    COMPILED,
    everything,
    examples,
    make_table,
    weights_or_none,
    with_numbers,
)

N = 900 if COMPILED else 250


def solved(table, **options):
    return fit(table.columns, table.treated, table.weights, everything(table), **options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("numbers", "levels"), [(0, ()), (3, ()), (0, (4, 3)), (2, (3, 5, 2))])
@pytest.mark.parametrize("ridge", [0.0, 0.7])
def test_fit_is_the_dense_newton_fit(numbers, levels, weighted, ridge):
    table = make_table(N, numbers, levels, weighted=weighted, seed=20)
    found = solved(table, ridge=ridge)
    wanted = naive.logistic_fit(table.dense, table.treated, weights_or_none(table), ridge=ridge)
    assert found.status == CONVERGED
    assert np.allclose(found.beta, wanted.beta, rtol=1e-8, atol=1e-9)
    assert np.allclose(found.inverse, wanted.covariance, rtol=1e-7, atol=1e-12)
    assert np.allclose(found.eta, wanted.eta, atol=1e-8)
    assert found.scaled_gradient <= 1e-8
    plain = found.deviance - ridge * float(np.sum(found.beta[1:] ** 2))
    assert abs(plain / wanted.deviance - 1) < 1e-10
    assert np.array_equal(found.active, everything(table))


@given(
    st.integers(40, 90),
    st.integers(0, 2),
    st.lists(st.integers(2, 3), max_size=2),
    st.booleans(),
    st.integers(0, 500),
)
@examples(40, 12)
def test_any_small_fit(n, numbers, levels, weighted, seed):
    table = make_table(n, numbers, tuple(levels), weighted=weighted, seed=seed)
    found = solved(table, ridge=0.3)
    wanted = naive.logistic_fit(table.dense, table.treated, weights_or_none(table), ridge=0.3)
    assert found.status == CONVERGED
    assert np.allclose(found.beta, wanted.beta, rtol=1e-7, atol=1e-8)


def test_inactive_columns_stay_at_zero_and_change_nothing():
    table = make_table(N, 3, (4,), seed=21)
    active = everything(table)
    active[[1, 5]] = False
    found = fit(table.columns, table.treated, table.weights, active)
    wanted = naive.logistic_fit(table.dense[:, active], table.treated)
    assert found.status == CONVERGED
    assert np.allclose(found.beta[active], wanted.beta, rtol=1e-8, atol=1e-9)
    assert np.all(found.beta[~active] == 0)
    assert np.all(found.inverse[~active] == 0)
    assert np.array_equal(found.active, active)


def test_a_start_elsewhere_ends_at_the_same_place():
    table = make_table(N, 2, (3,), seed=22)
    cold = solved(table)
    for size in (0.1, 3.0):
        start = cold.beta + np.random.default_rng(1).normal(size=len(cold.beta)) * size
        warm = solved(table, start=start)
        assert warm.status == CONVERGED
        assert np.allclose(warm.beta, cold.beta, atol=1e-8)
    again = solved(table, start=cold.beta)
    assert again.status == CONVERGED
    assert again.iterations <= 1


@pytest.mark.skipif(not COMPILED, reason="two pilots need 262,144 rows")
@pytest.mark.parametrize("n", [200_000, 300_000])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_pilot_changes_the_way_and_not_the_answer(n, weighted):
    table = make_table(n, 2, (5, 4), weighted=weighted, seed=23, share=0.02)
    found = solved(table)
    assert found.status == CONVERGED
    assert found.scaled_gradient <= 1e-8
    # The likelihood is concave: where its gradient is zero is the answer.
    there = naive.logistic_pass(table.dense, found.beta, table.treated, weights_or_none(table))
    inverse = np.linalg.inv(there.information)
    assert np.max(np.abs(there.gradient) / np.sqrt(np.diag(there.information))) <= 2e-8
    assert np.allclose(found.inverse, inverse, rtol=1e-9, atol=1e-15)
    assert abs(found.deviance / there.deviance - 1) <= 1e-12


def test_rare_treatment_with_a_heavy_tailed_covariate():
    # Undamped Newton runs away here: one step from the null fit overshoots.
    table = make_table(N, 1, (), seed=24)
    rng = np.random.default_rng(25)
    x = np.exp(2.5 * rng.normal(size=N))
    treated = (rng.random(N) < 0.02).astype(np.uint8)
    treated[np.argsort(x)[-40::8]] = 1
    treated[np.argsort(x)[:3]] = 1
    columns = with_numbers(
        table.columns, x[None, :], centre=np.array([x.mean()]), scale=np.array([x.std()])
    )
    found = fit(columns, treated, np.empty(0), everything(table))
    dense = np.column_stack([np.ones(N), (x - x.mean()) / x.std()])
    wanted = naive.logistic_fit(dense, treated)
    assert found.status == CONVERGED
    assert np.allclose(found.beta, wanted.beta, rtol=1e-7)


@pytest.mark.parametrize("method", ["ml", "ridge"])
def test_separated_data_do_not_converge_by_maximum_likelihood(method):
    table = make_table(200, 1, (), seed=26)
    x = np.linspace(-1, 1, 200)
    columns = with_numbers(table.columns, x[None, :], centre=np.zeros(1), scale=np.ones(1))
    treated = (x > 0).astype(np.uint8)
    ridge = 0.0 if method == "ml" else 1.0
    found = fit(columns, treated, np.empty(0), everything(table), ridge=ridge)
    if method == "ridge":
        assert found.status == CONVERGED
        wanted = naive.logistic_fit(
            table._replace(dense=np.column_stack([np.ones(200), x])).dense, treated, ridge=1.0
        )
        assert np.allclose(found.beta, wanted.beta, rtol=1e-7, atol=1e-8)
    else:
        # The certificate of the engine: converged only with bounded logits.
        assert found.status != CONVERGED or np.max(np.abs(found.eta)) > 20


def test_the_gradient_of_a_fit_is_zero_by_the_dense_sums_too():
    table = make_table(N, 2, (4,), weighted=True, seed=33)
    found = solved(table)
    residual = table.weights * (table.treated - naive.expit(found.eta))
    gradient = gradient_of_residual(table.columns, residual)
    assert np.max(np.abs(gradient) / np.sqrt(np.diag(found.information))) <= 2e-8


@pytest.mark.skipif(not COMPILED, reason="pilots need 32,768 and 262,144 rows")
@pytest.mark.parametrize(("n", "apart"), [(40_000, 8), (300_000, 64)])
def test_a_level_that_is_separated_in_the_pilot_alone_does_not_spoil_the_fit(n, apart):
    table = make_table(n, 1, (2,), seed=26, share=0.012)
    treated = table.treated
    rare = np.zeros((1, len(treated)), dtype=np.uint16)
    # The first pilot takes all treated and of the others each eighth, or each 64th: none of these
    # six. Its first step for a level of treated people alone is one over the treated share, 80.
    rare[0, np.flatnonzero(treated == 0)[[apart * k + 3 for k in range(6)]]] = 1
    rare[0, np.flatnonzero(treated == 1)[:4]] = 1
    cells, start, term = pack_categories(rare, [np.array([-1, 1])])
    columns = table.columns._replace(cells=cells, cell_start=start, cell_term=term)
    sample = case_control_sample(columns, treated, np.empty(0), pilot_sizes(n)[0])
    assert not sample[0].cells[0, sample[1] == 0].any()
    found = fit(columns, treated, np.empty(0), everything(table))
    dense = table.dense.copy()
    dense[:, 1] = rare[0]
    wanted = naive.logistic_fit(dense, treated)

    assert found.status == CONVERGED
    assert found.iterations < 20
    assert np.allclose(found.beta, wanted.beta, rtol=1e-7, atol=1e-9)


@pytest.mark.skipif(not COMPILED, reason="the pilot needs 32,768 rows")
@pytest.mark.parametrize("wrong", [-10.0, np.nan])
def test_a_wrong_extrapolation_is_replaced_by_the_plain_step(wrong, monkeypatch):
    table = make_table(50_000, 2, (4,), seed=27, share=0.02)
    wanted = solved(table)
    whole, called = newton.extrapolated, []

    def misled(memory, beta, step, weight):
        found = whole(memory, beta, step, weight)
        called.append(found is not step)
        return wrong * found if called[-1] else found

    monkeypatch.setattr(newton, "extrapolated", misled)
    found = solved(table)
    assert any(called)
    assert found.status == CONVERGED
    assert np.allclose(found.beta, wanted.beta, rtol=1e-9, atol=1e-10)
