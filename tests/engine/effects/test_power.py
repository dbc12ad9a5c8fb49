"""Power: against exact enumeration of the interval, as inverses of each other, and by rules."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.effects.power import (
    check_plan,
    cohort_size,
    detectable_mean,
    detectable_rate,
    match_power,
    power_to_find,
)
from engine.errors import UsageError
from tests.kernels.support import examples

RATES = st.floats(0.05, 0.95)
POWERS = st.floats(0.5, 0.97)


def wilson(x, n):
    q = stats.norm.ppf(0.975)
    p = x / n
    centre = (p + q * q / (2 * n)) / (1 + q * q / n)
    half = q / (1 + q * q / n) * np.sqrt(p * (1 - p) / n + q * q / (4 * n * n))
    return p, centre - half, centre + half


def enumerated_power(base_rate, rate, n_treated, n_comparison):
    """Return the exact probability that Newcombe's interval leaves out 0 on the right side."""
    x, y = np.arange(n_treated + 1)[:, None], np.arange(n_comparison + 1)[None, :]
    p1, low1, high1 = wilson(x, n_treated)
    p0, low0, high0 = wilson(y, n_comparison)
    chance = stats.binom.pmf(x, n_treated, rate) * stats.binom.pmf(y, n_comparison, base_rate)
    low = p1 - p0 - np.sqrt((p1 - low1) ** 2 + (high0 - p0) ** 2)
    high = p1 - p0 + np.sqrt((high1 - p1) ** 2 + (p0 - low0) ** 2)
    return chance[high < 0 if rate < base_rate else low > 0].sum()


@pytest.mark.parametrize(
    ("base_rate", "rate", "n", "ratio"),
    [
        (0.4, 0.3, 356, 1), (0.3, 0.4, 300, 1), (0.25, 0.15, 200, 3), (0.1, 0.05, 400, 5),
        (0.5, 0.38, 250, 2), (0.15, 0.25, 150, 5), (0.6, 0.45, 70, 10), (0.6, 0.72, 240, 1),
    ],
)  # fmt: skip
def test_power_is_that_of_the_interval(base_rate, rate, n, ratio):
    exact = enumerated_power(base_rate, rate, n, n * ratio)
    assert power_to_find(base_rate, rate - base_rate, n, n * ratio) == pytest.approx(
        exact, abs=6e-3
    )


def test_near_one_half_it_is_the_textbook():
    # (1.959964 + 0.841621)^2 (0.35 0.65 + 0.4 0.6) / 0.05^2 = 1467.8
    assert cohort_size(0.40, -0.05).analysed == pytest.approx(1468, rel=0.005)
    lost = cohort_size(0.40, -0.05, attrition=0.3)
    assert lost.submitted == math.ceil(lost.analysed / 0.7)
    twice = cohort_size(0.40, -0.05, design_effect=2.0).analysed
    assert twice == pytest.approx(2 * cohort_size(0.40, -0.05).analysed, abs=1)
    assert cohort_size(0.40, -0.05, ratio=math.inf).analysed == pytest.approx(714.5, rel=0.05)


@examples(150, 150)
@given(RATES, st.floats(0.02, 0.9), POWERS, st.floats(0.3, 20), st.booleans())
def test_cohort_size_is_the_smallest_that_has_the_power(base_rate, part, power, ratio, fewer):
    difference = -part * base_rate if fewer else part * (1 - base_rate)
    size = cohort_size(base_rate, difference, power=power, ratio=ratio)
    n = size.analysed
    assert power_to_find(base_rate, difference, n, n * ratio) >= power - 1e-9
    if size.limited_by == "power":
        assert n == 1 or power_to_find(base_rate, difference, n - 1, (n - 1) * ratio) < power
    assert n * (base_rate + difference) >= 30 - 1e-6
    assert size.submitted >= max(60, n)


@examples(150, 150)
@given(RATES, st.integers(30, 5000), POWERS, st.floats(0.3, 20))
def test_detectable_is_where_the_power_is_reached(base_rate, n, power, ratio):
    found = detectable_rate(base_rate, n, n * ratio, power=power)
    for size, sign in ((found.fewer, -1), (found.more, 1)):
        if math.isnan(size):
            largest = base_rate if sign < 0 else 1 - base_rate
            assert power_to_find(base_rate, sign * largest, n, n * ratio) <= power + 1e-9
        else:
            assert power_to_find(base_rate, sign * size, n, n * ratio) == pytest.approx(
                power, abs=1e-6
            )


def test_more_people_show_smaller_differences():
    sizes = [detectable_rate(0.3, n, 3 * n).fewer for n in (100, 200, 400, 800)]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [((0.4, -0.05), "power"), ((0.1, -0.07), "events"), ((0.5, 0.45), "minimum")],
)
def test_what_limits_a_cohort(arguments, limit):
    assert cohort_size(*arguments).limited_by == limit


def test_a_match_and_a_plan_with_its_design_effect_agree():
    found = match_power("binary", 0.35, 0.40, 0.03, 400, 1500, powers=(0.8,))
    n, m = 400 / found.design_effect, 1500 / found.design_effect
    assert math.sqrt(0.35 * 0.65 / n + 0.4 * 0.6 / m) == pytest.approx(0.03)
    planned = cohort_size(0.40, -0.05, ratio=1500 / 400, design_effect=found.design_effect)
    assert found.needed[0] == planned.analysed
    assert found.detectable[0].fewer == pytest.approx(detectable_rate(0.4, n, m).fewer)


def test_a_difference_of_its_margin_has_even_chances():
    error = 0.02
    margin = detectable_mean(error, power=0.5)
    assert margin == pytest.approx(1.959964 * error, rel=1e-6)
    found = match_power("count", 1.0 + margin, 1.0, error, 300, 300, powers=(0.5,))
    assert found.needed[0] == 300
    assert math.isnan(found.design_effect)


def test_few_degrees_of_freedom_need_a_larger_difference():
    few = match_power("time", 80, 90, 4.0, 12, 30, degrees_of_freedom=9, powers=(0.8, 0.9))
    expected = [(stats.t.ppf(0.975, 9) + stats.t.ppf(p, 9)) * 4.0 for p in (0.8, 0.9)]
    assert [one.fewer for one in few.detectable] == pytest.approx(expected)
    assert few.detectable[0].more == few.detectable[0].fewer


def test_nothing_to_say_without_a_standard_error():
    assert match_power("binary", 0.3, 0.4, float("nan"), 100, 100) is None
    assert match_power("binary", 0.3, 0.0, 0.1, 100, 100) is None
    assert match_power("binary", 0.4, 0.4, 0.05, 100, 100).needed == (None, None)
    assert match_power("count", 1.0, 1.0 + 1e-12, 0.05, 100, 100).needed == (None, None)


def test_extreme_design_effects_are_held():
    assert match_power("binary", 0.4, 0.4, 1.0, 100, 100).design_effect == 4.0
    assert match_power("binary", 0.4, 0.4, 1e-4, 100, 100).design_effect == 0.25


def test_no_noise_at_all():
    assert power_to_find(1.0, 0.0, 10, math.inf) == 0.0
    assert power_to_find(1.0, -1.0, 10, math.inf) == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_rate": 0.0},
        {"base_rate": float("nan")},
        {"difference": -0.4},
        {"power": 1.0},
        {"power": 0.4},
        {"alpha": 0.0},
        {"ratio": 0.0},
        {"design_effect": float("inf")},
        {"attrition": 1.0},
    ],
)
def test_impossible_assumptions_are_refused(wrong):
    with pytest.raises(UsageError):
        check_plan(**{"base_rate": 0.4, **wrong})


def test_equality_cannot_be_shown():
    with pytest.raises(UsageError, match="wanted difference is 0"):
        cohort_size(0.4, 0.0)
