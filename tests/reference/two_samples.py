"""Plain tests: Welch with weights, Newcombe without calibration, exact McNemar."""

from math import comb

import numpy as np
from scipy import stats

from tests.reference.intervals import Interval, mover


def welch(y_one, y_two, weights=None, size="kish", level=0.95):
    """Welch's test of mean(y_one) - mean(y_two), the second sample weighted (method.md, 6.2).

    var = sum w (y - mean)^2 / sum w * n / (n - 1), SE^2 = var_1 / n_1 + var_2 / n_2, with n_2
    Kish's (sum w)^2 / sum w^2 (`size` 'kish') or the number of records with w > 0 ('raw').
    """
    w = np.ones(len(y_two)) if weights is None else np.asarray(weights, dtype=float)
    n_one = len(y_one)
    n_two = w.sum() ** 2 / np.sum(w**2) if size == "kish" else float(np.sum(w > 0))
    mean_one, mean_two = np.mean(y_one), np.sum(w * y_two) / w.sum()
    var_one = np.var(y_one, ddof=1)
    var_two = np.sum(w * (y_two - mean_two) ** 2) / w.sum() * n_two / (n_two - 1)
    a, b = var_one / n_one, var_two / n_two
    df = (a + b) ** 2 / (a**2 / (n_one - 1) + b**2 / (n_two - 1))
    d = mean_one - mean_two
    half = stats.t.ppf((1 + level) / 2, df) * np.sqrt(a + b)
    p = 2 * stats.t.sf(abs(d) / np.sqrt(a + b), df)
    return Interval(float(d), float(d - half), float(d + half), float(p), float(a + b), float(df))


def newcombe(events_one, n_one, events_two, n_two, level=0.95):
    """Newcombe's interval (1998, method 10) of two independent rates."""
    q = stats.norm.ppf((1 + level) / 2)
    return mover(events_one / n_one, events_two / n_two, n_one, n_two, q)


def mcnemar_exact(treated_only, comparison_only):
    """Two-sided exact p of discordant pairs: twice the smaller binomial(1/2) tail, at most 1."""
    n = treated_only + comparison_only
    if n == 0:
        return 1.0
    tail = sum(comb(n, x) for x in range(min(treated_only, comparison_only) + 1))
    return min(1.0, 2 * tail / 2**n)


def discordant(y, sets):
    """Pairs with the event on the focal side only, and on the partner's side only (1:1 sets)."""
    focal = sum(1 for i, p, _ in sets if y[i] == 1 and y[p[0]] == 0)
    partner = sum(1 for i, p, _ in sets if y[i] == 0 and y[p[0]] == 1)
    return focal, partner
