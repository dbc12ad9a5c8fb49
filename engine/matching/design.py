"""Design columns: the covariates of a table in coded form, in canonical row order.

Numbers stay float64, categories become level codes; no one-hot matrix is made. A number column that
the table holds in canonical order, as float64 in one piece, is used where it lies and not copied.
Columns are read two at a time, so that beside the design itself no more than two raw columns are in
memory.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.columns import (
    MISSING_CODE,
    Codes,
    as_codes,
    as_float64,
    count_missing,
    require_no_missing,
)
from engine.errors import UsageError
from engine.matching.identity import Identity
from engine.spill import MEMORY, Space
from engine.tables import TableSource, column
from kernels.blocks import total
from kernels.columns import CodedColumns, column_moments, pack_categories
from kernels.memory import one_range

Missing = Literal["error", "indicator"]

INTERCEPT = "(intercept)"
MISSING_LEVEL = "(missing)"
_MOMENT_ROWS = 65_536
_NONE = np.empty(0)


@dataclass(frozen=True)
class Covariate:
    """One covariate of a design.

    Attributes
    ----------
    name : str
        Column name; a missing-value indicator is called ``NAME missing``.
    levels : tuple of str
        Level names of a category, the reference level first; empty for a number.
    row : int
        Place of the covariate in ``Design.numeric`` or ``Design.codes``.
    """

    name: str
    levels: tuple[str, ...]
    row: int


@dataclass(frozen=True)
class Design:
    """Covariates in coded form, rows in canonical order.

    Attributes
    ----------
    covariates : tuple of Covariate
        In the order in which they were declared.
    numeric : tuple of float64 arrays, shape (n,)
        Finite; perhaps memory of the table itself, so nobody writes into them.
    codes : uint16, shape (p_categories, n), C-contiguous
        Level codes, 0 for the reference level.
    space : Space
        Where further arrays of length n are made: in memory, or in files.
    """

    covariates: tuple[Covariate, ...]
    numeric: tuple[NDArray[np.float64], ...]
    codes: NDArray[np.uint16]
    space: Space = MEMORY

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.codes.shape[1]

    def numbers_of(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> NDArray:
        """Return the number columns of some rows, copied, float64, shape (p_numeric, rows)."""
        if not self.numeric:
            return np.empty((0, self.codes[:0, rows].shape[1]))
        return np.array([column[rows] for column in self.numeric])

    def take(self, rows: NDArray[np.int64]) -> "Design":
        """Return the design of some rows, copied."""
        codes = np.ascontiguousarray(self.codes[:, rows])
        return Design(self.covariates, tuple(self.numbers_of(rows)), codes)


def is_category(kind: pa.DataType) -> bool:
    """Whether a column of this type is a category without being told: text is."""
    if pa.types.is_dictionary(kind):
        return True
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
    )


def read_design(
    source: TableSource,
    covariates: Sequence[str],
    categorical: Sequence[str],
    identity: Identity,
    missing: Missing,
    progress: Callable[[float], None] | None = None,
    space: Space = MEMORY,
) -> Design:
    """Read the covariates of a table into a design.

    Parameters
    ----------
    source : TableSource
    covariates : sequence of str
        Column names in the order of the model.
    categorical : sequence of str
        Those among them that are categories though they hold numbers.
    identity : Identity
        Canonical order.
    missing : {'error', 'indicator'}
        Refuse empty cells, or fill them (numbers with the mean of the others, categories with a
        level of their own) and add an indicator for each number column that has any.
    progress : callable, optional
        Told the share of columns read.
    space : Space
        Where the columns of the design are made.

    Returns
    -------
    Design

    Raises
    ------
    InputError
        A column does not exist, has empty cells under 'error', or cannot be used as it is.
    UsageError
        A column is named twice, or is named as a category but is not a covariate.
    """
    repeated = sorted({name for name in covariates if list(covariates).count(name) > 1})
    if repeated:
        raise UsageError(
            f"the covariate '{repeated[0]}' is named twice", repair="Name every covariate once"
        )
    strangers = [name for name in categorical if name not in covariates]
    if strangers:
        raise UsageError(
            f"'{strangers[0]}' is named as a category but is not a covariate",
            repair="Add it to --covariates, or leave it out of --categorical",
        )
    kinds = [name in categorical or is_category(source.type_of(name)) for name in covariates]
    place = [kinds[:i].count(kinds[i]) for i in range(len(kinds))]
    numeric = [_NONE] * kinds.count(False)
    codes = space.empty((kinds.count(True), source.n_rows), np.uint16)
    done = 0

    def read(i: int) -> tuple[tuple[str, ...], NDArray[np.bool_] | None]:
        """Fill the covariate's row; return its levels, and its empty cells if it has any."""
        nonlocal done
        name = covariates[i]
        values = column(source, name, "covariate")
        if missing == "error":
            require_no_missing(values, name=name, role="covariate", source=source)
        levels: tuple[str, ...] = ()
        empty = None
        if kinds[i]:
            coded = as_codes(values, name=name, source=source, forced=name in categorical)
            levels = _category(coded, identity, codes[place[i]])
        else:
            numbers = identity.gather_shared(as_float64(values, name=name, source=source), space)
            if count_missing(values):
                numbers, empty = filled(numbers)
            numeric[place[i]] = numbers
        del values
        space.relieve_arrow()
        done += 1
        if progress is not None:
            progress(done / len(covariates))
        return levels, empty

    # Two columns at a time: one is decoded while another is gathered.
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(read, range(len(covariates))))
    read_in = [
        Covariate(name, levels, row)
        for name, (levels, _), row in zip(covariates, found, place, strict=True)
    ]
    indicators = {c.name: empty for c, (_, empty) in zip(read_in, found, strict=True)}
    return with_indicators(Design(tuple(read_in), tuple(numeric), codes, space), indicators)


def with_indicators(design: Design, empty: dict[str, NDArray[np.bool_] | None]) -> Design:
    """Add the indicator of a number's empty cells right after it, where it has any.

    Parameters
    ----------
    design : Design
    empty : dict of str to bool array or None
        Empty cells of each covariate.
    """
    if all(cells is None for cells in empty.values()):
        return design
    numeric: list[NDArray[np.float64]] = []
    covariates = []
    for covariate in design.covariates:
        if covariate.levels:
            covariates.append(covariate)
            continue
        covariates.append(Covariate(covariate.name, (), len(numeric)))
        numeric.append(design.numeric[covariate.row])
        cells = empty[covariate.name]
        if cells is not None:
            covariates.append(Covariate(f"{covariate.name} missing", (), len(numeric)))
            numeric.append(cells.astype(np.float64))
    return Design(tuple(covariates), tuple(numeric), design.codes, design.space)


def filled(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return numbers with the mean of the others in empty cells (NaN), and which were empty."""
    empty = np.isnan(values)
    present = values[~empty]
    mean = float(total(present)) / len(present) if len(present) else 0.0
    return np.where(empty, mean, values), empty


def _category(coded: Codes, identity: Identity, row: NDArray[np.uint16]) -> tuple[str, ...]:
    """Fill a row with codes, empty cells as a level of their own; return the level names."""
    identity.gather_into(coded.codes, row)
    if not coded.n_missing:
        return coded.levels
    row[row == MISSING_CODE] = len(coded.levels)
    return (*coded.levels, MISSING_LEVEL)


def term_names(design: Design) -> tuple[str, ...]:
    """Return the names of the model's coefficients, the intercept first.

    A number is its column, a level ``column=level``; reference levels have no coefficient.
    """
    names = [INTERCEPT]
    for covariate in design.covariates:
        if covariate.levels:
            names += [f"{covariate.name}={level}" for level in covariate.levels[1:]]
        else:
            names.append(covariate.name)
    return tuple(names)


def term_of_level(design: Design) -> tuple[list[int], list[NDArray[np.int64]]]:
    """Return the coefficient position of each number, and of each level of each category.

    Returns
    -------
    numbers : list of int, by row of ``Design.numeric``
    levels : list of int64 arrays, by row of ``Design.codes``
        -1 for the reference level.
    """
    numbers: list[int] = []
    levels: list[NDArray[np.int64]] = []
    place = 1
    for covariate in design.covariates:
        if covariate.levels:
            terms = np.arange(place - 1, place - 1 + len(covariate.levels))
            terms[0] = -1
            levels.append(terms)
            place += len(covariate.levels) - 1
        else:
            numbers.append(place)
            place += 1
    return numbers, levels


def code_columns(
    design: Design, weights: NDArray[np.float64]
) -> tuple[CodedColumns, NDArray[np.bool_]]:
    """Return the design in the form of the fitting kernels, and which numbers are constant.

    Parameters
    ----------
    design : Design
    weights : float64, shape (n,) or (0,)
        Frequency weights; a column that is constant over rows of positive weight is constant.

    Returns
    -------
    columns : CodedColumns
    constant : bool, shape (p_numeric,)

    Notes
    -----
    Centre and scale condition the fit and set the unit of the ridge penalty. They come from a
    systematic sample of rows, weighted like the fit, so that weights mean repeated rows; a column
    that looks constant there is looked at whole.
    """
    p_numeric, n = len(design.numeric), design.n_rows
    centre = np.empty(p_numeric)
    scale = np.empty(p_numeric)
    step = max(1, n // _MOMENT_ROWS)
    if len(weights):
        present = np.flatnonzero(weights > 0)[::step]
        column_moments(design.numbers_of(present), weights[present], centre, scale)
    else:
        column_moments(design.numbers_of(slice(None, None, step)), np.empty(0), centre, scale)
    for j in np.flatnonzero(scale == 0.0):
        whole = design.numeric[j] if not len(weights) else design.numeric[j][weights > 0]
        column_moments(
            np.ascontiguousarray(whole[None, :]), np.empty(0), centre[j : j + 1], scale[j : j + 1]
        )
    constant = scale == 0.0
    numbers, levels = term_of_level(design)
    cells, cell_start, cell_term = pack_categories(design.codes, levels, design.space.empty)
    columns = CodedColumns(
        *one_range(design.numeric),
        centre,
        np.where(constant, 1.0, scale),
        np.array(numbers, dtype=np.int64),
        cells,
        cell_start,
        cell_term,
        len(term_names(design)),
    )
    return columns, constant
