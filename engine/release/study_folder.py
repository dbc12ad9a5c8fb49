"""The two folders of a study: what stays (private) and what may be handed over (release).

A run that breaks off leaves finished stages in the private folder; the next run of the same plan on
the same data with the same code takes them up. Nothing gets into the release folder but what is
made of :class:`engine.release.disclosure.Released`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import CannotCreateError
from engine.release.disclosure import Released
from engine.release.encoding import compact_bytes, json_bytes
from engine.release.files import (
    publish,
    stage_bytes,
    stage_csv,
    stage_json,
    stage_parquet,
    write_bytes,
)
from engine.release.folder import (
    MANIFEST,
    SHARDS,
    check_folder,
    open_folder,
    plain_errors,
    private_folder,
    read_file,
    read_manifest,
)
from engine.release.manifest import RunFacts, build_manifest, code_sha256
from engine.release.pack import HeldFolder, output_folder, publish_output
from engine.release.report.files import REPORT_FILES, stage_report
from engine.release.tables import balance_table

PRIVATE, RELEASE, AUDIT = "private", "release", "audit.log"
PRIVATE_TABLES = ("pairs", "windows", "weights", "scores", "linear-form")
PRIVATE_FILES = frozenset(
    {
        "results.json",
        "balance.csv",
        "links.parquet",
        "treated.parquet",
        "removed.parquet",
        "bootstrap.json",
        "attrition.csv",
        "for-sender.csv",
        "problems.xlsx",
        "review.xlsx",
        "decisions.csv",
        AUDIT,
        MANIFEST,
        *(f"{name}.parquet" for name in PRIVATE_TABLES),
    }
)
RELEASE_FILES = frozenset({"results.json", "bootstrap.json", "plan.toml", MANIFEST}) | REPORT_FILES
"""Names of the files of each folder."""

_STAGE_LIMIT = 1 << 30
_STAGES = "study-"
"""Beginning of the name of a folder of stages."""


@dataclass
class StudyFolder:
    """The folders of a study while a run holds them.

    Parameters
    ----------
    private, release : HeldFolder
    stages : Path
        Where finished stages of this very study stand.
    audit : AuditLog
    seconds : dict of str to float
        Of each stage in this run.
    """

    private: HeldFolder
    release: HeldFolder
    stages: Path
    audit: AuditLog
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, **counts: int) -> Iterator[None]:
        """Time a stage and log its end; ``counts`` are numbers of people, no person's value."""
        began = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - began, 3)
        self.audit.note("stage", name=name, seconds=self.seconds[name], **counts)

    def load(self, name: str) -> dict[str, Any] | None:
        """Return a finished stage, None where it is not there or not whole."""
        if not (self.stages / f"{name}.json").exists():
            return None
        try:
            found = json.loads(read_file(self.stages, f"{name}.json", _STAGE_LIMIT))
        except ValueError:
            return None
        if not isinstance(found, dict) or found.get("sha256") != _digest(found.get("content")):
            return None
        content: dict[str, Any] = found["content"]
        return content

    def save(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write a finished stage; return it as :meth:`load` would."""
        plain: dict[str, Any] = json.loads(compact_bytes(content))
        whole = {"sha256": _digest(plain), "content": plain}
        write_bytes(self.stages, f"{name}.json", compact_bytes(whole))
        return plain

    def load_table(self, name: str) -> pa.Table | None:
        """Return a table of a finished stage, None where it is not there or not whole."""
        known, path = self.load(f"{name}-table"), self.stages / f"{name}.parquet"
        if known is None or not path.exists():
            return None
        data = read_file(self.stages, path.name, _STAGE_LIMIT)
        if hashlib.sha256(data).hexdigest() != known["sha256"]:
            return None
        return pq.read_table(pa.BufferReader(data))

    def save_table(self, name: str, table: pa.Table) -> None:
        """Write a table of a stage, and its hash after it."""
        staged = stage_parquet(self.stages, f"{name}.parquet", table)
        publish(self.stages, [staged])
        self.save(f"{name}-table", {"sha256": staged.record.sha256})

    def stage_private(self, name: str, data: bytes) -> None:
        """Stage a file of the private folder."""
        self.private.staged.append(stage_bytes(self.private.path, name, data))

    def stage_balance(self, rows: list[dict[str, Any]]) -> None:
        """Write the balance of the main match to the disk, before any outcome is opened."""
        self.private.staged.append(
            stage_csv(self.private.path, "balance.csv", balance_table({"balance": rows}))
        )


class AuditLog:
    """Lines of JSON, each with the hash of the line before, so that none can be changed unseen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last = "0" * 64
        if (folder / AUDIT).exists():
            lines = read_file(folder, AUDIT, _STAGE_LIMIT).splitlines()
            self._last = hashlib.sha256(lines[-1]).hexdigest() if lines else self._last

    def note(self, event: str, **facts: str | float | bool | None) -> None:
        """Append a line.

        Parameters
        ----------
        event : str
        **facts
            Names of stages, hashes, seconds and counts; nothing of a single person.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"event": event, "time": now, **facts, "before": self._last}).encode()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        with plain_errors(f"the file '{AUDIT}'"), open_folder(self._folder) as handle:
            descriptor = os.open(AUDIT, flags, 0o600, dir_fd=handle)
            try:
                os.fchmod(descriptor, 0o600)
                os.write(descriptor, line + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._last = hashlib.sha256(line).hexdigest()


def audit_is_whole(data: bytes) -> bool:
    """Whether every line of an audit log follows from the one before."""
    last = "0" * 64
    for line in data.splitlines():
        try:
            if json.loads(line)["before"] != last:
                return False
        except (ValueError, KeyError, TypeError):
            return False
        last = hashlib.sha256(line).hexdigest()
    return True


def check_study_folder(path: Path) -> None:
    """Refuse an output folder that may not be written to, without touching the disk.

    Raises
    ------
    AccessError, CannotCreateError
        It is a link, another user's, open to others, or holds something else than a study.
    """
    if not path.exists() and not path.is_symlink():
        return
    if path.is_dir() and not path.is_symlink():
        foreign = {entry.name for entry in path.iterdir()} - {PRIVATE, RELEASE}
        if foreign:
            raise CannotCreateError(
                f"the folder '{path.name}' holds something that is no study",
                rule="a study goes into a folder that is new, empty or an earlier study",
                repair="Give a name that does not exist yet",
            )
        for name, files in ((PRIVATE, PRIVATE_FILES), (RELEASE, RELEASE_FILES)):
            check_folder(path / name, files)
        return
    check_folder(path, frozenset())


@contextmanager
def study_folder(path: Path, study_id: str, facts: RunFacts) -> Iterator[StudyFolder]:
    """Hold the folders of a study.

    Parameters
    ----------
    path : Path
        Absent, empty, or an earlier study.
    study_id : str
        Hash of plan, inputs and code; stages of another id are removed.
    facts : RunFacts
        For the manifest that says 'incomplete' while the run goes on.

    Yields
    ------
    StudyFolder
    """
    check_study_folder(path)
    private_folder(path)
    with ExitStack() as stack:
        private = stack.enter_context(output_folder(path / PRIVATE, PRIVATE_FILES))
        release = stack.enter_context(output_folder(path / RELEASE, RELEASE_FILES))
        known = read_manifest(private.path)
        if known is None:
            manifest = build_manifest("study", facts, (), code=code_sha256(), ended=None)
            write_bytes(private.path, MANIFEST, json_bytes(manifest))
        stages = _stages(private.path, study_id)
        audit = AuditLog(private.path)
        audit.note("start", study=study_id)
        yield StudyFolder(private, release, stages, audit)


def has_stages(private: Path) -> bool:
    """Whether stages of a run that has not ended stand in the private folder of a study."""
    return any((private / SHARDS).glob(f"{_STAGES}*"))


def _stages(private: Path, study_id: str) -> Path:
    """Return the folder of this study's stages; remove those of others."""
    own = f"{_STAGES}{study_id[:16]}"
    shards = private_folder(private / SHARDS)
    for entry in shards.iterdir():
        other = entry.name.startswith(_STAGES) and entry.name != own
        if other and stat.S_ISDIR(entry.lstat().st_mode):
            shutil.rmtree(entry)
    return private_folder(shards / own)


def _digest(content: Any) -> str:
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def write_study(
    folder: StudyFolder,
    exact: Mapping[str, Any],
    released: Released,
    tables: Mapping[str, pa.Table | None],
    small: Mapping[str, pa.Table],
    plan_text: str,
    facts: RunFacts,
) -> None:
    """Publish a study: the exact results and tables, and what was released of them.

    Parameters
    ----------
    folder : StudyFolder
        With the balance staged.
    exact : mapping
        The exact results.
    released : Released
    tables : mapping of str to pyarrow.Table or None
        Tables of the main match by the names of ``PRIVATE_TABLES``, ``links``, ``treated`` and
        ``removed``.
    small : mapping of str to pyarrow.Table
        ``attrition`` and ``for-sender``, written as csv.
    plan_text : str
        The plan with every default.
    facts : RunFacts
    """
    private = folder.private
    private.staged.append(stage_json(private.path, "results.json", exact))
    for name, table in tables.items():
        if table is not None:
            private.staged.append(stage_parquet(private.path, f"{name}.parquet", table))
    for name, table in small.items():
        private.staged.append(stage_csv(private.path, f"{name}.csv", table))
    folder.audit.note("released", figures=len(released.results["analyses"]))
    publish_output(private, "study", facts, PRIVATE_FILES - {AUDIT})
    _publish_release(folder, released, plan_text, facts)
    shutil.rmtree(folder.stages)
    folder.audit.note("end")


def _publish_release(
    folder: StudyFolder, released: Released, plan_text: str, facts: RunFacts
) -> None:
    """Publish what may be handed over, with a manifest that knows no exact count."""
    held = folder.release
    held.staged.append(stage_json(held.path, "results.json", released.results))
    held.staged.append(stage_bytes(held.path, "plan.toml", plan_text.encode()))
    held.staged.extend(stage_report(held.path, released.results))
    public = RunFacts(facts.options, (), facts.content, facts.started, {}, facts.threads)
    publish_output(held, "study-release", public, RELEASE_FILES)
