"""Balance of every covariate of a match, beside the match itself and beside plain NumPy."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.population import CATEGORIES, NUMBERS, population
from benchmarks.sides.fit import arrow_table
from benchmarks.stopwatch import Stopwatch
from engine.matching.balance import Sample, assess_balance
from engine.matching.options import check_options
from engine.matching.rows import Rows, read_rows
from engine.matching.scoring import Scoring, score_rows
from engine.matching.selection import pair_rows, pairing_weights, select_matches
from engine.tables import open_table

Answer = dict[str, np.ndarray]
Run = Callable[[Stopwatch], Answer]

_OPTIONS = check_options(treatment="treated", covariates=NUMBERS + CATEGORIES)


class _Task(NamedTuple):
    rows: Rows
    scoring: Scoring


def _task(rows: int) -> _Task:
    people = population(rows)
    table = arrow_table(people).append_column("treated", [people.treated])
    read = read_rows(open_table(table), _OPTIONS)
    return _Task(read, score_rows(read, _OPTIONS))


def match(rows: int, *, scored: bool = True) -> Run:
    """Time the match of the table: pairs, weights and certificate; ``scored`` before or not."""
    task = _task(rows)

    def run(watch: Stopwatch) -> Answer:
        if not scored:
            with watch("fit"):
                score_rows(task.rows, _OPTIONS)
        with watch("pairs"):
            pairing = pair_rows(task.scoring.problem, task.rows, _OPTIONS, 1)
        again = Stopwatch()
        with again("whole"):
            matched = select_matches(task.rows, task.scoring, _OPTIONS)
        # The pairs are made inside select_matches again; what it adds is the rest.
        pairs, whole = watch.parts["pairs"], again.parts["whole"]
        watch.parts["weights and certificate"] = (whole[0] - pairs[0], whole[1] - pairs[1])
        return {"weight": matched.weight, "partner": pairing.partner}

    return run


def ours(rows: int) -> Run:
    """Time the balance of all covariates before and after the match."""
    task = _task(rows)
    weight = _weights(task)

    def run(watch: Stopwatch) -> Answer:
        with watch("balance"):
            sample = Sample.of(task.rows.treated, weight)
            found = assess_balance(task.rows.design, sample)
        return {
            "smd": np.array([(row.smd_before, row.smd_after) for row in found]),
            "ks": np.array([(row.ks_before, row.ks_after) for row in found]),
            "weight": weight,
        }

    return run


def _weights(task: _Task) -> np.ndarray:
    pairing = pair_rows(task.scoring.problem, task.rows, _OPTIONS, 1)
    return pairing_weights(pairing, task.rows.n_rows)


def plain_numpy(rows: int) -> Run:
    """The same figures of the same match in plain NumPy."""
    task = _task(rows)
    weight = _weights(task)
    design, treated = task.rows.design, task.rows.treated

    def run(watch: Stopwatch) -> Answer:
        with watch("balance"):
            arms = [np.flatnonzero(~treated), np.flatnonzero(treated)]
            kept = [arm[weight[arm] > 0] for arm in arms]
            figures = []
            for covariate in design.covariates:
                if covariate.levels:
                    codes = design.codes[covariate.row]
                    figures += _levels(codes, len(covariate.levels), arms, kept, weight)
                else:
                    figures.append(_number(design.numeric[covariate.row], arms, kept, weight))
        found = np.array(figures)
        return {"smd": found[:, :2], "ks": found[:, 2:], "weight": weight}

    return run


def _number(x, arms, kept, weight) -> tuple[float, float, float, float]:
    whole = [x[arm] for arm in arms]
    matched = [x[arm] for arm in kept]
    mass = [weight[arm] for arm in kept]
    deviation = whole[1].std(ddof=1)
    before = (whole[1].mean() - whole[0].mean()) / deviation
    after = (np.average(matched[1], weights=mass[1]) - np.average(matched[0], weights=mass[0])) / (
        deviation
    )
    unit = [np.ones(len(arm)) for arm in arms]
    return before, after, _kolmogorov_smirnov(whole, unit), _kolmogorov_smirnov(matched, mass)


def _kolmogorov_smirnov(values, mass) -> float:
    """Return the largest distance of two weighted distribution functions."""
    order = [np.argsort(v) for v in values]
    ordered = [v[o] for v, o in zip(values, order, strict=True)]
    share = [
        np.concatenate([[0.0], np.cumsum(m[o]) / m.sum()]) for m, o in zip(mass, order, strict=True)
    ]
    largest = 0.0
    for points in ordered:
        heights = [
            s[np.searchsorted(v, points, side="right")] for v, s in zip(ordered, share, strict=True)
        ]
        largest = max(largest, float(np.abs(heights[1] - heights[0]).max()))
    return largest


def _levels(codes, levels, arms, kept, weight) -> list[tuple[float, float, float, float]]:
    shares = [np.bincount(codes[arm], minlength=levels) / len(arm) for arm in arms]
    matched = [
        np.bincount(codes[arm], weights=weight[arm], minlength=levels) / weight[arm].sum()
        for arm in kept
    ]
    deviation = np.sqrt(shares[1] * (1.0 - shares[1]))
    before, after = shares[1] - shares[0], matched[1] - matched[0]
    # Of two levels only the second: the first says the same.
    first = 1 if levels == 2 else 0
    return [
        (before[k] / deviation[k], after[k] / deviation[k], abs(before[k]), abs(after[k]))
        for k in range(first, levels)
    ]
