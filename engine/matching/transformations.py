"""Columns that a plan makes of others: logarithms and squares.

The store has the transformations that every study needs. A plan names further ones, and they are
made where the pool is read, so that everything after it sees columns like any other. Their names
follow the store: ``log_NAME`` and ``NAME_squared``. The logarithm of a square is refused by the
plan, so a name says what a column was made of.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.errors import InputError
from engine.store.scores import log1p_counts
from engine.tables import shown

_LOG, _SQUARED = "log_", "_squared"
SECTION = "[transformations]"


@dataclass(frozen=True)
class Transformations:
    """What a plan makes of its covariates.

    Attributes
    ----------
    log : tuple of str
        Columns whose log(1 + x) stands beside them.
    square : tuple of str
        Columns whose square stands beside them.
    """

    log: tuple[str, ...] = ()
    square: tuple[str, ...] = ()

    @property
    def logarithms(self) -> dict[str, str]:
        """Logarithms that are made, each with its column."""
        return {f"{_LOG}{name}": name for name in self.log}

    @property
    def squares(self) -> dict[str, str]:
        """Squares that are made, each with its column."""
        return {f"{name}{_SQUARED}": name for name in self.square}

    @property
    def made(self) -> tuple[str, ...]:
        """Names of all columns that are made."""
        return (*self.logarithms, *self.squares)


NONE = Transformations()


def made_of(name: str) -> tuple[str, str] | None:
    """Return the column that a name says it is made of, and the words for how; None for no such.

    Examples
    --------
    >>> made_of("log_severity"), made_of("log_career_days_squared"), made_of("sex")
    (('severity', ' (log)'), ('log_career_days', ', squared'), None)
    """
    if is_square(name):
        return name.removesuffix(_SQUARED), ", squared"
    if name.startswith(_LOG):
        return name.removeprefix(_LOG), " (log)"
    return None


def is_square(name: str) -> bool:
    """Whether the name of a column says that it is a square."""
    return name.endswith(_SQUARED)


def with_transformations(table: pa.Table, asked: Transformations) -> pa.Table:
    """Add the columns that a plan makes; empty cells stay empty.

    Parameters
    ----------
    table : pyarrow.Table
        With the columns that they are made of, which hold numbers.
    asked : Transformations

    Returns
    -------
    pyarrow.Table
        The columns of ``table``, then the logarithms, then the squares, both float64.

    Raises
    ------
    InputError
        A logarithm is asked of a column with negative numbers.
    """
    for name, column in asked.logarithms.items():
        values, known = _numbers(table, column)
        if (values < 0.0).any():
            raise InputError(
                f"there are negative numbers in the column '{shown(column)}'",
                where=f"the plan, {SECTION} log",
                rule="log(1 + x) is taken of columns whose numbers are 0 or more",
                repair="Take it out of the list; its square can be matched on",
            )
        table = table.append_column(name, to_arrow(log1p_counts(values), known))
    for name, column in asked.squares.items():
        values, known = _numbers(table, column)
        table = table.append_column(name, to_arrow(values * values, known))
    return table


def _numbers(table: pa.Table, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the numbers of a column, 0 where it is empty, and where it is not."""
    column = table[name].combine_chunks()
    known = to_numpy(pc.is_valid(column))
    return to_numpy(pc.fill_null(column, 0)).astype(np.float64), known
