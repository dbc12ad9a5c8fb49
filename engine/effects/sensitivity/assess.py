"""What it would take to overturn an estimate: every sensitivity figure of one outcome."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.effects.difference import difference_intervals
from engine.effects.estimates import Estimate
from engine.effects.intervals import Interval
from engine.effects.neighbourhoods import Neighbourhoods, find_neighbourhoods, judged_match
from engine.effects.outcome import Outcome
from engine.effects.sample import MatchedSample
from engine.effects.sensitivity.confounder import LeftOut, left_out_covariates
from engine.effects.sensitivity.e_value import (
    EValue,
    Measure,
    e_value_odds_ratio,
    e_value_ratio,
    e_value_risk_difference,
)
from engine.effects.sensitivity.instability import InstabilityBand, instability_band
from engine.effects.sensitivity.placebo import Placebo, placebo_outcome
from engine.effects.sensitivity.reorder import pair_in_order
from engine.effects.sensitivity.rosenbaum import HiddenBias, rosenbaum_gamma
from engine.matching.design import Design
from engine.matching.options import MatchOptions
from engine.matching.pairing import pair_with_replacement
from engine.matching.rows import Rows
from engine.matching.scoring import Scoring
from kernels.logistic import TOGETHER

_BENCHMARK_ROWS = 100_000
"""Rows from which the strength of covariates is taken in larger tables, evenly spread."""
_ROWS_AT_ONCE = 1 << 21
"""Rows of matches in other orders that are held at a time: of a large table one match."""


@dataclass(frozen=True)
class Sensitivity:
    """Sensitivity of one estimate; None where a figure has no meaning for the match.

    Attributes
    ----------
    gamma : HiddenBias or None
        None for radius and kernel matches, which have no sets.
    e_values : tuple of EValue
    left_out : LeftOut or None
        None without covariates or without an interval.
    instability : InstabilityBand or None
        None where no order and no tie decides anything, or where it was not asked for.
    """

    gamma: HiddenBias | None
    e_values: tuple[EValue, ...]
    left_out: LeftOut | None
    instability: InstabilityBand | None


def _covariates(
    design: Design, rows: slice | NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    for covariate in design.covariates:
        if not covariate.levels:
            yield covariate.name, design.numeric[covariate.row][rows]
            continue
        codes = design.codes[covariate.row][rows]
        for number, level in enumerate(covariate.levels):
            if number or len(covariate.levels) > 2:
                yield f"{covariate.name}={level}", (codes == number).astype(np.float64)


def _e_values(estimate: Estimate, sample: MatchedSample) -> tuple[EValue, ...]:
    found = []
    rate = max(estimate.treated.mean, estimate.comparison.mean)
    for ratio in estimate.ratios:
        if not (np.isfinite(ratio.low) and np.isfinite(ratio.high)):
            continue
        if ratio.method == "odds ratio":
            found.append(e_value_odds_ratio(ratio.estimate, ratio.low, ratio.high, rate=rate))
        else:
            measure: Measure = "rate ratio" if ratio.method == "rate ratio" else "risk ratio"
            found.append(e_value_ratio(ratio.estimate, ratio.low, ratio.high, measure))
    interval, form = estimate.interval, estimate.form
    if estimate.outcome.type == "binary" and form is not None and np.isfinite(interval.low):
        t, c = estimate.treated.mean, estimate.comparison.mean
        # Effective sizes under which the binomial variance is the variance of the design.
        n_t, n_c = estimate.treated.effective, estimate.comparison.effective
        binomial = t * (1.0 - t) / n_t + c * (1.0 - c) / n_c
        factor = binomial / form.variance if form.variance > 0.0 and binomial > 0.0 else 1.0
        share = 1.0 if sample.estimand == "att" else 0.0
        found.append(e_value_risk_difference(t, c, n_t * factor, n_c * factor, treated_share=share))
    return tuple(found)


def assess_sensitivity(
    estimate: Estimate,
    values: NDArray[np.float64],
    sample: MatchedSample,
    rows: Rows,
    scoring: Scoring,
    options: MatchOptions,
    orders: int,
) -> Sensitivity:
    """Return what it would take to overturn an estimate.

    Parameters
    ----------
    estimate : Estimate
    values : float64, shape (n,)
        Its outcome.
    sample : MatchedSample
    rows : Rows
    scoring : Scoring
    options : MatchOptions
    orders : int
        Orders of the instability band; 0 for none.

    Returns
    -------
    Sensitivity
    """
    gamma = None
    if sample.sets is not None:
        sets = sample.sets
        gamma = rosenbaum_gamma(
            sample.focal,
            sets.indptr,
            sets.partner,
            values,
            estimate.outcome.type,
            share=sets.share,
            focal_treated=sample.estimand == "att",
        )
    left_out = None
    interval = estimate.interval
    if rows.design.covariates and np.isfinite(interval.low) and estimate.outcome.type != "time":
        step = max(1, sample.n_rows // _BENCHMARK_ROWS)
        some = slice(None, None, step)
        left_out = left_out_covariates(
            _covariates(rows.design, some),
            values[some],
            sample.is_focal[some],
            sample.weight[some],
            interval.estimate,
            interval.low,
            interval.high,
            focal_treated=sample.estimand == "att",
            binary=estimate.outcome.type == "binary",
        )
    band = None
    if sample.sets is not None and orders > 1 and np.isfinite(interval.standard_error):
        band = _band(estimate, values, sample, rows, scoring, options, orders)
    return Sensitivity(gamma, _e_values(estimate, sample), left_out, band)


def _band(
    estimate: Estimate,
    values: NDArray[np.float64],
    sample: MatchedSample,
    rows: Rows,
    scoring: Scoring,
    options: MatchOptions,
    orders: int,
) -> InstabilityBand:
    """Match in other orders; a match too small for an interval gives no estimate."""
    own = estimate.interval
    others: list[Interval | None]
    if options.replace and not _depends_on_ties(sample, scoring, options):
        same = [(sample, find_neighbourhoods(sample))]
        others = list(difference_intervals(estimate.outcome, values, same)) * (orders - 1)
    else:
        pairings = (pair_in_order(scoring.problem, rows, options, n) for n in range(1, orders))
        matches = (judged_match(sample, pairing) for pairing in pairings)
        at_once = min(max(_ROWS_AT_ONCE // sample.n_rows, 1), TOGETHER)
        others = list(difference_intervals(estimate.outcome, values, matches, at_once=at_once))
    nan = float("nan")
    found = [
        (nan, nan) if one is None else (one.estimate, one.standard_error) for one in (own, *others)
    ]
    return instability_band((one for one, _ in found), (error for _, error in found))


def _depends_on_ties(sample: MatchedSample, scoring: Scoring, options: MatchOptions) -> bool:
    """Whether the order of rows may decide a set of a match with replacement.

    It decides between equal scores only. Where the last partner of a set and the next one that
    could be taken differ, every order has the same sets; sets that hold all who are tied do in any
    case. Of a person's rows a set holds one, which an order may decide within a tie as well.
    """
    problem = scoring.problem
    if problem.person is not None and sample.has_repeated_people:
        return True
    if options.ties == "all":
        return False
    more = pair_with_replacement(problem, ratio=options.ratio + 1)
    last = more.indptr[1:][more.set_size > options.ratio] - 2
    score = problem.score[more.partner]
    return bool((score[last] == score[last + 1]).any())


@dataclass(frozen=True)
class _Found:
    """An interval by the names that the placebo test reads."""

    difference: float
    ci_low: float
    ci_high: float
    p_value: float


def assess_placebo(
    outcome: Outcome,
    values: NDArray[np.float64],
    sample: MatchedSample,
    near: Neighbourhoods,
) -> Placebo:
    """Estimate the effect on something that happened before anybody took part."""

    def estimator(y: NDArray[np.float64]) -> _Found:
        (interval,) = difference_intervals(outcome, y, [(sample, near)])
        assert interval is not None
        return _Found(interval.estimate, interval.low, interval.high, interval.p_value)

    return placebo_outcome(outcome.column, values, estimator)
