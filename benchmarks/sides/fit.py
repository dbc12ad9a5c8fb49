"""Fitting the propensity model: from columns of numbers and codes to coefficients.

Every side starts from the same columns in memory and is timed with the building of its own design
matrix. Tolerances are set so that every side stops at the same optimum, a scaled gradient of 1e-8
or less; what was reached is computed afterwards, outside the clock, by one plain function.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.population import (
    CATEGORIES,
    COEFFICIENTS,
    LEVELS,
    NUMBERS,
    Population,
    one_hot_into,
    population,
    scaled_gradient,
)
from benchmarks.stopwatch import Stopwatch

Answer = dict[str, np.ndarray]
Run = Callable[[Stopwatch], Answer]

# The gradient of the mean log likelihood that corresponds to a scaled gradient of 1e-8 at five
# million rows; reached by one Newton step more from anything that is nearly converged.
MEAN_GRADIENT = 1e-12
_CHUNK = 2048


def _answer(people: Population, coefficients: np.ndarray, errors: np.ndarray) -> Answer:
    return {
        "coefficients": coefficients,
        "errors": errors,
        "scaled_gradient": np.array(scaled_gradient(people, coefficients)),
    }


def _no_errors() -> np.ndarray:
    return np.full(COEFFICIENTS, np.nan)


def arrow_table(people: Population):
    """Return the population as an Arrow table: numbers, and text categories as dictionaries."""
    import pyarrow as pa

    columns = {name: pa.array(x) for name, x in zip(NUMBERS, people.numbers, strict=True)}
    for name, code, levels in zip(CATEGORIES, people.codes, LEVELS, strict=True):
        words = pa.array([f"level {k:02d}" for k in range(levels)])
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(code.astype(np.uint8)), words)
    return pa.table(columns)


def ours(rows: int) -> Run:
    """Time reading an ordered Arrow table into a design, and the fit with standard errors."""
    from engine.matching.design import read_design
    from engine.matching.identity import identify
    from engine.matching.propensity import fit_propensity
    from engine.tables import open_table

    people = population(rows)
    source = open_table(arrow_table(people))
    identity = identify(source, None, 0)

    def run(watch: Stopwatch) -> Answer:
        with watch("matrix"):
            design = read_design(source, NUMBERS + CATEGORIES, (), identity, "error")
        with watch("fit"):
            model = fit_propensity(design, people.treated)
        coefficients = np.array([term.coefficient for term in model.terms])
        errors = np.array([term.standard_error for term in model.terms])
        return _answer(people, coefficients, errors)

    return run


def ours_memory(rows: int) -> Run:
    """Do the same with nothing in memory but the Arrow table and who is treated."""
    from engine.matching.design import read_design
    from engine.matching.identity import identify
    from engine.matching.propensity import fit_propensity
    from engine.tables import open_table

    people = population(rows)
    source = open_table(arrow_table(people))
    treated = people.treated
    del people
    identity = identify(source, None, 0)

    def run(watch: Stopwatch) -> Answer:
        with watch("matrix"):
            design = read_design(source, NUMBERS + CATEGORIES, (), identity, "error")
        with watch("fit"):
            model = fit_propensity(design, treated)
        return {"coefficients": np.array([term.coefficient for term in model.terms])}

    return run


def numpy_newton(rows: int) -> Run:
    """Newton's method on a one-hot matrix, chunk by chunk, with the information by syrk."""
    people = population(rows)
    label = people.treated.astype(np.float64)

    def run(watch: Stopwatch) -> Answer:
        with watch("matrix"):
            design = np.empty((rows, COEFFICIENTS))
            for first in range(0, rows, _CHUNK):
                one_hot_into(people, first, design[first : first + _CHUNK])
        with watch("fit"):
            share = label.mean()
            beta = np.zeros(COEFFICIENTS)
            beta[0] = np.log(share / (1.0 - share))
            while True:
                gradient = np.zeros(COEFFICIENTS)
                information = np.zeros((COEFFICIENTS, COEFFICIENTS))
                for first in range(0, rows, _CHUNK):
                    x = design[first : first + _CHUNK]
                    probability = 1.0 / (1.0 + np.exp(-(x @ beta)))
                    gradient += (label[first : first + _CHUNK] - probability) @ x
                    root = x * np.sqrt(probability * (1.0 - probability))[:, None]
                    information += root.T @ root
                if np.max(np.abs(gradient) / np.sqrt(np.diagonal(information))) <= 1e-8:
                    break
                beta = beta + np.linalg.solve(information, gradient)
        with watch("errors"):
            errors = np.sqrt(np.diagonal(np.linalg.inv(information)))
        return _answer(people, beta, errors)

    return run


def _dense(people: Population, first_column: int, order: str) -> np.ndarray:
    """Return the one-hot matrix from a column on, filled in cache-sized blocks."""
    rows = len(people.treated)
    design = np.empty((rows, COEFFICIENTS - first_column), order=order)
    block = np.empty((_CHUNK, COEFFICIENTS))
    for first in range(0, rows, _CHUNK):
        part = block[: min(_CHUNK, rows - first)]
        one_hot_into(people, first, part)
        design[first : first + len(part)] = part[:, first_column:]
    return design


def glum_dense(rows: int) -> Run:
    """glum on a dense matrix in its own memory order."""
    import tabmat

    people = population(rows)

    def matrix():
        return tabmat.DenseMatrix(_dense(people, 1, "F"))

    return _glum(people, matrix)


def glum_split(rows: int) -> Run:
    """glum on a split matrix: numbers dense, categories as codes."""
    import pandas as pd
    import tabmat

    people = population(rows)

    def matrix():
        parts = [tabmat.DenseMatrix(np.asfortranarray(people.numbers.T))]
        for code, levels in zip(people.codes, LEVELS, strict=True):
            words = pd.Categorical.from_codes(code, [str(k) for k in range(levels)])
            parts.append(tabmat.CategoricalMatrix(words, drop_first=True))
        return tabmat.SplitMatrix(parts)

    return _glum(people, matrix)


def _glum(people: Population, matrix: Callable) -> Run:
    from glum import GeneralizedLinearRegressor

    label = people.treated.astype(np.float64)

    def run(watch: Stopwatch) -> Answer:
        with watch("matrix"):
            design = matrix()
        with watch("fit"):
            model = GeneralizedLinearRegressor(
                family="binomial", alpha=0.0, gradient_tol=MEAN_GRADIENT, max_iter=50
            ).fit(design, label)
        with watch("errors"):
            errors = np.sqrt(
                np.diagonal(model.covariance_matrix(design, label, dispersion=1.0, robust=False))
            )
        coefficients = np.concatenate([[model.intercept_], model.coef_])
        return _answer(people, coefficients, errors)

    return run


def scikit_learn(rows: int) -> Run:
    """scikit-learn's newton-cholesky; it gives no standard errors."""
    from sklearn.linear_model import LogisticRegression

    people = population(rows)

    def run(watch: Stopwatch) -> Answer:
        with watch("matrix"):
            design = _dense(people, 1, "C")
        with watch("fit"):
            model = LogisticRegression(
                C=np.inf, solver="newton-cholesky", tol=MEAN_GRADIENT, max_iter=50
            ).fit(design, people.treated)
        return _answer(people, np.concatenate([model.intercept_, model.coef_[0]]), _no_errors())

    return run


def statsmodels(rows: int) -> Run:
    """statsmodels' Logit by Newton's method."""
    from statsmodels.discrete.discrete_model import Logit

    people = population(rows)
    label = people.treated.astype(np.float64)

    def run(watch: Stopwatch) -> Answer:
        with watch("matrix"):
            design = _dense(people, 0, "C")
        with watch("fit"):
            # Its Newton method stops on the change of parameters.
            model = Logit(label, design).fit(method="newton", maxiter=50, disp=0)
        with watch("errors"):
            errors = np.asarray(model.bse)
        return _answer(people, np.asarray(model.params), errors)

    return run
