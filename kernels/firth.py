"""Firth's penalised fit of a logistic model, finite where maximum likelihood is not.

Steps, scales and the judgement of convergence are those of :mod:`kernels.newton`; what differs is
the score, which takes the leverage of every row, and so a likelihood that is evaluated with its
determinant. Firth's estimate pulls probabilities towards 1/2; :func:`correct_intercept` gives the
mean back.
"""

import numpy as np

from kernels._jit import CHUNK, kernel
from kernels.blocks import chunk_count, fold, tree_add
from kernels.cholesky import factor, invert, solve
from kernels.columns import CodedColumns, take_rows
from kernels.elementary import exp_in_place, logarithm
from kernels.extrapolation import extrapolated
from kernels.information import information_matrix
from kernels.leverage import leverages
from kernels.logistic import (
    deviance_and_gradient,
    gradient_of_residual,
    linear_predictor,
)
from kernels.newton import (
    CONVERGED,
    GRADIENT_TOLERANCE,
    HALVINGS,
    NO_DESCENT,
    SINGULAR,
    STEPS_EXHAUSTED,
    NewtonFit,
    largest_scaled,
    null_start,
)

LARGEST_STEPS = 1000
"""Firth's steps use the information and not the Hessian of the penalised likelihood, so on nearly
separated data they converge linearly by themselves."""
_POLISHED = 1e-11
_LITTLE = 1e-2
"""Leverage of rows whose further copies are left out of the steps' metric, which needs no digits:
leverages sum to the number of coefficients, so that few rows of a large table are above."""
_POLISHING = 6
"""Firth's steps go on from 1e-8 until nothing but rounding is left, but at most so many: what a
step gains is a factor, so the estimate is as far off as the gradient says."""


@kernel()
def _firth_residual(eta, treated, weights, leverage, residual):
    """Fill w (y - F + h (1/2 - F)), the residual of Firth's modified score."""
    n = eta.shape[0]
    for i in range(n):
        residual[i] = -abs(eta[i])
    exp_in_place(residual)
    for i in range(n):
        far = residual[i]
        near = 1.0 / (1.0 + far)
        far *= near
        probability = near if eta[i] >= 0.0 else far
        label = 1.0 if treated[i] else 0.0
        residual[i] = (label - probability) + leverage[i] * (0.5 - probability)
    if weights.shape[0]:
        for i in range(n):
            residual[i] *= weights[i]


def _log_determinant(lower: np.ndarray, active: np.ndarray) -> float:
    diagonal = np.ascontiguousarray(np.diagonal(lower)[active])
    logs = np.empty_like(diagonal)
    logarithm(diagonal, logs)
    value = 0.0
    for log in logs:
        value += 2.0 * float(log)
    return value


def _of_more_copies(
    columns: CodedColumns, eta: np.ndarray, weights: np.ndarray, leverage: np.ndarray
) -> np.ndarray:
    """Return the information that h more copies of each row add, to a hundredth of that of one."""
    rows = np.flatnonzero(leverage > _LITTLE)
    copies = leverage[rows] if not len(weights) else leverage[rows] * weights[rows]
    return information_matrix(take_rows(columns, rows), eta[rows], copies)


def fit_firth(
    columns: CodedColumns, treated: np.ndarray, weights: np.ndarray, active: np.ndarray
) -> NewtonFit:
    """Fit by Firth's penalised likelihood, which is finite for every full-rank design.

    Parameters
    ----------
    columns, treated, weights, active
        As in :func:`kernels.newton.fit`.

    Returns
    -------
    NewtonFit
        ``deviance`` is the plain deviance at the estimate, ``information`` the plain information.

    Notes
    -----
    Maximises log L + log|I| / 2 (Jeffreys' prior). The modified score is
    sum w (y - F + h (1/2 - F)) x with h the leverage of one copy of the row. It is the plain score
    of h more copies of each row, half of them treated, so steps are the inverse information of
    w (1 + h) rows times it, halved until the penalised likelihood does not fall. (The information
    of the rows alone steps twice too far where h is 1, a level with one row, and circles.)

    Such steps gain a constant factor each, near 1 where a level is all but separated. So each is
    extrapolated from the last few (Anderson's method: the combination of them that would have left
    the shortest step, lengths measured by the information); where that lets the penalised
    likelihood fall, the plain step is taken and the memory cleared. On 18,556
    rows with 73 treated and 74 columns that are all but separated it took 19 steps instead of more
    than 60.

    References
    ----------
    Firth (1993), Biometrika 80, 27-38; Heinze and Schemper (2002), Statistics in Medicine 21;
    Walker and Ni (2011), SIAM Journal on Numerical Analysis 49, 1715-1735.
    """
    beta = null_start(columns.n_terms, treated, weights)
    n = len(treated)
    eta = np.empty(n)
    trial_eta = np.empty(n)
    residual = np.empty(n)
    lower = np.empty((columns.n_terms, columns.n_terms))
    inverse = np.empty_like(lower)
    augmented = np.empty_like(lower)
    memory: list[tuple[np.ndarray, np.ndarray]] = []

    def evaluate(coefficients: np.ndarray, predictor: np.ndarray) -> tuple[float, float, bool]:
        deviance, _ = deviance_and_gradient(columns, coefficients, treated, weights, predictor)
        information[:] = information_matrix(columns, predictor, weights)
        usable = active.copy()
        if factor(information, lower, usable, 0.0):
            return deviance, -np.inf, False
        return deviance, _log_determinant(lower, active) - deviance, True

    information = np.empty_like(lower)
    deviance, twice_log_likelihood, regular = evaluate(beta, eta)
    status = STEPS_EXHAUSTED if regular else SINGULAR
    iterations = polished = 0
    scaled = np.inf
    while regular:
        invert(lower, active, inverse)
        leverage = leverages(columns, eta, inverse)
        _firth_residual(eta, treated, weights, leverage, residual)
        gradient = gradient_of_residual(columns, residual)
        scaled = largest_scaled(gradient, information, active)
        if scaled <= GRADIENT_TOLERANCE:
            status = CONVERGED
            polished += 1
        if scaled <= _POLISHED or polished > _POLISHING:
            break
        if iterations == LARGEST_STEPS:
            break
        more = _of_more_copies(columns, eta, weights, leverage)
        factor(information + more, augmented, active.copy(), 0.0)
        step = np.empty_like(beta)
        solve(augmented, active, gradient, step)
        plain = step * min(1.0, 5.0 / max(float(np.max(np.abs(step))), 1e-300))
        # One step moves no scaled coefficient by more than 5, as far as the data reach at all.
        step = extrapolated(memory, beta, step, np.diagonal(information))
        if float(np.max(np.abs(step))) > 5.0:
            step = plain
        kept = information.copy(), lower.copy()
        accepted = False
        for _ in range(HALVINGS):
            trial_deviance, trial_twice, trial_regular = evaluate(beta + step, trial_eta)
            slack = 1e-12 * abs(twice_log_likelihood)
            if trial_regular and trial_twice >= twice_log_likelihood - slack:
                accepted = True
                break
            if step is not plain and len(memory) > 1:
                memory.clear()
                step = plain
            else:
                step = 0.5 * step
        if not accepted:
            information[:], lower[:] = kept
            status = CONVERGED if polished else NO_DESCENT
            break
        beta = beta + step
        deviance, twice_log_likelihood = trial_deviance, trial_twice
        eta, trial_eta = trial_eta, eta
        iterations += 1
    return NewtonFit(
        beta, eta, information, inverse, active, status, iterations, deviance, float(scaled)
    )


@kernel()
def _shifted_sums(eta, shift, weights, partial):
    """Row c of ``partial`` gets chunk c's sums of w F and w F (1 - F) at ``eta + shift``."""
    work = np.empty(CHUNK)
    curved = np.empty(CHUNK)
    for chunk in range(partial.shape[0]):
        first = chunk * CHUNK
        m = min(CHUNK, eta.shape[0] - first)
        for i in range(m):
            work[i] = -abs(eta[first + i] + shift)
        exp_in_place(work[:m])
        for i in range(m):
            near = 1.0 / (1.0 + work[i])
            far = work[i] * near
            curved[i] = near * far
            work[i] = near if eta[first + i] + shift >= 0.0 else far
        if weights.shape[0]:
            for i in range(m):
                work[i] *= weights[first + i]
                curved[i] *= weights[first + i]
        partial[chunk, 0] = fold(work, m)
        partial[chunk, 1] = fold(curved, m)


def correct_intercept(
    fitted: NewtonFit, columns: CodedColumns, treated_total: float, weights: np.ndarray
) -> NewtonFit:
    """Re-estimate the intercept by maximum likelihood with all slopes held (FLIC).

    Parameters
    ----------
    fitted : NewtonFit
        A Firth fit.
    columns : CodedColumns
    treated_total : float
        Weighted number of treated rows.
    weights : float64, shape (n,) or (0,)

    Returns
    -------
    NewtonFit
        The mean fitted probability equals the treated share.

    Notes
    -----
    Plain Firth pulls probabilities towards 1/2, most of all for rare treatment. Newton steps on one
    parameter, halved into the bracket of sign changes.

    References
    ----------
    Puhr, Heinze, Nold, Lusa and Geroldinger (2017), Statistics in Medicine 36, 2302-2317.
    """
    partial = np.empty((chunk_count(len(fitted.eta)), 2))
    shift, low, high = 0.0, -100.0, 100.0
    for _ in range(200):
        _shifted_sums(fitted.eta, shift, weights, partial)
        tree_add(partial)
        miss = treated_total - partial[0, 0]
        if miss > 0:
            low = shift
        else:
            high = shift
        step = miss / partial[0, 1] if partial[0, 1] > 0 else 0.0
        following = shift + step
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - shift) <= 1e-15 * max(1.0, abs(following)):
            shift = following
            break
        shift = following
    beta = fitted.beta.copy()
    beta[0] += shift
    eta = np.empty_like(fitted.eta)
    linear_predictor(columns, beta, eta)
    return fitted._replace(beta=beta, eta=eta)
