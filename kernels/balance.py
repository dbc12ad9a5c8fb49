"""Moments by arm and rank statistics of one column at a time.

Means and variances are compensated sums over fixed chunks. The variance of a weighted sample is
sum w (x - m)^2 W / (W^2 - sum w^2) with W = sum w, which is the usual n - 1 form for equal weights.
"""

import numpy as np
from numba import prange

from kernels._jit import CHUNK, kernel
from kernels.blocks import LANES, chunk_count, sum_compensated, tree_add_compensated

_FIRST = 1024
"""Rows of an arm that say about where its mean lies."""
_NEAR = 0.01
"""Largest squared distance of the centre from the mean, in variances, that loses no digits."""
_PASSES = 3


@kernel(parallel=True)
def arm_sums(x, arm, centre, totals, compensations, start, stop):
    """Sum (x - centre) and its square over each of two arms.

    Parameters
    ----------
    x : float64, shape (n,)
        Finite values.
    arm : uint8, shape (n,)
        0 or 1 for the arms, anything else for rows that count in neither.
    centre : float64, shape (2,)
        Value to subtract in each arm.
    totals, compensations : float64, shape (2, 2, chunks)
        Filled with each chunk's compensated sums, by arm and power less one.
    start, stop : int
        Range of chunks.
    """
    n = x.shape[0]
    for chunk in prange(start, stop):
        first = chunk * CHUNK
        own = np.empty((2, CHUNK + 1))
        lanes = np.empty(LANES)
        errors = np.empty(LANES)
        size_0 = 0
        size_1 = 0
        # Both are written and one place moves on: no branch that half the rows would miss.
        for i in range(first, min(first + CHUNK, n)):
            own[0, size_0] = x[i]
            own[1, size_1] = x[i]
            size_0 += 1 if arm[i] == 0 else 0
            size_1 += 1 if arm[i] == 1 else 0
        for label in range(2):
            work = own[label, : size_1 if label else size_0]
            for i in range(work.shape[0]):
                work[i] -= centre[label]
            totals[label, 0, chunk], compensations[label, 0, chunk] = sum_compensated(
                work, lanes, errors
            )
            for i in range(work.shape[0]):
                work[i] *= work[i]
            totals[label, 1, chunk], compensations[label, 1, chunk] = sum_compensated(
                work, lanes, errors
            )


@kernel()
def _add_chunks(totals, compensations, result):
    for label in range(2):
        for power in range(2):
            result[label, power] = tree_add_compensated(
                totals[label, power], compensations[label, power]
            )


@kernel()
def _first_means(x, arm, means):
    """Fill the mean of the first rows of each arm, exact where they are all equal."""
    for label in range(2):
        found = 0
        base = 0.0
        spread = 0.0
        for i in range(x.shape[0]):
            if arm[i] == label:
                base = x[i] if found == 0 else base
                spread += x[i] - base
                found += 1
                if found == _FIRST:
                    break
        means[label] = base + spread / found if found else 0.0


def moments_by_arm(
    x: np.ndarray, arm: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the n - 1 variance of a column in each of two arms.

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
    mean, variance : float64, shape (2,)
        nan for the mean of an empty arm and the variance of fewer than two rows.

    Notes
    -----
    With d = x - c the mean is c + sum d / n and the variance (sum d^2 - (sum d)^2 / n) / (n - 1).
    c is the mean of an arm's first rows; if it lies further from the mean than a tenth of the
    standard deviation, where the difference would lose digits, the sums are taken again about the
    mean found. One pass is enough for most columns, 3 ns a row.
    """
    shape = (2, 2, max(1, chunk_count(len(x))))
    totals, compensations = np.zeros(shape), np.zeros(shape)
    sums = np.empty((2, 2))
    centre = np.empty(2)
    some = size > 0
    _first_means(x, arm, centre)
    for _ in range(_PASSES):
        arm_sums(x, arm, centre, totals, compensations, 0, totals.shape[2])
        _add_chunks(totals, compensations, sums)
        offset = np.divide(sums[:, 0], size, out=np.zeros(2), where=some)
        if np.all(offset * sums[:, 0] <= _NEAR * sums[:, 1]):
            break
        centre = centre + offset
    mean = np.where(some, centre + offset, np.nan)
    variance = np.full(2, np.nan)
    about = np.maximum(sums[:, 1] - offset * sums[:, 0], 0.0)
    np.divide(about, size - 1, out=variance, where=size > 1)
    return mean, variance


@kernel()
def _weighted_sums(x, weight, centre, squared):
    """Compensated sum of w (x - centre), or of w (x - centre)^2."""
    chunks = (x.shape[0] + CHUNK - 1) // CHUNK
    totals = np.zeros(max(chunks, 1))
    compensations = np.zeros(max(chunks, 1))
    work = np.empty(CHUNK)
    lanes = np.empty(LANES)
    errors = np.empty(LANES)
    for chunk in range(chunks):
        first = chunk * CHUNK
        m = min(CHUNK, x.shape[0] - first)
        for i in range(m):
            d = x[first + i] - centre
            work[i] = weight[first + i] * (d * d if squared else d)
        totals[chunk], compensations[chunk] = sum_compensated(work[:m], lanes, errors)
    return tree_add_compensated(totals, compensations)


def weighted_moments(
    x: np.ndarray, weight: np.ndarray, mass: float, mass_squared: float
) -> tuple[float, float]:
    """Return the weighted mean and variance of a column.

    Parameters
    ----------
    x, weight : float64, shape (n,)
        Finite values; weights > 0.
    mass, mass_squared : float
        Sum of the weights and of their squares.

    Returns
    -------
    mean, variance : float
        nan where not defined.
    """
    if len(x) == 0:
        return float("nan"), float("nan")
    first = float(_weighted_sums(x, weight, 0.0, False)) / mass
    # One correction step: the mean of what is left after subtracting the first mean.
    mean = first + float(_weighted_sums(x, weight, first, False)) / mass
    spread = float(_weighted_sums(x, weight, mean, True))
    freedom = mass * mass - mass_squared
    if len(x) < 2 or freedom <= 0.0:
        return mean, float("nan")
    return mean, spread * mass / freedom


@kernel()
def concordance(score, label, weight):
    """Return the probability that a treated row outranks a comparison row (AUC), ties half.

    Parameters
    ----------
    score : float64, shape (n,)
        Sorted ascending.
    label : bool, shape (n,)
        True for treated, in the same order.
    weight : float64, shape (n,)
        Weights, in the same order.

    Returns
    -------
    float
        In [0, 1]; nan where an arm has no weight.
    """
    treated = 0.0
    comparison = 0.0
    wins = 0.0
    i = 0
    while i < score.shape[0]:
        stop = i
        tied_treated = 0.0
        tied_comparison = 0.0
        while stop < score.shape[0] and score[stop] == score[i]:
            if label[stop]:
                tied_treated += weight[stop]
            else:
                tied_comparison += weight[stop]
            stop += 1
        wins += tied_treated * (comparison + 0.5 * tied_comparison)
        treated += tied_treated
        comparison += tied_comparison
        i = stop
    if treated == 0.0 or comparison == 0.0:
        return np.nan
    return wins / (treated * comparison)


@kernel()
def level_weights(codes, weight, totals):
    """Add each row's weight to the total of its level.

    Parameters
    ----------
    codes : uint16, shape (n,)
    weight : float64, shape (n,)
    totals : float64, shape (levels,)
        Added to in place.
    """
    for i in range(codes.shape[0]):
        totals[codes[i]] += weight[i]


@kernel()
def histogram_into(x, weight, low, high, totals):
    """Add the weight of each row to the bin of its value.

    Parameters
    ----------
    x : float64, shape (n,)
        Values in [low, high].
    weight : float64, shape (n,) or (0,)
        Empty means all one.
    low, high : float
        Range of the bins.
    totals : float64, shape (bins,)
        Added to in place; the last bin includes ``high``.
    """
    bins = totals.shape[0]
    factor = bins / (high - low) if high > low else 0.0
    for i in range(x.shape[0]):
        place = min(max(np.int64((x[i] - low) * factor), 0), bins - 1)
        totals[place] += weight[i] if weight.shape[0] else 1.0
