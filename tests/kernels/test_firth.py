"""Firth's fit against a dense one and closed forms, and its intercept corrected."""

import numpy as np
import pytest

from kernels.columns import CodedColumns, pack_categories
from kernels.firth import correct_intercept, fit_firth
from kernels.newton import CONVERGED, fit
from tests import naive
from tests.kernels.support import (
    COMPILED,
    everything,
    make_table,
    weights_or_none,
    with_numbers,
)


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
    fit_ml = fit(table.columns, table.treated, table.weights, everything(table))
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
