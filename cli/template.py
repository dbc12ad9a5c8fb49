"""``justicelab template``: write the workbook that an organisation fills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.boundary import guarded


@guarded
def template(
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The xlsx file to write; must not exist yet.")
    ],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No messages.")] = False,
) -> None:
    """Write the template of a submission: guidance, people, example, description."""
    from engine.submission.template import template_bytes
    from engine.submission.workbook import write_new_file

    write_new_file(out, template_bytes())
    if not quiet:
        typer.echo(f"Written to {out}. Fill it, then run: justicelab check {out}", err=True)
