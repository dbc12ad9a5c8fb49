"""Arrow memory as NumPy arrays and back, without a copy where the layout is the same.

Arrow's own conversions import pandas wherever it is installed: half a second of every command.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def to_numpy(values: pa.ChunkedArray | pa.Array) -> NDArray:
    """Return numbers or truth values without empty cells as an array.

    Parameters
    ----------
    values : pyarrow.ChunkedArray or pyarrow.Array
        Whole numbers, floats or booleans. What stands in an empty cell is not defined.

    Returns
    -------
    ndarray, shape (n,)
        Of the same type and read-only; the memory of Arrow if there is one chunk of numbers.
    """
    if isinstance(values, pa.ChunkedArray):
        parts = [to_numpy(chunk) for chunk in values.chunks]
        if len(parts) == 1:
            return parts[0]
        whole = np.concatenate(parts) if parts else np.empty(0, values.type.to_pandas_dtype())
        whole.flags.writeable = False
        return whole
    if pa.types.is_boolean(values.type):
        return to_numpy(values.cast(pa.uint8())).view(np.bool_)
    dtype = np.dtype(values.type.to_pandas_dtype())
    data = values.buffers()[1]
    if data is None:
        return np.empty(0, dtype)
    stop = values.offset + len(values)
    array = np.frombuffer(data, dtype, count=stop)[values.offset : stop]
    array.flags.writeable = False
    return array


def to_arrow(values: NDArray, valid: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return numbers as an Arrow array on the same memory.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Whole numbers or floats.
    valid : bool, shape (n,), optional
        False for an empty cell.
    """
    bits = None
    if valid is not None and not valid.all():
        bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [bits, data])


def text_array(texts: Sequence[str]) -> pa.Array:
    """Return texts as an Arrow array of strings; for short lists."""
    encoded = [text.encode("utf-8", errors="replace") for text in texts]
    offsets = np.cumsum([0, *(len(text) for text in encoded)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)
