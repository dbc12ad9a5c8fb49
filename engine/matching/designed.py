"""The design of one analysis: rows, score, match, certificate, balance; no outcome is known."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.matching.balance import BalanceRow, assess_balance, merge_rare_levels
from engine.matching.options import MatchOptions
from engine.matching.pool import Pool
from engine.matching.rows import Rows, people_of, read_rows
from engine.matching.score_balance import ScoreBalance, assess_score
from engine.matching.scoring import Scoring, score_rows
from engine.matching.selection import Match, select_matches
from engine.matching.terms import Sample
from engine.tables import open_table

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
    balance : tuple of BalanceRow
    score_balance : ScoreBalance
    """

    keep: Flags
    options: MatchOptions
    rows: Rows
    scoring: Scoring
    matched: Match
    sample: Sample
    balance: tuple[BalanceRow, ...]
    score_balance: ScoreBalance

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
    needed = {pool.id, pool.treatment, *options.covariates, *options.exact}
    table = pool.table.select([name for name in pool.table.column_names if name in needed])
    if not keep.all():
        table = table.filter(pa.array(keep))
    rows = read_rows(open_table(table), options)
    if progress is not None:
        progress(0.2)
    scoring = score_rows(rows, options)
    if progress is not None:
        progress(0.5)
    people = pool.table[pool.person]
    people = people if keep.all() else people.filter(pa.array(keep))
    return _matched(keep, options, rows, scoring, people_of(people, rows.identity))


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


def _matched(
    keep: Flags, options: MatchOptions, rows: Rows, scoring: Scoring, person: NDArray[np.int64]
) -> Designed:
    """Match rows as if each were a person; whose they are is added for what comes after."""
    matched = select_matches(rows, scoring, options)
    sample = Sample.of(rows.treated, matched.weight)
    balance = assess_balance(rows.design, sample, denominator=options.smd_denominator)
    score = assess_score(scoring.logit, sample)
    rows = replace(rows, person=person)
    return Designed(keep, options, rows, scoring, matched, sample, balance, score)
