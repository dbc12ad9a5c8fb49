"""Where in a file the people stand: which sheet, which row names the columns, which is which."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from engine.submission.fields import (
    BY_NAME,
    REQUIRED,
    START_DATES,
    WHOLE_NAMES,
    column_letter,
    field_of,
    folded,
    recognised,
)
from engine.submission.grid import HEAD_ROWS, TOO_LONG, Grid
from engine.submission.rules import Problem

FEWEST_NAMES = 2
"""A row with fewer known column names is no header."""

NEARLY = 0.75
"""Likeness, from 0 to 1, from which a heading is taken for another with a slip."""

NOT_PEOPLE = frozenset({"guidance", "example", "description"})
"""Sheets of the template that hold no people."""

MAY_COME_AGAIN = frozenset({"alias"})


@dataclass(frozen=True)
class People:
    """The rows of people, as texts.

    Attributes
    ----------
    fields : dict of str to tuple of int
        Columns of each field, from 0; more than one for aliases.
    extras : dict of int to str
        Columns with a header that stands for no field, and the header.
    width : int
        Columns that have a header.
    numbers : tuple of int
        Number of each row as the sender sees it.
    rows : tuple of list of str
        Cells of each row; rows may end early.
    delimited : bool
        The file is a text in which a stray delimiter makes a cell too many.
    """

    fields: dict[str, tuple[int, ...]]
    extras: dict[int, str]
    width: int
    numbers: tuple[int, ...]
    rows: tuple[list[str], ...]
    delimited: bool

    def cells(self, column: int) -> list[str]:
        """Return the cells of a column; what is too long stands as :data:`TOO_LONG`."""
        return [row[column] if column < len(row) else "" for row in self.rows]


def find_people(grids: list[Grid]) -> tuple[People | None, list[Problem]]:
    """Find the table of people among the sheets of a file.

    Parameters
    ----------
    grids : list of dict
        As :func:`engine.submission.reading.read_grids` returns them.

    Returns
    -------
    people : People or None
        None where the file is to be rejected.
    problems : list of Problem
        What is wrong with the file as a whole.
    """
    candidates = [
        (grid, header, score)
        for grid in grids
        if folded(grid["name"] or "") not in NOT_PEOPLE
        for header, score in [_header(grid)]
        if score >= FEWEST_NAMES
    ]
    if not candidates:
        empty = not any(grid["rows"] for grid in grids)
        return None, [Problem(None, None, "no_rows" if empty else "no_header")]
    best = max(score for _, _, score in candidates)
    # a summary beside the table may name a column or two
    tables = [one for one in candidates if one[2] >= max(best - 2, FEWEST_NAMES)]
    filled = [one for one in tables if any(one[0]["rows"][one[1] + 1 :])]
    if not filled:
        return None, [Problem(None, None, "no_rows")]
    if len(filled) > 1:
        return None, [Problem(None, None, "several_tables")]
    grid, header, _ = filled[0]
    people, problems = _people(grid, header)
    others = [
        other
        for other in grids
        if other is not grid and folded(other["name"] or "") not in NOT_PEOPLE and other["rows"]
    ]
    if others:
        problems.append(Problem(None, None, "other_sheets"))
    rejected = any(problem.severity == "reject" for problem in problems)
    return (None if rejected else people), problems


def _header(grid: Grid) -> tuple[int, int]:
    """Return the row near the top that names most fields, the first of equals, and how many."""
    best, found = 0, 0
    for i, row in enumerate(grid["rows"][:HEAD_ROWS]):
        score = recognised(row)
        if score > best:
            best, found = score, i
    return found, best


def _people(grid: dict[str, Any], header: int) -> tuple[People, list[Problem]]:
    """Return the rows below the header, with the meaning of each column."""
    names = grid["rows"][header]
    fields: dict[str, tuple[int, ...]] = {}
    extras: dict[int, str] = {}
    problems = []
    whole_name = False
    for i, name in enumerate(names):
        field = field_of(name)
        if field is None or (field in fields and BY_NAME[field].status == "optional"):
            if field in MAY_COME_AGAIN:
                fields[field] += (i,)
            elif name and name != TOO_LONG:
                extras[i] = name
            whole_name = whole_name or folded(name) in WHOLE_NAMES
        elif field in fields:
            problems.append(Problem(None, field, "column_twice"))
        else:
            fields[field] = (i,)
    missing = [name for name in REQUIRED if name not in fields]
    if whole_name and {"first_name", "last_name"} & set(missing):
        problems.append(Problem(None, None, "name_in_one_column"))
        missing = [name for name in missing if name not in {"first_name", "last_name"}]
    problems += [
        Problem(None, name, "column_missing", _alike(name, names, extras)) for name in missing
    ]
    if not any(name in fields for name in START_DATES):
        problems.append(Problem(None, None, "start_date_missing"))
    numbers, rows = [], []
    for i, row in enumerate(grid["rows"][header + 1 :], grid["first"] + header + 1):
        if _says_something(row):
            numbers.append(i)
            rows.append(row)
    people = People(
        fields, extras, len(names), tuple(numbers), tuple(rows), delimited=grid["name"] is None
    )
    if not rows:
        problems.append(Problem(None, None, "no_rows"))
    return people, problems


def _alike(field: str, names: list[str], extras: dict[int, str]) -> str:
    """Return a sentence on columns whose unknown header is nearly that of a field, or nothing."""
    wanted = folded(BY_NAME[field].header)
    near = [
        column_letter(i) for i in extras if get_close_matches(folded(names[i]), [wanted], 1, NEARLY)
    ]
    return f"The heading of column {near[0]} is nearly its name: correct it." if near else ""


def _says_something(row: list[str]) -> bool:
    """Whether a row has a letter or digit; dashes and the mark of a file's end have not."""
    return any(cell == TOO_LONG or any(c.isalnum() for c in cell) for cell in row)


def column_of(people: People, column: int) -> str:
    """Return what a message may call a column: its field, or its letter, never its header."""
    for field, places in people.fields.items():
        if column in places:
            return field
    return column_letter(column)
