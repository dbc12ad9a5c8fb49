"""Text tables: csv, tsv and what Excel, R and others write under these names.

The encoding, the delimiter and the decimal mark are found from the file. What cannot be read
without guessing is refused, and the refusal names lines and columns by number: a cell's text, and
a first line that may not be a header, are a person's data.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from engine.buffers import to_numpy
from engine.errors import InputError, StorageError

DELIMITERS = (",", ";", "\t", "|")
HEAD_BYTES = 1 << 20
"""Bytes looked at for delimiter, header and decimal mark; also the longest line allowed."""
SAMPLE_ROWS = 200
BLOCK_BYTES = 1 << 22
MAX_COLUMNS = 16_384
"""As many as a spreadsheet can hold."""
DICTIONARY_LEVELS = 50_000
"""Text columns with fewer distinct values in a block are kept as codes of a dictionary."""

# What spreadsheets and statistics packages write for an empty cell.
EMPTY_CELLS = ["", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "NULL", "null"]

LEADING_ZERO = re.compile(r"0\d+")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
DECIMAL_POINT = re.compile(r"[+-]?\d+\.\d+")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")

DAMAGED_REPAIR = (
    "Look for a quotation mark that is never closed, or save the table anew as 'CSV UTF-8'"
)


@dataclass(frozen=True)
class DelimitedTable:
    """A text table, read.

    Attributes
    ----------
    table : pyarrow.Table
        The columns that have a name, without empty rows at the end.
    notes : tuple of str
        What was noticed on the way.
    """

    table: pa.Table
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Layout:
    """How the file is written: delimiter, header, lines before the data, column types."""

    delimiter: str
    names: tuple[str, ...]
    skip_lines: int
    decimal: str
    text_columns: frozenset[int]


def read_delimited(path: Path) -> DelimitedTable:
    """Read a csv, tsv or other delimited text file.

    Parameters
    ----------
    path : pathlib.Path
        The file; not empty.

    Returns
    -------
    DelimitedTable

    Raises
    ------
    InputError
        The file is not text, has no header or no rows, columns share a name, or lines have a
        different number of cells.
    """
    encoding, quoted = encoding_of(path)
    layout = _layout_of(path, encoding)
    notes = []
    if encoding == "cp1252":
        notes.append("the file is not UTF-8; it was read as Windows-1252 text")
    if layout.decimal == ",":
        notes.append("numbers were read with a decimal comma")
    table = _parse(path, encoding, layout, quoted=quoted)
    kept, dropped = [], []
    for i, name in enumerate(layout.names):
        if name:
            kept.append(i)
        elif table.column(i).null_count < table.num_rows:
            dropped.append(i + 1)
    if len(dropped) > len(kept):
        raise InputError(
            f"{len(dropped):,} of {len(dropped) + len(kept):,} columns have cells but no name",
            where=f"{path.name}, first line",
            rule="the first line of a table names its columns",
            repair="Delete titles and merged headings above the line of column names",
        )
    if dropped:
        notes.append(f"{_numbered('column', dropped)} {_has(dropped)} no name and cannot be used")
    rows = table.num_rows - _empty_rows_at_end(table)
    table = table.select(kept).rename_columns([layout.names[i] for i in kept]).slice(0, rows)
    if rows == 0:
        raise InputError(
            "the table has column names but no rows",
            where=path.name,
            repair="Check the export, and any filter that was set in it",
        )
    return DelimitedTable(table, tuple(notes))


def encoding_of(path: Path) -> tuple[str, bool]:
    """Return the encoding of a text file, and whether a quotation mark stands anywhere in it.

    Parameters
    ----------
    path : pathlib.Path
        The file; not empty.

    Returns
    -------
    encoding : str
        ``utf-8`` (with or without a byte order mark), ``utf-16`` in its forms, ``utf-32``, or
        ``cp1252`` for everything else.
    quoted : bool
        True also where it was not looked for.

    Raises
    ------
    InputError
        There are zero bytes, so the file is not text.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    # the mark of UTF-32 begins with that of UTF-16
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32", True
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", True
    # UTF-16 without its mark: every other byte of plain text is zero
    if head[1::2].count(0) > 0.6 * len(head[1::2]) and not head[0::2].count(0):
        return "utf-16-le", True
    if head[0::2].count(0) > 0.6 * len(head[0::2]) and not head[1::2].count(0):
        return "utf-16-be", True
    quoted = False
    utf8 = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8"
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            quoted = quoted or b'"' in block
            if b"\0" in block:
                raise InputError(
                    "the file is not text",
                    where=path.name,
                    rule="tables are csv, tsv, Parquet or Arrow files",
                    repair="Save the table as 'CSV UTF-8'",
                )
            if encoding == "utf-8" and not block.isascii():
                try:
                    utf8.decode(block)
                except UnicodeDecodeError:
                    encoding = "cp1252"
    if encoding == "utf-8" and utf8.getstate()[0]:
        encoding = "cp1252"
    return encoding, quoted


def _layout_of(path: Path, encoding: str) -> _Layout:
    """Find delimiter, header, decimal mark and columns that must stay text."""
    with path.open("rb") as file:
        raw = file.read(HEAD_BYTES)
        whole = not file.read(1)
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)(
        errors="replace"
    )
    text = decoder.decode(raw, final=whole)
    if not whole and "\n" not in text and "\r" not in text:
        raise InputError(
            "the first line does not end within a megabyte",
            where=path.name,
            rule="a table has one line for each row",
            repair="Save the table as 'CSV UTF-8'",
        )
    if not whole:  # the last line may be cut
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    skip = 0
    given, text = named_delimiter(text)
    if given:
        skip = 1
    delimiter = given or _sniff(text)
    header, used, rows = _head(text, delimiter)
    if not header:
        raise InputError(
            "the file has no text in it",
            where=path.name,
            rule="a table has a line of column names and rows below it",
            repair="Export the table again",
        )
    names = tuple(name.strip().lstrip("\ufeff").strip() for name in header)
    _check_header(path.name, names)
    cells = [(i, cell.strip()) for row in rows for i, cell in enumerate(row)]
    commas = [(i, c) for i, c in cells if delimiter != "," and DECIMAL_COMMA.fullmatch(c)]
    points = [(i, c) for i, c in cells if DECIMAL_POINT.fullmatch(c)]
    # Beside numbers such as 1,5 a number such as 1.234 has a thousands separator, and the reverse.
    point = any(not THOUSANDS.fullmatch(c) for _, c in points)
    comma = any(not THOUSANDS.fullmatch(c) for _, c in commas)
    decimal = "," if commas and not point and (comma or not points) else "."
    return _Layout(
        delimiter=delimiter,
        names=names,
        skip_lines=skip + used,
        decimal=decimal,
        text_columns=frozenset(i for i, cell in cells if LEADING_ZERO.fullmatch(cell))
        | _perhaps_thousands(commas if decimal == "," else points if delimiter == ";" else []),
    )


def named_delimiter(text: str) -> tuple[str | None, str]:
    """Return the delimiter that a first line ``sep=;`` names, and the text after that line.

    Excel writes and obeys such a line. Without one: None and the whole text.
    """
    marked = re.match(r"\"?sep=(.)\"?[^\r\n]{0,80}(\r\n|\n|\r)", text)
    if marked is None:
        return None, text
    return marked.group(1), text[marked.end() :]


def _perhaps_thousands(numbers: list[tuple[int, str]]) -> frozenset[int]:
    """Return the columns whose numbers with a mark may all be thousands, as in 1,234.

    Such a column stays text: read with a decimal mark it could be wrong by a factor of a thousand,
    so where a number is needed it is refused. A point is in doubt between semicolons only, where
    spreadsheets of many countries write 1.234 for a thousand and more.
    """
    surely_decimal = {i for i, number in numbers if not THOUSANDS.fullmatch(number)}
    return frozenset(i for i, _ in numbers) - surely_decimal


def _sniff(text: str) -> str:
    """Return the delimiter on which the first rows agree best."""
    best = (0.0, 0)
    found = ","
    for delimiter in DELIMITERS:
        header, _, rows = _head(text, delimiter)
        if len(header) < 2:
            continue
        agree = sum(len(row) == len(header) for row in rows) / len(rows) if rows else 1.0
        if (agree, len(header)) > best:
            best = (agree, len(header))
            found = delimiter
    return found


def _head(text: str, delimiter: str) -> tuple[list[str], int, list[list[str]]]:
    """Return the header, the lines up to its end, and the first rows that are not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header: list[str] = []
    used = 0
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not header:
                header = row
                used = reader.line_num
            elif row:
                rows.append(row)
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:  # the full reader decides what is wrong with such a line
        return header, used, rows
    return header, used, rows


def _check_header(file_name: str, names: tuple[str, ...]) -> None:
    """Refuse a first line that cannot be column names."""
    filled = [name for name in names if name]
    if not filled:
        raise InputError(
            "the first line holds no column names",
            where=file_name,
            rule="the first line of a table names its columns",
            repair="Delete the lines above the column names",
        )
    if len(names) > MAX_COLUMNS:
        raise InputError(
            f"the table has {len(names):,} columns",
            where=file_name,
            rule=f"a text table has at most {MAX_COLUMNS:,} columns, as many as a spreadsheet",
            repair="Leave out columns that are not needed, or save the table as Parquet",
        )
    if all(NUMBER.fullmatch(name) for name in filled):
        raise InputError(
            "the first line holds numbers where column names are needed",
            where=file_name,
            rule="the first line of a table names its columns",
            repair="Add a line of column names at the top",
        )
    twice = next((name for name, count in Counter(filled).items() if count > 1), None)
    if twice is not None:
        places = [i + 1 for i, name in enumerate(names) if name == twice]
        raise InputError(
            "columns have the same name",
            where=f"{file_name}, {_numbered('column', places)}",
            rule="every column has a name of its own; spaces around a name do not count",
            repair="Rename or delete one of them",
        )


def _parse(path: Path, encoding: str, layout: _Layout, *, quoted: bool) -> pa.Table:
    """Read the rows under internal names, or refuse with line numbers."""
    names = [f"c{i}" for i in range(len(layout.names))]
    uneven: Counter[int] = Counter()

    def note_uneven(row: pacsv.InvalidRow) -> str:
        uneven[row.actual_columns] += 1
        return "skip"

    try:
        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(
                column_names=names,
                skip_rows=layout.skip_lines,
                encoding=encoding,
                block_size=BLOCK_BYTES,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=layout.delimiter,
                newlines_in_values=quoted,
                invalid_row_handler=note_uneven,
            ),
            convert_options=pacsv.ConvertOptions(
                null_values=EMPTY_CELLS,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                auto_dict_encode=True,
                auto_dict_max_cardinality=DICTIONARY_LEVELS,
                decimal_point=layout.decimal,
                column_types={f"c{i}": pa.string() for i in layout.text_columns},
            ),
        )
    except MemoryError:
        raise StorageError(
            "there is not enough memory to read the table",
            where=path.name,
            repair="Save it as Parquet, which is read column by column",
        ) from None
    except (pa.ArrowException, OSError, ValueError):
        # pyarrow calls a table without a single row of data empty
        if _nothing_after(path, encoding, layout.skip_lines):
            raise InputError(
                "the table has column names but no rows",
                where=path.name,
                repair="Check the export, and any filter that was set in it",
            ) from None
        raise InputError(
            "the file cannot be read as a table", where=path.name, repair=DAMAGED_REPAIR
        ) from None
    if uneven:
        _refuse_uneven(path, encoding, layout, uneven, table.num_rows)
    return table


def _nothing_after(path: Path, encoding: str, lines: int) -> bool:
    """Whether nothing but white space follows the first lines."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        for _ in range(lines):
            file.readline()
        return not file.read(HEAD_BYTES).strip()


def _refuse_uneven(
    path: Path, encoding: str, layout: _Layout, uneven: Counter[int], even: int
) -> None:
    """Raise the error for lines with too many or too few cells."""
    wanted = len(layout.names)
    lines = []
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        for _ in range(layout.skip_lines):
            file.readline()
        reader = csv.reader(file, delimiter=layout.delimiter)
        try:
            for row in reader:
                if row and len(row) != wanted:
                    lines.append(layout.skip_lines + reader.line_num)
                if len(lines) == 5:
                    break
        except csv.Error:
            lines = lines[:5]
    count = sum(uneven.values())
    shape = (
        f"all have {next(iter(uneven))}" if len(uneven) == 1 and count > 1 else "they have others"
    )
    if even == 0 and set(uneven) == {wanted + 1}:
        repair = "If it was written by R, write it again with write.csv(..., row.names = FALSE)"
    elif min(uneven) > wanted:
        repair = "Put cells that hold the delimiter in quotation marks, or save as 'CSV UTF-8'"
    else:
        repair = "Complete these lines, or save the table anew as 'CSV UTF-8'"
    raise InputError(
        f"{count:,} {'line has' if count == 1 else 'lines have'} more or fewer cells than the "
        f"{wanted} of the first line" + (f" ({shape})" if count > 1 else ""),
        where=f"{path.name}, {_numbered('line', lines)}" if lines else path.name,
        rule="every line has as many cells as the line of column names",
        repair=repair,
    )


def _empty_rows_at_end(table: pa.Table) -> int:
    """Count the rows at the end in which every cell is empty: spreadsheets leave them behind."""
    total = table.num_rows
    size = 64
    while total:
        tail = table.slice(max(total - size, 0))
        filled = -1
        for column in tail.columns:
            valid = to_numpy(column.is_valid())
            last = int(valid[::-1].argmax()) if valid.any() else len(valid)
            filled = max(filled, len(valid) - last - 1)
        if filled >= 0 or size >= total:
            return tail.num_rows - filled - 1
        size *= 8
    return 0


def _numbered(word: str, numbers: list[int]) -> str:
    """Return ``column 3`` or ``columns 3, 5 and 7``."""
    listed = [str(n) for n in numbers]
    if len(listed) == 1:
        return f"{word} {listed[0]}"
    return f"{word}s {', '.join(listed[:-1])} and {listed[-1]}"


def _has(numbers: list[int]) -> str:
    return "has" if len(numbers) == 1 else "have"
