"""The window: first and last index date for which results can be given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import UsageError
from engine.store.reading import Store

FIRST_SUPERVISION = dt.timedelta(183)
"""An intervention starts at most six months after the index date that it belongs to."""


@dataclass(frozen=True)
class Window:
    """First and last index date for which results can be given."""

    first: dt.date
    last: dt.date


def window_of(text: str) -> Window:
    """Return the window that ``YYYY-MM-DD:YYYY-MM-DD`` names.

    Raises
    ------
    UsageError
        The text is not two dates in order.
    """
    try:
        first, last = (dt.date.fromisoformat(part.strip()) for part in text.split(":"))
    except ValueError:
        first, last = dt.date.max, dt.date.min
    if first > last:
        raise UsageError(
            "the window is not two dates in order",
            rule="a window is its first and its last index date",
            repair="Write it as 2015-01-01:2022-06-30",
        )
    return Window(first, last)


def window_of_store(store: Store) -> Window:
    """Return the window of a prepared store.

    Parameters
    ----------
    store : Store
        With index disposals of at least one year.

    Returns
    -------
    Window
        From the first day of its first year to the last index date whose follow-up and waiting
        period the records cover.
    """
    return Window(dt.date(min(store.years), 1, 1), store.last_index_date)


def outside(given: Mapping[str, dt.date], window: Window) -> str | None:
    """Return the column that puts the index date outside the window for certain, or None.

    Where no index date is given, it is not before the conviction and not more than six months
    before the start of the intervention; how long after either it lies, only the records know.
    """
    index = given.get("index_date")
    if index is not None:
        return None if window.first <= index <= window.last else "index_date"
    if given.get("conviction_date", window.last) > window.last:
        return "conviction_date"
    start = given.get("intervention_start")
    if start is not None and start - FIRST_SUPERVISION > window.last:
        return "intervention_start"
    return None
