"""``justicelab plan`` and ``justicelab run`` on the command line, linkage and all."""

import inspect
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.run import run as run_command
from engine.plan.model import Plan
from engine.plan.writing import plan_text
from engine.records.synthetic.nation import synthesise
from engine.release.disclosure import Policy
from engine.release.study_folder import PRIVATE_FILES, RELEASE_FILES
from engine.store.prepare import prepare

DOCS = Path(__file__).resolve().parents[2] / "docs"
QUICK = """
[gate]
largest_smd = 0.5
[sub_analyses]
by = []
[oasys]
trio = false
[region]
control = false
"""


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    out = tmp_path_factory.mktemp("nation")
    synthesise(6_000, out, seed=5, threads=2)
    prepare(out / "extract", out / "store", threads=2, memory_bytes=1 << 30)
    return out


@pytest.fixture
def run(nation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.toml").write_text(QUICK)
    submission = nation / "submissions" / "medium-none-random.csv"
    arguments = ["--submission", str(submission), "--store", str(nation / "store"), "-o", "study"]

    def invoke(*options):
        return CliRunner().invoke(app, ["run", *arguments, "--plan", "plan.toml", *options])

    return invoke


def test_a_plan_is_written_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = CliRunner().invoke(app, ["plan", "--out", "plan.toml"])
    again = CliRunner().invoke(app, ["plan", "--out", "plan.toml"])

    assert (first.exit_code, first.stdout) == (0, "")
    assert "justicelab run --plan plan.toml" in first.stderr
    assert (tmp_path / "plan.toml").read_text() == plan_text()
    assert again.exit_code == 73
    quiet = CliRunner().invoke(app, ["plan", "--out", "other.toml", "--quiet"])
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_a_study_from_the_command_line(run, tmp_path):
    result = run("--threads", "1", "--memory", "1G")

    assert result.exit_code == 0, result.output
    assert re.match(r"Made-up data: nobody in it exists\.\n +people {2}\w+", result.stdout)
    page = (tmp_path / "study" / "release" / "report.html").read_text()
    assert "<strong>Made-up data.</strong>" in page
    assert "All people analysed" in result.stdout
    exact = json.loads((tmp_path / "study" / "private" / "results.json").read_text())
    losses = [one for stage in exact["attrition"]["stages"] for one in stage["reasons"]]
    (waiting,) = [one["lost"] for one in losses if one["code"] == "unresolved"]
    note, back, end = result.stderr.splitlines()
    assert note.startswith(f"Note: rows with possible matches, none of them certain: {waiting}. ")
    assert back.endswith("row by row, is in study/private/for-sender.csv.")
    assert end == "What may be handed over is in study/release."
    released = json.loads((tmp_path / "study" / "release" / "results.json").read_text())
    assert released["headline"]["verdict"].replace("_", " ") in result.stdout
    shown = run("--json", "--quiet")
    assert json.loads(shown.stdout) == released
    assert shown.stderr == ""


def bootstrap(*options):
    arguments = ["study", "--replicates", "200", *options]
    return CliRunner().invoke(app, ["bootstrap", *arguments])


def test_a_study_is_resampled_and_its_report_says_so(run, nation, tmp_path):
    assert run("--quiet").exit_code == 0
    release = tmp_path / "study" / "release"
    page = (release / "report.html").read_text()
    plain = (release / "results.json").read_bytes()
    result = bootstrap()

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "wild bootstrap of the linear form, 200 replicates"
    assert lines[1].split() == ["main", "interval", "resampled", "measure"]
    assert lines[2].endswith("  People who reoffended within a year")
    assert len(lines) == 2 + 11
    assert "second opinion" in result.stderr
    # No figure on the screen has more digits than the report: whole numbers, or two decimals.
    assert not re.findall(r"\d\.\d{3}", result.output)
    assert (release / "results.json").read_bytes() == plain
    whole = (release / "report.html").read_text()
    assert 'id="again"' not in page
    assert 'id="again"' in whole
    shown = bootstrap("--json", "-q")
    assert shown.stdout.encode() == (release / "bootstrap.json").read_bytes()
    assert (release / "report.html").read_text() == whole
    for kind in ("weighted", "subsample"):
        assert bootstrap("--kind", kind, "-q").exit_code == 0
    refused = bootstrap("--kind", "set", "--store", str(nation / "store"))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "reuse" in refused.stderr
    dry = bootstrap("--dry-run")
    assert dry.stdout.startswith("study        study")


def test_a_dry_run_writes_nothing(run, tmp_path):
    result = run("--dry-run")

    assert result.exit_code == 0, result.output
    assert [line.split("  ")[0] for line in result.stdout.splitlines()] == [
        "verdict", "rows", "usable", "store of", "last index date", "plan",
    ]  # fmt: skip
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_wrong_plan_is_told_before_anything_is_written(run, tmp_path, more):
    (tmp_path / "plan.toml").write_text("[matching]\nratoi = 3\n")
    result = run(*more)

    assert result.exit_code == 65
    assert "Did you mean 'ratio'?" in result.stderr
    assert not (tmp_path / "study").exists()


def test_a_file_without_its_option_is_told_which():
    arguments = ["run", "Zebedee.xlsx", "--store", "store", "--out", "study"]
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert "--submission FILE" in result.output
    assert "Zebedee" not in result.output


def test_an_empty_template_is_refused_in_words(nation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(app, ["template", "--out", "people.xlsx"])
    arguments = ["--submission", "people.xlsx", "--store", str(nation / "store"), "-o", "study"]
    result = CliRunner().invoke(app, ["run", *arguments])

    assert result.exit_code == 65
    assert "Rule: There are no rows of people. Run 'justicelab check" in result.stderr


def test_a_store_that_is_an_extract_is_told_so(nation, tmp_path):
    typed = str(nation / "extract")
    arguments = ["--submission", "people.xlsx", "--store", typed, "-o", str(tmp_path / "study")]
    result = CliRunner().invoke(app, ["run", *arguments])
    absent = CliRunner().invoke(app, ["run", *arguments[:3], "no/store", *arguments[4:]])

    assert result.exit_code == absent.exit_code == 65
    assert f"There is no store in '{typed}'" in result.stderr
    assert f"justicelab prepare {typed} --store DIR" in result.stderr
    assert "There is no store in 'no/store'. Make one" in absent.stderr


def test_the_page_names_every_option_file_and_section():
    page = (DOCS / "study.md").read_text()
    options = {
        name.removeprefix("as_").replace("_", "-")
        for name in inspect.signature(run_command).parameters
    }

    assert {f"--{name}" for name in options} <= set(re.findall(r"--[a-z-]+", page))
    named = set(re.findall(r"`([a-z][a-z-]*\.[a-z]+)`", page))
    assert set(PRIVATE_FILES) <= named
    assert {name for name in RELEASE_FILES if not name.startswith("table-")} <= named
    assert {f"`[{name}]`" for name in Plan.model_fields if name != "format"} <= set(
        re.findall(r"`\[[a-z_]+\]`", page)
    )
    for rule in Policy().as_results()["rules"]:
        assert f"| {rule['id']} |" in page


def test_a_batch_that_fails_says_which_study_and_why(nation, tmp_path):
    (tmp_path / "lost.toml").write_text('[study]\nsubmission = "nobody.csv"\n')
    arguments = ["--store", str(nation / "store"), "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, ["batch", str(tmp_path / "lost.toml"), *arguments])

    assert found.exit_code == 65
    assert "lost: failed" in found.stdout
    assert "There is no such submission" in found.stderr
    assert (tmp_path / "out" / "index.html").is_file()
    again = CliRunner().invoke(app, ["batch", str(tmp_path / "lost.toml"), *arguments, "--json"])
    assert '"kind": "batch"' in again.stdout
