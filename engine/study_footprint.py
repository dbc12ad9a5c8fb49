"""What a study needs in memory, known from the store's manifest, the plan and the submission."""

from collections.abc import Sequence

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
from engine.store.drift import kind_count
from engine.store.reading import Store
from engine.submission.check import Check
from engine.submission.fields import START_DATES

_RECORDS = 150
"""Bytes a disposal of the store while the comparison pool is drawn: 84 of arrays and 73 of pages of
files were measured on 16 million."""
_COMPACT = 4
"""Bytes a column of the pool as the store has it, on average."""
_WORK = 420
"""Bytes a row of the pool beside its columns: ids, fit, match, balance and six measures at a time.
With the columns, each with an indicator, that is 1,480 bytes for the columns of the default plan;
1,450 were measured for pools of 0.6 and of 3.2 million rows."""
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
    records, pool = rows_of_study(store, plan, check)
    read = (*columns_of(plan), *plan.transformations.asked().made)
    # Every number may have an indicator of its empty cells. A part as large as the pool has a
    # design of its own beside the columns that all analyses take their rows of.
    columns = _COMPACT * len(read) + _coded(read, 8, 2) + _coded(plan.covariate_names, 16, 4)
    drawing = [("records of everybody", _RECORDS * records)]
    matching = [("the pool's columns", pool * columns), ("fit, match and estimates", _WORK * pool)]
    # The pool is drawn before it is read: the records are gone by then.
    needed = max(
        (estimate("the study", parts) for parts in (drawing, matching)), key=lambda one: one.total
    )
    require_memory(needed, ceiling)
    return database_share("the study", ceiling, [("linking beside the database", _LINKING)])


def _coded(names: Sequence[str], number: int, category: int) -> int:
    """Return the bytes a row of columns, by kind."""
    categories = sum(is_category(name) for name in names)
    return number * (len(names) - categories) + category * categories


def rows_of_study(store: Store, plan: Plan, check: Check) -> tuple[int, int]:
    """Return the disposals of a store, and at most how many may be in a study's pool.

    A year of follow-up starts at most a year before the service, so not before the year before that
    of the earliest start that the submission names, and with a disposal of a kind that the plan
    takes.
    """
    years = store.manifest["years"]
    records = sum(counts["disposals"] for counts in years.values())
    first = 0
    if check.table is not None:
        dates = [pc.min(check.table[name]).as_py() for name in START_DATES]
        known = [date.year for date in dates if date is not None]
        first = min(known) - 1 if known else 0
    last = store.last_index_date.year
    kinds = [kind_count(kind) for kind in plan.index.index_types]
    pool = sum(
        # A store that was prepared earlier has no counts by kind.
        sum(counts.get(kind, 0) for kind in kinds) if kinds[0] in counts else counts["included"]
        for year, counts in years.items()
        if first <= int(year) <= last
    )
    return records, pool
