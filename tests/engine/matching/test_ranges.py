"""Matching range by range is matching all at once: the same sets, in the same order."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.matching.pairing import (
    pair_with_replacement,
    pair_without_replacement,
    variable_quota,
)
from engine.matching.problem import Problem
from engine.matching.ranges import can_cut, cut, joined, pair_range, pair_ranges_in_turn
from tests.kernels.support import examples

pytestmark = pytest.mark.usefixtures("one_thread")


@st.composite
def problems(draw):
    """Few different scores, so that equal ones stand at the borders of ranges."""
    n = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    score = rng.integers(0, draw(st.integers(1, 25)), n) / draw(st.sampled_from([1.0, 7.0, 0.3]))
    if draw(st.booleans()):
        score = score + rng.normal(size=n) / 50
    some = draw(st.booleans())
    return Problem(
        score,
        rng.random(n) < draw(st.sampled_from([0.1, 0.4, 0.8])),
        rng.random(n) < 0.95,
        cell=rng.integers(0, 3, n) if draw(st.booleans()) else None,
        person=rng.integers(0, max(n // 3, 1), n) if some else None,
        anti=rng.integers(0, 2, (1, n)) if draw(st.booleans()) else np.empty((0, 0), np.int64),
        covariate=rng.integers(0, 5, (1, n)).astype(float) if some else np.empty((0, 0)),
        width=np.array([2.0]) if some else np.empty(0),
        caliper=draw(st.sampled_from([0.0, 0.1, 1 / 7, 1.0, 3.0])),
    )


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("focal", "indptr", "partner", "share")
    )


@examples(150, 20)
@given(problems(), st.sampled_from([1, 2, 5, 1000]), st.integers(1, 4), st.booleans())
def test_with_replacement_ranges_may_be_matched_in_any_order(problem, most, ratio, ties_all):
    ranges = cut(problem, most)
    parts = [pair_range(problem, one, ratio=ratio, ties_all=ties_all) for one in ranges]
    whole = pair_with_replacement(problem, ratio=ratio, ties_all=ties_all)
    assert same(joined(problem, parts), whole)
    assert same(joined(problem, reversed(parts)), whole)


@examples(150, 20)
@given(
    problems(),
    st.sampled_from([1, 2, 5, 1000]),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from(["largest", "smallest"]),
)
def test_without_replacement_a_range_hands_on_what_is_used_up(problem, most, ratio, reuse, order):
    found = pair_ranges_in_turn(
        problem, cut(problem, most), ratio=ratio, reuse_max=reuse, order=order
    )
    whole = pair_without_replacement(problem, ratio=ratio, reuse_max=reuse, order=order)
    assert same(found, whole)


def test_greedy_chains_cross_many_ranges():
    # Every focal row takes the partner that the next one wanted, all the way down.
    n = 400
    score = np.concatenate([np.arange(n) * 1.0, np.arange(n) * 1.0 - 0.6])
    problem = Problem(score, np.arange(2 * n) < n, np.ones(2 * n, dtype=bool), caliper=0.7)
    whole = pair_without_replacement(problem, order="largest")
    assert len(whole.partner) == n
    for most in (1, 3, 50):
        assert same(pair_ranges_in_turn(problem, cut(problem, most), order="largest"), whole)


def test_a_variable_ratio_keeps_what_each_row_asks_for():
    rng = np.random.default_rng(4)
    problem = Problem(
        rng.normal(size=600), rng.random(600) < 0.2, np.ones(600, dtype=bool), caliper=0.4
    )
    quota = variable_quota(problem, 2, 4)
    found = pair_ranges_in_turn(problem, cut(problem, 40), ratio=4, quota=quota)
    assert same(found, pair_without_replacement(problem, ratio=4, quota=quota))


def test_every_focal_row_is_in_one_range_and_equal_scores_are_not_parted():
    rng = np.random.default_rng(3)
    score = rng.integers(0, 30, 3_000).astype(float)
    cell = rng.integers(0, 40, 3_000)
    cell[:1500] = 7  # one cell is larger than a range, the others share ranges
    problem = Problem(
        score, rng.random(3_000) < 0.3, np.ones(3_000, dtype=bool), cell=cell, caliper=1.0
    )
    ranges = cut(problem, 200)
    assert len(ranges) > 5
    edges = [(one.focal_start, one.focal_stop) for one in ranges]
    assert edges[0][0] == 0
    assert edges[-1][1] == len(problem.layout.focal_order)
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    layout = problem.layout
    own = cell[layout.focal_rows][layout.focal_order]
    for _, stop in edges[:-1]:
        assert (own[stop - 1], layout.focal_score[stop - 1]) != (
            own[stop],
            layout.focal_score[stop],
        )
    halo = [one.pool_stop - one.pool_start for one in ranges]
    assert max(halo) < len(layout.pool_rows) / 2


@pytest.mark.parametrize(
    ("caliper", "order", "one_per_person", "cuttable"),
    [
        (1.0, None, False, True),
        (1.0, "largest", False, True),
        (1.0, "smallest", False, True),
        (1.0, "closest", False, False),
        (1.0, "random", False, False),
        (1.0, "data", False, False),
        (1.0, "largest", True, False),
        (math.inf, None, False, False),
    ],
)
def test_only_what_a_halo_bounds_is_cut(caliper, order, one_per_person, cuttable):
    problem = Problem(np.zeros(2), np.array([True, False]), np.ones(2, dtype=bool), caliper=caliper)
    assert can_cut(problem, order, one_per_person=one_per_person) is cuttable


def test_nobody_eligible_gives_no_sets():
    problem = Problem(
        np.zeros(3), np.array([True, False, False]), np.zeros(3, dtype=bool), caliper=1.0
    )
    assert cut(problem) == ()
    assert len(joined(problem, []).partner) == 0
