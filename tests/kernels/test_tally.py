"""Ranges and level counts by arm against their plain NumPy forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.tally import IN_RANGE, LEFT_OUT, NO_SUCH_LEVEL, level_counts, number_ranges
from tests.kernels.support import COMPILED, examples

# Around the lanes and the chunks of the kernels; uncompiled, a long table takes seconds.
SIZES = [0, 1, 2, 63, 64, 65, 130, *([4_095, 4_096, 4_097, 50_001] if COMPILED else [])]


def arms(rng, n, share):
    return np.where(rng.random(n) < share, rng.integers(0, 2, n), LEFT_OUT).astype(np.uint8)


@given(st.sampled_from(SIZES), st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0]), st.integers())
@examples(60, 30)
def test_ranges_are_minima_and_maxima_of_the_rows_of_an_arm(n, p, share, seed):
    rng = np.random.default_rng(abs(seed))
    arm = arms(rng, n, share)
    numeric = rng.choice([-1e308, -1.5, -0.0, 0.0, 5e-324, 1e308], (p, n))
    low, high = number_ranges(numeric, arm)
    for j in range(p):
        for k in range(2):
            own = numeric[j, arm == k]
            assert low[j, k] == own.min(initial=np.inf)
            assert high[j, k] == own.max(initial=-np.inf)


@given(
    st.sampled_from(SIZES),
    st.lists(st.integers(1, 9), max_size=4),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(),
)
@examples(60, 30)
def test_counts_are_the_rows_of_a_level_in_an_arm(n, n_levels, share, seed):
    rng = np.random.default_rng(abs(seed))
    arm = arms(rng, n, share)
    codes = np.array([rng.integers(0, k, n) for k in n_levels], np.uint16).reshape(len(n_levels), n)
    status, counts = level_counts(codes, n_levels, arm)
    assert status == IN_RANGE
    for code, table in zip(codes, counts, strict=True):
        for level, row in enumerate(table):
            assert list(row) == [np.sum((code == level) & (arm == k)) for k in range(2)]


def test_counts_of_the_most_levels_there_can_be():
    codes = np.array([[0, 65_535, 65_535, 40_000]], np.uint16)
    status, (counts,) = level_counts(codes, [65_536], np.array([0, 1, 1, LEFT_OUT], np.uint8))
    assert status == IN_RANGE
    assert counts.sum() == 3
    assert list(counts[65_535]) == [0, 2]
    assert list(counts[0]) == [1, 0]


@pytest.mark.parametrize("place", [0, 9_999])
def test_a_code_beyond_the_levels_gives_a_status(place):
    codes = np.zeros((2, 10_000), np.uint16)
    codes[1, place] = 3
    status, _ = level_counts(codes, [1, 3], np.zeros(10_000, np.uint8))
    assert status == NO_SUCH_LEVEL
