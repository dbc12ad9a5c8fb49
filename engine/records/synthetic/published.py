"""Published statistics of proven reoffending in England and Wales that the nation follows.

Crown copyright statistics of the Ministry of Justice, Proven reoffending statistics: annual
cohorts (the sum of a year's quarterly cohorts, April to March), the quarter April to June 2023,
and the bulletins of 2009 to 2012 for the rates by previous offences.
"""

from __future__ import annotations

from typing import NamedTuple


class Cohort(NamedTuple):
    """One annual cohort: people, those who reoffended within a year, their reoffences."""

    offenders: int
    reoffenders: int
    reoffences: int


COHORTS = {
    2012: Cohort(628_761, 194_500, 668_502),
    2013: Cohort(599_297, 186_582, 663_973),
    2014: Cohort(557_726, 167_316, 614_038),
    2015: Cohort(523_366, 154_375, 584_231),
    2016: Cohort(475_135, 139_611, 559_659),
    2017: Cohort(431_391, 125_829, 508_151),
    2018: Cohort(401_404, 112_507, 447_872),
    2019: Cohort(375_226, 95_951, 357_053),
    2020: Cohort(304_835, 74_262, 266_250),
    2021: Cohort(331_110, 83_451, 307_862),
    2022: Cohort(322_330, 84_757, 340_465),
    2023: Cohort(331_356, 93_413, 441_946),
}
"""Annual cohorts by the year in which they begin."""

OFFENCE_YEAR = 2023
BY_OFFENCE = {
    "violence against the person": (26_563, 20.9),
    "sexual offences": (5_943, 14.8),
    "robbery": (3_104, 25.8),
    "theft offences": (38_725, 56.9),
    "criminal damage and arson": (1_561, 27.6),
    "drug offences": (39_772, 23.3),
    "possession of weapons": (12_186, 28.7),
    "public order offences": (12_870, 30.9),
    "miscellaneous crimes against society": (14_396, 23.6),
    "fraud offences": (4_425, 26.5),
    "summary non-motoring": (69_440, 27.9),
    "summary motoring": (67_131, 14.2),
    "other": (35_240, 38.4),
}
"""Cohort of 2023/24 by index offence: offenders, and per cent who reoffended."""

ADULTS = 27.3
JUVENILES = 31.6
ADULTS_CUSTODY_OR_ORDER = 35.2
CUSTODY_UNDER_12_MONTHS = 59.2
CUSTODY_TO_6_MONTHS = 62.3
"""Per cent who reoffended, April to June 2023."""

NO_PREVIOUS_OFFENCES = 10.75
ELEVEN_PREVIOUS_OFFENCES = 47.5
"""Per cent who reoffended by previous offences: middles of the published ranges, 2009 to 2012."""

ASSUMED_MALE = 29.0
ASSUMED_FEMALE = 22.0
"""Per cent who reoffended by sex: assumed, for want of a published figure of the same cohort."""

YEAR_DAYS = 365.2425


def rate(year: int) -> float:
    """Per cent of the cohort that reoffended; the nearest published year outside the series."""
    cohort = COHORTS[min(max(year, min(COHORTS)), max(COHORTS))]
    return 100.0 * cohort.reoffenders / cohort.offenders


def per_reoffender(year: int) -> float:
    """Reoffences per reoffender; the nearest published year outside the series."""
    cohort = COHORTS[min(max(year, min(COHORTS)), max(COHORTS))]
    return cohort.reoffences / cohort.reoffenders
