"""Fits against a dense Newton, and against stored behaviour of hard cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.columns import CodedColumns, number_columns, pack_categories
from kernels.logistic import gradient_of_residual
from kernels.newton import (
    CONVERGED,
    DEPENDENCE_TOLERANCE,
    correct_intercept,
    fit,
    fit_firth,
    independent_columns,
)
from tests import naive
from tests.kernels.support import COMPILED, examples, make_table, weights_or_none, with_numbers

N = 900 if COMPILED else 250


def everything(table):
    return np.ones(table.columns.n_terms, dtype=np.bool_)


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


@pytest.mark.skipif(not COMPILED, reason="the pilot needs 200,000 rows")
@pytest.mark.parametrize("weighted", [False, True])
def test_the_pilot_changes_the_way_and_not_the_answer(weighted):
    table = make_table(200_000, 2, (5, 4), weighted=weighted, seed=23, share=0.02)
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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("share", [0.4, 0.06])
def test_firth_is_the_dense_firth(weighted, share):
    n = 300 if COMPILED else 120
    table = make_table(n, 2, (3,), whole_weights=weighted, seed=27, share=share)
    found = fit_firth(table.columns, table.treated, table.weights, everything(table))
    wanted = naive.firth_fit(table.dense, table.treated, weights_or_none(table))
    assert found.status == CONVERGED
    assert np.allclose(found.beta, wanted.beta, rtol=1e-6, atol=1e-7)
    assert abs(found.deviance / wanted.deviance - 1) < 1e-7
    assert np.allclose(found.inverse, wanted.covariance, rtol=1e-5, atol=1e-9)
    fit_ml = solved(table)
    assert np.max(np.abs(fit_ml.beta - found.beta)) > 1e-4


@pytest.mark.parametrize("weighted", [False, True])
def test_firth_of_one_category_is_half_a_person_more_in_each_group(weighted):
    # Closed form: (treated + 1/2) / (all + 1) in each level, levels of one row among them.
    rows = [(0, 3, 9), (1, 0, 1), (2, 1, 1), (3, 2, 3), (4, 5, 5)]
    codes = np.repeat([r[0] for r in rows], [r[2] for r in rows]).astype(np.uint16)
    treated = np.concatenate([np.arange(r[2]) < r[1] for r in rows]).astype(np.uint8)
    weights = np.empty(0)
    if weighted:
        keys, counts = np.unique(np.column_stack([codes, treated]), axis=0, return_counts=True)
        codes, treated, weights = (
            keys[:, 0].astype(np.uint16),
            keys[:, 1].astype(np.uint8),
            counts * 1.0,
        )
    terms = np.arange(len(rows))
    terms[0] = -1
    cells, start, term = pack_categories(codes[None, :], [terms])
    none = np.empty(0)
    columns = CodedColumns(
        none,
        np.empty(0, dtype=np.int64),
        none,
        none,
        np.empty(0, dtype=np.int64),
        cells,
        start,
        term,
        5,
    )
    found = fit_firth(columns, treated, weights, np.ones(5, dtype=np.bool_))
    assert found.status == CONVERGED
    assert found.iterations <= 10
    for level, events, n in rows:
        share = (events + 0.5) / (n + 1)
        eta = found.beta[0] + (found.beta[level] if level else 0.0)
        assert naive.expit(eta) == pytest.approx(share, rel=1e-9)


def test_firth_is_finite_where_a_column_separates():
    n = 60
    x = np.concatenate([np.linspace(-3, -1, 40), np.linspace(1, 3, 20)])
    treated = (x > 0).astype(np.uint8)
    table = make_table(n, 1, (), seed=28)
    columns = with_numbers(table.columns, x[None, :], centre=np.zeros(1), scale=np.ones(1))
    found = fit_firth(columns, treated, np.empty(0), everything(table))
    wanted = naive.firth_fit(np.column_stack([np.ones(n), x]), treated)
    assert found.status == CONVERGED
    assert np.allclose(found.beta, wanted.beta, rtol=1e-5)
    # By hand: Firth's estimate of one probability is (events + 1/2) / (rows + 1).
    alone = make_table(10, 0, (), seed=29)
    labels = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], dtype=np.uint8)
    null = fit_firth(alone.columns, labels, np.empty(0), everything(alone))
    assert abs(null.beta[0] - np.log(2.5 / 8.5)) < 1e-7


@pytest.mark.parametrize("weighted", [False, True])
def test_flic_restores_the_mean_and_only_the_intercept(weighted):
    table = make_table(
        300 if COMPILED else 120, 2, (3,), whole_weights=weighted, seed=30, share=0.1
    )
    firth = fit_firth(table.columns, table.treated, table.weights, everything(table))
    weights = table.weights if weighted else np.ones(len(table.treated))
    wanted = float(weights @ table.treated)
    found = correct_intercept(firth, table.columns, wanted, table.weights)
    assert np.array_equal(found.beta[1:], firth.beta[1:])
    shift = naive.flic_shift(firth.eta, table.treated, weights)
    assert abs(found.beta[0] - firth.beta[0] - shift) < 1e-11
    assert abs(weights @ naive.expit(found.eta) / wanted - 1) < 1e-12
    assert np.allclose(found.eta, firth.eta + shift, atol=1e-10)


def test_flic_moves_far_where_the_firth_fit_is_far_off():
    table = make_table(100, 1, (), seed=31)
    firth = fit_firth(table.columns, table.treated, np.empty(0), everything(table))
    for off in (-25.0, 25.0):
        moved = firth._replace(beta=firth.beta + np.array([off, 0.0]), eta=firth.eta + off)
        found = correct_intercept(moved, table.columns, float(table.treated.sum()), np.empty(0))
        assert abs(naive.expit(found.eta).sum() - table.treated.sum()) < 1e-9


@given(st.integers(1, 6), st.integers(0, 400))
@examples(40, 15)
def test_dependent_columns_are_dropped_left_to_right(p, seed):
    n = 120
    rng = np.random.default_rng(seed)
    table = make_table(n, p, (3, 2), weighted=bool(seed % 2), seed=seed)
    numeric = np.array(number_columns(table.columns))
    for j in range(1, p):
        choice = rng.integers(0, 4)
        if choice == 0:
            numeric[j] = 3.0 * numeric[j - 1] - 7.0
        elif choice == 1:
            numeric[j] = (table.codes[0] == 1) * 2.0 + 1.0
        elif choice == 2:
            numeric[j] = numeric[:j].sum(axis=0)
    columns = with_numbers(table.columns, numeric)
    levels = [np.asarray(t) for t in table.level_terms]
    dense = naive.dense_design(
        numeric, columns.centre, columns.scale, columns.numeric_term,
        table.codes, levels, columns.n_terms,
    )  # fmt: skip
    candidates = np.ones(columns.n_terms, dtype=np.bool_)
    candidates[rng.integers(1, columns.n_terms)] = False
    found = independent_columns(columns, table.weights, candidates)
    kept = np.flatnonzero(candidates)
    wanted = np.zeros(columns.n_terms, dtype=np.bool_)
    wanted[kept] = naive.independent_columns(
        dense[:, kept], weights_or_none(table), DEPENDENCE_TOLERANCE
    )
    assert list(found) == list(wanted)


@pytest.mark.skipif(not COMPILED, reason="needs 300,000 rows")
def test_a_dependence_of_the_sample_alone_drops_nothing():
    # The column differs from zero in one row only, which a systematic sample leaves out.
    n = 300_000
    table = make_table(n, 2, (), seed=32)
    numeric = np.array(number_columns(table.columns))
    numeric[1] = numeric[0]
    numeric[1, 7] += 500.0
    columns = with_numbers(table.columns, numeric, centre=np.zeros(2), scale=np.ones(2))
    assert list(independent_columns(columns, np.empty(0), np.ones(3, dtype=np.bool_))) == [True] * 3
    numeric[1, 7] -= 500.0
    same = with_numbers(columns, numeric)
    # Coefficients are numbered backwards in this table: column 1 comes before column 0.
    assert list(independent_columns(same, np.empty(0), np.ones(3, dtype=np.bool_))) == [
        True,
        True,
        False,
    ]


def test_the_gradient_of_a_fit_is_zero_by_the_dense_sums_too():
    table = make_table(N, 2, (4,), weighted=True, seed=33)
    found = solved(table)
    residual = table.weights * (table.treated - naive.expit(found.eta))
    gradient = gradient_of_residual(table.columns, residual)
    assert np.max(np.abs(gradient) / np.sqrt(np.diag(found.information))) <= 2e-8


@pytest.mark.skipif(not COMPILED, reason="the pilot needs 32,768 rows")
def test_a_level_that_is_separated_in_the_pilot_alone_does_not_spoil_the_fit():
    table = make_table(40_000, 1, (2,), seed=26, share=0.012)
    treated = table.treated
    rare = np.zeros((1, len(treated)), dtype=np.uint16)
    # The pilot takes all treated and every seventh of the others: none of these six. Its first
    # step for a level of treated people alone is one over the treated share, here about 80.
    rare[0, np.flatnonzero(treated == 0)[[3, 10, 17, 24, 31, 38]]] = 1
    rare[0, np.flatnonzero(treated == 1)[:4]] = 1
    cells, start, term = pack_categories(rare, [np.array([-1, 1])])
    columns = table.columns._replace(cells=cells, cell_start=start, cell_term=term)
    found = fit(columns, treated, np.empty(0), everything(table))
    dense = table.dense.copy()
    dense[:, 1] = rare[0]
    wanted = naive.logistic_fit(dense, treated)

    assert found.status == CONVERGED
    assert found.iterations < 20
    assert np.allclose(found.beta, wanted.beta, rtol=1e-7, atol=1e-9)
