"""``justicelab demo`` on the command line: what it prints, when it opens a browser, how it ends."""

import json
import re
import sys
import webbrowser
from pathlib import Path

import pytest
from typer.testing import CliRunner

import engine.demo as engine_demo
from cli.demo import has_browser
from cli.main import app
from engine.demo import SERVICES, Demo, DemoStudy


def analysis(verdict, measures):
    return {"verdict": verdict, "counts": {"treated_matched": 1650}, "measures": measures}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The command in a folder, with a finished demo in place of a new one."""
    rate = {"treated": 26, "comparison": 33, "difference": -7, "ci_low": -10, "ci_high": -4}
    facts = (
        (analysis("fewer", [rate]), -0.0804),
        (analysis("inconclusive", [{**rate, "difference": 0, "ci_high": 3}]), 0.0),
        (analysis("match_not_adequate", []), 0.0),
    )
    calls = []

    def fake(out, *, progress):
        calls.append(out)
        if progress is not None:
            for stage in ("1/5 a nation", "1/5 a nation", "2/5 its store"):
                progress(stage, 0.5, "")
        studies = [
            DemoStudy(service, {"analyses": [first]}, truth, Path(out) / "report.html")
            for service, (first, truth) in zip(SERVICES, facts, strict=True)
        ]
        return Demo(Path(out) / "index.html", tuple(studies))

    def never(_address):
        raise AssertionError("a browser was opened")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine_demo, "demo", fake)
    monkeypatch.setattr(webbrowser, "open", never)
    return calls


def test_it_needs_no_arguments_and_says_what_is_true(made):
    result = CliRunner().invoke(app, ["demo"])

    assert result.exit_code == 0, result.output
    assert made == [Path("justicelab-demo")]
    lines = result.stdout.splitlines()
    assert re.split(r" {2,}", lines[1]) == [
        "Trade workshop", "1,650", "fewer", "26", "33", "-7", "-10 to -4", "-8.0",
    ]  # fmt: skip
    assert re.split(r" {2,}", lines[3])[2:] == ["match not adequate", "-", "-", "-", "-", "0.0"]
    assert max(map(len, lines)) <= 100
    assert result.stderr.splitlines() == [
        "1/5 a nation",
        "2/5 its store",
        "The reports are listed in justicelab-demo/index.html.",
    ]


def test_json_for_another_program(made):
    result = CliRunner().invoke(app, ["demo", "--json", "--quiet", "--out", "there"])

    found = json.loads(result.stdout)
    assert result.stderr == ""
    assert found["page"] == "there/index.html"
    assert [one["service"] for one in found["studies"]] == [one.name for one in SERVICES]
    assert found["studies"][0]["true_effect_on_rate"] == -0.0804


def test_the_help_names_every_option():
    text = CliRunner().invoke(app, ["demo", "--help"], env={"COLUMNS": "100"}).stdout

    for option in ("--out", "--no-open", "--threads", "--json", "--quiet"):
        assert option in text


def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "justicelab-demo").mkdir(mode=0o700)
    (tmp_path / "justicelab-demo" / "letter.txt").write_text("mine")
    result = CliRunner().invoke(app, ["demo"])

    assert result.exit_code == 73
    assert "Give a name that does not exist yet" in result.stderr
    assert (tmp_path / "justicelab-demo" / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("terminal", "variables", "opens"),
    [
        (True, {"DISPLAY": ":0"}, True),
        (True, {"WAYLAND_DISPLAY": "wayland-0"}, True),
        (True, {"DISPLAY": ":0", "CI": "true"}, False),
        (True, {}, False),
        (False, {"DISPLAY": ":0"}, False),
    ],
)
def test_a_browser_opens_only_for_somebody_at_a_screen(monkeypatch, terminal, variables, opens):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("CI", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)

    assert has_browser() is opens
