"""The path: what other calipers and ratios would give, before any outcome is opened."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engine.matching.balance import (
    BalanceRow,
    deviations,
    effective_size,
    largest_smd,
)
from engine.matching.options import MatchOptions
from engine.matching.radius import match_within_radius
from engine.matching.rows import Rows
from engine.matching.scoring import Scoring
from engine.matching.selection import pair_rows, pairing_weights, window_weights
from engine.matching.terms import Sample

CALIPERS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Widths of the path in standard deviations of the logit."""
RATIOS = (1, 2, 3, 5, 10)


@dataclass(frozen=True)
class PathPoint:
    """What one caliper and ratio would give.

    Attributes
    ----------
    caliper_sd_logit, caliper_width_logit : float
    ratio : int or None
        None in a radius or kernel match.
    treated_matched : int
        Matched focal people.
    matched_share : float
        Of all focal people.
    effective_comparison : float
        Kish's effective number of partners.
    largest_smd : float
        nan where nobody is matched.
    """

    caliper_sd_logit: float
    caliper_width_logit: float
    ratio: int | None
    treated_matched: int
    matched_share: float
    effective_comparison: float
    largest_smd: float


def explore(
    rows: Rows,
    scoring: Scoring,
    options: MatchOptions,
    balance: tuple[BalanceRow, ...],
    progress: Callable[[float], None] | None = None,
) -> tuple[PathPoint, ...]:
    """Return what each caliper and ratio of the grid would give.

    Parameters
    ----------
    rows : Rows
    scoring : Scoring
    options : MatchOptions
        The other options stay as they are.
    balance : tuple of BalanceRow
        Balance of the chosen match; gives the terms.
    progress : callable, optional
        Told the share of points done.

    Returns
    -------
    tuple of PathPoint
        By ratio, then caliper.
    """
    focal = scoring.problem.focal
    n_focal = int(np.count_nonzero(focal))
    everyone = Sample.of(rows.treated, np.ones(rows.n_rows))
    deviation = deviations(rows.design, everyone, options.smd_denominator)
    ratios: tuple[int | None, ...] = (None,) if options.by_window else RATIOS
    points = []
    base = scoring.on_logit
    for ratio in ratios:
        for caliper in CALIPERS:
            width = caliper * scoring.sd_logit
            problem = base.with_caliper(width)
            if ratio is None:
                weight = window_weights(match_within_radius(problem, options.kernel))
            else:
                plain = replace(options, max_ratio=None)
                weight = pairing_weights(pair_rows(problem, rows, plain, ratio), rows.n_rows)
            sample = Sample.of(rows.treated, weight)
            matched = int(np.count_nonzero(weight[focal] > 0))
            partners = weight[~focal]
            points.append(
                PathPoint(
                    caliper,
                    width,
                    ratio,
                    matched,
                    matched / n_focal,
                    effective_size(partners[partners > 0]),
                    largest_smd(rows.design, sample, balance, deviation),
                )
            )
            if progress is not None:
                progress(len(points) / (len(ratios) * len(CALIPERS)))
    return tuple(points)
