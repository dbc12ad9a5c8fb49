"""Bootstrap intervals: from replicates to limits, with the Monte Carlo error of each limit.

Four ways to resample a finished match:

* multipliers on the linear form (matches held fixed), which carry the effect of estimating the
  score because phi does; a second opinion on the analytic interval, never a repair of it;
* matched sets, or the people behind them, drawn with replacement;
* fewer sets or people than there are (M out of N), scaled back by sqrt(M / N);
* everything again: people drawn, score fitted, match made. Valid for radius and kernel matches.
  For nearest-neighbour matches it is not (Abadie and Imbens 2008: normal and percentile limits
  cover 97-100 %, basic ones 83-85 % at a nominal 95 %), so there it is labelled a diagnostic.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.effects.replicates import (
    Draws,
    FullFit,
    Rematched,
    by_person,
    drawn_replicates,
    multiplier_replicates,
    rematched_replicates,
)
from engine.errors import UsageError
from kernels.blocks import total, total_product
from kernels.rematch import WINDOW, Recipe

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]
"""Maps column sums, float64 shape (b, q), to estimates, float64 shape (b,)."""

FEWEST_REPLICATES = 2
DIAGNOSTIC = (
    "diagnostic only: a bootstrap that matches again is not valid for nearest-neighbour matches "
    "(at a nominal 95 % its normal and percentile intervals covered 97-100 %, its basic one "
    "83-85 %)"
)
VALID_REMATCH = "valid for radius and kernel matches; refits the score and matches again"
FIXED_MATCHES = "matches held fixed; the same variance as the analytic interval, so no repair of it"


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
        BCa's acceleration; None for refits.
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


def difference_of_means(sums: Floats) -> Floats:
    """Return (focal sum - partner sum) / number from columns (focal, partner mean, number)."""
    return (sums[:, 0] - sums[:, 1]) / sums[:, 2]


def ratio_of_means(sums: Floats) -> Floats:
    """Return focal sum / partner sum from columns (focal, partner mean)."""
    return np.divide(
        sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] != 0.0
    )


def difference_of_ratios(sums: Floats) -> Floats:
    """Return the difference of two ratios of sums.

    Columns: focal numerator, focal denominator, partner numerator, partner denominator; nan where
    a denominator is 0.
    """
    ratios = [
        np.divide(
            sums[:, k], sums[:, k + 1], out=np.full(len(sums), np.nan), where=sums[:, k + 1] != 0
        )
        for k in (0, 2)
    ]
    return ratios[0] - ratios[1]


@dataclass(frozen=True)
class Source:
    """Where the replicates of one estimate come from, by range of their numbers.

    Attributes
    ----------
    kind : str
        As in :class:`Bootstrap`.
    estimate : float
        Of the table itself.
    draw : callable
        Maps (start, stop) to replicates start, ..., stop - 1, float64: each a pure function of its
        number, however they are dealt out.
    skew : float
        BCa's acceleration.
    note : str
    """

    kind: str
    estimate: float
    draw: Callable[[int, int], Floats]
    skew: float
    note: str

    def finish(self, estimates: Floats, seed: int, level: float) -> Bootstrap:
        """Return the bootstrap that replicates 0, 1, ... make."""
        intervals = bootstrap_intervals(self.estimate, estimates, level=level, skew=self.skew)
        return Bootstrap(
            self.kind, len(estimates), seed, estimates, standard_error_of(estimates), intervals,
            self.note, self.skew,
        )  # fmt: skip


def multiplier_source(
    estimate: float,
    sums: Floats,
    unit: NDArray[np.uint64],
    n_matched: int,
    *,
    multiplier: str = "mammen",
    seed: int = 0,
) -> Source:
    """Resample the linear form with matches held fixed.

    Parameters
    ----------
    estimate : float
    sums : float64, shape (n,)
        Each person's sum of phi.
    unit : uint64, shape (n,)
        Key of each person.
    n_matched : int
        Matched focal rows, N.
    multiplier : {'mammen', 'gaussian', 'exponential', 'multinomial'}
    seed : int

    Returns
    -------
    Source
        Its 'basic' interval is the one whose error distribution the multipliers imitate.
    """

    def draw(start: int, stop: int) -> Floats:
        errors = multiplier_replicates(
            sums[None, :], unit, multiplier=multiplier, seed=seed, start=start, stop=stop
        )[:, 0]
        return estimate + errors / n_matched

    note = f"{multiplier} multipliers; {FIXED_MATCHES}"
    return Source("multiplier", estimate, draw, acceleration(sums), note)


def multiplier_bootstrap(
    estimate: float,
    sums: Floats,
    unit: NDArray[np.uint64],
    n_matched: int,
    *,
    multiplier: str = "mammen",
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Bootstrap:
    """Return the bootstrap of :func:`multiplier_source`."""
    source = multiplier_source(estimate, sums, unit, n_matched, multiplier=multiplier, seed=seed)
    return source.finish(source.draw(0, replicates), seed, level)


def set_source(
    columns: Floats,
    statistic: Statistic,
    *,
    person: Integers | None = None,
    draws: int | None = None,
    replace: bool = True,
    seed: int = 0,
) -> Source:
    """Draw matched sets, or the people behind them, and estimate again.

    Parameters
    ----------
    columns : float64, shape (N, q)
        One row for each matched set: the focal value, the partners' mean, 1, and so on.
    statistic : callable
        From column sums to estimates; :func:`difference_of_means`, for example.
    person : int64, shape (N,), optional
        Person of each set's focal row: the sets of a person are drawn together.
    draws : int, optional
        Sets or people drawn: all of them if absent, fewer for M out of N.
    replace : bool
        Without replacement it is a subsample, of fewer than there are.
    seed : int

    Returns
    -------
    Source

    Raises
    ------
    UsageError
        There is nothing to draw from, or a subsample is not smaller than the sample.

    Notes
    -----
    M of N draws spread by sqrt(N / M) more than the estimate does, a subsample without replacement
    by sqrt((N - M) / M); the replicates are brought back around the estimate by that factor. The
    acceleration is that of the jackknife over the rows drawn from. Partners shared by several sets
    are drawn as often as their sets, as if the sets were independent.
    """
    rows = columns if person is None else by_person(columns, person)
    n = len(rows)
    asked = n if draws is None else draws
    if not replace and asked >= n:
        raise UsageError(
            f"a subsample of {asked} from {n}",
            rule="a subsample is smaller than the sample",
            repair="Draw fewer, or with replacement",
        )
    whole = np.array([[float(total(np.ascontiguousarray(column))) for column in rows.T]])
    estimate = float(statistic(whole)[0])
    note = "people drawn with all their sets" if person is not None else "matched sets drawn"
    kind = "sets" if person is None else "persons"
    shrink = 1.0
    if asked != n:
        left = n if replace else n - asked
        shrink = float(np.sqrt(asked / left))
        kind = "m-out-of-n" if replace else "subsample"
        note += f", {asked:,} of {n:,}, scaled back to the whole"
    left_out = statistic(whole - rows)
    usable = left_out[np.isfinite(left_out)]
    skew = acceleration(float(total(usable)) / max(1, len(usable)) - usable)

    def draw(start: int, stop: int) -> Floats:
        sums = drawn_replicates(
            rows, draws=asked, replace=replace, seed=seed, start=start, stop=stop
        )
        estimates = statistic(sums)
        return estimates if asked == n else estimate + shrink * (estimates - estimate)

    return Source(kind, estimate, draw, skew, note)


def set_bootstrap(
    columns: Floats,
    statistic: Statistic,
    *,
    person: Integers | None = None,
    draws: int | None = None,
    replace: bool = True,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Bootstrap:
    """Return the bootstrap of :func:`set_source`."""
    source = set_source(columns, statistic, person=person, draws=draws, replace=replace, seed=seed)
    return source.finish(source.draw(0, replicates), seed, level)


def refit_bootstrap(
    estimates: tuple[float, ...],
    recipe: Recipe,
    values: Floats,
    measures: tuple[Callable[[Rematched], Floats], ...],
    draws: Draws,
    *,
    full: FullFit | None = None,
    logit: Floats | None = None,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    progress: Callable[[float], None] | None = None,
) -> tuple[Bootstrap, ...]:
    """Draw people, fit and match again, for several measures at once.

    Parameters
    ----------
    estimates : tuple of float
        Of the table itself, one for each measure.
    recipe, values, draws, full, logit
        As in :func:`engine.effects.replicates.rematched_replicates`.
    measures : tuple of callable
        From replicates to estimates; :func:`mean_difference` of a column, for example.
    replicates, seed : int
    level : float
    progress : callable, optional

    Returns
    -------
    tuple of Bootstrap
        The note says whether the replicates are valid for the design or a diagnostic, and how many
        gave no estimate: nobody of an arm drawn or matched, or no fit.
    """
    found = rematched_replicates(
        recipe, values, draws, full=full, logit=logit, seed=seed, stop=replicates,
        progress=progress,
    )  # fmt: skip
    validity = VALID_REMATCH if recipe.design == WINDOW else DIAGNOSTIC
    results = []
    for estimate, measure in zip(estimates, measures, strict=True):
        own = measure(found)
        missing = int(np.count_nonzero(~np.isfinite(own)))
        note = validity
        if missing:
            note += f"; {missing:,} of {replicates:,} replicates gave no estimate and are left out"
        intervals = bootstrap_intervals(estimate, own, level=level)
        results.append(
            Bootstrap("refit", replicates, seed, own, standard_error_of(own), intervals, note)
        )
    return tuple(results)


def mean_difference(column: int, sign: float = 1.0) -> Callable[[Rematched], Floats]:
    """Return the measure 'focal mean less mean of partner means' of one column of values.

    Parameters
    ----------
    column : int
    sign : float
        -1 for the ATC, where the focal people are the comparison group.
    """

    def measure(found: Rematched) -> Floats:
        gap = found.sums[:, 0, column] - found.sums[:, 1, column]
        return sign * np.divide(
            gap, found.matched, out=np.full(len(gap), np.nan), where=found.matched > 0
        )

    return measure


def conditional_difference(
    numerator: int, denominator: int, sign: float = 1.0
) -> Callable[[Rematched], Floats]:
    """Return the measure 'difference of two ratios of sums': means among those with an event.

    Parameters
    ----------
    numerator, denominator : int
        Columns of values.
    sign : float
    """

    def measure(found: Rematched) -> Floats:
        sums = found.sums
        columns = (sums[:, 0, numerator], sums[:, 0, denominator], sums[:, 1, numerator],
                   sums[:, 1, denominator])  # fmt: skip
        return sign * difference_of_ratios(np.stack(columns, axis=1))

    return measure
