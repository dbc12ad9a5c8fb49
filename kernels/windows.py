"""Weighted sums over all points within a caliper, in near-linear time.

A radius or kernel match gives every focal row all comparison rows in a window. Nothing is listed:
what is needed are sums over windows (of kernel weights, and of focal shares seen from the
comparison side), and these come from running sums. Kernels are polynomials in the difference, so
the running sums are of powers of the score, centred per bin of one caliper's width so that powers
stay small, kept at every 64th point and carried with their rounding errors; the ends of a window
are added point by point.
"""

import numpy as np
from numba import prange

from kernels._jit import kernel
from kernels.blocks import two_sum
from kernels.rules import first_at_least

UNIFORM = 0
EPANECHNIKOV = 1
TRICUBE = 2

_STRIDE = 64
_GRAIN = 256
"""Queries that are worth a thread."""
_TERMS = np.array([1, 3, 10])
"""Number of powers that each kernel needs: its degree and one."""

_BINOMIAL = np.zeros((10, 10))
for _row in range(10):
    _BINOMIAL[_row, 0] = 1.0
    for _column in range(1, _row + 1):
        _BINOMIAL[_row, _column] = _BINOMIAL[_row - 1, _column - 1] + _BINOMIAL[_row - 1, _column]


@kernel(inline=True)
def terms_of(shape):
    """Number of powers that a kernel needs."""
    return _TERMS[shape]


@kernel(inline=True)
def kernel_weight(shape, u):
    """Kernel value at ``u`` = |difference| / caliper in [0, 1]."""
    if shape == UNIFORM:
        return 1.0
    if shape == EPANECHNIKOV:
        return 1.0 - u * u
    w = 1.0 - u * u * u
    return w * w * w


@kernel(inline=True)
def _bin_of(score, origin, caliper):
    return np.int64((score - origin) / caliper)


@kernel()
def running_powers(score, mass, origin, caliper, terms, high, low):
    """Fill running sums of mass * t^p at every 64th point, t centred in the point's bin.

    Parameters
    ----------
    score : float64, shape (m,)
        Points, ascending inside each exact-match cell.
    mass : float64, shape (m,)
    origin : float
        Lower edge of bin 0, at most the smallest score.
    caliper : float
        Bin width, > 0.
    terms : int
        Number of powers.
    high, low : float64, shape (m // 64 + 1, terms)
        Filled: sums over the points before 64 k, from the start of the bin of point 64 k (a sum
        restarts with each bin), and their rounding errors.
    """
    total = np.zeros(terms)
    error = np.zeros(terms)
    current = -1
    for j in range(score.shape[0]):
        number = _bin_of(score[j], origin, caliper)
        if number != current:
            current = number
            total[:] = 0.0
            error[:] = 0.0
        if j % _STRIDE == 0:
            for p in range(terms):
                high[j // _STRIDE, p] = total[p]
                low[j // _STRIDE, p] = error[p]
        t = (score[j] - origin) / caliper - number
        power = mass[j]
        for p in range(terms):
            total[p], rounding = two_sum(total[p], power)
            error[p] += rounding
            power *= t


@kernel(inline=True)
def _side_sum(shape, v, sign, sums):
    """Sum of mass * kernel(sign * (v - t)) from the power sums of t."""
    if shape == UNIFORM:
        return sums[0]
    if shape == EPANECHNIKOV:
        return sums[0] * (1.0 - v * v) + (2.0 * v * sums[1] - sums[2])
    result = sums[0]
    for term in range(1, 4):
        degree = 3 * term
        factor = -3.0 if term == 1 else (3.0 if term == 2 else -1.0)
        if sign < 0.0 and degree % 2 == 1:
            factor = -factor
        part = 0.0
        power = 1.0
        for p in range(degree, -1, -1):
            # Coefficient of t^p in (v - t)^degree.
            signed = -power if p % 2 == 1 else power
            part += _BINOMIAL[degree, p] * signed * sums[p]
            power *= v
        result += factor * part
    return result


@kernel(inline=True)
def _range_sum(
    score, mass, origin, caliper, shape, terms, high, low, value, sign, first, stop, sums
):
    """Sum over points first, ..., stop - 1, all on one side of ``value``."""
    total = 0.0
    j = first
    while j < stop:
        if high.shape[0] > 0 and j % _STRIDE == 0 and j + _STRIDE < stop:
            number = _bin_of(score[j], origin, caliper)
            # Furthest 64th point of the window that lies in the same bin; bins ascend inside it.
            near = j // _STRIDE
            far = (stop - 1) // _STRIDE
            while near < far:
                middle = (near + far + 1) >> 1
                if _bin_of(score[middle * _STRIDE], origin, caliper) == number:
                    near = middle
                else:
                    far = middle - 1
            if near * _STRIDE > j:
                k = j // _STRIDE
                for p in range(terms):
                    sums[p] = (high[near, p] - high[k, p]) + (low[near, p] - low[k, p])
                total += _side_sum(shape, (value - origin) / caliper - number, sign, sums)
                j = near * _STRIDE
                continue
        total += mass[j] * kernel_weight(shape, abs(value - score[j]) / caliper)
        j += 1
    return total


@kernel()
def add_squared_shares(score, caliper, shape, query, total, first, stop, squared, begin, end):
    """Add the square of every share of a range of queries to its point.

    Parameters
    ----------
    score : float64, shape (m,)
    caliper : float
    shape : int
        UNIFORM, EPANECHNIKOV or TRICUBE.
    query : float64, shape (q,)
    total : float64, shape (q,)
        Sum of kernel weights of each window; 0 for queries without a match.
    first, stop : int64, shape (q,)
    squared : float64, shape (m,)
        Added to, query by query.
    begin, end : int
        Range of queries.

    Notes
    -----
    Lists every pair: the square of a kernel has no short running sum.
    """
    for i in range(begin, end):
        if total[i] <= 0.0:
            continue
        for j in range(first[i], stop[i]):
            share = kernel_weight(shape, abs(query[i] - score[j]) / caliper) / total[i]
            squared[j] += share * share


@kernel()
def window_sum(score, mass, origin, caliper, shape, high, low, value, first, stop, sums):
    """Sum of mass * kernel over the points first, ..., stop - 1; ``sums`` is scratch."""
    terms = high.shape[1]
    middle = first_at_least(score, first, stop, value)
    return _range_sum(
        score, mass, origin, caliper, shape, terms, high, low, value, 1.0, first, middle, sums
    ) + _range_sum(
        score, mass, origin, caliper, shape, terms, high, low, value, -1.0, middle, stop, sums
    )


@kernel(parallel=True, grain=_GRAIN)
def window_sums_into(
    score, mass, origin, caliper, shape, high, low, query, first, stop, result, begin, end
):
    """Sum mass * kernel over the window of each of a range of queries.

    Parameters
    ----------
    score, mass, origin, caliper, high, low
        Points and their running powers; see :func:`running_powers`.
    shape : int
        UNIFORM, EPANECHNIKOV or TRICUBE.
    query : float64, shape (q,)
    first, stop : int64, shape (q,)
        Window of each query among the points.
    result : float64, shape (q,)
        Filled.
    begin, end : int
        Range of queries.

    Notes
    -----
    Exact up to rounding: within 1e-12 of the largest term for the uniform and Epanechnikov
    kernels, and 1e-10 for the tricube, whose powers go to 9.
    """
    sums = np.empty(high.shape[1])
    for i in prange(begin, end):
        result[i] = window_sum(
            score, mass, origin, caliper, shape, high, low, query[i], first[i], stop[i], sums
        )


def window_sums(
    score: np.ndarray,
    mass: np.ndarray,
    caliper: float,
    shape: int,
    query: np.ndarray,
    first: np.ndarray,
    stop: np.ndarray,
) -> np.ndarray:
    """Return, for each query, the sum of mass * kernel(|query - score| / caliper) over its window.

    Parameters
    ----------
    score : float64, shape (m,)
        Points, ascending inside each exact-match cell.
    mass : float64, shape (m,)
    caliper : float
        In (0, inf). A window lies in one cell and holds only points within the caliper.
    shape : int
        UNIFORM, EPANECHNIKOV or TRICUBE.
    query : float64, shape (q,)
    first, stop : int64, shape (q,)

    Returns
    -------
    float64, shape (q,)
    """
    terms = int(_TERMS[shape])
    origin = float(score.min()) if len(score) else 0.0
    # Beyond 2^40 bins a point's place in its bin has lost its digits: add point by point.
    fine = len(score) > 0 and float(score.max()) - origin <= 2.0**40 * caliper
    rows = len(score) // _STRIDE + 1 if fine else 0
    high = np.zeros((rows, terms))
    low = np.zeros((rows, terms))
    if fine:
        running_powers(score, mass, origin, caliper, terms, high, low)
    result = np.empty(len(query))
    for begin in range(0, len(query), 200_000):
        end = min(begin + 200_000, len(query))
        window_sums_into(
            score, mass, origin, caliper, shape, high, low, query, first, stop, result, begin, end
        )
    return result
