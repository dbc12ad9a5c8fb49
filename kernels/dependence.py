"""Which columns of a model are linearly independent, told from a few rows and proved on all.

A dependence of the whole table is one of every sample of its rows: columns that are independent in
a sample are independent. A column that seems dependent there comes with the combination of earlier
columns that it would be. Either that holds in every row, which one look at those columns shows, or
rows are found in which it does not, and these join the sample.
"""

import numpy as np

from kernels.blocks import total
from kernels.cholesky import factor, solve
from kernels.columns import CodedColumns, part_of, take_rows
from kernels.information import information_matrix
from kernels.logistic import linear_predictor

DEPENDENCE_TOLERANCE = 1e-11
"""A column is dependent on those before it when the squared length left is at most this share of
its own: R's glm uses 1e-11 on lengths, which squared products cannot resolve in float64."""
_ROWS = 32_768
"""Rows of the first sample."""
_ROUNDS = 4
"""Samples before the whole table is taken."""
_MOST_SUSPECTS = 16
"""Columns to look up one by one: more cost as much as the cross-products of the whole table."""
_WITNESSES = 256
"""Rows that join the sample for each combination that does not hold."""
_NOTHING = 1e-9
"""Share of a column's length below which what another adds to it is rounding."""
_BLOCK = 1 << 16


def independent_columns(
    columns: CodedColumns, weights: np.ndarray, candidates: np.ndarray
) -> np.ndarray:
    """Return which of the candidate columns do not depend linearly on those before them.

    Parameters
    ----------
    columns : CodedColumns
    weights : float64, shape (n,) or (0,)
        Rows of weight 0 do not count.
    candidates : bool, shape (p,)
        Columns to consider.

    Returns
    -------
    bool, shape (p,)

    Notes
    -----
    Pivot order is the order of the coefficients, so of two dependent columns the later one goes.
    Costs the cross-products of some 32,768 rows, and a look at the columns of each combination.
    """
    n = columns.cells.shape[1]
    rows = np.arange(0, n, n // _ROWS) if n >= 2 * _ROWS else None
    for _ in range(_ROUNDS):
        products, lower, active = _factored(columns, weights, candidates, rows)
        suspects = np.flatnonzero(candidates & ~active)
        if rows is None or not len(suspects):
            return active
        if len(suspects) > _MOST_SUSPECTS:
            break
        witnesses = [
            _witnesses(columns, weights, _combination(products, lower, active, int(suspect)))
            for suspect in suspects
        ]
        if not any(len(found) for found in witnesses):
            return active
        before, rows = len(rows), np.union1d(rows, np.concatenate(witnesses))
        if len(rows) == before:
            break
    return _factored(columns, weights, candidates, None)[2]


def _factored(
    columns: CodedColumns, weights: np.ndarray, candidates: np.ndarray, rows: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return cross-products of some rows, or of all, their factor, and the columns in it."""
    sample = columns if rows is None else take_rows(columns, rows)
    own = weights if rows is None or not len(weights) else weights[rows]
    products = information_matrix(sample, np.empty(sample.cells.shape[1]), own, flat=True)
    active = candidates.copy()
    lower = np.empty_like(products)
    factor(products, lower, active, DEPENDENCE_TOLERANCE)
    return products, lower, active


def _combination(
    products: np.ndarray, lower: np.ndarray, active: np.ndarray, suspect: int
) -> np.ndarray:
    """Return coefficients with which a column and those before it would sum to nothing."""
    earlier = active.copy()
    earlier[suspect:] = False
    share = np.empty(len(products))
    solve(lower, earlier, np.ascontiguousarray(products[:, suspect]), share)
    length = np.sqrt(np.diagonal(products))
    share[np.abs(share) * length <= _NOTHING * length[suspect]] = 0.0
    share = -share
    share[suspect] = 1.0
    return share


def _witnesses(columns: CodedColumns, weights: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return rows in which a combination of columns is not nothing; none where it holds."""
    n = columns.cells.shape[1]
    alone = np.zeros_like(share)
    suspect = int(np.flatnonzero(share)[-1])
    alone[suspect] = share[suspect]
    left = length = 0.0
    for first in range(0, n, _BLOCK):
        left += float(total(_squares(columns, weights, share, first)))
        length += float(total(_squares(columns, weights, alone, first)))
    if left <= DEPENDENCE_TOLERANCE * length:
        return np.empty(0, dtype=np.int64)
    # What is left of some row is above the mean of what would be nothing: it is no rounding error.
    found = []
    for first in range(0, n, _BLOCK):
        above = _squares(columns, weights, share, first) > DEPENDENCE_TOLERANCE * length / n
        found.append(first + _thinned(np.flatnonzero(above)))
    return _thinned(np.concatenate(found))


def _squares(
    columns: CodedColumns, weights: np.ndarray, share: np.ndarray, first: int
) -> np.ndarray:
    """Return the weighted squares of a combination of columns in a block of rows."""
    last = min(first + _BLOCK, columns.cells.shape[1])
    value = np.empty(last - first)
    linear_predictor(part_of(columns, share != 0.0, first, last), share, value)
    return weights[first:last] * value * value if len(weights) else value * value


def _thinned(rows: np.ndarray) -> np.ndarray:
    """Return some of the rows, evenly."""
    return rows[:: max(1, len(rows) // _WITNESSES)]
