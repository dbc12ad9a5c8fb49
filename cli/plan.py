"""``justicelab plan``: write a plan with every default and a comment on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.boundary import guarded


@guarded
def plan(
    *,
    out: Annotated[
        Path,
        typer.Option(help="The new file, such as plan.toml.", metavar="TOML", show_default=False),
    ],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No messages.")] = False,
) -> None:
    """Write a plan of a study to change and to give to 'justicelab run'."""
    from engine.plan.writing import plan_text
    from engine.submission.workbook import write_new_file

    write_new_file(out, plan_text().encode())
    if not quiet:
        typer.echo(
            f"Written to {out}. Change it, then run: justicelab run --plan {out} --submission FILE "
            "--store DIR --out DIR",
            err=True,
        )
