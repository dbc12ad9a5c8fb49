"""Workers of a Dask cluster on this machine, killed at random while they work.

Run as a process of its own (``python -m tests.certify.cluster FOLDER RUNS KILLS``), because a
cluster leaves threads behind. It prints one line of JSON.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from engine.jobs.cluster import Dask
from engine.jobs.job import job_folder
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
