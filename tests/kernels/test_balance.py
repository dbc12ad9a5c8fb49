"""Moments by arm against fractions, and where one pass about a guess is not enough."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels._jit import CHUNK
from kernels.balance import arm_rows, moments_by_arm
from tests.kernels.support import examples


def plain_moments(values):
    """Mean and variance in exact arithmetic."""
    exact = [Fraction(float(v)) for v in values]
    mean = sum(exact) / len(exact)
    return float(mean), float(sum((v - mean) ** 2 for v in exact) / (len(exact) - 1))


def found_and_wanted(x, arm):
    return moments_by_arm(x, arm_rows(arm)), [plain_moments(x[arm == k]) for k in range(2)]


@given(
    st.sampled_from([4, 50, CHUNK, CHUNK + 1]),
    st.sampled_from([0.0, 1.0, -3e4, 1e9]),
    st.sampled_from(["mixed", "ordered", "far first"]),
    st.integers(0, 1000),
)
@examples(25, 8)
def test_moments_keep_their_digits_wherever_the_first_rows_lie(n, offset, kind, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n) + offset
    if kind == "ordered":
        x.sort()
    elif kind == "far first":
        # The guess from the first rows is a million standard deviations off.
        x[: n // 4] += 1e6
    # The second arm is dense in the one case, and copied out of the column in the other.
    share = [0.3, 0.4, 0.3] if seed % 2 else [0.9, 0.07, 0.03]
    arm = rng.choice(np.array([0, 1, 2], np.uint8), n, p=share)
    arm[:4] = 0, 1, 0, 1
    (mean, variance), wanted = found_and_wanted(x, arm)
    for k in range(2):
        assert mean[k] == pytest.approx(wanted[k][0], rel=1e-15, abs=1e-15)
        # A value of size s is itself known to s 2^-53 only.
        assert variance[k] == pytest.approx(wanted[k][1], rel=1e-13)


def test_an_outlier_in_the_middle_spoils_no_arm():
    x = np.concatenate([np.zeros(3000), [1e12], np.arange(5000.0)])
    arm = (np.arange(len(x)) % 3 == 0).astype(np.uint8)
    (mean, variance), wanted = found_and_wanted(x, arm)
    assert mean == pytest.approx([w[0] for w in wanted], rel=1e-15)
    assert variance == pytest.approx([w[1] for w in wanted], rel=1e-13)


@pytest.mark.parametrize("more", [0, 1])
def test_an_arm_is_sparse_below_one_row_in_eight(more):
    arm = np.zeros(8 * 300 + more, np.uint8)
    arm[-300:] = 1
    rows = arm_rows(arm)
    assert list(rows.size) == [2100 + more, 300]
    assert rows.rows[0] is None
    assert (rows.rows[1] is not None) == bool(more)
    x = np.random.default_rng(3).normal(size=len(arm))
    (mean, variance), wanted = found_and_wanted(x, arm)
    assert mean == pytest.approx([w[0] for w in wanted], rel=1e-13)
    assert variance == pytest.approx([w[1] for w in wanted], rel=1e-13)


def test_the_first_rows_of_an_arm_are_found_wherever_it_begins():
    arm = np.zeros(40_000, np.uint8)
    arm[30_000:] = 1
    first = arm_rows(arm).first
    assert [(rows[0], len(rows)) for rows in first] == [(0, 1024), (30_000, 1024)]


def test_what_is_not_finite_in_one_arm_leaves_the_other_alone():
    x = np.arange(3000.0)
    arm = (np.arange(3000) % 3 == 0).astype(np.uint8)
    x[2999] = np.inf
    mean, variance = moments_by_arm(x, arm_rows(arm))
    wanted = plain_moments(x[arm == 1])
    assert mean[1] == pytest.approx(wanted[0], rel=1e-15)
    assert variance[1] == pytest.approx(wanted[1], rel=1e-13)


def test_a_constant_has_its_value_as_mean_and_no_variance():
    x = np.full(3 * CHUNK + 5, 0.1)
    arm = (np.arange(len(x)) % 7 == 0).astype(np.uint8)
    (mean, variance), _ = found_and_wanted(x, arm)
    assert list(mean) == [0.1, 0.1]
    assert list(variance) == [0.0, 0.0]


def test_too_few_rows_have_no_moments():
    x, arm = np.array([2.0, 5.0]), np.array([0, 2], np.uint8)
    mean, variance = moments_by_arm(x, arm_rows(arm))
    assert mean[0] == 2.0
    assert np.isnan(mean[1])
    assert np.isnan(variance).all()
