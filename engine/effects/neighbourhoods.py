"""Local comparison groups: the few nearest comparison people of everybody in the match.

They are not partners. They serve to estimate, around each score, the mean outcome without the
service, its variance, and how outcomes move with the columns of the propensity model.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.effects.sample import MatchedSample
from kernels.neighbours import nearest_others_into
from kernels.ordering import rows_by_cell_and_score
from kernels.rules import mark_runs

AROUND_FOCAL = 10
"""Neighbours of a focal row. Two give standard errors 11 to 34 % too large, 30 the same as 10."""
AROUND_PARTNER = 4
"""Other partners around a partner, for its residual."""
_PER_CALL = 500_000

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Neighbourhood:
    """Nearest rows of some queries.

    Attributes
    ----------
    found : int64, shape (q, k)
        Places in the pool, the nearest first.
    count : int64, shape (q,)
        How many of them there are.
    """

    found: Integers
    count: Integers


@dataclass(frozen=True)
class Neighbourhoods:
    """Neighbours of the matched sample.

    Attributes
    ----------
    pool : int64, shape (n_pool,)
        Rows of the other arm that take part, sorted by (cell, logit, row).
    around_focal : Neighbourhood
        By place in ``MatchedSample.focal``.
    around_partner : Neighbourhood
        By place in ``MatchedSample.partners``.
    fallbacks : int
        Queries whose exact cell held fewer than two others, which then looked at all cells.
    complete : bool
        Whether everybody has at least two neighbours.
    """

    pool: Integers
    around_focal: Neighbourhood
    around_partner: Neighbourhood
    fallbacks: int
    complete: bool


@dataclass(frozen=True)
class _Pool:
    rows: Integers
    score: Floats
    start: Integers
    run: Integers
    place: Integers
    """Place of each row of the table in the pool, -1 outside."""


def _sort_pool(sample: MatchedSample, cell: Integers | None) -> _Pool:
    n_cells = 1 if cell is None else int(cell.max(initial=0)) + 1
    member = ~sample.is_focal & sample.eligible
    rows, score, start = rows_by_cell_and_score(sample.logit, member, cell, n_cells)
    run = np.empty(len(rows), dtype=np.int64)
    mark_runs(score, start, run)
    place = np.full(sample.n_rows, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    return _Pool(rows, score, start, run, place)


def _turns(sample: MatchedSample, rows: Integers, cell: Integers | None) -> Integers:
    """Number each row among those of its arm with the same cell and score, from 0."""
    member = np.zeros(sample.n_rows, dtype=np.bool_)
    member[rows] = True
    n_cells = 1 if cell is None else int(cell.max(initial=0)) + 1
    order, score, start = rows_by_cell_and_score(sample.logit, member, cell, n_cells)
    run = np.empty(len(order), dtype=np.int64)
    mark_runs(score, start, run)
    turn = np.empty(sample.n_rows, dtype=np.int64)
    turn[order] = np.arange(len(order)) - run
    return turn[rows]


def _search(
    sample: MatchedSample, pool: _Pool, rows: Integers, cell: Integers | None, k: int
) -> Neighbourhood:
    nobody = np.empty(0, dtype=np.int64)
    person = sample.person
    if cell is None:
        low = np.zeros(len(rows), dtype=np.int64)
        high = np.full(len(rows), len(pool.rows), dtype=np.int64)
    else:
        low, high = pool.start[cell[rows]], pool.start[cell[rows] + 1]
    found = np.zeros((len(rows), k), dtype=np.int64)
    count = np.zeros(len(rows), dtype=np.int64)
    queries = (
        pool.score,
        nobody if person is None else person[pool.rows],
        sample.logit[rows],
        low,
        high,
        pool.place[rows],
        nobody if person is None else person[rows],
        _turns(sample, rows, cell),
    )
    for start in range(0, len(rows), _PER_CALL):
        nearest_others_into(*queries, found, count, start, min(start + _PER_CALL, len(rows)))
    return Neighbourhood(found, count)


def find_neighbourhoods(
    sample: MatchedSample, around_focal: int = AROUND_FOCAL, around_partner: int = AROUND_PARTNER
) -> Neighbourhoods:
    """Find the local comparison groups of a match.

    Parameters
    ----------
    sample : MatchedSample
    around_focal, around_partner : int
        Neighbours of a focal row and of a partner.

    Returns
    -------
    Neighbourhoods

    Notes
    -----
    Nearest on the logit, in the same exact cell, other persons only. Two sorts and O(log n) for
    each matched row; several outcomes share them.
    """
    pool = _sort_pool(sample, sample.cell)
    around = []
    fallbacks = 0
    complete = True
    everywhere: _Pool | None = None
    for rows, k in ((sample.focal, around_focal), (sample.partners, around_partner)):
        near = _search(sample, pool, rows, sample.cell, k)
        lonely = np.flatnonzero(near.count < 2)
        if len(lonely) and sample.cell is not None:
            everywhere = everywhere or _sort_pool(sample, None)
            wider = _search(sample, everywhere, rows[lonely], None, k)
            near.found[lonely] = pool.place[everywhere.rows[wider.found]]
            near.count[lonely] = wider.count
            fallbacks += len(lonely)
        complete = complete and bool((near.count >= 2).all())
        around.append(near)
    return Neighbourhoods(pool.rows, around[0], around[1], fallbacks, complete)
