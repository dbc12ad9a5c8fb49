"""Counting events before and after a day equals plain loops, on small days full of ties."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.events import (
    KINDS,
    NEVER,
    follow_up_into,
    history_into,
    latest_before_into,
)
from kernels.spells import covered_before_into
from tests.kernels.support import COMPILED, examples

CLASSES = 3
DAY = st.integers(0, 8) | st.just(NEVER)


@st.composite
def careers(draw):
    """Groups with rows and events whose days are few, so that most of them tie."""
    groups = []
    for _ in range(draw(st.integers(0, 4))):
        rows = draw(st.lists(st.tuples(st.integers(0, 8), DAY, st.integers(0, 2), st.booleans())))
        events = draw(
            st.lists(
                st.tuples(
                    st.integers(0, 9),
                    DAY,
                    st.booleans(),
                    st.integers(-1, KINDS),
                    st.integers(-1, 20),
                    st.integers(-1, CLASSES),
                    st.integers(0, 1),
                    st.booleans(),
                ),
                max_size=12,
            )
        )
        groups.append((sorted(rows, key=lambda row: row[0]), sorted(events, key=lambda e: e[0])))
    return groups


def arrays(groups):
    rows = [row for rows, _ in groups for row in rows]
    events = []
    first_row, first_event = [0], [0]
    for own_rows, own_events in groups:
        begin = first_row[-1]
        for event in own_events:
            place = event[4]
            led_to = begin + place if 0 <= place < len(own_rows) else -1
            events.append((*event[:4], led_to, *event[5:]))
        first_row.append(begin + len(own_rows))
        first_event.append(first_event[-1] + len(own_events))

    def take(table, place, kind):
        return np.array([one[place] for one in table], dtype=kind)

    return {
        "row_first": np.array(first_row, dtype=np.int64),
        "event_first": np.array(first_event, dtype=np.int64),
        "sorted_day": take(rows, 0, np.int32),
        "row_day": take(rows, 1, np.int32),
        "row_type": take(rows, 2, np.int8),
        "marked": take(rows, 3, np.uint8),
        "event_day": take(events, 0, np.int32),
        "proof": take(events, 1, np.int32),
        "counts": take(events, 2, np.uint8),
        "kind": take(events, 3, np.int8),
        "led_to": take(events, 4, np.int32),
        "class": take(events, 5, np.int8),
        "way": take(events, 6, np.int8),
        "flag": take(events, 7, np.uint8),
    }


def pairs(a):
    """Yield each row with the events of its group."""
    for g in range(len(a["row_first"]) - 1):
        events = range(a["event_first"][g], a["event_first"][g + 1])
        for i in range(a["row_first"][g], a["row_first"][g + 1]):
            yield i, events, range(a["row_first"][g], a["row_first"][g + 1])


@examples(150, 40)
@given(careers(), st.integers(0, 4), st.integers(0, 6))
def test_follow_up(groups, window, wait):
    a = arrays(groups)
    n = len(a["row_day"])
    end = np.where(a["row_day"] == NEVER, NEVER, a["row_day"] + window).astype(np.int32)
    proof_end = np.where(a["row_day"] == NEVER, NEVER, a["row_day"] + wait).astype(np.int32)
    number, gap, marked_rows = (np.full(n, 99, np.int32) for _ in range(3))
    first_kind, first_marked = np.full(n, 99, np.int8), np.full(n, 99, np.int8)
    of_kind = np.full((n, KINDS), 99, np.int32)
    follow_up_into(
        *(a["row_first"], a["event_first"], a["row_day"], end, proof_end, a["marked"]),
        *(a["event_day"], a["proof"], a["counts"], a["kind"], a["led_to"]),
        *(np.full(n, -1, np.int64), number, gap, first_kind, first_marked, of_kind, marked_rows),
        *(0, len(groups)),
    )
    for i, events, _ in pairs(a):
        day = a["row_day"][i]
        inside = [
            e
            for e in events
            if day != NEVER
            and day < a["event_day"][e] <= end[i]
            and a["counts"][e]
            and NEVER != a["proof"][e] <= proof_end[i]
        ]
        marked = [e for e in inside if a["led_to"][e] >= 0 and a["marked"][a["led_to"][e]]]
        assert number[i] == len(inside)
        for kind in range(KINDS):
            assert of_kind[i, kind] == sum(a["kind"][e] == kind for e in inside)
        assert marked_rows[i] == len({a["led_to"][e] for e in marked})
        if not inside:
            assert (gap[i], first_kind[i], first_marked[i]) == (-1, -1, -1)
            continue
        first = min(inside, key=lambda e: (a["event_day"][e], a["kind"][e], e))
        assert gap[i] == a["event_day"][first] - day
        assert first_kind[i] == a["kind"][first]
        assert first_marked[i] == (first in marked)


@examples(150, 40)
@given(careers())
def test_history(groups):
    a = arrays(groups)
    n = len(a["row_day"])
    number, days, flagged, last, begin = (np.full(n, 99, np.int32) for _ in range(5))
    of_class = np.full((n, CLASSES), 99, np.int32)
    of_way, of_type = np.full((n, 2), 99, np.int32), np.full((n, 2), 99, np.int32)
    history_into(
        *(a["row_first"], a["event_first"], a["sorted_day"], a["row_type"], a["proof"]),
        *(a["counts"], a["class"], a["way"], a["flag"]),
        *(number, of_class, days, of_way, flagged, last, begin, of_type),
        *(0, len(groups)),
    )
    for i, events, rows in pairs(a):
        day = a["sorted_day"][i]
        before = [e for e in events if NEVER != a["proof"][e] < day]
        counted = [e for e in before if a["counts"][e]]
        proofs = {a["proof"][e] for e in counted}
        assert number[i] == len(counted)
        assert days[i] == len(proofs)
        assert flagged[i] == sum(a["flag"][e] for e in before)
        assert last[i] == max(proofs, default=NEVER)
        assert begin[i] == min(proofs, default=NEVER)
        for c in range(CLASSES):
            assert of_class[i, c] == sum(a["class"][e] == c for e in counted)
        for k in range(2):
            assert of_way[i, k] == len({a["proof"][e] for e in counted if a["way"][e] == k})
            earlier = {
                a["sorted_day"][j]
                for j in rows
                if a["sorted_day"][j] < day and a["row_type"][j] == k + 1
            }
            assert of_type[i, k] == len(earlier)


@examples(150, 40)
@given(careers(), st.integers(0, 4))
def test_latest_before(groups, width):
    a = arrays(groups)
    earliest = np.where(a["row_day"] == NEVER, NEVER, a["row_day"] - width).astype(np.int32)
    latest = np.full(len(a["row_day"]), 99, np.int64)
    latest_before_into(
        *(a["row_first"], a["event_first"], a["row_day"], earliest, a["event_day"], latest),
        *(0, len(groups)),
    )
    for i, events, _ in pairs(a):
        day = a["row_day"][i]
        near = [e for e in events if day != NEVER and earliest[i] <= a["event_day"][e] <= day]
        assert latest[i] == max(near, default=-1)


def test_warming_up_compiles_what_the_store_calls(tmp_path):
    if not COMPILED:
        return
    from engine.store.prepare import prepare
    from engine.warm_up import compile_events
    from tests.engine.store.nation import make_extract

    kernels = [follow_up_into, history_into, latest_before_into, covered_before_into]
    compile_events()
    before = [set(one.__wrapped__.signatures) for one in kernels]
    make_extract(tmp_path / "extract", 30, 4)
    prepare(tmp_path / "extract", tmp_path / "store")

    assert [set(one.__wrapped__.signatures) for one in kernels] == before
