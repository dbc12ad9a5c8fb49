"""Where replicates come from: four ways to resample a finished match.

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

from engine.effects.bootstrap import Bootstrap, acceleration, bootstrap_intervals, standard_error_of
from engine.effects.replicates import (
    Draws,
    FullFit,
    Rematched,
    by_person,
    centred_within,
    drawn_replicates,
    multiplier_replicates,
    rematched_replicates,
    stratified_replicates,
)
from engine.errors import UsageError
from kernels.blocks import total
from kernels.rematch import WINDOW, Recipe

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]
"""Maps column sums, float64 shape (b, q), to estimates, float64 shape (b,)."""

DIAGNOSTIC = (
    "diagnostic only: a bootstrap that matches again is not valid for nearest-neighbour matches "
    "(at a nominal 95 % its normal and percentile intervals covered 97-100 %, its basic one "
    "83-85 %)"
)
VALID_REMATCH = "valid for radius and kernel matches; refits the score and matches again"
FIXED_MATCHES = "matches held fixed; the same variance as the analytic interval, so no repair of it"


def difference_of_means(sums: Floats) -> Floats:
    """Return (focal sum - partner sum) / number from columns (focal, partner mean, number)."""
    return (sums[:, 0] - sums[:, 1]) / sums[:, 2]


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


def set_source(
    columns: Floats,
    statistic: Statistic,
    *,
    person: Integers | None = None,
    stratum: Integers | None = None,
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
    stratum : int64, shape (N,), optional
        Draw within strata, as many as each has; a person belongs to that of the first set. Not
        with ``draws``.
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
    if stratum is not None and person is not None:
        stratum = stratum[np.unique(person, return_index=True)[1]]
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
    if stratum is not None:
        note += ", within strata"
    left_out = statistic(whole - rows)
    known = np.isfinite(left_out)
    usable = left_out[known]
    gaps = float(total(usable)) / max(1, len(usable)) - usable
    skew = acceleration(gaps if stratum is None else centred_within(gaps, stratum[known]))

    def draw(start: int, stop: int) -> Floats:
        if stratum is not None:
            found = stratified_replicates(rows, stratum, seed=seed, start=start, stop=stop)
            return statistic(found)
        sums = drawn_replicates(
            rows, draws=asked, replace=replace, seed=seed, start=start, stop=stop
        )
        estimates = statistic(sums)
        return estimates if asked == n else estimate + shrink * (estimates - estimate)

    return Source(kind, estimate, draw, skew, note)


def refit_bootstrap(
    estimates: tuple[float, ...],
    recipe: Recipe,
    values: Floats,
    measures: tuple[Callable[[Rematched], Floats], ...],
    draws: Draws,
    *,
    full: FullFit | None = None,
    logit: Floats | None = None,
    skews: tuple[float, ...] = (),
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
    skews : tuple of float
        BCa's acceleration of each measure, from its linear form; no BCa interval where absent.
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
    for number, (estimate, measure) in enumerate(zip(estimates, measures, strict=True)):
        own = measure(found)
        skew = skews[number] if skews else None
        missing = int(np.count_nonzero(~np.isfinite(own)))
        note = validity
        if missing:
            note += f"; {missing:,} of {replicates:,} replicates gave no estimate and are left out"
        intervals = bootstrap_intervals(estimate, own, level=level, skew=skew)
        error = standard_error_of(own)
        results.append(Bootstrap("refit", replicates, seed, own, error, intervals, note, skew))
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
