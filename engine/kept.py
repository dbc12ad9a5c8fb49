"""What a command that was interrupted has kept, from which the same command goes on.

The names of folders stand here once more, because this is asked while a command ends, perhaps in
the middle of an import; a test holds them to those of the modules that write the folders.
"""

from __future__ import annotations

from pathlib import Path

PARTS, SHARDS, PRIVATE, STUDIES, STORE, DESCRIPTION = (
    "parts", "shards", "private", "studies", "store", "job.json",
)  # fmt: skip

_LEFT = (f"{PARTS}/*", f"{SHARDS}/*/*")
"""Partitions of a store; finished stages of a study, and shards of a job."""
_FOLDERS = (".", PRIVATE, f"{STUDIES}/*", f"{STUDIES}/*/{PRIVATE}", STORE)


def has_kept(out: Path) -> bool:
    """Whether a folder holds finished parts of a store, a study, a batch, a job or a demo.

    Parameters
    ----------
    out : pathlib.Path
        The folder of the command; it need not be there.
    """
    return any(
        found.name != DESCRIPTION and not found.name.startswith(".")
        for folder in _FOLDERS
        for left in _LEFT
        for found in out.glob(f"{folder}/{left}")
    )
