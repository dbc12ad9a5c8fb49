"""The folder of a batch: its studies, what they say together, and what stays."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import InputError
from engine.release.batch_results import CHANGES, REQUESTS, SUMMARY
from engine.release.encoding import json_bytes
from engine.release.files import stage_bytes, stage_csv, stage_json, write_bytes
from engine.release.folder import (
    MANIFEST,
    SHARDS,
    read_file,
    read_manifest,
)
from engine.release.manifest import RunFacts, build_manifest, code_sha256
from engine.release.pack import HeldFolder, publish_output
from engine.release.report.files import PAGE as REPORT
from engine.release.report.index import index_page
from engine.release.study_folder import PRIVATE, RELEASE, has_stages

STUDIES, BATCH, INDEX = "studies", "batch.json", "index.html"
SUMMARY_FILE, CHANGES_FILE, REQUESTS_FILE = "summary.csv", "changes.csv", "requests.csv"
BATCH_FILES = frozenset({BATCH, INDEX, SUMMARY_FILE, CHANGES_FILE, REQUESTS_FILE, MANIFEST})
BATCH_FOLDERS = frozenset({STUDIES, PRIVATE, SHARDS})

_LIMIT = 1 << 30


def study_path(batch: Path, name: str) -> Path:
    """Return the folder of a study of a batch."""
    return batch / STUDIES / name


def finished_study(folder: Path, content: str) -> bool:
    """Whether a study stands whole in its folder, made of this very plan, inputs and code.

    A run that was killed may leave stages beside a study that is whole: it has to go on and remove
    them, because they hold people.

    Parameters
    ----------
    folder : Path
    content : str
        Hash of plan, inputs and code.
    """
    for name, kind in ((PRIVATE, "study"), (RELEASE, "study-release")):
        manifest = read_manifest(folder / name) if (folder / name).is_dir() else None
        if manifest is None or manifest["status"] != "complete" or manifest["kind"] != kind:
            return False
        if manifest["content_sha256"] != content or not _whole(folder / name, manifest):
            return False
    return not has_stages(folder / PRIVATE)


def _whole(folder: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether the files of a folder are those of its manifest."""
    for one in manifest["files"]:
        if not (folder / one["name"]).is_file():
            return False
        data = read_file(folder, one["name"], _LIMIT)
        if hashlib.sha256(data).hexdigest() != one["sha256"]:
            return False
    return True


def released_study(folder: Path) -> tuple[dict[str, Any], dt.date] | None:
    """Return the released results of a study and the day of its report; None without one."""
    release = folder / RELEASE
    manifest = read_manifest(release) if release.is_dir() else None
    if manifest is None or manifest["status"] != "complete" or manifest["kind"] != "study-release":
        return None
    day = dt.datetime.fromisoformat(manifest["run"]["ended"]).date()
    results: dict[str, Any] = json.loads(read_file(release, "results.json", _LIMIT))
    return results, day


def begin_batch(folder: Path, facts: RunFacts) -> None:
    """Mark a folder as a batch under way, so that it can be taken up and passes for no other."""
    manifest = build_manifest("batch", facts, (), code=code_sha256(), ended=None)
    write_bytes(folder, MANIFEST, json_bytes(manifest))


def read_batch(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the summary of an earlier batch.

    Raises
    ------
    InputError
        There is no finished batch, or its summary has changed since.
    """
    manifest = read_manifest(folder) if folder.is_dir() else None
    if manifest is None or manifest["kind"] != "batch" or manifest["status"] != "complete":
        raise InputError(
            "there is no finished batch to compare with",
            where=folder.name,
            rule="--previous names the folder of an earlier batch",
            repair="Give the folder that was given to --out, or leave --previous out",
        )
    if not _whole(folder, {"files": [f for f in manifest["files"] if f["name"] == BATCH]}):
        raise InputError(
            "the summary of the earlier batch has changed since it was made",
            where=f"{folder.name}/{BATCH}",
            rule="its hash stands in the manifest",
            repair="Run that batch again: its finished studies are taken up",
        )
    content: dict[str, Any] = json.loads(read_file(folder, BATCH, _LIMIT))
    rows: list[dict[str, Any]] = content["studies"]
    return rows


def write_summary(
    held: HeldFolder,
    rows: Sequence[Mapping[str, Any]],
    changed: Sequence[Mapping[str, Any]] | None,
    asked: Sequence[Mapping[str, Any]],
    results: Sequence[tuple[str, Mapping[str, Any]]],
    title: str,
    facts: RunFacts,
) -> None:
    """Publish what the studies of a batch say together.

    Parameters
    ----------
    held : HeldFolder
    rows, changed, asked : sequence of mapping
        See :mod:`engine.release.batch_results`; ``changed`` is None without an earlier batch.
    results : sequence of (str, mapping)
        Name and released results of each study that has some.
    title : str
    facts : RunFacts
    """
    content = {"format": 1, "kind": "batch", "studies": rows, "changes": changed, "requests": asked}
    listed = [
        (f"{STUDIES}/{name}/{RELEASE}/{REPORT}", one)
        for name, one in results
        if (held.path / STUDIES / name / RELEASE / REPORT).is_file()
    ]
    page = index_page(listed, title, changed or ())
    held.staged.append(stage_json(held.path, BATCH, content))
    tables = [(SUMMARY_FILE, rows, SUMMARY), (REQUESTS_FILE, asked, REQUESTS)]
    if changed is not None:
        tables.append((CHANGES_FILE, changed, CHANGES))
    for name, lines, schema in tables:
        table = pa.Table.from_pylist([dict(line) for line in lines], schema)
        held.staged.append(stage_csv(held.path, name, table))
    held.staged.append(stage_bytes(held.path, INDEX, page.encode("utf-8", errors="replace")))
    publish_output(held, "batch", facts, BATCH_FILES)


def write_failure(folder: Path, name: str, code: int, message: str) -> None:
    """Keep why a study failed; the message holds no person's value."""
    content = {"study": name, "exit_code": code, "message": message}
    data = json.dumps(content, ensure_ascii=False, indent=1).encode()
    write_bytes(folder, _failure(name), data)


def read_failure(folder: Path, name: str) -> dict[str, Any] | None:
    """Return why a study failed, None where it did not."""
    if not (folder / _failure(name)).is_file():
        return None
    found: dict[str, Any] = json.loads(read_file(folder, _failure(name), _LIMIT))
    return found


def forget_failure(folder: Path, name: str) -> None:
    """Forget that a study has failed."""
    (folder / _failure(name)).unlink(missing_ok=True)


def _failure(name: str) -> str:
    """Return the name of a file: names of studies may have letters that those of files do not."""
    return f"failed-{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
