"""What is true of every propensity model, whatever the table: invariants 1 to 7."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.matching.design import Covariate, Design, code_columns, term_names, term_of_level
from engine.matching.propensity import PropensityModel, fit_propensity
from tests import naive
from tests.kernels.support import examples

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = ["ml", "ridge", "firth"]
SEEDS = st.integers(0, 2**32 - 1)


class Table(NamedTuple):
    """A design and who was treated."""

    design: Design
    treated: np.ndarray


def make(numeric, codes, levels):
    """A design of numbers and categories, the two kinds in turn."""
    covariates = [Covariate(f"x{j}", (), j) for j in range(len(numeric))]
    for f, count in enumerate(levels):
        names = tuple(f"level{i}" for i in range(count))
        covariates.insert(2 * f, Covariate(f"c{f}", names, f))
    n = numeric.shape[1]
    return Design(
        tuple(covariates),
        tuple(np.ascontiguousarray(numeric, dtype=np.float64)),
        np.ascontiguousarray(np.array(codes, dtype=np.uint16).reshape(len(levels), n)),
    )


@st.composite
def tables(draw, *, numbers=(0, 3), categories=(0, 2)):
    """Tables with real differences between the groups, without separation by a lone level."""
    rng = np.random.default_rng(draw(SEEDS))
    n = draw(st.integers(60, 140))
    p = draw(st.integers(*numbers))
    levels = [draw(st.integers(2, 4)) for _ in range(draw(st.integers(*categories)))]
    numeric = rng.normal(size=(p, n)) * rng.choice([0.01, 1.0, 300.0], size=(p, 1))
    numeric += rng.choice([0.0, -5.0, 1000.0], size=(p, 1))
    codes = np.array([rng.integers(0, count, n) for count in levels])
    lean = (
        rng.normal(scale=0.5, size=p) @ (numeric - numeric.mean(axis=1, keepdims=True)) if p else 0
    )
    spread = np.std(lean) + 1.0
    treated = rng.random(n) < naive.expit(rng.normal() * 0.5 + lean / spread)
    design = make(numeric, codes, levels)
    for f, count in enumerate(levels):
        for arm in (treated, ~treated):
            assume(len(np.unique(design.codes[f][arm])) == count)
    assume(2 <= np.count_nonzero(treated) <= n - 2)
    return Table(design, treated)


def fitted(table, method="ml", weights=None) -> PropensityModel:
    """Fit; a table that turns out to be separated is no case of these invariants."""
    model = fit_propensity(table.design, table.treated, method=method, weights=weights)
    assume(not model.separation)
    assert model.converged
    assert model.method == ("firth-flic" if method == "firth" else method)
    return model


def coefficients(model):
    return {term.name: term.coefficient for term in model.terms}


def errors(model):
    return {term.name: term.standard_error for term in model.terms}


def assert_same_scores(found, wanted, within=1e-10):
    assert np.abs(found.logit - wanted.logit).max() <= within * max(1, np.abs(wanted.logit).max())


def assert_same_terms(found, wanted, within=1e-9, *, factor=1.0, error_factor=1.0):
    """Compare coefficients in units of their standard errors, and those errors."""
    theirs, their_errors = coefficients(wanted), errors(wanted)
    assert list(coefficients(found)) == list(theirs)
    for name, value in coefficients(found).items():
        assert abs(value - factor * theirs[name]) <= within * their_errors[name], name
    for name, value in errors(found).items():
        assert value == pytest.approx(error_factor * their_errors[name], rel=1e-8), name


def repeated(table, times):
    """The table with each row as many times as ``times`` says."""
    rows = np.repeat(np.arange(len(table.treated)), times)
    return Table(table.design.take(rows), table.treated[rows])


def dense(design):
    """The one-hot matrix on standardised numbers, and which columns a ridge penalises."""
    columns, _ = code_columns(design, np.empty(0))
    numbers, levels = term_of_level(design)
    x = naive.dense_design(
        design.numbers_of(slice(None)), columns.centre, columns.scale, numbers,
        design.codes, levels, len(term_names(design)),
    )  # fmt: skip
    return x, columns.scale, numbers


@pytest.mark.parametrize("method", ["ml", "ridge"])
@examples(25, 4)
@given(table=tables())
def test_invariant_01_gradient_is_zero_at_the_solution(method, table):
    model = fitted(table, method)
    x, scale, numbers = dense(table.design)
    beta = np.array([coefficients(model)[name] for name in term_names(table.design)])
    for j, place in enumerate(numbers):
        beta[place] *= scale[j]
    at = naive.logistic_pass(x, np.zeros(x.shape[1]), table.treated)
    score = naive.expit(model.logit)
    gradient = x.T @ (table.treated - score)
    if method == "ridge":
        gradient[1:] -= beta[1:]
    information = (x * (score * (1 - score))[:, None]).T @ x
    assert np.all(np.abs(gradient) <= 1e-8 * np.sqrt(np.diagonal(information)))
    assert model.scaled_gradient <= 1e-8
    # At zero the same sums are large, so the bound means something.
    assert np.abs(at.gradient).max() > 1e-3


@examples(10, 2)
@given(table=tables())
def test_invariant_01_modified_gradient_is_zero_under_firth(table):
    model = fitted(table, "firth")
    x, scale, numbers = dense(table.design)
    wanted = naive.firth_fit(x, table.treated)
    found = coefficients(model)
    for place, name in enumerate(term_names(table.design)):
        if place == 0:
            continue
        factor = scale[numbers.index(place)] if place in numbers else 1.0
        error = np.sqrt(wanted.covariance[place, place])
        assert abs(found[name] * factor - wanted.beta[place]) <= 1e-6 * error


@pytest.mark.parametrize("method", METHODS)
@examples(20, 3)
@given(table=tables(), weighted=st.booleans(), seed=SEEDS)
def test_invariant_02_mean_score_is_the_treated_share(method, table, weighted, seed):
    n = len(table.treated)
    weights = np.random.default_rng(seed).integers(1, 4, n) * 1.0 if weighted else None
    model = fitted(table, method, weights)
    mass = np.ones(n) if weights is None else weights
    mean = naive.weighted_mean(naive.expit(model.logit), mass)
    assert mean == pytest.approx(naive.weighted_mean(table.treated, mass), rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@examples(20, 3)
@given(table=tables(numbers=(1, 3)), data=st.data())
def test_invariant_03_affine_recoding_changes_no_score(method, table, data):
    design = table.design
    numeric = []
    for values in design.numeric:
        factor = data.draw(st.sampled_from([-1.0, 0.001, 3.7, -250.0, 4096.0]))
        shift = data.draw(st.sampled_from([0.0, 1.0, -17.3]))
        numeric.append(factor * (values + shift * values.std()))
    recoded = Table(Design(design.covariates, tuple(numeric), design.codes), table.treated)
    wanted = fitted(table, method)
    # The recoded numbers are rounded, and a column far from zero loses digits by that alone.
    lost = np.abs(design.numeric).max(axis=1) / np.std(design.numeric, axis=1)
    assert_same_scores(fitted(recoded, method), wanted, 1e-10 + 1e-15 * float(lost.sum()))


@pytest.mark.parametrize("method", ["ml", "firth"])
@examples(20, 3)
@given(table=tables(categories=(1, 2)), data=st.data())
def test_invariant_03_the_reference_level_changes_no_score(method, table, data):
    design = table.design
    codes = design.codes.copy()
    covariates = list(design.covariates)
    for place, covariate in enumerate(covariates):
        if not covariate.levels:
            continue
        order = data.draw(st.permutations(range(len(covariate.levels))))
        new_code = np.empty(len(order), dtype=np.uint16)
        new_code[list(order)] = np.arange(len(order))
        codes[covariate.row] = new_code[design.codes[covariate.row]]
        levels = tuple(covariate.levels[i] for i in order)
        covariates[place] = Covariate(covariate.name, levels, covariate.row)
    recoded = Table(Design(tuple(covariates), design.numeric, codes), table.treated)
    assert_same_scores(fitted(recoded, method), fitted(table, method))


@examples(20, 3)
@given(table=tables(), times=st.integers(2, 5))
def test_invariant_04_duplicating_every_row_divides_the_variance(table, times):
    n = len(table.treated)
    found = fitted(repeated(table, np.full(n, times)))
    wanted = fitted(table)
    assert_same_terms(found, wanted, error_factor=times**-0.5)
    assert_same_scores(
        PropensityModel(**{**vars(found), "logit": found.logit[::times]}), wanted, 1e-9
    )


@pytest.mark.parametrize("method", METHODS)
@examples(20, 3)
@given(table=tables(), seed=SEEDS)
def test_invariant_05_weights_are_repeated_rows(method, table, seed):
    times = np.random.default_rng(seed).integers(0, 4, len(table.treated))
    kept = repeated(table, times)
    assume(2 <= np.count_nonzero(kept.treated) <= len(kept.treated) - 2)
    for f in range(len(kept.design.codes)):
        levels = set(table.design.codes[f])
        assume(
            all(set(kept.design.codes[f][arm]) == levels for arm in (kept.treated, ~kept.treated))
        )
    weighted = fitted(table, method, times * 1.0)
    wanted = fitted(kept, method)
    assert_same_terms(weighted, wanted, 1e-7)
    assert weighted.deviance == pytest.approx(wanted.deviance, rel=1e-10)
    assert weighted.null_deviance == pytest.approx(wanted.null_deviance, rel=1e-10)


@pytest.mark.parametrize("method", METHODS)
@examples(20, 3)
@given(table=tables())
def test_invariant_06_swapping_the_label_negates_the_coefficients(method, table):
    swapped = fitted(Table(table.design, ~table.treated), method)
    wanted = fitted(table, method)
    assert_same_terms(swapped, wanted, 1e-8, factor=-1.0)
    assert np.abs(swapped.logit + wanted.logit).max() <= 1e-9 * max(1, np.abs(wanted.logit).max())


@pytest.mark.parametrize("method", METHODS)
@examples(20, 3)
@given(table=tables(numbers=(2, 3)), kind=st.sampled_from(["constant", "sum", "copy", "levels"]))
def test_invariant_07_a_constant_or_aliased_column_changes_no_score(method, table, kind):
    design = table.design
    extra = {
        "constant": np.full(design.n_rows, 17.25),
        "sum": design.numeric[0] / design.numeric[0].std()
        - design.numeric[1] / design.numeric[1].std(),
        "copy": design.numeric[1],
        "levels": np.zeros(design.n_rows),
    }[kind]
    covariates = (*design.covariates, Covariate("extra", (), len(design.numeric)))
    reason = "constant" if kind == "constant" else "linearly dependent on earlier columns"
    if kind == "levels":
        assume(len(design.codes))
        extra = (design.codes[0] == 0) * 1.0
    numeric = (*design.numeric, extra)
    wider = fitted(Table(Design(covariates, numeric, design.codes), table.treated), method)
    wanted = fitted(table, method)
    assert [(term.name, term.reason) for term in wider.dropped] == [("extra", reason)]
    assert_same_scores(wider, wanted)
    assert_same_terms(wider, wanted)
