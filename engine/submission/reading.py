"""Any file that a sender may hand in, as grids of texts: csv, xlsx, xls, ods, Parquet.

This runs inside the sandbox (:mod:`engine.submission.sandbox`), because the bytes are a stranger's.
It knows no rules about people; it turns cells into texts and refuses what is too large.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine as calamine

from engine.delimited import DELIMITERS, encoding_of, named_delimiter
from engine.errors import InputError
from engine.submission.fields import recognised
from engine.submission.grid import HEAD_ROWS, LONGEST_TEXT, TOO_LONG, Grid

MAX_BYTES = 50 << 20
MAX_ROWS = 200_000
MAX_COLUMNS = 300
MAX_CELLS = 2_000_000
MAX_CHARACTERS = 50_000_000
MAX_SHEETS = 50
MAX_UNPACKED = 200 << 20
MAX_RATIO = 250
SMALL_ENTRY = 10 << 20
MAX_ENTRIES = 2_000
XML_START = 2_048
ODS_TYPE = b"application/vnd.oasis.opendocument.spreadsheet"


class Refused(Exception):  # noqa: N818 - not an error: the answer of the reader
    """The file cannot be used; carries the key of the rule, never a text of a library."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def read_grids(path: Path) -> tuple[list[Grid], list[str]]:
    """Read a file into one grid for each sheet.

    Parameters
    ----------
    path : pathlib.Path
        A regular file.

    Returns
    -------
    grids : list of dict
    notes : list of str
        Rules of notes: ``text_encoding``.

    Raises
    ------
    Refused
        The file is too large, damaged, protected or no table.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise Refused("too_large")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PAR1"):
        return [_parquet(path)], []
    if head.startswith(b"PK\x03\x04"):
        _check_archive(path)
        return _workbook(path), []
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _workbook(path), []
    return _text(path)


def _text(path: Path) -> tuple[list[Grid], list[str]]:
    """Read a delimited text."""
    try:
        encoding, _ = encoding_of(path)
    except InputError:
        raise Refused("not_a_table") from None
    raw = path.read_bytes()
    text = raw.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")
    del raw
    given, text = named_delimiter(text.lstrip("\ufeff"))
    if text.lstrip()[:20].lower().startswith(("<!doctype", "<html", "<?xml", "<table", "{\\rtf")):
        raise Refused("not_a_table")
    csv.field_size_limit(MAX_BYTES)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=given or _delimiter(text))
        grid = _grid(None, rows, first=1)
    except (csv.Error, TypeError):
        raise Refused("not_a_table") from None
    return [grid], ["text_encoding"] if encoding == "cp1252" else []


def _delimiter(text: str) -> str:
    """Return the delimiter with which a row near the top names most columns of a submission."""
    best, found = (0, 0), ","
    for delimiter in DELIMITERS:
        rows = csv.reader(io.StringIO(text[: 1 << 16], newline=""), delimiter=delimiter)
        try:
            for _, row in zip(range(HEAD_ROWS), rows, strict=False):
                score = (recognised(row[:MAX_COLUMNS]), len(row))
                if score > best:
                    best, found = score, delimiter
        except csv.Error:
            continue
    return found


def _check_archive(path: Path) -> None:
    """Refuse an archive that is no spreadsheet, unpacks to too much, or defines entities."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
            if len(entries) > MAX_ENTRIES or len(names) < len(entries):
                raise Refused("too_large")
            if any(entry.flag_bits & 1 for entry in entries):
                raise Refused("protected")
            if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
                raise Refused("too_large")
            for entry in entries:
                ratio = entry.file_size / max(entry.compress_size, 1)
                if entry.file_size > SMALL_ENTRY and ratio > MAX_RATIO:
                    raise Refused("too_large")
            if "mimetype" in names:
                with archive.open("mimetype") as file:
                    spreadsheet = file.read(len(ODS_TYPE) + 1).strip() == ODS_TYPE
            else:
                spreadsheet = "xl/workbook.xml" in names or "xl/workbook.bin" in names
            if not spreadsheet:
                raise Refused("not_a_table")
            for entry in entries:
                if entry.filename.endswith((".xml", ".rels")):
                    with archive.open(entry) as file:
                        start = file.read(XML_START)
                    # spreadsheets never define entities; who does wants them expanded
                    if b"<!" in start.replace(b"<!--", b"").replace(b"\0", b""):
                        raise Refused("not_a_table")
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError, RuntimeError):
        raise Refused("not_a_table") from None
    except zipfile.zlib.error:  # type: ignore[attr-defined]
        raise Refused("not_a_table") from None


def _workbook(path: Path) -> list[Grid]:
    """Read every sheet of a workbook that has cells."""
    try:
        book = calamine.CalamineWorkbook.from_path(path)
        names = book.sheet_names
        _refuse_if(len(names) > MAX_SHEETS)
        grids = []
        for i, name in enumerate(names):
            sheet = book.get_sheet_by_index(i)
            _refuse_if(sheet.height * sheet.width > 10 * MAX_CELLS)
            if sheet.height and sheet.width:
                rows = ([_cell(value) for value in row] for row in sheet.iter_rows())
                grids.append(_grid(_clean(name), rows, first=1))
    except Refused:
        raise
    except calamine.PasswordError:
        raise Refused("protected") from None
    except MemoryError:
        raise Refused("too_much_to_read") from None
    # a fault in the library comes as a panic, which is no Exception
    except BaseException:  # noqa: BLE001
        raise Refused("not_a_table") from None
    return grids


def _refuse_if(too_large: bool) -> None:
    """Refuse a file that is too large."""
    if too_large:
        raise Refused("too_large")


def _cell(value: Any) -> str:
    """Return the text of a spreadsheet's cell; dates as ISO without a time of day."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    return "" if value is None else str(value)


def _parquet(path: Path) -> Grid:
    """Read a Parquet file of flat columns, after its footer was looked at."""
    try:
        with pq.ParquetFile(path) as file:
            about = file.metadata
            if about.num_columns > MAX_COLUMNS or about.num_rows > MAX_ROWS:
                raise Refused("too_large")
            groups = [about.row_group(i) for i in range(min(about.num_row_groups, MAX_ENTRIES))]
            if sum(group.total_byte_size for group in groups) > MAX_UNPACKED:
                raise Refused("too_large")
            schema = file.schema_arrow
            if any(pa.types.is_nested(field.type) for field in schema):
                raise Refused("not_a_table")
            table = file.read(use_threads=False)
        if table.num_rows * max(table.num_columns, 1) > MAX_CELLS:
            raise Refused("too_large")
        table.validate(full=True)
        columns = [_arrow_texts(column) for column in table.columns]
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError):
        raise Refused("not_a_table") from None
    rows = [list(schema.names), *(list(row) for row in zip(*columns, strict=True))]
    # a reader of Parquet counts its rows from 1, and the names are no row
    return _grid(None, rows, first=0)


def _arrow_texts(column: pa.ChunkedArray) -> list[str]:
    """Return the texts of a column."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.date32(), safe=False)
    elif pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    values = column.to_pylist()
    return [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else _cell(value)
        for value in values
    ]


def _grid(name: str | None, rows: Iterable[Sequence[str]], *, first: int) -> Grid:
    """Return a grid, or refuse one that is too large."""
    kept: list[list[str]] = []
    cells = characters = 0
    filled = 0
    for row in rows:
        texts = [_clean(text) for text in row]
        while texts and not texts[-1]:
            texts.pop()
        if len(texts) > MAX_COLUMNS:
            raise Refused("too_large")
        kept.append(texts)
        cells += len(texts)
        characters += sum(map(len, texts))
        if texts:
            filled = len(kept)
        if filled > MAX_ROWS or cells > MAX_CELLS or characters > MAX_CHARACTERS:
            raise Refused("too_large")
    return {"name": name, "rows": kept[:filled], "first": first}


def _clean(text: str) -> str:
    """Return a cell's text without space around it, valid and not too long."""
    text = text.strip(" \t\r\n\v\f\u00a0\u200b\ufeff")
    if len(text) > LONGEST_TEXT:
        return TOO_LONG
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode("utf-8")
