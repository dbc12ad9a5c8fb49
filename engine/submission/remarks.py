"""Rows of a table of people that are no people: totals below it, headings and notes within it."""

from __future__ import annotations

import re
from dataclasses import replace

from engine.submission.fields import DATES, IDENTIFIERS
from engine.submission.layout import People
from engine.submission.values import is_empty

_NAMES = ("last_name", "first_name")
_FACTS = ("gender", *DATES, *IDENTIFIERS)
_TOTAL = re.compile(
    r"(?:grand |sub[- ]?)?totals?\b|number of |count\b|notes?\b|source\b", re.IGNORECASE
)


def without_remarks(people: People) -> tuple[People, list[int]]:
    """Take the rows out that tell nothing of a person by which anybody could be found.

    A row without gender, date and number that has not both names is a remark; so is one that begins
    like a total and has at most two cells of a person. Any other may be a person with empty cells
    and stays. Where every row is like that, none is taken out: more than a row is wrong then.

    Parameters
    ----------
    people : People
        The rows as texts.

    Returns
    -------
    people : People
        Those that are left.
    numbers : list of int
        Numbers of the rows taken out, as the sender sees them.
    """
    kept, left = [], []
    for number, row in zip(people.numbers, people.rows, strict=True):
        names, facts = _filled(people, row, _NAMES), _filled(people, row, _FACTS)
        like_a_total = _TOTAL.match(next(filter(None, row), ""))
        if names + facts <= 2 if like_a_total else names <= 1 and not facts:
            left.append(number)
        else:
            kept.append((number, row))
    if not kept:
        return people, []
    numbers, rows = zip(*kept, strict=True)
    return replace(people, numbers=numbers, rows=rows), left


def _filled(people: People, row: list[str], names: tuple[str, ...]) -> int:
    """Return how many cells of some fields say something."""
    columns = (i for name in names for i in people.fields.get(name, ()))
    return sum(i < len(row) and not is_empty(row[i]) for i in columns)
