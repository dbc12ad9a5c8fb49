"""The comparison pool: index disposals of people who were not treated, by the same rules.

The treated have lived from their index date to the start of the intervention without a proven
reoffence, out of custody and without another sentence; or they would have been lost, or have
another index disposal. A comparison person has no such start, so one is drawn from those of the
treated, and the disposal stays in the pool only if it would have stayed the index disposal of
somebody who started on that day; see :mod:`engine.cohort.starts`.

Every such disposal is in the pool, so a person may be there with several. A service meets people at
their disposals, each of which is one more occasion. To keep one disposal of a person would give a
disposal that is followed by others a smaller chance than one that is not: reoffenders would be
missing from the comparison. Nothing that happens after a disposal's start decides whether it is in
the pool, but that people of the submission are out of it with all theirs; that the disposals of a
person are not independent is for the variance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.cohort.base import Base, make_base
from engine.cohort.choose import coded
from engine.cohort.custody import distinct, first_stay_ending_after
from engine.cohort.disposals import (
    Disposals,
    dates_of,
    day_number,
    first_reoffences,
    read_disposals,
    read_stays,
)
from engine.cohort.rules import (
    FOREVER,
    Days,
    Flags,
    IndexRules,
    e_reoffended_before,
    f_preference,
    within_ages,
)
from engine.cohort.starts import Free, drawn_delays
from engine.store.dates import year_and_quarter
from engine.store.reading import Store
from engine.store.rules import INDEX_TYPES
from kernels.events import NEVER

_MIDDLE = 1 << 31
"""Added to a day, so that it is not negative."""

_SPARSE = 16
"""Numbers of people for each row, above which they are counted anew."""

POOL_LOSSES = (
    "not an index disposal",
    "outside the available reoffending data",
    "outside the years",
    "of a kind that no treated person has",
    "person was treated",
    "sexual offence",
    "outside the limits of age",
    "another index disposal before the start",
    "in custody at the start",
    "reoffended before the start",
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
    removed: NDArray[np.int64],
    years: Sequence[int] | None = None,
    seed: int = 0,
    base: Base | None = None,
) -> Pool:
    """Return the disposals that the treated may be compared with.

    Parameters
    ----------
    store : Store
    treated : pyarrow.Table
        See :class:`engine.cohort.choose.Choice`.
    rules : IndexRules, optional
        Those of the treated.
    removed : int64, shape (k,)
        Everybody of the submission who was linked, or may be one of its people; the treated are
        removed in any case.
    years : sequence of int, optional
        Years of the index date, all by default.
    seed : int
        128 bits; of the starts that are drawn.
    base : Base, optional
        What studies of this store with these rules share; worked out here where it is not given.

    Returns
    -------
    Pool

    Notes
    -----
    The draws are a pure function of seed and ``disposal_id``, so the pool does not depend on the
    order of rows.

    References
    ----------
    Zhou, Rahme, Abrahamowicz and Pilote (2005), Survival bias associated with time-to-treatment
    initiation in drug effectiveness evaluation, American Journal of Epidemiology 162, 1016-1023.
    """
    rules = rules or IndexRules()
    disposals = read_disposals(store, rules) if base is None else base.disposals
    out = np.union1d(to_numpy(treated["person_id"]), removed)
    gap, tied = _gaps(disposals, store) if base is None else (base.gap, base.tied)
    met = _kinds(treated)
    losses: dict[str, int] = {}

    def keep(rows: NDArray[np.int64], lost: Flags, name: str) -> NDArray[np.int64]:
        losses[name] = losses.get(name, 0) + int(np.count_nonzero(lost))
        return rows[~lost]

    kept = np.arange(len(gap))
    tests: tuple[Callable[[NDArray[np.int64]], Flags], ...] = (
        lambda rows: ~disposals.usable[rows],
        lambda rows: disposals.index[rows] > day_number(store.last_index_date),
        lambda rows: _in_other_years(disposals.index[rows], years),
        lambda rows: ~met[disposals.kind[rows]],
        lambda rows: np.isin(disposals.person_id[rows], out),
        lambda rows: disposals.sexual[rows] & (not rules.sexual_offences),
        lambda rows: ~within_ages(disposals.age[rows], rules.youngest, rules.oldest),
        lambda rows: tied[rows],
    )
    for name, test in zip(POOL_LOSSES, tests, strict=False):
        kept = keep(kept, test(kept), name)
    first = first_reoffences(store, kept) if base is None else base.first[kept]
    if not rules.drop_earlier_reoffenders:
        first = np.full(len(kept), NEVER, dtype=np.int32)
    index, person = disposals.index[kept], disposals.person_id[kept]
    if base is None:
        stays = read_stays(store, disposals)
        received, released = first_stay_ending_after(stays, person, index)
    else:
        stays, received, released = base.stays, base.received[kept], base.released[kept]
    free = Free(
        gap[kept], first, received.astype(np.int64) - index, released - index.astype(np.int64)
    )
    delay = drawn_delays(free, disposals.kind[kept], disposals.disposal_id[kept], treated, seed)
    start = index + delay
    at_start = received.copy()
    # The stay that ends after the index date also is the one that ends after the start, unless it
    # has ended by then: for most people nothing has to be looked up again.
    over = np.flatnonzero(released <= start)
    at_start[over], _ = first_stay_ending_after(stays, person[over], start[over])
    reasons = (gap[kept] <= delay, at_start <= start, e_reoffended_before(delay, first))
    left_in = np.ones(len(kept), dtype=bool)
    for name, lost in zip(POOL_LOSSES[7:10], reasons, strict=True):
        losses[name] = losses.get(name, 0) + int(np.count_nonzero(left_in & lost))
        left_in &= ~lost
    kept, delay = kept[left_in], delay[left_in]
    return Pool(
        pa.table(
            {
                "position": pa.array(disposals.position[kept]),
                "person_id": pa.array(disposals.person_id[kept]),
                "disposal_id": pa.array(disposals.disposal_id[kept]),
                "index_date": dates_of(disposals.index[kept]),
                "index_type": coded(disposals.kind[kept], INDEX_TYPES),
                "delay_days": pa.array(delay),
            }
        ),
        losses,
    )


def pool_base(store: Store, rules: IndexRules) -> Base:
    """Return what of the pool all studies of a store with the same rules share."""
    disposals = read_disposals(store, rules)
    return make_base(store, disposals, _gaps(disposals, store))


def _in_other_years(index: Days, years: Sequence[int] | None) -> Flags:
    """Whether index dates lie in none of the years."""
    if years is None:
        return np.zeros(len(index), dtype=bool)
    return ~np.isin(year_and_quarter(index)[0], list(years))


def _gaps(disposals: Disposals, store: Store) -> tuple[Days, Flags]:
    """Return what rule F needs of an index disposal's neighbours.

    Returns
    -------
    gap : int32, shape (n,)
        Days to the person's next index date on another day, ``FOREVER`` for none.
    tied : bool, shape (n,)
        Another index disposal of the same day is preferred.
    """
    gap = np.full(len(disposals.index), FOREVER, dtype=np.int32)
    lost = np.zeros(len(gap), dtype=bool)
    for part in _partitions(store):
        rows = part[disposals.usable[part]]
        key = (_ranks(disposals.person_id[rows]) << 32) + (
            disposals.index[rows].astype(np.int64) + _MIDDLE
        )
        order = np.argsort(key)
        rows, key = rows[order], key[order]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = key[1:] != key[:-1]
        if not new.all():
            lost[rows] = _not_preferred(disposals, rows, key)
        # every row of a day looks to the next day of the same person
        run = np.cumsum(new) - 1
        day = key[new]
        ahead = np.full(len(day), FOREVER, dtype=np.int64)
        same = (day[1:] >> 32) == (day[:-1] >> 32)
        ahead[:-1][same] = (day[1:] - day[:-1])[same]
        gap[rows] = ahead[run]
    return gap, lost


def _not_preferred(disposals: Disposals, rows: NDArray[np.int64], key: NDArray[np.int64]) -> Flags:
    """Whether another row of the same key is preferred; see :func:`rules.f_preference`."""
    twin = np.zeros(len(rows), dtype=bool)
    same = key[1:] == key[:-1]
    twin[1:] = same
    twin[:-1] |= same
    few = np.flatnonzero(twin)
    some = rows[few]
    order = np.lexsort(
        (
            *f_preference(
                np.zeros(len(some), dtype=np.int64),
                disposals.severity[some],
                disposals.sentence[some],
                disposals.disposal_id[some],
            ),
            key[few],
        )
    )
    few = few[order]
    lost = np.zeros(len(rows), dtype=bool)
    lost[few[1:]] = key[few[1:]] == key[few[:-1]]
    return lost


def _ranks(person: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return small numbers that tell people apart and keep their order."""
    if not len(person):
        return person
    low, high = int(person.min()), int(person.max())
    if high - low < _SPARSE * len(person):
        return person - low
    return np.searchsorted(distinct(np.sort(person)), person)


def _kinds(treated: pa.Table) -> Flags:
    """Whether some treated person has an index disposal of each kind."""
    kinds = set(treated["index_type"].cast(pa.utf8()).to_pylist())
    return np.array([kind in kinds for kind in INDEX_TYPES])


def _partitions(store: Store) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each partition: no person is in two of them, and they fit a cache."""
    first = 0
    for part in store.manifest["partitions"]:
        last = first + sum(rows for _, rows in part["years"])
        yield np.arange(first, last)
        first = last
