"""Firth's estimate with corrected intercept (FLIC) against R's logistf and brglm2."""

import numpy as np
import pytest

from engine.matching.caliper import probabilities
from engine.matching.propensity import fit_propensity
from tests.engine.matching.oracle_support import UNCOMPILED, off, results, table_of, weights_of

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(UNCOMPILED, reason="thousands of rows: only with the compiler"),
]

FITS = results("results/firth.json")["fits"]
WITHIN = 1e-6  # relative to the stored value and to nothing else


def test_every_stored_fit_is_tested():
    assert len({fit["name"] for fit in FITS}) == len(FITS) == 22


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit["name"])
def test_fit_is_that_of_firth_with_corrected_intercept(fit):
    table = table_of(fit["table"])
    design = table.design(fit["columns"], fit["categorical"])
    treated = table.arm(fit["response"])
    weights = weights_of(table, fit)
    model = fit_propensity(design, treated, method="firth", weights=weights)
    assert model.method == "firth-flic"
    assert model.converged
    assert model.dropped == ()
    assert [term.name for term in model.terms] == fit["terms"]
    # FLIC moves the intercept alone.
    coefficients = fit["coefficients"] | {"(intercept)": fit["flic_intercept"]}
    for term in model.terms:
        assert off(term.coefficient, coefficients[term.name]) <= WITHIN, term.name
        assert off(term.standard_error, fit["standard_errors"][term.name]) <= WITHIN, term.name
    mass = np.ones(len(treated)) if weights is None else weights
    share = mass[treated].sum() / mass.sum()
    mean_score = (mass * probabilities(model.logit)).sum() / mass.sum()
    assert abs(mean_score - share) <= 1e-10
    assert off(share, fit["event_share"]) <= 1e-14
