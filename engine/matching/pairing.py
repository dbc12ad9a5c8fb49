"""Who is paired with whom: the matching kernels behind one function on rows.

Rows come in canonical order (sorted by the public key of their identity), so that "lower row" is
"lower key" and nothing depends on the order in which a table was written.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kernels.blocks import total
from kernels.closest import (
    Chain,
    closest_by_rules,
    closest_pairs,
    empty_heap,
    link_chain,
    push_all_neighbours,
)
from kernels.extent import count_matchable, smallest_caliper
from kernels.greedy import Places, greedy_round, open_places
from kernels.nearest import nearest_into, windows_into
from kernels.ordering import rows_by_cell_and_score, rows_by_score
from kernels.rules import Pool, Rules, Sequence, mark_runs
from kernels.windows import EPANECHNIKOV, TRICUBE, UNIFORM, window_sums

Order = Literal["largest", "smallest", "closest", "data", "random"]
Kernel = Literal["epanechnikov", "tricube"]

# Rows a compiled call may serve so that it stays well under half a second: signals are served
# between calls. A walk costs about 0.2 microseconds; a Mahalanobis scan its whole window.
_WALKS_PER_CALL = 500_000
_SCANNED_PER_CALL = 100_000_000
KERNEL_SHAPES = {None: UNIFORM, "epanechnikov": EPANECHNIKOV, "tricube": TRICUBE}

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


@dataclass(frozen=True)
class Windows:
    """All partners within the caliper, as windows of the sorted pool.

    Attributes
    ----------
    focal : int64, shape (f,)
        Eligible focal rows, ascending.
    low, high : int64, shape (f,)
        Partners of ``focal[i]`` are ``pool[low[i]:high[i]]``.
    pool : int64, shape (n_pool,)
        Comparison rows sorted by (cell, score, row).
    total : float64, shape (f,)
        Sum of kernel weights of each window; a row with total 0 is unmatched.
    weight : float64, shape (n,)
        Each row's summed shares, 0 outside the pool's windows.
    """

    focal: Integers
    low: Integers
    high: Integers
    pool: Integers
    total: Floats
    weight: Floats


@dataclass(frozen=True)
class _Layout:
    """The sorted pool and the focal rows, ascending by row."""

    pool_rows: Integers
    pool: Pool
    focal_rows: Integers
    low: Integers
    high: Integers
    pool_start: Integers
    focal_sorted: Integers
    focal_score: Floats
    focal_start: Integers


def _lay_out(problem: Problem) -> _Layout:
    n_cells = 1 if problem.cell is None else int(problem.cell.max(initial=0)) + 1
    score, cell = problem.score, problem.cell
    pool_rows, pool_score, pool_start = rows_by_cell_and_score(
        score, ~problem.focal & problem.eligible, cell, n_cells
    )
    is_focal = problem.focal & problem.eligible
    focal_sorted, focal_score, focal_start = rows_by_cell_and_score(score, is_focal, cell, n_cells)
    run = np.empty(len(pool_score), dtype=np.int64)
    mark_runs(pool_score, pool_start, run)
    focal_rows = np.flatnonzero(is_focal)
    if cell is None:
        low = np.zeros(len(focal_rows), dtype=np.int64)
        high = np.full(len(focal_rows), len(pool_score), dtype=np.int64)
    else:
        low = pool_start[cell[focal_rows]]
        high = pool_start[cell[focal_rows] + 1]
    return _Layout(
        pool_rows, Pool(pool_score, run), focal_rows, low, high, pool_start,
        focal_sorted, focal_score, focal_start,
    )  # fmt: skip


def _rules(problem: Problem, focal: Integers, pool: Integers) -> Rules:
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


def _rows_per_call(problem: Problem, layout: _Layout) -> int:
    if problem.position is None:
        return _WALKS_PER_CALL
    cost = scan_cost(problem) / max(1, len(layout.focal_rows))
    return max(1, int(_SCANNED_PER_CALL / max(cost, 1.0)))


def _sequence(problem: Problem, layout: _Layout, positions: Integers) -> Sequence:
    rows = layout.focal_rows[positions]
    return Sequence(problem.score[rows], layout.low[positions], layout.high[positions])


def scan_cost(problem: Problem) -> int:
    """Return the number of candidates that a Mahalanobis match looks at: the sum of windows."""
    windows = _windows(problem, _lay_out(problem))
    return int((windows[1] - windows[0]).sum())


def pair_with_replacement(problem: Problem, *, ratio: int = 1, ties_all: bool = False) -> Pairing:
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

    Returns
    -------
    Pairing

    Notes
    -----
    Preference: smaller exact distance, then lower score, then lower row. Sorting, then O(log n)
    for each focal row.
    """
    layout = _lay_out(problem)
    n_focal = len(layout.focal_rows)
    # Served in score order: neighbours read the same part of the pool.
    served, _ = rows_by_score(problem.score[layout.focal_rows])
    sequence = _sequence(problem, layout, served)
    rules = _rules(problem, layout.focal_rows[served], layout.pool_rows)
    count = np.zeros(n_focal, dtype=np.int64)
    nearer = np.zeros(n_focal, dtype=np.int64)
    step = _rows_per_call(problem, layout)

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
    return _in_row_order(layout.focal_rows, served, taken, layout.pool_rows[chosen[keep]], share)


def _in_row_order(
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


def _service_order(
    problem: Problem,
    layout: _Layout,
    order: Order,
    data_position: Integers | None,
    random_key: NDArray[np.uint64] | None,
) -> Integers:
    """Positions among the focal rows in the order of service; ties go to the lower row."""
    score = problem.score[layout.focal_rows]
    if order == "largest":
        return rows_by_score(-score)[0]
    if order == "smallest":
        return rows_by_score(score)[0]
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
    layout = _lay_out(problem)
    n_focal = len(layout.focal_rows)
    served = _service_order(problem, layout, order, data_position, random_key)
    sequence = _sequence(problem, layout, served)
    rules = _rules(problem, layout.focal_rows[served], layout.pool_rows)
    asked = np.full(n_focal, ratio, dtype=np.int64) if quota is None else quota[served]
    n_people = 0
    if one_per_person and problem.person is not None:
        n_people = int(problem.person.max(initial=0)) + 1
    places = open_places(len(layout.pool_rows), n_people, reuse_max)
    chosen = np.full((n_focal, ratio), -1, dtype=np.int64)
    count = np.zeros(n_focal, dtype=np.int64)
    step = _rows_per_call(problem, layout)
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
    return _in_row_order(layout.focal_rows, served, count, layout.pool_rows[taken], share)


def _closest_round(
    problem: Problem,
    layout: _Layout,
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
    while closest_pairs(chain, heap, problem.caliper, partner, _WALKS_PER_CALL) == _WALKS_PER_CALL:
        continue
    matched = np.flatnonzero(partner >= 0)
    served = place_of[units[matched]]
    used = place_of[units[partner[matched]]]
    chosen[served, count[served]] = used
    count[served] += 1
    np.add.at(places.used, used, 1)


def _windows(problem: Problem, layout: _Layout) -> tuple[Integers, Integers]:
    n_focal = len(layout.focal_rows)
    low = np.empty(n_focal, dtype=np.int64)
    high = np.empty(n_focal, dtype=np.int64)
    sequence = Sequence(problem.score[layout.focal_rows], layout.low, layout.high)
    for start in range(0, n_focal, _WALKS_PER_CALL):
        stop = min(start + _WALKS_PER_CALL, n_focal)
        windows_into(layout.pool, sequence, problem.caliper, low, high, start, stop)
    return low, high


def match_within_radius(problem: Problem, kernel: Kernel | None = None) -> Windows:
    """Give each focal row all partners within the caliper, evenly or by a kernel.

    Parameters
    ----------
    problem : Problem
        With a finite caliper; no rules beyond cell and caliper.
    kernel : {'epanechnikov', 'tricube'}, optional
        Weight 1 - u^2 or (1 - |u|^3)^3 of a partner at u = difference / caliper; even if absent.

    Returns
    -------
    Windows

    Notes
    -----
    Near-linear in the rows, whatever the windows hold; see :mod:`kernels.windows`.
    """
    layout = _lay_out(problem)
    low, high = _windows(problem, layout)
    shape = KERNEL_SHAPES[kernel]
    scores = problem.score[layout.focal_rows]
    pool_score = layout.pool.score
    if shape == UNIFORM:
        total = (high - low).astype(np.float64)
    else:
        ones = np.ones(len(pool_score))
        total = window_sums(pool_score, ones, problem.caliper, shape, scores, low, high)
    # A window whose members all lie at the very edge has no kernel weight: unmatched.
    total = np.where((high > low) & (total > 1e-12), total, 0.0)
    # The same sums seen from the comparison side: windows of focal rows around each pool row.
    order = layout.focal_sorted
    position = np.empty(len(problem.score), dtype=np.int64)
    position[layout.focal_rows] = np.arange(len(layout.focal_rows))
    sorted_total = total[position[order]]
    mass = np.divide(1.0, sorted_total, out=np.zeros_like(sorted_total), where=sorted_total > 0)
    focal_score = layout.focal_score
    cell = np.repeat(np.arange(len(layout.pool_start) - 1), np.diff(layout.pool_start))
    seen = Sequence(pool_score, layout.focal_start[cell], layout.focal_start[cell + 1])
    first = np.empty(len(pool_score), dtype=np.int64)
    last = np.empty(len(pool_score), dtype=np.int64)
    focal_pool = Pool(focal_score, np.empty(0, dtype=np.int64))
    for start in range(0, len(pool_score), _WALKS_PER_CALL):
        stop = min(start + _WALKS_PER_CALL, len(pool_score))
        windows_into(focal_pool, seen, problem.caliper, first, last, start, stop)
    sums = window_sums(focal_score, mass, problem.caliper, shape, pool_score, first, last)
    weight = np.zeros(len(problem.score))
    weight[layout.pool_rows] = np.where(last > first, sums, 0.0)
    return Windows(layout.focal_rows, low, high, layout.pool_rows, total, weight)


def maximum_matchable(problem: Problem, *, capacity: int) -> int:
    """Return the largest number of focal rows that can each have a partner.

    Parameters
    ----------
    problem : Problem
        Cells and the caliper on the score count; rules beyond them do not.
    capacity : int
        Uses of one partner; 0 for no limit (with replacement).
    """
    layout = _lay_out(problem)
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
    layout = _lay_out(problem)
    wanted = int(np.ceil(share * len(layout.focal_rows) - 1e-9))
    return smallest_caliper(
        layout.focal_score,
        layout.focal_start,
        layout.pool.score,
        layout.pool_start,
        capacity,
        wanted,
    )
