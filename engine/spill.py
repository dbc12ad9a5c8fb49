"""Arrays that lie in a file: memory that the system may take back, and resident pages in bounds.

A column longer than memory is an array on a shared mapping of a private file without a name. Its
pages are read in when a kernel touches them. A guard gives them back to the system as soon as the
process holds more than its ceiling: the bytes stay in the file, a page that is needed again is read
again, and no kernel sees a difference. So code that works on arrays works out of core.
"""

import contextlib
import mmap
import os
import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import StorageError
from engine.memory import in_words


class Space(Protocol):
    """Where arrays are made: in memory, or in files."""

    @property
    def out_of_core(self) -> bool:
        """Whether large arrays are in files, so that rows are worked on in parts."""

    def empty(self, shape: Any, dtype: Any = np.float64) -> NDArray[Any]:
        """Make an array, as ``numpy.empty`` does."""

    def relieve(self, rows: slice | None = None, of: int = 0) -> None:
        """Give pages of files back where memory is short: those of some rows, or all."""

    def relieve_arrow(self) -> None:
        """Give back what Arrow keeps of columns that this thread has read and dropped."""


class Memory:
    """Arrays in memory."""

    out_of_core = False

    def empty(self, shape: Any, dtype: Any = np.float64) -> NDArray[Any]:
        """See :class:`Space`."""
        return np.empty(shape, dtype)

    def relieve(self, rows: slice | None = None, of: int = 0) -> None:
        """See :class:`Space`; there is nothing to give back."""

    def relieve_arrow(self) -> None:
        """See :class:`Space`; the next column takes the place of the last."""


MEMORY = Memory()

_TICK = 0.004
"""Seconds between two looks of the guard. Two cores touch at most some 60 MB in that time."""
_HEADROOM = 8
"""The guard acts at this part of the ceiling below it: on a busy machine it comes late, and what is
touched until then has to fit."""
_SMALL = 1 << 20
"""Arrays of fewer bytes stay in memory: a mapping of their own would cost more than it saves."""


class Spill:
    """Makes arrays in files of a folder, and keeps the process below a ceiling.

    Parameters
    ----------
    folder : Path
        On a local disk, private; the files have no names and vanish with the process.
    ceiling : int
        Resident bytes of the whole process.
    """

    out_of_core = True

    def __init__(self, folder: Path, ceiling: int) -> None:
        self._folder = folder
        self._limit = ceiling - ceiling // _HEADROOM
        self._early = self._limit - ceiling // _HEADROOM
        self._maps: list[tuple[weakref.ref[mmap.mmap], tuple[int, ...], int]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._guard, name="memory-guard", daemon=True)
        self._thread.start()

    def empty(self, shape: Any, dtype: Any = np.float64) -> NDArray[Any]:
        """Return an array as ``numpy.empty`` does: in a file where it is large, zeros at first.

        Raises
        ------
        StorageError
            The disk has no room for it; it is reserved now, so that no write fails later.
        """
        kind = np.dtype(dtype)
        count = int(np.prod(shape))
        size = count * kind.itemsize
        if size < _SMALL or not size:
            return np.empty(shape, kind)
        try:
            with tempfile.TemporaryFile(dir=self._folder, prefix=".spill-") as file:
                # A write to a hole of a full disk would end the process and not raise an error.
                os.posix_fallocate(file.fileno(), 0, size)
                mapped = mmap.mmap(file.fileno(), size)
        except OSError:
            raise _no_room(size) from None
        with self._lock:
            self._maps = [known for known in self._maps if known[0]() is not None]
            self._maps.append((weakref.ref(mapped), _as_tuple(shape), kind.itemsize))
        self.relieve()
        return np.frombuffer(mapped, kind, count).reshape(shape)

    def relieve_arrow(self) -> None:
        """See :class:`Space`: its allocator keeps freed memory for each thread that read."""
        pa.default_memory_pool().release_unused()

    def require_room(self, size: int) -> None:
        """Refuse where the disk has less room than ``size`` bytes now.

        Raises
        ------
        StorageError
        """
        if shutil.disk_usage(self._folder).free < size:
            raise _no_room(size)

    def release(self) -> None:
        """Give back every resident page of every array; what they hold stays."""
        with self._lock:
            for known, _, _ in self._maps:
                mapped = known()
                if mapped is not None:
                    mapped.madvise(mmap.MADV_DONTNEED)

    def relieve(self, rows: slice | None = None, of: int = 0) -> None:
        """Give pages back where the process is near its ceiling.

        Parameters
        ----------
        rows : slice, optional
            Rows that were read last, of arrays whose last dimension is ``of``: their pages alone.
            Who reads all rows again and again, there and back, then finds the others where they
            are. All pages of all arrays by default.
        of : int
        """
        if rows is None:
            if resident_bytes() > self._limit:
                self.release()
        elif resident_bytes() > self._early:
            self._release_rows(rows, of)

    def _release_rows(self, rows: slice, of: int) -> None:
        with self._lock:
            for known, shape, size in self._maps:
                mapped = known()
                if mapped is None or not shape or shape[-1] != of:
                    continue
                for line in range(0, len(mapped), of * size):
                    first = -(-(line + rows.start * size) // mmap.PAGESIZE) * mmap.PAGESIZE
                    last = (line + rows.stop * size) // mmap.PAGESIZE * mmap.PAGESIZE
                    if first < last:
                        mapped.madvise(mmap.MADV_DONTNEED, first, last - first)

    def _guard(self) -> None:
        while not self._stop.wait(_TICK):
            self.relieve()

    def close(self) -> None:
        """End the guard."""
        self._stop.set()
        self._thread.join()


@contextlib.contextmanager
def spilling(ceiling: int, folder: Path | None = None) -> Iterator[Spill]:
    """Yield a spill in a private folder of the temporary files, for the time of a block.

    Parameters
    ----------
    ceiling : int
        Resident bytes of the whole process.
    folder : Path, optional
        Where to make it, if that is on a disk; otherwise where TMPDIR says, or in /var/tmp.

    Raises
    ------
    StorageError
        None of them is on a disk and writable.
    """
    with tempfile.TemporaryDirectory(prefix=".justicelab-", dir=_place_on_disk(folder)) as made:
        spill = Spill(Path(made), ceiling)
        try:
            yield spill
        finally:
            spill.close()


def _no_room(size: int) -> StorageError:
    return StorageError(
        f"there is no room for {in_words(size)} of working data",
        rule="columns larger than memory lie in files beside --out, or where TMPDIR says",
        repair="Make room on the disk, or let TMPDIR name a folder on another one",
    )


def _as_tuple(shape: Any) -> tuple[int, ...]:
    return tuple(shape) if isinstance(shape, tuple | list) else (int(shape),)


def _place_on_disk(wanted: Path | None) -> Path:
    """Return the first folder that is writable and not itself in memory, as /tmp often is."""
    for folder in (wanted, Path(tempfile.gettempdir()), Path("/var/tmp")):  # noqa: S108 - one of our own is made in it
        if folder is not None and os.access(folder, os.W_OK | os.X_OK) and not _in_memory(folder):
            return folder
    raise StorageError(
        "there is no folder on a disk for working data",
        rule="columns larger than memory lie in files, and a file system in memory is memory",
        repair="Let TMPDIR name a folder on a disk",
    )


def _in_memory(folder: Path) -> bool:
    """Whether the file system of a folder keeps its files in memory; False where nothing says."""
    place = folder.resolve()
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    mounts = [line.split()[1:3] for line in lines if len(line.split()) > 2]
    holding = [(len(at), kind) for at, kind in mounts if place.is_relative_to(_unescaped(at))]
    return max(holding, default=(0, ""))[1] in {"tmpfs", "ramfs"}


def _unescaped(mount: str) -> str:
    r"""Return a path of /proc/self/mounts, which has ``\040`` for a blank."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), mount)


def resident_bytes() -> int:
    """Return the resident memory of this process; more than any where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - 200 times a second
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except OSError:
        return 1 << 62


def blocks(n: int, size: int) -> Iterator[slice]:
    """Yield slices of at most ``size`` that cover 0, ..., n - 1."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
