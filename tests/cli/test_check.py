"""``justicelab template`` and ``justicelab check`` on the command line."""

import inspect
import json
import re
import socket
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.check import check as check_command
from cli.main import app
from cli.template import template as template_command
from engine.submission.fields import FIELDS
from engine.submission.rules import SEVERITIES
from tests.engine.submission.support import (
    BORN,
    HEADS,
    LAST,
    changed,
    column,
    people,
    text,
    xlsx_file,
)

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in a folder of its own; the file people.csv holds what is given."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, content=None, name="people.csv"):
        if content is not None:
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / name).write_bytes(data)
        return CliRunner().invoke(app, list(arguments))

    return invoke


def test_a_clean_file(run):
    result = run("check", "people.csv", content=text())

    assert result.exit_code == 0
    assert result.stdout.startswith("Verdict  accepted\nRows     70\nUsable   70\n")
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("content", "verdict", "code"),
    [
        (text(), "accepted", 0),
        (text(changed(LAST, "B")), "accepted_with_warnings", 0),
        (text(changed(BORN, "31/02/1980")), "rows_quarantined", 0),
        (text(people(59)), "rejected", 65),
        (b"%PDF-1.7", "rejected", 65),
        (b"", "rejected", 65),
    ],
)
def test_verdicts_exit_codes_and_the_json_object(run, content, verdict, code):
    result = run("check", "people.csv", "--json", content=content)
    found = json.loads(result.stdout)

    assert (result.exit_code, found["verdict"]) == (code, verdict)
    assert list(found) == ["verdict", "rows", "usable", "problems"]
    assert result.stdout.count("\n") == 1
    for problem in found["problems"]:
        assert list(problem) == ["row", "column", "rule", "severity", "repair"]
        assert problem["severity"] in SEVERITIES


def test_problems_are_told_by_rule_with_the_rows(run):
    rows = column(BORN, lambda cell: cell)
    for i in range(3, 11):
        rows[i][BORN] = "31/02/1980"
    result = run("check", "people.csv", content=text(rows))

    lines = result.stdout.splitlines()
    assert "Row kept aside: Date of birth, rows 5, 6, 7, 8, 9 and 3 more" in lines
    assert max(map(len, lines)) <= 80
    assert "31/02" not in result.output


def test_the_problems_in_a_workbook(run, tmp_path):
    result = run("check", "people.csv", "--problems", "out.xlsx", content=text(changed(LAST, "")))
    assert result.exit_code == 0
    assert "out.xlsx" in result.stderr
    assert stat.S_IMODE((tmp_path / "out.xlsx").stat().st_mode) == 0o600
    again = run("check", "people.csv", "--problems", "out.xlsx")
    assert again.exit_code == 73
    quiet = run("check", "people.csv", "--problems", "two.xlsx", "--quiet")
    assert quiet.stderr == ""


def test_options_of_the_check(run):
    rows = column(BORN, lambda cell: "/".join([cell[3:5], cell[:2], cell[6:]]))
    assert run("check", "people.csv", content=text(rows)).exit_code == 0
    wrong = run("check", "people.csv", "--window", "2020")
    assert wrong.exit_code == 2
    assert "2015-01-01:2022-06-30" in wrong.stderr
    late = run("check", "people.csv", "--window", "2030-01-01:2031-01-01", content=text())
    assert late.exit_code == 0
    early = run("check", "people.csv", "--window", "2010-01-01:2011-01-01")
    assert early.exit_code == 65
    both = run("check", "people.csv", "--window", "2010-01-01:2031-01-01", "--store", "store")
    assert both.exit_code == 2
    assert run("check", "people.csv", "--store", "no-store").exit_code == 65
    assert run("check", "people.csv", "--date-order", "year").exit_code == 2
    form = xlsx_file({"Description": [["Name of the service", "Next Steps"]]})
    (Path.cwd() / "form.xlsx").write_bytes(form)
    told = json.loads(run("check", "people.csv", "--json", "--description", "form.xlsx").stdout)
    assert "description_missing" not in {p["rule"] for p in told["problems"]}


def test_a_file_that_is_not_there(run):
    result = run("check", "nobody.csv")
    assert result.exit_code == 65
    assert "there is no file" in result.stderr.lower()


def test_template_then_check(run, tmp_path):
    result = run("template", "--out", "submission.xlsx")
    assert result.exit_code == 0
    assert stat.S_IMODE((tmp_path / "submission.xlsx").stat().st_mode) == 0o600
    assert "justicelab check submission.xlsx" in result.stderr
    empty = run("check", "submission.xlsx")
    assert empty.exit_code == 65
    assert "There are no rows of people" in empty.stdout
    assert run("template", "--out", "submission.xlsx").exit_code == 73
    assert run("template", "--out", "no/folder.xlsx").exit_code == 73


def test_nothing_goes_to_the_network(run, monkeypatch):
    def refuse(*_arguments):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert run("check", "people.csv", content=text()).exit_code == 0
    assert run("template", "--out", "a.xlsx").exit_code == 0


def test_the_page_names_every_option_column_and_severity():
    page = (DOCS / "submission.md").read_text()
    options = {
        {"as_json": "json"}.get(name, name).replace("_", "-")
        for command in (check_command, template_command)
        for name in inspect.signature(command).parameters
        if name != "file"
    }
    assert {name for name in options if f"--{name}" not in page} == set()
    assert set(re.findall(r"--([a-z][a-z-]+)", page)) <= options
    assert {field.header for field in FIELDS if field.header not in page} == set()
    assert {name for name in SEVERITIES if f"`{name}`" not in page} == set()
    assert len(HEADS) == 8
