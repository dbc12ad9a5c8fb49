"""Packing of categories and moments of number columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.columns import (
    add_level_to_cells,
    column_moments,
    mark_used,
    number_in_order,
    pack_categories,
    part_of,
    some_numbers,
    translate,
)
from kernels.logistic import linear_predictor
from tests.kernels.support import examples, make_table


def moments(numeric, weights=None):
    numeric = np.ascontiguousarray(numeric, dtype=np.float64)
    weights = np.empty(0) if weights is None else np.asarray(weights, dtype=np.float64)
    centre, scale = np.full(len(numeric), np.nan), np.full(len(numeric), np.nan)
    column_moments(numeric, weights, centre, scale)
    return centre, scale


@given(
    st.lists(st.integers(1, 70), min_size=0, max_size=6),
    st.integers(1, 40),
    st.integers(0, 2**31),
)
@examples(80, 40)
def test_a_cell_adds_up_the_coefficients_of_its_levels(levels, n, seed):
    rng = np.random.default_rng(seed)
    codes = np.array([rng.integers(0, count, n) for count in levels], dtype=np.uint16)
    codes = codes.reshape(len(levels), n)
    # Any coefficient may stand for any level: -1 is a reference level.
    terms = [rng.integers(-1, 9, count) for count in levels]
    cells, start, cell_term = pack_categories(codes, terms)
    assert cells.shape == (len(start) - 1, n)
    assert cells.dtype == np.uint16
    assert start[0] == 0
    assert start[-1] == len(cell_term)
    beta = rng.normal(size=9)
    for i in range(n):
        wanted = sorted(int(t[c[i]]) for t, c in zip(terms, codes, strict=True) if t[c[i]] >= 0)
        found = []
        for g in range(len(cells)):
            assert cells[g, i] < start[g + 1] - start[g]
            row = cell_term[start[g] + int(cells[g, i])]
            found += [int(t) for t in row if t >= 0]
        assert sorted(found) == wanted
    del beta


@pytest.mark.parametrize(
    ("levels", "columns"),
    [((8, 8), 1), ((8, 9), 2), ((64,), 1), ((65, 1), 2), ((2,) * 6, 1), ((2,) * 7, 2), ((300,), 1)],
)
def test_packing_stops_at_64_cells(levels, columns):
    codes = np.zeros((len(levels), 1), dtype=np.uint16)
    cells, start, _ = pack_categories(codes, [np.zeros(c, dtype=np.int64) for c in levels])
    assert len(cells) == columns
    assert start[-1] == sum(np.diff(start))


def test_level_codes_up_to_65535_survive():
    codes = np.array([[0, 65_535, 40_000]], dtype=np.uint16)
    cells, start, cell_term = pack_categories(codes, [np.arange(65_536)])
    assert list(cell_term[start[0] + cells[0].astype(np.int64), 0]) == [0, 65_535, 40_000]
    single = np.array([6, 0], dtype=np.uint16)
    add_level_to_cells(single, np.array([1, 2], dtype=np.uint16), 9)
    assert list(single) == [55, 2]


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    st.booleans(),
    st.integers(0, 2**31),
)
@examples(100, 50)
def test_moments_are_the_weighted_mean_and_deviation(values, weighted, seed):
    x = np.array(values)
    w = np.random.default_rng(seed).integers(0, 4, len(x)) * 0.5
    w[0] = 1.0
    weights = w if weighted else np.ones(len(x))
    centre, scale = moments([x], w if weighted else None)
    long = x.astype(np.longdouble)
    mean = np.sum(weights * long) / np.sum(weights)
    deviation = np.sqrt(np.sum(weights * (long - mean) ** 2) / np.sum(weights))
    size = max(np.max(np.abs(x)), 1e-300)
    if np.all(x == x[0]):
        assert centre[0] == x[0]
        assert scale[0] == 0.0
    else:
        assert abs(centre[0] - mean) <= 1e-14 * size
        assert abs(scale[0] - deviation) <= 1e-13 * size


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e-16, 1.0, 1e16, 1e160, 1e300])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_at_any_size(unit, weighted):
    x = np.random.default_rng(3).normal(size=5_000) + 2.0
    w = np.random.default_rng(4).integers(1, 4, len(x)).astype(np.float64)
    centre, scale = moments([x * unit, x], w if weighted else None)
    assert abs(centre[0] / unit / centre[1] - 1) < 1e-13
    assert abs(scale[0] / unit / scale[1] - 1) < 1e-13
    used = w if weighted else np.ones(len(x))
    mean = np.average(x, weights=used)
    assert abs(centre[1] - mean) < 1e-13
    assert abs(scale[1] - np.sqrt(np.average((x - mean) ** 2, weights=used))) < 1e-13


def test_moments_of_a_huge_offset_and_of_constants():
    x = 1e9 + np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    centre, scale = moments([x, np.full(5, 0.1), np.zeros(5)])
    assert list(centre) == [1e9 + 2.0, 0.1, 0.0]
    assert abs(scale[0] - np.sqrt(2.0)) < 1e-12
    assert list(scale[1:]) == [0.0, 0.0]


def test_moments_of_no_columns():
    centre, _ = moments(np.empty((0, 5)))
    assert len(centre) == 0


@given(st.integers(1, 30), st.integers(0, 60), st.integers(0, 2**31))
@examples(60, 30)
def test_indices_are_marked_and_translated(m, n, seed):
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, m, n).astype(np.int32)
    used = np.zeros(m, dtype=np.bool_)
    mark_used(indices, used)
    assert set(np.flatnonzero(used)) == set(indices.tolist())
    table = rng.choice(np.array([0, 1, 65_535], np.uint16), m)
    codes = np.empty(n, dtype=np.uint16)
    assert translate(indices, table, 65_535, codes) == np.sum(table[indices] == 65_535)
    assert np.array_equal(codes, table[indices])


@given(st.lists(st.integers(0, 40), max_size=60))
@examples(200, 20)
def test_values_are_numbered_by_their_first_occurrence(values):
    number, numbered = np.full(41, 7), np.empty(len(values), dtype=np.int64)
    known = number_in_order(np.array(values, dtype=np.int64), number, numbered)
    first = {value: place for place, value in enumerate(dict.fromkeys(values))}
    assert known == len(first)
    assert numbered.tolist() == [first[value] for value in values]
    assert number.tolist() == [first.get(value, -1) for value in range(41)]


@given(
    st.integers(0, 4),
    st.lists(st.integers(2, 70), max_size=3),
    st.integers(0, 2**31),
)
@examples(60, 20)
def test_parts_of_columns_add_what_their_terms_do(numbers, levels, seed):
    n = 90
    rng = np.random.default_rng(seed)
    table = make_table(n, numbers, tuple(levels), seed=seed % 1000)
    columns = table.columns
    terms = rng.random(columns.n_terms) < 0.4
    beta = np.where(terms, rng.normal(size=columns.n_terms), 0.0)
    first, last = sorted(rng.integers(0, n + 1, 2))
    wanted = table.dense @ beta
    found = np.empty(last - first)
    linear_predictor(part_of(columns, terms, first, last), beta, found)
    assert np.allclose(found, wanted[first:last], rtol=1e-12, atol=1e-12)
    fewer = some_numbers(columns, terms)
    assert list(fewer.numeric_term) == [t for t in columns.numeric_term if terms[t]]
    assert fewer.numeric is columns.numeric
    every = np.empty(n)
    linear_predictor(fewer, beta, every)
    assert np.allclose(every, wanted, rtol=1e-12, atol=1e-12)
