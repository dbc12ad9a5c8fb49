"""``justicelab check``: look a submission over before it is sent."""

from __future__ import annotations

import textwrap
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.boundary import guarded

if TYPE_CHECKING:
    from engine.submission.check import Check
    from engine.submission.rules import Problem
    from engine.submission.window import Window as ReadWindow

REJECTED = 65
WIDTH = 80
SHOWN_ROWS = 5

Report = Annotated[
    Path | None,
    typer.Option("--problems", help="Write the problems into this new xlsx file.", metavar="XLSX"),
]
Window = Annotated[
    str | None,
    typer.Option(
        help="First and last index date for which results can be given.",
        metavar="YYYY-MM-DD:YYYY-MM-DD",
    ),
]


@guarded
def check(
    file: Annotated[
        Path, typer.Argument(help="The submission: xlsx, ods, csv or Parquet.", show_default=False)
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    problems: Report = None,
    description: Annotated[
        Path | None,
        typer.Option(help="A workbook with the filled sheet 'Description', if FILE has none."),
    ] = None,
    window: Window = None,
    store: Annotated[
        Path | None, typer.Option(help="A prepared store, which knows the window.", metavar="DIR")
    ] = None,
    date_order: Annotated[
        Literal["day", "month"] | None,
        typer.Option(help="What comes first in dates such as 03/04/2020, if not the day."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No messages, only the result.")
    ] = False,
) -> None:
    """Check a submission. Needs no store and no network; no person's data are shown.

    Exit codes: 0 the file can be used, also if rows are kept aside; 65 it is rejected.
    """
    from engine.submission.check import check_submission
    from engine.submission.problems import problems_bytes
    from engine.submission.workbook import write_new_file

    result = check_submission(
        file,
        description=description,
        window=_window(window, store),
        order=date_order,
    )
    if problems is not None:
        write_new_file(problems, problems_bytes(result))
    if as_json:
        import json

        typer.echo(json.dumps(result.as_object()))
    else:
        typer.echo("\n".join(_lines(result)))
    if problems is not None and not quiet:
        typer.echo(f"The problems are listed in {problems}.", err=True)
    if result.verdict == "rejected":
        raise SystemExit(REJECTED)


def _window(text: str | None, folder: Path | None) -> ReadWindow | None:
    """Return the window that was given, or that of a store."""
    from engine.errors import UsageError
    from engine.submission.window import window_of, window_of_store

    if text is not None and folder is not None:
        raise UsageError(
            "--window and --store contradict each other",
            rule="a store has a window of its own",
            repair="Leave out one of them",
        )
    if folder is not None:
        from engine.store.reading import open_store

        return window_of_store(open_store(folder))
    return window_of(text) if text is not None else None


def _lines(result: Check) -> list[str]:
    """Return the result as short lines: verdict, counts, problems by rule."""
    from engine.submission.problems import LABELS

    lines = [
        f"Verdict  {LABELS.get(result.verdict, result.verdict)}",
        f"Rows     {result.rows:,}",
        f"Usable   {result.usable:,}",
    ]
    ordered = sorted(result.problems, key=_kind)
    for _, group in groupby(ordered, key=_kind):
        lines += ["", *_problem_lines(list(group))]
    return lines


def _kind(problem: Problem) -> tuple[int, bool, str, str, str]:
    """Return what problems of one paragraph share: the worst first, whole columns first."""
    from engine.submission.rules import SEVERITIES

    worst = SEVERITIES.index(problem.severity)
    return worst, problem.row is not None, problem.column or "", problem.rule, problem.detail


def _problem_lines(group: list[Problem]) -> list[str]:
    """Return severity and place, then what is wrong and what to do."""
    from engine.submission.problems import HEADINGS, column_label
    from engine.submission.rules import NOTHING

    first = group[0]
    rows = sorted(problem.row for problem in group if problem.row is not None)
    places = [column_label(first.column)] if first.column else []
    if rows:
        listed = ", ".join(str(row) for row in rows[:SHOWN_ROWS])
        more = f" and {len(rows) - SHOWN_ROWS:,} more" if len(rows) > SHOWN_ROWS else ""
        places.append(f"{'rows' if len(rows) > 1 else 'row'} {listed}{more}")
    head = f"{HEADINGS[first.severity]}: {', '.join(places) or 'the file'}"
    texts = (head, f"{first.found} {first.repair}".removesuffix(f" {NOTHING}"))
    return [
        line
        for text, indent in zip(texts, ("", "  "), strict=True)
        for line in textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent="  ")
    ]
