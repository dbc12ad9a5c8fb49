"""The memory ceiling: what a command may use, what it will use, and a refusal before it starts.

``--memory 4GB`` is a promise about the whole process: its resident memory stays below that. Each
command therefore estimates its peak from what is known before any row is read (footers, manifests,
options), and refuses with that estimate where it does not fit. A command that can work out of core
fits the part that stays resident, and keeps the rest in mapped files (:mod:`engine.spill`).
"""

import contextlib
import ctypes
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from engine.errors import StorageError, UsageError

LEAST = 256 << 20
"""Smallest ceiling that is looked at: Python and the libraries alone take about as much."""
BASE = 448 << 20
"""Resident memory of the process itself: Python, Arrow, DuckDB, kernels, and the buffers that
allocators keep. Measured 190 to 310 MiB over all commands on tables of no size, and up to 430 MiB
where the kernels are compiled on the way."""
MARGIN = 1.1
"""Factor on what grows with the rows: allocators round up, and stages overlap a little."""

_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_MOST_BY_DEFAULT = 4 << 30
KEEPING = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
"""Environment of a process whose allocator keeps what is freed, see :func:`keep_freed_memory`."""
_MALLOPT = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_TOP_PAD_": -2, "MALLOC_MMAP_MAX_": -4}
"""Numbers of the same in glibc's ``mallopt``."""


def parse_ceiling(text: str | None) -> int | None:
    """Return a size such as ``4GB``, ``4G`` or ``512M`` in bytes; None where none was given.

    Parameters
    ----------
    text : str or None
        A number with k, M, G or T, which are powers of 1,024, and perhaps ``B`` or ``iB``.

    Raises
    ------
    UsageError
        The text is no size, has no unit, or is less than 256 MiB; the message says which.
    """
    if text is None:
        return None
    plain = text.strip().lower()
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)\s*([kmgt])(i?b)?", plain)
    size = int(Fraction(found[1]) * _UNITS[found[2]]) if found else 0
    if size < LEAST:
        if found:
            fault = "is too small: Python and the libraries alone take about as much"
        elif re.fullmatch(r"[0-9.,]+\s*b?", plain, re.ASCII):
            fault = "has no unit: k, M, G or T"
        else:
            fault = "is no number with a unit"
        raise UsageError(
            f"the size of --memory {fault}",
            rule="a size is a number and its unit, such as 4GB, 1.5G or 512M, and at least 256M",
            repair="Give another size, or leave out --memory",
        )
    return size


def machine_memory(limits: Iterable[Path] = _LIMITS) -> int:
    """Return the memory of the machine in bytes, or of the container that this runs in.

    Parameters
    ----------
    limits : iterable of Path
        Files in which the kernel says how much a container may use, as a number or ``max``.
    """
    least = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in limits:
        with contextlib.suppress(OSError, ValueError):  # no such limit here, or none set
            least = min(least, int(file.read_text(encoding="ascii")))
    return least


def default_database_memory() -> int:
    """Return what a database gets where no ceiling was given: a third of the machine, 4 GiB."""
    return max(min(machine_memory() // 3, _MOST_BY_DEFAULT), LEAST)


def database_memory(text: str | None) -> int:
    """Return the memory of a database by itself: the size given, or the default."""
    return parse_ceiling(text) or default_database_memory()


@dataclass(frozen=True)
class Part:
    """A part of an estimate.

    Attributes
    ----------
    what : str
        In plain words; names no column, file or person.
    size : int
        Bytes at the peak.
    """

    what: str
    size: int


@dataclass(frozen=True)
class Estimate:
    """Peak resident memory of a command, by what it is for.

    Attributes
    ----------
    command : str
    parts : tuple of Part
    """

    command: str
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Bytes of the whole process, :data:`BASE` included."""
        return BASE + sum(part.size for part in self.parts)

    def times(self, workers: int) -> "Estimate":
        """Return the estimate of several processes that each do this."""
        if workers == 1:
            return self
        more = Part(f"{workers - 1} more processes", (workers - 1) * self.total)
        return Estimate(self.command, (*self.parts, more))


def estimate(command: str, parts: Iterable[tuple[str, float]]) -> Estimate:
    """Return an estimate from bytes by what they are for; the margin is added here."""
    return Estimate(command, tuple(Part(what, int(MARGIN * size)) for what, size in parts))


def in_words(size: float) -> str:
    """Return bytes as ``3.2 GiB`` or ``640 MiB``."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MiB"


def require_memory(needed: Estimate, ceiling: int | None, *, repair: str = "") -> None:
    """Refuse to start what would need more memory than the ceiling allows.

    Parameters
    ----------
    needed : Estimate
    ceiling : int or None
        Bytes, of :func:`parse_ceiling`; None allows everything.
    repair : str
        What else would help, as a sentence.

    Raises
    ------
    StorageError
        Exit code 74; the message carries the estimate and its largest parts. Nothing was written.
    """
    if ceiling is None or needed.total <= ceiling:
        return
    largest = sorted(needed.parts, key=lambda part: -part.size)[:3]
    parts = ", ".join(f"{part.what} {in_words(part.size)}" for part in largest if part.size)
    raise StorageError(
        f"{needed.command} would need about {in_words(needed.total)} of memory, and --memory "
        f"allows {in_words(ceiling)}",
        where=f"{parts}, the program itself {in_words(BASE)}" if parts else "the program itself",
        rule="what does not fit is refused before anything is read or written",
        repair=f"Give at least --memory {round_up(needed.total) >> 20}M"
        + (f". {repair}" if repair else ""),
    )


def round_up(size: int) -> int:
    """Return the next multiple of 64 MiB."""
    step = 64 << 20
    return -(-size // step) * step


def database_share(command: str, ceiling: int | None, parts: Iterable[tuple[str, float]]) -> int:
    """Return the memory that a database may use beside the other parts of a command.

    Parameters
    ----------
    command : str
    ceiling : int or None
    parts : iterable of (str, float)
        Bytes of everything else.

    Returns
    -------
    int
        Bytes; the default of the machine where there is no ceiling.

    Raises
    ------
    StorageError
        Less than 256 MiB is left; the message carries the estimate.
    """
    if ceiling is None:
        return default_database_memory()
    others = list(parts)
    least = estimate(command, [*others, ("the database, at least", DATABASE_LEAST)])
    require_memory(least, ceiling)
    return int((ceiling - estimate(command, others).total) / DATABASE_OVERSHOOT)


DATABASE_LEAST = 192 << 20
"""Least memory that DuckDB is given: with less, a sort of national records fails half-way."""
DATABASE_OVERSHOOT = 1.25
"""What DuckDB's process takes for each byte of its memory_limit, which does not count everything:
vectors in flight, dictionaries of Parquet pages, results handed over to Arrow."""


def keep_freed_memory() -> None:
    """Have the allocator keep what is freed, for processes that do much the same again and again.

    Notes
    -----
    By default glibc hands large arrays back to the system when they are freed, and the system
    clears every page of the next one: 5 % of the time of a batch. What is kept is used again: of
    twelve studies against a million people the largest process had 2.13 GB so and 2.08 GB without.
    Other allocators are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in KEEPING.items():
            mallopt(_MALLOPT[name], int(value))
