"""Columns where they lie: several arrays seen as one range of memory, without a copy.

A table hands out one piece of memory for each column. Kernels are compiled for arrays and not for
lists of arrays, so the columns are given to them as one array that spans them all, and the place
in it where each begins. What lies between the columns belongs to somebody else and may not even be
mapped: nothing but the columns may be read.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

_SIZE = 8


class _Range:
    """What NumPy asks an owner of memory, and the arrays that keep the memory alive."""

    def __init__(self, address: int, count: int, keep: tuple[Any, ...], kind: str = "<f8") -> None:
        self.keep = keep
        self.__array_interface__ = {
            "version": 3,
            "typestr": kind,
            "shape": (count,),
            "data": (address, False),
        }


def unlocked(values: np.ndarray) -> np.ndarray:
    """Return the same memory without the mark that forbids writing.

    Parameters
    ----------
    values : array of numbers, shape (n,), contiguous
        Perhaps marked read-only, as Arrow's memory is.

    Returns
    -------
    array of the same type, shape (n,)
        For kernels, which would be compiled once more for marked arrays. Nobody writes into it.
    """
    if values.flags.writeable or not len(values):
        return values
    return np.asarray(_Range(values.ctypes.data, len(values), (values,), values.dtype.str))


def one_range(columns: Sequence[np.ndarray] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return columns as one range of memory and the place where each of them begins.

    Parameters
    ----------
    columns : sequence of float64 arrays, shape (n,), or one of shape (p, n)
        A column that is not contiguous, or does not lie at a multiple of eight bytes, is copied.

    Returns
    -------
    values : float64, shape (m,)
        ``values[start[j] : start[j] + n]`` is column j; nothing else in it may be read. It keeps
        the columns alive.
    start : int64, shape (len(columns),)
    """
    kept = tuple(
        x if x.flags.c_contiguous and x.ctypes.data % _SIZE == 0 else x.copy() for x in columns
    )
    address = np.array([x.ctypes.data for x in kept], dtype=np.int64)
    if not kept or not len(kept[0]):
        return np.empty(0), np.zeros(len(kept), dtype=np.int64)
    base = int(address.min())
    start = (address - base) // _SIZE
    values = np.asarray(_Range(base, int(start.max()) + len(kept[0]), kept))
    return values, start
