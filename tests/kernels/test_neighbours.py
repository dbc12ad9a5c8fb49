"""Nearest other rows and local moments, against plain loops over everybody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.neighbours import add_local_residuals, local_moments, nearest_others_into
from tests.kernels.support import examples


def naive_others(score, person, value, low, high, own, me, turn, k):
    """All candidates sorted by the rule of preference."""
    there = [j for j in range(low, high) if j != own and (person is None or person[j] != me)]
    tied_run = [j for j in range(low, high) if score[j] == value]
    shift = turn * k % len(tied_run) if tied_run else 0
    first = tied_run[0] if tied_run else 0

    def rank(j):
        if score[j] == value:
            return (0.0, 0, (j - first - shift) % len(tied_run))
        side = 0 if score[j] < value else 1
        return (abs(score[j] - value), side, -j if side == 0 else j)

    return sorted(there, key=rank)[:k]


@st.composite
def problems(draw):
    cells = draw(st.integers(1, 3))
    sizes = [draw(st.integers(0, 12)) for _ in range(cells)]
    # Halves and thirds of small integers: ties abound and distances are exact.
    score = [sorted(draw(st.lists(st.integers(-6, 6), min_size=m, max_size=m))) for m in sizes]
    start = np.concatenate(([0], np.cumsum(sizes)))
    flat = np.array([v / 2 for part in score for v in part])
    people = draw(st.booleans())
    person = np.array(draw(st.lists(st.integers(0, 5), min_size=len(flat), max_size=len(flat))))
    queries = []
    for _ in range(draw(st.integers(1, 8))):
        cell = draw(st.integers(0, cells - 1))
        if sizes[cell] and draw(st.booleans()):
            own = int(start[cell]) + draw(st.integers(0, sizes[cell] - 1))
            queries.append((flat[own], cell, own, int(person[own]), draw(st.integers(0, 9))))
        else:
            value = draw(st.integers(-8, 8)) / 2
            queries.append((value, cell, -1, draw(st.integers(0, 6)), draw(st.integers(0, 9))))
    return (
        flat,
        start,
        person.astype(np.int64) if people else None,
        queries,
        draw(st.integers(1, 6)),
    )


@given(problems())
@examples(200, 100)
def test_nearest_others_equal_a_search_through_everybody(problem):
    score, start, person, queries, k = problem
    n = len(queries)
    nobody = np.empty(0, dtype=np.int64)
    mixed = np.random.default_rng(n).permutation(len(score))
    value = np.array([q[0] for q in queries], dtype=np.float64)
    low = np.array([start[q[1]] for q in queries], dtype=np.int64)
    high = np.array([start[q[1] + 1] for q in queries], dtype=np.int64)
    own, me, turn = (np.array([q[i] for q in queries], dtype=np.int64) for i in (2, 3, 4))
    found = np.full((n, k), -9, dtype=np.int64)
    count = np.zeros(n, dtype=np.int64)
    nearest_others_into(
        score,
        np.argsort(mixed),
        nobody if person is None else person[mixed],
        value,
        low,
        high,
        own,
        nobody if person is None else me,
        turn,
        found,
        count,
        0,
        n,
    )
    for i in range(n):
        expected = naive_others(score, person, value[i], low[i], high[i], own[i], me[i], turn[i], k)
        assert list(found[i, : count[i]]) == expected


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=12),
    st.lists(st.lists(st.integers(0, 11), max_size=5), min_size=1, max_size=6),
)
@examples(150, 80)
def test_local_moments_and_residuals(values, lists):
    pool = np.array(values, dtype=np.float64)
    n, k = len(lists), 5
    found = np.zeros((n, k), dtype=np.int64)
    count = np.array([len(one) for one in lists], dtype=np.int64)
    for i, one in enumerate(lists):
        found[i, : len(one)] = np.array(one, dtype=np.int64) % len(pool)
    mean, variance = np.empty(n), np.empty(n)
    local_moments(pool, found, count, mean, variance)
    residual = np.zeros(len(pool))
    add_local_residuals(pool, found, count, mean, residual)
    expected = np.zeros(len(pool))
    for i in range(n):
        near = pool[found[i, : count[i]]]
        assert mean[i] == pytest.approx(near.mean() if len(near) else 0.0, abs=1e-13)
        assert variance[i] == pytest.approx(near.var(ddof=1) if len(near) > 1 else 0.0, abs=1e-12)
        if len(near) > 1:
            for position in found[i, : count[i]]:
                expected[position] += (pool[position] - near.mean()) / (len(near) - 1)
    assert residual == pytest.approx(expected, abs=1e-12)


def test_rows_of_one_score_take_turns():
    # Everybody has the same score: without turns all queries would get the same two neighbours.
    score = np.zeros(10)
    nobody = np.empty(0, dtype=np.int64)
    n = 5
    found, count = np.zeros((n, 2), dtype=np.int64), np.zeros(n, dtype=np.int64)
    everywhere = np.zeros(n, dtype=np.int64), np.full(n, 10, dtype=np.int64)
    nearest_others_into(
        score, np.arange(10), nobody, np.zeros(n), *everywhere, np.full(n, -1, dtype=np.int64),
        nobody, np.arange(n), found, count, 0, n,
    )  # fmt: skip
    assert sorted(found.ravel().tolist()) == list(range(10))
