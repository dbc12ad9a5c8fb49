"""Calendar arithmetic on whole columns of days since 1970."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.events import NEVER

Days = np.ndarray[Any, np.dtype[np.int32]]
NO_AGE = -1


def add_months(days: Days, months: int) -> Days:
    """Return the days that many months later: the same day of the month, or the month's last.

    Parameters
    ----------
    days : int32, shape (n,)
        Days since 1970-01-01; ``NEVER`` stays.
    months : int
        May be negative.

    Returns
    -------
    int32, shape (n,)
    """
    known = days != NEVER
    date = np.where(known, days, 0).astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    day_of_month = (date - month.astype("datetime64[D]")).astype(np.int64)
    target = month + months
    first = target.astype("datetime64[D]").astype(np.int64)
    length = (target + 1).astype("datetime64[D]").astype(np.int64) - first
    moved = first + np.minimum(day_of_month, length - 1)
    return np.where(known, moved, NEVER).astype(np.int32)


def age_on(birth: Days, days: Days) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Return ages in whole years; who was born on 29 February has a birthday on 1 March.

    Parameters
    ----------
    birth, days : int32, shape (n,)
        Days since 1970-01-01, or ``NEVER``.

    Returns
    -------
    int16, shape (n,)
        -1 where either day is not known, or the day is before the birth.
    """
    known = (birth != NEVER) & (days != NEVER) & (days >= birth)
    year_b, place_b = _year_and_place(np.where(known, birth, 0))
    year_d, place_d = _year_and_place(np.where(known, days, 0))
    age = year_d - year_b - (place_d < place_b)
    return np.where(known, age, NO_AGE).astype(np.int16)


def year_and_quarter(days: Days) -> tuple[Any, Any]:
    """Return year (int16) and quarter (int8, 1 to 4), 0 where the day is not known."""
    known = days != NEVER
    year, place = _year_and_place(np.where(known, days, 0))
    quarter = (place // 32) // 3 + 1
    return (
        np.where(known, year, 0).astype(np.int16),
        np.where(known, quarter, 0).astype(np.int8),
    )


def _year_and_place(days: Any) -> tuple[Any, Any]:
    """Return the year, and 32 times the month plus the day, both counted from 0."""
    date = days.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    months = month.astype(np.int64)
    year = np.floor_divide(months, 12) + 1970
    day = (date - month.astype("datetime64[D]")).astype(np.int64)
    return year, (months % 12) * 32 + day
