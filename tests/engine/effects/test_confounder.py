"""Covariates in the place of something left out: exact bias, simulated confounders, ranking."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.effects.sensitivity.confounder import left_out_covariates
from tests.kernels.support import examples


def one_for_one(treated, hidden, y, **options):
    """Benchmark a covariate in a comparison without matching: every weight is 1."""
    difference = y[treated].mean() - y[~treated].mean()
    return difference, left_out_covariates(
        [("hidden", hidden.astype(float))],
        y,
        treated,
        np.ones(len(y)),
        difference,
        difference - 0.01,
        difference + 0.01,
        **options,
    )


@examples(60, 30)
@given(st.lists(st.integers(1, 30), min_size=4, max_size=4), st.floats(-3, 3), st.floats(-2, 2))
def test_the_shift_is_the_bias_of_leaving_it_out(counts, effect, hidden_effect):
    cells = [(a, u) for (a, u), n in zip(np.ndindex(2, 2), counts, strict=True) for _ in range(n)]
    treated = np.array([a for a, _ in cells], dtype=bool)
    hidden = np.array([u for _, u in cells])
    y = effect * treated + hidden_effect * hidden
    naive, found = one_for_one(treated, hidden, y, binary=False)
    assert found.benchmarks[0].shift == pytest.approx(naive - effect, abs=1e-9)

    # the same people with the comparison group as the focal one
    difference, mirrored = one_for_one(~treated, hidden, y, binary=False, focal_treated=False)
    assert difference == pytest.approx(-naive)
    assert mirrored.benchmarks[0].shift == pytest.approx(naive - effect, abs=1e-9)


def test_the_shift_is_the_mean_over_simulated_confounders():
    """Ichino, Mealli and Nannicini: draw U with the covariate's shares by arm and outcome."""
    rng = np.random.default_rng(12)
    n = 4000
    x = rng.random(n) < 0.4
    treated = rng.random(n) < np.where(x, 0.35, 0.15)
    y = (rng.random(n) < 0.25 + 0.3 * x - 0.05 * treated).astype(float)
    _, found = one_for_one(treated, x, y)
    shares = {(a, b): x[(treated == a) & (y == b)].mean() for a in (0, 1) for b in (0.0, 1.0)}
    chance = np.array([shares[(int(a), b)] for a, b in zip(treated, y, strict=True)])
    shifts = []
    for _ in range(300):
        u = rng.random(n) < chance
        gap = u[treated].mean() - u[~treated].mean()
        effect = y[~treated & u].mean() - y[~treated & ~u].mean()
        shifts.append(gap * effect)
    error = np.std(shifts) / np.sqrt(300)
    assert found.benchmarks[0].shift == pytest.approx(np.mean(shifts), abs=5 * error + 1e-4)


def study(n=3000, seed=1):
    rng = np.random.default_rng(seed)
    strong, weak, noise = rng.poisson(2, n).astype(float), rng.random(n) < 0.5, rng.normal(size=n)
    treated = rng.random(n) < np.clip(0.1 + 0.08 * strong + 0.02 * weak, 0, 0.9)
    y = (rng.random(n) < np.clip(0.1 + 0.1 * strong + 0.02 * weak, 0, 1)).astype(float)
    covariates = [("noise", noise), ("weak", weak.astype(float)), ("strong", strong)]
    return covariates, y, treated


def test_covariates_are_ranked_and_moved_towards_zero():
    covariates, y, treated = study()
    weight = np.ones(len(y))
    found = left_out_covariates(covariates, y, treated, weight, -0.30, -0.40, -0.20)
    assert found.benchmarks[0].name == "strong"
    sizes = [abs(one.shift) for one in found.benchmarks]
    assert sizes == sorted(sizes, reverse=True)
    for one in found.benchmarks:
        moved = one.difference + 0.30
        assert moved == pytest.approx(abs(one.shift))
        assert (one.ci_low + 0.40, one.ci_high + 0.20) == pytest.approx((moved, moved))
        if np.isfinite(one.times):
            assert one.times**2 * abs(one.shift) == pytest.approx(0.20)
    again = left_out_covariates(covariates[::-1], y, treated, weight, 0.30, 0.20, 0.40)
    assert [one.name for one in again.benchmarks] == [one.name for one in found.benchmarks]
    assert again.benchmarks[0].difference == pytest.approx(-found.benchmarks[0].difference)


def test_a_number_is_cut_where_it_is_strongest():
    treated = np.array([False] * 100 + [True] * 100)
    values = np.concatenate([np.arange(100), np.arange(100) % 20 + 80]).astype(float)
    y = (values >= 80).astype(float)
    found = left_out_covariates(
        [("n", values)], y, treated, np.ones(200), 0.8, 0.7, 0.9
    ).benchmarks[0]
    assert (found.share_focal, found.share_partner) == pytest.approx((1.0, 0.2), abs=0.08)
    assert found.outcome_with - found.outcome_without > 0.8


def test_a_number_keeps_nearly_all_of_its_bias():
    """Outcome linear in a normal covariate: the bias is the slope times the difference in means."""
    n = 4000
    treated = np.arange(n) % 4 == 0
    values = stats.norm.ppf((np.arange(n) + 0.5) / n) + 0.5 * treated
    y = 0.3 * values
    found = left_out_covariates([("n", values)], y, treated, np.ones(n), 1, 0.9, 1.1, binary=False)
    gap = values[treated].mean() - values[~treated].mean()
    assert found.benchmarks[0].shift == pytest.approx(0.3 * gap, rel=0.05)


def test_a_group_without_matched_partners_takes_the_one_below():
    values = np.repeat(np.arange(4.0), 10)
    treated = np.tile([True] * 4 + [False] * 6, 4)
    y = values.copy()
    weight = np.where(treated | (values != 2.0), 1.0, 0.0)
    one = left_out_covariates([("n", values)], y, treated, weight, 1, 0.9, 1.1, binary=False)
    assert one.benchmarks[0].shift == pytest.approx(0.0, abs=1e-12)
    treated[values == 2.0] = [True] * 9 + [False]
    moved = left_out_covariates([("n", values)], y, treated, weight, 1, 0.9, 1.1, binary=False)
    focal = np.array([4, 4, 9, 4]) / 21
    rest = np.array([6, 6, 1, 6]) / 19
    expected = float(np.array([0.0, 1.0, 1.0, 3.0]) @ (focal - rest))
    assert moved.benchmarks[0].shift == pytest.approx(expected)


def test_a_rare_level_is_still_a_level():
    rng = np.random.default_rng(2)
    treated = rng.random(2000) < 0.3
    for share in (0.02, 0.98):
        level = (rng.random(2000) < share).astype(float)
        y = (rng.random(2000) < 0.3).astype(float)
        one = left_out_covariates([("a", level)], y, treated, np.ones(2000), 0.2, 0.1, 0.3)
        assert one.benchmarks[0].share_focal == pytest.approx(level[treated].mean())


def test_strength_is_on_the_scale_of_e_values():
    treated = np.array([True] * 100 + [False] * 100)
    u = np.array([1] * 60 + [0] * 40 + [1] * 20 + [0] * 80)
    y = np.zeros(200)
    y[100:110] = 1  # 10 of 20 with
    y[120:136] = 1  # 16 of 80 without
    one = left_out_covariates(
        [("u", u.astype(float))], y, treated, np.ones(200), -0.3, -0.4, -0.2
    ).benchmarks[0]
    # partners' outcome with the shares of the focal group over that with their own
    factor = (0.6 * 0.5 + 0.4 * 0.2) / (0.2 * 0.5 + 0.8 * 0.2)
    assert one.strength == pytest.approx(factor + math.sqrt(factor * (factor - 1)))
    assert one.shift == pytest.approx(0.4 * 0.3)


def test_unmatched_partners_count_for_the_shares_only():
    treated = np.array([True] * 4 + [False] * 6)
    u = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0], dtype=float)
    y = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1, 1], dtype=float)
    weight = np.array([1, 1, 1, 1, 2, 1, 1, 0, 0, 0], dtype=float)
    one = left_out_covariates([("u", u)], y, treated, weight, 0.5, 0.4, 0.6).benchmarks[0]
    assert (one.share_partner, one.outcome_with, one.outcome_without) == (1 / 6, 1.0, 0.0)


def test_a_constant_covariate_is_left_out():
    _, y, treated = study(500)
    found = left_out_covariates(
        [("constant", np.full(500, 3.0))], y, treated, np.ones(500), 0.2, 0.1, 0.3
    )
    assert found.benchmarks == ()
    assert "none can serve" in found.sentence


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ((0.01, -0.1, 0.1), "cannot tell yet"),
        ((-0.30, -0.40, -0.20), "times as strong as 'strong'"),
        ((-0.10, -0.19, -0.01), "unable to tell which way"),
        ((-0.001, -0.0015, -0.0005), "turn the difference round"),
        ((-0.99, -1.0, -0.98), "no multiple"),
    ],
)
def test_the_sentence_follows_the_strongest(result, words):
    covariates, y, treated = study()
    found = left_out_covariates(covariates, y, treated, np.ones(len(y)), *result)
    assert words in found.sentence
    if result[1] < 0 < result[2]:
        assert found.benchmarks[0].times == 0.0


def test_same_people_in_another_order():
    covariates, y, treated = study(400)
    order = np.random.default_rng(0).permutation(400)
    weight = np.ones(400)
    one = left_out_covariates(covariates, y, treated, weight, -0.3, -0.4, -0.2)
    shuffled = [(name, values[order]) for name, values in covariates]
    other = left_out_covariates(shuffled, y[order], treated[order], weight, -0.3, -0.4, -0.2)
    assert one == other
