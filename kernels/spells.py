"""What periods cover of the days before each focal row, in one walk over every group's periods.

Rows and periods come in the order of their groups, as in ``kernels.events``: groups are shared out
over threads, and every output row belongs to one group.
"""

import numpy as np
from numba import prange

from kernels._jit import kernel
from kernels.events import NEVER

OPEN_END = 2**31 - 1
"""The last day of a period that has not ended."""


@kernel(parallel=True, grain=64)
def covered_before_into(
    row_first,
    spell_first,
    row_day,
    row_from,
    spell_start,
    spell_end,
    spell_kinds,
    met,
    days,
    start,
    stop,
):
    """Say which kinds of period touch each row's window, and count the days that some cover.

    Parameters
    ----------
    row_first, spell_first : int64, shape (groups + 1,)
        Group g has rows ``row_first[g]:row_first[g + 1]`` and periods likewise.
    row_day, row_from : int32, shape (rows,)
        The window is from ``row_from`` to the day before ``row_day``. A row whose day is ``NEVER``
        has none.
    spell_start, spell_end : int32, shape (spells,)
        First and last day of each period; the first days ascend inside a group.
    spell_kinds : uint16, shape (spells,)
        One bit for each kind that the period is of.
    met : uint16, shape (rows,)
        Filled: the bits of all periods that touch the window.
    days : int32, shape (rows, k)
        Filled: days of the window inside a period with bit 0, bit 1, ... and bit k - 1; a day
        inside several counts once.
    start, stop : int
        Range of groups.

    Notes
    -----
    Cost: one step for each row and period of its group.
    """
    counted = days.shape[1]
    for g in prange(start, stop):
        reached = np.empty(counted, dtype=np.int64)
        for i in range(row_first[g], row_first[g + 1]):
            met[i] = 0
            for k in range(counted):
                days[i, k] = 0
                reached[k] = np.int64(row_from[i]) - 1
            if row_day[i] == NEVER or row_from[i] >= row_day[i]:
                continue
            last = np.int64(row_day[i]) - 1
            for s in range(spell_first[g], spell_first[g + 1]):
                if spell_start[s] > last:
                    break
                if spell_end[s] < row_from[i]:
                    continue
                met[i] |= spell_kinds[s]
                end = min(np.int64(spell_end[s]), last)
                for k in range(counted):
                    if (spell_kinds[s] >> np.uint16(k)) & np.uint16(1) and end > reached[k]:
                        days[i, k] += end - max(np.int64(spell_start[s]) - 1, reached[k])
                        reached[k] = end
