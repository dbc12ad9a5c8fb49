"""A Dask cluster as the one who computes: another's, by its address, or one on this machine.

The cluster deals tasks out and nothing else. Tasks are done at least once: a lost worker's go to
another, and both may have written. What counts is the shard on the disk, keyed by its units: equal
bytes are one result, different ones an error.
"""

import contextlib
import functools
import logging
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import numba

from engine.errors import ConfigurationError, StorageError
from engine.jobs.backends import (
    AHEAD,
    Backend,
    Done,
    Here,
    Processes,
    Task,
    perform,
    workers_lost,
)
from engine.memory import KEEPING
from engine.release.manifest import code_sha256

LOCAL = "local"
Tell = Callable[[str], None]

_ONE_AT_A_TIME = threading.Lock()
_own_code = functools.cache(code_sha256)


def backend_for(
    workers: int | None, scheduler: str | None, stack: ExitStack, tell: Tell | None = None
) -> Backend:
    """Return who computes.

    Parameters
    ----------
    workers : int or None
        Processes on this machine: a cluster of Dask's where that is installed, with its dashboard,
        and otherwise processes of our own. None for this process with all its threads.
    scheduler : str or None
        Address of a Dask scheduler; ``local`` starts one here.
    stack : ExitStack
        Closes the cluster.
    tell : callable, optional
        Told where the cluster can be watched.
    """
    if scheduler is None and workers is not None and find_spec("distributed") is not None:
        scheduler = LOCAL
    if scheduler is None:
        return Here() if workers is None else Processes(workers)
    cluster = Dask(scheduler, workers)
    stack.callback(cluster.close)
    if tell is not None:
        if cluster.dashboard is not None:
            tell(f"The cluster's dashboard is {cluster.dashboard}")
        if not cluster.has_workers:
            tell("The cluster has no worker yet; the work begins with the first")
    return cluster


class Dask:
    """A cluster of Dask distributed, which must see the folder under the same path.

    Parameters
    ----------
    address : str
        Of a scheduler, such as ``tcp://host:8786``; ``local`` starts one on this machine.
    workers : int, optional
        Processes of a local cluster, one thread each; as many as there are cores where not given.

    Raises
    ------
    ConfigurationError
        Dask distributed is not installed.
    StorageError
        There is no scheduler at the address.

    Notes
    -----
    Dask's log is kept off the terminal: it shows tracebacks, and the text of what was raised.
    """

    threads = 1

    def __init__(self, address: str, workers: int | None = None) -> None:
        try:
            # An extra: a plain installation does everything on one machine.
            from distributed import Client  # noqa: PLC0415
            from distributed.utils import silence_logging_cmgr  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "Dask distributed is not installed",
                rule="--scheduler needs the extra 'cluster'",
                repair="Install justicelab[cluster], or use --workers or --shard i/n",
            ) from None
        self._cluster: Any = None
        self._ended_early = False
        self._quiet = ExitStack()
        try:
            if address == LOCAL:
                self._cluster = _on_this_machine(workers or os.cpu_count() or 1)
                self._client = Client(self._cluster)
            else:
                # A cluster of this machine says nothing by itself.
                self._quiet.enter_context(silence_logging_cmgr(logging.CRITICAL))
                self._client = Client(address, timeout="10s")
        except (OSError, ValueError):
            self._quiet.close()
            raise StorageError(
                "the scheduler of the cluster does not answer",
                repair="Check the address that --scheduler names",
            ) from None

    @property
    def has_workers(self) -> bool:
        """Whether there is anybody to do the work now."""
        return bool(self._client.nthreads())

    @property
    def workers(self) -> int:
        """How many workers are there now; each does one task at a time."""
        return max(1, len(self._client.nthreads()))

    @property
    def dashboard(self) -> str | None:
        """Address of the cluster's own page, where it has one."""
        served = "dashboard" in self._client.scheduler_info()["services"]
        return str(self._client.dashboard_link) if served else None

    def map(self, tasks: Iterator[Task]) -> Generator[Done]:
        """Submit tasks under their keys; the scheduler gives those of lost workers to others."""
        from distributed import KilledWorker, as_completed  # noqa: PLC0415
        from distributed.client import ClosedClientError, FutureCancelledError  # noqa: PLC0415

        finished = as_completed()
        flying: set[Any] = set()
        try:
            while True:
                if self._client.status == "closed":
                    # It gave the scheduler up while the caller took a shard in.
                    raise _scheduler_lost()
                while len(flying) < self.workers + AHEAD:
                    task = next(tasks, None)
                    if task is None:
                        break
                    future = self._client.submit(perform_alone, task, key=task.key)
                    flying.add(future)
                    finished.add(future)
                if not flying:
                    return
                future = next(finished)
                flying.remove(future)
                done = future.result()
                if isinstance(done, Exception):
                    raise done
                yield done
        except KilledWorker:
            raise workers_lost() from None
        except (FutureCancelledError, ClosedClientError, OSError):
            raise _scheduler_lost() from None
        finally:
            if flying:
                with contextlib.suppress(ClosedClientError, OSError):
                    self._client.cancel(list(flying))
                self._end_workers()

    def _end_workers(self) -> None:
        """End our own workers at once, in the middle of their tasks; others' only lose them."""
        self._ended_early = True
        for nanny in self._cluster.workers.values() if self._cluster is not None else ():
            nanny.auto_restart = False
            if nanny.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(nanny.pid, signal.SIGKILL)

    def close(self) -> None:
        """Leave the cluster, and end it if it is ours."""
        self._client.close()
        self._quiet.close()
        if self._cluster is None:
            return
        if self._ended_early:
            # A scheduler takes a second to close. It goes on closing while the caller leaves, since
            # a signal is to be served in two.
            self._cluster.shutdown_on_close = False
            self._cluster.loop.add_callback(self._cluster.close)
        else:
            self._cluster.close()


def _scheduler_lost() -> StorageError:
    return StorageError(
        "the scheduler of the cluster has gone",
        rule="it alone knows who does what",
        repair="Start it and its workers, and run again: finished shards are kept",
    )


def _on_this_machine(workers: int) -> Any:
    """Start a cluster that nobody but this process can send work to.

    Notes
    -----
    Whoever can speak to a scheduler can run code as its owner, and on a shared machine every user
    can reach every port: so both sides must show a certificate made for this run. Dask's default
    also serves the dashboard to the whole network. It logs the text of exceptions, which may quote
    a cell. It ends or pauses workers by their memory, in which it counts mapped files. And it has
    the C library give memory back after every use: getting it again took a fifth of a replicate.
    """
    import dask  # noqa: PLC0415
    from distributed import LocalCluster  # noqa: PLC0415

    environment = {f"distributed.nanny.pre-spawn-environ.{name}": KEEPING[name] for name in KEEPING}
    with dask.config.set(environment):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            protocol="tls://",
            security=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            memory_limit=0,
        )


def perform_alone(task: Task) -> Done | Exception:
    """Compute a task with one thread: a cluster counts on it.

    Returns
    -------
    Done or Exception
        What went wrong is given back and not raised, because a worker logs what is raised, and
        the text of an exception may quote a cell.
    """
    with _ONE_AT_A_TIME:
        try:
            if task.code != _own_code():
                return ConfigurationError(
                    "a worker of the cluster has another version of the software",
                    rule="all replicates of a job are made by the same sources",
                    repair="Install on the workers what runs here, and run again",
                )
            numba.set_num_threads(1)
            return perform(task)
        except Exception as error:  # noqa: BLE001 - raised where the job runs
            return error
