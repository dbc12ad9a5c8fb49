"""E-values against the EValue package, published examples and their definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.effects.sensitivity.e_value import (
    e_value_odds_ratio,
    e_value_of,
    e_value_ratio,
    e_value_risk_difference,
)
from engine.errors import UsageError
from tests.engine.effects.sets_support import stored
from tests.kernels.support import examples

R = stored("sensitivity.json")


@pytest.mark.oracle
@pytest.mark.parametrize("case", R["ratios"], ids=lambda c: f"{c['kind']} {c['estimate']}")
def test_ratios_equal_the_package(case):
    limits = case["estimate"], case["low"], case["high"]
    if case["kind"] == "RR":
        found = e_value_ratio(*limits)
    else:
        found = e_value_odds_ratio(*limits, rate=0.05 if case["rare"] else 0.4)
    assert found.e_value == pytest.approx(case["e_value"], rel=1e-13)
    assert found.e_value_ci == pytest.approx(case["e_value_ci"], rel=1e-13)


@pytest.mark.oracle
@pytest.mark.parametrize("case", R["differences"], ids=lambda c: f"{c['n11']}")
def test_differences_equal_the_package_to_its_grid(case):
    n1, n0 = case["n11"] + case["n10"], case["n01"] + case["n00"]
    found = e_value_risk_difference(
        case["n11"] / n1, case["n01"] / n0, n1, n0, treated_share=n1 / (n1 + n0)
    )
    assert found.e_value == pytest.approx(case["e_value"], rel=1e-12)
    assert found.e_value_ci == pytest.approx(case["e_value_ci"], abs=3e-5)
    # relabelled groups are the same study
    mirrored = e_value_risk_difference(
        case["n01"] / n0, case["n11"] / n1, n0, n1, treated_share=n0 / (n1 + n0)
    )
    assert mirrored.e_value == pytest.approx(found.e_value, rel=1e-12)
    assert mirrored.e_value_ci == pytest.approx(found.e_value_ci, rel=1e-12)


def test_published_examples():
    # VanderWeele and Ding (2017): breastfeeding and respiratory death, then childhood leukaemia
    death = e_value_ratio(3.9, 1.8, 8.7)
    assert (round(death.e_value, 2), round(death.e_value_ci, 2)) == (7.26, 3.0)
    leukaemia = e_value_ratio(0.80, 0.71, 0.91)
    assert (round(leukaemia.e_value, 2), round(leukaemia.e_value_ci, 2)) == (1.81, 1.43)
    # Ding and VanderWeele (2016): smoking and lung cancer (Hammond and Horn 1958)
    assert round(e_value_ratio(10.73, 8.02, 14.36).e_value, 1) == 20.9


@examples(200, 200)
@given(st.floats(0.01, 100))
def test_an_e_value_has_the_bounding_factor_of_the_ratio(ratio):
    value = e_value_of(ratio)
    assert value >= 1.0
    assert value * value / (2 * value - 1) == pytest.approx(max(ratio, 1 / ratio), rel=1e-9)
    assert e_value_of(1 / ratio) == pytest.approx(value, rel=1e-9)


@examples(100, 100)
@given(
    st.floats(0.02, 0.98),
    st.floats(0.02, 0.98),
    st.integers(30, 4000),
    st.floats(1, 8),
    st.floats(0, 1),
)
def test_the_limit_of_a_difference_is_never_harder_than_the_estimate(p1, p0, n, ratio, share):
    found = e_value_risk_difference(p1, p0, n, n * ratio, treated_share=share)
    assert 1.0 <= found.e_value_ci <= found.e_value + 1e-12


def test_for_the_treated_the_limit_solves_its_own_equation():
    p1, p0, n1, n0, z = 0.45, 0.30, 300.0, 900.0, 1.959963984540054
    found = e_value_risk_difference(p1, p0, n1, n0)
    v1, v0 = p1 * (1 - p1) / n1, p0 * (1 - p0) / n0
    # (p1 - B p0)^2 = z^2 (v1 + v0 B^2), the smaller root
    a, b, c = p0 * p0 - z * z * v0, -2 * p1 * p0, p1 * p1 - z * z * v1
    factor = (-b - math.sqrt(b * b - 4 * a * c)) / (2 * a)
    assert found.e_value_ci == pytest.approx(e_value_of(factor), rel=1e-12)
    assert found.e_value == pytest.approx(e_value_of(p1 / p0))


def test_nobody_with_the_outcome():
    for found in (
        e_value_risk_difference(0.1, 0.0, 400, 400),
        e_value_risk_difference(0.0, 0.1, 400, 400),
    ):
        assert np.isinf(found.e_value)
        assert np.isinf(found.e_value_ci)
        assert "no strength" in found.sentence
    same = e_value_risk_difference(0.0, 0.0, 50, 50)
    assert (same.e_value, same.e_value_ci) == (1.0, 1.0)
    assert np.isinf(e_value_of(0.0))
    assert np.isnan(e_value_of(float("nan")))
    assert "uncertain" in e_value_ratio(math.inf, 2.0, math.inf).sentence


def test_sentences_follow_the_interval():
    assert "2.6 times as likely" in e_value_ratio(1.61, 1.06, 2.44).sentence
    assert "1.3 times would be enough" in e_value_ratio(1.61, 1.06, 2.44).sentence
    unclear = e_value_ratio(1.2, 0.9, 1.6, "rate ratio")
    assert "cannot tell yet" in unclear.sentence
    assert unclear.measure == "rate ratio"
    assert "common" in e_value_odds_ratio(2.0, 1.1, 3.7, rate=0.3).note
    assert "rare" in e_value_odds_ratio(2.0, 1.1, 3.7, rate=0.1).note


@pytest.mark.parametrize("limits", [(2.0, 2.1, 3.0), (2.0, 1.0, 1.9), (0.5, -0.1, 0.9)])
def test_an_estimate_outside_its_limits_is_refused(limits):
    with pytest.raises(UsageError):
        e_value_ratio(*limits)
    with pytest.raises(UsageError):
        e_value_odds_ratio(*limits, rate=0.3)
