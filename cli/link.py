"""``justicelab link``: find the people of a submission and the sentence that each starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.boundary import guarded

if TYPE_CHECKING:
    from engine.link import LinkedCohort
    from engine.store.reading import Store
    from engine.submission.check import Check

NAME_WIDTH, COUNT_WIDTH = 54, 9


@guarded
def link(
    *,
    submission: Annotated[
        Path, typer.Option(metavar="FILE", help="The sender's file.", show_default=False)
    ],
    store: Annotated[Path, typer.Option(metavar="DIR", help="A prepared store.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Private folder to write.", show_default=False
        ),
    ],
    preset: Annotated[
        Literal["standard", "strict", "broad"],
        typer.Option(metavar="NAME", help="How sure a link has to be: standard, strict or broad."),
    ] = "standard",
    decisions: Annotated[
        Path | None,
        typer.Option(metavar="XLSX", help="The filled review.xlsx of an earlier run."),
    ] = None,
    description: Annotated[
        Path | None,
        typer.Option(help="A workbook with the filled sheet 'Description', if FILE has none."),
    ] = None,
    date_order: Annotated[
        Literal["day", "month"] | None,
        typer.Option(help="What comes first in dates such as 03/04/2020, if not the day."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Threads to use; the result does not depend on it.",
            show_default="all cores",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory for the database, such as 4G.",
            show_default="a third of the machine's, at most 4G",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON instead.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No messages, only the result.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and the store only; write nothing.")
    ] = False,
) -> None:
    """Check a submission, find its people in the store, choose the index disposal of each.

    What is printed and written holds exact counts and, in the folder, people: it is for the data
    lab alone. Only for-sender.csv and problems.xlsx may go back to the sender.

    Example: justicelab link --submission people.xlsx --store store --out linked
    """
    from cli.progress import progress_bar
    from engine.memory import database_memory

    size = database_memory(memory)
    if dry_run:
        from engine.link import plan_link

        checked, opened = plan_link(
            submission, store, out, description=description, order=date_order
        )
        typer.echo(_planned(checked, opened), nl=False)
        return
    with progress_bar(quiet=quiet) as progress:
        from engine.link import link as link_submission
        from engine.link import results_of, unresolved

        cohort = link_submission(
            submission,
            store,
            out,
            preset=preset,
            decisions=decisions,
            description=description,
            order=date_order,
            threads=threads,
            memory_bytes=size,
            progress=progress,
        )
    if as_json:
        from engine.release.encoding import json_bytes

        typer.echo(json_bytes(results_of(cohort)).decode(), nl=False)
    else:
        typer.echo(as_text(cohort), nl=False)
    if not quiet:
        for problem in cohort.check.problems:
            if problem.row is None and problem.column is None and problem.severity == "warning":
                typer.echo(f"Note: {problem.found}", err=True)
        waiting = unresolved(cohort)
        if waiting:
            typer.echo(
                f"Note: rows with possible matches, none of them certain: {waiting:,}. They count "
                "as not found. Fill review.xlsx and run again with --decisions.",
                err=True,
            )
        typer.echo(f"Everything is in {out}.", err=True)


def as_text(cohort: LinkedCohort) -> str:
    """Return the attrition as a short table: lost and remaining at each reason that lost anybody.

    Percentages are of the rows submitted.
    """
    from engine.cohort.attrition import percent_text, steps
    from engine.cohort.reasons import REASONS

    text = {reason.code: reason.text for reason in REASONS}
    first, *rest = steps(cohort.account).to_pylist()
    total = first["remaining"]
    head = f"{'':<{NAME_WIDTH}}{'lost':>{COUNT_WIDTH}}{'':>6}{'remaining':>{COUNT_WIDTH + 2}}"
    lines = [head, f"{'submitted':<{NAME_WIDTH}}{'':>{COUNT_WIDTH + 6}}{total:>{COUNT_WIDTH + 2},}"]
    lines += [
        f"{text[line['reason']]:<{NAME_WIDTH}}{line['dropped']:>{COUNT_WIDTH},}"
        f"{percent_text(line['dropped'], total):>6}{line['remaining']:>{COUNT_WIDTH + 2},}"
        for line in rest
        if line["dropped"]
    ]
    left = cohort.account.remaining
    lines.append(
        f"{'with an index disposal':<{NAME_WIDTH}}{'':>{COUNT_WIDTH}}"
        f"{percent_text(left, total):>6}{left:>{COUNT_WIDTH + 2},}"
    )
    return "\n".join(lines) + "\n"


def _planned(check: Check, store: Store) -> str:
    """Return what a run would start from."""
    facts = (
        ("verdict", check.verdict),
        ("rows", f"{check.rows:,}"),
        ("usable", f"{check.usable:,}"),
        ("store of", store.extract_date.isoformat()),
        ("last index date", store.last_index_date.isoformat()),
    )
    return "".join(f"{name:<18}{value}\n" for name, value in facts)
