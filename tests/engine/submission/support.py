"""Invented people, and files of every kind that hold them."""

import csv
import datetime as dt
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from engine.identifiers import check_letter
from engine.submission.check import check_submission

TODAY = dt.date(2026, 6, 1)
HEADS = [
    "Surname",
    "Forename",
    "Date of birth",
    "Gender",
    "PNC ID",
    "Intervention start date",
    "Intervention end date",
    "Site",
]
LAST, FIRST, BORN, SEX, PNC, START, END, SITE = range(8)
SYLLABLES = ("ba", "ke", "lo", "mi", "nu", "ra", "se", "to", "vi", "za")


def surname(i):
    return "".join(SYLLABLES[int(d)] for d in f"{i:04d}").capitalize()


def pnc(i):
    serial = 1000 + 7 * i
    return f"03/{serial}{check_letter(int(f'03{serial:07d}'))}"


def person(i):
    born = dt.date(1970, 3, 2) + dt.timedelta(97 * i % 9000)
    start = dt.date(2018, 1, 8) + dt.timedelta(11 * i % 1200)
    return [
        surname(i),
        "Jo" + SYLLABLES[i % 10],
        born.strftime("%d/%m/%Y"),
        "MF"[i % 2],
        pnc(i),
        start.strftime("%d/%m/%Y"),
        (start + dt.timedelta(60)).strftime("%d/%m/%Y"),
        ("Leeds", "York")[i % 2],
    ]


def people(n=70):
    return [person(i) for i in range(n)]


def changed(column, value, row=4, rows=None):
    """Return the people with one cell changed; the row counts from 0."""
    rows = rows or people()
    rows[row][column] = value
    return rows


def column(column, values, n=70):
    """Return the people with a whole column changed, by a list or a function of the old cell."""
    rows = people(n)
    for i, row in enumerate(rows):
        row[column] = values(row[column]) if callable(values) else values[i % len(values)]
    return rows


def text(rows=None, heads=None, delimiter=",", end="\r\n", **options):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, **options)
    writer.writerow(heads or HEADS)
    writer.writerows(rows if rows is not None else people())
    return out.getvalue()


def csv_file(rows=None, heads=None, encoding="utf-8", **options):
    return text(rows, heads, **options).encode(encoding)


def xlsx_file(sheets=None, *, formats=None, **options):
    """Return a workbook; sheets is a mapping of names to rows, the first row the heads."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "default_date_format": "dd/mm/yyyy", **options}
    )
    for name, rows in (sheets or {"People": [HEADS, *people()]}).items():
        sheet = book.add_worksheet(name)
        for r, row in enumerate(rows):
            for c, value in enumerate(row):
                if isinstance(value, str):
                    sheet.write_string(r, c, value)
                else:
                    sheet.write(r, c, value)
    book.close()
    return out.getvalue()


def ods_file(rows=None, *, content=None, extra=""):
    """Return an OpenDocument spreadsheet, written by hand."""
    cells = rows if rows is not None else [HEADS, *people()]
    lines = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="date" office:date-value="{c.isoformat()}">'
            f"<text:p>{c}</text:p></table:table-cell>"
            if isinstance(c, dt.date)
            else '<table:table-cell office:value-type="string"><text:p>'
            f"{c}</text:p></table:table-cell>"
            for c in row
        )
        + "</table:table-row>"
        for row in cells
    )
    names = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
        for short, long in (("office", "office"), ("table", "table"), ("text", "text"))
    )
    body = content or (
        f'<?xml version="1.0" encoding="UTF-8"?>{extra}<office:document-content {names} '
        'office:version="1.2"><office:body><office:spreadsheet><table:table table:name="People">'
        f"{lines}</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    return zip_file(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": body,
            "META-INF/manifest.xml": '<?xml version="1.0"?><manifest/>',
        }
    )


def parquet_file(rows=None, heads=None, **types):
    rows = rows if rows is not None else people()
    columns = {
        name: pa.array([row[i] for row in rows]).cast(types.get(name, pa.string()))
        for i, name in enumerate(heads or HEADS)
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


def zip_file(entries, level=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", level) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def repacked(data, change):
    """Return an archive with entries changed: a mapping of names to functions of their bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for name, function in change.items():
        entries[name] = function(entries.get(name, b""))
    return zip_file(entries)


def checked(folder, data, sandbox, name="people.csv", **options):
    """Write a file and check it."""
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return check_submission(path, today=TODAY, sandbox=sandbox, **options)


def rules(check, *, severity=None):
    """Return the rules of a check, notes left out unless asked for."""
    return {
        p.rule
        for p in check.problems
        if p.severity == severity or (severity is None and p.severity != "note")
    }
