"""Resampling by the names that users ask for: beside the interval of the design, or as it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

import justicelab
from engine.effects.choice import METHODS
from engine.effects.estimates import estimate_outcome
from engine.effects.outcome import Outcome
from engine.effects.resampled import kinds_to_run, resample, with_resampled
from tests.certify.cohorts import Scenario, draw_cohort
from tests.certify.matches import finish, options_of

REPLICATES = 400


@cache
def matched(method: str, outcome: str = "binary", people: int = 1, estimand: str = "att"):
    scenario = Scenario("resampled", 60, 400, 0.4, method=method, outcome=outcome, people=people)
    cohort = draw_cohort(scenario, 2)
    options = replace(options_of(scenario), estimand=estimand)
    done = finish(cohort, options)
    estimate = estimate_outcome(Outcome("y", outcome), cohort.outcome, done.sample, done.near)
    return cohort, done, options, estimate


def resampled(asked, method, outcome="binary", people=1, estimand="att", replicates=REPLICATES):
    cohort, done, options, estimate = matched(method, outcome, people, estimand)
    found = resample(
        estimate, cohort.outcome, done.sample, done.rows, done.scoring, options, asked, replicates
    )
    return estimate, {one.kind: one for one in found}


@pytest.mark.parametrize(
    ("asked", "method", "kinds"),
    [
        ("auto", "1-nn", ("wild",)),
        ("auto", "1:1", ("wild", "set")),
        ("weighted", "5-nn", ("wild", "weighted")),
        ("refit", "radius", ("wild", "refit")),
        ("subsample", "1-nn", ("wild", "subsample")),
    ],
)
def test_kinds_follow_the_design_and_the_wish(asked, method, kinds):
    assert kinds_to_run(asked, matched(method)[1].sample) == kinds


@pytest.mark.parametrize("estimand", ["att", "atc"])
@pytest.mark.parametrize("outcome", ["binary", "count", "time"])
@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("wild", "1-nn"),
        ("weighted", "5-nn"),
        ("set", "1:1"),
        ("subsample", "1-nn"),
        ("refit", "radius"),
    ],
)
def test_replicates_spread_around_the_estimate_as_its_error_says(kind, method, outcome, estimand):
    estimate, found = resampled(kind, method, outcome, estimand=estimand)
    one = found[kind]
    replicates = one.bootstrap.estimates
    assert one.interval.estimate == estimate.interval.estimate
    error = one.bootstrap.standard_error
    assert abs(np.nanmean(replicates) - estimate.interval.estimate) < 0.5 * error
    # Rough on purpose: sets take the score as known, and refits match anew.
    assert 0.5 < error / estimate.interval.standard_error < 2.0
    assert one.interval.low < estimate.interval.estimate < one.interval.high


def test_wild_replicates_have_the_variance_of_the_linear_form():
    for people in (1, 3):
        estimate, found = resampled("wild", "5-nn", people=people, replicates=4_000)
        form = estimate.form
        factor = form.people / (form.people - 1.0) if form.repeated else 1.0
        expected = np.sqrt(form.variance / factor)
        assert found["wild"].bootstrap.standard_error == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize(
    ("kind", "method"), [("wild", "1-nn"), ("set", "1:1"), ("refit", "radius")]
)
def test_interval_and_p_value_agree(kind, method):
    _, found = resampled(kind, method)
    interval = found[kind].interval
    assert 0.0 < interval.p_value <= 1.0
    assert (interval.p_value < 0.05) == (not interval.low <= 0.0 <= interval.high)


def test_the_first_replicates_are_those_of_a_longer_run():
    _, short = resampled("refit", "radius", replicates=40)
    _, long = resampled("refit", "radius", replicates=64)
    for kind in ("wild", "refit"):
        assert np.array_equal(short[kind].bootstrap.estimates, long[kind].bootstrap.estimates[:40])


def test_it_stands_beside_the_interval_of_the_design_or_takes_its_place():
    estimate, found = resampled("weighted", "5-nn")
    everything = tuple(found.values())
    beside = with_resampled(estimate, everything, "auto")
    assert beside.interval == estimate.interval
    assert {one.method for one in beside.secondary} >= {METHODS["wild"], METHODS["weighted"]}
    main = with_resampled(estimate, everything, "weighted")
    assert main.interval.method == METHODS["weighted"]
    assert estimate.interval in main.secondary


def test_match_writes_resampling_the_same_at_any_row_order():
    cohort, _, _, _ = matched("1-nn")
    n = len(cohort.treated)
    table = {"id": np.arange(n), "t": cohort.treated.astype(int), "y": cohort.outcome.astype(int)}
    table |= {f"x{j}": values for j, values in enumerate(cohort.numeric)}
    names = tuple(f"x{j}" for j in range(len(cohort.numeric)))
    order = np.random.default_rng(0).permutation(n)

    def results(rows):
        given = pa.table({name: values[rows] for name, values in table.items()})
        return justicelab.match(
            given, treatment="t", covariates=names, id="id", outcome="y:binary",
            replace=True, replicates=200, interval="wild",
        ).results  # fmt: skip

    assert results(np.arange(n)) == results(order)
