"""The exact distribution of a sum of independent steps, against enumeration and the binomial."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kernels.exact_sums import upper_tail
from tests.kernels.support import examples


def tail(step, chance, observed):
    return upper_tail(np.array(step, dtype=np.int64), np.array(chance, dtype=np.float64), observed)


def enumerated(step, chance, observed):
    """Add the probability of every subset of steps taken that reaches the sum, in fractions."""
    found = Fraction(0)
    for taken in itertools.product((0, 1), repeat=len(step)):
        if sum(d for d, one in zip(step, taken, strict=True) if one) >= observed:
            product = Fraction(1)
            for p, one in zip(chance, taken, strict=True):
                product *= Fraction(p) if one else 1 - Fraction(p)
            found += product
    return float(found)


STEPS = st.lists(st.tuples(st.integers(0, 7), st.floats(0, 1)), max_size=8)


@examples(200, 60)
@given(STEPS, st.integers(-2, 60))
def test_tail_is_the_sum_over_all_subsets(steps, observed):
    step, chance = [d for d, _ in steps], [p for _, p in steps]
    expected = enumerated(step, chance, observed)
    assert tail(step, chance, observed) == pytest.approx(expected, rel=1e-13, abs=1e-300)


def test_equal_steps_are_binomial_also_far_out():
    n, p = 300, 0.2
    for observed in (0, 40, 60, 120, 250, 300, 301):
        expected = stats.binom.sf(observed - 1, n, p)
        assert tail([1] * n, [p] * n, observed) == pytest.approx(expected, rel=1e-11)


def test_order_of_steps_changes_rounding_only():
    rng = np.random.default_rng(5)
    step, chance = rng.integers(1, 30, 60), rng.random(60)
    order = rng.permutation(60)
    assert tail(step, chance, 500) == pytest.approx(
        tail(step[order], chance[order], 500), rel=1e-13
    )
