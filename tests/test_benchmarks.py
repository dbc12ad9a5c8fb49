"""The benchmarks run: a race is held, answers are compared, and a missing peer is said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.record import BEGIN, END, Figure, as_record, as_short_table, joined, put_into_readme

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_quick_run_compares_answers_and_names_a_missing_peer(tmp_path):
    no_programs = tmp_path / "empty"
    no_programs.mkdir()
    # A process of the tests run side by side may not switch the benchmarks off.
    plain = {name: text for name, text in os.environ.items() if "XDIST" not in name}
    ran = subprocess.run(
        [
            sys.executable, "-m", "benchmarks", "--quick", "--out", str(tmp_path),
            "--only", "(match_one and numpy) or match_five",
        ],
        cwd=ROOT, env=plain | {"PATH": str(no_programs)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    record = json.loads((tmp_path / "quick.json").read_text(encoding="utf-8"))
    beside = {figure["beside"]: figure for figure in record["figures"]}
    assert len(record["figures"]) == 3
    assert beside["MatchIt"]["value"] is None
    assert beside["MatchIt"]["note"] == "not installed: R with MatchIt"
    assert "not installed: R with MatchIt" in (tmp_path / "quick.md").read_text(encoding="utf-8")
    (raced,) = {name for name in beside if name.startswith("NumPy")}
    assert beside[raced]["value"] > 0
    assert beside[raced]["answers"]


def _record() -> dict:
    figures = [
        Figure("match", 100, "CPU s", 0.5, "x", "peer", {"a": 1.0, "b": 2.0}, {"a": 6.0}, 0.4),
        Figure("match", 100, "", None, "", beside="other", note="not installed: other"),
    ]
    return as_record(figures, "full", {"other": "not installed (other)"}, "2025-01-01")


def test_missed_bar_is_said_in_the_table():
    lines = as_short_table(_record()).splitlines()
    assert "| match | 100 | CPU s | 3 | peer | 6 | 0.5 x | <= 0.4 | FAIL |" in lines
    assert "| match | 100 |  |  | other |  |  |  | not installed: other |" in lines
    assert "Not installed:" in lines[-1]


def test_later_figures_join_a_record_of_the_same_machine():
    old = _record()
    renewed = Figure("match", 100, "CPU s", 0.3, "x", "peer", {"a": 1.0}, {"a": 3.3}, 0.4)
    later = as_record([Figure("fit", 9, "CPU s", 1.0, "x"), renewed], "full", {}, "2025-01-02")
    both = joined(old, later)
    assert [figure["what"] for figure in both["figures"]] == ["match", "match", "fit"]
    assert [figure["value"] for figure in both["figures"]] == [0.3, None, 1.0]
    assert both["date"] == "2025-01-02"
    assert [figure["date"] for figure in both["figures"]] == [
        "2025-01-02",
        "2025-01-01",
        "2025-01-02",
    ]
    assert " 2025-01-01 to 2025-01-02." in as_short_table(both)
    # a peer that the later run did without is still that of the figures that stay
    found = {"other": "1.2"}
    assert joined(old | {"peers": found}, later | {"peers": old["peers"]})["peers"] == found
    with pytest.raises(ValueError, match="another machine"):
        joined(old | {"peers": found}, later | {"peers": {"other": "1.3"}})
    with pytest.raises(ValueError, match="another machine"):
        joined(old, later | {"machine": later["machine"] | {"cores": 999}})


def test_table_replaces_only_what_stands_between_the_markers(tmp_path):
    record, readme = tmp_path / "full.json", tmp_path / "README.md"
    record.write_text(json.dumps(_record()), encoding="utf-8")
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    put_into_readme([record, record], readme)
    once = readme.read_text(encoding="utf-8")
    assert once.startswith(f"before\n{BEGIN}\n| what |")
    assert once.endswith(f"{END}\nafter\n")
    assert "old" not in once
    assert once.count("| what |") == 2
    put_into_readme([record, record], readme)
    assert readme.read_text(encoding="utf-8") == once


def test_readme_of_the_project_has_both_markers():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
