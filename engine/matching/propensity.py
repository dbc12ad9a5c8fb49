"""The propensity score: a logistic model of who was treated, that certifies itself.

Maximum likelihood exists only if no combination of columns separates the treated from the others.
Three steps see to that: a look at each column before fitting; the fit's own certificate (converged,
positive definite information, bounded logits); and, only where that fails, the linear programme of
Konis. A separated model is never returned as converged: comparison people in levels without anyone
treated have no part in an effect on the treated and leave, and if that is not enough Firth's
estimate with intercept correction takes over, and says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError, UnfittedError
from engine.matching.design import Design, code_columns, term_names, term_of_level
from engine.matching.mapped_sums import MappedSums
from engine.matching.screening import (
    Tally,
    count_levels,
    describe,
    screen,
    taking_part,
    tally_columns,
)
from engine.matching.separation import SeparatedTerm, describe_separated, separated_terms
from engine.spill import Space
from kernels.cholesky import condition_number
from kernels.columns import CodedColumns, some_numbers, take_rows
from kernels.dependence import independent_columns
from kernels.elementary import logarithm
from kernels.firth import correct_intercept, fit_firth
from kernels.newton import CONVERGED, NewtonFit, Sums, fit
from kernels.tally import LEFT_OUT

FitMethod = Literal["ml", "ridge", "firth"]
SumsOf = Callable[[CodedColumns, NDArray[np.uint8], NDArray[np.float64]], Sums]

_BOUNDED_LOGIT = 20.0
_CONDITION_WARNED = 1e8
_CONDITION_REFUSED = 1e12
_FEW_TREATED_PER_PARAMETER = 5.0
_MOST_LEFT_OUT = 0.75
"""Share of rows left out, above which the others are copied. Copying a row takes as long as some
sixty passes over it, a fit some twenty; up to this share weights of 0 leave rows out at less cost.
Firth's fits take hundreds of passes, so they always copy."""
DEFAULT_RIDGE = 1.0


@dataclass(frozen=True)
class Term:
    """A coefficient of the model on the scale of its column."""

    name: str
    coefficient: float
    standard_error: float


@dataclass(frozen=True)
class DroppedTerm:
    """A column that got no coefficient, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Separation:
    """A column or level that separates the treated from the others.

    Attributes
    ----------
    name : str
    kind : str
        ``complete``, ``quasi``, ``no treated`` or ``no comparison``.
    """

    name: str
    kind: str


@dataclass(frozen=True)
class FittedColumns:
    """What the score was fitted with, for the effect of having estimated it.

    Attributes
    ----------
    columns : CodedColumns
        Numbers centred and scaled, without those that got no coefficient.
    information : float64, shape (p, p)
        Penalised for ridge; at the estimate, on the scaled columns.
    active : bool, shape (p,)
        Columns that got a coefficient.
    beta : float64, shape (p,)
        On the scaled columns.
    """

    columns: CodedColumns
    information: NDArray[np.float64]
    active: NDArray[np.bool_]
    beta: NDArray[np.float64]


@dataclass(frozen=True)
class PropensityModel:
    """A fitted propensity model.

    Attributes
    ----------
    terms : tuple of Term
    fitted : FittedColumns
    logit : float64, shape (n,)
        Linear predictor of every row, -inf for rows left out.
    left_out : bool, shape (n,)
        Rows in levels that hold nobody of the group whose effect is asked for.
    method : {'ml', 'ridge', 'firth-flic'}
    iterations : int
    converged : bool
    deviance, null_deviance : float
    scaled_gradient : float
        Largest |g_j| / sqrt(I_jj) at the estimate.
    condition_number : float
        Of the information matrix scaled to a unit diagonal.
    largest_coefficient : float
        Largest |coefficient| on standardised columns.
    treated_per_parameter : float
    dropped : tuple of DroppedTerm
    separation : tuple of Separation
    warnings : tuple of str
    """

    terms: tuple[Term, ...]
    fitted: FittedColumns
    logit: NDArray[np.float64]
    left_out: NDArray[np.bool_]
    method: str
    iterations: int
    converged: bool
    deviance: float
    null_deviance: float
    scaled_gradient: float
    condition_number: float
    largest_coefficient: float
    treated_per_parameter: float
    dropped: tuple[DroppedTerm, ...]
    separation: tuple[Separation, ...]
    warnings: tuple[str, ...]


def require_both_arms(treated: NDArray[np.bool_]) -> None:
    """Refuse a table without at least two people in each arm.

    Raises
    ------
    InputError
        Says which arm is empty or holds one row.
    """
    n_treated = int(np.count_nonzero(treated))
    n_comparison = len(treated) - n_treated
    if n_treated == 0:
        raise InputError(
            "nobody is treated",
            rule="a comparison needs treated and comparison people",
            repair="Check --treatment, and --treated for the value that means treated",
        )
    if n_comparison == 0:
        raise InputError(
            "everybody is treated",
            rule="a comparison needs treated and comparison people",
            repair="Add people who did not take part, or check --treated",
        )
    for count, arm in ((n_treated, "treated"), (n_comparison, "comparison")):
        if count == 1:
            raise InputError(
                f"there is only one {arm} row",
                rule="a propensity model needs at least two rows in each group",
                repair="One person cannot be told apart from chance; add more",
            )


def fit_propensity(
    design: Design,
    treated: NDArray[np.bool_],
    *,
    method: FitMethod = "ml",
    weights: NDArray[np.float64] | None = None,
    ridge: float = DEFAULT_RIDGE,
    focal_treated: bool = True,
    sums: SumsOf | None = None,
) -> PropensityModel:
    """Fit the propensity model of a design.

    Parameters
    ----------
    design : Design
    treated : bool, shape (n,)
    method : {'ml', 'ridge', 'firth'}
        Maximum likelihood; penalised by ridge / 2 times the squared slopes on standardised
        columns; or Firth's estimate with intercept correction.
    weights : float64, shape (n,), optional
        Frequency weights >= 0.
    ridge : float
        Penalty of the ridge fit, > 0.
    focal_treated : bool
        Whether the effect is on the treated; decides which lone levels may leave.
    sums : callable, optional
        Makes who sums over the rows, from columns, treated and weights; this process by default.

    Returns
    -------
    PropensityModel

    Raises
    ------
    InputError
        An arm has fewer than two rows, the columns are too nearly dependent, or the model does
        not converge though it is not separated.

    References
    ----------
    Albert and Anderson (1984), Biometrika 71, 1-10; Konis (2007), DPhil thesis, Oxford; Firth
    (1993), Biometrika 80, 27-38; Puhr et al. (2017), Statistics in Medicine 36, 2302-2317.
    """
    require_both_arms(treated if weights is None else treated[weights > 0])
    names = term_names(design)
    no_weights = np.empty(0)
    work = no_weights if weights is None else np.ascontiguousarray(weights, dtype=np.float64)
    separation: list[Separation] = []
    notes: list[str] = []
    left_out = np.zeros(len(treated), dtype=np.bool_)
    tally = _tally(design, treated, work)
    counts = tally.counts
    if method == "ml":
        left_out = _lone_rows(design, tally, focal_treated, separation, notes)
        if left_out.any():
            before, work = work, np.where(left_out, 0.0, work if len(work) else 1.0)
            require_both_arms(treated[work > 0])
            counts = _counts_without(design, tally, left_out, treated, before)
    columns, constant = code_columns(design, work)
    dropped, active = _usable_columns(design, counts, columns, constant, names, work)
    columns = some_numbers(columns, active)
    label = treated.astype(np.uint8)
    part, own = columns, work
    kept: slice | NDArray[np.int64] = slice(None)
    if np.count_nonzero(left_out) > _MOST_LEFT_OUT * len(left_out):
        part, own, kept = _kept_rows(design, columns, left_out, weights)
    fitted = None
    if method != "firth":
        penalty = ridge if method == "ridge" else 0.0
        fitted = fit(
            part,
            label[kept],
            own,
            active,
            ridge=penalty,
            sums=_sums_of(design, part, label[kept], own, sums),
        )
        if method == "ml" and not _certified(fitted, own):
            eta = _of_all(fitted.eta, left_out, design.space)
            found = _separated(design, active, treated, work, eta)
            if found:
                separation += [Separation(term.name, term.kind) for term in found]
                notes.append(
                    f"{describe_separated(found)} Firth's estimate with intercept correction was "
                    "used instead."
                )
                fitted = None
            elif fitted.status != CONVERGED:
                _refuse_unconverged()
    name_of_method = method if fitted is not None else "firth-flic"
    if fitted is None:
        if left_out.any() and part is columns:
            part, own, kept = _kept_rows(design, columns, left_out, weights)
        counted = label[kept] if not len(own) else label[kept] * own
        fitted = fit_firth(part, label[kept], own, active)
        fitted = correct_intercept(fitted, part, float(counted.sum()), own)
    if fitted.status != CONVERGED:
        _refuse_unconverged()
    condition = float(condition_number(fitted.information, fitted.inverse, active))
    if condition > _CONDITION_REFUSED:
        raise UnfittedError(
            "the covariates are so nearly dependent that no coefficient can be trusted",
            rule="the condition number of the scaled information is at most 1e12",
            repair="Leave out one of the columns that say nearly the same, or use --fit ridge",
        )
    if condition > _CONDITION_WARNED:
        notes.append(
            "Some covariates say nearly the same: the condition number of the propensity model is "
            f"{condition:.1e}. Scores are usable, single coefficients are not."
        )
    n_treated = int(np.count_nonzero(treated & ~left_out))
    per_parameter = n_treated / int(np.count_nonzero(active))
    if per_parameter < _FEW_TREATED_PER_PARAMETER:
        notes.append(
            f"There are only {per_parameter:.1f} treated rows for each coefficient of the "
            "propensity model; fewer covariates would be steadier."
        )
    return PropensityModel(
        _terms(columns, fitted, names, active),
        FittedColumns(columns, fitted.information, active, fitted.beta),
        _of_all(fitted.eta, left_out, design.space),
        left_out,
        name_of_method,
        fitted.iterations,
        True,
        fitted.deviance,
        _null_deviance(treated, work),
        fitted.scaled_gradient,
        condition,
        float(np.max(np.abs(fitted.beta[1:]), initial=0.0)),
        per_parameter,
        tuple(dropped),
        tuple(separation),
        tuple(notes),
    )


def _kept_rows(
    design: Design,
    columns: CodedColumns,
    left_out: NDArray[np.bool_],
    weights: NDArray[np.float64] | None,
) -> tuple[CodedColumns, NDArray[np.float64], NDArray[np.int64]]:
    """Return columns and weights of the rows that are not left out, and these rows."""
    kept = np.flatnonzero(~left_out)
    own = np.empty(0) if weights is None else np.ascontiguousarray(weights[kept], dtype=np.float64)
    return take_rows(columns, kept, design.space.empty), own, kept


def _of_all(
    eta: NDArray[np.float64], left_out: NDArray[np.bool_], space: Space
) -> NDArray[np.float64]:
    """Return the linear predictor of all rows, -inf for those left out; writes into ``eta``."""
    if len(eta) == len(left_out):
        eta[left_out] = -np.inf
        return eta
    found = space.empty(len(left_out))
    found.fill(-np.inf)
    found[~left_out] = eta
    return found


def _sums_of(
    design: Design,
    columns: CodedColumns,
    label: NDArray[np.uint8],
    weights: NDArray[np.float64],
    given: SumsOf | None,
) -> Sums | None:
    """Return who sums over the rows; None for the fit's own way, which is for rows in memory."""
    if given is not None:
        return given(columns, label, weights)
    if design.space.out_of_core:
        return MappedSums(columns, label, weights, design.space)
    return None


def _refuse_unconverged() -> None:
    raise UnfittedError(
        "the propensity model did not converge",
        rule="the scaled gradient falls to 1e-8 within the allowed number of steps",
        repair="Use --fit ridge, or look for covariates with extreme values",
    )


def _level_names(design: Design) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    categories = [c for c in design.covariates if c.levels]
    return tuple(c.levels for c in categories), tuple(c.name for c in categories)


def _grouped_order(design: Design) -> NDArray[np.int64]:
    """Coefficient positions in the order intercept, numbers, levels: that of separation.py."""
    numbers, levels = term_of_level(design)
    order = [0, *numbers]
    for terms in levels:
        order += [int(term) for term in terms[1:]]
    return np.array(order, dtype=np.int64)


def _tally(design: Design, treated: NDArray[np.bool_], weights: NDArray[np.float64]) -> Tally:
    return tally_columns(design.numeric, design.codes, _sizes(design), treated, weights)


def _sizes(design: Design) -> list[int]:
    """Return the number of levels of each category."""
    return [len(covariate.levels) for covariate in design.covariates if covariate.levels]


def _lone_rows(
    design: Design,
    tally: Tally,
    focal_treated: bool,
    separation: list[Separation],
    notes: list[str],
) -> NDArray[np.bool_]:
    """Return the rows in levels without anyone of the focal arm; note what else is lone."""
    levels, categories = _level_names(design)
    numbers = [c.name for c in design.covariates if not c.levels]
    seen = screen(tally, numbers, categories, levels)
    if focal_treated:
        leaving, staying = seen.levels_without_treated, seen.levels_without_comparison
        kinds = ("no treated", "no comparison")
    else:
        leaving, staying = seen.levels_without_comparison, seen.levels_without_treated
        kinds = ("no comparison", "no treated")
    left_out = np.zeros(design.n_rows, dtype=np.bool_)
    for finding in leaving:
        covariate = next(c for c in design.covariates if c.name == finding.column)
        code = covariate.levels.index(finding.level)
        left_out |= design.codes[covariate.row] == code
        separation.append(Separation(f"{finding.column}={finding.level}", kinds[0]))
    separation += [Separation(f"{f.column}={f.level}", kinds[1]) for f in staying]
    separation += [Separation(f.column, f.kind) for f in seen.apart]
    if leaving or staying or seen.apart:
        notes.append(describe(seen))
    if left_out.any():
        other = "comparison" if focal_treated else "treated"
        mine = "treated" if focal_treated else "comparison"
        notes.append(
            f"{int(left_out.sum()):,} {other} rows are in a level that holds no {mine} row. They "
            "can be nobody's match and were left out of the model and of the pool."
        )
    return left_out


def _counts_without(
    design: Design,
    tally: Tally,
    left_out: NDArray[np.bool_],
    treated: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.int64], ...]:
    """Return the rows of each arm in each level, without those left out."""
    gone = np.flatnonzero(left_out)
    if design.space.out_of_core or len(gone) > _MOST_LEFT_OUT * len(left_out):
        arm = np.where(left_out, np.uint8(LEFT_OUT), taking_part(treated, weights))
        return count_levels(design.codes, _sizes(design), arm)
    arm = taking_part(treated[gone], weights[gone] if len(weights) else None)
    theirs = count_levels(np.ascontiguousarray(design.codes[:, gone]), _sizes(design), arm)
    return tuple(every - own for every, own in zip(tally.counts, theirs, strict=True))


def _usable_columns(
    design: Design,
    counts: Sequence[NDArray[np.int64]],
    columns: CodedColumns,
    constant: NDArray[np.bool_],
    names: tuple[str, ...],
    weights: NDArray[np.float64],
) -> tuple[list[DroppedTerm], NDArray[np.bool_]]:
    """Return which columns get a coefficient, and why the others do not."""
    candidates = np.ones(columns.n_terms, dtype=np.bool_)
    reasons: dict[int, str] = {}
    for j in np.flatnonzero(constant):
        reasons[int(columns.numeric_term[j])] = "constant"
    _, levels = term_of_level(design)
    for terms, rows in zip(levels, counts, strict=True):
        for level in np.flatnonzero(rows.sum(axis=1) == 0):
            if terms[level] >= 0:
                reasons[int(terms[level])] = "empty level"
    for place in reasons:
        candidates[place] = False
    active = independent_columns(columns, weights, candidates)
    for dependent in np.flatnonzero(candidates & ~active):
        reasons[int(dependent)] = "linearly dependent on earlier columns"
    return [DroppedTerm(names[place], reasons[place]) for place in sorted(reasons)], active


def _certified(fitted: NewtonFit, weights: NDArray[np.float64]) -> bool:
    """Whether the fit proves by itself that its estimate exists."""
    eta = fitted.eta[weights > 0] if len(weights) else fitted.eta
    return fitted.status == CONVERGED and float(np.max(np.abs(eta), initial=0.0)) <= _BOUNDED_LOGIT


def _separated(
    design: Design,
    active: NDArray[np.bool_],
    treated: NDArray[np.bool_],
    weights: NDArray[np.float64],
    logit: NDArray[np.float64],
) -> tuple[SeparatedTerm, ...]:
    order = _grouped_order(design)
    names = term_names(design)
    levels, _ = _level_names(design)
    return separated_terms(
        design.numeric,
        design.codes,
        [len(level) for level in levels],
        [names[i] for i in order],
        active[order],
        treated,
        weights if len(weights) else None,
        logit,
    )


def _terms(
    columns: CodedColumns,
    fitted: NewtonFit,
    names: tuple[str, ...],
    active: NDArray[np.bool_],
) -> tuple[Term, ...]:
    """Bring coefficients and standard errors back to the scale of each column."""
    beta = fitted.beta.copy()
    error = np.sqrt(np.diagonal(fitted.inverse)).copy()
    # The intercept on the raw scale is a sum of coefficients: a'b with variance a'Va.
    weight = np.zeros(len(beta))
    weight[0] = 1.0
    for j, term in enumerate(columns.numeric_term):
        if active[term]:
            weight[term] = -columns.centre[j] / columns.scale[j]
            beta[term] /= columns.scale[j]
            error[term] /= columns.scale[j]
    intercept = 0.0
    variance = 0.0
    used = np.flatnonzero(weight)
    for i in used:
        intercept += float(weight[i] * fitted.beta[i])
        for k in used:
            variance += float(weight[i] * fitted.inverse[i, k] * weight[k])
    beta[0] = intercept
    error[0] = np.sqrt(max(variance, 0.0))
    return tuple(
        Term(names[i], float(beta[i]), float(error[i])) for i in range(len(beta)) if active[i]
    )


def _null_deviance(treated: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    mass = weights if len(weights) else np.ones(len(treated))
    n_treated = float(mass[treated].sum())
    n = float(mass.sum())
    counts = np.array([n_treated, n - n_treated])
    logs = np.empty(2)
    logarithm(counts / n, logs)
    return -2.0 * (float(counts[0] * logs[0]) + float(counts[1] * logs[1]))
