"""``justicelab bootstrap`` and ``collect``: resumable resampling of a finished match or study."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.boundary import guarded, resumable

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        readable=False,
        help="Folder of a finished match or study.",
        show_default=False,
    ),
]
Replicates = Annotated[
    int, typer.Option(metavar="B", min=1, help="Replicates.", show_default=False)
]
Kind = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="auto (by the design of the match), wild, weighted, set, subsample or refit.",
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        readable=False,
        help="The table of the match, byte for byte; set and refit need it.",
        show_default=False,
    ),
]
Store = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        readable=False,
        help="The store of the study; set and refit need it.",
        show_default=False,
    ),
]
Strata = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Keep the numbers of people drawn in each arm, or in each exact cell of each arm: "
        "arm or exact.",
    ),
]
Seed = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Seed.", show_default="that of the match")
]
Level = Annotated[float, typer.Option(help="Confidence level.")]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Ceiling on memory of all processes together, such as 4GB.",
        show_default="none",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print bootstrap.json instead.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No messages, only the result.")]


@resumable("folder")
def bootstrap(
    folder: Folder,
    *,
    replicates: Replicates,
    kind: Kind = "auto",
    table: Table = None,
    store: Store = None,
    strata: Strata = "arm",
    seed: Seed = None,
    level: Level = 0.95,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Only go on with a job that was started; refuse a new one."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Processes to use.", show_default="one with all threads"
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Compute this share only, beside other processes; then: justicelab collect.",
            show_default=False,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Use a Dask cluster, such as tcp://host:8786; 'local' starts one here.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Threads to use; results do not depend on it.",
            show_default="all cores",
        ),
    ] = None,
    memory: Memory = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the match and print what would be done.")
    ] = False,
) -> None:
    """Resample a finished match or study.

    Run it again to go on after a stop, or with a larger B for more replicates.

    Example: justicelab bootstrap matched --replicates 1999
    """
    from cli.progress import noting, progress_bar
    from engine.jobs.bootstrap import Asked, show_plan
    from engine.jobs.bootstrap import bootstrap as run_job
    from engine.memory import parse_ceiling
    from engine.warm_up import compile_note, set_threads

    asked = Asked(
        replicates, kind, seed, level, _text(table), _text(store), strata, parse_ceiling(memory)
    )
    if dry_run:
        _show(show_plan(folder, asked), as_json=as_json)
        return
    if threads is not None:
        set_threads(threads)
    with progress_bar(quiet=quiet) as progress:
        if not quiet and (note := compile_note()):
            progress = noting(progress, note)
        content = run_job(
            folder,
            asked,
            resume=resume,
            workers=workers,
            scheduler=scheduler,
            share=shard,
            progress=progress,
            tell=None if quiet else _tell,
        )
    if content is not None:
        _print(content, as_json=as_json, quiet=quiet)
    elif not quiet:
        more = "" if strata == "arm" else f" --strata {strata}"
        _tell(
            f"Share {shard} is done. When all are: "
            f"justicelab collect {folder} --replicates {replicates} --kind {kind}{more}, with the "
            "other options that the shares had"
        )


@guarded
def collect(
    folder: Folder,
    *,
    replicates: Replicates,
    kind: Kind = "auto",
    table: Table = None,
    store: Store = None,
    strata: Strata = "arm",
    seed: Seed = None,
    level: Level = 0.95,
    memory: Memory = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make the intervals of a bootstrap whose shares ran apart; refuse if one is missing.

    Example: justicelab collect matched --replicates 1999
    """
    from engine.jobs.bootstrap import Asked
    from engine.jobs.bootstrap import collect as collect_shares
    from engine.memory import parse_ceiling

    asked = Asked(
        replicates, kind, seed, level, _text(table), _text(store), strata, parse_ceiling(memory)
    )
    _print(collect_shares(folder, asked), as_json=as_json, quiet=quiet)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _tell(note: str) -> None:
    from cli.summary import message

    typer.echo(message(note, sys.stderr), err=True)


def _print(content: Mapping[str, Any], *, as_json: bool, quiet: bool) -> None:
    """Print a short table, or everything as JSON; what to keep in mind goes to stderr."""
    if as_json:
        from engine.release.encoding import json_bytes

        typer.echo(json_bytes(content).decode(), nl=False)
        return
    resampling = content["resampling"]
    lines = [f"{resampling['method']}, {resampling['replicates']:,} replicates"]
    lines += _of_study(content) if "measures" in content else _of_match(content)
    for line in lines:
        typer.echo("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line))
    if not quiet:
        for note in (resampling["why"], *content["notes"]):
            _tell(f"Note: {note}")


def _of_match(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the intervals of each outcome, exact; none is to be read of a kind not valid here."""
    valid = content["resampling"]["valid"]
    for one in content["estimates"]:
        yield f"{one['outcome']}: {one['measure']} {_figure(one['difference'])}"
        rows = [("main interval", one["main"]["ci_low"], one["main"]["ci_high"])]
        for limits in one["intervals"]:
            speaks = " (read this one)" if valid and limits["method"] == one["speaks"] else ""
            rows.append((limits["method"] + speaks, limits["low"], limits["high"]))
        yield from (
            f"  {name:<28}{_figure(low):>12}{_figure(high):>12}" for name, low, high in rows
        )


def _of_study(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the main and the resampled interval of each measure, as they stand in the report."""
    yield f"{'main interval':>16}  {'resampled':>16}  measure"
    for one in content["measures"]:
        own = [limits for limits in one["intervals"] if limits["method"] == one["speaks"]]
        shown = [_range(limits) for limits in (one["main"], *own[:1])]
        yield f"{shown[0]:>16}  {shown[-1]:>16}  {one['label']}"


def _range(limits: Mapping[str, Any]) -> str:
    if limits["ci_low"] is None:
        return "held back"
    return f"{limits['ci_low']:g} to {limits['ci_high']:g}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _show(plan: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(plan, indent=1))
        return
    for name, value in plan.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"{name:<12} {shown}")
    typer.echo("Nothing was computed or written.", err=True)
