"""The folder of a store: private, held by one run at a time, its files whole or absent.

Every file but the manifest carries the hash of what it was made from in its name. A new store is
written beside the old one, and one rename of the manifest replaces the old by the new; a killed run
leaves files that nobody names, which the next run uses or sweeps.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from engine.errors import (
    AccessError,
    BusyError,
    CannotCreateError,
    InputError,
    JusticeLabError,
    StorageError,
)

MANIFEST = "manifest.json"
WORK = "work"
PARTS = "parts"
_KIND = "store"
_TEMPORARY = re.compile(r"\.[a-z0-9.-]+\.part")
_LARGEST_MANIFEST = 64 << 20


@dataclass(frozen=True)
class StoredFile:
    """A file of a store: its name in the folder of parts, hash, size and rows."""

    name: str
    sha256: str
    bytes: int
    rows: int


@contextlib.contextmanager
def plain_errors(what: str) -> Iterator[None]:
    """Turn an error of the system into one of ours, without the system's text."""
    try:
        yield
    except JusticeLabError:
        raise
    except PermissionError:
        raise AccessError(f"{what} may not be read or written by this user") from None
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise StorageError(
            f"the disk is full while writing {what}" if full else f"{what} cannot be written",
            where=errno.errorcode.get(error.errno or 0, ""),
            repair="Make room, or give a folder on another disk, and run the command again",
        ) from None


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make the folder of a store with mode 0700, or accept an empty one or an earlier store.

    Raises
    ------
    AccessError
        It is a link, belongs to somebody else or is open to others.
    CannotCreateError
        It holds something else.
    """
    folder = Path(path)
    with plain_errors(f"the folder '{folder.name}'"):
        if not os.path.lexists(folder):
            for one in reversed((folder, *folder.parents)):
                if not one.exists():
                    one.mkdir(mode=0o700)
        status = os.lstat(folder)
        if stat.S_ISLNK(status.st_mode) or not stat.S_ISDIR(status.st_mode):
            raise CannotCreateError(
                f"'{folder.name}' is a link or no folder",
                repair="Give a name that does not exist yet",
            )
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise AccessError(
                f"the folder '{folder.name}' is open to other users or belongs to one",
                rule="a store holds data on people, so its folder is private",
                repair="Close it with 'chmod 700', or give a name that does not exist yet",
            )
        foreign = {entry.name for entry in folder.iterdir()} - {MANIFEST, WORK, PARTS}
        foreign = {name for name in foreign if not _TEMPORARY.fullmatch(name)}
        if foreign:
            raise CannotCreateError(
                f"the folder '{folder.name}' holds files that this software did not write",
                rule="a store goes into a folder that is new, empty or an earlier store",
                repair="Give a name that does not exist yet",
            )
        for name in (WORK, PARTS):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder while a store is made.

    Raises
    ------
    BusyError
        Another run holds it.
    """
    with plain_errors(f"the folder '{folder.name}'"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"another run is preparing the store '{folder.name}'",
                repair="Wait until it has finished",
            ) from None
        yield
    finally:
        os.close(handle)


def write_part(
    folder: Path, name: str, rows: int, fill: Callable[[BinaryIO], object]
) -> StoredFile:
    """Write one file of parts: temporary name, mode 0600, forced to the disk, then renamed.

    Parameters
    ----------
    folder : Path
        Folder of the store.
    name : str
    rows : int
        Rows in the file, for the manifest.
    fill : callable
        Writes the content into the file it is given.
    """
    place = folder / PARTS / name
    _write(place, fill)
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StoredFile(name, digest, place.stat().st_size, rows)


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Replace the manifest in one step: before it the old store stands, after it the new one."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    _write(folder / MANIFEST, lambda file: file.write(text))


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a store, None where there is none that this software wrote."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            # a limit given to read() would be allocated whole
            if os.fstat(file.fileno()).st_size > _LARGEST_MANIFEST:
                return None
            manifest = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    if isinstance(manifest, dict) and manifest.get("kind") == _KIND:
        return manifest
    return None


def require_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the manifest of a store.

    Raises
    ------
    InputError
        There is no store.
    """
    manifest = read_manifest(Path(path))
    if manifest is None:
        is_extract = (Path(path) / "extract.json").is_file()
        raise InputError(
            f"there is no store in '{path}'",
            rule="the folder is an extract, of which a store is made first" if is_extract else "",
            repair=f"Make one with 'justicelab prepare {path if is_extract else 'EXTRACT'} "
            "--store DIR', and give that folder",
        )
    return manifest


def sweep(folder: Path, named: Iterable[str]) -> None:
    """Remove the parts that the manifest does not name, and half-written files."""
    keep = set(named)
    with plain_errors(f"the folder '{folder.name}'"):
        for entry in (folder / PARTS).iterdir():
            if entry.name not in keep:
                entry.unlink()
        for entry in folder.iterdir():
            if _TEMPORARY.fullmatch(entry.name):
                entry.unlink()


def record(file: StoredFile) -> dict[str, Any]:
    """Return a file as the manifest names it."""
    return asdict(file)


def _write(place: Path, fill: Callable[[BinaryIO], object]) -> None:
    temporary = place.with_name(f".{place.name}.{os.getpid()}.part")
    with plain_errors(f"the file '{place.name}'"):
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(place)
            parent = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
