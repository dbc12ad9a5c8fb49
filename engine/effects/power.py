"""Power: what a finished match could have shown, and how many people a wanted difference needs.

Planning and hindsight use one model: a difference in proportions is judged by the interval that a
match gives it, Newcombe's on effective sizes, and its variance is the binomial one times a design
effect. A finished match has a design effect of its own, the ratio of its variance to the binomial
one, so a plan made with it agrees with the match it came from.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.effects.welch import OutcomeType
from engine.errors import UsageError

Limit = Literal["power", "events", "minimum"]

LEAST_EVENTS = 30
"""Treated people with the outcome below whom no difference is called clear."""
LEAST_SUBMITTED = 60
"""People that a submission needs at least."""
WIDEST_DESIGN_EFFECT = 4.0
"""Design effects of a finished match are held between a quarter and this, as in its interval."""

_HALVINGS = 60
_FARTHEST = 1000.0
"""Differences this many times smaller than their standard error are none: the people needed would
be a million times those of the match."""


@dataclass(frozen=True)
class CohortSize:
    """How many people a difference needs.

    Attributes
    ----------
    difference : float
        Treated minus comparison.
    power, alpha : float
    analysed : int
        Treated people in the finished match.
    submitted : int
        People to submit so that, after attrition, that many remain.
    limited_by : {'power', 'events', 'minimum'}
        What asks for the most people: the power, at least 30 treated people with the outcome, or
        the smallest submission of 60.
    """

    difference: float
    power: float
    alpha: float
    analysed: int
    submitted: int
    limited_by: Limit


@dataclass(frozen=True)
class Detectable:
    """The smallest difference that is found with a given power.

    Attributes
    ----------
    power : float
    fewer, more : float
        Sizes of the smallest difference downwards and upwards; nan where even the largest
        possible one is not found.
    """

    power: float
    fewer: float
    more: float


@dataclass(frozen=True)
class MatchPower:
    """What a finished match could have shown.

    Attributes
    ----------
    design_effect : float
        Variance of the difference over its binomial variance; nan where the outcome is not yes/no.
    detectable : tuple of Detectable
        One for each power.
    needed : tuple of int or None
        Treated people that the difference found would have needed, for each power, in a match of
        the same kind; None where there is next to no difference.
    """

    design_effect: float
    detectable: tuple[Detectable, ...]
    needed: tuple[int | None, ...]


def check_plan(
    base_rate: float,
    *,
    difference: float = 0.0,
    power: float = 0.8,
    alpha: float = 0.05,
    ratio: float = 1.0,
    design_effect: float = 1.0,
    attrition: float = 0.0,
) -> None:
    """Refuse assumptions that no study can have.

    Raises
    ------
    UsageError
        A value is out of its range.
    """
    rules = (
        ("base rate", 0.0 < base_rate < 1.0, "it lies between 0 and 1", "Give for example 0.4"),
        (
            "difference",
            0.0 < base_rate + difference < 1.0,
            "base rate and difference leave a rate between 0 and 1",
            "Give a smaller difference",
        ),
        ("power", 0.5 <= power < 1.0, "it is at least 0.5 and below 1", "Give for example 0.8"),
        ("alpha", 0.0 < alpha < 0.5, "it lies between 0 and 0.5", "Give for example 0.05"),
        ("ratio", ratio > 0.0, "it is positive", "Give for example 1"),
        (
            "design effect",
            0.0 < design_effect < float("inf"),
            "it is positive and finite",
            "Give for example 1",
        ),
        ("attrition", 0.0 <= attrition < 1.0, "it is at least 0 and below 1", "Give 0.3 for 30 %"),
    )
    for name, holds, rule, repair in rules:
        if not holds:
            raise UsageError(f"the {name} is out of range", rule=rule, repair=repair)


def cohort_size(
    base_rate: float,
    difference: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    ratio: float = 1.0,
    design_effect: float = 1.0,
    attrition: float = 0.0,
) -> CohortSize:
    """Return how many people are needed to find a difference in proportions.

    Parameters
    ----------
    base_rate : float
        Share of comparison people with the outcome, in (0, 1).
    difference : float
        Treated minus comparison, not 0; negative for fewer.
    power : float
        Probability of a p-value of at most ``alpha``, in [1/2, 1).
    alpha : float
        Two-sided, in (0, 1/2).
    ratio : float
        Effective comparison people for each treated person; infinite for a group without noise.
    design_effect : float
        Variance over the binomial variance with those numbers.
    attrition : float
        Share of submitted people who are not analysed, in [0, 1).

    Returns
    -------
    CohortSize

    Raises
    ------
    UsageError
        A value is out of its range.

    Notes
    -----
    The smallest number with :func:`power_to_find` at least ``power``, the sizes divided by the
    design effect. At rates near one half that is the textbook's
    ``(z + z')^2 deff (p_T q_T + p_C q_C / ratio) / d^2``; at low rates it is up to a fifth more, as
    the interval leans. At least 30 treated people with the outcome are expected and at least 60
    people submitted.
    """
    check_plan(
        base_rate,
        difference=difference,
        power=power,
        alpha=alpha,
        ratio=ratio,
        design_effect=design_effect,
        attrition=attrition,
    )
    if difference == 0.0:
        raise UsageError(
            "the wanted difference is 0",
            rule="a cohort of any size cannot show that two groups are equal",
            repair="Give the smallest difference that matters",
        )
    for_power = _people(base_rate, difference, ratio, design_effect, power=power, alpha=alpha)
    for_events = _up(LEAST_EVENTS / (base_rate + difference))
    analysed = max(for_power, for_events)
    submitted = _up(analysed / (1.0 - attrition))
    limit: Limit = "power" if for_power >= for_events else "events"
    if submitted < LEAST_SUBMITTED:
        submitted, limit = LEAST_SUBMITTED, "minimum"
    return CohortSize(difference, power, alpha, analysed, submitted, limit)


def power_to_find(
    base_rate: float,
    difference: float,
    n_treated: float,
    n_comparison: float,
    *,
    alpha: float = 0.05,
) -> float:
    """Return the probability of finding a difference in proportions in its own direction.

    Parameters
    ----------
    base_rate, difference, alpha : float
        As for :func:`cohort_size`.
    n_treated, n_comparison : float
        People, or effective sizes that carry the design effect; positive.

    Returns
    -------
    float
        Within half a point of the exact probability, by enumeration at 70 to 800 treated people.

    Notes
    -----
    The interval is Newcombe's: d -+ sqrt of the squared distances of two Wilson limits. The power
    is ``Phi(-E / s)`` with E the interval's end nearer to 0 at the two rates, turned so that it is
    negative where the difference is found, and s its standard deviation to first order in the two
    observed proportions. The usual ``Phi(|d| / SE - z)`` misses by up to 7 points where the two
    groups differ in size and the outcome is rare.
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - 0.1 s, only where power is asked for

    quantile = float(ndtri(1.0 - alpha / 2.0))
    rate, base = base_rate + difference, base_rate
    if difference > 0.0:  # the same as fewer people without the outcome
        rate, base = 1.0 - rate, 1.0 - base
    above, slope_above = _wilson(rate, n_treated, quantile)
    below, slope_below = _wilson(1.0 - base, n_comparison, quantile)
    half = float(np.sqrt(above * above + below * below))
    end = rate - base + half
    part = 1.0 / half if half > 0.0 else 0.0
    by_rate = 1.0 + part * above * (slope_above - 1.0)
    by_base = 1.0 + part * below * (slope_below - 1.0)
    variance = by_rate * by_rate * rate * (1.0 - rate) / n_treated
    variance += by_base * by_base * base * (1.0 - base) / n_comparison
    if not variance > 0.0:
        return 1.0 if end < 0.0 else 0.0
    return float(ndtr(-end / np.sqrt(variance)))


def _wilson(p: float, n: float, quantile: float) -> tuple[float, float]:
    """Return how far Wilson's upper limit lies above p, and its slope in p."""
    if np.isinf(n):
        return 0.0, 1.0
    squared = quantile * quantile / n
    root = float(np.sqrt(p * (1.0 - p) / n + squared / (4.0 * n)))
    limit = (p + squared / 2.0 + quantile * root) / (1.0 + squared)
    slope = (1.0 + quantile * (1.0 - 2.0 * p) / (2.0 * n * root)) / (1.0 + squared)
    return limit - p, slope


def detectable_rate(
    base_rate: float,
    n_treated: float,
    n_comparison: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> Detectable:
    """Return the smallest differences in proportions that are found with a given power.

    Parameters
    ----------
    base_rate : float
        Share of comparison people with the outcome, in (0, 1).
    n_treated, n_comparison : float
        As for :func:`power_to_find`.
    power, alpha : float
        As for :func:`cohort_size`.

    Returns
    -------
    Detectable

    Notes
    -----
    The size at which :func:`power_to_find` reaches the power, found by halving between 0 and the
    largest possible difference.
    """
    check_plan(base_rate, power=power, alpha=alpha)

    def short(size: float, sign: float) -> bool:
        """Whether a difference of this size is found with less than the power."""
        found = power_to_find(base_rate, sign * size, n_treated, n_comparison, alpha=alpha)
        return found < power

    sizes = []
    for sign, largest in ((-1.0, base_rate), (1.0, 1.0 - base_rate)):
        if short(largest, sign):
            sizes.append(float("nan"))
            continue
        low, high = 0.0, largest
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if middle in (low, high):
                break
            if short(middle, sign):
                low = middle
            else:
                high = middle
        sizes.append(high)
    return Detectable(power, sizes[0], sizes[1])


def detectable_mean(
    standard_error: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    degrees_of_freedom: float = float("inf"),
) -> float:
    """Return the smallest difference in means that is found with a given power.

    Parameters
    ----------
    standard_error : float
        Of the difference, not negative.
    power, alpha : float
        As for :func:`cohort_size`.
    degrees_of_freedom : float
        Of the interval, positive.

    Returns
    -------
    float
        ``(t_{1 - alpha/2} + t_power) SE``.
    """
    from scipy.special import ndtri, stdtrit  # noqa: PLC0415 - only where power is asked for

    if np.isinf(degrees_of_freedom):
        return float(ndtri(1.0 - alpha / 2.0) + ndtri(power)) * standard_error
    both = stdtrit(degrees_of_freedom, 1.0 - alpha / 2.0) + stdtrit(degrees_of_freedom, power)
    return float(both) * standard_error


def match_power(
    kind: OutcomeType,
    treated: float,
    comparison: float,
    standard_error: float,
    n_treated: float,
    n_comparison: float,
    *,
    degrees_of_freedom: float = float("inf"),
    powers: tuple[float, ...] = (0.8, 0.9),
    alpha: float = 0.05,
) -> MatchPower | None:
    """Return what a finished match could have shown on one outcome.

    Parameters
    ----------
    kind : {'binary', 'count', 'time'}
    treated, comparison : float
        Means of the two groups.
    standard_error : float
        Of their difference, by the interval's own variance.
    n_treated, n_comparison : float
        Treated people and effective comparison people (with the event only, for a time).
    degrees_of_freedom : float
        Of the interval; used for means.
    powers : tuple of float
        In [1/2, 1).
    alpha : float

    Returns
    -------
    MatchPower or None
        None where the match has no standard error.

    Notes
    -----
    Proportions: as in a plan with the match's base rate, ratio and design effect. Means: the
    smallest difference is ``(t + t') SE``, and the difference found would have needed
    ``n ((z + z') SE / d)^2`` people.
    """
    if not (standard_error > 0.0 and n_treated > 0.0 and n_comparison > 0.0):
        return None
    effect = float("nan")
    found: list[Detectable] = []
    if kind == "binary":
        if not 0.0 < comparison < 1.0:
            return None
        ratio = n_comparison / n_treated
        binomial = _unit_variance(comparison, treated, ratio) / n_treated
        effect = standard_error * standard_error / binomial
        effect = min(max(effect, 1.0 / WIDEST_DESIGN_EFFECT), WIDEST_DESIGN_EFFECT)
        found.extend(
            detectable_rate(
                comparison, n_treated / effect, n_comparison / effect, power=one, alpha=alpha
            )
            for one in powers
        )
    else:
        for one in powers:
            size = detectable_mean(
                standard_error, power=one, alpha=alpha, degrees_of_freedom=degrees_of_freedom
            )
            found.append(Detectable(one, size, size))
    difference = treated - comparison
    needed: list[int | None] = []
    for one in powers:
        if abs(difference) < standard_error / _FARTHEST:
            needed.append(None)
        elif kind == "binary":
            ratio = n_comparison / n_treated
            needed.append(_people(comparison, difference, ratio, effect, power=one, alpha=alpha))
        else:
            multiple = detectable_mean(standard_error, power=one, alpha=alpha) / difference
            needed.append(_up(n_treated * multiple * multiple))
    return MatchPower(effect, tuple(found), tuple(needed))


def _people(
    base_rate: float,
    difference: float,
    ratio: float,
    design_effect: float,
    *,
    power: float,
    alpha: float,
) -> int:
    """Return the smallest number of treated people with which a difference has the power."""
    multiple = detectable_mean(1.0, power=power, alpha=alpha) / difference
    guess = _up(
        multiple
        * multiple
        * design_effect
        * _unit_variance(base_rate, base_rate + difference, ratio)
    )

    def enough(people: int) -> bool:
        treated = people / design_effect
        found = power_to_find(base_rate, difference, treated, treated * ratio, alpha=alpha)
        return found >= power

    low, high = 0, max(guess, 1)
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def _unit_variance(base_rate: float, rate: float, ratio: float) -> float:
    """Return the binomial variance of a difference with one treated person."""
    return rate * (1.0 - rate) + base_rate * (1.0 - base_rate) / ratio


def _up(value: float) -> int:
    """Round up, but not for a rounding error."""
    return int(np.ceil(value * (1.0 - 1e-12)))
