"""Identifiers with their published formats: PNC ID, CRO number, prison number, CRN.

All four are fixed width here, so a column is built as one matrix of bytes.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.identifiers import CHECK_LETTERS
from engine.records.synthetic.people import Ints

_LETTERS = np.frombuffer(CHECK_LETTERS.encode(), dtype=np.uint8)
_SERIALS = 10_000_000
_MULTIPLIER = 7_654_321  # has no factor in common with 10, so serials of a year never repeat


def serial_numbers(unit: NDArray[np.uint64]) -> Ints:
    """Return a seven-digit serial for each person, unique below ten million people."""
    return ((unit.astype(np.int64) + 1) * _MULTIPLIER) % _SERIALS


def _digits(number: Ints, width: int) -> NDArray[np.uint8]:
    """Decimal digits as bytes, zero padded, shape (n, width)."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return ((number[:, None] // powers) % 10 + ord("0")).astype(np.uint8)


def _texts(rows: NDArray[np.uint8]) -> pa.Array:
    """Arrow strings of equal width from one row of bytes each."""
    count, width = rows.shape
    offsets = np.arange(count + 1, dtype=np.int32) * width
    data = np.ascontiguousarray(rows)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))


def _fixed(text: str, count: int) -> NDArray[np.uint8]:
    return np.tile(np.frombuffer(text.encode(), dtype=np.uint8), (count, 1))


def check_letters(year: Ints, serial: Ints, width: int) -> NDArray[np.uint8]:
    """Return the check letter of two-digit year and serial as one number, as bytes.

    Parameters
    ----------
    year : int64, shape (n,)
        Any year; its last two digits count.
    serial : int64, shape (n,)
        Below 10 ** width.
    width : int
        Digits of the serial.

    Returns
    -------
    uint8, shape (n,)
    """
    return _LETTERS[((year % 100) * 10**width + serial) % 23]


def pnc_ids(year: Ints, serial: Ints) -> pa.Array:
    """Return PNC IDs in stored form, YYYY/NNNNNNNL."""
    letter = check_letters(year, serial, 7)
    return _texts(
        np.hstack([_digits(year, 4), _fixed("/", len(year)), _digits(serial, 7), letter[:, None]])
    )


def cro_numbers(year: Ints, serial: Ints) -> pa.Array:
    """Return CRO numbers: NNNNNN/YYL below a million, else the local form SFYY/NNNNNNNL."""
    low = serial < 1_000_000
    short = _texts(
        np.hstack(
            [
                _digits(serial % 1_000_000, 6),
                _fixed("/", len(year)),
                _digits(year % 100, 2),
                check_letters(year, serial % 1_000_000, 6)[:, None],
            ]
        )
    )
    # the local form's check counts the serial without padding, and it has seven digits here
    local = _texts(
        np.hstack(
            [
                _fixed("SF", len(year)),
                _digits(year % 100, 2),
                _fixed("/", len(year)),
                _digits(serial, 7),
                check_letters(year, serial, 7)[:, None],
            ]
        )
    )
    place = np.where(low, 0, len(year)) + np.arange(len(year))
    return pa.concat_arrays([short, local]).take(pa.array(place))


def prison_numbers(unit: NDArray[np.uint64]) -> pa.Array:
    """Return prison numbers, ANNNNAA: unique, in an order that says nothing of the person."""
    count = 26**3 * 10_000
    number = ((unit.astype(np.int64) + 1) * 15_485_863) % count
    letters = number // 10_000
    return _texts(
        np.hstack(
            [
                (letters // 676 + ord("A")).astype(np.uint8)[:, None],
                _digits(number % 10_000, 4),
                (letters // 26 % 26 + ord("A")).astype(np.uint8)[:, None],
                (letters % 26 + ord("A")).astype(np.uint8)[:, None],
            ]
        )
    )


def case_numbers(unit: NDArray[np.uint64]) -> pa.Array:
    """Return probation case numbers, ANNNNNN."""
    number = ((unit.astype(np.int64) + 1) * 15_485_867) % 26_000_000
    letter = (number // 1_000_000 + ord("A")).astype(np.uint8)
    return _texts(np.hstack([letter[:, None], _digits(number % 1_000_000, 6)]))
