"""Largest distance of two distribution functions (Kolmogorov and Smirnov).

Sorting both samples and merging them gives it. Between the two arms of a large column most of the
sorting is in vain: counts in narrow bins show both functions at every edge, and only the few bins
in which the distance could exceed the largest at an edge have to be looked into.
"""

import numpy as np

from kernels._jit import kernel
from kernels.ordering import rows_by_score

_WIDTH = 32
_BINS = 8192
_FEWEST_ROWS = 4 * _BINS
"""Below this the whole sort is quicker."""
_MOST_INSIDE = 0.25
"""Share of the rows in bins to look into, above which the whole sort is quicker."""


@kernel()
def _count_gap(a, b):
    """Largest distance of two empirical distribution functions; both samples sorted."""
    gap = 0.0
    i = 0
    j = 0
    while i < a.shape[0] and j < b.shape[0]:
        value = min(a[i], b[j])
        while i < a.shape[0] and a[i] == value:
            i += 1
        while j < b.shape[0] and b[j] == value:
            j += 1
        gap = max(gap, abs(i / a.shape[0] - j / b.shape[0]))
    return gap


def kolmogorov_smirnov(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest distance of two empirical distribution functions.

    Parameters
    ----------
    a, b : float64, shape (n_a,), (n_b,)
        Finite values, in any order.

    Returns
    -------
    float
        In [0, 1]; nan where a sample is empty.

    Notes
    -----
    Two sorts and one merge. Sorting a million float64 takes NumPy 5 ms; looking each up among the
    values of the smaller sample takes 40 ms.
    """
    if len(a) == 0 or len(b) == 0:
        return float("nan")
    return float(_count_gap(np.sort(a), np.sort(b)))


@kernel()
def _weighted_gap(a, a_weight, a_mass, b, b_weight, b_mass):
    """Largest distance of two weighted distribution functions; both samples sorted."""
    gap = 0.0
    i = 0
    j = 0
    left = 0.0
    right = 0.0
    while i < a.shape[0] or j < b.shape[0]:
        if j == b.shape[0] or (i < a.shape[0] and a[i] <= b[j]):
            value = a[i]
        else:
            value = b[j]
        while i < a.shape[0] and a[i] == value:
            left += a_weight[i]
            i += 1
        while j < b.shape[0] and b[j] == value:
            right += b_weight[j]
            j += 1
        gap = max(gap, abs(left / a_mass - right / b_mass))
    return gap


def weighted_kolmogorov_smirnov(
    a: np.ndarray, a_weight: np.ndarray, b: np.ndarray, b_weight: np.ndarray
) -> float:
    """Return the largest distance of two weighted empirical distribution functions.

    Parameters
    ----------
    a, b : float64, shape (n_a,), (n_b,)
        Finite values, in any order.
    a_weight, b_weight : float64
        Positive weights.

    Returns
    -------
    float
        nan where a sample is empty.

    Notes
    -----
    Weights of one give the same running sums as counts, so they take the shorter way.
    """
    if len(a) == 0 or len(b) == 0:
        return float("nan")
    if np.all(a_weight == 1.0) and np.all(b_weight == 1.0):
        return kolmogorov_smirnov(a, b)
    order_a, a_values = rows_by_score(a)
    order_b, b_values = rows_by_score(b)
    a_sorted = a_weight[order_a]
    b_sorted = b_weight[order_b]
    # The last value of a running sum, so that both functions end at 1 exactly.
    a_mass = float(np.cumsum(a_sorted)[-1])
    b_mass = float(np.cumsum(b_sorted)[-1])
    return float(_weighted_gap(a_values, a_sorted, a_mass, b_values, b_sorted, b_mass))


@kernel()
def _extent(x):
    """Return the smallest and largest value, and whether all are whole numbers."""
    low = np.empty(_WIDTH)
    high = np.empty(_WIDTH)
    off = np.zeros(_WIDTH)
    low[:] = x[0]
    high[:] = x[0]
    whole = x.shape[0] - x.shape[0] % _WIDTH
    for first in range(0, whole, _WIDTH):
        for lane in range(_WIDTH):
            value = x[first + lane]
            low[lane] = value if value < low[lane] else low[lane]
            high[lane] = value if value > high[lane] else high[lane]
            off[lane] += abs(value - np.floor(value))
    for i in range(whole, x.shape[0]):
        low[0] = min(low[0], x[i])
        high[0] = max(high[0], x[i])
        off[0] += abs(x[i] - np.floor(x[i]))
    return low.min(), high.max(), off.max() == 0.0


@kernel()
def _count_bins(x, arm, low, factor, place, counts):
    """Fill the bin of each row, and count the rows of each arm in each bin.

    The bin is a monotone function of the value, rounding included, so the rows of the bins up to
    one are the rows of the values up to some value.
    """
    last = counts.shape[2] - 1
    for i in range(x.shape[0]):
        place[i] = np.uint16(min(np.int64((x[i] - low) * factor), last))
    # Even and odd rows apart: neighbours in one bin would wait on each other.
    for i in range(x.shape[0]):
        counts[i & 1, min(arm[i], np.uint8(2)), place[i]] += 1


@kernel()
def _bins_to_look_into(counts, size, inside):
    """Mark the bins in which the distance may exceed that at all edges; return the latter.

    Within a bin each function lies between its values at the two edges.
    """
    gap = 0.0
    for step in range(2):
        a = 0
        b = 0
        for k in range(counts.shape[1]):
            a_before = a
            b_before = b
            a += counts[0, k]
            b += counts[1, k]
            if step == 0:
                gap = max(gap, abs(a / size[0] - b / size[1]))
            else:
                above = abs(a / size[0] - b_before / size[1])
                below = abs(a_before / size[0] - b / size[1])
                inside[k] = max(above, below) > gap
    return gap


@kernel()
def _take_inside(x, arm, place, inside, chosen):
    """Write the values of each arm that lie in marked bins, and return how many there are."""
    n_0 = 0
    n_1 = 0
    for i in range(x.shape[0]):
        if inside[place[i]]:
            if arm[i] == 0:
                chosen[0, n_0] = x[i]
                n_0 += 1
            elif arm[i] == 1:
                chosen[1, n_1] = x[i]
                n_1 += 1
    return n_0, n_1


@kernel()
def _gap_inside(a, b, counts, size, inside, gap):
    """Return the largest distance with the marked bins looked into; their values are sorted."""
    i = 0
    j = 0
    a_below = 0
    b_below = 0
    for k in range(counts.shape[1]):
        if inside[k]:
            stop_i = i + counts[0, k]
            stop_j = j + counts[1, k]
            a_base = a_below - i
            b_base = b_below - j
            while i < stop_i or j < stop_j:
                if j == stop_j or (i < stop_i and a[i] <= b[j]):
                    value = a[i]
                else:
                    value = b[j]
                while i < stop_i and a[i] == value:
                    i += 1
                while j < stop_j and b[j] == value:
                    j += 1
                gap = max(gap, abs((a_base + i) / size[0] - (b_base + j) / size[1]))
        a_below += counts[0, k]
        b_below += counts[1, k]
    return gap


def distance_of_arms(x: np.ndarray, arm: np.ndarray, size: np.ndarray) -> float:
    """Return the largest distance of the distribution functions of a column in two arms.

    Parameters
    ----------
    x : float64, shape (n,)
        Finite values.
    arm : uint8, shape (n,)
        0 or 1; other values count in neither arm.
    size : int64, shape (2,)
        Rows of each arm.

    Returns
    -------
    float
        In [0, 1], the same bits as :func:`kolmogorov_smirnov`; nan where an arm is empty.

    Notes
    -----
    Two passes over a column of spread-out values, 3 ns a row, where its sort takes 8. Whole numbers
    of a small range need one. A column whose values crowd in few bins is sorted after all.
    """
    if size.min() == 0:
        return float("nan")
    if len(x) >= _FEWEST_ROWS:
        low, high, whole = _extent(x)
        width = high - low
        exact = bool(whole) and width < _BINS
        if 0.0 < width < np.inf:
            counts, place = np.zeros((2, 3, _BINS), np.int64), np.empty(len(x), np.uint16)
            _count_bins(x, arm, low, 1.0 if exact else _BINS / width, place, counts)
            by_arm = counts.sum(axis=0)[:2]
            inside = np.empty(_BINS, dtype=np.bool_)
            gap = float(_bins_to_look_into(by_arm, size, inside))
            most = by_arm[:, inside].sum(axis=1)
            if exact or not most.any():
                return gap
            if most.sum() <= _MOST_INSIDE * len(x):
                chosen = np.empty((2, int(most.max())))
                _take_inside(x, arm, place, inside, chosen)
                a, b = np.sort(chosen[0, : most[0]]), np.sort(chosen[1, : most[1]])
                return float(_gap_inside(a, b, by_arm, size, inside, gap))
    return kolmogorov_smirnov(x[arm == 0], x[arm == 1])
