"""Invariants 19 to 23: what must hold of every estimate and interval, on matched small cohorts."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.effects.estimates import estimate_outcome
from engine.effects.linear_form import linear_form, local_pieces
from engine.effects.neighbourhoods import find_neighbourhoods
from engine.effects.outcome import Outcome
from engine.effects.sample import MatchedSample, Sets
from engine.matching.problem import lay_out
from tests.certify.cohorts import Cohort, Scenario, draw_cohort
from tests.certify.matches import METHODS, Finished, finish, options_of
from tests.kernels.support import examples

METHOD = st.sampled_from(sorted(METHODS))
NUMBER = st.integers(0, 30)
OUTCOME = Outcome("y", "binary")


@cache
def matched(method: str, number: int) -> tuple[Cohort, Finished]:
    scenario = Scenario(f"small {method}", 40, 300, 0.3, method=method)
    cohort = draw_cohort(scenario, number)
    return cohort, finish(cohort, options_of(scenario))


def estimate(cohort, done, values, level=0.95):
    return estimate_outcome(OUTCOME, values, done.sample, done.near, level=level)


@given(METHOD, NUMBER, st.sampled_from([0.0, 1.0]))
@examples(30, 5)
def test_invariant_19_a_constant_outcome_gives_no_interval(method, number, constant):
    cohort, done = matched(method, number)
    found = estimate(cohort, done, np.full(len(cohort.treated), constant))
    assert found.interval.estimate == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(found.interval.low)
    assert np.isnan(found.interval.p_value)
    assert found.form.variance == pytest.approx(0.0, abs=1e-25)


@given(METHOD, NUMBER)
@examples(40, 5)
def test_invariant_20_relabelling_the_outcome_mirrors_the_interval(method, number):
    cohort, done = matched(method, number)
    one = estimate(cohort, done, cohort.outcome).interval
    other = estimate(cohort, done, 1.0 - cohort.outcome).interval
    assert other.estimate == pytest.approx(-one.estimate, abs=1e-12)
    assert other.low == pytest.approx(-one.high, abs=1e-9)
    assert other.high == pytest.approx(-one.low, abs=1e-9)
    assert other.p_value == pytest.approx(one.p_value, abs=1e-9)


@given(METHOD, NUMBER)
@examples(40, 5)
def test_invariant_21_the_interval_holds_the_estimate_and_is_possible(method, number):
    cohort, done = matched(method, number)
    found = estimate(cohort, done, cohort.outcome)
    for interval in (found.interval, found.adjusted):
        if interval is not None and np.isfinite(interval.low):
            assert -1.0 <= interval.low <= interval.estimate <= interval.high <= 1.0
    for ratio in found.ratios:
        if np.isfinite(ratio.low):
            assert 0.0 < ratio.low <= ratio.estimate <= ratio.high


@given(METHOD, NUMBER, st.floats(0.5, 0.98), st.floats(0.001, 0.019))
@examples(40, 5)
def test_invariant_22_a_higher_level_never_narrows(method, number, level, more):
    cohort, done = matched(method, number)
    narrow = estimate(cohort, done, cohort.outcome, level).interval
    wide = estimate(cohort, done, cohort.outcome, level + more).interval
    assert wide.low <= narrow.low
    assert wide.high >= narrow.high
    assert wide.p_value == narrow.p_value


@given(METHOD, NUMBER)
@examples(40, 5)
def test_interval_and_p_value_never_disagree(method, number):
    cohort, done = matched(method, number)
    found = estimate(cohort, done, cohort.outcome)
    for interval, none in ((found.interval, 0.0), *((ratio, 1.0) for ratio in found.ratios)):
        if np.isfinite(interval.low) and abs(interval.p_value - 0.05) > 1e-9:
            assert (interval.p_value < 0.05) == (not interval.low <= none <= interval.high)


def doubled(sample: MatchedSample) -> MatchedSample:
    """Every row twice, every set twice with its own copies: nothing found anew."""
    n = sample.n_rows
    assert sample.sets is not None
    logit, focal, eligible = (
        np.tile(one, 2) for one in (sample.logit, sample.is_focal, sample.eligible)
    )
    sets = sample.sets
    return replace(
        sample,
        treated=np.tile(sample.treated, 2),
        focal=np.concatenate((sample.focal, sample.focal + n)),
        weight=np.tile(sample.weight, 2),
        squared_share=np.tile(sample.squared_share, 2),
        logit=np.tile(sample.logit, 2),
        eligible=np.tile(sample.eligible, 2),
        score=np.tile(sample.score, 2),
        model=None,
        layout=lay_out(logit, focal, eligible, None),
        sets=Sets(
            np.concatenate((sets.indptr, sets.indptr[-1] + sets.indptr[1:])),
            np.concatenate((sets.partner, sets.partner + n)),
            np.tile(sets.share, 2),
        ),
    )


@given(st.sampled_from(["1-nn", "5-nn", "1:1", "3:1"]), NUMBER)
@examples(30, 4)
def test_invariant_23_doubling_the_data_shrinks_the_set_error_by_root_two(method, number):
    cohort, done = matched(method, number)
    single = replace(done.sample, model=None)
    once = linear_form(single, done.near, *local_pieces([(single, done.near, cohort.outcome)]))
    values = np.tile(cohort.outcome, 2)
    twice_sample = doubled(done.sample)
    near = find_neighbourhoods(twice_sample)
    twice = linear_form(twice_sample, near, *local_pieces([(twice_sample, near, values)]))
    n = once.n_focal
    population = [
        np.sqrt(form.set_variance * (m - 1.0) / m) for form, m in ((once, n), (twice, 2 * n))
    ]
    assert population[0] / population[1] == pytest.approx(np.sqrt(2.0), rel=1e-12)
