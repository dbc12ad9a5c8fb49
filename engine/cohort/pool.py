"""The comparison pool: index disposals of people who were not treated, by the same rules.

The treated have lived from their index date to the start of the intervention without a proven
reoffence, out of custody and without another sentence; or they would have been lost, or have
another index disposal. A comparison person has no such start, so one is drawn from those of the
treated, and the disposal stays in the pool only if it would have stayed the index disposal of
somebody who started on that day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.cohort.choose import coded
from engine.cohort.custody import first_stay_ending_after
from engine.cohort.disposals import (
    Disposals,
    dates_of,
    day_number,
    first_reoffences,
    read_disposals,
    read_stays,
)
from engine.cohort.rules import Days, Flags, IndexRules, e_reoffended_before, within_ages
from engine.store.dates import year_and_quarter
from engine.store.reading import Store
from engine.store.rules import INDEX_TYPES
from kernels.philox import STAGE_POOL_CHOICE, STAGE_POOL_START, keys_into

POOL_LOSSES = (
    "not an index disposal",
    "outside the available reoffending data",
    "outside the years",
    "person was treated",
    "sexual offence",
    "outside the limits of age",
    "another index disposal before the start",
    "in custody at the start",
    "reoffended before the start",
    "another disposal of the same person",
)
"""Why disposals are not in the pool, in the order in which they leave it."""


@dataclass(frozen=True)
class Pool:
    """The comparison pool.

    Parameters
    ----------
    table : pyarrow.Table
        In the order of the store: ``position`` (int64, row of the store's index table),
        ``person_id``, ``disposal_id``, ``index_date``, ``index_type`` and ``delay_days`` (days from
        the index date to the start that was drawn).
    losses : dict of str to int
        Disposals of the store that left the pool, by :data:`POOL_LOSSES`; with the rows of the
        table they add up to the store.
    """

    table: pa.Table
    losses: dict[str, int]


def comparison_pool(
    store: Store,
    treated: pa.Table,
    rules: IndexRules | None = None,
    *,
    removed: NDArray[np.int64] | None = None,
    years: Sequence[int] | None = None,
    seed: int = 0,
    one_per_person: bool = True,
) -> Pool:
    """Return the disposals that the treated may be compared with.

    Parameters
    ----------
    store : Store
    treated : pyarrow.Table
        See :class:`engine.cohort.choose.Choice`.
    rules : IndexRules, optional
        Those of the treated.
    removed : int64, shape (k,), optional
        Everybody of the submission who was linked; the treated are removed in any case.
    years : sequence of int, optional
        Years of the index date, all by default.
    seed : int
        128 bits; of the starts that are drawn and of the choice among a person's disposals.
    one_per_person : bool
        Keep one disposal of a person, drawn at random among those that are left.

    Returns
    -------
    Pool

    Notes
    -----
    A start is drawn for each disposal from the treated with the same kind of index disposal, from
    all treated where there are none. The draw is a pure function of seed and ``disposal_id``, so
    the pool does not depend on the order of rows or on who else is in it.

    References
    ----------
    Zhou, Rahme, Abrahamowicz and Pilote (2005), Survival bias associated with time-to-treatment
    initiation in drug effectiveness evaluation, American Journal of Epidemiology 162, 1016-1023.
    """
    rules = rules or IndexRules()
    disposals = read_disposals(store, rules)
    out = to_numpy(treated["person_id"])
    if removed is not None:
        out = np.union1d(out, removed)
    delay = drawn_delays(disposals, treated, seed)
    start = disposals.index.astype(np.int64) + delay
    start = start.clip(max=np.iinfo(np.int32).max - 1).astype(np.int32)
    tests: tuple[Callable[[NDArray[np.int64]], Flags], ...] = (
        lambda rows: ~disposals.usable[rows],
        lambda rows: disposals.index[rows] > day_number(store.last_index_date),
        lambda rows: _in_other_years(disposals.index[rows], years),
        lambda rows: np.isin(disposals.person_id[rows], out),
        lambda rows: disposals.sexual[rows] & (not rules.sexual_offences),
        lambda rows: ~within_ages(disposals.age[rows], rules.youngest, rules.oldest),
        lambda rows: _followed(disposals, start, store)[rows],
        lambda rows: _in_custody(disposals, rows, start, store),
        lambda rows: _reoffended(rows, delay, store) & rules.drop_earlier_reoffenders,
    )
    kept = np.arange(len(start))
    losses = {}
    for name, test in zip(POOL_LOSSES, tests, strict=False):
        lost = test(kept)
        losses[name] = int(np.count_nonzero(lost))
        kept = kept[~lost]
    left = len(kept)
    if one_per_person:
        kept = kept[_one_of_each(disposals, kept, store, seed)]
    losses[POOL_LOSSES[-1]] = left - len(kept)
    return Pool(
        pa.table(
            {
                "position": pa.array(disposals.position[kept]),
                "person_id": pa.array(disposals.person_id[kept]),
                "disposal_id": pa.array(disposals.disposal_id[kept]),
                "index_date": dates_of(disposals.index[kept]),
                "index_type": coded(disposals.kind[kept], INDEX_TYPES),
                "delay_days": pa.array(delay[kept]),
            }
        ),
        losses,
    )


def drawn_delays(disposals: Disposals, treated: pa.Table, seed: int) -> Days:
    """Return for each index disposal the days between index date and start of somebody treated.

    Parameters
    ----------
    disposals : Disposals
    treated : pyarrow.Table
        ``delay_days`` and ``index_type``; nobody treated means no delay.
    seed : int
    """
    own = np.sort(to_numpy(treated["delay_days"]))
    found = np.zeros(len(disposals.kind), dtype=np.int32)
    if not len(own) or own[-1] == 0:
        return found
    kinds = treated["index_type"].cast(pa.utf8()).to_pylist()
    delays = to_numpy(treated["delay_days"])
    for number, name in enumerate(INDEX_TYPES):
        rows = np.flatnonzero(disposals.usable & (disposals.kind == number))
        word = words(disposals.disposal_id[rows], STAGE_POOL_START, seed) >> np.uint64(32)
        of_kind = np.sort(delays[[kind == name for kind in kinds]])
        values = of_kind if len(of_kind) else own
        place = (word * np.uint64(len(values))) >> np.uint64(32)
        found[rows] = values[place.astype(np.int64)]
    return found


def words(number: NDArray[np.int64], stage: int, seed: int) -> NDArray[np.uint64]:
    """Return one random word for each number, a pure function of it, the stage and the seed."""
    found = np.empty(len(number), dtype=np.uint64)
    low, high = np.uint64(seed & 0xFFFFFFFFFFFFFFFF), np.uint64(seed >> 64)
    unit = np.ascontiguousarray(number).view(np.uint64)
    keys_into(unit, np.uint64(stage), low, high, found)
    return found


def _in_other_years(index: Days, years: Sequence[int] | None) -> Flags:
    """Whether index dates lie in none of the years."""
    if years is None:
        return np.zeros(len(index), dtype=bool)
    return ~np.isin(year_and_quarter(index)[0], list(years))


def _in_custody(disposals: Disposals, rows: NDArray[np.int64], start: Days, store: Store) -> Flags:
    """Whether the people of some rows are in custody on the day of the start."""
    stays = read_stays(store, disposals)
    received, _ = first_stay_ending_after(stays, disposals.person_id[rows], start[rows])
    return received <= start[rows]


def _reoffended(rows: NDArray[np.int64], delay: Days, store: Store) -> Flags:
    """Whether rule E drops some rows."""
    return e_reoffended_before(delay[rows], first_reoffences(store)[rows])


def _followed(disposals: Disposals, start: Days, store: Store) -> Flags:
    """Whether rule F would have chosen another disposal of the person for that start.

    One with a later index date up to the start is nearer; of several on one day only the one that
    is preferred counts.
    """
    lost = np.zeros(len(start), dtype=bool)
    for part in _partitions(store):
        rows = part[disposals.usable[part]]
        # within a day the preferred one first; see rules.f_preference
        order = rows[
            np.lexsort(
                (
                    disposals.disposal_id[rows],
                    -disposals.sentence[rows].astype(np.int64),
                    disposals.severity[rows],
                    disposals.index[rows],
                    disposals.person_id[rows],
                )
            )
        ]
        person, index = disposals.person_id[order], disposals.index[order]
        tied = np.zeros(len(order), dtype=bool)
        tied[1:] = (person[1:] == person[:-1]) & (index[1:] == index[:-1])
        lost[order[tied]] = True
        first = order[~tied]
        this, following = first[:-1], first[1:]
        nearer = disposals.person_id[this] == disposals.person_id[following]
        lost[this[nearer & (disposals.index[following] <= start[this])]] = True
    return lost


def _one_of_each(
    disposals: Disposals, kept: NDArray[np.int64], store: Store, seed: int
) -> NDArray[np.bool_]:
    """Return which of the rows to keep so that each person has one."""
    keep = np.zeros(len(disposals.person_id), dtype=bool)
    left = np.zeros(len(disposals.person_id), dtype=bool)
    left[kept] = True
    word = np.zeros(len(left), dtype=np.uint64)
    word[kept] = words(disposals.disposal_id[kept], STAGE_POOL_CHOICE, seed)
    for part in _partitions(store):
        rows = part[left[part]]
        order = rows[
            np.lexsort((disposals.disposal_id[rows], word[rows], disposals.person_id[rows]))
        ]
        person = disposals.person_id[order]
        keep[order[np.append(True, person[1:] != person[:-1])[: len(order)]]] = True
    return keep[kept]


def _partitions(store: Store) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each partition: no person is in two of them, and they fit a cache."""
    first = 0
    for part in store.manifest["partitions"]:
        last = first + sum(rows for _, rows in part["years"])
        yield np.arange(first, last)
        first = last
