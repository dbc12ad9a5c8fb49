"""Starts drawn for comparison disposals, so that they have waited as long as the treated have.

Delays of the treated are seen only where the person stayed free until the start. Drawing from them
and then dropping comparison disposals that did not stay free would make long delays too rare among
those that are left. So a delay is drawn with its frequency among the treated over the share of
disposals that stay free for so long; among those that are left it is then as frequent as among the
treated.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.cohort.rules import Days
from engine.store.rules import INDEX_TYPES
from kernels.events import NEVER
from kernels.philox import STAGE_POOL_START, keys_into

_UNIT = 2.0**-53


@dataclass(frozen=True)
class Free:
    """What ends the time in which a disposal stays an index disposal, in days from its index date.

    Parameters
    ----------
    gap : int32, shape (n,)
        The person's next index date, ``FOREVER`` for none.
    first : int32, shape (n,)
        The first proven reoffence, ``NEVER`` for none.
    received, released : int, shape (n,)
        The next stay in custody.
    """

    gap: Days
    first: Days
    received: NDArray[np.integer]
    released: NDArray[np.integer]

    def take(self, rows: NDArray[np.int64]) -> Free:
        """Return some of the rows."""
        return Free(*(getattr(self, field.name)[rows] for field in fields(self)))


def drawn_delays(
    free: Free,
    kind: NDArray[np.int32],
    disposal_id: NDArray[np.int64],
    treated: pa.Table,
    seed: int,
) -> Days:
    """Return for each disposal the days between its index date and a start.

    Parameters
    ----------
    free : Free
    kind : int32, shape (n,)
        Place of the kind in ``INDEX_TYPES``.
    disposal_id : int64, shape (n,)
    treated : pyarrow.Table
        ``delay_days`` and ``index_type``; nobody treated means no delay.
    seed : int
        128 bits.

    Notes
    -----
    Drawn from the treated with the same kind of index disposal, from all of them where there are
    none.
    """
    found = np.zeros(len(kind), dtype=np.int32)
    everybody = to_numpy(treated["delay_days"])
    if not len(everybody) or everybody.max() == 0:
        return found
    kinds = np.array(treated["index_type"].cast(pa.utf8()).to_pylist())
    for number, name in enumerate(INDEX_TYPES):
        rows = np.flatnonzero(kind == number)
        own = everybody[kinds == name]
        values, count = np.unique(own if len(own) else everybody, return_counts=True)
        weight = delay_weights(count, staying_free(values, free.take(rows)))
        bound = np.cumsum(weight)
        drawn = (words(disposal_id[rows], STAGE_POOL_START, seed) >> np.uint64(11)) * _UNIT
        place = np.searchsorted(bound, drawn * bound[-1], side="right")
        found[rows] = values[np.minimum(place, len(values) - 1)]
    return found


def delay_weights(count: NDArray[np.int64], free: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weight of each delay: its count among the treated over the disposals left by then.

    A delay after which no disposal is left has no weight, unless none has any.

    Examples
    --------
    >>> delay_weights(np.array([6, 3]), np.array([12, 6])).tolist()
    [0.5, 0.5]
    """
    weight = np.where(free > 0, count / np.maximum(free, 1), 0.0)
    return weight if weight.any() else count.astype(np.float64)


def staying_free(values: Days, free: Free) -> NDArray[np.int64]:
    """Count the disposals that are still index disposals, free and out of custody after each delay.

    Parameters
    ----------
    values : int32, shape (k,)
        Delays in days, ascending.
    free : Free
        Of the disposals, shape (n,).

    Notes
    -----
    Cost n log n. Only the next stay in custody is looked at, which is all but exact for delays of a
    few months.

    Examples
    --------
    Another sentence on day 20, a reoffence on day 10, custody from day 5 to day 15, nothing:

    >>> far = np.iinfo(np.int32).max
    >>> free = Free(np.array([20, far, far, far]), np.array([NEVER, 10, NEVER, NEVER]),
    ...             np.array([far, far, 5, far]), np.array([far, far, 15, far]))
    >>> staying_free(np.array([0, 10, 15, 30]), free).tolist()
    [4, 3, 3, 2]
    """
    first = np.where(free.first == NEVER, np.iinfo(np.int32).max, free.first)
    last = np.minimum(free.gap.astype(np.int64) - 1, first)
    count = len(last) - np.searchsorted(np.sort(last), values, side="left")
    inside = free.received <= last
    begin = np.sort(free.received[inside])
    end = np.sort(np.minimum(free.released[inside], last[inside] + 1))
    held = np.searchsorted(begin, values, side="right") - np.searchsorted(end, values, side="right")
    return (count - held).astype(np.int64)


def words(number: NDArray[np.int64], stage: int, seed: int) -> NDArray[np.uint64]:
    """Return one random word for each number, a pure function of it, the stage and the seed."""
    found = np.empty(len(number), dtype=np.uint64)
    low, high = np.uint64(seed & 0xFFFFFFFFFFFFFFFF), np.uint64(seed >> 64)
    unit = np.ascontiguousarray(number).view(np.uint64)
    keys_into(unit, np.uint64(stage), low, high, found)
    return found
