"""How an organisation writes people down: nicknames, slips of the hand, swapped fields, half dates.

About 29 rows of 100 have some problem. Every slip is decided by uniform numbers that the caller
gives, so that a submission is the same on every machine.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from engine.records.synthetic.identities import short_of

_EPOCH = dt.date(1970, 1, 1)
_KEYS = "qwertyuiopasdfghjklzxcvbnm"

PROBLEMS = (
    ("nickname", 0.105),
    ("typing error in the forename", 0.035),
    ("typing error in the surname", 0.049),
    ("middle name used", 0.021),
    ("names swapped", 0.028),
    ("other surname used", 0.070),
    ("half of a double surname", 0.028),
    ("day and month swapped", 0.031),
    ("date of birth mistyped", 0.035),
    ("date of birth missing", 0.017),
    ("punctuation", 0.042),
)
"""Chance of each problem, drawn one by one; some need what a person may not have."""

PNC_GIVEN, PRISON_GIVEN = 0.45, 0.60
PNC_MISTYPED, PRISON_MISTYPED, SOMEBODY_ELSES = 0.04, 0.03, 0.004


class Person(NamedTuple):
    """What the records say of one person; None where they say nothing."""

    first: str
    middle: str | None
    last: str
    other_last: str | None
    birth: dt.date | None
    male: bool
    pnc: str | None
    prison: str | None


class Written(NamedTuple):
    """One row as typed, and which problems it has."""

    first: str
    last: str
    birth: str
    gender: str
    pnc: str
    prison: str
    problems: tuple[str, ...]


def date_of(day: int) -> dt.date:
    """Return the date of a day since 1970-01-01."""
    return _EPOCH + dt.timedelta(days=day)


def day_first(date: dt.date) -> str:
    """Return a date as people in the United Kingdom write it."""
    return f"{date.day:02d}/{date.month:02d}/{date.year}"


def slip(text: str, u: float, v: float) -> str:
    """Return the text with one slip: two letters swapped, one lost, doubled, or a wrong key."""
    if len(text) < 3:
        return text + text[-1:]
    place = 1 + min(int(u * (len(text) - 2)), len(text) - 3)
    kind = int(v * 4)
    if kind == 0 and text[place] != text[place + 1]:
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    if kind == 1:
        return text[:place] + text[place + 1 :]
    if kind == 2:
        return text[:place] + text[place] + text[place:]
    near = _KEYS.find(text[place].lower())
    wrong = _KEYS[(near + 1) % len(_KEYS)] if near >= 0 else "x"
    return text[:place] + wrong + text[place + 1 :]


def wrong_digit(text: str, u: float, v: float) -> str:
    """Return the text with another digit in place of one of its digits."""
    digits = [place for place, letter in enumerate(text) if letter.isdigit()]
    if not digits:
        return text
    place = digits[min(int(u * len(digits)), len(digits) - 1)]
    digit = (int(text[place]) + 1 + min(int(v * 9), 8)) % 10
    return f"{text[:place]}{digit}{text[place + 1 :]}"


def pnc_style(pnc: str, u: float) -> str:
    """Return a stored PNC ID in one of five ways in which people write it."""
    year, rest = pnc.split("/")
    short = rest[:-1].lstrip("0") or "0"
    styles = (
        pnc,
        f"{year[2:]}/{short}{rest[-1]}",
        f"{year}{rest}",
        f"{year[2:]}/{rest}",
        f"{year}/{short}{rest[-1]}".lower(),
    )
    return styles[min(int(u * 5), 4)]


def write_row(person: Person, stranger: Person, u: list[float]) -> Written:
    """Return the row as the organisation types it.

    Parameters
    ----------
    person : Person
    stranger : Person
        Whose identifiers a mix-up would bring in.
    u : list of float, 32 long
        Uniform numbers.

    Returns
    -------
    Written
    """
    problems = {name for (name, chance), x in zip(PROBLEMS, u, strict=False) if x < chance}
    first, last, birth = person.first, person.last, person.birth
    done = []
    short = short_of(first)
    if "nickname" in problems and short is not None:
        first = short
        done.append("nickname")
    elif "middle name used" in problems and person.middle:
        first = person.middle
        done.append("middle name used")
    if "other surname used" in problems and person.other_last:
        last = person.other_last
        done.append("other surname used")
    if "half of a double surname" in problems and "-" in last:
        last = last.split("-")[int(u[11] * 2)]
        done.append("half of a double surname")
    if "typing error in the forename" in problems:
        first = slip(first, u[12], u[13])
        done.append("typing error in the forename")
    if "typing error in the surname" in problems:
        last = slip(last, u[14], u[15])
        done.append("typing error in the surname")
    if "punctuation" in problems:
        last = last.replace("'", "").replace("-", " ") if u[16] < 0.5 else last.upper()
        first = f" {first}" if u[16] < 0.25 else first.upper()
        done.append("punctuation")
    if "names swapped" in problems:
        first, last = last, first
        done.append("names swapped")
    text = day_first(birth) if birth is not None else ""
    if birth is not None and "date of birth missing" in problems:
        text = ""
        done.append("date of birth missing")
    elif birth is not None and "day and month swapped" in problems and birth.day <= 12:
        text = f"{birth.month:02d}/{birth.day:02d}/{birth.year}"
        if birth.month != birth.day:
            done.append("day and month swapped")
    elif birth is not None and "date of birth mistyped" in problems:
        text = _mistyped(birth, u[17], u[18])
        done.append("date of birth mistyped")
    pnc, prison = _identifiers(person, stranger, u, done)
    gender = ("M", "Male", "male")[int(u[29] * 3)] if person.male else "F"
    if not person.male and u[29] < 0.6:
        gender = "Female"
    return Written(first, last, text, gender, pnc, prison, tuple(done))


def _mistyped(birth: dt.date, u: float, v: float) -> str:
    """Return another date that differs in the day, the month or the year."""
    if u < 0.4:
        other = birth.replace(day=birth.day % 28 + 1)
    elif u < 0.6:
        other = birth.replace(day=min(birth.day, 28), month=birth.month % 12 + 1)
    else:
        other = birth.replace(day=min(birth.day, 28), year=birth.year + (1 if v < 0.5 else -1))
    return day_first(other)


def _identifiers(
    person: Person, stranger: Person, u: list[float], done: list[str]
) -> tuple[str, str]:
    """Return the PNC ID and the prison number as typed, empty where not given."""
    source = stranger if u[19] < SOMEBODY_ELSES else person
    pnc = prison = ""
    if source.pnc is not None and u[20] < PNC_GIVEN:
        pnc = pnc_style(source.pnc, u[21])
        if u[22] < PNC_MISTYPED:
            pnc = wrong_digit(pnc, u[23], u[24])
            done.append("PNC ID mistyped")
    if source.prison is not None and u[25] < PRISON_GIVEN:
        prison = source.prison
        if u[26] < PRISON_MISTYPED:
            prison = wrong_digit(prison, u[27], u[28])
            done.append("prison number mistyped")
    if source is stranger and (pnc or prison):
        done.append("somebody else's identifier")
    return pnc, prison
