"""Closest pairs first against the plain search over all pairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.matching_support import agree, conditions, pair, tables, tie_free
from tests.kernels.support import COMPILED, examples
from tests.kernels.test_greedy import problems, searches


@given(tables(), st.data())
@examples(400, 200)
def test_closest_over_the_chain(table, data):
    # No rules, so the linked list of neighbours is used; reuse within one round too.
    options = data.draw(searches(table, ["closest"]))
    if data.draw(st.booleans()):
        options["cell"] = data.draw(
            st.lists(st.integers(0, 2), min_size=len(table[0]), max_size=len(table[0]))
        )
    caliper = data.draw(st.sampled_from([0.0, 0.1, 0.30000000000000004, 1.0, math.inf]))
    agree(*table, caliper=caliper, **options)


@given(problems(["closest"]))
@examples(400, 200)
def test_closest_with_every_rule(given_problem):
    table, options = given_problem
    agree(*table, **options)


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("caliper", [0.05, math.inf])
def test_closest_of_many(ratio, caliper):
    n = 90 if COMPILED else 40
    agree(*tie_free(n, 8, share=0.5), order="closest", ratio=ratio, caliper=caliper)


def test_both_ways_of_finding_closest_pairs_agree_on_many():
    # A person number of one's own is a rule that never refuses: it only picks the other way.
    n = 3_000 if COMPILED else 200
    for seed, digits in ((9, 16), (10, 2)):
        logit, focal, eligible = tie_free(n, seed, share=0.45)
        logit = list(np.round(logit, digits))
        chain = pair(logit, focal, eligible, order="closest", caliper=0.2)
        heap = pair(logit, focal, eligible, order="closest", caliper=0.2, person=list(range(n)))
        for a, b in zip(chain, heap, strict=True):
            assert np.array_equal(a, b)


def test_the_closest_pair_is_served_first_even_from_the_middle():
    logit = [0.0, 1.0, 0.9, 1.8]
    focal = [True, True, False, False]
    found = pair(logit, focal, [True] * 4, order="closest")
    assert list(found.comparison) == [3, 2]
    found = pair(logit, focal, [True] * 4, order="closest", caliper=1.0)
    assert list(np.diff(found.indptr)) == [0, 1]


def test_ties_across_cells_go_to_the_lower_score_then_the_lower_rows():
    # One person on both sides of a cell border: who is first decides who is left empty.
    options = {"cell": [0, 1, 1, 0], "person": [0, 1, 2, 2], "one_per_person": True}
    found = agree(
        [0.0, 0.0, 1.0, 1.0], [True, True, False, False], [True] * 4, order="closest", **options
    )
    assert list(np.diff(found.indptr)) == [0, 1]


@given(st.data())
@examples(100, 40)
def test_closest_by_mahalanobis_distance(data):
    table = data.draw(tables(most=10))
    n = len(table[0])
    options = data.draw(conditions(n)) | data.draw(searches(table, ["closest"]))
    whole = st.lists(st.integers(0, 2).map(float), min_size=n, max_size=n)
    options["mahalanobis"] = [data.draw(whole), data.draw(whole)]
    agree(*table, **options)
