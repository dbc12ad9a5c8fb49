"""The process with limits: what kills it is a refusal, and the next file is read all the same."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from engine.submission.sandbox import Sandbox
from tests.engine.submission.corpus_files import far_cell
from tests.engine.submission.support import checked, csv_file, xlsx_file

LONG = b"Surname,Forename\r\n" + b"a,b\r\n" * 8_000_000


def test_a_file_that_takes_too_long_is_refused(tmp_path):
    with Sandbox(seconds=0.01) as sandbox:
        path = tmp_path / "a.csv"
        path.write_bytes(LONG)
        start = time.monotonic()
        assert sandbox.read(path) == {"rule": "too_much_to_read"}
        assert time.monotonic() - start < 5
        assert sandbox.process_id is None


def test_a_file_that_takes_too_much_memory_is_refused(tmp_path):
    with Sandbox(memory=64 << 20) as sandbox:
        path = tmp_path / "a.csv"
        path.write_bytes(LONG)
        assert sandbox.read(path) == {"rule": "too_much_to_read"}


def test_after_a_bomb_the_next_file_is_read(tmp_path, sandbox):
    bomb = checked(tmp_path, far_cell(), sandbox, "bomb.xlsx")
    after = checked(tmp_path, csv_file(), sandbox)

    assert [p.rule for p in bomb.problems] == ["too_much_to_read"]
    assert after.verdict == "accepted"


def test_a_pipe_in_place_of_a_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with Sandbox(seconds=1) as sandbox:
        assert "rule" in sandbox.read(tmp_path / "pipe")


def test_a_process_that_was_killed_is_started_anew(tmp_path, sandbox):
    checked(tmp_path, csv_file(), sandbox)
    before = sandbox.process_id
    subprocess.run(["kill", "-9", str(before)], check=True)
    time.sleep(0.05)
    check = checked(tmp_path, csv_file(), sandbox)

    assert check.verdict == "accepted"
    assert sandbox.process_id != before


def test_no_process_is_left_behind(tmp_path):
    with Sandbox() as sandbox:
        checked(tmp_path, xlsx_file(), sandbox)
        number = sandbox.process_id
        assert Path(f"/proc/{number}").exists()
    assert not Path(f"/proc/{number}").exists()


def test_the_process_can_write_no_file_and_leaves_no_core(tmp_path, sandbox):
    checked(tmp_path, csv_file(), sandbox)
    with Path(f"/proc/{sandbox.process_id}/limits").open(encoding="ascii") as file:
        limits = {line[:25].strip(): line[25:].split()[0] for line in file}
    assert limits["Max core file size"] == "0"
    assert limits["Max file size"] == "0"
    assert int(limits["Max address space"]) < 4 << 30


@pytest.mark.parametrize("name", ["with space.csv", "-rf.csv", "a\nb.csv", "ü.csv", "\udcff.csv"])
def test_any_name_of_a_file(tmp_path, sandbox, name):
    assert checked(tmp_path, csv_file(), sandbox, name).verdict == "accepted"
