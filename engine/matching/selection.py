"""The match itself: pairs or windows, the weights that follow, and the certificate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, UsageError
from engine.matching.certificate import Certificate, Claim, certify_pairs, certify_windows
from engine.matching.options import MatchOptions
from engine.matching.pairing import (
    Pairing,
    pair_with_replacement,
    pair_without_replacement,
    variable_quota,
)
from engine.matching.problem import Problem, maximum_matchable, scan_cost
from engine.matching.radius import Windows, match_within_radius
from engine.matching.ranges import can_cut, cut, joined, pair_range, pair_ranges_in_turn
from engine.matching.rows import Rows
from engine.matching.scoring import Scoring, capacity

MOST_PAIRS = 100_000_000
"""Pairs that may be listed for a radius or kernel match: about 3 GB of file."""
_MOST_SCANNED = 50_000_000_000
"""Candidates that a Mahalanobis match may look at: about a minute."""


@dataclass(frozen=True)
class Match:
    """A match and its proof.

    Attributes
    ----------
    pairing : Pairing or None
    windows : Windows or None
        One of the two is there.
    weight : float64, shape (n,)
        Weight of each row in the matched sample: 1 for matched focal rows, summed shares for
        their partners, 0 for everybody else.
    matched : bool, shape (n,)
        Matched focal rows.
    n_pairs : int
    maximum_matchable : int
        Largest number of focal rows that could have a partner at this caliper.
    certificate : Certificate
    """

    pairing: Pairing | None
    windows: Windows | None
    weight: NDArray[np.float64]
    matched: NDArray[np.bool_]
    n_pairs: int
    maximum_matchable: int
    certificate: Certificate


def pair_rows(problem: Problem, rows: Rows, options: MatchOptions, ratio: int) -> Pairing:
    """Match the nearest, with or without replacement, as the options say.

    Parameters
    ----------
    problem : Problem
    rows : Rows
    options : MatchOptions
    ratio : int
        Partners wanted; overrides the options' own, for the path.
    """
    one_person = options.one_per_person
    order = None if options.replace else options.order
    by_range = problem.space.out_of_core and can_cut(problem, order, one_per_person=one_person)
    if options.replace:
        ties_all = options.ties == "all"
        if by_range:
            parts = (
                pair_range(problem, one, ratio=ratio, ties_all=ties_all) for one in cut(problem)
            )
            return joined(problem, parts)
        return pair_with_replacement(problem, ratio=ratio, ties_all=ties_all)
    quota = None
    rounds = ratio
    if options.max_ratio is not None and options.max_ratio > ratio:
        quota = variable_quota(problem, ratio, options.max_ratio)
        rounds = options.max_ratio
    if by_range:
        return pair_ranges_in_turn(
            problem,
            cut(problem),
            ratio=rounds,
            quota=quota,
            reuse_max=capacity(options),
            order=options.order,
        )
    return pair_without_replacement(
        problem,
        ratio=rounds,
        quota=quota,
        reuse_max=capacity(options),
        one_per_person=options.one_per_person,
        order=options.order,
        data_position=rows.identity.data_position() if options.order == "data" else None,
        random_key=rows.identity.matching_keys() if options.order == "random" else None,
    )


def pairing_weights(pairing: Pairing, n: int) -> NDArray[np.float64]:
    """Return each row's weight in the matched sample of a pairing, float64, shape (n,)."""
    weight: NDArray[np.float64] = np.zeros(n)
    weight += np.bincount(pairing.partner, weights=pairing.share, minlength=n)
    weight[pairing.focal[pairing.set_size > 0]] = 1.0
    return weight


def window_weights(windows: Windows) -> NDArray[np.float64]:
    """Return each row's weight in the matched sample of a radius match, float64, shape (n,)."""
    weight = windows.weight.copy()
    weight[windows.focal[windows.total > 0]] = 1.0
    return weight


def select_matches(rows: Rows, scoring: Scoring, options: MatchOptions) -> Match:
    """Match the rows and prove the match.

    Parameters
    ----------
    rows : Rows
    scoring : Scoring
    options : MatchOptions

    Returns
    -------
    Match

    Raises
    ------
    InputError
        Nobody could be matched.
    UsageError
        The search would look at too many candidates; the message carries the estimate.
    """
    problem = scoring.problem
    n = rows.n_rows
    if options.by_window:
        windows = match_within_radius(problem, options.kernel)
        weight = window_weights(windows)
        matched = np.zeros(n, dtype=np.bool_)
        matched[windows.focal[windows.total > 0]] = True
        _require_matches(matched, scoring)
        certificate = certify_windows(
            problem.score,
            problem.focal,
            problem.cell,
            windows.focal,
            windows.low,
            windows.high,
            windows.pool,
            weight,
            windows.total > 0,
            problem.caliper,
        )
        pairs = int((windows.high - windows.low).sum())
        most = maximum_matchable(problem, capacity=0)
        return Match(None, windows, weight, matched, pairs, most, certificate)
    if options.mahalanobis:
        _require_affordable(scan_cost(problem))
    pairing = pair_rows(problem, rows, options, options.ratio)
    weight = pairing_weights(pairing, n)
    matched = np.zeros(n, dtype=np.bool_)
    matched[pairing.focal[pairing.set_size > 0]] = True
    _require_matches(matched, scoring)
    certificate = certify_pairs(
        Claim(
            score=problem.score,
            focal=problem.focal,
            eligible=problem.eligible,
            rows=pairing.focal,
            indptr=pairing.indptr,
            partner=pairing.partner,
            share=pairing.share,
            weight=weight,
            caliper=problem.caliper,
            ratio=options.max_ratio or options.ratio,
            replace=options.replace,
            reuse_max=capacity(options),
            cell=problem.cell,
            person=problem.person,
            one_per_person=options.one_per_person,
            anti=problem.anti,
            covariate=problem.covariate,
            width=problem.width,
            position=problem.position,
        )
    )
    most = maximum_matchable(problem, capacity=capacity(options))
    return Match(pairing, None, weight, matched, len(pairing.partner), most, certificate)


def _require_matches(matched: NDArray[np.bool_], scoring: Scoring) -> None:
    if not matched.any():
        limits = "the caliper" if np.isfinite(scoring.width) else "the rules"
        raise InputError(
            "nobody could be matched",
            rule=f"no partner of the other group passes {limits}",
            repair="Widen the caliper, or loosen the exact and other rules",
        )


def _require_affordable(cost: int) -> None:
    if cost > _MOST_SCANNED:
        raise UsageError(
            f"the Mahalanobis match would compare {cost:,} pairs",
            rule=f"at most {_MOST_SCANNED:,} pairs are compared",
            repair="Narrow the caliper on the score, or add exact columns",
        )


def partners_in_windows(windows: Windows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the pairs of a radius match: positions among the focal rows, and partner rows.

    Raises
    ------
    UsageError
        There are too many; the message carries the estimate.
    """
    size = windows.high - windows.low
    pairs = int(size.sum())
    if pairs > MOST_PAIRS:
        raise UsageError(
            f"--pairs would list {pairs:,} pairs, about {pairs * 32 / 1e9:.0f} GB",
            rule=f"at most {MOST_PAIRS:,} pairs are listed",
            repair="Leave out --pairs: windows.parquet and weights.parquet say the same",
        )
    owner = np.repeat(np.arange(len(size)), size)
    within = np.arange(pairs) - np.repeat(np.cumsum(size) - size, size)
    return owner, windows.pool[np.repeat(windows.low, size) + within]
