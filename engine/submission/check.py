"""The check of a submission: verdict, every problem by row, column and rule, and the usable people.

It reads like the list of what is looked at. It needs no store and no network, so an organisation
can run it on its own computer before it sends anything.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.submission.dates import Order
from engine.submission.description import Description, read_description
from engine.submission.fields import BY_NAME, FIELDS
from engine.submission.layout import find_people
from engine.submission.people import Rows, read_people
from engine.submission.rules import (
    FEWEST_PEOPLE,
    SEVERITIES,
    Problem,
    Verdict,
    verdict_of,
)
from engine.submission.sandbox import Sandbox
from engine.submission.window import Window
from engine.tables import NOT_TABLES, first_bytes

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""Of the starts that are no table elsewhere, those of the workbooks that are read here."""

_PLACE = {field.name: i for i, field in enumerate(FIELDS)}


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes
    ----------
    verdict : str
        ``accepted``, ``accepted_with_warnings``, ``rows_quarantined`` or ``rejected``.
    rows : int
        Rows of people in the file.
    usable : int
        Rows that can be used; 0 where the file is rejected.
    problems : tuple of Problem
        Those of the whole file first, then by row and column.
    table, listing : pyarrow.Table or None
        The usable rows, and every row without the person, see
        :class:`engine.submission.people.Rows`; None where there is none.
    description : Description or None
        The answers about the service.
    """

    verdict: Verdict
    rows: int
    usable: int
    problems: tuple[Problem, ...]
    table: pa.Table | None
    listing: pa.Table | None
    description: Description | None

    def as_object(self) -> dict[str, Any]:
        """Return what ``justicelab check --json`` prints."""
        return {
            "verdict": self.verdict,
            "rows": self.rows,
            "usable": self.usable,
            "problems": [
                {
                    "row": problem.row,
                    "column": problem.column,
                    "rule": problem.rule,
                    "severity": problem.severity,
                    "repair": problem.repair,
                }
                for problem in self.problems
            ],
        }


def check_submission(
    path: Path,
    *,
    description: Path | None = None,
    window: Window | None = None,
    order: Order | None = None,
    today: dt.date | None = None,
    sandbox: Sandbox | None = None,
    fewest: int = FEWEST_PEOPLE,
) -> Check:
    """Check the file of an organisation.

    Parameters
    ----------
    path : pathlib.Path
        A csv, xlsx, xls, ods or Parquet file.
    description : pathlib.Path, optional
        A workbook with the sheet 'Description', where the file itself has none.
    window : Window, optional
        First and last index date for which results can be given. None: not checked.
    order : {"day", "month"}, optional
        The order of day and month that the sender declares.
    today : datetime.date, optional
        The day of the check; future dates and two-digit years are judged by it.
    sandbox : Sandbox, optional
        A running one, for many files; None starts one for this file.
    fewest : int
        Different people that a file must have; a wave of a service may have fewer.

    Returns
    -------
    Check

    Raises
    ------
    InputError, AccessError, StorageError
        There is no such file, or it may not be read.
    """
    if sandbox is None:
        with Sandbox() as own:
            return check_submission(
                path,
                description=description,
                window=window,
                order=order,
                today=today,
                sandbox=own,
                fewest=fewest,
            )
    day = today or dt.date.today()  # noqa: DTZ011 - the sender's own day
    grids, found = _grids(path, sandbox)
    if grids is None:
        return _checked(0, found, None, None)
    people, more = find_people(grids)
    found += more
    form = grids
    if description is not None:
        other, faults = _grids(description, sandbox)
        found += [Problem(None, None, "description_missing")] if faults else []
        form = other if other is not None else grids
    about, more = read_description(form)
    found += [problem for problem in more if problem not in found]
    if people is None:
        return _checked(0, found, None, about)
    read, count, more = read_people(people, day, window=window, order=order)
    found += more
    if count.people < fewest:
        found.append(Problem(None, None, "fewer_than_60"))
    elif not count.usable_people:
        found.append(Problem(None, None, "no_usable_rows"))
    elif count.usable_people < fewest:
        found.append(Problem(None, None, "fewer_than_60_usable"))
    return _checked(read.listing.num_rows, found, read, about)


def _grids(path: Path, sandbox: Sandbox) -> tuple[list[dict[str, Any]] | None, list[Problem]]:
    """Read the sheets of a file in the sandbox; None where it is refused."""
    if path.is_file() and path.stat().st_size == 0:
        return None, [Problem(None, None, "not_a_table", "It is empty.")]
    head, _ = first_bytes(path)
    for start, kind, _ in NOT_TABLES:
        if head.startswith(start) and start not in _WORKBOOKS:
            return None, [Problem(None, None, "not_a_table", f"It is {kind}.")]
    answer = sandbox.read(path)
    if "rule" in answer:
        return None, [Problem(None, None, answer["rule"])]
    return answer["grids"], [Problem(None, None, note) for note in answer["notes"]]


def _checked(
    rows: int, found: list[Problem], read: Rows | None, about: Description | None
) -> Check:
    """Return the check with its problems in order."""
    problems = tuple(sorted(found, key=_order))
    verdict = verdict_of(problems)
    if verdict == "rejected" or read is None:
        return Check(verdict, rows, 0, problems, None, None, about)
    return Check(verdict, rows, read.usable.num_rows, problems, read.usable, read.listing, about)


def _order(problem: Problem) -> tuple[int, int, int, str, str]:
    """Return the key of the order: whole file first, the worst first there; then row, column."""
    column = problem.column or ""
    place = _PLACE[column] if column in BY_NAME else len(_PLACE) + len(column)
    worst = SEVERITIES.index(problem.severity) if problem.row is None else 0
    return (problem.row or 0, worst, place, column, problem.rule)
