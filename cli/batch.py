"""``justicelab batch``: many studies of one store, and what they say together."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.boundary import resumable

if TYPE_CHECKING:
    from engine.batch import Batch

_FAILED = 65


@resumable("out")
def batch(
    plans: Annotated[
        list[Path],
        typer.Argument(
            metavar="PLANS...",
            help="Plans that name their submissions; a study is called like its plan.",
            show_default=False,
        ),
    ],
    *,
    store: Annotated[
        Path, typer.Option(metavar="DIR", help="A prepared store.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder of the batch to write.", show_default=False
        ),
    ],
    previous: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="An earlier batch; tells what has changed since.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Processes to use, each for a study at a time.",
            show_default="one with all threads",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do this share of the studies only, beside other processes; then: --collect.",
            show_default=False,
        ),
    ] = None,
    collect: Annotated[
        bool,
        typer.Option("--collect", help="Run no study; write what those of all shares say."),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Use a Dask cluster, such as tcp://host:8786; 'local' starts one here.",
            show_default=False,
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="Heading of the index page.")] = "Studies of services",
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Threads to use; results do not depend on it.",
            show_default="all cores",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Ceiling on memory of all processes together, such as 4GB; refused at once where "
            "it is too low.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print batch.json instead.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No messages, only the result.")
    ] = False,
) -> None:
    """Run a study for each plan; run again to go on after a stop, or after a plan has changed.

    DIR/studies holds the studies, each as 'justicelab run' makes it; DIR/index.html, summary.csv
    and the other files beside it tell what was released of all of them.

    Example: justicelab batch plans/*.toml --store store --out batch
    """
    from cli.progress import progress_bar
    from engine.memory import database_memory, parse_ceiling

    ceiling = parse_ceiling(memory)
    with progress_bar(quiet=quiet) as progress:
        from engine.batch import batch as run_batch
        from engine.batch_work import Options
        from engine.warm_up import set_threads

        if threads is not None:
            set_threads(threads)
        found = run_batch(
            plans,
            store,
            out,
            previous=previous,
            workers=workers,
            scheduler=scheduler,
            share=shard,
            collect=collect,
            title=title,
            options=Options(memory_bytes=database_memory(None), ceiling=ceiling),
            progress=progress,
            tell=None if quiet else _tell,
        )
    if found is None:
        if not quiet:
            _tell(f"Share {shard} is done. When all are, run the batch with --collect.")
        return
    if as_json:
        typer.echo((out / "batch.json").read_text(encoding="utf-8"), nl=False)
    else:
        typer.echo(as_text(found), nl=False)
    if not quiet:
        for warning in found.warnings:
            _tell(f"Careful: {warning}")
        for name, message in found.failed.items():
            _tell(f"{name}: {message}")
        _tell(f"All studies are listed in {out / 'index.html'}.")
    if found.failed:
        sys.exit(_FAILED)


def as_text(found: Batch) -> str:
    """Return a line for each study, rounded as in the release folders."""
    lines = [f"{'people':>8}  {'in every 100':>14}  {'difference':>12}  study"]
    for row in found.rows:
        pair, gap = "-", "-"
        if row["comparison"] is not None and row["treated"] is not None:
            pair = f"{row['treated']:g} : {row['comparison']:g}"
        if row["ci_low"] is not None:
            gap = f"{row['ci_low']:g} to {row['ci_high']:g}"
        people = "-" if row["people"] is None else f"{row['people']:,.0f}"
        told = row["verdict"].replace("_", " ")
        lines.append(f"{people:>8}  {pair:>14}  {gap:>12}  {row['study']}: {told}")
    lines += [f"{'-':>8}  {'-':>14}  {'-':>12}  {name}: failed" for name in found.failed]
    return "\n".join(lines) + "\n"


def _tell(text: str) -> None:
    typer.echo(text, err=True)
