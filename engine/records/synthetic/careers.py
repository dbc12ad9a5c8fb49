"""Offending careers of one block of people: events, proof, sentences and custody."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.records.synthetic.people import STAGE_CAREERS, Ints, People
from engine.records.synthetic.world import World
from kernels.recurrent import OVERFLOW, follow_into, simulate

_MASK = 0xFFFFFFFFFFFFFFFF
NOT_RELEASED = 100_000
"""Days after the extract that stand for the release of people who left custody otherwise."""


class Careers(NamedTuple):
    """Events of one block, persons together and in order of days; all int64, shape (events,).

    Parameters
    ----------
    person : position of the person in the block
    day : day of the offences (days since 1970-01-01)
    proven : day of the conviction or caution
    index_day : release from custody, else ``proven``
    kind, mode, outcome : positions in ``KINDS``, ``TRIAL_MODES`` and ``OUTCOMES``
    items : offences in the event
    before : offences in the person's earlier events
    length : days of the sentence or order
    leave : first day in custody, -1 where none
    """

    person: Ints
    day: Ints
    proven: Ints
    index_day: Ints
    kind: Ints
    mode: Ints
    outcome: Ints
    items: Ints
    before: Ints
    length: Ints
    leave: Ints


def simulate_careers(people: People, world: World, seed: int, last_day: int) -> Careers:
    """Return every event up to the last day that was proven before the person died or left.

    Parameters
    ----------
    people : People
    world : World
    seed : int
        128 bits.
    last_day : int
        Day of the extract; an event may be proven after it.

    Returns
    -------
    Careers
    """
    capacity = 12 * len(people.unit)
    while True:
        columns = [np.empty(capacity, dtype=np.int64) for _ in Careers._fields]
        rows = simulate(
            people.unit,
            np.uint64(STAGE_CAREERS),
            np.uint64(seed & _MASK),
            np.uint64(seed >> 64),
            people.first_day,
            people.birth_day,
            people.factor,
            last_day,
            *world,
            *columns,
        )
        if rows != OVERFLOW:
            return _until_exit(people, Careers(*(column[:rows] for column in columns)), last_day)
        capacity *= 2


def _until_exit(people: People, careers: Careers, last_day: int) -> Careers:
    """Leave out what would be proven after an exit; who would be released later never is."""
    exit_day = people.exit_day[careers.person]
    kept = np.flatnonzero(careers.proven <= exit_day)
    ended = Careers(*(column[kept] for column in careers))
    inside = ended.index_day > exit_day[kept]
    return ended._replace(index_day=np.where(inside, last_day + NOT_RELEASED, ended.index_day))


def add_months(day: Ints, months: int) -> Ints:
    """Return the same day of the month some months later, clipped to the month's end."""
    date = day.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    within = (date - month.astype("datetime64[D]")).astype(np.int64)
    target = month + np.timedelta64(months, "M")
    begin = target.astype("datetime64[D]").astype(np.int64)
    end = (target + 1).astype("datetime64[D]").astype(np.int64)
    return np.minimum(begin + within, end - 1)


def follow_up(careers: Careers) -> tuple[Ints, Ints]:
    """Return the proven reoffences of the year after each index day, and days to the first.

    Notes
    -----
    An offence counts if index < day <= index + 12 months and it is proven by index + 18 months.
    """
    counts = np.empty(len(careers.day), dtype=np.int64)
    first = np.empty(len(careers.day), dtype=np.int64)
    follow_into(
        careers.person,
        careers.day,
        careers.proven,
        careers.items,
        careers.index_day,
        add_months(careers.index_day, 12),
        add_months(careers.index_day, 18),
        counts,
        first,
    )
    return counts, first
