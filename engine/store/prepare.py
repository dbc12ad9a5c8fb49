"""Preparing a store: check the extract, then each partition of people, then the link index.

Reads like this: rows that cannot be used are set aside; people are cut into partitions by their
number; a partition whose records are the same as in the last store is kept, any other is computed;
the manifest replaces the old one at the very end.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.records.checking import CheckReport, check_rows, refuse
from engine.records.database import Database, private_database
from engine.records.extract import Extract, file_hashes, open_extract
from engine.store.coding import CODED, Lists, make_lists
from engine.store.dates import add_months
from engine.store.drift import add_counts, drift_notes, record_batches, year_counts
from engine.store.folder import (
    PARTS,
    WORK,
    StoredFile,
    locked,
    make_folder,
    read_manifest,
    record,
    sweep,
    write_manifest,
    write_part,
)
from engine.store.footprint import database_of_prepare
from engine.store.imported_model import ImportedModel, read_imported_model
from engine.store.index_table import MEASURES, PartitionTables, partition_tables
from engine.store.link_index import write_link_index
from engine.store.partition_input import PartitionInput, partition_bounds, read_partition
from engine.store.rules import PEOPLE_IN_A_PARTITION, PROOF_MONTHS, STORE_FORMAT, rules
from kernels.events import NEVER

Progress = Callable[[str, float], None]
_ROOT = Path(__file__).resolve().parents[2]
_LAST_PERSON = 2**63 - 1


@dataclass(frozen=True)
class PreparedStore:
    """What a run of prepare did.

    Parameters
    ----------
    folder : Path
    manifest : dict
    report : CheckReport
    reused, rebuilt : int
        Partitions kept from an earlier run, and computed by this one.
    drift : tuple of str
        Differences from the last store.
    """

    folder: Path
    manifest: dict[str, Any]
    report: CheckReport
    reused: int
    rebuilt: int
    drift: tuple[str, ...]


def prepare(
    extract: str | os.PathLike[str],
    store: str | os.PathLike[str],
    *,
    threads: int = 2,
    memory_bytes: int = 2 << 30,
    ceiling: int | None = None,
    people_in_a_partition: int = PEOPLE_IN_A_PARTITION,
    link_model: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> PreparedStore:
    """Make or renew a store from an extract.

    Parameters
    ----------
    extract : path
        Folder of the extract.
    store : path
        Folder of the store: absent, empty, or an earlier store.
    threads : int
        At least 1; the store does not depend on it.
    memory_bytes : int
        Memory for the database; the partition being computed comes on top.
    ceiling : int, optional
        Memory for all together: the database then gets what the rest leaves, whatever
        ``memory_bytes`` says.
    people_in_a_partition : int
        Taken for a new store; a renewed one keeps its partitions.
    link_model : path, optional
        A linkage model saved by Splink, see :mod:`engine.store.imported_model`.
    progress : callable, optional
        Takes a stage and the share done.

    Returns
    -------
    PreparedStore

    Raises
    ------
    InputError
        The extract cannot be used. An old store stays as it was.
    StorageError
        The ceiling is too low; nothing was written.
    """
    model = None if link_model is None else read_imported_model(Path(link_model))
    opened, problems = open_extract(extract)
    refuse(CheckReport(opened, tuple(problems), {}, {}, pa.table({})))
    if ceiling is not None:
        memory_bytes = database_of_prepare(opened, ceiling, people_in_a_partition)
    folder = make_folder(store)
    with (
        locked(folder),
        private_database(
            folder / WORK, [opened.folder], threads=threads, memory_bytes=memory_bytes
        ) as database,
    ):
        report = check_rows(database, opened, problems, progress)
        refuse(report)
        return _prepare(database, folder, report, people_in_a_partition, model, progress)


def _prepare(
    database: Database,
    folder: Path,
    report: CheckReport,
    size: int,
    model: ImportedModel | None,
    progress: Progress | None,
) -> PreparedStore:
    """Make the store from an extract whose rows were checked."""
    old = read_manifest(folder) or {}
    extract = report.extract
    if old.get("format") != STORE_FORMAT:
        old = {}
    lists = make_lists(database, {k: tuple(v) for k, v in old.get("code_lists", {}).items()})
    bounds = partition_bounds(database, size, tuple(old.get("partition_bounds", ())))
    code = code_sha256()
    parts = []
    rebuilt = 0
    for number, first in enumerate(bounds):
        if progress is not None:
            progress("partitions", number / len(bounds))
        last = bounds[number + 1] - 1 if number + 1 < len(bounds) else _LAST_PERSON
        source = read_partition(database, extract, first if number else -(2**63), last)
        key = hashlib.sha256(f"{code}\0{source.digest(lists)}".encode()).hexdigest()[:32]
        part = _standing(folder, key)
        if part is None:
            part = _build(folder, key, source, lists)
            rebuilt += 1
        parts.append(part)
    if progress is not None:
        progress("link index", 0.0)
    link = write_link_index(database, folder, extract, model)
    manifest = _manifest(folder, report, lists, bounds, parts, link, code)
    notes: list[str] = []
    if old:
        last_year = dt.date.fromisoformat(old["last_index_date"]).year
        notes = drift_notes(old["years"], manifest["years"], last_year)
    manifest["drift"] = notes
    write_manifest(folder, manifest)
    sweep(folder, _names(manifest))
    shutil.rmtree(folder / WORK, ignore_errors=True)
    return PreparedStore(folder, manifest, report, len(bounds) - rebuilt, rebuilt, tuple(notes))


def _build(folder: Path, key: str, source: PartitionInput, lists: Lists) -> dict[str, Any]:
    """Compute and write the files of one partition."""
    tables = partition_tables(source, lists)
    files = {
        "index": _write(folder, f"{key}-index.arrow", tables.index, tables),
        "outcomes": _write(folder, f"{key}-outcomes.arrow", tables.outcomes, tables),
        "custody": _write(folder, f"{key}-custody.arrow", _plain(source.spells)),
        "assessments": _write(folder, f"{key}-assessments.arrow", _plain(source.assessments)),
        "support": _write(folder, f"{key}-support.arrow", _plain(source.support)),
    }
    part = {
        "key": key,
        "people": source.people.num_rows,
        "offences": source.offences.num_rows,
        "years": [list(pair) for pair in tables.years],
        "counts": year_counts(tables),
        "files": {kind: record(file) for kind, file in files.items()},
    }
    text = json.dumps(part, sort_keys=True).encode()
    write_part(folder, _part_name(key), 0, lambda file: file.write(text))
    return part


def _part_name(key: str) -> str:
    return f"{key}-part.json"


def _write(
    folder: Path, name: str, table: pa.Table, tables: PartitionTables | None = None
) -> StoredFile:
    """Write a table as an Arrow file; index disposals have one record batch for each year."""

    def fill(file: BinaryIO) -> None:
        options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
        with pa.ipc.new_file(file, table.schema, options=options) as writer:
            if tables is None:
                writer.write_table(table.combine_chunks())
            else:
                for batch in record_batches(table, tables.years):
                    writer.write_batch(batch)

    return write_part(folder, name, table.num_rows, fill)


def _plain(table: pa.Table) -> pa.Table:
    """Turn days since 1970 back into dates, and what is no number into an empty cell."""
    for place, name in enumerate(table.column_names):
        kind = table.schema.field(name).type
        if name.endswith(("_on", "_date", "_start", "_end")):
            days = np.asarray(table[name])
            dates = pa.array(days, pa.int32(), mask=days == NEVER)
            table = table.set_column(place, name, dates.cast(pa.date32()))
        elif pa.types.is_floating(kind):
            values = np.asarray(table[name])
            table = table.set_column(place, name, pa.array(values, kind, mask=np.isnan(values)))
    return table


def _standing(folder: Path, key: str) -> dict[str, Any] | None:
    """Return what an earlier run, finished or killed, left of a partition, None unless all of it.

    Its description is written last, and the hashes in it are compared with the files.
    """
    parts = folder / PARTS
    try:
        part: dict[str, Any] = json.loads((parts / _part_name(key)).read_bytes())
        for file in part["files"].values():
            with (parts / file["name"]).open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != file["sha256"]:
                    return None
    except (OSError, ValueError):
        return None
    return part


def last_index_date(extract_date: dt.date) -> dt.date:
    """Return the last index date whose follow-up and waiting period end by the extract's date."""
    day = np.array([extract_date], dtype="datetime64[D]").astype(np.int32)
    candidate = add_months(day, -PROOF_MONTHS)
    # the last days of a long month may end on the same day of a short one
    for later in range(3, -1, -1):
        if add_months(candidate + np.int32(later), PROOF_MONTHS)[0] <= day[0]:
            candidate = candidate + np.int32(later)
            break
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(candidate[0]))


def code_sha256() -> str:
    """Hash of the sources that decide what stands in a partition."""
    digest = hashlib.sha256()
    rooms = (_ROOT / "engine" / "store", _ROOT / "engine" / "records", _ROOT / "kernels")
    files = [
        path
        for room in rooms
        for path in room.rglob("*.py")
        if "synthetic" not in path.relative_to(_ROOT).parts
    ]
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(_ROOT).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _manifest(
    folder: Path,
    report: CheckReport,
    lists: Lists,
    bounds: tuple[int, ...],
    parts: list[dict[str, Any]],
    link: dict[str, Any],
    code: str,
) -> dict[str, Any]:
    """Return the manifest: no time, path, thread count or person stands in it."""
    extract: Extract = report.extract
    hashes = list(file_hashes(extract))
    identity = hashlib.sha256("\0".join(f"{n} {h}" for n, h, _ in hashes).encode()).hexdigest()
    quarantine = write_part(
        folder,
        f"{identity[:32]}-quarantine.parquet",
        report.quarantine.num_rows,
        lambda file: pq.write_table(report.quarantine, file, compression="zstd"),
    )
    return {
        "kind": "store",
        "format": STORE_FORMAT,
        "code_sha256": code,
        "versions": {name: version(name) for name in ("duckdb", "numba", "numpy", "pyarrow")},
        "rules": rules(),
        "measures": MEASURES,
        "extract_date": extract.extract_date.isoformat(),
        "last_index_date": last_index_date(extract.extract_date).isoformat(),
        "synthetic": extract.synthetic,
        "extract": [{"name": n, "sha256": h, "bytes": b} for n, h, b in hashes],
        "extract_sha256": identity,
        "rows": report.rows,
        "set_aside": report.set_aside,
        "problems": [vars(problem) for problem in report.problems],
        "quarantine": record(quarantine),
        "code_lists": {name: list(values) for name, values in lists.items()},
        "coded_columns": {table: list(columns) for table, columns in CODED.items()},
        "partition_bounds": list(bounds),
        "partitions": parts,
        "years": add_counts([part["counts"] for part in parts]),
        "link": link,
    }


def _names(manifest: dict[str, Any]) -> list[str]:
    """Names of all parts that a manifest names."""
    return [
        manifest["quarantine"]["name"],
        *(_part_name(part["key"]) for part in manifest["partitions"]),
        *(file["name"] for part in manifest["partitions"] for file in part["files"].values()),
        *(file["name"] for file in manifest["link"]["files"].values()),
    ]
