"""What no interval can repair: scarce partners, lopsided windows, too few events, heavy reuse."""

from dataclasses import dataclass

import numpy as np

from engine.effects.linear_form import LinearForm
from engine.effects.sample import MatchedSample
from engine.matching.caliper import standard_deviation
from kernels.blocks import total

LEAST_EXPECTED = 10.0
LEAST_EVENTS = 30
_SCARCITY_WINDOW = 0.2
_WINDOW_BIAS = 0.02
_HEAVY_PERSON = 0.05
_HEAVY_REUSE = 0.1
_FEW_DEGREES = 10.0
_DISAGREE = 0.15


@dataclass(frozen=True)
class Support:
    """How well partners surround the focal people.

    Attributes
    ----------
    scarce_share : float
        Share of matched focal people in whose neighbourhood (the caliper, or 0.2 SD of the logit)
        there are fewer partners than the ratio asks of them together; nan with replacement.
    window_bias : float
        Mean logit of focal people less that of their partners, in SD of the logit.
    """

    scarce_share: float
    window_bias: float


def _counts_within(
    sample: MatchedSample, score: np.ndarray, start: np.ndarray, half_width: float
) -> np.ndarray:
    """Number of sorted scores within the half width of each matched focal row, same cell."""
    counts = np.empty(len(sample.focal), dtype=np.int64)
    cell = (
        np.zeros(len(sample.focal), np.int64) if sample.cell is None else sample.cell[sample.focal]
    )
    for number in np.unique(cell):
        own = cell == number
        values = score[start[number] : start[number + 1]]
        rows = np.flatnonzero(own)
        # In the order of scores, so that neighbouring searches read the same memory.
        rows = rows[np.argsort(sample.logit[sample.focal[rows]])]
        centre = sample.logit[sample.focal[rows]]
        above = np.searchsorted(values, centre + half_width, "right")
        counts[rows] = above - np.searchsorted(values, centre - half_width, "left")
    return counts


def assess_support(sample: MatchedSample, ratio: int) -> Support:
    """Look for scarce partners and lopsided windows.

    Parameters
    ----------
    sample : MatchedSample
    ratio : int
        Partners wanted by each focal row.

    Returns
    -------
    Support
    """
    spread = standard_deviation(sample.logit[sample.eligible])
    gap = sample.logit[sample.focal] - sample.set_means(
        np.where(np.isfinite(sample.logit), sample.logit, 0.0)
    )
    bias = float(total(gap)) / len(gap) / spread if spread > 0.0 else 0.0
    scarce = float("nan")
    if not sample.replace and spread > 0.0:
        half = _SCARCITY_WINDOW * spread
        layout = sample.layout
        asked = ratio * _counts_within(sample, layout.focal_score, layout.focal_start, half)
        there = _counts_within(sample, layout.pool.score, layout.pool_start, half)
        scarce = float(np.count_nonzero(asked > there)) / len(sample.focal)
    return Support(scarce, bias)


def support_cautions(support: Support) -> tuple[str, ...]:
    """Return what a reader should know of the support, in plain sentences."""
    found = []
    if support.scarce_share > 0.0:
        found.append(
            f"For {100.0 * support.scarce_share:.0f} % of the matched people there are fewer "
            "comparison people of similar score than they need together. Matching without "
            "replacement then takes worse matches, and no interval covers that; consider --replace."
        )
    if abs(support.window_bias) > _WINDOW_BIAS:
        found.append(
            "The matched groups still differ in score, by "
            f"{abs(support.window_bias):.3f} standard deviations on average; a narrower caliper "
            "or the adjusted estimate takes out more of it."
        )
    return tuple(found)


def estimate_cautions(
    sample: MatchedSample, form: LinearForm, degrees_of_freedom: float, fallbacks: int
) -> tuple[str, ...]:
    """Return what a reader should know of one interval, in plain sentences."""
    found = []
    heaviest = float(sample.weight[sample.partners].max())
    if heaviest > _HEAVY_REUSE * form.n_focal:
        found.append(
            f"One partner stands for {heaviest:.0f} of {form.n_focal:,} matched people; the "
            "degrees of freedom are a rough guide."
        )
    if degrees_of_freedom < _FEW_DEGREES:
        found.append(
            f"The interval rests on {degrees_of_freedom:.1f} degrees of freedom and is a rough "
            "guide."
        )
    if form.largest_share > _HEAVY_PERSON and form.n_focal >= 1.0 / _HEAVY_PERSON:
        found.append(
            f"One person makes up {100.0 * form.largest_share:.0f} % of the variance; the result "
            "hangs on few people."
        )
    if fallbacks:
        found.append(
            f"{fallbacks:,} people had fewer than two others in their exact group to compare with; "
            "the spread around them was taken from all groups."
        )
    ratio = form.adjusted_variance / form.variance if form.variance > 0.0 else float("nan")
    if not form.repeated and abs(ratio - 1.0) > _DISAGREE:
        found.append(
            "Two ways to take in the fitted score differ by "
            f"{100.0 * abs(ratio - 1.0):.0f} % in variance; there may be too many covariates for "
            "the number of treated people."
        )
    return tuple(found)
