"""A Dask cluster: the same bytes, lost workers' shards done again, nothing open, nothing said."""

import pickle
import sys
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from engine.errors import ConfigurationError, StorageError
from engine.jobs import cluster as cluster_module
from engine.jobs.backends import Done, Here, Processes, Task
from engine.jobs.cluster import Dask, backend_for, perform_alone
from engine.jobs.shards import Units, inputs_digest
from engine.release.folder import private_folder
from tests.certify.cluster import elsewhere, scheduler_lost, worker_kills
from tests.certify.jobs import COLUMNS, compute, tiny_job


def fails(parameters, units):
    """Fail as a library does, with a cell of a table in its words."""
    raise ValueError("a name in a cell")


def task_in(folder, compute=compute, code=None):
    job, units = tiny_job(), Units(0, 8)
    digest = inputs_digest(job.inputs, units)
    return Task(
        compute, {"seed": 0}, str(private_folder(folder)), code or job.code, job.id, digest,
        COLUMNS, units,
    )  # fmt: skip


def test_a_cluster_gives_the_same_bytes_and_survives_a_lost_worker(tmp_path):
    seen = worker_kills(tmp_path / "cluster", 1, 1)
    assert (seen["kills"], seen["lost"], seen["wrong"], seen["workers"]) == (1, 0, 0, 2)
    # Not to the whole network, as Dask's default is; and what it logs may quote a cell.
    assert seen["dashboard"].startswith("http://127.0.0.1:")
    assert seen["said"] == ""


def test_a_scheduler_that_goes_leaves_a_folder_to_resume_and_no_traceback(tmp_path):
    seen = scheduler_lost(tmp_path, 20_000)
    assert seen["held"], seen


def test_a_scheduler_given_up_while_a_shard_is_taken_in_is_said(tmp_path):
    one = task_in(tmp_path / "job")
    tasks = (replace(one, units=Units(8 * k, 8 * k + 8)) for k in range(100))
    with elsewhere(tmp_path / "cluster", 1) as there:
        cluster = Dask(there.address)
        cluster._client._timeout = 0.1
        done = cluster.map(tasks)
        next(done)
        there.scheduler.kill()
        while cluster._client.status != "closed":
            time.sleep(0.01)
        with pytest.raises(StorageError, match="has gone"):
            list(done)
        cluster.close()


def test_workers_are_a_cluster_only_where_the_extra_is_installed(monkeypatch):
    with ExitStack() as stack:
        assert isinstance(backend_for(None, None, stack), Here)
        monkeypatch.setattr(cluster_module, "find_spec", lambda name: None)
        assert isinstance(backend_for(2, None, stack), Processes)


@pytest.mark.parametrize("has_workers", [True, False])
def test_the_dashboard_is_told_and_a_cluster_without_workers(monkeypatch, has_workers):
    told, asked = [], []

    class Cluster:
        dashboard = "http://here/status"

        def __init__(self, *arguments):
            asked.append(arguments)
            self.has_workers = has_workers

        def close(self):
            asked.append("closed")

    monkeypatch.setattr(cluster_module, "Dask", Cluster)
    with ExitStack() as stack:
        assert isinstance(backend_for(3, None, stack, told.append), Cluster)
        assert isinstance(backend_for(None, "tcp://there:1", stack), Cluster)
    assert asked == [("local", 3), ("tcp://there:1", None), "closed", "closed"]
    assert told[0] == "The cluster's dashboard is http://here/status"
    assert len(told) == 1 if has_workers else "no worker yet" in told[1]


def test_without_the_extra_a_scheduler_is_refused_with_the_repair(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match="cluster"):
        Dask("local")


def test_an_address_that_nobody_answers_is_an_error_of_the_system():
    with pytest.raises(StorageError, match="does not answer"):
        Dask("not an address")


def test_a_worker_with_other_sources_makes_nothing(tmp_path):
    refused = perform_alone(task_in(tmp_path / "job", code="1" * 64))
    assert isinstance(refused, ConfigurationError)
    assert list((tmp_path / "job").iterdir()) == []
    assert isinstance(perform_alone(task_in(tmp_path / "job")), Done)


def test_what_a_worker_fails_with_is_given_back_and_not_raised(tmp_path):
    # A worker logs what is raised.
    found = perform_alone(task_in(tmp_path / "job", fails))
    assert isinstance(pickle.loads(pickle.dumps(found)), ValueError)


def test_a_key_is_one_file(tmp_path):
    one = task_in(tmp_path / "one")
    assert one.key == task_in(tmp_path / "one").key
    others = [task_in(tmp_path / "other"), replace(one, units=Units(8, 16)), replace(one, job="0")]
    assert len({one.key, *(other.key for other in others)}) == 4
