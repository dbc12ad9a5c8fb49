"""Rounds without replacement against the plain loop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.matching_support import agree, conditions, pair, tables, tie_free
from tests.kernels.support import COMPILED, examples

ORDERS = ["largest", "smallest", "data", "random"]


@st.composite
def searches(draw, table, orders):
    """Options of a search without replacement."""
    logit, focal, eligible = table
    n = len(logit)
    options = {"ratio": draw(st.integers(1, 3)), "order": draw(st.sampled_from(orders))}
    asked = sum(f and e for f, e in zip(focal, eligible, strict=True))
    if draw(st.integers(0, 2)) == 0:
        wish = st.integers(0, options["ratio"])
        options["quota"] = draw(st.lists(wish, min_size=asked, max_size=asked))
    options["reuse_max"] = draw(st.sampled_from([1, 1, 2, 3]))
    if options["order"] == "data":
        options["data_position"] = draw(st.permutations(range(n)))
    if options["order"] == "random":
        word = st.sampled_from([0, 1, 2**63, 2**64 - 1])
        options["random_key"] = draw(st.lists(word, min_size=n, max_size=n))
    return options


@st.composite
def problems(draw, orders):
    table = draw(tables())
    options = draw(searches(table, orders)) | draw(conditions(len(table[0])))
    if "person" in options:
        options["one_per_person"] = draw(st.booleans())
    return table, options


@given(problems(ORDERS))
@examples(500, 250)
def test_greedy_with_every_rule(given_problem):
    table, options = given_problem
    agree(*table, **options)


@given(tables(), st.data())
@examples(300, 150)
def test_greedy_without_rules(table, data):
    options = data.draw(searches(table, ORDERS))
    agree(*table, caliper=data.draw(st.sampled_from([0.0, 0.1, 1.0, math.inf])), **options)


@given(tables(), st.data())
@examples(150, 60)
def test_greedy_by_mahalanobis_distance(table, data):
    options = data.draw(searches(table, ORDERS)) | data.draw(conditions(len(table[0])))
    n = len(table[0])
    whole = st.lists(st.integers(0, 2).map(float), min_size=n, max_size=n)
    options["mahalanobis"] = [data.draw(whole), data.draw(whole)]
    agree(*table, **options)


@pytest.mark.parametrize("order", ["largest", "smallest"])
@pytest.mark.parametrize("ratio", [1, 3])
@pytest.mark.parametrize("caliper", [0.01, math.inf])
def test_greedy_of_many(order, ratio, caliper):
    n = 700 if COMPILED else 60
    agree(*tie_free(n, 3, share=0.4), order=order, ratio=ratio, caliper=caliper)


def test_greedy_of_many_with_cells_ties_and_reuse():
    n = 500 if COMPILED else 60
    rng = np.random.default_rng(4)
    logit = list(np.round(rng.normal(size=n), 1))
    focal = list(rng.random(n) < 0.5)
    cell = list(rng.integers(0, 5, n))
    for reuse_max in (1, 2):
        agree(logit, focal, [True] * n, cell=cell, ratio=2, caliper=0.3, reuse_max=reuse_max)


def test_greedy_of_many_with_one_use_per_person():
    n = 400 if COMPILED else 60
    rng = np.random.default_rng(5)
    logit = list(np.round(rng.normal(size=n), 1))
    focal = list(rng.random(n) < 0.3)
    person = list(rng.integers(0, n // 3, n))
    for reuse_max in (1, 2):
        agree(
            logit, focal, [True] * n, person=person, one_per_person=True, ratio=2,
            caliper=0.5, reuse_max=reuse_max,
        )  # fmt: skip


def test_rounds_come_before_second_partners():
    # Row 0 may not take both before row 1 has had one.
    found = pair([5.0, 4.0, 5.0, 4.9], [True, True, False, False], [True] * 4, ratio=2)
    assert list(found.comparison) == [2, 3]
    assert list(found.indptr) == [0, 1, 2]
    assert list(found.share) == [1.0, 1.0]


def test_order_decides_who_is_served():
    logit = [0.0, 1.0, 0.5]
    focal = [True, True, False]
    for order, wanted in (("largest", 1), ("smallest", 0)):
        found = pair(logit, focal, [True] * 3, order=order)
        assert list(np.diff(found.indptr)) == [int(wanted == 0), int(wanted == 1)]
    found = pair(logit, focal, [True] * 3, order="data", data_position=[9, 2, 5])
    assert list(np.diff(found.indptr)) == [0, 1]
    found = pair(logit, focal, [True] * 3, order="random", random_key=[2**63, 2**63 + 1, 0])
    assert list(np.diff(found.indptr)) == [1, 0]


def test_equal_scores_are_served_by_lower_row_in_both_directions():
    for order in ("largest", "smallest"):
        found = pair([1.0, 1.0, 1.0], [True, True, False], [True] * 3, order=order)
        assert list(np.diff(found.indptr)) == [1, 0]


def test_a_row_is_used_as_often_as_allowed_and_never_twice_in_a_set():
    logit = [0.0, 0.0, 0.0, 1.0]
    focal = [True, True, True, False]
    found = pair(logit, focal, [True] * 4, reuse_max=2, ratio=2)
    assert list(np.diff(found.indptr)) == [1, 1, 0]
    found = pair(logit, focal, [True] * 4, reuse_max=5, ratio=2)
    assert list(np.diff(found.indptr)) == [1, 1, 1]


def test_serving_in_parts_gives_the_result_of_one_call(monkeypatch):
    import engine.matching.pairing as door

    n = 120 if COMPILED else 50
    table = tie_free(n, 6, share=0.5)
    options = {"ratio": 2, "caliper": 0.4}
    whole = {order: pair(*table, order=order, **options) for order in ("largest", "closest")}
    ruled = pair(*table, order="closest", person=list(range(n)), **options)
    nearest = pair(*table, replace=True, **options)
    position = [list(np.random.default_rng(7).normal(size=n))]
    scanned = pair(*table, mahalanobis=position, **options)
    monkeypatch.setattr(door, "WALKS_PER_CALL", 7)
    monkeypatch.setattr(door, "_SCANNED_PER_CALL", 40)
    parts = {order: pair(*table, order=order, **options) for order in ("largest", "closest")}
    pairs = [(whole[order], parts[order]) for order in whole]
    pairs.append((ruled, pair(*table, order="closest", person=list(range(n)), **options)))
    pairs.append((nearest, pair(*table, replace=True, **options)))
    pairs.append((scanned, pair(*table, mahalanobis=position, **options)))
    for one, other in pairs:
        for a, b in zip(one, other, strict=True):
            assert np.array_equal(a, b)
