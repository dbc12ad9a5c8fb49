"""Find the coefficients of the synthetic nation: ``python -m tests.certify.fit_nation``.

Every coefficient governs one published figure. A round simulates a nation of a seed of its own and
moves each coefficient by a share of what its figure lacks, on the scale of the complementary
log-log for rates. What chance adds to one round is not in the next, so the mean over the later
rounds, when the start is forgotten, is as good as one round with all their people
[1]_. Prints the source of ``coefficients.py``.

References
----------
.. [1] Polyak, B. T. and Juditsky, A. B. (1992). Acceleration of stochastic approximation by
   averaging. SIAM Journal on Control and Optimization 30, 838-855.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from engine.records.synthetic import published
from engine.records.synthetic.calibration import (
    FIRST_COHORT,
    add_tallies,
    empty_tally,
    tally_careers,
)
from engine.records.synthetic.careers import follow_up, simulate_careers
from engine.records.synthetic.coefficients import SOLVED
from engine.records.synthetic.nation import YEARS, Plan
from engine.records.synthetic.people import BLOCK, make_people
from engine.records.synthetic.world import KINDS, Coefficients, build_world

COHORTS = np.arange(FIRST_COHORT, YEARS[1] + 1)
POOL = slice(published.OFFENCE_YEAR - FIRST_COHORT, None)
"""Cohorts that figures of 2023 are fitted on together, each scaled by its own overall rate. Earlier
ones would mislead: the rate of theft, for one, moves less from year to year than the overall rate.
"""
WIDE_POOL = slice(2021 - FIRST_COHORT, None)
"""The same for offence groups of few people, whose rates two cohorts would leave to chance."""
SMALL_GROUP, LARGE_GROUP = 10_000, 20_000
"""Published offenders of 2023 below which a group is small, and from which it is large."""
SIZES_BEFORE = (690, 690, 700, 710, 720, 715, 700, 660, 645)
"""Thousands of people in the cohorts of 2003 to 2011: about the older published measure."""
IN_FIRST_YEAR, RIDGE = 0.37, 0.03
"""Share of a cohort's reoffences in the calendar year in which it begins; penalty of a change."""
MIDDLE_BANDS = (0.138, 0.184, 0.258)
"""Proportions between the rates at 1-2, 3-6 and 7-10 previous offences."""
PROLIFIC = 0.43
"""Share of a cohort with 11 or more previous offences."""
BETWEEN = 0.0035
"""The year's figures are lowered by this, half-way to those of the quarter: the overall rate of
2023 and, so that the others stand where they were published, the rates of large offence groups."""


def hazard(rate):
    return -np.log1p(-np.clip(rate, 1e-4, 0.98))


def tally(solved, people, seed, threads):
    plan = Plan(people, seed, YEARS)
    world = build_world(solved)

    def block(number):
        some = make_people(number * BLOCK, BLOCK, seed, solved, YEARS)
        careers = simulate_careers(some, world, seed, plan.last_day)
        return tally_careers(some, careers, follow_up(careers)[0], plan.last_day)

    total = empty_tally()
    with ThreadPoolExecutor(threads) as pool:
        for one in pool.map(block, range(people // BLOCK)):
            total = add_tallies(total, one)
    return total


def pooled(counted, margin, levels, cohorts=POOL):
    offenders, reoffenders, _ = counted[margin][: len(COHORTS)][cohorts][:, levels].sum(axis=(0, 1))
    return reoffenders / offenders


def offence_targets():
    """Return the share of each kind's offenders that should reoffend, the large ones lowered."""
    offenders, per_cent = np.array([published.BY_OFFENCE[kind] for kind in KINDS]).T
    large = offenders >= LARGE_GROUP
    return per_cent / 100 - large * BETWEEN * offenders.sum() / offenders[large].sum()


def by_calendar_year(change):
    """Return what to change in each calendar year so that each cohort changes by so much.

    Notes
    -----
    To change each year by its own cohort's gap would make a see-saw of neighbouring years grow, as
    most of what a cohort does falls in the next year. Ridge regression on the shares; a see-saw,
    of which cohorts show a quarter, is corrected by two thirds a round.
    """
    count = len(change)
    shares = IN_FIRST_YEAR * np.eye(count) + (1 - IN_FIRST_YEAR) * np.eye(count, k=1)
    shares[-1, -1] = 1.0
    return np.linalg.solve(shares.T @ shares + RIDGE * np.eye(count), shares.T @ change)


def moved(solved: Coefficients, counted, step: float) -> Coefficients:
    """Return the coefficients after one round."""
    every = counted["all"][: len(COHORTS), 0].astype(float)
    rate, frequency = every[:, 1] / every[:, 0], every[:, 2] / every[:, 1]
    rates = np.array([published.rate(year) / 100 for year in COHORTS])
    rates[COHORTS >= published.OFFENCE_YEAR] -= BETWEEN
    last = rates[COHORTS == published.OFFENCE_YEAR][0]

    def mean_of(cohorts):
        return float(np.average(rates[cohorts], weights=every[cohorts, 0]))

    def scaled(figure, cohorts=POOL):
        return 1 - np.exp(-hazard(figure) * hazard(mean_of(cohorts)) / hazard(last))

    def factor(margin, levels, figure, cohorts=POOL):
        found = pooled(counted, margin, levels, cohorts)
        return (hazard(scaled(figure, cohorts)) / hazard(found)) ** step

    wanted = np.array([published.BY_OFFENCE[kind][0] for kind in KINDS], dtype=float)
    kind_rate = np.array(solved.kind_rate) * [
        factor("offence", [k], figure, WIDE_POOL if wanted[k] < SMALL_GROUP else POOL)
        # most of those who would ever reoffend do, so that more answers little
        ** (3 if figure > 0.5 else 1)
        for k, figure in enumerate(offence_targets())
    ]
    found = counted["offence"][: len(COHORTS)][POOL][..., 0].sum(axis=0)
    kind_weight = np.array(solved.kind_weight)
    kind_weight *= ((wanted / wanted.sum()) / (found / found.sum())) ** step
    bands = counted["history"][: len(COHORTS)][POOL][..., 0].sum(axis=0)
    bands = bands / bands.sum()
    none = scaled(published.NO_PREVIOUS_OFFENCES / 100)
    most = scaled(published.ELEVEN_PREVIOUS_OFFENCES / 100)
    between = np.array(MIDDLE_BANDS)
    between *= (mean_of(POOL) - bands[0] * none - bands[4] * most) / (bands[1:4] @ between)
    by_band = np.array([pooled(counted, "history", [band]) for band in range(5)])
    history = np.array(solved.history)
    history *= (hazard(np.array([none, *between, most])) / hazard(by_band)) ** step
    change = by_calendar_year(np.log(hazard(rates) / hazard(rate)))
    year_rate = np.array(solved.year_rate) * np.exp(step * change)
    items = 1 / (1 - np.array(solved.year_more))
    frequencies = np.array([published.per_reoffender(year) for year in COHORTS])
    items *= np.exp(step * by_calendar_year(np.log(frequencies / frequency)))
    items = np.clip(items, 1.02, 12)
    sizes = np.array(
        [
            *SIZES_BEFORE,
            *(published.COHORTS[min(year, 2023)].offenders / 1000 for year in COHORTS[9:]),
        ]
    )
    entrants = np.array(solved.entrants)
    entrants *= (sizes / sizes.sum() * every[:, 0].sum() / every[:, 0]) ** (1.5 * step)
    entrants = np.clip(entrants / entrants.mean(), 0.15, 4)
    entrants[-1] = entrants[-2]
    return Coefficients(
        kind_rate=tuple(np.clip(kind_rate, 0.002, 6.0)),
        kind_weight=tuple(kind_weight / kind_weight.sum()),
        history=tuple(history / history[0]),
        short=solved.short * factor("disposal", [1], published.CUSTODY_TO_6_MONTHS / 100),
        middle=solved.middle
        * factor("disposal", [1, 2], published.CUSTODY_UNDER_12_MONTHS / 100) ** 2,
        supervised=solved.supervised
        * factor("disposal", [1, 2, 3], published.ADULTS_CUSTODY_OR_ORDER / 100),
        young=solved.young * factor("age", [0], published.JUVENILES / 100),
        female=solved.female * factor("sex", [0], published.ASSUMED_FEMALE / 100),
        later=solved.later * float(PROLIFIC / bands[4]) ** (2 * step),
        first_year=FIRST_COHORT,
        year_rate=tuple(np.append(year_rate[:-1] / year_rate[-2], 1.0)),
        year_more=tuple(1 - 1 / items),
        entrants=tuple(entrants),
    )


def source(solved: Coefficients) -> str:
    lines = []
    for name, value in solved._asdict().items():
        if isinstance(value, tuple):
            text = "(" + ", ".join(f"{x:.6g}" for x in value) + ")"
        else:
            text = str(value) if isinstance(value, int) else f"{value:.6g}"
        lines.append(f"    {name}={text},")
    return "\n".join(["SOLVED = Coefficients(", *lines, ")"])


def mean(several: list[Coefficients]) -> Coefficients:
    """Return the mean of coefficients."""
    columns = [np.mean(column, axis=0) for column in zip(*several, strict=True)]
    plain = [column.tolist() for column in columns]
    joined = Coefficients(*(tuple(x) if isinstance(x, list) else x for x in plain))
    return joined._replace(first_year=several[0].first_year)


def fit(people: int, rounds: int, step: float, seed: int, threads: int) -> Coefficients:
    """Return the mean coefficients of the later two thirds of some rounds from those that stand."""
    solved, kept = SOLVED, []
    for number in range(rounds):
        solved = moved(solved, tally(solved, people, seed + number, threads), step)
        kept += [solved] if 3 * number >= rounds - 1 else []
    return mean(kept)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--people", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=24)
    options.add_argument("--step", type=float, default=0.4)
    options.add_argument("--seed", type=int, default=100)
    options.add_argument("--threads", type=int, default=2)
    given = options.parse_args()
    print(source(fit(given.people, given.rounds, given.step, given.seed, given.threads)))


if __name__ == "__main__":
    main()
