"""What the estimate would become if something as strong as a recorded covariate had been left out.

A yes/no characteristic that nobody recorded shifts a matched difference by the product of two
things: how much more common it is among the people who took part, and how much it moves the
outcome. Both are measured here on every recorded covariate, so that 'something unseen' gets the
strength of something that can be seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.effects.sensitivity.e_value import e_value_of
from kernels.blocks import total

GROUPS = 10
"""Quantile groups between which a numeric covariate may be cut in two."""


@dataclass(frozen=True)
class Benchmark:
    """A recorded covariate in the place of something that was left out.

    Attributes
    ----------
    name : str
        Of the covariate.
    share_focal, share_partner : float
        Share of the people with the characteristic in each group before matching.
    outcome_with, outcome_without : float
        Mean outcome of the matched partners with and without it.
    shift : float
        What leaving it out adds to treated minus comparison.
    difference, ci_low, ci_high : float
        The result with that much taken off towards 0, whichever way the covariate itself points:
        nobody knows which way something unseen would.
    inconclusive : bool
        Whether the shifted interval holds 0.
    times : float
        How many times as strong as the covariate, in both respects, something must be for the
        interval to reach 0; 0 where it already holds 0, infinite where the covariate has no
        strength or a yes/no characteristic cannot be that strong.
    strength : float
        The covariate on the scale of E-values: the common risk ratio, with taking part and with
        the outcome, that does the same; nan where the outcome is not yes/no.
    """

    name: str
    share_focal: float
    share_partner: float
    outcome_with: float
    outcome_without: float
    shift: float
    difference: float
    ci_low: float
    ci_high: float
    inconclusive: bool
    times: float
    strength: float


@dataclass(frozen=True)
class LeftOut:
    """All covariates as benchmarks, the strongest first.

    Attributes
    ----------
    benchmarks : tuple of Benchmark
        By the size of their shift, then by name.
    sentence : str
        The result in plain words.
    """

    benchmarks: tuple[Benchmark, ...]
    sentence: str


def left_out_covariates(
    covariates: Iterable[tuple[str, NDArray[np.float64]]],
    y: NDArray[np.float64],
    focal: NDArray[np.bool_],
    weight: NDArray[np.float64],
    difference: float,
    ci_low: float,
    ci_high: float,
    *,
    focal_treated: bool = True,
    binary: bool = True,
) -> LeftOut:
    """Measure every covariate as if it had been left out, and rank them.

    Parameters
    ----------
    covariates : iterable of (str, float64 array of shape (n,))
        Name and values, 0 and 1 for a level of a category; finite.
    y : float64, shape (n,)
        Outcome, finite where ``weight`` is positive.
    focal : bool, shape (n,)
        The group whose people look for partners: treated for the ATT.
    weight : float64, shape (n,)
        Weight of each matched row, 0 for rows that are not matched.
    difference, ci_low, ci_high : float
        Treated minus comparison with its interval.
    focal_treated : bool
        Whether the focal group is the treated one.
    binary : bool
        Whether ``y`` is 0 or 1.

    Returns
    -------
    LeftOut

    Notes
    -----
    The bias of leaving out a yes/no U that is independent of the matched covariates is
    ``(P(U | focal) - P(U | partners)) (E[Y | U = 1] - E[Y | U = 0])``, means among the partners
    (Rosenbaum and Rubin 1983; Lin, Psaty and Kronmal 1998; VanderWeele and Arah 2011). It is the
    limit over ever more draws of a simulated U with the covariate's shares (Ichino, Mealli and
    Nannicini 2008), so nothing is drawn. The shares are those before matching, the means those
    of matched partners with their weights. Estimate and limits move alike, since the variance of
    a matched difference hardly depends on U.

    A numeric covariate is cut in two where its shift is largest, among the borders of its ten
    quantile groups (first row reaching the quantile, no interpolation): its strongest yes/no
    form. Something ``t`` times as strong has ``t`` times the difference in shares and ``t`` times
    the difference in means, so it shifts by ``t^2``. Neither can exceed 1 (the second for
    yes/no outcomes only); where ``t`` would need that it is infinite. Cost: O(n log n) for each
    covariate.
    """
    partner = ~focal
    matched = partner & (weight > 0.0)
    own_weight = weight[matched]
    weighted = own_weight * y[matched]
    sign = 1.0 if focal_treated else -1.0
    found = []
    for name, values in covariates:
        split = _strongest_split(values, focal, matched, own_weight, weighted)
        if split is None:
            continue
        found.append(
            _benchmark(name, split, (difference, ci_low, ci_high), sign=sign, binary=binary)
        )
    found.sort(key=lambda one: (-abs(one.shift), one.name))
    return LeftOut(tuple(found), _sentence(found, difference, ci_low, ci_high))


def _strongest_split(
    values: NDArray[np.float64],
    focal: NDArray[np.bool_],
    matched: NDArray[np.bool_],
    weights: NDArray[np.float64],
    weighted: NDArray[np.float64],
) -> tuple[float, float, float, float] | None:
    """Return shares (focal, partner) and mean outcomes (with, without) of the strongest cut."""
    ranks = np.arange(1, GROUPS) / GROUPS
    inner = np.quantile(values, ranks, method="inverted_cdf")
    borders = np.unique(np.concatenate([values.min(keepdims=True), inner]))
    # Group g holds the values above g borders; a cut after border b parts groups up to b from those
    # beyond.
    group = np.searchsorted(borders, values, side="left")
    count = len(borders) + 1
    shares = [_beyond(np.bincount(group[one], minlength=count)) for one in (focal, ~focal)]
    mass = _beyond(np.bincount(group[matched], weights=weights, minlength=count))
    outcome = _beyond(np.bincount(group[matched], weights=weighted, minlength=count))
    whole_mass, whole_outcome = float(total(weights)), float(total(weighted))
    best: tuple[float, float, float, float] | None = None
    largest = -1.0
    for cut in range(len(borders)):
        with_it, without = float(mass[cut]), whole_mass - float(mass[cut])
        if not (with_it > 1e-9 * whole_mass and without > 1e-9 * whole_mass):
            continue
        parts = (
            float(shares[0][cut]) / int(np.count_nonzero(focal)),
            float(shares[1][cut]) / int(np.count_nonzero(~focal)),
            float(outcome[cut]) / with_it,
            (whole_outcome - float(outcome[cut])) / without,
        )
        size = abs((parts[0] - parts[1]) * (parts[2] - parts[3]))
        if size > largest:
            best, largest = parts, size
    return best


def _beyond(counts: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each border the total of the groups beyond it."""
    reverse = np.cumsum(counts[::-1].astype(np.float64))[::-1]
    return np.asarray(reverse[1:])


def _benchmark(
    name: str,
    split: tuple[float, float, float, float],
    estimate: tuple[float, float, float],
    *,
    sign: float,
    binary: bool,
) -> Benchmark:
    share_focal, share_partner, outcome_with, outcome_without = split
    difference, ci_low, ci_high = estimate
    gap, effect = share_focal - share_partner, outcome_with - outcome_without
    shift = sign * gap * effect
    towards = -abs(shift) if difference > 0.0 else abs(shift)
    low, high = ci_low + towards, ci_high + towards
    return Benchmark(
        name,
        share_focal,
        share_partner,
        outcome_with,
        outcome_without,
        shift,
        difference + towards,
        low,
        high,
        bool(low <= 0.0 <= high),
        _times(gap, effect, ci_low, ci_high, binary=binary),
        _strength(split) if binary else float("nan"),
    )


def _times(gap: float, effect: float, ci_low: float, ci_high: float, *, binary: bool) -> float:
    """Return by how much both associations must grow for the interval to reach 0."""
    if ci_low <= 0.0 <= ci_high:
        return 0.0
    nearest = ci_low if ci_low > 0.0 else -ci_high
    product = abs(gap * effect)
    if not product > 0.0:
        return float("inf")
    times = float(np.sqrt(nearest / product))
    possible = times * abs(gap) <= 1.0 and (not binary or times * abs(effect) <= 1.0)
    return times if possible else float("inf")


def _strength(split: tuple[float, float, float, float]) -> float:
    """Return the common risk ratio with the covariate's bounding factor.

    The bounding factor of risk ratios a (of the characteristic, between the groups) and b (of the
    outcome, by the characteristic) is ``a b / (a + b - 1)``; the E-value of that factor is the
    ratio that does the same twice (Ding and VanderWeele 2016).
    """
    share_focal, share_partner, outcome_with, outcome_without = split
    part = max(_upward(share_focal, share_partner), _upward(1.0 - share_focal, 1.0 - share_partner))
    outcome = _upward(outcome_with, outcome_without)
    if np.isinf(part) or np.isinf(outcome):
        return e_value_of(min(part, outcome))
    return e_value_of(part * outcome / (part + outcome - 1.0))


def _upward(one: float, other: float) -> float:
    """Return the ratio of the larger to the smaller, 1 for equal ones."""
    small, large = min(one, other), max(one, other)
    if small == large:
        return 1.0
    return large / small if small > 0.0 else float("inf")


def _sentence(found: list[Benchmark], difference: float, ci_low: float, ci_high: float) -> str:
    if not found:
        return "No covariate divides the matched people, so none can serve as a yardstick."
    first = found[0]
    if ci_low <= 0.0 <= ci_high:
        return (
            "The numbers cannot tell yet which way the difference goes, whether or not something "
            "was left out."
        )
    named = f"'{first.name}', the strongest thing we can see"
    if first.inconclusive:
        return (
            f"Something unseen as strong as {named}, could leave the numbers unable to tell which "
            "way the difference goes."
        )
    if (first.difference > 0.0) != (difference > 0.0):
        return f"Something unseen as strong as {named}, could turn the difference round."
    if np.isinf(first.times):
        return (
            f"Something unseen as strong as {named}, would leave the difference clear; no multiple "
            "of it that is possible would explain the difference away."
        )
    return (
        f"Something unseen would have to be more than {np.floor(first.times * 10.0) / 10.0:.1f} "
        f"times as strong as {named}, to leave the numbers unable to tell which way the "
        "difference goes."
    )
