"""Dates as people write them: United Kingdom order, ISO, months in words, Excel serial numbers.

A date that could be two days is reported and not guessed. Which order a column is written in
follows from the whole column: dates such as 25/12 can only be day first, 12/25 only month first.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Order = Literal["day", "month"]
Kind = Literal["birth", "event"]

LONGEST = 60
"""Characters of the longest date; a longer text is not searched for one."""

YOUNGEST, OLDEST = 10, 99
"""Ages in whole years that a two-digit year of birth may mean: 10 is the age of criminal
responsibility in England and Wales. No two-digit year has two readings in a span of 90 years."""

SERIAL_DAY_0 = dt.date(1899, 12, 30)
"""Day 0 of spreadsheets for all days after February 1900."""

FIRST_SERIAL, LAST_SERIAL = 10_000, 73_050
"""Serial numbers from May 1927 to the end of 2099: five digits are never a year."""

MONTH_FIRST_SHARE = 0.1
"""Above this many month-first dates for each day-first one, a column's order is in doubt."""

FEWEST_TELLING = 6
"""With this many dates on both sides, chance makes the pattern of exchanged dates less than once in
ten thousand columns."""

PLACEHOLDERS = frozenset({dt.date(1900, 1, 1), dt.date(1970, 1, 1)})
"""Dates of birth that systems write for 'unknown'."""

_TIME = re.compile(
    r"[T ]\s*\d{1,2}:\d{2}(:\d{2})?([.,]\d{1,9})?(\s?[AP]M)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
_YEAR_FIRST = re.compile(r"(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})\s?[-/.,\\ ]\s?(\d{1,2})\s?[-/.,\\ ]\s?(\d{4}|\d{2})", re.ASCII)
_DIGITS = re.compile(r"\d{8}", re.ASCII)
_SERIAL = re.compile(r"(\d{5})(\.\d{1,17})?", re.ASCII)
_YEAR = re.compile(r"(19|20)\d{2}", re.ASCII)
_WEEKDAY = r"(?:(?:MON|TUE|WED|THU|FRI|SAT|SUN)[A-Z]{0,6}\.?,?\s)?"
_MONTH_SECOND = re.compile(
    _WEEKDAY + r"(\d{1,2})(?:ST|ND|RD|TH)?[-/., ]{0,2}(?:OF )?([A-Z]{3,9})[-/., ]{0,2}"
    r"(\d{4}|\d{2})",
    re.ASCII,
)
_MONTH_BEFORE = re.compile(
    _WEEKDAY + r"([A-Z]{3,9})[. ]{1,2}(\d{1,2})(?:ST|ND|RD|TH)?[, ]{1,2}(\d{4}|\d{2})", re.ASCII
)
_MONTHS = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER",
    "OCTOBER", "NOVEMBER", "DECEMBER",
)  # fmt: skip
_MONTH_NUMBERS = {
    **{name: i for i, name in enumerate(_MONTHS, 1)},
    **{name[:3]: i for i, name in enumerate(_MONTHS, 1)},
    "SEPT": 9,
}


@dataclass(frozen=True)
class DateCell:
    """One cell of a column of dates.

    Attributes
    ----------
    day : datetime.date or None
        None for an empty cell and where there is a fault.
    fault : str
        Empty, or the rule that was broken: ``date_unreadable``, ``date_impossible``,
        ``date_month_first``, ``date_ambiguous``, ``date_exchanged``, ``date_year_only``,
        ``date_century_unclear``.
    two_digits : bool
        The year was written with two digits.
    serial : bool
        The cell held a spreadsheet's serial number.
    """

    day: dt.date | None
    fault: str = ""
    two_digits: bool = False
    serial: bool = False


@dataclass(frozen=True)
class _Numbers:
    """Two numbers whose order is that of the column, and a year."""

    first: int
    second: int
    year: str


def read_dates(
    cells: Sequence[str], kind: Kind, today: dt.date, order: Order | None = None
) -> list[DateCell]:
    """Read a whole column of dates.

    Parameters
    ----------
    cells : sequence of str
        The texts of the cells, stripped; empty for an empty cell.
    kind : {"birth", "event"}
        Decides what a two-digit year means. Birth: the year that makes the person 10 to 99 years
        old today. Event: this century.
    today : datetime.date
        The day of the check.
    order : {"day", "month"}, optional
        The order that the sender declares. None: day first, as in the United Kingdom; where more
        than one in eleven of the telling dates of the column can only be month first, dates that
        could be both are reported as ambiguous.

    Notes
    -----
    A spreadsheet program that is set to month first makes a date of ``03/11/2013``, with day and
    month exchanged, and leaves ``13/11/2013`` as text. Where all dates of a column have a day up to
    12 and all other cells begin above 12, at least six of each, those dates are reported whatever
    the order is said to be, unless both orders give the same day.

    Returns
    -------
    list of DateCell
        One for each cell.
    """
    parsed = [_parse(cell, kind, today) for cell in cells]
    numbers = [one for one in parsed if isinstance(one, _Numbers)]
    day_first = sum(n.first > 12 >= n.second for n in numbers)
    month_first = sum(n.first <= 12 < n.second <= 31 for n in numbers)
    doubtful = order is None and month_first > MONTH_FIRST_SHARE * day_first
    read = [
        _in_order(one, order, kind, today, doubtful=doubtful) if isinstance(one, _Numbers) else one
        for one in parsed
    ]
    if day_first == len(numbers) >= FEWEST_TELLING:
        for i in _exchanged(cells, read):
            read[i] = DateCell(None, "date_exchanged")
    return read


def _exchanged(cells: Sequence[str], read: Sequence[DateCell]) -> list[int]:
    """Return the dates of which a spreadsheet program set to month first has made another day.

    All other cells begin above 12, which such a program leaves as text.
    """
    dates = [
        (i, one.day)
        for i, (cell, one) in enumerate(zip(cells, read, strict=True))
        if one.day and _YEAR_FIRST.match(cell)
    ]
    if len(dates) < FEWEST_TELLING or any(day.day > 12 for _, day in dates):
        return []
    return [i for i, day in dates if day.day != day.month]


def age_on(birth: dt.date, day: dt.date) -> int:
    """Return the age in whole years on a day; negative before birth."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def _parse(text: str, kind: Kind, today: dt.date) -> DateCell | _Numbers:
    """Return the cell, or its numbers where the order of the column decides."""
    if not text:
        return DateCell(None)
    if len(text) > LONGEST:
        return DateCell(None, "date_unreadable")
    plain = " ".join(text.upper().split())
    if (tail := _TIME.search(plain)) and tail.end() == len(plain) and tail.start():
        plain = plain[: tail.start()]
    if found := _YEAR_FIRST.fullmatch(plain):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if found := _YEAR_LAST.fullmatch(plain):
        return _Numbers(int(found[1]), int(found[2]), found[3])
    if found := _SERIAL.fullmatch(plain):
        number = int(found[1])
        if FIRST_SERIAL <= number <= LAST_SERIAL:
            return DateCell(SERIAL_DAY_0 + dt.timedelta(number), serial=True)
        return DateCell(None, "date_unreadable")
    if _DIGITS.fullmatch(plain):
        return _eight_digits(plain)
    if _YEAR.fullmatch(plain):
        return DateCell(None, "date_year_only")
    for pattern, day_at, month_at in ((_MONTH_SECOND, 1, 2), (_MONTH_BEFORE, 2, 1)):
        found = pattern.fullmatch(plain)
        if found and (month := _MONTH_NUMBERS.get(found[month_at])):
            return _with_year(int(found[day_at]), month, found[3], kind, today)
    return DateCell(None, "date_unreadable")


def _in_order(
    numbers: _Numbers, order: Order | None, kind: Kind, today: dt.date, *, doubtful: bool
) -> DateCell:
    """Return the day that two numbers and a year stand for."""
    first, second, year = numbers.first, numbers.second, numbers.year
    if order == "month":
        return _with_year(second, first, year, kind, today)
    if first <= 12 < second <= 31:
        return DateCell(None, "date_month_first")
    if doubtful and first <= 12 and second <= 12 and first != second:
        return DateCell(None, "date_ambiguous")
    return _with_year(first, second, year, kind, today)


def _with_year(day: int, month: int, year: str, kind: Kind, today: dt.date) -> DateCell:
    """Return the day, with the century that a two-digit year means."""
    if len(year) == 4:
        return _day(int(year), month, day)
    short = int(year)
    if kind == "event":
        return _day(2000 + short, month, day, two_digits=True)
    cells = [_day(century + short, month, day, two_digits=True) for century in (1900, 2000)]
    if all(cell.day is None for cell in cells):
        return cells[0]
    fitting = [c for c in cells if c.day and YOUNGEST <= age_on(c.day, today) <= OLDEST]
    return fitting[0] if len(fitting) == 1 else DateCell(None, "date_century_unclear")


def _eight_digits(plain: str) -> DateCell:
    """Return the day of YYYYMMDD or DDMMYYYY; in years from 1900 to 2099 only one can hold."""
    days = [
        cell.day
        for cell in (
            _day(int(plain[:4]), int(plain[4:6]), int(plain[6:])),
            _day(int(plain[4:]), int(plain[2:4]), int(plain[:2])),
        )
        if cell.day is not None and 1900 <= cell.day.year <= 2099
    ]
    if len(days) > 1:
        return DateCell(None, "date_ambiguous")
    return DateCell(days[0]) if days else DateCell(None, "date_impossible")


def _day(year: int, month: int, day: int, *, two_digits: bool = False) -> DateCell:
    """Return the day if the calendar has it."""
    try:
        return DateCell(dt.date(year, month, day), two_digits=two_digits)
    except ValueError:
        return DateCell(None, "date_impossible")
