"""``justicelab check-extract``: whether national records can be used, and what is wrong if not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.boundary import guarded

if TYPE_CHECKING:
    from engine.records.checking import CheckReport

BAD_INPUT = 65


@guarded
def check_extract(
    extract: Annotated[
        Path,
        typer.Argument(metavar="EXTRACT", help="Folder of the extract.", show_default=False),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    threads: Annotated[
        int, typer.Option(metavar="N", min=1, help="Threads to use.", show_default="2")
    ] = 2,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory for the database, such as 4G.",
            show_default="a third of the machine's, at most 4G",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No messages, only the result.")
    ] = False,
) -> None:
    """Check national records: tables, columns, types, keys, dates and codes.

    Every problem is named with table, column, rule and number of rows, never with a value. Exit
    code 0: all rows can be used. 65: rows or the whole extract cannot.

    Example: justicelab check-extract records-2026
    """
    from cli.progress import progress_bar
    from engine.memory import database_memory
    from engine.records.checking import check_extract as check

    with progress_bar(quiet=quiet) as progress:
        report = check(
            extract, threads=threads, memory_bytes=database_memory(memory), progress=progress
        )
    if as_json:
        import json

        typer.echo(json.dumps(as_plain(report), indent=1))
    else:
        typer.echo(as_text(report), nl=False)
    if not report.clean:
        sys.exit(BAD_INPUT)


def as_plain(report: CheckReport) -> dict[str, Any]:
    """Return the findings as plain values."""
    return {
        "extract_date": report.extract.extract_date.isoformat(),
        "rows": report.rows,
        "set_aside": report.set_aside,
        "problems": [vars(problem) for problem in report.problems],
        "usable": not report.refused,
    }


def as_text(report: CheckReport) -> str:
    """Return the findings as a table with one line for each."""
    lines = [f"{'table':<26}{'rows':>14}{'set aside':>14}"]
    lines += [
        f"{name:<26}{rows:>14,}{report.set_aside.get(name, 0):>14,}"
        for name, rows in report.rows.items()
    ]
    for action in ("refused", "set aside", "blanked", "noted"):
        found = [problem for problem in report.problems if problem.action == action]
        if found:
            lines += ["", f"{action.capitalize()}:"]
        for problem in found:
            place = f"{problem.table}.{problem.column}" if problem.column else problem.table
            count = "" if problem.rows is None else f" ({problem.rows:,} rows)"
            lines.append(f"  {place}: {problem.rule}{count}")
    verdict = (
        "The extract cannot be used."
        if report.refused
        else "Every row can be used."
        if report.clean
        else "The extract can be used without the rows set aside and the cells blanked."
    )
    return "\n".join([*lines, "", verdict]) + "\n"
