"""Leverages of a logistic model on coded columns: the diagonal of its hat matrix.

The quadratic form x' V x of a row falls apart: numbers by numbers, a block of rows at a time; each
cell column by the numbers, from a table of V summed over the terms of a cell; and pairs of cell
columns, one number looked up for each. No row is ever spread out over the coefficients.
"""

import numpy as np
from numba import prange

from kernels._jit import CHUNK, kernel
from kernels.blocks import chunk_count
from kernels.columns import CodedColumns
from kernels.elementary import exp_in_place

_BLOCK = 128
"""Rows of a block: with 34 numbers it is 35 kB, about a first-level cache."""
_CHUNKS = 200
"""Chunks that one call takes: some 0.1 s on one core with 33 numbers."""


@kernel(parallel=True)
def leverage_pass(columns, eta, dense, mixed, pairs, leverage, start, stop):
    """Fill the leverages of a range of chunks.

    Parameters
    ----------
    columns : CodedColumns
    eta : float64, shape (n,)
        Linear predictor.
    dense : float64, shape (p_numeric + 1, p_numeric + 1)
        V over (1, numbers), lower triangle, what is beside the diagonal doubled.
    mixed : float64, shape (p_numeric + 1, cells)
        Twice V of (1, numbers) by the sum over the terms of each cell.
    pairs : float64, shape (cells, cells)
        V summed over the terms of two cells: twice it for two columns, of which the later is first.
    leverage : float64, shape (n,)
        Filled with F (1 - F) x' V x, the leverage of one copy of each row.
    start, stop : int
        Range of chunks.
    """
    n = eta.shape[0]
    size = dense.shape[0]
    for chunk in prange(start, stop):
        x = np.empty((size, _BLOCK))
        inner = np.empty(_BLOCK)
        weight = np.empty(_BLOCK)
        for first in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n), _BLOCK):
            m = min(_BLOCK, min((chunk + 1) * CHUNK, n) - first)
            form = leverage[first : first + m]
            form[:] = 0.0
            x[0, :] = 1.0
            for j in range(1, size):
                inverse = 1.0 / columns.scale[j - 1]
                centre = columns.centre[j - 1]
                at = columns.numeric_start[j - 1] + first
                source = columns.numeric[at : at + m]
                for i in range(m):
                    x[j, i] = (source[i] - centre) * inverse
            for j in range(size):
                # x_j (sum over k <= j of V_jk x_k, and of what the cells add)
                inner[:] = 0.0
                row = dense[j]
                for k in range(0, (j + 1) // 4 * 4, 4):
                    v0, v1, v2, v3 = row[k], row[k + 1], row[k + 2], row[k + 3]
                    x0, x1, x2, x3 = x[k], x[k + 1], x[k + 2], x[k + 3]
                    for i in range(m):
                        inner[i] += (v0 * x0[i] + v1 * x1[i]) + (v2 * x2[i] + v3 * x3[i])
                for k in range((j + 1) // 4 * 4, j + 1):
                    v, other = row[k], x[k]
                    for i in range(m):
                        inner[i] += v * other[i]
                for g in range(columns.cells.shape[0]):
                    table = mixed[j, columns.cell_start[g] : columns.cell_start[g + 1]]
                    cell = columns.cells[g, first : first + m]
                    for i in range(m):
                        inner[i] += table[cell[i]]
                own = x[j]
                for i in range(m):
                    form[i] += own[i] * inner[i]
            for g in range(columns.cells.shape[0]):
                cell = columns.cells[g, first : first + m]
                for h in range(g + 1):
                    table = pairs[:, columns.cell_start[h] : columns.cell_start[h + 1]]
                    other = columns.cells[h, first : first + m]
                    begin = columns.cell_start[g]
                    for i in range(m):
                        form[i] += table[begin + np.int64(cell[i]), other[i]]
            for i in range(m):
                weight[i] = -abs(eta[first + i])
            exp_in_place(weight[:m])
            for i in range(m):
                near = 1.0 / (1.0 + weight[i])
                form[i] *= weight[i] * near * near


def leverages(columns: CodedColumns, eta: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Return the hat-matrix diagonal of one copy of each row.

    Parameters
    ----------
    columns : CodedColumns
    eta : float64, shape (n,)
        Linear predictor.
    inverse : float64, shape (p, p)
        Inverse of the information matrix on the scaled columns.

    Returns
    -------
    float64, shape (n,)

    Notes
    -----
    About 130 ns a row with 33 numbers and 4 cell columns.
    """
    numbers = np.concatenate([[0], columns.numeric_term])
    dense = np.tril(2.0 * inverse[np.ix_(numbers, numbers)])
    dense[np.diag_indices_from(dense)] *= 0.5
    mixed = 2.0 * _over_cells(columns, inverse[numbers])
    pairs = _over_cells(columns, _over_cells(columns, inverse).T.copy())
    # Each pair of two columns is met once, and stands for both orders.
    column = np.repeat(np.arange(len(columns.cells)), np.diff(columns.cell_start))
    pairs = np.where(column[:, None] == column, pairs, 2.0 * pairs)
    leverage = np.empty(len(eta))
    chunks = chunk_count(len(eta))
    for start in range(0, chunks, _CHUNKS):
        leverage_pass(
            columns, eta, dense, mixed, pairs, leverage, start, min(start + _CHUNKS, chunks)
        )
    return leverage


def _over_cells(columns: CodedColumns, matrix: np.ndarray) -> np.ndarray:
    """Return the columns of a matrix summed over the terms of each cell, shape (m, cells)."""
    found = np.zeros((len(matrix), len(columns.cell_term)))
    for depth in range(columns.cell_term.shape[1]):
        terms = columns.cell_term[:, depth]
        there = terms >= 0
        found[:, there] += matrix[:, terms[there]]
    return found
