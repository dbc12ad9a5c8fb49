"""Rosenbaum's bounds and E-values from their definitions."""

from math import comb, sqrt

import numpy as np
from scipy import stats


def binary_pairs_upper(larger, discordant, gamma):
    """P(X >= D), X binomial over the discordant pairs with probability Gamma / (1 + Gamma)."""
    p = gamma / (1 + gamma)
    return sum(
        comb(discordant, x) * p**x * (1 - p) ** (discordant - x)
        for x in range(larger, discordant + 1)
    )


def binary_sets_upper(tables, gamma):
    """P(A >= treated events), A the sum of extended hypergeometric counts at odds Gamma.

    `tables`: (treated with event, others with, treated without, others without), one a stratum.
    """
    total = np.ones(1)
    for a, b, c, d in tables:
        treated, events = a + c, a + b
        low, high = max(0, treated - (c + d)), min(treated, events)
        weights = np.zeros(high + 1)
        for x in range(low, high + 1):
            weights[x] = comb(events, x) * comb(c + d, treated - x) * float(gamma) ** x
        total = np.convolve(total, weights / weights.sum())
    observed = int(sum(t[0] for t in tables))
    return float(total[observed:].sum())


def signed_rank_upper(differences, gamma):
    """One-sided p of Wilcoxon's signed rank at Gamma: zeros out, mid-ranks, normal."""
    d = np.asarray(differences, dtype=float)
    d = d[d != 0]
    ranks = stats.rankdata(np.abs(d))
    p = gamma / (1 + gamma)
    deviate = (ranks[d > 0].sum() - p * ranks.sum()) / sqrt(p * (1 - p) * np.sum(ranks**2))
    return float(stats.norm.sf(deviate))


def separable_upper(scores, gamma):
    """Largest expectation, its variance, one-sided p: sum over sets of the treated unit's score.

    `scores`: one array a set, the treated unit first. In each set the confounder is 1 for the
    units above a cut and 0 below; the cut with the largest mean counts, among equal means the one
    with the largest variance (Gastwirth, Krieger and Rosenbaum 2000).
    """
    statistic = expectation = spread = 0.0
    for q in scores:
        ordered = np.sort(q)
        best = (-np.inf, -np.inf)
        for cut in range(1, len(ordered)):
            weight = np.where(np.arange(len(ordered)) < cut, 1.0, gamma)
            mean = np.sum(weight * ordered) / weight.sum()
            variance = np.sum(weight * ordered**2) / weight.sum() - mean**2
            best = max(best, (mean, variance))
        statistic += q[0]
        expectation += best[0]
        spread += best[1]
    return expectation, spread, float(stats.norm.sf((statistic - expectation) / sqrt(spread)))


def aligned_ranks(outcomes):
    """Mid-ranks, over all sets together, of the outcome minus the mean of its set."""
    residuals = np.concatenate([np.asarray(y) - np.mean(y) for y in outcomes])
    ranks = stats.rankdata(np.round(residuals, 9))
    return np.split(ranks, np.cumsum([len(y) for y in outcomes])[:-1])


def e_value(risk_ratio):
    """E-value of a risk ratio (VanderWeele and Ding 2017): RR + sqrt(RR (RR - 1)) above 1."""
    r = risk_ratio if risk_ratio >= 1 else 1 / risk_ratio
    return r + sqrt(r * (r - 1))


def bias_factor_of_risk_difference(p1, p0, share):
    """Bias factor that moves a risk difference to 0 (Ding and VanderWeele 2016).

    `share` is the exposed share of everybody.
    """
    diff = p0 * (1 - share) - p1 * share
    return (sqrt(diff**2 + 4 * p1 * p0 * share * (1 - share)) - diff) / (2 * p0 * share)
