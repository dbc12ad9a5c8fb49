"""Write the whole output of a match: every file staged first, then put in place, manifest last."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.release.files import (
    FileRecord,
    Staged,
    discard,
    publish,
    stage_bytes,
    stage_csv,
    stage_json,
    stage_parquet,
)
from engine.release.folder import MANIFEST, OUTPUTS, locked, prepare_folder
from engine.release.manifest import RunFacts, build_manifest, code_sha256, content_id
from engine.release.tables import balance_table

TABLES = ("pairs", "windows", "weights", "scores", "linear-form")
"""Tables of a match in the order of writing; each becomes ``<name>.parquet``."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class HeldFolder:
    """An output folder that this run alone writes to, and what is staged in it.

    Attributes
    ----------
    path : Path
    staged : list of Staged
        Files under temporary names, in the order in which they will appear.
    """

    path: Path
    staged: list[Staged]


@contextmanager
def output_folder(path: Path | str, outputs: frozenset[str] = OUTPUTS) -> Iterator[HeldFolder]:
    """Hold the output folder of a run; what is staged and not published is removed.

    Parameters
    ----------
    path : path
        Folder: absent, empty, or an earlier output of ours, which is replaced.
    outputs : frozenset of str
        File names that an output of this kind consists of.

    Yields
    ------
    HeldFolder

    Raises
    ------
    AccessError, CannotCreateError
        The folder may not be written to, or holds something else.
    BusyError
        Another run is writing there.
    StorageError
        The disk is failing.
    """
    is_new = not Path(path).exists()
    folder = prepare_folder(path, outputs)
    with locked(folder):
        held = HeldFolder(folder, [])
        try:
            yield held
        except BaseException:
            discard(folder, held.staged)
            if is_new:
                with suppress(OSError):  # not empty: somebody else put something there
                    folder.rmdir()
            raise


def stage_balance(held: HeldFolder, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the balance of a match to the disk, before any outcome is opened.

    Parameters
    ----------
    held : HeldFolder
    rows : sequence of mapping
        ``balance`` of the results. The file that is published in the end is the one written here.
    """
    held.staged.append(stage_csv(held.path, "balance.csv", balance_table({"balance": rows})))


def write_match(
    held: HeldFolder,
    results: Mapping[str, Any],
    tables: Mapping[str, pa.Table | None],
    facts: RunFacts,
    *,
    progress: Progress | None = None,
) -> tuple[FileRecord, ...]:
    """Write everything that `match --out` promises beside the balance, and publish it.

    Parameters
    ----------
    held : HeldFolder
        With the balance staged.
    results : mapping
        The results; written as results.json, drawn and told in report.html.
    tables : mapping of str to pyarrow.Table or None
        ``pairs`` or ``windows``, ``weights``, ``scores`` and ``linear-form``; a table that is
        ``None`` is not written.
    facts : RunFacts
        Options, inputs and course of the run, for the manifest.
    progress : callable, optional
        Called with ``"write"`` and the fraction done, 0 to 1.

    Returns
    -------
    tuple of FileRecord
        The files in order, without the manifest.

    Raises
    ------
    StorageError
        The disk is full or failing. What was there before stays whole; no partial file is left.
    """
    folder, staged = held.path, held.staged
    began = time.perf_counter()
    code = code_sha256()
    cited = content_id(facts.options, facts.content, code)
    steps = 6 + sum(1 for name in TABLES if tables.get(name) is not None)
    for one in _stage_rest(folder, results, tables, cited):
        staged.append(one)
        if progress is not None:
            progress("write", len(staged) / steps)
    records = tuple(one.record for one in staged)
    staged.insert(
        0,
        stage_json(
            folder, MANIFEST, build_manifest("match", facts, records, code=code, ended=None)
        ),
    )
    seconds = {**facts.stages, "write": round(time.perf_counter() - began, 3)}
    whole = replace(facts, stages=seconds)
    ended = datetime.now(UTC)
    staged.append(
        stage_json(
            folder, MANIFEST, build_manifest("match", whole, records, code=code, ended=ended)
        )
    )
    written = {record.name for record in records} | {MANIFEST}
    publish(folder, staged, stale=_stale(folder, written, OUTPUTS))
    if progress is not None:
        progress("write", 1.0)
    return records


def publish_output(
    held: HeldFolder, kind: str, facts: RunFacts, outputs: frozenset[str]
) -> tuple[FileRecord, ...]:
    """Give the staged files of an output their names, its manifest first and last.

    Parameters
    ----------
    held : HeldFolder
        With every file staged.
    kind : str
        Name of the kind of output, for the manifest.
    facts : RunFacts
    outputs : frozenset of str
        File names that an output of this kind consists of; those of an earlier one that the new
        one does not have are removed.

    Returns
    -------
    tuple of FileRecord
        The files in order, without the manifest.
    """
    folder, staged = held.path, held.staged
    code = code_sha256()
    records = tuple(one.record for one in staged)

    def manifest(ended: datetime | None) -> Staged:
        content = build_manifest(kind, facts, records, code=code, ended=ended)
        return stage_json(folder, MANIFEST, content)

    staged.insert(0, manifest(None))
    staged.append(manifest(datetime.now(UTC)))
    written = {record.name for record in records} | {MANIFEST}
    publish(folder, staged, stale=_stale(folder, written, outputs))
    return records


def _stage_rest(
    folder: Path,
    results: Mapping[str, Any],
    tables: Mapping[str, pa.Table | None],
    cited: str,
) -> Iterator[Staged]:
    """Stage the files of a match in the order in which they appear."""
    yield stage_json(folder, "results.json", results)
    for name in TABLES:
        table = tables.get(name)
        if table is not None:
            yield stage_parquet(folder, f"{name}.parquet", table)
    from engine.release.charts import draw, love_plot, overlap_plot  # noqa: PLC0415 - see below
    from engine.release.pages import match_page  # noqa: PLC0415 - a run without --out draws nothing

    charts = draw(results)
    love = charts.get("love-plot") or love_plot(results)
    overlap = charts.get("overlap-plot") or overlap_plot(results)
    yield stage_bytes(folder, "love-plot.svg", _document(love))
    yield stage_bytes(folder, "overlap-plot.svg", _document(overlap))
    page = match_page(results, charts, content_id=cited)
    yield stage_bytes(folder, "report.html", page.encode("utf-8", errors="replace"))


def _document(svg: str) -> bytes:
    """An svg element as a file of its own."""
    return (svg + "\n").encode("utf-8", errors="replace")


def _stale(folder: Path, written: set[str], outputs: frozenset[str]) -> list[str]:
    """Names of an earlier output that the new one does not have."""
    found = {entry.name for entry in folder.iterdir()}
    return sorted((found & outputs) - written)
