"""Batches of studies under attack: killed at random instants and at chosen calls, on a cluster.

The command itself is run, as a user runs it, on a small synthetic nation. Every file with a figure
must be byte for byte that of an undisturbed run.
"""

import hashlib
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from engine.records.synthetic.nation import synthesise
from engine.release.folder import MANIFEST
from engine.release.study_folder import AUDIT
from engine.store.prepare import prepare
from tests.certify.cluster import elsewhere
from tests.certify.jobs import CALLS
from tests.certify.real_jobs import ended, environment, half_written, start

NAMES = ("medium-none-random", "medium-beneficial-need")
PEOPLE = 8_000
PLAN = """
[study]
{files}
requested = "{day}"
[service]
service = "{name}"
[gate]
largest_smd = 0.6
[sub_analyses]
by = []
[oasys]
trio = false
[region]
control = false
[sensitivity]
calipers = [0.2]
ratios = [5]
placebo = false
"""
_DIES = """
import os, shutil, signal
left = [{calls}]
def dying(name, real):
    def call(*words, **options):
        ours = {{"open": lambda: words[1] & os.O_CREAT, "mkdir": lambda: words[1:] == (0o700,)}}
        left[0] -= bool(ours.get(name, lambda: True)())
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **options)
    return call
for name in {names}:
    setattr(os, name, dying(name, getattr(os, name)))
"""
_LONGEST = 4.0
"""Seconds within which a batch of two small studies is killed."""


def write_plan(folder: Path, name: str, files: str, day: str = "2026-02-10") -> Path:
    """Write the plan of a small study and return its path."""
    path = folder / f"{name}.toml"
    path.write_text(PLAN.format(files=files, name=name, day=day))
    return path


def plans_of(folder: Path, submissions: Path) -> list[Path]:
    """Write a plan for each of two submissions of a small nation."""
    return [
        write_plan(folder, f"s{number}", f'submission = "{submissions / name}.csv"')
        for number, name in enumerate(NAMES)
    ]


def made(root: Path) -> tuple[list[Path], Path]:
    """Make a nation, and return two plans and the store."""
    synthesise(PEOPLE, root / "nation", seed=11, threads=2)
    prepare(root / "nation" / "extract", root / "store", threads=2, memory_bytes=1 << 30)
    return plans_of(root, root / "nation" / "submissions"), root / "store"


def begin(
    plans: list[Path], store: Path, out: Path, *options: object, calls: int | None = None
) -> subprocess.Popen[bytes]:
    """Start ``justicelab batch``; it dies at its ``calls``-th call that writes, where given."""
    dies = "" if calls is None else _DIES.format(calls=calls, names=CALLS)
    return start("batch", *plans, "--store", store, "--out", out, *options, before=dies)


def figures(folder: Path) -> str:
    """Return the hash of all files of a batch but those that tell times."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in {MANIFEST, AUDIT}:
            data = hashlib.sha256(path.read_bytes()).hexdigest()
            whole.update(f"{path.relative_to(folder)} {data}\n".encode())
    return whole.hexdigest()


def killed_at_calls(
    plans: list[Path], store: Path, out: Path, calls: list[int], *options: object
) -> int:
    """Let each run of one batch die at a call that writes; return how many did."""
    codes = [ended(begin(plans, store, out, *options, calls=number)) for number in calls]
    return codes.count(-signal.SIGKILL)


def kills(root: Path, attempts: int, seed: int = 0) -> dict[str, object]:
    """Kill batches until they end, by turns at a random instant and at a random call."""
    chance = random.Random(seed)
    plans, store = made(root)
    assert ended(begin(plans, store, root / "undisturbed")) == 0
    hits = wrong = batches = 0
    out = root / "killed"
    while hits < attempts:
        if chance.random() < 0.5:
            process = begin(plans, store, out, calls=chance.randrange(200))
        else:
            process = begin(plans, store, out)
            time.sleep(chance.uniform(0.5, _LONGEST))
            process.kill()
        code = ended(process)
        hits += code == -signal.SIGKILL
        wrong += code not in (0, -signal.SIGKILL)
        if code == 0 or hits == attempts:
            batches += 1
            wrong += not whole(plans, store, out, figures(root / "undisturbed"))
            shutil.rmtree(out)
    return {"times": hits, "batches": batches, "held": wrong == 0}


def whole(plans: list[Path], store: Path, out: Path, wanted: str, *options: object) -> bool:
    """Whether a batch run to its end has these figures, and leaves nothing half-written."""
    return (
        ended(begin(plans, store, out, *options)) == 0
        and figures(out) == wanted
        and not half_written(out)
    )


def on_a_cluster(plans: list[Path], store: Path, out: Path, place: Path, *, tls: bool) -> int:
    """Run a batch on a scheduler and two workers of other processes; return the exit code."""
    with elsewhere(place, 2, tls=tls) as there, environment(**there.settings):
        return ended(begin(plans, store, out, "--scheduler", there.address))


def clusters(root: Path) -> dict[str, object]:
    """Run a batch on clusters of other processes, open ones and such with certificates."""
    plans, store = made(root)
    assert ended(begin(plans, store, root / "alone")) == 0
    held = True
    for tls in (False, True):
        out = root / f"cluster-{tls}"
        held = held and on_a_cluster(plans, store, out, root / f"place-{tls}", tls=tls) == 0
        held = held and figures(out) == figures(root / "alone") and not half_written(out)
    return {"times": 2, "held": held}
