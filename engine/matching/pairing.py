"""Who is paired with whom: the matching kernels behind one function on rows."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.matching.problem import (
    WALKS_PER_CALL,
    Floats,
    Integers,
    Layout,
    Problem,
    scan_cost,
)
from kernels.blocks import total
from kernels.closest import (
    Chain,
    closest_by_rules,
    closest_pairs,
    empty_heap,
    link_chain,
    push_all_neighbours,
)
from kernels.greedy import Places, greedy_round, open_places
from kernels.nearest import nearest_into
from kernels.ordering import rows_by_cell_and_score, rows_by_score
from kernels.rules import Rules, Sequence

Order = Literal["largest", "smallest", "closest", "data", "random"]

# A Mahalanobis scan looks at its whole window: as many rows a call as keep it under half a second.
_SCANNED_PER_CALL = 100_000_000


@dataclass(frozen=True)
class Pairing:
    """Sets of partners, one for each focal row.

    Attributes
    ----------
    focal : int64, shape (f,)
        Eligible focal rows, ascending.
    indptr : int64, shape (f + 1,)
        Partners of ``focal[i]`` are entries indptr[i], ..., indptr[i + 1] - 1.
    partner : int64, shape (indptr[-1],)
        Rows, in the order in which they were taken.
    share : float64, shape (indptr[-1],)
        Weight of each partner in its set; the shares of a set sum to 1.
    """

    focal: Integers
    indptr: Integers
    partner: Integers
    share: Floats

    @property
    def set_size(self) -> Integers:
        """Partners of each focal row, int64, shape (f,)."""
        return np.diff(self.indptr)


def rules_of(problem: Problem, focal: Integers, pool: Integers) -> Rules:
    """Return the conditions on pairs of some focal rows and some rows of the pool."""
    none = np.empty(0, dtype=np.int64)
    person = problem.person
    position = np.empty((0, 0)) if problem.position is None else problem.position

    def of(values: NDArray, rows: Integers) -> NDArray:
        if values.shape[0] == 0:
            return np.empty((0, 0), dtype=values.dtype)
        return np.ascontiguousarray(values[:, rows])

    return Rules(
        none if person is None else person[focal],
        none if person is None else person[pool],
        of(problem.anti, focal),
        of(problem.anti, pool),
        of(problem.covariate, focal),
        of(problem.covariate, pool),
        problem.width,
        of(position, focal),
        of(position, pool),
    )


def rows_per_call(problem: Problem, layout: Layout) -> int:
    """Return how many focal rows one compiled call may serve."""
    if problem.position is None:
        return WALKS_PER_CALL
    cost = scan_cost(problem) / max(1, len(layout.focal_rows))
    return max(1, int(_SCANNED_PER_CALL / max(cost, 1.0)))


def sequence_of(problem: Problem, layout: Layout, positions: Integers) -> Sequence:
    """Return focal rows of a layout in the order of service."""
    score = problem.score[layout.focal_rows][positions]
    if problem.cell is None:
        return Sequence(score, layout.low, layout.high)  # the same for everybody
    return Sequence(score, layout.low[positions], layout.high[positions])


def pair_with_replacement(
    problem: Problem, *, ratio: int = 1, ties_all: bool = False, layout: Layout | None = None
) -> Pairing:
    """Give each focal row its ``ratio`` nearest partners; partners may serve many.

    Parameters
    ----------
    problem : Problem
    ratio : int
        Number of partners wanted, at least 1.
    ties_all : bool
        Take also everyone exactly as far as the last one wanted: those strictly nearer keep
        1 / ratio each, the tied ones share the rest equally. This is the mean over all ways of
        breaking the tie.
    layout : Layout, optional
        A part of the problem's own, which holds every partner that its focal rows may have, or the
        whole of it with equal scores in another order.

    Returns
    -------
    Pairing

    Notes
    -----
    Preference: smaller exact distance, then lower score, then lower row. Sorting, then O(log n)
    for each focal row.
    """
    layout = problem.layout if layout is None else layout
    n_focal = len(layout.focal_rows)
    # Served in the order of the pool: neighbours read the same part of it.
    served = layout.focal_order
    sequence = sequence_of(problem, layout, served)
    rules = rules_of(problem, layout.focal_rows[served], layout.pool_rows)
    count = np.zeros(n_focal, dtype=np.int64)
    nearer = np.zeros(n_focal, dtype=np.int64)
    step = rows_per_call(problem, layout)

    def run(offset: Integers, chosen: Integers) -> None:
        for start in range(0, n_focal, step):
            nearest_into(
                layout.pool, sequence, rules, ratio, ties_all, problem.caliper,
                offset, chosen, count, nearer, start, min(start + step, n_focal),
            )  # fmt: skip

    if ties_all:
        run(np.zeros(n_focal + 1, dtype=np.int64), np.empty(0, dtype=np.int64))
        offset = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    else:
        offset = np.arange(n_focal + 1, dtype=np.int64) * ratio
    chosen = np.full(int(offset[-1]), -1, dtype=np.int64)
    if len(chosen):
        run(offset, chosen)
    taken = count
    wanted = np.minimum(taken, ratio)
    # 1 / wanted for the nearer ones; the rest of the set's weight over those tied at the last.
    rank = np.arange(len(chosen)) - np.repeat(offset[:-1], np.diff(offset))
    keep = rank < np.repeat(taken, np.diff(offset))
    per_focal = np.repeat(np.arange(n_focal), taken)
    rank = rank[keep]
    share = 1.0 / wanted[per_focal]
    if ties_all:
        last = rank >= nearer[per_focal]
        left_over = (wanted - nearer)[per_focal] / ((taken - nearer)[per_focal] * 1.0)
        share = np.where(last, share * left_over, share)
    return in_row_order(layout.focal_rows, served, taken, layout.pool_rows[chosen[keep]], share)


def in_row_order(
    focal_rows: Integers, served: Integers, taken: Integers, partner: Integers, share: Floats
) -> Pairing:
    """Bring sets from the order of service back to the order of rows."""
    size = np.zeros(len(focal_rows), dtype=np.int64)
    size[served] = taken
    indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    begin = np.concatenate([[0], np.cumsum(taken)])[:-1]
    place = np.repeat(indptr[served] - begin, taken) + np.arange(len(partner))
    in_order = np.empty_like(partner)
    shares = np.empty_like(share)
    in_order[place] = partner
    shares[place] = share
    return Pairing(focal_rows, indptr, in_order, shares)


def variable_quota(problem: Problem, ratio: int, max_ratio: int) -> Integers:
    """Return how many partners each eligible focal row asks for in a variable-ratio match.

    Parameters
    ----------
    problem : Problem
    ratio : int
        Mean number of partners, at least 1.
    max_ratio : int
        Largest number, above ``ratio``; the smallest is 1.

    Returns
    -------
    int64, shape (f,)
        Ascending by row.

    Notes
    -----
    Partners are plentiful at one end of the scores: where the focal mean is above the others', at
    the low end. As many rows as possible ask for ``max_ratio``, the others for 1, and one for what
    is left, so that the mean is ``ratio``.

    References
    ----------
    Ming and Rosenbaum (2000), Biometrics 56, 118-124.
    """
    is_focal = problem.focal & problem.eligible
    focal_rows = np.flatnonzero(is_focal)
    n = len(focal_rows)
    if n == 0:
        return np.empty(0, dtype=np.int64)
    wanted = ratio * n
    n_most = (wanted - (n - 1)) // (max_ratio - 1)
    n_one = n - n_most - 1
    left_over = wanted - n_one - max_ratio * n_most
    counts = np.concatenate([np.ones(n_one), [left_over], np.full(n_most, max_ratio)]).astype(
        np.int64
    )
    if left_over == 0:
        counts[n_one] = 1
        counts[n_one + 1] -= 1
    score = problem.score[focal_rows]
    others = problem.score[~problem.focal & problem.eligible]
    focal_is_higher = float(total(score)) / n > float(total(others)) / max(1, len(others))
    fewest_first, _ = rows_by_score(-score if focal_is_higher else score)
    quota = np.empty(n, dtype=np.int64)
    quota[fewest_first] = counts
    return quota


def service_order(
    problem: Problem,
    layout: Layout,
    order: Order,
    data_position: Integers | None,
    random_key: NDArray[np.uint64] | None,
) -> Integers:
    """Positions among the focal rows in the order of service; ties go to the lower row."""
    score = problem.score[layout.focal_rows]
    if order == "largest":
        if problem.cell is None and (np.diff(layout.focal_score) > 0.0).all():
            return layout.focal_order[::-1].copy()  # sorted already, and no ties to be kept
        return rows_by_score(-score)[0]
    if order == "smallest":
        return layout.focal_order if problem.cell is None else rows_by_score(score)[0]
    if order == "data":
        if data_position is None:
            return np.arange(len(score))
        return np.argsort(data_position[layout.focal_rows], kind="stable")
    if order == "random":
        if random_key is None:
            message = "order 'random' needs a key for each row"
            raise ValueError(message)
        return np.argsort(random_key[layout.focal_rows], kind="stable")
    return np.arange(len(score))


def pair_without_replacement(
    problem: Problem,
    *,
    ratio: int = 1,
    quota: Integers | None = None,
    reuse_max: int = 1,
    one_per_person: bool = False,
    order: Order = "largest",
    data_position: Integers | None = None,
    random_key: NDArray[np.uint64] | None = None,
) -> Pairing:
    """Give focal rows partners in rounds, each partner at most ``reuse_max`` times.

    Parameters
    ----------
    problem : Problem
    ratio : int
        Rounds: in each, every focal row takes at most one partner.
    quota : int64, shape (f,), optional
        Number of partners each eligible focal row asks for (ascending by row), at most ``ratio``.
    reuse_max : int
        Uses of one partner, at least 1; never twice in one set.
    one_per_person : bool
        Let each person enter the match at most once, in either group, over all of their rows.
    order : {'largest', 'smallest', 'closest', 'data', 'random'}
        Who is served first in each round: by score, closest pair of all, position in the data,
        or a random key.
    data_position : int64, shape (n,), optional
    random_key : uint64, shape (n,), optional

    Returns
    -------
    Pairing

    Notes
    -----
    Preference: smaller exact distance, then lower score, then lower row. Near-linear, but for
    Mahalanobis distance (the sum of windows) and 'closest' under rules.
    """
    layout = problem.layout
    n_focal = len(layout.focal_rows)
    served = service_order(problem, layout, order, data_position, random_key)
    sequence = sequence_of(problem, layout, served)
    rules = rules_of(problem, layout.focal_rows[served], layout.pool_rows)
    asked = np.full(n_focal, ratio, dtype=np.int64) if quota is None else quota[served]
    n_people = 0
    if one_per_person and problem.person is not None:
        n_people = int(problem.person.max(initial=0)) + 1
    places = open_places(len(layout.pool_rows), n_people, reuse_max)
    chosen = np.full((n_focal, ratio), -1, dtype=np.int64)
    count = np.zeros(n_focal, dtype=np.int64)
    step = rows_per_call(problem, layout)
    plain = (
        problem.person is None
        and problem.anti.shape[0] == 0
        and problem.covariate.shape[0] == 0
        and problem.position is None
        and (reuse_max == 1 or ratio == 1)
    )
    for round_number in range(ratio):
        if order != "closest":
            for start in range(0, n_focal, step):
                greedy_round(
                    layout.pool, sequence, rules, places, problem.caliper, asked,
                    round_number, chosen, count, start, min(start + step, n_focal),
                )  # fmt: skip
        elif plain:
            _closest_round(problem, layout, places, asked, round_number, chosen, count)
        else:
            heap = empty_heap(n_focal + 1)
            state = np.zeros(1, dtype=np.int64)
            while closest_by_rules(
                layout.pool, layout.pool_rows, sequence, rules, places, problem.caliper, asked,
                round_number, chosen, count, heap, state, step,
            ):  # fmt: skip
                continue
    taken = chosen[np.arange(ratio)[None, :] < count[:, None]]
    share = 1.0 / np.repeat(count, count)
    return in_row_order(layout.focal_rows, served, count, layout.pool_rows[taken], share)


def _closest_round(
    problem: Problem,
    layout: Layout,
    places: Places,
    asked: Integers,
    round_number: int,
    chosen: Integers,
    count: Integers,
) -> None:
    """One round of closest pairs first over the chain of all units alive."""
    asking = (count >= round_number) & (asked > round_number)
    free = places.used < places.reuse_max
    alive = np.zeros(len(problem.score), dtype=np.bool_)
    alive[layout.focal_rows[asking]] = True
    alive[layout.pool_rows[free]] = True
    n_cells = len(layout.pool_start) - 1
    units, unit_score, start = rows_by_cell_and_score(problem.score, alive, problem.cell, n_cells)
    n = len(units)
    place_of = np.empty(len(problem.score), dtype=np.int64)
    place_of[layout.focal_rows] = np.arange(len(layout.focal_rows))
    place_of[layout.pool_rows] = np.arange(len(layout.pool_rows))
    is_focal = problem.focal[units]
    uses_left = np.ones(n, dtype=np.int64)
    pool_units = place_of[units[~is_focal]]
    uses_left[~is_focal] = places.reuse_max - places.used[pool_units]
    chain = Chain(
        unit_score,
        np.repeat(np.arange(n_cells), np.diff(start)),
        is_focal.astype(np.uint8),
        np.empty(n, dtype=np.int64),
        np.empty(n, dtype=np.int64),
        np.ones(n, dtype=np.uint8),
        np.empty(n + 1, dtype=np.int64),
        np.empty(n + 1, dtype=np.int64),
        np.empty(n, dtype=np.int64),
        uses_left,
    )
    link_chain(chain)
    heap = empty_heap(3 * n + 16)
    push_all_neighbours(chain, heap, problem.caliper)
    partner = np.full(n, -1, dtype=np.int64)
    while closest_pairs(chain, heap, problem.caliper, partner, WALKS_PER_CALL) == WALKS_PER_CALL:
        continue
    matched = np.flatnonzero(partner >= 0)
    served = place_of[units[matched]]
    used = place_of[units[partner[matched]]]
    chosen[served, count[served]] = used
    count[served] += 1
    np.add.at(places.used, used, 1)
