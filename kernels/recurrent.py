"""Recurrent events with feedback: the rate of the next event depends on those before it.

Each unit has a first event; every event has a kind, a trial mode, a number of items, an outcome, a
delay until it is proven, and perhaps an absence during which no further event can happen. The
rate of the next event is a product of tabulated factors; the waiting time comes by inverting the
cumulative rate. A unit's history is a pure function of (seed, unit).
"""

import numpy as np

from kernels._jit import kernel
from kernels.elementary import log_into
from kernels.philox import philox4x64

OVERFLOW = -1
"""Returned where the rows do not fit; nothing of them may be used then."""

_SCALE = 1.0 / 9007199254740992.0
_YEAR = 365.2425
_LONGEST_STEP = 182.0
_MOST_ABSENCES = 32
_MOST_EVENTS = 250


@kernel(inline=True)
def uniform(word):
    """Map a random word to the middle of one of 2^53 equal parts of (0, 1)."""
    return (np.float64(word >> np.uint64(11)) + 0.5) * _SCALE


@kernel()
def uniforms_into(units, draw, stage, seed_low, seed_high, out):
    """Fill four uniform numbers for each unit.

    Parameters
    ----------
    units : uint64, shape (n,)
    draw, stage : uint64
        Second and third counter words.
    seed_low, seed_high : uint64
        The key.
    out : float64, shape (4, n)
        Filled with numbers in (0, 1).
    """
    zero = np.uint64(0)
    for i in range(units.shape[0]):
        a, b, c, d = philox4x64(units[i], draw, stage, zero, seed_low, seed_high)
        out[0, i] = uniform(a)
        out[1, i] = uniform(b)
        out[2, i] = uniform(c)
        out[3, i] = uniform(d)


@kernel(inline=True)
def _pick(cumulative, u):
    """First position whose cumulative share exceeds u; the last one for rounding's sake."""
    last = cumulative.shape[0] - 1
    for position in range(last):
        if u < cumulative[position]:
            return position
    return last


@kernel(inline=True)
def _quantile(grid, u):
    """Piecewise linear quantile function with equally spaced knots."""
    place = u * (grid.shape[0] - 1)
    below = min(int(place), grid.shape[0] - 2)
    return grid[below] + (place - below) * (grid[below + 1] - grid[below])


@kernel(inline=True)
def _band(edges, value):
    """Number of edges that the value reaches."""
    band = 0
    for edge in edges:
        if value >= edge:
            band += 1
    return band


@kernel()
def simulate(
    units,
    stage,
    seed_low,
    seed_high,
    first_day,
    birth_day,
    factor,
    last_day,
    first_year,
    year_rate,
    kind_rate,
    outcome_rate,
    history_rate,
    history_edges,
    age_rate,
    age_edges,
    first_kind,
    next_kind,
    stay,
    mode_shares,
    outcome_shares,
    year_more,
    delays,
    year_delay,
    lengths,
    served,
    early_absence,
    phase_rate,
    phase_ends,
    row_unit,
    row_day,
    row_proven,
    row_index,
    row_kind,
    row_mode,
    row_outcome,
    row_items,
    row_before,
    row_length,
    row_leave,
):
    """Simulate the history of each unit; return the number of rows, or ``OVERFLOW``.

    Parameters
    ----------
    units : uint64, shape (n,)
        Identity of each unit, the first counter word.
    stage : uint64
        Third counter word.
    seed_low, seed_high : uint64
        The key.
    first_day, birth_day : int64, shape (n,)
        Day of the first event and day from which age counts.
    factor : float64, shape (n,)
        What multiplies the unit's rate.
    last_day, first_year : int
        No event after ``last_day``; the calendar year (from day 0 = 1970) of entry 0 of the tables
        by year.
    year_rate, year_more, year_delay : float64, shape (years,)
        Factor of the rate, chance of one more item, factor of the delay.
    kind_rate, stay : float64, shape (kinds,)
        Factor of the rate after an event of a kind; chance that the next is of the same kind.
    outcome_rate : float64, shape (2, outcomes)
        Factor of the rate from the day on which an outcome is given, for the young and for others.
    history_rate, age_rate : float64
        Factors by band of the items before the last event, and of age in years.
    history_edges, age_edges : float64
        Lower edges of all bands but the first.
    first_kind, next_kind : float64, shape (2, kinds)
        Cumulative shares of kinds, for the young and for others.
    mode_shares : float64, shape (kinds, 3)
        Cumulative shares of modes.
    outcome_shares : float64, shape (2, history bands, kinds, outcomes)
        Cumulative shares of outcomes.
    delays : float64, shape (4, knots)
        Quantiles in days of the delay, for modes 0 to 2 and for outcome 0.
    lengths, served : float64, shape (outcomes, knots), (outcomes,)
        Quantiles of the length in days, and the share of it that is an absence (0: none).
    early_absence : float64, shape (outcomes,)
        Chance that the absence begins the day after the event and not when it is proven.
    phase_rate : float64, shape (phases + 1,)
        Factor of the rate before the event is proven, then in each phase since its index day.
    phase_ends : float64, shape (phases,)
        Days since the index day at which each phase ends, the last infinite.
    row_* : arrays, shape (capacity,)
        Filled: position of the unit, day, day proven, index day (return from the absence, else
        the day proven), kind, mode, outcome, items, items before, length in days, first day of
        the absence (-1: none).

    Notes
    -----
    Days are numbered from 1970-01-01. The factors by year and age hold for steps of at most half
    a year. Two absences that touch become one: whoever is proven guilty inside comes back at the
    later of the two ends. Cost: proportional to events plus half-years.
    """
    capacity = row_unit.shape[0]
    years = year_rate.shape[0]
    start_of_absence = np.empty(_MOST_ABSENCES, dtype=np.int64)
    end_of_absence = np.empty(_MOST_ABSENCES, dtype=np.int64)
    row_of_absence = np.empty(_MOST_ABSENCES, dtype=np.int64)
    number = np.empty(1)
    logarithm = np.empty(1)
    rows = 0
    for i in range(units.shape[0]):
        day = first_day[i]
        items_before = 0
        kind = 0
        absences = 0
        for event in range(_MOST_EVENTS):
            if day > last_day:
                break
            if rows >= capacity:
                return OVERFLOW
            e = np.uint64(event)
            a0, a1, a2, a3 = philox4x64(units[i], e, stage, np.uint64(0), seed_low, seed_high)
            b0, b1, b2, b3 = philox4x64(units[i], e, stage, np.uint64(1), seed_low, seed_high)
            year = min(max(int(day / _YEAR + 1970.0) - first_year, 0), years - 1)
            age = (day - birth_day[i]) / _YEAR
            adult = 1 if age >= 18.0 else 0
            # what happened
            if event == 0:
                kind = _pick(first_kind[adult], uniform(a0))
            elif uniform(a1) >= stay[kind]:
                kind = _pick(next_kind[adult], uniform(a0))
            mode = _pick(mode_shares[kind], uniform(a2))
            band = _band(history_edges, items_before)
            outcome = _pick(outcome_shares[adult, band, kind], uniform(a3))
            more = year_more[year]
            items = 1
            reached = 1.0 - more
            left = more
            u = uniform(b0)
            while u > reached and items < 40:
                items += 1
                reached += left * (1.0 - more)
                left *= more
            # when it is proven, and the absence that follows
            table = 3 if outcome == 0 else mode
            proven = day + int(_quantile(delays[table], uniform(b1)) * year_delay[year])
            length = int(_quantile(lengths[outcome], uniform(b2)))
            index = proven
            leave = np.int64(-1)
            if served[outcome] > 0.0:
                leave = proven
                if uniform(b3) < early_absence[outcome]:
                    leave = min(day + 1, proven)
                index = max(leave + int(length * served[outcome]) + 1, proven)
                kept = 0
                for j in range(absences):
                    if end_of_absence[j] < day:
                        continue
                    start_of_absence[kept] = start_of_absence[j]
                    end_of_absence[kept] = end_of_absence[j]
                    row_of_absence[kept] = row_of_absence[j]
                    kept += 1
                absences = min(kept, _MOST_ABSENCES - 1)
                # twice, because growing by one absence may reach another
                for _ in range(2):
                    for j in range(absences):
                        if leave <= end_of_absence[j] and start_of_absence[j] <= index:
                            index = max(index, end_of_absence[j])
                for j in range(absences):
                    if leave <= end_of_absence[j] and start_of_absence[j] <= index:
                        end_of_absence[j] = index
                        row_index[row_of_absence[j]] = index
                start_of_absence[absences] = leave
                end_of_absence[absences] = index
                row_of_absence[absences] = rows
                absences += 1
            row_unit[rows] = i
            row_day[rows] = day
            row_proven[rows] = proven
            row_index[rows] = index
            row_kind[rows] = kind
            row_mode[rows] = mode
            row_outcome[rows] = outcome
            row_items[rows] = items
            row_before[rows] = items_before
            row_length[rows] = length
            row_leave[rows] = leave
            rows += 1
            items_before += items
            # when the next event happens: spend a standard exponential along the rate
            c0, _, _, _ = philox4x64(units[i], e, stage, np.uint64(2), seed_low, seed_high)
            number[0] = uniform(c0)
            log_into(number, logarithm)
            budget = -logarithm[0]
            fixed = factor[i] * kind_rate[kind] * history_rate[band]
            now = float(day)
            while now <= last_day:
                if now < proven:
                    phase = 0
                    until = float(proven)
                else:
                    phase = 1
                    while now - index >= phase_ends[phase - 1]:
                        phase += 1
                    until = index + phase_ends[phase - 1]
                until = min(until, now + _LONGEST_STEP)
                inside = False
                for j in range(absences):
                    if start_of_absence[j] <= now < end_of_absence[j]:
                        now = float(end_of_absence[j])
                        inside = True
                    elif now < start_of_absence[j]:
                        until = min(until, float(start_of_absence[j]))
                if inside:
                    continue
                year = min(max(int(now / _YEAR + 1970.0) - first_year, 0), years - 1)
                rate = (
                    fixed
                    * year_rate[year]
                    * age_rate[_band(age_edges, (now - birth_day[i]) / _YEAR)]
                    * phase_rate[phase]
                ) / _YEAR
                if phase > 0:
                    rate *= outcome_rate[adult, outcome]
                spent = rate * (until - now)
                if spent >= budget:
                    now += budget / rate
                    break
                budget -= spent
                now = until
            # at least the next day, so that events of one unit are in order of days
            day = max(int(now), day + 1)
    return rows


@kernel()
def follow_into(unit, day, proven, items, index, window_end, proven_end, counts, first):
    """Count the items of later events of each row's unit inside the row's window.

    Parameters
    ----------
    unit : int64, shape (n,)
        Rows of a unit stand together.
    day, proven, items : int64, shape (n,)
        Day of each event, day on which it was proven, and its items.
    index, window_end, proven_end : int64, shape (n,)
        An event counts if ``index < day <= window_end`` and ``proven <= proven_end``.
    counts, first : int64, shape (n,)
        Filled: items counted, and days from the index day to the first (0 where none).

    Notes
    -----
    Cost: the sum over units of rows squared.
    """
    n = unit.shape[0]
    begin = 0
    for row in range(n):
        if unit[row] != unit[begin]:
            begin = row
        counts[row] = 0
        first[row] = 0
        other = begin
        while other < n and unit[other] == unit[row]:
            if index[row] < day[other] <= window_end[row] and proven[other] <= proven_end[row]:
                counts[row] += items[other]
                wait = day[other] - index[row]
                if first[row] == 0 or wait < first[row]:
                    first[row] = wait
            other += 1
