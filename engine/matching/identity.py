"""Canonical order: the public key of each row's identity decides order and ties.

Rows are sorted once by Philox of (seed, id) before anything is computed. The same people in another
row order then give the same bits, because every sum runs in the same order and every tie falls the
same way. The key is public; it is never used to hide who somebody is.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.columns import count_missing, missing_rows, row_numbers
from engine.errors import InputError
from engine.tables import TableSource, column
from kernels.memory import unlocked
from kernels.ordering import order_by_key
from kernels.philox import (
    STAGE_IDENTITY,
    STAGE_INSTABILITY,
    STAGE_MATCHING_ORDER,
    hash_texts_into,
    keys_into,
)

_LOW_WORD = (1 << 64) - 1


@dataclass(frozen=True)
class Identity:
    """Rows in canonical order.

    Attributes
    ----------
    order : int64, shape (n,), or None
        Data row of each canonical row; None where they are the same.
    ids : pyarrow.Array, length n
        The id of each canonical row, or its row number in the data, from 1.
    unit : uint64, shape (n,)
        What the random keys are made from: the id, or the hash of its text.
    seed : int
    """

    order: NDArray[np.int64] | None
    ids: pa.Array
    unit: NDArray[np.uint64]
    seed: int

    def gather(self, values: NDArray) -> NDArray:
        """Return values of data rows in canonical order, along the first axis; writable.

        Arrow hands out read-only memory, for which every kernel would be compiled once more.
        """
        if self.order is None:
            return values if values.flags.writeable else values.copy()
        return values[self.order]

    def gather_shared(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values in canonical order: the same memory where that is their order.

        Nobody writes into the result. It is not marked read-only, see :meth:`gather`.
        """
        if self.order is None:
            return unlocked(np.ascontiguousarray(values))
        # 'clip': every place exists, so bounds need no check
        return np.take(values, self.order, mode="clip")

    def gather_into(self, values: NDArray, out: NDArray) -> None:
        """Fill ``out`` with values of data rows in canonical order."""
        if self.order is None:
            out[:] = values
        else:
            # 'clip' writes straight into out; the default checks bounds by way of a copy
            np.take(values, self.order, out=out, mode="clip")

    def data_position(self) -> NDArray[np.int64]:
        """Return each canonical row's place in the data, int64, shape (n,)."""
        return np.arange(len(self.unit)) if self.order is None else self.order

    def matching_keys(self) -> NDArray[np.uint64]:
        """Return the random key that orders rows for ``--order random``, uint64, shape (n,)."""
        return _keys(self.unit, STAGE_MATCHING_ORDER, self.seed)

    def instability_keys(self, number: int) -> NDArray[np.uint64]:
        """Return the random key of each row in one more order, uint64, shape (n,)."""
        return _keys(self.unit, STAGE_INSTABILITY + number, self.seed)


def identify(source: TableSource, id_column: str | None, seed: int) -> Identity:
    """Put the rows of a table in canonical order.

    Parameters
    ----------
    source : TableSource
    id_column : str or None
        A column that names each row once; without it rows keep the order of the data, and the
        result may change with it.
    seed : int
        In [0, 2^128).

    Returns
    -------
    Identity

    Raises
    ------
    InputError
        An id is missing, or stands in two rows.
    """
    if id_column is None:
        unit = np.arange(source.n_rows, dtype=np.uint64)
        return Identity(None, to_arrow(np.arange(1, source.n_rows + 1)), unit, seed)
    values = column(source, id_column, "id")
    if count_missing(values):
        empty = missing_rows(values)
        raise InputError(
            f"the id column '{id_column}' has {_counted(int(empty.sum()), 'empty cell')}",
            where=f"{source.name}, {row_numbers(source, empty)}",
            rule="the id names every row once",
            repair="Fill the empty ids, or leave --id out to use row numbers",
        )
    values, unit = _units(values)
    key = _keys(unit, STAGE_IDENTITY, seed)
    order = order_by_key(key)
    sorted_key = key[order]
    same = np.flatnonzero(sorted_key[1:] == sorted_key[:-1])
    if len(same):
        _refuse_duplicates(source, id_column, values, order, same)
    return Identity(order, values.take(to_arrow(order)), unit[order], seed)


def random_order(numbers: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the canonical order of rows with numbers for ids, int64, shape (n,).

    Parameters
    ----------
    numbers : int64, shape (n,)
        Different numbers.
    seed : int
        In [0, 2^128).
    """
    return order_by_key(_keys(numbers.view(np.uint64), STAGE_IDENTITY, seed))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _keys(unit: NDArray[np.uint64], stage: int, seed: int) -> NDArray[np.uint64]:
    keys = np.empty(len(unit), dtype=np.uint64)
    low, high = np.uint64(seed & _LOW_WORD), np.uint64(seed >> 64)
    keys_into(unit, np.uint64(stage), low, high, keys)
    return keys


def _units(values: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.uint64]]:
    """Return the ids in one chunk and a 64-bit unit for each: whole numbers as they are."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    array = values.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    if pa.types.is_integer(array.type):
        return array, to_numpy(array).astype(np.int64).view(np.uint64)
    texts = array.cast(pa.large_string())
    if pa.types.is_string_view(array.type):
        # Polars hands out string views, which Arrow cannot gather.
        array = texts
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)
    offsets = offsets[texts.offset : texts.offset + len(texts) + 1]
    data = texts.buffers()[2]
    content = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, np.uint8)
    unit = np.empty(len(texts), dtype=np.uint64)
    hash_texts_into(np.array(offsets), np.array(content), unit)
    return array, unit


def _refuse_duplicates(
    source: TableSource,
    id_column: str,
    ids: pa.Array,
    order: NDArray[np.int64],
    same: NDArray[np.int64],
) -> None:
    first, second = order[same], order[same + 1]
    equal = to_numpy(pc.equal(ids.take(to_arrow(first)), ids.take(to_arrow(second))))
    if not equal.any():
        # Two different texts with one 64-bit hash: row order decides between those two alone.
        return
    repeated = np.zeros(len(order), dtype=np.bool_)
    repeated[first[equal]] = True
    repeated[second[equal]] = True
    raise InputError(
        f"the id column '{id_column}' names {_counted(int(equal.sum()), 'row')} a second time",
        where=f"{source.name}, {row_numbers(source, repeated)}",
        rule="the id names every row once; a person with several rows goes into --person",
        repair="Remove the repeated rows, or give a column that is different in every row",
    )
