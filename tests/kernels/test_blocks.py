"""Deterministic sums against correctly rounded ones."""

import math
from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import blocks
from kernels._jit import CHUNK
from kernels.blocks import chunk_count, total, total_product, tree_add
from tests import naive
from tests.kernels.support import COMPILED, entry, examples

fold = entry(blocks.fold)
two_sum = entry(blocks.two_sum)

EDGES = [0, 1, 2, 3, 63, 64, 65, 127, 4095, 4096, 4097, 8191, 8193, 3 * 4096 + 1, 5 * 4096]


def twelve_decades(n, seed):
    rng = np.random.default_rng([seed, n])
    return rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(-6, 6, n)


def test_chunk_count_covers_all_rows_and_no_more():
    for n in EDGES:
        assert (chunk_count(n) - 1) * CHUNK < n <= chunk_count(n) * CHUNK or n == chunk_count(
            n
        ) == 0


@pytest.mark.parametrize("n", EDGES)
def test_total_is_within_two_units_in_the_last_place(n):
    x = twelve_decades(n, 1)
    assert naive.ulps_apart(total(x), naive.exact_sum(x)) <= 2


@pytest.mark.parametrize("n", EDGES)
def test_total_product_is_within_two_units_in_the_last_place(n):
    x, y = twelve_decades(n, 2), twelve_decades(n, 3)
    assert naive.ulps_apart(total_product(x, y), naive.exact_sum(x * y)) <= 2


@pytest.mark.parametrize("n", [100, 4096, 9000])
def test_total_survives_cancellation(n):
    x = twelve_decades(n, 4)
    rng = np.random.default_rng(5)
    x = rng.permutation(np.concatenate([x, -x, [1e-7]]))
    assert naive.ulps_apart(total(x), 1e-7) <= 2
    assert total_product(x, np.ones(len(x))) == total(x)


@given(st.lists(st.floats(-1e15, 1e15).filter(lambda v: v == 0 or abs(v) > 1e-200), max_size=200))
@examples(150, 60)
def test_total_of_any_floats(values):
    # Beyond a condition number of 1e15 the compensation itself has rounding errors to show.
    exact = naive.exact_sum(values)
    size = naive.exact_sum(abs(v) for v in values)
    got = total(np.array(values, dtype=np.float64))
    assert abs(got - exact) <= 2 * math.ulp(exact) + size * len(values) * 2.0**-104


@given(st.integers(0, 300), st.integers(0, 2**31))
@examples(100, 40)
def test_fold_of_whole_numbers_is_exact(m, seed):
    values = np.random.default_rng(seed).integers(-1000, 1000, m).astype(np.float64)
    assert fold(values.copy(), m) == values.sum()


@given(st.floats(-1e100, 1e100), st.floats(-1e100, 1e100))
@examples(200, 100)
def test_two_sum_keeps_everything(a, b):
    value, error = two_sum(a, b)
    assert value == a + b
    assert Fraction(float(value)) + Fraction(float(error)) == Fraction(a) + Fraction(b)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7, 8, 9, 33])
def test_tree_add_adds_every_row_once_in_a_pairwise_tree(rows):
    table = np.random.default_rng(rows).normal(size=(rows, 3))

    def tree(values):
        if len(values) == 1:
            return values[0]
        # The left part of a tree over n leaves holds the largest power of two below n.
        cut = 1
        while 2 * cut < len(values):
            cut *= 2
        return tree(values[:cut]) + tree(values[cut:])

    wanted = [tree(list(column)) for column in table.T]
    tree_add(table)
    assert list(table[0]) == wanted


@pytest.mark.skipif(not COMPILED, reason="threads are compiled code's")
def test_sums_are_the_same_bits_at_any_thread_count():
    x = twelve_decades(1_000_003, 6)
    threads = numba.get_num_threads()
    try:
        found = set()
        for count in range(1, min(4, numba.config.NUMBA_NUM_THREADS) + 1):
            numba.set_num_threads(count)
            found.add((total(x), total_product(x, x)))
    finally:
        numba.set_num_threads(threads)
    assert len(found) == 1
    assert naive.ulps_apart(found.pop()[0], naive.exact_sum(x)) <= 2
