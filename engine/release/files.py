"""The one way anything is written: whole or not at all, private, and the same bytes each time.

A file is first *staged*: written under a temporary name in its own folder and forced to the disk.
When every file of an output is staged, :func:`publish` renames them one after another. A full disk
or a kill while staging leaves an earlier output as it was; in the short time of renaming, the
manifest on the disk says ``incomplete``, so no mixture passes for a finished output.
"""

import contextlib
import errno
import hashlib
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import CannotCreateError
from engine.release.encoding import csv_bytes, json_bytes, parquet_into
from engine.release.folder import open_folder, plain_errors

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_AT_ONCE = 64 << 20
"""Bytes given to the system in one write; Linux takes at most 2 GiB and may take less."""


@dataclass(frozen=True)
class FileRecord:
    """What the manifest says of one file: name, hash of its bytes, size, and rows of a table."""

    name: str
    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True)
class Staged:
    """A file that is whole and on the disk, but still under its temporary name."""

    temporary: str
    record: FileRecord


def stage_bytes(folder: Path, name: str, data: bytes) -> Staged:
    """Stage a file with the given bytes; see :func:`publish`."""
    return _stage(folder, name, lambda sink: sink.write(data), None)


def stage_json(folder: Path, name: str, content: Mapping[str, Any]) -> Staged:
    """Stage a JSON file; see :func:`json_bytes` for its form."""
    return stage_bytes(folder, name, json_bytes(content))


def stage_csv(folder: Path, name: str, table: pa.Table) -> Staged:
    """Stage a csv file; see :func:`csv_bytes` for its form."""
    data = csv_bytes(table)
    return _stage(folder, name, lambda sink: sink.write(data), table.num_rows)


def stage_parquet(folder: Path, name: str, table: pa.Table) -> Staged:
    """Stage a Parquet file with fixed options; see :func:`parquet_into`."""
    return _stage(folder, name, lambda sink: parquet_into(sink, table), table.num_rows)


def publish(folder: Path, staged: Sequence[Staged], stale: Sequence[str] = ()) -> None:
    """Give staged files their names, in order, and remove files of an earlier output.

    Parameters
    ----------
    folder : Path
        The folder in which they were staged.
    staged : sequence of Staged
        Files in the order in which they shall appear; the same name may come twice.
    stale : sequence of str
        Names in the folder that the new output does not have.

    Raises
    ------
    StorageError, AccessError
        A rename failed. No temporary file is left.
    """
    try:
        with plain_errors(f"the folder '{folder.name}'"), open_folder(folder) as handle:
            for number, one in enumerate(staged):
                os.rename(one.temporary, one.record.name, src_dir_fd=handle, dst_dir_fd=handle)
                if number == 0:
                    for name in stale:
                        os.unlink(name, dir_fd=handle)
            os.fsync(handle)
    except BaseException:
        discard(folder, staged)
        raise


def discard(folder: Path, staged: Sequence[Staged]) -> None:
    """Remove staged files that will not be published; those already renamed stay."""
    for one in staged:
        _unlink_quietly(folder / one.temporary)


def write_bytes(folder: Path, name: str, data: bytes) -> FileRecord:
    """Write one file: temporary name, mode 0600, fsync, rename, fsync of the folder.

    Parameters
    ----------
    folder : Path
        A folder from :func:`prepare_folder`.
    name : str
        Lower-case letters, digits, dots and hyphens.
    data : bytes
        The whole content.

    Returns
    -------
    FileRecord
        Name, SHA-256 and size.

    Raises
    ------
    StorageError
        The disk is full, read-only or failing.
    AccessError
        The folder may not be written to.
    """
    staged = stage_bytes(folder, name, data)
    publish(folder, [staged])
    return staged.record


class _Sink(io.RawIOBase):
    """A file to write on that hashes and counts what passes, so nothing is read back."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.digest = hashlib.sha256()
        self.size = 0
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Whether the file can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Write all of the data: the system may take less than it is given."""
        view = memoryview(data).cast("B")
        try:
            done = 0
            while done < len(view):
                done += os.write(self.descriptor, view[done : done + _AT_ONCE])
        except OSError as error:
            # pyarrow may dress an error of ours as one of its own: the first one is kept.
            self.error = self.error or error
            raise
        self.digest.update(view)
        self.size += len(view)
        return len(view)

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self.size


def _stage(folder: Path, name: str, fill: Callable[[_Sink], object], rows: int | None) -> Staged:
    """Write a temporary file beside its place, exclusively, 0600, and force it to the disk."""
    if not _NAME.fullmatch(name):
        raise CannotCreateError("an output file has a name that is not allowed")
    with plain_errors(f"the file '{name}'"), open_folder(folder) as handle:
        temporary, descriptor = _open_temporary(handle, name)
        try:
            try:
                os.fchmod(descriptor, 0o600)
                sink = _Sink(descriptor)
                try:
                    fill(sink)
                except (pa.ArrowException, OSError):
                    if sink.error is not None:
                        raise sink.error from None
                    raise
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            _unlink_quietly(folder / temporary)
            raise
    return Staged(temporary, FileRecord(name, sink.digest.hexdigest(), sink.size, rows))


def _open_temporary(handle: int, name: str) -> tuple[str, int]:
    """Make a new file under the first free temporary name of this process."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    start = os.getpid() * 1000
    for number in range(start, start + 1000):
        temporary = f".{name}.{number}.part"
        with contextlib.suppress(FileExistsError):
            return temporary, os.open(temporary, flags, 0o600, dir_fd=handle)
    raise OSError(errno.EEXIST, "")


def _unlink_quietly(path: Path) -> None:
    """Remove a temporary file; where that fails too, the next run sweeps it."""
    with contextlib.suppress(OSError):
        path.unlink()
