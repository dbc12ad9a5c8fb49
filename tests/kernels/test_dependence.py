"""Dependent columns against dense elimination, and where a sample of the rows does not know."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.columns import number_columns, pack_categories
from kernels.dependence import DEPENDENCE_TOLERANCE, independent_columns
from tests import naive
from tests.kernels.support import COMPILED, examples, make_table, weights_or_none, with_numbers

N = 70_000
"""Rows of a table of which every second is looked at first."""
large = pytest.mark.skipif(not COMPILED, reason="needs more than 65,536 rows")


@given(st.integers(1, 6), st.integers(0, 400))
@examples(40, 15)
def test_dependent_columns_are_dropped_left_to_right(p, seed):
    n = 120
    rng = np.random.default_rng(seed)
    table = make_table(n, p, (3, 2), weighted=bool(seed % 2), seed=seed)
    numeric = np.array(number_columns(table.columns))
    for j in range(1, p):
        choice = rng.integers(0, 4)
        if choice == 0:
            numeric[j] = 3.0 * numeric[j - 1] - 7.0
        elif choice == 1:
            numeric[j] = (table.codes[0] == 1) * 2.0 + 1.0
        elif choice == 2:
            numeric[j] = numeric[:j].sum(axis=0)
    columns = with_numbers(table.columns, numeric)
    levels = [np.asarray(t) for t in table.level_terms]
    dense = naive.dense_design(
        numeric, columns.centre, columns.scale, columns.numeric_term,
        table.codes, levels, columns.n_terms,
    )  # fmt: skip
    candidates = np.ones(columns.n_terms, dtype=np.bool_)
    candidates[rng.integers(1, columns.n_terms)] = False
    found = independent_columns(columns, table.weights, candidates)
    kept = np.flatnonzero(candidates)
    wanted = np.zeros(columns.n_terms, dtype=np.bool_)
    wanted[kept] = naive.independent_columns(
        dense[:, kept], weights_or_none(table), DEPENDENCE_TOLERANCE
    )
    assert list(found) == list(wanted)


@pytest.mark.skipif(not COMPILED, reason="needs 300,000 rows")
def test_a_dependence_of_the_sample_alone_drops_nothing():
    # The column differs from zero in one row only, which a systematic sample leaves out.
    n = 300_000
    table = make_table(n, 2, (), seed=32)
    numeric = np.array(number_columns(table.columns))
    numeric[1] = numeric[0]
    numeric[1, 7] += 500.0
    columns = with_numbers(table.columns, numeric, centre=np.zeros(2), scale=np.ones(2))
    assert list(independent_columns(columns, np.empty(0), np.ones(3, dtype=np.bool_))) == [True] * 3
    numeric[1, 7] -= 500.0
    same = with_numbers(columns, numeric)
    # Coefficients are numbered backwards in this table: column 1 comes before column 0.
    assert list(independent_columns(same, np.empty(0), np.ones(3, dtype=np.bool_))) == [
        True,
        True,
        False,
    ]


def with_levels(codes, count, weights=None, numbers=()):
    """Columns of one category and some numbers, and the same as a dense matrix."""
    terms = np.arange(count, dtype=np.int64)
    terms[0] = -1
    cells, start, term = pack_categories(codes[None, :].astype(np.uint16), [terms])
    table = make_table(len(codes), len(numbers), (count,), seed=1)
    columns = table.columns._replace(cells=cells, cell_start=start, cell_term=term)
    if len(numbers):
        columns = with_numbers(
            columns, np.array(numbers), centre=np.zeros(len(numbers)), scale=np.ones(len(numbers))
        )
    dense = np.zeros((len(codes), columns.n_terms))
    dense[:, 0] = 1.0
    for level in range(1, count):
        dense[:, level] = codes == level
    for place, number in zip(columns.numeric_term, numbers, strict=True):
        dense[:, place] = number
    return columns, dense


def check(columns, dense, weights):
    found = independent_columns(columns, weights, np.ones(columns.n_terms, dtype=np.bool_))
    wanted = naive.independent_columns(
        dense, weights if len(weights) else None, DEPENDENCE_TOLERANCE
    )
    assert list(found) == list(wanted)
    return list(found)


@large
@pytest.mark.parametrize("counted", [True, False])
def test_a_level_that_the_sample_misses_counts_where_its_rows_do(counted):
    codes = np.zeros(N, dtype=np.int64)
    codes[2::4] = 1
    codes[[9, 101, 60_001]] = 2  # the sample takes the even rows
    weights = np.ones(N)
    weights[codes == 2] = float(counted)
    columns, dense = with_levels(codes, 3)
    assert check(columns, dense, weights)[2] == counted


@large
def test_a_sample_in_which_nobody_counts_decides_nothing():
    codes = np.arange(N) % 3
    weights = np.ones(N)
    weights[::2] = 0.0
    columns, dense = with_levels(codes, 3, numbers=[np.sin(np.arange(N))])
    assert all(check(columns, dense, weights))


@large
def test_more_levels_than_are_looked_up_one_by_one():
    codes = np.zeros(N, dtype=np.int64)
    codes[1 : 2 * 40 : 2] = np.arange(1, 41)
    columns, _ = with_levels(codes, 41)
    # Levels that somebody has are never dependent beside their reference.
    assert independent_columns(columns, np.empty(0), np.ones(41, dtype=np.bool_)).all()


@large
@pytest.mark.parametrize("apart", [0.0, 1.0])
def test_what_happens_late_and_in_one_row_is_seen(apart):
    # A level of the second block of rows alone, and a sum of others but for one row there.
    codes = np.zeros(N, dtype=np.int64)
    codes[66_000:] = 1
    x = np.sin(np.arange(N))
    sum_of_both = x * 0.5 + (codes == 1) * 2.0
    sum_of_both[69_001] += apart
    columns, dense = with_levels(codes, 2, numbers=[sum_of_both, x])
    assert check(columns, dense, np.empty(0))[-1] == bool(apart)
