"""``--memory`` on the command line: peaks measured in processes of their own, and refusals."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from engine.memory import parse_ceiling
from engine.records.synthetic.nation import synthesise
from tests.kernels.support import COMPILED

ROOT = Path(__file__).resolve().parents[2]
RECID = ROOT / "examples" / "recid.csv"
ROWS = 400_000
NUMBERS = 40
FIT = ("--treatment", "treated", "--id", "id", "--caliper", "0.2 sd-logit")
compiled = pytest.mark.skipif(not COMPILED, reason="thousands of rows: only with the compiler")


def justice(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


MEASURED = """
import atexit, pathlib, runpy, sys

def keep(path=sys.argv.pop(1)):
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path(path).write_text(status.split("VmHWM:")[1].split()[0])

atexit.register(keep)
runpy.run_module("justicelab", run_name="__main__", alter_sys=True)
"""


def measured(*arguments):
    """Exit code, output and peak resident bytes of the command in a process of its own.

    The process looks at itself: what its parent is told holds the peak of the parent too.
    """
    with tempfile.NamedTemporaryFile() as peak:
        words = [sys.executable, "-c", MEASURED, peak.name, *map(str, arguments)]
        found = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
        said = found.stdout, found.stderr
        return found.returncode, said, int(Path(peak.name).read_text()) * 1024


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A folder of parts with so many numbers that its columns are most of what a match needs."""
    folder = tmp_path_factory.mktemp("people") / "people"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for part in range(2):
        n = ROWS // 2
        numbers = {f"x{j}": rng.normal(size=n) for j in range(NUMBERS)}
        chance = 1 / (1 + np.exp(3 - numbers["x0"]))
        table = pa.table(
            {
                "id": np.arange(n) + part * n,
                "treated": rng.random(n) < chance,
                "returned": rng.integers(0, 2, n),
                **numbers,
            }
        )
        pq.write_table(table, folder / f"part-{part}.parquet", compression="none")
    return folder


def words(people, *more):
    columns = ",".join(f"x{j}" for j in range(NUMBERS))
    return ("match", people, *FIT, "--covariates", columns, "--json", "-q", *more)


@compiled
def test_columns_that_do_not_fit_lie_in_files_and_the_peak_is_below_the_ceiling(people):
    code, (plain, _), whole = measured(*words(people))
    assert code == 0
    code, (text, said), peak = measured(*words(people, "--memory", "640M"))
    assert (code, said) == (0, b"")
    assert peak < parse_ceiling("640M")
    assert text == plain
    assert whole < parse_ceiling("2G")


def test_a_match_that_cannot_fit_is_refused_before_it_reads(people, tmp_path):
    out = tmp_path / "out"
    found = justice(
        *words(people, "--memory", "300M", "--outcome", "returned:binary", "--out", out)
    )
    assert found.exit_code == 74
    assert "The match would need about" in found.stderr
    assert "--memory allows 300 MiB" in found.stderr
    assert "Give at least --memory" in found.stderr
    assert not out.exists()


def test_a_csv_is_held_to_the_ceiling_by_its_size(tmp_path):
    table = tmp_path / "wide.csv"
    with table.open("wb") as file:
        file.write(b"treated,age\n" + b"1,20\n0,30\n" * 10)
        file.truncate(100 << 20)
    found = justice(
        "match", table, "--treatment", "treated", "--covariates", "age", "--memory", "640M"
    )
    assert found.exit_code == 74
    assert "the csv as a table" in found.stderr
    assert "Parquet" in found.stderr


def test_nonsense_is_a_usage_error(people, tmp_path):
    for command in (
        words(people, "--memory", "much"),
        ("bootstrap", tmp_path, "--replicates", 200, "--memory", "much"),
        ("collect", tmp_path, "--replicates", 200, "--memory", "much"),
        ("prepare", tmp_path, "--store", tmp_path / "store", "--memory", "much"),
        ("run", "--submission", "a", "--store", "b", "-o", "c", "--memory", "much"),
    ):
        found = justice(*command)
        assert found.exit_code == 2
        assert "such as 4GB" in found.stderr


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    out = tmp_path_factory.mktemp("nation")
    synthesise(6_000, out, seed=5, threads=2)
    return out


@compiled
def test_prepare_and_run_keep_to_a_ceiling_or_are_refused_at_once(nation, tmp_path):
    extract, store = nation / "extract", tmp_path / "store"
    small = justice("prepare", extract, "--store", store, "--memory", "400M")
    assert small.exit_code == 74
    assert "Preparing the store would need about" in small.stderr
    assert "the database, at least" in small.stderr
    assert not (store / "store.json").exists()
    code, said, peak = measured("prepare", extract, "--store", store, "--memory", "768M", "-q")
    assert (code, said[1]) == (0, b"")
    assert peak < parse_ceiling("768M")
    (tmp_path / "plan.toml").write_text("[oasys]\ntrio = false\n[region]\ncontrol = false\n")
    study = (
        "run", "--submission", nation / "submissions" / "medium-none-random.csv",
        "--store", store, "--out", tmp_path / "study", "--plan", tmp_path / "plan.toml",
    )  # fmt: skip
    refused = justice(*study, "--memory", "400M")
    assert refused.exit_code == 74
    assert "The study would need about" in refused.stderr
    assert not (tmp_path / "study").exists()
    assert justice(*study, "--memory", "400M", "--dry-run").exit_code == 74
    code, said, peak = measured(*study, "--memory", "900M", "-q")
    assert code == 0, said
    assert peak < parse_ceiling("900M")


@compiled
def test_a_bootstrap_keeps_to_a_ceiling_or_is_refused_at_once(tmp_path):
    out = tmp_path / "out"
    options = "--id id --treatment workprg --covariates age,priors --outcome returned:binary"
    assert justice("match", RECID, *options.split(), "--orders", 0, "--out", out).exit_code == 0
    asked = ("bootstrap", out, "--replicates", 200, "-q")
    refused = justice(*asked, "--memory", "900M", "--workers", 4)
    assert refused.exit_code == 74
    assert "4 more processes" in refused.stderr
    assert "Fewer --workers need less" in refused.stderr
    assert not (out / "bootstrap.json").exists()
    code, said, peak = measured(*asked, "--memory", "640M", "--json")
    assert (code, said[1]) == (0, b"")
    assert peak < parse_ceiling("640M")
    assert json.loads(said[0])["resampling"]["replicates"] == 200
    assert justice(*asked, "--kind", "refit", "--table", RECID, "--memory", "300M").exit_code == 74
    found = justice(*asked, "--kind", "refit", "--table", RECID, "--memory", "1G")
    assert found.exit_code == 0, found.output
    assert justice("collect", out, "--replicates", 200, "--memory", "300M").exit_code == 74
