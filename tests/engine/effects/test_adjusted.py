"""The adjusted estimate: g-computation by its definition, and what it repairs."""

from dataclasses import replace

import numpy as np
import pytest

from engine.effects.adjusted import ALL_TERMS, SCORE_ONLY, predict_without_service
from engine.effects.estimates import estimate_outcome
from engine.effects.outcome import Outcome
from kernels.columns import number_columns
from tests.certify.cohorts import Scenario, draw_cohort
from tests.certify.matches import finish, options_of


def matched(**changes):
    scenario = replace(Scenario("adjusted", 200, 1_500, 0.4, method="5-nn"), **changes)
    cohort = draw_cohort(scenario, 2)
    return cohort, finish(cohort, options_of(scenario))


def ridge_least_squares(columns, values, weights):
    """Weighted least squares with a ridge of 1 on columns scaled as the model scales them."""
    gram = (columns * weights[:, None]).T @ columns
    penalty = np.eye(columns.shape[1])
    penalty[0, 0] = 0.0
    mean = np.average(values, weights=weights)
    beta = np.linalg.solve(gram + penalty, columns.T @ (weights * (values - mean)))
    beta[0] += mean
    return beta


def test_counts_are_predicted_by_weighted_least_squares():
    cohort, done = matched(outcome="count")
    sample = done.sample
    found = predict_without_service(sample, cohort.outcome, np.arange(sample.n_rows), binary=False)
    assert found.method == ALL_TERMS
    coded = sample.model.columns
    scaled = (np.array(number_columns(coded)) - coded.centre[:, None]) / coded.scale[:, None]
    columns = np.column_stack([np.ones(sample.n_rows), scaled.T])
    rows = sample.partners
    beta = ridge_least_squares(columns[rows], cohort.outcome[rows], sample.weight[rows])
    assert found.values == pytest.approx(columns @ beta, rel=1e-9)


@pytest.mark.parametrize("outcome", ["binary", "count"])
def test_the_difference_is_that_of_g_computation(outcome):
    cohort, done = matched(outcome=outcome)
    sample = done.sample
    found = estimate_outcome(Outcome("y", outcome), cohort.outcome, sample, done.near)
    prediction = predict_without_service(
        sample, cohort.outcome, sample.focal, binary=outcome == "binary"
    )
    own = cohort.outcome[sample.focal].mean()
    # The free intercept makes the partners' weighted residuals sum to zero.
    assert found.adjusted.estimate == pytest.approx(own - prediction.values.mean(), abs=1e-7)
    assert found.adjusted.method == prediction.method
    assert found.adjusted.low < found.adjusted.estimate < found.adjusted.high


def test_it_repairs_what_the_match_leaves():
    # A caliper so wide that the match does almost nothing: the plain difference is biased.
    plain, adjusted = [], []
    scenario = Scenario(
        "repairs", 200, 1_500, 0.4, "poor", "radius", "count", caliper=3.0, shape=0.0
    )
    for number in range(12):
        cohort = draw_cohort(scenario, number)
        done = finish(cohort, options_of(scenario))
        found = estimate_outcome(Outcome("y", "count"), cohort.outcome, done.sample, done.near)
        plain.append(found.interval.estimate)
        adjusted.append(found.adjusted.estimate)
    assert abs(np.mean(adjusted)) < 0.5 * abs(np.mean(plain))


def test_few_people_leave_the_logit_or_nothing():
    cohort, done = matched(n_treated=30, n_pool=400, method="1-nn")
    sample = done.sample
    found = predict_without_service(sample, cohort.outcome, sample.focal, binary=False)
    assert found.method == SCORE_ONLY
    tiny, finished = matched(n_treated=8, n_pool=60, method="1-nn", caliper=3.0)
    assert (
        predict_without_service(finished.sample, tiny.outcome, finished.sample.focal, binary=True)
        is None
    )
    found = estimate_outcome(Outcome("y", "binary"), tiny.outcome, finished.sample, finished.near)
    assert found.adjusted is None
    assert "too few people" in found.adjusted_note
