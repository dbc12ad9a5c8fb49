"""The workbooks that we write: the same bytes, readable again, nothing active in them."""

import datetime as dt
import io
import re
import stat
import time
import zipfile

import pytest
import python_calamine as calamine

from engine.errors import AccessError, CannotCreateError
from engine.submission.description import GROUPS, QUESTIONS
from engine.submission.fields import DATES, FIELDS
from engine.submission.problems import column_label, problems_bytes
from engine.submission.template import CHOICES, template_bytes
from engine.submission.workbook import safe_text, write_new_file
from tests.engine.submission.support import (
    BORN,
    END,
    LAST,
    PNC,
    changed,
    checked,
    people,
    rules,
    text,
)


def sheet(data, name):
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    return [[str(c) for c in row] for row in book.get_sheet_by_name(name).iter_rows()]


def xml(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {n: archive.read(n).decode() for n in archive.namelist() if n.endswith("xml")}


def test_the_template_is_the_same_bytes_each_time():
    first = template_bytes()
    time.sleep(2.1)  # the resolution of times in an archive
    assert template_bytes() == first


def test_the_template_has_its_four_sheets():
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(template_bytes()))
    assert book.sheet_names == ["Guidance", "People", "Example", "Description"]


def test_every_column_has_guidance():
    data = template_bytes()
    guidance = sheet(data, "Guidance")
    assert sheet(data, "People") == [[field.header for field in FIELDS]]
    for field in FIELDS:
        assert [field.header, field.status, field.guidance] in guidance


def test_every_question_is_asked():
    asked = {row[0] for row in sheet(template_bytes(), "Description")}
    assert {q.text for q in (*QUESTIONS, *GROUPS)} <= asked


def test_drop_down_lists_and_hints_at_dates():
    people_sheet = xml(template_bytes())["xl/worksheets/sheet2.xml"]
    for choices in CHOICES.values():
        assert f"<formula1>&quot;{','.join(choices)}&quot;</formula1>" in people_sheet or (
            f'<formula1>"{",".join(choices)}"</formula1>' in people_sheet
        )
    # a check for dates alone would refuse the texts that the columns are meant for
    assert 'type="date"' not in people_sheet
    assert people_sheet.count('type="custom" errorStyle="warning"') == 5


def test_every_column_of_people_is_set_to_text():
    files = xml(template_bytes())
    styles = re.search(r"<cellXfs.*?</cellXfs>", files["xl/styles.xml"], re.DOTALL)[0]
    formats = re.findall(r'<xf numFmtId="(\d+)"', styles)
    columns = re.findall(r'<col [^>]*style="(\d+)"', files["xl/worksheets/sheet2.xml"])
    spans = re.findall(r'<col min="(\d+)" max="(\d+)"', files["xl/worksheets/sheet2.xml"])
    # 49 is text in every spreadsheet program
    assert {formats[int(style)] for style in columns} == {"49"}
    assert sum(int(last) - int(first) + 1 for first, last in spans) == len(FIELDS)


DAY_0 = dt.date(1899, 12, 30)


def filled(data, rows):
    """Return the template with people typed into it; a date becomes a real date's cell."""
    out = io.BytesIO()
    styles = xml(data)["xl/styles.xml"]
    known = re.search(r'<cellXfs count="(\d+)">.*?</cellXfs>', styles, re.DOTALL)
    dated = known[1]
    styles = styles.replace(
        known[0],
        known[0].replace("</cellXfs>", '<xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'),
    )
    cells = "".join(
        f'<row r="{r}">'
        + "".join(
            (
                f'<c r="{chr(65 + c)}{r}" t="inlineStr"><is><t>{value}</t></is></c>'
                if isinstance(value, str)
                else f'<c r="{chr(65 + c)}{r}" s="{dated}"><v>{(value - DAY_0).days}</v></c>'
            )
            for c, value in enumerate(row)
            if value
        )
        + "</row>"
        for r, row in enumerate(rows, 2)
    ).encode()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet2.xml":
                content = content.replace(b"</sheetData>", cells + b"</sheetData>")
            elif name == "xl/styles.xml":
                content = styles.encode()
            new.writestr(name, content)
    return out.getvalue()


def in_template_order(row):
    given = dict(
        zip(
            ("last_name", "first_name", "date_of_birth", "gender", "pnc_id"),
            row[:5],
            strict=True,
        ),
        intervention_start=row[5],
        intervention_end=row[6],
    )
    return [given.get(field.name, "") for field in FIELDS]


def test_a_filled_template_is_accepted_and_an_empty_one_is_not(tmp_path, sandbox):
    empty = checked(tmp_path, template_bytes(), sandbox, "t.xlsx")
    assert "no_rows" in rules(empty)

    rows = [in_template_order(row) for row in people()]
    check = checked(tmp_path, filled(template_bytes(), rows), sandbox, "t.xlsx")
    # columns left empty are no fault of a template
    assert check.verdict == "accepted", rules(check)
    assert check.usable == 70


def test_real_dates_in_a_filled_template_are_read_as_they_are(tmp_path, sandbox):
    rows = [in_template_order(row) for row in people()]
    typed = checked(tmp_path, filled(template_bytes(), rows), sandbox, "t.xlsx")
    places = [i for i, field in enumerate(FIELDS) if field.name in DATES]
    for row in rows[::2]:
        for place in places:
            if row[place]:
                row[place] = dt.date(*map(int, row[place].split("/")[::-1]))
    mixed = checked(tmp_path, filled(template_bytes(), rows), sandbox, "t.xlsx")

    assert mixed.verdict == "accepted", rules(mixed)
    assert mixed.table.equals(typed.table)


def test_three_mistakes_are_repaired_from_the_messages_alone(tmp_path, sandbox):
    rows = people()
    rows[3][BORN] = "31/02/1980"
    rows[20][LAST] = ""
    rows[33][END] = "01/01/2015"
    check = checked(
        tmp_path, filled(template_bytes(), map(in_template_order, rows)), sandbox, "t.xlsx"
    )
    told = [(p.row, p.column) for p in check.problems if p.severity == "quarantine"]
    assert check.verdict == "rows_quarantined"
    assert len(told) == 3

    # row 1 of the sheet holds the names of the columns
    places = {"date_of_birth": BORN, "last_name": LAST, "intervention_end": END}
    for row, column in told:
        rows[row - 2][places[column]] = people()[row - 2][places[column]]
    check = checked(
        tmp_path, filled(template_bytes(), map(in_template_order, rows)), sandbox, "t.xlsx"
    )
    assert check.verdict == "accepted"


def test_the_problems_as_a_workbook(tmp_path, sandbox):
    rows = changed(BORN, "31/02/1980")
    rows[9][PNC] = "=cmd|' /C calc'!A0"
    check = checked(tmp_path, text(rows), sandbox)
    data = problems_bytes(check)

    listed = sheet(data, "Problems")
    assert listed[0][:3] == ["Row", "Column", "Severity"]
    assert ["6.0", "Date of birth", "quarantine"] in [row[:3] for row in listed]
    assert ["11.0", "PNC ID", "warning"] in [row[:3] for row in listed]
    assert len(listed) == 1 + len(check.problems)
    assert problems_bytes(check) == data
    # nothing of the file, and no formula
    for content in xml(data).values():
        assert "cmd|" not in content
        assert "31/02" not in content
        assert "<f>" not in content


def test_a_check_without_problems_makes_a_workbook_too(tmp_path, sandbox):
    check = checked(tmp_path, text(), sandbox)
    assert len(sheet(problems_bytes(check), "Problems")) == 1 + len(check.problems)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_a_text_that_could_be_a_formula_is_quoted(start):
    written = safe_text(f"{start}cmd()")
    assert written.startswith("'")
    assert "\0" not in written


def test_labels_of_columns():
    assert column_label("date_of_birth") == "Date of birth"
    assert column_label("selection") == "How were participants selected or referred?"
    assert column_label("AB") == "Column AB"
    assert column_label(None) == ""


def test_a_new_file_is_private_and_never_overwrites(tmp_path):
    path = tmp_path / "a.xlsx"
    write_new_file(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(CannotCreateError):
        write_new_file(path, b"two")
    assert path.read_bytes() == b"one"
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((CannotCreateError, AccessError)):
        write_new_file(tmp_path / "link", b"two")
    with pytest.raises(CannotCreateError):
        write_new_file(tmp_path / "nowhere" / "a.xlsx", b"two")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.xlsx", "link"]
