"""Estimates of a match: each outcome, with the interval that its design makes valid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.effects.adjusted import predict_without_service
from engine.effects.cautions import LEAST_EVENTS, LEAST_EXPECTED, estimate_cautions
from engine.effects.choice import (
    BY_DESIGN,
    NEEDS_REPLICATES,
    Choice,
    IntervalName,
    choose_interval,
)
from engine.effects.intervals import (
    ArmMean,
    Interval,
    log_wald,
    mover_difference,
    no_interval,
    satterthwaite,
    wald,
)
from engine.effects.linear_form import LinearForm, LocalPieces, linear_form, local_pieces
from engine.effects.neighbourhoods import Neighbourhoods
from engine.effects.outcome import Outcome
from engine.effects.sample import MatchedSample
from engine.effects.secondary import secondary_intervals
from engine.effects.welch import Group, describe_group
from kernels.blocks import total, total_product

Floats = NDArray[np.float64]

_MEASURES = {
    "binary": "difference in proportions",
    "count": "difference in means",
    "time": "difference in mean days to the event, among those with the event only",
}


@dataclass(frozen=True)
class Estimate:
    """Effect on one outcome.

    Attributes
    ----------
    outcome : Outcome
    measure : str
        In words; conditional measures say so.
    treated, comparison : Group
        The two arms of the matched sample.
    interval : Interval
        Treated minus comparison: the main interval.
    choice : Choice
        Why it is the main one, and what was refused.
    secondary : tuple of Interval
        Others, by name.
    ratios : tuple of Interval
        Risk, odds or rate ratio, treated over comparison.
    adjusted : Interval or None
        Difference adjusted for the propensity terms within the matched sample.
    adjusted_note : str
        Why there is none; empty otherwise.
    form : LinearForm or None
        None where the match is too small for one.
    expected_events : float
        Treated people times the treated mean: what the publication rule looks at.
    publishable : bool
        Whether the publication rule lets the difference be printed in public: at least 10
        expected events.
    enough_events : bool
        Whether a difference may be called significant: at least 30 treated people with the event.
    cautions : tuple of str
        The most important first.
    """

    outcome: Outcome
    measure: str
    treated: Group
    comparison: Group
    interval: Interval
    choice: Choice
    secondary: tuple[Interval, ...]
    ratios: tuple[Interval, ...]
    adjusted: Interval | None
    adjusted_note: str
    form: LinearForm | None
    expected_events: float
    publishable: bool
    enough_events: bool
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class _Arms:
    """Means and variance pieces of the focal rows and their partners, on one scale."""

    focal: float
    partner: float
    focal_variance: float
    partner_variance: float
    partner_freedom: float
    effective: float


def _arms(sample: MatchedSample, values: Floats) -> _Arms:
    n = len(sample.focal)
    weight = sample.weight[sample.partners]
    own, other = values[sample.focal], values[sample.partners]
    focal = float(total(own)) / n
    partner = float(total_product(weight, other)) / n
    gap = own - focal
    own_variance = float(total_product(gap, gap)) / (n - 1.0) / n if n > 1 else float("nan")
    spread = weight * (other - partner)
    squares = weight * weight
    second, fourth = float(total(squares)), float(total_product(squares, squares))
    freedom = max(second * second / fourth - 1.0, 1.0)
    partner_variance = float(total_product(spread, spread)) / n**2
    return _Arms(focal, partner, own_variance, partner_variance, freedom, n * n / second)


def _freedom(arms: _Arms, form: LinearForm, focal_size: float, partner_freedom: float) -> float:
    own = max(focal_size - 1.0, 1.0)
    freedom = satterthwaite(arms.focal_variance, arms.partner_variance, own, partner_freedom)
    if np.isnan(freedom):
        freedom = own
    return min(freedom, form.people - 1.0) if form.repeated else freedom


def _swap(sample: MatchedSample, focal: ArmMean, partner: ArmMean) -> tuple[ArmMean, ArmMean]:
    """Treated and comparison of focal and partner."""
    return (focal, partner) if sample.estimand == "att" else (partner, focal)


def _groups(
    sample: MatchedSample, values: Floats, counted: NDArray[np.bool_]
) -> tuple[Group, Group]:
    found = []
    for arm in (~sample.treated, sample.treated):
        rows = np.flatnonzero(arm & counted & (sample.weight > 0))
        found.append(describe_group(values[rows], sample.weight[rows]))
    return found[0], found[1]


def _ratio(
    sample: MatchedSample,
    near: Neighbourhoods,
    pieces: LocalPieces,
    arms: _Arms,
    freedom: float,
    kind: str,
    level: float,
) -> Interval:
    """Return a ratio measure by t on its logarithm."""
    a, b = arms.focal, arms.partner
    if kind == "odds ratio":
        usable = 0.0 < a < 1.0 and 0.0 < b < 1.0
        factors = (1.0 / (a * (1.0 - a)), 1.0 / (b * (1.0 - b))) if usable else None
        value = a * (1.0 - b) / (b * (1.0 - a)) if usable else float("nan")
    else:
        usable = a > 0.0 and b > 0.0
        factors = (1.0 / a, 1.0 / b) if usable else None
        value = a / b if usable else float("nan")
    if factors is None:
        return no_interval(kind, value, level)
    form = linear_form(
        sample,
        near,
        pieces,
        shrink=kind != "rate ratio",
        focal_factor=factors[0],
        partner_factor=factors[1],
    )
    ratio = value if sample.estimand == "att" else 1.0 / value
    return log_wald(kind, ratio, form.variance, freedom, level)


def _of_everybody(
    outcome: Outcome,
    sample: MatchedSample,
    near: Neighbourhoods,
    pieces: LocalPieces,
    level: float,
    *,
    closed_form: bool = False,
) -> tuple[LinearForm, Interval]:
    """Linear form and interval of a measure over everybody in the match."""
    binary = outcome.type == "binary"
    form = linear_form(sample, near, pieces, shrink=binary, closed_form=closed_form)
    arms = _arms(sample, pieces.values)
    freedom = _freedom(arms, form, form.n_focal, arms.partner_freedom)
    difference = sample.sign * (arms.focal - arms.partner)
    if not binary:
        return form, wald(BY_DESIGN["count"], difference, form.variance, freedom, level)
    treated, comparison = _swap(
        sample, ArmMean(arms.focal, form.n_focal), ArmMean(arms.partner, arms.effective)
    )
    interval = mover_difference(
        treated, comparison, form.variance, freedom, level, BY_DESIGN["binary"]
    )
    return form, interval


def linearised(
    sample: MatchedSample, values: Floats, counted: NDArray[np.bool_]
) -> tuple[Floats, float, float]:
    """Return the linearised values of a mean among those who count, and the two means.

    Parameters
    ----------
    sample : MatchedSample
    values : float64, shape (n,)
    counted : bool, shape (n,)
        Who has a value.

    Returns
    -------
    linear : float64, shape (n,)
        Its focal and partner means are 0, and it moves as the difference of the two means does.
    focal_mean, partner_mean : float
        nan where nobody counts.
    """
    n = len(sample.focal)
    own = counted[sample.focal]
    weight = np.where(counted, sample.weight, 0.0)
    events = float(np.count_nonzero(own))
    mass = float(total(weight[sample.partners]))
    filled = np.where(counted, values, 0.0)
    focal_mean = float(total(filled[sample.focal])) / events if events else float("nan")
    partner_mean = (
        float(total_product(weight[sample.partners], filled[sample.partners])) / mass
        if mass > 0.0
        else float("nan")
    )
    linear = np.zeros(sample.n_rows)
    if events and mass > 0.0:
        centre = np.where(sample.is_focal, focal_mean, partner_mean)
        scale = np.where(sample.is_focal, n / events, n / mass)
        linear = np.where(counted, (filled - centre) * scale, 0.0)
    return linear, focal_mean, partner_mean


def _of_those_with_event(
    values: Floats,
    sample: MatchedSample,
    near: Neighbourhoods,
    level: float,
    *,
    closed_form: bool = False,
) -> tuple[LinearForm, Interval]:
    """Linear form and interval of a mean among those with the event."""
    method = BY_DESIGN["time"]
    had_event = ~np.isnan(values)
    linear, focal_mean, partner_mean = linearised(sample, values, had_event)
    pieces = local_pieces(sample, near, linear)
    form = linear_form(sample, near, pieces, closed_form=closed_form)
    arms = _arms(sample, linear)
    events = float(np.count_nonzero(had_event[sample.focal]))
    share = float(total(sample.weight[sample.partners][had_event[sample.partners]]))
    partner_events = arms.effective * share / len(sample.focal)
    difference = sample.sign * (focal_mean - partner_mean)
    if events < 2.0 or partner_events <= 1.0:
        return form, no_interval(method, difference, level)
    # Events, not people, carry the information: two more terms for the two estimated means.
    variance = (
        form.variance
        + arms.focal_variance / (events - 1.0)
        + arms.partner_variance / partner_events
    )
    freedom = _freedom(arms, form, events, max(partner_events, 1.0))
    return form, wald(method, difference, variance, freedom, level)


def _adjusted(
    outcome: Outcome, values: Floats, sample: MatchedSample, near: Neighbourhoods, level: float
) -> tuple[Interval | None, str]:
    """The difference adjusted for the propensity terms, or why there is none."""
    binary = outcome.type == "binary"
    prediction = predict_without_service(sample, values, binary=binary)
    if prediction is None:
        return None, "There are too few people, or events, for a model of the outcome."
    residual = values - prediction.values
    if outcome.type == "time":
        form, interval = _of_those_with_event(residual, sample, near, level)
    else:
        pieces = local_pieces(sample, near, residual)
        form = linear_form(sample, near, pieces, shrink=binary)
        arms = _arms(sample, residual)
        freedom = _freedom(arms, form, form.n_focal, arms.partner_freedom)
        interval = wald(
            "", sample.sign * (arms.focal - arms.partner), form.variance, freedom, level
        )
    variance = prediction.inflation * interval.standard_error**2
    adjusted = wald(
        prediction.method, interval.estimate, variance, interval.degrees_of_freedom, level
    )
    if not binary or not np.isfinite(adjusted.low):
        return adjusted, ""
    plain = _arms(sample, values)
    kept = plain.focal - sample.sign * adjusted.estimate
    treated, comparison = _swap(
        sample, ArmMean(plain.focal, form.n_focal), ArmMean(kept, plain.effective)
    )
    moved = mover_difference(
        treated, comparison, variance, adjusted.degrees_of_freedom, level, prediction.method
    )
    return moved, ""


def _as_named(
    choice: Choice, interval: Interval, form: LinearForm, others: tuple[Interval, ...], level: float
) -> tuple[Interval, tuple[Interval, ...]]:
    """The main interval that was asked for, and the rest."""
    if choice.method == interval.method or choice.asked in NEEDS_REPLICATES:
        return interval, others
    if choice.asked == "wald":
        freedom = interval.degrees_of_freedom
        chosen = wald(choice.method, interval.estimate, form.variance, freedom, level)
        return chosen, (interval, *others)
    by_name = {other.method: other for other in others}
    chosen = by_name[choice.method]
    return chosen, (interval, *(other for other in others if other is not chosen))


def difference_interval(
    outcome: Outcome,
    values: Floats,
    sample: MatchedSample,
    near: Neighbourhoods,
    level: float = 0.95,
) -> tuple[LinearForm, Interval]:
    """Return the linear form of a difference and the interval of the design.

    Parameters
    ----------
    outcome, values, sample, near, level
        As for :func:`estimate_outcome`; at least two focal rows, complete neighbourhoods.
    """
    if outcome.type == "time":
        return _of_those_with_event(values, sample, near, level)
    return _of_everybody(outcome, sample, near, local_pieces(sample, near, values), level)


def estimate_outcome(
    outcome: Outcome,
    values: Floats,
    sample: MatchedSample,
    near: Neighbourhoods,
    asked: IntervalName = "auto",
    level: float = 0.95,
    *,
    adjust: bool = True,
) -> Estimate:
    """Estimate the effect on one outcome.

    Parameters
    ----------
    outcome : Outcome
    values : float64, shape (n,)
        NaN for no event, in a time outcome.
    sample : MatchedSample
    near : Neighbourhoods
    asked : IntervalName
        ``auto`` leaves the interval to the design of the match.
    level : float
        In (0, 1).
    adjust : bool
        Whether to adjust for the propensity terms, and to work out the variance in closed form as
        well, which is most of the time.

    Returns
    -------
    Estimate

    Raises
    ------
    UsageError
        The interval that was asked for is wrong for this match.

    Notes
    -----
    A time outcome compares the mean days of those who had the event. Who has it may itself be an
    effect of the treatment, so this measure is descriptive.
    """
    choice = choose_interval(asked, sample, outcome.type)
    counted = ~np.isnan(values)
    groups = _groups(sample, values, counted)
    n_treated = int(np.count_nonzero(sample.treated & (sample.weight > 0)))
    events = _events(outcome, values, sample)
    expected = float(n_treated * groups[1].mean) if outcome.type != "time" else float(events)
    publishable = expected >= LEAST_EXPECTED
    if len(sample.focal) < 2 or not near.complete:
        difference = groups[1].mean - groups[0].mean
        return Estimate(
            outcome, _MEASURES[outcome.type], groups[1], groups[0],
            no_interval(choice.method, difference, level), choice, (), (), None,
            "the match is too small", None, expected, False, False,
            ("The match is too small for an interval.",),
        )  # fmt: skip
    ratios: tuple[Interval, ...] = ()
    if outcome.type == "time":
        form, interval = _of_those_with_event(values, sample, near, level, closed_form=adjust)
    else:
        pieces = local_pieces(sample, near, values)
        form, interval = _of_everybody(outcome, sample, near, pieces, level, closed_form=adjust)
        arms = _arms(sample, values)
        kinds = ("risk ratio", "odds ratio") if outcome.type == "binary" else ("rate ratio",)
        ratios = tuple(
            _ratio(sample, near, pieces, arms, interval.degrees_of_freedom, kind, level)
            for kind in kinds
        )
    adjusted, note = (
        _adjusted(outcome, values, sample, near, level) if adjust else (None, "not asked for")
    )
    exact = values if outcome.type == "binary" else None
    others = secondary_intervals(
        sample, form, interval.estimate, groups, exact, level, closed_form=adjust
    )
    main, rest = _as_named(choice, interval, form, others, level)
    cautions = list(estimate_cautions(sample, form, interval.degrees_of_freedom, near.fallbacks))
    enough = events >= LEAST_EVENTS
    if not (publishable and enough):
        cautions.insert(0, _too_few(expected, events))
    return Estimate(
        outcome, _MEASURES[outcome.type], groups[1], groups[0], main, choice, rest, ratios,
        adjusted, note, form, expected, publishable, enough, tuple(cautions),
    )  # fmt: skip


def _events(outcome: Outcome, values: Floats, sample: MatchedSample) -> int:
    """Treated people in the match who had the event."""
    rows = sample.treated & (sample.weight > 0)
    had = ~np.isnan(values) if outcome.type == "time" else values > 0.0
    return int(np.count_nonzero(rows & had))


def _too_few(expected: float, events: int) -> str:
    if expected < LEAST_EXPECTED:
        return (
            f"Only {expected:.1f} events are expected among the treated, fewer than "
            f"{LEAST_EXPECTED:.0f}: this result must not be published."
        )
    return (
        f"Only {events} treated people had the event, fewer than {LEAST_EVENTS}: this result must "
        "not be called clear, wherever its interval lies."
    )
