"""Who computes does not matter: lost workers are replaced and their shards done again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import StorageError, UsageError
from engine.jobs.backends import Processes
from engine.jobs.job import held, job_folder, run
from engine.jobs.shards import Units
from tests.certify.jobs import compute, digest, expected, finish, tiny_job

ROOT = Path(__file__).resolve().parents[3]


def dies_once(parameters, units):
    """Kill the worker that computes this, the first time."""
    mark = Path(parameters["mark"])
    if units.start >= 16 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(parameters, units)


def dies_always(parameters, units):
    os.kill(os.getpid(), signal.SIGKILL)
    return np.empty((len(units), 2))


def through(output, function, workers=2):
    job = tiny_job()
    folder = job_folder(output, job)
    parameters = {"seed": 0, "mark": str(output / "mark")}
    with held(folder, job):
        backend = Processes(workers)
        found = run(folder, job, Units(0, 64), function, parameters, backend, seconds=0.001)
    return digest(found.complete())


def test_a_lost_worker_is_replaced_and_its_shard_done_again(tmp_path):
    assert through(tmp_path, dies_once) == expected(64)
    assert (tmp_path / "mark").exists()


def test_workers_that_keep_dying_end_the_run_with_a_folder_to_resume(tmp_path):
    with pytest.raises(StorageError, match="keep dying"):
        through(tmp_path, dies_always, workers=1)
    assert finish(tmp_path, 64) == expected(64)


def test_an_error_of_a_worker_is_the_error_of_the_run(tmp_path):
    job = tiny_job()
    folder = job_folder(tmp_path, job)
    with held(folder, job), pytest.raises(KeyError):
        run(folder, job, Units(0, 8), compute, {}, Processes(1))


def test_no_workers_are_a_usage_error():
    with pytest.raises(UsageError):
        Processes(0)


def test_nothing_imports_dask_before_it_is_asked_for():
    code = (
        "import sys, engine.jobs.bootstrap, cli.main, justicelab; "
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
