"""How a new store differs from the last one: rows, rates and missing values by year."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from engine.store.index_table import PartitionTables
from engine.store.rules import INDEX_TYPES

WATCHED = (
    "sex",
    "age_at_index",
    "ethnicity_observed",
    "probation_region",
    "offence_group13",
    "sentence_days",
    "ogrs3_2y",
    "need_ete",
)
"""Columns whose empty cells are counted by year."""
_ROWS_NOTED, _POINTS_NOTED = 0.02, 1.0


def year_counts(tables: PartitionTables) -> dict[str, dict[str, int]]:
    """Count by year: disposals, those included and of which kind, reoffences, and empty cells.

    Returns
    -------
    dict
        Whole numbers only, so that partitions add up in any order.
    """
    found: dict[str, dict[str, int]] = {}
    start = 0
    for year, n in tables.years:
        index, results = tables.index.slice(start, n), tables.outcomes.slice(start, n)
        start += n
        included = np.asarray(index["excluded"].is_null())
        reoffended = np.asarray(results["reoffended"].fill_null(False)) & included
        reoffences = np.asarray(results["n_reoffences"].fill_null(0))
        kinds = np.asarray(index["index_type"].cast(pa.utf8()))
        found[str(year)] = {
            "disposals": n,
            "included": int(included.sum()),
            **{
                kind_count(kind): int(np.count_nonzero(included & (kinds == kind)))
                for kind in INDEX_TYPES
            },
            "reoffenders": int(reoffended.sum()),
            "reoffences": int(reoffences[reoffended].astype(np.int64).sum()),
            **{
                f"no_{name}": int(np.asarray(index[name].is_null())[included].sum())
                for name in WATCHED
            },
        }
    return found


def kind_count(kind: str) -> str:
    """Return the name of the count of included disposals of a kind."""
    return f"index_type={kind}"


def add_counts(parts: list[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """Add the counts of partitions."""
    total: dict[str, dict[str, int]] = {}
    for part in parts:
        for year, counts in part.items():
            into = total.setdefault(year, dict.fromkeys(counts, 0))
            for name, n in counts.items():
                into[name] += n
    return {year: total[year] for year in sorted(total)}


def drift_notes(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]], last_year: int
) -> list[str]:
    """Say where a year of the new store differs from the same year of the last one.

    Parameters
    ----------
    before, after : dict
        Counts by year from :func:`add_counts`.
    last_year : int
        Years after it had no full follow-up in the last store; their rates are not compared.
    """
    notes = []
    for year in sorted(set(before) | set(after)):
        if year == "0":
            continue
        old, new = before.get(year, {}), after.get(year, {})
        a, b = old.get("included", 0), new.get("included", 0)
        if abs(b - a) > _ROWS_NOTED * max(a, 1):
            notes.append(f"{year}: {b:,} index disposals, {a:,} before")
        if not a or not b:
            continue
        if int(year) < last_year:
            rates = 100 * old["reoffenders"] / a, 100 * new["reoffenders"] / b
            if abs(rates[1] - rates[0]) > _POINTS_NOTED:
                notes.append(f"{year}: {rates[1]:.1f} % reoffended, {rates[0]:.1f} % before")
        for name in WATCHED:
            shares = 100 * old.get(f"no_{name}", 0) / a, 100 * new.get(f"no_{name}", 0) / b
            if abs(shares[1] - shares[0]) > _POINTS_NOTED:
                notes.append(f"{year}: {name} empty in {shares[1]:.1f} %, {shares[0]:.1f} % before")
    return notes


def record_batches(table: pa.Table, years: tuple[tuple[int, int], ...]) -> list[pa.RecordBatch]:
    """Cut a table into one record batch for each year."""
    batches = []
    start = 0
    for _, n in years:
        (batch,) = table.slice(start, n).combine_chunks().to_batches()
        batches.append(batch)
        start += n
    return batches
