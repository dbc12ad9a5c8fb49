"""Welch's interval against SciPy's, and what weights mean in it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.effects.welch import describe_group, welch_interval
from tests import naive
from tests.kernels.support import examples

SEEDS = st.integers(0, 2**32 - 1)


def group(values, weights=None):
    values = np.asarray(values, dtype=np.float64)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    return describe_group(values, weights)


@examples(60, 15)
@given(seed=SEEDS, sizes=st.tuples(st.integers(2, 60), st.integers(2, 60)))
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_even_weights_give_the_welch_test(level, raw, seed, sizes):
    rng = np.random.default_rng(seed)
    one, other = (rng.normal(size=n) * rng.choice([0.1, 50.0]) for n in sizes)
    found = welch_interval(group(one), group(other), "welch", raw=raw, level=level)
    wanted = stats.ttest_ind(one, other, equal_var=False)
    interval = wanted.confidence_interval(level)
    assert found.estimate == pytest.approx(one.mean() - other.mean(), rel=1e-12, abs=1e-13)
    assert found.p_value == pytest.approx(wanted.pvalue, rel=1e-8)
    assert found.degrees_of_freedom == pytest.approx(wanted.df, rel=1e-10)
    assert found.low == pytest.approx(interval.low, rel=1e-9, abs=1e-12)
    assert found.high == pytest.approx(interval.high, rel=1e-9, abs=1e-12)
    assert found.low <= found.estimate <= found.high


@examples(60, 15)
@given(seed=SEEDS, n=st.integers(2, 40))
def test_uneven_weights_count_by_kish(seed, n):
    rng = np.random.default_rng(seed)
    y, w = rng.normal(size=n) * 3 + 1, rng.integers(1, 9, n) / 4
    found = group(y, w)
    effective = naive.effective_size(w)
    mean = naive.weighted_mean(y, w)
    spread = naive.exact_sum(b * (a - mean) ** 2 for a, b in zip(y, w, strict=True))
    spread /= naive.exact_sum(w)
    assert found.mean == pytest.approx(mean, rel=1e-12)
    assert found.effective == pytest.approx(effective, rel=1e-12)
    assert found.spread == pytest.approx(spread, rel=1e-10)
    assert found.n == n
    scaled = group(y, w * 7.5)
    assert scaled.effective == pytest.approx(effective, rel=1e-12)
    assert scaled.spread == pytest.approx(found.spread, rel=1e-10)


@pytest.mark.parametrize(
    ("one", "other"),
    [([], [1.0, 2.0]), ([1.0, 2.0], []), ([1.0], [1.0, 2.0]), ([1.0, 1.0], [0.0, 0.0])],
)
def test_what_is_not_defined_is_nan_and_never_a_width_of_zero(one, other):
    found = welch_interval(group(one), group(other), "welch", raw=False)
    assert all(
        math.isnan(value) for value in (found.standard_error, found.low, found.high, found.p_value)
    )
    if one and other:
        assert found.estimate == np.mean(one) - np.mean(other)


def test_one_constant_group_leaves_the_other_s_variance():
    one, other = np.array([1.0, 1.0, 1.0]), np.array([0.0, 1.0, 2.0, 4.0])
    found = welch_interval(group(one), group(other), "welch", raw=False)
    assert found.standard_error == pytest.approx(other.std(ddof=1) / 2)
    assert found.degrees_of_freedom == pytest.approx(3.0)


def test_swapping_the_groups_mirrors_the_interval():
    one, other = group([1.0, 2.0, 4.0]), group([0.0, 2.5, 3.0, 3.5], [1.0, 2.0, 0.5, 0.5])
    a, b = (welch_interval(x, y, "welch", raw=False) for x, y in ((one, other), (other, one)))
    assert (a.estimate, a.low, a.high) == (-b.estimate, -b.high, -b.low)
    assert a.p_value == b.p_value
