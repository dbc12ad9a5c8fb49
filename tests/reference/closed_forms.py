"""Closed variance forms: Abadie-Imbens, the score correction V_adj, set-clustered.

inference.md, sections 2.3 and 3; forms of R's Matching for the comparison with stored results.
"""

import numpy as np

from tests.reference.linear_form import set_differences, use_of_partners


def abadie_imbens(form):
    """V_AI, population form with local conditional variances (section 2.3)."""
    N = form.n_focal
    between = N / (N - 1) * np.sum((form.tau - form.tau.mean()) ** 2)
    reuse = np.sum((form.K**2 - form.Q) * form.residual**2)
    return float((between + reuse) / N**2)


def score_covariance(form, X):
    """c, the covariance of the estimate with the score function of the fit."""
    N = form.n_focal
    F = form.focal_probability
    c = np.zeros(X.shape[1])
    centre = form.tau.mean()
    for i, t in zip(form.focal, form.tau, strict=True):
        c += (1 - F[i]) * (t - centre) * X[i]
    for j in np.flatnonzero(form.K > 0):
        c += form.K[j] * F[j] * form.leave_out[j] * X[j]
    return c / N


def adjusted(form, X, information):
    """V_adj = V_AI - 2 g'I^-1 c + g'I^-1 g, and whether the floor 0.05 V_AI was needed."""
    base = abadie_imbens(form)
    a = np.linalg.solve(information, form.gradient)
    value = base - 2 * a @ score_covariance(form, X) + a @ form.gradient
    return float(max(value, 0.05 * base)), bool(value < 0.05 * base)


def set_clustered(y, sets):
    """V_set = N / (N - 1) * sum (tau_i - tau)^2 / N^2."""
    tau = set_differences(y, sets)
    N = len(tau)
    return float(N / (N - 1) * np.sum((tau - tau.mean()) ** 2) / N**2)


def set_clustered_contrast(y, sets, a_focal, a_partner):
    """The same for a_focal * (focal mean) - a_partner * (partner mean), by the delta method.

    With a = 1 / mean this is the variance of the log ratio, with a = 1 / (p (1 - p)) that of the
    log odds ratio.
    """
    own = np.array([y[i] for i, _, _ in sets])
    other = np.array([np.dot(s, y[p]) for _, p, s in sets])
    u = a_focal * (own - own.mean()) - a_partner * (other - other.mean())
    N = len(u)
    return float(N / (N - 1) * np.sum(u**2) / N**2)


# ------------------------------------------------------------------------ forms of R's Matching


def nearest_with_ties(score, focal_rows, pool, k):
    """Sets of the k nearest rows of the pool, everybody at the distance of the k-th included."""
    sets = []
    for i in focal_rows:
        distance = np.abs(score[pool] - score[i])
        reach = np.sort(distance)[k - 1]
        partners = pool[distance <= reach]
        sets.append((int(i), partners, np.full(len(partners), 1 / len(partners))))
    return sets


def own_arm_variances(y, score, treated, J):
    """Variance (ddof 1) of each row and its J nearest of the same arm, ties with the J-th too."""
    value = np.zeros(len(y))
    for r in range(len(y)):
        own = np.flatnonzero((treated == treated[r]) & (np.arange(len(y)) != r))
        distance = np.abs(score[own] - score[r])
        reach = np.sort(distance)[J - 1]
        value[r] = y[np.append(own[distance <= reach], r)].var(ddof=1)
    return value


def matching_variance(y, sets, variances, form):
    """Squared standard error of R's Matching from sets and conditional variances.

    `variances` (n,), or None for one pooled variance: half the share-weighted mean of
    (y_i - y_j - tau)^2. `form` is 'population' or 'sample'.
    """
    n = len(y)
    tau = set_differences(y, sets)
    N = len(tau)
    K, Q = use_of_partners(sets, n)
    if variances is None:
        total = 0.0
        for i, partners, shares in sets:
            total += np.sum(shares * (y[i] - y[partners] - tau.mean()) ** 2)
        variances = np.full(n, 0.5 * total / N)
    if form == "sample":
        focal = [i for i, _, _ in sets]
        return float((variances[focal].sum() + np.sum(K**2 * variances)) / N**2)
    between = np.sum((tau - tau.mean()) ** 2)
    return float((between + np.sum((K**2 - Q) * variances)) / N**2)
