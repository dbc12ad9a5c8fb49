"""``justicelab warm-up``: compile everything now, so that no later run waits for it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.boundary import guarded


@guarded
def warm_up(
    *, quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No messages.")] = False
) -> None:
    """Compile the kernels into the private cache (once for each version and processor)."""
    from cli.progress import progress_bar
    from engine.warm_up import warm_up as compile_kernels

    with progress_bar(quiet=quiet) as progress:
        compile_kernels(progress)
    if not quiet:
        typer.echo("The kernels are compiled.", err=True)
