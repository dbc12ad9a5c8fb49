"""Choosing the index disposal of each person found, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.cohort.custody import distinct, first_stay_ending_after
from engine.cohort.disposals import (
    Disposals,
    dates_of,
    day_number,
    days_of,
    first_reoffences,
    read_disposals,
    read_stays,
)
from engine.cohort.reasons import (
    AGE,
    NO_SENTENCE,
    OUTSIDE_DATA,
    OUTSIDE_RULE,
    REOFFENDED,
    REPEAT,
    SEXUAL,
    STAGE_OF,
)
from engine.cohort.rules import (
    RELEASE,
    Days,
    Flags,
    IndexRules,
    a_in_custody,
    b_under_supervision,
    c_through_the_gate,
    e_reoffended_before,
    f_preference,
    near_own_date,
    within_ages,
)
from engine.errors import InputError
from engine.store.reading import INDEX, Store, read_years
from engine.store.rules import INDEX_TYPES
from engine.submission.fields import SUBGROUPS
from engine.submission.people import EXTRA
from kernels.events import NEVER

RULES = ("in custody", "under supervision", "through the gate", "sender's date")
"""By which rule an index disposal was chosen: A, B, C, or the sender's date where the start of the
intervention is not known."""
_A, _B, _C, _OWN = range(4)


@dataclass(frozen=True)
class Choice:
    """Index disposals of a submission.

    Parameters
    ----------
    treated : pyarrow.Table
        One row for each person analysed, in the order of the file: ``row`` (int32), ``person_id``,
        ``disposal_id``, ``position`` (int64, row of the store's index table), ``index_date``
        (date32), ``index_type``, ``rule`` (dictionaries), ``delay_days`` (int32, from the index
        date to the start of the intervention, 0 if it started before), and the columns for
        sub-groups.
    losses : pyarrow.Table
        ``row`` (int32), ``stage`` and ``reason``, for rows that were linked and are not analysed.
    linked : int64, shape (k,)
        Everybody linked, analysed or not: nobody of them may stand in the comparison pool.
    """

    treated: pa.Table
    losses: pa.Table
    linked: NDArray[np.int64]


@dataclass(frozen=True)
class _Rows:
    """The linked rows of a submission as arrays."""

    row: NDArray[np.int64]
    person: NDArray[np.int64]
    start: Days
    end: Days
    own_index: Days
    own_conviction: Days


@dataclass(frozen=True)
class _Found:
    """For each linked row: the place of its disposal (-1: none), the rule, and the reason."""

    place: NDArray[np.int64]
    rule: NDArray[np.int8]
    reason: NDArray[np.int8]


SAMPLE = 1_000
"""People on whom it is counted how common an index disposal is."""
_ROWS_AT_ONCE = 500
_DATES = ("intervention_start", "intervention_end", "index_date", "conviction_date")
_REASONS = (NO_SENTENCE, OUTSIDE_RULE, OUTSIDE_DATA, REOFFENDED, SEXUAL, AGE, REPEAT)
_KEPT = -1


def choose_index(
    people: pa.Table, links: pa.Table, store: Store, rules: IndexRules | None = None
) -> Choice:
    """Choose the index disposal of everybody who was linked.

    Parameters
    ----------
    people : pyarrow.Table
        The usable rows, see :func:`engine.submission.people.read_people`.
    links : pyarrow.Table
        ``row`` and ``person_id``, null unless linked, row by row the same people.
    store : Store
    rules : IndexRules, optional

    Returns
    -------
    Choice

    Raises
    ------
    InputError
        The links belong to other people.

    Notes
    -----
    The index disposal is chosen first and judged afterwards: a person whose nearest disposal lies
    outside the data, or who reoffended after it, is lost and not moved to an earlier one. The
    result does not depend on the order of the rows.
    """
    rules = rules or IndexRules()
    if not people["row"].combine_chunks().equals(links["row"].cast(pa.int64()).combine_chunks()):
        raise InputError(
            "the links are not those of the submission",
            rule="there is one for each usable row, in the same order",
        )
    rows = _linked_rows(people, links)
    persons = np.unique(rows.person)
    disposals = read_disposals(store, rules, persons)
    found = _choose(rows, disposals, store, rules, persons)
    judged = _judge(rows, found, disposals, store, rules)
    return Choice(
        _treated(rows, judged, disposals, people),
        _losses(rows, judged),
        persons,
    )


def index_evidence(
    people: pa.Table, persons: NDArray[np.int64], store: Store, rules: IndexRules | None = None
) -> tuple[Flags, NDArray[np.float64]]:
    """Return whether people have an index disposal for rows of a submission, and how common it is.

    Parameters
    ----------
    people : pyarrow.Table
        Usable rows of a submission, a row once for each person it may be.
    persons : int64, shape (k,)
        That person.
    store : Store
    rules : IndexRules, optional

    Returns
    -------
    has : bool, shape (k,)
        Whether a disposal would be chosen by the dates of the row, whatever becomes of it then.
    share : float64, shape (k,)
        Share of all people of the store with one, above 0 and below 1.

    Notes
    -----
    A disposal after the start counts only as the release from the stay in which the intervention
    started, and no offence is looked at. The share is counted on up to :data:`SAMPLE` people at
    even distances in the order of their numbers, with half a person added to both sides.
    """
    rules = rules or IndexRules()
    people = people.select(["row", *_DATES])
    has = _has_index(people, persons, store, rules)
    row, first, back = np.unique(to_numpy(people["row"]), return_index=True, return_inverse=True)
    everybody = distinct(to_numpy(read_years(store, INDEX, ["person_id"])["person_id"]))
    sample = everybody[:: max(len(everybody) // SAMPLE, 1)][:SAMPLE]
    share = np.empty(len(row))
    for begin in range(0, len(row), _ROWS_AT_ONCE):
        some = first[begin : begin + _ROWS_AT_ONCE]
        found = _has_index(
            people.take(pa.array(np.repeat(some, len(sample)))),
            np.tile(sample, len(some)),
            store,
            rules,
        )
        count = found.reshape(len(some), len(sample)).sum(axis=1)
        share[begin : begin + len(some)] = (count + 0.5) / (len(sample) + 1.0)
    return has, share[back]


def _has_index(
    people: pa.Table, persons: NDArray[np.int64], store: Store, rules: IndexRules
) -> Flags:
    """Return for each row and its person whether an index disposal would be chosen."""
    rows = _rows_of(people, persons)
    wanted = np.unique(persons)
    disposals = read_disposals(store, rules, wanted)
    return _choose(rows, disposals, store, rules, wanted).place >= 0


def _linked_rows(people: pa.Table, links: pa.Table) -> _Rows:
    """Return the linked rows as arrays."""
    linked = links["person_id"].is_valid()
    return _rows_of(people.filter(linked), to_numpy(links["person_id"].filter(linked)))


def _rows_of(chosen: pa.Table, persons: NDArray[np.int64]) -> _Rows:
    """Return rows and their people as arrays."""
    return _Rows(
        to_numpy(chosen["row"]),
        persons,
        *(days_of(chosen[name]) for name in _DATES),
    )


def _choose(
    rows: _Rows,
    disposals: Disposals,
    store: Store,
    rules: IndexRules,
    persons: NDArray[np.int64],
) -> _Found:
    """Choose by rules A to D, F and G."""
    stays = read_stays(store, disposals, persons)
    received, released = first_stay_ending_after(stays, rows.person, rows.start)
    inside = a_in_custody(rows.start, rows.start, received, released)
    in_custody = a_in_custody(rows.start, rows.end, received, released, rules.custody_overlap)
    r, d = _pairs(rows.person, disposals.person_id)
    usable = disposals.usable[d]
    r, d = r[usable], d[usable]
    index, kind = disposals.index[d], disposals.kind[d]
    start = rows.start[r]
    by_a = in_custody[r] & (kind == INDEX_TYPES.index(RELEASE)) & (index == released[r])
    by_b = ~by_a & ~inside[r] & b_under_supervision(start, index, rules.supervision_months)
    own_index, own_conviction = rows.own_index[r], rows.own_conviction[r]
    days = rules.own_dates_days
    is_own = near_own_date(own_index, index, days)
    is_own_conviction = near_own_date(own_conviction, disposals.disposal[d], days)
    by_own = (start == NEVER) & np.where(own_index != NEVER, is_own, is_own_conviction)
    near = np.where(
        by_own,
        np.abs(
            np.where(
                own_index != NEVER,
                index.astype(np.int64) - own_index,
                disposals.disposal[d].astype(np.int64) - own_conviction,
            )
        ),
        np.where(by_b, start.astype(np.int64) - index, 0),
    )
    candidate = by_a | by_b | by_own
    prefer = candidate & rules.own_dates
    keys = (
        *f_preference(near, disposals.severity[d], disposals.sentence[d], disposals.disposal_id[d]),
        ~(prefer & is_own_conviction),
        ~(prefer & is_own),
        ~by_a,
        ~candidate,
        r,
    )
    order = np.lexsort(keys)
    best = order[_firsts(r[order])]
    best = best[candidate[best]]
    place = np.full(len(rows.row), -1, dtype=np.int64)
    place[r[best]] = d[best]
    rule = np.full(len(rows.row), _OWN, dtype=np.int8)
    rule[r[best]] = np.where(by_a[best], _A, np.where(by_b[best], _B, _OWN))
    rule[(rule == _A) & c_through_the_gate(rows.end, released)] = _C
    before = np.zeros(len(rows.row), dtype=bool)
    before[r[(start != NEVER) & (index <= start)]] = True
    reason = np.where(before & ~inside, _REASONS.index(OUTSIDE_RULE), _REASONS.index(NO_SENTENCE))
    last = day_number(store.last_index_date)
    reason[inside & (released > last)] = _REASONS.index(OUTSIDE_DATA)
    reason[place >= 0] = _KEPT
    return _Found(place, rule, reason.astype(np.int8))


def _judge(
    rows: _Rows, found: _Found, disposals: Disposals, store: Store, rules: IndexRules
) -> _Found:
    """Judge the chosen disposals: the data, rule E, offence, age; then each person once."""
    reason = found.reason.copy()
    chosen = np.flatnonzero(found.place >= 0)
    place = found.place[chosen]
    index = disposals.index[place]
    first = first_reoffences(store, disposals.position[place])
    late = index > day_number(store.last_index_date)
    again = e_reoffended_before(delays(rows.start[chosen], index), first)
    faults: tuple[tuple[str, Flags], ...] = (
        (OUTSIDE_DATA, late),
        (REOFFENDED, again & rules.drop_earlier_reoffenders),
        (SEXUAL, disposals.sexual[place] & (not rules.sexual_offences)),
        (AGE, ~within_ages(disposals.age[place], rules.youngest, rules.oldest)),
    )
    for code, holds in reversed(faults):
        reason[chosen[holds]] = _REASONS.index(code)
    kept = np.flatnonzero(reason == _KEPT)
    # the first participation that can be analysed; rows that tie in all of it are the same
    order = kept[
        np.lexsort(
            (
                rows.row[kept],
                disposals.disposal_id[found.place[kept]],
                rows.end[kept],
                rows.start[kept],
                disposals.index[found.place[kept]],
                rows.person[kept],
            )
        )
    ]
    again_here = np.ones(len(order), dtype=bool)
    again_here[_firsts(rows.person[order])] = False
    reason[order[again_here]] = _REASONS.index(REPEAT)
    return _Found(found.place, found.rule, reason)


def delays(start: Days, index: Days) -> Days:
    """Return days from the index date to the start, 0 where it is earlier or not known."""
    known = (start != NEVER) & (index != NEVER)
    gap = start.astype(np.int64) - index
    return np.where(known, np.maximum(gap, 0), 0).astype(np.int32)


def _treated(rows: _Rows, found: _Found, disposals: Disposals, people: pa.Table) -> pa.Table:
    """Return the people who are analysed."""
    kept = np.flatnonzero(found.reason == _KEPT)
    place = found.place[kept]
    own = people.filter(
        pa.array(np.isin(to_numpy(people["row"]), rows.row[kept]))
    )  # both are in the order of the file
    groups = [name for name in people.column_names if is_group(name)]
    index = disposals.index[place]
    return pa.table(
        {
            "row": pa.array(rows.row[kept].astype(np.int32)),
            "person_id": pa.array(rows.person[kept]),
            "disposal_id": pa.array(disposals.disposal_id[place]),
            "position": pa.array(disposals.position[place]),
            "index_date": dates_of(index),
            "index_type": coded(disposals.kind[place], INDEX_TYPES),
            "rule": coded(found.rule[kept], RULES),
            "delay_days": pa.array(delays(rows.start[kept], index)),
            **{name: own[name].combine_chunks() for name in groups},
        }
    )


def _losses(rows: _Rows, found: _Found) -> pa.Table:
    """Return the linked rows that are not analysed, each with its reason."""
    lost = np.flatnonzero(found.reason != _KEPT)
    codes = [_REASONS[number] for number in found.reason[lost].tolist()]
    return pa.table(
        {
            "row": pa.array(rows.row[lost].astype(np.int32)),
            "stage": pa.array([STAGE_OF[code] for code in codes], pa.utf8()),
            "reason": pa.array(codes, pa.utf8()),
        }
    )


def is_group(name: str) -> bool:
    """Whether a column of the submission is for sub-groups."""
    return name in SUBGROUPS or name.startswith(EXTRA)


def coded(numbers: NDArray[Any], names: tuple[str, ...]) -> pa.DictionaryArray:
    """Return numbers as names."""
    return pa.DictionaryArray.from_arrays(
        pa.array(numbers.astype(np.int8)), pa.array(names, pa.utf8())
    )


def _pairs(
    person: NDArray[np.int64], owner: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return every row of the submission with every disposal of its person, as places."""
    order = np.argsort(owner, kind="stable")
    low = np.searchsorted(owner, person, side="left", sorter=order)
    high = np.searchsorted(owner, person, side="right", sorter=order)
    count = high - low
    r = np.repeat(np.arange(len(person)), count)
    within = np.arange(len(r)) - np.repeat(np.cumsum(count) - count, count)
    return r, order[np.repeat(low, count) + within]


def _firsts(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each run of equal values begins."""
    new = np.ones(len(values), dtype=bool)
    new[1:] = values[1:] != values[:-1]
    return np.flatnonzero(new)
