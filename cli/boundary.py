"""Where errors end: a message and an exit code, never a traceback and never a person's data.

The text of an unexpected exception may quote a cell, so it is not shown. What is shown is the kind
of the exception and the lines of our own code that it came through, which is what a report needs.
"""

from __future__ import annotations

import errno
import functools
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn, ParamSpec

P = ParamSpec("P")

HOME = Path(__file__).resolve().parent.parent
INTERNAL, STORAGE, ACCESS, INTERRUPTED, TERMINATED = 70, 74, 77, 130, 143


def guarded(command: Callable[P, None], folder: str = "") -> Callable[P, None]:
    """Return the command with every way it can fail turned into a message and an exit code.

    Parameters
    ----------
    command : callable
        The body of a subcommand. Its signature is kept, because the options are read from it.
    folder : str
        Of a command that goes on after a stop: the parameter that names the folder where it is.

    Returns
    -------
    callable
        Exit codes: 0, those of the project's errors, 70 unexpected, 74 storage or memory,
        77 permission, 130 interrupted, 143 terminated.
    """

    @functools.wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> None:
        from engine.errors import JusticeLabError

        try:
            with _signals_served():
                command(*args, **options)
                sys.stdout.flush()
        except JusticeLabError as error:
            _stop(str(error), error.exit_code)
        except KeyboardInterrupt:
            _stop(_interrupted(options.get(folder)), INTERRUPTED)
        except BrokenPipeError:
            # the reader of our output has gone; a second failure at shutdown would print
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(STORAGE)
        except MemoryError:
            _stop(
                "There is not enough memory. Close other programs, or use fewer columns.", STORAGE
            )
        except PermissionError:
            _stop("A file or folder may not be read or written by this user.", ACCESS)
        except OSError as error:
            # the text of an error number names no file and no value
            reason = os.strerror(error.errno) if error.errno else "unknown reason"
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            _stop(
                f"Reading or writing failed: {reason}."
                + (" Free some space and run again." if full else ""),
                STORAGE,
            )
        except Exception as error:  # noqa: BLE001 - the last line: nothing may pass it
            _stop(incident(error), INTERNAL)

    return run


def resumable(folder: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Return what guards a command that goes on after a stop, see :func:`guarded`."""
    return functools.partial(guarded, folder=folder)


def _interrupted(folder: object) -> str:
    """Return the message after Ctrl-C, with what the same command would start from."""
    from engine.kept import has_kept

    if not isinstance(folder, Path):
        return "Interrupted."
    if has_kept(folder):
        return "Interrupted. What was finished is kept: run the same command to go on."
    return "Interrupted. Nothing was kept yet: the same command starts from the beginning."


def incident(error: BaseException) -> str:
    """Return the message for an exception nobody expected: an id, its kind, our lines."""
    lines = []
    trace = error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(HOME) and not any(part.startswith(".venv") for part in path.parts):
            lines.append(f"{path.relative_to(HOME)}:{trace.tb_lineno}")
        trace = trace.tb_next
    return (
        f"Internal error (incident {secrets.token_hex(4)}): {type(error).__name__} at "
        f"{' > '.join(lines[-4:]) or 'an unknown line'}. This is a fault of the program. "
        "Please report this line as it stands; it holds no data."
    )


def _stop(message: str, code: int) -> NoReturn:
    """Write the message to stderr and leave with the code."""
    sys.stderr.write(f"justicelab: {message}\n")
    sys.exit(code)


@contextmanager
def _signals_served() -> Iterator[None]:
    """Leave with 143 on SIGTERM; leave at once on a second signal of either kind.

    A library that waits for a result may turn what the signal raises into an error of its own; it
    is a signal all the same.
    """
    served: list[int] = []

    def terminate(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, at_once)
        served.append(number)
        _stop("Terminated.", TERMINATED)

    def interrupt(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, at_once)
        served.append(number)
        raise KeyboardInterrupt

    def at_once(number: int, _frame: FrameType | None) -> None:
        os._exit(128 + number)

    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception:
        if signal.SIGTERM in served:
            sys.exit(TERMINATED)
        if served:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before:
            signal.signal(number, handler)
