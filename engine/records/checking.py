"""Checking an extract: every table, column, type, key, foreign key, date order and code list.

What cannot be used is set aside and counted, never dropped in silence: rows that break a rule of
the schema are listed in a quarantine by file and row number, single cells are treated as unknown,
and values outside a list of known codes are only noted. Nothing here repeats a cell.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from engine.errors import InputError
from engine.records.database import Database, private_database, quoted
from engine.records.extract import (
    BLANKED,
    NOTED,
    REFUSED,
    SET_ASIDE,
    Extract,
    Problem,
    TableFiles,
    open_extract,
)
from engine.records.row_rules import RowRule, row_rules
from engine.records.schema import TABLES

MOST_SET_ASIDE = 0.05
"""An extract with a larger share of rows set aside in some table is refused."""
Progress = Callable[[str, float], None]

QUARANTINE_SCHEMA = pa.schema(
    [("table", pa.utf8()), ("file", pa.utf8()), ("row", pa.int64()), ("rule", pa.utf8())]
)


@dataclass(frozen=True)
class CheckReport:
    """What was found in an extract.

    Parameters
    ----------
    extract : Extract
    problems : tuple of Problem
        By table and action; a clean extract has none.
    rows : dict of str to int
        Rows of each table as they stand in its files.
    set_aside : dict of str to int
        Rows of each table that are left out.
    quarantine : pyarrow.Table
        Table, file, row number in the file from 0, and rule of every row left out.
    """

    extract: Extract
    problems: tuple[Problem, ...]
    rows: dict[str, int]
    set_aside: dict[str, int]
    quarantine: pa.Table

    @property
    def refused(self) -> bool:
        """Whether nothing can be made of the extract."""
        return any(problem.action == REFUSED for problem in self.problems)

    @property
    def clean(self) -> bool:
        """Whether every row and cell can be used."""
        return all(problem.action == NOTED for problem in self.problems)


def check_extract(
    path: str | os.PathLike[str],
    *,
    threads: int = 2,
    memory_bytes: int = 2 << 30,
    progress: Progress | None = None,
) -> CheckReport:
    """Check an extract and write nothing.

    Parameters
    ----------
    path : path
        Folder of the extract.
    threads : int
        At least 1.
    memory_bytes : int
        Memory for the database, in bytes.
    progress : callable, optional
        Takes a stage and the share done.

    Returns
    -------
    CheckReport

    Raises
    ------
    InputError
        The folder or its ``extract.json`` cannot be read.
    """
    extract, problems = open_extract(path)
    if any(problem.action == REFUSED for problem in problems):
        return _refused(extract, problems)
    with (
        tempfile.TemporaryDirectory(prefix="justicelab-") as work,
        private_database(
            Path(work), [extract.folder], threads=threads, memory_bytes=memory_bytes
        ) as database,
    ):
        return check_rows(database, extract, problems, progress)


def _refused(extract: Extract, problems: list[Problem]) -> CheckReport:
    rows = {name: files.rows for name, files in extract.tables.items()}
    return CheckReport(extract, tuple(problems), rows, {}, QUARANTINE_SCHEMA.empty_table())


def refuse(report: CheckReport) -> None:
    """Raise the error for an extract that nothing can be made of.

    Raises
    ------
    InputError
        Naming the first problems.
    """
    wrong = [problem for problem in report.problems if problem.action == REFUSED]
    if wrong:
        shown = "; ".join(
            f"{one.table}{'.' + one.column if one.column else ''}: {one.rule}" for one in wrong[:5]
        )
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise InputError(
            f"the extract has {len(wrong)} problem{'s' if len(wrong) > 1 else ''} that stop it",
            where=shown + more,
            repair="Run 'justicelab check-extract' for the full list",
        )


def check_rows(
    database: Database,
    extract: Extract,
    problems: list[Problem],
    progress: Progress | None = None,
) -> CheckReport:
    """Check the rows and leave a view ``clean_TABLE`` of each table in the database.

    Parameters
    ----------
    database : Database
    extract : Extract
        With a form that is right.
    problems : list of Problem
        Found in its form.
    progress : callable, optional

    Returns
    -------
    CheckReport
    """
    found = list(problems)
    database.run(
        "CREATE TEMP TABLE quarantine (table_name VARCHAR, file BIGINT, row BIGINT, rule VARCHAR)"
    )
    for files in extract.tables.values():
        database.run(f"CREATE TEMP VIEW raw_{files.table.name} AS {_source(files)}")
    blanks: dict[str, list[RowRule]] = {}
    for done, (name, files) in enumerate(extract.tables.items()):
        if progress is not None:
            progress("check", done / len(extract.tables))
        rules = row_rules(extract, files)
        broken = _broken(database, name, rules)
        found += [Problem(name, rule.column, rule.rule, n, rule.action) for rule, n in broken]
        blanks[name] = [rule for rule, _ in broken if rule.action == BLANKED]
        for rule, _ in broken:
            if rule.action == SET_ASIDE:
                _set_aside(database, name, rule.condition, f"{rule.column}: {rule.rule}")
        found += _keys(database, files)
    for name, files in extract.tables.items():
        found += _references(database, extract, files)
        found += _ages(database, extract, name)
    set_aside = {
        name: database.row(
            f"SELECT count(DISTINCT (file, row)) FROM quarantine WHERE table_name = {quoted(name)}"
        )[0]
        for name in extract.tables
    }
    for name, files in extract.tables.items():
        if set_aside[name] > MOST_SET_ASIDE * files.rows:
            limit = f"at most {MOST_SET_ASIDE:.0%} of the rows are set aside"
            found.append(Problem(name, "", limit, set_aside[name], REFUSED))
        _clean_view(database, files, blanks[name], set_aside[name])
    for table in TABLES:
        if table.name not in extract.tables:
            absent = TableFiles(table, (), 0, (), ())
            database.run(
                f"CREATE TEMP VIEW clean_{table.name} AS "
                f"SELECT * EXCLUDE (file, row) FROM ({_source(absent)})"
            )
    rows = {name: files.rows for name, files in extract.tables.items()}
    return CheckReport(extract, tuple(found), rows, set_aside, _quarantine(database, extract))


def _source(files: TableFiles) -> str:
    """SQL for all rows of a table, with absent columns as nulls, and the place of each row."""
    paths = ", ".join(quoted(str(path.resolve())) for path in files.files)
    columns = []
    for column in files.table.columns:
        kind = _SQL_TYPES.get(str(column.type), "VARCHAR")
        value = column.name if column.name in files.columns else "NULL"
        columns.append(f"CAST({value} AS {kind}) AS {column.name}")
    columns += ['"' + name.replace('"', '""') + '"' for name in files.further]
    if not files.files:
        return f"SELECT {', '.join(columns)}, 0::BIGINT AS file, 0::BIGINT AS row WHERE false"
    return (
        f"SELECT {', '.join(columns)}, file_index::BIGINT AS file, file_row_number AS row "
        f"FROM read_parquet([{paths}], union_by_name = true)"
    )


_SQL_TYPES = {
    "int64": "BIGINT",
    "int32": "INTEGER",
    "int16": "SMALLINT",
    "int8": "TINYINT",
    "date32[day]": "DATE",
    "bool": "BOOLEAN",
    "float": "FLOAT",
}


def _broken(database: Database, name: str, rules: list[RowRule]) -> list[tuple[RowRule, int]]:
    """Return the rules that some rows break, with how many do; one pass over the table."""
    if not rules:
        return []
    counts = ", ".join(f"count_if({rule.condition})" for rule in rules)
    numbers = database.row(f"SELECT {counts} FROM raw_{name}")
    return [(rule, n) for rule, n in zip(rules, numbers, strict=True) if n]


def _set_aside(database: Database, name: str, condition: str, rule: str) -> None:
    database.run(
        f"INSERT INTO quarantine SELECT {quoted(name)}, file, row, {quoted(rule)} "
        f"FROM raw_{name} WHERE {condition}"
    )


def _keys(database: Database, files: TableFiles) -> list[Problem]:
    """Set aside all rows of a repeated key but the first."""
    name, key = files.table.name, ", ".join(files.table.key)
    if not key:
        return []
    distinct = database.row(f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM raw_{name})")[0]
    if distinct == files.rows:
        return []
    rule = "no two rows have the same key; the first of them counts"
    present = " AND ".join(f"{column} IS NOT NULL" for column in files.table.key)
    before = database.row("SELECT count(*) FROM quarantine")[0]
    database.run(
        f"INSERT INTO quarantine SELECT {quoted(name)}, file, row, {quoted(f'{key}: {rule}')} FROM "
        f"(SELECT {key}, file, row FROM raw_{name} SEMI JOIN (SELECT {key} FROM raw_{name} "
        f"WHERE {present} GROUP BY {key} HAVING count(*) > 1) USING ({key}) "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY file, row) > 1)"
    )
    n = database.row("SELECT count(*) FROM quarantine")[0] - before
    return [Problem(name, key, rule, n, SET_ASIDE)] if n else []


_LOOSE_REFERENCES = {
    ("persons", "person_profile"),
    ("person_profile", "persons"),
    ("disposals", "offences"),
}


def _references(database: Database, extract: Extract, files: TableFiles) -> list[Problem]:
    """Set aside rows that lean on a row of another table that does not exist."""
    found = []
    name = files.table.name
    for reference in files.table.foreign_keys:
        if reference.table not in extract.tables or reference.column not in files.columns:
            continue
        loose = (name, reference.table) in _LOOSE_REFERENCES
        rule = f"stands in {reference.table}.{reference.target}"
        column = reference.column
        match = f"t.{reference.target} = c.{column}"
        if reference.target == "disposal_id":
            rule += " and belongs to the same person"
            match += " AND t.person_id = c.person_id"
        sql = (
            f"FROM (SELECT * FROM raw_{name} WHERE {column} IS NOT NULL) AS c "
            f"ANTI JOIN raw_{reference.table} AS t ON {match}"
        )
        (n,) = database.row(f"SELECT count(*) {sql}")
        if n and not loose:
            text = quoted(f"{reference.column}: {rule}")
            database.run(f"INSERT INTO quarantine SELECT {quoted(name)}, file, row, {text} {sql}")
        if n:
            found.append(Problem(name, reference.column, rule, n, NOTED if loose else SET_ASIDE))
    if name == "disposals" and "offences" in extract.tables:
        (n,) = database.row(
            "SELECT count(*) FROM raw_disposals ANTI JOIN raw_offences USING (disposal_id)"
        )
        if n:
            found.append(Problem(name, "disposal_id", "has at least one offence", n, NOTED))
    return found


def _ages(database: Database, extract: Extract, name: str) -> list[Problem]:
    """Note offences of children below the age of responsibility."""
    if name != "offences" or "person_profile" not in extract.tables:
        return []
    (n,) = database.row(
        "SELECT count(*) FROM raw_offences JOIN raw_person_profile USING (person_id) "
        "WHERE offence_date < birth_month + INTERVAL 10 YEAR"
    )
    return [Problem(name, "offence_date", "at least ten years after birth", n, NOTED)] if n else []


def _clean_view(
    database: Database, files: TableFiles, blanks: list[RowRule], set_aside: int
) -> None:
    """Make the view of what can be used."""
    name = files.table.name
    by_column: dict[str, list[str]] = {}
    for rule in blanks:
        by_column.setdefault(rule.column, []).append(f"({rule.condition})")
    replaced = ", ".join(
        f"CASE WHEN {' OR '.join(conditions)} THEN NULL ELSE {column} END AS {column}"
        for column, conditions in by_column.items()
    )
    columns = f"* EXCLUDE (file, row){f' REPLACE ({replaced})' if replaced else ''}"
    kept = (
        f"ANTI JOIN (SELECT DISTINCT file, row FROM quarantine WHERE table_name = {quoted(name)}) "
        "USING (file, row)"
        if set_aside
        else ""
    )
    database.run(f"CREATE TEMP VIEW clean_{name} AS SELECT {columns} FROM raw_{name} {kept}")


def _quarantine(database: Database, extract: Extract) -> pa.Table:
    """Return the list of rows set aside."""
    listed = database.table(
        "SELECT table_name, file, row, rule FROM quarantine ORDER BY table_name, file, row, rule"
    )
    names = [
        extract.tables[table].files[file].relative_to(extract.folder).as_posix()
        for table, file in zip(
            listed["table_name"].to_pylist(), listed["file"].to_pylist(), strict=True
        )
    ]
    return pa.table(
        [listed["table_name"], pa.array(names, pa.utf8()), listed["row"], listed["rule"]],
        schema=QUARANTINE_SCHEMA,
    )
