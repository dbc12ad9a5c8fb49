"""The command ``justicelab``: one file for each subcommand, nothing heavy before one runs."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from cli.batch import batch
from cli.bootstrap import bootstrap, collect
from cli.check import check
from cli.check_extract import check_extract
from cli.demo import demo
from cli.link import link
from cli.match import match
from cli.plan import plan
from cli.power import power
from cli.prepare import prepare
from cli.run import run as run_study
from cli.submission import WithSubmission
from cli.synth import synth
from cli.template import template
from cli.warm_up import warm_up

app = typer.Typer(
    name="justicelab",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Documentation: README.md and the folder docs",
)
app.command()(demo)
app.command()(template)
app.command()(check)
app.command()(plan)
app.command(name="run", cls=WithSubmission)(run_study)
app.command()(batch)
app.command()(link)
app.command()(match)
app.command()(power)
app.command()(bootstrap)
app.command()(collect)
app.command(name="check-extract")(check_extract)
app.command()(prepare)
app.command()(synth)
app.command(name="warm-up")(warm_up)


def _print_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"justicelab {version('justicelab')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Matched comparison groups for services that work with people who offend."""


def run() -> None:
    """Start the command: close files to everybody else, check the installation, parse."""
    os.umask(0o077)
    foreign = foreign_packages()
    if foreign:
        # engine.errors may be the foreign one, so this message is written without it
        sys.stderr.write(
            f"justicelab: another package named {' and '.join(map(repr, foreign))} stands in the "
            "place of this project's own. Rule: justicelab has an environment of its own. "
            "Install it into a new one, or start it with bin/justicelab.\n"
        )
        sys.exit(78)
    app(prog_name="justicelab")


def foreign_packages() -> list[str]:
    """Return which of our top-level names lead to somebody else's package.

    ``engine`` and ``kernels`` are common names; another distribution that installs one of them
    would be imported in place of ours.
    """
    home = Path(__file__).resolve().parent.parent
    foreign = []
    for name in ("engine", "kernels"):
        spec = find_spec(name)
        places = list(spec.submodule_search_locations or []) if spec else []
        if not places or Path(places[0]).resolve().parent != home:
            foreign.append(name)
    return foreign


if __name__ == "__main__":
    run()
