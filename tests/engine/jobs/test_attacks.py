"""A few of each attack on a job; ``python -m tests.certify jobs`` makes many."""

import json

import pytest

from engine.errors import InputError
from engine.jobs.bootstrap import Asked, bootstrap
from tests.certify import real_jobs, starved
from tests.certify.power import power_losses


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    real_jobs.made(folder / "made")
    return folder


@pytest.fixture
def place(root, tmp_path):
    real_jobs.copied(root / "made", tmp_path / "made")
    return tmp_path


def test_no_acknowledged_shard_goes_with_the_power(tmp_path):
    assert power_losses(tmp_path, 40, 30) == 0


def test_a_flipped_bit_of_a_match_or_its_job_changes_no_result(place):
    tried = real_jobs.tampering(place, 40)
    assert tried["held"]
    assert tried["refused"] > 5


def test_a_file_that_may_not_grow_leaves_a_folder_to_resume(place):
    assert real_jobs.capped(place)["held"]


def test_a_bootstrap_with_too_little_memory_is_refused_or_taken_up_again(place):
    (place / "starved").mkdir(mode=0o700)
    command = starved.bootstraps(place)["wild"]
    tried = starved.starve(command, place / "starved", shares=(0.9,))
    assert tried == {"times": 2, "killed": 1, "held": True}


def test_shares_and_threads_give_the_same_bytes(place):
    assert real_jobs.ways(place, shares=(3,), threads=(2,), cluster=False)["held"]


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["options"].update(seed=99),
        lambda manifest: manifest.update(content_sha256="0" * 64),
        lambda manifest: manifest.update(content_id="0" * 32),
        lambda manifest: manifest["software"].clear(),
        lambda manifest: manifest["files"][0].pop("name"),
        lambda manifest: manifest.update(kind="mauch"),
    ],
)
def test_a_manifest_that_does_not_agree_with_itself_is_refused(place, change):
    path = place / "made" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="has changed since"):
        bootstrap(place / "made", Asked(200))
