"""Any table in, one column at a time out.

A table is a file (csv, tsv, txt, Parquet, Arrow IPC or Feather) or an object that hands over Arrow
data (pandas, polars, pyarrow, DuckDB). Files of columns are read lazily, one column at a time, so
that memory holds what the method asks for and not the whole file. What kind of file it is follows
from its first bytes, not from its name.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.delimited import read_delimited
from engine.errors import AccessError, InputError, StorageError, UsageError

HASH_BLOCK = 1 << 22
"""Bytes read at a time for the hash of a file: large enough that Python's share of it vanishes."""

DICTIONARY_BYTES = 4.0
"""Text columns of a Parquet file that take fewer bytes a row than this are stored as codes of a
dictionary, and are read as such. Identifiers take more and are read as plain text."""

NOT_TABLES = (
    (b"%PDF", "a PDF document", "Ask for the data behind it as csv or Parquet."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save the sheet as 'CSV UTF-8'."),
    (b"PK\x03\x04", "an Excel workbook or a zip archive", "Save the sheet as 'CSV UTF-8'."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first, for example with gunzip."),
    (b"BZh", "a bzip2 archive", "Unpack it first."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it first."),
    (b"FEA1", "a Feather file of the first version", "Write it again with a current package."),
    (b"$FL2", "an SPSS file", "Save it as csv or Parquet."),
    (b"<stata_dta>", "a Stata file", "Save it with 'export delimited'."),
    (b"SQLite format 3", "an SQLite database", "Export the table as csv or Parquet."),
    (b"RDX", "an R data file", "Write it with write.csv(..., row.names = FALSE)."),
    (b"\x89PNG", "a picture", "Ask for the data behind it as csv or Parquet."),
    (b"<!DOCTYPE", "a web page", "Export the table as csv."),
    (b"<html", "a web page", "Export the table as csv."),
    (b"<?xml", "an XML document", "Export the table as csv."),
)
"""First bytes of files that people hand over by mistake, what they are, what to do."""


@dataclass(frozen=True)
class TableSource:
    """A table that is open but not read.

    Attributes
    ----------
    name : str
        File name without its folder, or ``table`` for an object.
    columns : tuple of str
        Column names in the order of the table.
    n_rows : int
        Rows of data, at least 1.
    sha256 : callable
        Returns the SHA-256 of the file as hex, None for an object. It is computed in a thread
        from the moment of opening; the call waits for it.
    bytes : int or None
        Size of the file, None for an object.
    read : callable
        Takes a column name of ``columns``, returns the column as ``pyarrow.ChunkedArray``.
    type_of : callable
        Takes a column name, returns its type without reading a cell. Text may come as a dictionary
        when it is read.
    first_row : int
        Number a person sees on the first row of data: 2 in a csv, whose header is row 1.
    notes : tuple of str
        What was noticed while opening that the reader of a result should know.
    """

    name: str
    columns: tuple[str, ...]
    n_rows: int
    sha256: Callable[[], str | None]
    bytes: int | None
    read: Callable[[str], pa.ChunkedArray]
    type_of: Callable[[str], pa.DataType]
    first_row: int = 1
    notes: tuple[str, ...] = ()


def open_table(source: Any) -> TableSource:
    """Open a table without reading what is not needed yet.

    Parameters
    ----------
    source : str, pathlib.Path or object with ``__arrow_c_stream__``
        A csv, tsv, txt, Parquet, Arrow IPC or Feather file, a folder of Parquet or Arrow files
        that are parts of one table, or a table of pandas, polars, pyarrow or DuckDB.

    Returns
    -------
    TableSource

    Raises
    ------
    InputError
        The file does not exist, is empty, has no rows, is damaged or is not a table, or two
        columns have the same name.
    AccessError
        The file may not be read.
    """
    if isinstance(source, str | Path):
        if Path(source).is_dir():
            from engine.partitions import open_partitions  # noqa: PLC0415 - it is made of tables

            return open_partitions(Path(source))
        return open_file(Path(source))
    if hasattr(source, "__arrow_c_stream__"):
        return _open_object(source)
    raise UsageError(
        f"a table cannot be made from an object of type {type(source).__name__}",
        rule="a table is a file name or an object that hands over Arrow data",
        repair="Pass a path, or a table of pandas, polars, pyarrow or DuckDB",
    )


def column(source: TableSource, name: str, role: str) -> pa.ChunkedArray:
    """Read one column.

    Parameters
    ----------
    source : TableSource
        The open table.
    name : str
        Column name as the user gave it.
    role : str
        What the column is for, in the words of the options: ``treatment``, ``covariate``.

    Returns
    -------
    pyarrow.ChunkedArray, length ``source.n_rows``

    Raises
    ------
    InputError
        The table has no column of that name; near names are offered.
    """
    require_column(source, name, role)
    return source.read(name)


def require_column(source: TableSource, name: str, role: str) -> None:
    """Refuse a name that is no column of the table; parameters as of :func:`column`.

    Raises
    ------
    InputError
        The table has no column of that name; near names are offered.
    """
    if name not in source.columns:
        near = near_names(name, source.columns)
        raise InputError(
            f"the {role} column '{shown(name)}' is not in the table",
            where=f"{source.name}, {len(source.columns)} "
            f"{'column' if len(source.columns) == 1 else 'columns'}",
            rule="options name columns as the first line of the table does",
            repair=f"Did you mean {' or '.join(repr(shown(n)) for n in near)}?"
            if near
            else "Check the spelling against the first line of the table",
        )


_TELLING = 3
"""Fewest letters of a part of a name by which the whole is looked for."""


def near_names(name: str, names: Sequence[str]) -> list[str]:
    """Return up to three names that ``name`` may stand for, the nearest first.

    First those that it may be a misspelling of, then those that begin with it, then those that
    hold it; one or two letters stand in too many names to tell anything.
    """
    folded: dict[str, str] = {}
    for candidate in names:
        folded.setdefault(_folded(candidate), candidate)
    wanted = _folded(name)
    found = difflib.get_close_matches(wanted, list(folded), n=3, cutoff=0.6)
    if len(wanted) >= _TELLING:
        held = sorted((key for key in folded if wanted in key), key=lambda key: key.index(wanted))
        found = list(dict.fromkeys([*found, *held]))[:3]
    return [folded[key] for key in found]


def shown(name: str) -> str:
    """Return a column name as it may stand in a message: printable and not longer than 60."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return clean if len(clean) <= 60 else clean[:57] + "..."


def _folded(name: str) -> str:
    """Return the name without case, spaces and separators."""
    return re.sub(r"[\s_.\-]+", "", name).casefold()


# A reader's own message often quotes the cell it failed on, so none is ever passed on.
@contextmanager
def _library_errors_hidden(name: str, kind: str) -> Iterator[None]:
    """Turn what Arrow raises into errors of our own that quote nothing."""
    try:
        yield
    except MemoryError:
        raise StorageError(
            f"there is not enough memory to read the {kind}",
            where=name,
            repair="Close other programs, or use a machine with more memory",
        ) from None
    except PermissionError:
        raise AccessError(
            "the file may not be read", where=name, repair="Ask its owner for access"
        ) from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"the {kind} is damaged or incomplete",
            where=name,
            repair="Copy it again, or write it anew from its source",
        ) from None


def first_bytes(path: Path) -> tuple[bytes, int]:
    """Return the first 16 bytes of a file and its size.

    Parameters
    ----------
    path : pathlib.Path
        What the user named.

    Raises
    ------
    InputError
        There is no such file, it is empty, or it is a folder, pipe or device.
    AccessError, StorageError
        The file may not or cannot be read.
    """
    name = path.name
    try:
        if path.is_dir():
            raise InputError(
                "a folder was given where a table is needed",
                where=name,
                rule="a table is one file",
                repair="Name one file",
            )
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(
                "a pipe or device was given where a table is needed",
                where=name,
                rule="a table is a file, because it is read more than once",
                repair="Write the data into a file first, and name that file",
            )
        with path.open("rb") as file:
            head = file.read(16)
        size = status.st_size
    except FileNotFoundError:
        near = _near_files(path)
        raise InputError(
            f"there is no file '{shown(name)}'",
            where=f"folder '{shown(path.parent.name)}'" if path.parent.name else "",
            repair=f"Did you mean '{shown(near)}'?" if near else "Check the folder and spelling",
        ) from None
    except PermissionError:
        raise AccessError(
            "the file may not be read", where=name, repair="Ask its owner for access"
        ) from None
    except OSError:
        raise StorageError(
            "the file could not be read",
            where=name,
            repair="Check the disk or network drive, or copy the file to another place",
        ) from None
    if size == 0:
        raise InputError(
            "the file is empty",
            where=name,
            rule="a table has a line of column names and rows below it",
            repair="Export the table again",
        )
    return head, size


def open_file(
    path: Path, hashed: Callable[[Path], Callable[[], str | None]] | None = None
) -> TableSource:
    """Open a file by what its first bytes say it is.

    Parameters
    ----------
    path : Path
    hashed : callable, optional
        Starts the hash of the file; by default a thread of its own.
    """
    name = path.name
    head, size = first_bytes(path)
    for start, kind, repair in NOT_TABLES:
        if head.startswith(start):
            raise InputError(
                f"the file is {kind}, not a table",
                where=name,
                rule="tables are csv, tsv, Parquet or Arrow files",
                repair=repair,
            )
    digest = hash_in_thread([path]) if hashed is None else hashed(path)
    if head.startswith(b"PAR1"):
        return _open_parquet(path, size, digest)
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return _open_ipc(path, size, digest, stream=not head.startswith(b"ARROW1"))
    text = read_delimited(path)
    return TableSource(
        name=name,
        columns=tuple(text.table.column_names),
        n_rows=text.table.num_rows,
        sha256=digest,
        bytes=size,
        read=text.table.column,
        type_of=lambda wanted: text.table.schema.field(wanted).type,
        first_row=2,
        notes=text.notes,
    )


def _open_parquet(path: Path, size: int, digest: Callable[[], str | None]) -> TableSource:
    """Open a Parquet file by its footer."""
    with _library_errors_hidden(path.name, "Parquet file"), pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        names = schema.names
        rows = file.metadata.num_rows
        coded = _dictionary_columns(file)

    def read(name: str) -> pa.ChunkedArray:
        with (
            _library_errors_hidden(path.name, "Parquet file"),
            # pre_buffer would hold the raw bytes of the whole column beside the decoded ones
            pq.ParquetFile(
                path, read_dictionary=[name] if name in coded else None, pre_buffer=False
            ) as file,
        ):
            return file.read([name], use_threads=True).column(name)

    columns = _checked(path.name, names, rows)
    return TableSource(
        path.name, columns, rows, digest, size, read, lambda wanted: schema.field(wanted).type
    )


def _dictionary_columns(file: pq.ParquetFile) -> frozenset[str]:
    """Return the text columns that the file stores as codes of a dictionary."""
    metadata = file.metadata
    coded = set()
    for index in range(metadata.num_columns):
        leaf = metadata.schema.column(index)
        if leaf.physical_type != "BYTE_ARRAY" or "." in leaf.path or metadata.num_row_groups == 0:
            continue
        stored = 0
        values = 0
        for group in range(metadata.num_row_groups):
            chunk = metadata.row_group(group).column(index)
            stored += chunk.total_uncompressed_size
            values += chunk.num_values
        if stored < DICTIONARY_BYTES * values or stored < HASH_BLOCK:
            coded.add(leaf.path)
    return frozenset(coded)


def _open_ipc(
    path: Path, size: int, digest: Callable[[], str | None], *, stream: bool
) -> TableSource:
    """Open an Arrow file through a memory map, so that uncompressed columns are not copied."""
    name = path.name

    def load(fields: list[int] | None) -> pa.Table:
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        mapped = pa.memory_map(str(path), "r")
        if stream:
            return pa.ipc.open_stream(mapped, options=options).read_all()
        return pa.ipc.open_file(mapped, options=options).read_all()

    with _library_errors_hidden(name, "Arrow file"):
        mapped = pa.memory_map(str(path), "r")
        opened = pa.ipc.open_stream(mapped) if stream else pa.ipc.open_file(mapped)
        schema = opened.schema
        names = schema.names
        if stream:
            rows = sum(batch.num_rows for batch in opened)
        else:
            rows = sum(opened.get_batch(i).num_rows for i in range(opened.num_record_batches))
    columns = _checked(name, names, rows)

    def read(wanted: str) -> pa.ChunkedArray:
        with _library_errors_hidden(name, "Arrow file"):
            return _without_views(load([names.index(wanted)]).column(wanted))

    return TableSource(
        name, columns, rows, digest, size, read, lambda wanted: schema.field(wanted).type
    )


def _open_object(source: Any) -> TableSource:
    """Open an object that hands over Arrow data."""
    try:
        table = pa.table(source)
    except Exception:  # noqa: BLE001 - any package may stand behind the object, and quote cells
        raise InputError(
            "the table could not be handed over as Arrow data",
            where=f"an object of type {type(source).__name__}",
            rule="a column holds values of one type",
            repair="Give every column one type, for example with astype() or cast()",
        ) from None
    # pandas hands over an index of its own as a column
    index = [n for n in table.column_names if re.fullmatch(r"__index_level_\d+__", n)]
    table = table.drop_columns(index)
    columns = _checked("table", table.column_names, table.num_rows)

    def read(name: str) -> pa.ChunkedArray:
        return _without_views(table.column(name))

    return TableSource(
        "table", columns, table.num_rows, lambda: None, None, read,
        lambda wanted: table.schema.field(wanted).type,
    )  # fmt: skip


def _without_views(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text as polars hands it over in the type that every Arrow function takes."""
    kind = values.type
    if pa.types.is_string_view(kind):
        return values.cast(pa.large_string())
    if pa.types.is_binary_view(kind):
        return values.cast(pa.large_binary())
    if pa.types.is_dictionary(kind) and pa.types.is_string_view(kind.value_type):
        chunks = [
            pa.DictionaryArray.from_arrays(c.indices, c.dictionary.cast(pa.large_string()))
            for c in values.chunks
        ]
        return pa.chunked_array(chunks, pa.dictionary(kind.index_type, pa.large_string()))
    return values


def _checked(name: str, columns: Sequence[str], n_rows: int) -> tuple[str, ...]:
    """Return the column names, or refuse a table without columns, rows or distinct names."""
    if not columns:
        raise InputError(
            "the table has no columns",
            where=name,
            rule="a table has a column for the treatment and one for each covariate",
            repair="Check how it was made",
        )
    if len(set(columns)) < len(columns):
        twice = next(c for i, c in enumerate(columns) if c in columns[:i])
        places = [i + 1 for i, c in enumerate(columns) if c == twice]
        raise InputError(
            "two columns have the same name",
            where=f"{name}, columns {' and '.join(map(str, places))}",
            rule="every column has a name of its own",
            repair="Rename one of them",
        )
    if n_rows == 0:
        raise InputError(
            "the table has column names but no rows",
            where=name,
            repair="Check the export, and any filter that was set in it",
        )
    return tuple(columns)


def _near_files(path: Path) -> str | None:
    """Return the file in the same folder whose name is nearest, None if none is near."""
    try:
        names = [p.name for p in path.parent.iterdir() if p.is_file()]
    except OSError:
        return None
    found = difflib.get_close_matches(path.name, names, n=1, cutoff=0.7)
    return found[0] if found else None


def hash_in_thread(paths: Sequence[Path]) -> Callable[[], str | None]:
    """Start hashing files, one after another, in a thread; return a function that waits for it.

    The hash of one file is that of its bytes; of several, that of their hashes in this order.
    """
    results: list[str] = []
    done = {"path": paths[0]}

    def of(path: Path) -> str:
        done["path"] = path
        digest = hashlib.sha256()
        block = bytearray(HASH_BLOCK)
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(block):
                digest.update(memoryview(block)[:count])
        return digest.hexdigest()

    def work() -> None:
        try:
            found = [of(path) for path in paths]
        except OSError:
            results.append("")
            return
        together = hashlib.sha256("\n".join(found).encode()).hexdigest()
        results.append(found[0] if len(found) == 1 else together)

    # A daemon: a run that is refused early does not wait for the hash of a large file.
    thread = threading.Thread(target=work, name="table-sha256", daemon=True)
    thread.start()

    def sha256() -> str | None:
        thread.join()
        if not results or not results[0]:
            raise StorageError(
                "the file could not be read to its end",
                where=done["path"].name,
                repair="Check the disk or network drive, and that nothing changes the file",
            )
        return results[0]

    return sha256
