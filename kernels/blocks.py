"""Fixed chunks and deterministic sums.

A sum is taken inside chunks of 4,096 rows and then over the chunks in a fixed pairwise tree. Two
forms: :func:`fold` is the fast one, for fit passes; the compensated one carries the rounding error
along (Neumaier 1974; Ogita, Rump and Oishi 2005) and is for every mean, variance and effect that is
reported.
"""

import numpy as np

from kernels._jit import CHUNK, kernel

LANES = 64
"""Independent running sums inside a chunk: enough for LLVM to use the widest registers."""


def chunk_count(n: int) -> int:
    """Return the number of chunks that ``n`` rows fill."""
    return (n + CHUNK - 1) // CHUNK


@kernel(inline=True)
def fold(t, m):
    """Sum the first ``m`` values of ``t`` by folding it in halves; ``t`` is destroyed.

    Every fold adds two disjoint halves element by element, which vectorises without changing the
    order of any addition; the order depends on ``m`` only.
    """
    if m == 0:
        return 0.0
    tail = 0.0
    while m > 1:
        half = m // 2
        if m & 1:
            tail += t[m - 1]
        for i in range(half):
            t[i] = t[i] + t[i + half]
        m = half
    return t[0] + tail


@kernel(inline=True)
def two_sum(a, b):
    """Return a + b and its rounding error (Knuth 1969, no branch)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


@kernel(inline=True)
def sum_compensated(x, lanes, errors):
    """Return the sum of ``x`` and the compensation to add to it.

    Parameters
    ----------
    x : float64, shape (m,)
        Values of one chunk.
    lanes, errors : float64, shape (LANES,)
        Work arrays, overwritten.

    Returns
    -------
    total, compensation : float64
        ``total + compensation`` is the sum to within about one unit in the last place.
    """
    lanes[:] = 0.0
    errors[:] = 0.0
    whole = x.shape[0] - x.shape[0] % LANES
    for start in range(0, whole, LANES):
        for i in range(LANES):
            value = x[start + i]
            total = lanes[i] + value
            shadow = total - lanes[i]
            errors[i] += (lanes[i] - (total - shadow)) + (value - shadow)
            lanes[i] = total
    for i in range(whole, x.shape[0]):
        lane = i - whole
        total, error = two_sum(lanes[lane], x[i])
        lanes[lane] = total
        errors[lane] += error
    total = 0.0
    compensation = 0.0
    for i in range(LANES):
        total, error = two_sum(total, lanes[i])
        compensation += error + errors[i]
    return total, compensation


@kernel()
def tree_add(rows):
    """Add the rows of a two-dimensional array into its first row, in a fixed pairwise tree.

    Parameters
    ----------
    rows : float64, shape (r, p), C-contiguous
        One row of partial sums for each chunk; row 0 becomes the sum, the rest is destroyed.
    """
    step = 1
    while step < rows.shape[0]:
        for first in range(0, rows.shape[0] - step, 2 * step):
            for j in range(rows.shape[1]):
                rows[first, j] += rows[first + step, j]
        step *= 2


@kernel(inline=True)
def tree_add_compensated(totals, compensations):
    """Add partial sums with their compensations in a fixed pairwise tree and return the sum."""
    step = 1
    while step < totals.shape[0]:
        for first in range(0, totals.shape[0] - step, 2 * step):
            total, error = two_sum(totals[first], totals[first + step])
            totals[first] = total
            compensations[first] += compensations[first + step] + error
        step *= 2
    return totals[0] + compensations[0]


@kernel()
def total(x):
    """Return the sum of ``x``, to within two units in the last place.

    Parameters
    ----------
    x : float64, shape (n,)
        Finite values.

    Returns
    -------
    float64
        The sum; 0 for no values.
    """
    chunks = (x.shape[0] + CHUNK - 1) // CHUNK
    if chunks == 0:
        return 0.0
    totals = np.empty(chunks)
    compensations = np.empty(chunks)
    lanes = np.empty(LANES)
    errors = np.empty(LANES)
    for chunk in range(chunks):
        part = x[chunk * CHUNK : min((chunk + 1) * CHUNK, x.shape[0])]
        totals[chunk], compensations[chunk] = sum_compensated(part, lanes, errors)
    return tree_add_compensated(totals, compensations)


@kernel()
def total_product(x, y):
    """Return the sum of ``x * y``, to within two units in the last place of the rounded products.

    Parameters
    ----------
    x, y : float64, shape (n,)
        Finite values.

    Returns
    -------
    float64
        The sum of products; 0 for no values.
    """
    chunks = (x.shape[0] + CHUNK - 1) // CHUNK
    if chunks == 0:
        return 0.0
    totals = np.empty(chunks)
    compensations = np.empty(chunks)
    lanes = np.empty(LANES)
    errors = np.empty(LANES)
    products = np.empty(CHUNK)
    for chunk in range(chunks):
        first = chunk * CHUNK
        m = min(CHUNK, x.shape[0] - first)
        for i in range(m):
            products[i] = x[first + i] * y[first + i]
        totals[chunk], compensations[chunk] = sum_compensated(products[:m], lanes, errors)
    return tree_add_compensated(totals, compensations)
