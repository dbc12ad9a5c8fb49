"""Parallel kernels may be called from several Python threads, and use the layer that we chose."""

import threading

import numba
import numpy as np
import pytest
from numba import prange

from kernels._jit import kernel
from tests.kernels.support import COMPILED


@kernel(parallel=True)
def _squares(x, result):
    for i in prange(x.shape[0]):
        result[i] = x[i] * x[i]


def test_python_threads_take_turns_in_parallel_kernels():
    # The workqueue layer ends the whole process when two threads enter it at once.
    x = np.arange(300_000.0 if COMPILED else 300.0)
    results = [np.zeros_like(x) for _ in range(4)]

    def work(mine):
        for _ in range(20):
            _squares(x, results[mine])

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, x * x) for result in results)


@pytest.mark.skipif(not COMPILED, reason="no threads in plain Python")
def test_the_threading_layer_is_pinned():
    _squares(np.ones(3), np.empty(3))
    assert numba.threading_layer() == "workqueue"
