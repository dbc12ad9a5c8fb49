"""The process inside the sandbox: takes paths line by line, answers with grids of texts."""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from pathlib import Path

import pyarrow as pa

from engine.submission.reading import Refused, read_grids

FILES = 64
"""Files that may be open."""


def serve() -> None:
    """Answer requests until the input ends; arguments: home, bytes of memory, seconds.

    Notes
    -----
    Core dumps are off, because they would hold people's data. The limit on the processor's time
    is set anew for every file. The limit on memory counts addresses, so what the program itself
    has mapped is added to it.
    """
    memory, seconds = int(sys.argv[2]), int(sys.argv[3])
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, FILES)
    _limit(resource.RLIMIT_AS, _mapped() + memory)
    out = sys.stdout.buffer
    out.write(b"ready\n")
    out.flush()
    for line in sys.stdin.buffer:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds + 1)
        path = Path(os.fsdecode(bytes.fromhex(json.loads(line)["path"])))
        out.write(_answer(path))
        out.flush()
        gc.collect()


def _answer(path: Path) -> bytes:
    """Return one line of JSON."""
    try:
        grids, notes = read_grids(path)
        return json.dumps({"grids": grids, "notes": notes}).encode() + b"\n"
    except Refused as refused:
        rule = refused.rule
    except MemoryError:
        rule = "too_much_to_read"
    except Exception:  # noqa: BLE001 - a reader's fault is a refusal, and its text may quote a cell
        rule = "not_a_table"
    return json.dumps({"rule": rule}).encode() + b"\n"


def _limit(what: int, value: int) -> None:
    """Lower the soft limit; the hard one stays, so that it can be set for the next file."""
    _, hard = resource.getrlimit(what)
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (soft, hard))


def _mapped() -> int:
    """Return the bytes of address space in use; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 1 << 40
    return pages * resource.getpagesize()
