"""Work, benefits and other support before each disposal, as covariates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from engine.records import code_lists as codes
from engine.store.careers import offsets
from engine.store.coding import Lists, code_numbers
from engine.store.dates import add_months
from engine.store.partition_input import PartitionInput, column
from kernels.events import NEVER
from kernels.spells import OPEN_END, covered_before_into

Whole = np.ndarray[Any, Any]

WINDOWS = {"month_before": 1, "year_before": 12}
"""Months up to the day before the disposal."""
FLAGS = (
    "employed",
    "benefits",
    *codes.BENEFIT_FAMILIES,
    "accommodation",
    "programmes",
)
"""What a period may be; the place is its bit. Days are counted for the first two."""
_DAYS_OF = 2


def support_columns(source: PartitionInput, lists: Lists) -> dict[str, Any]:
    """Return the columns on work, benefits and support of one partition's disposals.

    Parameters
    ----------
    source : PartitionInput
    lists : dict of str to tuple of str

    Returns
    -------
    dict of str to pyarrow.Array
        ``FLAG_WINDOW`` whether some period touches the window, ``days_FLAG_year_before`` how many
        of its days are inside one, and ``never_linked``: no period of work or benefits began before
        the disposal. All empty where the extract has no such table.

    Notes
    -----
    Windows end the day before the disposal, as the criminal history does: what lies between a
    sentence and the release may be a result of a service in custody.
    """
    day = column(source.disposals, "disposal_date", np.int32)
    kinds = _bits(source.support, lists)
    unknown = np.full(len(day), not source.has_support)
    found: dict[str, Any] = {}
    for window, months in WINDOWS.items():
        met, days = _covered(source, kinds, day, add_months(day, -months))
        for place, name in enumerate(FLAGS):
            found[f"{name}_{window}"] = pa.array((met >> place) & 1 == 1, mask=unknown)
    for place, name in enumerate(FLAGS[:_DAYS_OF]):
        found[f"days_{name}_year_before"] = pa.array(days[:, place].astype(np.int16), mask=unknown)
    ever, _ = _covered(source, kinds, day, np.full(len(day), NEVER + 1, np.int32))
    found["never_linked"] = pa.array(ever & 0b11 == 0, mask=unknown)
    return found


def _covered(source: PartitionInput, kinds: Whole, day: Whole, begin: Whole) -> tuple[Whole, Whole]:
    """Return the bits of the periods that touch each window, and days inside the first kinds."""
    people = column(source.people, "person_id", np.int64)
    end = column(source.support, "period_end", np.int32)
    met = np.empty(len(day), np.uint16)
    days = np.empty((len(day), _DAYS_OF), np.int32)
    covered_before_into(
        offsets(people, column(source.disposals, "person_id", np.int64)),
        offsets(people, column(source.support, "person_id", np.int64)),
        day,
        begin,
        column(source.support, "period_start", np.int32),
        np.where(end == NEVER, OPEN_END, end).astype(np.int32),
        kinds,
        met,
        days,
        0,
        len(people),
    )
    return met, days


def _bits(table: pa.Table, lists: Lists) -> Whole:
    """Return what each period is, one bit for each of ``FLAGS``."""
    bit = {name: 1 << place for place, name in enumerate(FLAGS)}
    of_kind = {
        codes.EMPLOYMENT: bit["employed"],
        codes.BENEFITS: bit["benefits"],
        codes.ACCOMMODATION: bit["accommodation"],
        codes.PROGRAMMES: bit["programmes"],
    }
    families = {
        code: bit[family] for family, members in codes.BENEFIT_FAMILIES.items() for code in members
    }
    kind = code_numbers(table["kind"])
    by_kind = np.array([*(of_kind.get(name, 0) for name in lists["kind"]), 0], np.uint16)
    by_code = np.array([*(families.get(name, 0) for name in lists["code"]), 0], np.uint16)
    benefit = kind == lists["kind"].index(codes.BENEFITS)
    own = np.where(benefit, by_code[code_numbers(table["code"])], 0)
    return (by_kind[kind] | own).astype(np.uint16)
