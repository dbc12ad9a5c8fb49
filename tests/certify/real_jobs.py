"""Bootstraps of a real match under attack: killed, told to stop, flipped, starved, shared.

The command itself is run, as a user runs it, and ``bootstrap.json`` must be byte for byte that of
an undisturbed run.
"""

import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from engine.errors import JusticeLabError
from engine.jobs.bootstrap import Asked, bootstrap, collect
from engine.jobs.resampling import opened
from engine.match import match
from engine.release.bootstrap_files import BOOTSTRAP
from engine.release.folder import TEMPORARY
from tests.certify.jobs import ROOT

RECID = ROOT / "examples" / "recid.csv"
COVARIATES = ("age", "priors", "educ")
_COMMAND = "import sys; from cli.start import run; sys.argv[0] = 'justicelab'; run()"
_LIMIT = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({0}, {0})); "
_SERVED = 2.0
_TOLD_TO_WAIT = 5.0


def made(folder: Path) -> Path:
    """Return the folder of a finished match."""
    if not folder.exists():
        match(
            RECID, id="id", treatment="workprg", covariates=COVARIATES, outcome="returned:binary",
            out=folder, orders=0,
        )  # fmt: skip
    return folder


def copied(origin: Path, place: Path) -> Path:
    """Return a copy of a match without jobs on it."""
    shutil.copytree(origin, place)
    return place


def start(*words: object, before: str = "") -> subprocess.Popen[bytes]:
    """Start ``justicelab`` in a process of its own, after lines of Python."""
    command = [sys.executable, "-c", before + _COMMAND, *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def begin(folder: Path, *options: object, largest: int | None = None) -> subprocess.Popen[bytes]:
    """Start ``justicelab bootstrap``; ``largest`` limits its files."""
    limit = "" if largest is None else _LIMIT.format(largest)
    return start("bootstrap", folder, *options, before=limit)


def ended(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a process whose words are not of interest."""
    process.communicate()
    return process.returncode


def digest(folder: Path) -> str:
    """Return the hash of bootstrap.json."""
    return hashlib.sha256((folder / BOOTSTRAP).read_bytes()).hexdigest()


def shards(folder: Path) -> dict[str, bytes]:
    """Return the shards of all jobs on a match."""
    return {path.name: path.read_bytes() for path in folder.glob("shards/*/shard-*")}


def half_written(folder: Path) -> list[str]:
    """Return the temporary files there are."""
    return [path.name for path in folder.rglob("*") if TEMPORARY.fullmatch(path.name)]


def wait_for_shards(folder: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until there are so many, or the process has ended."""
    while len(list(folder.glob("shards/*/shard-*"))) < count and process.poll() is None:
        time.sleep(0.005)


def kills(root: Path, attempts: int, replicates: int = 400_000, seed: int = 0) -> dict[str, object]:
    """Kill the command at random instants after its first shard, resuming each time."""
    chance = random.Random(seed)
    origin = made(root / "made")
    asked = Asked(replicates)
    bootstrap(copied(origin, root / "undisturbed"), asked)
    place = copied(origin, root / "killed")
    kept: dict[str, bytes] = {}
    hits = lost = 0
    for attempt in range(attempts):
        process = begin(place, "--replicates", replicates, *(["--resume"] if attempt else []))
        wait_for_shards(place, len(kept) + 1, process)
        time.sleep(chance.uniform(0.0, 0.3))
        process.kill()
        hits += ended(process) == -signal.SIGKILL
        now = shards(place)
        lost += sum(now.get(name) != data for name, data in kept.items())
        kept = now
    code = ended(begin(place, "--replicates", replicates))
    same = code == 0 and digest(place) == digest(root / "undisturbed")
    return {"times": hits, "lost": lost, "held": same and not lost and not half_written(place)}


def signals(root: Path, attempts: int, *options: object) -> dict[str, object]:
    """Tell the command to stop; all must be answered in time, with their codes."""
    origin = made(root / "made")
    slowest, held = 0.0, True
    for attempt in range(attempts):
        number = (signal.SIGTERM, signal.SIGINT)[attempt % 2]
        place = copied(origin, root / f"told-{attempt}")
        process = begin(place, "--replicates", 9_000_000, *options)
        wait_for_shards(place, 1, process)
        began = time.monotonic()
        process.send_signal(number)
        code = ended(process)
        slowest = max(slowest, time.monotonic() - began)
        held = held and code == 128 + number and not half_written(place)
        shutil.rmtree(place)
    return {"times": attempts, "slowest": slowest, "held": held and slowest <= _SERVED}


def tampering(root: Path, attempts: int, seed: int = 0) -> dict[str, object]:
    """Flip a bit of a file that a half-done job reads: refused, or the same result."""
    chance = random.Random(seed)
    asked = Asked(400)
    origin = copied(made(root / "made"), root / "whole")
    bootstrap(origin, Asked(200))
    (origin / BOOTSTRAP).unlink()
    bootstrap(copied(origin, root / "undisturbed"), asked)
    unnoticed = refused = 0
    for attempt in range(attempts):
        place = copied(origin, root / f"flipped-{attempt}")
        read = [place / name for name in ("manifest.json", "results.json", "linear-form.parquet")]
        victim = chance.choice([*read, *sorted(place.glob("shards/*/*"))])
        data = bytearray(victim.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        victim.write_bytes(bytes(data))
        opened.cache_clear()
        try:
            bootstrap(place, asked)
        except JusticeLabError:
            refused += 1
        else:
            unnoticed += digest(place) != digest(root / "undisturbed")
        shutil.rmtree(place)
    return {"times": attempts, "refused": refused, "held": unnoticed == 0}


def crowds(root: Path, rounds: int, people: int = 8) -> dict[str, object]:
    """Start the command several times on one folder: one works, the others are told to wait."""
    origin = made(root / "made")
    bootstrap(copied(origin, root / "undisturbed"), Asked(200_000))
    slowest, held = 0.0, True
    for number in range(rounds):
        place = copied(origin, root / f"crowd-{number}")
        first = begin(place, "--replicates", 9_000_000)
        wait_for_shards(place, 1, first)
        began = time.monotonic()
        others = [begin(place, "--replicates", 9_000_000) for _ in range(people - 1)]
        held = held and all(ended(other) == 75 for other in others)
        slowest = max(slowest, (time.monotonic() - began) / len(others))
        first.kill()
        ended(first)
        held = held and ended(begin(place, "--replicates", 200_000)) == 0
        held = held and digest(place) == digest(root / "undisturbed")
    return {"times": rounds * people, "slowest": slowest, "held": held and slowest < _TOLD_TO_WAIT}


def capped(root: Path, replicates: int = 40_000) -> dict[str, object]:
    """Let no file grow large enough for a shard: exit code 74, and going on without the limit."""
    origin = made(root / "made")
    place = copied(origin, root / "capped")
    code = ended(begin(place, "--replicates", replicates, largest=16_384))
    return _resumed(root, place, replicates, code)


def filled(root: Path, replicates: int = 2_000_000) -> dict[str, object]:
    """Fill a small disk under the command, where this user may mount one."""
    origin, disk = made(root / "made"), root / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(words, check=False, capture_output=True).returncode:
        return {"times": 0, "held": True, "note": "only an administrator may mount a disk"}
    try:
        place = copied(origin, disk / "match")
        process = begin(place, "--replicates", replicates)
        wait_for_shards(place, 1, process)
        _fill(disk)
        code = ended(process)
        (disk / "filling").unlink()
        return _resumed(root, place, replicates, code)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _resumed(root: Path, place: Path, replicates: int, code: int) -> dict[str, object]:
    """Go on after a disk was full, and compare."""
    left = half_written(place)
    again = ended(begin(place, "--replicates", replicates))
    bootstrap(copied(root / "made", root / "roomy"), Asked(replicates))
    same = digest(place) == digest(root / "roomy")
    return {"times": 1, "code": code, "held": (code, left, again, same) == (74, [], 0, True)}


def _fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def ways(
    root: Path,
    shares: tuple[int, ...] = (1, 3, 7),
    threads: tuple[int, ...] = (1, 2, 3, 4, 8, 16),
    *,
    cluster: bool = True,
) -> dict[str, object]:
    """Make one bootstrap in every way there is; all must give the same bytes."""
    origin = made(root / "made")
    asked = Asked(400, "refit", table=str(RECID))
    words = ("--replicates", 400, "--kind", "refit", "--table", RECID)
    found = {}
    for parts in shares:
        place = found[f"{parts} shares"] = copied(origin, root / f"shares-{parts}")
        for part in range(1, parts + 1):
            bootstrap(place, asked, share=f"{part}/{parts}")
        collect(place, asked)
    settings: list[tuple[str, object]] = [("--threads", count) for count in threads]
    settings += [("--workers", 2), ("--scheduler", "local")] if cluster else []
    for option, value in settings:
        place = found[f"{option} {value}"] = copied(origin, root / f"way{option}-{value}")
        with environment(NUMBA_NUM_THREADS="16"):
            assert ended(begin(place, *words, option, value)) == 0
    return {"times": len(found), "held": len({digest(place) for place in found.values()}) == 1}


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set variables for the processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
