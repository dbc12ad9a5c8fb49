"""Do intervals cover the truth as often as they say? Simulated cohorts through the whole engine.

The score is fitted in every cohort. Figures come with their Monte Carlo error. The same gate that
the product must pass has to reject every planted wrong method, or it proves nothing.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numba
import numpy as np
from numpy.typing import NDArray

from tests.certify.cohorts import Scenario, draw_cohort
from tests.certify.matches import estimate_of, finish, given_score, options_of, truth_of
from tests.certify.planted import PLANTED

MAIN = "main"
_BATCH = 250


@dataclass(frozen=True)
class Cell:
    """Coverage of one interval in one scenario.

    Attributes
    ----------
    scenario : Scenario
    interval : str
        ``main`` or the name of another interval or planted method.
    sims : int
        Cohorts with an interval.
    coverage, coverage_error : float
        Share of intervals that hold the truth, and its Monte Carlo error.
    rejected : float
        Share with p <= 0.05: the type I error where there is no effect.
    se_ratio : float
        Mean standard error over the true SD of the estimate.
    bias, bias_in_sd : float
    """

    scenario: Scenario
    interval: str
    sims: int
    coverage: float
    coverage_error: float
    rejected: float
    se_ratio: float
    bias: float
    bias_in_sd: float


def one_cohort(
    scenario: Scenario, number: int, planted: Sequence[str]
) -> dict[str, tuple[float, float, float, float]]:
    """Return error, standard error, covered and rejected of each interval of one cohort."""
    cohort = draw_cohort(scenario, number)
    score = given_score(scenario, cohort)
    done = finish(cohort, options_of(scenario), score)
    estimate = estimate_of(cohort, done, scenario)
    truth = truth_of(cohort, done, scenario)
    intervals = {MAIN: estimate.interval}
    intervals |= {other.method: other for other in estimate.secondary}
    if estimate.adjusted is not None:
        intervals["adjusted"] = estimate.adjusted
    intervals |= {name: PLANTED[name](cohort, done, estimate) for name in planted}
    found = {
        name: (
            interval.estimate - truth,
            interval.standard_error,
            float(interval.low <= truth <= interval.high),
            float(interval.p_value <= 0.05),
        )
        for name, interval in intervals.items()
        if np.isfinite(interval.low)
    }
    if scenario.effect == 0.0 and not scenario.varying:
        # A ratio of two means is 1 where there is no effect.
        for ratio in estimate.ratios:
            if np.isfinite(ratio.low):
                log = float(np.log(ratio.estimate))
                inside = float(ratio.low <= 1.0 <= ratio.high)
                below = float(ratio.p_value <= 0.05)
                found[ratio.method] = (log, ratio.standard_error, inside, below)
    return found


def _batch(
    scenario: Scenario, first: int, last: int, planted: tuple[str, ...]
) -> dict[str, NDArray[np.float64]]:
    rows: dict[str, list[tuple[float, float, float, float]]] = {}
    for number in range(first, last):
        for name, row in one_cohort(scenario, number, planted).items():
            rows.setdefault(name, []).append(row)
    return {name: np.array(values) for name, values in rows.items()}


def _one_thread() -> None:
    numba.set_num_threads(1)


def simulate(
    scenarios: Sequence[Scenario],
    sims: int,
    planted: dict[str, tuple[str, ...]] | None = None,
    workers: int | None = None,
) -> list[Cell]:
    """Run scenarios and return the coverage of every interval in each.

    Parameters
    ----------
    scenarios : sequence of Scenario
    sims : int
        Cohorts for each.
    planted : dict of str to tuple of str, optional
        Planted methods to add, by scenario name.
    workers : int, optional
        Processes; 1 runs here.

    Returns
    -------
    list of Cell
        The same whatever the number of workers.
    """
    workers = workers or os.cpu_count() or 1
    jobs = [
        (scenario, first, min(first + _BATCH, sims), (planted or {}).get(scenario.name, ()))
        for scenario in scenarios
        for first in range(0, sims, _BATCH)
    ]
    if workers == 1:
        batches = [_batch(*job) for job in jobs]
    else:
        with ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_one_thread
        ) as pool:
            batches = list(pool.map(_batch, *zip(*jobs, strict=True)))
    cells = []
    for scenario in scenarios:
        mine = [b for job, b in zip(jobs, batches, strict=True) if job[0].name == scenario.name]
        for name in dict.fromkeys(name for batch in mine for name in batch):
            rows = np.concatenate([batch[name] for batch in mine if name in batch])
            cells.append(_cell(scenario, name, rows))
    return cells


def _cell(scenario: Scenario, name: str, rows: NDArray[np.float64]) -> Cell:
    error, standard_error, covered, rejected = rows.T
    n = len(rows)
    share = float(covered.mean())
    spread = float(error.std(ddof=1)) if n > 1 else float("nan")
    bias = float(error.mean())
    return Cell(
        scenario,
        name,
        n,
        share,
        float(np.sqrt(share * (1.0 - share) / n)),
        float(rejected.mean()),
        float(standard_error.mean()) / spread,
        bias,
        bias / spread,
    )
