"""Which comparison person may be paired with which treated person: one-line predicates.

A pool is the comparison rows sorted by (cell, score, row); a sequence is the focal rows (treated
people for the ATT) in the order in which they are served. "Smaller distance" is exact: two
distances that round to the same float64 are told apart by their rounding errors.
"""

from typing import NamedTuple

import numpy as np

from kernels._jit import kernel


class Pool(NamedTuple):
    """Comparison rows sorted by (cell, score, row).

    Attributes
    ----------
    score : float64, shape (n_pool,)
        Ascending inside each cell.
    run : int64, shape (n_pool,)
        Position where the run of equal scores (same cell) starts.
    """

    score: np.ndarray
    run: np.ndarray


class Sequence(NamedTuple):
    """Focal rows in the order in which they are served.

    Attributes
    ----------
    score : float64, shape (n_focal,)
    low, high : int64, shape (n_focal,)
        The pool positions of the row's exact-match cell are low, ..., high - 1.
    """

    score: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Rules(NamedTuple):
    """Conditions on a pair beyond the score; an absent condition has length 0.

    Attributes
    ----------
    focal_person, pool_person : int64, shape (n_focal,) and (n_pool,), or (0,)
        Person number of each row: nobody meets themselves, nor anyone twice in one set.
    focal_anti, pool_anti : int64, shape (a, n_focal) and (a, n_pool)
        Codes that must differ, each of them.
    focal_covariate, pool_covariate : float64, shape (v, n_focal) and (v, n_pool)
    width : float64, shape (v,)
        Largest allowed difference of each covariate, inclusive.
    focal_position, pool_position : float64, shape (d, n_focal) and (d, n_pool)
        Whitened coordinates; d > 0 makes their squared Euclidean distance the distance.
    """

    focal_person: np.ndarray
    pool_person: np.ndarray
    focal_anti: np.ndarray
    pool_anti: np.ndarray
    focal_covariate: np.ndarray
    pool_covariate: np.ndarray
    width: np.ndarray
    focal_position: np.ndarray
    pool_position: np.ndarray


@kernel(inline=True)
def other_person(rules, i, j):
    """Whether rows i and j belong to two people."""
    return rules.focal_person.shape[0] == 0 or rules.focal_person[i] != rules.pool_person[j]


@kernel(inline=True)
def anti_exact_differ(rules, i, j):
    """Whether every anti-exact code differs."""
    for a in range(rules.focal_anti.shape[0]):
        if rules.focal_anti[a, i] == rules.pool_anti[a, j]:
            return False
    return True


@kernel(inline=True)
def inside_covariate_calipers(rules, i, j):
    """Whether every covariate with a caliper of its own is close enough."""
    for v in range(rules.width.shape[0]):
        if abs(rules.focal_covariate[v, i] - rules.pool_covariate[v, j]) > rules.width[v]:
            return False
    return True


@kernel(inline=True)
def may_pair(rules, i, j):
    """Whether focal i and pool j may be paired, whatever the score."""
    return (
        other_person(rules, i, j)
        and anti_exact_differ(rules, i, j)
        and inside_covariate_calipers(rules, i, j)
    )


@kernel(inline=True)
def new_to_set(rules, chosen, first, stop, j):
    """Whether pool row j and its person are not among ``chosen[first:stop]``."""
    for c in range(first, stop):
        if chosen[c] == j:
            return False
        if rules.pool_person.shape[0] and rules.pool_person[chosen[c]] == rules.pool_person[j]:
            return False
    return True


@kernel(inline=True)
def squared_distance(rules, i, j, limit):
    """Squared distance in whitened coordinates, given up once it exceeds ``limit``."""
    total = 0.0
    for d in range(rules.focal_position.shape[0]):
        difference = rules.focal_position[d, i] - rules.pool_position[d, j]
        total += difference * difference
        if total > limit:
            break
    return total


@kernel(inline=True)
def difference_error(a, b):
    """Rounding error of ``a - b``: (a - b) + error is the exact difference (Knuth 1969)."""
    difference = a - b
    shadow = difference - a
    return (a - (difference - shadow)) - (b + shadow)


@kernel(inline=True)
def compare_distances(a, b, c, d):
    """Sign of the exact (a - b) - (c - d), for a >= b and c >= d."""
    first = a - b
    second = c - d
    if first < second:
        return -1
    if first > second:
        return 1
    first = difference_error(a, b)
    second = difference_error(c, d)
    if first < second:
        return -1
    if first > second:
        return 1
    return 0


@kernel(inline=True)
def first_at_least(score, low, high, value):
    """First position in [low, high) whose score is at least ``value``, or ``high``."""
    while low < high:
        middle = (low + high) >> 1
        if score[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel(inline=True)
def first_at_least_from(score, low, high, value, hint):
    """The same, found by growing steps from ``hint`` in [low, high]: few where it is near."""
    step = 1
    if hint < high and score[hint] < value:
        low = hint + 1
        while low + step < high and score[low + step] < value:
            low += step + 1
            step *= 2
        return first_at_least(score, low, min(high, low + step), value)
    high = hint
    while high - step >= low and score[high - step] >= value:
        high -= step
        step *= 2
    return first_at_least(score, max(low, high - step), high, value)


@kernel(inline=True)
def window_low(score, low, high, value, caliper):
    """First position in [low, high) not further than ``caliper`` below ``value``."""
    while low < high:
        middle = (low + high) >> 1
        if value - score[middle] > caliper:
            low = middle + 1
        else:
            high = middle
    return low


@kernel(inline=True)
def window_high(score, low, high, value, caliper):
    """First position in [low, high) further than ``caliper`` above ``value``, or ``high``."""
    while low < high:
        middle = (low + high) >> 1
        if score[middle] - value <= caliper:
            low = middle + 1
        else:
            high = middle
    return low


@kernel()
def mark_runs(score, start, run):
    """Fill, for each pool position, where its run of equal scores starts.

    Parameters
    ----------
    score : float64, shape (n_pool,)
    start : int64, shape (cells + 1,)
        Pool position where each cell starts.
    run : int64, shape (n_pool,)
        Filled.
    """
    for cell in range(start.shape[0] - 1):
        first = start[cell]
        for j in range(first, start[cell + 1]):
            before = score[max(j - 1, start[cell])]
            # A choice, not a branch: runs are short.
            first = first if score[j] == before else j
            run[j] = first
