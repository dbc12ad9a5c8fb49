"""The linear form of each estimate as a table: what its bootstrap with matches held fixed draws."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from engine.buffers import to_arrow
from engine.effects.estimates import Estimate
from engine.effects.outcome import Outcome
from engine.matching.rows import Rows


def outcome_name(outcome: Outcome) -> str:
    """Return the name of an outcome's column: the outcome as it is written in the options."""
    return f"{outcome.column}:{outcome.type}"


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
        In canonical order, every row: ``id``; ``unit``, the number of the row's person, or the
        random key of the row where nobody has several; ``stratum``, twice the row's exact cell and
        1 more for treated rows, where there are exact columns; and ``COLUMN:TYPE`` for each
        outcome. To first order the error of an estimate is the sum over everybody divided by the
        matched focal rows; the sum of squares over people, divided by their square, is its
        variance. None where no estimate has a linear form.
    """
    columns = {
        outcome_name(estimate.outcome): to_arrow(sign * estimate.form.phi)
        for estimate in estimates
        if estimate.form is not None
    }
    if not columns:
        return None
    unit = rows.identity.unit if rows.person is None else rows.person.astype(np.uint64)
    named = {"id": rows.identity.ids, "unit": to_arrow(unit)}
    if rows.cell is not None:
        named["stratum"] = to_arrow(2 * rows.cell + rows.treated)
    return pa.table({**named, **columns})
