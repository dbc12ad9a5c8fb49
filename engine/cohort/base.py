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

from engine.cohort.custody import Stays, first_stay_ending_after
from engine.cohort.disposals import Disposals, first_reoffences, read_stays
from engine.cohort.rules import Days, Flags, IndexRules
from engine.store.reading import INDEX, Store, read_years

INDEX_FILE = "index.arrow"


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
    for field in fields(Disposals):
        np.save(folder / f"disposals-{field.name}.npy", getattr(base.disposals, field.name))
    for field in fields(Stays):
        np.save(folder / f"stays-{field.name}.npy", getattr(base.stays, field.name))
    for name in _OWN:
        np.save(folder / f"{name}.npy", getattr(base, name))
    table = read_years(store, INDEX, list(columns)).combine_chunks()
    with (
        pa.OSFile(str(folder / INDEX_FILE), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as w,
    ):
        w.write_table(table)


def open_base(folder: Path) -> Base:
    """Open a base that was written before, without reading it: processes share its pages."""

    def array(name: str) -> NDArray:
        return np.lib.format.open_memmap(folder / f"{name}.npy", mode="r").view(np.ndarray)

    index = pa.ipc.open_file(pa.memory_map(str(folder / INDEX_FILE))).read_all()
    gap, tied, first, received, released = (array(name) for name in _OWN)
    disposals = Disposals(*(array(f"disposals-{field.name}") for field in fields(Disposals)))
    stays = Stays(*(array(f"stays-{field.name}") for field in fields(Stays)))
    return Base(disposals, stays, gap, tied, first, received, released, index)
