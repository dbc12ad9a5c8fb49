"""Logistic regression on coded columns: linear predictor, deviance and gradient.

Each pass runs over fixed chunks of 4,096 rows, column by column inside a chunk. ``prange`` runs
over chunks; a chunk writes only to its own row of the partial sums, which are then added in a
fixed tree. Nothing depends on the number of threads.

Minus twice the log likelihood of row i with linear predictor e is
2 w (log(1 + exp(-|e|)) + max(-z, 0)), z = e for treated and -e for the others. The logarithms are
taken of products of up to 512 factors in [1, 2]: one logarithm per 512 rows, and a product cannot
overflow.
"""

import numpy as np
from numba import prange

from kernels._jit import CHUNK, kernel
from kernels.blocks import chunk_count, fold, tree_add
from kernels.columns import CodedColumns
from kernels.elementary import exp_in_place, log_into

_ROWS_PER_LOG = 512
TOGETHER = 12
"""Linear predictors that share a pass over the columns."""
_BLOCK = 512
"""Rows of a block of such predictors, 48 kB: with their columns, a second-level cache."""


@kernel(inline=True)
def _add_numbers(columns, beta, first, eta):
    """Add what the numbers make of the linear predictor of the rows from ``first`` on."""
    m = eta.shape[0]
    count = columns.numeric_start.shape[0]
    # Four columns at a time, so that the predictor is read and written a quarter as often; the
    # order of additions is that of one after another.
    for j in range(0, count - 3, 4):
        term = columns.numeric_term[j : j + 4]
        scale = columns.scale[j : j + 4]
        centre = columns.centre[j : j + 4]
        c0, c1, c2, c3 = centre[0], centre[1], centre[2], centre[3]
        s0, s1 = beta[term[0]] / scale[0], beta[term[1]] / scale[1]
        s2, s3 = beta[term[2]] / scale[2], beta[term[3]] / scale[3]
        at = columns.numeric_start[j : j + 4]
        x0 = columns.numeric[at[0] + first : at[0] + first + m]
        x1 = columns.numeric[at[1] + first : at[1] + first + m]
        x2 = columns.numeric[at[2] + first : at[2] + first + m]
        x3 = columns.numeric[at[3] + first : at[3] + first + m]
        for i in range(m):
            eta[i] = (
                ((eta[i] + s0 * (x0[i] - c0)) + s1 * (x1[i] - c1)) + s2 * (x2[i] - c2)
            ) + s3 * (x3[i] - c3)
    for j in range(count // 4 * 4, count):
        slope = beta[columns.numeric_term[j]] / columns.scale[j]
        centre = columns.centre[j]
        start = columns.numeric_start[j] + first
        x = columns.numeric[start : start + m]
        for i in range(m):
            eta[i] += slope * (x[i] - centre)


@kernel(inline=True)
def _predictor_chunk(columns, beta, cell_value, first, eta):
    """Write the linear predictor of the rows from ``first`` on into ``eta``."""
    m = eta.shape[0]
    for i in range(m):
        eta[i] = beta[0]
    _add_numbers(columns, beta, first, eta)
    for g in range(columns.cells.shape[0]):
        value = cell_value[columns.cell_start[g] : columns.cell_start[g + 1]]
        cell = columns.cells[g, first : first + m]
        for i in range(m):
            eta[i] += value[cell[i]]


@kernel(inline=True)
def _reduce_chunk(columns, residual, first, work, gradient, cell_sum):
    """Add X' residual of one chunk to ``gradient`` (numbers, intercept) and ``cell_sum``."""
    m = residual.shape[0]
    half = m // 2
    for i in range(half):
        work[i] = residual[i] + residual[i + half]
    tail = residual[m - 1] if m & 1 else 0.0
    gradient[0] += fold(work, half) + tail
    for j in range(columns.numeric_start.shape[0]):
        centre = columns.centre[j]
        at = columns.numeric_start[j] + first
        x = columns.numeric[at : at + m]
        for i in range(half):
            work[i] = residual[i] * (x[i] - centre) + residual[i + half] * (x[i + half] - centre)
        tail = residual[m - 1] * (x[m - 1] - centre) if m & 1 else 0.0
        gradient[columns.numeric_term[j]] += (fold(work, half) + tail) / columns.scale[j]
    for g in range(columns.cells.shape[0]):
        start = columns.cell_start[g]
        cell = columns.cells[g, first : first + m]
        # Two copies of the histogram: consecutive rows of one cell otherwise wait on each other.
        total = columns.cell_start[columns.cell_start.shape[0] - 1]
        even = cell_sum[start : columns.cell_start[g + 1]]
        odd = cell_sum[total + start : total + columns.cell_start[g + 1]]
        for i in range(0, m - 1, 2):
            even[cell[i]] += residual[i]
            odd[cell[i + 1]] += residual[i + 1]
        if m & 1:
            even[cell[m - 1]] += residual[m - 1]


@kernel(inline=True)
def _cells_to_terms(columns, cell_sum, gradient):
    """Add each cell's sum to the coefficients that the cell adds up."""
    total = columns.cell_term.shape[0]
    for cell in range(total):
        value = cell_sum[cell] + cell_sum[total + cell]
        for d in range(columns.cell_term.shape[1]):
            term = columns.cell_term[cell, d]
            if term >= 0:
                gradient[term] += value


@kernel(inline=True)
def _cell_values(columns, beta, cell_value):
    """Fill each cell's share of the linear predictor."""
    for cell in range(columns.cell_term.shape[0]):
        value = 0.0
        for d in range(columns.cell_term.shape[1]):
            term = columns.cell_term[cell, d]
            if term >= 0:
                value += beta[term]
        cell_value[cell] = value


@kernel(inline=True, allocates=True)
def _probability_chunk(eta, treated, weights, first, residual, work):
    """Write y - F into ``residual`` and return the chunk's half deviance; ``work`` is scratch."""
    m = eta.shape[0]
    for i in range(m):
        work[i] = -abs(eta[i])
    exp_in_place(work[:m])
    label = treated[first : first + m]
    for i in range(m):
        far = work[i]
        near = 1.0 / (1.0 + far)
        far *= near
        probability = near if eta[i] >= 0.0 else far
        residual[i] = (1.0 if label[i] else 0.0) - probability
        work[i] += 1.0
    half_deviance = 0.0
    if weights.shape[0]:
        weight = weights[first : first + m]
        logs = np.empty(m)
        log_into(work[:m], logs)
        for i in range(m):
            miss = max(-eta[i], 0.0) if label[i] else max(eta[i], 0.0)
            work[i] = weight[i] * (logs[i] + miss)
            residual[i] *= weight[i]
        return fold(work, m)
    rows = CHUNK // _ROWS_PER_LOG
    width = min(m, _ROWS_PER_LOG)
    products = np.empty(_ROWS_PER_LOG)
    logs = np.empty(_ROWS_PER_LOG)
    lanes = (m + rows - 1) // rows
    # Lane l multiplies rows l, l + lanes, l + 2 lanes, ...: at most 8 factors in each of up to
    # 512 lanes, then the lanes are multiplied together by halves.
    for i in range(lanes):
        products[i] = work[i]
    start = lanes
    while start < m:
        stop = min(start + lanes, m)
        for i in range(start, stop):
            products[i - start] *= work[i]
        start = stop
    size = lanes
    # 512 lanes of 2^8 fold to 8 lanes of at most 2^512.
    while size > rows:
        odd = size & 1
        size //= 2
        for i in range(size):
            products[i] *= products[i + size]
        if odd:
            products[0] *= products[2 * size]
    width = size
    log_into(products[:width], logs[:width])
    for i in range(width):
        half_deviance += logs[i]
    for i in range(m):
        work[i] = max(-eta[i], 0.0) if label[i] else max(eta[i], 0.0)
    return half_deviance + fold(work, m)


@kernel(parallel=True)
def gradient_pass(columns, beta, treated, weights, eta, partial, start, stop):
    """Linear predictor, deviance and gradient of a range of chunks, in one pass over the rows.

    Parameters
    ----------
    columns : CodedColumns
    beta : float64, shape (p,)
        Coefficients on the scaled columns.
    treated : uint8, shape (n,)
        1 for treated rows.
    weights : float64, shape (n,) or (0,)
        Frequency weights; empty means all one.
    eta : float64, shape (n,)
        Filled with the linear predictor.
    partial : float64, shape (chunks, p + 1)
        Row c is filled with chunk c's gradient of the log likelihood and its deviance.
    start, stop : int
        Range of chunks; one call should take at most half a second.
    """
    n = eta.shape[0]
    cells = columns.cell_term.shape[0]
    cell_value = np.empty(cells)
    _cell_values(columns, beta, cell_value)
    for chunk in prange(start, stop):
        first = chunk * CHUNK
        m = min(CHUNK, n - first)
        residual = np.empty(m)
        work = np.empty(m)
        cell_sum = np.zeros(2 * cells)
        row = partial[chunk]
        row[:] = 0.0
        part = eta[first : first + m]
        _predictor_chunk(columns, beta, cell_value, first, part)
        row[row.shape[0] - 1] = 2.0 * _probability_chunk(
            part, treated, weights, first, residual, work
        )
        _reduce_chunk(columns, residual, first, work, row, cell_sum)
        _cells_to_terms(columns, cell_sum, row)


@kernel(parallel=True)
def residual_pass(columns, residual, partial, start, stop):
    """Gradient X' residual of a range of chunks for residuals made elsewhere.

    Parameters
    ----------
    columns : CodedColumns
    residual : float64, shape (n,)
    partial : float64, shape (chunks, p + 1)
        Row c is filled with chunk c's sums; its last entry is 0.
    start, stop : int
        Range of chunks.
    """
    n = residual.shape[0]
    cells = columns.cell_term.shape[0]
    for chunk in prange(start, stop):
        first = chunk * CHUNK
        m = min(CHUNK, n - first)
        work = np.empty(m)
        cell_sum = np.zeros(2 * cells)
        row = partial[chunk]
        row[:] = 0.0
        _reduce_chunk(columns, residual[first : first + m], first, work, row, cell_sum)
        _cells_to_terms(columns, cell_sum, row)


@kernel(parallel=True)
def predictor_pass(columns, beta, eta, start, stop):
    """Linear predictor of a range of chunks.

    Parameters
    ----------
    columns : CodedColumns
    beta : float64, shape (p,)
        Coefficients on the scaled columns.
    eta : float64, shape (n,)
        Filled.
    start, stop : int
        Range of chunks.
    """
    n = eta.shape[0]
    cell_value = np.empty(columns.cell_term.shape[0])
    _cell_values(columns, beta, cell_value)
    for chunk in prange(start, stop):
        first = chunk * CHUNK
        _predictor_chunk(columns, beta, cell_value, first, eta[first : min(first + CHUNK, n)])


@kernel(parallel=True)
def predictors_pass(columns, betas, eta, start, stop):
    """Several linear predictors of a range of chunks in one pass over the columns.

    Parameters
    ----------
    columns : CodedColumns
    betas : float64, shape (m, p)
        Coefficients on the scaled columns, m at most ``TOGETHER``.
    eta : float64, shape (m, n)
        Filled: row k holds what :func:`predictor_pass` makes of ``betas[k]``, bit for bit.
    start, stop : int
        Range of chunks.
    """
    n = eta.shape[1]
    together = betas.shape[0]
    cell_value = np.empty((together, columns.cell_term.shape[0]))
    for k in range(together):
        _cell_values(columns, betas[k], cell_value[k])
    for chunk in prange(start, stop):
        for first in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n), _BLOCK):
            m = min(_BLOCK, n - first)
            for k in range(together):
                row = eta[k, first : first + m]
                for i in range(m):
                    row[i] = betas[k, 0]
                _add_numbers(columns, betas[k], first, row)
            for g in range(columns.cells.shape[0]):
                cell = columns.cells[g, first : first + m]
                for k in range(together):
                    value = cell_value[k, columns.cell_start[g] : columns.cell_start[g + 1]]
                    row = eta[k, first : first + m]
                    for i in range(m):
                        row[i] += value[cell[i]]


def _chunks_per_call(columns: CodedColumns) -> int:
    """Chunks that one compiled call may take to stay well under half a second on one core."""
    cost = (
        10 + 2 * columns.numeric_start.shape[0] + 2 * columns.cells.shape[0]
    )  # ns a row, generous
    return max(1, int(2.5e8 / (cost * CHUNK)))


def _summed(partial: np.ndarray) -> np.ndarray:
    tree_add(partial)
    return partial[0].copy()


def deviance_and_gradient(
    columns: CodedColumns,
    beta: np.ndarray,
    treated: np.ndarray,
    weights: np.ndarray,
    eta: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Return the deviance and the gradient of the log likelihood, and fill ``eta``.

    Parameters
    ----------
    columns : CodedColumns
    beta : float64, shape (p,)
        Coefficients on the scaled columns.
    treated : uint8, shape (n,)
    weights : float64, shape (n,) or (0,)
    eta : float64, shape (n,)
        Filled with the linear predictor.

    Returns
    -------
    deviance : float
    gradient : float64, shape (p,)
    """
    chunks = chunk_count(len(eta))
    partial = np.empty((chunks, columns.n_terms + 1))
    step = _chunks_per_call(columns)
    for start in range(0, chunks, step):
        stop = min(start + step, chunks)
        gradient_pass(columns, beta, treated, weights, eta, partial, start, stop)
    summed = _summed(partial)
    return float(summed[-1]), summed[:-1]


def gradient_of_residual(columns: CodedColumns, residual: np.ndarray) -> np.ndarray:
    """Return X' residual on the scaled columns, shape (p,)."""
    chunks = chunk_count(len(residual))
    partial = np.empty((chunks, columns.n_terms + 1))
    step = _chunks_per_call(columns)
    for start in range(0, chunks, step):
        residual_pass(columns, residual, partial, start, min(start + step, chunks))
    return _summed(partial)[:-1]


def linear_predictor(columns: CodedColumns, beta: np.ndarray, eta: np.ndarray) -> None:
    """Fill ``eta`` (float64, shape (n,)) with the linear predictor."""
    chunks = chunk_count(len(eta))
    step = _chunks_per_call(columns)
    for start in range(0, chunks, step):
        predictor_pass(columns, beta, eta, start, min(start + step, chunks))


def linear_predictors(columns: CodedColumns, betas: np.ndarray) -> np.ndarray:
    """Return several linear predictors, float64, shape (m, n).

    Parameters
    ----------
    columns : CodedColumns
    betas : float64, shape (m, p)
        Coefficients on the scaled columns.

    Notes
    -----
    Twelve share a pass, which costs seven to nine passes of one. The same bits as one by one.
    """
    n = columns.cells.shape[1]
    eta = np.empty((len(betas), n))
    chunks = chunk_count(n)
    step = max(1, _chunks_per_call(columns) // TOGETHER)
    for first in range(0, len(betas), TOGETHER):
        some, filled = betas[first : first + TOGETHER], eta[first : first + TOGETHER]
        for start in range(0, chunks, step):
            predictors_pass(columns, some, filled, start, min(start + step, chunks))
    return eta
