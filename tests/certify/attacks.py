"""Every attack on a job, one after the other: ``python -m tests.certify jobs``.

The letters and numbers are those under which the promises are kept: F for faults, D for the same
bytes.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.jobs.backends import Processes
from tests.certify import batches, real_jobs
from tests.certify.cluster import scheduler_lost, worker_kills
from tests.certify.jobs import expected, finish, flips, histories, io_faults, kills, overhead
from tests.certify.power import power_losses
from tests.certify.starved import bootstraps, others, starved

Line = dict[str, Any]
_MOST_OVERHEAD = 0.01
_MOST_LOST = 30.0


def _kills(root: Path, attempts: int, workers: int) -> Line:
    count = 150 * (100 if workers else attempts)
    hits = kills(root, count, attempts, workers=workers)
    held = finish(root, count, backend=Processes(2) if workers else None) == expected(count)
    return {"times": hits, "held": held}


def _workers_killed(root: Path, runs: int) -> Line:
    seen = worker_kills(root, runs, 5)
    return {"times": seen["kills"], "held": seen["lost"] == seen["wrong"] == 0 < seen["kills"]}


def _kept(root: Path, seconds: float) -> Line:
    share, longest = overhead(root, seconds)
    held = share <= _MOST_OVERHEAD and longest <= _MOST_LOST
    return {"share": share, "longest": longest, "held": held}


def _faults(root: Path, count: int) -> Line:
    points = io_faults(root, count)
    return {"times": points, "held": points >= 500}


def _flips(root: Path, attempts: int) -> Line:
    return {"times": attempts, "held": flips(root, 48, attempts) == 0}


def _power(root: Path, attempts: int) -> Line:
    return {"times": attempts, "held": power_losses(root, 96, attempts) == 0}


def _histories(root: Path, attempts: int) -> Line:
    return {"times": attempts, "held": histories(root, 160, attempts) == 0}


def _attacks(size: str) -> dict[str, Callable[[Path], Line]]:
    many = {"ci": 1, "release": 20}[size]
    refit = ("--kind", "refit", "--table", real_jobs.RECID)
    return {
        "F1 kills": lambda root: _kills(root, 100 * many, 0),
        "F1 kills with two processes": lambda root: _kills(root, 10 * many, 2),
        "F1 kills of the command": lambda root: real_jobs.kills(root, 20 * many),
        "F1 kills of a batch": lambda root: batches.kills(root, 10 * many),
        "F2 signals": lambda root: real_jobs.signals(root, 10 * many),
        "F2 signals, refit": lambda root: real_jobs.signals(root, 6 * many, *refit),
        "F2 signals, cluster": lambda root: real_jobs.signals(root, 4 * many, "--workers", 2),
        "F3 failing calls": lambda root: _faults(root, 400),
        "F3 files too large": real_jobs.capped,
        "F3 a full disk": real_jobs.filled,
        "F4 power losses": lambda root: _power(root, 200 * many),
        "F5 killed workers of a cluster": lambda root: _workers_killed(root, 2 * many),
        "F5 a lost scheduler": scheduler_lost,
        "F5 batches on clusters": batches.clusters,
        "F6 bootstraps starved": lambda root: starved(root, bootstraps),
        "F6 others starved": lambda root: starved(root, others),
        "F7 eight on one folder": lambda root: real_jobs.crowds(root, 3 * many),
        "F8 keeping the work": lambda root: _kept(root, 60.0),
        "F9 flips in a job": lambda root: _flips(root, 1_000 * many),
        "F9 flips in a match and its job": lambda root: real_jobs.tampering(root, 300 * many),
        "D-1 and D-3 every way": real_jobs.ways,
        "D-3 histories": lambda root: _histories(root, 100 * many),
    }


def jobs(size: str) -> tuple[list[Line], bool]:
    """Run every attack; return a line for each, and whether all promises hold."""
    lines: list[Line] = []
    for name, attack in _attacks(size).items():
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            line = {"attack": name, **attack(Path(folder))}
        lines.append({**line, "seconds": round(time.monotonic() - began, 1)})
        print(lines[-1], flush=True)
    return lines, all(line["held"] for line in lines)
