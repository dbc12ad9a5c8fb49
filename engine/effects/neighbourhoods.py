"""Local comparison groups: the few nearest comparison people of everybody in the match.

They are not partners. They serve to estimate, around each score, the mean outcome without the
service, its variance, and how outcomes move with the columns of the propensity model.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.effects.sample import MatchedSample, with_pairing
from engine.matching.pairing import Pairing
from engine.matching.problem import Layout, lay_out
from kernels.neighbours import nearest_others_into
from kernels.rules import mark_runs

AROUND_FOCAL = 10
"""Neighbours of a focal row. Two give standard errors 11 to 34 % too large, 30 the same as 10."""
AROUND_PARTNER = 4
"""Other partners around a partner, for its residual."""
_PER_CALL = 500_000
_FEWEST = 2
"""Focal rows of a match with an interval."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Neighbourhood:
    """Nearest rows of some queries.

    Attributes
    ----------
    found : int64, shape (q, k)
        Rows of the table, the nearest first, in the first ``count`` places.
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
    around_focal : Neighbourhood
        By place in ``MatchedSample.focal``.
    around_partner : Neighbourhood
        By place in ``MatchedSample.partners``.
    fallbacks : int
        Queries whose exact cell held fewer than two others, which then looked at all cells.
    complete : bool
        Whether everybody has at least two neighbours.
    """

    around_focal: Neighbourhood
    around_partner: Neighbourhood
    fallbacks: int
    complete: bool

    @cached_property
    def rows(self) -> Integers:
        """Rows that are around some focal row, ascending."""
        there = np.zeros(int(self.around_focal.found.max()) + 1, dtype=np.bool_)
        there[self.around_focal.found.ravel()] = True
        return np.flatnonzero(there)

    @cached_property
    def place(self) -> Integers:
        """Place in :attr:`rows` of what is around each focal row, int64, shape (N, k)."""
        place = np.empty(int(self.rows[-1]) + 1, dtype=np.int64)
        place[self.rows] = np.arange(len(self.rows))
        return place[self.around_focal.found]


def rows_that_count(sample: MatchedSample, near: Neighbourhoods) -> Integers:
    """Return the rows whose outcomes decide an estimate, ascending, int64.

    Parameters
    ----------
    sample : MatchedSample
    near : Neighbourhoods
        Of the match.

    Notes
    -----
    The matched rows and what is around them; of a radius match everybody in its windows, which are
    not listed, so all rows.
    """
    if sample.sets is None:
        return np.arange(sample.n_rows)
    there = np.zeros(sample.n_rows, dtype=np.bool_)
    for rows in (sample.focal, sample.partners, near.rows, near.around_partner.found.ravel()):
        there[rows] = True
    return np.flatnonzero(there)


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
    rows: Integers,
    cell: Integers | None,
    k: int,
    *,
    focal: bool,
) -> Neighbourhood:
    nobody = np.empty(0, dtype=np.int64)
    person = sample.person
    own = np.full(len(rows), -1, dtype=np.int64) if focal else layout.place[rows]
    if cell is None:
        low = np.zeros(len(rows), dtype=np.int64)
        high = np.full(len(rows), len(layout.pool_rows), dtype=np.int64)
    else:
        low, high = layout.pool_start[cell[rows]], layout.pool_start[cell[rows] + 1]
    # A pool row's turn is its place in its own run of equal scores.
    turn = _focal_turns(layout, rows) if focal else own - layout.pool.run[own]
    found = np.zeros((len(rows), k), dtype=np.int64)
    count = np.zeros(len(rows), dtype=np.int64)
    queries = (
        layout.pool.score,
        layout.pool_rows,
        nobody if person is None else person,
        sample.logit[rows],
        low,
        high,
        own,
        nobody if person is None else person[rows],
        turn,
    )
    for start in range(0, len(rows), _PER_CALL):
        nearest_others_into(*queries, found, count, start, min(start + _PER_CALL, len(rows)))
    return Neighbourhood(layout.pool_rows[found], count)


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
    around = []
    fallbacks = 0
    complete = True
    for rows, k, focal in (
        (sample.focal, around_focal, True),
        (sample.partners, around_partner, False),
    ):
        near = _search(sample, layout, rows, sample.cell, k, focal=focal)
        lonely = np.flatnonzero(near.count < 2)
        if len(lonely) and sample.cell is not None:
            everywhere = lay_out(sample.logit, sample.is_focal, sample.eligible, None)
            wider = _search(sample, everywhere, rows[lonely], None, k, focal=focal)
            near.found[lonely] = wider.found
            near.count[lonely] = wider.count
            fallbacks += len(lonely)
        complete = complete and bool((near.count >= 2).all())
        around.append(near)
    return Neighbourhoods(around[0], around[1], fallbacks, complete)


def judged_match(
    sample: MatchedSample, pairing: Pairing
) -> tuple[MatchedSample, Neighbourhoods] | None:
    """Return the sample with other sets and their neighbours; None if it allows no interval.

    Parameters
    ----------
    sample : MatchedSample
    pairing : Pairing
        Other sets from the same rows.
    """
    if np.count_nonzero(pairing.set_size) < _FEWEST:
        return None
    other = with_pairing(sample, pairing)
    near = find_neighbourhoods(other)
    return (other, near) if near.complete else None
