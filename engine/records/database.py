"""A private DuckDB: its spill in a folder of ours, no network, no other file, no cell in errors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from engine.errors import InputError, JusticeLabError, StorageError

SPILL = "spill"
"""Folder inside the work folder that DuckDB may write to when memory runs short."""


class Database:
    """A connection whose errors are the project's own.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection itself, for a library that brings its own statements."""
        return self._connection

    def run(self, sql: str) -> None:
        """Carry out a statement whose result nobody reads."""
        self._execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a small result."""
        return self._execute(sql).fetchall()

    def row(self, sql: str) -> tuple[Any, ...]:
        """Return the one row of a result."""
        (row,) = self.rows(sql)
        return row

    def table(self, sql: str) -> pa.Table:
        """Return a result as an Arrow table; the statement orders its rows totally."""
        with _own_errors():
            return self._connection.sql(sql).to_arrow_table()

    def register(self, name: str, table: pa.Table) -> None:
        """Make an Arrow table known under a name."""
        with _own_errors():
            self._connection.register(name, table)

    def unregister(self, name: str) -> None:
        """Forget an Arrow table."""
        with _own_errors():
            self._connection.unregister(name)

    def _execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        with _own_errors():
            return self._connection.execute(sql)


@contextmanager
def private_database(
    work: Path, readable: Sequence[Path], *, threads: int, memory_bytes: int
) -> Iterator[Database]:
    """Open a database in memory that spills into ``work`` and reads nothing but ``readable``.

    Parameters
    ----------
    work : Path
        A folder of ours, mode 0700; what a killed run left in its spill is removed first.
    readable : sequence of Path
        Folders whose files may be read.
    threads : int
        At least 1.
    memory_bytes : int
        Memory for DuckDB's own buffers, in bytes.

    Yields
    ------
    Database

    Notes
    -----
    Spill holds names in clear text, so it is written with mode 0600 and removed at the end.
    """
    spill = work / SPILL
    shutil.rmtree(spill, ignore_errors=True)
    before = os.umask(0o077)
    try:
        spill.mkdir(mode=0o700)
        allowed = ", ".join(quoted(f"{folder.resolve()}/") for folder in (*readable, work))
        with _own_errors():
            connection = duckdb.connect(
                ":memory:",
                config={
                    "threads": threads,
                    "memory_limit": f"{max(memory_bytes >> 20, 64)}MiB",
                    "temp_directory": str(spill),
                    "preserve_insertion_order": "false",
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                },
            )
        try:
            database = Database(connection)
            database.run("SET enable_progress_bar = false")
            database.run(f"SET allowed_directories = [{allowed}]")
            database.run("SET enable_external_access = false")
            database.run("SET lock_configuration = true")
            yield database
        finally:
            connection.close()
    finally:
        os.umask(before)
        shutil.rmtree(spill, ignore_errors=True)


def quoted(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _own_errors() -> Iterator[None]:
    """Replace DuckDB's errors, whose texts quote cells."""
    try:
        yield
    except JusticeLabError:
        raise
    except duckdb.OutOfMemoryException:
        raise StorageError(
            "memory and the space for spilled data were not enough",
            repair="Give more with --memory, or make room on the disk",
        ) from None
    except duckdb.IOException:
        raise StorageError(
            "reading the extract or writing spilled data failed",
            rule="every file of the extract is whole, and the disk has room",
            repair="Run 'justicelab check-extract', and check the free space",
        ) from None
    except (duckdb.Error, pa.ArrowException) as error:
        raise InputError(
            f"the database refused a step ({type(error).__name__})",
            rule="files of the extract are whole Parquet files of the stated types",
            repair="Run 'justicelab check-extract' on the extract",
        ) from None
