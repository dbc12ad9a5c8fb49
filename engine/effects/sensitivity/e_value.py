"""E-values: how strong a hidden cause would have to be on the scale of risk ratios."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.errors import UsageError

RARE = 0.15
"""Up to this share with the outcome an odds ratio stands for a risk ratio (VanderWeele, Ding)."""

Measure = Literal["risk ratio", "rate ratio", "odds ratio", "risk difference"]
_HALVINGS = 200


@dataclass(frozen=True)
class EValue:
    """The smallest strength of a hidden cause that could explain an effect away.

    Attributes
    ----------
    measure : str
        What was given.
    ratio : float
        The estimate as a risk ratio, exact or approximate.
    e_value : float
        At least 1: such a cause must multiply by this much both how likely people are to take part
        and how likely they are to have the outcome. Infinite where one group has no outcome.
    e_value_ci : float
        The same for the confidence limit nearer to equal groups; 1 where the interval holds equal
        groups.
    note : str
        How the ratio was made; empty for a ratio that needed no conversion.
    sentence : str
        The result in plain words.
    """

    measure: Measure
    ratio: float
    e_value: float
    e_value_ci: float
    note: str
    sentence: str


def e_value_of(ratio: float) -> float:
    """Return RR + sqrt(RR (RR - 1)) of a risk ratio, inverted first if below 1.

    Parameters
    ----------
    ratio : float
        At least 0.

    Returns
    -------
    float
        At least 1, infinite for a ratio of 0 or infinity, nan for nan.
    """
    if np.isnan(ratio):
        return float("nan")
    if ratio == 0.0 or np.isinf(ratio):
        return float("inf")
    above = ratio if ratio >= 1.0 else 1.0 / ratio
    return above + float(np.sqrt(above * (above - 1.0)))


def e_value_ratio(
    ratio: float, ci_low: float, ci_high: float, measure: Measure = "risk ratio"
) -> EValue:
    """E-values of a risk ratio or a rate ratio and of its confidence limits.

    Parameters
    ----------
    ratio : float
        Treated over comparison, at least 0.
    ci_low, ci_high : float
        Its confidence limits.
    measure : {'risk ratio', 'rate ratio'}

    Returns
    -------
    EValue

    Raises
    ------
    UsageError
        The estimate does not lie between its limits.

    References
    ----------
    VanderWeele and Ding (2017), Sensitivity analysis in observational research: introducing the
    E-value, Annals of Internal Medicine 167, 268-274.
    """
    _check(ratio, ci_low, ci_high)
    return _assemble(measure, ratio, e_value_of(ratio), _e_value_of_limit(ratio, ci_low, ci_high))


def e_value_odds_ratio(odds_ratio: float, ci_low: float, ci_high: float, *, rate: float) -> EValue:
    """E-values of an odds ratio and of its confidence limits.

    Parameters
    ----------
    odds_ratio, ci_low, ci_high : float
        As for :func:`e_value_ratio`.
    rate : float
        Share with the outcome, in [0, 1], the larger of the two groups'.

    Returns
    -------
    EValue

    Notes
    -----
    Rare (share at most 15 %): the odds ratio stands for the risk ratio. Common: its square root
    does, which is within 25 % of the risk ratio for shares between 20 and 80 % (VanderWeele 2017,
    On a square-root transformation of the odds ratio for a common outcome, Epidemiology 28).
    """
    _check(odds_ratio, ci_low, ci_high)
    if rate <= RARE:
        ratio, low, high = odds_ratio, ci_low, ci_high
        note = "The outcome is rare, so the odds ratio stands for the risk ratio."
    else:
        ratio, low, high = (float(np.sqrt(one)) for one in (odds_ratio, ci_low, ci_high))
        note = "The outcome is common, so the square root of the odds ratio stands for the ratio."
    limit = _e_value_of_limit(ratio, low, high)
    return _assemble("odds ratio", ratio, e_value_of(ratio), limit, note)


def e_value_risk_difference(
    treated: float,
    comparison: float,
    n_treated: float,
    n_comparison: float,
    *,
    treated_share: float = 1.0,
    quantile: float = 1.959963984540054,
) -> EValue:
    """E-values of a risk difference and of its confidence limit.

    Parameters
    ----------
    treated, comparison : float
        Shares with the outcome, in [0, 1].
    n_treated, n_comparison : float
        People behind them, or effective sizes under which the binomial variance is the variance of
        the design.
    treated_share : float
        Share of treated people in the population that the difference is about: 1 for the effect on
        the treated, 0 for that on the comparison people, their share for the whole population.
    quantile : float
        Of the confidence limits, 1.96 for 95 %.

    Returns
    -------
    EValue

    Notes
    -----
    A hidden cause of bias factor B leaves at least
    ``(p1 - B p0)(f + (1 - f) / B)`` of the difference, p1 the larger share and f the share of its
    group in the population (Ding and VanderWeele 2016). The factor that leaves 0 is p1 / p0, so the
    E-value of the estimate is that of the risk ratio. For the limit, B is the smallest factor at
    which that quantity less ``quantile`` standard errors is 0, found by halving; the standard
    error is that of the EValue package for R: ``(v1 + v0 B^2)(f + (1 - f)/B)^2 + (p1 - B p0)^2
    (1 - 1/B)^2 f (1 - f)/n``.

    References
    ----------
    Ding and VanderWeele (2016), Sensitivity analysis without assumptions, Epidemiology 27, 368-377.
    """
    p1, p0, n1, n0, share = treated, comparison, n_treated, n_comparison, treated_share
    if p1 < p0:
        p1, p0, n1, n0, share = p0, p1, n0, n1, 1.0 - share
    ratio = _ratio(treated, comparison)
    variances = p1 * (1.0 - p1) / n1, p0 * (1.0 - p0) / n0
    share_variance = share * (1.0 - share) / (n1 + n0)

    def lower_limit(factor: float) -> float:
        rest = p1 - p0 * factor
        standardised = share + (1.0 - share) / factor
        tilt = 1.0 - 1.0 / factor
        variance = (variances[0] + variances[1] * factor * factor) * standardised * standardised
        variance += rest * rest * tilt * tilt * share_variance
        return rest * standardised - quantile * float(np.sqrt(variance))

    if not lower_limit(1.0) > 0.0:
        limit = 1.0
    elif p0 == 0.0:
        limit = float("inf")
    else:
        low, high = 1.0, p1 / p0
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if middle in (low, high):
                break
            if lower_limit(middle) > 0.0:
                low = middle
            else:
                high = middle
        limit = e_value_of(high)
    return _assemble("risk difference", ratio, e_value_of(ratio), limit)


def _ratio(treated: float, comparison: float) -> float:
    """Return the risk ratio; infinite where only the comparison people have no outcome."""
    if comparison > 0.0:
        return treated / comparison
    return float("inf") if treated > 0.0 else 1.0


def _e_value_of_limit(ratio: float, ci_low: float, ci_high: float) -> float:
    """Return the E-value of the limit nearer to 1, 1 where the interval holds 1."""
    if ci_low <= 1.0 <= ci_high:
        return 1.0
    return e_value_of(ci_low if ratio > 1.0 else ci_high)


def _check(ratio: float, ci_low: float, ci_high: float) -> None:
    """Refuse an estimate outside its own limits: the two belong to different results."""
    if not 0.0 <= ci_low <= ratio <= ci_high:
        raise UsageError(
            "a ratio does not lie between its confidence limits",
            rule="0 <= lower limit <= ratio <= upper limit",
        )


def _assemble(measure: Measure, ratio: float, value: float, limit: float, note: str = "") -> EValue:
    return EValue(measure, ratio, value, limit, note, e_value_sentence(value, limit))


def e_value_sentence(value: float, limit: float) -> str:
    """Return what the two E-values mean in words.

    Parameters
    ----------
    value, limit : float
        E-values of the estimate and of its limit; ``limit`` is 1 where the interval holds equal
        groups.
    """
    if limit <= 1.0:
        return (
            "The numbers cannot tell yet which way the difference goes, so there is nothing that "
            "something unseen would have to explain away."
        )
    if np.isinf(value):
        return (
            "One of the groups has nobody with the outcome, so no strength of something unseen "
            "can be named that would explain the estimate away"
            + ("." if np.isinf(limit) else f"; {limit:.1f} times would make it uncertain.")
        )
    return (
        "To explain this difference away, something nobody recorded would have to make people "
        f"{value:.1f} times as likely both to take part (or to stay away) and to have the outcome; "
        f"{limit:.1f} times would be enough to make the numbers unable to tell."
    )
