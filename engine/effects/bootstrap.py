"""Bootstrap intervals: from replicates to limits, with the Monte Carlo error of each limit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from kernels.blocks import total, total_product

Floats = NDArray[np.float64]

FEWEST_REPLICATES = 2


@dataclass(frozen=True)
class Limits:
    """One bootstrap interval.

    Attributes
    ----------
    method : {'percentile', 'basic', 'normal', 'bca'}
    low, high : float
    low_error, high_error : float
        Monte Carlo standard error of each limit: how far it moves with another seed.
    """

    method: str
    low: float
    high: float
    low_error: float
    high_error: float


@dataclass(frozen=True)
class Bootstrap:
    """Replicates of one estimate and the intervals made from them.

    Attributes
    ----------
    kind : {'multiplier', 'sets', 'persons', 'm-out-of-n', 'subsample', 'refit'}
    replicates : int
        Asked for.
    seed : int
    estimates : float64, shape (replicates,)
        Replicate r in place r; nan for one that failed.
    standard_error : float
        n - 1 standard deviation of the replicates that did not fail.
    intervals : tuple of Limits
    note : str
        What the replicates are good for.
    skew : float or None
        BCa's acceleration; None where nothing tells it.
    """

    kind: str
    replicates: int
    seed: int
    estimates: Floats
    standard_error: float
    intervals: tuple[Limits, ...]
    note: str
    skew: float | None = None

    def interval(self, method: str) -> Limits:
        """Return the interval made by one method.

        Raises
        ------
        KeyError
            The method was not used.
        """
        return {limits.method: limits for limits in self.intervals}[method]


def quantile(ordered: Floats, p: float) -> float:
    """Return the quantile at ``p`` of ascending values: position (B + 1) p, interpolated.

    Parameters
    ----------
    ordered : float64, shape (B,), B >= 1
    p : float
        In [0, 1]; beyond the outermost positions the outermost value.
    """
    position = min(max(p * (len(ordered) + 1), 1.0), float(len(ordered))) - 1.0
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    share = position - below
    return float(ordered[below] * (1.0 - share) + ordered[above] * share)


def _quantile_error(ordered: Floats, p: float) -> float:
    """Monte Carlo standard error of a quantile, by the binomial spread of its position."""
    spread = np.sqrt(p * (1.0 - p) / len(ordered))
    return (quantile(ordered, p + spread) - quantile(ordered, p - spread)) / 2.0


def standard_error_of(estimates: Floats) -> float:
    """Return the n - 1 standard deviation of the estimates that are numbers."""
    usable = np.ascontiguousarray(estimates[np.isfinite(estimates)])
    if len(usable) < FEWEST_REPLICATES:
        return float("nan")
    deviation = usable - float(total(usable)) / len(usable)
    return float(np.sqrt(float(total_product(deviation, deviation)) / (len(usable) - 1)))


def acceleration(influence: Floats) -> float:
    """Return BCa's acceleration from influence values or jackknife differences.

    Parameters
    ----------
    influence : float64, shape (n,)
        Each unit's part of the estimate's error, or mean jackknife estimate less its own.

    Returns
    -------
    float
        sum d^3 / (6 (sum d^2)^(3/2)) with d centred; 0 where they do not vary.
    """
    d = np.ascontiguousarray(influence - float(total(influence)) / max(1, len(influence)))
    square = float(total_product(d, d))
    if square == 0.0:
        return 0.0
    return float(total_product(d * d, d)) / (6.0 * square * float(np.sqrt(square)))


def bootstrap_intervals(
    estimate: float, estimates: Floats, *, level: float = 0.95, skew: float | None = None
) -> tuple[Limits, ...]:
    """Return percentile, basic, normal and, given an acceleration, BCa intervals.

    Parameters
    ----------
    estimate : float
        Of the table itself.
    estimates : float64, shape (B,)
        Replicates; those that are not numbers are left out.
    level : float
        Confidence level in (0, 1).
    skew : float, optional
        BCa's acceleration; see :func:`acceleration`.

    Returns
    -------
    tuple of Limits
        Empty for fewer than two usable replicates.

    Notes
    -----
    Percentile: quantiles of the replicates. Basic: 2 estimate - quantiles. Normal: estimate -+ z
    SE. BCa: quantiles at Phi(z0 + (z0 + z) / (1 - a (z0 + z))), z0 from the share of replicates
    below the estimate, ties counted half. Monte Carlo errors: a quantile's by the binomial spread
    of its position; the normal limits' is z SE / sqrt(2 (B - 1)).

    References
    ----------
    Davison and Hinkley (1997), Bootstrap Methods and their Application, chapters 2 and 5.
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - only where an outcome is asked

    if not 0.0 < level < 1.0:
        raise UsageError(
            "the confidence level is out of range",
            rule="a level is above 0 and below 1",
            repair="Give for example 0.95",
        )
    ordered = np.sort(estimates[np.isfinite(estimates)])
    if len(ordered) < FEWEST_REPLICATES:
        return ()
    tail = (1.0 - level) / 2.0
    ends = [quantile(ordered, p) for p in (tail, 1.0 - tail)]
    errors = [_quantile_error(ordered, p) for p in (tail, 1.0 - tail)]
    z = float(ndtri(1.0 - tail))
    half = z * standard_error_of(ordered)
    half_error = half / float(np.sqrt(2.0 * (len(ordered) - 1)))
    found = [
        Limits("percentile", ends[0], ends[1], errors[0], errors[1]),
        Limits("basic", 2 * estimate - ends[1], 2 * estimate - ends[0], errors[1], errors[0]),
        Limits("normal", estimate - half, estimate + half, half_error, half_error),
    ]
    if skew is not None:
        below = np.count_nonzero(ordered < estimate) + 0.5 * np.count_nonzero(ordered == estimate)
        shift = float(
            ndtri(min(max(below / len(ordered), 0.5 / len(ordered)), 1 - 0.5 / len(ordered)))
        )
        moved = []
        for side in (-z, z):
            turned = 1.0 - skew * (shift + side)
            # Past the pole the corrected level has no meaning: the outermost replicate is taken.
            far = shift + (shift + side) / turned if turned > 0.0 else side * np.inf
            moved.append(float(ndtr(far)))
        found.append(
            Limits(
                "bca",
                quantile(ordered, moved[0]),
                quantile(ordered, moved[1]),
                _quantile_error(ordered, moved[0]),
                _quantile_error(ordered, moved[1]),
            )
        )
    return tuple(found)
