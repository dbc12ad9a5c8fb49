"""``justicelab run``: a study from submission to release pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.boundary import guarded
from cli.progress import progress_bar

if TYPE_CHECKING:
    from engine.study import Study


@guarded
def run(
    *,
    submission: Annotated[
        Path, typer.Option(help="The sender's file: xlsx, ods, csv or Parquet.", show_default=False)
    ],
    store: Annotated[
        Path, typer.Option(help="A prepared store.", metavar="DIR", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the study; absent, empty or an earlier study.",
            metavar="DIR",
            show_default=False,
        ),
    ],
    plan: Annotated[
        Path | None, typer.Option(help="The plan, see 'justicelab plan'.", metavar="TOML")
    ] = None,
    description: Annotated[
        Path | None,
        typer.Option(help="A workbook with the filled sheet 'Description', if there is none."),
    ] = None,
    date_order: Annotated[
        Literal["day", "month"] | None,
        typer.Option(help="What comes first in dates such as 03/04/2020, if not the day."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; results do not depend on them.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No messages.")] = False,
) -> None:
    """Run a study: link, match, judge the match, and only then look at reoffending.

    DIR/private holds exact results and stays where it is; DIR/release holds what may be handed
    over. A run that broke off goes on where it was when the same command is given again.
    """
    from engine import study

    if threads is not None:
        import numba

        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    with progress_bar(quiet=quiet) as report:
        found = study.run(
            submission,
            store,
            out,
            plan=plan,
            description=description,
            order=date_order,
            progress=report,
        )
    if as_json:
        import json

        typer.echo(json.dumps(found.released.results))
    else:
        typer.echo("\n".join(_lines(found)))
    if not quiet:
        typer.echo(f"The release pack is in {out / 'release'}.", err=True)


def _lines(found: Study) -> list[str]:
    """Return the verdict of each analysis, rounded as in the release pack."""
    results = found.released.results
    lines = [f"Verdict    {results['headline']['verdict'].replace('_', ' ')}"]
    for one in results["analyses"]:
        counts = one["counts"]
        people = f"{counts['treated_matched']:,}" if counts["treated_matched"] else "-"
        text = f"{one['label']}: {(one['verdict'] or one['why_not']).replace('_', ' ')}"
        rate = one["measures"][0] if one["measures"] else None
        if rate is not None and not rate["withheld"]:
            text += (
                f", {rate['treated']} against {rate['comparison']} in every 100 "
                f"({rate['ci_low']} to {rate['ci_high']})"
            )
        lines.append(f"{people:>10} {text}")
    return lines
