"""Find the coefficients of the synthetic nation: ``python -m tests.certify.fit_nation``.

Every coefficient governs one published figure. A round simulates the nation and moves each
coefficient by a share of what its figure lacks, on the scale of the complementary log-log for
rates; after some dozens of rounds all figures stand. Prints the source of ``coefficients.py``.
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
POOL = slice(2021 - FIRST_COHORT, None)
"""Cohorts that figures of 2023 are fitted on together, each scaled by its own overall rate."""
SIZES_BEFORE = (690, 690, 700, 710, 720, 715, 700, 660, 645)
"""Thousands of people in the cohorts of 2003 to 2011: about the older published measure."""
MIDDLE_BANDS = (0.138, 0.184, 0.258)
"""Proportions between the rates at 1-2, 3-6 and 7-10 previous offences."""
PROLIFIC = 0.43
"""Share of a cohort with 11 or more previous offences."""
BETWEEN = 0.0015
"""The year's figures are lowered by this, towards those of the quarter."""


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


def pooled(counted, margin, levels):
    offenders, reoffenders, _ = counted[margin][: len(COHORTS)][POOL][:, levels].sum(axis=(0, 1))
    return reoffenders / offenders


def moved(solved: Coefficients, counted, step: float) -> Coefficients:
    """Return the coefficients after one round."""
    every = counted["all"][: len(COHORTS), 0].astype(float)
    rate, frequency = every[:, 1] / every[:, 0], every[:, 2] / every[:, 1]
    rates = np.array([published.rate(year) / 100 for year in COHORTS])
    rates[COHORTS >= published.OFFENCE_YEAR] -= BETWEEN
    last = rates[COHORTS == published.OFFENCE_YEAR][0]
    weight = every[POOL, 0] / every[POOL, 0].sum()
    mean = float(weight @ rates[POOL])

    def scaled(figure):
        return 1 - np.exp(-hazard(figure) * hazard(mean) / hazard(last))

    def factor(margin, levels, figure):
        return (hazard(scaled(figure)) / hazard(pooled(counted, margin, levels))) ** step

    kinds = [[k] for k in range(len(KINDS))]
    offence = [published.BY_OFFENCE[kind] for kind in KINDS]
    kind_rate = np.array(solved.kind_rate) * [
        factor("offence", levels, figure / 100 - BETWEEN)
        for levels, (_, figure) in zip(kinds, offence, strict=True)
    ]
    wanted = np.array([offenders for offenders, _ in offence], dtype=float)
    found = counted["offence"][: len(COHORTS)][POOL][..., 0].sum(axis=0)
    kind_weight = np.array(solved.kind_weight)
    kind_weight *= ((wanted / wanted.sum()) / (found / found.sum())) ** step
    bands = counted["history"][: len(COHORTS)][POOL][..., 0].sum(axis=0)
    bands = bands / bands.sum()
    none = scaled(published.NO_PREVIOUS_OFFENCES / 100)
    most = scaled(published.ELEVEN_PREVIOUS_OFFENCES / 100)
    between = np.array(MIDDLE_BANDS)
    between *= (mean - bands[0] * none - bands[4] * most) / (bands[1:4] @ between)
    by_band = np.array([pooled(counted, "history", [band]) for band in range(5)])
    history = np.array(solved.history)
    history *= (hazard(np.array([none, *between, most])) / hazard(by_band)) ** step
    year_rate = np.array(solved.year_rate) * (hazard(rates) / hazard(rate)) ** step
    items = 1 / (1 - np.array(solved.year_more))
    frequencies = np.array([published.per_reoffender(year) for year in COHORTS])
    items = np.clip(items * (frequencies / frequency) ** step, 1.02, 12)
    # neighbouring years act on the same follow-up: a little smoothing keeps them from see-sawing
    items[1:-1] = 0.02 * items[:-2] + 0.96 * items[1:-1] + 0.02 * items[2:]
    items[-1] = items[-2]
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


def fit(people: int, rounds: int, step: float, seed: int, threads: int) -> Coefficients:
    """Return the coefficients after some rounds from those that stand."""
    solved = SOLVED
    for _ in range(rounds):
        solved = moved(solved, tally(solved, people, seed, threads), step)
    return solved


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--people", type=int, default=4_000_000)
    options.add_argument("--rounds", type=int, default=10)
    options.add_argument("--step", type=float, default=0.25)
    options.add_argument("--seed", type=int, default=9)
    options.add_argument("--threads", type=int, default=2)
    given = options.parse_args()
    print(source(fit(given.people, given.rounds, given.step, given.seed, given.threads)))


if __name__ == "__main__":
    main()
