"""All measures of one analysis, once its match has passed the gate."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_arrow
from engine.effects.choice import WELCH_RAW
from engine.effects.estimates import Estimate, estimate_outcomes
from engine.effects.intervals import Interval, t_quantile, wilson
from engine.effects.measures import (
    MEASURES,
    RATE,
    ArmCounts,
    Measure,
    count_arm,
    values_of,
)
from engine.effects.neighbourhoods import (
    Neighbourhoods,
    find_neighbourhoods,
    rows_that_count,
)
from engine.effects.power import MatchPower, match_power
from engine.effects.sample import MatchedSample, matched_sample
from engine.effects.verdicts import Verdict, verdict_of
from engine.effects.welch import Group
from engine.matching.designed import Designed

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MeasureResult:
    """What an analysis found on one measure; exact, so private.

    Attributes
    ----------
    measure : Measure
    estimate : Estimate
        With the interval of the design.
    welch : Interval or None
        The interval that published figures are consistent with; None where it is not defined.
    treated_limits, comparison_limits : tuple of float
        Interval of each mean by itself, for error bars.
    treated, comparison : ArmCounts
    expected : float
        Events expected among the treated: people times mean for shares and counts, people for days.
    reoffenders : int
        Treated people who reoffended.
    verdict : Verdict
    power : MatchPower or None
    """

    measure: Measure
    estimate: Estimate
    welch: Interval | None
    treated_limits: tuple[float, float]
    comparison_limits: tuple[float, float]
    treated: ArmCounts
    comparison: ArmCounts
    expected: float
    reoffenders: int
    verdict: Verdict
    power: MatchPower | None


@dataclass(frozen=True)
class Opened:
    """A match whose outcomes are open.

    Attributes
    ----------
    sample : MatchedSample
    near : Neighbourhoods
    rate : float64, shape (n,)
        Who reoffended, by row of the analysis: other matches of them are compared on it.
    measures : tuple of MeasureResult
    """

    sample: MatchedSample
    near: Neighbourhoods
    rate: Floats
    measures: tuple[MeasureResult, ...]


def estimate_measures(
    designed: Designed,
    outcomes: pa.Table,
    progress: Callable[[float], None] | None = None,
    *,
    adjust: bool = True,
) -> Opened:
    """Estimate all measures of an analysis.

    Parameters
    ----------
    designed : Designed
        Has passed the gate.
    outcomes : pyarrow.Table
        Measures of every row of the pool; see :func:`engine.effects.measures.open_outcomes`.
    progress : callable, optional
        Told the share done.
    adjust : bool
        Whether to adjust for the propensity terms too.

    Returns
    -------
    Opened
    """
    sample = matched_sample(designed.rows, designed.scoring, designed.matched, designed.options)
    near = find_neighbourhoods(sample)
    rows = np.flatnonzero(designed.keep)
    counting = rows_that_count(sample, near)
    some = to_arrow(rows[counting])
    values = {one.name: values_of(outcomes[one.name].take(some)) for one in MEASURES}
    estimates = estimate_outcomes(
        ((one.outcome, _spread(values[one.name], counting, len(rows))) for one in MEASURES),
        len(MEASURES),
        sample,
        near,
        adjust=adjust,
        progress=progress,
    )
    in_match = sample.weight[counting] > 0
    treated = sample.treated[counting]
    reoffenders = int(np.count_nonzero(values[RATE.name][in_match & treated] > 0.0))
    person = None if sample.person is None else sample.person[counting]
    arms = [
        (arm, None if person is None else person[arm])
        for arm in (in_match & treated, in_match & ~treated)
    ]
    measures = []
    for one, estimate in zip(MEASURES, estimates, strict=True):
        counts = [count_arm(one, values[one.name][arm], people) for arm, people in arms]
        measures.append(_measured(one, estimate, counts[0], counts[1], reoffenders))
    rate = values_of(outcomes[RATE.name].take(to_arrow(rows)))
    return Opened(sample, near, rate, tuple(measures))


def _spread(values: Floats, rows: NDArray[np.int64], n: int) -> Floats:
    """Return values of the rows that count as those of all n; 0 elsewhere, which nobody reads."""
    whole = np.zeros(n)
    whole[rows] = values
    return whole


def _measured(
    measure: Measure,
    estimate: Estimate,
    treated: ArmCounts,
    comparison: ArmCounts,
    reoffenders: int,
) -> MeasureResult:
    """Return a measure's estimate with what is published beside it."""
    expected = (
        float(treated.people)
        if measure.kind == "days"
        else treated.people * estimate.treated.mean
        if treated.people
        else 0.0
    )
    welch = next((one for one in estimate.secondary if one.method == WELCH_RAW), None)
    interval = estimate.interval
    effective = estimate.comparison.effective
    return MeasureResult(
        measure,
        estimate,
        welch if welch is not None and np.isfinite(welch.low) else None,
        mean_limits(measure, estimate.treated, float(estimate.treated.n)),
        mean_limits(measure, estimate.comparison, effective),
        treated,
        comparison,
        expected,
        reoffenders,
        verdict_of(
            measure,
            interval.estimate,
            interval.p_value,
            expected=expected,
            reoffenders=reoffenders,
        ),
        match_power(
            measure.outcome.type,
            estimate.treated.mean,
            estimate.comparison.mean,
            interval.standard_error,
            float(estimate.treated.n),
            effective,
            degrees_of_freedom=interval.degrees_of_freedom,
        ),
    )


def mean_limits(
    measure: Measure, group: Group, size: float, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of one mean by itself: Wilson's for shares, t for others.

    Parameters
    ----------
    measure : Measure
    group : Group
    size : float
        Effective number of people.
    level : float
        In (0, 1).
    """
    if size <= 1.0:
        return float("nan"), float("nan")
    quantile = t_quantile(size - 1.0, level)
    if measure.kind == "share":
        return wilson(group.mean, size, quantile)
    half = quantile * float(np.sqrt(group.spread / (size - 1.0)))
    return max(group.mean - half, 0.0), group.mean + half
