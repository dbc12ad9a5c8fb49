"""The file of a submission on the command line: ``check FILE``, but ``run --submission FILE``."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class WithSubmission(TyperCommand):
    """A command that takes its file by an option, as others stand beside it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse a file without its option by naming the option and not the file."""
        ctx.allow_extra_args = True
        left = super().parse_args(ctx, args)
        if left:
            ctx.fail("A file stands without its option. Write it as --submission FILE.")
        return left
