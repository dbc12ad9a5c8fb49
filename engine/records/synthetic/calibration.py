"""The synthetic nation beside the published figures: cohorts counted as the statistics count them.

A cohort holds each person once a quarter, at the first index date of the quarter (release,
sentence start or caution); a year's cohort is the sum of its four quarters, April to March.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.records.synthetic import published
from engine.records.synthetic.careers import Careers
from engine.records.synthetic.people import Ints, People
from engine.records.synthetic.world import COMMUNITY, HISTORY_EDGES, KINDS, LIFE, MIDDLE, SHORT

FIRST_COHORT = 2003
"""Year (April to March) of row 0 of a tally."""
COHORTS = 60

MARGINS = {
    "all": ("all",),
    "offence": KINDS,
    "age": ("juveniles", "adults"),
    "sex": ("female", "male"),
    "history": ("none", "1-2", "3-6", "7-10", "11 and more"),
    "disposal": (
        "caution, fine, discharge",
        "custody to 6 months",
        "custody 6 to 12 months",
        "other custody and orders",
    ),
}
"""Ways in which the cohort is split; the disposals are those of adults."""

Tally = dict[str, Ints]
"""By margin: cohort year, level, (offenders, reoffenders, reoffences)."""

RATE_TOLERANCE = 1.0
SHARE_TOLERANCE = 1.0
FREQUENCY_TOLERANCE = 5.0


class Comparison(NamedTuple):
    """One line of the calibration table.

    Parameters
    ----------
    figure : str
        What is compared.
    unit : str
        ``%`` or ``per reoffender``.
    published, synthetic : float
    tolerance : float
        Largest allowed gap, in the figure's unit.
    noise : float
        Standard error of the synthetic figure, for its number of people.
    assumed : bool
        Whether the figure is an assumption of this project and not published.
    """

    figure: str
    unit: str
    published: float
    synthetic: float
    tolerance: float
    noise: float
    assumed: bool = False

    @property
    def within(self) -> bool:
        """Whether the gap is inside the tolerance or, where few people make that less than chance,
        inside three standard errors.
        """
        return self.gap <= max(self.tolerance, 3.0 * self.noise)

    @property
    def gap(self) -> float:
        """Absolute difference of the two figures."""
        return abs(self.synthetic - self.published)


def empty_tally() -> Tally:
    """Return a tally of nobody."""
    return {
        margin: np.zeros((COHORTS, len(levels), 3), dtype=np.int64)
        for margin, levels in MARGINS.items()
    }


def cohort_rows(person: Ints, index: Ints) -> Ints:
    """Return the rows that enter a quarterly cohort: a person's first index date of a quarter.

    Parameters
    ----------
    person, index : int64, shape (n,)
        Person, and index date in days since 1970-01-01.

    Returns
    -------
    int64, shape (m,)
        Row numbers; of several disposals on that day the earliest row.
    """
    month = index.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    order = np.lexsort((index, person * 4096 + month // 3 + 1024))
    quarter = (person * 4096 + month // 3 + 1024)[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = quarter[1:] != quarter[:-1]
    return order[new]


def tally_careers(people: People, careers: Careers, counts: Ints, last_day: int) -> Tally:
    """Count one block's cohorts.

    Parameters
    ----------
    people : People
    careers : Careers
    counts : int64, shape (events,)
        Proven reoffences after each event's index day.
    last_day : int
        Day of the extract: what is proven or released later is not in the records.

    Returns
    -------
    dict of int64 arrays
    """
    known = np.flatnonzero((careers.proven <= last_day) & (careers.index_day <= last_day))
    rows = known[cohort_rows(careers.person[known], careers.index_day[known])]
    person = careers.person[rows]
    month = careers.index_day[rows].astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    # months since April of the first cohort
    cohort = (month - ((FIRST_COHORT - 1970) * 12 + 3)) // 12
    adult = careers.index_day[rows] - people.birth_day[person] >= 18 * published.YEAR_DAYS
    outcome = careers.outcome[rows]
    disposal = np.where(outcome < COMMUNITY, 0, 3)
    disposal[outcome == SHORT] = 1
    disposal[outcome == MIDDLE] = 2
    levels = {
        "all": np.zeros(len(rows), dtype=np.int64),
        "offence": careers.kind[rows],
        "age": adult.astype(np.int64),
        "sex": people.male[person].astype(np.int64),
        "history": np.searchsorted(HISTORY_EDGES, careers.before[rows], side="right"),
        "disposal": disposal,
    }
    inside = (cohort >= 0) & (cohort < COHORTS) & (outcome != LIFE)
    result = {}
    for margin, level in levels.items():
        chosen = inside & adult if margin == "disposal" else inside
        width = len(MARGINS[margin])
        cell = cohort[chosen] * width + level[chosen]
        value = counts[rows][chosen]
        size = COHORTS * width
        result[margin] = np.stack(
            [
                np.bincount(cell, minlength=size),
                np.bincount(cell[value > 0], minlength=size),
                np.bincount(np.repeat(cell, value), minlength=size),
            ],
            axis=-1,
        ).reshape(COHORTS, width, 3)
    return result


def add_tallies(one: Tally, other: Tally) -> Tally:
    """Return the sum of two tallies."""
    return {margin: one[margin] + other[margin] for margin in MARGINS}


def _share(part: int, whole: int) -> float:
    """Per cent, 0 of nothing."""
    return 100.0 * part / whole if whole else 0.0


def _rate_noise(rate: float, people: int) -> float:
    """Standard error of a rate in points."""
    share = min(max(rate / 100.0, 0.0), 1.0)
    return float(100.0 * np.sqrt(share * (1.0 - share) / max(people, 1)))


def _rate_line(
    figure: str, target: float, cell: Ints, tolerance: float = RATE_TOLERANCE, **more: bool
) -> Comparison:
    """Compare a reoffending rate; ``cell`` holds offenders, reoffenders, reoffences."""
    found = _share(int(cell[1]), int(cell[0]))
    noise = _rate_noise(target, int(cell[0]))
    return Comparison(figure, "%", target, found, tolerance, noise, **more)


def compare(tally: Tally, years: tuple[int, int]) -> list[Comparison]:
    """Return the calibration table.

    Parameters
    ----------
    tally : dict of int64 arrays
    years : tuple of int
        First and last year of index dates: published cohorts outside them are left out.

    Returns
    -------
    list of Comparison
        Cohort sizes as shares of all published cohorts covered; rates and reoffences per
        reoffender by cohort; the cohort of 2023/24 by index offence; rates by age, sex,
        previous offences and disposal, of 2023/24 too. Empty where no published year is covered.

    Notes
    -----
    Tolerances are those of a nation of millions; ``noise`` says how much a smaller one may stray.
    """
    covered = [year for year in published.COHORTS if years[0] <= year < years[1]]
    if not covered:
        return []
    total = sum(published.COHORTS[year].offenders for year in covered)
    found = tally["all"][:, 0]
    people = int(sum(found[year - FIRST_COHORT, 0] for year in covered))
    lines = []
    for year in covered:
        name = f"{year}/{(year + 1) % 100:02d}"
        cell = found[year - FIRST_COHORT]
        share = 100.0 * published.COHORTS[year].offenders / total
        lines += [
            Comparison(
                f"cohort {name}, share of all cohorts",
                "%",
                share,
                _share(int(cell[0]), people),
                SHARE_TOLERANCE,
                _rate_noise(share, people),
            ),
            _rate_line(f"cohort {name}, reoffended", published.rate(year), cell),
            _frequency_line(name, published.per_reoffender(year), cell),
        ]
    if published.OFFENCE_YEAR in covered:
        lines += _split(tally, published.OFFENCE_YEAR - FIRST_COHORT)
    return lines


def _frequency_line(name: str, target: float, cell: Ints) -> Comparison:
    """Compare reoffences per reoffender."""
    reoffenders = max(int(cell[1]), 1)
    # reoffences of a reoffender spread about as widely as their mean
    noise = target / np.sqrt(reoffenders)
    return Comparison(
        f"cohort {name}, reoffences",
        "per reoffender",
        target,
        int(cell[2]) / reoffenders,
        target * FREQUENCY_TOLERANCE / 100.0,
        float(noise),
    )


def _split(tally: Tally, year: int) -> list[Comparison]:
    """Compare the parts of one year's cohort."""
    total = sum(offenders for offenders, _ in published.BY_OFFENCE.values())
    by_offence = tally["offence"][year]
    people = int(by_offence[:, 0].sum())
    lines = []
    for position, kind in enumerate(KINDS):
        offenders, rate = published.BY_OFFENCE[kind]
        share = 100.0 * offenders / total
        cell = by_offence[position]
        lines += [
            Comparison(
                f"{kind}, share of the cohort",
                "%",
                share,
                _share(int(cell[0]), people),
                SHARE_TOLERANCE,
                _rate_noise(share, people),
            ),
            _rate_line(f"{kind}, reoffended", rate, cell),
        ]
    age, sex = tally["age"][year], tally["sex"][year]
    history, disposal = tally["history"][year], tally["disposal"][year]
    lines += [
        _rate_line("adults", published.ADULTS, age[1]),
        _rate_line("juveniles", published.JUVENILES, age[0]),
        _rate_line("men", published.ASSUMED_MALE, sex[1], 2.0, assumed=True),
        _rate_line("women", published.ASSUMED_FEMALE, sex[0], 2.0, assumed=True),
        _rate_line("no previous offences", published.NO_PREVIOUS_OFFENCES, history[0]),
        _rate_line("11 or more previous offences", published.ELEVEN_PREVIOUS_OFFENCES, history[4]),
        _rate_line(
            "adults, custody or order", published.ADULTS_CUSTODY_OR_ORDER, disposal[1:].sum(axis=0)
        ),
        _rate_line(
            "adults, custody under 12 months",
            published.CUSTODY_UNDER_12_MONTHS,
            disposal[1:3].sum(axis=0),
        ),
        _rate_line("adults, custody to 6 months", published.CUSTODY_TO_6_MONTHS, disposal[1]),
    ]
    return lines
