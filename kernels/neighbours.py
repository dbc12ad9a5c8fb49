"""The k nearest other comparison rows: of a focal row, or of a comparison row itself.

Local means of an outcome around a score come from the few nearest rows on the sorted pool, leaving
out the row itself and all rows of the same person. Nothing here is a match: no caliper, no use
counts. Where many rows have exactly the same score, rows that ask take turns, so that the same k
are not everybody's neighbours.
"""

from numba import prange

from kernels._jit import kernel
from kernels.rules import compare_distances, first_at_least

_GRAIN = 256
"""Queries that are worth a thread."""


@kernel(inline=True)
def _differs(pool_rows, row_person, position, person):
    return row_person.shape[0] == 0 or row_person[pool_rows[position]] != person


@kernel(inline=True)
def _after(score, low, high, value):
    """First position in [low, high) whose score is above ``value``, or ``high``."""
    while low < high:
        middle = (low + high) >> 1
        if score[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel(inline=True)
def _nearest_others(score, pool_rows, row_person, value, low, high, own, person, turn, found):
    """Fill ``found`` with pool positions; return how many were found."""
    wanted = found.shape[0]
    first = first_at_least(score, low, high, value)
    after = _after(score, first, high, value)
    tied = after - first
    taken = 0
    if tied > 0:
        shift = (turn * wanted) % tied
        for step in range(tied):
            position = first + (shift + step) % tied
            if position != own and _differs(pool_rows, row_person, position, person):
                found[taken] = position
                taken += 1
                if taken == wanted:
                    return taken
    left = first - 1
    right = after
    while taken < wanted and (left >= low or right < high):
        go_left = right >= high or (
            left >= low and compare_distances(value, score[left], score[right], value) <= 0
        )
        position = left if go_left else right
        if go_left:
            left -= 1
        else:
            right += 1
        if _differs(pool_rows, row_person, position, person):
            found[taken] = position
            taken += 1
    return taken


@kernel(parallel=True, grain=_GRAIN)
def nearest_others_into(
    pool_score,
    pool_rows,
    row_person,
    score,
    low,
    high,
    own,
    person,
    turn,
    found,
    count,
    start,
    stop,
):
    """Find the nearest other rows of a range of queries.

    Parameters
    ----------
    pool_score : float64, shape (n_pool,)
        Ascending inside each cell.
    pool_rows : int64, shape (n_pool,)
        Row of the table of each pool position.
    row_person : int64, shape (n,) or (0,)
        Person number of each row of the table; empty where every row is a person.
    score : float64, shape (q,)
        Score of each query.
    low, high : int64, shape (q,)
        The pool positions of the query's cell are low, ..., high - 1.
    own : int64, shape (q,)
        Pool position of the query itself, or -1.
    person : int64, shape (q,) or (0,)
    turn : int64, shape (q,)
        Number of the query among those with the same cell and score, from 0.
    found : int64, shape (q, k)
        Filled with pool positions, the nearest first, in the first ``count`` places.
    count : int64, shape (q,)
        Filled.
    start, stop : int
        Range of queries.

    Notes
    -----
    Preference: smaller exact distance, then lower score. Among rows at distance 0, k in a row
    from place turn * k of their run, cyclically. O(log n_pool + k) for each query.
    """
    for i in prange(start, stop):
        mine = person[i] if person.shape[0] else -1
        count[i] = _nearest_others(
            pool_score,
            pool_rows,
            row_person,
            score[i],
            low[i],
            high[i],
            own[i],
            mine,
            turn[i],
            found[i],
        )


@kernel()
def local_moments(values, found, count, mean, variance):
    """Fill the mean and the n - 1 variance of the values of each query's neighbours.

    Parameters
    ----------
    values : float64, shape (n,)
    found : int64, shape (q, k)
        Places in ``values``.
    count : int64, shape (q,)
    mean, variance : float64, shape (q,)
        Filled; 0 without neighbours, and variance 0 with one.
    """
    for i in range(count.shape[0]):
        n = count[i]
        mean[i] = 0.0
        variance[i] = 0.0
        if n == 0:
            continue
        # Sums of differences from the first value: exact for 0 and 1, stable for large counts.
        base = values[found[i, 0]]
        total = 0.0
        for j in range(1, n):
            total += values[found[i, j]] - base
        middle = base + total / n
        squares = 0.0
        for j in range(n):
            gap = values[found[i, j]] - middle
            squares += gap * gap
        mean[i] = middle
        if n > 1:
            variance[i] = squares / (n - 1)


@kernel()
def add_local_residuals(values, found, count, mean, residual):
    """Add (value - local mean) / (n - 1) of every neighbour to its place.

    Parameters
    ----------
    values : float64, shape (n,)
    found : int64, shape (q, k)
        Places in ``values``.
    count : int64, shape (q,)
    mean : float64, shape (q,)
        Of :func:`local_moments`.
    residual : float64, shape (n,)
        Added to, query by query; queries with fewer than two neighbours add nothing.

    Notes
    -----
    X' residual is then the sum over queries of their local covariances of columns and outcome:
    one pass over the design whatever the number of queries.
    """
    for i in range(count.shape[0]):
        n = count[i]
        if n < 2:
            continue
        for j in range(n):
            place = found[i, j]
            residual[place] += (values[place] - mean[i]) / (n - 1)
