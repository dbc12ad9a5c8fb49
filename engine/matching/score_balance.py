"""Balance of the propensity score itself: Rubin's B and R, rank separation, overlap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.matching.terms import Sample, ratio
from kernels.balance import arm_rows, concordance, histogram_into, moments_by_arm, weighted_moments
from kernels.blocks import total, total_product
from kernels.ordering import rows_by_score

Floats = NDArray[np.float64]

_BINS = 40


@dataclass(frozen=True)
class ScoreBalance:
    """Balance of the propensity score itself.

    Attributes
    ----------
    rubin_b_before, rubin_b_after : float
        100 times the absolute difference of mean logits over sqrt of the mean variance; below 25
        is good (Rubin 2001).
    rubin_r_before, rubin_r_after : float
        Ratio of variances of the logit, treated over comparison; 0.5 to 2 is good.
    auc_before, auc_after : float
        Probability that a treated row outranks a comparison row; 0.5 is chance.
    edges : float64, shape (bins + 1,)
    treated, comparison_before, comparison_after : float64, shape (bins,)
        Histograms of the logit.
    """

    rubin_b_before: float
    rubin_b_after: float
    rubin_r_before: float
    rubin_r_after: float
    auc_before: float
    auc_after: float
    edges: Floats
    treated: Floats
    comparison_before: Floats
    comparison_after: Floats


def assess_score(logit: Floats, sample: Sample) -> ScoreBalance:
    """Compare the groups on the logit of the propensity score.

    Parameters
    ----------
    logit : float64, shape (n,)
        -inf for rows that were left out of the model.
    sample : Sample

    Returns
    -------
    ScoreBalance

    References
    ----------
    Rubin (2001), Health Services and Outcomes Research Methodology 2, 169-188.
    """
    usable = np.isfinite(logit)
    rows, score = rows_by_score(logit, usable)
    label = sample.treated[rows]
    weight = np.zeros(len(logit))
    for k in range(2):
        weight[sample.rows[k]] = sample.weights[k]
    before = concordance(score, label, np.ones(len(score)))
    after = concordance(score, label, weight[rows])
    arm = np.where(usable, sample.treated.astype(np.uint8), np.uint8(2)).astype(np.uint8)
    mean, variance = moments_by_arm(np.where(usable, logit, 0.0), arm_rows(arm))
    matched = [
        weighted_moments(
            logit[sample.rows[k]],
            sample.weights[k],
            float(total(sample.weights[k])),
            float(total_product(sample.weights[k], sample.weights[k])),
        )
        for k in range(2)
    ]

    def rubin_b(m: tuple[float, float], v: tuple[float, float]) -> float:
        pooled = (v[0] + v[1]) / 2.0
        return 100.0 * abs(m[1] - m[0]) / float(np.sqrt(pooled)) if pooled > 0 else float("nan")

    low, high = (float(score[0]), float(score[-1])) if len(score) else (0.0, 1.0)
    histograms = []
    none = np.empty(0)
    for values, weights in (
        (logit[usable & sample.treated], none),
        (logit[usable & ~sample.treated], none),
        (logit[sample.rows[0]], sample.weights[0]),
    ):
        counts = np.zeros(_BINS)
        histogram_into(values, weights, low, high, counts)
        histograms.append(counts)
    edges = low + (high - low) * np.arange(_BINS + 1) / _BINS
    return ScoreBalance(
        rubin_b((float(mean[0]), float(mean[1])), (float(variance[0]), float(variance[1]))),
        rubin_b((matched[0][0], matched[1][0]), (matched[0][1], matched[1][1])),
        ratio(float(variance[1]), float(variance[0])),
        ratio(matched[1][1], matched[0][1]),
        float(before),
        float(after),
        edges,
        histograms[0],
        histograms[1],
        histograms[2],
    )
