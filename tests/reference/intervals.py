"""Intervals and p-values from the variance of phi (inference.md, sections 6, 7 and 8)."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from tests.reference.linear_form import linear_form, use_of_partners, variance


@dataclass(frozen=True)
class Interval:
    """An effect (treated minus comparison, or a ratio) with its interval and p-value."""

    estimate: float
    lower: float
    upper: float
    p_value: float
    variance: float
    df: float
    rho: float = np.nan


def arm_variances(values, focal, K, partner_mean):
    """A_T = s^2 / N over focal rows (ddof 1), A_C = sum K^2 (y - partner mean)^2 / N^2."""
    N = len(focal)
    a_focal = values[focal].var(ddof=1) / N
    a_partner = np.sum(K**2 * (values - partner_mean) ** 2) / N**2
    return float(a_focal), float(a_partner)


def satterthwaite(a_focal, a_partner, N, K, cap=None):
    """df = (A_T + A_C)^2 / (A_T^2 / (N - 1) + A_C^2 / nu_C), at most `cap` (G - 1 for persons).

    nu_C = max((sum K^2)^2 / sum K^4 - 1, 1). Without any variance df = N - 1.
    """
    nu = max(np.sum(K**2) ** 2 / np.sum(K**4) - 1, 1.0)
    parts = a_focal**2 / (N - 1) + a_partner**2 / nu
    df = (a_focal + a_partner) ** 2 / parts if parts > 0 else N - 1
    return float(df if cap is None else min(df, cap))


def wilson(p, n, q):
    """Wilson limits of a rate p of n at the quantile q."""
    centre = (p + q**2 / (2 * n)) / (1 + q**2 / n)
    half = q / (1 + q**2 / n) * np.sqrt(p * (1 - p) / n + q**2 / (4 * n**2))
    return centre - half, centre + half


def mover(p_one, p_two, n_one, n_two, q):
    """Newcombe's interval of p_one - p_two from the two Wilson intervals."""
    d = p_one - p_two
    l1, u1 = wilson(p_one, n_one, q)
    l2, u2 = wilson(p_two, n_two, q)
    lower = d - np.sqrt((p_one - l1) ** 2 + (u2 - p_two) ** 2)
    upper = d + np.sqrt((u1 - p_one) ** 2 + (p_two - l2) ** 2)
    return lower, upper


def calibration(p_one, p_two, n_one, n_two, V):
    """rho = clip(binomial variance / V, 1/4, 4); 1 if either is 0."""
    binomial = p_one * (1 - p_one) / n_one + p_two * (1 - p_two) / n_two
    if V == 0 or binomial == 0:
        return 1.0
    return float(min(max(binomial / V, 0.25), 4.0))


def p_value_by_inversion(limits, estimate, df):
    """2 (1 - T_df(q)) at the q where the interval limits(q) touches 0: bisection, 60 steps."""
    if estimate == 0:
        return 1.0

    def excludes_zero(q):
        lower, upper = limits(q)
        return lower > 0 if estimate > 0 else upper < 0

    low, high = 0.0, 1.0
    while excludes_zero(high):
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if excludes_zero(middle):
            low = middle
        else:
            high = middle
    return float(2 * stats.t.sf((low + high) / 2, df))


def wald_t(estimate, V, df, level=0.95):
    """estimate +- t * sqrt(V)."""
    half = stats.t.ppf((1 + level) / 2, df) * np.sqrt(V)
    p = 2 * stats.t.sf(abs(estimate) / np.sqrt(V), df) if V > 0 else np.nan
    return Interval(
        float(estimate), float(estimate - half), float(estimate + half), float(p), float(V), df
    )


def focal_persons(form, person):
    """G, the persons among the matched focal rows."""
    return len(np.unique(person[form.focal]))


def _variance_and_cap(form, phi, person):
    if person is None:
        return variance(phi, form.n_focal), None
    G = focal_persons(form, person)
    repeats = len(np.unique(person)) < len(person)
    return variance(phi, form.n_focal, person, G), G - 1 if repeats else None


def binary_difference(form, person=None, level=0.95, V=None):
    """Calibrated MOVER-Newcombe interval of the difference of rates (section 6).

    `V` replaces the variance of phi (for planted wrong methods).
    """
    value, cap = _variance_and_cap(form, form.phi, person)
    V = value if V is None else V
    p_focal = form.y[form.focal].mean()
    p_partner = float(np.clip(p_focal - form.tau.mean(), 0, 1))
    a_focal, a_partner = arm_variances(form.y, form.focal, form.K, p_partner)
    df = satterthwaite(a_focal, a_partner, form.n_focal, form.K, cap)
    rho = calibration(p_focal, p_partner, form.n_focal, form.effective_partners, V)
    n_focal, n_partner = form.n_focal * rho, form.effective_partners * rho

    def limits(q):
        return mover(p_focal, p_partner, n_focal, n_partner, q)

    lower, upper = limits(stats.t.ppf((1 + level) / 2, df))
    p = p_value_by_inversion(limits, p_focal - p_partner, df)
    if form.sign < 0:
        lower, upper = -upper, -lower
    return Interval(form.estimate, float(lower), float(upper), p, V, df, rho)


def wald_difference(form, person=None, level=0.95, V=None):
    """Wald-t interval of a difference of means; for counts `form` is made with lambda = 1."""
    value, cap = _variance_and_cap(form, form.phi, person)
    V = value if V is None else V
    partner_mean = form.y[form.focal].mean() - form.tau.mean()
    a_focal, a_partner = arm_variances(form.y, form.focal, form.K, partner_mean)
    df = satterthwaite(a_focal, a_partner, form.n_focal, form.K, cap)
    return wald_t(form.estimate, V, df, level)


def log_contrast(form, measure, person=None, shrinkage=None):
    """Log ratio or log odds ratio, treated over comparison, and its delta-method variance.

    The parts of phi that belong to the focal and the partner mean are divided by the mean
    ('ratio') or by p (1 - p) ('odds_ratio'). `shrinkage` None: lambda of this contrast.

    Returns
    -------
    estimate, V, cap : float, float, int or None
    """
    m_focal = form.y[form.focal].mean()
    m_partner = m_focal - form.tau.mean()
    if measure == "ratio":
        weights = (1 / m_focal, 1 / m_partner)
        value = np.log(m_focal / m_partner)
    else:
        weights = (1 / (m_focal * (1 - m_focal)), 1 / (m_partner * (1 - m_partner)))
        value = np.log(m_focal / (1 - m_focal)) - np.log(m_partner / (1 - m_partner))
    phi = form.contrast(*weights, shrinkage)
    V, cap = _variance_and_cap(form, phi, person)
    return form.sign * float(value), V, cap


def ratio_interval(form, measure, person=None, level=0.95, shrinkage=None):
    """Interval of a ratio of means (risk or rate ratio) or an odds ratio: Wald-t on the log."""
    value, V, cap = log_contrast(form, measure, person, shrinkage)
    partner_mean = form.y[form.focal].mean() - form.tau.mean()
    a_focal, a_partner = arm_variances(form.y, form.focal, form.K, partner_mean)
    df = satterthwaite(a_focal, a_partner, form.n_focal, form.K, cap)
    made = wald_t(value, V, df, level)
    return Interval(
        float(np.exp(value)),
        float(np.exp(made.lower)),
        float(np.exp(made.upper)),
        made.p_value,
        V,
        df,
    )


def linearised_ratio(event, time, focal, K):
    """R of both arms and z, the linearised mean time among those with an event (section 7).

    `time` is read only where `event` is 1.

    Returns
    -------
    r_focal, r_partner : float
        Mean time of focal and partner rows with an event.
    z : ndarray (n,)
    """
    N = len(focal)
    r = np.asarray(event, dtype=float)
    t = np.where(r > 0, time, 0.0)
    m = r[focal].sum()
    r_focal = np.sum(r[focal] * t[focal]) / m
    total = np.sum(K * r)
    r_partner = np.sum(K * r * t) / total
    in_focal = np.zeros(len(r), dtype=bool)
    in_focal[focal] = True
    z = np.where(in_focal, r * (t - r_focal) * N / m, r * (t - r_partner) * N / total)
    return float(r_focal), float(r_partner), z


def time_difference(
    eta, F, X, information, treated, event, time, sets, *, person=None, level=0.95, **options
):
    """Wald-t interval of the mean time to the event among those with one (section 7).

    Events, not people, are the sample size: V + A_T / (m_T - 1) + A_C / m_C. `options` go to
    `linear_form`.
    """
    focal = np.array([i for i, _, _ in sets], dtype=np.int64)
    K, _ = use_of_partners(sets, len(event))
    r_focal, r_partner, z = linearised_ratio(event, time, focal, K)
    form = linear_form(eta, F, X, information, treated, z, sets, person=person, **options)
    V, cap = _variance_and_cap(form, form.phi, person)
    m_focal = float(np.sum(event[focal]))
    m_partner = form.effective_partners * float(np.sum(K * event) / form.n_focal)
    a_focal, a_partner = arm_variances(z, focal, K, 0.0)
    V2 = V + a_focal / (m_focal - 1) + a_partner / m_partner
    df = (a_focal + a_partner) ** 2 / (a_focal**2 / (m_focal - 1) + a_partner**2 / m_partner)
    df = float(df if cap is None else min(df, cap))
    return wald_t(form.sign * (r_focal - r_partner), V2, df, level)
