"""Sums in shares: added up they are the sums over all rows, and no share reads another's rows."""

from itertools import pairwise

import numpy as np
import pytest

from kernels import shares
from kernels._jit import CHUNK
from kernels.columns import number_columns
from kernels.information import SEGMENTS, assemble_information, information_matrix
from kernels.logistic import deviance_and_gradient, linear_predictor
from kernels.shares import (
    block_count,
    gradient_of_blocks,
    information_of_segments,
    sum_of_blocks,
)
from tests.kernels.support import COMPILED, make_table

N = (11 * CHUNK if COMPILED else 5 * CHUNK) + 17


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "weighted"])
def table(request):
    return make_table(N, numbers=2, levels=(3, 5), seed=4, weighted=request.param)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(shares, "BLOCK", 4)


def beta_of(table):
    return np.random.default_rng(1).normal(size=table.columns.n_terms) / 5


@pytest.mark.parametrize("cuts", [(), (1,), (1, 2)])
def test_blocks_add_up_to_one_pass(table, cuts):
    beta, eta = beta_of(table), np.empty(N)
    edges = [0, *cuts, block_count(N)]
    found = np.vstack(
        [
            gradient_of_blocks(table.columns, beta, table.treated, table.weights, start, stop)
            for start, stop in pairwise(edges)
        ]
    )
    deviance, gradient = sum_of_blocks(found)
    whole = deviance_and_gradient(table.columns, beta, table.treated, table.weights, eta)
    assert deviance == whole[0]
    assert gradient.tobytes() == whole[1].tobytes()


@pytest.mark.parametrize("step", [1, 5, SEGMENTS])
def test_segments_add_up_to_one_pass(table, step):
    beta, eta = beta_of(table), np.empty(N)
    linear_predictor(table.columns, beta, eta)
    parts = [
        information_of_segments(
            table.columns, beta, table.weights, start, min(start + step, SEGMENTS)
        )
        for start in range(0, SEGMENTS, step)
    ]
    joined = [np.concatenate(some) for some in zip(*parts, strict=True)]
    whole = information_matrix(table.columns, eta, table.weights)
    assert assemble_information(table.columns, *joined).tobytes() == whole.tobytes()


def test_a_share_reads_its_own_rows_only(table):
    beta = beta_of(table)
    before = gradient_of_blocks(table.columns, beta, table.treated, table.weights, 1, 2)
    segment = information_of_segments(table.columns, beta, table.weights, 0, 1)
    kept = [column.copy() for column in number_columns(table.columns)]
    try:
        for column in number_columns(table.columns):
            column[: 4 * CHUNK] = np.nan
            column[8 * CHUNK :] = np.nan
        after = gradient_of_blocks(table.columns, beta, table.treated, table.weights, 1, 2)
        assert after.tobytes() == before.tobytes()
        for column, values in zip(number_columns(table.columns), kept, strict=True):
            column[:] = values
            column[2 * CHUNK :] = np.nan
        again = information_of_segments(table.columns, beta, table.weights, 0, 1)
        assert all(a.tobytes() == b.tobytes() for a, b in zip(again, segment, strict=True))
    finally:
        for column, values in zip(number_columns(table.columns), kept, strict=True):
            column[:] = values


def test_the_tree_of_blocks_is_the_rest_of_the_tree_of_chunks():
    assert shares.BLOCK & (shares.BLOCK - 1) == 0
    assert block_count(1) == 1
    assert block_count(4 * CHUNK) == 1
    assert block_count(4 * CHUNK + 1) == 2
