"""A first estimate: weighted difference in means with Welch's interval.

The interval that published Justice Data Lab figures are consistent with: two means, two variances,
Welch's degrees of freedom, the comparison group counted by its effective size. It treats the match
as two independent samples, so it is marked as not based on the design of the match.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kernels.blocks import total, total_product

OutcomeType = Literal["binary", "count", "time"]
INTERVAL_METHOD = "welch-kish (not design-based)"


@dataclass(frozen=True)
class Group:
    """Weighted mean of a group.

    Attributes
    ----------
    mean : float
    variance : float
        sum w (y - mean)^2 / sum w * n / (n - 1) with n the effective size.
    n : int
        Rows of positive weight.
    effective : float
        (sum w)^2 / sum w^2.
    """

    mean: float
    variance: float
    n: int
    effective: float


@dataclass(frozen=True)
class Difference:
    """Difference of two means with its interval; nan where not defined."""

    treated: Group
    comparison: Group
    difference: float
    standard_error: float
    degrees_of_freedom: float
    ci_low: float
    ci_high: float
    p_value: float


def describe_group(values: NDArray[np.float64], weights: NDArray[np.float64]) -> Group:
    """Return the weighted mean, variance and effective size of a group.

    Parameters
    ----------
    values : float64, shape (n,)
        Finite outcomes.
    weights : float64, shape (n,)
        Positive weights.

    Returns
    -------
    Group
    """
    if len(values) == 0:
        return Group(float("nan"), float("nan"), 0, 0.0)
    mass = float(total(weights))
    effective = mass * mass / float(total_product(weights, weights))
    mean = float(total_product(values, weights)) / mass
    deviation = values - mean
    spread = float(total_product(deviation * deviation, weights)) / mass
    variance = spread * effective / (effective - 1.0) if effective > 1.0 else float("nan")
    return Group(mean, variance, len(values), effective)


def welch_difference(treated: Group, comparison: Group, level: float = 0.95) -> Difference:
    """Return treated minus comparison with Welch's t interval.

    Parameters
    ----------
    treated, comparison : Group
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Difference

    Notes
    -----
    SE^2 = s_T^2 / n_T + s_C^2 / n_C with effective sizes; degrees of freedom by Satterthwaite;
    two-sided p-value from the same t distribution.
    """
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415 - 0.1 s, only where an outcome is asked

    difference = treated.mean - comparison.mean
    parts = (
        treated.variance / treated.effective if treated.effective > 0 else float("nan"),
        comparison.variance / comparison.effective if comparison.effective > 0 else float("nan"),
    )
    variance = parts[0] + parts[1]
    if not variance > 0.0:
        nan = float("nan")
        return Difference(treated, comparison, difference, nan, nan, nan, nan, nan)
    error = float(np.sqrt(variance))
    freedom = (
        variance
        * variance
        / (
            parts[0] * parts[0] / (treated.effective - 1.0)
            + parts[1] * parts[1] / (comparison.effective - 1.0)
        )
    )
    half = float(stdtrit(freedom, 0.5 + level / 2.0)) * error
    p_value = 2.0 * float(stdtr(freedom, -abs(difference) / error))
    return Difference(
        treated,
        comparison,
        difference,
        error,
        freedom,
        difference - half,
        difference + half,
        p_value,
    )
