"""Arrow memory as arrays and back."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from engine.buffers import text_array, to_arrow, to_numpy

VALUES = {
    "int8": pa.array([-3, 0, 5], pa.int8()),
    "uint64": pa.array([0, 2**64 - 1, 7], pa.uint64()),
    "float64": pa.array([0.5, float("nan"), -1.0]),
    "float32": pa.array([0.5, 2.0, -1.0], pa.float32()),
    "bool": pa.array([True, False, True]),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("first", [0, 1, 3])
def test_arrays_equal_those_of_pyarrow(kind, first):
    array = VALUES[kind].slice(first)
    for values in (array, pa.chunked_array([array]), pa.chunked_array([array, VALUES[kind]])):
        found = to_numpy(values)
        wanted = np.array(values.to_pylist(), dtype=found.dtype)
        assert np.array_equal(found, wanted, equal_nan=kind.startswith("float"))
        assert found.dtype == np.dtype(kind)
        assert not found.flags.writeable


def test_no_chunks_are_no_values():
    assert to_numpy(pa.chunked_array([], pa.float64())).shape == (0,)


def test_numbers_go_to_arrow_with_their_empty_cells():
    numbers = np.arange(11.0)
    assert to_arrow(numbers).equals(pa.array(numbers))
    filled = numbers % 3 > 0
    assert to_arrow(numbers, filled).equals(pa.array(numbers, mask=~filled))
    assert to_arrow(numbers[::2].astype(np.int64)).to_pylist() == [0, 2, 4, 6, 8, 10]


def test_texts_go_to_arrow():
    for texts in ([], ["a", "", "Zoë", "a"]):
        assert text_array(texts).equals(pa.array(texts, pa.string()))
        text_array(texts).validate(full=True)


def test_pandas_is_not_imported():
    code = (
        "import sys; import engine.match, engine.buffers as b, numpy as np;"
        "b.to_numpy(b.to_arrow(np.ones(2))); b.text_array(['a']); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
