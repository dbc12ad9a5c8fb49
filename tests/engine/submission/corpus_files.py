"""Workbooks, Parquet files and what is no table at all, whole, damaged and hostile.

Entries as in :mod:`tests.engine.submission.corpus_texts`.
"""

import base64
import codecs
import gzip

import pyarrow as pa
import pyarrow.parquet as pq

from tests.engine.submission.corpus_texts import GOOD, NONE, PLAIN, SOME, days, serials
from tests.engine.submission.support import (
    BORN,
    END,
    HEADS,
    START,
    changed,
    ods_file,
    parquet_file,
    people,
    repacked,
    xlsx_file,
    zip_file,
)

XLSX = xlsx_file()
ODS = ods_file()
PARQUET = parquet_file()
DATED = [HEADS, *[[*r[:2], days(r[2]), r[3], r[4], days(r[5]), days(r[6]), r[7]] for r in people()]]
DTD = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def bomb_in_a_sheet():
    cell = b'<row r="2"><c r="A2" t="inlineStr"><is><t>x</t></is></c></row>'
    return repacked(
        XLSX,
        {
            "xl/worksheets/sheet1.xml": lambda old: old.replace(
                b"</sheetData>", cell * 2_000_000 + b"</sheetData>"
            )
        },
    )


def nested_zip():
    inner = zip_file({"a": b"\0" * 10_000_000})
    return zip_file({f"{i}.zip": inner for i in range(50)})


def ods_repeated():
    cell = (
        '<table:table-row table:number-rows-repeated="1048576"><table:table-cell '
        'table:number-columns-repeated="16384" office:value-type="string"><text:p>x</text:p>'
        "</table:table-cell></table:table-row>"
    )
    return repacked(
        ODS,
        {
            "content.xml": lambda old: old.replace(
                b"</table:table>", cell.encode() + b"</table:table>"
            )
        },
    )


def far_cell():
    return repacked(
        XLSX,
        {
            "xl/worksheets/sheet1.xml": lambda old: old.replace(
                b"</sheetData>",
                b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>',
            )
        },
    )


def shared_string_bomb():
    return repacked(
        XLSX,
        {
            "xl/sharedStrings.xml": lambda old: old.replace(
                b"</sst>", b" " * 150_000_000 + b"</sst>"
            )
        },
    )


def encrypted_entry():
    data = bytearray(zip_file({"xl/workbook.xml": b"secret", "[Content_Types].xml": b"<a/>"}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + place] |= 1
    return bytes(data)


def repeated_parquet(rows):
    table = pa.table({h: pa.DictionaryArray.from_arrays([0] * rows, ["Smith"]) for h in HEADS})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def nested_parquet():
    table = pa.table({h: pa.array([[{"a": 1}]] * 70) for h in HEADS})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def dated_parquet(kind):
    rows = [[*r[:2], days(r[2]), r[3], r[4], days(r[5]), days(r[6]), r[7]] for r in people()]
    types = dict.fromkeys((HEADS[BORN], HEADS[START], HEADS[END]), kind)
    return parquet_file(rows, **types)


WORKBOOKS = {
    "xlsx": (XLSX, GOOD, None),
    "xlsx-named-csv": (XLSX, GOOD, None),
    "xlsx-with-dates": (xlsx_file({"Sheet1": DATED}), GOOD, None),
    "xlsx-dates-of-1904": (xlsx_file({"Sheet1": DATED}, date_1904=True), GOOD, None),
    "xlsx-serial-numbers": (
        xlsx_file({"S": [HEADS, *[[*r[:2], float(serials(r[2])), *r[3:]] for r in people()]]}),
        GOOD,
        "excel_serial",
    ),
    "xlsx-two-tables": (
        xlsx_file({"A": [HEADS, *people()], "B": [HEADS, *people(65)]}),
        NONE,
        "several_tables",
    ),
    "xlsx-other-sheets": (
        xlsx_file({"A": [HEADS, *people()], "Lists": [["Leeds"], ["York"]]}),
        GOOD,
        "other_sheets",
    ),
    "xlsx-pivot-beside": (
        xlsx_file({"Summary": [["Site", "Gender"], ["Leeds", "M"]], "A": [HEADS, *people()]}),
        GOOD,
        "other_sheets",
    ),
    "xlsx-without-cells": (xlsx_file({"A": []}), NONE, "no_rows"),
    "xlsx-indented": (
        xlsx_file({"A": [[], [], *[["", "", *r] for r in [HEADS, *people()]]]}),
        GOOD,
        None,
    ),
    "xlsx-formula-cells": (
        repacked(
            XLSX,
            {
                "xl/worksheets/sheet1.xml": lambda old: old.replace(
                    b"</sheetData>",
                    b'<row r="72"><c r="A72" t="str"><f>CMD()</f><v>=1+1</v></c>'
                    b'<c r="D72" t="str"><v>M</v></c></row></sheetData>',
                )
            },
        ),
        SOME,
        "name_not_a_name",
    ),
    "xlsx-60-sheets": (xlsx_file({f"S{i}": [["a"]] for i in range(60)}), NONE, "too_large"),
    "xlsx-cut": (XLSX[: len(XLSX) // 2], NONE, "not_a_table"),
    "xlsx-cut-at-the-end": (XLSX[:-10], NONE, "not_a_table"),
    "xlsx-one-byte-changed": (XLSX[:2000] + b"\xff" + XLSX[2001:], NONE, None),
    "xlsx-sheet-is-no-xml": (
        repacked(XLSX, {"xl/worksheets/sheet1.xml": lambda _: b"not xml <<<"}),
        NONE,
        None,
    ),
    "xlsx-entities": (
        repacked(
            XLSX,
            {
                "xl/sharedStrings.xml": lambda old: old.replace(
                    b"?>", b"?>" + DTD.encode().replace(b"'", b'"'), 1
                )
            },
        ),
        NONE,
        "not_a_table",
    ),
    "xlsx-outside-entity": (
        repacked(
            XLSX,
            {
                "xl/workbook.xml": lambda old: old.replace(
                    b"?>", b'?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', 1
                )
            },
        ),
        NONE,
        "not_a_table",
    ),
    "xlsx-rows-bomb": (bomb_in_a_sheet, NONE, None),
    "xlsx-far-cell": (far_cell, NONE, "too_much_to_read"),
    "xlsx-spaces-bomb": (shared_string_bomb, NONE, "too_large"),
    "xlsx-password": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le") * 100,
        NONE,
        None,
    ),
    "zip-encrypted": (encrypted_entry, NONE, "protected"),
    "zip-of-csv": (zip_file({"people.csv": PLAIN}), NONE, "not_a_table"),
    "zip-empty": (zip_file({}), NONE, None),
    "zip-bomb": (lambda: zip_file({"xl/workbook.xml": b"\0" * 300_000_000}), NONE, "too_large"),
    "zip-ratio": (lambda: zip_file({"xl/workbook.xml": b"\0" * 50_000_000}), NONE, "too_large"),
    "zip-in-zip": (nested_zip, NONE, None),
    "zip-5000-entries": (zip_file({str(i): b"" for i in range(5000)}), NONE, "too_large"),
    "zip-path-traversal": (zip_file({"../../etc/x": b"a", "xl/workbook.xml": b"<a/>"}), NONE, None),
    "word-document": (zip_file({"word/document.xml": b"<a/>"}), NONE, "not_a_table"),
    "ods": (ODS, GOOD, None),
    "ods-with-dates": (ods_file(DATED), GOOD, None),
    "ods-31-february": (ods_file([HEADS, *changed(BORN, "31/02/1980")]), SOME, "date_impossible"),
    "ods-entities": (ods_file(extra=DTD), NONE, "not_a_table"),
    "ods-repeated-bomb": (ods_repeated, NONE, None),
    "ods-cut": (ODS[:-100], NONE, "not_a_table"),
    "ods-without-content": (
        zip_file({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}),
        NONE,
        "not_a_table",
    ),
    "odt-document": (
        zip_file({"mimetype": "application/vnd.oasis.opendocument.text"}),
        NONE,
        "not_a_table",
    ),
    "ods-deep-nesting": (
        ods_file(content="<a>" * 200_000 + "</a>" * 200_000),
        NONE,
        None,
    ),
    "parquet": (PARQUET, GOOD, None),
    "parquet-date32": (dated_parquet(pa.date32()), GOOD, None),
    "parquet-timestamp": (dated_parquet(pa.timestamp("ns")), GOOD, None),
    "parquet-cut": (PARQUET[:-200], NONE, "not_a_table"),
    "parquet-half": (PARQUET[: len(PARQUET) // 2], NONE, "not_a_table"),
    "parquet-start-only": (b"PAR1", NONE, "not_a_table"),
    "parquet-footer-length": (PARQUET[:-8] + b"\xff\xff\xff\x7fPAR1", NONE, "not_a_table"),
    "parquet-pages-damaged": (PARQUET[:4] + b"\xff" * 300 + PARQUET[304:], NONE, "not_a_table"),
    "parquet-many-rows": (lambda: repeated_parquet(250_000), NONE, "too_large"),
    "parquet-nested": (nested_parquet(), NONE, "not_a_table"),
    "parquet-no-rows": (parquet_file([]), NONE, "no_rows"),
}

OTHERS = {
    "empty": (b"", NONE, "not_a_table"),
    "spaces": (b" \r\n \r\n", NONE, None),
    "bom-only": (codecs.BOM_UTF8, NONE, None),
    "one-byte": (b"\0", NONE, None),
    "nul-in-a-cell": (PLAIN.replace("Leeds", "Le\0eds", 1), NONE, "not_a_table"),
    "nuls": (b"\0" * 10_000, NONE, "not_a_table"),
    "random-bytes": (bytes((i * 7919 + i // 251) % 256 for i in range(50_000)), NONE, None),
    "pdf-renamed": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + PLAIN.encode(), NONE, "not_a_table"),
    "picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, NONE, "not_a_table"),
    "gzip": (gzip.compress(PLAIN.encode()), NONE, "not_a_table"),
    "web-page": (b"<html><table><tr><td>Surname</td></tr></table></html>", NONE, "not_a_table"),
    "web-page-in-capitals": (b"\r\n  <HTML><BODY>" + PLAIN.encode(), NONE, "not_a_table"),
    "xml-spreadsheet": (b'<?xml version="1.0"?><Workbook/>', NONE, "not_a_table"),
    "xml-bomb": (f'<?xml version="1.0"?>{DTD}<x>&b;</x>'.encode(), NONE, "not_a_table"),
    "rich-text": (b"{\\rtf1\\ansi Surname}", NONE, "not_a_table"),
    "json": (b'[{"Surname": "Smith", "DOB": "01/01/1980"}]', NONE, None),
    "arrow-file": (b"ARROW1\0\0" + b"\0" * 100, NONE, "not_a_table"),
    "sqlite": (b"SQLite format 3\0" + b"\0" * 100, NONE, "not_a_table"),
    "email": (b"Dear all,\r\n\r\nplease find the list attached.\r\n", NONE, "no_header"),
    "base64": (base64.b64encode(PLAIN.encode()), NONE, None),
    "one-line-of-20-megabytes": (b"a" * 20_000_000, NONE, None),
    "quotation-marks": (b'"' * 1_000_001, NONE, None),
    "delimiters": (b",;|\t" * 50_000, NONE, None),
    "line-ends": (b"\n" * 2_000_000, NONE, None),
    "too-many-bytes": (lambda: b"a,b\n" * 14_000_000, NONE, "too_large"),
    "too-many-rows": (lambda: PLAIN.encode() + b"a,b\n" * 210_000, NONE, "too_large"),
}
