"""What is estimated once the outcomes are open: effects, sensitivity, placebos."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.effects.cautions import Support, assess_support
from engine.effects.choice import IntervalName, choose_interval
from engine.effects.estimates import Estimate, estimate_outcome
from engine.effects.neighbourhoods import find_neighbourhoods
from engine.effects.outcome import Outcome
from engine.effects.resampled import Resampled, resample, with_resampled
from engine.effects.sample import matched_sample
from engine.effects.sensitivity.assess import Sensitivity, assess_placebo, assess_sensitivity
from engine.effects.sensitivity.placebo import Placebo
from engine.effects.sensitivity.reorder import DEFAULT_ORDERS, MOST_ROWS
from engine.matching.options import MatchOptions
from engine.matching.rows import Rows
from engine.matching.scoring import Scoring
from engine.matching.selection import Match


@dataclass(frozen=True)
class Asked:
    """What is asked of the outcomes.

    Attributes
    ----------
    outcomes, placebos : tuple of Outcome
    interval : IntervalName
    replicates : int
    orders : int or None
        Orders of the instability band; None leaves it to the size of the table.
    """

    outcomes: tuple[Outcome, ...]
    placebos: tuple[Outcome, ...]
    interval: IntervalName
    replicates: int
    orders: int | None

    def as_given(self) -> dict[str, Any]:
        """Return what was asked in the words of the options."""
        return {
            "outcome": [f"{one.column}:{one.type}" for one in self.outcomes],
            "interval": self.interval,
            "replicates": self.replicates,
            "placebo": [f"{one.column}:{one.type}" for one in self.placebos],
            "orders": self.orders,
        }


@dataclass(frozen=True)
class Effects:
    """All that was estimated.

    Attributes
    ----------
    estimates : tuple of Estimate
    sensitivity : tuple of Sensitivity
        One for each estimate.
    placebos : tuple of Placebo
    support : Support or None
        None where there is no outcome.
    resampled : tuple of tuple of Resampled
        For each estimate; empty without replicates.
    """

    estimates: tuple[Estimate, ...] = ()
    sensitivity: tuple[Sensitivity, ...] = ()
    placebos: tuple[Placebo, ...] = ()
    support: Support | None = None
    resampled: tuple[tuple[Resampled, ...], ...] = ()


def estimate_effects(
    asked: Asked,
    read: Callable[[Outcome], NDArray[np.float64]],
    rows: Rows,
    scoring: Scoring,
    matched: Match,
    options: MatchOptions,
    progress: Callable[[float], None],
) -> Effects:
    """Open the outcomes, one after the other, and estimate the effect on each.

    Parameters
    ----------
    asked : Asked
    read : callable
        Returns the values of an outcome in canonical order; called once for each, after the
        interval has been accepted for the match.
    rows, scoring, matched, options
        The finished match.
    progress : callable
        Told the share done.

    Returns
    -------
    Effects

    Raises
    ------
    UsageError
        The interval that was asked for is wrong for this match.
    """
    if not asked.outcomes and not asked.placebos:
        return Effects()
    sample = matched_sample(rows, scoring, matched, options)
    for outcome in asked.outcomes:
        choose_interval(asked.interval, sample, outcome.type)
    near = find_neighbourhoods(sample)
    orders = asked.orders
    if orders is None:
        orders = DEFAULT_ORDERS if rows.n_rows <= MOST_ROWS else 0
    estimates, sensitivity, resampled = [], [], []
    for number, outcome in enumerate(asked.outcomes):
        values = read(outcome)
        estimate = estimate_outcome(outcome, values, sample, near, asked.interval)
        replicates: tuple[Resampled, ...] = ()
        if asked.replicates and estimate.form is not None:
            replicates = resample(
                estimate, values, sample, rows, scoring, options, asked.interval, asked.replicates
            )
            estimate = with_resampled(estimate, replicates, asked.interval)
        estimates.append(estimate)
        resampled.append(replicates)
        sensitivity.append(
            assess_sensitivity(estimate, values, sample, rows, scoring, options, orders)
        )
        progress((number + 1) / (len(asked.outcomes) + len(asked.placebos)))
    placebos = tuple(
        assess_placebo(outcome, read(outcome), sample, near) for outcome in asked.placebos
    )
    support = assess_support(sample, options.ratio)
    return Effects(tuple(estimates), tuple(sensitivity), placebos, support, tuple(resampled))
