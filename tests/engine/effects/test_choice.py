"""Which interval is chosen for which match, and which are refused with a reason."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from engine.effects.choice import (
    BY_DESIGN,
    METHODS,
    choose_interval,
    parse_interval,
)
from engine.effects.estimates import estimate_outcome
from engine.effects.outcome import Outcome
from engine.effects.sample import MatchedSample
from engine.errors import UsageError
from tests.certify.cohorts import Scenario, draw_cohort
from tests.certify.matches import finish, options_of


@cache
def done(method: str, people: int = 1, known: bool = False):
    scenario = Scenario("choice", 50, 400, 0.3, method=method, people=people)
    cohort = draw_cohort(scenario, 1)
    score = cohort.numeric.sum(axis=0) if known else None
    return cohort, finish(cohort, options_of(scenario), score)


def sample(method: str, people: int = 1, known: bool = False) -> MatchedSample:
    return done(method, people, known)[1].sample


@pytest.mark.parametrize("method", ["1-nn", "5-nn", "1:1", "3:1", "radius", "kernel"])
@pytest.mark.parametrize("outcome", ["binary", "count", "time"])
def test_auto_takes_the_interval_of_the_design(method, outcome):
    chosen = choose_interval("auto", sample(method), outcome)
    assert chosen.method == BY_DESIGN[outcome]
    assert chosen.why.endswith("carries all of it.")


@pytest.mark.parametrize(
    ("asked", "method", "people", "known", "word"),
    [
        ("set-clustered", "1-nn", 1, False, "reuse"),
        ("set-clustered", "1:1", 1, False, "score as known"),
        ("set", "5-nn", 1, False, "reuse"),
        ("abadie-imbens", "1-nn", 1, False, "score as known"),
        ("refit", "1-nn", 1, False, "nearest"),
        ("refit", "1:1", 1, True, "nearest"),
        ("abadie-imbens-adjusted", "1-nn", 3, False, "rows"),
        ("welch-kish", "1-nn", 3, False, "rows"),
    ],
)
def test_a_wrong_interval_is_refused_with_the_reason_and_the_valid_one(
    asked, method, people, known, word
):
    with pytest.raises(UsageError) as caught:
        choose_interval(asked, sample(method, people, known), "binary")
    assert f"--interval {asked}" in str(caught.value)
    assert word in caught.value.rule
    assert "--interval auto" in caught.value.repair


@pytest.mark.parametrize(
    ("asked", "method", "known"),
    [
        ("wald", "1-nn", False),
        ("abadie-imbens-adjusted", "5-nn", False),
        ("abadie-imbens", "5-nn", True),
        ("set-clustered", "1:1", True),
        ("welch-kish", "1:1", False),
        ("welch-raw", "radius", False),
    ],
)
def test_a_valid_interval_that_is_asked_for_is_the_main_one(asked, method, known):
    cohort, finished = done(method, 1, known)
    outcome = Outcome("y", "binary")
    plain = estimate_outcome(outcome, cohort.outcome, finished.sample, finished.near)
    found = estimate_outcome(outcome, cohort.outcome, finished.sample, finished.near, asked)
    assert found.interval.method == METHODS[asked]
    assert np.isfinite(found.interval.low)
    # The interval of the design moves beside it and nothing is lost.
    assert plain.interval in found.secondary
    names = {one.method for one in (found.interval, *found.secondary)}
    assert names >= {one.method for one in (plain.interval, *plain.secondary)}


def test_the_correction_for_a_fitted_score_is_refused_for_a_given_one():
    methods = {
        one.method for one in choose_interval("auto", sample("1-nn", known=True), "binary").refused
    }
    assert "correction for a fitted score" in methods
    assert "abadie-imbens" not in methods


@pytest.mark.parametrize(
    ("asked", "replicates", "word"),
    [("magic", 0, "not known"), ("wild", 10, "needs replicates"), ("auto", -1, "negative")],
)
def test_a_wrong_name_or_too_few_replicates(asked, replicates, word):
    with pytest.raises(UsageError, match=word):
        parse_interval(asked, replicates)


def test_repeated_people_are_known_by_their_rows():
    assert sample("1-nn", people=3).has_repeated_people
    lone = sample("1-nn")
    assert not lone.has_repeated_people
    assert not replace(lone, person=np.arange(lone.n_rows)).has_repeated_people
