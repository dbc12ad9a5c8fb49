"""What of a comparison pool does not depend on who was treated, worked out once for many studies.

Every study of a store reads the same disposals, finds the same neighbours and stays in custody, and
drops the same disposals before it looks at its own people. A batch does that once, writes it as
arrays that every process maps into memory, and each study goes on from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.cohort.custody import Stays, first_stay_ending_after
from engine.cohort.disposals import Disposals, first_reoffences, read_stays
from engine.cohort.rules import Days, Flags, IndexRules
from engine.store.reading import INDEX, Store, read_years

INDEX_FILE, ROWS_FILE, STAYS_FILE, PEOPLE_FILE = (
    "index.arrow",
    "rows.arrow",
    "stays.arrow",
    "people.arrow",
)


@dataclass(frozen=True)
class Base:
    """Disposals of a store with what every study works out for them.

    Parameters
    ----------
    disposals : Disposals
        All of the store.
    stays : Stays
    gap : int32, shape (n,)
    tied : bool, shape (n,)
        Days to the person's next index date, and whether another of the same day is preferred.
    first : int32, shape (n,)
        Days to the first proven reoffence.
    received, released : int32, shape (n,)
        The first stay in custody that ends after the index date.
    index : pyarrow.Table or None
        All columns of the store's index disposals, in one piece.
    """

    disposals: Disposals
    stays: Stays
    gap: Days
    tied: Flags
    first: Days
    received: Days
    released: Days
    index: pa.Table | None = None


_OWN = ("gap", "tied", "first", "received", "released")


def make_base(store: Store, disposals: Disposals, gaps: tuple[Days, Flags]) -> Base:
    """Work out what all studies of a store with the same rules share.

    Parameters
    ----------
    store : Store
    disposals : Disposals
        All of the store.
    gaps : tuple
        ``gap`` and ``tied`` of the disposals.
    """
    stays = read_stays(store, disposals)
    received, released = first_stay_ending_after(stays, disposals.person_id, disposals.index)
    return Base(disposals, stays, *gaps, first_reoffences(store), received, released)


def base_name(store: Store, rules: IndexRules, columns: Sequence[str] | None = None) -> str:
    """Return the name of the folder of a base, which says what it is made of; its beginning alone
    without the columns.
    """
    facts = [store.manifest["extract_sha256"], store.manifest["code_sha256"], rules.as_object()]
    text = json.dumps(facts, sort_keys=True, default=list)
    name = f"pool-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if columns is None:
        return name
    return f"{name}-{hashlib.sha256(repr(tuple(columns)).encode()).hexdigest()[:8]}"


def write_base(folder: Path, base: Base, store: Store, columns: Sequence[str]) -> None:
    """Write a base as files that can be mapped into memory.

    Parameters
    ----------
    folder : Path
        Private, and empty.
    base : Base
    store : Store
    columns : sequence of str
        Of the store's index disposals.
    """
    rows = {f"disposals-{one.name}": getattr(base.disposals, one.name) for one in fields(Disposals)}
    rows |= {name: getattr(base, name) for name in _OWN}
    stays = {one.name: getattr(base.stays, one.name) for one in fields(Stays)}
    people = {"people": stays.pop("people")}
    for name, arrays in ((ROWS_FILE, rows), (STAYS_FILE, stays), (PEOPLE_FILE, people)):
        # Flags as whole numbers: Arrow packs eight of them into a byte, which no array can map.
        plain = {
            key: to_arrow(one.view(np.uint8) if one.dtype == np.bool_ else one)
            for key, one in arrays.items()
        }
        _write(folder / name, pa.table(plain))
    _write(folder / INDEX_FILE, read_years(store, INDEX, list(columns)).combine_chunks())


def _write(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def open_base(folder: Path) -> Base:
    """Open a base that was written before, without reading it: processes share its pages."""
    rows, stays, people = (_arrays(folder / n) for n in (ROWS_FILE, STAYS_FILE, PEOPLE_FILE))
    disposals = Disposals(*(rows[f"disposals-{one.name}"] for one in fields(Disposals)))
    gap, tied, first, received, released = (rows[name] for name in _OWN)
    return Base(
        disposals,
        Stays(people["people"], *(stays[one.name] for one in fields(Stays)[1:])),
        gap,
        tied,
        first,
        received,
        released,
        _read(folder / INDEX_FILE),
    )


def _read(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _arrays(path: Path) -> dict[str, NDArray]:
    table = _read(path)
    found = {name: to_numpy(table[name].combine_chunks()) for name in table.column_names}
    # whole numbers of eight bits without a sign are flags, and nothing else is
    return {n: one.view(np.bool_) if one.dtype == np.uint8 else one for n, one in found.items()}
