"""The review band: candidates in doubt, as a workbook for a reviewer, and the decisions read back.

The workbook holds personal data of both sides, so it is written for its owner alone and never
leaves the place where the records are. Every text in it is a text: a name that begins like a
formula is not one. A decision counts only with a name, a day and a reason, and only for the rows
and records that the reviewer saw.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import InputError
from engine.submission.sandbox import Sandbox
from engine.submission.workbook import Styles, safe_text, workbook_bytes, write_new_file

SAME, OTHER, CANNOT_TELL = "same person", "other person", "cannot tell"
SHEET = "Review"
_ANSWERS = ("Decision", "Decided by", "Decided on", "Why")
_COLUMNS = (
    ("Row", "row"),
    ("Candidate", "candidate"),
    ("Forename given", "given_forename"),
    ("Surname given", "given_surname"),
    ("Middle name given", "given_middle"),
    ("Birth date given", "given_birth"),
    ("Gender given", "given_sex"),
    ("PNC ID given", "given_pnc"),
    ("Prison number given", "given_noms"),
    ("Forename on record", "record_forename"),
    ("Surname on record", "record_surname"),
    ("Middle name on record", "record_middle"),
    ("Birth date on record", "record_birth"),
    ("Sex on record", "record_sex"),
    ("PNC ID on record", "record_pnc"),
    ("Prison number on record", "record_noms"),
    ("Names", "name"),
    ("Birth dates", "birth"),
    ("Weight", "weight"),
    ("In doubt because", "reason"),
    ("Code", "code"),
)
_DATES = ("%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y", "%d-%m-%Y")
_LONGEST_WORDS = 500


@dataclass(frozen=True)
class Decision:
    """What a reviewer decided on one candidate.

    Parameters
    ----------
    row : int
        Row in the sender's file.
    person_id : int
    same : bool
        Whether the row and the record are one person.
    by, why : str
    on : datetime.date
    """

    row: int
    person_id: int
    same: bool
    by: str
    on: dt.date
    why: str


def candidate_code(given: Sequence[Any], person_id: int) -> str:
    """Return a code of 12 characters for one row and one candidate as the reviewer saw them.

    A decision whose code is not that of the same row and candidate was made on other data.
    """
    text = "\0".join("" if value is None else str(value) for value in (*given, person_id))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write_review(band: pa.Table, path: Path) -> None:
    """Write the review band as a workbook with mode 0600.

    Parameters
    ----------
    band : pyarrow.Table
        Of :class:`engine.linkage.link.Linkage`.
    path : pathlib.Path
        A file that does not exist.

    Raises
    ------
    CannotCreateError, AccessError, StorageError
        It cannot be written.
    """
    rows = band.to_pylist()

    def fill(book: Any, styles: Styles) -> None:
        sheet = book.add_worksheet(SHEET)
        sheet.freeze_panes(1, 2)
        sheet.set_column(0, len(_COLUMNS) + len(_ANSWERS) - 1, 16)
        heads = (*(head for head, _ in _COLUMNS), *_ANSWERS)
        for column, head in enumerate(heads):
            sheet.write_string(0, column, head, styles["head"])
        for number, row in enumerate(rows, 1):
            for column, (_, name) in enumerate(_COLUMNS):
                sheet.write_string(number, column, safe_text(_shown(row[name])), styles["text"])
            for column in range(len(_COLUMNS), len(heads)):
                sheet.write_blank(number, column, None, styles["answer"])
        if rows:
            sheet.data_validation(
                1,
                len(_COLUMNS),
                len(rows),
                len(_COLUMNS),
                {"validate": "list", "source": [SAME, OTHER, CANNOT_TELL]},
            )

    write_new_file(path, workbook_bytes("Links to review", fill))


def read_review(path: Path, band: pa.Table) -> list[Decision]:
    """Read the decisions of a reviewer back.

    Parameters
    ----------
    path : pathlib.Path
        The workbook, or a csv saved from it.
    band : pyarrow.Table
        The band that was written, which a run without decisions gives again.

    Returns
    -------
    list of Decision
        By row and candidate, only those that decide.

    Raises
    ------
    InputError
        A decision has no name, day or reason, is none of the three words, contradicts another, or
        was made on other data. Nothing is taken over then.
    """
    head, lines = _lines(path)
    known = {
        (int(row["row"]), int(row["candidate"])): (int(row["person_id"]), str(row["code"]))
        for row in band.to_pylist()
    }
    found = [
        one
        for number, cells in lines
        if (one := _decision(number, dict(zip(head, cells, strict=False)), known)) is not None
    ]
    same: dict[int, int] = {}
    for one in found:
        if one.same and same.setdefault(one.row, one.person_id) != one.person_id:
            raise InputError(
                "two candidates are marked as the same person",
                where=f"row {one.row} of the submission",
                rule="a row is one person at most",
                repair=f"Leave one '{SAME}' in this row",
            )
    return sorted(found, key=lambda one: (one.row, one.person_id))


def decisions_csv(decisions: Sequence[Decision]) -> str:
    """Return the decisions as a csv for the private folder: who decided what, when and why."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("row", "person_id", "same_person", "by", "on", "why"))
    for one in decisions:
        writer.writerow(
            (
                one.row,
                one.person_id,
                "yes" if one.same else "no",
                safe_text(one.by),
                one.on.isoformat(),
                safe_text(one.why),
            )
        )
    return text.getvalue()


def _lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header and the lines of the review sheet, each with its number."""
    with Sandbox() as sandbox:
        answer = sandbox.read(path)
    if "rule" in answer:
        raise InputError(
            "the file of decisions cannot be read",
            where=path.name,
            repair="Give the workbook that was written, or a csv saved from it",
        )
    wanted = {head for head, _ in _COLUMNS[:2]} | {"Code", *_ANSWERS}
    for grid in answer["grids"]:
        for place, cells in enumerate(grid["rows"][:5]):
            if wanted <= set(cells):
                first = grid["first"] + place + 1
                rest = grid["rows"][place + 1 :]
                return cells, [(first + i, line) for i, line in enumerate(rest) if any(line)]
    raise InputError(
        "the file of decisions has not the columns of a review",
        where=path.name,
        rule="the columns Row, Candidate, Code, Decision, Decided by, Decided on and Why are there",
        repair="Fill in the workbook that was written, without renaming its columns",
    )


def _decision(
    number: int, cells: dict[str, str], known: dict[tuple[int, int], tuple[int, str]]
) -> Decision | None:
    """Read one line; None where it decides nothing."""
    where = f"line {number} of the review"
    word = " ".join(cells.get("Decision", "").split()).casefold()
    if word in {"", CANNOT_TELL}:
        return None
    if word not in {SAME, OTHER}:
        raise InputError(
            "a decision is none of the words of the list",
            where=where,
            rule=f"'{SAME}', '{OTHER}', '{CANNOT_TELL}' or empty",
            repair="Choose one from the list in the cell",
        )
    try:
        key = int(float(cells.get("Row", ""))), int(float(cells.get("Candidate", "")))
    except (ValueError, OverflowError):
        key = (-1, -1)
    person_id, code = known.get(key, (None, None))
    if person_id is None or code != cells.get("Code", "").strip():
        raise InputError(
            "a decision was made on another submission or other records",
            where=where,
            rule="row, candidate and code are those of this run",
            repair="Write the review anew and decide on it",
        )
    by, why = (cells.get(name, "").strip()[:_LONGEST_WORDS] for name in ("Decided by", "Why"))
    on = _day(cells.get("Decided on", ""))
    if not by or not why or on is None:
        raise InputError(
            "a decision lacks who decided, on which day, or why",
            where=where,
            rule="'Decided by', 'Decided on' (a date such as 31/12/2025) and 'Why' are filled in",
            repair="Fill them in",
        )
    return Decision(key[0], person_id, word == SAME, by, on, why)


def _day(text: str) -> dt.date | None:
    """Return a day written as a date, None for anything else."""
    for pattern in _DATES:
        try:
            return dt.datetime.strptime(text.strip()[:10], pattern).date()  # noqa: DTZ007 - a day
        except ValueError:
            continue
    return None


def _shown(value: Any) -> str:
    """Return a cell of the band as text."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, dt.date):
        return value.strftime("%d/%m/%Y")
    return str(value)
