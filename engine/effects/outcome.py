"""Outcomes as the user names them, and as numbers in canonical order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from engine.columns import as_float64, require_no_missing, row_numbers
from engine.effects.welch import OutcomeType
from engine.errors import InputError, UsageError
from engine.matching.identity import Identity
from engine.tables import TableSource, column

_RULES = {
    "binary": "a binary outcome holds 0 and 1 (or false and true)",
    "count": "a count holds whole numbers of at least 0",
    "time": "a time holds days of at least 0, and is empty for people without the event",
}


@dataclass(frozen=True)
class Outcome:
    """An outcome to estimate an effect on.

    Attributes
    ----------
    column : str
    type : {'binary', 'count', 'time'}
    """

    column: str
    type: OutcomeType


def parse_outcomes(texts: str | Sequence[str]) -> tuple[Outcome, ...]:
    """Return the outcomes written as ``COLUMN:TYPE``.

    Raises
    ------
    UsageError
        The type is missing or unknown, or a column is named twice.
    """
    listed = (texts,) if isinstance(texts, str) else tuple(texts)
    outcomes = []
    for text in listed:
        name, _, kind = text.rpartition(":")
        if not name or kind not in get_args(OutcomeType):
            raise UsageError(
                "an outcome does not say what it is",
                rule="an outcome is a column and a type: binary, count or time",
                repair="Write for example --outcome reoffended:binary",
            )
        outcomes.append(Outcome(name, kind))  # type: ignore[arg-type]
    repeated = {o.column for o in outcomes if sum(p.column == o.column for p in outcomes) > 1}
    if repeated:
        raise UsageError(
            f"the outcome '{min(repeated)}' is named twice", repair="Name every outcome once"
        )
    return tuple(outcomes)


def read_outcome(source: TableSource, outcome: Outcome, identity: Identity) -> NDArray[np.float64]:
    """Read an outcome, in canonical order.

    Parameters
    ----------
    source : TableSource
    outcome : Outcome
    identity : Identity

    Returns
    -------
    float64, shape (n,)
        0 or 1; a whole number; or days, NaN for no event.

    Raises
    ------
    InputError
        The column does not exist or breaks the rule of its type.
    """
    values = column(source, outcome.column, "outcome")
    if outcome.type != "time":
        require_no_missing(values, name=outcome.column, role="outcome", source=source)
    numbers = as_float64(values, name=outcome.column, source=source)
    if outcome.type == "binary":
        wrong = (numbers != 0.0) & (numbers != 1.0)
    elif outcome.type == "count":
        wrong = (numbers < 0.0) | (numbers != np.floor(numbers))
    else:
        wrong = numbers < 0.0
    if wrong.any():
        count = int(np.count_nonzero(wrong))
        raise InputError(
            f"the outcome '{outcome.column}' has {count:,} "
            + ("cell" if count == 1 else "cells")
            + f" that cannot be a {outcome.type}",
            where=f"{source.name}, {row_numbers(source, wrong)}",
            rule=_RULES[outcome.type],
            repair="Correct the cells, or name another type after the colon",
        )
    return identity.gather(numbers)
