"""Jobs under attack: killed, starved of disk, flipped, shared; each must end as if undisturbed.

The work is small and known, so that what is tested is how it is kept. ``python -m tests.certify
jobs --size ci`` (``attacks.py``) repeats each attack often; the test command takes a few of each.
"""

import contextlib
import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import JusticeLabError
from engine.jobs.backends import Backend, Here, Processes
from engine.jobs.job import SHARD_SECONDS, Job, held, job_folder, run, share_of
from engine.jobs.shards import Units
from engine.release.manifest import code_sha256

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("open", "write", "fsync", "rename", "fchmod", "mkdir", "unlink")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS)
COLUMNS = ("square", "cosine")
CODE = code_sha256()


def compute(parameters: Mapping[str, Any], units: Units) -> NDArray[np.float64]:
    """Return two known numbers for each unit, after the time it is told to take."""
    time.sleep(parameters.get("seconds", 0.0) * len(units))
    number = np.arange(units.start, units.stop, dtype=np.float64) + parameters["seed"]
    return np.stack([number * number, np.cos(number)], axis=1)


def tiny_job(seed: int = 0, inputs: tuple[str, ...] = ("0" * 64,)) -> Job:
    """Return the job that computes them."""
    return Job("tiny", {"seed": seed}, inputs, COLUMNS, CODE)


def finish(
    output: Path,
    count: int,
    *,
    seconds: float | None = 0.0,
    seed: int = 0,
    backend: Backend | None = None,
    share: tuple[int, int] | None = None,
    job: Job | None = None,
) -> str:
    """Run the job to its end, or a share of it, and return the hash of its results.

    ``seconds`` is what a unit takes; a shard is sixteen of them, or as long as a user's for None.
    """
    job = job or tiny_job(seed)
    folder = job_folder(output, job)
    wanted = Units(0, count)
    if share is not None:
        part = share_of(wanted, *share)
        if part is None:
            return ""
        wanted = part
    parameters = {"seed": seed, "seconds": seconds or 0.0}
    long = SHARD_SECONDS if seconds is None else 16 * seconds
    with held(folder, job, shared=share is not None):
        collected = run(
            folder, job, wanted, compute, parameters, backend or Here(),
            shared=share is not None, seconds=long,
        )  # fmt: skip
    return digest(collected.complete())


def digest(values: NDArray[np.float64]) -> str:
    """Return the hash of results."""
    return hashlib.sha256(values.tobytes()).hexdigest()


def expected(count: int, seed: int = 0) -> str:
    """Return the hash of undisturbed results."""
    return digest(compute({"seed": seed}, Units(0, count)))


def left_over(output: Path) -> list[str]:
    """Return the files that are neither shards nor the description of a job."""
    return sorted(
        path.name
        for path in output.rglob("*")
        if path.is_file() and not path.name.startswith("shard-") and path.name != "job.json"
    )


def start(output: Path, count: int, seconds: float, workers: int = 0) -> subprocess.Popen[bytes]:
    """Start the job in a process of its own, which says 'ready' on its standard output."""
    command = [sys.executable, "-m", "tests.certify.jobs", str(output), str(count), str(seconds)]
    process = subprocess.Popen(
        [*command, str(workers)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def kills(output: Path, count: int, attempts: int, seed: int = 0, workers: int = 0) -> int:
    """Kill the job at random instants, going on each time; return how often it was still running.

    Every shard that was there before a kill must be there after it.
    """
    chance = random.Random(seed)
    folder = job_folder(output, tiny_job())
    kept: set[str] = set()
    hits = 0
    for _ in range(attempts):
        # Workers take their time to begin, and do more of the work in it.
        process = start(output, count, 0.003 if workers else 0.0005, workers)
        time.sleep(chance.uniform(0.0, 1.5 if workers else 0.12))
        process.send_signal(signal.SIGKILL)
        hits += process.wait() == -signal.SIGKILL
        if process.stdout is not None:
            process.stdout.close()
        now = {path.name for path in folder.glob("shard-*")} if folder.exists() else set()
        assert kept <= now, "a kill took a finished shard away"
        kept = now
    return hits


@contextlib.contextmanager
def failing(index: int, code: int) -> Iterator[list[str]]:
    """Let the index-th call of any kind that writes fail; the list names the calls."""
    seen: list[str] = []
    real = {name: getattr(os, name) for name in CALLS}

    def make(name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real[name](*args, **options)
            seen.append(name)
            if len(seen) - 1 == index:
                raise OSError(code, "no such words may reach a user", "/secret/path")
            return real[name](*args, **options)

        return call

    try:
        for name in CALLS:
            setattr(os, name, make(name))
        yield seen
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def io_faults(output: Path, count: int, codes: tuple[int, ...] = ERRORS) -> int:
    """Let every call that writes fail once with every error; return how many points there were."""
    with failing(-1, 0) as calls:
        finish(output / "undisturbed", count)
    points = 0
    for code in codes:
        for index in range(len(calls)):
            place = output / f"fault-{code}-{index}"
            caught = None
            try:
                with failing(index, code):
                    finish(place, count)
            except JusticeLabError as error:
                caught = error
            assert caught is None or caught.exit_code in {73, 74}
            assert caught is None or "secret" not in str(caught)
            assert not place.exists() or left_over(place) == []
            assert finish(place, count) == expected(count)
            points += 1
    return points


def flips(output: Path, count: int, attempts: int, seed: int = 0) -> int:
    """Flip one bit of a file of a finished job; return how many flips went unnoticed."""
    chance = random.Random(seed)
    finish(output, count)
    folder = job_folder(output, tiny_job())
    unnoticed = 0
    for _ in range(attempts):
        victim = chance.choice(sorted(folder.glob("*")))
        whole = victim.read_bytes()
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        victim.write_bytes(bytes(data))
        assert finish(output, count) == expected(count)
        unnoticed += victim.exists() and victim.read_bytes() == bytes(data)
        victim.write_bytes(whole)
    return unnoticed


def histories(output: Path, count: int, attempts: int, seed: int = 0) -> int:
    """Finish jobs by random shares and interruptions; return how many ended otherwise."""
    chance = random.Random(seed)
    wrong = 0
    for attempt in range(attempts):
        place = output / f"history-{attempt}"
        shares = chance.randint(1, 7)
        for part in chance.sample(range(1, shares + 1), chance.randint(0, shares)):
            finish(place, count, share=(part, shares))
        if chance.random() < 0.5:
            finish(place, chance.randint(1, count))
        wrong += finish(place, count) != expected(count)
    return wrong


def overhead(output: Path, seconds: float) -> tuple[float, float]:
    """Return the share of a run that goes into keeping its work, and the longest shard in seconds.

    Shards hold as much work as they do for a user.
    """
    job = tiny_job()
    folder = job_folder(output, job)
    spent: list[float] = []

    def timed(parameters: Mapping[str, Any], units: Units) -> NDArray[np.float64]:
        began = time.perf_counter()
        values = compute(parameters, units)
        spent.append(time.perf_counter() - began)
        return values

    units = Units(0, int(seconds / 0.005))
    began = time.perf_counter()
    with held(folder, job):
        run(folder, job, units, timed, {"seed": 0, "seconds": 0.005}, Here())
    return 1.0 - sum(spent) / (time.perf_counter() - began), max(spent)


if __name__ == "__main__":
    # Who is started in the background of a script inherits that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("ready", flush=True)
    work = Processes(int(sys.argv[4])) if int(sys.argv[4]) else Here()
    finish(Path(sys.argv[1]), int(sys.argv[2]), seconds=float(sys.argv[3]), backend=work)
