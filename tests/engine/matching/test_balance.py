"""Balance against the formulas written out: numbers, shares, levels, products, the score."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.matching.balance import assess_balance, deviations, effective_size, largest_smd
from engine.matching.design import Covariate, Design
from engine.matching.score_balance import assess_score
from engine.matching.terms import Sample, is_share
from engine.matching.unmatched import profile_unmatched
from tests import naive
from tests.kernels.support import examples

DENOMINATORS = ["treated", "comparison", "pooled"]
PLAIN = {"numeric", "level"}


@st.composite
def samples(draw):
    """A design of every kind of column and the weights of a match."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(12, 60))
    treated = rng.random(n) < 0.4
    treated[:6] = [True, True, True, False, False, False]
    numeric = np.array(
        [
            rng.normal(size=n) * 10 + draw(st.sampled_from([0.0, 1e6])),
            rng.integers(0, 3, n) * 1.0,
            rng.integers(0, 2, n) * 1.0,
            np.full(n, 4.0),
        ]
    )
    codes = np.array([rng.integers(0, 3, n), rng.integers(0, 2, n)], dtype=np.uint16)
    weight = np.where(treated, 1.0, rng.integers(0, 5, n) / 2)
    weight[rng.random(n) < 0.2] = 0.0
    weight[[0, 1, 3, 4]] = [1.0, 1.0, 0.5, 2.0]
    design = Design(
        (
            Covariate("x", (), 0),
            Covariate("g", ("a", "b", "c"), 0),
            Covariate("count", (), 1),
            Covariate("flag", (), 2),
            Covariate("sex", ("f", "m"), 1),
            Covariate("same", (), 3),
        ),
        tuple(numeric),
        codes,
    )
    return design, treated, weight


def terms(design):
    """Every term of the design as a column: name, kind, owner, values."""
    found = []
    for covariate in design.covariates:
        if covariate.levels:
            shown = covariate.levels[1:] if len(covariate.levels) == 2 else covariate.levels
            for name in shown:
                code = covariate.levels.index(name)
                values = (design.codes[covariate.row] == code) * 1.0
                found.append((f"{covariate.name}={name}", "level", covariate.name, values))
        else:
            found.append((covariate.name, "numeric", covariate.name, design.numeric[covariate.row]))
    squares = [
        (f"{name}^2", "square", owner, values * values)
        for name, kind, owner, values in found
        if kind == "numeric" and not set(values) <= {0.0, 1.0}
    ]
    products = [
        (f"{a[0]} * {b[0]}", "interaction", None, a[3] * b[3])
        for place, a in enumerate(found)
        for b in found[place + 1 :]
        if a[2] != b[2]
    ]
    return found + squares + products


def close(found, wanted, scale=1.0):
    return (math.isnan(found) and math.isnan(wanted)) or found == pytest.approx(
        wanted, rel=1e-9, abs=1e-11 * scale
    )


@examples(25, 4)
@given(sample=samples(), denominator=st.sampled_from(DENOMINATORS))
def test_every_figure_is_its_formula(sample, denominator):
    design, treated, weight = sample
    rows = assess_balance(
        design, Sample.of(treated, weight), denominator=denominator, squares=True,
        interactions=True,
    )  # fmt: skip
    wanted = terms(design)
    assert [(row.name, row.kind) for row in rows] == [(name, kind) for name, kind, *_ in wanted]
    kept = [(weight > 0) & ~treated, (weight > 0) & treated]
    for row, (_, _, _, x) in zip(rows, wanted, strict=True):
        share = set(x) <= {0.0, 1.0}
        arms = x[~treated], x[treated]
        mean = [naive.exact_sum(arm) / len(arm) for arm in arms]
        after = [naive.weighted_mean(x[k], weight[k]) for k in kept]
        variance = [
            m * (1 - m) if share else naive.weighted_variance(arm, np.ones(len(arm)))
            for m, arm in zip(mean, arms, strict=True)
        ]
        square = {"comparison": variance[0], "treated": variance[1], "pooled": sum(variance) / 2}
        deviation = math.sqrt(square[denominator])
        size = max(1.0, np.abs(x).max())
        assert close(row.mean_treated, mean[1], size)
        assert close(row.mean_comparison_before, mean[0], size)
        assert close(row.mean_treated_matched, after[1], size)
        assert close(row.mean_comparison_after, after[0], size)
        if deviation > 1e-9 * size:
            assert close(row.smd_before, (mean[1] - mean[0]) / deviation, size / deviation)
            assert close(row.smd_after, (after[1] - after[0]) / deviation, size / deviation)
        if share:
            assert math.isnan(row.variance_ratio_before)
            assert math.isnan(row.variance_ratio_after)
            assert close(row.ks_before, abs(mean[1] - mean[0]))
            assert close(row.ks_after, abs(after[1] - after[0]))
            continue
        later = [naive.weighted_variance(x[k], weight[k]) for k in kept]
        if variance[0] > 1e-9 * size and later[0] > 1e-9 * size:
            assert row.variance_ratio_before == pytest.approx(variance[1] / variance[0], rel=1e-6)
            assert row.variance_ratio_after == pytest.approx(later[1] / later[0], rel=1e-6)
        ones = [np.ones(len(arm)) for arm in arms]
        gap = naive.largest_ecdf_gap(arms[0], ones[0], arms[1], ones[1])
        assert close(row.ks_before, gap)
        gap = naive.largest_ecdf_gap(x[kept[0]], weight[kept[0]], x[kept[1]], weight[kept[1]])
        assert close(row.ks_after, gap)


@examples(25, 4)
@given(sample=samples(), denominator=st.sampled_from(DENOMINATORS))
def test_the_largest_difference_is_that_of_the_table(sample, denominator):
    design, treated, weight = sample
    matched = Sample.of(treated, weight)
    rows = assess_balance(design, matched, denominator=denominator, squares=True)
    deviation = deviations(design, matched, denominator)
    shown = [abs(row.smd_after) for row in rows if row.kind in PLAIN]
    found = largest_smd(design, matched, rows, deviation)
    # A grid of matches is summed in one pass, the table of one match in two.
    assert found == pytest.approx(np.nanmax(shown), rel=1e-9)
    nobody = Sample.of(treated, np.zeros(len(treated)))
    assert math.isnan(largest_smd(design, nobody, rows, deviation))


def test_a_difference_without_spread_is_not_defined_and_none_is_zero():
    treated = np.array([True, True, False, False])
    design = Design(
        (Covariate("apart", (), 0), Covariate("same", (), 1)),
        tuple(np.array([[3.0, 3.0, 5.0, 5.0], [7.0] * 4])),
        np.empty((0, 4), dtype=np.uint16),
    )
    apart, same = assess_balance(design, Sample.of(treated, np.ones(4)))
    assert math.isnan(apart.smd_before)
    assert math.isnan(apart.smd_after)
    assert (same.smd_before, same.smd_after) == (0.0, 0.0)


@examples(25, 4)
@given(sample=samples(), ties=st.booleans())
def test_the_score_is_compared_by_rubin_and_by_rank(sample, ties):
    design, treated, weight = sample
    logit = design.numeric[0] - design.numeric[0].mean()
    if ties:
        logit = np.round(logit / 8)
    left_out = ~treated & (weight == 0) & (design.codes[1] == 1)
    logit = np.where(left_out, -np.inf, logit)
    found = assess_score(logit, Sample.of(treated, weight))
    use = np.isfinite(logit)
    arms = [use & ~treated, use & treated]
    kept = [(weight > 0) & ~treated, (weight > 0) & treated]
    for b, r, auc, sides, w in (
        (found.rubin_b_before, found.rubin_r_before, found.auc_before, arms, np.ones(len(logit))),
        (found.rubin_b_after, found.rubin_r_after, found.auc_after, kept, weight),
    ):
        mean = [naive.weighted_mean(logit[k], w[k]) for k in sides]
        variance = [naive.weighted_variance(logit[k], w[k]) for k in sides]
        assert b == pytest.approx(100 * abs(mean[1] - mean[0]) / math.sqrt(sum(variance) / 2))
        assert r == pytest.approx(variance[1] / variance[0])
        one, other = sides[1], sides[0]
        area = naive.area_under_curve(logit[one], w[one], logit[other], w[other])
        assert auc == pytest.approx(area, rel=1e-12)
    assert found.edges[0] == logit[use].min()
    assert found.edges[-1] == pytest.approx(logit[use].max())
    assert found.treated.sum() == np.count_nonzero(arms[1])
    assert found.comparison_before.sum() == np.count_nonzero(arms[0])
    assert found.comparison_after.sum() == pytest.approx(weight[kept[0]].sum())
    for bins, rows in ((found.treated, arms[1]), (found.comparison_before, arms[0])):
        for edge in (10, 20, 30):
            below = np.count_nonzero(logit[rows] < found.edges[edge] - 1e-9)
            above = np.count_nonzero(logit[rows] < found.edges[edge] + 1e-9)
            assert below <= bins[:edge].sum() <= above


def test_effective_size_is_kish():
    assert effective_size(np.empty(0)) == 0.0
    assert effective_size(np.array([2.0, 2.0, 2.0])) == 3.0
    assert effective_size(np.array([1.0, 3.0])) == 1.6


@pytest.mark.parametrize(
    ("values", "wanted"),
    [([0.0, 1.0], True), ([1.0], True), ([0.0, 2.0], False), ([0.5], False), ([0.0, -1.0], False)],
)
def test_a_share_holds_zeros_and_ones_only(values, wanted):
    assert is_share(np.array(values)) is wanted
    assert not is_share(np.concatenate([np.zeros(1500), [2.0]]))


@examples(15, 3)
@given(sample=samples())
def test_the_lost_are_compared_with_the_matched(sample):
    design, treated, weight = sample
    matched = treated & (weight > 0)
    lost = treated & ~matched
    profile = profile_unmatched(design, treated, matched)
    if not lost.any():
        assert profile == ()
        return
    plain = [term for term in terms(design) if term[1] in PLAIN]
    assert [row.name for row in profile] == [name for name, *_ in plain]
    for row, (_, _, _, x) in zip(profile, plain, strict=True):
        assert row.mean_matched == pytest.approx(x[matched].mean(), rel=1e-12)
        assert row.mean_unmatched == pytest.approx(x[lost].mean(), rel=1e-12)
        mean = x[matched].mean()
        # What counts as a share is decided on the focal people alone.
        share = set(x[treated]) <= {0.0, 1.0}
        deviation = math.sqrt(mean * (1 - mean)) if share else x[matched].std(ddof=1)
        if deviation > 1e-9:
            gap = (x[lost].mean() - mean) / deviation
            assert row.smd == pytest.approx(gap, rel=1e-6, abs=1e-9)
