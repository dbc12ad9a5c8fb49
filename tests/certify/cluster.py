"""Dask clusters on this machine: workers killed at random, and a scheduler of another's that goes.

The first is run as a process of its own (``python -m tests.certify.cluster FOLDER RUNS KILLS``),
because a cluster leaves threads behind. It prints one line of JSON.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from distributed import Security

from engine.jobs.bootstrap import Asked, bootstrap
from engine.jobs.cluster import Dask
from engine.jobs.job import job_folder
from tests.certify import real_jobs
from tests.certify.jobs import ROOT, expected, finish, left_over, tiny_job


def one_run(cluster: Dask, output: Path, kills: int, chance: random.Random) -> dict[str, int]:
    """Run a job while workers are killed; return kills, shards lost and whether it ended right."""
    job = tiny_job()
    folder = job_folder(output, job)
    count, over, hits, lost = 400 + 600 * kills, threading.Event(), 0, 0

    def kill() -> None:
        nonlocal hits, lost
        while hits < kills and not over.wait(chance.uniform(0.1, 0.8)):
            there = {path.name for path in folder.glob("shard-*")}
            pids = [one.pid for one in cluster._cluster.workers.values() if one.pid is not None]
            if not pids or not there:
                continue
            os.kill(chance.choice(pids), signal.SIGKILL)
            hits += 1
            lost += len(there - {path.name for path in folder.glob("shard-*")})

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        same = finish(output, count, seconds=0.004, backend=cluster) == expected(count)
    finally:
        over.set()
        killer.join()
    return {"kills": hits, "lost": lost, "wrong": int(not same) + len(left_over(output))}


def worker_kills(output: Path, runs: int, kills: int) -> dict[str, Any]:
    """Kill workers in a number of runs, in a process of its own; return what was seen."""
    words = [sys.executable, "-m", "tests.certify.cluster", str(output), str(runs), str(kills)]
    made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return {**json.loads(made.stdout), "said": made.stderr}


class Elsewhere(NamedTuple):
    """A cluster that somebody else has started.

    Attributes
    ----------
    address : str
        Of the scheduler.
    settings : dict of str to str
        Variables of whoever is to reach it.
    scheduler : subprocess.Popen
    """

    address: str
    settings: dict[str, str]
    scheduler: subprocess.Popen[bytes]


@contextlib.contextmanager
def elsewhere(place: Path, workers: int, *, tls: bool = False) -> Iterator[Elsewhere]:
    """Start a scheduler and workers as processes of their own, with certificates where asked."""
    place.mkdir(mode=0o700, exist_ok=True)
    settings = _certificates(place) if tls else {}
    told = place / "scheduler.json"
    protocol = "tls" if tls else "tcp"
    own = ("--no-dashboard", "--scheduler-file", told, "--protocol", protocol)
    started = []

    def begin(program: str, *words: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *map(str, (*own, *words))]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    try:
        scheduler = begin("dask_scheduler", "--host", "127.0.0.1", "--port", 0)
        # Both import what they need at the same time; a worker waits for the file.
        for _ in range(workers):
            begin("dask_worker", "--nthreads", 1, "--no-nanny", "--local-directory", place)
        while not told.exists() and scheduler.poll() is None:
            time.sleep(0.01)
        yield Elsewhere(json.loads(told.read_bytes())["address"], settings, scheduler)
    finally:
        for process in started:
            process.kill()
            process.wait()


def _certificates(place: Path) -> dict[str, str]:
    """Write a certificate that both sides show; return how Dask is told of it."""
    made = Security.temporary()
    parts = {"CA_FILE": made.tls_ca_file}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        parts[f"{role}__CERT"] = made.tls_client_cert
        parts[f"{role}__KEY"] = made.tls_client_key
    found = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True"}
    for name, text in parts.items():
        path = place / f"{name.lower()}.pem"
        path.write_text(text)
        found[f"DASK_DISTRIBUTED__COMM__TLS__{name}"] = str(path)
    return found


def scheduler_lost(root: Path, replicates: int = 200_000) -> dict[str, object]:
    """Kill the scheduler under a bootstrap: exit code 74 in our words, and going on without it."""
    origin = real_jobs.made(root / "made")
    bootstrap(real_jobs.copied(origin, root / "undisturbed"), Asked(replicates))
    place = real_jobs.copied(origin, root / "lost")
    with elsewhere(root / "cluster", 1) as (address, _, scheduler):
        process = real_jobs.begin(place, "--replicates", 9_000_000, "--scheduler", address, "-q")
        real_jobs.wait_for_shards(place, 1, process)
        scheduler.kill()
        began = time.monotonic()
        said = process.communicate()[1].decode()
    seconds, kept = time.monotonic() - began, real_jobs.shards(place)
    bootstrap(place, Asked(replicates))
    now = real_jobs.shards(place)
    return {
        "times": 1,
        "code": process.returncode,
        "slowest": seconds,
        "said": said,
        "held": process.returncode == 74
        and said.startswith("justicelab: The scheduler of the cluster has gone.")
        and said.count("\n") == 1
        and len(kept) > 0
        and kept.items() <= now.items()
        and not real_jobs.half_written(place)
        and real_jobs.digest(place) == real_jobs.digest(root / "undisturbed"),
    }


def main() -> None:
    """Print how many kills there were, what was lost, and what else was seen."""
    output, runs, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(runs)
    total = {"kills": 0, "lost": 0, "wrong": 0}
    for number in range(runs):
        cluster = Dask("local", 2)
        seen = {"workers": cluster.workers, "dashboard": cluster.dashboard}
        for key, value in one_run(cluster, output / f"run-{number}", kills, chance).items():
            total[key] += value
        cluster.close()
    print(json.dumps({**total, **seen}))


if __name__ == "__main__":
    main()
