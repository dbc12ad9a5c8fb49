"""Terms of a balance table: means, variances and distances of every column, by arm.

A number is compared by its moments and its distribution function; a category, and a number that
holds only 0 and 1, is a share with variance p (1 - p).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numba
import numpy as np
from numpy.typing import NDArray

from engine.matching.design import Covariate, Design
from engine.matching.screening import count_levels
from kernels.balance import ArmRows, arm_rows, level_weights, moments_by_arm, weighted_moments
from kernels.blocks import total, total_product
from kernels.distance import distance_of_arms, weighted_kolmogorov_smirnov

Floats = NDArray[np.float64]


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


def ratio(a: float, b: float) -> float:
    """Return a / b, nan where b is not above 0."""
    return a / b if b > 0.0 else float("nan")


@dataclass(frozen=True)
class Summary:
    """Means and variances of one term: comparison and treated, before and after."""

    mean: tuple[float, float]
    variance: tuple[float, float]
    matched_mean: tuple[float, float]
    matched_variance: tuple[float, float]
    ks_before: float
    ks_after: float
    is_share: bool


def is_share(values: Floats) -> bool:
    """Whether a column holds only 0 and 1."""
    head = values[:1000]
    if not bool(np.all((head == 0.0) | (head == 1.0))):
        return False
    return bool(np.all((values == 0.0) | (values == 1.0)))


def _share_summary(shares: tuple[float, float], matched: tuple[float, float]) -> Summary:
    variance = tuple(p * (1.0 - p) for p in shares)
    return Summary(
        shares,
        (variance[0], variance[1]),
        matched,
        (float("nan"), float("nan")),
        abs(shares[1] - shares[0]),
        abs(matched[1] - matched[0]),
        is_share=True,
    )


@dataclass(frozen=True)
class Arms:
    """What every column needs of the two arms.

    Attributes
    ----------
    sample : Sample
    rows : ArmRows
        Arm 0 is the comparison, 1 the treated.
    mass, mass_squared : tuple of float
        Sums of the matched sample's weights and of their squares.
    distances : bool
        Whether distribution functions are compared, which is half of the work.
    """

    sample: Sample
    rows: ArmRows
    mass: tuple[float, float]
    mass_squared: tuple[float, float]
    distances: bool


def arms_of(sample: Sample, *, distances: bool = True) -> Arms:
    """Return what every column needs of the two arms of a matched sample."""
    weights = sample.weights
    return Arms(
        sample,
        arm_rows(sample.treated.astype(np.uint8)),
        (float(total(weights[0])), float(total(weights[1]))),
        (
            float(total_product(weights[0], weights[0])),
            float(total_product(weights[1], weights[1])),
        ),
        distances,
    )


def _number_summary(arms: Arms, values: Floats) -> Summary:
    mean, variance = moments_by_arm(values, arms.rows)
    return _with_matched(arms, values, mean, variance)


def _with_matched(arms: Arms, values: Floats, mean: Floats, variance: Floats) -> Summary:
    """Add the matched sample and the distances to the moments of all rows."""
    weights = arms.sample.weights
    matched = [values[rows] for rows in arms.sample.rows]
    moments = [
        weighted_moments(matched[k], weights[k], arms.mass[k], arms.mass_squared[k])
        for k in range(2)
    ]
    means = (float(mean[0]), float(mean[1]))
    matched_means = (moments[0][0], moments[1][0])
    if is_share(values):
        return _share_summary(means, matched_means)
    before = after = float("nan")
    if arms.distances:
        before = distance_of_arms(values, arms.rows.arm, arms.rows.size)
        after = weighted_kolmogorov_smirnov(matched[0], weights[0], matched[1], weights[1])
    return Summary(
        means,
        (float(variance[0]), float(variance[1])),
        matched_means,
        (moments[0][1], moments[1][1]),
        before,
        after,
        is_share=False,
    )


def _shown_levels(covariate: Covariate) -> list[int]:
    """All levels of a category; of two levels only the second, which says the same."""
    return [1] if len(covariate.levels) == 2 else list(range(len(covariate.levels)))


def _level_summaries(
    arms: Arms, codes: NDArray[np.uint16], counts: NDArray[np.int64]
) -> list[Summary]:
    sample = arms.sample
    masses = np.zeros((2, len(counts)))
    for k in range(2):
        level_weights(codes[sample.rows[k]], sample.weights[k], masses[k])
    summaries = []
    for level in range(len(counts)):
        shares = [ratio(float(counts[level, k]), float(arms.rows.size[k])) for k in range(2)]
        matched = [ratio(float(masses[k, level]), arms.mass[k]) for k in range(2)]
        summaries.append(_share_summary((shares[0], shares[1]), (matched[0], matched[1])))
    return summaries


def plain_terms(design: Design, arms: Arms) -> Iterator[tuple[str, str, Summary]]:
    """Yield name, kind and summary of every number and every level of a category.

    Notes
    -----
    Passes over all rows run on all threads, one column after another; sorting does not, so columns
    are sorted side by side, as many as there are threads.
    """
    n_levels = [len(c.levels) for c in design.covariates if c.levels]
    counts = count_levels(design.codes, n_levels, arms.rows.arm)
    moments = {
        covariate.row: moments_by_arm(design.numeric[covariate.row], arms.rows)
        for covariate in design.covariates
        if not covariate.levels
    }

    def summarise(covariate: Covariate) -> list[Summary]:
        if covariate.levels:
            return _level_summaries(arms, design.codes[covariate.row], counts[covariate.row])
        values = design.numeric[covariate.row]
        return [_with_matched(arms, values, *moments[covariate.row])]

    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        found = pool.map(summarise, design.covariates)
        for covariate, summaries in zip(design.covariates, found, strict=True):
            if covariate.levels:
                for level in _shown_levels(covariate):
                    name = f"{covariate.name}={covariate.levels[level]}"
                    yield name, "level", summaries[level]
            else:
                yield covariate.name, "numeric", summaries[0]


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


def product_terms(
    design: Design, arms: Arms, *, squares: bool, interactions: bool
) -> Iterator[tuple[str, str, Summary]]:
    """Yield name, kind and summary of squares, and of products of terms of two covariates."""
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
