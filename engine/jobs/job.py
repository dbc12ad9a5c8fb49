"""A job: what is repeated, on what, by which code; its folder of shards; and running it.

The id of a job is a hash of all that decides its results, and its folder is named by it, so a
folder never mixes the work of two jobs. How far a job has got is not recorded anywhere: it is read
off the shards that are there and verify. So resuming is the same as starting.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.errors import (
    CannotCreateError,
    DamagedShardError,
    JusticeLabError,
    StorageError,
    UsageError,
)
from engine.jobs.backends import Backend, Compute, Done, Task
from engine.jobs.collect import Collected
from engine.jobs.shards import Shard, Units, inputs_digest, read_shard, units_in
from engine.release.encoding import json_bytes
from engine.release.files import write_bytes
from engine.release.folder import (
    SHARDS,
    TEMPORARY,
    locked,
    open_folder,
    plain_errors,
    private_folder,
    read_file,
)

FORMAT = 1
DESCRIPTION = "job.json"
BLOCK = 8
"""Units are dealt out in blocks of this many, which the kernels compute together."""
SHARD_SECONDS = 10.0
"""Work in a shard: what a kill can cost. Writing one takes some 10 ms, a thousandth of it."""
_LEAST_SHARE = 0.05
"""Of that, at the end of a job: half a second, of which dealing out a task is below 0.4 %."""
_GROWTH = 32
_MOST_UNITS = 1 << 20
_DESCRIPTION_LIMIT = 1 << 26
_LEAST_SPACE = 1 << 20


@dataclass(frozen=True)
class Job:
    """What is repeated.

    Attributes
    ----------
    kind : str
        ``bootstrap``; the first part of the folder's name.
    plan : mapping
        Every parameter that decides what a unit gives; plain JSON. How many units are wanted is
        not among them, so more can be asked for later.
    inputs : tuple of str
        Hash of what the units are computed from: one that they share, or one for each.
    columns : tuple of str
        Names of the numbers that a unit gives.
    code : str
        Hash of the sources.
    """

    kind: str
    plan: Mapping[str, Any]
    inputs: tuple[str, ...]
    columns: tuple[str, ...]
    code: str

    @cached_property
    def id(self) -> str:
        """Hash of all that decides the results of every unit, 64 hexadecimal digits.

        Units with inputs of their own are not all invalid when one of them changes: their inputs
        stand in their shards and not in the id.
        """
        return hashlib.sha256(json_bytes(self._facts())).hexdigest()

    def _facts(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "kind": self.kind,
            "plan": {key: self.plan[key] for key in sorted(self.plan)},
            "inputs": self.inputs[0] if len(self.inputs) == 1 else "each unit has its own",
            "columns": list(self.columns),
            "code": self.code,
        }

    @property
    def name(self) -> str:
        """Name of the job's folder."""
        return f"{self.kind}-{self.id[:16]}"

    def description(self) -> bytes:
        """Return the content of job.json: what the id is a hash of, in words."""
        return json_bytes({"job": self.id, **self._facts()})


def job_folder(output: Path, job: Job) -> Path:
    """Return where the shards of a job on an output stand."""
    return output / SHARDS / job.name


def described(folder: Path) -> dict[str, Any] | None:
    """Return what job.json says; None where it is absent, or not what was written."""
    try:
        data = read_file(folder, DESCRIPTION, _DESCRIPTION_LIMIT)
        facts = json.loads(data)
        job = Job(
            facts["kind"], facts["plan"], (facts["inputs"],), tuple(facts["columns"]), facts["code"]
        )
        whole = data == job.description()
    except (JusticeLabError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return facts if whole else None


def require_job(output: Path, job: Job) -> None:
    """Refuse to resume a job that was never started, and say what has changed since another was.

    Raises
    ------
    CannotCreateError
        There is no such job in the folder.
    """
    if described(job_folder(output, job)) is not None:
        return
    there = sorted((output / SHARDS).glob(f"{job.kind}-*")) if (output / SHARDS).is_dir() else []
    others = [facts for facts in map(described, there) if facts is not None]
    nearest: list[str] = []
    for facts in others:
        changed = _differences(facts, job)
        if not nearest or len(changed) < len(nearest):
            nearest = changed
    raise CannotCreateError(
        f"there is no {job.kind} to resume in '{output.name}'"
        + (f"; one that was started there differs in {', '.join(nearest)}" if nearest else ""),
        rule="a job is resumed with the inputs, the options and the software it was started with",
        repair="Leave out --resume to start anew; finished work of other jobs stays",
    )


def _differences(facts: Mapping[str, Any], job: Job) -> list[str]:
    names = {"inputs": "the inputs", "code": "the software", "columns": "the outcomes"}
    own = json.loads(job.description())
    found = [words for key, words in names.items() if facts[key] != own[key]]
    plans = own["plan"], facts["plan"]
    found += [
        f"--{key.replace('_', '-')}"
        for key in sorted(plans[0].keys() | plans[1].keys())
        if plans[0].get(key) != plans[1].get(key)
    ]
    return found


@contextlib.contextmanager
def held(folder: Path, job: Job, *, shared: bool = False) -> Iterator[None]:
    """Hold the folder of a job, made where it is absent.

    Parameters
    ----------
    folder : Path
    job : Job
    shared : bool
        Several processes do a share each. Otherwise the folder is ours alone, and temporary files
        of dead runs, and of our own workers in the end, are swept.

    Raises
    ------
    BusyError
        Somebody else holds it.
    CannotCreateError
        It belongs to another job.
    StorageError, AccessError
        The disk is failing, or the folder is not private.
    """
    private_folder(folder)
    with locked(folder, shared=shared):
        there = described(folder)
        if there is not None and there["job"] != job.id:
            raise CannotCreateError(
                f"the folder '{folder.name}' belongs to another job",
                rule="a folder holds the shards of one job",
                repair="Move it away; folders of jobs are named by what they compute",
            )
        if there is None:
            write_bytes(folder, DESCRIPTION, job.description())
        try:
            yield
        finally:
            if not shared:
                _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove what workers left half-written; where that fails, the next run sweeps it."""
    with contextlib.suppress(OSError, JusticeLabError), open_folder(folder) as handle:
        for entry in folder.iterdir():
            if TEMPORARY.fullmatch(entry.name):
                os.unlink(entry.name, dir_fd=handle)


def verified(folder: Path, job: Job, *, drop: bool) -> list[Shard]:
    """Return the shards of a job that are whole and made from the inputs as they are now.

    Parameters
    ----------
    folder : Path
    job : Job
    drop : bool
        Remove the others. Only who holds the folder alone may: a damaged file could just have been
        replaced.

    Returns
    -------
    list of Shard
        In the order of their units.
    """
    with plain_errors(f"the folder '{folder.name}'", "reading"):
        names = sorted(entry.name for entry in folder.iterdir())
    found = []
    for name in names:
        units = units_in(name, job.id)
        if units is None:
            continue
        shard = _sound(folder, name, job)
        if shard is not None:
            found.append(shard)
        elif drop:
            with plain_errors(f"the file '{name}'"), open_folder(folder) as handle:
                os.unlink(name, dir_fd=handle)
    return found


def _sound(folder: Path, name: str, job: Job) -> Shard | None:
    try:
        shard = read_shard(folder, name)
    except DamagedShardError:
        return None
    if 1 < len(job.inputs) < shard.units.stop:
        return None
    current = inputs_digest(job.inputs, shard.units)
    ours = shard.job == job.id and shard.inputs == current and shard.columns == job.columns
    return shard if ours else None


def parse_share(text: str) -> tuple[int, int]:
    """Return i and n of ``i/n``.

    Raises
    ------
    UsageError
        It is not of that form, or i is not in 1, ..., n.
    """
    first, _, last = text.partition("/")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise UsageError(
            "--shard is not of the form i/n",
            rule="--shard 2/5 is the second of five shares",
            repair="Give two whole numbers, the first from 1 to the second",
        )
    return int(first), int(last)


def share_of(wanted: Units, i: int, n: int, block: int = BLOCK) -> Units | None:
    """Return the i-th of n parts of a range, cut at whole blocks; None for an empty one.

    Depends on nothing but its arguments, so processes that know nothing of each other do every
    unit once.
    """
    blocks = -(-len(wanted) // block)
    start, stop = (min(wanted.start + blocks * k // n * block, wanted.stop) for k in (i - 1, i))
    return Units(start, stop) if start < stop else None


@dataclass(frozen=True)
class Course:
    """How far a job has got.

    Attributes
    ----------
    done, wanted : int
        Units.
    seconds_left : float
        At the pace of this run; nan before anything was done.
    collected : Collected
        What is there so far.
    """

    done: int
    wanted: int
    seconds_left: float
    collected: Collected


class _Pace:
    """How many units make a shard: few at first, then what takes the seconds asked for.

    A shard is a number of blocks for each thread: as many blocks as threads take the time of one.
    Towards the end shards become smaller, so that no worker is left with a long one when the
    others have ended, but not so small that dealing them out would count.
    """

    def __init__(self, workers: int, threads: int, seconds: float, *, single: bool) -> None:
        self._workers = workers
        self._step = BLOCK * threads
        self._seconds = seconds
        self._single = single
        self._size = self._step
        self._least = self._step

    def learn(self, done: Done) -> None:
        """Take in how long a shard took."""
        fitting = self._seconds * len(done.units) / max(done.seconds, 1e-6)
        self._size = min(int(fitting), self._size * _GROWTH, _MOST_UNITS)
        self._least = min(int(fitting * _LEAST_SHARE), self._size)

    def size(self, left: int) -> int:
        """Return the units of the next shard."""
        if self._single:
            return 1
        share = left // (2 * self._workers)
        return max(min(self._size, max(share, self._least)) // self._step, 1) * self._step


def run(
    folder: Path,
    job: Job,
    wanted: Units,
    compute: Compute,
    parameters: Mapping[str, Any],
    backend: Backend,
    *,
    shared: bool = False,
    seconds: float = SHARD_SECONDS,
    tell: Callable[[Course], None] | None = None,
) -> Collected:
    """Compute the units of a range that are not there yet, shard by shard.

    Parameters
    ----------
    folder : Path
        From :func:`job_folder`, held.
    job : Job
    wanted : Units
    compute : callable
        Maps (parameters, units) to float64 values, shape (len(units), columns); a function of a
        module, so that other processes can find it.
    parameters : mapping
        Plain JSON: paths, numbers and names, never data.
    backend : Backend
    shared : bool
        As for :func:`held`.
    seconds : float
        Work that a shard should hold.
    tell : callable, optional
        Told the course after each shard.

    Returns
    -------
    Collected

    Raises
    ------
    DisagreementError
        Two shards differ about the same unit.
    StorageError
        The disk is full or failing; run again to go on.
    """
    collected = Collected(wanted, job.columns)
    for shard in verified(folder, job, drop=not shared):
        collected.add(shard)
    _require_space(folder, collected)
    pace = _Pace(backend.workers, backend.threads, seconds, single=len(job.inputs) > 1)
    began, before = time.monotonic(), collected.done

    def course() -> Course:
        new = collected.done - before
        left = collected.missing_count
        seconds = (time.monotonic() - began) * left / new if new else float("nan")
        return Course(collected.done, len(wanted), seconds, collected)

    def tasks() -> Iterator[Task]:
        left = collected.missing_count
        for gap in collected.missing():
            start = gap.start
            while start < gap.stop:
                # Cut at multiples of the block, wherever a gap begins.
                stop = min((start + pace.size(left)) // BLOCK * BLOCK, gap.stop)
                if len(job.inputs) > 1:
                    stop = start + 1
                units = Units(start, max(stop, start + 1))
                yield Task(
                    compute, parameters, str(folder), job.code, job.id,
                    inputs_digest(job.inputs, units), job.columns, units,
                )  # fmt: skip
                left -= len(units)
                start = units.stop

    if tell is not None:
        tell(course())
    with contextlib.closing(backend.map(tasks())) as finished:
        for done in finished:
            pace.learn(done)
            collected.add(read_shard(folder, done.name))
            if tell is not None:
                tell(course())
    return collected


def _require_space(folder: Path, collected: Collected) -> None:
    needed = 2 * 8 * collected.missing_count * len(collected.columns) + _LEAST_SPACE
    with plain_errors(f"the folder '{folder.name}'"):
        free = shutil.disk_usage(folder).free
    if collected.missing_count and free < needed:
        raise StorageError(
            "there is too little room for the results",
            where=f"{free // 1000:,} kB are free, {needed // 1000:,} kB are needed",
            repair="Make room and run the command again",
        )
