"""Leverages against the dense hat matrix."""

import numpy as np
import pytest

from kernels.leverage import leverages
from kernels.logistic import linear_predictor
from tests import naive
from tests.kernels.support import COMPILED, make_table


def coefficients(p, size=0.5, seed=0):
    return np.random.default_rng([seed, p]).normal(size=p) * size


@pytest.mark.parametrize("n", [1, 700, 4097, 9000])
@pytest.mark.parametrize(
    ("numbers", "levels"), [(2, (3, 30)), (0, (4,)), (3, ()), (9, (20, 9, 8, 2))]
)
def test_leverages_are_the_hat_diagonal(n, numbers, levels):
    if not COMPILED and n > 700:
        n = 300
    table = make_table(n, numbers, levels, seed=6)
    beta = coefficients(table.columns.n_terms)
    eta = np.empty(n)
    linear_predictor(table.columns, beta, eta)
    # Any symmetric matrix will do; this one is not singular even for one row.
    root = np.random.default_rng(7).normal(size=(len(beta), len(beta)))
    inverse = root @ root.T
    wanted = naive.expit(eta) * naive.expit(-eta)
    wanted = wanted * np.einsum("ij,jk,ik->i", table.dense, inverse, table.dense)
    found = leverages(table.columns, eta, inverse)
    bound = np.einsum("ij,jk,ik->i", np.abs(table.dense), np.abs(inverse), np.abs(table.dense))
    assert np.all(np.abs(found - wanted) <= 1e-13 * bound)


def test_leverages_of_a_fit_add_up_to_the_coefficients():
    table = make_table(600, 2, (3,), weighted=True, seed=8)
    beta = coefficients(table.columns.n_terms)
    now = naive.logistic_pass(table.dense, beta, table.treated, table.weights)
    found = leverages(table.columns, now.eta, np.ascontiguousarray(np.linalg.inv(now.information)))
    assert abs(table.weights @ found - len(beta)) < 1e-9
    assert np.allclose(found, naive.leverage(table.dense, beta, table.weights), rtol=1e-9)
