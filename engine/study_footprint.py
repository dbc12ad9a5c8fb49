"""What a study needs in memory, known from the store's manifest, the plan and the submission."""

import pyarrow.compute as pc

from engine.analyses import columns_of
from engine.matching.pool import is_category
from engine.memory import (
    database_share,
    default_database_memory,
    estimate,
    require_memory,
)
from engine.plan.model import Plan
from engine.store.reading import Store
from engine.submission.check import Check
from engine.submission.fields import START_DATES

_RECORDS = 110
"""Bytes a disposal of the store while the comparison pool is drawn."""
_COMPACT = 8
"""Bytes a column of the pool as it is read from the store."""
_WORK = 520
"""Bytes a row of the pool: fit, match, certificate, linear form and adjustment of two measures."""
_LINKING = 160 << 20
"""Beside the database while people are linked: Splink, candidates, the check of the file."""


def database_of_study(store: Store, plan: Plan, check: Check, ceiling: int | None) -> int:
    """Return the memory of the database while a study's people are linked.

    Parameters
    ----------
    store : Store
    plan : Plan
    check : Check
    ceiling : int or None
        Bytes for the whole process; None for the default of the machine.

    Raises
    ------
    StorageError
        The study does not fit; the message carries the estimate. Nothing was written.
    """
    if ceiling is None:
        return default_database_memory()
    records, pool = rows_of_study(store, check)
    covariates = plan.covariate_names
    categories = sum(is_category(name) for name in covariates)
    # Every number may have an indicator of its empty cells.
    design = 16 * (len(covariates) - categories) + 4 * categories
    columns = len(columns_of(plan)) + len(plan.transformations.asked().made)
    parts = [
        ("records of everybody", _RECORDS * records),
        ("the pool's columns", pool * (_COMPACT * columns + design)),
        ("fit, match and estimates", _WORK * pool),
    ]
    require_memory(estimate("the study", parts), ceiling)
    return database_share("the study", ceiling, [("linking beside the database", _LINKING)])


def rows_of_study(store: Store, check: Check) -> tuple[int, int]:
    """Return the disposals of a store, and at most how many may be in a study's pool.

    A year of follow-up starts at most a year before the service, so not before the year before that
    of the earliest start that the submission names.
    """
    years = store.manifest["years"]
    records = sum(counts["disposals"] for counts in years.values())
    first = 0
    if check.table is not None:
        dates = [pc.min(check.table[name]).as_py() for name in START_DATES]
        known = [date.year for date in dates if date is not None]
        first = min(known) - 1 if known else 0
    included = sum(counts["included"] for year, counts in years.items() if int(year) >= first)
    return records, included
