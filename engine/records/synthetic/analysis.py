"""Zone A of one block: disposals, offences, custody spells, profiles and OASys assessments."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.records import code_lists as lists
from engine.records import schema
from engine.records.synthetic import offence_codes as codes
from engine.records.synthetic.disposal_rows import ROWS_OF_A_BLOCK, Disposals, row_uniforms
from engine.records.synthetic.identities import Identities, dates
from engine.records.synthetic.people import (
    BLOCK,
    NEED_EFFECTS,
    NEED_MEANS,
    STAGE_RECORDS,
    Ints,
    People,
    exponentials,
    uniforms,
)
from engine.records.synthetic.world import (
    CAUTION,
    COMMUNITY,
    KINDS,
    LIFE,
    LONG,
    SHORT,
    SUSPENDED,
    Floats,
)
from kernels.elementary import logarithm

Flags = NDArray[np.bool_]


RECALLS = 0.18
REMANDS_ALONE = 0.01
_REPRIMANDS_UNTIL = int(np.datetime64("2013-04-08").astype(np.int64))
_ADULT = int(18 * 365.2425)
_VIOLENT = [KINDS.index(name) for name in ("violence against the person", "robbery")]
PRISONS = tuple(f"{first}{second}I" for first in "BDFHLMNPRSW" for second in "ADEHIKMNRT")
REGIONS = tuple(f"N{number}" for number in range(50, 62))
FORCES = tuple(
    "01 03 04 05 06 07 10 11 12 13 14 16 17 20 21 22 23 30 31 32 33 34 35 36 37 40 41 42 43 44 45 "  # noqa: SIM905
    "46 47 48 50 52 53 54 55 60 61 62 63".split()
)


def offence_table(people: People, rows: Disposals, seed: int) -> tuple[pa.Table, Ints]:
    """Return the table of offences, and the number of each disposal's principal offence."""
    count = rows.items + rows.breach + rows.minor
    parent = np.repeat(np.arange(len(count)), count)
    start = np.cumsum(count) - count
    rank = np.arange(len(parent)) - start[parent]
    u = row_uniforms(people, rows.person[parent], seed, 1, 2)
    kind = rows.kind[parent].copy()
    mode = rows.mode[parent].copy()
    # further offences: mostly of the same kind, otherwise a lesser summary matter
    other = (rank > 0) & (u[0] < 0.35)
    kind[other] = np.where(u[1][other] < 0.7, KINDS.index("summary non-motoring"), 12)
    mode[other] = codes.SUMMARY
    code = codes.choose_codes(kind, mode, u[2])
    given = rows.code[parent]
    code = np.where(given >= 0, given, code)
    added = rank >= rows.items[parent]
    breach = added & (rank < (rows.items + rows.breach)[parent])
    code[breach] = codes.BREACH
    code[added & ~breach] = codes.NOT_RECORDABLE
    is_breach = code == codes.BREACH
    young = rows.proven - people.birth_day[rows.person] < _ADULT
    outcome = np.zeros(len(rows.person), dtype=np.int64)
    outcome[rows.outcome == CAUTION] = 1
    outcome[(rows.outcome == CAUTION) & young & (rows.proven < _REPRIMANDS_UNTIL)] = 2
    outcome[rows.notice] = 3
    order = np.lexsort((rank, rows.day[parent], rows.person[parent]))
    first = int(people.unit[0]) // BLOCK * ROWS_OF_A_BLOCK + 1
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order)) + first
    principal = number[start]
    parent, code, is_breach = parent[order], code[order], is_breach[order]
    groups = {
        field: codes.coded(names, codes.group_positions(names, source)[code])
        for field, names, source in (
            ("group12", lists.OFFENCE_GROUPS_12, "group12"),
            ("group13", lists.OFFENCE_GROUPS_13, "kind"),
            ("group20", lists.OFFENCE_GROUPS_20, "group20"),
            ("group24", lists.OFFENCE_GROUPS_24, "group24"),
        )
    }
    take = pa.array(code)
    severity = pa.array([entry.severity for entry in codes.CODES], pa.float32())
    recordable = np.array([entry.recordable for entry in codes.CODES])
    modes = np.array([entry.mode for entry in codes.CODES])
    table = pa.table(
        {
            "offence_id": pa.array(number[order]),
            "person_id": pa.array(people.unit[rows.person[parent]].astype(np.int64) + 1),
            "disposal_id": pa.array(rows.number[parent]),
            "offence_date": dates(rows.day[parent]),
            "conviction_date": dates(rows.proven[parent]),
            "ho_code": codes.TEXTS.take(take),
            "cjs_code": pa.nulls(len(code), pa.utf8()),
            **groups,
            "trial_mode": codes.coded(lists.TRIAL_MODES, modes[code]),
            "severity": severity.take(take),
            "recordable": pa.array(recordable[code]),
            "breach": pa.array(is_breach),
            "outcome": codes.coded(lists.OUTCOMES, outcome[parent]),
        },
        schema=schema.OFFENCES.schema,
    )
    return table, principal


_TYPES = (
    lists.CAUTION,
    lists.FINE,
    lists.DISCHARGE,
    lists.COMMUNITY_ORDER,
    lists.SUSPENDED_SENTENCE,
    *(lists.CUSTODY,) * 5,
)
_YOUNG_TYPES = (
    lists.YOUTH_CAUTION,
    lists.FINE,
    lists.DISCHARGE,
    *(lists.YOUTH_REHABILITATION,) * 2,
    *(lists.YOUTH_CUSTODY,) * 5,
)


def disposal_table(
    people: People, rows: Disposals, principal: Ints, home: Ints, seed: int, last_day: int
) -> pa.Table:
    """Return the table of disposals.

    Parameters
    ----------
    people : People
    rows : Disposals
    principal : int64, shape (rows,)
        Number of each principal offence.
    home : int64, shape (n,)
        Police force area of each person.
    seed, last_day : int

    Returns
    -------
    pyarrow.Table
    """
    u = row_uniforms(people, rows.person, seed, 1, 3)
    young = rows.proven - people.birth_day[rows.person] < _ADULT
    place = {name: number for number, name in enumerate(lists.DISPOSAL_TYPES)}
    kinds = np.array([[place[name] for name in names] for names in (_TYPES, _YOUNG_TYPES)])
    kind = kinds[young.astype(np.int64), rows.outcome]
    kind[rows.notice] = place[lists.OTHER_DISPOSAL]
    custody = rows.leave >= 0
    inside = custody & (rows.index_day > last_day)
    order = (rows.outcome == COMMUNITY) | (rows.outcome == SUSPENDED)
    life = rows.outcome == LIFE
    court = np.where(
        (rows.outcome == CAUTION) | rows.notice,
        3,
        np.where(young, 2, np.where((rows.mode == 0) | (rows.outcome >= LONG), 1, 0)),
    )
    release = np.where(rows.outcome == SHORT, 0, np.where(u[0] < 0.2, 2, 1))
    release[life] = 3
    # one in twenty is dealt with away from home
    force = np.where(u[1] < 0.95, home[rows.person], (u[2] * len(FORCES)).astype(np.int64))
    never = np.ones(len(kind), dtype=bool)
    columns = {
        "disposal_id": pa.array(rows.number),
        "person_id": pa.array(people.unit[rows.person].astype(np.int64) + 1),
        "disposal_date": dates(rows.proven),
        "disposal_type": codes.coded(lists.DISPOSAL_TYPES, kind),
        "disposal_code": pa.nulls(len(kind), pa.utf8()),
        "principal_offence_id": pa.array(principal),
        "court_type": codes.coded(lists.COURT_TYPES, court),
        "sentence_days": pa.array(rows.length.astype(np.int32), mask=~custody | life),
        "indeterminate": pa.array(life),
        "custody_start": dates(rows.leave, ~custody),
        "release_date": dates(rows.index_day, ~custody | inside),
        "release_type": codes.coded(lists.RELEASE_TYPES, release, ~custody | inside),
        "order_start": dates(rows.index_day, ~order),
        "order_end": dates(rows.index_day + rows.length, ~order),
        "index_date": dates(rows.index_day, rows.notice | inside),
        "police_force": codes.coded(FORCES, force),
        "probation_region": codes.coded(REGIONS, force * len(REGIONS) // len(FORCES)),
        "prison": codes.coded(PRISONS, (u[3] * len(PRISONS)).astype(np.int64), ~custody),
        "local_authority": codes.coded((), np.zeros(len(kind), dtype=np.int64), never),
        "excluded_reason": codes.coded((), np.zeros(len(kind), dtype=np.int64), never),
    }
    return pa.table(columns, schema=schema.DISPOSALS.schema)


def spell_table(
    people: People, rows: Disposals, disposals: pa.Table, seed: int, last_day: int
) -> pa.Table:
    """Return the custody spells: remand until conviction, the sentence, recalls on licence.

    Parameters
    ----------
    people : People
    rows : Disposals
    disposals : pyarrow.Table
        The table made of the rows.
    seed, last_day : int

    Returns
    -------
    pyarrow.Table
    """
    u = row_uniforms(people, rows.person, seed, 1, 4)
    custody = rows.leave >= 0
    prison = disposals["prison"].combine_chunks().indices
    early = np.flatnonzero(custody & (rows.leave < rows.proven))
    sentence = np.flatnonzero(custody)
    free_until = np.minimum(people.exit_day[rows.person], last_day)
    same = rows.person[1:] == rows.person[:-1]
    free_until[:-1] = np.where(same, rows.day[1:], free_until[:-1])
    back = rows.index_day + 10 + (u[1] * np.minimum(rows.length // 2, 200)).astype(np.int64)
    recall = np.flatnonzero(
        (rows.outcome >= LONG) & (u[0] < RECALLS) & custody & (back + 29 < free_until)
    )
    # remanded in custody and then not sentenced to it
    alone = np.flatnonzero(
        ~custody & (rows.source >= 0) & (u[2] < REMANDS_ALONE) & (rows.proven > rows.day + 8)
    )
    who = np.concatenate([early, sentence, recall, alone])
    received = np.concatenate(
        [
            rows.leave[early],
            np.maximum(rows.leave, rows.proven)[sentence],
            back[recall],
            rows.day[alone] + 1,
        ]
    )
    released = np.concatenate(
        [rows.proven[early], rows.index_day[sentence], back[recall] + 28, rows.day[alone] + 7]
    )
    kind = np.repeat([0, 1, 2, 0], [len(early), len(sentence), len(recall), len(alone)])
    kind[(kind == 2) & (rows.outcome[who] == LIFE)] = 3
    order = np.lexsort((kind, received, rows.person[who]))
    who, received, released, kind = who[order], received[order], released[order], kind[order]
    first = int(people.unit[0]) // BLOCK * ROWS_OF_A_BLOCK + 1
    return pa.table(
        [
            pa.array(np.arange(len(who)) + first),
            pa.array(people.unit[rows.person[who]].astype(np.int64) + 1),
            dates(received),
            dates(released, released > last_day),
            codes.coded(lists.SPELL_TYPES, kind),
            pa.array(rows.number[who]),
            pa.DictionaryArray.from_arrays(
                pc.take(prison, pa.array(who)), pa.array(PRISONS, pa.utf8())
            ),
        ],
        schema=schema.CUSTODY_SPELLS.schema,
    )


def profile_table(
    people: People, rows: Disposals, identities: Identities, seed: int, last_day: int
) -> pa.Table:
    """Return the profiles: month of birth, sex, ethnicity, nationality, death, deportation."""
    count = len(people.unit)
    u = uniforms(people.unit, STAGE_RECORDS, seed, 1)
    month = identities.birth_day.astype("datetime64[D]").astype("datetime64[M]")
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, rows.person, rows.day)
    without = first == np.iinfo(np.int64).max
    observed = np.array([0, 3, 2, 0])[identities.origin]
    observed = np.where((identities.origin == 0) & (u[0] < 0.03), 1, observed)
    own = np.array([14, 1, 5, 18])[identities.origin]
    own = np.where((identities.origin == 1) & (u[1] < 0.35), 0, own)
    own = np.where((identities.origin == 2) & (u[1] < 0.45), 6, own)
    return pa.table(
        [
            pa.array(people.unit.astype(np.int64) + 1),
            dates(month.astype("datetime64[D]").astype(np.int64)),
            codes.coded(lists.SEXES, np.where(people.male, 0, 1), u[2] < 0.001),
            codes.coded(tuple(lists.ETHNICITIES_SELF), own, u[2] > 0.85),
            codes.coded(lists.ETHNICITIES_OBSERVED, observed, (u[2] > 0.02) & (u[2] < 0.05)),
            codes.coded(lists.NATIONALITY_GROUPS, identities.foreign.astype(np.int64), u[3] > 0.93),
            dates(np.where(without, 0, first), without),
            dates(people.exit_day, people.deported | (people.exit_day > last_day)),
            dates(people.exit_day, ~people.deported | (people.exit_day > last_day)),
        ],
        schema=schema.PERSON_PROFILE.schema,
    )


def assessment_table(people: People, rows: Disposals, seed: int, last_day: int) -> pa.Table:
    """Return the OASys assessments of supervised and imprisoned adults.

    Notes
    -----
    78 % of those with seven or more earlier disposals have one and 65 % of others. Needs are the
    person's own, with 2 % of answers missing: the very numbers that drive the rate. Scores are
    logistic in round numbers of earlier disposals, age, sex, needs and the kind of offence: they
    order people as real scores do, and are none of them.
    """
    u = row_uniforms(people, rows.person, seed, 1, 5)
    new = np.ones(len(rows.person), dtype=bool)
    new[1:] = rows.person[1:] != rows.person[:-1]
    place = np.arange(len(rows.person))
    rank = place - np.maximum.accumulate(np.where(new, place, 0))
    adult = rows.proven - people.birth_day[rows.person] >= _ADULT
    wanted = (rows.outcome >= COMMUNITY) & (rows.source >= 0) & adult
    chosen = wanted & (u[0] < np.where(rank >= 7, 0.78, 0.65))
    # before an order begins; soon after reception into prison, and anew in the year of release
    wait = (u[1] * 60).astype(np.int64)
    inside = np.minimum(rows.proven + wait, rows.index_day)
    inside = np.maximum(inside, rows.index_day - 330 + wait)
    date = np.where(rows.leave >= 0, inside, rows.proven - wait)
    picked = np.flatnonzero(chosen & (date <= last_day))
    picked = picked[np.lexsort((date[picked], rows.person[picked]))]
    who = rows.person[picked]
    first = int(people.unit[0]) // BLOCK * ROWS_OF_A_BLOCK + 1
    missing = (u[2][picked] * 500).astype(np.int64)
    needs = [
        pa.array(people.needs[need][who], mask=missing == need) for need in range(len(lists.NEEDS))
    ]
    count = len(picked)
    incomplete = u[3][picked] < 0.03
    age = (date[picked] - people.birth_day[who]) / 365.2425
    scores = _scores(people, who, rank[picked], age, rows.kind[picked])
    return pa.table(
        [
            pa.array(people.unit[who].astype(np.int64) + 1),
            pa.array(np.arange(count) + first),
            dates(date[picked]),
            codes.coded(lists.ASSESSMENT_STATUSES, incomplete.astype(np.int64)),
            pa.array(np.full(count, 3, dtype=np.int8)),
            *needs,
            *(pa.array(score, pa.float32(), mask=incomplete) for score in scores),
            codes.coded(("synthetic",), np.zeros(count, dtype=np.int64), incomplete),
        ],
        schema=schema.OASYS_ASSESSMENTS.schema,
    )


def _scores(people: People, who: Ints, rank: Ints, age: Floats, kind: Ints) -> list[Floats]:
    """Return OGRS, OGP, OVP and RSR in per cent, to one decimal."""
    before = np.empty(len(who))
    logarithm(rank + 1.0, before)
    fixed = 0.9 * before - 0.05 * (age - 30.0) - np.where(people.male[who], 1.2, 1.5)
    needs = sum(
        effect * (people.needs[need][who] - mean)
        for need, (effect, mean) in enumerate(zip(NEED_EFFECTS, NEED_MEANS, strict=True))
    )
    violent = np.isin(kind, _VIOLENT)
    grave = violent | (kind == KINDS.index("sexual offences"))
    odds = (
        fixed,
        fixed + needs - 0.3,
        0.8 * fixed + 0.7 * needs + np.where(violent, 0.5, -0.3) - 0.5,
        0.5 * fixed + 0.5 * needs + np.where(grave, 0.9, 0.0) - 3.5,
    )
    scores = []
    for value in odds:
        ratio = exponentials(value)
        scores.append(np.round(100.0 * ratio / (1.0 + ratio), 1))
    return scores
