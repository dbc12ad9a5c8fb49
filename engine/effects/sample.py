"""The matched sample as the estimators see it: who is in it, with what weight, beside whom.

Everything is in words of focal rows (those whose effect is asked for: the treated for the ATT, the
comparison people for the ATC) and partners. The two sides differ by a sign only, which is set where
an effect is reported.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.matching.caliper import probabilities
from engine.matching.options import MatchOptions
from engine.matching.pairing import Pairing
from engine.matching.problem import Layout, lay_out
from engine.matching.propensity import FittedColumns
from engine.matching.radius import Windows
from engine.matching.rows import Rows
from engine.matching.scoring import Scoring
from engine.matching.selection import Match
from engine.matching.windows import partner_means, squared_shares

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sets:
    """Matched sets listed one by one.

    Attributes
    ----------
    indptr : int64, shape (N + 1,)
        Partners of focal i are entries indptr[i], ..., indptr[i + 1] - 1.
    partner : int64, shape (indptr[-1],)
        Rows.
    share : float64, shape (indptr[-1],)
        Shares of a set sum to 1.
    """

    indptr: Integers
    partner: Integers
    share: Floats


@dataclass(frozen=True)
class MatchedSample:
    """A match, ready for outcomes.

    Attributes
    ----------
    treated : bool, shape (n,)
    estimand : {'att', 'atc'}
    focal : int64, shape (N,)
        Matched focal rows, ascending.
    weight : float64, shape (n,)
        1 for matched focal rows, summed shares K for partners, 0 for everybody else.
    squared_share : float64, shape (n,), or None
        Summed squared shares Q of partners; None where a radius match has too many pairs.
    logit : float64, shape (n,)
        Logit of being treated, -inf for rows that the model left out.
    eligible : bool, shape (n,)
    cell : int64, shape (n,), or None
        Exact-match cell.
    person : int64, shape (n,), or None
    sets : Sets or None
        Listed sets, by place in ``focal``; None for radius and kernel matches.
    windows : Windows or None
    model : FittedColumns or None
        What the score was fitted with; None where the user gave it.
    score_residual : float64, shape (n,), or None
        See :func:`score_residual`; None where the score was given.
    score : float64, shape (n,)
        What was compared, for windows.
    caliper : float
        Width on the compared scale; inf for none.
    kernel : str or None
    replace : bool
        Whether a partner may serve more than one focal row.
    layout : Layout
        Rows that take part, sorted by (cell, logit, row).
    """

    treated: NDArray[np.bool_]
    estimand: str
    focal: Integers
    weight: Floats
    squared_share: Floats | None
    logit: Floats
    eligible: NDArray[np.bool_]
    cell: Integers | None
    person: Integers | None
    sets: Sets | None
    windows: Windows | None
    model: FittedColumns | None
    score_residual: Floats | None
    score: Floats
    caliper: float
    kernel: str | None
    replace: bool
    layout: Layout

    @property
    def n_rows(self) -> int:
        """Number of rows of the table."""
        return len(self.weight)

    @cached_property
    def is_focal(self) -> NDArray[np.bool_]:
        """Rows of the focal arm, matched or not, bool, shape (n,)."""
        return self.treated if self.estimand == "att" else ~self.treated

    def focal_probability(self, rows: Integers) -> Floats:
        """Return the probability of rows of being in the focal arm, float64."""
        return _focal_probability(self.logit[rows], self.estimand)

    @cached_property
    def partners(self) -> Integers:
        """Rows used as partners, ascending."""
        return np.flatnonzero((self.weight > 0) & ~self.is_focal)

    @property
    def arms(self) -> tuple[Integers, Integers]:
        """Matched comparison rows and matched treated rows, ascending."""
        return (
            (self.partners, self.focal) if self.estimand == "att" else (self.focal, self.partners)
        )

    @cached_property
    def has_repeated_people(self) -> bool:
        """Whether anybody has more than one row of the table."""
        return self.person is not None and int(self.person.max()) + 1 < self.n_rows

    @property
    def sign(self) -> float:
        """Factor from focal minus partners to treated minus comparison."""
        return 1.0 if self.estimand == "att" else -1.0

    def set_means(self, values: Floats) -> Floats:
        """Return the share-weighted mean of the partners' values for each focal row.

        Parameters
        ----------
        values : float64, shape (n,)
            Finite on rows of the pool.

        Returns
        -------
        float64, shape (N,)
        """
        if self.sets is not None:
            owner = np.repeat(np.arange(len(self.focal)), np.diff(self.sets.indptr))
            terms = values[self.sets.partner] * self.sets.share
            means: Floats = np.bincount(owner, weights=terms, minlength=len(self.focal))  # type: ignore[assignment]
            return means
        assert self.windows is not None
        matched = self.windows.total > 0
        means = partner_means(self.windows, values, self.score, self.caliper, self.kernel)
        return means[matched]


def _listed(pairing: Pairing) -> tuple[Integers, Sets]:
    size = pairing.set_size
    kept = size > 0
    indptr = np.concatenate(([0], np.cumsum(size[kept]))).astype(np.int64)
    return pairing.focal[kept], Sets(indptr, pairing.partner, pairing.share)


def with_pairing(sample: MatchedSample, pairing: Pairing) -> MatchedSample:
    """Return the sample with other sets from the same rows."""
    focal, sets = _listed(pairing)
    n = sample.n_rows
    weight, squared = np.zeros(n), np.zeros(n)
    weight += np.bincount(sets.partner, weights=sets.share, minlength=n)
    squared += np.bincount(sets.partner, weights=sets.share * sets.share, minlength=n)
    weight[focal] = 1.0
    return replace(sample, focal=focal, weight=weight, squared_share=squared, sets=sets)


def _focal_probability(logit: Floats, estimand: str) -> Floats:
    return probabilities(logit if estimand == "att" else -logit)


def score_residual(logit: Floats, treated: NDArray[np.bool_], estimand: str) -> Floats:
    """Return the probability of being in the focal arm less whether the row is, float64, (n,).

    Parameters
    ----------
    logit : float64, shape (n,)
        Logit of being treated, -inf for rows that the model left out: they say nothing of its
        coefficients, so theirs is 0.
    treated : bool, shape (n,)
    estimand : {'att', 'atc'}
    """
    residual = _focal_probability(logit, estimand)
    residual -= treated if estimand == "att" else ~treated
    residual[np.isneginf(logit)] = 0.0
    return residual


def matched_sample(
    rows: Rows, scoring: Scoring, matched: Match, options: MatchOptions
) -> MatchedSample:
    """Return the matched sample of a finished match.

    Parameters
    ----------
    rows : Rows
    scoring : Scoring
    matched : Match
    options : MatchOptions

    Returns
    -------
    MatchedSample
    """
    n = rows.n_rows
    problem = scoring.problem
    sets: Sets | None = None
    squared: Floats | None
    if matched.pairing is not None:
        focal, sets = _listed(matched.pairing)
        squared = np.zeros(n)
        squared += np.bincount(sets.partner, weights=sets.share * sets.share, minlength=n)
    else:
        assert matched.windows is not None
        focal = np.flatnonzero(matched.matched)
        squared = squared_shares(matched.windows, problem.score, problem.caliper, options.kernel)
    layout = problem.layout
    if problem.score is not scoring.logit:  # probabilities were compared
        layout = lay_out(scoring.logit, problem.focal, problem.eligible, problem.cell)
    return MatchedSample(
        rows.treated,
        options.estimand,
        focal,
        matched.weight,
        squared,
        scoring.logit,
        problem.eligible,
        problem.cell,
        rows.person,
        sets,
        matched.windows,
        None if scoring.model is None else scoring.model.fitted,
        None
        if scoring.model is None
        else score_residual(scoring.logit, rows.treated, options.estimand),
        problem.score,
        problem.caliper,
        options.kernel,
        options.replace or options.by_window or (options.reuse_max or 1) > 1,
        layout,
    )
