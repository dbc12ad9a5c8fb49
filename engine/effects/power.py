"""Power: what a finished match could have shown, and how many people a wanted difference needs.

Planning and hindsight use one model: the variance of a difference in proportions is the binomial
one times a design effect. A finished match has a design effect of its own, the ratio of its
variance to the binomial one, so a plan made with it agrees with the match it came from.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.effects.welch import OutcomeType
from engine.errors import UsageError

Direction = Literal["fewer", "more"]
Limit = Literal["power", "events", "minimum"]

LEAST_EVENTS = 30
"""Treated people with the outcome below whom no difference is called clear."""
LEAST_SUBMITTED = 60
"""People that a submission needs at least."""
WIDEST_DESIGN_EFFECT = 4.0
"""Design effects of a finished match are held between a quarter and this, as in its interval."""

_HALVINGS = 200


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
        the same kind; None where there is no difference.
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
    ``n = (z_{1 - alpha/2} + z_power)^2 deff (p_T q_T + p_C q_C / ratio) / d^2``: both error terms
    use the variance at the two rates, because the interval does (unpooled; Fleiss, Levin and Paik
    2003, 4.5, has the pooled variant, which differs by a few people). Rounded up; at least 30
    treated people with the outcome are expected and at least 60 people submitted.
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
    rate = base_rate + difference
    unit = design_effect * _unit_variance(base_rate, rate, ratio)
    multiple = _multiple(power, alpha)
    for_power = _up(multiple * multiple * unit / (difference * difference))
    for_events = _up(LEAST_EVENTS / rate)
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
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - 0.1 s, only where power is asked for

    variance = _unit_variance(base_rate, base_rate + difference, n_comparison / n_treated)
    if variance == 0.0:
        return 1.0 if difference != 0.0 else 0.0
    error = float(np.sqrt(variance / n_treated))
    return float(ndtr(abs(difference) / error - ndtri(1.0 - alpha / 2.0)))


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
    The size d at which ``d = (z_{1 - alpha/2} + z_power) SE(d)``, found by halving between 0 and
    the largest possible difference: the standard error depends on d through the treated rate.
    """
    check_plan(base_rate, power=power, alpha=alpha)
    multiple = _multiple(power, alpha)

    def short(size: float, sign: float) -> bool:
        """Whether a difference of this size is found with less than the power."""
        rate = base_rate + sign * size
        variance = _unit_variance(base_rate, rate, n_comparison / n_treated) / n_treated
        return size < multiple * float(np.sqrt(variance))

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
    Proportions: sizes divided by the design effect, so that the binomial variance at the rates
    found is the match's own, and then as in a plan. Means: multiples of the standard error. People
    needed for the difference found: ``n (multiple SE / d)^2``.
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
    return MatchPower(
        effect,
        tuple(found),
        tuple(
            _needed(treated - comparison, standard_error, n_treated, one, alpha) for one in powers
        ),
    )


def _needed(
    difference: float, standard_error: float, n_treated: float, power: float, alpha: float
) -> int | None:
    """Return the treated people that the difference found would need, None for no difference."""
    if difference == 0.0:
        return None
    ratio = detectable_mean(standard_error, power=power, alpha=alpha) / difference
    needed = n_treated * ratio * ratio
    return _up(needed) if needed < 1e15 else None


def _unit_variance(base_rate: float, rate: float, ratio: float) -> float:
    """Return the binomial variance of a difference with one treated person."""
    return rate * (1.0 - rate) + base_rate * (1.0 - base_rate) / ratio


def _multiple(power: float, alpha: float) -> float:
    """Return the standard errors a difference must be long to be found with this power."""
    return detectable_mean(1.0, power=power, alpha=alpha)


def _up(value: float) -> int:
    """Round up, but not for a rounding error."""
    return int(np.ceil(value * (1.0 - 1e-12)))
