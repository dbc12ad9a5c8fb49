"""Canonical order: the public key of each row's identity decides order and ties.

Rows are sorted once by Philox of (seed, id) before anything is computed. The same people in another
row order then give the same bits, because every sum runs in the same order and every tie falls the
same way. The key is public; it is never used to hide who somebody is.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.columns import count_missing, missing_rows, row_numbers
from engine.errors import InputError
from engine.spill import MEMORY, Space, blocks
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
_BLOCK = 1 << 20
_GATHERED = 1 << 22
_BUCKET = 1 << 23
"""Rows of a bucket that is sorted in memory: 64 MB of keys, and as much again for each step."""


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

    def gather_shared(
        self, values: NDArray[np.float64], space: Space = MEMORY
    ) -> NDArray[np.float64]:
        """Return values in canonical order: the same memory where that is their order.

        Nobody writes into the result. It is not marked read-only, see :meth:`gather`. An array out
        of core is always one of its own: what a table hands out stays in memory.
        """
        if self.order is None and not space.out_of_core:
            return unlocked(np.ascontiguousarray(values))
        result = space.empty(len(values), np.float64)
        self.gather_into(values, result)
        return result

    def gather_into(self, values: NDArray, out: NDArray) -> None:
        """Fill ``out`` with values of data rows in canonical order."""
        if self.order is None:
            out[:] = values
            return
        # In blocks, so that pages of files can be given back between them. 'clip' writes straight
        # into out; the default checks bounds by way of a copy.
        for part in blocks(len(out), _GATHERED):
            np.take(values, self.order[part], out=out[part], mode="clip")

    def data_position(self) -> NDArray[np.int64]:
        """Return each canonical row's place in the data, int64, shape (n,)."""
        return np.arange(len(self.unit)) if self.order is None else self.order

    def matching_keys(self) -> NDArray[np.uint64]:
        """Return the random key that orders rows for ``--order random``, uint64, shape (n,)."""
        return _keys(self.unit, STAGE_MATCHING_ORDER, self.seed)

    def instability_keys(
        self, number: int, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.uint64]:
        """Return the random key of rows, of all by default, in one more order, uint64."""
        unit = self.unit if rows is None else self.unit[rows]
        return _keys(unit, STAGE_INSTABILITY + number, self.seed)


def identify(
    source: TableSource, id_column: str | None, seed: int, space: Space = MEMORY
) -> Identity:
    """Put the rows of a table in canonical order.

    Parameters
    ----------
    source : TableSource
    id_column : str or None
        A column that names each row once; without it rows keep the order of the data, and the
        result may change with it.
    seed : int
        In [0, 2^128).
    space : Space
        Where what is kept for each row is made.

    Returns
    -------
    Identity

    Raises
    ------
    InputError
        An id is missing, or stands in two rows.
    """
    if id_column is None:
        unit = space.empty(source.n_rows, np.uint64)
        numbers = space.empty(source.n_rows, np.int64)
        for part in blocks(source.n_rows, _BLOCK):
            unit[part] = np.arange(part.start, part.stop, dtype=np.uint64)
            numbers[part] = np.arange(part.start + 1, part.stop + 1)
        return Identity(None, to_arrow(numbers), unit, seed)
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
    order, same = order_of(unit, seed, space)
    if len(same):
        _refuse_duplicates(source, id_column, values, order, same)
    own = space.empty(len(unit), np.uint64)
    np.take(unit, order, out=own, mode="clip")
    if values.type == pa.int64():
        return Identity(order, to_arrow(own.view(np.int64)), own, seed)
    return Identity(order, values.take(to_arrow(order)), own, seed)


def order_of(
    unit: NDArray[np.uint64], seed: int, space: Space = MEMORY
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort rows by (key, row): in buckets of the key's leading bits, each sorted in memory.

    Parameters
    ----------
    unit : uint64, shape (n,)
    seed : int
    space : Space
        Where the order is made, and two arrays of length n on the way.

    Returns
    -------
    order : int64, shape (n,)
    same : int64
        Places in ``order`` whose successor has the same key.

    Notes
    -----
    Keys are random bits, so buckets are equally full. A table of one bucket is sorted as a whole;
    the order is the same for any number of buckets.
    """
    n = len(unit)
    bits = max(n // _BUCKET, 1).bit_length() - 1
    if bits == 0:
        key = _keys(unit, STAGE_IDENTITY, seed)
        order = order_by_key(key)
        return order, _repeated(key[order])
    keys, rows = space.empty(n, np.uint64), space.empty(n, np.int64)
    shift = np.uint64(64 - bits)
    count = np.zeros(1 << bits, dtype=np.int64)
    for part in blocks(n, _BLOCK):
        key = _keys(unit[part], STAGE_IDENTITY, seed)
        count += np.bincount((key >> shift).astype(np.int64), minlength=len(count))
    begin = np.concatenate([[0], np.cumsum(count)])
    place = begin[:-1].copy()
    for part in blocks(n, _BLOCK):
        key = _keys(unit[part], STAGE_IDENTITY, seed)
        bucket = (key >> shift).astype(np.int64)
        dealt = np.argsort(bucket, kind="stable")
        size = np.bincount(bucket, minlength=len(count))
        first = np.cumsum(size) - size
        target = np.arange(len(key)) + np.repeat(place - first, size)
        keys[target] = key[dealt]
        rows[target] = dealt + part.start
        place += size
    order = space.empty(n, np.int64)
    same = []
    for first, last in pairwise(begin):
        own = slice(first, last)
        key = keys[own]
        within = order_by_key(key)
        order[own] = rows[own][within]
        same.append(_repeated(key[within]) + first)
    return order, np.concatenate(same)


def _repeated(sorted_key: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.flatnonzero(sorted_key[1:] == sorted_key[:-1])


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
