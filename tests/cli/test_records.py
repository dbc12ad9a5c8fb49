"""`check-extract` and `prepare` as commands: what they print, and how they end."""

import datetime as dt
import json

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.engine.store.nation import make_extract, make_tables, write_extract
from tests.engine.store.test_hostile_extracts import set_cells, tree


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


def _twice(tables):
    return "offences", pa.concat_tables([tables["offences"], tables["offences"].slice(3, 2)])


def _orphans(tables):
    return "offences", set_cells(tables["offences"], "disposal_id", [0, 1], 99_999_999)


def _future(tables):
    return "offences", set_cells(tables["offences"], "conviction_date", [1], dt.date(2031, 1, 1))


def _born_in_1900(tables):
    return "persons", set_cells(tables["persons"], "date_of_birth", [0], dt.date(1900, 1, 1))


def _without_a_column(tables):
    return "disposals", tables["disposals"].drop_columns(["index_date"])


def _of_another_type(tables):
    table = tables["disposals"]
    place = table.column_names.index("disposal_date")
    text = table["disposal_date"].cast(pa.utf8())
    return "disposals", table.set_column(place, "disposal_date", text)


@pytest.mark.parametrize("change", [_twice, _orphans, _future, _born_in_1900])
def test_rows_that_cannot_be_used_do_not_stop_prepare(change, tmp_path):
    tables = make_tables(120, 3, 0.3)
    name, table = change(tables)
    write_extract(tmp_path / "extract", {**tables, name: table})
    assert run("check-extract", tmp_path / "extract", "--quiet").exit_code == 65
    assert run("prepare", tmp_path / "extract", "--store", tmp_path / "s", "-q").exit_code == 0


@pytest.mark.parametrize("change", [_without_a_column, _of_another_type, None])
def test_an_extract_that_cannot_be_used_leaves_the_old_store(change, tmp_path):
    tables = make_tables(60, 3, 0.3)
    extract, store = tmp_path / "extract", tmp_path / "store"
    write_extract(extract, tables)
    assert run("prepare", extract, "--store", store, "-q").exit_code == 0
    before = tree(store)
    if change is None:
        (cut,) = (extract / "analysis" / "offences").iterdir()
        cut.write_bytes(cut.read_bytes()[:-30])
    else:
        name, table = change(tables)
        write_extract(extract, {name: table})
    for command in (("check-extract", extract), ("prepare", extract, "--store", store)):
        ended = run(*command, "-q")
        assert ended.exit_code == 65
        assert "Traceback" not in ended.output
    assert tree(store) == before
