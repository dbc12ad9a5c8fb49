"""The largest possible number of matches, and the narrowest caliper, against augmenting paths."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests import naive
from tests.kernels.matching_support import CALIPERS, matchable, narrowest, pair, tables, tie_free
from tests.kernels.support import COMPILED, examples


def with_cells(table, draw):
    n = len(table[0])
    codes = st.lists(st.integers(0, 2), min_size=n, max_size=n)
    return draw(st.none() | codes)


@given(tables(), st.integers(0, 3), CALIPERS, st.data())
@examples(400, 200)
def test_maximum_matchable(table, capacity, caliper, data):
    cell = with_cells(table, data.draw)
    wanted = naive.maximum_matchable(*table, cell=cell, caliper=caliper, capacity=capacity)
    assert matchable(*table, cell=cell, caliper=caliper, capacity=capacity) == wanted


@given(
    tables(),
    st.integers(0, 2),
    st.sampled_from([0.25, 0.5, 0.75, 1.0, 0.001]),
    st.data(),
)
@examples(250, 100)
def test_smallest_caliper(table, capacity, share, data):
    cell = with_cells(table, data.draw)
    found = narrowest(*table, cell=cell, capacity=capacity, share=share)
    assert found == naive.smallest_caliper(*table, cell=cell, capacity=capacity, share=share)


def test_smallest_caliper_is_the_edge():
    n = 300 if COMPILED else 60
    table = tie_free(n, 11, share=0.4)
    focal = sum(table[1])
    for capacity in (0, 1, 2):
        for share in (0.2, 0.9):
            width = narrowest(*table, capacity=capacity, share=share)
            below = math.nextafter(width, 0.0)
            enough = math.ceil(share * focal)
            assert matchable(*table, caliper=width, capacity=capacity) >= enough
            assert matchable(*table, caliper=below, capacity=capacity) < enough


def test_greedy_loses_where_the_maximum_does_not():
    # Serving the largest first wastes the only partner of the smallest.
    logit = [1.0, 0.0, 0.625, 1.75]
    focal = [True, True, False, False]
    assert sum(np.diff(pair(logit, focal, [True] * 4, caliper=0.75).indptr)) == 1
    assert matchable(logit, focal, caliper=0.75, capacity=1) == 2
    assert matchable(logit, focal, caliper=0.74, capacity=1) == 1
    assert matchable(logit, focal, caliper=math.inf, capacity=1) == 2


def test_more_people_than_partners():
    logit = [0.0] * 5 + [0.0] * 2
    focal = [True] * 5 + [False] * 2
    for capacity, wanted in ((1, 2), (2, 4), (3, 5), (0, 5)):
        assert matchable(logit, focal, caliper=0.0, capacity=capacity) == wanted
    assert narrowest(logit, focal, capacity=1, share=0.5) == math.inf
    assert narrowest(logit, focal, capacity=1, share=0.4) == 0.0


def test_a_share_that_rounds_up_by_a_hair_is_not_one_more():
    # 0.07 * 100 is 7.000000000000001 in float64: seven people are wanted and not eight.
    logit = list(np.arange(100.0)) + [float(i) for i in range(7)]
    focal = [True] * 100 + [False] * 7
    assert narrowest(logit, focal, capacity=1, share=0.07) == 0.0
