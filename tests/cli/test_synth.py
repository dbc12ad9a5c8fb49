"""`synth` as a command: what it prints, what it writes, how it refuses."""

import json

import pytest
from typer.testing import CliRunner

from cli.main import app


def run(*arguments):
    return CliRunner().invoke(app, ["synth", *(str(one) for one in arguments)])


def test_a_nation_is_written_and_its_calibration_told_in_short(tmp_path):
    ended = run("--people", 1300, "--out", tmp_path / "nation", "--seed", 4, "--threads", 1)
    assert ended.exit_code == 0
    compared = json.loads((tmp_path / "nation/calibration.json").read_text())
    missed = [one["figure"] for one in compared if not one["within"]]
    lines = ended.stdout.splitlines()
    told = [one["figure"] for one in compared if any(x.startswith(one["figure"]) for x in lines)]
    assert told == missed != []
    at = lines.index(next(x for x in lines if x.startswith("calibration")))
    assert sum(int(x.split()[-1]) for x in lines[at + 1 : at + 4]) == len(compared)
    assert lines[-1].startswith("small-none-need")
    assert "small-beneficial-random" in ended.stdout
    assert "no submission national-none-need: larger than 5 %" in ended.stderr
    assert json.loads((tmp_path / "nation/extract/extract.json").read_text()) == {
        "justicelab_schema": 1,
        "extract_date": "2026-06-30",
        "synthetic": True,
    }


def test_json_is_the_calibration_file(tmp_path):
    ended = run("--people", 40, "--out", tmp_path / "n", "--threads", 1, "--json", "--quiet")
    assert ended.stdout == (tmp_path / "n" / "calibration.json").read_text()
    assert json.loads(ended.stdout)[0]["figure"] == "cohort 2012/13, share of all cohorts"


def test_a_dry_run_writes_nothing(tmp_path):
    ended = run("--people", 5000, "--out", tmp_path / "n", "--dry-run")
    assert ended.exit_code == 0
    assert len(ended.stdout.splitlines()) == 13
    assert not (tmp_path / "n").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--people", 10, "--years", "soon"), 2),
        (("--people", "60k"), 2),
        (("--people", 0), 2),
        (("--people", "9" * 5000), 2),
        (("--people", 10, "--years", "2020-2010"), 2),
        (("--people", 99_000_000), 2),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, arguments, code):
    ended = run(*arguments, "--out", tmp_path / "n")
    assert ended.exit_code == code
    assert not (tmp_path / "n").exists()


def test_a_number_that_is_none_is_told_in_words(tmp_path):
    ended = run("--people", "60k", "--out", tmp_path / "n")
    assert ended.stderr == (
        "justicelab: --people is no number of people. Rule: a whole number from 1 on, in digits "
        "alone. Write it as 60000.\n"
    )


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "kept").write_text("x")
    assert run("--people", 10, "--out", tmp_path).exit_code == 73
