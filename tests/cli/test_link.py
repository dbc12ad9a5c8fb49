"""``justicelab link`` on the command line: what it prints, and how it ends."""

import csv
import inspect
import json
import re
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner

from cli.link import link as link_command
from cli.main import app
from engine.cohort.reasons import NOT_ANALYSED, REASONS, STAGES
from engine.cohort.rules import IndexRules
from engine.link import LINK_OUTPUTS, link
from engine.release.folder import locked
from engine.store.prepare import prepare
from tests.engine.store.nation import make_tables, write_extract

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEADS = "Ref,Surname,Forename,DOB,Sex,PNC,Start,End,Site"


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    """A store, and a submission of people in it who start beside their sentences."""
    folder = tmp_path_factory.mktemp("nation")
    tables = make_tables(400, 8, 0.3)
    write_extract(folder / "extract", tables)
    prepare(folder / "extract", folder / "store")
    index = {}
    for row in tables["disposals"].to_pylist():
        if row["index_date"] and 2015 <= row["index_date"].year <= 2020:
            index.setdefault(row["person_id"], row["index_date"])
    lines = [HEADS]
    for person in tables["persons"].to_pylist():
        day = index.get(person["person_id"])
        born = person["date_of_birth"]
        if day is None or born is None or not 20 <= day.year - born.year <= 80 or not person["sex"]:
            continue
        number = len(lines)
        # a sister or brother, as far as anybody can tell
        alike = number % 10 == 0
        first, pnc = ("Xavier", "") if alike else (person["first_name"], person["pnc_id"])
        names = f"{person['last_name']},{first},{born:%d/%m/%Y},{person['sex']}"
        site = "North" if number % 3 else "South"
        lines.append(f"R{number},{names},{pnc},{day:%d/%m/%Y},,{site}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def run(nation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*options, file=None, store=None):
        arguments = ["--submission", file or nation / "people.csv"]
        arguments += ["--store", store or nation / "store", "--out", "out", *options]
        return CliRunner().invoke(app, ["link", *map(str, arguments)])

    return invoke


def test_the_table_adds_up(run, tmp_path):
    result = run()
    lines = result.stdout.splitlines()
    figures = [
        [int(n.replace(",", "")) for n in re.findall(r" ([\d,]+)(?=\s|$)", line)] for line in lines
    ]

    assert result.exit_code == 0, result.output
    assert lines[1].startswith("submitted")
    assert lines[-1].startswith("with an index disposal")
    left = figures[1][-1]
    for line in figures[2:-1]:
        assert left - line[0] == line[-1]
        left = line[-1]
    assert figures[-1][-1] == left > 30
    assert max(map(len, lines)) <= 80
    assert result.stderr.startswith("Note: rows with possible matches, none of them certain: ")
    assert result.stderr.endswith("Everything is in out.\n")


def test_json_is_the_results_and_quiet_says_nothing(run, tmp_path):
    result = run("--json", "--quiet", "--threads", "1", "--memory", "512M")

    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert json.loads(result.stdout) == json.loads((tmp_path / "out" / "results.json").read_text())
    assert json.loads(result.stdout)["linkage"]["linked"] > 30


def test_a_dry_run_writes_nothing(run, tmp_path):
    result = run("--dry-run")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("verdict ")
    assert list(tmp_path.iterdir()) == []


def test_a_review_is_read_back(run, tmp_path):
    first = run("--quiet", "--preset", "strict")
    assert first.exit_code == 0
    result = run("--quiet", "--preset", "strict", "--decisions", "out/review.xlsx")

    # an empty review decides nothing
    assert result.exit_code == 0, result.output
    assert result.stdout == first.stdout


def decided(path, decision):
    """The review as a csv, with the same decision on the first candidate of each row."""
    head, *rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    seen = set()
    with Path("decided.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, head)
        writer.writeheader()
        for cells in rows:
            row = dict(zip(head, cells, strict=True))
            if row["Row"] not in seen:
                row |= {"Decision": decision, "Decided by": "A. Reviewer"}
                row |= {"Decided on": "02/03/2025", "Why": "seen on paper"}
            seen.add(row["Row"])
            writer.writerow(row)
    return len(seen)


def test_decisions_are_taken_over_and_recorded(run, tmp_path):
    before = json.loads(run("--quiet", "--json").stdout)["linkage"]
    reviewed = decided(tmp_path / "out" / "review.xlsx", "same person")
    result = run("--quiet", "--json", "--decisions", "decided.csv")
    after = json.loads(result.stdout)["linkage"]

    assert result.exit_code == 0, result.output
    assert reviewed == before["unresolved"] > 5
    assert after["linked"] == before["linked"] + reviewed
    with (tmp_path / "out" / "decisions.csv").open() as file:
        recorded = list(csv.DictReader(file))
    assert len(recorded) == reviewed
    assert {(one["by"], one["on"], one["why"]) for one in recorded} == {
        ("A. Reviewer", "2025-03-02", "seen on paper")
    }


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"file": "absent.csv"}, 65),
        ({"store": "absent"}, 65),
        ({"more": ("--preset", "certain")}, 2),
        ({"more": ("--memory", "4 elephants")}, 2),
        ({"more": ("--decisions", "absent.xlsx")}, 65),
    ],
)
def test_exit_codes(run, tmp_path, options, code):
    result = run(*options.pop("more", ()), **options)

    assert result.exit_code == code, result.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_held_by_another_run(run, tmp_path):
    (tmp_path / "out").mkdir(mode=0o700)
    with locked(tmp_path / "out"):
        result = run()

    assert result.exit_code == 75
    assert list((tmp_path / "out").iterdir()) == []


def test_candidates_in_doubt_stay_out_of_the_comparison_pool(nation, tmp_path):
    cohort = link(nation / "people.csv", nation / "store", tmp_path / "out")
    doubt = set(cohort.found.band["person_id"].to_pylist())

    assert len(doubt) > 5
    assert doubt | set(cohort.choice.linked.tolist()) == set(cohort.out_of_pool.tolist())
    assert doubt.isdisjoint(cohort.choice.linked.tolist())


def test_options_files_codes_and_settings_are_in_the_docs():
    page = (DOCS / "cohort.md").read_text()
    options = {
        name.removeprefix("as_").replace("_", "-")
        for name in inspect.signature(link_command).parameters
    }

    assert {name for name in options if f"`--{name}" not in page} == set()
    assert {name for name in LINK_OUTPUTS if f"`{name}`" not in page} == set()
    assert {r.code for r in REASONS if f"`{r.code}`" not in page} == set()
    assert {r.code for r in REASONS if r.text not in " ".join(page.split())} == set()
    assert {name for name in STAGES if f"`{name}`" not in page} == set()
    for name, value in IndexRules().as_object().items():
        assert f"`{name}`" in page, name
        shown = ", ".join(value) if isinstance(value, list) else str(value)
        assert f"| `{name}` | {shown} |" in page, name
    assert f"`{NOT_ANALYSED}`" in page
