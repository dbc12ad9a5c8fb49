"""What a bootstrap needs in memory, known from footers and options before a row is read."""

import os
from pathlib import Path

import numba
import pyarrow as pa
import pyarrow.parquet as pq

from engine.effects.opened import Asked as AskedOfMatch
from engine.effects.outcome import parse_outcomes
from engine.errors import JusticeLabError
from engine.footprint import footprint_of, require_text_fits
from engine.jobs.cluster import LOCAL
from engine.jobs.finished import LINEAR_FORM, Finished
from engine.jobs.resampling import NEEDS_SOURCE
from engine.memory import Estimate, estimate, require_memory
from engine.tables import open_table

_FORMS = 3.5
"""Copies of a column of the linear form: the file, Arrow, an array, sums over people."""
_REFIT = 200
"""Bytes a row and thread of eight replicates that are fitted and matched together."""
_REMADE = 420
"""Bytes a row of a study's pool made again: read, fitted, matched."""


def local_workers(workers: int | None, scheduler: str | None) -> int:
    """Return how many processes of this machine work beside this one."""
    if scheduler not in (None, LOCAL):
        return 0
    if workers is None:
        return (os.cpu_count() or 1) if scheduler == LOCAL else 0
    return workers


def require_bootstrap_fits(
    finished: Finished,
    kind: str,
    source: str | None,
    ceiling: int | None,
    *,
    processes: int = 1,
) -> None:
    """Refuse a bootstrap that needs more memory than the ceiling allows.

    Parameters
    ----------
    finished : Finished
    kind : str
        Not ``auto``.
    source : str or None
        The table of the match or the store of the study, for kinds that need it.
    ceiling : int or None
        For all processes of this machine together.
    processes : int
        Processes that each hold what replicates are made from.

    Raises
    ------
    StorageError
        With the estimate.
    """
    if ceiling is None:
        return
    rows, columns, on_disk = _linear_form(finished)
    if kind not in NEEDS_SOURCE or source is None:
        needed = estimate(
            "the bootstrap", [("the linear form", on_disk + _FORMS * 8 * columns * rows)]
        )
    else:
        threads = numba.get_num_threads() if processes == 1 else 1
        again = estimate(
            "the bootstrap",
            [
                ("outcomes", 32 * rows * len(finished.estimates)),
                ("replicates that are fitted anew", _REFIT * rows * threads * (kind == "refit")),
            ],
        )
        made = _of_store if finished.kind == "study" else _of_table
        whole = made(finished, source, rows, ceiling)
        parts = (part for part in whole.parts if part.what != "estimates and tables")
        needed = Estimate("the bootstrap", (*parts, *again.parts))
    repair = "Fewer --workers need less" if processes > 1 else ""
    require_memory(needed.times(processes), ceiling, repair=repair)


def _linear_form(finished: Finished) -> tuple[int, int, int]:
    """Return rows, columns and bytes of the linear form; 0 where reading it will be refused."""
    path = finished.folder / LINEAR_FORM
    try:
        footer = pq.read_metadata(path)
        return footer.num_rows, footer.num_columns, path.stat().st_size
    except (OSError, pa.ArrowException):
        return 0, 0, 0


def _of_table(finished: Finished, table: str, _rows: int, ceiling: int) -> Estimate:
    require_text_fits(table, ceiling)
    try:
        source = open_table(Path(table))
    except JusticeLabError:
        return estimate("the bootstrap", [])  # reading it says so
    outcomes = parse_outcomes(finished.manifest["options"]["outcome"])
    asked = AskedOfMatch(outcomes, (), "auto", 0, None)
    return footprint_of(source, finished.options, asked, written=False).in_memory


def _of_store(finished: Finished, _store: str, rows: int, _ceiling: int) -> Estimate:
    columns = 16 * len(finished.plan.covariate_names)
    return estimate("the bootstrap", [("the pool made again", rows * (columns + _REMADE))])
