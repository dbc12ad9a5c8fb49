"""``link`` as a function: a private folder, whole or not at all, and what the sender may see."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from engine.errors import CannotCreateError, InputError
from engine.link import LINK_OUTPUTS, link
from engine.store.prepare import prepare
from tests.engine.cohort.support import linkage_of, truth_linker, truth_of
from tests.engine.records.conftest import read
from tests.engine.store.nation import write_extract

ROOT = Path(__file__).resolve().parents[3]
NAME = "small-none-need"
DOUBT = {"review.xlsx", "decisions.csv"}


def submission(nation, name=NAME):
    return nation.out / "submissions" / f"{name}.csv"


def modes(folder):
    return {stat.S_IMODE(os.lstat(path).st_mode) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def linker(truth_nation):
    return truth_linker(truth_of(truth_nation, NAME))


@pytest.fixture(scope="module")
def output(truth_nation, linker, tmp_path_factory):
    out = tmp_path_factory.mktemp("link") / "out"
    seen = []
    before = os.umask(0)
    try:
        cohort = link(
            submission(truth_nation),
            truth_nation.store.folder,
            out,
            linker=linker,
            progress=lambda stage, share: seen.append((stage, share)),
        )
    finally:
        os.umask(before)
    return SimpleNamespace(out=out, cohort=cohort, seen=seen)


def test_the_folder_and_everything_in_it_is_private(output):
    assert {path.name for path in output.out.iterdir()} == LINK_OUTPUTS - DOUBT
    assert stat.S_IMODE(output.out.stat().st_mode) == 0o700
    assert modes(output.out) == {0o600}
    assert {stage for stage, _ in output.seen} == {"check", "sentences", "write"}


def test_files_say_the_same(output):
    results = json.loads((output.out / "results.json").read_text())
    manifest = json.loads((output.out / "manifest.json").read_text())
    with (output.out / "attrition.csv").open() as file:
        lines = list(csv.DictReader(file))

    treated = pq.read_table(output.out / "treated.parquet")
    assert (manifest["kind"], manifest["status"]) == ("link", "complete")
    assert [line["reason"] or None for line in lines] == [
        line["reason"] for line in results["attrition"]
    ]
    assert results["submission"]["rows"] == int(lines[0]["remaining"]) == 60
    assert results["analysed"] == int(lines[-1]["remaining"]) == treated.num_rows > 40
    assert sum(results["index_rules"]["chosen_by"].values()) == treated.num_rows


def test_the_same_submission_gives_the_same_files(output, truth_nation, linker, tmp_path):
    again = tmp_path / "again"
    for _ in range(2):  # the second run replaces an earlier output
        link(submission(truth_nation), truth_nation.store.folder, again, linker=linker, threads=1)

    for name in LINK_OUTPUTS - DOUBT - {"manifest.json"}:
        assert (again / name).read_bytes() == (output.out / name).read_bytes(), name


def test_a_rejected_submission_leaves_no_folder(truth_nation, linker, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("\n".join(submission(truth_nation).read_text().splitlines()[:20]))
    with pytest.raises(InputError, match="rejected") as caught:
        link(file, truth_nation.store.folder, tmp_path / "out", linker=linker)

    assert caught.value.rule == "There are fewer than 60 different people."
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_else_is_refused_before_anything_is_read(truth_nation, tmp_path):
    (tmp_path / "out").mkdir(mode=0o700)
    (tmp_path / "out" / "letter.txt").write_text("mine")

    with pytest.raises(CannotCreateError):
        link(tmp_path / "absent.csv", tmp_path / "absent", tmp_path / "out", linker=None)


def test_a_failure_leaves_nothing(truth_nation, tmp_path):
    def fails(people, store, *, work, **_):
        (work / "spill").mkdir()
        (work / "spill" / "names.tmp").write_text("somebody")
        raise InputError("no")

    with pytest.raises(InputError):
        link(submission(truth_nation), truth_nation.store.folder, tmp_path / "out", linker=fails)
    assert not (tmp_path / "out").exists()


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from engine.link import link

    def killed(people, store, *, work, **_):
        (work / "spill").mkdir()
        (work / "spill" / "names.tmp").write_text("somebody")
        os.kill(os.getpid(), signal.SIGKILL)

    link(*map(Path, sys.argv[1:]), linker=killed)
"""


def test_what_a_killed_run_leaves_is_private_and_swept_by_the_next(truth_nation, linker, tmp_path):
    arguments = (submission(truth_nation), truth_nation.store.folder, tmp_path / "out")
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), *map(str, arguments)],
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    left = list((tmp_path / "out").rglob("*"))

    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in left if path.is_file()] == ["names.tmp"]
    folders = [tmp_path / "out", *(path for path in left if path.is_dir())]
    assert stat.S_IMODE(folders[0].stat().st_mode) == stat.S_IMODE(folders[1].stat().st_mode)
    assert stat.S_IMODE(folders[0].stat().st_mode) == 0o700
    link(*arguments, linker=linker)
    assert {path.name for path in (tmp_path / "out").iterdir()} <= LINK_OUTPUTS


@pytest.fixture(scope="module")
def other_store(truth_nation, tmp_path_factory):
    """The same nation without the records of half of the submission, and with other sentences."""
    folder = tmp_path_factory.mktemp("other")
    names = [place.name for place in (truth_nation.out / "extract").glob("*/*") if place.is_dir()]
    tables = {name: read(truth_nation.out, name) for name in names}
    truth = truth_of(truth_nation, NAME)
    known = sorted(line["person_id"] for line in truth.values() if line["person_id"])
    gone = set(known[::2])
    for name, table in tables.items():
        if "person_id" in table.column_names:
            keep = [person not in gone for person in table["person_id"].to_pylist()]
            tables[name] = table.filter(keep)
    date = truth_nation.store.extract_date
    write_extract(folder / "extract", tables, date=date)
    prepare(folder / "extract", folder / "store", threads=2, memory_bytes=1 << 30)
    return folder / "store", gone


def test_the_sender_cannot_tell_one_store_from_another(output, truth_nation, other_store, tmp_path):
    store, gone = other_store
    truth = truth_of(truth_nation, NAME)

    def linker(people, store, **_):
        persons = [truth[row]["person_id"] for row in people["row_id"].to_pylist()]
        found = [None if person in gone else person for person in persons]
        return linkage_of(people, found)

    cohort = link(submission(truth_nation), store, tmp_path / "out", linker=linker)

    assert cohort.account.remaining < output.cohort.account.remaining
    one, other = (
        (folder / "for-sender.csv").read_bytes() for folder in (output.out, tmp_path / "out")
    )
    assert one == other
    assert b"not_analysed" in one
    # nothing else that is meant for the sender depends on records
    one, other = (
        (folder / "problems.xlsx").read_bytes() for folder in (output.out, tmp_path / "out")
    )
    assert one == other
