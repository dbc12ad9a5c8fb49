"""Greedy matching without replacement, in rounds, in a given order.

Two union-find forests over the sorted pool answer "next free to the left" and "next free to the
right" in near-constant time, so used rows are never walked over again. (A scan past used rows turns
quadratic: on 400,000 rows with as many treated as comparison people it takes minutes where this
takes a fraction of a second.)
"""

from typing import NamedTuple

import numpy as np

from kernels._jit import kernel
from kernels.rules import (
    compare_distances,
    first_at_least,
    first_at_least_from,
    may_pair,
    new_to_set,
    squared_distance,
    window_high,
    window_low,
)


class Places(NamedTuple):
    """State of the pool during matching without replacement.

    Attributes
    ----------
    right : int32, shape (n_pool + 1,)
        Forest of next free positions at or after each; n_pool means none.
    left : int32, shape (n_pool + 1,)
        Forest of next free positions at or before each, shifted by one; 0 means none.
    used : int64, shape (n_pool,)
        Times each row has been used; not kept where no rule asks and one use closes a row.
    entered : int64, shape (n_people,) or (0,)
        For one entry per person: 0 for people who have not entered the match, -1 for those who
        entered as a partner, i + 1 for those who entered as focal row i.
    reuse_max : int
        Uses after which a row is closed.
    """

    right: np.ndarray
    left: np.ndarray
    used: np.ndarray
    entered: np.ndarray
    reuse_max: int


def open_places(n_pool: int, n_people: int, reuse_max: int) -> Places:
    """Return the state in which every pool row is free.

    Parameters
    ----------
    n_pool : int
        Below 2^31: positions are 32-bit, which halves the memory that is touched first.
    n_people : int
        Number of people for one entry per person, 0 where that is not asked.
    reuse_max : int
        At least 1.
    """
    return Places(
        np.arange(n_pool + 1, dtype=np.int32),
        np.arange(n_pool + 1, dtype=np.int32),
        np.zeros(n_pool, dtype=np.int64),
        np.zeros(n_people, dtype=np.int64),
        reuse_max,
    )


@kernel(inline=True)
def _root(forest, j):
    """Root of j, halving the path on the way."""
    while forest[j] != j:
        forest[j] = forest[forest[j]]
        j = forest[j]
    return j


@kernel(inline=True)
def _left_run(left, right, run, low, last):
    """Last free position at or before ``last``, and the first free one of its run of scores."""
    run_last = _root(left, last + 1) - 1
    first = run_last
    if run_last >= low:
        first = _root(right, run[run_last])
    return run_last, first


@kernel(inline=True)
def _preferred(score, value, at_left, run_last, at_right, low, high, caliper):
    """The nearer of the candidates at the two ends of the walk, or -1 where none is in reach."""
    if run_last >= low and (
        at_right >= high or compare_distances(value, score[at_left], score[at_right], value) <= 0
    ):
        return at_left if value - score[at_left] <= caliper else -1
    if at_right < high and score[at_right] - value <= caliper:
        return at_right
    return -1


@kernel(inline=True)
def close(places, j):
    """Take pool position j out of both forests."""
    places.right[j] = j + 1
    places.left[j + 1] = j


@kernel(inline=True)
def partner_may_enter(places, rules, j):
    """Whether the person of pool row j has not entered the match, where each may do so once."""
    return places.entered.shape[0] == 0 or places.entered[rules.pool_person[j]] == 0


@kernel(inline=True)
def focal_may_enter(places, rules, i):
    """Whether the person of focal row i has not entered the match through another row."""
    if places.entered.shape[0] == 0:
        return True
    state = places.entered[rules.focal_person[i]]
    return state == 0 or state == i + 1


@kernel(inline=True)
def use(places, rules, i, j):
    """Count one use of pool row j by focal row i and close it when its uses are up."""
    places.used[j] += 1
    if places.entered.shape[0]:
        places.entered[rules.pool_person[j]] = -1
        places.entered[rules.focal_person[i]] = i + 1
    if places.used[j] >= places.reuse_max or places.entered.shape[0]:
        close(places, j)


@kernel(inline=True)
def first_free(score, run, left, right, value, middle, low, high, caliper):
    """Position of the preferred free candidate where no rule can refuse one, or -1.

    ``middle`` is the first position whose score is at least ``value``.
    """
    at_right = _root(right, middle)
    run_last, at_left = _left_run(left, right, run, low, middle - 1)
    return _preferred(score, value, at_left, run_last, at_right, low, high, caliper)


@kernel(inline=True)
def holds_person(chosen, taken, person, row):
    """Whether another row of this row's person is among the first ``taken`` rows chosen."""
    for k in range(taken):
        if chosen[k] != row and person[chosen[k]] == person[row]:
            return True
    return False


@kernel(inline=True)
def first_free_stranger(
    score, run, left, right, value, low, high, caliper, rows, person, focal_row, chosen, taken
):
    """As :func:`first_free`, past the focal row's own person and other rows of those chosen.

    ``rows`` names the row of each pool position, ``chosen`` the rows of the set so far.
    """
    middle = first_at_least(score, low, high, value)
    at_right = _root(right, middle)
    run_last, at_left = _left_run(left, right, run, low, middle - 1)
    while True:
        j = _preferred(score, value, at_left, run_last, at_right, low, high, caliper)
        if j < 0:
            return -1
        row = rows[j]
        if person[row] != person[focal_row] and not holds_person(chosen, taken, person, row):
            return j
        if j >= middle:
            at_right = _root(right, at_right + 1)
        elif j == run_last:
            run_last, at_left = _left_run(left, right, run, low, run[run_last] - 1)
        else:
            at_left = _root(right, at_left + 1)


@kernel(inline=True)
def best_free(score, run, left, right, value, low, high, rules, places, i, caliper, chosen, count):
    """Position of the preferred free candidate of focal i, or -1.

    Preference: smaller exact distance, then lower score, then lower row number. The walk goes on
    past candidates that fail a rule.
    """
    middle = first_at_least(score, low, high, value)
    at_right = _root(right, middle)
    run_last, at_left = _left_run(left, right, run, low, middle - 1)
    while True:
        j = _preferred(score, value, at_left, run_last, at_right, low, high, caliper)
        if j < 0:
            return -1
        if not partner_may_enter(places, rules, j):
            close(places, j)
        elif may_pair(rules, i, j) and new_to_set(rules, chosen[i], np.int64(0), count[i], j):
            return j
        if j >= middle:
            at_right = _root(right, at_right + 1)
        elif j == run_last:
            run_last, at_left = _left_run(left, right, run, low, run[run_last] - 1)
        else:
            at_left = _root(right, at_left + 1)


@kernel(inline=True)
def best_free_in_window(pool, sequence, rules, places, i, caliper, chosen, count):
    """As :func:`best_free` for the Mahalanobis distance: scan the free rows of the window."""
    low = window_low(pool.score, sequence.low[i], sequence.high[i], sequence.score[i], caliper)
    high = window_high(pool.score, low, sequence.high[i], sequence.score[i], caliper)
    best = np.inf
    best_position = -1
    j = _root(places.right, low)
    while j < high:
        d = squared_distance(rules, i, j, best)
        if d < best:
            if not partner_may_enter(places, rules, j):
                close(places, j)
            elif may_pair(rules, i, j) and new_to_set(rules, chosen[i], np.int64(0), count[i], j):
                best = d
                best_position = j
        j = _root(places.right, j + 1)
    return best_position


@kernel(inline=True)
def has_no_rules(rules, places):
    """Whether the score alone decides: it is the distance, and every predicate holds."""
    return (
        rules.focal_position.shape[0] == 0
        and rules.pool_person.shape[0] == 0
        and rules.focal_anti.shape[0] == 0
        and rules.width.shape[0] == 0
        and places.reuse_max == 1
    )


@kernel()
def greedy_round(
    pool, sequence, rules, places, caliper, quota, round_number, chosen, count, start, stop
):
    """Serve a range of focal rows, in their order, one comparison row each.

    Parameters
    ----------
    pool : Pool
    sequence : Sequence
        Focal rows in the order of service.
    rules : Rules
    places : Places
        Modified in place.
    caliper : float
        Largest allowed difference of scores, inclusive; may be inf.
    quota : int64, shape (n_focal,)
        Number of comparison rows each focal row asks for.
    round_number : int
        From 0; a focal row left empty in an earlier round is not served again, since what was not
        free then is not free now.
    chosen : int64, shape (n_focal, ratio)
        Pool positions, modified in place.
    count : int64, shape (n_focal,)
        Number chosen so far, modified in place.
    start, stop : int
        Range of focal rows; consecutive ranges give the result of one call.
    """
    plain = has_no_rules(rules, places)
    mahalanobis = rules.focal_position.shape[0] > 0
    score, run = pool
    focal_score, low, high = sequence
    left = places.left
    right = places.right
    middle = 0
    for i in range(start, stop):
        if count[i] < round_number or quota[i] <= round_number:
            continue
        if plain:
            # No tuple of arrays is passed on this path: counting its references would cost more
            # than the walk (220 ns against 60 ns).
            # Served in the order of scores, neighbours have their places side by side.
            hint = min(max(middle, low[i]), high[i])
            middle = first_at_least_from(score, low[i], high[i], focal_score[i], hint)
            j = first_free(
                score, run, left, right, focal_score[i], middle, low[i], high[i], caliper
            )
            if j >= 0:
                right[j] = j + 1
                left[j + 1] = j
        else:
            if not focal_may_enter(places, rules, i):
                continue
            if mahalanobis:
                j = best_free_in_window(pool, sequence, rules, places, i, caliper, chosen, count)
            else:
                j = best_free(
                    score, run, left, right, focal_score[i], low[i], high[i],
                    rules, places, i, caliper, chosen, count,
                )  # fmt: skip
            if j >= 0:
                use(places, rules, i, j)
        if j >= 0:
            chosen[i, count[i]] = j
            count[i] += 1
