"""From rows of texts to people: each column read by its kind, each row judged, twins found.

A row is kept aside (quarantined) where it breaks a rule that makes it unusable; the other rows go
on. A number that is not valid is dropped and the row stays.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import pyarrow as pa

from engine import identifiers
from engine.identifiers import Identifier
from engine.submission.dates import PLACEHOLDERS, DateCell, Kind, Order, age_on, read_dates
from engine.submission.fields import (
    DATES,
    FIELDS,
    IDENTIFIERS,
    REQUIRED,
    START_DATES,
    SUBGROUPS,
    column_letter,
)
from engine.submission.grid import TOO_LONG
from engine.submission.layout import People, column_of
from engine.submission.persons import group_persons, shared_identifiers
from engine.submission.remarks import without_remarks
from engine.submission.rules import RULES, Problem
from engine.submission.values import is_empty, read_genders, read_name, read_postcode
from engine.submission.window import Window, outside

LONGEST = 300
"""Characters of the longest cell in a known column."""

FIRST_DAY = dt.date(2000, 1, 1)
WAIT = dt.timedelta(548)
"""Eighteen months: a year of follow-up and six months for cases to be proven."""

CHILD, OLDEST, CRIMINAL = 18, 100, 10
FEW_LEVELS = 20
STILL_GOING = frozenset({"ongoing", "present", "current", "still", "active", "open", "continuing"})

_KNOWN_BY_NAME = ("last_name", "first_name", "middle_names", "alias")
_TEXTS = ("row_id", *SUBGROUPS)
EXTRA = "group: "
"""What the name of a further column for sub-groups begins with."""


@dataclass(frozen=True)
class Count:
    """Different people in the file, and among the usable rows."""

    people: int
    usable_people: int


@dataclass(frozen=True)
class Rows:
    """What was read.

    Attributes
    ----------
    usable : pyarrow.Table
        The usable rows: ``row`` (int64, the sender's row number), every field of
        :data:`engine.submission.fields.FIELDS` as text or date32, empty where it is not known,
        and ``group: <header>`` for each further column with few values.
    listing : pyarrow.Table
        Every row, usable or not: ``row``, ``row_id`` and the columns for sub-groups. No name, date
        or number of a person stands in it.
    """

    usable: pa.Table
    listing: pa.Table


@dataclass
class _Reading:
    """The columns as they are read, and what was found on the way."""

    people: People
    values: dict[str, list] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)

    @property
    def rows(self) -> range:
        return range(len(self.people.rows))

    def report(self, row: int, column: str | None, rule: str) -> None:
        """Note a problem of a row, by its place from 0."""
        self.problems.append(Problem(self.people.numbers[row], column, rule))
        if RULES[rule].severity == "quarantine":
            self.bad.add(row)

    def refuse_date(self, row: int, column: str, rule: str) -> None:
        """Note a date that cannot be used; a row can do without the day on which it ended."""
        if column != "intervention_end":
            self.report(row, column, rule)
            return
        number = self.people.numbers[row]
        self.problems.append(Problem(number, column, "end_date_not_used", RULES[rule].found))

    def note(self, column: str | None, rule: str) -> None:
        """Note a problem of a column or of the whole file."""
        self.problems.append(Problem(None, column, rule))

    def column(self, name: str) -> list:
        """Return a column's values, empty where the file has no such column."""
        return self.values.get(name) or [None] * len(self.people.rows)


def read_people(
    people: People, today: dt.date, *, window: Window | None = None, order: Order | None = None
) -> tuple[Rows, Count, list[Problem]]:
    """Read and judge every row.

    Parameters
    ----------
    people : People
        The rows as texts, at least one.
    today : datetime.date
        The day of the check.
    window : Window, optional
        First and last index date for which results can be given.
    order : {"day", "month"}, optional
        The order of day and month that the sender declares.

    Returns
    -------
    rows : Rows
    count : Count
    problems : list of Problem
    """
    people, remarks = without_remarks(people)
    reading = _Reading(people)
    reading.problems += [Problem(number, None, "not_a_person") for number in remarks]
    texts = {name: _texts(reading, name) for name in people.fields}
    # the template has every column; one that was left empty is as good as none
    texts = {name: cells for name, cells in texts.items() if name in REQUIRED or any(cells)}
    _read_names(reading, texts)
    _read_gender(reading, texts)
    _read_dates(reading, texts, today, order)
    _judge_dates(reading, today, window)
    _read_identifiers(reading, texts, today)
    for name in (n for n in _TEXTS if n in texts):
        reading.values[name] = [text or None for text in texts[name]]
    _read_extras(reading)
    persons = _find_repeats(reading)
    _judge_file(reading, today, window)
    usable = [i for i in reading.rows if i not in reading.bad]
    count = Count(len(set(persons)), len({persons[i] for i in usable}))
    extras = [name for name in reading.values if name.startswith(EXTRA)]
    return (
        Rows(
            _table(reading, usable, [*(field.name for field in FIELDS), *extras]),
            _table(reading, list(reading.rows), ["row_id", *SUBGROUPS, *extras]),
        ),
        count,
        reading.problems,
    )


def _texts(reading: _Reading, name: str) -> list[str]:
    """Return the cells of a field; several columns of aliases are joined."""
    columns = [reading.people.cells(column) for column in reading.people.fields[name]]
    joined = [" ; ".join(filter(None, cells)) for cells in zip(*columns, strict=True)]
    for i, text in enumerate(joined):
        if TOO_LONG in text or len(text) > LONGEST:
            reading.report(i, name, "cell_too_long")
            joined[i] = ""
    if name in REQUIRED and not any(joined):
        reading.note(name, "column_empty")
    return joined


def _too_long(reading: _Reading, row: int, name: str) -> bool:
    """Whether a cell is empty here because it was too long, which has been reported."""
    return row in reading.bad and any(
        TOO_LONG in cell or len(cell) > LONGEST
        for column in reading.people.fields[name]
        for cell in reading.people.rows[row][column : column + 1]
    )


def _read_names(reading: _Reading, texts: dict[str, list[str]]) -> None:
    """Read surname, forename, middle names and aliases."""
    for name in (n for n in _KNOWN_BY_NAME if n in texts):
        required = name in {"last_name", "first_name"}
        values: list[str | None] = []
        for i, text in enumerate(texts[name]):
            value, fault = read_name(text)
            if fault == "name_missing":
                if required and not _too_long(reading, i, name):
                    reading.report(i, name, f"{name}_missing")
            elif fault == "name_not_a_name" and not required:
                reading.report(i, name, "name_other_characters")
            elif fault and (required or fault == "name_garbled"):
                reading.report(i, name, fault)
            values.append(value or None)
        reading.values[name] = values


def _read_gender(reading: _Reading, texts: dict[str, list[str]]) -> None:
    """Read gender as M or F."""
    readings = read_genders(texts["gender"])
    for i, (_, fault) in enumerate(readings):
        if fault and not (fault == "gender_missing" and _too_long(reading, i, "gender")):
            reading.report(i, "gender", fault)
    reading.values["gender"] = [gender for gender, _ in readings]


def _read_dates(
    reading: _Reading, texts: dict[str, list[str]], today: dt.date, order: Order | None
) -> None:
    """Read every column of dates, each with its own order of day and month."""
    for name in (n for n in DATES if n in texts):
        cells = [
            "" if is_empty(text) or text.casefold() in STILL_GOING else text for text in texts[name]
        ]
        kind: Kind = "birth" if name == "date_of_birth" else "event"
        days = read_dates(cells, kind, today, order)
        for i, cell in enumerate(days):
            if cell.fault:
                reading.refuse_date(i, name, cell.fault)
            elif cell.day is None and kind == "birth" and not _too_long(reading, i, name):
                reading.report(i, name, "birth_date_missing")
        if any(cell.serial for cell in days):
            reading.note(name, "excel_serial")
        short = [i for i, cell in enumerate(days) if cell.two_digits]
        if 2 * len(short) > sum(map(bool, cells)):  # the column's way of writing
            reading.note(name, "two_digit_years")
        else:
            for i in short:
                reading.report(i, name, "two_digit_years")
        reading.values[name] = [cell.day for cell in days]
        _judge_days(reading, name, days, today)


def _judge_days(reading: _Reading, name: str, days: list[DateCell], today: dt.date) -> None:
    """Refuse days that no person of a submission can have; they stand as empty afterwards."""
    values = reading.values[name]
    for i, cell in enumerate(days):
        if cell.day is None:
            continue
        if name == "date_of_birth" and cell.day in PLACEHOLDERS:
            reading.report(i, name, "birth_date_placeholder")
        elif cell.day > today:
            reading.refuse_date(i, name, "date_in_future")
        elif name not in {"date_of_birth", "conviction_date"} and cell.day < FIRST_DAY:
            reading.report(i, name, "date_before_2000")
        else:
            continue
        values[i] = None


def _judge_dates(reading: _Reading, today: dt.date, window: Window | None) -> None:
    """Judge the dates of each row against each other."""
    birth, end = reading.column("date_of_birth"), reading.column("intervention_end")
    starts = {name: reading.column(name) for name in START_DATES}
    for i in reading.rows:
        given = {name: column[i] for name, column in starts.items() if column[i]}
        start = given.get("intervention_start")
        if not given and not _date_reported(reading, i):
            reading.report(i, None, "start_date_empty")
        if start and end[i] and end[i] < start:
            reading.report(i, "intervention_end", "end_before_start")
        if birth[i]:
            oldest = age_on(birth[i], max(given.values(), default=today))
            youngest = age_on(birth[i], min(given.values(), default=today))
            if not CRIMINAL <= youngest <= oldest <= OLDEST:
                reading.report(i, "date_of_birth", "birth_date_implausible")
                birth[i] = None
            elif start and age_on(birth[i], start) < CHILD:
                reading.report(i, "date_of_birth", "person_under_18")
        if window is not None and given and (column := outside(given, window)):
            reading.report(i, column, "outside_window")


def _date_reported(reading: _Reading, row: int) -> bool:
    """Whether a start date of the row was given but refused."""
    number = reading.people.numbers[row]
    return row in reading.bad and any(
        problem.row == number and problem.column in START_DATES
        for problem in reversed(reading.problems)
    )


def _read_identifiers(reading: _Reading, texts: dict[str, list[str]], today: dt.date) -> None:
    """Read the numbers; one that is not valid is dropped."""
    birth = reading.column("date_of_birth")
    for name in (n for n in IDENTIFIERS if n in texts):
        values: list[str | None] = []
        for i, text in enumerate(texts[name]):
            found = Identifier(None) if is_empty(text) else _identifier(name, text, today)
            value = found.value
            if found.fault:
                elsewhere = any(
                    _identifier(other, text, today).value for other in IDENTIFIERS if other != name
                )
                rule = "identifier_in_wrong_column" if elsewhere else f"{name}_invalid"
                reading.report(i, name, rule)
            elif name == "pnc_id" and value and birth[i] and _before(value, birth[i]):
                reading.report(i, name, "pnc_id_before_birth")
                value = None
            values.append(value)
        reading.values[name] = values
    if "postcode" in texts:
        postcodes = [read_postcode(text) for text in texts["postcode"]]
        for i, (_, fault) in enumerate(postcodes):
            if fault:
                reading.report(i, "postcode", fault)
        reading.values["postcode"] = [postcode for postcode, _ in postcodes]


def _before(pnc_id: str, birth: dt.date) -> bool:
    """Whether a canonical PNC ID is from a year before a birth."""
    return identifiers.year_of_pnc_id(pnc_id) < birth.year


def _identifier(name: str, text: str, today: dt.date) -> Identifier:
    """Read a number by the rules of its kind."""
    if name == "pnc_id":
        return identifiers.pnc_id(text, today.year)
    if name == "prison_number":
        return identifiers.prison_number(text)
    if name == "cro_number":
        return identifiers.cro_number(text)
    return identifiers.probation_number(text)


def _read_extras(reading: _Reading) -> None:
    """Keep columns with few values for sub-groups; cells without a column name are a fault."""
    people = reading.people
    for column, header in people.extras.items():
        cells = ["" if cell == TOO_LONG else cell for cell in people.cells(column)]
        levels = set(filter(None, cells))
        if not levels:
            continue
        if len(levels) > min(FEW_LEVELS, max(len(cells) // 5, 2)):
            reading.note(column_of(people, column), "unneeded_column")
            continue
        reading.note(column_of(people, column), "subgroup_column")
        reading.values[f"{EXTRA}{header[:60]}"] = [cell or None for cell in cells]
    wide = [i for i, row in enumerate(people.rows) if len(row) > people.width]
    # in most rows it is a column that has no name, in few a stray delimiter
    if 2 * len(wide) > len(people.rows):
        reading.note(column_letter(people.width), "unneeded_column")
    elif people.delimited:
        for i in wide:
            reading.report(i, None, "too_many_cells")


def _find_repeats(reading: _Reading) -> list[int]:
    """Find rows of the same person; return for each row the number of its person."""
    for name in ("pnc_id", "prison_number"):
        values = reading.values.get(name)
        if values is None:
            continue
        for i in shared_identifiers(values, reading.values):
            reading.report(i, name, "identifier_shared")
            values[i] = None
    persons = group_persons(reading.values)
    dates = [tuple(reading.column(name)[i] for name in START_DATES) for i in reading.rows]
    seen: dict[int, set[tuple]] = {}
    references: dict[str, int] = {}
    for i in reading.rows:
        before = seen.setdefault(persons[i], set())
        if dates[i] in before:
            reading.report(i, None, "duplicate_row")
        elif before:
            reading.report(i, None, "repeat_participation")
        before.add(dates[i])
        reference = reading.column("row_id")[i]
        if reference is not None and references.setdefault(reference, i) != i:
            reading.report(i, "row_id", "reference_twice")
    return persons


def _judge_file(reading: _Reading, today: dt.date, window: Window | None) -> None:
    """Judge what concerns all rows together."""
    numbered = [
        any(reading.column(name)[i] for name in ("pnc_id", "prison_number")) for i in reading.rows
    ]
    if not any(numbered):
        reading.note(None, "identifiers_missing")
    elif 2 * sum(numbered) < len(numbered):
        reading.note(None, "identifiers_few")
    if not any(reading.column("intervention_start")):
        reading.note("intervention_start", "intervention_start_missing")
    if not any(reading.column("intervention_end")):
        reading.note("intervention_end", "intervention_end_missing")
    latest = [max(filter(None, days), default=None) for days in zip(
        *(reading.column(name) for name in START_DATES), strict=True
    )]  # fmt: skip
    if window is None and any(day is not None and day > today - WAIT for day in latest):
        reading.note(None, "too_recent")


def _table(reading: _Reading, rows: list[int], names: list[str]) -> pa.Table:
    """Return columns of some rows as an Arrow table."""
    columns = {"row": pa.array([reading.people.numbers[i] for i in rows], pa.int64())}
    for name in names:
        values = reading.column(name)
        kind = pa.date32() if name in DATES else pa.string()
        columns[name] = pa.array([values[i] for i in rows], kind)
    return pa.table(columns)
