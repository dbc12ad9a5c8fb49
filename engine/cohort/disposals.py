"""What the rules need to know of disposals and stays in custody, read from a store as arrays."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.cohort.custody import Stays, distinct, join_spells, person_days
from engine.cohort.rules import FOREVER, RELEASE, Days, Flags, IndexRules, g_index_disposal
from engine.store.coding import code_numbers
from engine.store.reading import CUSTODY, INDEX, OUTCOMES, Store, read_whole, read_years
from engine.store.rules import INDEX_TYPES
from kernels.events import NEVER

_FIRST_DAY = dt.date(1970, 1, 1).toordinal()
_GROUPS = ("offence_group12", "offence_group20")


@dataclass(frozen=True)
class Disposals:
    """Disposals of the store; one row for each, in the order of the store.

    Parameters
    ----------
    position : int64, shape (n,)
        Row in ``read_years(store, "index")`` with all years.
    disposal_id, person_id : int64
    index, disposal, custody_start : int32
        Days.
    kind : int32
        Place of the kind in ``INDEX_TYPES``, -1 for none.
    severity : int8
        Place of the kind in the rules' list, the most severe first; their number for none.
    sentence : int32
        Days, ``FOREVER`` where indeterminate, -1 for none.
    age : int32
        On the index date, -1 where not known.
    sexual, usable : bool
        A sexual principal offence; an index disposal by rule G.
    """

    position: NDArray[np.int64]
    disposal_id: NDArray[np.int64]
    person_id: NDArray[np.int64]
    index: Days
    disposal: Days
    custody_start: Days
    kind: NDArray[np.int32]
    severity: NDArray[np.int8]
    sentence: Days
    age: NDArray[np.int32]
    sexual: Flags
    usable: Flags

    def take(self, rows: NDArray[Any]) -> Disposals:
        """Return some of the rows, by place or by truth value."""
        return Disposals(*(getattr(self, field.name)[rows] for field in fields(self)))


def read_disposals(
    store: Store, rules: IndexRules, people: NDArray[np.int64] | None = None
) -> Disposals:
    """Read the disposals of a store, or of some people.

    Parameters
    ----------
    store : Store
    rules : IndexRules
    people : int64, shape (k,), optional
        Everybody by default.

    Notes
    -----
    Only the columns that are named here are touched on the disk.
    """
    names = (
        "disposal_id",
        "person_id",
        "index_date",
        "disposal_date",
        "custody_start",
        "index_type",
        "excluded",
        "sentence_days",
        "indeterminate",
        "age_at_index",
        *_GROUPS,
    )
    table = read_years(store, INDEX, names)
    position = np.arange(table.num_rows)
    if people is not None:
        position = np.flatnonzero(np.isin(to_numpy(table["person_id"]), people))
        table = table.take(pa.array(position)).combine_chunks()
    index = days_of(table["index_date"])
    kind = _codes_in(table["index_type"], INDEX_TYPES)
    order = {INDEX_TYPES.index(name): place for place, name in enumerate(rules.index_types)}
    severity = np.array(
        [*(order.get(number, len(order)) for number in range(len(INDEX_TYPES))), len(order)],
        dtype=np.int8,
    )[kind]
    allowed = np.array([number in order for number in range(len(INDEX_TYPES))])
    sentence = whole_numbers(table["sentence_days"], -1)
    endless = to_numpy(pc.fill_null(table["indeterminate"], fill_value=False))
    sexual = np.zeros(table.num_rows, dtype=bool)
    for name in _GROUPS:
        sexual |= _is_sexual(table[name])
    return Disposals(
        position,
        to_numpy(table["disposal_id"]),
        to_numpy(table["person_id"]),
        index,
        days_of(table["disposal_date"]),
        days_of(table["custody_start"]),
        kind,
        severity,
        np.where(endless, FOREVER, sentence).astype(np.int32),
        whole_numbers(table["age_at_index"], -1),
        sexual,
        g_index_disposal(code_numbers(table["excluded"]), kind, allowed, index),
    )


def read_stays(
    store: Store, disposals: Disposals, people: NDArray[np.int64] | None = None
) -> Stays:
    """Return the stays in custody of the people of some disposals.

    Parameters
    ----------
    store : Store
    disposals : Disposals
        All disposals of the people.
    people : int64, shape (k,), optional
        Everybody by default.

    Notes
    -----
    The custody spells count. A sentence to custody on whose release no spell of the person ends,
    as where a store has no spells at all, stands for itself: from the day of reception, or of the
    sentence, to its release.
    """
    spells = read_whole(store, CUSTODY).select(["person_id", "received_on", "released_on"])
    if people is not None:
        keep = np.isin(to_numpy(spells["person_id"]), people)
        spells = spells.filter(pa.array(keep))
    person = to_numpy(spells["person_id"])
    received, released = days_of(spells["received_on"]), days_of(spells["released_on"])
    known = received != NEVER
    person, received, released = person[known], received[known], released[known]
    rows = np.flatnonzero(
        (disposals.kind == INDEX_TYPES.index(RELEASE)) & (disposals.index != NEVER)
    )
    known_people = distinct(person)
    ends = np.sort(person_days(known_people, person, released))
    wanted = person_days(known_people, disposals.person_id[rows], disposals.index[rows])
    place = np.minimum(np.searchsorted(ends, wanted), max(len(ends) - 1, 0))
    alone = rows[ends[place] != wanted] if len(ends) else rows
    began = np.where(
        disposals.custody_start[alone] != NEVER,
        disposals.custody_start[alone],
        disposals.disposal[alone],
    )
    return join_spells(
        np.concatenate([person, disposals.person_id[alone]]),
        np.concatenate([received, began]).astype(np.int32),
        np.concatenate(
            [np.where(released == NEVER, FOREVER, released), disposals.index[alone]]
        ).astype(np.int32),
    )


def first_reoffences(store: Store, position: NDArray[np.int64] | None = None) -> Days:
    """Return days to the first proven reoffence, ``NEVER`` for none.

    Rule E needs them, and nothing else of the outcomes is read for the cohort.
    """
    column = read_years(store, OUTCOMES, ["days_to_first_reoffence"])["days_to_first_reoffence"]
    if position is not None:
        column = column.take(pa.array(position))
    return whole_numbers(column, NEVER)


def days_of(column: pa.ChunkedArray) -> Days:
    """Return a column of dates as days since 1970, ``NEVER`` for empty cells."""
    return to_numpy(pc.fill_null(column.cast(pa.int32()), NEVER))


def dates_of(days: Days) -> pa.Array:
    """Return days as a column of dates."""
    return pa.array(days, pa.int32(), mask=days == NEVER).cast(pa.date32())


def whole_numbers(column: pa.ChunkedArray, empty: int) -> NDArray[np.int32]:
    """Return a column of whole numbers with a number for empty cells."""
    return to_numpy(pc.fill_null(column.cast(pa.int32()), empty))


def day_number(day: dt.date) -> int:
    """Return a date as days since 1970."""
    return day.toordinal() - _FIRST_DAY


def _codes_in(column: pa.ChunkedArray, names: tuple[str, ...]) -> NDArray[np.int32]:
    """Return codes as places in a list of names, -1 for null."""
    dictionary = _dictionary(column)
    places = np.array([*(names.index(name) for name in dictionary), -1], dtype=np.int32)
    return places[code_numbers(column)]


def _is_sexual(column: pa.ChunkedArray) -> Flags:
    """Whether the group of an offence is a sexual one."""
    names = [name.startswith("sexual") for name in _dictionary(column)]
    return np.array([*names, False])[code_numbers(column)]


def _dictionary(column: pa.ChunkedArray) -> list[str]:
    """Return the names of a coded column, whose chunks share one list."""
    return column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
