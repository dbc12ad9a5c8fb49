"""Logistic regression on coded columns: linear predictor, deviance, gradient, information.

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
SEGMENTS = 32
"""Independent accumulators of the information matrix: its partial sums are too large to keep one
for each chunk, so chunks are dealt to 32 fixed segments."""
_SUBCHUNK = 512
TOGETHER = 12
"""Linear predictors that share a pass over the columns."""
_BLOCK = 256
"""Rows of a block of such predictors, 24 kB: it stays in the first-level cache."""
_TILE = 64
"""Rows of a tile of the information: with 48 numbers it is 24 kB, within a first-level cache."""
_VECTOR = 8
"""Numbers per row are padded to a multiple of 8: adding rows has no scalar remainder loop."""


@kernel(inline=True)
def _predictor_chunk(columns, beta, cell_value, first, eta):
    """Write the linear predictor of the rows from ``first`` on into ``eta``."""
    m = eta.shape[0]
    for i in range(m):
        eta[i] = beta[0]
    for j in range(columns.numeric_start.shape[0]):
        slope = beta[columns.numeric_term[j]] / columns.scale[j]
        if slope != 0.0:
            centre = columns.centre[j]
            at = columns.numeric_start[j] + first
            x = columns.numeric[at : at + m]
            for i in range(m):
                eta[i] += slope * (x[i] - centre)
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
                eta[k, first : first + m] = betas[k, 0]
            for j in range(columns.numeric_start.shape[0]):
                centre = columns.centre[j]
                at = columns.numeric_start[j] + first
                x = columns.numeric[at : at + m]
                for k in range(together):
                    slope = betas[k, columns.numeric_term[j]] / columns.scale[j]
                    row = eta[k, first : first + m]
                    for i in range(m):
                        row[i] += slope * (x[i] - centre)
            for g in range(columns.cells.shape[0]):
                cell = columns.cells[g, first : first + m]
                for k in range(together):
                    value = cell_value[k, columns.cell_start[g] : columns.cell_start[g + 1]]
                    row = eta[k, first : first + m]
                    for i in range(m):
                        row[i] += value[cell[i]]


@kernel(inline=True)
def _fill_rows(columns, first, m, rows):
    """Fill a tile with rows of (1, numbers), and rows of zeros up to a multiple of 8."""
    for i in range(m):
        rows[i, 0] = 1.0
    for j in range(columns.numeric_start.shape[0]):
        inverse = 1.0 / columns.scale[j]
        centre = columns.centre[j]
        at = columns.numeric_start[j] + first
        source = columns.numeric[at : at + m]
        for i in range(m):
            rows[i, j + 1] = (source[i] - centre) * inverse
    for i in range(m, (m + 7) // 8 * 8):
        rows[i, :] = 0.0


@kernel(inline=True)
def _add_products(rows, weight, m, size, products):
    """Add the weighted products of all pairs of columns of a tile, eight rows at a time."""
    for i in range(0, m, 8):
        r0, r1, r2, r3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        r4, r5, r6, r7 = rows[i + 4], rows[i + 5], rows[i + 6], rows[i + 7]
        for j in range(size):
            s0, s1 = weight[i] * r0[j], weight[i + 1] * r1[j]
            s2, s3 = weight[i + 2] * r2[j], weight[i + 3] * r3[j]
            s4, s5 = weight[i + 4] * r4[j], weight[i + 5] * r5[j]
            s6, s7 = weight[i + 6] * r6[j], weight[i + 7] * r7[j]
            row = products[j]
            # The lower triangle, filled up to whole vectors.
            for k in range((j + 8) // 8 * 8):
                row[k] += ((s0 * r0[k] + s1 * r1[k]) + (s2 * r2[k] + s3 * r3[k])) + (
                    (s4 * r4[k] + s5 * r5[k]) + (s6 * r6[k] + s7 * r7[k])
                )


@kernel(inline=True, allocates=True)
def _information_rows(columns, eta, weights, flat, first, m, dense, cross, tables, rows, work):
    """Add the information of ``m`` rows to one segment's tables.

    ``dense`` holds (1, numbers) x (1, numbers); ``cross`` cells x (1, numbers); ``tables`` the
    weighted cross-tabs of every pair of cell columns, one after another.
    """
    size = columns.numeric_start.shape[0] + 1
    width = rows.shape[1]
    weight = work[: (m + 7) // 8 * 8]
    weight[m:] = 0.0
    if flat:
        for i in range(m):
            weight[i] = 0.25
    else:
        for i in range(m):
            weight[i] = -abs(eta[first + i])
        exp_in_place(weight[:m])
        for i in range(m):
            near = 1.0 / (1.0 + weight[i])
            weight[i] = weight[i] * near * near
    if weights.shape[0]:
        for i in range(m):
            weight[i] *= weights[first + i]
    products = np.zeros((size, width))
    # In tiles that stay in the first-level cache, so that turning columns into rows costs little.
    for begin in range(0, m, _TILE):
        part = min(_TILE, m - begin)
        own = weight[begin:]
        _fill_rows(columns, first + begin, part, rows)
        _add_products(rows, own, part, size, products)
        for g in range(columns.cells.shape[0]):
            cell = columns.cells[g, first + begin : first + begin + part]
            block = cross[columns.cell_start[g] : columns.cell_start[g + 1]]
            for i in range(part):
                sums = block[cell[i]]
                row = rows[i]
                for k in range(width):
                    sums[k] += own[i] * row[k]
    for j in range(size):
        for k in range(j + 1):
            dense[j, k] += products[j, k]
    table = 0
    for g in range(columns.cells.shape[0]):
        cell = columns.cells[g, first : first + m]
        size_g = columns.cell_start[g + 1] - columns.cell_start[g]
        for h in range(g):
            size_h = columns.cell_start[h + 1] - columns.cell_start[h]
            pair = tables[table : table + size_g * size_h]
            other_cell = columns.cells[h, first : first + m]
            for i in range(m):
                pair[np.int64(cell[i]) * size_h + np.int64(other_cell[i])] += weight[i]
            table += size_g * size_h


@kernel(parallel=True)
def information_pass(
    columns, eta, weights, flat, dense, cross, tables, progress, step, start, stop
):
    """Weighted cross-products of all columns, for a part of the chunks of every segment.

    Parameters
    ----------
    columns : CodedColumns
    eta : float64, shape (n,)
        Linear predictor; the weight of a row is F (1 - F) times its frequency weight.
    weights : float64, shape (n,) or (0,)
    flat : bool
        Use 1/4 in place of F (1 - F): cross-products of the columns alone, which decide what is
        linearly dependent.
    dense : float64, shape (32, p_numeric + 1, p_numeric + 1)
    cross : float64, shape (32, cells, width)
    tables : float64, shape (32, total size of all pairs of cell columns)
        Accumulators of the 32 segments, zero before the first call.
    progress : int64
        Sub-chunks of each segment done before this call.
    step : int64
        Sub-chunks of each segment to do now.
    start, stop : int
        Range of segments.
    """
    n = eta.shape[0]
    rows = (n + SEGMENTS - 1) // SEGMENTS
    width = cross.shape[2]
    for segment in prange(start, stop):
        tile = np.zeros((_TILE, width))
        work = np.empty(_SUBCHUNK)
        limit = min((segment + 1) * rows, n)
        for number in range(progress, progress + step):
            first = segment * rows + number * _SUBCHUNK
            if first < limit:
                m = min(_SUBCHUNK, limit - first)
                _information_rows(
                    columns,
                    eta,
                    weights,
                    flat,
                    first,
                    m,
                    dense[segment],
                    cross[segment],
                    tables[segment],
                    tile,
                    work,
                )


@kernel()
def _assemble_information(columns, dense, cross, tables, information):
    """Spread the segment-summed tables over the p x p information matrix."""
    depth = columns.cell_term.shape[1]
    information[:, :] = 0.0
    p_numeric = columns.numeric_start.shape[0]
    for j in range(p_numeric + 1):
        a = 0 if j == 0 else columns.numeric_term[j - 1]
        for k in range(j + 1):
            b = 0 if k == 0 else columns.numeric_term[k - 1]
            information[a, b] = dense[j, k]
            information[b, a] = dense[j, k]
    for cell in range(columns.cell_term.shape[0]):
        for d in range(depth):
            a = columns.cell_term[cell, d]
            if a < 0:
                continue
            for j in range(p_numeric + 1):
                b = 0 if j == 0 else columns.numeric_term[j - 1]
                information[a, b] += cross[cell, j]
                information[b, a] += cross[cell, j]
            for e in range(depth):
                b = columns.cell_term[cell, e]
                if b >= 0:
                    information[a, b] += cross[cell, 0]
    table = 0
    for g in range(columns.cells.shape[0]):
        for h in range(g):
            for c in range(columns.cell_start[g], columns.cell_start[g + 1]):
                for o in range(columns.cell_start[h], columns.cell_start[h + 1]):
                    value = tables[table]
                    table += 1
                    if value == 0.0:
                        continue
                    for d in range(depth):
                        a = columns.cell_term[c, d]
                        if a < 0:
                            continue
                        for e in range(depth):
                            b = columns.cell_term[o, e]
                            if b >= 0:
                                information[a, b] += value
                                information[b, a] += value


@kernel(parallel=True)
def leverage_pass(columns, eta, weights, inverse, leverage, start, stop):
    """Hat-matrix diagonal of a range of chunks, and Firth's modified residual needs nothing else.

    Parameters
    ----------
    columns : CodedColumns
    eta : float64, shape (n,)
        Linear predictor.
    weights : float64, shape (n,) or (0,)
    inverse : float64, shape (p, p)
        Inverse of the information matrix on the scaled columns.
    leverage : float64, shape (n,)
        Filled with F (1 - F) x' I^-1 x, the leverage of one copy of the row.
    start, stop : int
        Range of chunks.
    """
    n = eta.shape[0]
    p_numeric = columns.numeric_start.shape[0]
    depth = columns.cell_term.shape[1]
    for chunk in prange(start, stop):
        first = chunk * CHUNK
        m = min(CHUNK, n - first)
        weight = np.empty(m)
        for i in range(m):
            weight[i] = -abs(eta[first + i])
        exp_in_place(weight)
        place = np.empty(1 + p_numeric + columns.cells.shape[0] * depth, dtype=np.int64)
        value = np.empty(place.shape[0])
        for i in range(m):
            near = 1.0 / (1.0 + weight[i])
            used = 1
            place[0] = 0
            value[0] = 1.0
            for j in range(p_numeric):
                place[used] = columns.numeric_term[j]
                value[used] = (
                    columns.numeric[columns.numeric_start[j] + first + i] - columns.centre[j]
                ) / columns.scale[j]
                used += 1
            for g in range(columns.cells.shape[0]):
                cell = columns.cell_start[g] + np.int64(columns.cells[g, first + i])
                for d in range(depth):
                    if columns.cell_term[cell, d] >= 0:
                        place[used] = columns.cell_term[cell, d]
                        value[used] = 1.0
                        used += 1
            quadratic = 0.0
            for a in range(used):
                inner = 0.5 * value[a] * inverse[place[a], place[a]]
                for b in range(a):
                    inner += value[b] * inverse[place[a], place[b]]
                quadratic += 2.0 * value[a] * inner
            leverage[first + i] = weight[i] * near * near * quadratic


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
    Twelve share a pass, which costs about four passes of one. The same bits as one by one.
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


def information_matrix(
    columns: CodedColumns, eta: np.ndarray, weights: np.ndarray, *, flat: bool = False
) -> np.ndarray:
    """Return the information matrix X' W X on the scaled columns.

    Parameters
    ----------
    columns : CodedColumns
    eta : float64, shape (n,)
        Linear predictor.
    weights : float64, shape (n,) or (0,)
    flat : bool
        Weight every row 1/4 in place of F (1 - F).

    Returns
    -------
    float64, shape (p, p)

    Notes
    -----
    Number x number by products of eight rows at a time, category x number by sums of row vectors
    over cells, category x category from weighted cross-tabs of cell columns. About 65 ns a row for
    10 numbers and 5 cell columns, 140 ns for 28 numbers.
    """
    parts = information_segments(columns, eta, weights, 0, SEGMENTS, flat=flat)
    return assemble_information(columns, *parts)


def information_segments(
    columns: CodedColumns,
    eta: np.ndarray,
    weights: np.ndarray,
    start: int,
    stop: int,
    *,
    flat: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sums that some of the fixed segments of rows add to the information.

    Parameters
    ----------
    columns, eta, weights, flat
        As for :func:`information_matrix`; the linear predictor counts in those segments only.
    start, stop : int
        Range of segments, within 0, ..., SEGMENTS; segment s is the rows from s to s + 1 times
        ceil(n / SEGMENTS).

    Returns
    -------
    dense, cross, tables : float64
        First dimension stop - start.
    """
    width = columns.numeric_start.shape[0] + 1
    padded = (width + _VECTOR - 1) // _VECTOR * _VECTOR
    sizes = np.diff(columns.cell_start)
    pairs = int(sum(sizes[g] * sizes[h] for g in range(len(sizes)) for h in range(g)))
    dense = np.zeros((SEGMENTS, width, width))
    cross = np.zeros((SEGMENTS, len(columns.cell_term), padded))
    tables = np.zeros((SEGMENTS, pairs))
    rows = (len(eta) + SEGMENTS - 1) // SEGMENTS
    subchunks = (rows + _SUBCHUNK - 1) // _SUBCHUNK
    cost = 20 + width * width // 6 + 3 * len(sizes) * padded // _VECTOR + len(sizes) ** 2
    step = max(1, int(2.5e8 / (cost * _SUBCHUNK * SEGMENTS)))
    for progress in range(0, subchunks, step):
        information_pass(
            columns, eta, weights, flat, dense, cross, tables, progress, step, start, stop
        )
    return dense[start:stop], cross[start:stop], tables[start:stop]


def assemble_information(
    columns: CodedColumns, dense: np.ndarray, cross: np.ndarray, tables: np.ndarray
) -> np.ndarray:
    """Return the information from the sums of all segments, which are destroyed."""
    for accumulator in (dense, cross, tables):
        tree_add(accumulator.reshape(SEGMENTS, -1))
    information = np.empty((columns.n_terms, columns.n_terms))
    _assemble_information(columns, dense[0], cross[0], tables[0], information)
    return information


def leverages(
    columns: CodedColumns, eta: np.ndarray, weights: np.ndarray, inverse: np.ndarray
) -> np.ndarray:
    """Return the hat-matrix diagonal of one copy of each row, shape (n,)."""
    leverage = np.empty(len(eta))
    chunks = chunk_count(len(eta))
    for start in range(0, chunks, 50):
        leverage_pass(columns, eta, weights, inverse, leverage, start, min(start + 50, chunks))
    return leverage
