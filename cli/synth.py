"""``justicelab synth``: a synthetic nation to try everything on, whose true effects are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.boundary import guarded

if TYPE_CHECKING:
    from engine.records.synthetic.calibration import Comparison
    from engine.records.synthetic.nation import Nation

_DIGITS = 12
"""Of the longest number that is looked at."""


@guarded
def synth(
    *,
    people: Annotated[
        str, typer.Option(metavar="N", help="People in the records.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder to write, new or empty.", show_default=False),
    ],
    seed: Annotated[
        int, typer.Option(metavar="S", min=0, help="The same seed gives the same files.")
    ] = 0,
    years: Annotated[
        str, typer.Option(metavar="A-B", help="First and last year of index dates.")
    ] = "2004-2024",
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Threads to use; the files do not depend on it.",
            show_default="all cores",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the calibration as JSON instead.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No messages, only the result.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; name the submissions.")
    ] = False,
) -> None:
    """Make invented national records, submissions with known effects, and the truth about them.

    Careers follow the published statistics of proven reoffending; calibration.json
    puts the two side by side, and what lies outside the tolerance is printed.

    Example: justicelab synth --people 20000 --out nation --seed 1
    """
    from cli.progress import progress_bar

    span, size = _span(years), _people(people)
    if dry_run:
        from engine.records.synthetic.nation import planned

        typer.echo(_planned(planned(size, seed=seed, years=span)), nl=False)
        return
    with progress_bar(quiet=quiet) as progress:
        from engine.records.synthetic.nation import synthesise
        from engine.warm_up import processors, set_threads

        count = threads if threads is not None else processors()
        set_threads(count)
        nation = synthesise(size, out, seed=seed, years=span, threads=count, progress=progress)
    if as_json:
        typer.echo((out / "calibration.json").read_text(encoding="utf-8"), nl=False)
    else:
        typer.echo(as_text(nation), nl=False)
    if not quiet:
        for one in nation.effects["skipped"]:
            typer.echo(f"Note: no submission {one['name']}: {one['reason']}.", err=True)
        typer.echo(f"The records are {out / 'extract'}.", err=True)


def _people(text: str) -> int:
    """Return the number of people."""
    from engine.errors import UsageError

    if not (text.isascii() and text.isdigit() and int(text[:_DIGITS]) > 0 and len(text) <= _DIGITS):
        raise UsageError(
            "--people is no number of people",
            rule="a whole number from 1 on, in digits alone",
            repair="Write it as 60000",
        )
    return int(text)


def _span(text: str) -> tuple[int, int]:
    """Return the first and the last year."""
    from engine.errors import UsageError

    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and len(text) < 12):
        raise UsageError("--years is not a range of years", repair="Write it as 2004-2024")
    return int(first), int(last)


def _planned(names: tuple[tuple[str, int, bool], ...]) -> str:
    """Return one line for each submission."""
    return "".join(
        f"{name:<34}{size:>8,}  {'made' if made else 'skipped: over 5 % of the people'}\n"
        for name, size, made in names
    )


def as_text(nation: Nation) -> str:
    """Return tables, calibration and submissions as plain text."""
    lines = [f"{'table':<50}{'rows':>14}"]
    lines += [f"{name:<50}{rows:>14,}" for name, rows in nation.rows.items() if rows]
    lines += _calibration(nation.calibration)
    lines += ["", f"{'submission':<34}{'rows':>8}{'true effect on the rate':>26}"]
    for one in nation.effects["submissions"]:
        points = 100.0 * (one["effect_on_rate"] or 0.0)
        lines.append(f"{one['name']:<34}{one['submitted']:>8,}{points:>19.1f} points")
    return "\n".join(lines) + "\n"


def _calibration(compared: Sequence[Comparison]) -> list[str]:
    """Return how many published figures are met, and a line for each that is not."""
    if not compared:
        return []
    met = [one for one in compared if one.gap <= one.tolerance]
    missed = [one for one in compared if not one.within]
    by_chance = len(compared) - len(met) - len(missed)
    counts = (
        ("within the tolerance", len(met)),
        ("outside, as chance alone may explain with so few people", by_chance),
        ("missed", len(missed)),
    )
    lines = ["", f"{'calibration (each figure: calibration.json)':<58}{'figures':>10}"]
    lines += [f"{name:<58}{count:>10}" for name, count in counts]
    if missed:
        lines.append("")
        lines.append(
            f"{'missed':<58}{'published':>10}{'synthetic':>10}{'tolerance':>10}{'noise':>8}"
        )
    for line in missed:
        name = f"{line.figure}{' (assumed)' if line.assumed else ''}"
        lines.append(
            f"{name:<58}{line.published:>10.2f}{line.synthetic:>10.2f}"
            f"{line.tolerance:>10.2f}{line.noise:>8.2f}"
        )
    return lines
