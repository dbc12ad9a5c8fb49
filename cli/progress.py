"""A progress bar with the time left, on a terminal, for anything that takes over two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress


class Report(Protocol):
    """Shows progress."""

    def __call__(self, stage: str, fraction: float, note: str = "", /) -> None:
        """Take the name of a stage, the share of it that is done, and what is known so far."""


SILENT_SECONDS = 2.0
"""A job shorter than this shows no bar."""


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Report | None]:
    """Yield the function that reports progress, or None where nobody would see it.

    Parameters
    ----------
    quiet : bool
        The user asked for no messages.

    Yields
    ------
    callable or None
        Takes the name of a stage and the share of it that is done, in [0, 1].
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    begun = time.monotonic()
    bars: list[Progress] = []

    def report(stage: str, fraction: float, note: str = "", /) -> None:
        if not bars:
            if time.monotonic() - begun < SILENT_SECONDS:
                return
            bars.append(_start())
        (task,) = bars[0].tasks
        if task.description != stage:  # the time left is that of the stage
            bars[0].reset(task.id, description=stage)
        bars[0].update(task.id, completed=min(max(fraction, 0.0), 1.0), note=note)

    try:
        yield report
    finally:
        for bar in bars:
            bar.stop()


def noting(report: Report | None, note: str) -> Report:
    """Return a reporter that writes a note once the table has been read and nothing is refused.

    Parameters
    ----------
    report : callable or None
        What shows the progress, if anything does.
    note : str
        Written to stderr.

    Returns
    -------
    callable
        Takes the name of a stage and the share of it that is done, in [0, 1].
    """
    waiting = [note]

    def tell(stage: str, fraction: float, note: str = "", /) -> None:
        if waiting and stage != "read":
            sys.stderr.write(f"Note: {waiting.pop()}\n")
            sys.stderr.flush()
        if report is not None:
            report(stage, fraction, note)

    return tell


def _start() -> Progress:
    """Show an empty bar that disappears when it stops."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    bar.add_task("", total=1.0, note="")
    return bar
