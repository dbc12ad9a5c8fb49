"""Balance: how alike the groups are on every covariate, before and after matching.

The standardised mean difference divides by standard deviations of the groups *before* matching, by
a named rule, so that before and after are on one scale. Categories and 0/1 columns are shares with
variance p (1 - p) and have no variance ratio.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.matching.design import Covariate, Design
from kernels.balance import (
    concordance,
    histogram_into,
    kolmogorov_smirnov,
    level_totals,
    level_weights,
    moments_by_arm,
    weighted_kolmogorov_smirnov,
    weighted_moments,
)
from kernels.blocks import total, total_product
from kernels.ordering import rows_by_score

Denominator = Literal["treated", "comparison", "pooled"]
Floats = NDArray[np.float64]

CLOSE = 0.05
FAIR = 0.10
_BINS = 40


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


@dataclass(frozen=True)
class Sample:
    """The matched sample.

    Attributes
    ----------
    treated : bool, shape (n,)
        Arm of every row.
    rows : tuple of int64 arrays
        Matched rows of each arm, comparison first.
    weights : tuple of float64 arrays
        Their weights.
    """

    treated: NDArray[np.bool_]
    rows: tuple[NDArray[np.int64], NDArray[np.int64]]
    weights: tuple[Floats, Floats]

    @staticmethod
    def of(treated: NDArray[np.bool_], weight: Floats) -> "Sample":
        """Return the matched sample of row weights, float64, shape (n,)."""
        kept = weight > 0
        rows = (np.flatnonzero(kept & ~treated), np.flatnonzero(kept & treated))
        return Sample(treated, rows, (weight[rows[0]], weight[rows[1]]))


@dataclass(frozen=True)
class ScoreBalance:
    """Balance of the propensity score itself.

    Attributes
    ----------
    rubin_b_before, rubin_b_after : float
        100 times the absolute difference of mean logits over sqrt of the mean variance; below 25
        is good (Rubin 2001).
    rubin_r_before, rubin_r_after : float
        Ratio of variances of the logit, treated over comparison; 0.5 to 2 is good.
    auc_before, auc_after : float
        Probability that a treated row outranks a comparison row; 0.5 is chance.
    edges : float64, shape (bins + 1,)
    treated, comparison_before, comparison_after : float64, shape (bins,)
        Histograms of the logit.
    """

    rubin_b_before: float
    rubin_b_after: float
    rubin_r_before: float
    rubin_r_after: float
    auc_before: float
    auc_after: float
    edges: Floats
    treated: Floats
    comparison_before: Floats
    comparison_after: Floats


def effective_size(weights: Floats) -> float:
    """Return Kish's effective sample size, (sum w)^2 / sum w^2; 0 for no weights."""
    if len(weights) == 0:
        return 0.0
    mass = float(total(weights))
    return mass * mass / float(total_product(weights, weights))


def _ratio(a: float, b: float) -> float:
    return a / b if b > 0.0 else float("nan")


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


@dataclass(frozen=True)
class _Summary:
    """Means and variances of one term: comparison and treated, before and after."""

    mean: tuple[float, float]
    variance: tuple[float, float]
    matched_mean: tuple[float, float]
    matched_variance: tuple[float, float]
    ks_before: float
    ks_after: float
    is_share: bool


def _row(name: str, kind: str, summary: _Summary, denominator: Denominator) -> BalanceRow:
    deviation = _deviation(denominator, summary.variance[1], summary.variance[0])
    if summary.is_share:
        ratios = (float("nan"), float("nan"))
    else:
        ratios = (
            _ratio(summary.variance[1], summary.variance[0]),
            _ratio(summary.matched_variance[1], summary.matched_variance[0]),
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


def is_share(values: Floats) -> bool:
    """Whether a column holds only 0 and 1."""
    head = values[:1000]
    if not bool(np.all((head == 0.0) | (head == 1.0))):
        return False
    return bool(np.all((values == 0.0) | (values == 1.0)))


def _share_summary(shares: tuple[float, float], matched: tuple[float, float]) -> _Summary:
    variance = tuple(p * (1.0 - p) for p in shares)
    return _Summary(
        shares,
        (variance[0], variance[1]),
        matched,
        (float("nan"), float("nan")),
        abs(shares[1] - shares[0]),
        abs(matched[1] - matched[0]),
        is_share=True,
    )


@dataclass(frozen=True)
class _Arms:
    """What every column needs of the two arms."""

    sample: Sample
    arm: NDArray[np.uint8]
    size: NDArray[np.int64]
    mass: tuple[float, float]
    mass_squared: tuple[float, float]


def _arms(sample: Sample) -> _Arms:
    arm = sample.treated.astype(np.uint8)
    n_treated = int(np.count_nonzero(sample.treated))
    weights = sample.weights
    return _Arms(
        sample,
        arm,
        np.array([len(arm) - n_treated, n_treated]),
        (float(total(weights[0])), float(total(weights[1]))),
        (
            float(total_product(weights[0], weights[0])),
            float(total_product(weights[1], weights[1])),
        ),
    )


def _number_summary(arms: _Arms, values: Floats) -> _Summary:
    sample = arms.sample
    mean, variance = moments_by_arm(values, arms.arm, arms.size)
    matched = [values[rows] for rows in sample.rows]
    moments = [
        weighted_moments(matched[k], sample.weights[k], arms.mass[k], arms.mass_squared[k])
        for k in range(2)
    ]
    means = (float(mean[0]), float(mean[1]))
    matched_means = (moments[0][0], moments[1][0])
    if is_share(values):
        return _share_summary(means, matched_means)
    return _Summary(
        means,
        (float(variance[0]), float(variance[1])),
        matched_means,
        (moments[0][1], moments[1][1]),
        kolmogorov_smirnov(values[~sample.treated], values[sample.treated]),
        weighted_kolmogorov_smirnov(matched[0], sample.weights[0], matched[1], sample.weights[1]),
        is_share=False,
    )


def _shown_levels(covariate: Covariate) -> list[int]:
    """All levels of a category; of two levels only the second, which says the same."""
    return [1] if len(covariate.levels) == 2 else list(range(len(covariate.levels)))


def _level_summaries(arms: _Arms, codes: NDArray[np.uint16], n_levels: int) -> list[_Summary]:
    sample = arms.sample
    counts = np.zeros((2, n_levels), dtype=np.int64)
    level_totals(codes, arms.arm, counts)
    masses = np.zeros((2, n_levels))
    for k in range(2):
        level_weights(codes[sample.rows[k]], sample.weights[k], masses[k])
    summaries = []
    for level in range(n_levels):
        shares = [_ratio(float(counts[k, level]), float(arms.size[k])) for k in range(2)]
        matched = [_ratio(float(masses[k, level]), arms.mass[k]) for k in range(2)]
        summaries.append(_share_summary((shares[0], shares[1]), (matched[0], matched[1])))
    return summaries


def _plain_terms(design: Design, arms: _Arms) -> Iterator[tuple[str, str, _Summary]]:
    for covariate in design.covariates:
        if covariate.levels:
            summaries = _level_summaries(arms, design.codes[covariate.row], len(covariate.levels))
            for level in _shown_levels(covariate):
                yield f"{covariate.name}={covariate.levels[level]}", "level", summaries[level]
        else:
            yield covariate.name, "numeric", _number_summary(arms, design.numeric[covariate.row])


def _columns(design: Design) -> list[tuple[str, str, Callable[[], Floats]]]:
    """Every term as a column made on demand: a number, or the indicator of a level."""
    found: list[tuple[str, str, Callable[[], Floats]]] = []
    for covariate in design.covariates:
        if covariate.levels:
            codes = design.codes[covariate.row]
            for level in _shown_levels(covariate):
                name = f"{covariate.name}={covariate.levels[level]}"

                def indicator(codes: NDArray[np.uint16] = codes, level: int = level) -> Floats:
                    return (codes == level).astype(np.float64)

                found.append((covariate.name, name, indicator))
        else:
            values = design.numeric[covariate.row]

            def number(values: Floats = values) -> Floats:
                return values

            found.append((covariate.name, covariate.name, number))
    return found


def _product_terms(
    design: Design, arms: _Arms, *, squares: bool, interactions: bool
) -> Iterator[tuple[str, str, _Summary]]:
    if squares:
        for covariate in design.covariates:
            values = design.numeric[covariate.row] if not covariate.levels else np.zeros(0)
            if covariate.levels or is_share(values):
                continue
            yield f"{covariate.name}^2", "square", _number_summary(arms, values * values)
    if interactions:
        for (one, one_name, make_one), (other, other_name, make_other) in combinations(
            _columns(design), 2
        ):
            if one != other:
                values = make_one() * make_other()
                name = f"{one_name} * {other_name}"
                yield name, "interaction", _number_summary(arms, values)


def assess_balance(
    design: Design,
    sample: Sample,
    *,
    denominator: Denominator = "treated",
    squares: bool = False,
    interactions: bool = False,
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
    progress : callable, optional
        Told the share of covariates done.

    Returns
    -------
    tuple of BalanceRow

    Notes
    -----
    The variance of a weighted group is sum w (x - m)^2 W / (W^2 - sum w^2), W = sum w.
    """
    arms = _arms(sample)
    rows: list[BalanceRow] = []
    seen: set[str] = set()
    for name, kind, summary in _plain_terms(design, arms):
        rows.append(_row(name, kind, summary, denominator))
        seen.add(name)
        if progress is not None:
            progress(min(1.0, len(seen) / max(1, 2 * len(design.covariates))))
    for name, kind, summary in _product_terms(
        design, arms, squares=squares, interactions=interactions
    ):
        rows.append(_row(name, kind, summary, denominator))
    return tuple(rows)


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
    arms = _arms(sample)
    return {
        name: _deviation(denominator, summary.variance[1], summary.variance[0])
        for name, _, summary in _plain_terms(design, arms)
    }


def assess_score(logit: Floats, sample: Sample) -> ScoreBalance:
    """Compare the groups on the logit of the propensity score.

    Parameters
    ----------
    logit : float64, shape (n,)
        -inf for rows that were left out of the model.
    sample : Sample

    Returns
    -------
    ScoreBalance

    References
    ----------
    Rubin (2001), Health Services and Outcomes Research Methodology 2, 169-188.
    """
    usable = np.isfinite(logit)
    rows, score = rows_by_score(logit, usable)
    label = sample.treated[rows]
    weight = np.zeros(len(logit))
    for k in range(2):
        weight[sample.rows[k]] = sample.weights[k]
    before = concordance(score, label, np.ones(len(score)))
    after = concordance(score, label, weight[rows])
    arm = np.where(usable, sample.treated.astype(np.uint8), np.uint8(2)).astype(np.uint8)
    size = np.array([np.count_nonzero(arm == 0), np.count_nonzero(arm == 1)])
    mean, variance = moments_by_arm(np.where(usable, logit, 0.0), arm, size)
    matched = [
        weighted_moments(
            logit[sample.rows[k]],
            sample.weights[k],
            float(total(sample.weights[k])),
            float(total_product(sample.weights[k], sample.weights[k])),
        )
        for k in range(2)
    ]

    def rubin_b(m: tuple[float, float], v: tuple[float, float]) -> float:
        pooled = (v[0] + v[1]) / 2.0
        return 100.0 * abs(m[1] - m[0]) / float(np.sqrt(pooled)) if pooled > 0 else float("nan")

    low, high = (float(score[0]), float(score[-1])) if len(score) else (0.0, 1.0)
    histograms = []
    none = np.empty(0)
    for values, weights in (
        (logit[usable & sample.treated], none),
        (logit[usable & ~sample.treated], none),
        (logit[sample.rows[0]], sample.weights[0]),
    ):
        counts = np.zeros(_BINS)
        histogram_into(values, weights, low, high, counts)
        histograms.append(counts)
    edges = low + (high - low) * np.arange(_BINS + 1) / _BINS
    return ScoreBalance(
        rubin_b((float(mean[0]), float(mean[1])), (float(variance[0]), float(variance[1]))),
        rubin_b((matched[0][0], matched[1][0]), (matched[0][1], matched[1][1])),
        _ratio(float(variance[1]), float(variance[0])),
        _ratio(matched[1][1], matched[0][1]),
        float(before),
        float(after),
        edges,
        histograms[0],
        histograms[1],
        histograms[2],
    )
