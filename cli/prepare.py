"""``justicelab prepare``: national records made into the store that every study reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.boundary import resumable

if TYPE_CHECKING:
    from engine.store.prepare import PreparedStore


@resumable("store")
def prepare(
    extract: Annotated[
        Path,
        typer.Argument(metavar="EXTRACT", help="Folder of the extract.", show_default=False),
    ],
    store: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder of the store.", show_default=False),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest instead.")] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Threads to use; the store does not depend on it.",
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
    link_model: Annotated[
        Path | None,
        typer.Option(
            metavar="JSON",
            help="A linkage model of the person matching service, as Splink saved it.",
            show_default="(fixed shares)",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No messages, only the result.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look at the files only and print what they hold.")
    ] = False,
) -> None:
    """Check national records and prepare the store, once, or renew it.

    A store that is there is renewed: people whose records did not change are kept. If the run
    breaks off, the old store stays, and the next run goes on.

    Example: justicelab prepare records-2026 --store store
    """
    from cli.progress import progress_bar
    from engine.memory import database_memory, parse_ceiling

    if dry_run:
        _show(extract)
        return
    with progress_bar(quiet=quiet) as progress:
        from engine.store.prepare import prepare as prepare_store
        from engine.warm_up import processors, set_threads

        count = threads if threads is not None else processors()
        set_threads(count)
        result = prepare_store(
            extract,
            store,
            threads=count,
            memory_bytes=database_memory(None),
            ceiling=parse_ceiling(memory),
            link_model=link_model,
            progress=progress,
        )
    if as_json:
        import json

        typer.echo(json.dumps(result.manifest, indent=1))
    else:
        typer.echo(as_text(result), nl=False)
    if not quiet:
        for note in result.drift:
            typer.echo(f"Note: {note}", err=True)
        set_aside = sum(result.report.set_aside.values())
        if set_aside:
            typer.echo(
                f"Note: {set_aside:,} rows were set aside; "
                f"'justicelab check-extract {extract.name}' says why.",
                err=True,
            )
        typer.echo(f"The store is {store}.", err=True)


def as_text(result: PreparedStore) -> str:
    """Return what the store holds as a short table."""
    years = result.manifest["years"]
    known = {year: counts for year, counts in years.items() if year != "0"}
    included = sum(counts["included"] for counts in known.values())
    made_up = ", made up" if result.manifest["synthetic"] else ""
    facts = (
        ("extract of", result.manifest["extract_date"]),
        ("last index date", result.manifest["last_index_date"]),
        ("people", f"{result.report.rows['person_profile']:,}{made_up}"),
        ("offences", f"{result.report.rows['offences']:,}"),
        ("disposals", f"{result.report.rows['disposals']:,}"),
        ("index disposals", f"{included:,}"),
        ("years", f"{min(known)} to {max(known)}" if known else "-"),
        ("partitions", f"{result.rebuilt} made, {result.reused} kept"),
    )
    return "".join(f"{name:<18}{value}\n" for name, value in facts)


def _show(extract: Path) -> None:
    """Print the tables and their rows from the footers alone."""
    from engine.records.checking import CheckReport, refuse
    from engine.records.extract import open_extract

    opened, problems = open_extract(extract)
    rows = {name: files.rows for name, files in opened.tables.items()}
    typer.echo("".join(f"{name:<26}{n:>14,}\n" for name, n in rows.items()), nl=False)
    refuse(CheckReport(opened, tuple(problems), rows, {}, None))
    typer.echo("Nothing was read or written beyond the footers of the files.", err=True)
