"""The design of one analysis: rows, score, match, certificate, balance; no outcome is known."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.matching.balance import BalanceRow, assess_balance, merge_rare_levels
from engine.matching.coded import cells_of_rows, design_of_rows
from engine.matching.identity import Identity
from engine.matching.options import MatchOptions
from engine.matching.pool import Pool
from engine.matching.propensity import require_both_arms
from engine.matching.rows import Rows
from engine.matching.scoring import Scoring, score_rows
from engine.matching.selection import Match, select_matches
from engine.matching.terms import Sample
from kernels.columns import number_in_order

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Designed:
    """A match with its proof and its balance.

    Attributes
    ----------
    keep : bool, shape (pool rows,)
        Rows of the pool that the analysis is made of; its own rows are in their order.
    options : MatchOptions
    rows, scoring, matched, sample
        See :func:`engine.match.match`; the rows know whose they are.
    """

    keep: Flags
    options: MatchOptions
    rows: Rows
    scoring: Scoring
    matched: Match
    sample: Sample

    @property
    def n_treated(self) -> int:
        """Treated people of the analysis, matched or not."""
        return int(np.count_nonzero(self.rows.treated))

    @property
    def n_matched(self) -> int:
        """Treated people with a match."""
        return int(np.count_nonzero(self.matched.matched))

    @property
    def partner_people(self) -> Floats:
        """Weight of each comparison person of the match over all rows, float64, shape (p,)."""
        assert self.rows.person is not None
        mine = self.rows.person[self.sample.rows[0]]
        summed = np.bincount(mine, weights=self.sample.weights[0]).astype(np.float64)
        return summed[summed > 0.0]

    @cached_property
    def balance(self) -> tuple[BalanceRow, ...]:
        """Means of both groups on every covariate; distribution functions are not compared."""
        return assess_balance(
            self.rows.design,
            self.sample,
            denominator=self.options.smd_denominator,
            distances=False,
        )

    @property
    def judged_balance(self) -> tuple[BalanceRow, ...]:
        """The balance that a match is judged by: rare levels stand together."""
        return merge_rare_levels(
            self.balance, self.n_matched, denominator=self.options.smd_denominator
        )


def design_analysis(
    pool: Pool,
    keep: Flags,
    options: MatchOptions,
    progress: Callable[[float], None] | None = None,
) -> Designed:
    """Match the treated of an analysis with its comparison people.

    Parameters
    ----------
    pool : Pool
    keep : bool, shape (n,)
        Rows of the pool that take part.
    options : MatchOptions
    progress : callable, optional
        Told the share done.

    Returns
    -------
    Designed

    Raises
    ------
    InputError
        One side has fewer than two people, or nobody can be matched.

    Notes
    -----
    The treated have one row each and none in the comparison, so the match need not keep people
    from themselves. That a comparison person has several is for the variance and for the counts.
    """
    rows, person = rows_of_pool(pool, keep, options)
    if progress is not None:
        progress(0.2)
    scoring = score_rows(rows, options)
    if progress is not None:
        progress(0.5)
    return _matched(keep, options, rows, scoring, person)


def rows_of_pool(pool: Pool, keep: Flags, options: MatchOptions) -> tuple[Rows, NDArray[np.int64]]:
    """Return the rows of an analysis, which are in canonical order, and whose each of them is.

    Parameters
    ----------
    pool : Pool
    keep : bool, shape (n,)
        Rows of the pool that take part.
    options : MatchOptions

    Returns
    -------
    rows : Rows
        What reading a table of these rows gives; nothing of the pool is decoded again.
    person : int64
        Number of each row's person, by the person's first row.

    Raises
    ------
    InputError
        One side has fewer than two people, or a cell of an exact column is empty.
    """
    chosen = None if keep.all() else np.flatnonzero(keep)
    treated, person, ids = pool.treated, pool.people, pool.table[pool.id].combine_chunks()
    if chosen is not None:
        treated, ids = treated[chosen], ids.take(to_arrow(chosen))
        person = np.empty(len(chosen), dtype=np.int64)
        number = np.empty(int(pool.people.max()) + 1, dtype=np.int64)
        number_in_order(pool.people[chosen], number, person)
    require_both_arms(treated)
    n = len(treated)
    unit = to_numpy(ids).astype(np.int64).view(np.uint64)
    none = np.empty((0, n))
    rows = Rows(
        Identity(None, ids, unit, options.seed),
        treated.copy(),
        design_of_rows(pool.coded, options.covariates, chosen, n),
        cells_of_rows(pool.coded, options.exact, chosen, pool.table),
        None,
        none.astype(np.int64),
        none,
        np.empty(0),
        none,
        None,
    )
    return rows, person


def with_ratio(designed: Designed, ratio: int) -> Designed:
    """Return the same analysis with another number of partners: the score stays.

    Parameters
    ----------
    designed : Designed
        A match of the nearest.
    ratio : int
    """
    options = replace(designed.options, ratio=ratio)
    rows = replace(designed.rows, person=None)
    assert designed.rows.person is not None
    return _matched(designed.keep, options, rows, designed.scoring, designed.rows.person)


def with_exact(designed: Designed, pool: Pool, options: MatchOptions) -> Designed:
    """Return the same analysis with other columns that must be equal: the score stays.

    Parameters
    ----------
    designed : Designed
    pool : Pool
        That it is made of.
    options : MatchOptions
        The same but for the exact columns and the ratio.
    """
    chosen = None if designed.keep.all() else np.flatnonzero(designed.keep)
    cell = cells_of_rows(pool.coded, options.exact, chosen, pool.table)
    rows = replace(designed.rows, cell=cell, person=None)
    problem = replace(designed.scoring.problem, cell=cell)
    assert designed.rows.person is not None
    scoring = replace(designed.scoring, problem=problem)
    return _matched(designed.keep, options, rows, scoring, designed.rows.person)


def _matched(
    keep: Flags, options: MatchOptions, rows: Rows, scoring: Scoring, person: NDArray[np.int64]
) -> Designed:
    """Match rows as if each were a person; whose they are is added for what comes after."""
    matched = select_matches(rows, scoring, options)
    sample = Sample.of(rows.treated, matched.weight)
    rows = replace(rows, person=person)
    return Designed(keep, options, rows, scoring, matched, sample)
