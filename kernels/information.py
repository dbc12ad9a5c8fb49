"""The information matrix of a logistic model on coded columns.

Number x number by products of eight rows at a time, category x number by sums of row vectors over
cells, category x category from weighted cross-tabs of cell columns. The sums of 32 fixed segments
of rows are added in a fixed tree, so nothing depends on the number of threads.
"""

import numpy as np
from numba import prange

from kernels._jit import kernel
from kernels.blocks import tree_add
from kernels.columns import CodedColumns
from kernels.elementary import exp_in_place

SEGMENTS = 32
"""Independent accumulators: the partial sums are too large to keep one for each chunk of rows, so
rows are dealt to 32 fixed segments."""
_SUBCHUNK = 512
_TILE = 64
"""Rows of a tile: with 48 numbers it is 24 kB, within a first-level cache."""
_VECTOR = 8
"""Numbers per row are padded to a multiple of 8: adding rows has no scalar remainder loop."""
_PANEL = 16
"""Columns whose products are formed together, from a copy of eight rows that lies in one piece:
with steps known to the compiler it forms two to three times as many in a second. The steps are
written out in :func:`_add_products`, which is for 16."""


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
        # Eight by eight, or the compiler takes scatter instructions, which are five times as slow.
        for i in range(0, m - 7, 8):
            row = rows[i : i + 8, j + 1]
            row[0] = (source[i] - centre) * inverse
            row[1] = (source[i + 1] - centre) * inverse
            row[2] = (source[i + 2] - centre) * inverse
            row[3] = (source[i + 3] - centre) * inverse
            row[4] = (source[i + 4] - centre) * inverse
            row[5] = (source[i + 5] - centre) * inverse
            row[6] = (source[i + 6] - centre) * inverse
            row[7] = (source[i + 7] - centre) * inverse
        for i in range(m // 8 * 8, m):
            rows[i, j + 1] = (source[i] - centre) * inverse
    for i in range(m, (m + 7) // 8 * 8):
        rows[i, :] = 0.0


@kernel(inline=True)
def _add_products(rows, weight, m, size, block, products):
    """Add the weighted products of all pairs of columns of a tile, eight rows at a time.

    The product of columns j and k <= j goes to ``products[k // 16, j 16 + k % 16]``; ``block`` is
    scratch.
    """
    for i in range(0, m, 8):
        w = weight[i : i + 8]
        r0, r1, r2, r3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        r4, r5, r6, r7 = rows[i + 4], rows[i + 5], rows[i + 6], rows[i + 7]
        for q in range((size + _PANEL - 1) // _PANEL):
            for r in range(8):
                source = rows[i + r, q * _PANEL : (q + 1) * _PANEL]
                into = block[r * _PANEL : (r + 1) * _PANEL]
                for k in range(_PANEL):
                    into[k] = source[k]
            for j in range(q * _PANEL, size):
                s0, s1 = w[0] * r0[j], w[1] * r1[j]
                s2, s3 = w[2] * r2[j], w[3] * r3[j]
                s4, s5 = w[4] * r4[j], w[5] * r5[j]
                s6, s7 = w[6] * r6[j], w[7] * r7[j]
                row = products[q, j * _PANEL : (j + 1) * _PANEL]
                for k in range(_PANEL):
                    row[k] += (
                        (s0 * block[k] + s1 * block[k + 16])
                        + (s2 * block[k + 32] + s3 * block[k + 48])
                    ) + (
                        (s4 * block[k + 64] + s5 * block[k + 80])
                        + (s6 * block[k + 96] + s7 * block[k + 112])
                    )


@kernel(inline=True, allocates=True)
def _information_rows(columns, eta, weights, flat, first, m, dense, cross, tables, rows, work):
    """Add the information of ``m`` rows to one segment's tables.

    ``dense`` holds (1, numbers) x (1, numbers); ``cross`` cells x (1, numbers); ``tables`` the
    weighted cross-tabs of every pair of cell columns, one after another.
    """
    size = columns.numeric_start.shape[0] + 1
    width = cross.shape[1]
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
    products = np.zeros((rows.shape[1] // _PANEL, size * _PANEL))
    block = np.empty(8 * _PANEL)
    # In tiles that stay in the first-level cache, so that turning columns into rows costs little.
    for begin in range(0, m, _TILE):
        part = min(_TILE, m - begin)
        own = weight[begin:]
        _fill_rows(columns, first + begin, part, rows)
        _add_products(rows, own, part, size, block, products)
        for g in range(columns.cells.shape[0]):
            cell = columns.cells[g, first + begin : first + begin + part]
            into = cross[columns.cell_start[g] : columns.cell_start[g + 1]]
            for i in range(part):
                sums = into[cell[i]]
                row = rows[i]
                for k in range(width):
                    sums[k] += own[i] * row[k]
    for j in range(size):
        for k in range(j + 1):
            dense[j, k] += products[k // _PANEL, j * _PANEL + k % _PANEL]
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
    cross : float64, shape (32, cells, p_numeric + 1 up to a multiple of 8)
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
    width = (cross.shape[2] + _PANEL - 1) // _PANEL * _PANEL
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
    10 numbers and 5 cell columns, 125 ns for 28 numbers.
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
