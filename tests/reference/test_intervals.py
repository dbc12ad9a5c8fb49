"""Intervals and p-values: by hand, by their limits, and by what they may never do."""

import numpy as np
import pytest
from scipy import stats

from tests.reference.closed_forms import set_clustered, set_clustered_contrast
from tests.reference.cohorts import binary_cohort, fit_logistic, nearest_with_replacement
from tests.reference.intervals import (
    binary_difference,
    calibration,
    linearised_ratio,
    log_contrast,
    mover,
    p_value_by_inversion,
    ratio_interval,
    satterthwaite,
    time_difference,
    wald_difference,
    wald_t,
    wilson,
)
from tests.reference.linear_form import equal_shares, linear_form
from tests.reference.simulate import band, study
from tests.reference.two_samples import discordant, mcnemar_exact, newcombe, welch


def matched(seed=1, k=1, estimand="att", outcome=None, n_treated=80, n_pool=320, **options):
    cohort = binary_cohort(np.random.default_rng(seed), n_treated, n_pool, 0.4)
    fit = fit_logistic(cohort.X, cohort.treated)
    focal = cohort.treated if estimand == "att" else ~cohort.treated
    sets = nearest_with_replacement(fit.eta, np.flatnonzero(focal), np.flatnonzero(~focal), k)
    y = cohort.y if outcome is None else outcome(cohort.y)
    form = linear_form(
        fit.eta,
        fit.F,
        cohort.X,
        fit.information,
        cohort.treated,
        y,
        sets,
        estimand=estimand,
        **options,
    )
    return cohort, fit, sets, form


def test_wilson_by_hand():
    # p = 1/2, n = 4, q = 2: centre 1/2, half = 2 / 2 * sqrt(1/16 + 1/16)
    assert wilson(0.5, 4, 2.0) == pytest.approx([0.5 - np.sqrt(1 / 8), 0.5 + np.sqrt(1 / 8)])
    assert wilson(0.0, 4, 2.0) == pytest.approx([0, 0.5])


def test_satterthwaite_by_hand():
    # two arms of four with equal variances, every partner used once: df = 2 * 3
    assert satterthwaite(2.0, 2.0, 4, np.ones(4)) == pytest.approx(6)
    # reuse lowers the df: K = (3, 1), nu = 100 / 82 - 1 < 1, raised to 1
    assert satterthwaite(1.0, 1.0, 4, np.array([3.0, 1.0])) == pytest.approx(4 / (1 / 3 + 1))
    assert satterthwaite(2.0, 2.0, 4, np.ones(4), cap=3) == 3
    assert satterthwaite(0.0, 0.0, 4, np.ones(4)) == 3


def test_calibration_meets_the_variance_and_is_clipped():
    assert calibration(0.5, 0.5, 10, 10, 0.05) == pytest.approx(1)
    assert calibration(0.5, 0.5, 10, 10, 0.025) == pytest.approx(2)
    assert calibration(0.5, 0.5, 10, 10, 1e-9) == 4
    assert calibration(0.5, 0.5, 10, 10, 9.0) == 0.25
    assert calibration(0.0, 0.0, 10, 10, 9.0) == 1
    assert calibration(0.5, 0.5, 10, 10, 0.0) == 1


def test_at_large_samples_the_interval_is_walds_with_the_same_variance():
    n = 4e6
    V = 0.3 * 0.7 / n * 1.5
    rho = calibration(0.3, 0.31, n, n, V)
    lower, upper = mover(0.3, 0.31, n * rho, n * rho, 1.96)
    binomial = (0.3 * 0.7 + 0.31 * 0.69) / n / rho

    assert binomial == pytest.approx(V)
    assert lower == pytest.approx(-0.01 - 1.96 * np.sqrt(V), abs=2e-6)
    assert upper == pytest.approx(-0.01 + 1.96 * np.sqrt(V), abs=2e-6)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("estimand", ["att", "atc"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_p_value_says_what_the_interval_says(seed, estimand, k):
    *_, form = matched(seed, k, estimand)
    made = binary_difference(form)

    assert -1 <= made.lower <= made.estimate <= made.upper <= 1
    at_p = binary_difference(form, level=1 - made.p_value)
    assert min(abs(at_p.lower), abs(at_p.upper)) < 1e-9
    for level in (0.8, 0.95, 0.99):
        other = binary_difference(form, level=level)
        assert (made.p_value < 1 - level) == (other.lower > 0 or other.upper < 0)


def test_no_difference_has_p_value_one():
    assert p_value_by_inversion(None, 0.0, 10) == 1.0


def test_relabelling_the_outcome_mirrors_the_interval():
    made = binary_difference(matched(4)[-1])
    other = binary_difference(matched(4, outcome=lambda y: 1 - y)[-1])

    assert [other.lower, other.upper] == pytest.approx([-made.upper, -made.lower], abs=1e-12)
    assert other.p_value == pytest.approx(made.p_value, abs=1e-12)


def test_wald_t_by_hand():
    made = wald_t(3.0, 4.0, 10, 0.9)
    half = stats.t.ppf(0.95, 10) * 2

    assert [made.lower, made.upper] == pytest.approx([3 - half, 3 + half])
    assert made.p_value == pytest.approx(2 * stats.t.sf(1.5, 10))


def test_counts_keep_the_noise_of_the_local_means():
    wide = wald_difference(matched(5, outcome=lambda y: 3 * y, shrinkage=1.0)[-1])
    narrow = wald_difference(matched(5, outcome=lambda y: 3 * y)[-1])

    assert wide.variance > narrow.variance
    assert wide.df == narrow.df


def test_ratios_by_the_delta_method():
    _, _, sets, form = matched(6, 2)
    y = form.y
    m_focal = y[form.focal].mean()
    m_partner = m_focal - form.tau.mean()

    value, V, _ = log_contrast(form, "ratio", shrinkage=1.0)
    assert value == pytest.approx(np.log(m_focal / m_partner))
    # for small relative differences the log ratio is the difference over the mean
    mean = (m_focal + m_partner) / 2
    plain = linear_form_variance(form)
    assert pytest.approx(plain / mean**2, rel=0.25) == V
    made = ratio_interval(form, "ratio")
    odds = ratio_interval(form, "odds_ratio")
    assert made.lower < made.estimate < made.upper
    assert (odds.estimate > 1) == (made.estimate > 1)
    assert set_clustered_contrast(y, sets, 1.0, 1.0) == pytest.approx(set_clustered(y, sets))


def linear_form_variance(form):
    return np.sum(form.contrast(1.0, 1.0, 1.0) ** 2) / form.n_focal**2


def test_the_odds_ratio_turns_over_with_the_outcome():
    made = ratio_interval(matched(7)[-1], "odds_ratio")
    other = ratio_interval(matched(7, outcome=lambda y: 1 - y)[-1], "odds_ratio")

    assert other.estimate == pytest.approx(1 / made.estimate)
    assert other.lower == pytest.approx(1 / made.upper)
    assert other.p_value == pytest.approx(made.p_value)


def test_the_linearised_ratio_by_hand():
    event = np.array([1, 1, 0, 1, 1])
    time = np.array([10.0, 20.0, np.nan, 30.0, 60.0])
    K = np.array([0, 0, 0, 1.5, 0.5])
    r_focal, r_partner, z = linearised_ratio(event, time, np.array([0, 1]), K)

    assert r_focal == 15
    assert r_partner == pytest.approx((1.5 * 30 + 0.5 * 60) / 2)
    assert z == pytest.approx([-5, 5, 37.5 * 0, -7.5, 22.5])
    assert z[:2].mean() - np.sum(K * z) / 2 == pytest.approx(0)


def test_the_time_measure_uses_events_as_its_size():
    cohort, fit, sets, _ = matched(8)
    days = np.random.default_rng(8).integers(1, 365, len(cohort.y)).astype(float)
    args = (fit.eta, fit.F, cohort.X, fit.information, cohort.treated, cohort.y)
    made = time_difference(*args, np.where(cohort.y == 1, days, np.nan), sets)
    scaled = time_difference(*args, 7 * days, sets)
    events = cohort.y[cohort.treated].sum()

    own = days[cohort.treated & (cohort.y == 1)]
    assert made.lower < made.estimate < made.upper
    assert made.variance > own.var() / events
    assert made.df < 2 * events
    assert scaled.estimate == pytest.approx(7 * made.estimate)
    assert scaled.p_value == pytest.approx(made.p_value)


def test_persons_widen_the_interval_and_cap_the_degrees_of_freedom():
    cohort, *_, form = matched(9)
    # people of two treated rows each; comparison rows are people of their own
    person = np.arange(len(cohort.y))
    person[:80] = np.repeat(np.arange(40), 2)
    together = form.phi[:80].reshape(40, 2).sum(axis=1)
    made = binary_difference(form, person)

    expected = 40 / 39 * (np.sum(together**2) + np.sum(form.phi[80:] ** 2)) / 80**2
    assert made.variance == pytest.approx(expected)
    assert made.df <= 39


def test_welch_by_kish_and_by_records():
    y_one = np.array([1.0, 0.0, 1.0, 1.0])
    y_two = np.array([1.0, 0.0, 0.0])
    kish = welch(y_one, y_two, [2.0, 1.0, 1.0])
    raw = welch(y_one, y_two, [2.0, 1.0, 1.0], size="raw")

    # mean 1/2, sum w (y - mean)^2 / sum w = 1/4; Kish's n = 16 / 6
    n = 16 / 6
    assert kish.variance == pytest.approx(0.25 / 4 + 0.25 * n / (n - 1) / n)
    assert raw.variance == pytest.approx(0.25 / 4 + 0.25 * 3 / 2 / 3)


def test_mcnemar_by_hand():
    assert mcnemar_exact(5, 1) == pytest.approx(2 * 7 / 64)
    assert mcnemar_exact(3, 3) == 1.0
    assert mcnemar_exact(0, 0) == 1.0
    y = np.array([1, 0, 1, 0, 1, 0])
    assert discordant(y, equal_shares([(0, [1]), (2, [3]), (5, [4])])) == (2, 1)


def test_newcombe_is_the_interval_without_calibration():
    assert newcombe(18, 60, 402, 1200) == mover(0.3, 0.335, 60, 1200, stats.norm.ppf(0.975))


@pytest.mark.slow
def test_a_small_study_covers_and_rejects_planted_wrong_methods():
    runs = 40
    table = study("binary", runs, seed=3)
    low, _ = band(runs)

    assert table["MOVER, V_lin"]["coverage"] >= low
    assert 0.75 < table["MOVER, V_lin"]["se_ratio"] < 1.3
    # the pool of 4,000 is not the comparison group of 120 pairs: standard errors far too small
    wrong = table["planted: whole pool as sample size"]["se_ratio"]
    assert wrong < 0.8 * table["MOVER, V_lin"]["se_ratio"]
    assert table["planted: unmatched comparison"]["bias"] > 0.5
