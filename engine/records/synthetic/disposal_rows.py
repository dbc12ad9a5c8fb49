"""Disposals of one block: those of careers, and breaches and penalty notices that never count."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.records.synthetic import offence_codes as codes
from engine.records.synthetic.careers import Careers
from engine.records.synthetic.people import BLOCK, STAGE_RECORDS, Ints, People, uniforms
from engine.records.synthetic.world import CAUTION, COMMUNITY, FINE, KINDS, LIFE, SUSPENDED, Floats

Flags = NDArray[np.bool_]

ROWS_OF_A_BLOCK = BLOCK * 1024
"""Numbers kept free for the rows of one block, so that every block numbers its own."""

NOTICES, BREACHES = 0.05, 0.22
"""Chance that a penalty notice follows a disposal within a year, that an order is breached."""
ADDED_BREACH = 0.16
"""Chance that a breach is dealt with beside later offences."""
ADDED_MOTORING, ADDED_MINOR = (0.80, 0.50, 0.20), (0.44, 0.18)
"""Chances that at least one, two, three offences that are not recordable are dealt with in court
beside a motoring offence, and beside any other."""


class Disposals(NamedTuple):
    """Disposals of one block before they become a table; int64 but where said, shape (rows,).

    Parameters
    ----------
    person, day, proven, index_day, kind, mode, outcome, items, length, leave
        As in :class:`Careers`.
    source : row of the career, -1 for what is no event of a career
    code : position in ``CODES`` of the principal offence where ``source`` is -1, else -1
    notice : bool, whether a penalty notice
    breach, minor : numbers of offences added that are never reoffences
    number : disposal_id
    """

    person: Ints
    day: Ints
    proven: Ints
    index_day: Ints
    kind: Ints
    mode: Ints
    outcome: Ints
    items: Ints
    length: Ints
    leave: Ints
    source: Ints
    code: Ints
    notice: Flags
    breach: Ints
    minor: Ints
    number: Ints


def row_uniforms(people: People, person: Ints, seed: int, calls: int, salt: int) -> Floats:
    """Return ``4 * calls`` uniform numbers for each row, a function of seed, person and row rank.

    Parameters
    ----------
    people : People
    person : int64, shape (rows,)
        Rows of a person stand together.
    seed : int
    calls, salt : int
        Numbers of draws, and what tells one use from another.

    Returns
    -------
    float64, shape (4 * calls, rows)
    """
    new = np.ones(len(person), dtype=bool)
    new[1:] = person[1:] != person[:-1]
    place = np.arange(len(person))
    rank = place - np.maximum.accumulate(np.where(new, place, 0))
    unit = people.unit[person] * np.uint64(4096) + rank.astype(np.uint64)
    return uniforms(unit, STAGE_RECORDS + 16 * salt, seed, calls)


def make_disposals(people: People, careers: Careers, seed: int, last_day: int) -> Disposals:
    """Return the disposals known on the day of the extract, in order of person and date.

    Parameters
    ----------
    people : People
    careers : Careers
    seed : int
    last_day : int

    Returns
    -------
    Disposals
    """
    known = np.flatnonzero(careers.proven <= last_day)
    base = [column[known] for column in careers]
    person, day, proven, index, kind, mode, outcome, items, before, length, leave = base
    u = row_uniforms(people, person, seed, 3, 1)
    none = np.zeros(len(person), dtype=np.int64)
    motoring = kind == KINDS.index("summary motoring")
    minor = np.where(
        motoring,
        sum((u[1] < chance).astype(np.int64) for chance in ADDED_MOTORING),
        sum((u[1] < chance).astype(np.int64) for chance in ADDED_MINOR),
    )
    own = Disposals(
        person,
        day,
        proven,
        index,
        kind,
        mode,
        outcome,
        items,
        length,
        leave,
        known,
        none - 1,
        none > 0,
        ((before > 0) & (u[0] < ADDED_BREACH)).astype(np.int64),
        np.where(outcome == CAUTION, 0, minor),
        none,
    )
    # the person's next event, which what follows must not overtake: nobody breaches an order
    # or draws a notice while a later sentence may already hold them
    free_until = np.minimum(people.exit_day[person], last_day)
    free_until[:-1] = np.where(person[1:] == person[:-1], day[1:], free_until[:-1])
    order = (outcome == COMMUNITY) | (outcome == SUSPENDED)
    breached = index + 20 + (u[2] * np.minimum(length, 300)).astype(np.int64)
    noticed = index + 1 + (u[3] * 364).astype(np.int64)
    pieces = [
        own,
        _extra(own, (u[4] < BREACHES) & order, breached, 35, codes.BREACH, False, free_until),
        _extra(own, u[5] < NOTICES, noticed, 0, codes.NOTICE, True, free_until),
    ]
    columns: Any = [np.concatenate(column) for column in zip(*pieces, strict=True)]
    joined = Disposals(*columns)
    order_of_rows = np.lexsort((joined.day, joined.proven, joined.person))
    ordered: Any = [column[order_of_rows] for column in joined]
    rows = Disposals(*ordered)
    first = int(people.unit[0]) // BLOCK * ROWS_OF_A_BLOCK + 1
    return rows._replace(number=np.arange(len(rows.person)) + first)


def _extra(
    own: Disposals,
    chosen: Flags,
    day: Ints,
    delay: int,
    code: int,
    notice: bool,
    free_until: Ints,
) -> Disposals:
    """Return disposals for a breach or a penalty notice, each of a single offence."""
    rows = np.flatnonzero(chosen & (day + delay < free_until) & (own.outcome != LIFE))
    zero = np.zeros(len(rows), dtype=np.int64)
    proven = day[rows] + delay
    return Disposals(
        person=own.person[rows],
        day=day[rows],
        proven=proven,
        index_day=proven,
        kind=zero + KINDS.index(codes.CODES[code].kind),
        mode=zero + codes.SUMMARY,
        outcome=zero + FINE,
        items=zero + 1,
        length=zero,
        leave=zero - 1,
        source=zero - 1,
        code=zero + code,
        notice=np.full(len(rows), notice),
        breach=zero,
        minor=zero,
        number=zero,
    )
