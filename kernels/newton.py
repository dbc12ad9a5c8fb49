"""Maximum likelihood and ridge fits of a logistic model by damped Newton steps.

The gradient is always exact; what varies is the metric. On small tables it is the exact
information, formed at every step. On large ones a pilot fit on a case-control subsample
(systematic, so deterministic) gives a starting point and an information matrix that are each within
sampling error of the final ones; with that matrix held fixed every gradient pass multiplies the
error by about 0.1, and by about 0.05 where steps are extrapolated from those before. The exact
information is formed once, at the end, for the standard errors; on the spot where that is sooner
done than the passes that are left at their pace.

Convergence is judged in units of statistical error: the scaled gradient is the largest
|g_j| / sqrt(I_jj), the score divided by its own standard deviation. It must be at most 1e-8, and
the last relative change of the deviance at most 1e-10.
"""

from typing import NamedTuple, Protocol

import numpy as np

from kernels.cholesky import factor, invert, solve
from kernels.columns import CodedColumns
from kernels.elementary import logarithm
from kernels.extrapolation import extrapolated
from kernels.information import information_matrix
from kernels.logistic import deviance_and_gradient
from kernels.pilot import case_control_sample, pilot_sizes

GRADIENT_TOLERANCE = 1e-8
DEVIANCE_TOLERANCE = 1e-10
LARGEST_STEPS = 50
HALVINGS = 40
"""Times that a step is shortened before it is said that none leads down."""
_ROUGH = 1e-2
"""Scaled gradient at which a pilot fit is near enough: its own error is about one."""
_SEED_RIDGE = 1.0
"""Penalty of the first of two pilots, so that a level without comparison rows among its few leads
nowhere far; the second starts from it, and has none."""
_PASSES = 9
"""Gradient passes that cost as much as forming the exact information, which is four to six, and
the passes from there."""

CONVERGED = 0
STEPS_EXHAUSTED = 1
NO_DESCENT = 2
SINGULAR = 3


class NewtonFit(NamedTuple):
    """Result of a fit on the scaled columns.

    Attributes
    ----------
    beta : float64, shape (p,)
        Coefficients; 0 where not active.
    eta : float64, shape (n,)
        Linear predictor.
    information, inverse : float64, shape (p, p)
        Information matrix at ``beta`` (penalised for ridge) and its inverse over active columns.
    active : bool, shape (p,)
        Columns that have a coefficient.
    status : int
        CONVERGED, STEPS_EXHAUSTED, NO_DESCENT or SINGULAR.
    iterations : int
        Steps taken on the full table.
    deviance, scaled_gradient : float
        At ``beta``; the deviance of a ridge fit includes its penalty.
    """

    beta: np.ndarray
    eta: np.ndarray
    information: np.ndarray
    inverse: np.ndarray
    active: np.ndarray
    status: int
    iterations: int
    deviance: float
    scaled_gradient: float


class Sums(Protocol):
    """Sums over all rows at given coefficients, wherever the rows are.

    Who makes them decides where: in this process, block by block from mapped files, in other
    processes or on other machines. The same sums, to the last bit, give the same fit.
    """

    def at(self, beta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the deviance and the gradient of the log likelihood, shape (p,)."""

    def keep(self) -> None:
        """Make the coefficients of the last call those that :meth:`information` speaks of."""

    def information(self) -> np.ndarray:
        """Return the information matrix at the coefficients kept, shape (p, p)."""

    def predictor(self) -> np.ndarray:
        """Return the linear predictor at the coefficients kept; may be empty until asked for."""


class Predictors:
    """Sums in this process, with the linear predictors of two sets of coefficients in arrays.

    Parameters
    ----------
    columns : CodedColumns
    treated : uint8, shape (n,)
    weights : float64, shape (n,) or (0,)
    """

    def __init__(
        self,
        columns: CodedColumns,
        treated: np.ndarray,
        weights: np.ndarray,
    ) -> None:
        self._data = columns, treated, weights
        self._kept = np.empty(len(treated))
        self._last = np.empty(len(treated))

    def at(self, beta: np.ndarray) -> tuple[float, np.ndarray]:
        """See :class:`Sums`."""
        columns, treated, weights = self._data
        return deviance_and_gradient(columns, beta, treated, weights, self._last)

    def keep(self) -> None:
        """See :class:`Sums`."""
        self._kept, self._last = self._last, self._kept

    def information(self) -> np.ndarray:
        """See :class:`Sums`."""
        columns, _, weights = self._data
        return information_matrix(columns, self._kept, weights)

    def predictor(self) -> np.ndarray:
        """See :class:`Sums`."""
        return self._kept


def largest_scaled(gradient: np.ndarray, information: np.ndarray, active: np.ndarray) -> float:
    """Return how far a fit is from its end: the largest |g_j| / sqrt(I_jj).

    Parameters
    ----------
    gradient : float64, shape (p,)
    information : float64, shape (p, p)
        Its diagonal is positive where active.
    active : bool, shape (p,)

    Returns
    -------
    float
        In standard errors of the score, in [0, inf); 0 where no column is active.
    """
    diagonal = np.diagonal(information)[active]
    return float(np.max(np.abs(gradient[active]) / np.sqrt(diagonal), initial=0.0))


def _penalised_pass(sums: Sums, beta: np.ndarray, penalty: np.ndarray) -> tuple[float, np.ndarray]:
    """Deviance plus the ridge penalty, and the gradient of half its negative."""
    deviance, gradient = sums.at(beta)
    penalised = penalty * beta
    for value in penalised * beta:
        deviance += float(value)
    return deviance, gradient - penalised


def _information(sums: Sums, penalty: np.ndarray) -> np.ndarray:
    information = sums.information()
    information[np.diag_indices_from(information)] += penalty
    return information


def null_start(n_terms: int, treated: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the intercept-only fit: the log odds of the weighted treated share.

    Parameters
    ----------
    n_terms : int
        Coefficients, the intercept first.
    treated : uint8, shape (n,)
        1 for treated rows; both arms present.
    weights : float64, shape (n,) or (0,)
        Frequency weights; empty means all one.

    Returns
    -------
    float64, shape (n_terms,)
        Slopes are 0.
    """
    beta = np.zeros(n_terms)
    if len(weights):
        treated_total = float(weights[treated == 1].sum())
        everyone = float(weights.sum())
    else:
        treated_total = float(np.count_nonzero(treated))
        everyone = float(len(treated))
    odds = np.array([treated_total / (everyone - treated_total)])
    logarithm(odds, beta[:1])
    return beta


def _is_slow(scaled: float, before: float) -> bool:
    """Whether the passes left at this pace cost more than forming the information anew."""
    if not before < np.inf or scaled <= GRADIENT_TOLERANCE:
        return False
    return (scaled / before) ** _PASSES * scaled > GRADIENT_TOLERANCE


def _descend(
    sums: Sums,
    penalty: np.ndarray,
    beta: np.ndarray,
    metric: np.ndarray | None,
    active: np.ndarray,
    steps: int,
    tolerance: float = GRADIENT_TOLERANCE,
) -> NewtonFit:
    """Newton steps from ``beta``; ``metric`` None means the exact information at every step."""
    exact_each_step = metric is None
    rough = tolerance > GRADIENT_TOLERANCE
    lower = np.empty((len(beta), len(beta)))
    deviance, gradient = _penalised_pass(sums, beta, penalty)
    sums.keep()
    status = STEPS_EXHAUSTED
    change = 0.0
    before = np.inf
    iterations = 0
    information = metric
    fresh = False
    factored = False
    memory: list[tuple[np.ndarray, np.ndarray]] = []
    while True:
        if information is None:
            information = _information(sums, penalty)
            fresh, factored = True, False
            memory.clear()
        if not factored:
            usable = active.copy()
            if factor(information, lower, usable, 0.0):
                status = SINGULAR
                break
            factored = True
        scaled = largest_scaled(gradient, information, active)
        if scaled <= tolerance and (rough or change <= DEVIANCE_TOLERANCE):
            if fresh:
                status = CONVERGED
                break
            information = None
            continue
        if iterations == steps:
            break
        if not fresh and _is_slow(scaled, before):
            information, before = None, np.inf
            continue
        before = scaled
        plain = np.empty_like(beta)
        solve(lower, active, gradient, plain)
        step = extrapolated(memory, beta, plain, np.diagonal(information))
        accepted = False
        for _ in range(HALVINGS):
            trial = beta + step
            trial_deviance, trial_gradient = _penalised_pass(sums, trial, penalty)
            # 1e-13 of slack: at the solution the deviance moves by rounding alone.
            if trial_deviance <= deviance + 1e-13 * abs(deviance):
                accepted = True
                break
            if len(memory) > 1:
                memory.clear()
                step = plain
            else:
                step = 0.5 * step
        if not accepted:
            if not fresh:
                information, before = None, np.inf
                continue
            status = NO_DESCENT
            break
        change = abs(deviance - trial_deviance) / max(abs(trial_deviance), 1e-300)
        beta, deviance, gradient = trial, trial_deviance, trial_gradient
        sums.keep()
        iterations += 1
        fresh = False
        if exact_each_step:
            information = None
    if information is None or not fresh:
        information = _information(sums, penalty)
    usable = active.copy()
    factor(information, lower, usable, 0.0)
    inverse = np.empty_like(lower)
    invert(lower, usable, inverse)
    if status == CONVERGED and not rough:
        # One step more with the exact information: from 1e-8 standard errors to rounding error.
        step = np.empty_like(beta)
        solve(lower, active, gradient, step)
        beta = beta + step
        deviance, gradient = _penalised_pass(sums, beta, penalty)
        sums.keep()
        if exact_each_step:
            information = _information(sums, penalty)
            factor(information, lower, usable, 0.0)
            invert(lower, usable, inverse)
    scaled = largest_scaled(gradient, information, active & (np.diagonal(information) > 0))
    eta = sums.predictor()
    return NewtonFit(beta, eta, information, inverse, active, status, iterations, deviance, scaled)


def _pilot(
    columns: CodedColumns,
    treated: np.ndarray,
    weights: np.ndarray,
    penalty: np.ndarray,
    active: np.ndarray,
    beta: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return coefficients and information of a fit on some rows; None where it leads nowhere."""
    seed = np.full(columns.n_terms, _SEED_RIDGE)
    seed[0] = 0.0
    sizes = pilot_sizes(len(treated))
    found = None
    for most in sizes:
        sample = case_control_sample(columns, treated, weights, most)
        own = penalty if most == sizes[-1] else np.maximum(penalty, seed)
        few = _descend(Predictors(*sample), own, beta, None, active, LARGEST_STEPS, _ROUGH)
        if few.status == CONVERGED:
            beta, found = few.beta, few
        else:
            found = None
    return None if found is None else (found.beta, found.information)


def fit(
    columns: CodedColumns,
    treated: np.ndarray,
    weights: np.ndarray,
    active: np.ndarray,
    *,
    ridge: float = 0.0,
    start: np.ndarray | None = None,
    sums: Sums | None = None,
) -> NewtonFit:
    """Fit by maximum likelihood, or by penalised likelihood for ``ridge`` > 0.

    Parameters
    ----------
    columns : CodedColumns
    treated : uint8, shape (n,)
        1 for treated rows; both arms present.
    weights : float64, shape (n,) or (0,)
        Frequency weights; empty means all one.
    active : bool, shape (p,)
        Columns to give a coefficient, linearly independent; see
        :func:`kernels.dependence.independent_columns`.
    ridge : float
        Penalty ridge / 2 times the sum of squared slopes on the scaled columns, in [0, inf).
    start : float64, shape (p,), optional
        Coefficients to start from.
    sums : Sums, optional
        Who sums over the rows; this process by default.

    Returns
    -------
    NewtonFit

    Notes
    -----
    A step that lets the penalised deviance grow is replaced by the plain one where it was
    extrapolated, and then halved until it does not. About 15 ns a row for each
    gradient pass and 65 ns for the information with 10 numbers and 10 categories.
    """
    penalty = np.full(columns.n_terms, float(ridge))
    penalty[0] = 0.0
    metric = None
    if start is None:
        beta = null_start(columns.n_terms, treated, weights)
        pilot = _pilot(columns, treated, weights, penalty, active, beta)
        if pilot is not None:
            beta, metric = pilot
    else:
        beta = np.where(active, start, 0.0)
    if sums is None:
        sums = Predictors(columns, treated, weights)
    fitted = _descend(sums, penalty, beta, metric, active, LARGEST_STEPS)
    if fitted.status != CONVERGED and metric is not None:
        # A rare level may be separated in the sample alone, which makes a start far from anything.
        null = null_start(columns.n_terms, treated, weights)
        fitted = _descend(sums, penalty, null, None, active, LARGEST_STEPS)
    return fitted
