"""Matching with replacement: the k nearest, inside a caliper.

Each focal row walks outwards from its own place in the sorted pool, so a row costs one binary
search and the candidates it looks at. Preference: smaller exact distance, then lower score, then
lower row number (the key of the identity).
"""

import numpy as np
from numba import prange

from kernels._jit import kernel
from kernels.rules import (
    compare_distances,
    first_at_least_from,
    may_pair,
    new_to_set,
    squared_distance,
    window_high,
    window_low,
)

_GRAIN = 256
"""Focal rows that are worth a thread."""


@kernel(inline=True, allocates=True)
def _longer(chosen):
    """A copy of twice the length."""
    longer = np.empty(2 * chosen.shape[0], dtype=np.int64)
    for k in range(chosen.shape[0]):
        longer[k] = chosen[k]
    return longer


@kernel(inline=True, allocates=True)
def _walk(
    pool, sequence, rules, ratio, ties_all, caliper, offset, chosen, count, nearer, start, stop
):
    """Take the ``ratio`` preferred candidates of focal rows, and for ``ties_all`` those tied last.

    The loop over rows is in here and not around a call, because counting the references of the
    tuples of arrays anew for each row would cost more than the walk.
    """
    score = pool.score
    listing = chosen.shape[0] > 0
    # Counting keeps a list too: 'twice the same person' cannot be told without one.
    own = chosen if listing else np.empty(16, dtype=np.int64)
    # Rows come in the order of the score, cell by cell: each search starts where the last ended.
    right = 0
    for i in range(start, stop):
        at = offset[i] if listing else 0
        value = sequence.score[i]
        low = sequence.low[i]
        high = sequence.high[i]
        right = first_at_least_from(score, low, high, value, min(max(right, low), high))
        # The run of equal scores next to the left is served from its start: lower row first.
        run_stop = right
        run_start = pool.run[right - 1] if right > low else low
        left = run_start
        taken = 0
        nearest = 0
        last_upper = 0.0
        last_lower = 0.0
        while left < run_stop or right < high:
            go_left = right >= high or (
                left < run_stop and compare_distances(value, score[left], score[right], value) <= 0
            )
            if go_left:
                j = left
                upper = value
                lower = score[left]
            else:
                j = right
                upper = score[right]
                lower = value
            if upper - lower > caliper:
                break
            farther = taken > 0 and compare_distances(upper, lower, last_upper, last_lower) != 0
            if taken >= ratio and (not ties_all or farther):
                break
            if may_pair(rules, i, j) and new_to_set(rules, own, at, at + taken, j):
                if farther:
                    nearest = taken
                if not listing and taken == own.shape[0]:
                    own = _longer(own)
                own[at + taken] = j
                taken += 1
                last_upper = upper
                last_lower = lower
            if go_left:
                left += 1
                if left == run_stop:
                    run_stop = run_start
                    if run_stop > low:
                        run_start = pool.run[run_stop - 1]
                    left = run_start
            else:
                right += 1
        count[i] = taken
        nearer[i] = nearest


@kernel(inline=True)
def _walk_freely(score, run, value, low, high, right, ratio, caliper, chosen, offset):
    """As :func:`_walk` where no rule can refuse a candidate and a tie is cut by the preference.

    No tuple of arrays is passed: counting its references costs more than this walk. ``right`` is
    the first position whose score is at least ``value``.
    """
    run_stop = right
    run_start = run[right - 1] if right > low else low
    left = run_start
    taken = 0
    while taken < ratio and (left < run_stop or right < high):
        if right >= high or (
            left < run_stop and compare_distances(value, score[left], score[right], value) <= 0
        ):
            if value - score[left] > caliper:
                break
            chosen[offset + taken] = left
            left += 1
            if left == run_stop:
                run_stop = run_start
                if run_stop > low:
                    run_start = run[run_stop - 1]
                left = run_start
        else:
            if score[right] - value > caliper:
                break
            chosen[offset + taken] = right
            right += 1
        taken += 1
    return taken


@kernel(inline=True, allocates=True)
def _scan(
    pool, sequence, rules, ratio, ties_all, caliper, offset, chosen, count, nearer, start, stop
):
    """As :func:`_walk` for the Mahalanobis distance: scan the score window once per choice."""
    listing = chosen.shape[0] > 0
    own = chosen if listing else np.empty(16, dtype=np.int64)
    for i in range(start, stop):
        at = offset[i] if listing else 0
        low = window_low(pool.score, sequence.low[i], sequence.high[i], sequence.score[i], caliper)
        high = window_high(pool.score, low, sequence.high[i], sequence.score[i], caliper)
        taken = 0
        nearest = 0
        last = -1.0
        last_position = -1
        while True:
            best = np.inf
            best_position = -1
            for j in range(low, high):
                d = squared_distance(rules, i, j, best)
                # Not yet served: after the last choice in the order (distance, position).
                if d < best and (d > last or (d == last and j > last_position)):
                    if may_pair(rules, i, j) and new_to_set(rules, own, at, at + taken, j):
                        best = d
                        best_position = j
            if best_position < 0 or (taken >= ratio and (not ties_all or best > last)):
                break
            if best > last:
                nearest = taken
            if not listing and taken == own.shape[0]:
                own = _longer(own)
            own[at + taken] = best_position
            taken += 1
            last = best
            last_position = best_position
        count[i] = taken
        nearer[i] = nearest


@kernel(parallel=True, grain=_GRAIN)
def nearest_into(
    pool, sequence, rules, ratio, ties_all, caliper, offset, chosen, count, nearer, start, stop
):
    """Choose the nearest comparison rows of a range of focal rows, with replacement.

    Parameters
    ----------
    pool : Pool
    sequence : Sequence
    rules : Rules
    ratio : int
        Number wanted.
    ties_all : bool
        Take also all candidates exactly as far as the last one wanted.
    caliper : float
        Largest allowed difference of scores, inclusive; may be inf.
    offset : int64, shape (n_focal + 1,)
        Focal i writes to ``chosen[offset[i]:offset[i + 1]]``.
    chosen : int64, shape (offset[-1],) or (0,)
        Filled with pool positions; empty means count only.
    count, nearer : int64, shape (n_focal,)
        Filled with the number taken, and how many of them are strictly nearer than the last.
    start, stop : int
        Range of focal rows.
    """
    score, run = pool
    focal_score, low, high = sequence
    free = (
        not ties_all
        and rules.pool_person.shape[0] == 0
        and rules.focal_anti.shape[0] == 0
        and rules.width.shape[0] == 0
        and rules.focal_position.shape[0] == 0
    )
    if rules.focal_position.shape[0]:
        _scan(
            pool, sequence, rules, ratio, ties_all, caliper,
            offset, chosen, count, nearer, start, stop,
        )  # fmt: skip
        return
    if not free:
        _walk(
            pool, sequence, rules, ratio, ties_all, caliper,
            offset, chosen, count, nearer, start, stop,
        )  # fmt: skip
        return
    right = 0
    for i in prange(start, stop):
        right = first_at_least_from(
            score, low[i], high[i], focal_score[i], min(max(right, low[i]), high[i])
        )
        count[i] = _walk_freely(
            score, run, focal_score[i], low[i], high[i], right, ratio, caliper, chosen, offset[i]
        )


@kernel(parallel=True, grain=_GRAIN)
def windows_into(pool, sequence, caliper, low, high, start, stop):
    """Fill the pool window within the caliper of each of a range of focal rows.

    Parameters
    ----------
    pool : Pool
    sequence : Sequence
    caliper : float
        Largest allowed difference of scores, inclusive.
    low, high : int64, shape (n_focal,)
        Filled: candidates are the pool positions low, ..., high - 1.
    start, stop : int
        Range of focal rows.
    """
    score, _ = pool
    value, first, last = sequence
    # A start below 0 cannot be; said so, no position is checked for counting from the end.
    for i in prange(max(start, 0), stop):
        low[i] = window_low(score, first[i], last[i], value[i], caliper)
        high[i] = window_high(score, low[i], last[i], value[i], caliper)
