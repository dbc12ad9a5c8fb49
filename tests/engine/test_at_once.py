"""Pieces of work two at a time: their order, their threads, their errors."""

import threading

import numba
import pytest

from engine.at_once import each


@pytest.fixture(params=[1, 2])
def threads(request):
    before = numba.get_num_threads()
    if request.param > before:
        pytest.skip("one processor")
    numba.set_num_threads(request.param)
    yield request.param
    numba.set_num_threads(before)


def test_results_stand_in_the_order_of_the_items(threads):
    told = []
    assert each(lambda item: item * item, range(9), told.append) == [n * n for n in range(9)]
    assert told == [(n + 1) / 9 for n in range(9)]


def test_as_many_pieces_run_together_as_threads_are_given(threads):
    both = threading.Barrier(threads, timeout=20)

    def meet(_item):
        both.wait()
        return numba.get_num_threads()

    assert each(meet, range(4)) == [1] * 4
    assert numba.get_num_threads() == threads


def test_an_error_is_the_callers_and_nothing_more_is_begun(threads):
    begun = []

    def fail(item):
        begun.append(item)
        raise KeyError(item)

    with pytest.raises(KeyError):
        each(fail, range(50))
    assert len(begun) < 50


def test_nothing_is_nothing(threads):
    assert each(str, ()) == []
