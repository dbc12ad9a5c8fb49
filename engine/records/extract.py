"""Opening an extract: which files make which table, and whether their form is the schema's.

Only footers are read here. A file that is cut short, claims more than it can hold or has another
type stops the extract before a row is read.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import AccessError, InputError
from engine.records.schema import (
    EXTRACT_DATE,
    EXTRACT_FILE,
    ROW_GROUP_ROWS,
    SCHEMA_KEY,
    SCHEMA_VERSION,
    SYNTHETIC,
    TABLES,
    Column,
    Table,
)

MOST_EXPANSION = 20_000
"""A file that claims to unpack to more than this many times its size is refused. Codes that
repeat for a whole table reach a few thousand."""
LARGEST_CHUNK = 128 << 20
"""Bytes of one column in one row group beyond which a note is made: it is read as a whole."""
_LARGEST_JSON = 1 << 20

REFUSED = "refused"
SET_ASIDE = "set aside"
BLANKED = "blanked"
NOTED = "noted"


@dataclass(frozen=True)
class Problem:
    """Something in an extract that is not as the schema says.

    Parameters
    ----------
    table, column : str
        Where; empty for the extract as a whole, or for a whole row.
    rule : str
        What holds, in words.
    rows : int or None
        How many rows break it; None where a file or a column does.
    action : str
        ``refused`` stops everything, ``set aside`` leaves the rows out, ``blanked`` treats the
        cells as unknown, ``noted`` changes nothing.
    """

    table: str
    column: str
    rule: str
    rows: int | None
    action: str


@dataclass(frozen=True)
class TableFiles:
    """The files of one table.

    Parameters
    ----------
    table : Table
    files : tuple of Path
        In the order of their names.
    rows : int
    columns : tuple of str
        Columns of the schema that are present.
    further : tuple of str
        Columns with the prefix that the table allows.
    """

    table: Table
    files: tuple[Path, ...]
    rows: int
    columns: tuple[str, ...]
    further: tuple[str, ...]


@dataclass(frozen=True)
class Extract:
    """An extract whose form is known to be right.

    Parameters
    ----------
    folder : Path
    extract_date : datetime.date
    tables : dict of str to TableFiles
    synthetic : bool
        Whether its people do not exist.
    """

    folder: Path
    extract_date: dt.date
    tables: dict[str, TableFiles]
    synthetic: bool = False


def open_extract(path: str | os.PathLike[str]) -> tuple[Extract, list[Problem]]:
    """Read the footers of an extract.

    Parameters
    ----------
    path : path
        Folder of the extract.

    Returns
    -------
    extract : Extract
        Usable only if no problem is ``refused``.
    problems : list of Problem

    Raises
    ------
    InputError
        There is no such folder, or its ``extract.json`` cannot be read.
    AccessError
        It may not be read.
    """
    folder = Path(path)
    try:
        is_folder = folder.is_dir()
    except PermissionError:
        raise AccessError(f"the extract '{folder.name}' may not be read by this user") from None
    if not is_folder:
        raise InputError(
            f"there is no folder '{folder.name}'",
            rule="an extract is a folder with extract.json and one folder for each zone",
            repair="Give the folder of the extract",
        )
    date, synthetic = _description(folder)
    problems: list[Problem] = []
    tables: dict[str, TableFiles] = {}
    for table in TABLES:
        found = _files_of(folder, table)
        if not found:
            if table.required:
                problems.append(Problem(table.name, "", "the table is required", None, REFUSED))
            continue
        tables[table.name] = _open_table(table, found, problems)
    return Extract(folder, date, tables, synthetic), problems


def file_hashes(extract: Extract) -> Iterator[tuple[str, str, int]]:
    """Yield name, SHA-256 and size of every file of an extract, in a fixed order."""
    tables = (path for files in extract.tables.values() for path in files.files)
    for path in (extract.folder / EXTRACT_FILE, *tables):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield path.relative_to(extract.folder).as_posix(), digest, path.stat().st_size


def _no_extract(folder: Path) -> InputError:
    """Return the refusal of a folder without extract.json; the extract may stand one deeper."""
    inside = folder / "extract"
    return InputError(
        f"there is no file '{EXTRACT_FILE}' in '{folder}'",
        rule="an extract is a folder with extract.json and one folder for each zone",
        repair=f"Did you mean '{inside}'?"
        if (inside / EXTRACT_FILE).is_file()
        else "Give the folder of the extract, or write the file; docs/extract.md has an example",
    )


def _description(folder: Path) -> tuple[dt.date, bool]:
    """Return the date in extract.json, and whether it says that nobody in the extract exists."""
    error = InputError(
        f"the file '{EXTRACT_FILE}' of the extract cannot be used",
        rule=f'it holds {{"justicelab_schema": {SCHEMA_VERSION}, "{EXTRACT_DATE}": "YYYY-MM-DD"}}, '
        f'and "{SYNTHETIC}": true for people who do not exist',
        repair="Write it anew; docs/extract.md has an example",
    )
    try:
        if not (folder / EXTRACT_FILE).exists():
            raise _no_extract(folder)
        with (folder / EXTRACT_FILE).open("rb") as file:
            if os.fstat(file.fileno()).st_size > _LARGEST_JSON:
                raise error
            content = json.loads(file.read())
        if content[SCHEMA_KEY.decode()] != SCHEMA_VERSION:
            raise error
        date = dt.date.fromisoformat(content[EXTRACT_DATE])
        synthetic = content.get(SYNTHETIC, False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise error from None
    if not dt.date(1950, 1, 1) < date < dt.date(2200, 1, 1) or not isinstance(synthetic, bool):
        raise error
    return date, synthetic


def _files_of(folder: Path, table: Table) -> tuple[Path, ...]:
    """Return the files of a table: one file, or all Parquet files in the folder of its name."""
    single = folder / table.zone / f"{table.name}.parquet"
    parts = sorted((folder / table.zone / table.name).glob("*.parquet"))
    return (single, *parts) if single.is_file() else tuple(parts)


def _open_table(table: Table, files: tuple[Path, ...], problems: list[Problem]) -> TableFiles:
    """Check the footer of each file of a table."""
    rows, in_order, last = 0, True, None
    present: dict[str, set[bool]] = {}
    usable = []
    further: set[str] = set()
    found: set[tuple[str, str]] = set()

    def note(column: str, rule: str, action: str = REFUSED) -> None:
        found.add((column, rule))
        seen = Problem(table.name, column, rule, None, action)
        if seen not in problems:
            problems.append(seen)

    columns = {column.name: column for column in table.columns}
    for path in files:
        try:
            footer = pq.read_metadata(path)
            schema = footer.schema.to_arrow_schema()
        except (OSError, pa.ArrowException, ValueError):
            note("", f"every file is a whole Parquet file, '{path.name}' is not")
            continue
        unpacked = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
        if unpacked > MOST_EXPANSION * max(path.stat().st_size, 1):
            note("", f"'{path.name}' claims to unpack to more than it can hold")
            continue
        if _largest_chunk(footer) > LARGEST_CHUNK:
            note(
                "",
                f"row groups of {ROW_GROUP_ROWS:,} rows; '{path.name}' has larger ones, which take "
                "as much memory as a column of theirs",
                NOTED,
            )
        usable.append(path)
        rows += footer.num_rows
        if (schema.metadata or {}).get(SCHEMA_KEY) != str(SCHEMA_VERSION).encode():
            note("", f"the metadata of every file say justicelab_schema={SCHEMA_VERSION}", NOTED)
        names = schema.names
        if len(set(names)) != len(names):
            note("", "no column name stands twice")
            continue
        for name in names:
            kind = schema.field(name).type
            if name in columns:
                present.setdefault(name, set()).add(True)
                if not is_accepted(kind, columns[name]):
                    note(name, f"the type is {columns[name].type}, or one read as that")
            elif table.further and name.startswith(table.further):
                further.add(name)
                if kind not in (pa.int8(), pa.int16(), pa.int32(), pa.int64()):
                    note(name, "the type is int8")
            else:
                note("", "no column stands beside those of the schema", NOTED)
        for column in table.columns:
            if column.required and column.name not in names:
                note(column.name, "the column is required")
        last, ordered = _order_of(footer, table.sorted_by[0], last)
        in_order = in_order and ordered
    if rows and not in_order:
        note(table.sorted_by[0], "rows are sorted; reading takes longer where not", NOTED)
    return TableFiles(
        table,
        tuple(usable),
        rows,
        tuple(name for name in columns if name in present),
        tuple(sorted(further)),
    )


def _largest_chunk(footer: Any) -> int:
    """Return the bytes of the largest column of a row group, as they stand in the file."""
    groups = (footer.row_group(i) for i in range(footer.num_row_groups))
    sizes = [
        group.column(j).total_compressed_size for group in groups for j in range(group.num_columns)
    ]
    return max(sizes, default=0)


def _order_of(footer: Any, name: str, last: Any) -> tuple[Any, bool]:
    """Return the largest value so far, and whether row groups follow each other."""
    place = next(
        (i for i, path in enumerate(footer.schema.names) if path == name),
        None,
    )
    if place is None:
        return last, True
    for i in range(footer.num_row_groups):
        statistics = footer.row_group(i).column(place).statistics
        if statistics is None or not statistics.has_min_max:
            return last, False
        if last is not None and statistics.min < last:
            return last, False
        last = statistics.max
    return last, True


_WIDTHS = {pa.int8(): 8, pa.int16(): 16, pa.int32(): 32, pa.int64(): 64}


def is_accepted(kind: pa.DataType, column: Column) -> bool:
    """Whether a column of this Arrow type may stand where the schema has the column's."""
    wanted = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_dictionary(wanted):
        wanted = wanted.value_type
    if pa.types.is_null(kind):
        return column.nullable or not column.required
    if pa.types.is_string(wanted):
        return bool(
            pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or pa.types.is_string_view(kind)
        )
    if wanted in _WIDTHS:
        return kind in _WIDTHS and _WIDTHS[kind] <= _WIDTHS[wanted]
    if pa.types.is_floating(wanted):
        return bool(pa.types.is_floating(kind))
    return bool(kind == wanted)
