"""Small tables that are written beside the results."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from engine.buffers import text_array, to_arrow

BALANCE = pa.schema(
    [
        pa.field("name", pa.string()),
        pa.field("kind", pa.string()),
        *(
            pa.field(name, pa.float64())
            for name in (
                "mean_treated",
                "mean_treated_matched",
                "mean_comparison_before",
                "mean_comparison_after",
                "smd_before",
                "smd_after",
                "variance_ratio_before",
                "variance_ratio_after",
                "ks_before",
                "ks_after",
            )
        ),
    ]
)
"""Columns of balance.csv: the keys of one entry of `balance` in results.json."""


def balance_table(results: Mapping[str, Any]) -> pa.Table:
    """Balance of every term before and after matching, one row a term.

    Parameters
    ----------
    results : mapping
        The results as written to results.json.

    Returns
    -------
    pyarrow.Table
        Columns of ``BALANCE``; null where a figure is not defined.
    """
    rows = results.get("balance") or []
    columns = [_column([row.get(field.name) for row in rows], field.type) for field in BALANCE]
    return pa.Table.from_arrays(columns, schema=BALANCE)


def _column(cells: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return text_array(cells)
    numbers = np.array([np.nan if cell is None else float(cell) for cell in cells])
    return to_arrow(numbers, np.array([cell is not None for cell in cells], dtype=np.bool_))
