"""The same match in other orders: the choices that should not matter, made differently."""

from dataclasses import replace

import numpy as np

from engine.matching.identity import Identity
from engine.matching.options import MatchOptions
from engine.matching.pairing import (
    Pairing,
    pair_with_replacement,
    pair_without_replacement,
    variable_quota,
)
from engine.matching.problem import Layout, Problem
from engine.matching.rows import Rows
from engine.matching.scoring import capacity
from kernels.ordering import order_by_key

DEFAULT_ORDERS = 20
MOST_ROWS = 100_000
"""Rows up to which the band is made without being asked for: 20 matches take about a second."""


def _permuted(problem: Problem, order: np.ndarray) -> Problem:
    def rows(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[order]

    def columns(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values[:, order]) if values.size else values

    return replace(
        problem,
        score=problem.score[order],
        focal=problem.focal[order],
        eligible=problem.eligible[order],
        cell=rows(problem.cell),
        person=rows(problem.person),
        anti=columns(problem.anti),
        covariate=columns(problem.covariate),
        position=None if problem.position is None else columns(problem.position),
    )


def pair_in_order(problem: Problem, rows: Rows, options: MatchOptions, number: int) -> Pairing:
    """Match once more with ties broken, and people served, in another order.

    Parameters
    ----------
    problem : Problem
    rows : Rows
    options : MatchOptions
        Of a nearest neighbour match.
    number : int
        At least 1; the order is a pure function of it, the ids and the seed.

    Returns
    -------
    Pairing
        In the rows of the problem.

    Notes
    -----
    Rows take random places, which decide between equal scores. Without replacement people are
    served in random order as well.
    """
    if options.replace:
        return pair_with_replacement(
            problem,
            ratio=options.ratio,
            ties_all=options.ties == "all",
            layout=_ties_reordered(problem.layout, rows.identity, number),
        )
    order = order_by_key(rows.identity.instability_keys(number))
    shuffled = _permuted(problem, order)
    quota, rounds = None, options.ratio
    if options.max_ratio is not None and options.max_ratio > options.ratio:
        quota = variable_quota(shuffled, options.ratio, options.max_ratio)
        rounds = options.max_ratio
    pairing = pair_without_replacement(
        shuffled,
        ratio=rounds,
        quota=quota,
        reuse_max=capacity(options),
        one_per_person=options.one_per_person,
        order="random",
        random_key=np.arange(len(order), dtype=np.uint64),
    )
    return _restored(pairing, order)


def _ties_reordered(layout: Layout, identity: Identity, number: int) -> Layout:
    """Return the sorted pool with rows of one score, in one cell, in another order.

    With replacement nobody is served before others, so an order decides between those alone.
    """
    run = layout.pool.run
    tied = run != np.arange(len(run))
    tied[run[tied]] = True
    places = np.flatnonzero(tied)
    mine = layout.pool_rows[places]
    key = identity.instability_keys(number, mine)
    pool_rows = layout.pool_rows.copy()
    pool_rows[places] = mine[np.lexsort((key, run[places]))]
    return replace(layout, pool_rows=pool_rows)


def _restored(pairing: Pairing, order: np.ndarray) -> Pairing:
    """The pairing in the rows of the problem, focal rows ascending."""
    focal = order[pairing.focal]
    place = np.argsort(focal, kind="stable")
    size = pairing.set_size[place]
    indptr = np.concatenate(([0], np.cumsum(size))).astype(np.int64)
    source = np.repeat(pairing.indptr[:-1][place] - indptr[:-1], size) + np.arange(indptr[-1])
    return Pairing(focal[place], indptr, order[pairing.partner[source]], pairing.share[source])
