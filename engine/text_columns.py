"""Text columns that were meant to be something else, and where to find the cells.

A spreadsheet writes numbers with thousands separators and signs, dates in the order of a country,
and names beside them. Taken as categories they would spoil the model without a word, so they are
refused unless the user names them as categories. Refusals give column, counts and row numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.delimited import THOUSANDS
from engine.errors import InputError
from engine.tables import TableSource, shown

MOSTLY_NUMBERS = 0.5
"""A text column with more than this share of numbers was meant to be a number."""

MISSING_CODE = 65_535
"""Code of an empty cell in a column of codes."""

FEW_LEVELS = 20
"""A text column with more levels than this, and with more levels than half of its filled cells,
looks like names or another identifier and is refused unless asked for."""

PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
CODE = re.compile(r"[0-9]+")
WRITTEN_NUMBER = re.compile(
    r"[£$€]?\s*[+-]?\s*[£$€]?\s*(\d{1,3}([.,'\u2019\s]\d{3})+|\d+)([.,]\d*)?"
    r"([eE][+-]?\d+)?\s*[%£$€]?"
)
"""A number as a spreadsheet shows it: thousands separators, a currency or per-cent sign, a decimal
comma, spaces around it."""

DATE = re.compile(
    r"(\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d{2})|\d{4}[./-]\d{1,2}[./-]\d{1,2})([ T][\d:.]+)?"
)

LONGEST = 40
"""Characters of the longest number or date; a longer text is not searched for one."""

SPREADSHEET_NUMBER_RULE = (
    "a number column holds digits and at most one decimal mark, the same in the whole file"
)
SPREADSHEET_NUMBER_REPAIR = (
    "Format the column as a plain number, without thousands separator, sign or space, and export "
    "the table again"
)


@dataclass(frozen=True)
class Levels:
    """Level names in their order, and the place of each row's level.

    Attributes
    ----------
    names : tuple of str
    codes : uint16 or int32, shape (n,)
        uint16 unless there are more levels than a category may have.
    missing : int
        Code of an empty cell, above every place.
    n_missing : int
        Empty cells.
    """

    names: tuple[str, ...]
    codes: np.ndarray
    missing: int
    n_missing: int

    @property
    def filled(self) -> np.ndarray:
        """Whether each row's cell is filled, bool, shape (n,)."""
        return self.codes != self.missing

    def of_rows(self, flags: Sequence[bool]) -> np.ndarray:
        """Return each row's flag from those of the levels, false for empty cells."""
        table = np.zeros(self.missing + 1, dtype=np.bool_)
        table[: len(flags)] = flags
        return table[self.codes]


def not_zero_and_one(levels: Levels, name: str, source: TableSource) -> InputError:
    """Return the error for a treatment column with other values than 0 and 1."""
    cells = levels.of_rows([name not in {"0", "1", "false", "true"} for name in levels.names])
    n_odd = int(cells.sum())
    if 2 * n_odd >= len(cells):
        return InputError(
            f"the treatment column '{shown(name)}' is not 0 and 1 "
            f"({counted(len(levels.names), 'different value')})",
            where=place(name, source),
            rule="the treatment is true or false, or 1 or 0",
            repair="Say with --treated which value means treated",
        )
    return InputError(
        f"the treatment column '{shown(name)}' is 0 and 1 but for {counted(n_odd, 'cell')} of "
        f"{len(cells):,}",
        where=place(name, source, cells),
        rule="the treatment is true or false, or 1 or 0",
        repair="Correct or remove these rows (a line of totals is no person), or say with "
        "--treated which value means treated",
    )


def refuse_text(levels: Levels, name: str, source: TableSource) -> None:
    """Raise the error for text where numbers are needed."""
    plain, written = map(levels.of_rows, _number_levels(levels))
    filled = levels.filled
    words = filled & ~plain & ~written
    count = int(words.sum())
    if count == 0 and written.any():
        raise _spreadsheet_numbers(written, name, source)
    if count == 0:
        raise InputError(
            f"the column '{shown(name)}' is stored as text, though its cells are numbers",
            where=place(name, source),
            rule="a number column holds numbers, with a decimal point",
            repair="Store it as a number; a covariate can be a category with --categorical",
        )
    if _are_dates(levels):
        raise _dates(name, source)
    raise InputError(
        f"the column '{shown(name)}' is text: {count:,} of its {int(filled.sum()):,} filled cells "
        "are not numbers",
        where=place(name, source, words),
        rule="a number column holds numbers in every filled cell",
        repair="Correct these cells or leave them empty; write words such as yes and no as 1 and "
        "0; a covariate can be a category with --categorical",
    )


def _number_levels(levels: Levels) -> tuple[list[bool], list[bool]]:
    """Return which levels are plain numbers, and which are numbers in a spreadsheet's dress."""
    pointed = [level for level in levels.names if "." in level]
    doubtful = bool(pointed) and all(map(THOUSANDS.fullmatch, pointed))  # 1.234: a point or not?
    plain = [
        bool(PLAIN_NUMBER.fullmatch(level)) and not (doubtful and "." in level)
        for level in levels.names
    ]
    written = [
        not is_plain and _looks_like(WRITTEN_NUMBER, level)
        for level, is_plain in zip(levels.names, plain, strict=True)
    ]
    return plain, written


def _looks_like(pattern: re.Pattern[str], level: str) -> bool:
    """Whether a short text has the form, whatever white space stands around it."""
    text = level.strip()
    return len(text) <= LONGEST and bool(pattern.fullmatch(text))


def _are_dates(levels: Levels) -> bool:
    """Whether most levels look like dates."""
    dates = sum(_looks_like(DATE, level) for level in levels.names)
    return 2 * dates > len(levels.names)


def _dates(name: str, source: TableSource) -> InputError:
    """Return the error for a column of dates."""
    return InputError(
        f"the column '{shown(name)}' holds dates where numbers or categories are needed",
        where=place(name, source),
        rule="the method compares numbers and categories",
        repair="Turn it into a number first: a date, for example, into days since another",
    )


def _spreadsheet_numbers(cells: np.ndarray, name: str, source: TableSource) -> InputError:
    """Return the error for numbers that are text because of how they are written."""
    return InputError(
        f"the column '{shown(name)}' was read as text: {counted(int(cells.sum()), 'number')} in it "
        "may have a thousands separator, a currency or per-cent sign, another decimal mark than "
        "the rest of the file, or a space",
        where=place(name, source, cells),
        rule=SPREADSHEET_NUMBER_RULE,
        repair=f"{SPREADSHEET_NUMBER_REPAIR}; a covariate can be a category with --categorical",
    )


def refuse_numbers_as_text(levels: Levels, name: str, source: TableSource) -> None:
    """Raise the error for a text column that was meant to be numbers."""
    of_levels = _number_levels(levels)
    if not any(map(any, of_levels)):
        return
    plain, written = map(levels.of_rows, of_levels)
    filled = levels.filled
    n_filled = int(filled.sum())
    n_numbers = int(plain.sum()) + int(written.sum())
    # Codes such as 01 and 02 are text on purpose when every cell is one.
    if n_numbers <= MOSTLY_NUMBERS * n_filled or all(map(CODE.fullmatch, levels.names)):
        return
    words = filled & ~plain & ~written
    if words.any():
        raise InputError(
            f"the column '{shown(name)}' is numbers but for {counted(int(words.sum()), 'cell')} of "
            f"{n_filled:,}, so it was read as text",
            where=place(name, source, words),
            rule="a number column holds numbers in every filled cell",
            repair="Correct these cells or leave them empty, or name the column as a category "
            "with --categorical",
        )
    if written.any():
        raise _spreadsheet_numbers(written, name, source)
    raise InputError(
        f"the column '{shown(name)}' is stored as text, though its cells are numbers",
        where=place(name, source),
        rule="a number column holds numbers, with a decimal point",
        repair="Store it as a number, or name the column as a category with --categorical",
    )


def refuse_many_words(levels: Levels, name: str, source: TableSource) -> None:
    """Raise the error for a text column of dates, or one with a word of its own in most rows."""
    if _are_dates(levels):
        raise _dates(name, source)
    n_filled = int(np.count_nonzero(levels.filled))
    if len(levels.names) > max(FEW_LEVELS, n_filled // 2):
        raise InputError(
            f"the column '{shown(name)}' has {len(levels.names):,} different values in "
            f"{n_filled:,} filled cells and looks like names or another identifier",
            where=place(name, source),
            rule="the rows of a category share its levels",
            repair="Leave it out, group its values, or name it with --id, --person or "
            "--categorical",
        )


def place(name: str, source: TableSource, selected: np.ndarray | None = None) -> str:
    """Return file, column and rows for a message."""
    rows = "" if selected is None else f", {row_numbers(source, selected)}"
    return f"{source.name}, column '{shown(name)}'{rows}"


def counted(count: int, word: str) -> str:
    """Return ``1 cell`` or ``3 cells``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def row_numbers(source: TableSource, selected: np.ndarray, limit: int = 5) -> str:
    """Return the numbers of the first rows of a selection, as a person sees them.

    Parameters
    ----------
    source : TableSource
        The table the rows belong to.
    selected : bool, shape (n_rows,)
        At least one is true.
    limit : int
        Largest number of rows named.

    Returns
    -------
    str
        For example ``rows 5, 9 and 12 (the header is row 1, empty lines are not counted)``.
    """
    found = np.flatnonzero(selected)
    numbers = [str(i + source.first_row) for i in found[:limit].tolist()]
    listed = numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    counted = (
        "row 1 is the first row of data"
        if source.first_row == 1
        else "the header is row 1, empty lines are not counted"
    )
    return (
        f"{'first ' if len(found) > limit else ''}row{'s' if len(numbers) > 1 else ''} {listed} "
        f"({counted})"
    )
