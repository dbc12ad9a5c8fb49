"""`check-extract` and `prepare` as commands: what they print, and how they end."""

import json

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.engine.store.nation import make_extract


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records") / "extract"
    make_extract(folder, people=120, seed=3)
    return folder


def run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_an_extract_with_blanked_cells_is_told_by_its_exit_code(extract):
    ended = run("check-extract", extract, "--quiet")
    assert ended.exit_code == 65
    assert "Blanked:" in ended.stdout
    assert "Internal error" not in ended.output


def test_findings_as_json(extract):
    ended = run("check-extract", extract, "--quiet", "--json")
    found = json.loads(ended.stdout)
    assert found["rows"]["persons"] == 120
    assert found["usable"] is True
    assert all(problem["rule"] for problem in found["problems"])


def test_prepare_makes_a_store_and_keeps_it_when_nothing_changed(extract, tmp_path):
    store = tmp_path / "store"
    first = run("prepare", extract, "--store", store, "--quiet")
    again = run("prepare", extract, "--store", store, "--quiet")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "1 made, 0 kept" in first.stdout
    assert "0 made, 1 kept" in again.stdout


@pytest.mark.parametrize("command", [("check-extract",), ("prepare", "--store", "store")])
def test_a_folder_that_is_no_extract_is_refused(command, tmp_path):
    ended = run(command[0], tmp_path / "nothing", *command[1:])
    assert ended.exit_code == 65
    assert "Traceback" not in ended.output
