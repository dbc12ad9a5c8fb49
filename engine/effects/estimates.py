"""Estimates of a match: each outcome, with the interval that its design makes valid."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.at_once import each
from engine.effects.adjusted import Prediction, predict_without_service
from engine.effects.cautions import LEAST_EVENTS, LEAST_EXPECTED, estimate_cautions
from engine.effects.choice import (
    NEEDS_REPLICATES,
    Choice,
    IntervalName,
    choose_interval,
)
from engine.effects.difference import (
    Arms,
    Question,
    answer_question,
    arms_of,
    by_treatment,
    freedom_of,
    in_groups,
    question_of,
)
from engine.effects.intervals import (
    ArmMean,
    Interval,
    log_wald,
    mover_difference,
    no_interval,
    wald,
)
from engine.effects.linear_form import LinearForm, LocalPieces, linear_form, local_pieces
from engine.effects.neighbourhoods import Neighbourhoods, rows_that_count
from engine.effects.outcome import Outcome
from engine.effects.sample import MatchedSample
from engine.effects.secondary import secondary_intervals
from engine.effects.welch import Group, describe_group

Floats = NDArray[np.float64]

_AT_ONCE = 6
"""Outcomes that are taken up together; with an adjusted difference each counts as half as many
again. Some four arrays of all rows are in memory for each."""
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


def _groups(sample: MatchedSample, values: Floats) -> tuple[Group, Group]:
    """Comparison and treated people of the match who have a value."""
    found = []
    for rows in sample.arms:
        there = ~np.isnan(values[rows])
        found.append(describe_group(values[rows][there], sample.weight[rows][there]))
    return found[0], found[1]


def _ratio(
    sample: MatchedSample,
    near: Neighbourhoods,
    pieces: LocalPieces,
    arms: Arms,
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


@dataclass(frozen=True)
class _Residual:
    """What is left of an outcome after a prediction: the question of the adjusted difference."""

    question: Question
    prediction: Prediction


def _residual(
    outcome: Outcome, values: Floats, sample: MatchedSample, rows: NDArray[np.int64]
) -> _Residual | None:
    """Predict the outcome of the rows that count; None where there are too few people."""
    prediction = predict_without_service(sample, values, rows, binary=outcome.type == "binary")
    if prediction is None:
        return None
    residual = np.zeros(sample.n_rows)
    residual[rows] = values[rows] - prediction.values
    return _Residual(question_of(outcome.type, residual, sample, rows), prediction)


def _adjusted(
    residual: _Residual | None,
    values: Floats,
    sample: MatchedSample,
    near: Neighbourhoods,
    pieces: LocalPieces | None,
    level: float,
) -> tuple[Interval | None, str]:
    """The difference adjusted for the propensity terms, or why there is none."""
    if residual is None or pieces is None:
        return None, "There are too few people, or events, for a model of the outcome."
    prediction, binary = residual.prediction, residual.question.type == "binary"
    if residual.question.type == "time":
        form, interval = answer_question(residual.question, sample, near, pieces, level)
    else:
        form = linear_form(sample, near, pieces, shrink=binary)
        arms = arms_of(sample, pieces.values)
        freedom = freedom_of(arms, form, form.n_focal, arms.partner_freedom)
        interval = wald(
            "", sample.sign * (arms.focal - arms.partner), form.variance, freedom, level
        )
    variance = prediction.inflation * interval.standard_error**2
    adjusted = wald(
        prediction.method, interval.estimate, variance, interval.degrees_of_freedom, level
    )
    if not binary or not np.isfinite(adjusted.low):
        return adjusted, ""
    plain = arms_of(sample, values)
    kept = plain.focal - sample.sign * adjusted.estimate
    treated, comparison = by_treatment(
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
    """Estimate the effect on one outcome; parameters as of :func:`estimate_outcomes`."""
    return estimate_outcomes([(outcome, values)], 1, sample, near, asked, level, adjust=adjust)[0]


def estimate_outcomes(
    outcomes: Iterable[tuple[Outcome, Floats]],
    count: int,
    sample: MatchedSample,
    near: Neighbourhoods,
    asked: IntervalName = "auto",
    level: float = 0.95,
    *,
    adjust: bool = True,
    progress: Callable[[float], None] | None = None,
) -> list[Estimate]:
    """Estimate the effect on each of several outcomes.

    Parameters
    ----------
    outcomes : iterable of (Outcome, float64 array of shape (n,))
        NaN for no event, in a time outcome. They are taken up a few at a time.
    count : int
        Number of outcomes.
    sample : MatchedSample
    near : Neighbourhoods
    asked : IntervalName
        ``auto`` leaves the interval to the design of the match.
    level : float
        In (0, 1).
    adjust : bool
        Whether to adjust for the propensity terms, and to work out the variance in closed form as
        well.
    progress : callable, optional
        Told the share done.

    Returns
    -------
    list of Estimate

    Raises
    ------
    UsageError
        The interval that was asked for is wrong for this match.

    Notes
    -----
    A time outcome compares the mean days of those who had the event. Who has it may itself be an
    effect of the treatment, so this measure is descriptive. Each estimate is the same whatever it
    is made beside.
    """
    if len(sample.focal) < 2 or not near.complete:
        return [_too_small(outcome, values, sample, asked, level) for outcome, values in outcomes]
    rows = rows_that_count(sample, near)

    def prepare(item: tuple[Outcome, Floats]) -> tuple[Question, _Residual | None]:
        outcome, values = item
        residual = _residual(outcome, values, sample, rows) if adjust else None
        return question_of(outcome.type, values, sample, rows), residual

    def finish(
        item: tuple[Outcome, Question, _Residual | None, LocalPieces, LocalPieces | None],
    ) -> Estimate:
        return _estimate(*item, sample, near, asked, level, adjust=adjust)

    found: list[Estimate] = []
    for group in in_groups(outcomes, 2 * _AT_ONCE // 3 if adjust else _AT_ONCE):
        questions, residuals = zip(*each(prepare, group), strict=True)
        asked_of = [*questions, *(one.question for one in residuals if one is not None)]
        pieces = iter(local_pieces([(sample, near, one.linear) for one in asked_of]))
        own = list(islice(pieces, len(group)))
        rest = [None if one is None else next(pieces) for one in residuals]
        named = [outcome for outcome, _ in group]
        found += each(finish, list(zip(named, questions, residuals, own, rest, strict=True)))
        if progress is not None:
            progress(len(found) / count)
    return found


def _too_small(
    outcome: Outcome, values: Floats, sample: MatchedSample, asked: IntervalName, level: float
) -> Estimate:
    """Return the means of a match that is too small for an interval."""
    choice = choose_interval(asked, sample, outcome.type)
    comparison, treated = _groups(sample, values)
    return Estimate(
        outcome, _MEASURES[outcome.type], treated, comparison,
        no_interval(choice.method, treated.mean - comparison.mean, level), choice, (), (), None,
        "the match is too small", None, _expected(outcome, treated, values, sample), False, False,
        ("The match is too small for an interval.",),
    )  # fmt: skip


def _expected(outcome: Outcome, treated: Group, values: Floats, sample: MatchedSample) -> float:
    """Treated people times the treated mean; for a time, treated people with the event."""
    if outcome.type == "time":
        return float(_events(outcome, values, sample))
    return float(len(sample.arms[1]) * treated.mean)


def _estimate(
    outcome: Outcome,
    question: Question,
    residual: _Residual | None,
    pieces: LocalPieces,
    residual_pieces: LocalPieces | None,
    sample: MatchedSample,
    near: Neighbourhoods,
    asked: IntervalName,
    level: float,
    *,
    adjust: bool,
) -> Estimate:
    """Return an estimate from its pieces."""
    values = question.values
    choice = choose_interval(asked, sample, outcome.type)
    groups = _groups(sample, values)
    events = _events(outcome, values, sample)
    expected = _expected(outcome, groups[1], values, sample)
    publishable = expected >= LEAST_EXPECTED
    form, interval = answer_question(question, sample, near, pieces, level, closed_form=adjust)
    ratios: tuple[Interval, ...] = ()
    if outcome.type != "time":
        arms = arms_of(sample, values)
        kinds = ("risk ratio", "odds ratio") if outcome.type == "binary" else ("rate ratio",)
        ratios = tuple(
            _ratio(sample, near, pieces, arms, interval.degrees_of_freedom, kind, level)
            for kind in kinds
        )
    adjusted, note = (
        _adjusted(residual, values, sample, near, residual_pieces, level)
        if adjust
        else (None, "not asked for")
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
    own = values[sample.arms[1]]
    return int(np.count_nonzero(~np.isnan(own) if outcome.type == "time" else own > 0.0))


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
