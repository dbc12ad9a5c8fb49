"""The effect adjusted for the propensity terms within the match: g-computation.

A model of the outcome among the matched comparison people predicts what the matched treated would
have had without the service. If the match left a difference in the columns, the model takes it
out; if the model is wrong, the match has already taken out most. Either is enough.

References
----------
Robins (1986), Mathematical Modelling 7, 1393-1512; Abadie and Imbens (2011), Journal of Business
and Economic Statistics 29, 1-11; Ho, Imai, King and Stuart (2007), Political Analysis 15, 199-236.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.effects.sample import MatchedSample
from engine.effects.some_rows import predictor_of_rows
from engine.matching.caliper import probabilities
from kernels.blocks import total
from kernels.cholesky import factor, solve
from kernels.columns import CodedColumns, take_rows
from kernels.dependence import independent_columns
from kernels.information import information_matrix
from kernels.logistic import gradient_of_residual
from kernels.newton import CONVERGED, fit

ALL_TERMS = "g-computation on the propensity terms"
SCORE_ONLY = "g-computation on the logit"
_PEOPLE_PER_TERM = 10.0
_EVENTS_PER_TERM = 5.0
_RIDGE = 1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """Outcomes without the service, as a model among matched partners predicts them.

    Attributes
    ----------
    values : float64, shape (m,)
        Of the rows that were asked for.
    method : str
    inflation : float
        Factor on the variance for the coefficients fitted.
    """

    values: Floats
    method: str
    inflation: float


def _score_column(sample: MatchedSample) -> CodedColumns:
    """The logit as the only column."""
    logit = np.where(np.isfinite(sample.logit), sample.logit, 0.0)
    own = logit[sample.focal]
    centre = float(total(own)) / len(own)
    gap = own - centre
    spread = float(np.sqrt(float(total(gap * gap)) / len(own)))
    return CodedColumns(
        logit,
        np.zeros(1, dtype=np.int64),
        np.array([centre]),
        np.array([spread if spread > 0.0 else 1.0]),
        np.array([1], dtype=np.int64),
        np.empty((0, sample.n_rows), dtype=np.uint16),
        np.zeros(1, dtype=np.int64),
        np.empty((0, 1), dtype=np.int64),
        2,
    )


def _linear_coefficients(
    columns: CodedColumns, values: Floats, weights: Floats, active: NDArray[np.bool_]
) -> Floats | None:
    """Weighted least squares with the ridge on the slopes; None if not solvable."""
    moments = 4.0 * information_matrix(columns, np.zeros(len(values)), weights, flat=True)
    centre = float(total(weights * values)) / float(total(weights))
    right = gradient_of_residual(columns, weights * (values - centre))
    penalty = np.full(columns.n_terms, _RIDGE)
    penalty[0] = 0.0
    moments[np.diag_indices_from(moments)] += penalty
    lower = np.empty_like(moments)
    usable = active.copy()
    if factor(moments, lower, usable, 0.0):
        return None
    beta = np.empty(columns.n_terms)
    solve(lower, usable, right, beta)
    beta[0] += centre
    return beta


def predict_without_service(
    sample: MatchedSample, values: Floats, wanted: NDArray[np.int64], *, binary: bool
) -> Prediction | None:
    """Predict outcomes from a model among the matched partners.

    Parameters
    ----------
    sample : MatchedSample
    values : float64, shape (n,)
        NaN where a row has no value.
    wanted : int64, shape (m,)
        Rows to predict.
    binary : bool
        Logistic model in place of a linear one.

    Returns
    -------
    Prediction or None
        None where even one column is too many for the people there are.

    Notes
    -----
    All terms of the propensity model where there are ten effective partners (and, for a binary
    outcome, five events and five others) for each; else the logit alone. A ridge of 1 on
    standardised columns keeps coefficients finite; the intercept is free, so the partners' mean
    residual is 0 and the weighted difference of residuals is the g-computation estimate.
    """
    rows = sample.partners[~np.isnan(values[sample.partners])]
    weights, own = sample.weight[rows], values[rows]
    squares = float(total(weights * weights))
    if squares == 0.0:
        return None
    mass = float(total(weights))
    effective = mass * mass / squares
    rarer = effective
    if binary:
        share = float(total(weights * own)) / mass
        rarer = effective * min(share, 1.0 - share)
    candidates = [(_score_column(sample), np.ones(2, dtype=np.bool_), SCORE_ONLY)]
    if sample.model is not None:
        candidates.insert(0, (sample.model.columns, sample.model.active, ALL_TERMS))
    for columns, usable, method in candidates:
        terms = int(np.count_nonzero(usable))
        if effective < _PEOPLE_PER_TERM * terms or (binary and rarer < _EVENTS_PER_TERM * terms):
            continue
        there = take_rows(columns, rows)
        active = independent_columns(there, weights, usable)
        beta: Floats | None
        if binary:
            fitted = fit(there, own.astype(np.uint8), weights, active, ridge=_RIDGE)
            beta = fitted.beta if fitted.status == CONVERGED else None
        else:
            beta = _linear_coefficients(there, own, weights, active)
        if beta is None:
            continue
        predicted = predictor_of_rows(columns, beta, wanted)
        if binary:
            predicted = probabilities(predicted)
        return Prediction(predicted, method, effective / (effective - terms))
    return None
