"""What a match needs in memory, known before a row is read, and where its columns are put.

Peak memory is bytes that are kept for every row, by kind of column, plus the work arrays of the
hungriest stage. The figures are upper bounds of measured peaks; tests hold runs to them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.effects.opened import Asked
from engine.errors import JusticeLabError
from engine.matching.design import is_category
from engine.matching.options import MatchOptions
from engine.memory import Estimate, estimate, in_words, require_memory
from engine.spill import MEMORY, Space, spilling
from engine.tables import TableSource, first_bytes

_READ = 56
"""Bytes a row of two columns being read: decoded, converted, gathered."""
_MATCHED = 112
"""Bytes a row of fit, sort, match and certificate."""
_ESTIMATED = 200
"""Bytes a row of neighbourhoods, linear form and adjustment of one outcome."""
_EACH_OUTCOME = 24
_TABLES = 48
"""Bytes a row of the tables and digests that are written."""
_RESAMPLED = 60
_PATH = 60
_MATCHED_IN_PARTS = 48
_WINDOW = 96
_TEXT_IDS = 40
_SORTED = 32
"""Bytes a row of a bucket of keys, or of a range of scores, while it is sorted or matched."""
_MOST_SORTED = 1 << 23
_SAMPLED = 1 << 17
"""Rows of the samples that a fit starts from, one and a half times in memory."""
_PAGES = 64 << 20
"""Pages of files at the least: the guard gives back what is above."""
_AS_TABLE = 3.0
"""A csv in memory, beside its size on the disk: text, numbers and the table made of them."""


@dataclass(frozen=True)
class Footprint:
    """Peak memory of a match.

    Attributes
    ----------
    in_memory : Estimate
        With all columns in memory.
    out_of_core : Estimate
        With the columns in files.
    on_disk : int
        Bytes of those files.
    """

    in_memory: Estimate
    out_of_core: Estimate
    on_disk: int


def footprint_of(
    source: TableSource, options: MatchOptions, asked: Asked, *, written: bool = True
) -> Footprint:
    """Return what a match needs.

    Parameters
    ----------
    source : TableSource
        Open; no column is read.
    options : MatchOptions
    asked : Asked
    written : bool
        Whether the match is written to a folder.
    """
    n = source.n_rows
    categories = sum(
        name in options.categorical or is_category(source.type_of(name))
        for name in options.covariates
    )
    numbers = len(options.covariates) - categories
    factor = 2 if options.missing == "indicator" else 1
    design = 8 * numbers * factor + 4 * categories
    identity = 24
    text = 0
    if options.id is not None and is_category(source.type_of(options.id)):
        text = _TEXT_IDS
    rules = 8 * (
        bool(options.exact) * 2
        + bool(options.person)
        + bool(options.score)
        + len(options.anti_exact)
        + len(options.covariate_caliper)
        + 2 * len(options.mahalanobis)
    )
    outcomes = len(asked.outcomes) + len(asked.placebos)
    work = _MATCHED + (_WINDOW if options.by_window else 0) + 8 * options.ratio
    effects = 0
    if outcomes:
        effects = _ESTIMATED + _EACH_OUTCOME * (outcomes - 1)
        effects += _RESAMPLED if asked.replicates else 0
    extra = _PATH if options.path else 0
    extra += _TABLES if written else 0
    name = "the match"
    tail = max(effects, extra) + (extra if effects else 0) // 2
    common = [("person, rules and text ids", n * (rules + text))]
    return Footprint(
        estimate(
            name,
            [
                *common,
                ("columns of the design", n * (design + identity)),
                ("reading, fit and match", n * max(_READ, work)),
                ("estimates and tables", n * max(0, tail - work)),
            ],
        ),
        estimate(
            name,
            [
                *common,
                ("reading, fit and match", n * max(_READ, _MATCHED_IN_PARTS)),
                ("estimates and tables", n * tail),
                (
                    "blocks of rows",
                    _SORTED * min(n, _MOST_SORTED) + 1.5 * design * min(n, _SAMPLED) + _PAGES,
                ),
            ],
        ),
        n * (design + identity + 16 + 24),
    )


def require_text_fits(table: Any, ceiling: int | None) -> None:
    """Refuse a csv that is larger than the ceiling allows: it is read as a whole.

    Raises
    ------
    StorageError
        With the estimate.
    """
    if ceiling is None or not isinstance(table, str | Path) or Path(table).is_dir():
        return
    try:
        head, size = first_bytes(Path(table))
    except JusticeLabError:
        return  # opening it says so, in the order of all other refusals
    if head.startswith((b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")):
        return
    needed = estimate("reading the csv", [("the csv as a table", _AS_TABLE * size)])
    require_memory(needed, ceiling, repair="Or write it as Parquet, which is read in parts")


@contextmanager
def placed(footprint: Footprint, ceiling: int | None, near: Path | None = None) -> Iterator[Space]:
    """Yield what makes the columns of a match: in memory where they fit, in files otherwise.

    Parameters
    ----------
    footprint : Footprint
    ceiling : int or None
    near : Path, optional
        Folder beside which the files are made, if it is on a disk.

    Raises
    ------
    StorageError
        The match does not fit even so, or there is no room for the files; both are known now.
    """
    if ceiling is None or footprint.in_memory.total <= ceiling:
        yield MEMORY
        return
    require_memory(
        footprint.out_of_core,
        ceiling,
        repair=f"That is with {in_words(footprint.on_disk)} of columns in files already",
    )
    with spilling(ceiling, near) as spill:
        spill.require_room(footprint.on_disk)
        yield spill
