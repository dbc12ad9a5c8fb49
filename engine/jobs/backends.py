"""Who computes: this process, or processes on this machine (a Dask cluster: ``cluster.py``).

All of them map tasks to shard files and nothing else. A task carries a path, a range, names and
numbers, never data; a worker reads what it needs and writes its shard where everybody finds it. So
a lost worker costs its shard, a task done twice writes the same file, and results cannot depend on
who did what.
"""

import contextlib
import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from engine.errors import StorageError, UsageError
from engine.jobs.shards import Shard, Units, name_of, write_shard
from engine.memory import keep_freed_memory

Compute = Callable[[Mapping[str, Any], Units], NDArray[np.float64]]

_ATTEMPTS = 5
AHEAD = 1
"""Tasks kept waiting for each worker, so that none is idle while a shard is taken in."""
_LAST_WISH = 1.0


@dataclass(frozen=True)
class Task:
    """A range of units to compute and to write as a shard.

    Attributes
    ----------
    compute : callable
        A function of a module.
    parameters : mapping
    folder : str
    code : str
        Hash of the sources that the job belongs to.
    job, inputs : str
        As in the shard.
    columns : tuple of str
    units : Units
    """

    compute: Compute
    parameters: Mapping[str, Any]
    folder: str
    code: str
    job: str
    inputs: str
    columns: tuple[str, ...]
    units: Units

    @property
    def key(self) -> str:
        """What the task makes, and where; two tasks with one key write the same file."""
        place = hashlib.sha256(self.folder.encode()).hexdigest()[:16]
        return f"{name_of(self.job, self.units)}-{self.job}-{self.inputs}-{place}"


@dataclass(frozen=True)
class Done:
    """A shard that is on the disk.

    Attributes
    ----------
    name : str
        Its file.
    units : Units
    seconds : float
        Time it took to compute.
    """

    name: str
    units: Units
    seconds: float


class Backend(Protocol):
    """Maps tasks to shard files."""

    @property
    def workers(self) -> int:
        """How many tasks are computed at the same time."""

    @property
    def threads(self) -> int:
        """How many blocks of a task are computed at the same time."""

    def map(self, tasks: Iterator[Task]) -> Generator[Done]:
        """Yield each shard when it is on the disk, in any order.

        Tasks are drawn when there is somebody to do them, so their sizes can follow the pace.
        """


def perform(task: Task) -> Done:
    """Compute a task and write its shard."""
    began = time.perf_counter()
    values = task.compute(task.parameters, task.units)
    seconds = time.perf_counter() - began
    shard = Shard(task.job, task.inputs, task.units, task.columns, values)
    return Done(write_shard(Path(task.folder), shard), task.units, seconds)


class Here:
    """The process itself, with the threads of its kernels."""

    workers = 1

    @property
    def threads(self) -> int:
        """Those of the kernels."""
        return numba.get_num_threads()

    def map(self, tasks: Iterator[Task]) -> Generator[Done]:
        """Compute one task after the other."""
        for task in tasks:
            yield perform(task)


class Processes:
    """Processes of this machine, each with one thread; a lost one is replaced.

    Parameters
    ----------
    workers : int
        At least 1.
    """

    threads = 1

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise UsageError("--workers is below 1", repair="Give 1 or more")
        self.workers = workers

    def map(self, tasks: Iterator[Task]) -> Generator[Done]:
        """Compute tasks in a pool; after a worker was lost, what was under way in a new one."""
        undone: list[Task] = []
        losses = 0
        while True:
            try:
                with self._pool() as pool:
                    for done in self._through(pool, tasks, undone):
                        losses = 0
                        yield done
            except BrokenProcessPool:
                losses += 1
                if losses == _ATTEMPTS:
                    raise workers_lost() from None
            else:
                return

    def _through(
        self, pool: ProcessPoolExecutor, tasks: Iterator[Task], undone: list[Task]
    ) -> Iterator[Done]:
        """Pass tasks through one pool; ``undone`` holds what was drawn and is not on the disk."""
        flying = {pool.submit(perform, task): task for task in undone}
        while True:
            while len(flying) < self.workers + AHEAD:
                task = next(tasks, None)
                if task is None:
                    break
                undone.append(task)
                flying[pool.submit(perform, task)] = task
            if not flying:
                return
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                task = flying.pop(future)
                done = future.result()
                undone.remove(task)
                yield done

    @contextlib.contextmanager
    def _pool(self) -> Iterator[ProcessPoolExecutor]:
        pool = ProcessPoolExecutor(
            self.workers, mp_context=get_context("spawn"), initializer=_begin_worker
        )
        try:
            yield pool
            # Nothing is under way any more: workers leave by themselves.
            pool.shutdown(wait=True)
        finally:
            # Private to the executor, but it has no other way to end workers at once.
            processes = list((pool._processes or {}).values())  # noqa: SLF001
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            end = time.monotonic() + _LAST_WISH
            for process in processes:
                process.join(max(0.0, end - time.monotonic()))
                if process.is_alive():
                    process.kill()
                    process.join()


def workers_lost() -> StorageError:
    """Return the error of a job whose workers die as often as they are replaced."""
    return StorageError(
        "worker processes keep dying",
        rule="a lost worker is replaced, but not for ever",
        repair="Look at the memory of the machine, use fewer --workers, and run again: finished "
        "shards are kept",
    )


def _begin_worker() -> None:
    """Set up a worker: one thread, memory kept, the parent's signals, no life after the parent."""
    os.umask(0o077)
    numba.set_num_threads(1)
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    # An exception, so that a file half-written is taken away.
    raise SystemExit(128 + number)


def _die_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)
