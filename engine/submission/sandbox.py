"""Files of strangers are opened in a process of its own, with limits on memory, time and files.

The process can write no file, leaves no core dump and says nothing but its answer: texts of cells
as JSON, or the key of a rule. Whatever kills it, from a bomb to a fault in a library, becomes a
refusal here.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.errors import ConfigurationError

SECONDS = 10.0
"""Longest time for one file, of the clock and of the processor."""

MEMORY = 768 << 20
"""Bytes that reading one file may take; with the program itself that is below 1 GiB."""

LONGEST_ANSWER = 512 << 20
START_SECONDS = 60.0
_HOME = Path(__file__).resolve().parents[2]
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from engine.submission.worker import serve; serve()"
)


class Sandbox:
    """A process that reads files, started when the first is asked for and reused for the next.

    Parameters
    ----------
    seconds : float
        Limit for one file, > 0.
    memory : int
        Limit in bytes for one file, > 0.

    Notes
    -----
    A class, because a process is a thing with a beginning and an end: use it in a ``with``.
    """

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.seconds = seconds
        self.memory = memory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def process_id(self) -> int | None:
        """Number of the process, None where none runs."""
        return self._process.pid if self._process else None

    def read(self, path: Path) -> dict[str, Any]:
        """Read one file.

        Parameters
        ----------
        path : pathlib.Path
            A regular file.

        Returns
        -------
        dict
            ``grids`` and ``notes`` of :func:`engine.submission.reading.read_grids`; or ``rule``,
            why the file is refused.
        """
        process = self._running()
        request = json.dumps({"path": os.fsencode(path.absolute()).hex()})
        answer = None
        with contextlib.suppress(BrokenPipeError):
            assert process.stdin is not None
            process.stdin.write(request.encode() + b"\n")
            process.stdin.flush()
            answer = _line(process, self.seconds)
        if answer is None:
            self.close()
            return {"rule": "too_much_to_read"}
        content: dict[str, Any] = json.loads(answer)
        return content

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the process; start one where none runs."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        environment = {
            "LANG": "C.UTF-8",
            "OPENBLAS_NUM_THREADS": "1",
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            "MALLOC_ARENA_MAX": "2",
        }
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [
                *(sys.executable, "-I", "-B", "-c", _CODE, str(_HOME)),
                *(str(self.memory), str(max(int(self.seconds), 1))),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        if _line(self._process, START_SECONDS) != b"ready":
            self.close()
            raise ConfigurationError(
                "the process that reads files could not be started",
                rule="files of strangers are read in a process with limits",
                repair="Check the installation: bin/justicelab makes a new one",
            )
        return self._process


def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """Return the next line of the answer; None where it ends, is too long or does not come."""
    assert process.stdout is not None
    handle = process.stdout.fileno()
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                break
            part = os.read(handle, 1 << 20)
            parts.append(part)
            size += len(part)
            if not part or size > LONGEST_ANSWER:
                return None
            if part.endswith(b"\n"):
                return b"".join(parts)[:-1]
    return None
