"""Matching problems for the tests, and one place where the product's matching is called."""

import math

import numpy as np
from hypothesis import strategies as st

from engine.matching.pairing import pair_with_replacement, pair_without_replacement
from engine.matching.problem import Problem, caliper_that_keeps, maximum_matchable
from engine.matching.radius import match_within_radius
from tests import naive

_NO_CODES = np.empty((0, 0), dtype=np.int64)


def problem(
    logit,
    focal,
    eligible=None,
    *,
    cell=None,
    person=None,
    anti=(),
    covariate=(),
    width=(),
    mahalanobis=None,
    caliper=math.inf,
):
    """The product's problem from plain lists."""

    def rows(values, dtype):
        return None if values is None else np.array(values, dtype=dtype)

    n = len(logit)
    return Problem(
        rows(logit, np.float64),
        rows(focal, np.bool_),
        np.ones(n, dtype=np.bool_) if eligible is None else rows(eligible, np.bool_),
        cell=rows(cell, np.int64),
        person=rows(person, np.int64),
        anti=rows(anti, np.int64) if len(anti) else _NO_CODES,
        covariate=rows(covariate, np.float64) if len(covariate) else np.empty((0, 0)),
        width=rows(width, np.float64),
        position=rows(mahalanobis, np.float64),
        caliper=float(caliper),
    )


_SEARCH = ("replace", "ratio", "ties", "quota", "reuse_max", "one_per_person", "order")


def pair(logit, focal, eligible, **options):
    """The product's pairs with the options of :func:`tests.naive.pair`."""
    keys = (*_SEARCH, "data_position", "random_key")
    search = {key: options.pop(key) for key in keys if key in options}
    asked = problem(logit, focal, eligible, **options)
    if search.pop("replace", False):
        ties = search.pop("ties", "first")
        found = pair_with_replacement(asked, ratio=search.get("ratio", 1), ties_all=ties == "all")
    else:
        search.pop("ties", None)
        for key, dtype in (
            ("quota", np.int64), ("data_position", np.int64), ("random_key", np.uint64)
        ):  # fmt: skip
            if search.get(key) is not None:
                search[key] = np.array(search[key], dtype=dtype)
        found = pair_without_replacement(asked, **search)
    return naive.Pairing(found.focal, found.indptr, found.partner, found.share)


def same(found, wanted):
    """Assert that two pairings are the same pairs, in the same order, with the same shares."""
    assert np.array_equal(found.focal, wanted.focal)
    assert np.array_equal(found.indptr, wanted.indptr)
    assert np.array_equal(found.comparison, wanted.comparison)
    assert np.allclose(found.share, wanted.share, rtol=1e-14, atol=0)


def agree(logit, focal, eligible, **options):
    """Run the product and the plain version on one problem; assert that they agree."""
    wanted = naive.pair(logit, focal, eligible, **options)
    same(pair(logit, focal, eligible, **options), wanted)
    return wanted


def radius(logit, focal, eligible=None, *, cell=None, caliper, kernel=None):
    """The product's radius or kernel match."""
    asked = problem(logit, focal, eligible, cell=cell, caliper=caliper)
    return match_within_radius(asked, kernel)


def matchable(logit, focal, eligible=None, *, cell=None, caliper, capacity):
    """The product's largest number of matched focal rows."""
    asked = problem(logit, focal, eligible, cell=cell, caliper=caliper)
    return maximum_matchable(asked, capacity=capacity)


def narrowest(logit, focal, eligible=None, *, cell=None, capacity, share):
    """The product's smallest caliper for a share of the focal rows."""
    asked = problem(logit, focal, eligible, cell=cell)
    return caliper_that_keeps(asked, capacity=capacity, share=share)


WHOLE = st.integers(-3, 3).map(float)
TENTHS = st.integers(-6, 6).map(lambda k: k * 0.1)
"""Multiples of 0.1 are not representable: distances differ by a rounding error or not at all."""
CLOSE = st.tuples(st.integers(0, 2), st.integers(-1, 1)).map(lambda t: t[0] + t[1] * 2.0**-52)
UNEVEN = st.sampled_from([0.0, -0.0, 5e-324, 1e-17, 1.0, 1.0 + 2**-52, 1e16, -1e16, 1e300, 3.5])
SCORES = [WHOLE, TENTHS, CLOSE, UNEVEN]
CALIPERS = st.sampled_from([0.0, 0.1, 0.2, 0.30000000000000004, 1.0, 2.0, math.inf])


@st.composite
def tables(draw, most=14):
    """Scores with many ties, arms, eligibility: what every problem has."""
    n = draw(st.integers(0, most))
    score = draw(st.sampled_from(SCORES))
    logit = draw(st.lists(score, min_size=n, max_size=n))
    focal = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    eligible = draw(st.lists(st.integers(0, 5).map(bool), min_size=n, max_size=n))
    return logit, focal, eligible


@st.composite
def conditions(draw, n, *, persons=True, position=True):
    """Cells (empty and one-armed ones among them), people, rules and a caliper."""
    options = {"caliper": draw(CALIPERS)}
    codes = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    numbers = st.lists(st.integers(0, 3).map(float), min_size=n, max_size=n)
    if draw(st.booleans()):
        options["cell"] = draw(st.lists(st.sampled_from([0, 2, 3]), min_size=n, max_size=n))
    if persons and draw(st.booleans()):
        options["person"] = draw(st.lists(st.integers(0, max(1, n // 2)), min_size=n, max_size=n))
    if draw(st.integers(0, 3)) == 0:
        options["anti"] = [draw(codes) for _ in range(draw(st.integers(1, 2)))]
    if draw(st.integers(0, 3)) == 0:
        v = draw(st.integers(1, 2))
        options["covariate"] = [draw(numbers) for _ in range(v)]
        options["width"] = [draw(st.sampled_from([0.0, 1.0, 2.0])) for _ in range(v)]
    if position and draw(st.integers(0, 3)) == 0:
        options["mahalanobis"] = [draw(numbers) for _ in range(draw(st.integers(1, 3)))]
    return options


def tie_free(n, seed, share=0.3):
    """A larger table of normal scores: everybody's logit is their own."""
    rng = np.random.default_rng([seed, n])
    focal = rng.random(n) < share
    logit = rng.normal(size=n) + 0.5 * focal
    return list(logit), list(focal), [True] * n
