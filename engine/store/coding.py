"""Code lists of a store: which number stands for which value, the same in later extracts.

A list only grows at its end. So a partition that was made from an older extract keeps its numbers,
and can be reused beside partitions that are made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from engine.records import code_lists as codes
from engine.records.database import Database, quoted
from engine.records.schema import TABLE

CODED = {
    "person_profile": (
        "sex",
        "ethnicity_self",
        "ethnicity_observed",
        "nationality_group",
    ),
    "disposals": (
        "disposal_type",
        "court_type",
        "release_type",
        "police_force",
        "probation_region",
        "prison",
        "local_authority",
        "excluded_reason",
    ),
    "offences": ("group12", "group13", "group20", "group24", "trial_mode"),
    "custody_spells": ("spell_type", "prison"),
    "supervision_and_benefits": ("kind", "code"),
}
"""Columns that are kept as codes. The same name is the same list in every table."""

GROUPS = {
    "group12": codes.OFFENCE_GROUPS_12,
    "group13": codes.OFFENCE_GROUPS_13,
    "group20": codes.OFFENCE_GROUPS_20,
    "group24": codes.OFFENCE_GROUPS_24,
}
_MOST_VALUES = 1 << 16

Lists = dict[str, tuple[str, ...]]


def make_lists(database: Database, before: Mapping[str, tuple[str, ...]]) -> Lists:
    """Collect the values of every coded column and make a type of each list in the database.

    Parameters
    ----------
    database : Database
        With the views ``clean_TABLE``.
    before : mapping of str to tuple of str
        Lists of the store that is renewed; empty for a new store.

    Returns
    -------
    dict of str to tuple of str
        Known values of the schema first, then values met before, then new ones in sorted order.
    """
    found: dict[str, set[str]] = {}
    known: dict[str, tuple[str, ...]] = {}
    for table, columns in CODED.items():
        for column in columns:
            source = next(c for c in TABLE[table].columns if c.name == column)
            known.setdefault(column, source.known)
            met = database.rows(
                f"SELECT DISTINCT {column} FROM clean_{table} WHERE {column} IS NOT NULL "
                f"ORDER BY {column} LIMIT {_MOST_VALUES}"
            )
            found.setdefault(column, set()).update(value for (value,) in met)
    lists: Lists = {}
    for column, values in found.items():
        start = tuple(dict.fromkeys((*known[column], *before.get(column, ()))))
        lists[column] = (*start, *sorted(values - set(start)))
        members = ", ".join(quoted(value) for value in lists[column]) or "''"
        database.run(f"CREATE TYPE code_{column} AS ENUM ({members})")
    return lists


def code(column: str, value: str | None = None) -> str:
    """SQL for a column, or a value of it, as a code."""
    return f"CAST({value or column} AS code_{column}) AS {column}"


def code_numbers(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the numbers of a coded column, -1 for null."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    numbers = array.indices.cast(pa.int32()).fill_null(-1)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.int32)


def coded_array(numbers: Any, values: tuple[str, ...]) -> pa.DictionaryArray:
    """Return codes as an Arrow dictionary array of the narrowest kind; -1 becomes null."""
    kind = np.int8 if len(values) <= 127 else np.int16 if len(values) <= 32767 else np.int32
    plain: Any = np.asarray(numbers).astype(kind)
    return pa.DictionaryArray.from_arrays(
        pa.array(plain, mask=plain < 0), pa.array(values, pa.utf8())
    )
