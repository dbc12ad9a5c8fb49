"""What no interval can repair is said in plain words."""

from dataclasses import replace

import numpy as np
import pytest

from engine.effects.cautions import assess_support, estimate_cautions, support_cautions
from engine.effects.estimates import estimate_outcome
from engine.effects.outcome import Outcome
from tests.certify.cohorts import Scenario, draw_cohort
from tests.certify.matches import finish, options_of


def matched(**changes):
    scenario = replace(Scenario("cautions", 120, 600, 0.3), **changes)
    cohort = draw_cohort(scenario, 0)
    return cohort, finish(cohort, options_of(scenario))


def naive_scarcity(sample, ratio):
    logit, half = sample.logit, 0.2 * sample.logit[sample.eligible].std(ddof=1)
    scarce = 0
    for row in sample.focal:
        near = np.abs(logit - logit[row]) <= half
        wanted = ratio * np.count_nonzero(near & sample.is_focal & sample.eligible)
        scarce += wanted > np.count_nonzero(near & ~sample.is_focal & sample.eligible)
    return scarce / len(sample.focal)


@pytest.mark.parametrize(("method", "ratio"), [("1:1", 1), ("3:1", 3)])
@pytest.mark.parametrize("overlap", ["good", "poor"])
def test_scarcity_counts_both_arms_around_everybody(method, ratio, overlap):
    _, done = matched(method=method, overlap=overlap)
    found = assess_support(done.sample, ratio)
    assert found.scarce_share == pytest.approx(naive_scarcity(done.sample, ratio), abs=1e-12)
    assert bool(support_cautions(replace(found, window_bias=0.0))) == (found.scarce_share > 0.0)


def test_with_replacement_nobody_is_scarce():
    _, done = matched()
    assert np.isnan(assess_support(done.sample, 1).scarce_share)


def test_a_lopsided_match_is_named():
    _, done = matched(method="radius", overlap="poor", caliper=2.0)
    found = assess_support(done.sample, 1)
    assert abs(found.window_bias) > 0.02
    assert any("differ in score" in text for text in support_cautions(found))


def test_few_events_are_named_and_not_published():
    cohort, done = matched(n_treated=60, rate=0.05)
    found = estimate_outcome(Outcome("y", "binary"), cohort.outcome, done.sample, done.near)
    assert found.expected_events == np.sum(cohort.outcome[done.sample.focal])
    assert not found.publishable
    assert any("must not be published" in text for text in found.cautions)


def test_heavy_reuse_and_one_heavy_person_are_named():
    cohort, done = matched(n_treated=60, n_pool=25, overlap="poor", caliper=5.0)
    found = estimate_outcome(Outcome("y", "binary"), cohort.outcome, done.sample, done.near)
    heaviest = done.sample.weight[done.sample.partners].max()
    assert heaviest > 6
    texts = estimate_cautions(done.sample, found.form, 5.0, 3)
    assert any(f"stands for {heaviest:.0f} of 60" in text for text in texts)
    assert any("5.0 degrees of freedom" in text for text in texts)
    assert any("3 people had fewer than two others" in text for text in texts)
