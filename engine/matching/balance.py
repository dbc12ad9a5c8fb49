"""Balance: how alike the groups are on every covariate, before and after matching.

The standardised mean difference divides by standard deviations of the groups *before* matching, by
a named rule, so that before and after are on one scale. Categories and 0/1 columns are shares with
variance p (1 - p) and have no variance ratio.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.matching.design import Design
from engine.matching.terms import (
    Sample,
    Summary,
    arms_of,
    plain_terms,
    product_terms,
    ratio,
)
from kernels.balance import level_weights
from kernels.blocks import total, total_product

Denominator = Literal["treated", "comparison", "pooled"]
Floats = NDArray[np.float64]

CLOSE = 0.05
FAIR = 0.10
FEWEST_IN_LEVEL = 10
"""Matched treated people of a level that is judged by itself."""


@dataclass(frozen=True)
class BalanceRow:
    """Balance of one term.

    Attributes
    ----------
    name : str
    kind : {'numeric', 'level', 'square', 'interaction'}
    mean_treated, mean_comparison_before : float
        Over all rows.
    mean_treated_matched, mean_comparison_after : float
        Over the matched sample, weighted.
    smd_before, smd_after : float
        nan where the denominator is 0 and the means differ.
    variance_ratio_before, variance_ratio_after : float
        Treated over comparison; nan for shares.
    ks_before, ks_after : float
        Largest distance of the distribution functions.
    """

    name: str
    kind: str
    mean_treated: float
    mean_treated_matched: float
    mean_comparison_before: float
    mean_comparison_after: float
    smd_before: float
    smd_after: float
    variance_ratio_before: float
    variance_ratio_after: float
    ks_before: float
    ks_after: float


def effective_size(weights: Floats) -> float:
    """Return Kish's effective sample size, (sum w)^2 / sum w^2; 0 for no weights."""
    if len(weights) == 0:
        return 0.0
    mass = float(total(weights))
    return mass * mass / float(total_product(weights, weights))


def _standardised(difference: float, deviation: float) -> float:
    if difference == 0.0:
        return 0.0
    return difference / deviation if deviation > 0.0 else float("nan")


def _deviation(denominator: Denominator, treated: float, comparison: float) -> float:
    """Standard deviation before matching from the arms' variances, by the named rule."""
    if denominator == "treated":
        variance = treated
    elif denominator == "comparison":
        variance = comparison
    else:
        variance = (treated + comparison) / 2.0
    return float(np.sqrt(variance)) if not np.isnan(variance) else 0.0


def _row(name: str, kind: str, summary: Summary, denominator: Denominator) -> BalanceRow:
    deviation = _deviation(denominator, summary.variance[1], summary.variance[0])
    if summary.is_share:
        ratios = (float("nan"), float("nan"))
    else:
        ratios = (
            ratio(summary.variance[1], summary.variance[0]),
            ratio(summary.matched_variance[1], summary.matched_variance[0]),
        )
    return BalanceRow(
        name,
        kind,
        summary.mean[1],
        summary.matched_mean[1],
        summary.mean[0],
        summary.matched_mean[0],
        _standardised(summary.mean[1] - summary.mean[0], deviation),
        _standardised(summary.matched_mean[1] - summary.matched_mean[0], deviation),
        ratios[0],
        ratios[1],
        summary.ks_before,
        summary.ks_after,
    )


def assess_balance(
    design: Design,
    sample: Sample,
    *,
    denominator: Denominator = "treated",
    squares: bool = False,
    interactions: bool = False,
    distances: bool = True,
    progress: Callable[[float], None] | None = None,
) -> tuple[BalanceRow, ...]:
    """Compare the groups on every covariate, before and after matching.

    Parameters
    ----------
    design : Design
    sample : Sample
        The matched sample.
    denominator : {'treated', 'comparison', 'pooled'}
        Whose standard deviation before matching divides the difference; 'pooled' is the square
        root of the mean of the two variances.
    squares, interactions : bool
        Add squares of numbers, and products of all pairs of terms of different covariates.
    distances : bool
        Compare distribution functions, which takes most of the time; nan otherwise.
    progress : callable, optional
        Told the share of covariates done.

    Returns
    -------
    tuple of BalanceRow

    Notes
    -----
    The variance of a weighted group is sum w (x - m)^2 W / (W^2 - sum w^2), W = sum w.
    """
    arms = arms_of(sample, distances=distances)
    rows: list[BalanceRow] = []
    seen: set[str] = set()
    for name, kind, summary in plain_terms(design, arms):
        rows.append(_row(name, kind, summary, denominator))
        seen.add(name)
        if progress is not None:
            progress(min(1.0, len(seen) / max(1, 2 * len(design.covariates))))
    for name, kind, summary in product_terms(
        design, arms, squares=squares, interactions=interactions
    ):
        rows.append(_row(name, kind, summary, denominator))
    return tuple(rows)


def merge_rare_levels(
    rows: Sequence[BalanceRow], matched: int, *, denominator: Denominator
) -> tuple[BalanceRow, ...]:
    """Return the balance with the rare levels of each category as one level.

    Parameters
    ----------
    rows : sequence of BalanceRow
    matched : int
        Matched treated people.
    denominator : {'treated', 'comparison', 'pooled'}
        As the rows were made with.

    Returns
    -------
    tuple of BalanceRow
        Levels of fewer than ``FEWEST_IN_LEVEL`` matched treated people are ``column=(other)``,
        after the other levels. The one row of a category of two levels stays.

    Notes
    -----
    One person more in a level of one in fifty moves its standardised difference by more than 0.1
    where fifty are matched, whatever the match.
    """
    found: list[BalanceRow] = []
    for name, group in groupby(rows, lambda row: (row.kind, row.name.partition("=")[0])):
        levels = list(group)
        few = [row for row in levels if row.mean_treated_matched * matched < FEWEST_IN_LEVEL]
        if name[0] != "level" or len(levels) < 2 or len(few) < 2:
            found += levels
            continue
        found += [row for row in levels if row not in few]
        found.append(_merged(f"{name[1]}=(other)", few, denominator))
    return tuple(found)


def _merged(name: str, rows: Sequence[BalanceRow], denominator: Denominator) -> BalanceRow:
    before = [
        sum(row.mean_treated for row in rows),
        sum(row.mean_comparison_before for row in rows),
    ]
    after = [
        sum(row.mean_treated_matched for row in rows),
        sum(row.mean_comparison_after for row in rows),
    ]
    # a sum of shares that is 1 but for rounding has no variance, and none below 0
    deviation = _deviation(denominator, *(max(share * (1.0 - share), 0.0) for share in before))
    nan = float("nan")
    return BalanceRow(
        name,
        "level",
        before[0],
        after[0],
        before[1],
        after[1],
        _standardised(before[0] - before[1], deviation),
        _standardised(after[0] - after[1], deviation),
        *(nan, nan, nan, nan),
    )


def largest_smd(
    design: Design, sample: Sample, rows: tuple[BalanceRow, ...], deviation: dict[str, float]
) -> float:
    """Return the largest absolute standardised mean difference of a matched sample.

    Parameters
    ----------
    design : Design
    sample : Sample
    rows : tuple of BalanceRow
        Balance of the same design for any match; gives the terms to look at.
    deviation : dict
        Standard deviation before matching of each term, see :func:`deviations`.

    Returns
    -------
    float
        nan where nobody is matched.
    """
    if min(len(sample.rows[0]), len(sample.rows[1])) == 0:
        return float("nan")
    mass = [float(total(weights)) for weights in sample.weights]
    largest = 0.0
    wanted = {row.name for row in rows if row.kind in {"numeric", "level"}}
    for covariate in design.covariates:
        if covariate.levels:
            masses = np.zeros((2, len(covariate.levels)))
            for k in range(2):
                codes = design.codes[covariate.row][sample.rows[k]]
                level_weights(codes, sample.weights[k], masses[k])
            means = {
                f"{covariate.name}={level}": masses[1, i] / mass[1] - masses[0, i] / mass[0]
                for i, level in enumerate(covariate.levels)
            }
        else:
            values = design.numeric[covariate.row]
            sums = [
                float(total_product(values[sample.rows[k]], sample.weights[k])) for k in range(2)
            ]
            means = {covariate.name: sums[1] / mass[1] - sums[0] / mass[0]}
        for name, difference in means.items():
            if name in wanted:
                smd = abs(_standardised(float(difference), deviation[name]))
                largest = max(largest, smd) if not np.isnan(smd) else largest
    return largest


def deviations(design: Design, sample: Sample, denominator: Denominator) -> dict[str, float]:
    """Return the standard deviation before matching of each number and level, by name."""
    arms = arms_of(sample, distances=False)
    return {
        name: _deviation(denominator, summary.variance[1], summary.variance[0])
        for name, _, summary in plain_terms(design, arms)
    }
