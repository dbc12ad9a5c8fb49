"""Reading a store: only the columns and years that a study needs, memory-mapped."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import InputError, UsageError
from engine.store.folder import PARTS, require_manifest
from engine.store.rules import STORE_FORMAT

INDEX = "index"
OUTCOMES = "outcomes"
CUSTODY = "custody"
ASSESSMENTS = "assessments"
SUPPORT = "support"


@dataclass(frozen=True)
class Store:
    """A prepared store.

    Parameters
    ----------
    folder : Path
    manifest : dict
    extract_date, last_index_date : datetime.date
        The last index date whose follow-up and waiting period the extract covers.
    """

    folder: Path
    manifest: dict[str, Any]
    extract_date: dt.date
    last_index_date: dt.date

    @property
    def years(self) -> tuple[int, ...]:
        """Years of index dates that the store has, in order."""
        found = {year for part in self.manifest["partitions"] for year, _ in part["years"]}
        return tuple(sorted(found - {0}))

    @property
    def synthetic(self) -> bool:
        """Whether its people do not exist; a store of an older version does not say."""
        return bool(self.manifest.get("synthetic", False))


def open_store(path: str | os.PathLike[str]) -> Store:
    """Open a store.

    Raises
    ------
    InputError
        There is none, or it has another format.
    """
    manifest = require_manifest(path)
    if manifest["format"] != STORE_FORMAT:
        raise InputError(
            "the store was made by another version",
            rule=f"the format is {STORE_FORMAT}",
            repair="Make it anew with 'justicelab prepare'",
        )
    return Store(
        Path(path),
        manifest,
        dt.date.fromisoformat(manifest["extract_date"]),
        dt.date.fromisoformat(manifest["last_index_date"]),
    )


def read_years(
    store: Store,
    kind: str,
    columns: Sequence[str] | None = None,
    years: Sequence[int] | None = None,
) -> pa.Table:
    """Read columns of the index disposals or of their outcomes.

    Parameters
    ----------
    store : Store
    kind : str
        ``index`` or ``outcomes``; both give the same disposals in the same order.
    columns : sequence of str, optional
        All by default.
    years : sequence of int, optional
        Years of the index date, all by default; disposals without an index date are year 0.

    Returns
    -------
    pyarrow.Table
        By partition, year and person; memory-mapped, so a column that is not touched costs
        nothing. Codes may have one dictionary for each chunk.

    Raises
    ------
    UsageError
        A column does not exist.
    """
    if kind not in {INDEX, OUTCOMES}:
        raise UsageError(f"the store has no tables of kind '{kind}' by year")
    batches = []
    schema = None
    for part in store.manifest["partitions"]:
        wanted = [
            place for place, (year, _) in enumerate(part["years"]) if years is None or year in years
        ]
        reader = _reader(store, part["files"][kind]["name"])
        schema = schema or reader.schema
        batches += [reader.get_batch(place) for place in wanted]
    if schema is None:
        raise InputError("the store is empty")
    names = list(schema.names) if columns is None else list(columns)
    missing = [name for name in names if name not in schema.names]
    if missing:
        raise UsageError(
            f"the store has no column '{missing[0]}' in its {kind}",
            repair="See the columns in its manifest",
        )
    return _joined([batch.select(names) for batch in batches], schema, names)


def read_whole(store: Store, kind: str) -> pa.Table:
    """Read all rows of a part that has no years, by person.

    Parameters
    ----------
    store : Store
    kind : str
        ``custody``, ``assessments`` or ``support``.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    UsageError
        There is no such part.
    """
    if kind not in {CUSTODY, ASSESSMENTS, SUPPORT}:
        raise UsageError(f"the store has no table of kind '{kind}' by person")
    tables = [
        _reader(store, part["files"][kind]["name"]).read_all()
        for part in store.manifest["partitions"]
    ]
    return pa.concat_tables(tables).unify_dictionaries()


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema, names: list[str]) -> pa.Table:
    """Join batches whose code lists may differ in length."""
    wanted = pa.schema([schema.field(name) for name in names])
    if not batches:
        return wanted.empty_table()
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    return pa.concat_tables(tables, promote_options="permissive").unify_dictionaries()


def _reader(store: Store, name: str) -> Any:
    """Open a part memory-mapped."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(store.folder / PARTS / name)))
    except (OSError, pa.ArrowException):
        raise InputError(
            "a file of the store is missing or damaged",
            where=name,
            repair="Run 'justicelab prepare' again",
        ) from None
