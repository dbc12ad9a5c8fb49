"""Parallel kernels share out their range, and may be called from several Python threads."""

import threading

import numba
import numpy as np
import pytest
from numba import prange

from kernels._jit import kernel
from tests.kernels.support import COMPILED


@kernel(parallel=True)
def _squares(x, result, start, stop):
    for i in prange(start, stop):
        result[i] += x[i] * x[i]


@kernel(parallel=True, grain=100)
def _whose(result, start, stop):
    for i in prange(start, stop):
        result[i] = start


@pytest.fixture
def all_threads():
    before = numba.get_num_threads()
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    yield numba.config.NUMBA_NUM_THREADS
    numba.set_num_threads(before)


def test_python_threads_enter_parallel_kernels_at_once(all_threads):
    x = np.arange(300_000.0 if COMPILED else 300.0)
    results = [np.zeros_like(x) for _ in range(4)]

    def work(mine):
        numba.set_num_threads(all_threads)
        for _ in range(20):
            _squares(x, results[mine], 0, len(x))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, 20 * (x * x)) for result in results)


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (3, 4), (2, 9), (0, 1001)])
def test_every_place_of_the_range_is_visited_once(all_threads, start, stop):
    x = np.full(1001, 2.0)
    result = np.zeros(1001)
    _squares(x, result, start, stop)
    assert np.array_equal(np.flatnonzero(result == 4.0), np.arange(start, stop))
    assert result.sum() == 4.0 * (stop - start)


@pytest.mark.skipif(not COMPILED, reason="no threads in plain Python")
@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs threads")
def test_a_range_below_the_grain_is_not_divided(all_threads):
    result = np.full(1000, -1)
    _whose(result, 0, 199)
    assert set(result[:199]) == {0}
    _whose(result, 0, 200)
    assert len(set(result[:200])) == 2


@pytest.mark.skipif(not COMPILED, reason="no threads in plain Python")
def test_the_threading_layer_is_pinned(all_threads):
    _squares(np.ones(3), np.zeros(3), 0, 3)
    assert numba.threading_layer() == "workqueue"
