"""Intervals that take their variance from the linear form of the match.

Each comes with the p-value of the same construction, so the two cannot disagree: the interval at
level 1 - p touches no effect.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kernels.elementary import exponential, logarithm

_BISECTIONS = 60
_LARGEST_QUANTILE = 1e3
_WIDEST_CALIBRATION = 4.0


@dataclass(frozen=True)
class Interval:
    """An interval and its test; nan where the variance is not positive.

    Attributes
    ----------
    method : str
    estimate, standard_error : float
    degrees_of_freedom : float
    low, high : float
    p_value : float
        Two-sided.
    level : float
    """

    method: str
    estimate: float
    standard_error: float
    degrees_of_freedom: float
    low: float
    high: float
    p_value: float
    level: float


@dataclass(frozen=True)
class ArmMean:
    """A mean over one arm of the match.

    Attributes
    ----------
    mean : float
    effective : float
        Effective number of people, or of events for a measure among those with one.
    """

    mean: float
    effective: float


def t_quantile(degrees_of_freedom: float, level: float) -> float:
    """Return the two-sided quantile of Student's t at a confidence level."""
    from scipy.special import stdtrit  # noqa: PLC0415 - 0.1 s, only where an outcome is asked

    return float(stdtrit(degrees_of_freedom, 0.5 + level / 2.0))


def t_p_value(statistic: float, degrees_of_freedom: float) -> float:
    """Return the two-sided p-value of a t statistic."""
    from scipy.special import stdtr  # noqa: PLC0415

    return 2.0 * float(stdtr(degrees_of_freedom, -abs(statistic)))


def log_of(value: float) -> float:
    """Return the natural logarithm with the same bits on every processor."""
    result = np.empty(1)
    logarithm(np.array([value]), result)
    return float(result[0])


def exp_of(value: float) -> float:
    """Return the exponential with the same bits on every processor; nan stays nan."""
    result = np.empty(1)
    exponential(np.array([value]), result)
    return float(result[0])


def no_interval(method: str, estimate: float, level: float) -> Interval:
    """Return an interval that says that there is none."""
    nan = float("nan")
    return Interval(method, estimate, nan, nan, nan, nan, nan, level)


def wald(
    method: str,
    estimate: float,
    variance: float,
    degrees_of_freedom: float,
    level: float = 0.95,
    null: float = 0.0,
) -> Interval:
    """Return estimate +- t * SE.

    Parameters
    ----------
    method : str
        Name to report.
    estimate : float
    variance : float
    degrees_of_freedom : float
        inf for the normal.
    level : float
        In (0, 1).
    null : float
        Value of no effect.

    Returns
    -------
    Interval
    """
    if not (variance > 0.0 and degrees_of_freedom > 0.0):
        return no_interval(method, estimate, level)
    error = float(np.sqrt(variance))
    half = t_quantile(degrees_of_freedom, level) * error
    p_value = t_p_value((estimate - null) / error, degrees_of_freedom)
    return Interval(
        method,
        estimate,
        error,
        degrees_of_freedom,
        estimate - half,
        estimate + half,
        p_value,
        level,
    )


def wilson(share: float, n: float, q: float) -> tuple[float, float]:
    """Return Wilson's limits of a share of ``n`` at quantile ``q``; ``n`` need not be whole.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22, 209-212.
    """
    shrink = 1.0 + q * q / n
    centre = (share + q * q / (2.0 * n)) / shrink
    half = q / shrink * np.sqrt(share * (1.0 - share) / n + q * q / (4.0 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _calibration(binomial: float, variance: float) -> float:
    """Factor on both effective sizes that makes the binomial variance equal the design's."""
    if not (binomial > 0.0 and variance > 0.0):
        return 1.0
    ratio = binomial / variance
    return float(min(max(ratio, 1.0 / _WIDEST_CALIBRATION), _WIDEST_CALIBRATION))


def _touching_quantile(excludes_null: Callable[[float], bool], upper: float) -> float:
    """Smallest quantile at which an interval holds the null, by bisection."""
    low, high = 0.0, upper
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if excludes_null(middle):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def mover_difference(
    treated: ArmMean,
    comparison: ArmMean,
    variance: float,
    degrees_of_freedom: float,
    level: float = 0.95,
    method: str = "mover-newcombe",
) -> Interval:
    """Return the calibrated hybrid-score interval of a difference of two shares.

    Parameters
    ----------
    treated, comparison : ArmMean
        Shares with their effective sizes.
    variance : float
        Of the difference, from the linear form.
    degrees_of_freedom : float
    level : float
    method : str

    Returns
    -------
    Interval
        Within [-1, 1]; no interval where the variance is not positive.

    Notes
    -----
    Wilson limits at n rho for each arm, rho chosen so that the binomial variance equals the
    design's, joined by the method of variance estimates recovery. At large n it is the Wald
    interval. The p-value comes from the quantile at which the interval touches 0.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10; Zou and Donner (2008),
    Statistics in Medicine 27, 1693-1702.
    """
    p, c = treated.mean, min(max(comparison.mean, 0.0), 1.0)
    difference = treated.mean - comparison.mean
    if not (variance > 0.0 and degrees_of_freedom > 0.0):
        return no_interval(method, difference, level)
    binomial = p * (1.0 - p) / treated.effective + c * (1.0 - c) / comparison.effective
    rho = _calibration(binomial, variance)
    n_t, n_c = treated.effective * rho, comparison.effective * rho

    def limits(q: float) -> tuple[float, float]:
        low_t, high_t = wilson(p, n_t, q)
        low_c, high_c = wilson(c, n_c, q)
        down = np.sqrt((p - low_t) ** 2 + (high_c - c) ** 2)
        up = np.sqrt((high_t - p) ** 2 + (c - low_c) ** 2)
        return max(-1.0, difference - float(down)), min(1.0, difference + float(up))

    def excludes(q: float) -> bool:
        low, high = limits(q)
        return low > 0.0 or high < 0.0

    low, high = limits(t_quantile(degrees_of_freedom, level))
    touching = _touching_quantile(excludes, _LARGEST_QUANTILE)
    return Interval(
        method,
        difference,
        float(np.sqrt(variance)),
        degrees_of_freedom,
        low,
        high,
        t_p_value(touching, degrees_of_freedom),
        level,
    )


def log_wald(
    method: str,
    ratio: float,
    log_variance: float,
    degrees_of_freedom: float,
    level: float = 0.95,
) -> Interval:
    """Return the interval of a ratio by t on its logarithm.

    Parameters
    ----------
    method : str
    ratio : float
        In (0, inf).
    log_variance : float
        Of the logarithm of the ratio, from its linear form.
    degrees_of_freedom : float
    level : float

    Returns
    -------
    Interval
        ``standard_error`` is that of the logarithm.
    """
    if not (0.0 < ratio < np.inf):
        return no_interval(method, ratio, level)
    on_log = wald(method, log_of(ratio), log_variance, degrees_of_freedom, level)
    return Interval(
        method,
        ratio,
        on_log.standard_error,
        on_log.degrees_of_freedom,
        exp_of(on_log.low),
        exp_of(on_log.high),
        on_log.p_value,
        level,
    )


def satterthwaite(
    treated: float, comparison: float, treated_freedom: float, comparison_freedom: float
) -> float:
    """Return the degrees of freedom of a sum of two variances.

    Parameters
    ----------
    treated, comparison : float
        The two variances.
    treated_freedom, comparison_freedom : float
        Their degrees of freedom, at least 1 each.

    References
    ----------
    Satterthwaite (1946), Biometrics Bulletin 2, 110-114.
    """
    both = treated + comparison
    bottom = treated**2 / treated_freedom + comparison**2 / comparison_freedom
    return both * both / bottom if bottom > 0.0 else float("nan")
