"""Commands with too little memory: refused with their estimate, or killed as a kernel kills.

A kernel that runs out of memory says nothing to a process and ends it; here a watcher does so as
soon as the resident memory passes a cap. Each command is then run again with all the memory there
is, and must end in the bytes of an undisturbed run.
"""

import hashlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from engine.jobs.job import DESCRIPTION
from engine.release.bootstrap_files import BOOTSTRAP
from engine.release.folder import MANIFEST
from tests.certify import batches, real_jobs
from tests.certify.real_jobs import COVARIATES, RECID

SHARES = (0.5, 0.75, 0.9)
_LEAST = 256
"""Smallest ceiling in MiB that --memory takes."""
_REFUSED = 74
_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30}


class Starved(NamedTuple):
    """A command that is to be starved.

    Attributes
    ----------
    words : tuple of object
        All but the place where it writes, which comes last.
    origin : Path or None
        What is copied to that place before; None where it is made.
    """

    words: tuple[object, ...]
    origin: Path | None

    def begun(self, place: Path) -> None:
        """Put what the command needs at the place."""
        if self.origin is not None:
            shutil.copytree(self.origin, place)

    def start(self, place: Path, *more: object) -> subprocess.Popen[bytes]:
        """Start the command."""
        return real_jobs.start(*self.words, place, *more)


def resampled(made: Path, *options: object) -> Starved:
    """Return a bootstrap of a finished match."""
    return Starved(("bootstrap", "-q", *options), made)


def bootstraps(root: Path) -> dict[str, Starved]:
    """Return bootstraps of the linear form and with fits and matches made again."""
    made = real_jobs.made(root / "made")
    again = ("--kind", "refit", "--table", RECID)
    return {
        "wild": resampled(made, "--replicates", 20_000),
        "refit": resampled(made, "--replicates", 800, *again),
    }


def others(root: Path) -> dict[str, Starved]:
    """Return a match, and on a small nation the preparation of a store and a batch."""
    plans, store = batches.made(root)
    outcome = ("--outcome", "returned:binary", "--orders", 0, "--out")
    chosen = ("--id", "id", "--treatment", "workprg", "--covariates", ",".join(COVARIATES))
    return {
        "match": Starved(("match", RECID, *chosen, *outcome), None),
        "prepare": Starved(("prepare", root / "nation" / "extract", "--store"), None),
        "batch": Starved(("batch", *plans, "--store", store, "--out"), None),
    }


def written(place: Path) -> str:
    """Return the hash of what a command wrote, of a bootstrap that of its result."""
    result = place / BOOTSTRAP
    if result.is_file():
        return hashlib.sha256(result.read_bytes()).hexdigest()
    return batches.figures(place)


def watched(process: subprocess.Popen[bytes], cap: float) -> tuple[int, int]:
    """Kill a process that passes a cap; return its exit code and the most that was seen, bytes."""
    peak = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        found = re.search(r"VmRSS:\s+(\d+)", status.read_text())
        peak = max(peak, int(found[1]) * 1024 if found else 0)
        if peak > cap:
            process.kill()
        time.sleep(0.001)
    return real_jobs.ended(process), peak


def estimated(command: Starved, place: Path) -> int:
    """Return what a command says that it needs, bytes; it is refused, and writes nothing."""
    command.begun(place)
    before = _listed(place)
    process = command.start(place, "--memory", f"{_LEAST}M")
    said = process.communicate()[1].decode()
    assert process.returncode == _REFUSED
    assert _listed(place) == before
    size, unit = re.findall(r"would need about ([0-9.]+) ([MG]iB)", said)[0]
    return int(float(size) * _UNITS[unit])


def starve(command: Starved, root: Path, shares: tuple[float, ...] = SHARES) -> dict[str, object]:
    """Run a command with shares of the memory it needs, then with all of it.

    Ceilings are shares of its own estimate, which bounds its peak; caps of the watcher are shares
    of the peak, since one above it would not be felt.
    """
    needed = estimated(command, root / "refused")
    whole = root / "whole"
    command.begun(whole)
    code, peak = watched(command.start(whole), float("inf"))
    held, killed = code == 0 and peak <= needed, 0
    for share in shares:
        ceiling = root / f"ceiling-{share}"
        command.begun(ceiling)
        before = _listed(ceiling)
        size = max(int(share * needed) >> 20, _LEAST)
        code = real_jobs.ended(command.start(ceiling, "--memory", f"{size}M"))
        # A match finds a way with less; who finds none leaves everything as it was.
        held = held and (code == 0 or (code == _REFUSED and _listed(ceiling) == before))
        capped = root / f"capped-{share}"
        command.begun(capped)
        code, _ = watched(command.start(capped), share * peak)
        killed += code == -signal.SIGKILL
        for place in (ceiling, capped):
            held = held and real_jobs.ended(command.start(place)) == 0
            held = held and written(place) == written(whole)
            held = held and not real_jobs.half_written(place)
    return {"times": 2 * len(shares), "killed": killed, "held": held and killed == len(shares)}


def starved(root: Path, chosen: Callable[[Path], dict[str, Starved]]) -> dict[str, object]:
    """Starve some commands by turns."""
    lines = {}
    for name, command in chosen(root).items():
        (root / name).mkdir(mode=0o700)
        lines[name] = starve(command, root / name)
    return {
        "times": sum(int(str(line["times"])) for line in lines.values()),
        "held": all(line["held"] for line in lines.values()),
        "lines": lines,
    }


def _listed(place: Path) -> list[Path]:
    """Return the files at a place but those by which a batch says that the place is its own."""
    every = sorted(place.rglob("*")) if place.exists() else []
    return [path for path in every if path.is_file() and path.name not in {MANIFEST, DESCRIPTION}]
