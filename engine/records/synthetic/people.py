"""Who the people are before anything happens: sex, birth, first offence, needs, hidden motivation.

Every draw is a function of (seed, person), so a block of people is the same whoever makes it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.records.code_lists import NEEDS
from engine.records.synthetic.world import FIRST_YEAR, LAST_YEAR, Coefficients, Floats
from kernels.elementary import exponential, logarithm
from kernels.recurrent import uniforms_into

Ints = NDArray[np.int64]

BLOCK = 16_384
"""People made at a time: a function of nothing, so that blocks never depend on the machine."""

STAGE_PEOPLE, STAGE_CAREERS, STAGE_RECORDS, STAGE_NAMES, STAGE_SUBMISSIONS = 101, 102, 103, 104, 105
STAGE_WORK = 106
"""Third counter words: nothing else in the project uses these."""

MALE = 0.80
TWINS = 0.004
"""Chance that a person with an odd number is the twin of the one before."""
BEFORE = 12
"""Years before the first year of interest in which records begin."""

NEED_MEANS = (0.55, 0.85, 0.65, 0.75, 0.95, 0.75, 0.65, 0.60, 1.00, 0.70)
NEED_EFFECTS = (0.14, 0.12, 0.06, 0.05, 0.12, 0.24, 0.08, 0.03, 0.16, 0.14)
"""What one point of each need (0, 1, 2) adds to the log rate, in the order of ``NEEDS``."""
_NEED_CUTS = (
    (0.62, 0.83),
    (0.45, 0.70),
    (0.55, 0.80),
    (0.50, 0.75),
    (0.40, 0.65),
    (0.55, 0.70),
    (0.60, 0.78),
    (0.60, 0.82),
    (0.35, 0.65),
    (0.52, 0.80),
)
_SHARED = 0.65
"""Weight of what a person's needs have in common."""
HIDDEN_EFFECT = 0.6
"""What one standard deviation of motivation, which no record holds, takes from the log rate."""

_YOUNG_YEARS = (2004.0, 2010.0, 2023.0)
_YOUNG_SHARES = (0.30, 0.25, 0.10)
"""Share of records that begin before 18, by year."""
_YOUNG_AGES = (10.0, 13.2, 14.8, 16.0, 17.0, 18.0)
_ADULT_AGES = (18.0, 19.0, 20.4, 22.2, 24.8, 28.0, 31.8, 36.2, 41.8, 50.0, 82.0)
"""Quantiles of the age at the first offence."""
_DEATHS, _AGEING = 0.0003, 0.07
"""Yearly chance of death at birth, and its growth by year of age: 0.25 % at 30, 1 % at 50."""
_DEPORTED = 0.006
"""Share of people who are deported within ten years of their first offence."""
_FAR = 1 << 19
"""A day that never comes."""


class People(NamedTuple):
    """One block of people, in order.

    Parameters
    ----------
    unit : uint64, shape (n,)
        Number of each person, from 0.
    twin : bool, shape (n,)
        Whether the person is the twin of the one before.
    male : bool, shape (n,)
    birth_day, first_day : int64, shape (n,)
        Days since 1970-01-01 of birth and of the first offence.
    needs : int8, shape (10, n)
        OASys needs 0, 1, 2 in the order of ``NEEDS``.
    motivation : float64, shape (n,)
        About standard normal; no record holds it.
    factor : float64, shape (n,)
        What multiplies the person's rate.
    exit_day : int64, shape (n,)
        Day of death or deportation; nothing is proven later.
    deported : bool, shape (n,)
        Whether the person is deported and does not die.
    """

    unit: NDArray[np.uint64]
    twin: NDArray[np.bool_]
    male: NDArray[np.bool_]
    birth_day: Ints
    first_day: Ints
    needs: NDArray[np.int8]
    motivation: Floats
    factor: Floats
    exit_day: Ints
    deported: NDArray[np.bool_]


def uniforms(unit: NDArray[np.uint64], stage: int, seed: int, calls: int) -> Floats:
    """Return ``4 * calls`` uniform numbers for each unit, shape (4 * calls, n)."""
    out = np.empty((4 * calls, len(unit)))
    for call in range(calls):
        uniforms_into(
            unit,
            np.uint64(call),
            np.uint64(stage),
            np.uint64(seed & 0xFFFFFFFFFFFFFFFF),
            np.uint64(seed >> 64),
            out[4 * call : 4 * call + 4],
        )
    return out


def year_starts() -> Ints:
    """Day on which each calendar year from ``FIRST_YEAR`` begins, one more at the end."""
    years = np.arange(FIRST_YEAR, LAST_YEAR + 2).astype(str)
    return years.astype("datetime64[D]").astype(np.int64)


def exponentials(x: Floats) -> Floats:
    """Exponential with the same bits on every machine."""
    out = np.empty_like(x)
    exponential(np.ascontiguousarray(x), out)
    return out


def quantile(knots: tuple[float, ...], u: Floats) -> Floats:
    """Piecewise linear quantile function with equally spaced knots."""
    return np.interp(u, np.linspace(0.0, 1.0, len(knots)), knots)


def first_days(u: Floats, v: Floats, solved: Coefficients, years: tuple[int, int]) -> Ints:
    """Return the day of the first offence: year by the number of entrants, any day of it."""
    calendar = np.arange(years[0] - BEFORE, years[1] + 2)
    weights = np.array(solved.entrants)[
        np.clip(calendar - solved.first_year, 0, len(solved.entrants) - 1)
    ]
    shares = np.cumsum(weights) / np.sum(weights)
    year = calendar[np.minimum(np.searchsorted(shares, u, side="right"), len(calendar) - 1)]
    starts = year_starts()
    begin = starts[year - FIRST_YEAR]
    length = starts[year - FIRST_YEAR + 1] - begin
    return begin + (v * length).astype(np.int64)


def make_people(
    first: int, count: int, seed: int, solved: Coefficients, years: tuple[int, int]
) -> People:
    """Return the people numbered ``first`` to ``first + count - 1``.

    Parameters
    ----------
    first, count : int
    seed : int
        128 bits.
    solved : Coefficients
    years : tuple of int
        First and last year of interest; records begin from ``BEFORE`` years earlier.

    Returns
    -------
    People
    """
    unit = np.arange(first, first + count, dtype=np.uint64)
    u = uniforms(unit, STAGE_PEOPLE, seed, 7)
    first_day = first_days(u[0], u[1], solved, years)
    male = u[2] < MALE
    year = first_day / 365.2425 + 1970.0
    young = u[3] < np.interp(year, _YOUNG_YEARS, _YOUNG_SHARES)
    age = np.where(young, quantile(_YOUNG_AGES, u[4]), quantile(_ADULT_AGES, u[4]))
    birth_day = first_day - (age * 365.2425).astype(np.int64) - 1
    twin = (unit % np.uint64(2) == 1) & (u[20] < TWINS)
    twin[0] = False
    pair = np.flatnonzero(twin)
    birth_day[pair] = birth_day[pair - 1]
    first_day[pair] = first_day[pair - 1] + (u[21, pair] * 400).astype(np.int64)
    common = u[5]
    needs = np.empty((len(NEEDS), count), dtype=np.int8)
    score = np.zeros(count)
    for i, (low, high) in enumerate(_NEED_CUTS):
        # what is shared by all needs, or one's own draw: a mixture keeps every margin uniform
        own = u[6 + i]
        mixed = np.where(own < _SHARED, common, (own - _SHARED) / (1.0 - _SHARED))
        needs[i] = (mixed >= low).astype(np.int8) + (mixed >= high)
        score += NEED_EFFECTS[i] * (needs[i] - NEED_MEANS[i])
    # a sum of four uniform numbers is close to normal and needs no inverse
    motivation = (u[16] + u[17] + u[18] + u[19] - 2.0) * np.sqrt(3.0)
    factor = exponentials(score - HIDDEN_EFFECT * motivation)
    factor[~male] *= solved.female
    exit_day, deported = _exits(birth_day, first_day, u[22:25])
    return People(
        unit, twin, male, birth_day, first_day, needs, motivation, factor, exit_day, deported
    )


def _exits(birth_day: Ints, first_day: Ints, u: Floats) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the day of death or deportation, whichever is first, and whether it is the latter.

    Notes
    -----
    Death follows Gompertz's law from the day of the first offence on.
    """
    age = (first_day - birth_day) / 365.2425
    waiting = np.empty(len(age))
    logarithm(np.ascontiguousarray(u[0]), waiting)
    hazard = exponentials(_AGEING * age) - waiting * (_AGEING / _DEATHS)
    at_death = np.empty(len(age))
    logarithm(hazard, at_death)
    died = birth_day + (at_death / _AGEING * 365.2425).astype(np.int64)
    sent = np.where(u[1] < _DEPORTED, first_day + 60 + (u[2] * 3650).astype(np.int64), _FAR)
    return np.minimum(died, sent), sent < died
