"""Replicates as pure functions of their number, exact limits, and intervals by plain formulas."""

import math
from statistics import NormalDist

import numba
import numpy as np
import pytest

from engine.effects.bootstrap import acceleration, bootstrap_intervals, quantile
from engine.effects.replicates import (
    FITTED_EXACTLY,
    MATCHED,
    MULTIPLIERS,
    FullFit,
    _fit_exactly,
    by_person,
    centred_within,
    drawn_replicates,
    multiplier_replicates,
    people_to_draw,
    rematched_replicates,
    stratified_replicates,
)
from engine.effects.sources import (
    DIAGNOSTIC,
    VALID_REMATCH,
    conditional_difference,
    difference_of_means,
    difference_of_ratios,
    mean_difference,
    multiplier_source,
    refit_bootstrap,
    set_source,
)
from engine.errors import UsageError
from engine.matching.pairing import pair_with_replacement, pair_without_replacement
from engine.matching.problem import Problem
from kernels import dependence, newton
from kernels.columns import number_columns, take_rows
from kernels.philox import STAGE_COUNTS
from kernels.refit import counts_into
from kernels.rematch import GREEDY, NEAREST, WINDOW, Recipe
from tests import naive
from tests.kernels.support import COMPILED, make_table

MANY = 8000 if COMPILED else 300
SOME = 400 if COMPILED else 40
SEED = 2**100 + 17


def keys(n):
    return np.random.default_rng([3, n]).integers(0, 2**64, n, dtype=np.uint64)


def sets(n=40, seed=0):
    """Sets of a binary outcome: focal value, partners' mean, one."""
    rng = np.random.default_rng([seed, n])
    focal = (rng.random(n) < 0.5).astype(float)
    return np.column_stack([focal, rng.integers(0, 4, n) / 3, np.ones(n)])


def close_to(found, wanted, count, sigmas=5.0):
    """Whether a standard deviation over replicates is what it should be."""
    return abs(found / wanted - 1) < sigmas / math.sqrt(2 * count)


def set_bootstrap(columns, statistic, *, replicates=1_000, seed=0, **how):
    source = set_source(columns, statistic, seed=seed, **how)
    return source.finish(source.draw(0, replicates), seed, 0.95)


def test_the_set_bootstrap_has_its_exact_limit():
    columns = sets()
    gap = columns[:, 0] - columns[:, 1]
    found = set_bootstrap(columns, difference_of_means, replicates=MANY)
    assert close_to(found.standard_error, gap.std() / math.sqrt(len(gap)), MANY)
    assert abs(found.estimates.mean() - gap.mean()) < 5 * found.standard_error / math.sqrt(MANY)
    assert found.kind == "sets"


@pytest.mark.parametrize(("draws", "replace"), [(15, True), (15, False)])
def test_fewer_draws_are_scaled_back(draws, replace):
    columns = sets()
    gap = columns[:, 0] - columns[:, 1]
    found = set_bootstrap(
        columns, difference_of_means, draws=draws, replace=replace, replicates=MANY
    )
    # Without replacement the limit has n - 1: sampling from a finite population.
    wanted = gap.std(ddof=0 if replace else 1) / math.sqrt(len(gap))
    assert close_to(found.standard_error, wanted, MANY)
    assert found.kind == ("m-out-of-n" if replace else "subsample")


def test_people_are_drawn_with_all_their_sets():
    columns = sets(60)
    person = np.random.default_rng(1).integers(0, 25, 60)
    rows = by_person(columns, person)
    people = np.unique(person)
    assert np.allclose(rows, [columns[person == q].sum(axis=0) for q in people])
    found = set_bootstrap(columns, difference_of_means, person=person, replicates=SOME)
    sums = drawn_replicates(rows, stop=SOME)
    assert np.array_equal(found.estimates, (sums[:, 0] - sums[:, 1]) / sums[:, 2])
    assert found.kind == "persons"


def plain_stratified(values, stratum, seed, replicate):
    """Sums of rows drawn within strata, by plain Python."""
    rows = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    total, d = np.zeros(values.shape[1]), 0
    for own in rows:
        for _ in own:
            counter = (d, replicate // 4, STAGE_COUNTS, 0)
            word = naive.philox4x64(counter, (seed % 2**64, seed >> 64))[replicate % 4]
            total += values[own[word * len(own) >> 64]]
            d += 1
    return total


def test_strata_are_drawn_as_by_plain_python_wherever_a_range_begins():
    columns = sets(37)
    stratum = np.random.default_rng(5).choice([9, 2, 5], 37)
    found = stratified_replicates(columns, stratum, seed=SEED, stop=11)
    wanted = [plain_stratified(columns, stratum, SEED, r) for r in range(11)]
    assert np.allclose(found, wanted, rtol=1e-12)
    late = stratified_replicates(columns, stratum, seed=SEED, start=6, stop=11)
    assert np.array_equal(late, found[6:])


def test_strata_keep_their_numbers_and_lose_what_lies_between_them():
    columns = sets(60)
    stratum = np.arange(60) % 3
    columns[:, 0] = columns[:, 0] + 4.0 * stratum  # far apart between strata
    marked = np.column_stack([columns, stratum == 1])
    drawn = stratified_replicates(marked, stratum, stop=SOME)
    assert np.array_equal(drawn[:, 3], np.full(SOME, 20.0))
    gap = columns[:, 0] - columns[:, 1]
    found = set_bootstrap(columns, difference_of_means, replicates=MANY, stratum=stratum)
    within = np.sqrt(sum(20 * gap[stratum == s].var() for s in range(3))) / 60
    assert close_to(found.standard_error, within, MANY)
    assert found.standard_error < 0.5 * gap.std() / math.sqrt(60)
    d = np.concatenate([gap[stratum == s] - gap[stratum == s].mean() for s in range(3)])
    assert found.skew == pytest.approx((d**3).sum() / (6 * (d**2).sum() ** 1.5))
    assert "within strata" in found.note


def test_people_belong_to_the_stratum_of_their_first_set():
    columns, person = sets(12), np.array([0, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8])
    stratum = np.array([1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0])
    found = set_source(columns, difference_of_means, person=person, stratum=stratum)
    rows = by_person(columns, person)
    own = np.array([1, 1, 0, 0, 0, 1, 0, 1, 0])
    wanted = difference_of_means(stratified_replicates(rows, own, stop=9))
    assert np.array_equal(found.draw(0, 9), wanted)


def test_sums_are_centred_within_their_stratum():
    sums, stratum = np.array([1.0, 2.0, 4.0, 10.0, 20.0]), np.array([7, 1, 7, 1, 3])
    assert centred_within(sums, stratum).tolist() == [-1.5, -4.0, 1.5, 4.0, 0.0]


@pytest.mark.parametrize("multiplier", MULTIPLIERS)
def test_multipliers_have_the_variance_of_the_linear_form(multiplier):
    sums = np.random.default_rng(2).standard_exponential(60) - 0.9
    source = multiplier_source(0.25, sums, keys(60), 30, multiplier=multiplier)
    found = source.finish(source.draw(0, MANY), 0, 0.95)
    used = sums - sums.mean() if multiplier in {"exponential", "multinomial"} else sums
    assert close_to(found.standard_error, math.sqrt((used**2).sum()) / 30, MANY, 8.0)
    assert abs(found.estimates.mean() - 0.25) < 5 * found.standard_error / math.sqrt(MANY)


@pytest.mark.parametrize("multiplier", MULTIPLIERS)
def test_more_replicates_begin_with_the_same_ones(multiplier):
    sums = np.random.default_rng(4).normal(size=(2, 50))
    options = {"multiplier": multiplier, "seed": SEED}
    many = multiplier_replicates(sums, keys(50), stop=200, **options)
    few = multiplier_replicates(sums, keys(50), stop=100, **options)
    assert np.array_equal(many[:100], few)
    late = multiplier_replicates(sums, keys(50), start=93, stop=200, **options)
    assert np.array_equal(many[93:], late)


def test_more_draws_begin_with_the_same_ones():
    columns = sets()
    for replace in (True, False):
        options = {"draws": 11, "replace": replace, "seed": SEED}
        many = drawn_replicates(columns, stop=200, **options)
        assert np.array_equal(many[:100], drawn_replicates(columns, stop=100, **options))
        assert np.array_equal(many[57:], drawn_replicates(columns, start=57, stop=200, **options))


def a_study(n=500, seed=0, numbers=2, levels=(3,)):
    """A table, its fit, outcomes, and how to draw."""
    table = make_table(n, numbers, levels, seed=seed, share=0.2)
    active = dependence.independent_columns(
        table.columns, np.empty(0), np.ones(table.columns.n_terms, dtype=np.bool_)
    )
    fitted = newton.fit(table.columns, table.treated, np.empty(0), active)
    everybody = np.ones(n, dtype=np.bool_)
    full = FullFit(table.columns, table.treated, fitted.beta, fitted.information, active, everybody)
    rng = np.random.default_rng([5, n])
    had = rng.random(n) < 0.4
    values = np.column_stack([had, had * rng.integers(1, 300, n)]).astype(np.float64)
    return full, fitted, values


def how(treated, *, cell=None, person=None, design=NEAREST, ratio=1, caliper=0.2, own=True):
    none = np.empty(0, dtype=np.int64)
    cells = none if cell is None else cell
    return Recipe(
        treated == 1,
        np.ones(len(treated), dtype=np.bool_),
        cells,
        int(cells.max(initial=0)) + 1,
        none if person is None else person,
        design,
        ratio,
        0,
        caliper,
        own,
        False,
    )


@pytest.mark.parametrize("design", [NEAREST, GREEDY, WINDOW])
def test_a_rematched_replicate_is_the_same_alone_and_in_any_batch(design):
    full, _, values = a_study()
    recipe = how(full.treated, design=design, ratio=2)
    draws = people_to_draw(full.treated == 1, full.fitted)

    def run(start, stop):
        return rematched_replicates(
            recipe, values, draws, full=full, seed=SEED, start=start, stop=stop
        )

    many = run(0, 21)
    assert np.array_equal(run(0, 10).sums, many.sums[:10])
    assert np.array_equal(run(13, 14).sums, many.sums[13:14])
    assert np.array_equal(run(5, 21).sums, many.sums[5:])
    assert np.array_equal(many.status, np.full(21, MATCHED))
    assert len(np.unique(many.sums[:, 1, 0])) > 5


@pytest.mark.skipif(not COMPILED or numba.config.NUMBA_NUM_THREADS < 2, reason="needs threads")
def test_threads_decide_nothing():
    full, _, values = a_study(900)
    recipe = how(full.treated)
    draws = people_to_draw(full.treated == 1, full.fitted)
    sums = np.random.default_rng(6).normal(size=(1, 5000))

    def run():
        return (
            rematched_replicates(recipe, values, draws, full=full, stop=33).sums,
            multiplier_replicates(sums, keys(5000), stop=9001),
            drawn_replicates(sets(), stop=500_003)[-50:],
        )

    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = run()
        numba.set_num_threads(2)
        two = run()
    finally:
        numba.set_num_threads(before)
    for a, b in zip(one, two, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("design", [NEAREST, GREEDY])
@pytest.mark.parametrize("exact", [False, True])
def test_counts_are_copied_rows(design, exact):
    """A replicate equals the fit and the match of the table with its rows copied."""
    n = 500
    full, _, values = a_study(n, seed=7)
    cell = np.random.default_rng(8).integers(0, 3, n) if exact else None
    draws = people_to_draw(full.treated == 1, full.fitted)
    recipe = how(full.treated, cell=cell, design=design, ratio=2)
    found = rematched_replicates(recipe, values, draws, full=full, seed=9, stop=4)
    counts = np.empty((4, n), dtype=np.uint16)
    counts_into(draws.unit, draws.start, draws.draws, np.uint64(9), np.uint64(0), 0, counts)
    for r in range(4):
        rows = np.repeat(np.arange(n), counts[r])
        columns = take_rows(full.columns, rows)
        fitted = newton.fit(columns, full.treated[rows], np.empty(0), full.active)
        problem = Problem(
            fitted.eta,
            full.treated[rows] == 1,
            np.ones(n, dtype=np.bool_),
            cell=None if cell is None else cell[rows],
            caliper=0.2 * float(np.std(fitted.eta, ddof=1)),
        )
        pair = pair_with_replacement if design == NEAREST else pair_without_replacement
        pairing = pair(problem, ratio=2)
        owner = np.repeat(np.arange(len(pairing.focal)), pairing.set_size)
        means = np.zeros((len(pairing.focal), 2))
        np.add.at(means, owner, values[rows[pairing.partner]] * pairing.share[:, None])
        some = pairing.set_size > 0
        assert found.matched[r] == np.count_nonzero(some)
        assert np.allclose(found.sums[r, 0], values[rows[pairing.focal[some]]].sum(axis=0))
        assert np.allclose(found.sums[r, 1], means.sum(axis=0), rtol=1e-10)


def test_a_given_score_is_matched_again_but_not_fitted():
    full, fitted, values = a_study()
    recipe = how(full.treated)
    draws = people_to_draw(full.treated == 1, full.fitted)
    given = rematched_replicates(recipe, values, draws, logit=fitted.eta, stop=16)
    refitted = rematched_replicates(recipe, values, draws, full=full, stop=16)
    assert np.array_equal(given.passes, np.zeros(16))
    assert np.array_equal(given.sums[:, 0, 0] > 0, np.full(16, True))
    assert not np.array_equal(given.sums, refitted.sums)


def a_few_treated(places):
    """A table of 60 rows and one number, with the treated at the given ranks."""
    table = make_table(60, 1, (), seed=2)
    treated = np.zeros(60, dtype=np.uint8)
    treated[np.argsort(number_columns(table.columns)[0])[places]] = 1
    active = np.ones(2, dtype=np.bool_)
    fitted = newton.fit(table.columns, treated, np.empty(0), active)
    everybody = np.ones(60, dtype=np.bool_)
    full = FullFit(table.columns, treated, fitted.beta, fitted.information, active, everybody)
    return full, how(treated, caliper=math.inf, own=False)


def test_replicates_whose_refit_is_slow_are_fitted_exactly():
    # Without the treated row of rank 30, the others stand above everybody else.
    full, recipe = a_few_treated([30, 55, 56, 57, 58, 59])
    draws = people_to_draw(full.treated == 1, full.fitted)
    found = rematched_replicates(recipe, np.ones((60, 1)), draws, full=full, stop=64)
    exact = found.status == FITTED_EXACTLY
    assert 0 < np.count_nonzero(exact) < 32
    assert np.array_equal(found.status[~exact], np.full(64 - np.count_nonzero(exact), MATCHED))
    assert np.array_equal(found.sums[:, 0, 0], np.full(64, 6.0))
    alone = int(np.flatnonzero(exact)[0])
    again = rematched_replicates(
        recipe, np.ones((60, 1)), draws, full=full, start=alone, stop=alone + 1
    )
    assert again.status[0] == FITTED_EXACTLY


def test_replicates_without_an_estimate_are_counted_and_left_out():
    full, recipe = a_few_treated([20, 33, 47])
    draws = people_to_draw(full.treated == 1, full.fitted, within_arms=False, share=0.5)
    values = np.random.default_rng(12).normal(size=(60, 1))
    (found,) = refit_bootstrap(
        (0.0,), recipe, values, (mean_difference(0),), draws, full=full, replicates=64
    )
    missing = int(np.count_nonzero(np.isnan(found.estimates)))
    assert missing > 3  # nobody treated was drawn: about one in five
    assert f"{missing} of 64 replicates gave no estimate" in found.note
    usable = found.estimates[~np.isnan(found.estimates)]
    assert found.standard_error == pytest.approx(np.std(usable, ddof=1))


def test_an_arm_without_anybody_has_no_fit():
    full, _ = a_few_treated([20, 33, 47])
    assert _fit_exactly(full, (full.treated == 0).astype(np.uint16)) is None


def test_the_full_bootstrap_says_what_it_is_good_for():
    full, _, values = a_study()
    draws = people_to_draw(full.treated == 1, full.fitted)
    measures = (mean_difference(0), conditional_difference(1, 0))
    for design, label in ((NEAREST, DIAGNOSTIC), (GREEDY, DIAGNOSTIC), (WINDOW, VALID_REMATCH)):
        recipe = how(full.treated, design=design)
        found = refit_bootstrap(
            (0.1, 3.0), recipe, values, measures, draws, full=full, replicates=40, seed=1
        )
        assert [result.note for result in found] == [label, label]
        sums = rematched_replicates(recipe, values, draws, full=full, seed=1, stop=40)
        gap = (sums.sums[:, 0, 0] - sums.sums[:, 1, 0]) / sums.matched
        assert np.array_equal(found[0].estimates, gap)
        days = sums.sums[:, :, 1] / sums.sums[:, :, 0]
        assert np.allclose(found[1].estimates, days[:, 0] - days[:, 1])


def test_a_constant_outcome_has_no_width():
    columns = np.column_stack([np.full(30, 0.7), np.full(30, 0.7), np.ones(30)])
    found = set_bootstrap(columns, difference_of_means, replicates=100)
    for limits in found.intervals:
        assert limits.low == pytest.approx(0, abs=1e-14)
        assert limits.high == pytest.approx(0, abs=1e-14)
    full, _, _ = a_study()
    values = np.ones((500, 1))
    draws = people_to_draw(full.treated == 1, full.fitted)
    for design in (NEAREST, GREEDY, WINDOW):
        recipe = how(full.treated, design=design, ratio=3)
        sums = rematched_replicates(recipe, values, draws, full=full, stop=8)
        assert np.allclose(sums.sums[:, 0, 0], sums.matched, rtol=1e-12)
        assert np.allclose(sums.sums[:, 1, 0], sums.matched, rtol=1e-12)


def test_whoever_gives_up_does_not_wait_for_all_replicates():
    full, _, values = a_study()
    draws = people_to_draw(full.treated == 1, full.fitted)
    seen = []

    def give_up(share):
        seen.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rematched_replicates(how(full.treated), values, draws, full=full, stop=80, progress=give_up)
    assert seen == [0.1]


def test_who_is_drawn():
    treated = np.array([True, False, False, True, False, False, True, False])
    part = np.array([True, True, True, True, True, False, True, True])
    plain = people_to_draw(treated, part)
    assert plain.draws.tolist() == [4, 3]
    assert plain.unit[5] == -1
    assert sorted(plain.unit[treated]) == [4, 5, 6]
    # Person 7 has a row in both arms and belongs to the treated.
    person = np.array([9, 7, 3, 7, 3, 5, 9, 1])
    people = people_to_draw(treated, part, person)
    assert people.draws.tolist() == [2, 2]
    assert people.unit.tolist() == [3, 2, 1, 2, 1, -1, 3, 0]
    cells = people_to_draw(treated, part, person, cell=np.array([0, 1, 1, 0, 0, 0, 1, 0]))
    # Persons 9 and 7 are treated, of cells 0 and 1 by their first rows; 1 and 3 are not.
    assert cells.draws.tolist() == [1, 1, 1, 1]
    assert cells.unit.tolist() == [2, 3, 1, 3, 1, -1, 2, 0]
    everybody = people_to_draw(treated, part, person, within_arms=False, share=0.5)
    assert everybody.draws.tolist() == [2]
    assert everybody.start.tolist() == [0, 4]
    assert everybody.share == 0.5


def test_quantiles_are_at_position_b_plus_one_times_p():
    ordered = np.arange(1.0, 100.0)
    for p in (0.025, 0.1, 0.5, 0.975):
        assert quantile(ordered, p) == pytest.approx(100 * p)
    assert quantile(ordered, 0.001) == 1.0
    assert quantile(ordered, 1.0) == 99.0


def test_intervals_are_those_of_plain_formulas():
    estimates = np.random.default_rng(10).gamma(2.0, size=999)
    estimate, skew, level = 1.7, 0.04, 0.9
    found = {
        limits.method: limits
        for limits in bootstrap_intervals(estimate, estimates, level=level, skew=skew)
    }
    ordered = sorted(estimates.tolist())
    low, high = ordered[49], ordered[949]
    assert (found["percentile"].low, found["percentile"].high) == pytest.approx((low, high))
    assert found["basic"].low == pytest.approx(2 * estimate - high)
    assert found["basic"].high == pytest.approx(2 * estimate - low)
    normal = NormalDist()
    z = normal.inv_cdf(0.95)
    half = z * np.std(estimates, ddof=1)
    assert found["normal"].low == pytest.approx(estimate - half)
    shift = normal.inv_cdf(np.mean(estimates < estimate))
    for side, limit in ((-z, found["bca"].low), (z, found["bca"].high)):
        p = normal.cdf(shift + (shift + side) / (1 - skew * (shift + side)))
        place = p * 1000 - 1
        below = int(place)
        wanted = ordered[below] + (place - below) * (ordered[below + 1] - ordered[below])
        assert limit == pytest.approx(wanted)


def test_bca_without_bias_or_skew_is_the_percentile_interval():
    estimates = np.arange(-499.0, 500.0)
    found = {x.method: x for x in bootstrap_intervals(0.0, estimates, skew=0.0)}
    assert found["bca"].low == pytest.approx(found["percentile"].low)
    assert found["bca"].high == pytest.approx(found["percentile"].high)


def test_acceleration_is_that_of_the_jackknife():
    columns = sets(35, seed=3)
    gap = columns[:, 0] - columns[:, 1]
    jackknife = np.array([np.delete(gap, i).mean() for i in range(35)])
    d = jackknife.mean() - jackknife
    wanted = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    assert acceleration(d) == pytest.approx(wanted)
    # The jackknife of a mean is the linear form of the mean.
    assert acceleration(gap) == pytest.approx(wanted)
    assert acceleration(np.zeros(4)) == 0.0
    found = set_bootstrap(columns, difference_of_means, replicates=SOME)
    again = bootstrap_intervals(gap.mean(), found.estimates, skew=wanted)
    assert found.interval("bca").low == pytest.approx(again[-1].low)


@pytest.mark.skipif(not COMPILED, reason="many replicates")
def test_the_monte_carlo_error_of_limits_is_what_other_seeds_show():
    columns = sets(80)
    runs = [
        set_bootstrap(columns, difference_of_means, replicates=999, seed=seed) for seed in range(60)
    ]
    for method in ("percentile", "normal"):
        limits = [run.interval(method) for run in runs]
        seen = np.std([x.low for x in limits], ddof=1)
        said = np.mean([x.low_error for x in limits])
        assert 0.6 < said / seen < 1.6


def test_ratios_of_sums():
    sums = np.array([[4.0, 2.0, 9.0, 3.0], [1.0, 0.0, 1.0, 1.0]])
    assert difference_of_ratios(sums)[0] == -1.0
    assert math.isnan(difference_of_ratios(sums)[1])


def test_failed_replicates_are_left_out_of_the_intervals():
    estimates = np.array([1.0, np.nan, 2.0, 3.0, np.nan])
    assert bootstrap_intervals(2.0, estimates) == bootstrap_intervals(
        2.0, np.array([1.0, 2.0, 3.0])
    )
    assert bootstrap_intervals(2.0, np.array([np.nan, 1.0])) == ()


def test_what_cannot_be_done_is_refused():
    columns = sets()
    with pytest.raises(UsageError, match="subsample"):
        set_bootstrap(columns, difference_of_means, replace=False)
    with pytest.raises(UsageError, match="draws from 40 without"):
        drawn_replicates(columns, draws=41, replace=False, stop=1)
    with pytest.raises(UsageError, match="draws from 0"):
        drawn_replicates(np.empty((0, 2)), stop=1)
    with pytest.raises(UsageError, match="multiplier"):
        multiplier_replicates(np.ones((1, 2)), keys(2), multiplier="rademacher", stop=1)
    with pytest.raises(UsageError, match="seed"):
        drawn_replicates(columns, seed=-1, stop=1)
    with pytest.raises(UsageError, match="level"):
        bootstrap_intervals(0.0, np.arange(5.0), level=1.0)
    with pytest.raises(UsageError, match="share"):
        people_to_draw(np.array([True]), np.array([True]), share=1.5)
