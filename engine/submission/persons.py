"""Which rows of one file are the same person, by names, birth date and numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from engine.submission.values import comparable


def group_persons(values: Mapping[str, Sequence[Any]]) -> list[int]:
    """Return for each row the place of the first row of the same person.

    Parameters
    ----------
    values : mapping of str to sequence
        Columns of equal length: ``last_name``, ``first_name``, ``date_of_birth`` and, where given,
        ``pnc_id`` and ``prison_number``; None for what is not known.

    Returns
    -------
    list of int

    Notes
    -----
    Two rows are one person if names and birth date agree, or if they have the same number; numbers
    of rows that contradict each other have been taken out by :func:`shared_identifiers`. A row
    without a full name or birth date and without a number is a person of its own.
    """
    names = list(zip(values["last_name"], values["first_name"], strict=True))
    births = values["date_of_birth"]
    parent = list(range(len(names)))
    first: dict[tuple, int] = {}

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, ((last, given), birth) in enumerate(zip(names, births, strict=True)):
        keys: list[tuple] = [
            (kind, values[kind][i])
            for kind in ("pnc_id", "prison_number")
            if kind in values and values[kind][i]
        ]
        if last and given and birth:
            keys.append((comparable(last), comparable(given), birth))
        for key in keys:
            one, other = sorted((root(first.setdefault(key, i)), root(i)))
            parent[other] = one
    return [root(i) for i in range(len(names))]


def shared_identifiers(
    numbers: Sequence[str | None], values: Mapping[str, Sequence[Any]]
) -> list[int]:
    """Return the rows whose number stands on rows of different people.

    Parameters
    ----------
    numbers : sequence of str or None
        Canonical numbers of one kind.
    values : mapping of str to sequence
        As for :func:`group_persons`.

    Notes
    -----
    Rows contradict each other where surname, forename and birth date are all given in both and
    fewer than two of the three agree.
    """
    rows = defaultdict(list)
    for i, number in enumerate(numbers):
        if number is not None:
            rows[number].append(i)
    shared = []
    for places in rows.values():
        known = [
            (comparable(last), comparable(given), birth)
            for i in places
            for last, given, birth in [
                (values["last_name"][i], values["first_name"][i], values["date_of_birth"][i])
            ]
            if last and given and birth
        ]
        if any(sum(a == b for a, b in zip(known[0], one, strict=True)) < 2 for one in known[1:]):
            shared += places
    return sorted(shared)
