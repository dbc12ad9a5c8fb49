"""Histories and outcomes of one partition's disposals: arrays for the kernels, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.records import code_lists as codes
from engine.store.coding import Lists, code_numbers
from engine.store.dates import add_months
from engine.store.partition_input import PartitionInput, column
from engine.store.rules import ASSESSMENT_DAYS, FOLLOW_UP_MONTHS, PROOF_MONTHS
from kernels.events import NEVER, follow_up_into, history_into, latest_before_into

Whole = np.ndarray[Any, Any]
CUSTODY_DAYS, ORDER_DAYS = 0, 1


@dataclass(frozen=True)
class Offences:
    """Offences of a partition as arrays, sorted by person, date and number.

    Parameters
    ----------
    first : int64, shape (people + 1,)
        Person i has offences ``first[i]:first[i + 1]``.
    date, proof : int32
    counts, breach, bail : uint8
        A proven, recordable offence; a breach of an order; absconding or a bail offence.
    way : int8
        0 conviction, 1 anything milder.
    kind : int8
        0 indictable only, 1 either way, 2 summary, -1 not known.
    disposal : int32
        Row of the disposal it led to, -1 for none.
    groups : dict of str to int32
        Code of each grouping.
    severity : float32
    offence_id : int64
    """

    first: Whole
    date: Whole
    proof: Whole
    counts: Whole
    breach: Whole
    bail: Whole
    way: Whole
    kind: Whole
    disposal: Whole
    groups: dict[str, Whole]
    severity: Whole
    offence_id: Whole


@dataclass(frozen=True)
class History:
    """What was proven before the day of each disposal; one row for each disposal."""

    offences: Whole
    of_class: Whole
    sanctions: Whole
    convictions: Whole
    cautions: Whole
    breaches: Whole
    last_sanction: Whole
    first_sanction: Whole
    custody: Whole
    orders: Whole


@dataclass(frozen=True)
class Outcomes:
    """What was proven in the follow-up of each disposal; one row for each disposal."""

    reoffences: Whole
    days_to_first: Whole
    first_kind: Whole
    first_custody: Whole
    of_kind: Whole
    custodial_sentences: Whole
    end: Whole


def offsets(people: Whole, owners: Whole) -> Whole:
    """Return where the rows of each person begin, and the end; both are in ascending order."""
    return np.append(np.searchsorted(owners, people, side="left"), len(owners)).astype(np.int64)


def rows_of(keys: Whole, wanted: Whole) -> Whole:
    """Return the place of each wanted key among ``keys``, -1 where it is not there."""
    if len(keys) == 0:
        return np.full(len(wanted), -1, dtype=np.int32)
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found = order[place]
    return np.where(keys[found] == wanted, found, -1).astype(np.int32)


def offence_arrays(source: PartitionInput, lists: Lists) -> Offences:
    """Turn the offences of a partition into arrays."""
    table = source.offences
    people = column(source.people, "person_id", np.int64)
    owner = column(table, "person_id", np.int64)
    disposal = rows_of(
        column(source.disposals, "disposal_id", np.int64), column(table, "disposal_id", np.int64)
    )
    # a disposal of somebody else is set aside by the checks; the kernels rely on it
    owner_of = column(source.disposals, "person_id", np.int64)
    if len(owner_of):
        disposal = np.where(owner_of[disposal] == owner, disposal, -1).astype(np.int32)
    kind = code_numbers(table["trial_mode"])
    groups = {
        name: code_numbers(table[name]) for name in ("group12", "group13", "group20", "group24")
    }
    bail = lists["group20"].index("absconding or bail offences")
    return Offences(
        offsets(people, owner),
        column(table, "offence_date", np.int32),
        column(table, "conviction_date", np.int32),
        column(table, "counts", np.uint8),
        column(table, "breach", np.uint8),
        (groups["group20"] == bail).astype(np.uint8),
        column(table, "way", np.int8),
        np.where(kind < len(codes.TRIAL_MODES), kind, -1).astype(np.int8),
        disposal,
        groups,
        column(table, "severity", np.float32),
        column(table, "offence_id", np.int64),
    )


def custodial(source: PartitionInput, lists: Lists) -> Whole:
    """Return 1 for disposals to custody, 2 for orders in the community, 0 for others (int8)."""
    kinds = np.zeros(len(lists["disposal_type"]) + 1, dtype=np.int8)
    for number, name in enumerate(lists["disposal_type"]):
        kinds[number] = (name in codes.CUSTODIAL_TYPES) + 2 * (name in codes.ORDER_TYPES)
    return kinds[code_numbers(source.disposals["disposal_type"])]


def histories(source: PartitionInput, offences: Offences, lists: Lists) -> History:
    """Return the history before each disposal's own day."""
    n = source.disposals.num_rows
    people = column(source.people, "person_id", np.int64)
    first = offsets(people, column(source.disposals, "person_id", np.int64))
    number, days, flagged, last, begin = (np.empty(n, np.int32) for _ in range(5))
    of_class = np.empty((n, len(codes.OFFENCE_GROUPS_13)), np.int32)
    of_way, of_type = np.empty((n, 2), np.int32), np.empty((n, 2), np.int32)
    group = offences.groups["group13"]
    history_into(
        first,
        offences.first,
        column(source.disposals, "disposal_date", np.int32),
        custodial(source, lists),
        offences.proof,
        offences.counts,
        np.where(group < len(codes.OFFENCE_GROUPS_13), group, -1).astype(np.int8),
        offences.way,
        offences.breach | offences.bail,
        number,
        of_class,
        days,
        of_way,
        flagged,
        last,
        begin,
        of_type,
        0,
        len(first) - 1,
    )
    return History(
        number,
        of_class,
        days,
        of_way[:, 0],
        of_way[:, 1],
        flagged,
        last,
        begin,
        of_type[:, CUSTODY_DAYS],
        of_type[:, ORDER_DAYS],
    )


def outcomes(source: PartitionInput, offences: Offences, lists: Lists) -> Outcomes:
    """Return the outcomes of each disposal's follow-up."""
    n = source.disposals.num_rows
    people = column(source.people, "person_id", np.int64)
    index_day = column(source.disposals, "index_date", np.int32)
    end = add_months(index_day, FOLLOW_UP_MONTHS)
    number, gap, marked_rows = (np.empty(n, np.int32) for _ in range(3))
    kind, marked = np.empty(n, np.int8), np.empty(n, np.int8)
    of_kind = np.empty((n, 3), np.int32)
    first = offsets(people, column(source.disposals, "person_id", np.int64))
    follow_up_into(
        first,
        offences.first,
        index_day,
        end,
        add_months(index_day, PROOF_MONTHS),
        (custodial(source, lists) == 1).astype(np.uint8),
        offences.date,
        offences.proof,
        offences.counts,
        offences.kind,
        offences.disposal,
        np.full(n, -1, np.int64),
        number,
        gap,
        kind,
        marked,
        of_kind,
        marked_rows,
        0,
        len(first) - 1,
    )
    return Outcomes(number, gap, kind, marked, of_kind, marked_rows, end)


def nearest_assessments(source: PartitionInput) -> tuple[Whole, Whole]:
    """Return the row of each disposal's assessment, -1 for none, and the days before it."""
    people = column(source.people, "person_id", np.int64)
    index_day = column(source.disposals, "index_date", np.int32)
    dates = column(source.assessments, "assessment_date", np.int32)
    latest = np.empty(len(index_day), np.int64)
    first = offsets(people, column(source.disposals, "person_id", np.int64))
    latest_before_into(
        first,
        offsets(people, column(source.assessments, "person_id", np.int64)),
        index_day,
        np.where(index_day == NEVER, NEVER, index_day - ASSESSMENT_DAYS).astype(np.int32),
        dates,
        latest,
        0,
        len(first) - 1,
    )
    has = latest >= 0
    days = np.full(len(latest), -1, np.int32)
    days[has] = index_day[has] - dates[latest[has]]
    return latest, days
