"""The columns of a study's pool in coded form, read once for all of its analyses.

Numbers are float64 and categories level codes, as a design has them, but of the whole pool. An
analysis takes its rows of them; levels that do not occur there go, and empty cells are filled with
the mean of its own rows, so its design is the one that a table of these rows alone would give.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_arrow
from engine.columns import MISSING_CODE, as_codes, as_float64, require_no_missing
from engine.matching.design import (
    MISSING_LEVEL,
    Covariate,
    Design,
    filled,
    is_category,
    with_indicators,
)
from engine.matching.rows import number_cells
from engine.tables import column, open_table
from kernels.memory import unlocked

Integers = NDArray[np.int64]
_CODES = 1 << 16


@dataclass(frozen=True)
class CodedColumn:
    """A column of the pool: numbers, or codes with the names of their levels.

    Attributes
    ----------
    numbers : float64, shape (n,), or None
        NaN for an empty cell.
    codes : uint16, shape (n,), or None
        ``MISSING_CODE`` for an empty cell.
    levels : tuple of str
        Sorted names of the levels that occur.
    empty : bool
        Whether any cell is.
    """

    numbers: NDArray[np.float64] | None
    codes: NDArray[np.uint16] | None
    levels: tuple[str, ...]
    empty: bool


def code_columns(
    table: pa.Table, names: Sequence[str], categorical: Callable[[str], bool]
) -> dict[str, CodedColumn]:
    """Return columns of a pool in coded form.

    Parameters
    ----------
    table : pyarrow.Table
    names : sequence of str
    categorical : callable
        Whether a column of this name is a category; text is one in any case, however many words.

    Raises
    ------
    InputError
        A column does not exist or cannot be used as it is.
    """
    source = open_table(table)

    def read(name: str) -> CodedColumn:
        values = column(source, name, "covariate")
        if categorical(name) or is_category(values.type):
            coded = as_codes(values, name=name, source=source, forced=True)
            return CodedColumn(None, coded.codes, coded.levels, coded.n_missing > 0)
        numbers = unlocked(np.ascontiguousarray(as_float64(values, name=name, source=source)))
        return CodedColumn(numbers, None, (), bool(np.isnan(numbers).any()))

    # Two columns at a time: one is decoded while another is copied.
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def design_of_rows(
    coded: Mapping[str, CodedColumn], covariates: Sequence[str], rows: Integers | None, n: int
) -> Design:
    """Return the design of some rows of a pool.

    Parameters
    ----------
    coded : mapping of str to CodedColumn
    covariates : sequence of str
        In the order of the model, each once.
    rows : int64, shape (n,), or None
        Ascending; None for all.
    n : int
        Number of rows.

    Returns
    -------
    Design
        That of a table of these rows whose empty cells have indicators, see
        :func:`engine.matching.design.read_design`. Numbers without empty cells are those of the
        pool and not copied where all rows are taken.
    """
    columns = [coded[name] for name in covariates]
    codes = np.empty((sum(one.codes is not None for one in columns), n), dtype=np.uint16)
    numeric: list[NDArray[np.float64]] = []
    found: list[Covariate] = []
    empty: dict[str, NDArray[np.bool_] | None] = {}
    place = 0
    for name, one in zip(covariates, columns, strict=True):
        empty[name] = None
        if one.numbers is not None:
            values = one.numbers if rows is None else one.numbers[rows]
            if one.empty and np.isnan(values).any():
                values, empty[name] = filled(values)
            found.append(Covariate(name, (), len(numeric)))
            numeric.append(values)
        else:
            levels = _take_levels(one, rows, codes[place])
            found.append(Covariate(name, levels, place))
            place += 1
    return with_indicators(Design(tuple(found), tuple(numeric), codes), empty)


def _take_levels(
    one: CodedColumn, rows: Integers | None, out: NDArray[np.uint16]
) -> tuple[str, ...]:
    """Fill ``out`` with the codes of rows among the levels that occur there; return these."""
    assert one.codes is not None
    own = one.codes if rows is None else one.codes[rows]
    there = np.zeros(_CODES, dtype=np.bool_)
    there[own] = True
    levels = [name for name, occurs in zip(one.levels, there, strict=False) if occurs]
    code = (np.cumsum(there) - 1).astype(np.uint16)
    np.take(code, own, out=out, mode="clip")
    return (*levels, MISSING_LEVEL) if there[MISSING_CODE] else tuple(levels)


def cells_of_rows(
    coded: Mapping[str, CodedColumn], names: Sequence[str], rows: Integers | None, table: pa.Table
) -> Integers | None:
    """Return the exact-match cell of rows of a pool, int64, shape (n,); None without columns.

    Parameters
    ----------
    coded : mapping of str to CodedColumn
    names : sequence of str
        Columns that must be equal.
    rows : int64, shape (n,), or None
        None for all.
    table : pyarrow.Table
        Of the pool, for messages.

    Raises
    ------
    InputError
        A cell is empty.
    """
    codes = []
    for name in names:
        one = coded[name]
        if one.empty:
            own = table.select([name])
            own = own if rows is None else own.take(to_arrow(rows))
            source = open_table(own)
            values = column(source, name, "exact")
            require_no_missing(values, name=name, role="exact column", source=source)
        if one.codes is not None:
            codes.append((one.codes if rows is None else one.codes[rows]).astype(np.int64))
        else:
            assert one.numbers is not None
            own_numbers = one.numbers if rows is None else one.numbers[rows]
            codes.append(np.unique(own_numbers, return_inverse=True)[1].astype(np.int64))
    return number_cells(codes) if codes else None
