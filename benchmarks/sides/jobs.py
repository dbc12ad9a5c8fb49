"""A bootstrap as a job: the same replicates by the threads of one process, and by a cluster."""

import atexit
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.population import CATEGORIES, NUMBERS, SEED, population
from benchmarks.sides.fit import arrow_table
from benchmarks.stopwatch import Stopwatch

Answer = dict[str, np.ndarray]
Run = Callable[[Stopwatch], Answer]


def threads(rows: int, replicates: int) -> Run:
    """Time the job in one process, with all its threads."""
    return _job(rows, replicates, None)


def cluster(rows: int, replicates: int, workers: int) -> Run:
    """Time the job on a Dask cluster of this machine, started and with its tables read."""
    return _job(rows, replicates, workers)


def _job(rows: int, replicates: int, workers: int | None) -> Run:
    import pyarrow.parquet as pq

    from engine.jobs.bootstrap import Asked, prepare
    from engine.jobs.cluster import backend_for
    from engine.jobs.job import held, job_folder
    from engine.jobs.job import run as run_job
    from engine.jobs.resampling import replicates as compute
    from engine.jobs.shards import Units
    from engine.match import match

    # Folders and workers stay until the process of the side ends.
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="justicelab-benchmark-")))
    people = population(rows)
    outcome = np.random.default_rng(SEED).random(rows) < 0.3
    table = arrow_table(people)
    for name, values in (("treated", people.treated), ("returned", outcome)):
        table = table.append_column(name, [values.astype(np.int8)])
    pq.write_table(table, folder / "table.parquet")
    match(
        str(folder / "table.parquet"), treatment="treated", covariates=NUMBERS + CATEGORIES,
        outcome="returned:binary", replace=True, out=folder / "match", orders=0,
    )  # fmt: skip
    prepared = prepare(folder / "match", Asked(10**6, "refit", table=str(folder / "table.parquet")))
    job, place = prepared.job, job_folder(prepared.finished.folder, prepared.job)
    backend = backend_for(workers, None, stack)
    stack.enter_context(held(place, job))
    done = 0

    def compute_more(count: int) -> np.ndarray:
        nonlocal done
        units, done = Units(done, done + count), done + count
        return run_job(place, job, units, compute, prepared.parameters, backend).complete()

    # Every worker has read the table, and made the match, before the clock runs.
    compute_more(64)

    def run(watch: Stopwatch) -> Answer:
        with watch("replicates"):
            values = compute_more(replicates)
        return {"values": values}

    return run
