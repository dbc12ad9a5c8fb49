"""Exponential, logarithm and logistic function against extended precision."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.elementary import exponential, logarithm, logistic
from tests import naive
from tests.kernels.support import COMPILED, examples

N = 200_000 if COMPILED else 1_000


def filled(function, x):
    out = np.full(len(x), np.nan)
    function(np.asarray(x, dtype=np.float64), out)
    return out


def largest_error(got, exact):
    """Largest error in units in the last place of the exact value (given in long double)."""
    rounded = np.asarray(exact, dtype=np.float64)
    error = np.abs(np.asarray(got, dtype=np.longdouble) - exact) / np.spacing(np.abs(rounded))
    return float(np.max(error))


@pytest.mark.parametrize("reach", [1e-9, 1e-3, 0.4, 3.0, 40.0, 700.0])
def test_exponential_is_within_two_units_in_the_last_place(reach):
    x = np.random.default_rng(1).uniform(-reach, reach, N)
    assert largest_error(filled(exponential, x), np.exp(x.astype(np.longdouble))) <= 2.0


def test_exponential_at_multiples_of_half_ln_2():
    x = np.arange(-1400, 1401) * (math.log(2) / 2) * 0.72
    x = np.concatenate([x, np.nextafter(x, np.inf), np.nextafter(x, -np.inf)])
    assert largest_error(filled(exponential, x), np.exp(x.astype(np.longdouble))) <= 2.0


def test_exponential_is_clamped_and_exact_at_zero():
    got = filled(exponential, [0.0, -0.0, 708.0, 709.0, 1e300, -708.0, -709.0, -1e300, 5e-324])
    assert got[0] == got[1] == got[8] == 1.0
    assert got[2] == got[3] == got[4]
    assert got[5] == got[6] == got[7]
    assert naive.ulps_apart(got[2], math.exp(708.0)) <= 2
    assert naive.ulps_apart(got[5], math.exp(-708.0)) <= 2


@pytest.mark.parametrize("odd", [1, 2, 3, 7, 8, 9, 63, 65])
def test_every_length_gives_the_same_bits(odd):
    x = np.linspace(-20.0, 20.0, 65)
    for function, values in ((exponential, x), (logistic, x), (logarithm, np.exp(x))):
        assert np.array_equal(filled(function, values)[:odd], filled(function, values[:odd]))


@pytest.mark.parametrize("reach", [1e-12, 1e-3, 0.3, 1.0, 10.0, 300.0])
def test_logarithm_is_within_two_units_in_the_last_place(reach):
    x = 10.0 ** np.random.default_rng(2).uniform(-reach, reach, N)
    exact = np.log(x.astype(np.longdouble))
    keep = exact != 0
    assert largest_error(filled(logarithm, x)[keep], exact[keep]) <= 2.0


def test_logarithm_at_powers_of_two_and_beside_the_fold():
    edge = math.sqrt(0.5)
    x = [1.0, 2.0, 0.5, 2.0**1023, 2.0**-1022, edge, math.sqrt(2.0), 1.7e308]
    x += [math.nextafter(v, 0.0) for v in (1.0, edge, math.sqrt(2.0))]
    x += [math.nextafter(v, 9.0) for v in (1.0, edge, math.sqrt(2.0))]
    x = np.array(x)
    got = filled(logarithm, x)
    exact = np.log(x.astype(np.longdouble))
    assert got[0] == 0.0
    assert largest_error(got[1:], exact[1:]) <= 2.0


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=20))
@examples(100, 40)
def test_logistic_is_accurate_in_both_tails(values):
    got = filled(logistic, values)
    for value, probability in zip(values, got, strict=True):
        if abs(value) <= 707:
            assert naive.ulps_apart(probability, naive.expit(value)) <= 4
        assert 0.0 <= probability <= 1.0


def test_logistic_of_opposite_logits_adds_to_one_and_grows():
    x = np.linspace(-45, 45, 2_001)
    up = filled(logistic, x)
    assert np.max(np.abs(up + filled(logistic, -x) - 1.0)) <= 2.3e-16
    assert np.all(np.diff(up) >= 0)
    assert filled(logistic, [0.0])[0] == 0.5
    assert up[0] > 0.0
    assert filled(logistic, [-700.0])[0] > 0.0
