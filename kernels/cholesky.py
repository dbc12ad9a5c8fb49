"""Cholesky factor, triangular solves and inverse in one fixed order of operations.

Library linear algebra changes its last bits with the thread count and the processor; these loops
do not. Meant for up to a few hundred columns.
"""

import numpy as np

from kernels._jit import kernel


@kernel()
def factor(a, lower, active, tolerance):
    """Factor a symmetric positive semi-definite matrix, leaving out dependent columns.

    Parameters
    ----------
    a : float64, shape (p, p)
        Symmetric matrix; only its lower triangle is read.
    lower : float64, shape (p, p)
        Filled with L, L L' = a over the active columns; rows and columns of inactive ones are 0.
    active : bool, shape (p,)
        Columns to use. A column whose squared length left after the columns before it is at most
        ``tolerance`` times its squared length is switched off: the later of two dependent columns
        goes, in the order of the columns.
    tolerance : float
        0 switches off only columns with nothing left.

    Returns
    -------
    int
        Number of columns switched off here.
    """
    p = a.shape[0]
    dropped = 0
    for j in range(p):
        for i in range(p):
            lower[j, i] = 0.0
    for j in range(p):
        if not active[j]:
            continue
        for i in range(j + 1):
            if not active[i]:
                continue
            value = a[j, i]
            for k in range(i):
                value -= lower[j, k] * lower[i, k]
            if i < j:
                lower[j, i] = value / lower[i, i]
            elif value > tolerance * a[j, j] and value > 0.0:
                lower[j, j] = np.sqrt(value)
            else:
                active[j] = False
                dropped += 1
                for k in range(j):
                    lower[j, k] = 0.0
    return dropped


@kernel()
def solve(lower, active, b, x):
    """Solve L L' x = b over the active columns; inactive entries of ``x`` are 0.

    Parameters
    ----------
    lower : float64, shape (p, p)
        Factor of :func:`factor`.
    active : bool, shape (p,)
    b : float64, shape (p,)
    x : float64, shape (p,)
        Filled; may be ``b``.
    """
    p = lower.shape[0]
    for i in range(p):
        if not active[i]:
            x[i] = 0.0
            continue
        value = b[i]
        for k in range(i):
            value -= lower[i, k] * x[k]
        x[i] = value / lower[i, i]
    for i in range(p - 1, -1, -1):
        if not active[i]:
            continue
        value = x[i]
        for k in range(i + 1, p):
            value -= lower[k, i] * x[k]
        x[i] = value / lower[i, i]


@kernel()
def invert(lower, active, inverse):
    """Fill ``inverse`` with the inverse of L L' over the active columns, 0 elsewhere.

    Parameters
    ----------
    lower : float64, shape (p, p)
    active : bool, shape (p,)
    inverse : float64, shape (p, p)
        Filled, symmetric.
    """
    p = lower.shape[0]
    unit = np.zeros(p)
    column = np.zeros(p)
    for j in range(p):
        for i in range(p):
            inverse[i, j] = 0.0
    for j in range(p):
        if not active[j]:
            continue
        unit[:] = 0.0
        unit[j] = 1.0
        solve(lower, active, unit, column)
        for i in range(j, p):
            inverse[i, j] = column[i]
            inverse[j, i] = column[i]


@kernel()
def condition_number(a, inverse, active):
    """Return the 1-norm condition number of ``a`` scaled to a unit diagonal.

    Parameters
    ----------
    a, inverse : float64, shape (p, p)
        A symmetric matrix and its inverse over the active columns.
    active : bool, shape (p,)

    Returns
    -------
    float64
        Largest column sum of the scaled matrix times that of its inverse; 1 for no columns.
    """
    p = a.shape[0]
    norm = 0.0
    inverse_norm = 0.0
    for j in range(p):
        if not active[j]:
            continue
        column = 0.0
        inverse_column = 0.0
        for i in range(p):
            if active[i]:
                scale = np.sqrt(a[i, i]) * np.sqrt(a[j, j])
                column += abs(a[i, j]) / scale
                inverse_column += abs(inverse[i, j]) * scale
        norm = max(norm, column)
        inverse_norm = max(inverse_norm, inverse_column)
    return max(norm * inverse_norm, 1.0)
