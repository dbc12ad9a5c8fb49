"""A stopwatch of CPU and wall seconds by part, and the peak memory of a piece of work."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Stopwatch:
    """Adds up CPU seconds (of all threads) and wall seconds of named parts.

    Attributes
    ----------
    parts : dict
        Part to (CPU seconds, wall seconds), in the order in which parts began.
    """

    def __init__(self) -> None:
        self.parts: dict[str, tuple[float, float]] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Time the body as a part; parts of one name add up."""
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            before = self.parts.get(part, (0.0, 0.0))
            spent = (time.process_time() - cpu, time.perf_counter() - wall)
            self.parts[part] = (before[0] + spent[0], before[1] + spent[1])


def _status_bytes(field: str) -> int | None:
    """Return a memory field of this process as Linux reports it, None elsewhere."""
    try:
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def begin_peak() -> int | None:
    """Forget the peak so far and return the memory in use now, None where that cannot be done."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return None
    return _status_bytes("VmRSS")


def peak_above(begun: int | None) -> int | None:
    """Return the peak since :func:`begin_peak` above the memory in use then."""
    peak = _status_bytes("VmHWM")
    return None if begun is None or peak is None else peak - begun
