"""What follows from a radius or kernel match without listing its pairs."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.matching.radius import KERNEL_SHAPES, Windows
from kernels.windows import add_squared_shares, window_sums

_MOST_LISTED = 2_000_000_000
"""Pairs that may be walked through for squared shares: about 3 s."""
_PAIRS_PER_CALL = 200_000_000

Floats = NDArray[np.float64]


def partner_means(
    windows: Windows, values: Floats, score: Floats, caliper: float, kernel: str | None
) -> Floats:
    """Return the share-weighted mean of the partners' values of each focal row.

    Parameters
    ----------
    windows : Windows
    values : float64, shape (n,)
        Finite on the rows of the pool.
    score : float64, shape (n,)
        What was compared.
    caliper : float
    kernel : {'epanechnikov', 'tricube'} or None

    Returns
    -------
    float64, shape (f,)
        0 for rows without a match.
    """
    pool = windows.pool
    sums = window_sums(
        score[pool],
        values[pool],
        caliper,
        KERNEL_SHAPES[kernel],
        score[windows.focal],
        windows.low,
        windows.high,
    )
    return np.divide(sums, windows.total, out=np.zeros_like(sums), where=windows.total > 0)


def squared_shares(
    windows: Windows, score: Floats, caliper: float, kernel: str | None
) -> Floats | None:
    """Return the summed squared shares of each row, or None above 2e9 pairs.

    Parameters
    ----------
    windows : Windows
    score : float64, shape (n,)
    caliper : float
    kernel : {'epanechnikov', 'tricube'} or None

    Returns
    -------
    float64, shape (n,), or None
    """
    size = windows.high - windows.low
    if int(size.sum()) > _MOST_LISTED:
        return None
    squared = np.zeros(len(windows.pool))
    pool_score = score[windows.pool]
    query = score[windows.focal]
    ends = np.searchsorted(np.cumsum(size), np.arange(0, size.sum() + 1, _PAIRS_PER_CALL))
    bounds = np.unique(np.concatenate((ends, [0, len(size)])))
    for begin, end in pairwise(bounds):
        add_squared_shares(
            pool_score, caliper, KERNEL_SHAPES[kernel], query, windows.total,
            windows.low, windows.high, squared, int(begin), int(end),
        )  # fmt: skip
    whole = np.zeros(len(score))
    whole[windows.pool] = squared
    return whole
