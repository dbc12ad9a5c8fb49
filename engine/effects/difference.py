"""Differences in a match: what a linear form is made of, and the interval that it gives."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.effects.choice import BY_DESIGN
from engine.effects.intervals import (
    ArmMean,
    Interval,
    mover_difference,
    no_interval,
    satterthwaite,
    wald,
)
from engine.effects.linear_form import LinearForm, LocalPieces, linear_form, local_pieces
from engine.effects.neighbourhoods import Neighbourhoods, rows_that_count
from engine.effects.outcome import Outcome
from engine.effects.sample import MatchedSample
from engine.effects.welch import OutcomeType
from kernels.blocks import total, total_product
from kernels.logistic import TOGETHER

Floats = NDArray[np.float64]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Arms:
    """Means and variance pieces of the focal rows and their partners, on one scale."""

    focal: float
    partner: float
    focal_variance: float
    partner_variance: float
    partner_freedom: float
    effective: float


def arms_of(sample: MatchedSample, values: Floats) -> Arms:
    """Return the pieces of the two arms of a match.

    Parameters
    ----------
    sample : MatchedSample
    values : float64, shape (n,)
        Finite on matched rows.
    """
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
    return Arms(focal, partner, own_variance, partner_variance, freedom, n * n / second)


def freedom_of(arms: Arms, form: LinearForm, focal_size: float, partner_freedom: float) -> float:
    """Return the degrees of freedom of a difference, by Satterthwaite; people bound them."""
    own = max(focal_size - 1.0, 1.0)
    freedom = satterthwaite(arms.focal_variance, arms.partner_variance, own, partner_freedom)
    if np.isnan(freedom):
        freedom = own
    return min(freedom, form.people - 1.0) if form.repeated else freedom


def by_treatment(
    sample: MatchedSample, focal: ArmMean, partner: ArmMean
) -> tuple[ArmMean, ArmMean]:
    """Return treated and comparison of focal and partner."""
    return (focal, partner) if sample.estimand == "att" else (partner, focal)


def linearised(
    sample: MatchedSample, values: Floats, rows: NDArray[np.int64]
) -> tuple[Floats, float, float]:
    """Return the linearised values of a mean among those who have a value, and the two means.

    Parameters
    ----------
    sample : MatchedSample
    values : float64, shape (n,)
        NaN where a row has none.
    rows : int64, shape (m,)
        Rows that count, see :func:`engine.effects.neighbourhoods.rows_that_count`.

    Returns
    -------
    linear : float64, shape (n,)
        Its focal and partner means are 0, and it moves as the difference of the two means does; 0
        for rows that do not count.
    focal_mean, partner_mean : float
        nan where nobody counts.
    """
    n = len(sample.focal)
    own, other = values[sample.focal], values[sample.partners]
    weight = sample.weight[sample.partners]
    there, had = ~np.isnan(own), ~np.isnan(other)
    events = float(np.count_nonzero(there))
    mass = float(total(np.where(had, weight, 0.0)))
    focal_mean = float(total(np.where(there, own, 0.0))) / events if events else float("nan")
    partner_mean = (
        float(total_product(np.where(had, weight, 0.0), np.where(had, other, 0.0))) / mass
        if mass > 0.0
        else float("nan")
    )
    linear = np.zeros(sample.n_rows)
    if events and mass > 0.0:
        is_focal, some = sample.is_focal[rows], values[rows]
        centre = np.where(is_focal, focal_mean, partner_mean)
        scale = np.where(is_focal, n / events, n / mass)
        linear[rows] = np.where(np.isnan(some), 0.0, (some - centre) * scale)
    return linear, focal_mean, partner_mean


@dataclass(frozen=True)
class Question:
    """What a linear form is made of.

    Attributes
    ----------
    type : {'binary', 'count', 'time'}
    values : float64, shape (n,)
        NaN for no event, in a time outcome.
    linear : float64, shape (n,)
        The same, or linearised, see :func:`linearised`.
    focal_mean, partner_mean : float
        Of those with the event; of no use for others.
    """

    type: OutcomeType
    values: Floats
    linear: Floats
    focal_mean: float = float("nan")
    partner_mean: float = float("nan")


def question_of(
    kind: OutcomeType, values: Floats, sample: MatchedSample, rows: NDArray[np.int64]
) -> Question:
    """Return what the linear form of an outcome is made of; ``rows`` are those that count."""
    if kind == "time":
        return Question(kind, values, *linearised(sample, values, rows))
    return Question(kind, values, values)


def answer_question(
    question: Question,
    sample: MatchedSample,
    near: Neighbourhoods,
    pieces: LocalPieces,
    level: float,
    *,
    closed_form: bool = False,
) -> tuple[LinearForm, Interval]:
    """Return the linear form and the interval of a question."""
    answer = _of_those_with_event if question.type == "time" else _of_everybody
    return answer(question, sample, near, pieces, level, closed_form=closed_form)


def _of_everybody(
    question: Question,
    sample: MatchedSample,
    near: Neighbourhoods,
    pieces: LocalPieces,
    level: float,
    *,
    closed_form: bool,
) -> tuple[LinearForm, Interval]:
    """Linear form and interval of a measure over everybody in the match."""
    binary = question.type == "binary"
    form = linear_form(sample, near, pieces, shrink=binary, closed_form=closed_form)
    arms = arms_of(sample, pieces.values)
    freedom = freedom_of(arms, form, form.n_focal, arms.partner_freedom)
    difference = sample.sign * (arms.focal - arms.partner)
    if not binary:
        return form, wald(BY_DESIGN["count"], difference, form.variance, freedom, level)
    treated, comparison = by_treatment(
        sample, ArmMean(arms.focal, form.n_focal), ArmMean(arms.partner, arms.effective)
    )
    interval = mover_difference(
        treated, comparison, form.variance, freedom, level, BY_DESIGN["binary"]
    )
    return form, interval


def _of_those_with_event(
    question: Question,
    sample: MatchedSample,
    near: Neighbourhoods,
    pieces: LocalPieces,
    level: float,
    *,
    closed_form: bool,
) -> tuple[LinearForm, Interval]:
    """Linear form and interval of a mean among those with the event."""
    method = BY_DESIGN["time"]
    form = linear_form(sample, near, pieces, closed_form=closed_form)
    arms = arms_of(sample, pieces.values)
    events = float(np.count_nonzero(~np.isnan(question.values[sample.focal])))
    had_event = ~np.isnan(question.values[sample.partners])
    share = float(total(sample.weight[sample.partners][had_event]))
    partner_events = arms.effective * share / len(sample.focal)
    difference = sample.sign * (question.focal_mean - question.partner_mean)
    if events < 2.0 or partner_events <= 1.0:
        return form, no_interval(method, difference, level)
    # Events, not people, carry the information: two more terms for the two estimated means.
    variance = (
        form.variance
        + arms.focal_variance / (events - 1.0)
        + arms.partner_variance / partner_events
    )
    freedom = freedom_of(arms, form, events, max(partner_events, 1.0))
    return form, wald(method, difference, variance, freedom, level)


def difference_intervals(
    outcome: Outcome,
    values: Floats,
    matches: Iterable[tuple[MatchedSample, Neighbourhoods] | None],
    level: float = 0.95,
    *,
    at_once: int = TOGETHER,
) -> Iterator[Interval | None]:
    """Return the interval of the design for a difference, in each of several matches.

    Parameters
    ----------
    outcome : Outcome
    values : float64, shape (n,)
        NaN for no event, in a time outcome.
    matches : iterable of tuple or None
        Matches on one score, with their neighbours: at least two focal rows, complete
        neighbourhoods. None for None.
    level : float
        In (0, 1).
    at_once : int
        Matches that are taken up together, at least 1. They share their passes over the columns,
        and some 33 bytes a row are in memory for each. The intervals are the same for any number.
    """
    for group in in_groups(matches, at_once):
        judged = [match for match in group if match is not None]
        questions = [
            question_of(outcome.type, values, sample, rows_that_count(sample, near))
            for sample, near in judged
        ]
        pieces = local_pieces(
            [(*match, one.linear) for match, one in zip(judged, questions, strict=True)]
        )
        answers = iter(zip(judged, questions, pieces, strict=True))
        for match in group:
            if match is None:
                yield None
                continue
            (sample, near), question, piece = next(answers)
            yield answer_question(question, sample, near, piece, level)[1]


def in_groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of a size, the last perhaps shorter."""
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group
