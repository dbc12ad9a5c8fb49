"""The problem of a match: who looks for whom, under which rules, in sorted order.

Rows come in canonical order (sorted by the public key of their identity), so that "lower row" is
"lower key" and nothing depends on the order in which a table was written.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.matching.sorting import pool_in_order
from engine.spill import MEMORY, Space
from kernels.extent import count_matchable, smallest_caliper
from kernels.nearest import windows_into
from kernels.ordering import rows_by_cell_and_score
from kernels.rules import Pool, Sequence, mark_runs

WALKS_PER_CALL = 500_000
"""Rows a compiled call may serve so that it stays well under half a second: signals are served
between calls. A walk costs about 0.2 microseconds."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """Rows and conditions of a match.

    Attributes
    ----------
    score : float64, shape (n,)
        What is compared: the logit, or the probability for a caliper on that scale; finite where
        eligible.
    focal : bool, shape (n,)
        Rows that look for partners: the treated for the ATT, the comparison people for the ATC.
    eligible : bool, shape (n,)
        Rows that take part.
    cell : int64, shape (n,), optional
        Exact-match cell in [0, number of cells).
    person : int64, shape (n,), optional
        Person number in [0, number of people).
    anti : int64, shape (a, n)
        Codes that must differ within a pair.
    covariate : float64, shape (v, n)
    width : float64, shape (v,)
        Calipers on covariates, inclusive.
    position : float64, shape (d, n), optional
        Whitened coordinates for Mahalanobis distance.
    caliper : float
        Largest difference of scores, inclusive; inf for none.
    space : Space
        Where sorted arrays are made.
    """

    score: Floats
    focal: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    cell: Integers | None = None
    person: Integers | None = None
    anti: Integers = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    covariate: Floats = field(default_factory=lambda: np.empty((0, 0)))
    width: Floats = field(default_factory=lambda: np.empty(0))
    position: Floats | None = None
    caliper: float = float("inf")
    space: Space = MEMORY

    @cached_property
    def layout(self) -> "Layout":
        """Pool and focal rows in sorted order: sorted once, however often they are looked at."""
        return lay_out(self.score, self.focal, self.eligible, self.cell, self.space)

    def with_caliper(self, caliper: float) -> "Problem":
        """Return the problem with another caliper; what is sorted stays sorted."""
        other = replace(self, caliper=caliper)
        other.__dict__["layout"] = self.layout  # where a cached property keeps its value
        return other


@dataclass(frozen=True)
class Layout:
    """The sorted pool and the focal rows.

    Attributes
    ----------
    pool_rows : int64, shape (n_pool,)
        Partners sorted by (cell, score, row).
    pool : Pool
    focal_rows : int64, shape (f,)
        Ascending.
    low, high : int64, shape (f,)
        Each focal row's cell in the pool.
    pool_start : int64, shape (cells + 1,)
    focal_order : int64, shape (f,)
        Places in ``focal_rows``, sorted by (cell, score, row).
    focal_score : float64, shape (f,)
        Scores in that order.
    focal_start : int64, shape (cells + 1,)
    """

    pool_rows: Integers
    pool: Pool
    focal_rows: Integers
    low: Integers
    high: Integers
    pool_start: Integers
    focal_order: Integers
    focal_score: Floats
    focal_start: Integers

    @cached_property
    def place(self) -> Integers:
        """Place in the pool of each row that is in it, int64; others hold nothing of use."""
        place = np.empty(int(self.pool_rows.max(initial=-1)) + 1, dtype=np.int64)
        place[self.pool_rows] = np.arange(len(self.pool_rows))
        return place


def lay_out(
    score: Floats,
    focal: NDArray[np.bool_],
    eligible: NDArray[np.bool_],
    cell: Integers | None,
    space: Space = MEMORY,
) -> Layout:
    """Sort the rows that take part, partners and focal rows apart.

    Parameters
    ----------
    score : float64, shape (n,)
        Finite where eligible.
    focal, eligible : bool, shape (n,)
    cell : int64, shape (n,), or None
    space : Space
        Where the arrays of the pool are made.

    Returns
    -------
    Layout
    """
    n_cells = 1 if cell is None else int(cell.max(initial=0)) + 1
    pool_rows, pool_score, pool_start = pool_in_order(
        score, ~focal & eligible, cell, n_cells, space
    )
    # The focal rows are few: sorted among themselves, not searched for in the table again.
    focal_rows = np.flatnonzero(focal & eligible)
    focal_cell = None if cell is None else cell[focal_rows]
    focal_order, focal_score, focal_start = rows_by_cell_and_score(
        score[focal_rows], np.ones(len(focal_rows), dtype=np.bool_), focal_cell, n_cells
    )
    run = space.empty(len(pool_score), np.int64)
    mark_runs(pool_score, pool_start, run)
    if focal_cell is None:
        low = np.zeros(len(focal_rows), dtype=np.int64)
        high = np.full(len(focal_rows), len(pool_score), dtype=np.int64)
    else:
        low = pool_start[focal_cell]
        high = pool_start[focal_cell + 1]
    return Layout(
        pool_rows, Pool(pool_score, run), focal_rows, low, high, pool_start,
        focal_order, focal_score, focal_start,
    )  # fmt: skip


def score_windows(problem: Problem) -> tuple[Integers, Integers]:
    """Return where the partners of each focal row within the caliper start and stop in the pool.

    Returns
    -------
    low, high : int64, shape (f,)
        Ascending by focal row.
    """
    layout = problem.layout
    n_focal = len(layout.focal_rows)
    low = np.empty(n_focal, dtype=np.int64)
    high = np.empty(n_focal, dtype=np.int64)
    sequence = Sequence(problem.score[layout.focal_rows], layout.low, layout.high)
    for start in range(0, n_focal, WALKS_PER_CALL):
        stop = min(start + WALKS_PER_CALL, n_focal)
        windows_into(layout.pool, sequence, problem.caliper, low, high, start, stop)
    return low, high


def scan_cost(problem: Problem) -> int:
    """Return the number of candidates that a Mahalanobis match looks at: the sum of windows."""
    low, high = score_windows(problem)
    return int((high - low).sum())


def maximum_matchable(problem: Problem, *, capacity: int) -> int:
    """Return the largest number of focal rows that can each have a partner.

    Parameters
    ----------
    problem : Problem
        Cells and the caliper on the score count; rules beyond them do not.
    capacity : int
        Uses of one partner; 0 for no limit (with replacement).
    """
    layout = problem.layout
    return int(
        count_matchable(
            layout.focal_score,
            layout.focal_start,
            layout.pool.score,
            layout.pool_start,
            problem.caliper,
            capacity,
        )
    )


def caliper_that_keeps(problem: Problem, *, capacity: int, share: float) -> float:
    """Return the smallest width on the score at which a share of focal rows can be matched.

    Parameters
    ----------
    problem : Problem
        Its own caliper is ignored.
    capacity : int
        Uses of one partner; 0 for no limit.
    share : float
        In (0, 1].

    Returns
    -------
    float
        inf where no width is enough.
    """
    layout = problem.layout
    wanted = int(np.ceil(share * len(layout.focal_rows) - 1e-9))
    return smallest_caliper(
        layout.focal_score,
        layout.focal_start,
        layout.pool.score,
        layout.pool_start,
        capacity,
        wanted,
    )
