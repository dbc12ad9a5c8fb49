"""Distances of distribution functions against the plain definition, and the binned way's bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernels.distance
from kernels.distance import distance_of_arms, kolmogorov_smirnov, weighted_kolmogorov_smirnov
from tests.kernels.support import COMPILED, examples

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy": lambda rng, n: np.exp(6 * rng.normal(size=n)),
    "huge": lambda rng, n: rng.choice([-1.7e308, 0.0, 1.7e308], n),
    "whole": lambda rng, n: np.round(9 * rng.normal(size=n)),
    "wide": lambda rng, n: np.round(1e5 * rng.normal(size=n)),
    "tied": lambda rng, n: rng.choice([-0.1, 0.1, 0.3, 0.30000000000000004], n),
    "crowd": lambda rng, n: np.where(rng.random(n) < 0.9, rng.normal(size=n) * 1e-6, rng.random(n)),
    "constant": lambda rng, n: np.full(n, 7.1),
    "edges": lambda rng, n: rng.integers(0, 65, n) / 64,
}


def plain_distance(a, b, a_weight, b_weight):
    """The largest difference of the two functions, looked up at every value."""
    points = np.concatenate([a, b])
    one = np.array([a_weight[a <= point].sum() for point in points]) / a_weight.sum()
    other = np.array([b_weight[b <= point].sum() for point in points]) / b_weight.sum()
    return np.abs(one - other).max()


def sample(shape, n, seed, shift):
    rng = np.random.default_rng(seed)
    x = SHAPES[shape](rng, n)
    arm = rng.choice(np.array([0, 1, 2], np.uint8), n, p=[0.7, 0.2, 0.1])
    arm[:2] = 0, 1
    if shift and shape not in ("huge", "constant"):
        x = np.where(arm == 1, x + x.std() / 3, x)
    return x, arm, np.array([np.count_nonzero(arm == k) for k in range(2)])


@given(st.sampled_from(sorted(SHAPES)), st.integers(2, 200), st.integers(0, 10_000), st.booleans())
@examples(80, 30)
def test_the_distance_is_the_largest_difference(shape, n, seed, shift):
    x, arm, size = sample(shape, n, seed, shift)
    a, b = x[arm == 0], x[arm == 1]
    wanted = plain_distance(a, b, np.ones(len(a)), np.ones(len(b)))
    assert distance_of_arms(x, arm, size) == pytest.approx(wanted, abs=1e-14)
    weights = np.random.default_rng(seed + 1).integers(1, 5, n) / 2
    found = weighted_kolmogorov_smirnov(a, weights[arm == 0], b, weights[arm == 1])
    assert found == pytest.approx(plain_distance(a, b, weights[arm == 0], weights[arm == 1]))


@given(st.sampled_from(sorted(SHAPES)), st.integers(2, 400), st.integers(0, 10_000), st.booleans())
@examples(150, 40)
def test_bins_give_the_same_bits_as_sorting(shape, n, seed, shift):
    # Eight bins and no least number of rows: every way through the bins with few rows.
    x, arm, size = sample(shape, n, seed, shift)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kernels.distance, "_BINS", 8)
        patched.setattr(kernels.distance, "_FEWEST_ROWS", 0)
        patched.setattr(kernels.distance, "_MOST_INSIDE", 1.0)
        found = distance_of_arms(x, arm, size)
    assert found == kolmogorov_smirnov(x[arm == 0], x[arm == 1])


@pytest.mark.skipif(not COMPILED, reason="needs 200,000 rows")
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_large_columns_give_the_same_bits_as_sorting(shape):
    for shift in (False, True):
        x, arm, size = sample(shape, 200_000, 5, shift)
        wanted = kolmogorov_smirnov(x[arm == 0], x[arm == 1])
        assert distance_of_arms(x, arm, size) == wanted


def test_an_empty_arm_has_no_distance():
    x, arm = np.arange(4.0), np.zeros(4, np.uint8)
    assert np.isnan(distance_of_arms(x, arm, np.array([4, 0])))
    assert np.isnan(kolmogorov_smirnov(x, x[:0]))
    assert np.isnan(weighted_kolmogorov_smirnov(x[:0], x[:0], x, x))
