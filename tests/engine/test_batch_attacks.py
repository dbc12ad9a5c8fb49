"""A batch that is killed, or dealt out to a cluster; ``python -m tests.certify jobs`` does more."""

import pytest

from engine.batch import batch
from tests.certify import batches


@pytest.fixture(scope="module")
def plans(truth_nation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plans")
    return batches.plans_of(folder, truth_nation.out / "submissions")


@pytest.fixture(scope="module")
def undisturbed(plans, truth_nation, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "batch"
    batch(plans, truth_nation.store.folder, out)
    return batches.figures(out)


def test_a_batch_that_is_killed_goes_on_to_the_same_figures(
    plans, truth_nation, undisturbed, tmp_path
):
    out, store = tmp_path / "batch", truth_nation.store.folder
    # Before the folder says what it is, while people are linked, and in the midst of a study.
    assert batches.killed_at_calls(plans, store, out, [7, 100, 300]) == 3
    assert batches.whole(plans, store, out, undisturbed)


def test_a_cluster_of_other_processes_gives_the_same_figures(
    plans, truth_nation, undisturbed, tmp_path
):
    out, store = tmp_path / "batch", truth_nation.store.folder
    assert batches.on_a_cluster(plans, store, out, tmp_path / "cluster", tls=True) == 0
    assert batches.figures(out) == undisturbed
    assert not batches.half_written(out)
