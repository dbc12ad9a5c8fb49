"""Verdicts: what a result may be called, and corrections for many tests."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from engine.effects.cautions import LEAST_EVENTS, LEAST_EXPECTED
from engine.effects.measures import Measure

Verdict = Literal[
    "fewer",
    "more",
    "earlier",
    "later",
    "inconclusive",
    "too_few_reoffenders",
    "match_not_adequate",
]
ALPHA = 0.05


def enough_expected(expected: float) -> bool:
    """Whether at least 10 events are expected among the treated."""
    return expected >= LEAST_EXPECTED


def enough_reoffenders(reoffenders: int) -> bool:
    """Whether at least 30 treated people reoffended."""
    return reoffenders >= LEAST_EVENTS


def verdict_of(
    measure: Measure, difference: float, p_value: float, *, expected: float, reoffenders: int
) -> Verdict:
    """Return what a difference may be called.

    Parameters
    ----------
    measure : Measure
    difference : float
        Treated minus comparison.
    p_value : float
        nan where there is no interval.
    expected : float
        Treated people times the treated mean.
    reoffenders : int
        Treated people who reoffended; the limit of 30 holds for every measure.

    Returns
    -------
    Verdict

    Notes
    -----
    A p-value of exactly 0.05 is significant.
    """
    if not p_value <= ALPHA or difference == 0.0:
        return "inconclusive"
    if not (enough_expected(expected) and enough_reoffenders(reoffenders)):
        return "too_few_reoffenders"
    if measure.kind == "days":
        return "earlier" if difference < 0.0 else "later"
    return "fewer" if difference < 0.0 else "more"


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for all tests by Holm's step-down rule.

    Parameters
    ----------
    p_values : sequence of float
        nan for a test that could not be made; it stays nan and does not count.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    p = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    p[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in p]


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for the false discovery rate.

    Parameters
    ----------
    p_values : sequence of float
        As for :func:`holm`.

    References
    ----------
    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.
    """
    p = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    m = len(order)
    steps = p[order] * m / np.arange(1, m + 1)
    # no p-value is lowered, by rounding either
    p[order] = np.minimum(np.maximum(np.minimum.accumulate(steps[::-1])[::-1], p[order]), 1.0)
    return [float(value) for value in p]
