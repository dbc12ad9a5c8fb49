"""``justicelab bootstrap`` and ``collect``: tables, JSON, refusals, signals and kills."""

import inspect
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.bootstrap import bootstrap
from cli.main import app
from engine.jobs.resampling import KINDS

ROOT = Path(__file__).resolve().parents[2]
RECID = ROOT / "examples" / "recid.csv"


def justice(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    options = "--id id --treatment workprg --covariates age,priors --outcome returned:binary"
    found = justice("match", RECID, *options.split(), "--orders", 0, "--out", out)
    assert found.exit_code == 0, found.output
    return out


@pytest.fixture
def matched(made, tmp_path):
    shutil.copytree(made, tmp_path / "out")
    return tmp_path / "out"


def test_a_short_table_goes_to_stdout_and_what_to_keep_in_mind_to_stderr(matched):
    result = justice("bootstrap", matched, "--replicates", 200)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "wild bootstrap of the linear form, 200 replicates"
    assert lines[1].startswith("returned: difference in proportions ")
    assert [line.split("  ")[1] for line in lines[2:]] == [
        "main interval", "percentile", "basic (read this one)", "normal", "bca",
    ]  # fmt: skip
    assert "second opinion" in result.stderr
    quiet = justice("bootstrap", matched, "--replicates", 200, "--quiet")
    assert (quiet.stdout, quiet.stderr) == (result.stdout, "")


def test_json_is_the_file(matched):
    result = justice("bootstrap", matched, "--replicates", 200, "--json", "-q")
    assert result.stdout.encode() == (matched / "bootstrap.json").read_bytes()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(matched):
    before = sorted(matched.iterdir())
    result = justice("bootstrap", matched, "--replicates", 200, "--dry-run")
    assert "wild" in result.stdout
    plan = justice("bootstrap", matched, "--replicates", 200, "--dry-run", "--json").stdout
    assert json.loads(plan)["replicates"] == 200
    assert sorted(matched.iterdir()) == before


def test_shares_are_collected(matched):
    for share in ("1/2", "2/2"):
        result = justice("bootstrap", matched, "--replicates", 200, "--shard", share)
        assert result.exit_code == 0
        assert result.stdout == ""
        assert "justicelab collect" in result.stderr
        if share == "1/2":
            refused = justice("collect", matched, "--replicates", 200)
            assert refused.exit_code == 65
            assert "96 to 199" in refused.stderr
    collected = justice("collect", matched, "--replicates", 200, "-q")
    assert collected.exit_code == 0
    assert collected.stdout == justice("bootstrap", matched, "--replicates", 200, "-q").stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--replicates", 10), 2),
        (("--replicates", 200, "--kind", "plain"), 2),
        (("--replicates", 200, "--kind", "refit"), 2),
        (("--replicates", 200, "--shard", "3/2"), 2),
        (("--replicates", 200, "--resume"), 73),
        (("--replicates", 200, "--kind", "refit", "--table", ROOT / "README.md"), 65),
    ],
)
def test_refusals_have_their_exit_codes(matched, arguments, code):
    result = justice("bootstrap", matched, *arguments)
    assert result.exit_code == code, result.output


def test_a_folder_without_a_match_is_bad_input(tmp_path):
    assert justice("bootstrap", tmp_path, "--replicates", 200).exit_code == 65
    assert justice("collect", tmp_path, "--replicates", 200).exit_code == 65


def begin(matched, *options):
    code = "import sys; from cli.start import run; sys.argv[0] = 'justicelab'; run()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "bootstrap", *map(str, (matched, *options))],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for_a_shard(matched, process):
    deadline = time.monotonic() + 120
    while not list(matched.glob("shards/*/shard-*")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_served_within_two_seconds_and_leaves_nothing_half_written(
    matched, number, code
):
    process = begin(matched, "--replicates", 3_000_000)
    wait_for_a_shard(matched, process)
    began = time.monotonic()
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert time.monotonic() - began < 2.0
    assert out == b""
    left = [path.name for path in matched.rglob("*") if path.name.endswith(".part")]
    assert left == []
    assert not (matched / "bootstrap.json").exists()


def test_a_killed_bootstrap_goes_on_and_ends_in_the_same_bytes(made, matched, tmp_path):
    process = begin(matched, "--replicates", 40_000)
    wait_for_a_shard(matched, process)
    process.kill()
    process.communicate()
    kept = {path: path.read_bytes() for path in matched.glob("shards/*/shard-*")}
    resumed = justice("bootstrap", matched, "--replicates", 40_000, "--resume", "-q")
    assert resumed.exit_code == 0
    assert all(path.read_bytes() == data for path, data in kept.items())
    shutil.copytree(made, tmp_path / "other")
    justice("bootstrap", tmp_path / "other", "--replicates", 40_000, "-q")
    name = "bootstrap.json"
    assert (matched / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_second_run_in_the_same_folder_is_told_to_wait(matched):
    process = begin(matched, "--replicates", 3_000_000)
    wait_for_a_shard(matched, process)
    busy = justice("bootstrap", matched, "--replicates", 3_000_000)
    process.kill()
    process.communicate()
    assert busy.exit_code == 75


def test_the_page_on_jobs_names_the_options_and_kinds_there_are():
    text = (ROOT / "docs" / "jobs.md").read_text()
    given = inspect.signature(bootstrap).parameters
    names = {"json" if name == "as_json" else name.replace("_", "-") for name in given}
    assert {name for name in names - {"folder"} if f"--{name}" not in text} == set()
    assert {kind for kind in KINDS if f"`{kind}`" not in text} == set()
    for code in (0, 2, 65, 70, 73, 74, 75, 77, 78):
        assert re.search(rf"^\| {code} \|", text, re.MULTILINE)
