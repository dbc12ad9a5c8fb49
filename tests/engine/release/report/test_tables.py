"""Tables and spreadsheet of a study: every released figure, nothing else, the same bytes."""

import io
import json
import re
import zipfile

import pytest
from python_calamine import CalamineWorkbook

from engine.errors import JusticeLabError
from engine.release.encoding import csv_bytes, json_bytes
from engine.release.files import discard
from engine.release.formats import is_number
from engine.release.report.files import REPORT_FILES, stage_report
from engine.release.report.sheets import NAMES_OF_SHEETS, csv_tables, sheets
from engine.release.report.tables import numbered_tables
from engine.release.report.workbook import workbook_bytes
from tests.engine.release.report.drawn import with_bootstrap
from tests.engine.release.report.studies import MEASURES, study

TEXTS = ["=1+1", "@SUM(A1)", "$$rounded$$", "[here](https://example.org)", "https://example.org"]


def numbers_in(value):
    if isinstance(value, dict):
        return {one for part in value.values() for one in numbers_in(part)}
    if isinstance(value, list):
        return {one for part in value for one in numbers_in(part)}
    return {float(value)} if is_number(value) else set()


def read(data):
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_each_measure_of_each_analysis_is_one_row_of_its_table(results):
    tables = {one.number: one for one in numbered_tables(results)}
    opened = [one for one in results["analyses"] if one["measures"]]

    assert sum(len(one.rows) for one in tables.values()) == len(opened) * len(MEASURES)
    assert set(tables) == (set(range(1, 8)) if opened else set())
    for table in tables.values():
        assert {name for *_, name in table.rows} == {
            name for name, number, *_ in MEASURES if number == table.number
        }


def test_tables_hold_released_figures_only(results):
    results = with_bootstrap(results)
    released = numbers_in(json.loads(json_bytes(results)))

    for one in sheets(results):
        for row in one.rows:
            assert len(row) == len(one.columns)
            assert {float(cell) for cell in row if is_number(cell)} <= released


def test_a_figure_held_back_is_empty_in_csv_and_named_in_the_spreadsheet():
    results = study(1, "fewer")
    measure = results["analyses"][0]["measures"][3]
    measure |= dict.fromkeys(("treated", "comparison", "difference", "ci_low", "ci_high"))
    measure |= {"withheld": ["D2", "np"], "verdict": "inconclusive", "significant": False}

    row = csv_tables(results)["table-4"].to_pylist()[0]
    table = read(workbook_bytes(results))["Table_4"]

    assert row["difference"] is None
    assert row["withheld"] == "D2, np"
    assert not row["more_than_chance"]
    head = next(i for i, cells in enumerate(table) if cells[0] == "Analysis")
    shown = dict(zip(table[head], table[head + 1], strict=True))
    assert shown["Difference"] == "[suppressed: D2, np]"
    assert shown["More than chance"] == "[suppressed: D2, np]"


def test_only_a_sheet_with_the_mark_explains_it(results):
    marks = set()
    for name, rows in list(read(workbook_bytes(results)).items())[3:]:
        head = next(i for i, cells in enumerate(rows) if "" not in cells)
        told = any("[z] means" in str(cell) for cells in rows[:head] for cell in cells)
        there = any(cell == "[z]" for cells in rows[head:] for cell in cells)
        assert told == there, name
        marks.add(there)
    assert marks == {True, False}


def test_whole_numbers_have_no_decimals_in_csv(results):
    for name, table in csv_tables(results).items():
        assert not re.search(rb"(^|,)-?[0-9]+\.0(,|$)", csv_bytes(table), re.MULTILINE), name


def test_the_spreadsheet_is_laid_out_as_public_bodies_are_asked_to(results):
    results = with_bootstrap(results)
    book = read(workbook_bytes(results))

    names = list(book)
    assert names[:3] == ["Cover", "Contents", "Notes"]
    assert len(names) == 3 + len(sheets(results))
    for name in names[3:]:
        rows = book[name]
        head = next(i for i, cells in enumerate(rows) if "" not in cells)
        assert rows[0][0]
        assert len(set(rows[head])) == len(rows[head])
        assert all(cell != "" for cells in rows[head:] for cell in cells)
        assert "[note" in rows[0][0]
    assert all(cells[1] for cells in book["Notes"][2:])


def test_each_sheet_is_marked_up_as_a_table(results):
    with zipfile.ZipFile(io.BytesIO(workbook_bytes(results))) as archive:
        tables = [name for name in archive.namelist() if name.startswith("xl/tables/")]
        merged = [
            name
            for name in archive.namelist()
            if name.startswith("xl/worksheets/sheet") and b"mergeCell" in archive.read(name)
        ]

    assert len(tables) == len(sheets(results)) + 2
    assert merged == []


def test_same_results_same_bytes_and_no_time_of_making(results):
    data = workbook_bytes(results)

    assert data == workbook_bytes(results)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2000-01-01T00:00:00Z" in archive.read("docProps/core.xml")


@pytest.mark.parametrize("text", TEXTS)
def test_names_of_a_user_are_neither_formulas_nor_links_nor_notes(text):
    results = study(1, "fewer")
    results["study"]["service"] = text
    for one in results["analyses"]:
        one["label"] = text
    for row in results["balance"]["rows"]:
        row["label"] = text

    data = workbook_bytes(results)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            body = archive.read(name)
            if name.startswith("xl/worksheets/sheet"):
                assert b"<f>" not in body
            assert b'https://example.org" TargetMode' not in body
    table = read(data)["Balance"]
    assert any(cells[0].replace(" ", "") == text.replace(" ", "") for cells in table)


def test_all_files_are_staged_under_their_known_names(results, tmp_path):
    staged = list(stage_report(tmp_path, results))
    names = [one.record.name for one in staged]

    assert names[-1] == "report.html"
    assert set(names) <= REPORT_FILES
    assert set(csv_tables(results)) <= set(NAMES_OF_SHEETS)
    assert len(names) == len(csv_tables(results)) + 2
    discard(tmp_path, staged)
    assert list(tmp_path.iterdir()) == []


def test_a_contradiction_stages_nothing(tmp_path):
    results = study(1, "fewer")
    results["analyses"][0]["measures"][0]["verdict"] = "more"

    with pytest.raises(JusticeLabError):
        list(stage_report(tmp_path, results))
    assert list(tmp_path.iterdir()) == []
