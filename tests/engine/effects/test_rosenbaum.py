"""Rosenbaum's Gamma against R, against every hidden covariate there can be, and by invariants."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.effects.sensitivity import set_sums
from engine.effects.sensitivity.rosenbaum import gamma_sentence, largest_gamma, rosenbaum_gamma
from engine.effects.sensitivity.set_sums import (
    aligned_rank_sum,
    doubled_ranks,
    signed_rank_sum,
    yes_no_sum,
)
from engine.errors import UsageError
from tests.engine.effects.sets_support import arrays, pairs, stored
from tests.kernels.support import examples

R = stored("sensitivity.json")


def share(gamma):
    return gamma / (1.0 + gamma)


def split(sets):
    """Return own, partners and sizes, as the statistics take them."""
    focal, indptr, partner, y = arrays(sets)
    return y[focal], y[partner], np.diff(indptr)


# ------------------------------------------------------------------------------- oracles


@pytest.mark.oracle
@pytest.mark.parametrize("case", R["binary"], ids=lambda c: f"{c['focal_only']}")
def test_pairs_equal_the_binomial_of_r(case):
    sets = pairs(case["focal_only"], case["partner_only"], agree=4)
    statistic = yes_no_sum(*split(sets))
    found = [statistic.tail(share(gamma)) for gamma in case["gamma"]]
    assert found == pytest.approx(case["upper"], rel=1e-10)

    one = rosenbaum_gamma(*arrays(sets), "binary", alternative="greater")
    two = rosenbaum_gamma(*arrays(sets), "binary")
    # the largest Gamma is the odds of Clopper and Pearson's lower limit
    assert one.gamma == pytest.approx(case["largest_gamma"], rel=1e-9)
    assert two.gamma == pytest.approx(case["largest_gamma_two_sided"], rel=1e-9)
    assert two.exact
    assert two.informative_sets == case["focal_only"] + case["partner_only"]


@pytest.mark.oracle
@pytest.mark.parametrize("case", R["binary"], ids=lambda c: f"{c['focal_only']}")
def test_rbounds_leaves_out_the_observed_count(case):
    """binarysens of rbounds 2.2 gives P(X > x); a p-value is P(X >= x), which is what we give."""
    x, total = case["focal_only"], case["focal_only"] + case["partner_only"]
    beyond = [stats.binom.sf(x, total, share(gamma)) for gamma in range(1, 7)]
    assert case["binarysens"] == pytest.approx(beyond, abs=6e-6)
    ours = yes_no_sum(*split(pairs(x, total - x)))
    assert all(ours.tail(share(g)) >= p for g, p in zip(range(1, 6), beyond, strict=False))


@pytest.mark.oracle
def test_signed_ranks_of_lead_in_blood(monkeypatch):
    lead = R["lead"]
    difference = np.array(lead["treated"], dtype=float) - np.array(lead["control"])
    exact = signed_rank_sum(difference)
    assert exact.exact
    exact_tails = [exact.tail(share(gamma)) for gamma in lead["gamma"]]
    monkeypatch.setattr(set_sums, "MOST_CELLS", 0)
    normal = [signed_rank_sum(difference).tail(share(gamma)) for gamma in lead["gamma"]]

    assert normal == pytest.approx(lead["upper_zeros_dropped"], rel=1e-10)
    assert [normal[lead["gamma"].index(g)] for g in (1, 2, 3, 4, 5, 6)] == pytest.approx(
        lead["psens"], abs=6e-5
    )
    # 32 pairs: the exact tail is lighter, because the sum leans to the left at a large Gamma
    assert exact_tails == pytest.approx(normal, abs=0.015)
    assert all(one <= other for one, other in zip(exact_tails, normal, strict=True))


@pytest.mark.oracle
@pytest.mark.parametrize("case", R["binary_sets"], ids=["40x3", "60x1-4", "25x5"])
def test_sets_equal_the_conditional_exact_test_of_r(case, monkeypatch):
    for side in ("greater", "less"):
        found = rosenbaum_gamma(*arrays(case["sets"]), "binary", alternative=side)
        assert found.p_value == pytest.approx(case[side], rel=1e-9)
        assert found.exact

    statistic = yes_no_sum(*split(case["sets"]))
    step = statistic.step.astype(float)
    for name, one in (("greater", statistic), ("less", statistic.mirrored())):
        for gamma, p in zip(case["gamma"], case[f"normal_{name}"], strict=True):
            chance = one.chances(share(gamma))
            z = (one.observed - step @ chance) / np.sqrt(np.sum(chance * (1 - chance)))
            assert stats.norm.sf(z) == pytest.approx(p, rel=1e-9)
    exact = statistic.tail(share(1.3))
    monkeypatch.setattr(set_sums, "MOST_CELLS", 0)
    assert statistic.tail(share(1.3)) == pytest.approx(exact, abs=0.02)


@pytest.mark.oracle
@pytest.mark.parametrize("case", R["count_sets"], ids=["50x3", "80x1-5"])
def test_aligned_ranks_equal_the_separable_bound_of_r(case):
    statistic = aligned_rank_sum(*split(case["sets"]))
    for name, one in (("greater", statistic), ("less", statistic.mirrored())):
        found = [one.tail(share(gamma)) for gamma in case["gamma"]]
        assert found == pytest.approx(case[name], rel=1e-9)


# ------------------------------------------------------------- every hidden covariate there can be


def worst_tail(score_sets, observed, gamma):
    """Return the largest P(sum >= observed) over all hidden covariates that are 0 or 1.

    A member is the focal one with a chance proportional to gamma^u.
    """
    worst = 0.0
    members = sum(len(one) for one in score_sets)
    for hidden in itertools.product((0, 1), repeat=members):
        table, start = {0.0: 1.0}, 0
        for scores in score_sets:
            odds = [gamma**u for u in hidden[start : start + len(scores)]]
            start += len(scores)
            new = {}
            for value, p in table.items():
                for score, one in zip(scores, odds, strict=True):
                    new[value + score] = new.get(value + score, 0.0) + p * one / sum(odds)
            table = new
        worst = max(worst, sum(p for value, p in table.items() if value >= observed - 1e-9))
    return worst


SMALL_SETS = st.lists(st.lists(st.integers(0, 1), min_size=2, max_size=4), min_size=1, max_size=3)


@examples(25, 10)
@given(SMALL_SETS, st.floats(1, 6))
def test_no_hidden_covariate_beats_the_bound_for_sets(sets, gamma):
    statistic = yes_no_sum(*split(sets))
    observed = sum(one[0] for one in sets)
    for one, scores, seen in (
        (statistic, sets, observed),
        (statistic.mirrored(), [[1 - v for v in s] for s in sets], len(sets) - observed),
    ):
        assert one.tail(share(gamma)) == pytest.approx(worst_tail(scores, seen, gamma), abs=1e-12)


@examples(25, 10)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=5), st.floats(1, 6))
def test_no_hidden_covariate_beats_the_bound_for_ranks(differences, gamma):
    statistic = signed_rank_sum(np.array(differences, dtype=float))
    kept = [d for d in differences if d]
    ranks = stats.rankdata(np.abs(kept)) if kept else []
    scores = [(r, 0.0) for r in ranks]
    observed = sum(r for r, d in zip(ranks, kept, strict=True) if d > 0)
    expected = worst_tail(scores, observed, gamma) if kept else 1.0
    assert statistic.tail(share(gamma)) == pytest.approx(expected, abs=1e-12)


@examples(60, 20)
@given(
    st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=4), min_size=1, max_size=6),
    st.floats(1, 6),
)
def test_moments_of_aligned_ranks_are_the_largest(sets, gamma):
    statistic = aligned_rank_sum(*split(sets))
    aligned = [np.array(one) - np.mean(one) for one in sets]
    order = np.concatenate([[a[0] for a in aligned], *[a[1:] for a in aligned]])
    rank = stats.rankdata(np.round(order, 9))
    own, rest, start = rank[: len(sets)], rank[len(sets) :], 0
    mean = variance = 0.0
    for number, one in enumerate(sets):
        scores = np.append(rest[start : start + len(one) - 1], own[number])
        start += len(one) - 1
        best = (-np.inf, -np.inf)
        for hidden in itertools.product((0, 1), repeat=len(one)):
            p = float(gamma) ** np.array(hidden)
            p /= p.sum()
            centre = float(p @ scores)
            best = max(best, (round(centre, 9), float(p @ (scores - centre) ** 2)))
        mean, variance = mean + best[0], variance + best[1]
    found = statistic.moments(share(gamma))
    assert found[0] == pytest.approx(mean, abs=1e-7)
    # two covariates with means equal to rounding may differ in variance
    assert found[1] <= variance + 1e-7
    assert statistic.observed == pytest.approx(own.sum())


# ----------------------------------------------------------------------------------- invariants


def test_gamma_is_the_edge_of_significance():
    found = rosenbaum_gamma(*arrays(pairs(40, 15)), "binary")
    statistic = yes_no_sum(*split(pairs(40, 15)))
    assert statistic.tail(share(found.gamma * (1 - 1e-9))) <= 0.025
    assert statistic.tail(share(found.gamma * (1 + 1e-9))) > 0.025
    assert found.direction == "greater"


def test_not_significant_is_gamma_one_with_a_sentence():
    found = rosenbaum_gamma(*arrays(pairs(10, 9)), "binary")
    assert found.gamma == 1.0
    assert found.p_value > 0.05
    assert "nothing that a hidden difference" in found.sentence

    nothing = rosenbaum_gamma(*arrays(pairs(0, 0, agree=5)), "binary")
    assert (nothing.gamma, nothing.p_value, nothing.informative_sets) == (1.0, 1.0, 0)
    assert nothing.direction == "neither"
    nobody = rosenbaum_gamma(*arrays([]), "binary")
    assert (nobody.gamma, nobody.sets) == (1.0, 0)


def test_all_pairs_on_one_side_is_large_and_finite():
    found = rosenbaum_gamma(*arrays(pairs(10_000, 0)), "binary")
    p = 0.025 ** (1 / 10_000)
    assert found.gamma == pytest.approx(p / (1 - p), rel=1e-9)


def test_mirrored_arms_give_the_same_gamma_and_the_opposite_direction():
    sets = [[0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 1, 1]] * 12
    flipped = [[1 - value for value in one] for one in sets]
    one = rosenbaum_gamma(*arrays(sets), "binary")
    other = rosenbaum_gamma(*arrays(flipped), "binary")
    as_comparison = rosenbaum_gamma(*arrays(sets), "binary", focal_treated=False)
    assert one.gamma == other.gamma == as_comparison.gamma > 1
    assert (one.direction, other.direction, as_comparison.direction) == (
        "less",
        "greater",
        "greater",
    )


def test_a_one_sided_test_looks_one_way_only():
    less = rosenbaum_gamma(*arrays(pairs(15, 40)), "binary", alternative="less")
    two = rosenbaum_gamma(*arrays(pairs(15, 40)), "binary")
    greater = rosenbaum_gamma(*arrays(pairs(15, 40)), "binary", alternative="greater")
    assert less.gamma > two.gamma > greater.gamma == 1.0
    assert two.p_value == pytest.approx(2 * less.p_value)
    assert two.p_value == pytest.approx(stats.binomtest(15, 55).pvalue)


def test_reused_partners_are_marked_as_approximate():
    focal, indptr, partner, y = arrays(pairs(30, 10))
    partner = partner.copy()
    partner[1] = partner[0]
    found = rosenbaum_gamma(focal, indptr, partner, y, "binary")
    assert not found.exact
    assert "serve in several sets" in found.note


def test_unequal_shares_are_noted():
    focal, indptr, partner, y = arrays([[0, 1, 1], [0, 0, 1]] * 10)
    even = np.full(len(partner), 0.5)
    uneven = np.tile([0.25, 0.75], len(partner) // 2)
    assert rosenbaum_gamma(focal, indptr, partner, y, "binary", share=even).note == ""
    assert "alike" in rosenbaum_gamma(focal, indptr, partner, y, "binary", share=uneven).note


def test_no_event_is_later_than_every_event():
    late = [(np.nan, 30.0), (200.0, 10.0), (np.nan, np.nan), (np.nan, 350.0), (90.0, 20.0)] * 6
    found = rosenbaum_gamma(*arrays(late), "time")
    assert found.direction == "greater"
    assert found.gamma > 1
    assert "later than everybody" in found.note
    # only the order counts, and pairs without any event say nothing
    stretched = [[v * 1000 for v in one] for one in late]
    assert rosenbaum_gamma(*arrays(stretched), "time").gamma == found.gamma
    assert found.informative_sets == 24
    three = rosenbaum_gamma(*arrays([(*one, 5.0) for one in late]), "time")
    assert three.test == "aligned rank of times, no event last"
    assert three.direction == "greater"


def test_aligned_ranks_without_any_difference():
    found = rosenbaum_gamma(*arrays([[2, 2, 2]] * 8), "count")
    assert (found.gamma, found.p_value, found.informative_sets) == (1.0, 1.0, 0)


def test_exact_and_normal_agree_where_one_gives_way_to_the_other():
    rng = np.random.default_rng(3)
    sets = [[int(v < 0.5) for v in rng.random(4)] for _ in range(1500)]
    statistic = yes_no_sum(*split(sets))
    assert statistic.exact
    exact = [statistic.tail(share(g)) for g in (1, 1.1, 1.2)]
    large = yes_no_sum(*split(sets * 2))
    assert not large.exact
    try:
        set_sums.MOST_CELLS, before = 0, set_sums.MOST_CELLS
        normal = [statistic.tail(share(g)) for g in (1, 1.1, 1.2)]
    finally:
        set_sums.MOST_CELLS = before
    assert normal == pytest.approx(exact, abs=5e-4)


def test_order_of_sets_does_not_matter():
    rng = np.random.default_rng(8)
    sets = [list(rng.poisson(1.5, size=rng.integers(2, 5))) for _ in range(40)]
    one = rosenbaum_gamma(*arrays(sets), "count")
    other = rosenbaum_gamma(*arrays(sets[::-1]), "count")
    assert one.p_value == pytest.approx(other.p_value, rel=1e-12)


@examples(100, 100)
@given(st.lists(st.floats(-5, 5), max_size=30))
def test_doubled_ranks_are_twice_the_mean_ranks(values):
    expected = 2 * stats.rankdata(values) if values else []
    assert list(doubled_ranks(np.array(values))) == list(expected)


def test_largest_gamma_of_a_known_bound():
    assert largest_gamma(lambda p: p, 0.4) == 1.0
    assert largest_gamma(lambda p: 0.0 if p <= 0.75 else 1.0, 0.4) == pytest.approx(3.0)
    assert np.isfinite(largest_gamma(lambda p: 0.0, 0.4))


def test_sentences_say_what_they_may():
    assert "more than 2.3 times" in gamma_sentence(2.3999, clear=True)
    assert "1.04 times" in gamma_sentence(1.04, clear=True)
    assert "1.01 times" in gamma_sentence(1.0007, clear=True)


def test_alpha_out_of_range_is_refused():
    with pytest.raises(UsageError):
        rosenbaum_gamma(*arrays(pairs(3, 1)), "binary", alpha=0.5)
