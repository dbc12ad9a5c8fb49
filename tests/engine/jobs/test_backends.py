"""Who computes does not matter: lost workers are replaced, clusters give the same bytes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ConfigurationError, StorageError, UsageError
from engine.jobs.backends import Processes
from engine.jobs.cluster import Dask
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


def test_without_the_extra_a_scheduler_is_refused_with_the_repair(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match="cluster"):
        Dask("local")


def test_a_cluster_gives_the_same_bytes_and_survives_a_lost_worker(tmp_path):
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    # In a process of its own: a cluster leaves threads and warnings behind.
    code = f"""
import os, threading
from pathlib import Path
from engine.jobs.cluster import Dask
from tests.certify.jobs import expected, finish
if __name__ == "__main__":
    cluster = Dask("local", 2)
    assert cluster.workers == 2
    pids = list(cluster._client.run(os.getpid).values())
    threading.Timer(0.5, lambda: os.kill(pids[0], 9)).start()
    assert finish(Path({str(tmp_path)!r}), 2000, seconds=0.001, backend=cluster) == expected(2000)
    cluster.close()
"""
    script = tmp_path / "cluster.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    subprocess.run([sys.executable, script], check=True, cwd=ROOT, env=environment, timeout=120)
