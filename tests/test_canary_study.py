"""A study shows nobody: not in what is printed, not in what is released, whatever fails.

The people of a submission get names found nowhere else, in the file and in the records, so that a
search finds them in every form in which text hides.
"""

import errno
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import engine.analyses as analyses_module
import engine.effects.analysis as effects_module
import engine.effects.measures as measures_module
import engine.matching.designed as designed_module
import engine.release.files as files_module
import engine.study as study_module
from cli.main import app
from engine.records.synthetic.nation import synthesise
from engine.store.prepare import prepare
from tests.engine.submission.test_canary_people import STEMS, found_in, letters

NAME = "medium-none-random"
PLAN = "[gate]\nlargest_smd = 0.5\n[sub_analyses]\nby = ['completed', 'wing']\n"
WINGS = ("Wing North", "Wing South")


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    """A nation in which everybody of a submission has names that are found nowhere else."""
    out = tmp_path_factory.mktemp("canary")
    synthesise(6_000, out, seed=5, threads=2)
    truth = [
        line
        for line in pq.read_table(out / "truth" / "people.parquet").to_pylist()
        if line["submission"] == NAME
    ]
    number = {line["person_id"]: i for i, line in enumerate(truth) if line["person_id"]}
    for path in (out / "extract" / "identities" / "persons").glob("*.parquet"):
        table = pq.read_table(path)
        ids = table["person_id"].to_pylist()
        for column, stem in (("last_name", STEMS[0]), ("first_name", STEMS[1])):
            names = [
                stem + letters(number[person]) if person in number else old
                for person, old in zip(ids, table[column].to_pylist(), strict=True)
            ]
            place = table.column_names.index(column)
            table = table.set_column(place, table.schema.field(column), pa.array(names))
        pq.write_table(table, path)
    prepare(out / "extract", out / "store", threads=2, memory_bytes=1 << 30)
    lines = (out / "submissions" / f"{NAME}.csv").read_text().splitlines()
    head = lines[0].split(",")
    rows = [",".join([lines[0], "wing"])]
    for i, line in enumerate(lines[1:]):
        cells = line.split(",")
        cells[head.index("row_id")] = f"{STEMS[2]}{i}"
        cells[head.index("last_name")] = STEMS[0] + letters(i)
        cells[head.index("first_name")] = STEMS[1] + letters(i)
        rows.append(",".join([*cells, WINGS[i % 2]]))
    (out / "people.csv").write_text("\n".join(rows) + "\n")
    return out


@pytest.fixture
def run(nation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "plan.toml").write_text(PLAN)

    def invoke(*options, out="study", submission=None):
        arguments = ["--submission", str(submission or nation / "people.csv")]
        arguments += ["--store", str(nation / "store"), "--out", out, "--plan", "plan.toml"]
        result = CliRunner().invoke(app, ["run", *arguments, *options])
        assert found_in(result.output.encode()) == []
        assert "Traceback" not in result.output
        return result

    return invoke


def numbers_of_people(folder):
    """Disposal numbers of the study, long enough to be nobody's count."""
    table = pq.read_table(folder / "private" / "treated.parquet")
    pairs = pq.read_table(folder / "private" / "pairs.parquet")
    found = {*table["disposal_id"].to_pylist(), *pairs["comparison_id"].to_pylist()}
    return {str(number) for number in found if number > 9_999}


def words_in(text):
    """Whole numbers that stand by themselves, not in a hash or a coordinate, nor a file's size."""
    text = re.sub(r'"(peak_memory_)?bytes": ?\d+', "", text)
    return set(re.findall(r"(?<![\w.])\d+(?![\w.])", text))


MAY_HOLD_PEOPLE = {"review.xlsx", "for-sender.csv", "found-band.parquet"}
"""Candidates for a reviewer, before and after they are written, and the sender's references."""


def test_a_study_shows_nobody(run, tmp_path):
    result = run("--json")

    assert result.exit_code == 0, result.output
    release = tmp_path / "study" / "release"
    numbers = numbers_of_people(tmp_path / "study")
    assert len(numbers) > 100
    for path in [path for path in (tmp_path / "study").rglob("*") if path.is_file()]:
        assert found_in(path.name.encode()) == []
        assert path.stat().st_mode & 0o077 == 0
        if path.name not in MAY_HOLD_PEOPLE:
            assert found_in(path.read_bytes()) == [], path.name
    for path in release.iterdir():
        assert words_in(path.read_bytes().decode("utf-8", "replace")) & numbers == set(), path.name
    log = (tmp_path / "study" / "private" / "audit.log").read_text()
    assert words_in(log) & numbers == set()
    assert {path.name for path in tmp_path.iterdir()} == {"study", "plan.toml"}


def raising(error):
    def fail(*_arguments, **_options):
        raise error

    return fail


STEM = STEMS[0]
FAULTS = {
    "pool": (study_module, "study_pool", KeyError(STEM), 70),
    "rows": (designed_module, "rows_of_pool", ValueError(f"bad cell {STEM}"), 70),
    "score": (designed_module, "score_rows", FloatingPointError(STEM), 70),
    "match": (designed_module, "select_matches", MemoryError(), 74),
    "gate": (analyses_module, "judge_match", RuntimeError(STEM), 70),
    "outcomes": (measures_module, "open_outcomes", PermissionError(errno.EACCES, STEM), 77),
    "effects": (effects_module, "estimate_outcomes", ZeroDivisionError(STEM), 70),
    "interrupted": (analyses_module, "assess_robustness", KeyboardInterrupt(), 130),
    "parts": (analyses_module, "run_unit", LookupError(STEM), 70),
    "caveats": (study_module, "study_caveats", TypeError(STEM), 70),
    "disclosure": (study_module, "release_results", AssertionError(STEM), 70),
    "full": (files_module.os, "fsync", OSError(errno.ENOSPC, STEM), 74),
    "failing": (files_module.os, "rename", OSError(errno.EIO, STEM), 74),
}


def test_faults_show_nobody_and_release_nothing(run, tmp_path, monkeypatch):
    for fault, (where, name, error, code) in FAULTS.items():
        with monkeypatch.context() as patch:
            patch.setattr(where, name, raising(error))
            if where is analyses_module and name == "run_unit":
                patch.setattr(study_module, name, raising(error))
            result = run()
        assert result.exit_code == code, (fault, result.output)
        assert not (tmp_path / "study" / "release" / "results.json").exists(), fault
        for path in [path for path in (tmp_path / "study").rglob("*") if path.is_file()]:
            if path.name not in MAY_HOLD_PEOPLE:
                assert path.name.endswith(".part") or found_in(path.read_bytes()) == [], fault
    # and the study is whole when nothing fails any more
    assert run().exit_code == 0
    assert (tmp_path / "study" / "release" / "report.html").exists()
    assert [path.name for path in (tmp_path / "study").rglob("*.part")] == []


def test_a_damaged_plan_or_submission_shows_nobody(run, nation, tmp_path):
    (tmp_path / "plan.toml").write_text(f'[matching]\nfit = "{STEM}"\n')
    assert run().exit_code == 65
    (tmp_path / "plan.toml").write_text(f"[matching\n{STEM} = = 3\n")
    assert run().exit_code == 65
    (tmp_path / "plan.toml").write_text(PLAN)
    broken = tmp_path / "broken.csv"
    broken.write_text((nation / "people.csv").read_text().split("\n", 1)[1])
    assert run(submission=broken).exit_code == 65
    assert not (tmp_path / "study").exists()
