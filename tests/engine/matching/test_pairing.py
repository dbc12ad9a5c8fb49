"""The public door of matching: every option at once, and the shape of what comes out."""

import math

import numpy as np
import pytest

from engine.matching.pairing import (
    pair_with_replacement,
    pair_without_replacement,
)
from engine.matching.problem import Problem, scan_cost
from tests import naive
from tests.kernels.matching_support import (
    agree,
    matchable,
    narrowest,
    pair,
    problem,
    radius,
    tie_free,
)
from tests.kernels.support import COMPILED

PROBLEMS = 1_200 if COMPILED else 500


def random_problem(seed):
    """A small problem with many ties and any mixture of conditions, and a search over it."""
    rng = np.random.default_rng([20, seed])
    n = int(rng.integers(2, 15))
    unit = rng.choice([1.0, 0.1, 2.0**-52])
    logit = list(rng.integers(-2, 3, n) * unit + (1.0 if unit < 1e-9 else 0.0))
    focal = list(rng.random(n) < rng.choice([0.2, 0.5, 0.8]))
    eligible = list(rng.random(n) < rng.choice([0.7, 1.0]))
    options = {"caliper": float(rng.choice([0.0, unit, 2 * unit, 3 * unit, math.inf]))}

    def sometimes(chance):
        return rng.random() < chance

    if sometimes(0.4):
        options["cell"] = list(rng.integers(0, 3, n))
    if sometimes(0.5):
        options["person"] = list(rng.integers(0, rng.integers(2, n + 1), n))
    if sometimes(0.2):
        options["anti"] = list(rng.integers(0, 3, (rng.integers(1, 3), n)))
    if sometimes(0.2):
        v = int(rng.integers(1, 3))
        options["covariate"] = list(rng.integers(0, 4, (v, n)) * 1.0)
        options["width"] = list(rng.integers(0, 3, v) * 1.0)
    if sometimes(0.25):
        options["mahalanobis"] = list(rng.integers(0, 3, (rng.integers(1, 4), n)) * 1.0)
    options["ratio"] = int(rng.integers(1, 4))
    if sometimes(0.35):
        options["replace"] = True
        options["ties"] = str(rng.choice(["first", "all"]))
        return (logit, focal, eligible), options
    options["order"] = str(rng.choice(["largest", "smallest", "data", "random", "closest"]))
    options["reuse_max"] = int(rng.choice([1, 1, 2, 3]))
    asked = int(np.count_nonzero(np.array(focal) & np.array(eligible)))
    if sometimes(0.3):
        options["quota"] = list(rng.integers(0, options["ratio"] + 1, asked))
    if options["order"] == "data":
        options["data_position"] = list(rng.permutation(n))
    if options["order"] == "random":
        options["random_key"] = list(rng.integers(0, 4, n).astype(np.uint64) << np.uint64(62))
    if "person" in options:
        options["one_per_person"] = sometimes(0.6)
    return (logit, focal, eligible), options


@pytest.mark.parametrize("part", range(10))
def test_any_mixture_of_options_agrees_with_the_plain_loop(part):
    for seed in range(part, PROBLEMS, 10):
        table, options = random_problem(seed)
        try:
            agree(*table, **options)
        except (AssertionError, ValueError, IndexError) as error:
            raise AssertionError(f"problem {seed}: {table} {options}") from error


def test_the_random_problems_reach_every_option_and_outcome():
    seen = set()
    for seed in range(300):
        table, options = random_problem(seed)
        found = naive.pair(*table, **options)
        sizes = np.diff(found.indptr)
        seen |= {f"option {name}" for name in options}
        seen |= {f"order {options['order']}"} if "order" in options else set()
        seen.add(f"sizes {sizes.min(initial=9)} to {sizes.max(initial=0)}")
        if options.get("ties") == "all" and sizes.max(initial=0) > options["ratio"]:
            seen.add("a tie shared")
        if options.get("reuse_max", 1) > 1 and len(set(found.comparison)) < len(found.comparison):
            seen.add("a row reused")
    for wanted in ("a tie shared", "a row reused", "sizes 0 to 1", "sizes 2 to 2", "sizes 9 to 0"):
        assert wanted in seen
    names = ("cell", "person", "anti", "covariate", "mahalanobis", "quota", "one_per_person")
    assert {f"option {name}" for name in names} <= seen
    orders = ("largest", "smallest", "data", "random", "closest")
    assert {f"order {order}" for order in orders} <= seen


def test_options_left_out_mean_the_plain_match():
    logit, focal, eligible = tie_free(60, 1)
    plain = pair_without_replacement(Problem(np.array(logit), np.array(focal), np.array(eligible)))
    wanted = naive.pair(logit, focal, eligible)
    assert np.array_equal(plain.partner, wanted.comparison)
    assert np.array_equal(plain.set_size, np.diff(wanted.indptr))
    nearest = pair_with_replacement(Problem(np.array(logit), np.array(focal), np.array(eligible)))
    assert np.array_equal(
        nearest.partner, naive.pair(logit, focal, eligible, replace=True).comparison
    )


def test_what_comes_out_has_the_stated_types():
    for replace in (True, False):
        found = pair(*tie_free(30, 2), replace=replace, ratio=2)
        for values, kind in zip(found, (np.int64, np.int64, np.int64, np.float64), strict=True):
            assert values.dtype == kind
            assert values.flags.c_contiguous


def test_nothing_given_is_changed():
    logit, focal, eligible = tie_free(50, 3)
    asked = problem(
        logit, focal, eligible, cell=[i % 3 for i in range(50)], person=[i // 2 for i in range(50)],
        anti=[[i % 2 for i in range(50)]], covariate=[logit], width=[1.0], caliper=1.0,
    )  # fmt: skip
    arrays = [
        asked.score, asked.focal, asked.eligible, asked.cell, asked.person, asked.anti,
        asked.covariate, asked.width,
    ]  # fmt: skip
    before = [a.copy() for a in arrays]
    for order in ("largest", "closest"):
        pair_without_replacement(asked, ratio=2, order=order, one_per_person=True)
    pair_with_replacement(asked, ratio=2, ties_all=True)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


@pytest.mark.parametrize(
    "table",
    [
        ([], [], []),
        ([0.5], [True], [True]),
        ([0.5], [False], [True]),
        ([0.5, 0.5], [True, False], [False, True]),
        ([0.5, 0.5], [True, False], [True, False]),
    ],
)
def test_empty_arms(table):
    for options in (
        {},
        {"order": "closest"},
        {"order": "closest", "person": [0] * len(table[0])},
        {"replace": True, "ties": "all"},
        {"mahalanobis": [[0.0] * len(table[0])]},
    ):
        agree(*table, **options)
    members = radius(*table, caliper=1.0, kernel="tricube")
    assert np.all(members.weight == 0)
    assert matchable(*table, caliper=1.0, capacity=1) == 0


def test_scores_that_do_not_take_part_may_be_anything():
    logit = [0.0, math.nan, 0.25, math.inf, 1.0, -math.inf]
    focal = [True, True, False, False, False, True]
    eligible = [True, False, True, False, True, False]
    for options in ({}, {"replace": True}, {"order": "closest"}, {"caliper": 0.5}):
        found = pair(logit, focal, eligible, **options)
        assert list(found.focal) == [0]
        assert list(found.comparison) == [2]
    assert list(radius(logit, focal, eligible, caliper=0.5).weight) == [0, 0, 1, 0, 0, 0]
    assert matchable(logit, focal, eligible, caliper=0.5, capacity=1) == 1
    assert narrowest(logit, focal, eligible, capacity=1, share=1.0) == 0.25


def test_scan_cost_is_the_sum_of_windows():
    logit, focal, eligible = tie_free(80, 4)
    cell = [i % 2 for i in range(80)]
    for caliper in (0.1, 1.0, math.inf):
        members = naive.windows(logit, focal, eligible, cell=cell, caliper=caliper)
        asked = problem(logit, focal, eligible, cell=cell, caliper=caliper)
        assert scan_cost(asked) == sum(len(rows) for rows in members.values())


def test_random_order_needs_keys():
    with pytest.raises(ValueError, match="key"):
        pair([0.0, 1.0], [True, False], [True, True], order="random")


def test_data_order_without_positions_is_row_order():
    agree([0.0, 1.0, 0.5], [True, True, False], [True] * 3, order="data", data_position=[0, 1, 2])
    found = pair([0.0, 1.0, 0.5], [True, True, False], [True] * 3, order="data")
    assert list(np.diff(found.indptr)) == [1, 0]
