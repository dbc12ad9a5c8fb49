"""Linking shows nobody and leaves nobody behind, whatever fails and whenever it is killed.

A thousand invented people stand in a submission and in the records; see the same test of the check
for who they are and how they are searched for.
"""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import engine.cohort.choose as choose_module
import engine.link as link_module
import engine.linkage.link as linkage_module
import engine.release.files as files_module
import engine.submission.check as check_module
from cli.main import app
from engine.link import LINK_OUTPUTS
from engine.store.prepare import prepare
from tests.engine.store.nation import make_tables, write_extract
from tests.engine.submission.support import text, xlsx_file
from tests.engine.submission.test_canary_people import HEADS, NAME, PEOPLE, found_in, opened

ROOT = Path(__file__).resolve().parents[1]
GOOD = text(PEOPLE, HEADS)
MEANT_FOR_PEOPLE = {"review.xlsx", "for-sender.csv"}
"""Files that hold what the sender wrote: candidates for a reviewer, and the sender's references."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Records in which everybody of the submission stands."""
    folder = tmp_path_factory.mktemp("canary")
    tables = make_tables(len(PEOPLE), 5, 0.3)
    persons = tables["persons"]
    born = [np.datetime64("-".join(row[2].split("/")[::-1])) for row in PEOPLE]
    columns = {
        "last_name": [row[0] for row in PEOPLE],
        "first_name": [row[1] for row in PEOPLE],
        "date_of_birth": pa.array(np.array(born)),
        "sex": pa.array([row[3] for row in PEOPLE]).dictionary_encode(),
        "pnc_id": [f"2002/{row[4][3:]}" for row in PEOPLE],
        # by name alone for every third, so that every step has something to do
        "prison_number": [row[5] if i % 3 else None for i, row in enumerate(PEOPLE)],
    }
    for name, values in columns.items():
        place = persons.column_names.index(name)
        array = values if isinstance(values, pa.Array) else pa.array(values)
        field = persons.schema.field(name)
        persons = persons.set_column(place, field, array.cast(field.type))
    write_extract(folder / "extract", {**tables, "persons": persons})
    prepare(folder / "extract", folder / "store")
    return folder / "store"


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def run(tmp_path, monkeypatch, store):
    """Run the command in a folder of its own and search all that it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def invoke(*options, content=GOOD, records=None):
        (tmp_path / "people.csv").write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
        arguments = ["--submission", "people.csv", "--store", str(records or store)]
        result = CliRunner().invoke(app, ["link", *arguments, "--out", "out", *options])
        assert found_in(result.output.encode()) == []
        assert "Traceback" not in result.output
        return result

    return invoke


def test_a_run_shows_nobody_and_writes_people_only_where_they_are_needed(run, tmp_path):
    result = run("--json")

    assert result.exit_code == 0, result.output
    found = {path.name for path in files(tmp_path)}
    assert found <= LINK_OUTPUTS | {"people.csv"}
    assert {path.name for path in (tmp_path / "out").iterdir() if path.stat().st_mode & 0o077} == (
        set()
    )
    for path in files(tmp_path / "out"):
        if path.name not in MEANT_FOR_PEOPLE:
            assert found_in(opened(path)) == [], path.name
    assert found_in("\n".join(found).encode()) == []


def damaged(store, folder, pattern, content):
    """A copy of the store with one file of the kind overwritten."""
    copy = folder / "store"
    shutil.copytree(store, copy)
    for path in copy.rglob(pattern):
        path.write_bytes(content)
    return copy


JUNK = f"{NAME},{PEOPLE[8][1]}\n".encode() * 50
# What goes in, the options and the exit codes that are right.
REFUSED = {
    "no-heads": (GOOD.split("\r\n", 1)[1], (), {65}),
    "name-as-every-head": (text(PEOPLE, PEOPLE[0]), (), {65}),
    "one-person-many-times": (text([PEOPLE[5]] * 100, HEADS), (), {65}),
    "pdf": (b"%PDF-1.7\n" + GOOD.encode(), (), {65}),
    "empty": (b"", (), {65}),
    "too-few": (text(PEOPLE[:30], HEADS), (), {65}),
    "nul": (GOOD.replace(NAME, f"{NAME}\0"), (), {65}),
    "web-page": (f"<html><td>{NAME}</td></html>", (), {65}),
    "preset": (GOOD, ("--preset", NAME), {2}),
    "memory": (GOOD, ("--memory", NAME), {2}),
    "threads": (GOOD, ("--threads", NAME), {2}),
    "date-order": (GOOD, ("--date-order", NAME), {2}),
    "option": (GOOD, (f"--{NAME}",), {2}),
    "description-absent": (GOOD, ("--description", "absent.xlsx"), {65}),
}


@pytest.mark.parametrize("refusal", REFUSED)
def test_a_refusal_shows_nobody_and_writes_nothing(run, tmp_path, refusal):
    content, options, codes = REFUSED[refusal]
    for more in ((), ("--dry-run",)):
        # an option that is none is quoted by the parser of the command line, for who typed it
        if refusal in {"preset", "threads", "date-order", "option"}:
            options = tuple(option.replace(NAME, "nothing") for option in options)
        result = run(*options, *more, content=content)
        assert result.exit_code in codes, result.output
        assert [path.name for path in files(tmp_path)] == ["people.csv"]
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "kind",
    [
        "manifest.json",
        "*-index.arrow",
        "*-custody.arrow",
        "*-outcomes.arrow",
        "*.parquet",
        "*.json",
    ],
)
def test_a_damaged_store_shows_nobody(run, tmp_path, store, kind):
    result = run(records=damaged(store, tmp_path, kind, JUNK))

    assert result.exit_code in {65, 70, 74}, result.output
    assert not (tmp_path / "out").exists()


def raising(error):
    def fail(*_arguments, **_options):
        raise error

    return fail


FAULTS = {
    "check": (check_module, "find_people", ValueError(f"bad cell {NAME}"), 70),
    "check-key": (check_module, "read_people", KeyError(NAME), 70),
    "no-memory": (check_module, "read_people", MemoryError(), 74),
    "permission": (check_module, "first_bytes", PermissionError(errno.EACCES, NAME), 77),
    "identities": (linkage_module, "submitted_identities", ValueError(NAME), 70),
    "candidates": (linkage_module, "find_candidates", duckdb.Error(f"cannot cast {NAME}"), 70),
    "weights": (linkage_module, "score_pairs", RuntimeError(NAME), 70),
    "decisions": (linkage_module, "decide", KeyError(NAME), 70),
    "interrupted": (linkage_module, "decide", KeyboardInterrupt(), 130),
    "sentences": (choose_module, "read_disposals", ValueError(NAME), 70),
    "attrition": (link_module, "attrition", ValueError(NAME), 70),
    "disk-full": (files_module.os, "fsync", OSError(errno.ENOSPC, NAME), 74),
    "disk-failing": (files_module.os, "rename", OSError(errno.EIO, NAME), 74),
    "read-only": (files_module.os, "rename", OSError(errno.EROFS, NAME), 74),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_program_shows_nobody(run, tmp_path, monkeypatch, fault):
    where, name, error, code = FAULTS[fault]
    monkeypatch.setattr(where, name, raising(error))
    # fewer people, who are enough to come to every step
    result = run(content=text(PEOPLE[:80], HEADS))

    assert result.exit_code == code, result.output
    assert [path.name for path in files(tmp_path)] == ["people.csv"]
    assert not (tmp_path / "out").exists()


OUTS = {
    "file": lambda out: out.write_text("mine"),
    "letter": lambda out: (out.mkdir(mode=0o700), (out / "letter.txt").write_text("mine")),
    "open": lambda out: (out.mkdir(), out.chmod(0o755)),
    "link": lambda out: out.symlink_to(out.parent),
}


@pytest.mark.parametrize("kind", OUTS)
def test_a_folder_that_is_not_ours_stays_as_it_is(run, tmp_path, kind):
    OUTS[kind](tmp_path / "out")
    before = sorted(path.name for path in files(tmp_path))
    result = run()

    assert result.exit_code in {73, 77}, result.output
    assert sorted(path.name for path in files(tmp_path)) == sorted([*before, "people.csv"])


@pytest.mark.parametrize("content", [JUNK, xlsx_file({"Review": [HEADS, *PEOPLE[:70]]}), b"PK\3\4"])
def test_decisions_that_are_none_show_nobody(run, tmp_path, content):
    decisions = tmp_path / "decisions.xlsx"
    decisions.write_bytes(content)
    result = run("--decisions", "decisions.xlsx", content=text(PEOPLE[:80], HEADS))

    assert result.exit_code == 65, result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_run_leaves_is_gone_after_the_next(run, tmp_path, store, number):
    (tmp_path / "people.csv").write_text(GOOD)
    process = subprocess.Popen(
        [
            *(sys.executable, "-P", "-c", "from cli.start import run; run()", "link"),
            *("--submission", "people.csv", "--store", str(store), "--out", "out"),
            *("--memory", "256M"),
        ],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob(".work.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)

    assert process.returncode in {-signal.SIGKILL, 143}, output
    assert found_in(output) == []
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "out").rglob("*")} <= {0}
    if number == signal.SIGTERM:
        assert files(tmp_path) == [tmp_path / "people.csv"]
        return
    assert run().exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"people.csv", "out"}
    assert {path.name for path in (tmp_path / "out").iterdir()} <= LINK_OUTPUTS


def test_there_are_thirty_failures_and_more():
    assert len(REFUSED) + len(FAULTS) + len(OUTS) + 5 + 3 >= 30
