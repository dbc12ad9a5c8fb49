"""The linear form of each estimate as a table: what its bootstrap with matches held fixed draws."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_arrow
from engine.effects.estimates import Estimate
from engine.matching.rows import Rows
from engine.release.content import first_rows


def outcome_name(column: str, kind: str) -> str:
    """Return the name of an outcome's column, as the outcome is written in the options."""
    return f"{column}:{kind}"


def linear_form_table(rows: Rows, estimates: Sequence[Estimate], sign: float) -> pa.Table | None:
    """Return what each row adds to the error of each estimate.

    Parameters
    ----------
    rows : Rows
    estimates : sequence of Estimate
    sign : float
        1 for the ATT, -1 for the ATC: the estimates are treated minus comparison.

    Returns
    -------
    pyarrow.Table or None
        ``id``; ``unit``, the random key of the row's person; and for each outcome ``COLUMN:TYPE``,
        whose sum over everybody is the error of the estimate to first order and whose sum of
        squares over people is its variance. Rows that add nothing to any estimate are left out.
        None where no estimate has a linear form.
    """
    columns: dict[str, NDArray[np.float64]] = {}
    for estimate in estimates:
        if estimate.form is not None:
            name = outcome_name(estimate.outcome.column, estimate.outcome.type)
            columns[name] = sign * estimate.form.phi / estimate.form.n_focal
    if not columns:
        return None
    adds = np.zeros(rows.n_rows, dtype=np.bool_)
    for values in columns.values():
        adds |= values != 0.0
    kept = np.flatnonzero(adds)
    unit = rows.identity.unit
    if rows.person is not None:
        unit = unit[first_rows(rows.person)]
    return pa.table(
        {
            "id": rows.identity.ids.take(to_arrow(kept)),
            "unit": to_arrow(unit[kept]),
            **{name: to_arrow(values[kept]) for name, values in columns.items()},
        }
    )
