"""Columns are seen where they lie, and stay alive as long as they are seen."""

import gc
import weakref

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from engine.buffers import to_numpy
from kernels.columns import CodedColumns, number_columns, take_rows
from kernels.memory import one_range, unlocked
from tests.kernels.support import examples, make_table


def seen(values, start, n):
    """Each column as a kernel sees it."""
    return [values[at : at + n] for at in start]


@given(st.integers(0, 5), st.integers(0, 40), st.permutations(range(5)))
@examples(60, 30)
def test_columns_are_seen_without_a_copy_wherever_they_lie(p, n, places):
    room = np.arange(5.0 * (n + 3))
    columns = [room[place * (n + 3) : place * (n + 3) + n] for place in places[:p]]
    values, start = one_range(columns)
    for column, found in zip(columns, seen(values, start, n), strict=True):
        assert np.array_equal(found, column)
        assert n == 0 or np.shares_memory(found, column)


def test_columns_of_a_table_are_seen_in_its_own_memory():
    arrays = [pa.array(np.arange(10.0) + k) for k in range(3)]
    arrays[1] = arrays[1].slice(4)
    arrays[0], arrays[2] = arrays[0].slice(0, 6), arrays[2].slice(2, 6)
    values, start = one_range([to_numpy(a) for a in arrays])
    for array, found in zip(arrays, seen(values, start, 6), strict=True):
        assert found.tolist() == array.to_pylist()
        assert found.ctypes.data == array.buffers()[1].address + 8 * array.offset


def test_a_column_with_gaps_or_off_the_grid_is_copied():
    every_other = np.arange(12.0)[::2]
    off = np.frombuffer(np.arange(7.0).tobytes() + bytes(8), dtype=np.uint8)[4:60].view(np.float64)
    values, start = one_range([every_other, off[:6]])
    assert np.array_equal(seen(values, start, 6)[0], every_other)
    assert np.array_equal(seen(values, start, 6)[1], off[:6], equal_nan=True)


def test_what_is_seen_keeps_its_columns_alive():
    class Owned(np.ndarray):
        """An array that can be watched."""

    owner = np.ones(1000).view(Owned)
    watch = weakref.ref(owner)
    values, start = one_range([owner, np.zeros(1000)])
    del owner
    gc.collect()
    assert watch() is not None
    assert seen(values, start, 1000)[0].sum() == 1000
    del values
    gc.collect()
    assert watch() is None


def test_memory_without_its_mark_is_the_same_memory():
    marked = np.arange(5.0)
    marked.flags.writeable = False
    free = unlocked(marked)
    assert free.flags.writeable
    assert np.shares_memory(free, marked)
    assert unlocked(free) is free
    assert len(unlocked(np.empty(0))) == 0


def test_rows_are_taken_from_every_column():
    table = make_table(50, 3, (4, 2))
    rows = np.array([7, 7, 0, 49])
    taken: CodedColumns = take_rows(table.columns, rows)
    for whole, part in zip(number_columns(table.columns), number_columns(taken), strict=True):
        assert np.array_equal(part, whole[rows])
    assert np.array_equal(taken.cells, table.columns.cells[:, rows])
    assert take_rows(make_table(9, 0, (2,)).columns, rows[:0]).numeric.shape == (0,)
