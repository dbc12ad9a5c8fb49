"""Extrapolated steps: fewer than plain ones, to the same place, forgetting where told to."""

import numpy as np
import pytest

from kernels.extrapolation import extrapolated


def steps_to(matrix, target, start, *, remembering):
    """Steps of x + M (target - x) until the error is 1e-10 of what it was, at most 200."""
    memory, x = [], start.copy()
    for count in range(200):
        if np.abs(x - target).max() <= 1e-10 * np.abs(start - target).max():
            return count
        plain = matrix @ (target - x)
        x = x + (extrapolated(memory, x, plain, np.ones(len(x))) if remembering else plain)
    return 200


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_iteration_takes_far_fewer_steps(seed):
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    # Errors shrink by factors between 0.8 and -0.3 along different directions.
    matrix = axes @ np.diag(rng.uniform(0.2, 1.3, 12)) @ axes.T
    target, start = rng.normal(size=12), rng.normal(size=12)
    plain = steps_to(matrix, target, start, remembering=False)
    assert steps_to(matrix, target, start, remembering=True) <= 0.6 * plain


def test_a_linear_map_of_few_directions_is_solved_at_once():
    target, start = np.array([1.0, -2.0, 3.0]), np.zeros(3)
    matrix = np.diag([0.5, 0.5, 1.2])
    # Two factors, so that two changes say all: the third step ends there.
    assert steps_to(matrix, target, start, remembering=True) == 3


def test_the_first_step_is_the_plain_one():
    memory = []
    step = np.array([1.0, 2.0])
    assert extrapolated(memory, np.zeros(2), step, np.ones(2)) is step
    assert len(memory) == 1
    memory.clear()
    assert extrapolated(memory, np.ones(2), step, np.ones(2)) is step


def test_steps_that_repeat_do_no_harm():
    # The second change is the first again: of the two that say the same one is used.
    memory = []
    for place in range(4):
        found = extrapolated(memory, np.full(2, float(place)), np.array([1.0, 0.0]), np.ones(2))
    assert np.isfinite(found).all()
    assert found.tolist() == [1.0, 0.0]
