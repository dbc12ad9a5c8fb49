"""A placebo outcome: something known before anybody took part, which the service cannot change."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class IntervalEstimate(Protocol):
    """What an estimator returns: a difference with its interval and p-value."""

    @property
    def difference(self) -> float:
        """Treated minus comparison."""

    @property
    def ci_low(self) -> float:
        """Lower limit."""

    @property
    def ci_high(self) -> float:
        """Upper limit."""

    @property
    def p_value(self) -> float:
        """Two-sided p-value."""


@dataclass(frozen=True)
class Placebo:
    """The main estimator on an outcome that it must not find an effect on.

    Attributes
    ----------
    name : str
        Column of the placebo outcome.
    difference, ci_low, ci_high, p_value : float
        As the estimator returns them; nan where not defined.
    alarm : bool
        Whether the interval leaves out equal groups.
    sentence : str
        The result in plain words.
    """

    name: str
    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    alarm: bool
    sentence: str


def placebo_outcome(
    name: str,
    y: NDArray[np.float64],
    estimator: Callable[[NDArray[np.float64]], IntervalEstimate],
) -> Placebo:
    """Apply the estimator of the main result to an outcome known before treatment.

    Parameters
    ----------
    name : str
        Column of the placebo outcome, which must not be a covariate of the match: balance on a
        covariate is what the match made, not what it proves.
    y : float64, shape (n,)
        The placebo outcome in canonical row order.
    estimator : callable
        The main estimator with match, weights and interval held fixed.

    Returns
    -------
    Placebo

    Notes
    -----
    An interval that leaves out 0 shows a difference that the service cannot have made. One that
    holds 0 is no proof of a fair comparison: the hidden difference may concern something else, or
    be smaller than the interval is wide.
    """
    found = estimator(y)
    low, high = float(found.ci_low), float(found.ci_high)
    alarm = low > 0.0 or high < 0.0
    return Placebo(
        name,
        float(found.difference),
        low,
        high,
        float(found.p_value),
        alarm,
        _sentence(name, defined=bool(np.isfinite(low) and np.isfinite(high)), alarm=alarm),
    )


def _sentence(name: str, *, defined: bool, alarm: bool) -> str:
    if not defined:
        return f"There are too few people to compare the groups on '{name}' before taking part."
    if alarm:
        return (
            f"Before anybody took part the groups already differed in '{name}'. The service cannot "
            "have made that difference, so part of the main result may not be its doing either."
        )
    return (
        f"Before anybody took part the groups did not clearly differ in '{name}', as it should be; "
        "a smaller or another hidden difference remains possible."
    )
