"""From rows to scores: the logit, who takes part, and the caliper on the compared scale."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.matching.caliper import (
    logits,
    probabilities,
    standard_deviation,
    widest_probability_gap,
    width_on_logit,
)
from engine.matching.mahalanobis import whiten
from engine.matching.options import MatchOptions
from engine.matching.problem import Problem, caliper_that_keeps
from engine.matching.propensity import PropensityModel, fit_propensity
from engine.matching.rows import Rows

_NO_LIMIT = float("inf")


@dataclass(frozen=True)
class Scoring:
    """Scores of all rows and the problem they pose.

    Attributes
    ----------
    model : PropensityModel or None
        None where the user gave the score.
    logit : float64, shape (n,)
        -inf for rows that the model left out.
    problem : Problem
        Rows, rules and caliper of the match.
    off_support : bool, shape (n,)
        Rows outside the common support, where those are discarded.
    sd_logit : float
        n - 1 standard deviation of the logit over the eligible rows.
    width : float
        Raw caliper on the compared scale; inf for none.
    width_logit, widest_gap : float
        What the caliper allows at most on the logit and in probability.
    warnings : tuple of str
    """

    model: PropensityModel | None
    logit: NDArray[np.float64]
    problem: Problem
    off_support: NDArray[np.bool_]
    sd_logit: float
    width: float
    width_logit: float
    widest_gap: float
    warnings: tuple[str, ...]

    @property
    def on_logit(self) -> Problem:
        """The problem with logits compared, whatever scale the match was made on."""
        if self.problem.score is self.logit:
            return self.problem
        return replace(self.problem, score=self.logit)


def capacity(options: MatchOptions) -> int:
    """Return the uses of one partner that the options allow; 0 for no limit."""
    return 0 if options.replace else options.reuse_max or 1


def score_rows(rows: Rows, options: MatchOptions) -> Scoring:
    """Fit or take the score, find who takes part, and set the caliper.

    Parameters
    ----------
    rows : Rows
    options : MatchOptions

    Returns
    -------
    Scoring

    Raises
    ------
    InputError
        The model cannot be fitted, nobody is left on the common support, or no caliper keeps the
        share asked for.
    """
    model = None
    if rows.score is None:
        model = fit_propensity(
            rows.design,
            rows.treated,
            method=options.fit,
            focal_treated=options.estimand == "att",
        )
        logit = model.logit
        eligible = ~model.left_out
    else:
        logit = rows.score
        eligible = np.ones(rows.n_rows, dtype=np.bool_)
    off_support = np.zeros(rows.n_rows, dtype=np.bool_)
    if options.discard == "support":
        off_support = _outside_support(logit, rows.treated, eligible)
        eligible &= ~off_support
    taking_part = logit[eligible]
    focal = rows.treated if options.estimand == "att" else ~rows.treated
    compared = logit
    if options.caliper is not None and options.caliper.scale == "probability":
        compared = np.where(eligible, probabilities(np.where(eligible, logit, 0.0)), 0.0)
    sd_logit = standard_deviation(taking_part)
    problem = Problem(
        compared,
        focal,
        eligible,
        cell=rows.cell,
        person=rows.person,
        anti=rows.anti,
        covariate=rows.covariate,
        width=rows.width,
        position=whiten(rows.mahalanobis, rows.treated, options.mahalanobis)
        if options.mahalanobis
        else None,
        space=rows.design.space,
    )
    width, width_logit, gap = _NO_LIMIT, _NO_LIMIT, 1.0
    if options.keep_share is not None:
        width = caliper_that_keeps(problem, capacity=capacity(options), share=options.keep_share)
        if not np.isfinite(width):
            raise InputError(
                "no caliper keeps the share that --keep-share asks for",
                rule="there are too few comparison people, or too few in the same exact cells",
                repair="Ask for a smaller share, allow --replace, or leave out exact columns",
            )
        width_logit, gap = width, widest_probability_gap(width, taking_part)
    elif options.caliper is not None:
        width = width_on_logit(options.caliper, taking_part)
        if options.caliper.scale == "probability":
            width_logit, gap = _widest_logit_gap(width, compared[eligible], taking_part), width
        else:
            width_logit, gap = width, widest_probability_gap(width, taking_part)
    problem = replace(problem, caliper=width)
    return Scoring(
        model,
        logit,
        problem,
        off_support,
        sd_logit,
        width,
        width_logit,
        gap,
        () if model is None else model.warnings,
    )


def _outside_support(
    logit: NDArray[np.float64], treated: NDArray[np.bool_], eligible: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Rows outside the range of scores that both groups have."""
    arms = (logit[eligible & treated], logit[eligible & ~treated])
    low = max(float(arm.min()) for arm in arms)
    high = min(float(arm.max()) for arm in arms)
    if low > high:
        raise InputError(
            "the scores of the two groups do not overlap at all",
            rule="common support is the range of scores that both groups have",
            repair="The groups are too different to be compared on these covariates",
        )
    return eligible & ((logit < low) | (logit > high))


def _widest_logit_gap(
    width: float, probability: NDArray[np.float64], logit: NDArray[np.float64]
) -> float:
    """Widest gap of logits that a width in probability allows: at the ends of the range."""
    low, high = float(probability.min()), float(probability.max())
    span = min(width, high - low)
    inside = np.clip(np.array([low, low + span, high - span, high]), 1e-300, 1.0 - 1e-16)
    ends = logits(inside)
    widest = max(float(ends[1] - ends[0]), float(ends[3] - ends[2]))
    return min(widest, float(logit.max()) - float(logit.min()))
