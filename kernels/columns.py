"""Coded columns: the shape in which a table meets the kernels, with no one-hot matrix.

Numbers stay float64 columns. Categories are packed: neighbouring categories share one *cell* code
(a mixed-radix number of their level codes) as long as the cells stay few, and a small table says
which coefficients a cell adds up. Ten categories of eight levels become five cell columns of 64,
which halves the gathers and scatters of a pass over the rows, and makes the weighted cross-tabs of
the information matrix ten tables instead of forty-five.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kernels._jit import kernel
from kernels.blocks import fold
from kernels.memory import one_range

CELLS_PER_COLUMN = 64
"""Largest number of cells made by packing: a table of two cell columns is then 32 kB, one
first-level cache. A category with more levels than this keeps a column of its own."""

_PART = 1 << 20
"""Rows that are gathered at a time."""


class CodedColumns(NamedTuple):
    """Columns of a logistic model in coded form.

    Attributes
    ----------
    numeric : float64, shape (m,)
        The memory that holds the number columns, finite; nothing between them may be read.
    numeric_start : int64, shape (p_numeric,)
        Where each number column begins in ``numeric``; it has n values.
    centre, scale : float64, shape (p_numeric,)
        Each number enters the model as (x - centre) / scale; scale > 0.
    numeric_term : int64, shape (p_numeric,)
        Position of each number's coefficient among the p coefficients.
    cells : uint16, shape (p_cells, n), C-contiguous
        Packed categories; tells n even where there are none.
    cell_start : int64, shape (p_cells + 1,)
        First row of each cell column in ``cell_term``.
    cell_term : int64, shape (total cells, depth)
        Positions of the coefficients that a cell adds up, -1 for none (a reference level).
    n_terms : int
        Number of coefficients p; the intercept is at 0.
    """

    numeric: np.ndarray
    numeric_start: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    numeric_term: np.ndarray
    cells: np.ndarray
    cell_start: np.ndarray
    cell_term: np.ndarray
    n_terms: int


def number_columns(columns: CodedColumns) -> list[np.ndarray]:
    """Return each number column, float64, shape (n,): views of the memory they lie in."""
    n = columns.cells.shape[1]
    return [columns.numeric[start : start + n] for start in columns.numeric_start]


def take_rows(
    columns: CodedColumns,
    rows: np.ndarray | slice,
    empty: Callable[[tuple[int, int], type], np.ndarray] = np.empty,
) -> CodedColumns:
    """Return the columns of some rows, copied.

    Parameters
    ----------
    columns : CodedColumns
    rows : int64, shape (m,), or bool, shape (n,), or slice
    empty : callable
        Makes the arrays, as ``numpy.empty`` does.
    """
    if isinstance(rows, slice):
        rows = np.arange(*rows.indices(columns.cells.shape[1]))
    elif rows.dtype == np.bool_:
        rows = np.flatnonzero(rows)
    cells = empty((len(columns.cells), len(rows)), np.uint16)
    numeric = empty((len(columns.numeric_start), len(rows)), np.float64)
    # Column by column: NumPy gathers from a matrix several times slower than from an array. In
    # parts: pages of arrays longer than memory can be given back between them. 'clip' writes
    # straight into the array; the default checks bounds by way of a copy.
    parts = [(column, cells[g]) for g, column in enumerate(columns.cells)]
    parts += [(column, numeric[j]) for j, column in enumerate(number_columns(columns))]
    for column, own in parts:
        for first in range(0, len(rows), _PART):
            some = slice(first, first + _PART)
            np.take(column, rows[some], out=own[some], mode="clip")
    values, start = one_range(numeric)
    return columns._replace(numeric=values, numeric_start=start, cells=cells)


def some_numbers(columns: CodedColumns, terms: np.ndarray) -> CodedColumns:
    """Return the columns without the numbers that are none of some terms; nothing is copied.

    Parameters
    ----------
    columns : CodedColumns
    terms : bool, shape (p,)

    Returns
    -------
    CodedColumns
        Still of all p coefficients; that of a number left out counts nothing.
    """
    wanted = terms[columns.numeric_term]
    return columns._replace(
        numeric_start=columns.numeric_start[wanted],
        centre=columns.centre[wanted],
        scale=columns.scale[wanted],
        numeric_term=columns.numeric_term[wanted],
    )


def part_of(columns: CodedColumns, terms: np.ndarray, first: int, last: int) -> CodedColumns:
    """Return the columns that hold any of some terms, of a range of rows; cells are copied.

    Parameters
    ----------
    columns : CodedColumns
    terms : bool, shape (p,)
    first, last : int
        Range of rows.
    """
    start = columns.cell_start
    there = np.append(terms, False)[columns.cell_term].any(axis=1)
    groups = [g for g in range(len(columns.cells)) if there[start[g] : start[g + 1]].any()]
    tables = [columns.cell_term[start[g] : start[g + 1]] for g in groups]
    some = some_numbers(columns, terms)
    return some._replace(
        numeric_start=some.numeric_start + first,
        cells=np.ascontiguousarray(columns.cells[groups, first:last]),
        cell_start=np.cumsum([0, *map(len, tables)]).astype(np.int64),
        cell_term=np.concatenate([columns.cell_term[:0], *tables]),
    )


@kernel()
def column_moments(numeric, weights, centre, scale):
    """Fill the weighted mean and standard deviation of each number column.

    Parameters
    ----------
    numeric : float64, shape (p, n)
        Finite values.
    weights : float64, shape (n,) or (0,)
        Frequency weights; empty means all one.
    centre, scale : float64, shape (p,)
        Filled. A constant column gets scale 0. Deviations are divided by the largest of them
        before squaring, so columns of size 1e+160 or 1e-160 neither overflow nor vanish.
    """
    n = numeric.shape[1]
    work = np.empty(n)
    mass = np.float64(n)
    if weights.shape[0]:
        for i in range(n):
            work[i] = weights[i]
        mass = fold(work, n)
    for j in range(numeric.shape[0]):
        largest = 0.0
        for i in range(n):
            largest = max(largest, abs(numeric[j, i]))
        if largest == 0.0:
            centre[j] = 0.0
            scale[j] = 0.0
            continue
        for i in range(n):
            work[i] = numeric[j, i] / largest
        if weights.shape[0]:
            for i in range(n):
                work[i] *= weights[i]
        mean = fold(work, n) / mass * largest
        spread = 0.0
        first = numeric[j, 0]
        constant = True
        for i in range(n):
            spread = max(spread, abs(numeric[j, i] - mean))
            constant = constant and numeric[j, i] == first
        centre[j] = first if constant else mean
        if constant or spread == 0.0:
            scale[j] = 0.0
            continue
        for i in range(n):
            d = (numeric[j, i] - mean) / spread
            work[i] = d * d
        if weights.shape[0]:
            for i in range(n):
                work[i] *= weights[i]
        scale[j] = spread * np.sqrt(fold(work, n) / mass)


@kernel()
def mark_used(indices, used):
    """Set ``used`` at every index that occurs.

    Parameters
    ----------
    indices : int32, shape (n,)
        In [0, m).
    used : bool, shape (m,)
    """
    for i in range(indices.shape[0]):
        used[indices[i]] = True


@kernel()
def translate(indices, table, counted, codes):
    """Fill ``codes`` with the entry of ``table`` at each index; return how many are ``counted``.

    Parameters
    ----------
    indices : int32, shape (n,)
        In [0, m).
    table : uint16, shape (m,)
    counted : int
    codes : uint16, shape (n,)
        Filled.
    """
    found = 0
    for i in range(indices.shape[0]):
        code = table[indices[i]]
        codes[i] = code
        found += 1 if code == counted else 0
    return found


@kernel()
def number_in_order(values, number, numbered):
    """Number values by their first occurrence; return how many there are.

    Parameters
    ----------
    values : int64, shape (n,)
        In [0, m).
    number : int64, shape (m,)
        Filled with the number of each value, -1 for those that do not occur.
    numbered : int64, shape (n,)
        Filled with the number of the value of each row.
    """
    number[:] = -1
    known = 0
    for i in range(values.shape[0]):
        value = values[i]
        if number[value] < 0:
            number[value] = known
            known += 1
        numbered[i] = number[value]
    return known


@kernel()
def add_level_to_cells(cells, codes, radix):
    """Multiply every cell code by ``radix`` and add the level code of one more category.

    Parameters
    ----------
    cells : uint16, shape (n,)
        Modified in place.
    codes : uint16, shape (n,)
        Level codes below ``radix``.
    radix : int
        Number of levels of the added category.
    """
    for i in range(cells.shape[0]):
        cells[i] = np.uint16(np.int64(cells[i]) * radix + np.int64(codes[i]))


def pack_categories(
    codes: np.ndarray,
    level_terms: list[np.ndarray],
    allocate: Callable[..., np.ndarray] = np.empty,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pack categories into cell columns.

    Parameters
    ----------
    codes : uint16, shape (p_categories, n)
        Level code of each row.
    level_terms : list of int64 arrays
        For each category, the coefficient position of each of its levels, -1 for none.
    allocate : callable
        Makes the cells, of a shape and a type.

    Returns
    -------
    cells : uint16, shape (p_cells, n)
    cell_start : int64, shape (p_cells + 1,)
    cell_term : int64, shape (total cells, depth)

    Notes
    -----
    First fit, most levels first: a category joins the first column whose level counts multiply to
    at most 64 with its own. Packing decides nothing but speed and the last bits.
    """
    groups: list[list[int]] = []
    sizes: list[int] = []
    for f in sorted(range(len(level_terms)), key=lambda f: (-len(level_terms[f]), f)):
        n_levels = len(level_terms[f])
        room = [g for g, size in enumerate(sizes) if size * n_levels <= CELLS_PER_COLUMN]
        if room:
            groups[room[0]].append(f)
            sizes[room[0]] *= n_levels
        else:
            groups.append([f])
            sizes.append(n_levels)
    n = codes.shape[1]
    cells = allocate((len(groups), n), np.uint16)
    depth = max((len(group) for group in groups), default=1)
    blocks = []
    for g, group in enumerate(groups):
        table = np.empty((1, 0), dtype=np.int64)
        for f in group:
            if f == group[0]:
                cells[g] = codes[f]
            else:
                add_level_to_cells(cells[g], codes[f], len(level_terms[f]))
            left = np.repeat(table, len(level_terms[f]), axis=0)
            right = np.tile(level_terms[f], len(table))[:, None]
            table = np.hstack([left, right])
        padding = np.full((len(table), depth - table.shape[1]), -1, dtype=np.int64)
        blocks.append(np.hstack([table, padding]))
    starts = np.cumsum([0] + [len(block) for block in blocks]).astype(np.int64)
    cell_term = np.vstack(blocks) if blocks else np.empty((0, 1), dtype=np.int64)
    return cells, starts, np.ascontiguousarray(cell_term)
