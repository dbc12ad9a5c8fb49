"""Local comparison groups: the few nearest comparison people of everybody in the match.

They are not partners. They serve to estimate, around each score, the mean outcome without the
service, its variance, and how outcomes move with the columns of the propensity model.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.effects.sample import MatchedSample
from engine.matching.problem import Layout, lay_out
from kernels.neighbours import nearest_others_into
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


def _places(layout: Layout, n_rows: int) -> Integers:
    """Place of each row of the table in the pool, -1 outside."""
    place = np.full(n_rows, -1, dtype=np.int64)
    place[layout.pool_rows] = np.arange(len(layout.pool_rows))
    return place


def _focal_turns(layout: Layout, rows: Integers) -> Integers:
    """Number of each focal row among those with the same cell and score, from 0."""
    run = np.empty(len(layout.focal_order), dtype=np.int64)
    mark_runs(layout.focal_score, layout.focal_start, run)
    turn = np.empty(len(run), dtype=np.int64)
    turn[layout.focal_order] = np.arange(len(run)) - run
    return turn[np.searchsorted(layout.focal_rows, rows)]


def _search(
    sample: MatchedSample,
    layout: Layout,
    place: Integers,
    rows: Integers,
    cell: Integers | None,
    k: int,
) -> Neighbourhood:
    nobody = np.empty(0, dtype=np.int64)
    person = sample.person
    own = place[rows]
    if cell is None:
        low = np.zeros(len(rows), dtype=np.int64)
        high = np.full(len(rows), len(layout.pool_rows), dtype=np.int64)
    else:
        low, high = layout.pool_start[cell[rows]], layout.pool_start[cell[rows] + 1]
    # A pool row's turn is its place in its own run of equal scores.
    turn = own - layout.pool.run[own] if (own >= 0).all() else _focal_turns(layout, rows)
    found = np.zeros((len(rows), k), dtype=np.int64)
    count = np.zeros(len(rows), dtype=np.int64)
    queries = (
        layout.pool.score,
        nobody if person is None else person[layout.pool_rows],
        sample.logit[rows],
        low,
        high,
        own,
        nobody if person is None else person[rows],
        turn,
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
    Nearest on the logit, in the same exact cell, other persons only. O(log n) for each matched row;
    several outcomes share them.
    """
    layout = sample.layout
    place = _places(layout, sample.n_rows)
    around = []
    fallbacks = 0
    complete = True
    for rows, k in ((sample.focal, around_focal), (sample.partners, around_partner)):
        near = _search(sample, layout, place, rows, sample.cell, k)
        lonely = np.flatnonzero(near.count < 2)
        if len(lonely) and sample.cell is not None:
            everywhere = lay_out(sample.logit, sample.is_focal, sample.eligible, None)
            where = _places(everywhere, sample.n_rows)
            wider = _search(sample, everywhere, where, rows[lonely], None, k)
            near.found[lonely] = place[everywhere.pool_rows[wider.found]]
            near.count[lonely] = wider.count
            fallbacks += len(lonely)
        complete = complete and bool((near.count >= 2).all())
        around.append(near)
    return Neighbourhoods(layout.pool_rows, around[0], around[1], fallbacks, complete)
