"""``justicelab power``: tables, JSON, chart and refusals."""

import json

import pytest
from typer.testing import CliRunner

from cli import main as cli_main


def justice(*arguments):
    return CliRunner().invoke(cli_main.app, ["power", *(str(a) for a in arguments)])


@pytest.fixture
def match_folder(tmp_path):
    estimate = {
        "outcome": "reoffended\x1b[31m",
        "type": "binary",
        "treated": 0.35,
        "comparison": 0.40,
        "difference": -0.05,
        "standard_error": 0.03,
        "degrees_of_freedom": 700.0,
        "n_treated": 400,
        "effective_comparison": 1500.0,
    }
    count = {**estimate, "outcome": "offences", "type": "count"}
    equal = {**count, "outcome": "same", "difference": 0.0, "treated": 0.4}
    content = {"format": 1, "kind": "match", "estimates": [estimate, count, equal]}
    (tmp_path / "results.json").write_text(json.dumps(content))
    return tmp_path


def test_a_plan_is_a_sentence_and_two_tables():
    result = justice("--base-rate", 0.4, "--ratio", 5, "--attrition", 0.3)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("To have a chance of 80 in every 100")
    assert "30 with the outcome" in result.stdout
    assert max(len(line) for line in lines[1:]) <= 100
    assert result.stderr == ""


def test_json_and_chart(tmp_path):
    chart = tmp_path / "plan.svg"
    result = justice("--base-rate", 0.3, "--direction", "more", "--json", "--chart", chart)
    plan = json.loads(result.stdout)
    assert plan["wanted"]["difference"] == 0.05
    assert plan["assumptions"]["alpha"] == 0.05
    assert chart.read_text().startswith("<svg")


def test_every_option_reaches_the_plan():
    plan = json.loads(
        justice(
            "--base-rate", 0.3, "--difference", 0.1, "--direction", "more", "--ratio", 2,
            "--design-effect", 1.5, "--attrition", 0.2, "--power", 0.9, "--alpha", 0.01, "--json",
        ).stdout
    )  # fmt: skip
    assert plan["assumptions"] == {
        "base_rate": 0.3,
        "direction": "more",
        "power": 0.9,
        "alpha": 0.01,
        "ratio": 2.0,
        "design_effect": 1.5,
        "attrition": 0.2,
    }
    assert plan["wanted"]["difference"] == 0.1


def test_a_finished_match(match_folder):
    result = justice(match_folder)
    assert result.exit_code == 0
    assert "Design effect" in result.stdout
    assert "fewer or" in result.stdout
    assert "either way" in result.stdout
    assert "found: -" in result.stdout
    assert "\x1b" not in result.stdout
    assert json.loads(justice(match_folder, "--json").stdout)["kind"] == "power-of-match"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "--base-rate"),
        (("--base-rate", 1.4), 2, "base rate is out of range"),
        (("--base-rate", 0.04), 2, "smaller difference"),
        (("--base-rate", 0.4, "--difference", 0), 2, "wanted difference is 0"),
        (("--base-rate", 0.4, "--chart", "plan.png"), 2, ".svg"),
        (("nowhere",), 65, "no results.json"),
        (("nowhere", "--design-effect", 2, "--chart", "p.svg"), 2, "--design-effect and --chart"),
    ],
)
def test_refusals(arguments, code, words):
    result = justice(*arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert result.stdout == ""
