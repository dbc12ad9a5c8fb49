"""``justicelab demo``: the whole job on a nation that does not exist, ending in reports to read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.boundary import resumable

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.demo import Demo

FOLDER = Path("justicelab-demo")


@resumable("out")
def demo(
    *,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Folder: new, empty or an earlier demo."),
    ] = FOLDER,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open the page in a browser.")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Threads to use; the result does not depend on it.",
            show_default="all cores",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No messages, only the result.")
    ] = False,
) -> None:
    """Show the whole job on made-up people: three services, three studies, three reports.

    One service works, one changes nothing, one takes people too different to judge. It takes a
    minute or two. A demo that broke off goes on where it was.

    Example: justicelab demo
    """
    from cli.progress import progress_bar

    with progress_bar(quiet=quiet) as bar:
        from engine.demo import demo as run_demo
        from engine.warm_up import set_threads

        if threads is not None:
            set_threads(threads)
        made = run_demo(out, progress=bar if quiet or bar is not None else _lines())
    if as_json:
        from engine.release.encoding import json_bytes

        typer.echo(json_bytes(as_object(made)).decode(), nl=False)
    else:
        typer.echo(as_text(made), nl=False)
    if not quiet:
        typer.echo(f"The reports are listed in {made.page}.", err=True)
    if not (no_open or as_json or quiet) and has_browser():
        import webbrowser

        webbrowser.open(made.page.resolve().as_uri())


def has_browser() -> bool:
    """Whether somebody sits at a terminal of a screen that can show a browser."""
    if os.environ.get("CI") or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    # without a screen, a browser in text mode would take over the terminal
    return sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _lines() -> Callable[[str, float, str], None]:
    """Return what writes a line for each stage, where no bar can be shown."""
    told: list[str] = []

    def tell(stage: str, _share: float, _part: str) -> None:
        if stage not in told:
            told.append(stage)
            typer.echo(stage, err=True)

    return tell


def as_object(made: Demo) -> dict[str, object]:
    """Return paths, truths and released results for another program."""
    return {
        "page": str(made.page),
        "studies": [
            {
                "service": one.service.name,
                "report": str(one.report),
                "true_effect_on_rate": one.true_effect,
                "results": one.results,
            }
            for one in made.studies
        ],
    }


def as_text(made: Demo) -> str:
    """Return a line for each service: what its report says, and what is true."""
    head = f"{'service':<16}{'people':>7}  {'verdict':<21}{'took part':>9}{'others':>8}"
    lines = [f"{head}{'gap':>5}  {'interval':<10}{'truth':>6}"]
    for one in made.studies:
        first = one.results["analyses"][0]
        people = first["counts"]["treated_matched"]
        rate = first["measures"][0] if first["measures"] else {}
        gap = "" if rate.get("ci_low") is None else f"{rate['ci_low']} to {rate['ci_high']}"
        lines.append(
            f"{one.service.title:<16}{_cell(people):>7}  {first['verdict'].replace('_', ' '):<21}"
            f"{_cell(rate.get('treated')):>9}{_cell(rate.get('comparison')):>8}"
            f"{_cell(rate.get('difference')):>5}  {gap or '-':<10}{100 * one.true_effect:>6.1f}"
        )
    lines.append("Reoffenders in every 100 people, with 95% interval of the gap.")
    return "\n".join(lines) + "\n"


def _cell(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
