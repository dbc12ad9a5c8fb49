"""k nearest with replacement against the plain loop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.matching_support import agree, conditions, pair, tables, tie_free
from tests.kernels.support import COMPILED, examples


@st.composite
def problems(draw):
    logit, focal, eligible = draw(tables())
    options = draw(conditions(len(logit)))
    options["ratio"] = draw(st.integers(1, 4))
    options["ties"] = draw(st.sampled_from(["first", "all"]))
    return logit, focal, eligible, options


@given(problems())
@examples(400, 200)
def test_nearest_with_every_rule(given_problem):
    logit, focal, eligible, options = given_problem
    agree(logit, focal, eligible, replace=True, **options)


@given(tables(), st.integers(1, 3), st.data())
@examples(300, 150)
def test_nearest_with_people_of_several_rows(table, ratio, data):
    n = len(table[0])
    person = data.draw(st.lists(st.integers(0, max(1, n // 2)), min_size=n, max_size=n))
    for ties in ("first", "all"):
        agree(*table, replace=True, ratio=ratio, ties=ties, person=person)


@given(tables(), st.integers(1, 5), st.sampled_from([0.0, 0.1, 1.0, math.inf]))
@examples(300, 150)
def test_nearest_without_rules(table, ratio, caliper):
    for ties in ("first", "all"):
        agree(*table, replace=True, ratio=ratio, caliper=caliper, ties=ties)


@pytest.mark.parametrize("ratio", [1, 5])
@pytest.mark.parametrize("caliper", [0.003, 0.5, math.inf])
def test_nearest_of_many(ratio, caliper):
    # More than one block of 256 focal rows.
    n = 900 if COMPILED else 60
    wanted = agree(*tie_free(n, 1, share=0.4), replace=True, ratio=ratio, caliper=caliper)
    if caliper < 0.01 and COMPILED:
        assert 0 < np.count_nonzero(np.diff(wanted.indptr) == 0) < len(wanted.focal)


def test_nearest_of_many_with_cells_and_ties():
    n = 700 if COMPILED else 60
    rng = np.random.default_rng(2)
    logit = list(np.round(rng.normal(size=n), 1))
    focal = list(rng.random(n) < 0.4)
    cell = list(rng.integers(0, 7, n))
    for ties in ("first", "all"):
        agree(logit, focal, [True] * n, cell=cell, replace=True, ratio=3, caliper=0.2, ties=ties)


def test_equal_distances_go_to_the_lower_score_then_the_lower_row():
    logit = [1.0, 2.0, 0.0, 2.0, 0.0, 0.0]
    focal = [True] + [False] * 5
    found = pair(logit, focal, [True] * 6, replace=True, ratio=4)
    assert list(found.comparison) == [2, 4, 5, 1]


def test_distances_that_differ_below_rounding_are_told_apart():
    # 1e16 - 1 and 1e16 round to the same float64 distance.
    found = pair([0.0, 1e16, -1e16 + 2.0], [True, False, False], [True] * 3, replace=True)
    assert list(found.comparison) == [2]
    found = pair([0.2, 0.1, 0.3], [True, False, False], [True] * 3, replace=True, ratio=1)
    # 0.3 - 0.2 is the smaller in exact terms: 0.3 is stored a little low, 0.1 a little high ...
    assert list(found.comparison) == [2 if 0.3 - 0.2 < 0.2 - 0.1 else 1]


def test_ties_all_shares_the_weight_at_the_last_distance():
    logit = [0.0, 0.5, 1.0, -1.0, 1.0, 2.0]
    focal = [True] + [False] * 5
    found = pair(logit, focal, [True] * 6, replace=True, ratio=2, ties="all")
    assert list(found.comparison) == [1, 3, 2, 4]
    assert np.allclose(found.share, [1 / 2, 1 / 6, 1 / 6, 1 / 6])


def test_ties_all_with_a_person_twice_at_one_distance():
    # Counting first and listing later must not disagree: the second row of person 1 is skipped,
    # so the third and the tied fourth come into reach.
    logit = [0.0, 0.1, 0.2, 0.3, 0.3, 0.3]
    focal = [True] + [False] * 5
    agree(logit, focal, [True] * 6, replace=True, ratio=2, ties="all", person=[0, 1, 1, 2, 3, 4])


def test_more_partners_asked_than_there_are():
    found = pair([0.0, 1.0, 2.0], [True, False, False], [True] * 3, replace=True, ratio=50)
    assert list(found.comparison) == [1, 2]
    assert list(found.share) == [0.5, 0.5]


def test_nobody_to_serve_and_nobody_to_give():
    for focal in ([True] * 3, [False] * 3):
        found = pair([0.0, 1.0, 2.0], focal, [True] * 3, replace=True)
        assert len(found.comparison) == 0
        assert list(found.indptr) == [0] * (1 + sum(focal))
