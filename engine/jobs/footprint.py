"""What a bootstrap needs in memory, known from the folder of its match before anything is read."""

from pathlib import Path

from engine.effects.opened import Asked as AskedOfMatch
from engine.errors import JusticeLabError
from engine.footprint import footprint_of, require_text_fits
from engine.jobs.finished import LINEAR_FORM, Finished
from engine.memory import Estimate, estimate, require_memory
from engine.tables import open_table

_FORMS = 3.5
"""Copies of a column of the linear form: the file, Arrow, an array, sums over people."""
_REFIT = 200
"""Bytes a row and thread of eight replicates that are fitted and matched together."""


def require_bootstrap_fits(
    match: Finished,
    kind: str,
    table: str | None,
    ceiling: int | None,
    *,
    processes: int = 1,
    threads: int = 1,
) -> None:
    """Refuse a bootstrap that needs more memory than the ceiling allows.

    Parameters
    ----------
    match : Finished
    kind : str
        Not ``auto``.
    table : str or None
        The table of the match, for kinds that need it.
    ceiling : int or None
        For all processes of this machine together.
    processes, threads : int
        Processes that each hold what replicates are made from, and the threads of one.

    Raises
    ------
    StorageError
        With the estimate.
    """
    if ceiling is None:
        return
    if kind in ("set", "refit") and table is not None:
        require_text_fits(table, ceiling)
        needed = _of_table(match, kind, table, threads)
    else:
        needed = _of_linear_forms(match)
    repair = "Fewer --workers need less" if processes > 1 else ""
    require_memory(needed.times(processes), ceiling, repair=repair)


def _of_linear_forms(match: Finished) -> Estimate:
    try:
        on_disk = (match.folder / LINEAR_FORM).stat().st_size
    except OSError:
        on_disk = 0  # reading it says so
    rows = match.results["counts"]["rows"]
    columns = 2 + len(match.estimates)
    return estimate(
        "the bootstrap",
        [("the linear form", on_disk + _FORMS * 8 * columns * rows)],
    )


def _of_table(match: Finished, kind: str, table: str, threads: int) -> Estimate:
    try:
        source = open_table(Path(table))
    except JusticeLabError:
        return estimate("the bootstrap", [])  # reading it says so
    outcomes = match.outcomes
    asked = AskedOfMatch(outcomes, (), "auto", 0, None)
    whole = footprint_of(source, match.options, asked, written=False).in_memory
    n = source.n_rows
    more = estimate(
        "the bootstrap",
        [
            ("outcomes", 32 * n * len(outcomes)),
            ("replicates that are fitted anew", _REFIT * n * threads if kind == "refit" else 0),
        ],
    )
    parts = [part for part in whole.parts if part.what != "estimates and tables"]
    return Estimate("the bootstrap", (*parts, *more.parts))
