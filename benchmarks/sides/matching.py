"""Matching on a score that is given: ours, NumPy's sorting and searching, SciPy's tree."""

from collections.abc import Callable

import numpy as np

from benchmarks.population import scores
from benchmarks.stopwatch import Stopwatch

Answer = dict[str, np.ndarray]
Run = Callable[[Stopwatch], Answer]


def ours(rows: int, treated_share: float, ratio: int, *, replace: bool) -> Run:
    """Time the pairing on the score; certificate and balance are cases of their own."""
    from engine.matching.pairing import pair_with_replacement, pair_without_replacement
    from engine.matching.problem import Problem

    logit, treated = scores(rows, treated_share)
    eligible = np.ones(rows, dtype=np.bool_)

    def run(watch: Stopwatch) -> Answer:
        with watch("match"):
            # A new problem each time: one that was matched before keeps its sorted order.
            problem = Problem(logit, treated, eligible)
            if replace:
                pairing = pair_with_replacement(problem, ratio=ratio)
            else:
                pairing = pair_without_replacement(problem, ratio=ratio)
        return {"partner": _table(pairing.partner, pairing.indptr, ratio)}

    return run


def _table(partner: np.ndarray, indptr: np.ndarray, ratio: int) -> np.ndarray:
    """Return partners as a table, a row for each treated row, -1 where there is none."""
    size = np.diff(indptr)
    table = np.full((len(size), ratio), -1, dtype=np.int64)
    table[np.arange(ratio)[None, :] < size[:, None]] = partner
    return table


def numpy_search(rows: int, treated_share: float, ratio: int, *, replace: bool) -> Run:
    """NumPy's argsort of the pool, then a binary search for each treated row.

    Notes
    -----
    One partner each, always with replacement: NumPy has nothing for the other, which then is more
    work on our side only. NumPy's default sort is its fastest. The treated are sorted too, because
    a search in their order reads the pool in order: faster here than searching as they come.
    """
    logit, treated = scores(rows, treated_share)

    def run(watch: Stopwatch) -> Answer:
        with watch("match"):
            pool_rows = np.flatnonzero(~treated)
            pool = logit[pool_rows]
            order = np.argsort(pool)
            ordered = pool[order]
            wanted = logit[treated]
            by_size = np.argsort(wanted)
            wanted = wanted[by_size]
            above = np.searchsorted(ordered, wanted)
            below = np.maximum(above - 1, 0)
            above = np.minimum(above, len(ordered) - 1)
            nearer_below = wanted - ordered[below] <= ordered[above] - wanted
            found = pool_rows[order[np.where(nearer_below, below, above)]]
            partner = np.empty(len(found), dtype=np.int64)
            partner[by_size] = found
        return {"partner": partner[:, None]}

    return run


def scipy_tree(rows: int, treated_share: float, ratio: int, *, replace: bool) -> Run:
    """SciPy's k-d tree on one coordinate, nearest neighbours with replacement."""
    from scipy.spatial import cKDTree

    logit, treated = scores(rows, treated_share)

    def run(watch: Stopwatch) -> Answer:
        with watch("match"):
            pool_rows = np.flatnonzero(~treated)
            tree = cKDTree(logit[pool_rows, None], balanced_tree=False, compact_nodes=False)
            _, found = tree.query(logit[treated, None], k=[*range(1, ratio + 1)])
            partner = pool_rows[found]
        return {"partner": partner}

    return run
