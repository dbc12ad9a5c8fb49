"""Every estimate against a slow reference that was written from the method alone."""

from dataclasses import replace

import numpy as np
import pytest

from engine.effects.estimates import estimate_outcome
from engine.effects.outcome import Outcome
from tests.certify.cohorts import Cohort, Scenario, draw_cohort
from tests.certify.matches import Finished, finish, options_of
from tests.reference.closed_forms import abadie_imbens, adjusted, set_clustered
from tests.reference.intervals import (
    binary_difference,
    focal_persons,
    ratio_interval,
    time_difference,
    wald_difference,
)
from tests.reference.linear_form import LinearForm, linear_form, sets_from_arrays, variance

RATIO = {"odds ratio": "odds_ratio", "risk ratio": "ratio", "rate ratio": "ratio"}


def the_sets(done: Finished):
    sample = done.sample
    if sample.sets is not None:
        sets = sample.sets
        return sets_from_arrays(sample.focal, sets.indptr, sets.partner, sets.share)
    pool = np.flatnonzero(~sample.is_focal & sample.eligible)
    found = []
    for row in sample.focal:
        distance = np.abs(sample.score[pool] - sample.score[row])
        near = distance <= sample.caliper
        weight = np.ones(int(near.sum()))
        if sample.kernel is not None:
            weight = 1.0 - (distance[near] / sample.caliper) ** 2
        partners = pool[near][weight > 0]
        weight = weight[weight > 0]
        found.append((int(row), partners, weight / weight.sum()))
    return found


def the_model(cohort: Cohort, done: Finished):
    n = len(cohort.treated)
    columns = np.column_stack([np.ones(n), cohort.numeric.T])
    eta = done.sample.logit
    share = 1.0 / (1.0 + np.exp(-eta))
    information = (columns * (share * (1.0 - share))[:, None]).T @ columns
    return eta, share, columns, information


def reference(cohort, done, values, *, shrinkage=None) -> LinearForm:
    return linear_form(
        *the_model(cohort, done),
        cohort.treated,
        values,
        the_sets(done),
        person=done.sample.person,
        estimand=done.sample.estimand,
        shrinkage=shrinkage,
    )


def close(found, expected, tolerance=1e-10):
    assert np.asarray(found) == pytest.approx(np.asarray(expected), rel=tolerance, abs=1e-12)


@pytest.mark.parametrize("estimand", ["att", "atc"])
@pytest.mark.parametrize("people", [1, 3])
@pytest.mark.parametrize("outcome", ["binary", "count"])
@pytest.mark.parametrize("method", ["1-nn", "5-nn", "1:1", "3:1", "radius", "kernel"])
def test_estimates_equal_the_reference(method, outcome, people, estimand):
    scenario = Scenario(
        "reference", 60, 400, 0.3, method=method, people=people, outcome=outcome,
        both_arms=people > 1,
    )  # fmt: skip
    cohort = draw_cohort(scenario, 3)
    done = finish(cohort, replace(options_of(scenario), estimand=estimand))
    values, person = cohort.outcome, done.sample.person
    wanted = reference(cohort, done, values, shrinkage=1.0 if outcome == "count" else None)
    found = estimate_outcome(Outcome("y", outcome), values, done.sample, done.near)
    form = found.form
    sign = done.sample.sign
    assert np.abs(wanted.phi).max() > 0.0
    close(sign * form.phi, wanted.phi)
    close(form.shrinkage, wanted.shrinkage)
    people_there = None if person is None else focal_persons(wanted, person)
    close(form.variance, variance(wanted.phi, wanted.n_focal, person, people_there))
    close(form.set_variance, set_clustered(values, the_sets(done)))
    close(form.neighbour_variance, abadie_imbens(wanted))
    _, _, columns, information = the_model(cohort, done)
    close(form.adjusted_variance, adjusted(wanted, columns, information)[0])
    interval_of = binary_difference if outcome == "binary" else wald_difference
    expected, interval = interval_of(wanted, person), found.interval
    close(
        [interval.estimate, interval.degrees_of_freedom, interval.low, interval.high],
        [expected.estimate, expected.df, expected.lower, expected.upper],
    )
    close(interval.p_value, expected.p_value, 1e-8)
    assert found.ratios
    for ratio in found.ratios:
        same = ratio_interval(
            wanted, RATIO[ratio.method], person, shrinkage=1.0 if outcome == "count" else None
        )
        close([ratio.estimate, ratio.low, ratio.high], [same.estimate, same.lower, same.upper])


@pytest.mark.parametrize("estimand", ["att", "atc"])
@pytest.mark.parametrize("method", ["1-nn", "5-nn", "1:1", "radius"])
def test_times_equal_the_reference(method, estimand):
    scenario = Scenario("reference time", 60, 400, 0.4, method=method, outcome="time")
    cohort = draw_cohort(scenario, 5)
    done = finish(cohort, replace(options_of(scenario), estimand=estimand))
    event = ~np.isnan(cohort.outcome)
    expected = time_difference(
        *the_model(cohort, done),
        cohort.treated,
        event.astype(float),
        cohort.outcome,
        the_sets(done),
        estimand=estimand,
    )
    found = estimate_outcome(Outcome("y", "time"), cohort.outcome, done.sample, done.near)
    interval = found.interval
    close(
        [interval.estimate, interval.standard_error**2, interval.degrees_of_freedom],
        [expected.estimate, expected.variance, expected.df],
    )
    close([interval.low, interval.high], [expected.lower, expected.upper])
