"""Sums and predictions over a few rows of a design, without a pass over all the others."""

import numpy as np
from numpy.typing import NDArray

from kernels.columns import CodedColumns, take_rows
from kernels.logistic import gradient_of_residual, linear_predictor

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FEW = 8
"""A row that is gathered costs about as much as eight that are passed by."""


def gradient_of_rows(columns: CodedColumns, rows: Integers, residual: Floats) -> Floats:
    """Return X' residual where the residual is 0 for all other rows, float64, shape (p,).

    Parameters
    ----------
    columns : CodedColumns
    rows : int64, shape (m,)
        Ascending, each once.
    residual : float64, shape (m,)
    """
    n = columns.cells.shape[1]
    if len(rows) * _FEW < n:
        return gradient_of_residual(take_rows(columns, rows), residual)
    whole = np.zeros(n)
    whole[rows] = residual
    return gradient_of_residual(columns, whole)


def predictor_of_rows(columns: CodedColumns, beta: Floats, rows: Integers) -> Floats:
    """Return the linear predictor of some rows, float64, shape (m,).

    Parameters
    ----------
    columns : CodedColumns
    beta : float64, shape (p,)
        Coefficients on the scaled columns.
    rows : int64, shape (m,)
    """
    n = columns.cells.shape[1]
    if len(rows) * _FEW < n:
        predicted = np.empty(len(rows))
        linear_predictor(take_rows(columns, rows), beta, predicted)
        return predicted
    whole = np.empty(n)
    linear_predictor(columns, beta, whole)
    return whole[rows]
