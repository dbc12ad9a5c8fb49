"""Where the command ``justicelab`` begins: before anything is loaded that takes time.

Loading takes a few tenths of a second. Who presses Ctrl-C in them gets the same exit code as later
and no traceback; and a stream that the caller has closed is opened on nothing, so that no output
file takes its place and receives what was meant for the terminal.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130


def run() -> None:
    """Make streams and signals safe, then load and start the command."""
    signal.signal(signal.SIGINT, _leave)
    open_closed_streams()
    from cli.main import run as run_command

    run_command()


def open_closed_streams() -> None:
    """Open stdin, stdout and stderr on nothing where the caller has closed them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False, encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False, encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False, encoding="utf-8")


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Leave at once: nothing has begun."""
    os._exit(INTERRUPTED)
