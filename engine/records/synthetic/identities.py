"""Zone I of one block: names, aliases, birth dates and identifiers as the police recorded them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.records.code_lists import IDENTIFIER_TYPES, SEXES
from engine.records.schema import PERSON_ALIASES, PERSON_IDENTIFIERS, PERSONS
from engine.records.synthetic.identifiers import (
    case_numbers,
    cro_numbers,
    pnc_ids,
    prison_numbers,
    serial_numbers,
)
from engine.records.synthetic.name_lists import NICKNAMES
from engine.records.synthetic.names import (
    ASIAN,
    BLACK,
    EASTERN,
    ERAS,
    FORENAMES,
    SURNAMES,
    WHITE,
    draw_groups,
)
from engine.records.synthetic.offence_codes import coded
from engine.records.synthetic.people import STAGE_NAMES, Ints, People, uniforms, year_starts
from engine.records.synthetic.world import FIRST_YEAR, Floats

Flags = NDArray[np.bool_]

_ORIGIN_SHARES = (0.79, 0.87, 0.96)
"""Cumulative shares of names from white British, South Asian, black, and Eastern families."""
_MISSING_BIRTH, _NEW_YEAR = 0.004, 0.02
_PNC, _CRO, _CRN = 0.985, 0.85, 0.7
"""Shares of people who have the identifier (prison numbers: those who were in prison; case
numbers: those who were supervised)."""
_ALIAS = 0.15
_SECOND_PNC = 0.01


class Identities(NamedTuple):
    """What the records call the people of one block; texts are Arrow arrays.

    Parameters
    ----------
    first, last, middle : pyarrow string arrays
        Recorded names.
    other_last : pyarrow string array
        A maiden, married or adopted surname, null where none.
    birth_day : int64, shape (n,)
        Recorded day of birth.
    birth_known : bool, shape (n,)
    origin : int64, shape (n,)
        Where the names come from.
    foreign : bool, shape (n,)
        Whether the nationality is another than that of the United Kingdom.
    pnc, cro, prison, crn : pyarrow string arrays
        Null where the person has none.
    tables : dict of pyarrow.Table
        The tables of zone I.
    """

    first: pa.Array
    last: pa.Array
    middle: pa.Array
    other_last: pa.Array
    birth_day: Ints
    birth_known: Flags
    origin: Ints
    foreign: Flags
    pnc: pa.Array
    cro: pa.Array
    prison: pa.Array
    crn: pa.Array
    tables: dict[str, pa.Table]


def dates(day: Ints, missing: Flags | None = None) -> pa.Array:
    """Return an Arrow date column from days since 1970-01-01, null where missing."""
    return pa.array(day.astype(np.int32), pa.int32(), mask=missing).cast(pa.date32())


def _where(chosen: Flags, texts: pa.Array) -> pa.Array:
    """Return the texts, null where not chosen."""
    return pc.if_else(pa.array(chosen), texts, pa.scalar(None, pa.utf8()))


def _forenames(male: Flags, origin: Ints, era: Ints, u: Floats) -> pa.Array:
    """Forenames by sex, origin and era of birth; Eastern families use the common ones."""
    keys = list(FORENAMES)
    place = {key: number for number, key in enumerate(keys)}
    group = np.empty(len(male), dtype=np.int64)
    for sex in (False, True):
        for came_from in (WHITE, ASIAN, BLACK, EASTERN):
            rows = (male == sex) & (origin == came_from)
            if came_from in {ASIAN, BLACK}:
                group[rows] = place[sex, came_from, 0]
            else:
                first = place[sex, WHITE, 0]
                group[rows] = first + era[rows]
    return draw_groups([FORENAMES[key] for key in keys], group, u)


def _surnames(origin: Ints, u: Floats) -> pa.Array:
    return draw_groups([SURNAMES[key] for key in (WHITE, ASIAN, BLACK, EASTERN)], origin, u)


_SHORT: dict[str, str] = {}
for _short, _full in NICKNAMES.items():
    _SHORT.setdefault(_full, _short)
_SHORT_KEYS = pa.array(list(_SHORT), pa.utf8())
_SHORT_VALUES = pa.array(list(_SHORT.values()), pa.utf8())


def short_forms(names: pa.Array) -> pa.Array:
    """Return the everyday short form of each name, null where it has none."""
    return _SHORT_VALUES.take(pc.index_in(names, _SHORT_KEYS))


def short_of(name: str) -> str | None:
    """Return the everyday short form of one name, None where it has none."""
    return _SHORT.get(name)


def years_of(day: Ints) -> Ints:
    """Calendar year of each day."""
    return day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def make_identities(people: People, jailed: Flags, supervised: Flags, seed: int) -> Identities:
    """Return what the records hold of who the people of a block are.

    Parameters
    ----------
    people : People
    jailed, supervised : bool, shape (n,)
        Whether the person ever entered prison, was ever supervised by probation.
    seed : int

    Returns
    -------
    Identities
    """
    count = len(people.unit)
    u = uniforms(people.unit, STAGE_NAMES, seed, 7)
    origin = np.searchsorted(_ORIGIN_SHARES, u[0], side="right")
    foreign = people.deported | (u[1] < np.array([0.03, 0.25, 0.25, 0.85])[origin])
    year = years_of(people.birth_day)
    era = np.searchsorted(ERAS, year, side="right")
    first = _forenames(people.male, origin, era, u[2])
    middle = _where(u[4] < 0.7, _forenames(people.male, origin, np.maximum(era - 1, 0), u[3]))
    last = _surnames(origin, u[5])
    second = _surnames(origin, u[6])
    # a twin has the surname of the one before
    if count > 1:
        source = np.arange(count)
        source[people.twin] -= 1
        last = last.take(pa.array(source))
    double = pc.binary_join_element_wise(last, second, "-")
    last = pc.if_else(pa.array(u[7] < 0.02), double, last)
    changed = u[8] < np.where(people.male, 0.015, 0.16)
    other_last = _where(changed, _surnames(origin, u[9]))
    # the first of January stands for a birth date nobody knew
    heaped = u[10] < np.where(foreign, 10 * _NEW_YEAR, _NEW_YEAR / 4)
    birth_day = people.birth_day.copy()
    birth_day[heaped] = year_starts()[np.maximum(year[heaped] - FIRST_YEAR, 0)]
    birth_day[heaped & (year < FIRST_YEAR)] = people.birth_day[heaped & (year < FIRST_YEAR)]
    birth_known = u[11] >= _MISSING_BIRTH
    person_id = people.unit.astype(np.int64) + 1
    serial = serial_numbers(people.unit)
    begun = years_of(people.first_day)
    pnc = _where(u[12] < _PNC, pnc_ids(begun, serial))
    cro = _where(u[13] < _CRO, cro_numbers(begun, serial))
    prison = _where(jailed, prison_numbers(people.unit))
    crn = _where(supervised & (u[14] < _CRN), case_numbers(people.unit))
    persons = pa.table(
        [
            pa.array(person_id),
            first,
            last,
            middle,
            dates(birth_day, ~birth_known),
            coded(SEXES, np.where(people.male, 0, 1), u[15] < 0.001),
            pnc,
            cro,
            prison,
            crn,
        ],
        schema=PERSONS.schema,
    )
    aliases = _aliases(person_id, first, other_last, second, birth_day, birth_known, u[16:22])
    numbers = _identifiers(people, person_id, begun, serial, pnc, u[22])
    return Identities(
        first,
        last,
        middle,
        other_last,
        birth_day,
        birth_known,
        origin,
        foreign,
        pnc,
        cro,
        prison,
        crn,
        {"persons": persons, "person_aliases": aliases, "person_identifiers": numbers},
    )


def _aliases(
    person_id: Ints,
    first: pa.Array,
    other_last: pa.Array,
    second: pa.Array,
    birth_day: Ints,
    birth_known: Flags,
    u: Floats,
) -> pa.Table:
    """Return the aliases: a changed surname, a short forename, an invented name or birth date."""
    short = short_forms(first)
    has_short = short.is_valid().to_numpy(zero_copy_only=False)
    kinds = (
        other_last.is_valid().to_numpy(zero_copy_only=False),
        has_short & (u[0] < _ALIAS),
        u[1] < _ALIAS / 3,
        (u[2] < _ALIAS / 5) & birth_known,
    )
    nothing = pa.nulls(len(person_id), pa.utf8())
    shifted = birth_day + 1 + (u[3] * 700).astype(np.int64)
    pieces = []
    for kind, chosen in enumerate(kinds):
        rows = np.flatnonzero(chosen)
        take = pa.array(rows)
        pieces.append(
            (
                rows,
                (short if kind == 1 else nothing).take(take),
                (other_last if kind == 0 else second if kind == 2 else nothing).take(take),
                dates(shifted[rows], None if kind == 3 else np.ones(len(rows), dtype=bool)),
            )
        )
    who = np.concatenate([piece[0] for piece in pieces])
    order = np.argsort(who, kind="stable")
    who = who[order]
    new = np.ones(len(who), dtype=bool)
    new[1:] = who[1:] != who[:-1]
    number = np.arange(len(who)) - np.maximum.accumulate(np.where(new, np.arange(len(who)), 0))
    take = pa.array(order)
    return pa.table(
        [
            pa.array(person_id[who]),
            pa.array((number + 1).astype(np.int16)),
            pa.concat_arrays([piece[1] for piece in pieces]).take(take),
            pa.concat_arrays([piece[2] for piece in pieces]).take(take),
            pa.nulls(len(who), pa.utf8()),
            pa.concat_arrays([piece[3] for piece in pieces]).take(take),
        ],
        schema=PERSON_ALIASES.schema,
    )


def _identifiers(
    people: People, person_id: Ints, begun: Ints, serial: Ints, pnc: pa.Array, u: Floats
) -> pa.Table:
    """Return second PNC IDs of people whose records were merged, beside the current ones."""
    # a serial of another century of years: no current ID begins before 1980
    old = pnc_ids(begun - 40, serial)
    rows = np.flatnonzero((u < _SECOND_PNC) & pnc.is_valid().to_numpy(zero_copy_only=False))
    twice = np.repeat(rows, 2)
    both = pa.concat_arrays([pnc.take(pa.array(rows)), old.take(pa.array(rows))])
    place = np.arange(len(rows))
    order = np.stack([place, place + len(rows)], axis=1).ravel()
    return pa.table(
        [
            pa.array(person_id[twice]),
            coded(IDENTIFIER_TYPES, np.zeros(len(twice), dtype=np.int64)),
            both.take(pa.array(order)),
            pa.array(np.ones(len(twice), dtype=bool)),
            dates(people.first_day[twice]),
        ],
        schema=PERSON_IDENTIFIERS.schema,
    )
