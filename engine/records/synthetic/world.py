"""Tables that careers are simulated from: who does what, what follows, how long it takes.

What the published statistics fix is solved for and stored in ``coefficients``; what they leave
open is stated here, in round numbers that a reader can judge.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.records.code_lists import OFFENCE_GROUPS_13

Floats = NDArray[np.float64]

KINDS = OFFENCE_GROUPS_13
OUTCOMES = (
    "caution",
    "fine",
    "discharge",
    "community",
    "suspended",
    "custody to 6 months",
    "custody 6 to 12 months",
    "custody 1 to 4 years",
    "custody over 4 years",
    "life",
)
CAUTION, FINE, DISCHARGE, COMMUNITY, SUSPENDED, SHORT, MIDDLE, LONG, LONGEST, LIFE = range(10)

FIRST_YEAR = 1970
"""Calendar year of entry 0 of every table by year."""
LAST_YEAR = 2060
HISTORY_EDGES = (1.0, 3.0, 7.0, 11.0)
"""Previous offences at which a band begins: none, 1-2, 3-6, 7-10, 11 and more."""
AGE_EDGES = (15.0, 18.0, 21.0, 25.0, 30.0, 40.0, 50.0)

# Share of each kind tried only on indictment, then either way; the rest is summary.
_MODES = {
    "violence against the person": (0.12, 0.88),
    "sexual offences": (0.45, 0.52),
    "robbery": (1.0, 0.0),
    "theft offences": (0.06, 0.92),
    "criminal damage and arson": (0.12, 0.88),
    "drug offences": (0.04, 0.96),
    "possession of weapons": (0.10, 0.90),
    "public order offences": (0.02, 0.70),
    "miscellaneous crimes against society": (0.20, 0.60),
    "fraud offences": (0.02, 0.93),
    "summary non-motoring": (0.0, 0.0),
    "summary motoring": (0.0, 0.0),
    "other": (0.05, 0.25),
}
# Weights of caution, fine, discharge, community, suspended, custody to 6 months, 6 to 12 months,
# 1 to 4 years, over 4 years, life; for an adult with one or two previous offences.
_OUTCOMES = {
    "violence against the person": (22, 6, 6, 28, 20, 5, 4, 12, 4, 0.15),
    "sexual offences": (10, 2, 2, 26, 18, 2, 3, 18, 16, 0.30),
    "robbery": (1, 0, 0, 10, 12, 2, 3, 34, 26, 0.40),
    "theft offences": (18, 20, 18, 20, 9, 12, 3, 5, 0.5, 0),
    "criminal damage and arson": (22, 14, 16, 24, 12, 4, 3, 5, 1, 0.05),
    "drug offences": (30, 30, 10, 10, 9, 1, 1, 8, 4, 0),
    "possession of weapons": (14, 8, 8, 26, 20, 8, 6, 7, 1, 0),
    "public order offences": (18, 20, 12, 24, 14, 7, 3, 3, 0.2, 0),
    "miscellaneous crimes against society": (8, 20, 10, 22, 18, 6, 6, 8, 2, 0),
    "fraud offences": (10, 18, 10, 26, 22, 3, 3, 8, 1, 0),
    "summary non-motoring": (14, 44, 14, 17, 7, 5, 0, 0, 0, 0),
    "summary motoring": (0, 82, 2, 11, 4, 2, 0, 0, 0, 0),
    "other": (6, 36, 14, 18, 8, 10, 3, 3, 0.3, 0),
}
_LENIENT = (3.0, 1.0, 0.45, 0.3, 0.25)
"""By band of previous offences: what multiplies a caution."""
_CUSTODIAL = (0.35, 1.0, 1.3, 1.7, 2.6)
"""By band of previous offences: what multiplies custody."""
_SUPERVISED = (0.7, 1.0, 1.2, 1.3, 1.2)
"""By band of previous offences: what multiplies a community order or a suspended sentence."""
_YOUNG_OUTCOMES = (2.5, 0.25, 1.5, 1.6, 0.05, 0.25, 0.25, 0.25, 0.15, 0.05)

_DELAYS = (
    (20, 90, 140, 190, 240, 300, 380, 500, 1000),
    (2, 20, 45, 75, 105, 145, 200, 300, 850),
    (1, 14, 28, 45, 65, 90, 125, 180, 450),
    (0, 1, 3, 6, 12, 20, 35, 60, 160),
)
"""Quantiles of days from offence to proof: indictable only, either way, summary, cautions."""
_LENGTHS = (
    (0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0),
    (182, 183, 365, 366, 730),
    (120, 365, 366, 540, 1095),
    (180, 365, 500, 660, 730),
    (7, 42, 84, 126, 182),
    (184, 220, 270, 310, 364),
    (366, 500, 730, 1000, 1460),
    (1461, 1700, 2190, 3000, 6500),
    (5000, 6500, 7500, 9000, 11000),
)
"""Quantiles of the length in days of each outcome."""
_SERVED = (0, 0, 0, 0, 0, 0.5, 0.48, 0.46, 0.55, 1.0)
_EARLY = (0, 0, 0, 0, 0, 0.15, 0.3, 0.5, 0.75, 0.95)
"""Chance that custody begins with remand right after the offence."""
_KIND_STAYS = {
    "theft offences": 0.62,
    "summary motoring": 0.38,
    "drug offences": 0.3,
    "violence against the person": 0.25,
    "sexual offences": 0.3,
    "fraud offences": 0.3,
    "summary non-motoring": 0.3,
    "other": 0.3,
}
_FIRST_MORE = {"drug offences": 1.3, "summary motoring": 1.4, "other": 0.6, "theft offences": 0.75}
_YOUNG_MORE = {
    "robbery": 4.0,
    "criminal damage and arson": 2.5,
    "summary motoring": 0.25,
    "fraud offences": 0.2,
    "miscellaneous crimes against society": 0.5,
    "possession of weapons": 2.0,
    "violence against the person": 1.4,
}
_AGES = (1.15, 1.25, 1.2, 1.0, 1.0, 1.05, 0.75, 0.35)
"""Factor by age band; the coefficients add one for those under 18."""
_OUTCOME_RATES = (0.75, 0.9, 0.95, 1.0, 0.85, 1.6, 1.4, 0.75, 0.45, 0.2)
PHASE_RATES = (0.8, 1.5, 0.95, 0.36, 0.10)
"""Factor of the rate before proof, in the first 90 days after the index date, to a year, to three
years, and after that."""
PHASE_ENDS = (90.0, 365.0, 1095.0, np.inf)


class Coefficients(NamedTuple):
    """What is solved for, so that the nation follows the published tables.

    Parameters
    ----------
    kind_rate : tuple of float, one for each kind
        Factor of the rate after an event of the kind.
    kind_weight : tuple of float, one for each kind
        Weight of the kind among events.
    history : tuple of float
        Factor of the rate by band of previous offences.
    short, middle, supervised : float
        Factors after custody to 6 months, custody of 6 to 12 months, and all other custody and
        orders of adults.
    young, female, later : float
        Factors of those under 18, of women, and of the time more than a year after the index date.
    first_year : int
        Year of entry 0 of the next three.
    year_rate, year_more, entrants : tuple of float
        By year (April to March): factor of the rate, chance of one more offence in an event,
        relative number of people whose record begins.
    """

    kind_rate: tuple[float, ...]
    kind_weight: tuple[float, ...]
    history: tuple[float, ...]
    short: float
    middle: float
    supervised: float
    young: float
    female: float
    later: float
    first_year: int
    year_rate: tuple[float, ...]
    year_more: tuple[float, ...]
    entrants: tuple[float, ...]


class World(NamedTuple):
    """Tables of :func:`kernels.recurrent.simulate`, in its order from ``first_year`` on."""

    first_year: int
    year_rate: Floats
    kind_rate: Floats
    outcome_rate: Floats
    history_rate: Floats
    history_edges: Floats
    age_rate: Floats
    age_edges: Floats
    first_kind: Floats
    next_kind: Floats
    stay: Floats
    mode_shares: Floats
    outcome_shares: Floats
    year_more: Floats
    delays: Floats
    year_delay: Floats
    lengths: Floats
    served: Floats
    early_absence: Floats
    phase_rate: Floats
    phase_ends: Floats


def _by_kind(values: dict[str, Any], default: float) -> Floats:
    """One number for each kind."""
    return np.array([values.get(kind, default) for kind in KINDS], dtype=np.float64)


def _cumulative(weights: Floats) -> Floats:
    """Cumulative shares along the last axis."""
    sums = np.cumsum(weights, axis=-1)
    return np.ascontiguousarray(sums / sums[..., -1:])


def _by_calendar_year(values: tuple[float, ...], first: int) -> Floats:
    """Spread a table by year of April to March over all calendar years, the ends going on."""
    years = np.arange(FIRST_YEAR, LAST_YEAR + 1)
    return np.array(values)[np.clip(years - first, 0, len(values) - 1)]


def year_delays() -> Floats:
    """Factor of the delay by calendar year: courts grow slower from 2015, most in 2021."""
    years = np.arange(FIRST_YEAR, LAST_YEAR + 1, dtype=np.float64)
    return np.interp(years, [2014.0, 2019.0, 2021.0, 2024.0], [1.0, 1.12, 1.4, 1.3])


def _outcome_shares() -> Floats:
    """Cumulative shares of outcomes: the young and others, history band, kind."""
    plain = np.array([_OUTCOMES[kind] for kind in KINDS], dtype=np.float64)
    by_band = np.repeat(plain[None], len(_LENIENT), axis=0)
    by_band[:, :, CAUTION] *= np.array(_LENIENT)[:, None]
    by_band[:, :, COMMUNITY : SUSPENDED + 1] *= np.array(_SUPERVISED)[:, None, None]
    by_band[:, :, SHORT:] *= np.array(_CUSTODIAL)[:, None, None]
    young = by_band * np.array(_YOUNG_OUTCOMES)
    return _cumulative(np.stack([young, by_band]))


def build_world(solved: Coefficients) -> World:
    """Return the tables of the simulation for one set of coefficients."""
    weight = np.array(solved.kind_weight)
    young = _by_kind(_YOUNG_MORE, 1.0)
    first = weight * _by_kind(_FIRST_MORE, 1.0)
    outcome_rate = np.array([_OUTCOME_RATES, _OUTCOME_RATES])
    outcome_rate[1, [COMMUNITY, SUSPENDED, LONG, LONGEST, LIFE]] *= solved.supervised
    outcome_rate[1, SHORT] *= solved.short
    outcome_rate[1, MIDDLE] *= solved.middle
    ages = np.array(_AGES)
    ages[:2] *= solved.young
    phases = np.array(PHASE_RATES)
    phases[3:] *= solved.later
    indictable, either = np.array([_MODES[kind] for kind in KINDS]).T
    return World(
        first_year=FIRST_YEAR,
        year_rate=_by_calendar_year(solved.year_rate, solved.first_year),
        kind_rate=np.array(solved.kind_rate),
        outcome_rate=outcome_rate,
        history_rate=np.array(solved.history),
        history_edges=np.array(HISTORY_EDGES),
        age_rate=ages,
        age_edges=np.array(AGE_EDGES),
        first_kind=_cumulative(np.stack([first * young, first])),
        next_kind=_cumulative(np.stack([weight * young, weight])),
        stay=_by_kind(_KIND_STAYS, 0.2),
        mode_shares=np.stack([indictable, indictable + either, np.ones(len(KINDS))], axis=1),
        outcome_shares=_outcome_shares(),
        year_more=_by_calendar_year(solved.year_more, solved.first_year),
        delays=np.array(_DELAYS, dtype=np.float64),
        year_delay=year_delays(),
        lengths=np.array(_LENGTHS, dtype=np.float64),
        served=np.array(_SERVED, dtype=np.float64),
        early_absence=np.array(_EARLY, dtype=np.float64),
        phase_rate=phases,
        phase_ends=np.array(PHASE_ENDS),
    )
