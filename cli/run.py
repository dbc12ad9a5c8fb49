"""``justicelab run``: a study from submission to release pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.boundary import resumable

if TYPE_CHECKING:
    from engine.study import Study


@resumable("out")
def run(
    *,
    store: Annotated[
        Path, typer.Option(metavar="DIR", help="A prepared store.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder of the study to write.", show_default=False
        ),
    ],
    submission: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The sender's file.", show_default="what the plan names"),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            metavar="TOML", help="What is asked, see 'justicelab plan'.", show_default="defaults"
        ),
    ] = None,
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
            help="Ceiling on memory, such as 4GB; refused at once where it is too low.",
            show_default="none; the database takes a third of the machine's, at most 4G",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the released results as JSON instead.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No messages, only the result.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check plan, file and store only; write nothing.")
    ] = False,
) -> None:
    """Run a study: link, match, judge the match, and only then look at reoffending.

    DIR/private holds exact results and people and stays where it is; DIR/release holds what may be
    handed over. A run that broke off goes on where it was when the same command is given again.

    Example: justicelab run --submission people.xlsx --store store --out study
    """
    from cli.progress import progress_bar
    from engine.memory import database_memory, parse_ceiling

    ceiling = parse_ceiling(memory)
    if dry_run:
        from engine.study import Linking, plan_run, within_ceiling

        asked, check, opened = plan_run(
            submission, store, out, plan=plan, description=description, order=date_order
        )
        within_ceiling(Linking(ceiling=ceiling), opened, asked, check)
        facts = (
            ("verdict", check.verdict),
            ("rows", f"{check.rows:,}"),
            ("usable", f"{check.usable:,}"),
            ("store of", opened.extract_date.isoformat()),
            ("last index date", opened.last_index_date.isoformat()),
            ("plan", asked.sha256),
        )
        typer.echo("".join(f"{name:<18}{value}\n" for name, value in facts), nl=False)
        return
    with progress_bar(quiet=quiet) as progress:
        from engine.study import Linking
        from engine.study import run as run_study
        from engine.warm_up import set_threads

        if threads is not None:
            set_threads(threads)
        study = run_study(
            submission,
            store,
            out,
            plan=plan,
            description=description,
            order=date_order,
            linking=Linking(decisions, database_memory(None), ceiling=ceiling),
            progress=progress,
        )
    if as_json:
        from engine.release.encoding import json_bytes

        typer.echo(json_bytes(study.released.results).decode(), nl=False)
    else:
        typer.echo(as_text(study), nl=False)
    if not quiet:
        if study.unresolved:
            typer.echo(
                f"Note: rows with possible matches, none of them certain: {study.unresolved:,}. "
                "They count as not found. Fill private/review.xlsx and run again with --decisions.",
                err=True,
            )
        typer.echo(
            f"What may go back to the sender, row by row, is in {out / 'private/for-sender.csv'}.",
            err=True,
        )
        typer.echo(f"What may be handed over is in {out / 'release'}.", err=True)


def as_text(study: Study) -> str:
    """Return the verdict of each analysis, rounded as in the release folder."""
    results = study.released.results
    lines = ["Made-up data: nobody in it exists."] if results["study"]["synthetic"] else []
    lines += [f"{'people':>8}  {results['headline']['verdict'].replace('_', ' ')}"]
    for one in results["analyses"]:
        people = one["counts"]["treated_matched"]
        told = (one["verdict"] or one["why_not"]).replace("_", " ")
        rate = one["measures"][0] if one["measures"] else None
        if rate is not None and not rate["withheld"]:
            told += (
                f", {rate['treated']} against {rate['comparison']} in every 100, "
                f"difference {rate['ci_low']} to {rate['ci_high']}"
            )
        lines.append(f"{'-' if people is None else format(people, ','):>8}  {one['label']}: {told}")
    return "\n".join(lines) + "\n"
