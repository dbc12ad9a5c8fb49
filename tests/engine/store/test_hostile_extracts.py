"""Extracts with something wrong: a clear error or rows set aside, and the old store untouched."""

import datetime as dt
import json
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engine.errors import AccessError, BusyError, CannotCreateError, InputError
from engine.records.checking import check_extract
from engine.store.folder import locked, read_manifest
from engine.store.prepare import prepare
from engine.store.reading import open_store, read_years
from tests.certify.row_group import large_row_group
from tests.engine.store.nation import make_tables, write_extract


@pytest.fixture(scope="module")
def tables():
    return make_tables(400, 3, 0.3)


@pytest.fixture
def extract(tmp_path, tables):
    write_extract(tmp_path / "extract", tables, 2)
    return tmp_path / "extract"


def change(extract, tables, name, table):
    write_extract(extract, {**tables, name: table}, 1)


def set_cells(table, name, rows, value):
    column = table[name]
    mask = np.zeros(table.num_rows, bool)
    mask[rows] = True
    plain = column.cast(pa.utf8()) if pa.types.is_dictionary(column.type) else column
    new = pc.if_else(pa.array(mask), pa.scalar(value, plain.type), plain).cast(column.type)
    return table.set_column(table.column_names.index(name), table.schema.field(name), new)


def problems(extract, action=None):
    report = check_extract(extract)
    return {
        (one.table, one.column, one.rows) for one in report.problems if action in {None, one.action}
    }


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_good_extract_is_clean(extract):
    report = check_extract(extract)
    assert not report.refused
    assert sum(report.set_aside.values()) == 0
    assert {one.action for one in report.problems} <= {"noted", "blanked"}


@pytest.mark.parametrize(
    "content",
    ["", "{}", "not json", '{"justicelab_schema": 2, "extract_date": "2024-03-31"}', "[" * 5000,
     '{"justicelab_schema": 1, "extract_date": "31/03/2024"}',
     '{"justicelab_schema": 1, "extract_date": "2024-03-31", "synthetic": "no"}', "[1]",
     '{"justicelab_schema": 1, "extract_date": "2024-03-31"}' + " " * (1 << 20)],
)  # fmt: skip
def test_extract_file_that_cannot_be_used(extract, content):
    (extract / "extract.json").write_text(content)
    with pytest.raises(InputError) as caught:
        check_extract(extract)
    assert "extract.json" in str(caught.value)
    assert "31/03" not in str(caught.value)


def test_the_folder_above_an_extract(tmp_path):
    with pytest.raises(InputError) as caught:
        check_extract(tmp_path)
    assert f"There is no file 'extract.json' in '{tmp_path}'" in str(caught.value)
    (tmp_path / "extract").mkdir()
    (tmp_path / "extract" / "extract.json").touch()
    with pytest.raises(InputError) as caught:
        check_extract(tmp_path)
    assert f"Did you mean '{tmp_path / 'extract'}'?" in str(caught.value)


def test_no_extract(tmp_path):
    with pytest.raises(InputError):
        check_extract(tmp_path / "nothing")


def test_missing_table_and_column(extract, tables):
    for file in (extract / "analysis" / "offences").iterdir():
        file.unlink()
    change(extract, {}, "disposals", tables["disposals"].drop_columns(["index_date"]))
    found = problems(extract, "refused")
    assert ("offences", "", None) in found
    assert ("disposals", "index_date", None) in found


def test_wrong_types(extract, tables):
    table = tables["offences"]
    place = table.column_names.index("conviction_date")
    change(
        extract,
        {},
        "offences",
        table.set_column(place, "conviction_date", table["conviction_date"].cast(pa.utf8())),
    )
    assert ("offences", "conviction_date", None) in problems(extract, "refused")


def test_narrower_and_plain_types_are_accepted(extract, tables):
    table = tables["disposals"]
    for name, kind in (("disposal_type", pa.utf8()), ("sentence_days", pa.int16())):
        place = table.column_names.index(name)
        table = table.set_column(place, name, table[name].cast(kind))
    change(extract, {}, "disposals", table)
    assert not check_extract(extract).refused


@pytest.mark.parametrize("keep", [0, 4, 100, -20])
def test_file_cut_short(extract, keep):
    (path, *_) = (extract / "analysis" / "offences").iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:keep])
    assert ("offences", "", None) in problems(extract, "refused")


def test_damaged_pages_are_an_error_of_ours(extract):
    (path, *_) = (extract / "analysis" / "offences").iterdir()
    content = bytearray(path.read_bytes())
    content[200 : len(content) // 2] = bytes(len(content) // 2 - 200)
    path.write_bytes(content)
    with pytest.raises(InputError):
        check_extract(extract)


def test_repeated_keys_count_once(extract, tables):
    table = tables["offences"]
    change(extract, tables, "offences", pa.concat_tables([table, table.slice(3, 2)]))
    report = check_extract(extract)
    assert report.set_aside["offences"] == 2
    assert report.quarantine["row"].to_pylist() == [table.num_rows, table.num_rows + 1]


def test_orphans(extract, tables):
    table = set_cells(tables["offences"], "disposal_id", [0, 1, 2], 99_999_999)
    table = set_cells(table, "person_id", [7], 1)
    change(extract, tables, "offences", table)
    found = problems(extract, "set aside")
    assert ("offences", "disposal_id", 4) in found  # the fourth is of another person
    assert ("offences", "person_id", 1) in found
    assert check_extract(extract).set_aside["offences"] == 4


def test_nulls_future_dates_and_date_order(extract, tables):
    table = set_cells(tables["offences"], "conviction_date", [0], None)
    table = set_cells(table, "conviction_date", [1], dt.date(2030, 1, 1))
    table = set_cells(table, "conviction_date", [2], dt.date(1990, 1, 1))
    table = set_cells(table, "offence_date", [2], dt.date(1991, 1, 1))
    table = set_cells(table, "recordable", [3], None)
    change(extract, tables, "offences", table)
    report = check_extract(extract)
    assert report.set_aside["offences"] == 4
    assert {rule.partition(":")[0] for rule in report.quarantine["rule"].to_pylist()} == {
        "conviction_date",
        "recordable",
    }


def test_births_that_are_placeholders_are_blanked(extract, tables):
    table = set_cells(tables["persons"], "date_of_birth", [0, 1], dt.date(1900, 1, 1))
    table = set_cells(table, "date_of_birth", [2], dt.date(2090, 1, 1))
    change(extract, tables, "persons", table)
    assert {n for t, c, n in problems(extract, "blanked") if c == "date_of_birth"} == {1, 2}
    assert check_extract(extract).set_aside["persons"] == 0


def test_unknown_codes_are_noted_and_kept(extract, tables, tmp_path):
    table = set_cells(tables["disposals"], "disposal_type", [4], "transportation")
    change(extract, tables, "disposals", table)
    assert ("disposals", "disposal_type", 1) in problems(extract, "noted")
    prepare(extract, tmp_path / "store")
    kinds = read_years(open_store(tmp_path / "store"), "index", ["disposal_type"])
    assert "transportation" in kinds["disposal_type"].to_pylist()


def test_too_many_rows_set_aside_is_a_refusal(extract, tables, tmp_path):
    n = tables["offences"].num_rows // 10
    change(extract, tables, "offences", set_cells(
        tables["offences"], "conviction_date", np.arange(n), None))  # fmt: skip
    assert check_extract(extract).refused
    with pytest.raises(InputError):
        prepare(extract, tmp_path / "store")
    assert not (tmp_path / "store" / "manifest.json").exists()


def test_what_is_set_aside_does_not_reach_the_store(extract, tables, tmp_path):
    table = tables["offences"]
    twice = pa.concat_tables([table, table.slice(0, 20)])
    change(extract, tables, "offences", twice)
    prepare(extract, tmp_path / "a")
    write_extract(tmp_path / "clean", tables, 1)
    prepare(tmp_path / "clean", tmp_path / "b")
    one, two = (read_years(open_store(tmp_path / name), "outcomes") for name in "ab")
    assert one.to_pylist() == two.to_pylist()
    manifest = open_store(tmp_path / "a").manifest
    assert manifest["set_aside"]["offences"] == 20
    listed = pq.read_table(tmp_path / "a" / "parts" / manifest["quarantine"]["name"])
    assert listed.num_rows == 20


def test_one_large_row_group_and_rows_out_of_order(extract, tables, tmp_path):
    prepare(extract, tmp_path / "a", people_in_a_partition=100)
    rng = np.random.default_rng(5)
    shuffled = {name: table.take(rng.permutation(table.num_rows)) for name, table in tables.items()}
    write_extract(tmp_path / "shuffled", shuffled, 1)
    assert ("offences", "person_id", None) not in problems(extract)
    prepare(tmp_path / "shuffled", tmp_path / "b", people_in_a_partition=100)
    for kind in ("index", "outcomes"):
        one, two = (read_years(open_store(tmp_path / name), kind) for name in "ab")
        assert one.equals(two)


def test_a_row_group_with_long_texts_gives_the_same_store(extract, tables, tmp_path):
    prepare(extract, tmp_path / "a", people_in_a_partition=150)
    found = large_row_group(extract, 6 << 20)
    assert found >= 6 << 20
    assert ("offences", "cjs_code", tables["offences"].num_rows) in problems(extract, "blanked")
    prepare(extract, tmp_path / "b", people_in_a_partition=150, memory_bytes=256 << 20)
    for kind in ("index", "outcomes"):
        one, two = (read_years(open_store(tmp_path / name), kind) for name in "ab")
        assert one.equals(two)


def test_row_groups_far_too_large_are_noted(extract, monkeypatch):
    assert not any("row groups" in one.rule for one in check_extract(extract).problems)
    monkeypatch.setattr("engine.records.extract.LARGEST_CHUNK", 2_000)
    noted = [one for one in check_extract(extract).problems if "row groups" in one.rule]
    assert {one.action for one in noted} == {"noted"}
    assert "offences" in {one.table for one in noted}


def test_a_manifest_takes_no_more_memory_than_it_has_bytes(extract, tmp_path):
    prepare(extract, tmp_path / "store")
    tracemalloc.start()
    try:
        assert read_manifest(tmp_path / "store") is not None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * (tmp_path / "store" / "manifest.json").stat().st_size < 4 << 20
    with (tmp_path / "store" / "manifest.json").open("ab") as file:
        file.truncate(65 << 20)
    assert read_manifest(tmp_path / "store") is None


def test_no_value_of_a_person_is_named(extract, tables):
    secret = "Qxqvorth"
    table = set_cells(tables["persons"], "last_name", [0], secret * 10)
    table = set_cells(table, "pnc_id", [1], secret)
    table = set_cells(table, "sex", [2], secret)
    change(extract, tables, "persons", table)
    report = check_extract(extract)
    text = json.dumps([vars(one) for one in report.problems]) + str(report.quarantine.to_pylist())
    assert secret not in text
    assert {"last_name", "pnc_id", "sex"} <= {one.column for one in report.problems}


def test_a_refused_extract_leaves_the_old_store(extract, tables, tmp_path):
    prepare(extract, tmp_path / "store")
    before = tree(tmp_path / "store")
    change(extract, {}, "disposals", tables["disposals"].drop_columns(["index_date"]))
    with pytest.raises(InputError):
        prepare(extract, tmp_path / "store")
    assert tree(tmp_path / "store") == before


def test_folders_that_are_no_store(extract, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o700)
    (foreign / "thesis.docx").touch()
    with pytest.raises(CannotCreateError):
        prepare(extract, foreign)
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o755)
    with pytest.raises(AccessError):
        prepare(extract, tmp_path / "open")
    with pytest.raises(InputError):
        open_store(foreign)


def test_one_run_at_a_time(extract, tmp_path):
    prepare(extract, tmp_path / "store")
    with locked(tmp_path / "store"), pytest.raises(BusyError):
        prepare(extract, tmp_path / "store")
