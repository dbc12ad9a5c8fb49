"""The band over matching orders, and placebo outcomes."""

import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.effects.sensitivity.instability import instability_band
from engine.effects.sensitivity.placebo import placebo_outcome
from engine.errors import InputError
from tests.kernels.support import examples


@examples(100, 100)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_band_is_that_of_numpy_in_any_order(values, rnd):
    found = instability_band(values)
    assert found.median == pytest.approx(np.median(values))
    assert (found.low, found.high, found.runs) == (min(values), max(values), len(values))
    assert found.low <= found.inner_low <= found.median <= found.inner_high <= found.high
    shuffled = values.copy()
    rnd.shuffle(shuffled)
    again = instability_band(shuffled)
    assert again.median == found.median
    assert again.sentence == found.sentence


def test_standard_error_has_both_parts():
    found = instability_band([0.1, 0.2, 0.3], [0.05, 0.05, 0.05])
    assert found.standard_error == pytest.approx(np.sqrt(0.05**2 + 0.1**2))
    alone = instability_band([0.2, 0.2], [0.07, 0.07])
    assert alone.standard_error == pytest.approx(0.07)
    assert np.isnan(instability_band([0.2]).standard_error)


def test_a_match_without_an_estimate_is_counted_and_left_out():
    nan = float("nan")
    found = instability_band([-0.1, 0.0, nan, 0.2, 0.3], [0.02, 0.02, nan, 0.02, 0.02])
    assert (found.runs, found.undefined) == (4, 1)
    assert found.same_sign == 0.5
    assert "changed sides in 50 of every 100" in found.sentence


def test_sentences():
    assert "made once" in instability_band([0.1]).sentence
    assert "same result" in instability_band([0.1, 0.1]).sentence
    assert "same way every time" in instability_band([-0.1, -0.2]).sentence


def test_no_estimate_at_all_is_refused():
    with pytest.raises(InputError):
        instability_band([float("nan")])


def estimator(difference, half):
    def estimate(y):
        return types.SimpleNamespace(
            difference=difference + y.sum(),
            ci_low=difference - half,
            ci_high=difference + half,
            p_value=0.04,
        )

    return estimate


@pytest.mark.parametrize(
    ("half", "alarm", "words"),
    [
        (0.05, True, "already differed in 'earlier'"),
        (0.20, False, "did not clearly differ"),
        (float("nan"), False, "too few people"),
    ],
)
def test_placebo_says_what_the_interval_says(half, alarm, words):
    found = placebo_outcome("earlier", np.zeros(3), estimator(-0.1, half))
    assert found.alarm is alarm
    assert words in found.sentence
    assert (found.difference, found.p_value) == (-0.1, 0.04)
