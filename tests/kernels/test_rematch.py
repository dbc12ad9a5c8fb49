"""Matches of counts against matches of copied rows, made by plain loops."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.rematch import GREEDY, NEAREST, WINDOW, Recipe, _sorted_rows, rematch
from kernels.windows import EPANECHNIKOV, TRICUBE, UNIFORM
from tests import naive
from tests.kernels.matching_support import CALIPERS, SCORES, tables, tie_free
from tests.kernels.support import COMPILED, examples

SHAPES = {UNIFORM: None, EPANECHNIKOV: "epanechnikov", TRICUBE: "tricube"}


def recipe(
    focal,
    eligible,
    *,
    cell=None,
    person=None,
    design=NEAREST,
    ratio=1,
    shape=UNIFORM,
    caliper=math.inf,
    per_deviation=False,
    probability=False,
):
    none = np.empty(0, dtype=np.int64)
    cells = none if cell is None else np.array(cell, dtype=np.int64)
    return Recipe(
        np.array(focal, dtype=np.bool_),
        np.array(eligible, dtype=np.bool_),
        cells,
        int(cells.max(initial=0)) + 1,
        none if person is None else np.array(person, dtype=np.int64),
        design,
        ratio,
        shape,
        caliper,
        per_deviation,
        probability,
    )


def matched(logit, focal, eligible, count, values, **options):
    return rematch(
        recipe(focal, eligible, **options),
        np.array(logit, dtype=np.float64),
        np.array(count, dtype=np.uint16),
        values,
    )


def copied(count, *columns):
    """Columns with each row as often as it was drawn."""
    rows = np.repeat(np.arange(len(count)), count)
    return rows, [None if column is None else [column[i] for i in rows] for column in columns]


def sums_of_pairs(found, rows, values):
    """What a replicate keeps, from the sets of a table of copies."""
    sums = np.zeros((2, values.shape[1]))
    number = 0
    for i, focal in enumerate(found.focal):
        partners = found.comparison[found.indptr[i] : found.indptr[i + 1]]
        if len(partners):
            sums[0] += values[rows[focal]]
            sums[1] += values[rows[partners]].mean(axis=0)
            number += 1
    return sums, number


def values_for(n, q=2):
    return np.random.default_rng([n, q]).normal(size=(n, q))


def agree(found, wanted):
    assert found[1] == wanted[1]
    assert np.allclose(found[0], wanted[0], rtol=1e-12, atol=1e-12)


@st.composite
def drawn_tables(draw):
    logit, focal, eligible = draw(tables(most=12))
    n = len(logit)
    count = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    cell = draw(st.none() | st.lists(st.sampled_from([0, 2, 3]), min_size=n, max_size=n))
    return logit, focal, eligible, count, cell, draw(CALIPERS)


@given(drawn_tables(), st.integers(1, 4), st.booleans())
@examples(300, 80)
def test_a_match_of_counts_is_the_match_of_copies(table, ratio, replace):
    logit, focal, eligible, count, cell, caliper = table
    values = values_for(len(logit))
    rows, (scores, sides, part, cells) = copied(count, logit, focal, eligible, cell)
    plain = naive.pair(
        scores, sides, part, cell=cells, caliper=caliper, ratio=ratio, replace=replace
    )
    found = matched(
        logit,
        focal,
        eligible,
        count,
        values,
        cell=cell,
        caliper=caliper,
        ratio=ratio,
        design=NEAREST if replace else GREEDY,
    )
    agree(found, sums_of_pairs(plain, rows, values))


@given(drawn_tables(), st.sampled_from(sorted(SHAPES)))
@examples(200, 60)
def test_windows_of_counts_are_windows_of_copies(table, shape):
    logit, focal, eligible, count, cell, caliper = table
    caliper = min(caliper, 3.0) or 0.5
    values = values_for(len(logit))
    rows, (scores, sides, part, cells) = copied(count, logit, focal, eligible, cell)
    sums, number = np.zeros((2, 2)), 0
    for i in range(len(rows)):
        if not (sides[i] and part[i]):
            continue
        mass, mean = 0.0, np.zeros(2)
        for j in range(len(rows)):
            gap = abs(scores[i] - scores[j])
            same = cells is None or cells[i] == cells[j]
            if not sides[j] and part[j] and same and gap <= caliper:
                weight = naive.kernel_value(SHAPES[shape], gap / caliper)
                mass += weight
                mean += weight * values[rows[j]]
        if mass > 1e-12:
            sums += np.array([values[rows[i]], mean / mass])
            number += 1
    found = matched(
        logit, focal, eligible, count, values, cell=cell, caliper=caliper, shape=shape,
        design=WINDOW,
    )  # fmt: skip
    assert found[1] == number
    assert np.allclose(found[0], sums, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_windows_of_many_points(shape):
    n = 1500 if COMPILED else 250
    logit, focal, eligible = tie_free(n, 3)
    count = np.random.default_rng(4).poisson(1, n)
    values = values_for(n)
    score = np.array(logit)
    side = np.array(focal)
    gap = np.abs(score[side][:, None] - score[~side][None, :]) / 0.3
    weight = np.array([[naive.kernel_value(SHAPES[shape], u) if u <= 1 else 0.0 for u in row]
                       for row in gap])  # fmt: skip
    weight *= count[~side]
    mass = weight.sum(axis=1)
    some = mass > 1e-12
    own = count[side] * some
    means = (weight @ values[~side])[some] / mass[some, None]
    found = matched(logit, focal, eligible, count, values, caliper=0.3, shape=shape, design=WINDOW)
    assert found[1] == own.sum()
    assert np.allclose(found[0][0], own @ values[side], rtol=1e-11)
    assert np.allclose(found[0][1], own[some] @ means, rtol=1e-9)


@pytest.mark.parametrize("design", [NEAREST, GREEDY])
def test_larger_tables(design):
    n = 400 if COMPILED else 120
    logit, focal, eligible = tie_free(n, 5)
    count = np.random.default_rng(6).poisson(1, n)
    values = values_for(n)
    rows, (scores, sides, part) = copied(count, logit, focal, eligible)
    plain = naive.pair(scores, sides, part, caliper=0.4, ratio=3, replace=design == NEAREST)
    found = matched(logit, focal, eligible, count, values, caliper=0.4, ratio=3, design=design)
    agree(found, sums_of_pairs(plain, rows, values))


def plain_nearest(logit, focal, eligible, count, person, values, ratio, caliper):
    """Copies taken one by one in order of preference; other rows of a person are passed over."""
    n = len(logit)
    sums, number = np.zeros((2, values.shape[1])), 0
    for i in range(n):
        if not (focal[i] and eligible[i]):
            continue
        pool = [j for j in range(n) if not focal[j] and eligible[j] and person[j] != person[i]]
        pool.sort(key=lambda j, i=i: (abs(Fraction(logit[i]) - Fraction(logit[j])), logit[j], j))
        taken = []
        for j in pool:
            others = [k for k in taken if k != j and person[k] == person[j]]
            if abs(logit[i] - logit[j]) <= caliper and not others:
                taken += [j] * min(count[j], ratio - len(taken))
        if taken and count[i]:
            sums += count[i] * np.array([values[i], values[taken].mean(axis=0)])
            number += count[i]
    return sums, number


def plain_greedy(logit, focal, eligible, count, person, values, ratio, caliper):
    """Copies of focal rows, largest score first, take one free copy each in every round."""
    n = len(logit)
    served = sorted((i for i in range(n) if focal[i] and eligible[i]), key=lambda i: (-logit[i], i))
    served = [i for i in served for _ in range(count[i])]
    free = list(count)
    sets = [[] for _ in served]
    for number in range(ratio):
        for i, own in zip(served, sets, strict=True):
            if len(own) < number:
                continue
            pool = [
                j
                for j in range(n)
                if not focal[j] and eligible[j] and free[j] and person[j] != person[i]
                and abs(logit[i] - logit[j]) <= caliper
                and not any(k != j and person[k] == person[j] for k in own)
            ]  # fmt: skip
            if pool:
                best = min(
                    pool, key=lambda j: (abs(Fraction(logit[i]) - Fraction(logit[j])), logit[j], j)
                )
                own.append(best)
                free[best] -= 1
    sums, number = np.zeros((2, values.shape[1])), 0
    for i, own in zip(served, sets, strict=True):
        if own:
            sums += np.array([values[i], values[own].mean(axis=0)])
            number += 1
    return sums, number


@given(drawn_tables(), st.integers(1, 3), st.sampled_from([NEAREST, GREEDY]), st.data())
@examples(250, 60)
def test_a_person_meets_neither_themselves_nor_anyone_twice(table, ratio, design, data):
    logit, focal, eligible, count, _, caliper = table
    n = len(logit)
    person = data.draw(st.lists(st.integers(0, max(1, n // 2)), min_size=n, max_size=n))
    values = values_for(n)
    found = matched(
        logit,
        focal,
        eligible,
        count,
        values,
        person=person,
        ratio=ratio,
        caliper=caliper,
        design=design,
    )
    plain = plain_nearest if design == NEAREST else plain_greedy
    agree(found, plain(logit, focal, eligible, count, person, values, ratio, caliper))


@pytest.mark.parametrize("design", [NEAREST, GREEDY, WINDOW])
def test_a_caliper_in_deviations_is_the_replicates_own(design):
    n = 250
    logit, focal, eligible = tie_free(n, 7)
    eligible = [i % 11 != 0 for i in range(n)]
    count = np.random.default_rng(8).poisson(1, n)
    values = values_for(n)
    drawn = np.repeat(np.array(logit), np.where(eligible, count, 0))
    width = 0.2 * np.std(drawn, ddof=1)
    table = (logit, focal, eligible, count, values)
    found = matched(*table, caliper=0.2, per_deviation=True, design=design)
    held = matched(*table, caliper=float(width), design=design)
    agree(found, held)
    assert 0 < found[1] < count[np.array(focal)].sum()


def test_probabilities_can_be_compared():
    n = 200
    logit, focal, eligible = tie_free(n, 9)
    count = np.random.default_rng(10).poisson(1, n)
    values = values_for(n)
    probability = 1 / (1 + np.exp(-np.array(logit)))
    found = matched(logit, focal, eligible, count, values, caliper=0.01, probability=True)
    agree(found, matched(probability, focal, eligible, count, values, caliper=0.01))


@given(st.sampled_from([*SCORES, st.sampled_from([1e300, -1e300, 0.0, 1.0, 1 + 2**-40])]),
       st.data(), st.sampled_from([1.0, -1.0]))  # fmt: skip
@examples(200, 60)
def test_rows_are_sorted_by_score_and_row(score, data, sign):
    values = np.array(data.draw(st.lists(score, max_size=60)), dtype=np.float64)
    chosen = np.array(
        [i for i in range(len(values)) if data.draw(st.integers(0, 4))], dtype=np.int64
    )
    wanted = chosen[np.lexsort((chosen, sign * values[chosen]))]
    assert np.array_equal(_sorted_rows(values, chosen, sign), wanted)


def test_many_rows_are_sorted():
    n = 60_000 if COMPILED else 2_000
    rng = np.random.default_rng(11)
    for score in (rng.normal(size=n), rng.integers(0, 50, n) * 0.1, rng.standard_cauchy(n)):
        found = _sorted_rows(score, np.arange(n), 1.0)
        assert np.array_equal(found, np.argsort(score, kind="stable"))


def test_nobody_drawn_is_nobody_matched():
    values = np.ones((4, 2))
    for design in (NEAREST, GREEDY, WINDOW):
        for count in ([0, 0, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0]):
            sums, number = matched(
                [0.0, 1.0, 2.0, 3.0], [True, True, False, False], [True] * 4, count, values,
                design=design, caliper=5.0,
            )  # fmt: skip
            assert number == 0
            assert np.array_equal(sums, np.zeros((2, 2)))
