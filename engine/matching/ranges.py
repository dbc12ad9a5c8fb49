"""Matching by ranges of the score: one range and its halo at a time, with the result of the whole.

A focal row can only have partners within the caliper. So the focal rows of a range of scores need
the pool of that range and a halo of one caliper on either side, and no more. With replacement
ranges know nothing of each other: any order, any process, any machine. Without replacement, served
from the largest score down (or from the smallest up), a round visits the ranges in that order and
carries along which rows of the pool are used up; greedy matching then does exactly what it would
have done in one piece, because rows are served in the same order and see the same free partners.
Exact-match cells are independent of each other, so small ones share a range.

Where the order of service is another one, where a person may enter only once, or where there is no
caliper, a halo has no bounds, and all rows are one range.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.matching.pairing import (
    Order,
    Pairing,
    in_row_order,
    pair_with_replacement,
    rows_per_call,
    rules_of,
    sequence_of,
    service_order,
)
from engine.matching.problem import Integers, Layout, Problem
from kernels.greedy import greedy_round, open_places
from kernels.rules import Pool

RANGE = 1 << 22
"""Rows of the pool in a range, about: some 150 MB while it is matched."""
IN_TURN = ("largest", "smallest")


@dataclass(frozen=True)
class Range:
    """Focal rows next to each other in the order of (cell, score), and the pool they can reach.

    Attributes
    ----------
    focal_start, focal_stop : int
        Places in ``Layout.focal_order``. Rows with equal scores in a cell are in one range.
    pool_start, pool_stop : int
        Positions in the pool, halo included.
    """

    focal_start: int
    focal_stop: int
    pool_start: int
    pool_stop: int


def can_cut(problem: Problem, order: Order | None, *, one_per_person: bool = False) -> bool:
    """Whether a match can be made range by range.

    Parameters
    ----------
    problem : Problem
    order : str or None
        Of service, without replacement; None with replacement.
    one_per_person : bool
    """
    in_turn = order is None or order in IN_TURN
    return bool(np.isfinite(problem.caliper)) and in_turn and not one_per_person


def cut(problem: Problem, most: int = RANGE) -> tuple[Range, ...]:
    """Cut the focal rows into ranges, in the order of (cell, score).

    Parameters
    ----------
    problem : Problem
        With a finite caliper.
    most : int
        Rows of the pool in a range, before its halo and where equal scores let it.

    Returns
    -------
    tuple of Range
        Every eligible focal row is in one of them.
    """
    layout = problem.layout
    ranges: list[Range] = []
    open_at: tuple[int, int] | None = None  # focal and pool start of small cells put together
    for c in range(len(layout.pool_start) - 1):
        f0, f1 = int(layout.focal_start[c]), int(layout.focal_start[c + 1])
        p0, p1 = int(layout.pool_start[c]), int(layout.pool_start[c + 1])
        if open_at is not None and p1 - open_at[1] > most:
            ranges.append(Range(open_at[0], f0, open_at[1], p0))
            open_at = None
        if p1 - p0 > most:
            ranges += _within(problem, f0, f1, p0, p1, most)
        elif open_at is None:
            open_at = f0, p0
    if open_at is not None:
        last = len(layout.focal_order), len(layout.pool_rows)
        ranges.append(Range(open_at[0], last[0], open_at[1], last[1]))
    return tuple(one for one in ranges if one.focal_start < one.focal_stop)


def _within(problem: Problem, f0: int, f1: int, p0: int, p1: int, most: int) -> Iterator[Range]:
    """Cut one large cell at scores of the pool."""
    layout = problem.layout
    focal, pool = layout.focal_score[f0:f1], layout.pool.score[p0:p1]
    borders = pool[np.arange(most, p1 - p0, most)]
    edges = np.unique([0, *np.searchsorted(focal, borders), f1 - f0])
    for start, stop in pairwise(edges):
        low, high = float(focal[start]), float(focal[stop - 1])
        # Differences are rounded where they are compared with the caliper: a little more than it.
        slack = 1e-15 * (abs(low) + abs(high) + problem.caliper)
        first = int(np.searchsorted(pool, low - problem.caliper - slack))
        last = int(np.searchsorted(pool, high + problem.caliper + slack, side="right"))
        yield Range(f0 + int(start), f0 + int(stop), p0 + first, p0 + last)


def part_of(layout: Layout, one: Range) -> tuple[Layout, Integers]:
    """Return the layout of a range by itself.

    Returns
    -------
    layout : Layout
        Focal rows ascending, as in the whole.
    places : int64
        Place of each of them among the focal rows of the whole.
    """
    ordered = layout.focal_order[one.focal_start : one.focal_stop]
    places = np.sort(ordered)
    pool = slice(one.pool_start, one.pool_stop)
    size = one.pool_stop - one.pool_start
    run = np.maximum(layout.pool.run[pool] - one.pool_start, 0)
    ends = np.array([0, size])
    return (
        Layout(
            np.array(layout.pool_rows[pool]),
            Pool(np.array(layout.pool.score[pool]), run),
            layout.focal_rows[places],
            np.clip(layout.low[places] - one.pool_start, 0, size),
            np.clip(layout.high[places] - one.pool_start, 0, size),
            ends,
            np.searchsorted(places, ordered),
            layout.focal_score[one.focal_start : one.focal_stop],
            np.array([0, len(places)]),
        ),
        places,
    )


def pair_range(problem: Problem, one: Range, *, ratio: int, ties_all: bool) -> Pairing:
    """Match the focal rows of one range with replacement; needs nothing of other ranges."""
    part, _ = part_of(problem.layout, one)
    return pair_with_replacement(problem, ratio=ratio, ties_all=ties_all, layout=part)


def joined(problem: Problem, parts: Iterable[Pairing]) -> Pairing:
    """Return the pairings of all ranges as one, in the order of rows."""
    found = [part for part in parts if len(part.focal)]
    rows = problem.layout.focal_rows
    if not found:
        none = np.zeros(len(rows) + 1, dtype=np.int64)
        return Pairing(rows, none, np.empty(0, dtype=np.int64), np.empty(0))
    served = np.searchsorted(rows, np.concatenate([part.focal for part in found]))
    return in_row_order(
        rows,
        served,
        np.concatenate([part.set_size for part in found]),
        np.concatenate([part.partner for part in found]),
        np.concatenate([part.share for part in found]),
    )


def pair_ranges_in_turn(
    problem: Problem,
    ranges: Sequence[Range],
    *,
    ratio: int = 1,
    quota: Integers | None = None,
    reuse_max: int = 1,
    order: Order = "largest",
) -> Pairing:
    """Match without replacement, range after range in the order of service, round after round.

    Parameters
    ----------
    problem : Problem
    ranges : sequence of Range
        Of :func:`cut`.
    ratio, quota, reuse_max
        As for :func:`engine.matching.pairing.pair_without_replacement`.
    order : {'largest', 'smallest'}

    Returns
    -------
    Pairing
        That of all rows at once.
    """
    layout = problem.layout
    n_focal = len(layout.focal_rows)
    asked = np.full(n_focal, ratio, dtype=np.int64) if quota is None else quota
    used = problem.space.empty(len(layout.pool_rows), np.int32)
    used[:] = 0
    chosen = np.full((n_focal, ratio), -1, dtype=np.int64)
    count = np.zeros(n_focal, dtype=np.int64)
    for round_number in range(ratio):
        for one in ranges if order == "smallest" else reversed(ranges):
            _serve(problem, one, order, reuse_max, round_number, asked, used, chosen, count)
            problem.space.relieve()
    taken = chosen[np.arange(ratio)[None, :] < count[:, None]]
    share = 1.0 / np.repeat(count, count)
    indptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return Pairing(layout.focal_rows, indptr, layout.pool_rows[taken], share)


def _serve(
    problem: Problem,
    one: Range,
    order: Order,
    reuse_max: int,
    round_number: int,
    asked: Integers,
    used: NDArray[np.int32],
    chosen: Integers,
    count: Integers,
) -> None:
    """Serve a range for one round; ``used``, ``chosen`` and ``count`` carry on to the next."""
    part, places = part_of(problem.layout, one)
    served = service_order(problem, part, order, None, None)
    sequence = sequence_of(problem, part, served)
    rules = rules_of(problem, part.focal_rows[served], part.pool_rows)
    mine = places[served]
    own_count, own_asked = count[mine], asked[mine]
    own = np.where(chosen[mine] >= 0, chosen[mine] - one.pool_start, -1)
    state = open_places(len(part.pool_rows), 0, reuse_max)
    state.used[:] = used[one.pool_start : one.pool_stop]
    closed = np.flatnonzero(state.used >= reuse_max)
    state.right[closed] = closed + 1
    state.left[closed + 1] = closed
    step = rows_per_call(problem, part)
    before = own_count.copy()
    for start in range(0, len(mine), step):
        greedy_round(
            part.pool, sequence, rules, state, problem.caliper, own_asked,
            round_number, own, own_count, start, min(start + step, len(mine)),
        )  # fmt: skip
    gained = np.flatnonzero(own_count > before)
    taken = own[gained, before[gained]]
    np.add.at(used, taken + one.pool_start, 1)
    count[mine] = own_count
    chosen[mine] = np.where(own >= 0, own + one.pool_start, -1)
