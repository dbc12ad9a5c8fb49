"""Welch's interval: the match taken for two independent samples.

The interval that published Justice Data Lab figures are consistent with. It knows nothing of the
match, so it stands beside the design-based one for comparison, and is the main one only where it is
asked for.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.effects.intervals import Interval, no_interval, satterthwaite, wald
from kernels.blocks import total, total_product

OutcomeType = Literal["binary", "count", "time"]


@dataclass(frozen=True)
class Group:
    """Weighted mean of a group.

    Attributes
    ----------
    mean : float
    spread : float
        sum w (y - mean)^2 / sum w.
    n : int
        Rows of positive weight.
    effective : float
        (sum w)^2 / sum w^2, Kish's effective size.
    """

    mean: float
    spread: float
    n: int
    effective: float


def describe_group(values: NDArray[np.float64], weights: NDArray[np.float64]) -> Group:
    """Return the weighted mean, spread and effective size of a group.

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
    mean = float(total_product(values, weights)) / mass
    deviation = values - mean
    spread = float(total_product(deviation * deviation, weights)) / mass
    effective = mass * mass / float(total_product(weights, weights))
    return Group(mean, spread, len(values), effective)


def welch_interval(
    treated: Group, comparison: Group, method: str, *, raw: bool, level: float = 0.95
) -> Interval:
    """Return treated minus comparison with Welch's t interval.

    Parameters
    ----------
    treated, comparison : Group
    method : str
        Name to report.
    raw : bool
        Count rows, as the published tables do, and not effective sizes.
    level : float
        In (0, 1).

    Returns
    -------
    Interval

    Notes
    -----
    SE^2 = s_T^2 / n_T + s_C^2 / n_C with s^2 = spread n / (n - 1); degrees of freedom by
    Satterthwaite.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35; Kish (1965), Survey Sampling, section 11.7.
    """
    difference = treated.mean - comparison.mean
    sizes = [float(g.n) if raw else g.effective for g in (treated, comparison)]
    if min(sizes) <= 1.0:
        return no_interval(method, difference, level)
    parts = [g.spread / (n - 1.0) for g, n in zip((treated, comparison), sizes, strict=True)]
    freedom = satterthwaite(parts[0], parts[1], sizes[0] - 1.0, sizes[1] - 1.0)
    return wald(method, difference, parts[0] + parts[1], freedom, level)
