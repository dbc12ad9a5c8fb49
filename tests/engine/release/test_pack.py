"""The whole output of a match: its files, its order, its faults."""

import errno
import hashlib
import json
import os
import shutil
import stat
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from engine.errors import BusyError, CannotCreateError, StorageError
from engine.release.folder import check_folder, locked, read_manifest
from engine.release.manifest import InputFacts, RunFacts
from engine.release.pack import output_folder, stage_balance, write_match

FILES = [
    "balance.csv",
    "results.json",
    "pairs.parquet",
    "weights.parquet",
    "scores.parquet",
    "love-plot.svg",
    "overlap-plot.svg",
    "report.html",
]


@pytest.fixture(autouse=True)
def fixed_code(monkeypatch):
    """One hash of the code for a whole test, also while somebody edits the sources."""
    monkeypatch.setattr("engine.release.pack.code_sha256", lambda: "c" * 64)


def names(folder):
    return sorted(one.name for one in folder.iterdir())


def facts(threads=1):
    return RunFacts(
        options={"treatment": "took_part"},
        inputs=[InputFacts("table", "people.csv", "ab" * 32, 10, 5, 3)],
        content="a1",
        started=datetime.now(UTC),
        stages={"read": 0.1},
        threads=threads,
    )


def write_whole(path, results, tables, facts, progress=None):
    """A whole output in one go, as a match writes it."""
    with output_folder(path) as held:
        stage_balance(held, results["balance"])
        return write_match(held, results, tables, facts, progress=progress)


def contents(folder):
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def test_everything_promised_is_written_private_and_listed(tmp_path, results, tables):
    old = os.umask(0)
    try:
        records = write_whole(tmp_path / "out", results, tables, facts())
    finally:
        os.umask(old)

    folder = tmp_path / "out"
    assert [record.name for record in records] == FILES
    assert names(folder) == sorted([*FILES, "manifest.json"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}
    manifest = read_manifest(folder)
    assert manifest["status"] == "complete"
    for one in manifest["files"]:
        data = (folder / one["name"]).read_bytes()
        assert one["sha256"] == hashlib.sha256(data).hexdigest()
        assert one["bytes"] == len(data)
    assert manifest["content_id"] in (folder / "report.html").read_text()
    assert json.loads((folder / "results.json").read_text()) == results
    assert pq.read_table(folder / "scores.parquet").equals(tables["scores"])


def test_figure_files_have_the_same_bytes_whenever_and_however_they_are_made(
    tmp_path, any_results, tables
):
    write_whole(tmp_path / "one", any_results, tables, facts())
    write_whole(tmp_path / "two", any_results, tables, facts(threads=8))

    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    del one["manifest.json"], two["manifest.json"]
    assert one == two
    text = b"".join(one[name] for name in one if not name.endswith(".parquet"))
    assert str(tmp_path).encode() not in text
    assert b"people.csv" not in text


def test_a_new_output_replaces_the_earlier_one_whole(tmp_path, results, tables):
    folder = tmp_path / "out"
    write_whole(folder, results, tables, facts())

    write_whole(folder, results, tables | {"pairs": None, "windows": tables["pairs"]}, facts())

    assert "pairs.parquet" not in names(folder)
    assert "windows.parquet" in names(folder)
    assert len(names(folder)) == 9


def test_a_foreign_folder_is_left_alone(tmp_path, results, tables):
    folder = tmp_path / "out"
    folder.mkdir(mode=0o700)
    (folder / "report.html").write_text("somebody else's")

    with pytest.raises(CannotCreateError):
        write_whole(folder, results, tables, facts())
    assert contents(folder) == {"report.html": b"somebody else's"}


def test_a_folder_held_by_another_run_is_left_alone(tmp_path, results, tables):
    folder = tmp_path / "out"
    write_whole(folder, results, tables, facts())
    before = contents(folder)

    with locked(folder), pytest.raises(BusyError):
        write_whole(folder, results, tables, facts())
    assert contents(folder) == before


def test_progress_rises_to_one(tmp_path, results, tables):
    seen = []

    write_whole(
        tmp_path / "out", results, tables, facts(), progress=lambda *step: seen.append(step)
    )

    assert [stage for stage, _ in seen] == ["write"] * len(seen)
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_failing_disk_at_every_step_leaves_nothing_half_written(
    tmp_path, results, tables, monkeypatch
):
    """Every open, write, fsync, rename and unlink of a whole output fails once."""
    results = results | {"balance": results["balance"][:2], "propensity": None, "estimates": []}
    changed = results | {"warnings": ["another"]}
    write_whole(tmp_path / "new", changed, tables, facts())
    write_whole(tmp_path / "old", results, tables | {"windows": tables["pairs"]}, facts())
    old, new = contents(tmp_path / "old"), contents(tmp_path / "new")

    index, finished = 0, False
    while not finished:
        folder = tmp_path / f"out-{index}"
        shutil.copytree(tmp_path / "old", folder)
        with monkeypatch.context() as patch:
            fail_at(patch, index)
            try:
                write_whole(folder, changed, tables, facts())
            except StorageError as error:
                told = str(error)
            else:
                finished = True
        assert finished or "secret" not in told
        found = contents(folder)
        assert not [name for name in found if name.startswith(".")]
        for name, data in found.items():
            assert name == "manifest.json" or data in (old[name], new.get(name)), name
        whole = {name: data for name, data in found.items() if name != "manifest.json"}
        status = json.loads(found["manifest.json"])["status"]
        untouched = all(old[name] == data for name, data in whole.items()) and whole.keys() == (
            old.keys() - {"manifest.json"}
        )
        if status == "complete" and not untouched:
            assert {**whole, "manifest.json": b""} == {**new, "manifest.json": b""}
        # Whatever the fault left, the next run is let in again.
        check_folder(folder)
        index += 1
    assert index > 60


def fail_at(patch, index):
    """Let the index-th call that changes the disk fail."""
    count = iter(range(10**6))
    for name in ("open", "write", "fsync", "rename", "unlink"):
        real = getattr(os, name)

        def call(*args, real=real, name=name, **options):
            writes = name != "open" or args[1] & os.O_CREAT
            if writes and next(count) == index:
                raise OSError(errno.ENOSPC, "secret", "/secret")
            return real(*args, **options)

        patch.setattr(os, name, call)
