"""The manifest of an output: which files, from what, by which code, and how the run went.

The manifest alone may hold times, threads and memory: every other file has the same bytes however
and whenever the same match is run.
"""

import functools
import hashlib
import json
import platform
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.release.encoding import json_bytes
from engine.release.files import FileRecord
from engine.release.folder import FORMAT

_PACKAGES = ("numba", "llvmlite", "numpy", "scipy", "pyarrow", "jinja2")
_ROOT = Path(__file__).resolve().parents[2]
_ROOMS = ("engine", "kernels")


@dataclass(frozen=True)
class InputFacts:
    """An input of a run: its part, the name of the file without its path, hash and size."""

    role: str
    name: str
    sha256: str | None
    bytes: int | None
    rows: int
    columns: int


@dataclass(frozen=True)
class RunFacts:
    """What the manifest is told of a run.

    Parameters
    ----------
    options : mapping
        Every option of the plan with its resolved value; nothing about threads, paths or output.
    inputs : sequence of InputFacts
        The tables that were read.
    content : str
        :func:`engine.release.content.content_digest` of what was read from them.
    started : datetime
        Start of the run, aware (UTC).
    stages : mapping of str to float
        Seconds of each stage before writing, in order.
    threads : int
        Threads the kernels ran with.
    """

    options: Mapping[str, Any]
    inputs: Sequence[InputFacts]
    content: str
    started: datetime
    stages: Mapping[str, float] = field(default_factory=dict)
    threads: int = 1


@functools.cache
def code_sha256() -> str:
    """Hash of every source and template that can change a figure, read once in a process.

    Returns
    -------
    str
        SHA-256 over path and content of the files in ``engine`` and ``kernels``, in sorted order.
    """
    digest = hashlib.sha256()
    files = (
        file
        for room in _ROOMS
        for file in (_ROOT / room).rglob("*")
        if file.suffix in {".py", ".jinja", ".css"}
    )
    for file in sorted(files, key=lambda file: file.relative_to(_ROOT).as_posix()):
        content = file.read_bytes()
        name = file.relative_to(_ROOT).as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def content_id(options: Mapping[str, Any], content: str, code: str | None = None) -> str:
    """Name of what a run computes: the same plan, content and code have the same id.

    Parameters
    ----------
    options : mapping
        Options of the plan, resolved.
    content : str
        :func:`engine.release.content.content_digest` of the inputs. The hash of a file has no part
        in it: with an id column the order of the rows changes the file and no result.
    code : str, optional
        :func:`code_sha256`, read from the installed sources where not given.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    facts = {"options": options, "content": content, "code": code or code_sha256()}
    plain = json.loads(json_bytes(facts))
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def id_name(kind: str) -> str:
    """Name under which the manifest of an output has its id.

    Parameters
    ----------
    kind : str
        As in the manifest.

    Returns
    -------
    str
        ``content_id`` for a match, whose id is made from people and columns and stands on its page;
        else ``run_id``, made from the bytes of the input files: the content id of a study is that
        of its results.
    """
    return "content_id" if kind == "match" else "run_id"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that take part in a result."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def software_version() -> str:
    """Version of this software, ``0+unknown`` where it runs from sources that are not installed."""
    try:
        return version("justicelab")
    except PackageNotFoundError:
        return "0+unknown"


def peak_memory_bytes() -> int:
    """Largest resident memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def build_manifest(
    kind: str,
    facts: RunFacts,
    files: Sequence[FileRecord],
    *,
    code: str,
    ended: datetime | None,
) -> dict[str, Any]:
    """Content of manifest.json.

    Parameters
    ----------
    kind : str
        ``match``, or the name of another output.
    facts : RunFacts
        Options, inputs and course of the run.
    files : sequence of FileRecord
        Files of the output in the order written, without the manifest.
    code : str
        :func:`code_sha256`.
    ended : datetime or None
        End of the run, ``None`` while its files are being put in place.

    Returns
    -------
    dict
        Ready for :func:`engine.release.encoding.json_bytes`.
    """
    return {
        "format": FORMAT,
        "kind": kind,
        "status": "incomplete" if ended is None else "complete",
        id_name(kind): content_id(facts.options, facts.content, code),
        "software": {"name": "justicelab", "version": software_version(), "code_sha256": code},
        "versions": versions(),
        "content_sha256": facts.content,
        "options": dict(facts.options),
        "inputs": [asdict(one) for one in facts.inputs],
        "files": [asdict(one) for one in files],
        "run": {
            "started": _utc(facts.started),
            "ended": _utc(ended) if ended is not None else None,
            "seconds": dict(facts.stages),
            "threads": facts.threads,
            "peak_memory_bytes": peak_memory_bytes(),
            "system": platform.system(),
            "machine": platform.machine(),
        },
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
