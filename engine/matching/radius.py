"""Radius and kernel matches: all partners within the caliper, without a list of pairs."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.matching.problem import WALKS_PER_CALL, Floats, Integers, Problem, score_windows
from kernels.nearest import windows_into
from kernels.rules import Pool, Sequence
from kernels.windows import EPANECHNIKOV, TRICUBE, UNIFORM, window_sums

Kernel = Literal["epanechnikov", "tricube"]

KERNEL_SHAPES = {None: UNIFORM, "epanechnikov": EPANECHNIKOV, "tricube": TRICUBE}


@dataclass(frozen=True)
class Windows:
    """All partners within the caliper, as windows of the sorted pool.

    Attributes
    ----------
    focal : int64, shape (f,)
        Eligible focal rows, ascending.
    low, high : int64, shape (f,)
        Partners of ``focal[i]`` are ``pool[low[i]:high[i]]``.
    pool : int64, shape (n_pool,)
        Comparison rows sorted by (cell, score, row).
    total : float64, shape (f,)
        Sum of kernel weights of each window; a row with total 0 is unmatched.
    weight : float64, shape (n,)
        Each row's summed shares, 0 outside the pool's windows.
    """

    focal: Integers
    low: Integers
    high: Integers
    pool: Integers
    total: Floats
    weight: Floats


def match_within_radius(problem: Problem, kernel: Kernel | None = None) -> Windows:
    """Give each focal row all partners within the caliper, evenly or by a kernel.

    Parameters
    ----------
    problem : Problem
        With a finite caliper; no rules beyond cell and caliper.
    kernel : {'epanechnikov', 'tricube'}, optional
        Weight 1 - u^2 or (1 - |u|^3)^3 of a partner at u = difference / caliper; even if absent.

    Returns
    -------
    Windows

    Notes
    -----
    Near-linear in the rows, whatever the windows hold; see :mod:`kernels.windows`.
    """
    layout = problem.layout
    low, high = score_windows(problem)
    shape = KERNEL_SHAPES[kernel]
    scores = problem.score[layout.focal_rows]
    pool_score = layout.pool.score
    if shape == UNIFORM:
        total = (high - low).astype(np.float64)
    else:
        ones = np.ones(len(pool_score))
        total = window_sums(pool_score, ones, problem.caliper, shape, scores, low, high)
    # A window whose members all lie at the very edge has no kernel weight: unmatched.
    total = np.where((high > low) & (total > 1e-12), total, 0.0)
    # The same sums seen from the comparison side: windows of focal rows around each pool row.
    sorted_total = total[layout.focal_order]
    mass = np.divide(1.0, sorted_total, out=np.zeros_like(sorted_total), where=sorted_total > 0)
    focal_score = layout.focal_score
    cell = np.repeat(np.arange(len(layout.pool_start) - 1), np.diff(layout.pool_start))
    seen = Sequence(pool_score, layout.focal_start[cell], layout.focal_start[cell + 1])
    first = np.empty(len(pool_score), dtype=np.int64)
    last = np.empty(len(pool_score), dtype=np.int64)
    focal_pool = Pool(focal_score, np.empty(0, dtype=np.int64))
    for start in range(0, len(pool_score), WALKS_PER_CALL):
        stop = min(start + WALKS_PER_CALL, len(pool_score))
        windows_into(focal_pool, seen, problem.caliper, first, last, start, stop)
    sums = window_sums(focal_score, mass, problem.caliper, shape, pool_score, first, last)
    weight = np.zeros(len(problem.score))
    weight[layout.pool_rows] = np.where(last > first, sums, 0.0)
    return Windows(layout.focal_rows, low, high, layout.pool_rows, total, weight)
