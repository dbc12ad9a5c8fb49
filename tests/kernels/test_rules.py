"""The predicates of a pair, one by one."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import rules
from kernels.rules import Rules, mark_runs
from tests.kernels.support import entry, examples

anti_exact_differ = entry(rules.anti_exact_differ)
compare_distances = entry(rules.compare_distances)
difference_error = entry(rules.difference_error)
first_at_least = entry(rules.first_at_least)
inside_covariate_calipers = entry(rules.inside_covariate_calipers)
may_pair = entry(rules.may_pair)
new_to_set = entry(rules.new_to_set)
other_person = entry(rules.other_person)
squared_distance = entry(rules.squared_distance)
window_high = entry(rules.window_high)
window_low = entry(rules.window_low)

NUMBER = st.floats(-1e100, 1e100) | st.integers(-5, 5).map(lambda k: k * 0.1)


def make_rules(
    focal_person=(),
    pool_person=(),
    focal_anti=(),
    pool_anti=(),
    focal_covariate=(),
    pool_covariate=(),
    width=(),
    focal_position=(),
    pool_position=(),
):
    def two(values, dtype):
        return np.array(values, dtype=dtype) if len(values) else np.empty((0, 0), dtype=dtype)

    return Rules(
        np.array(focal_person, dtype=np.int64),
        np.array(pool_person, dtype=np.int64),
        two(focal_anti, np.int64),
        two(pool_anti, np.int64),
        two(focal_covariate, np.float64),
        two(pool_covariate, np.float64),
        np.array(width, dtype=np.float64),
        two(focal_position, np.float64),
        two(pool_position, np.float64),
    )


@given(NUMBER, NUMBER)
@examples(200, 100)
def test_difference_error_is_what_rounding_lost(a, b):
    lost = Fraction(float(difference_error(a, b)))
    assert Fraction(a - b) + lost == Fraction(a) - Fraction(b)


@given(NUMBER, NUMBER, NUMBER, NUMBER)
@examples(300, 150)
def test_distances_are_compared_exactly(a, b, c, d):
    a, b = max(a, b), min(a, b)
    c, d = max(c, d), min(c, d)
    exact = (Fraction(a) - Fraction(b)) - (Fraction(c) - Fraction(d))
    assert compare_distances(a, b, c, d) == (exact > 0) - (exact < 0)


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "sign"),
    [
        (0.5, 0.2, 0.5, 0.2, 0),
        (1e16, 1.0, 1e16, 0.0, -1),
        (1e16, 0.0, 1e16, 1.0, 1),
        (0.3, 0.2, 0.2, 0.1, -1),
        (1e300, -5e-324, 1e300, 0.0, 1),
    ],
)
def test_a_difference_below_rounding_decides(a, b, c, d, sign):
    assert compare_distances(a, b, c, d) == sign


@given(
    st.lists(st.integers(-4, 4).map(lambda k: k * 0.1), max_size=12),
    st.integers(-5, 5).map(lambda k: k * 0.1),
    st.sampled_from([0.0, 0.1, 0.2, 0.30000000000000004, math.inf]),
    st.integers(0, 3),
    st.integers(0, 3),
)
@examples(200, 100)
def test_searches_find_the_window(values, value, caliper, cut_low, cut_high):
    score = np.sort(np.array(values, dtype=np.float64))
    low = min(cut_low, len(score))
    high = max(low, len(score) - cut_high)
    inside = range(low, high)
    assert first_at_least(score, low, high, value) == low + sum(score[j] < value for j in inside)
    found = list(
        range(
            window_low(score, low, high, value, caliper),
            window_high(score, low, high, value, caliper),
        )
    )
    assert found == [j for j in inside if abs(value - score[j]) <= caliper]


def test_runs_start_where_the_score_or_the_cell_changes():
    score = np.array([1.0, 1.0, 2.0, 2.0, 2.0, 0.0, -0.0, 2.0])
    start = np.array([0, 4, 4, 7, 8])
    run = np.full(8, -1)
    mark_runs(score, start, run)
    assert list(run) == [0, 0, 2, 2, 4, 5, 5, 7]


def test_each_rule_alone():
    nobody = make_rules()
    assert other_person(nobody, 0, 0)
    assert anti_exact_differ(nobody, 0, 0)
    assert inside_covariate_calipers(nobody, 0, 0)
    assert may_pair(nobody, 0, 0)
    people = make_rules(focal_person=[4, 5], pool_person=[5, 6])
    assert not other_person(people, 1, 0)
    assert other_person(people, 0, 0)
    assert may_pair(people, 1, 1)
    assert not may_pair(people, 1, 0)
    anti = make_rules(focal_anti=[[1], [2]], pool_anti=[[0, 1, 0], [0, 0, 2]])
    assert [bool(may_pair(anti, 0, j)) for j in range(3)] == [True, False, False]
    close = make_rules(
        focal_covariate=[[1.0], [0.0]], pool_covariate=[[1.5, 0.5, 1.6], [9.0, 9.5, 0.0]],
        width=[0.5, 9.0],
    )  # fmt: skip
    assert [bool(may_pair(close, 0, j)) for j in range(3)] == [True, False, False]


def test_new_to_set_looks_at_the_rows_chosen_and_their_people():
    plain = make_rules()
    chosen = np.array([3, 1, 2])
    assert not new_to_set(plain, chosen, 0, 2, 1)
    assert new_to_set(plain, chosen, 0, 2, 2)
    people = make_rules(focal_person=[9], pool_person=[0, 1, 2, 0])
    assert not new_to_set(people, chosen, 0, 1, 0)
    assert new_to_set(people, chosen, 0, 1, 1)
    assert new_to_set(people, chosen, 0, 0, 3)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=5))
@examples(60, 40)
def test_squared_distance_sums_coordinates_and_gives_up_beyond_the_limit(pairs):
    position = make_rules(
        focal_position=[[a * 0.1] for a, _ in pairs], pool_position=[[b * 0.1] for _, b in pairs]
    )
    wanted = 0.0
    for a, b in pairs:
        wanted += (a * 0.1 - b * 0.1) * (a * 0.1 - b * 0.1)
    assert squared_distance(position, 0, 0, math.inf) == wanted
    assert squared_distance(position, 0, 0, wanted) == wanted
    if wanted > 0:
        assert squared_distance(position, 0, 0, wanted * 0.9) > wanted * 0.9
