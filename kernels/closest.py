"""Closest pairs first, without replacement.

The closest pair of all is always a pair of neighbours in the sorted order of the units still alive,
so a linked list and a heap of neighbouring opposite-arm pairs find it in O(n log n) overall. Where
pairs must also pass rules, or the distance is not the score's, that argument fails: then a heap of
every focal row's own best candidate is used, renewed when the candidate has gone.

Order of pairs: smaller exact distance, lower comparison score, lower focal score, lower comparison
row, lower focal row.
"""

from typing import NamedTuple

import numpy as np

from kernels._jit import kernel
from kernels.greedy import (
    best_free,
    best_free_in_window,
    focal_may_enter,
    partner_may_enter,
    use,
)
from kernels.rules import difference_error, squared_distance


class Heap(NamedTuple):
    """Binary heap of pairs, smallest first.

    Attributes
    ----------
    key : float64, shape (capacity, 4)
        Distance, its rounding error, comparison score, focal score.
    item : int64, shape (capacity, 3)
        What the pair is of: the first two are the last keys of the order, the third is carried.
    size : int64, shape (1,)
    """

    key: np.ndarray
    item: np.ndarray
    size: np.ndarray


def empty_heap(capacity: int) -> Heap:
    """Return an empty heap with room for ``capacity`` pairs."""
    return Heap(
        np.empty((capacity, 4)),
        np.empty((capacity, 3), dtype=np.int64),
        np.zeros(1, dtype=np.int64),
    )


@kernel(inline=True)
def _before(heap, a, b):
    """Whether entry a comes before entry b."""
    for k in range(4):
        if heap.key[a, k] != heap.key[b, k]:
            return heap.key[a, k] < heap.key[b, k]
    if heap.item[a, 0] != heap.item[b, 0]:
        return heap.item[a, 0] < heap.item[b, 0]
    return heap.item[a, 1] < heap.item[b, 1]


@kernel(inline=True)
def _swap(heap, a, b):
    for k in range(4):
        key = heap.key[a, k]
        heap.key[a, k] = heap.key[b, k]
        heap.key[b, k] = key
    for k in range(3):
        item = heap.item[a, k]
        heap.item[a, k] = heap.item[b, k]
        heap.item[b, k] = item


@kernel(inline=True)
def _push(heap, distance, error, pool_score, focal_score, first, second, third):
    at = heap.size[0]
    heap.size[0] += 1
    heap.key[at, 0] = distance
    heap.key[at, 1] = error
    heap.key[at, 2] = pool_score
    heap.key[at, 3] = focal_score
    heap.item[at, 0] = first
    heap.item[at, 1] = second
    heap.item[at, 2] = third
    while at > 0 and _before(heap, at, (at - 1) >> 1):
        _swap(heap, at, (at - 1) >> 1)
        at = (at - 1) >> 1


@kernel(inline=True)
def _pop(heap):
    """Remove the first pair and return its items."""
    first = heap.item[0, 0]
    second = heap.item[0, 1]
    third = heap.item[0, 2]
    heap.size[0] -= 1
    last = heap.size[0]
    if last > 0:
        _swap(heap, 0, last)
        at = 0
        while True:
            child = 2 * at + 1
            if child >= last:
                break
            if child + 1 < last and _before(heap, child + 1, child):
                child += 1
            if not _before(heap, child, at):
                break
            _swap(heap, at, child)
            at = child
    return first, second, third


class Chain(NamedTuple):
    """Units alive, both arms, sorted by (cell, score, row).

    Attributes
    ----------
    score : float64, shape (n,)
    cell : int64, shape (n,)
    is_focal : uint8, shape (n,)
    before, after : int64, shape (n,)
        Neighbours alive, -1 for none.
    alive : uint8, shape (n,)
    focal_at, pool_at : int64, shape (n + 1,)
        Forests of the next unit alive of each arm at or after a position.
    run : int64, shape (n,)
        Where the run of equal scores (same cell) starts.
    uses_left : int64, shape (n,)
    """

    score: np.ndarray
    cell: np.ndarray
    is_focal: np.ndarray
    before: np.ndarray
    after: np.ndarray
    alive: np.ndarray
    focal_at: np.ndarray
    pool_at: np.ndarray
    run: np.ndarray
    uses_left: np.ndarray


@kernel()
def link_chain(chain):
    """Fill neighbours, forests and runs of a chain whose ``alive`` marks are set."""
    n = chain.score.shape[0]
    previous = -1
    for u in range(n):
        same_run = u > 0 and chain.cell[u] == chain.cell[u - 1]
        same_run = same_run and chain.score[u] == chain.score[u - 1]
        chain.run[u] = chain.run[u - 1] if same_run else u
        chain.before[u] = -1
        chain.after[u] = -1
        chain.focal_at[u] = u if chain.alive[u] and chain.is_focal[u] else u + 1
        chain.pool_at[u] = u if chain.alive[u] and not chain.is_focal[u] else u + 1
        if not chain.alive[u]:
            continue
        if previous >= 0 and chain.cell[previous] == chain.cell[u]:
            chain.before[u] = previous
            chain.after[previous] = u
        previous = u
    chain.focal_at[n] = n
    chain.pool_at[n] = n


@kernel(inline=True)
def _next(forest, u):
    while forest[u] != u:
        forest[u] = forest[forest[u]]
        u = forest[u]
    return u


@kernel(inline=True)
def _push_neighbours(chain, heap, left, right, caliper):
    """Push two neighbours as a pair if they are of opposite arms and close enough."""
    if left < 0 or right < 0 or chain.is_focal[left] == chain.is_focal[right]:
        return
    distance = chain.score[right] - chain.score[left]
    if distance > caliper:
        return
    pool_unit = right if chain.is_focal[left] else left
    focal_unit = left if chain.is_focal[left] else right
    _push(
        heap,
        distance,
        difference_error(chain.score[right], chain.score[left]),
        chain.score[pool_unit],
        chain.score[focal_unit],
        left,
        right,
        0,
    )


@kernel(inline=True)
def _remove(chain, heap, u, caliper):
    """Take unit u out of the chain and pair up the neighbours it leaves."""
    chain.alive[u] = 0
    if chain.is_focal[u]:
        chain.focal_at[u] = u + 1
    else:
        chain.pool_at[u] = u + 1
    left = chain.before[u]
    right = chain.after[u]
    if left >= 0:
        chain.after[left] = right
    if right >= 0:
        chain.before[right] = left
    _push_neighbours(chain, heap, left, right, caliper)


@kernel()
def push_all_neighbours(chain, heap, caliper):
    """Fill the heap with every pair of neighbours of opposite arms."""
    for u in range(chain.score.shape[0]):
        if chain.alive[u]:
            _push_neighbours(chain, heap, u, chain.after[u], caliper)


@kernel()
def closest_pairs(chain, heap, caliper, partner, limit):
    """Take up to ``limit`` closest pairs of the chain.

    Parameters
    ----------
    chain : Chain
        Modified in place. A comparison unit leaves when its uses are up, a focal unit at once.
    heap : Heap
        Room for the pairs of neighbours at the start and two more for each pair taken.
    caliper : float
        Largest allowed difference of scores, inclusive; may be inf.
    partner : int64, shape (n,)
        Filled, for each focal unit paired, with its comparison unit.
    limit : int
        Most pairs to take in this call.

    Returns
    -------
    int
        Number taken; fewer than ``limit`` means the chain is done.
    """
    taken = 0
    while taken < limit and heap.size[0] > 0:
        left, right, _ = _pop(heap)
        if not (chain.alive[left] and chain.alive[right] and chain.after[left] == right):
            continue
        # Units alive that share a score with either end are as close: the lowest rows are served.
        pool_end = right if chain.is_focal[left] else left
        focal_end = left if chain.is_focal[left] else right
        j = _next(chain.pool_at, chain.run[pool_end])
        i = _next(chain.focal_at, chain.run[focal_end])
        partner[i] = j
        taken += 1
        _remove(chain, heap, i, caliper)
        chain.uses_left[j] -= 1
        if chain.uses_left[j] == 0:
            _remove(chain, heap, j, caliper)
        if chain.alive[left] and chain.alive[right] and chain.after[left] == right:
            _push_neighbours(chain, heap, left, right, caliper)
    return taken


@kernel(inline=True)
def _push_best(pool, pool_row, sequence, rules, places, caliper, chosen, count, heap, i):
    """Push focal i with its preferred free candidate, if it has one."""
    if rules.focal_position.shape[0]:
        j = best_free_in_window(pool, sequence, rules, places, i, caliper, chosen, count)
        if j >= 0:
            distance = squared_distance(rules, i, j, np.inf)
            _push(heap, distance, 0.0, pool.score[j], sequence.score[i], pool_row[j], i, j)
        return
    j = best_free(
        pool.score, pool.run, places.left, places.right,
        sequence.score[i], sequence.low[i], sequence.high[i],
        rules, places, i, caliper, chosen, count,
    )  # fmt: skip
    if j >= 0:
        upper = max(pool.score[j], sequence.score[i])
        lower = min(pool.score[j], sequence.score[i])
        _push(
            heap,
            upper - lower,
            difference_error(upper, lower),
            pool.score[j],
            sequence.score[i],
            pool_row[j],
            i,
            j,
        )


@kernel()
def closest_by_rules(
    pool,
    pool_row,
    sequence,
    rules,
    places,
    caliper,
    quota,
    round_number,
    chosen,
    count,
    heap,
    state,
    limit,
):
    """One round of closest pairs first where pairs must pass rules.

    Parameters
    ----------
    pool, sequence, rules, places, caliper, quota, round_number, chosen, count
        As in :func:`kernels.greedy.greedy_round`; ``sequence`` is in row order.
    pool_row : int64, shape (n_pool,)
        Row number of each pool position: the pool is sorted by cell first, and ties between cells
        go by row.
    heap : Heap
        Room for one pair of each focal row; empty before the first call of a round.
    state : int64, shape (1,)
        Focal rows pushed so far, 0 before the first call of a round; modified in place.
    limit : int
        Most candidate searches in this call.

    Returns
    -------
    int
        1 while there is more to do, else 0.

    Notes
    -----
    A focal row's best distance only grows as others are served, so the smallest entry whose
    candidate is still free is the closest pair.
    """
    work = 0
    while state[0] < sequence.score.shape[0]:
        if work == limit:
            return 1
        i = state[0]
        state[0] += 1
        work += 1
        if count[i] >= round_number and quota[i] > round_number:
            _push_best(pool, pool_row, sequence, rules, places, caliper, chosen, count, heap, i)
    while heap.size[0] > 0:
        if work == limit:
            return 1
        work += 1
        _, i, j = _pop(heap)
        if not focal_may_enter(places, rules, i):
            continue
        if places.right[j] == j and partner_may_enter(places, rules, j):
            use(places, rules, i, j)
            chosen[i, count[i]] = j
            count[i] += 1
        else:
            _push_best(pool, pool_row, sequence, rules, places, caliper, chosen, count, heap, i)
    return 0
