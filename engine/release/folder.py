"""The folder an output goes into: private, ours, and held by one run at a time.

An output holds data on people. So its folder has mode 0700, is never reached through a link, and is
never mixed with files of somebody else; an earlier output is recognised by its manifest.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from engine.errors import (
    AccessError,
    BusyError,
    CannotCreateError,
    JusticeLabError,
    StorageError,
)

MANIFEST = "manifest.json"
FORMAT = 1
"""Version of the form of results.json and of the manifest."""

OUTPUTS = frozenset(
    {
        "results.json",
        "pairs.parquet",
        "windows.parquet",
        "weights.parquet",
        "scores.parquet",
        "linear-form.parquet",
        "balance.csv",
        "bootstrap.json",
        "love-plot.svg",
        "overlap-plot.svg",
        "report.html",
        MANIFEST,
    }
)
"""Names that a `match` and its bootstrap may write. A folder with any other is never written to."""

SHARDS = "shards"
"""Folder of jobs on an output, such as its bootstrap; each job has a folder of its own in it."""

FOLDERS = frozenset({SHARDS})
"""Names of the folders that an output may hold."""

TEMPORARY = re.compile(r"\.[a-z0-9.-]+\.[0-9]+\.part")
"""Form of the temporary names under which files are staged."""

_MANIFEST_LIMIT = 64 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM)
_BAD_PATH = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EINVAL)


def check_folder(
    path: str | os.PathLike[str],
    outputs: frozenset[str] = OUTPUTS,
    folders: frozenset[str] = FOLDERS,
) -> Path:
    """Refuse an output folder that may not be written to, without touching the disk.

    Parameters
    ----------
    path : path
        Folder for the output: absent, empty, or an earlier output of ours.
    outputs : frozenset of str
        File names that an output of this kind consists of.
    folders : frozenset of str
        Names of the folders that it may hold.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    AccessError
        The folder is a link, belongs to another user or is open to other users.
    CannotCreateError
        The path is not a folder, or the folder holds files that are not an output of ours.
    """
    folder = Path(path)
    if "\0" in str(folder):
        raise CannotCreateError("the path of the output folder holds a null character")
    with plain_errors(f"the folder '{folder.name}'"):
        try:
            status = os.lstat(folder)
        except FileNotFoundError:
            return folder
        _check_status(folder, status)
        _check_content(folder, outputs, folders)
    return folder


def prepare_folder(
    path: str | os.PathLike[str],
    outputs: frozenset[str] = OUTPUTS,
    folders: frozenset[str] = FOLDERS,
) -> Path:
    """Make the output folder with mode 0700, or accept an empty one or an earlier output.

    Parameters
    ----------
    path : path
        Folder for the output; missing parents are made, private as well.
    outputs : frozenset of str
        File names that an output of this kind consists of.
    folders : frozenset of str
        Names of the folders that it may hold.

    Returns
    -------
    Path
        The folder, ready for writing.

    Raises
    ------
    AccessError, CannotCreateError
        As :func:`check_folder`.
    StorageError
        The disk refuses a new folder.
    """
    folder = check_folder(path, outputs, folders)
    _make(folder)
    return check_folder(folder, outputs, folders)


def private_folder(folder: Path) -> Path:
    """Make a folder with mode 0700, or accept one that is private and ours, whatever it holds.

    Parameters
    ----------
    folder : Path
        Missing parents are made, private as well.

    Raises
    ------
    AccessError, CannotCreateError
        It is a link, another user's, open to others, or not a folder.
    StorageError
        The disk refuses a new folder.
    """
    _make(folder)
    with plain_errors(f"the folder '{folder.name}'"):
        _check_status(folder, os.lstat(folder))
    return folder


def _make(folder: Path) -> None:
    with plain_errors(f"the folder '{folder.name}'"):
        for one in reversed((folder, *folder.parents)):
            if not one.exists():
                with contextlib.suppress(FileExistsError):
                    one.mkdir(mode=0o700)
                try:
                    _force(one.parent)
                except OSError:
                    # Nothing is left where nothing could be made; one that is in use stays.
                    with contextlib.suppress(OSError):
                        one.rmdir()
                    raise


def _force(folder: Path) -> None:
    """Force the names in a folder to the disk: a new folder may go with the power otherwise.

    A folder that may be entered and not listed cannot be opened, hence not be forced; there the
    file system's own habit has to do.
    """
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _check_status(folder: Path, status: os.stat_result) -> None:
    """Refuse a link, another user's folder and a folder that others can look into."""
    rule = "an output holds data on people, so its folder must be private"
    if stat.S_ISLNK(status.st_mode):
        raise AccessError(
            f"the folder '{folder.name}' is a symbolic link",
            rule="an output is never written through a link",
            repair="Give the folder itself, or a name that does not exist yet",
        )
    if not stat.S_ISDIR(status.st_mode):
        raise CannotCreateError(
            f"'{folder.name}' exists and is not a folder",
            repair="Give the name of a folder, or a name that does not exist yet",
        )
    if status.st_uid != os.geteuid():
        raise AccessError(
            f"the folder '{folder.name}' belongs to another user",
            rule=rule,
            repair="Give a name that does not exist yet, in a place of your own",
        )
    if status.st_mode & 0o077:
        raise AccessError(
            f"the folder '{folder.name}' is open to other users",
            where=f"mode {stat.S_IMODE(status.st_mode):04o}",
            rule=rule,
            repair="Give a name that does not exist yet, or close the folder with 'chmod 700'",
        )


def _check_content(folder: Path, outputs: frozenset[str], folders: frozenset[str]) -> None:
    """Refuse a folder with anything in it, unless all of it is an earlier output of ours."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if not TEMPORARY.fullmatch(entry.name)]
        foreign = sum(1 for entry in found if not _is_ours(entry, outputs, folders))
    if not found:
        return
    if foreign or read_manifest(folder) is None:
        what = f"{foreign} entries" if foreign > 1 else "an entry" if foreign else "files"
        raise CannotCreateError(
            f"the folder '{folder.name}' holds {what} that this software did not write",
            rule="an output goes into a folder that is new, empty or an earlier output",
            repair="Give a name that does not exist yet",
        )


def _is_ours(entry: os.DirEntry[str], outputs: frozenset[str], folders: frozenset[str]) -> bool:
    if entry.name in folders:
        return entry.is_dir(follow_symlinks=False)
    return entry.name in outputs and entry.is_file(follow_symlinks=False)


def read_file(folder: Path, name: str, limit: int) -> bytes:
    """Content of a file in a folder, never through a link.

    Parameters
    ----------
    folder : Path
    name : str
    limit : int
        Largest size in bytes.

    Raises
    ------
    StorageError
        The disk is failing, or the file is larger than the limit.
    AccessError, CannotCreateError
        The file may not be read, or is a link.
    """
    with plain_errors(f"the file '{name}'", "reading"):
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            # Told a size, read() would take that much memory before it looks how much there is.
            if os.fstat(descriptor).st_size > limit:
                raise StorageError(
                    f"the file '{name}' is too large to be one that this software wrote"
                )
            return file.read()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Manifest of an output folder, ``None`` if there is none that this software wrote."""
    try:
        manifest = json.loads(read_file(folder, MANIFEST, _MANIFEST_LIMIT))
    except (JusticeLabError, ValueError, RecursionError):
        return None
    ours = (
        isinstance(manifest, dict)
        and manifest.get("format") == FORMAT
        and isinstance(manifest.get("kind"), str)
        and manifest.get("status") in ("incomplete", "complete")
    )
    return cast("dict[str, Any]", manifest) if ours else None


@contextlib.contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the folder while writing, and sweep what a dead run left half-written.

    Parameters
    ----------
    folder : Path
        A folder from :func:`prepare_folder`.
    shared : bool
        Others may hold it too, if they share it as well; then nothing is swept.

    Raises
    ------
    BusyError
        Another run is writing there.

    Notes
    -----
    The lock is a courtesy: where the file system has none (some network drives) writing goes on
    without it, and then nothing is swept, because a temporary file may belong to a living run.
    """
    with open_folder(folder) as handle:
        if _lock(handle, folder, fcntl.LOCK_SH if shared else fcntl.LOCK_EX) and not shared:
            with plain_errors(f"the folder '{folder.name}'"):
                for entry in folder.iterdir():
                    if TEMPORARY.fullmatch(entry.name):
                        if entry.is_dir() and not entry.is_symlink():
                            shutil.rmtree(entry)
                        else:
                            os.unlink(entry.name, dir_fd=handle)
        yield


@contextlib.contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """Make a folder for temporary and spill files inside an output that is held.

    Parameters
    ----------
    folder : Path
        From :func:`prepare_folder`, under :func:`locked`.

    Yields
    ------
    Path
        Mode 0700, removed with all that is in it at the end; what a killed run leaves is swept by
        the next one that holds the output.
    """
    work = folder / f".work.{os.getpid()}.part"
    with plain_errors(f"the folder '{folder.name}'"):
        work.mkdir(mode=0o700)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _lock(handle: int, folder: Path, kind: int) -> bool:
    """Lock an open folder; whether the file system has locks at all."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError(
            f"another run is writing into the folder '{folder.name}'",
            repair="Wait until it has finished, or give another folder",
        ) from None
    except OSError:
        return False
    return True


@contextlib.contextmanager
def open_folder(folder: Path) -> Iterator[int]:
    """Handle of the folder itself: names are resolved in it and never through a link."""
    with plain_errors(f"the folder '{folder.name}'"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def plain_errors(what: str, doing: str = "writing") -> Iterator[None]:
    """Turn an error of the system into one of ours, without the system's text."""
    try:
        yield
    except JusticeLabError:
        raise
    except OSError as error:
        raise _translated(error.errno, what, doing) from None


def _translated(code: int | None, what: str, doing: str) -> JusticeLabError:
    if code in _FULL:
        return StorageError(
            f"the disk is full, or a quota is used up, while {doing} {what}",
            repair="Make room, or give a folder on another disk, and run the command again",
        )
    if code == errno.EROFS:
        return StorageError(
            f"the disk is read-only, so {what} cannot be written",
            repair="Give a folder on a disk that can be written to",
        )
    if code in _DENIED:
        return AccessError(
            f"{what} may not be {'written' if doing == 'writing' else 'read'} by this user",
            repair="Give a folder of your own",
        )
    if code in _BAD_PATH:
        return CannotCreateError(
            f"{what} cannot be made under that path",
            repair="Give a shorter path whose parents are folders",
        )
    return StorageError(
        f"the disk reported an error while {doing} {what}",
        where=errno.errorcode.get(code, "unknown error") if code is not None else "",
        repair="Check the disk and run the command again",
    )
