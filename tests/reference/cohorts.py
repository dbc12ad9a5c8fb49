"""Simulated cohorts with an exactly logistic score, a fit, and matching, all slow and plain."""

from dataclasses import dataclass

import numpy as np

from tests.reference.linear_form import equal_shares


@dataclass(frozen=True)
class Cohort:
    """Model matrix, arm, outcome, and the true effect on the treated.

    `effects` (n,) are the expected effects given the covariates, `slope` the true coefficients.
    """

    X: np.ndarray
    treated: np.ndarray
    y: np.ndarray
    truth: float
    effects: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True)
class Fit:
    """Logistic fit: coefficients, logit score, probability, information."""

    beta: np.ndarray
    eta: np.ndarray
    F: np.ndarray
    information: np.ndarray


def fit_logistic(X, treated):
    """Maximum likelihood by Newton's steps from zero."""
    beta = np.zeros(X.shape[1])
    for _ in range(50):
        F = 1 / (1 + np.exp(-(X @ beta)))
        information = (X * (F * (1 - F))[:, None]).T @ X
        step = np.linalg.solve(information, X.T @ (treated - F))
        beta = beta + step
        if np.max(np.abs(step)) < 1e-10:
            break
    eta = X @ beta
    F = 1 / (1 + np.exp(-eta))
    return Fit(beta, eta, F, (X * (F * (1 - F))[:, None]).T @ X)


def _arms(n_treated, n_pool):
    return np.arange(n_treated + n_pool) < n_treated


def continuous_cohort(rng, n_treated, n_pool, p=10, spread=0.5, varying=False):
    """Normal columns; y0 = b'x + noise with b (norm 1) orthogonal to the direction of the score.

    The arms differ by a shift of length `spread`, so the logit is linear in x with SD `spread`
    within an arm. `varying`: treatment removes b'x. The mean effect on the treated is 0 anyway.
    `p` is even: otherwise b would not be orthogonal.
    """
    assert p % 2 == 0
    treated = _arms(n_treated, n_pool)
    shift = np.full(p, spread / np.sqrt(p))
    b = np.where(np.arange(p) % 2 == 0, 1.0, -1.0) / np.sqrt(p)
    x = rng.standard_normal((n_treated + n_pool, p)) + treated[:, None] * shift
    prognosis = x @ b
    y = prognosis + rng.standard_normal(len(x))
    effects = -prognosis if varying else np.zeros(len(x))
    X = np.column_stack([np.ones(len(x)), x])
    slope = np.append(np.log(n_treated / n_pool) - spread**2 / 2, shift)
    return Cohort(X, treated, y + np.where(treated, effects, 0.0), 0.0, effects, slope)


def binary_cohort(rng, n_treated, n_pool, rate=0.3, spread=0.5):
    """Six normal and four 0/1 columns, outcome 0/1 of about `rate` among the treated, no effect.

    Half of the score's variance within an arm comes from the normal columns, half from the 0/1
    columns; the outcome depends weakly on both.
    """
    treated = _arms(n_treated, n_pool)
    n = len(treated)
    shift = spread / np.sqrt(2 * 6)
    normal = rng.standard_normal((n, 6)) + treated[:, None] * shift
    # a 0/1 column with share 1/2 has SD 1/2: log odds ratio s gives the logit an SD of s / 2
    odds = spread / np.sqrt(2 * 4) * 2
    share = 1 / (1 + np.exp(-np.where(treated, odds / 2, -odds / 2)))
    flags = (rng.random((n, 4)) < share[:, None]).astype(float)
    prognosis = 0.25 * normal[:, :4].sum(axis=1) + 0.3 * (flags[:, :2].sum(axis=1) - 1)
    risk = 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + prognosis)))
    y = (rng.random(n) < risk).astype(float)
    X = np.column_stack([np.ones(n), normal, flags])
    slope = np.concatenate([[np.nan], np.full(6, shift), np.full(4, odds)])
    return Cohort(X, treated, y, 0.0, np.zeros(n), slope)


# ------------------------------------------------------------------------------------- matching


def nearest_with_replacement(eta, focal_rows, pool, k=1, caliper=np.inf):
    """Sets of the k nearest rows of the pool within the caliper; nobody near: no set."""
    pairs = []
    for i in focal_rows:
        distance = np.abs(eta[pool] - eta[i])
        best = np.lexsort((pool, distance))[:k]
        best = best[distance[best] <= caliper]
        if len(best):
            pairs.append((i, pool[best]))
    return equal_shares(pairs)


def within_radius(eta, focal_rows, pool, radius):
    """Sets of all rows of the pool within the radius, equal shares."""
    pairs = [(i, pool[np.abs(eta[pool] - eta[i]) <= radius]) for i in focal_rows]
    return equal_shares([(i, partners) for i, partners in pairs if len(partners)])


def greedy_pairs(eta, focal_rows, pool, caliper=np.inf):
    """1:1 without replacement, largest score first, each takes its nearest free row."""
    free = np.ones(len(pool), dtype=bool)
    pairs = []
    for i in sorted(focal_rows, key=lambda r: (-eta[r], r)):
        distance = np.where(free, np.abs(eta[pool] - eta[i]), np.inf)
        best = int(np.argmin(distance))
        if distance[best] <= caliper and np.isfinite(distance[best]):
            pairs.append((i, pool[[best]]))
            free[best] = False
    return equal_shares(sorted(pairs, key=lambda pair: pair[0]))
