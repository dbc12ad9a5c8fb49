"""Stays in custody: spells that touch, joined, so that a stay ends with a real release."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.cohort.rules import FOREVER, Days

_SHIFT = 1 << 33
_BASE = 1 << 32


@dataclass(frozen=True)
class Stays:
    """Stays of people, in order of person and day; no two of a person touch.

    Parameters
    ----------
    people : int64, shape (k,)
        Ascending.
    owner : int64, shape (n,)
        Place of the person in ``people``.
    received, released : int32, shape (n,)
        ``FOREVER`` for who is still inside.
    """

    people: NDArray[np.int64]
    owner: NDArray[np.int64]
    received: Days
    released: Days


def join_spells(person: NDArray[np.int64], received: Days, released: Days) -> Stays:
    """Join spells that overlap or follow each other on the same day.

    Parameters
    ----------
    person : int64, shape (n,)
    received, released : int32, shape (n,)
        ``FOREVER`` for a spell that has not ended; one that ends before it begins is left out.

    Notes
    -----
    A remand that becomes a sentence, or a move between prisons, is one stay. Sorting dominates.
    """
    sound = released >= received
    person, received, released = person[sound], received[sound], released[sound]
    order = np.lexsort((received, person))
    person, received, released = person[order], received[order], released[order]
    people = distinct(person)
    owner = np.searchsorted(people, person)
    # the last release so far within the person: a later person's keys are all larger
    so_far = np.maximum.accumulate(_key(owner, released))
    new = np.ones(len(owner), dtype=bool)
    new[1:] = _key(owner[1:], received[1:]) > so_far[:-1]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(owner)) - 1 if len(first) else first
    ends = (so_far[last] - owner[last] * _SHIFT - _BASE).astype(np.int32)
    return Stays(people, owner[first], received[first], ends)


def first_stay_ending_after(
    stays: Stays, person: NDArray[np.int64], day: Days
) -> tuple[Days, Days]:
    """Return reception and release of each person's first stay that ends after a day.

    Returns
    -------
    received, released : int32, shape (n,)
        ``FOREVER`` and ``FOREVER`` where there is none: no day lies in it.
    """
    none = np.full(len(person), FOREVER, dtype=np.int32)
    if not len(stays.owner):
        return none, none
    place = np.minimum(np.searchsorted(stays.people, person), len(stays.people) - 1)
    known = stays.people[place] == person
    found = np.searchsorted(_key(stays.owner, stays.released), _key(place, day), side="right")
    known &= found < len(stays.owner)
    found = np.minimum(found, len(stays.owner) - 1)
    known &= stays.owner[found] == place
    return (
        np.where(known, stays.received[found], FOREVER).astype(np.int32),
        np.where(known, stays.released[found], FOREVER).astype(np.int32),
    )


def distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the different values, ascending; at once where they are in order already."""
    if np.any(values[1:] < values[:-1]):
        values = np.sort(values)
    new = np.ones(len(values), dtype=bool)
    new[1:] = values[1:] != values[:-1]
    return values[new]


def person_days(
    people: NDArray[np.int64], person: NDArray[np.int64], day: Days
) -> NDArray[np.int64]:
    """Return person and day as one number that sorts by both, -1 for somebody not in ``people``.

    Parameters
    ----------
    people : int64, shape (k,)
        Ascending.
    person : int64, shape (n,)
    day : int32, shape (n,)
    """
    if not len(people):
        return np.full(len(person), -1)
    place = np.minimum(np.searchsorted(people, person), len(people) - 1)
    return np.where(people[place] == person, _key(place, day), -1)


def _key(owner: NDArray[np.int64], day: Days) -> NDArray[np.int64]:
    """Return one number that sorts by person and then by day."""
    return owner * _SHIFT + _BASE + day
