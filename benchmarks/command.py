"""The command ``justicelab`` as a whole: a fresh process, its wall and CPU seconds and its peak."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.race import ROOT, clean_environment


@dataclass(frozen=True)
class Finished:
    """A command that ended well.

    Attributes
    ----------
    wall, cpu : float
        Seconds from start to end, and of all its threads.
    peak : int
        Largest resident memory in bytes.
    """

    wall: float
    cpu: float
    peak: int


def run_command(*words: str, cache: Path) -> Finished:
    """Run ``justicelab`` with these words and wait.

    Parameters
    ----------
    *words : str
    cache : path
        Folder of compiled kernels, so that a case says whether it is warm.

    Raises
    ------
    RuntimeError
        The command failed; the message ends with what it said.
    """
    environment = clean_environment(None) | {"NUMBA_CACHE_DIR": str(cache)}
    said = cache / "said"
    with said.open("w", encoding="utf-8") as messages:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=messages,
        )
        # Of this child alone: what resource.getrusage gives is the largest of all children so far.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        text = said.read_text(encoding="utf-8")[-2000:]
        raise RuntimeError(f"justicelab ended with status {process.returncode}: {text}")
    return Finished(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
