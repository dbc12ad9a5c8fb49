"""How many can be matched at all: maximum matching on a line, and the caliper that a share needs.

With scores on a line and one width for all, serving focal rows from the lowest up with the lowest
comparison row still in reach is a maximum matching, found with two pointers in one pass.
"""

import numpy as np

from kernels._jit import kernel


@kernel()
def count_matchable(focal_score, focal_start, pool_score, pool_start, caliper, capacity):
    """Return the largest number of focal rows that can each have a comparison row.

    Parameters
    ----------
    focal_score : float64, shape (n_focal,)
        Sorted by (cell, score).
    focal_start : int64, shape (cells + 1,)
        Where each cell starts among the focal rows.
    pool_score : float64, shape (n_pool,)
        Sorted by (cell, score).
    pool_start : int64, shape (cells + 1,)
    caliper : float
        Largest allowed difference, inclusive; may be inf.
    capacity : int
        Uses of one comparison row; 0 means with replacement, without limit.

    Returns
    -------
    int
    """
    matched = 0
    for cell in range(focal_start.shape[0] - 1):
        j = pool_start[cell]
        stop = pool_start[cell + 1]
        used = 0
        for i in range(focal_start[cell], focal_start[cell + 1]):
            while j < stop and focal_score[i] - pool_score[j] > caliper:
                j += 1
                used = 0
            if j == stop:
                break
            if pool_score[j] - focal_score[i] <= caliper:
                matched += 1
                if capacity > 0:
                    used += 1
                    if used == capacity:
                        j += 1
                        used = 0
    return matched


def smallest_caliper(
    focal_score: np.ndarray,
    focal_start: np.ndarray,
    pool_score: np.ndarray,
    pool_start: np.ndarray,
    capacity: int,
    wanted: int,
) -> float:
    """Return the smallest width at which ``wanted`` focal rows can be matched, or inf for none.

    Parameters
    ----------
    focal_score, focal_start, pool_score, pool_start, capacity
        As in :func:`count_matchable`.
    wanted : int
        Number of focal rows to keep.

    Notes
    -----
    Bisection over the float64 numbers themselves (non-negative floats are ordered as their bits
    are), so the answer is exact: at the next smaller width fewer can be matched. At most 63 linear
    passes.
    """

    def enough(width: float) -> bool:
        return (
            count_matchable(focal_score, focal_start, pool_score, pool_start, width, capacity)
            >= wanted
        )

    if not enough(np.inf):
        return float("inf")
    low, high = -1, int(np.float64(np.finfo(np.float64).max).view(np.int64))
    while high - low > 1:
        middle = (low + high) // 2
        if enough(float(np.int64(middle).view(np.float64))):
            high = middle
        else:
            low = middle
    return float(np.int64(high).view(np.float64))
