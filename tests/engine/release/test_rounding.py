"""Rounding: every figure on its grid, every interval outward, no p-value across its limit."""

import math

from hypothesis import given
from hypothesis import strategies as st

from engine.release.rounding import (
    down,
    p_text,
    round_count,
    round_p,
    round_step,
    two_digits,
    up,
)
from tests.kernels.support import examples

figures = st.floats(-1e4, 1e4).map(lambda value: round(value, 6))


def test_by_hand():
    assert [round_count(n, 5) for n in (0, 2, 3, 7, 8, 12, 13)] == [0, 0, 5, 5, 10, 10, 15]
    assert [round_step(v) for v in (0.5, -0.5, 1.4, -1.6)] == [1.0, -1.0, 1.0, -2.0]
    assert (down(-12.3), up(-0.3)) == (-13.0, 0.0)
    assert math.copysign(1.0, up(-0.3)) == 1.0
    assert (down(31.0), up(31.0)) == (31.0, 31.0)
    assert (down(0.1 + 0.2, 0.1), up(0.1 + 0.2, 0.1)) == (0.3, 0.3)
    assert [two_digits(v) for v in (0.004, 0.99, 1.0, 9.9, 10.0, 123.4)] == [
        0.01, 0.01, 0.1, 0.1, 1.0, 10.0,
    ]  # fmt: skip
    assert [p_text(round_p(p)) for p in (0.004, 0.0049, 0.05, 0.0501, 0.3)] == [
        "<0.01", "<0.01", "0.05", "0.06", "0.30",
    ]  # fmt: skip


@given(st.integers(0, 10**7), st.integers(5, 20))
@examples(300, 300)
def test_counts_lie_on_the_grid(n, base):
    found = round_count(n, base)

    assert found % base == 0
    assert abs(found - n) <= base / 2


@given(figures, st.sampled_from([0.01, 0.1, 1.0, 10.0]))
@examples(300, 300)
def test_steps_lie_on_the_grid_and_on_their_side(value, step):
    for found in (down(value, step), round_step(value, step), up(value, step)):
        assert abs(found / step - round(found / step)) < 1e-6
    assert down(value, step) <= value + 1e-8 * step
    assert up(value, step) >= value - 1e-8 * step
    assert abs(round_step(value, step) - value) <= step / 2 + 1e-9


@given(figures, figures, figures)
@examples(300, 300)
def test_a_rounded_interval_holds_the_rounded_estimate(a, b, c):
    low, estimate, high = sorted((a, b, c))
    for grid in (lambda _: 1.0, two_digits):
        ends = down(low, grid(low)), up(high, grid(high))
        assert ends[0] <= round_step(estimate, grid(estimate)) <= ends[1]
        assert ends[0] <= low + 1e-6
        assert ends[1] >= high - 1e-6


@given(st.floats(0, 1))
@examples(500, 500)
def test_a_p_value_stays_on_its_side_of_the_limit(p):
    found = round_p(p)

    assert (found <= 0.05) == (p <= 0.05)
    assert abs(found - p) <= 0.01 + 1e-12
