"""Moments by arm and rank statistics of one column at a time.

Means and variances are compensated sums over fixed chunks. The variance of a weighted sample is
sum w (x - m)^2 W / (W^2 - sum w^2) with W = sum w, which is the usual n - 1 form for equal weights.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from kernels._jit import CHUNK, kernel
from kernels.blocks import LANES, chunk_count, sum_compensated, tree_add_compensated

_FIRST = 1024
"""Rows of an arm that say about where its mean lies."""
_SPARSE = 8
"""Values of an arm with less than one row in so many are copied out of the column."""
_NEAR = 0.01
"""Largest squared distance of the centre from the mean, in variances, that loses no digits."""
_PASSES = 3


class ArmRows(NamedTuple):
    """Where the rows of two arms stand in every column.

    Attributes
    ----------
    arm : uint8, shape (n,)
        0 or 1; other values count in neither arm.
    size : int64, shape (2,)
        Rows of each arm.
    first : tuple of int64 arrays
        The first rows of each arm.
    rows : tuple of (int64 array or None)
        All rows of an arm, where it is sparse.
    """

    arm: np.ndarray
    size: np.ndarray
    first: tuple[np.ndarray, np.ndarray]
    rows: tuple[np.ndarray | None, np.ndarray | None]


def arm_rows(arm: np.ndarray) -> ArmRows:
    """Return where the rows of two arms stand; ``arm`` is that of :class:`ArmRows`."""
    size = np.empty(2, dtype=np.int64)
    first: list[np.ndarray] = []
    rows: list[np.ndarray | None] = []
    for label in range(2):
        own = arm == label
        size[label] = np.count_nonzero(own)
        if _SPARSE * int(size[label]) < len(arm):
            begun = np.flatnonzero(own)
            rows.append(begun)
        else:
            # Enough of them stand among the first rows of the table, unless the arm begins late.
            begun = np.flatnonzero(own[: 2 * _SPARSE * _FIRST])
            begun = begun if len(begun) else np.flatnonzero(own)
            rows.append(None)
        first.append(begun[:_FIRST].copy())
    return ArmRows(arm, size, (first[0], first[1]), (rows[0], rows[1]))


@kernel(parallel=True)
def arm_sums(x, arm, label, centre, totals, compensations, start, stop):
    """Sum (x - centre) and its square over the rows of one arm.

    Parameters
    ----------
    x : float64, shape (n,)
        Finite values.
    arm : uint8, shape (n,)
    label : uint8
        That of the rows that count.
    centre : float
    totals, compensations : float64, shape (2, chunks)
        Filled with each chunk's compensated sums, by power less one.
    start, stop : int
        Range of chunks.
    """
    n = x.shape[0]
    for chunk in prange(start, stop):
        first = chunk * CHUNK
        m = min(CHUNK, n - first)
        values, own = x[first : first + m], arm[first : first + m]
        work = np.empty(m)
        lanes = np.empty(LANES)
        errors = np.empty(LANES)
        # Nothing for the other rows, without a branch: the loop takes several rows at once.
        for i in range(m):
            work[i] = values[i] - centre if own[i] == label else 0.0
        totals[0, chunk], compensations[0, chunk] = sum_compensated(work, lanes, errors)
        for i in range(m):
            work[i] *= work[i]
        totals[1, chunk], compensations[1, chunk] = sum_compensated(work, lanes, errors)


@kernel()
def _add_chunks(totals, compensations):
    """Return the sums of both powers over the chunks."""
    return (
        tree_add_compensated(totals[0], compensations[0]),
        tree_add_compensated(totals[1], compensations[1]),
    )


@kernel()
def _mean_about_first(values):
    """Return the mean of some values, exact where they are all equal."""
    spread = 0.0
    for i in range(values.shape[0]):
        spread += values[i] - values[0]
    return values[0] + spread / values.shape[0]


def moments_by_arm(x: np.ndarray, arms: ArmRows) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the n - 1 variance of a column in each of two arms.

    Parameters
    ----------
    x : float64, shape (n,)
        Finite values.
    arms : ArmRows

    Returns
    -------
    mean, variance : float64, shape (2,)
        nan for the mean of an empty arm and the variance of fewer than two rows.

    Notes
    -----
    With d = x - c the mean is c + sum d / n and the variance (sum d^2 - (sum d)^2 / n) / (n - 1).
    c is the mean of an arm's first rows; if it lies further from the mean than a tenth of the
    standard deviation, where the difference would lose digits, the sums are taken again about the
    mean found. One pass is enough for most columns, 0.8 ns a row and arm that is not sparse.
    """
    mean, variance = np.full(2, np.nan), np.full(2, np.nan)
    for label in range(2):
        size = int(arms.size[label])
        if not size:
            continue
        sparse = arms.rows[label]
        values = x if sparse is None else x[sparse]
        arm = arms.arm if sparse is None else np.full(size, label, dtype=np.uint8)
        shape = (2, chunk_count(len(values)))
        totals, compensations = np.empty(shape), np.empty(shape)
        centre = float(_mean_about_first(x[arms.first[label]]))
        for _ in range(_PASSES):
            arm_sums(values, arm, np.uint8(label), centre, totals, compensations, 0, shape[1])
            about, squares = _add_chunks(totals, compensations)
            offset = about / size
            if offset * about <= _NEAR * squares:
                break
            centre += offset
        mean[label] = centre + offset
        if size > 1:
            variance[label] = max(squares - offset * about, 0.0) / (size - 1)
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
