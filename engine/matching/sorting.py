"""The pool in sorted order, in parts: for more rows than are sorted at once in memory.

Rows are dealt to ranges of scores whose borders come from a sample, each range is sorted by itself,
and the ranges stand one after another. Equal scores never part, so the order is that of one sort.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.spill import MEMORY, Space, blocks
from kernels.ordering import deal_into_cells, rows_by_cell_and_score, rows_by_score

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_BLOCK = 1 << 20
_RANGE = 1 << 22
"""Rows of a range, about: 32 MB of scores, and four times that while it is sorted."""
_SAMPLE = 1 << 16


def pool_in_order(
    score: Floats,
    take: NDArray[np.bool_],
    cell: Integers | None,
    n_cells: int,
    space: Space = MEMORY,
) -> tuple[Integers, Floats, Integers]:
    """Return the rows taken sorted by (cell, score, row), their scores, and cell starts.

    Parameters
    ----------
    score : float64, shape (n,)
        Finite where taken.
    take : bool, shape (n,)
    cell : int64, shape (n,), or None
    n_cells : int
    space : Space
        Where the results are made; in memory, all is sorted at once.

    Returns
    -------
    rows : int64, shape (m,)
    sorted_score : float64, shape (m,)
    start : int64, shape (n_cells + 1,)
    """
    if not space.out_of_core or len(score) <= _RANGE:
        return rows_by_cell_and_score(score, take, cell, n_cells)
    rows, sorted_score = _by_score(score, take, space)
    if cell is None:
        return rows, sorted_score, np.array([0, len(rows)])
    return deal_into_cells(rows, sorted_score, cell, n_cells, space.empty)


def _by_score(score: Floats, take: NDArray[np.bool_], space: Space) -> tuple[Integers, Floats]:
    borders = _borders(score, take)
    count = np.zeros(len(borders) + 1, dtype=np.int64)
    for part in blocks(len(score), _BLOCK):
        found = np.searchsorted(borders, score[part][take[part]], side="right")
        count += np.bincount(found, minlength=len(count))
    begin = np.concatenate([[0], np.cumsum(count)])
    place = begin[:-1].copy()
    rows, values = space.empty(int(begin[-1]), np.int64), space.empty(int(begin[-1]), np.float64)
    for part in blocks(len(score), _BLOCK):
        own = np.flatnonzero(take[part])
        taken = score[part][own]
        found = np.searchsorted(borders, taken, side="right")
        dealt = np.argsort(found, kind="stable")
        size = np.bincount(found, minlength=len(count))
        target = np.arange(len(own)) + np.repeat(place - (np.cumsum(size) - size), size)
        rows[target] = own[dealt] + part.start
        values[target] = taken[dealt]
        place += size
    for first, last in pairwise(begin):
        some = slice(first, last)
        order, ordered = rows_by_score(np.array(values[some]))
        rows[some] = rows[some][order]
        values[some] = ordered
    return rows, values


def _borders(score: Floats, take: NDArray[np.bool_]) -> Floats:
    """Return scores that cut the rows into ranges of about the size wanted, ascending, distinct."""
    sample = slice(None, None, max(1, len(score) // _SAMPLE))
    seen = np.sort(score[sample][take[sample]])
    wanted = -(-len(score) // _RANGE)
    if not len(seen):
        return np.empty(0)
    return np.unique(seen[len(seen) * np.arange(1, wanted) // wanted])
