"""What happened before and after each focal row, in one walk over every group's dated events.

Rows and events come in the order of their groups, so a group is a range of each; groups are shared
out over threads and every output row belongs to one group, so nothing depends on the sharing.
Days are whole numbers; ``NEVER`` stands for a day that is not known.
"""

import numpy as np
from numba import prange

from kernels._jit import kernel
from kernels.ordering import merge_run

NEVER = -(2**31)
"""A day that is not known: smaller than every real day."""
KINDS = 3
"""Kinds of event that are counted apart; any other number is counted in none of them."""
_SHORT_RUN = 64


@kernel(parallel=True, grain=64)
def follow_up_into(
    row_first,
    event_first,
    row_day,
    row_end,
    row_proof_end,
    row_marked,
    event_day,
    event_proof,
    event_counts,
    event_kind,
    event_row,
    stamp,
    number,
    first_gap,
    first_kind,
    first_marked,
    of_kind,
    marked_rows,
    start,
    stop,
):
    """Count the events in each row's window that were proven in time, and describe the first.

    Parameters
    ----------
    row_first, event_first : int64, shape (groups + 1,)
        Group g has rows ``row_first[g]:row_first[g + 1]`` and events likewise.
    row_day, row_end, row_proof_end : int32, shape (rows,)
        An event counts if ``row_day < event_day <= row_end`` and ``event_proof <=
        row_proof_end``. A row whose day is ``NEVER`` gets no events.
    row_marked : uint8, shape (rows,)
        Whether an event that led to this row is marked.
    event_day, event_proof : int32, shape (events,)
        Days ascend inside a group. An event whose proof is ``NEVER`` does not count.
    event_counts : uint8, shape (events,)
        0 leaves an event out.
    event_kind : int8, shape (events,)
        0 to 2; the smallest is the gravest.
    event_row : int32, shape (events,)
        Row that the event led to, in the same group; -1 for none.
    stamp : int64, shape (rows,)
        Workspace, -1 everywhere.
    number : int32, shape (rows,)
        Filled: events that count.
    first_gap : int32, shape (rows,)
        Filled: days from the row's day to the first of them, -1 where there is none.
    first_kind, first_marked : int8, shape (rows,)
        Filled: kind of the first event and whether it is marked, -1 where there is none. Of several
        on the first day the one of the gravest kind is the first; then the one that stands first.
    of_kind : int32, shape (rows, 3)
        Filled: events of each kind.
    marked_rows : int32, shape (rows,)
        Filled: different marked rows that the counted events led to.
    start, stop : int
        Range of groups.

    Notes
    -----
    Cost: a binary search for each row and one step for each event in its window.
    """
    for g in prange(start, stop):
        low, high = event_first[g], event_first[g + 1]
        for i in range(row_first[g], row_first[g + 1]):
            number[i] = 0
            first_gap[i] = -1
            first_kind[i] = -1
            first_marked[i] = -1
            of_kind[i, 0] = 0
            of_kind[i, 1] = 0
            of_kind[i, 2] = 0
            marked_rows[i] = 0
            if row_day[i] == NEVER:
                continue
            left, right = low, high
            while left < right:
                middle = (left + right) // 2
                if event_day[middle] <= row_day[i]:
                    left = middle + 1
                else:
                    right = middle
            first_day = NEVER
            for e in range(left, high):
                if event_day[e] > row_end[i]:
                    break
                if (
                    event_counts[e] == 0
                    or event_proof[e] == NEVER
                    or event_proof[e] > row_proof_end[i]
                ):
                    continue
                number[i] += 1
                kind = event_kind[e]
                led_to = event_row[e]
                marked = led_to >= 0 and row_marked[led_to] != 0
                if 0 <= kind < KINDS:
                    of_kind[i, kind] += 1
                if marked and stamp[led_to] != i:
                    stamp[led_to] = i
                    marked_rows[i] += 1
                if first_day == NEVER or (event_day[e] == first_day and kind < first_kind[i]):
                    first_day = event_day[e]
                    first_gap[i] = event_day[e] - row_day[i]
                    first_kind[i] = kind
                    first_marked[i] = 1 if marked else 0


@kernel(inline=True)
def _sort_by_day(event_day, low, events, order, work):
    """Fill ``order`` with the events of a group by (day, place)."""
    sorted_already = True
    for k in range(events):
        order[k] = low + k
        if k > 0 and event_day[low + k] < event_day[low + k - 1]:
            sorted_already = False
    if sorted_already:
        return
    if events > _SHORT_RUN:
        merge_run(order, event_day, 0, events, work)
        return
    for k in range(1, events):
        event = order[k]
        j = k - 1
        while j >= 0 and event_day[order[j]] > event_day[event]:
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = event


@kernel(parallel=True, grain=64)
def history_into(
    row_first,
    event_first,
    row_day,
    row_type,
    event_day,
    event_counts,
    event_class,
    event_way,
    event_flag,
    number,
    of_class,
    days,
    days_of_way,
    flagged,
    last_day,
    first_day,
    days_of_type,
    start,
    stop,
):
    """Count the events strictly before each row's day.

    Parameters
    ----------
    row_first, event_first : int64, shape (groups + 1,)
        As in :func:`follow_up_into`.
    row_day : int32, shape (rows,)
        Ascends inside a group.
    row_type : int8, shape (rows,)
        1 or 2 for rows whose days are counted apart, 0 for others.
    event_day : int32, shape (events,)
        In any order inside a group; an event whose day is ``NEVER`` is left out.
    event_counts : uint8, shape (events,)
        0 leaves an event out of everything but ``flagged``.
    event_class : int8, shape (events,)
        Column of ``of_class``; -1 for none.
    event_way : int8, shape (events,)
        0 or 1: column of ``days_of_way``.
    event_flag : uint8, shape (events,)
        Events that are counted in ``flagged``, whether or not they count otherwise.
    number : int32, shape (rows,)
        Filled: events that count.
    of_class : int32, shape (rows, classes)
        Filled: the same by class.
    days : int32, shape (rows,)
        Filled: different days with an event that counts.
    days_of_way : int32, shape (rows, 2)
        Filled: the same by way.
    flagged : int32, shape (rows,)
        Filled: flagged events.
    last_day, first_day : int32, shape (rows,)
        Filled: last and first day with an event that counts, ``NEVER`` where there is none.
    days_of_type : int32, shape (rows, 2)
        Filled: different earlier days with a row of type 1, and of type 2.
    start, stop : int
        Range of groups.

    Notes
    -----
    Cost: sorting each group's events by day, then one step for each event and row.
    """
    classes = of_class.shape[1]
    longest = 0
    for g in range(start, stop):
        longest = max(longest, event_first[g + 1] - event_first[g])
    order = np.empty(longest, dtype=np.int64)
    work = np.empty(longest, dtype=np.int64)
    by_class = np.empty(classes, dtype=np.int32)
    way_days = np.empty(2, dtype=np.int32)
    way_last = np.empty(2, dtype=np.int32)
    type_days = np.empty(2, dtype=np.int32)
    type_last = np.empty(2, dtype=np.int32)
    for g in prange(start, stop):
        low = event_first[g]
        events = event_first[g + 1] - low
        _sort_by_day(event_day, low, events, order, work)
        for c in range(classes):
            by_class[c] = 0
        for k in range(2):
            way_days[k] = 0
            way_last[k] = NEVER
            type_days[k] = 0
            type_last[k] = NEVER
        total, n_days, n_flagged = 0, 0, 0
        first, last = NEVER, NEVER
        done = 0
        row_done = row_first[g]
        for i in range(row_first[g], row_first[g + 1]):
            while done < events and event_day[order[done]] < row_day[i]:
                e = order[done]
                done += 1
                day = event_day[e]
                if day == NEVER:
                    continue
                if event_flag[e] != 0:
                    n_flagged += 1
                if event_counts[e] == 0:
                    continue
                total += 1
                if 0 <= event_class[e] < classes:
                    by_class[event_class[e]] += 1
                if day != last:
                    n_days += 1
                    last = day
                if first == NEVER:
                    first = day
                way = event_way[e]
                if way_last[way] != day:
                    way_last[way] = day
                    way_days[way] += 1
            while row_day[row_done] < row_day[i]:
                kind = row_type[row_done] - 1
                if kind >= 0 and type_last[kind] != row_day[row_done]:
                    type_last[kind] = row_day[row_done]
                    type_days[kind] += 1
                row_done += 1
            number[i] = total
            days[i] = n_days
            flagged[i] = n_flagged
            last_day[i] = last
            first_day[i] = first
            for c in range(classes):
                of_class[i, c] = by_class[c]
            for k in range(2):
                days_of_way[i, k] = way_days[k]
                days_of_type[i, k] = type_days[k]


@kernel(parallel=True, grain=64)
def latest_before_into(
    row_first, event_first, row_day, row_earliest, event_day, latest, start, stop
):
    """Find each row's latest event on or before its day and not before its earliest day.

    Parameters
    ----------
    row_first, event_first : int64, shape (groups + 1,)
        As in :func:`follow_up_into`.
    row_day, row_earliest : int32, shape (rows,)
        A row whose day is ``NEVER`` gets none.
    event_day : int32, shape (events,)
        Ascends inside a group. Of several on one day the one that stands last is taken.
    latest : int64, shape (rows,)
        Filled: position of the event, -1 for none.
    start, stop : int
        Range of groups.
    """
    for g in prange(start, stop):
        for i in range(row_first[g], row_first[g + 1]):
            latest[i] = -1
            if row_day[i] == NEVER:
                continue
            left, right = event_first[g], event_first[g + 1]
            while left < right:
                middle = (left + right) // 2
                if event_day[middle] <= row_day[i]:
                    left = middle + 1
                else:
                    right = middle
            if left > event_first[g] and event_day[left - 1] >= row_earliest[i]:
                latest[i] = left - 1
