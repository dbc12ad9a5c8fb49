"""Simulated histories against a plain Python twin, and what must hold for each of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.elementary import logarithm
from kernels.recurrent import OVERFLOW, follow_into, simulate, uniforms_into
from tests import naive
from tests.kernels.support import COMPILED, examples

YEAR = 365.2425
KINDS, OUTCOMES, BANDS = 3, 4, 3
STAGE, KEY = 7, (11, 22)


def uniform(word):
    return ((word >> 11) + 0.5) / 2.0**53


def words(unit, event, call):
    return [uniform(w) for w in naive.philox4x64((unit, event, STAGE, call), KEY)]


def tables(seed):
    """Random tables, in the order of the kernel's arguments from first_year on."""
    rng = np.random.default_rng(seed)

    def shares(*shape):
        sums = np.cumsum(rng.uniform(0.1, 1.0, shape), axis=-1)
        return sums / sums[..., -1:]

    return {
        "first_year": 1980,
        "year_rate": rng.uniform(0.5, 1.5, 60),
        "kind_rate": rng.uniform(0.1, 2.0, KINDS),
        "outcome_rate": rng.uniform(0.3, 2.0, (2, OUTCOMES)),
        "history_rate": rng.uniform(0.5, 2.0, BANDS),
        "history_edges": np.array([1.0, 4.0]),
        "age_rate": rng.uniform(0.5, 1.5, 3),
        "age_edges": np.array([18.0, 30.0]),
        "first_kind": shares(2, KINDS),
        "next_kind": shares(2, KINDS),
        "stay": rng.uniform(0.0, 0.9, KINDS),
        "mode_shares": shares(KINDS, 3),
        "outcome_shares": shares(2, BANDS, KINDS, OUTCOMES),
        "year_more": rng.uniform(0.0, 0.8, 60),
        "delays": np.sort(rng.uniform(0, 400, (4, 5)), axis=1),
        "year_delay": rng.uniform(0.8, 1.4, 60),
        "lengths": np.sort(rng.uniform(0, 900, (OUTCOMES, 5)), axis=1),
        "served": np.array([0.0, 0.0, 0.5, 0.9]),
        "early_absence": np.array([0.0, 0.0, 0.3, 0.8]),
        "phase_rate": np.array([0.8, 1.5, 0.9, 0.3]),
        "phase_ends": np.array([90.0, 365.0, np.inf]),
    }


def run(units, first, birth, factor, last_day, table, capacity=5000):
    rows = [np.empty(capacity, dtype=np.int64) for _ in range(11)]
    count = simulate(
        units.astype(np.uint64),
        np.uint64(STAGE),
        np.uint64(KEY[0]),
        np.uint64(KEY[1]),
        first,
        birth,
        factor,
        last_day,
        *table.values(),
        *rows,
    )
    return count, np.array(rows)[:, : max(count, 0)]


def pick(cumulative, u):
    return next((i for i, share in enumerate(cumulative) if u < share), len(cumulative) - 1)


def quantile(knots, u):
    return float(np.interp(u, np.linspace(0, 1, len(knots)), knots))


def band(edges, value):
    return int(np.searchsorted(edges, value, side="right"))


def minus_log(u):
    out = np.empty(1)
    logarithm(np.array([u]), out)
    return -out[0]


def plain_history(unit, day, birth, factor, last_day, t):
    """One unit's rows, written from the docstring: absences are a list of [begin, end, row]."""
    rows, absences, before, kind = [], [], 0, 0
    calendar = len(t["year_rate"]) - 1

    def year_of(when):
        return min(max(int(when / YEAR + 1970) - t["first_year"], 0), calendar)

    event = 0
    while day <= last_day and event < 250:
        a, b, c = (words(unit, event, call) for call in range(3))
        year, adult = year_of(day), int((day - birth) / YEAR >= 18)
        if event == 0:
            kind = pick(t["first_kind"][adult], a[0])
        elif a[1] >= t["stay"][kind]:
            kind = pick(t["next_kind"][adult], a[0])
        mode = pick(t["mode_shares"][kind], a[2])
        history = band(t["history_edges"], before)
        outcome = pick(t["outcome_shares"][adult, history, kind], a[3])
        more = t["year_more"][year]
        # P(items > n) = more^n
        items, tail = 1, more
        while b[0] > 1.0 - tail and items < 40:
            items, tail = items + 1, tail * more
        delay = t["delays"][3 if outcome == 0 else mode]
        proven = day + int(quantile(delay, b[1]) * t["year_delay"][year])
        length = int(quantile(t["lengths"][outcome], b[2]))
        leave, index = -1, proven
        if t["served"][outcome] > 0:
            leave = min(day + 1, proven) if b[3] < t["early_absence"][outcome] else proven
            index = max(leave + int(length * t["served"][outcome]) + 1, proven)
            absences = [one for one in absences if one[1] >= day]
            for _ in range(2):
                for begin, end, _row in absences:
                    if leave <= end and begin <= index:
                        index = max(index, end)
            for one in absences:
                if leave <= one[1] and one[0] <= index:
                    one[1] = index
                    rows[one[2]][3] = index
            absences.append([leave, index, len(rows)])
        rows.append([unit, day, proven, index, kind, mode, outcome, items, before, length, leave])
        before += items
        budget = minus_log(c[0])
        fixed = factor * t["kind_rate"][kind] * t["history_rate"][history]
        now = float(day)
        while now <= last_day:
            inside = [end for begin, end, _row in absences if begin <= now < end]
            if inside:
                now = float(max(inside))
                continue
            if now < proven:
                phase, until = 0, float(proven)
            else:
                phase = 1 + int(np.searchsorted(t["phase_ends"], now - index, side="right"))
                until = index + t["phase_ends"][phase - 1]
            until = min([until, now + 182.0, *(float(one[0]) for one in absences if now < one[0])])
            rate = (
                fixed
                * t["year_rate"][year_of(now)]
                * t["age_rate"][band(t["age_edges"], (now - birth) / YEAR)]
                * t["phase_rate"][phase]
            ) / YEAR
            if phase > 0:
                rate *= t["outcome_rate"][adult, outcome]
            spent = rate * (until - now)
            if spent >= budget:
                now += budget / rate
                break
            budget -= spent
            now = until
        day = max(int(now), day + 1)
        event += 1
    return rows


@given(seed=st.integers(0, 10_000))
@examples(40, 3)
def test_histories_are_those_of_the_plain_twin(seed):
    rng = np.random.default_rng(seed)
    table = tables(seed)
    count = 6 if COMPILED else 2
    units = rng.integers(0, 2**40, count)
    first = rng.integers(11_000, 17_000, count)
    birth = first - rng.integers(4_000, 15_000, count)
    factor = rng.uniform(0.2, 3.0, count)
    found, rows = run(units, first, birth, factor, 18_000, table)
    expected = []
    for i in range(count):
        one = plain_history(int(units[i]), int(first[i]), birth[i], factor[i], 18_000, table)
        expected += [[i, *row[1:]] for row in one]
    assert found == len(expected)
    np.testing.assert_array_equal(rows.T, np.array(expected).reshape(-1, 11))


@given(seed=st.integers(0, 10_000))
@examples(30, 2)
def test_nobody_offends_during_an_absence_and_days_are_in_order(seed):
    rng = np.random.default_rng(seed)
    count = 20 if COMPILED else 3
    first = rng.integers(11_000, 13_000, count)
    _, rows = run(np.arange(count), first, first - 8_000, np.full(count, 4.0), 18_000, tables(seed))
    unit, day, proven, index, _, _, _, items, before, _, leave = rows
    same = unit[1:] == unit[:-1]
    assert np.all(day[1:][same] > day[:-1][same])
    assert np.all(proven >= day)
    assert np.all(index >= proven)
    np.testing.assert_array_equal(before[1:][same], (before + items)[:-1][same])
    for i in np.flatnonzero(leave >= 0):
        others = (unit == unit[i]) & (day > leave[i]) & (day < index[i])
        # who is proven guilty while outside may have offended between the event and that day
        assert not np.any(others)


def test_units_do_not_depend_on_their_neighbours():
    units = np.arange(50)
    first = np.full(50, 12_000)
    table = tables(3)
    _, together = run(units, first, first - 9_000, np.full(50, 1.0), 18_000, table)
    _, half = run(units[25:], first[25:], first[25:] - 9_000, np.full(25, 1.0), 18_000, table)
    chosen = together[0] >= 25
    np.testing.assert_array_equal(together[1:, chosen], half[1:])


def test_too_small_a_capacity_is_reported():
    first = np.full(5, 12_000)
    count, _ = run(np.arange(5), first, first - 9_000, np.full(5, 5.0), 18_000, tables(1), 4)
    assert count == OVERFLOW


@given(seed=st.integers(0, 10_000))
@examples(40, 5)
def test_counts_in_a_window_are_those_of_a_double_loop(seed):
    rng = np.random.default_rng(seed)
    n = 30
    unit = np.sort(rng.integers(0, 6, n))
    day = rng.integers(0, 40, n)
    proven = day + rng.integers(0, 30, n)
    index = proven + rng.integers(0, 5, n)
    items = rng.integers(1, 4, n)
    counts, first = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    follow_into(unit, day, proven, items, index, index + 12, index + 18, counts, first)
    for i in range(n):
        inside = [
            j
            for j in range(n)
            if unit[j] == unit[i]
            and index[i] < day[j] <= index[i] + 12
            and proven[j] <= index[i] + 18
        ]
        assert counts[i] == sum(items[j] for j in inside)
        assert first[i] == min((day[j] - index[i] for j in inside), default=0)


@pytest.mark.parametrize("draw", [0, 3])
def test_uniform_numbers_are_the_words_of_the_unit(draw):
    units = np.array([0, 5, 2**40], dtype=np.uint64)
    out = np.empty((4, 3))
    uniforms_into(units, np.uint64(draw), np.uint64(9), np.uint64(1), np.uint64(2), out)
    for i, unit in enumerate(units):
        expected = [uniform(w) for w in naive.philox4x64((int(unit), draw, 9, 0), (1, 2))]
        assert out[:, i].tolist() == expected
    assert np.all((out > 0.0) & (out < 1.0))
