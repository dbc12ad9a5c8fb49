"""What the estimate would become if something as strong as a recorded covariate had been left out.

A characteristic that nobody recorded shifts a matched difference by two things together: how much
more common it is among the people who took part, and how much it moves the outcome. Both are
measured here on every recorded covariate, so that 'something unseen' gets the strength of something
that can be seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.effects.sensitivity.e_value import e_value_of
from kernels.blocks import total

GROUPS = 10
"""Quantile groups that a numeric covariate is parted into. Ten keep 96 % of the bias of a normal
covariate; cutting it in two would keep 64 %."""


@dataclass(frozen=True)
class Benchmark:
    """A recorded covariate in the place of something that was left out.

    Attributes
    ----------
    name : str
        Of the covariate.
    share_focal, share_partner : float
        Share of the people with the characteristic in each group before matching; for a number,
        beyond the border of its groups that parts the two most.
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
        The E-value of its bias: the smallest common risk ratio, with taking part and with the
        outcome, by which something could do what leaving it out does; nan where the outcome is
        not yes/no.
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
    The bias of leaving out a U that is independent of the matched covariates is ``sum over u of
    (P(u | focal) - P(u | partners)) E[Y | u]``, means among the partners; for a yes/no U that is
    the difference in shares times the difference in means (Rosenbaum and Rubin 1983; Lin, Psaty
    and Kronmal 1998; VanderWeele and Arah 2011). It is the limit over ever more draws of a
    simulated U with the covariate's shares (Ichino, Mealli and Nannicini 2008), so nothing is
    drawn. The shares are those before matching, the means those of matched partners with their
    weights; a group without matched partners takes the mean of the group below it. Estimate and
    limits move alike, since the variance of a matched difference hardly depends on U. Where
    covariates go together, leaving out one of them really shifts less than this, because the
    others stand in for it: nobody knows whether anything stands in for something unseen.

    A number is parted into ten quantile groups (borders at the first row reaching the quantile,
    no interpolation). Something ``t`` times as strong has ``t`` times the difference in shares and
    ``t`` times the difference in means, so it shifts by ``t^2``. As a yes/no characteristic with
    the same shift it can exceed 1 in neither (in the second for yes/no outcomes only); where ``t``
    would need that it is infinite. Cost: O(n log n) for each covariate.
    """
    partner = ~focal
    matched = partner & (weight > 0.0)
    own_weight = weight[matched]
    weighted = own_weight * y[matched]
    sign = 1.0 if focal_treated else -1.0
    found = []
    for name, values in covariates:
        split = _split(values, focal, matched, own_weight, weighted)
        if split is not None:
            found.append(
                _benchmark(name, split, (difference, ci_low, ci_high), sign=sign, binary=binary)
            )
    found.sort(key=lambda one: (-abs(one.shift), one.name))
    return LeftOut(tuple(found), _sentence(found, difference, ci_low, ci_high))


@dataclass(frozen=True)
class _Split:
    """A covariate as groups: its strongest cut, and mean outcomes with each group's shares."""

    share_focal: float
    share_partner: float
    outcome_with: float
    outcome_without: float
    as_focal: float
    as_partner: float


def _split(
    values: NDArray[np.float64],
    focal: NDArray[np.bool_],
    matched: NDArray[np.bool_],
    weights: NDArray[np.float64],
    weighted: NDArray[np.float64],
) -> _Split | None:
    """Part a covariate into groups; None where it does not part the matched partners."""
    ranks = np.arange(1, GROUPS) / GROUPS
    inner = np.quantile(values, ranks, method="inverted_cdf")
    borders = np.unique(np.concatenate([values.min(keepdims=True), inner]))
    # Group g holds the values above g borders, so a cut at border b has the groups beyond b on one
    # side.
    group = np.searchsorted(borders, values, side="left")
    count = len(borders) + 1
    share_focal, share_partner = (
        np.bincount(group[one], minlength=count) / max(int(np.count_nonzero(one)), 1)
        for one in (focal, ~focal)
    )
    mass = np.bincount(group[matched], weights=weights, minlength=count)
    outcome = np.bincount(group[matched], weights=weighted, minlength=count)
    filled = np.flatnonzero(mass > 0.0)
    if len(filled) < 2:
        return None
    place = np.maximum(np.searchsorted(filled, np.arange(count), side="right") - 1, 0)
    mean = (outcome[filled] / mass[filled])[place]
    beyond = [_beyond(one) for one in (share_focal, share_partner, mass, outcome)]
    whole_mass, whole_outcome = float(total(weights)), float(total(weighted))
    best, largest = (0.0, 0.0, 0.0, 0.0), -1.0
    # A cut between two filled groups has matched partners on both sides.
    for cut in range(int(filled[0]), int(filled[-1])):
        own, other, with_mass, with_outcome = (float(one[cut]) for one in beyond)
        without = (whole_outcome - with_outcome) / (whole_mass - with_mass)
        parts = (own, other, with_outcome / with_mass, without)
        size = abs((parts[0] - parts[1]) * (parts[2] - parts[3]))
        if size > largest:
            best, largest = parts, size
    return _Split(*best, float(total(mean * share_focal)), float(total(mean * share_partner)))


def _beyond(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return for each border the total of the groups beyond it."""
    return np.asarray(np.cumsum(counts[::-1])[::-1][1:])


def _benchmark(
    name: str,
    split: _Split,
    estimate: tuple[float, float, float],
    *,
    sign: float,
    binary: bool,
) -> Benchmark:
    difference, ci_low, ci_high = estimate
    shift = sign * (split.as_focal - split.as_partner)
    towards = -abs(shift) if difference > 0.0 else abs(shift)
    low, high = ci_low + towards, ci_high + towards
    strength = float("nan")
    if binary:
        same = split.as_focal == split.as_partner
        small, large = sorted((split.as_focal, split.as_partner))
        strength = 1.0 if same else e_value_of(large / small if small > 0.0 else float("inf"))
    return Benchmark(
        name,
        split.share_focal,
        split.share_partner,
        split.outcome_with,
        split.outcome_without,
        shift,
        difference + towards,
        low,
        high,
        bool(low <= 0.0 <= high),
        _times(split, abs(shift), ci_low, ci_high, binary=binary),
        strength,
    )


def _times(split: _Split, shift: float, ci_low: float, ci_high: float, *, binary: bool) -> float:
    """Return by how much both associations must grow for the interval to reach 0."""
    if ci_low <= 0.0 <= ci_high:
        return 0.0
    nearest = ci_low if ci_low > 0.0 else -ci_high
    gap = abs(split.share_focal - split.share_partner)
    effect = abs(split.outcome_with - split.outcome_without)
    if not (shift > 0.0 and gap * effect > 0.0):
        return float("inf")
    times = float(np.sqrt(nearest / shift))
    # The cut alone shifts by gap * effect; a yes/no characteristic with the whole shift has both
    # larger by the same factor.
    grown = times * float(np.sqrt(shift / (gap * effect)))
    possible = grown * gap <= 1.0 and (not binary or grown * effect <= 1.0)
    return times if possible else float("inf")


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
