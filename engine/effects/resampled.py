"""Resampling of a finished match, by the names that users ask for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.effects.bootstrap import Bootstrap, acceleration, bootstrap_intervals
from engine.effects.choice import METHODS, IntervalName
from engine.effects.estimates import Estimate
from engine.effects.intervals import Interval
from engine.effects.linear_form import person_sums
from engine.effects.rematching import recipe_for
from engine.effects.replicates import FullFit, people_to_draw
from engine.effects.sample import MatchedSample
from engine.effects.sources import (
    FIXED_MATCHES,
    Source,
    conditional_difference,
    difference_of_means,
    difference_of_ratios,
    mean_difference,
    multiplier_source,
    refit_bootstrap,
    set_source,
)
from engine.effects.welch import OutcomeType
from engine.errors import UsageError
from engine.matching.options import MatchOptions
from engine.matching.propensity import DEFAULT_RIDGE
from engine.matching.rows import Rows
from engine.matching.scoring import Scoring
from kernels.blocks import total

Floats = NDArray[np.float64]
Progress = Callable[[float], None]

MAIN_LIMITS = {
    "wild": "basic",
    "weighted": "basic",
    "set": "bca",
    "subsample": "basic",
    "refit": "normal",
}
"""Which interval of the replicates speaks for each kind."""
_SUBSAMPLE_POWER = 0.75
_HALVINGS = 50


@dataclass(frozen=True)
class Resampled:
    """Replicates of one estimate.

    Attributes
    ----------
    kind : str
        ``wild``, ``weighted``, ``set``, ``subsample`` or ``refit``.
    bootstrap : Bootstrap
    interval : Interval
        The one that speaks for this kind, with the p-value of the same construction.
    """

    kind: str
    bootstrap: Bootstrap
    interval: Interval


def kinds_to_run(asked: IntervalName, sample: MatchedSample) -> tuple[str, ...]:
    """Return the kinds of resampling that a number of replicates calls for.

    The wild bootstrap serves every match; sets are drawn where each person serves once; refits
    and subsamples are made only where they are asked for.
    """
    kinds = ["wild"]
    if not sample.replace and sample.sets is not None:
        kinds.append("set")
    if asked in MAIN_LIMITS and asked not in kinds:
        kinds.append(asked)
    return tuple(kinds)


def _set_columns(values: Floats, sample: MatchedSample, *, conditional: bool) -> Floats:
    """One row for each set: focal numerator and denominator, then those of its partners."""
    had = ~np.isnan(values)
    filled = np.where(had, values, 0.0)
    count = had.astype(np.float64) if conditional else np.ones(len(values))
    own = (filled[sample.focal], count[sample.focal])
    other = (sample.set_means(filled), sample.set_means(count))
    if conditional:
        return np.stack((own[0], own[1], other[0], other[1]), axis=1)
    return np.stack((own[0], other[0], own[1]), axis=1)


def source_of_sets(
    values: Floats, outcome: OutcomeType, sample: MatchedSample, seed: int, *, by_cell: bool = False
) -> Source:
    """Return replicates from matched sets, or from all the sets of a person, drawn at random.

    Parameters
    ----------
    values : float64, shape (n,)
        NaN for no event, in a time outcome.
    outcome : OutcomeType
    sample : MatchedSample
    seed : int
    by_cell : bool
        Draw within the exact cells of the focal rows.
    """
    conditional = outcome == "time"
    columns = _set_columns(values, sample, conditional=conditional)
    one_way = difference_of_ratios if conditional else difference_of_means
    person = sample.person[sample.focal] if sample.has_repeated_people else None  # type: ignore[index]
    stratum = sample.cell[sample.focal] if by_cell and sample.cell is not None else None
    return set_source(
        columns,
        lambda sums: sample.sign * one_way(sums),
        person=person,
        stratum=stratum,
        seed=seed,
    )


def _of_fewer_people(estimate: float, sums: Floats, n_focal: int, seed: int) -> Source:
    """M out of N people of the linear form, which carries reuse where sets would not."""
    people = len(sums)
    sums = sums - float(total(np.ascontiguousarray(sums))) / people
    scale = people / n_focal
    draws = max(2, int(people**_SUBSAMPLE_POWER))
    source = set_source(
        np.stack((sums, np.ones(people)), axis=1),
        lambda both: estimate + scale * both[:, 0] / both[:, 1],
        draws=draws,
        seed=seed,
    )
    note = f"{draws:,} of {people:,} people drawn, scaled back to the whole; {FIXED_MATCHES}"
    return replace(source, note=note)


def source_of_linear_form(
    kind: str, estimate: float, sums: Floats, unit: NDArray[np.uint64], n_focal: int, seed: int
) -> Source:
    """Return replicates from the linear form, matches held fixed.

    Parameters
    ----------
    kind : {'wild', 'weighted', 'subsample'}
    estimate : float
        Treated minus comparison.
    sums : float64, shape (people,)
        Each person's sum of phi, with the sign of the estimate.
    unit : uint64, shape (people,)
        Random key of each person.
    n_focal : int
        Matched focal rows.
    seed : int
    """
    if kind == "subsample":
        return _of_fewer_people(estimate, sums, n_focal, seed)
    if kind == "wild":  # multipliers of mean 0: people without a part are not drawn
        there = np.flatnonzero(sums)
        sums, unit = sums[there], unit[there]
    return multiplier_source(
        estimate,
        np.ascontiguousarray(sums),
        np.ascontiguousarray(unit),
        n_focal,
        multiplier="mammen" if kind == "wild" else "exponential",
        seed=seed,
    )


def _of_linear_form(
    estimate: Estimate, sample: MatchedSample, rows: Rows, kind: str, seed: int
) -> Source:
    form = estimate.form
    assert form is not None
    sums = sample.sign * person_sums(sample, form.phi)
    unit = rows.identity.unit if sample.person is None else np.arange(len(sums), dtype=np.uint64)
    return source_of_linear_form(
        kind, estimate.interval.estimate, sums, unit, len(sample.focal), seed
    )


def full_fit(rows: Rows, scoring: Scoring, options: MatchOptions) -> FullFit | None:
    """Return the fit that refits start from; None where the score was given.

    Raises
    ------
    UsageError
        The score was fitted by Firth's method.
    """
    model = scoring.model
    if model is None:
        return None
    if model.method.startswith("firth"):
        raise UsageError(
            "the bootstrap does not fit Firth's model anew",
            rule="a refit is by maximum likelihood or ridge",
            repair="Use --fit ridge, or the wild bootstrap, which serves every match",
        )
    fitted = model.fitted
    return FullFit(
        fitted.columns,
        rows.treated.astype(np.uint8),
        fitted.beta,
        fitted.information,
        fitted.active,
        ~model.left_out,
        DEFAULT_RIDGE if options.fit == "ridge" else 0.0,
    )


def _of_refits(
    estimate: Estimate,
    values: Floats,
    sample: MatchedSample,
    rows: Rows,
    scoring: Scoring,
    options: MatchOptions,
    replicates: int,
    progress: Progress | None,
) -> Bootstrap:
    had = ~np.isnan(values)
    filled = np.where(had, values, 0.0)
    columns = np.stack((filled, had.astype(np.float64)), axis=1)
    if estimate.outcome.type == "time":
        measure = conditional_difference(0, 1, sample.sign)
    else:
        measure = mean_difference(0, sample.sign)
    full = full_fit(rows, scoring, options)
    assert estimate.form is not None
    return refit_bootstrap(
        (estimate.interval.estimate,),
        recipe_for(scoring.problem, options),
        columns,
        (measure,),
        people_to_draw(rows.treated, sample.eligible, sample.person),
        full=full,
        logit=None if full is not None else scoring.logit,
        skews=(acceleration(sample.sign * person_sums(sample, estimate.form.phi)),),
        replicates=replicates,
        seed=options.seed,
        level=estimate.interval.level,
        progress=progress,
    )[0]


def as_interval(kind: str, bootstrap: Bootstrap, estimate: float, level: float) -> Interval:
    """The interval that speaks for a kind, and the p-value at whose level it touches 0."""
    method = MAIN_LIMITS[kind]
    nan = float("nan")
    found = {one.method: one for one in bootstrap.intervals}.get(method)
    if found is None:
        return Interval(METHODS[kind], estimate, nan, nan, nan, nan, nan, level)
    skew = bootstrap.skew if method == "bca" else None

    def holds_zero(at: float) -> bool:
        limits = bootstrap_intervals(estimate, bootstrap.estimates, level=at, skew=skew)
        own = next(one for one in limits if one.method == method)
        return own.low <= 0.0 <= own.high

    # No level can be told from 1 beyond the outermost replicate.
    low, high = 0.0, 1.0 - 1.0 / (bootstrap.replicates + 1)
    if not holds_zero(high):
        p_value = 1.0 - high
    else:
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if middle > 0.0 and holds_zero(middle):
                high = middle
            else:
                low = middle
        p_value = 1.0 - high
    return Interval(
        METHODS[kind],
        estimate,
        bootstrap.standard_error,
        nan,
        found.low,
        found.high,
        p_value,
        level,
    )


def with_resampled(
    estimate: Estimate, resampled: tuple[Resampled, ...], asked: IntervalName
) -> Estimate:
    """Return the estimate with the intervals from resampling: beside the main one, or as it."""
    named = {one.kind: one.interval for one in resampled}
    beside = tuple(interval for kind, interval in named.items() if kind != asked)
    if asked not in named:
        return replace(estimate, secondary=(*estimate.secondary, *beside))
    return replace(
        estimate,
        interval=named[asked],
        secondary=(estimate.interval, *estimate.secondary, *beside),
    )


def resample(
    estimate: Estimate,
    values: Floats,
    sample: MatchedSample,
    rows: Rows,
    scoring: Scoring,
    options: MatchOptions,
    asked: IntervalName,
    replicates: int,
    progress: Progress | None = None,
) -> tuple[Resampled, ...]:
    """Resample one estimate in every way that its match and the user call for.

    Parameters
    ----------
    estimate : Estimate
        With a linear form.
    values : float64, shape (n,)
        Its outcome.
    sample, rows, scoring, options
        The finished match.
    asked : IntervalName
    replicates : int
        At least 2.
    progress : callable, optional

    Returns
    -------
    tuple of Resampled

    Raises
    ------
    UsageError
        A refit was asked for that cannot be made for this match.
    """
    found = []
    seed, level = options.seed, estimate.interval.level
    for kind in kinds_to_run(asked, sample):
        if kind == "refit":
            bootstrap = _of_refits(
                estimate, values, sample, rows, scoring, options, replicates, progress
            )
        else:
            if kind == "set":
                source = source_of_sets(values, estimate.outcome.type, sample, seed)
            else:
                source = _of_linear_form(estimate, sample, rows, kind, seed)
            bootstrap = source.finish(source.draw(0, replicates), seed, level)
        interval = as_interval(kind, bootstrap, estimate.interval.estimate, level)
        found.append(Resampled(kind, bootstrap, interval))
    return tuple(found)
