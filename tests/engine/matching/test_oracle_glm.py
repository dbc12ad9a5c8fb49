"""Maximum likelihood against R's glm: every coefficient, standard error and deviance."""

import hashlib

import numpy as np
import pytest

from engine.matching.propensity import fit_propensity
from tests.engine.matching.oracle_support import (
    ORACLES,
    UNCOMPILED,
    off,
    results,
    table_of,
    weights_of,
)

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(UNCOMPILED, reason="thousands of rows: only with the compiler"),
]

FITS = results("results/glm.json")["fits"]
# Relative to the stored value and to nothing else: no coefficient is so near 0 that it needs more.
WITHIN = {"below 1e6": 1e-8, "1e6 or more": 1e-6}
SAME = 1e-12


@pytest.mark.parametrize("name", ["glm", "firth", "matchit", "balance", "tied"])
def test_tables_are_those_the_results_were_made_from(name):
    inputs = results(f"results/{name}.json")["inputs"]
    assert inputs
    for path, sha256 in inputs.items():
        assert hashlib.sha256((ORACLES / path).read_bytes()).hexdigest() == sha256, path


def test_every_stored_fit_is_tested():
    assert len({fit["name"] for fit in FITS}) == len(FITS) == 66
    assert sum(fit["condition_class"] == "below 1e6" for fit in FITS) == 63
    assert sum("weights" in fit for fit in FITS) == 5


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit["name"])
def test_fit_is_that_of_glm(fit):
    table = table_of(fit["table"])
    design = table.design(fit["columns"], fit["categorical"])
    treated = table.arm(fit["response"])
    model = fit_propensity(design, treated, weights=weights_of(table, fit))
    assert model.method == "ml"
    assert model.converged
    assert not model.left_out.any()
    assert model.separation == ()
    assert [term.name for term in model.terms] == fit["terms"]
    assert [term.name for term in model.dropped] == fit["dropped"]
    within = WITHIN[fit["condition_class"]]
    for term in model.terms:
        assert off(term.coefficient, fit["coefficients"][term.name]) <= within, term.name
        assert off(term.standard_error, fit["standard_errors"][term.name]) <= within, term.name
    assert off(model.deviance, fit["deviance"]) <= SAME
    assert off(model.null_deviance, fit["null_deviance"]) <= SAME
    assert off(np.abs(model.logit).max(), fit["max_logit"]) <= within


def test_nhefs_scores_are_those_of_glm():
    stored = results("nhefs/nhefs.json")["logit"]
    table = table_of("nhefs/nhefs.csv.gz")
    design = table.design(stored["covariates"], [])
    model = fit_propensity(design, table.arm("treat"))
    # R writes the level without a sign between, and the intercept with a capital.
    names = [term.name.replace("=", "").replace("(i", "(I") for term in model.terms]
    assert names == stored["terms"]
    for name, term in zip(names, model.terms, strict=True):
        assert off(term.coefficient, stored["coef"][name]) <= 1e-8, name
        assert off(term.standard_error, stored["se"][name]) <= 1e-8, name
    assert off(model.deviance, stored["deviance"]) <= SAME
    assert off(model.null_deviance, stored["null_deviance"]) <= SAME
    scores = table_of("nhefs/nhefs_scores.csv.gz")
    assert np.array_equal(scores.ids, table.ids)
    assert np.abs(model.logit - scores.numbers("lp")).max() <= SAME
