"""Balance against the summary of R's MatchIt: differences, ratios, distributions, sample sizes."""

import math

import pytest

from engine.matching.balance import Sample, assess_balance, deviations, effective_size
from tests.engine.matching.oracle_support import (
    UNCOMPILED,
    matched_weights,
    off,
    pair_as,
    problem_of,
    results,
    table_of,
)

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(UNCOMPILED, reason="thousands of rows: only with the compiler"),
]

MATCHES = {design["name"]: design for design in results("results/matchit.json")["matches"]}
BALANCES = results("results/balance.json")["balances"]
NOT_SHOWN = {"id", "treat", "person", "anyone", "area"}
WITHIN = 1e-10


def matched_sample(name):
    """Design and matched sample of a stored match, by the engine's own matching."""
    table = table_of(MATCHES[name]["table"])
    problem = problem_of(table, MATCHES[name])
    weight = matched_weights(problem, pair_as(table, problem, MATCHES[name]))
    shown = [column for column in table.source.columns if column not in NOT_SHOWN]
    return table.design(shown, []), Sample.of(table.arm("treat"), weight)


def other_levels(design):
    """First levels of categories of two, which balance shows by the second level alone."""
    return {
        f"{covariate.name}={covariate.levels[0]}": f"{covariate.name}={covariate.levels[1]}"
        for covariate in design.covariates
        if len(covariate.levels) == 2
    }


def test_every_stored_balance_is_tested():
    assert len({stored["name"] for stored in BALANCES}) == len(BALANCES) == 23
    assert {stored["denominator"] for stored in BALANCES} == {"treated", "comparison"}


@pytest.mark.parametrize("stored", BALANCES, ids=lambda stored: stored["name"])
def test_balance_is_that_of_matchit(stored):
    design, sample = matched_sample(stored["name"])
    assert len(sample.rows[0]) == stored["matched_comparison"]
    assert len(sample.rows[1]) == stored["matched_treated"]
    assert off(effective_size(sample.weights[0]), stored["effective_comparison"]) <= WITHIN
    assert off(effective_size(sample.weights[1]), stored["effective_treated"]) <= WITHIN
    found = {
        row.name: row for row in assess_balance(design, sample, denominator=stored["denominator"])
    }
    twins = other_levels(design)
    assert set(found) == {row["name"] for row in stored["rows"]} - set(twins)
    for row in stored["rows"]:
        name, first = row["name"], row["name"] in twins
        ours = found[twins[name] if first else name]
        before = (
            ours.mean_treated, ours.mean_comparison_before,
            ours.smd_before, ours.variance_ratio_before, ours.ks_before,
        )  # fmt: skip
        after = (
            ours.mean_treated_matched, ours.mean_comparison_after,
            ours.smd_after, ours.variance_ratio_after, ours.ks_after,
        )  # fmt: skip
        for figures, theirs in ((before, row["before"]), (after, row["after"])):
            treated, comparison, smd, ratio, ks = figures
            if first:
                treated, comparison, smd = 1.0 - treated, 1.0 - comparison, -smd
            assert off(treated, theirs["mean_treated"], 1.0) <= WITHIN, name
            assert off(comparison, theirs["mean_comparison"], 1.0) <= WITHIN, name
            assert abs(smd - theirs["smd"]) <= WITHIN, name
            assert abs(ks - theirs["ks"]) <= WITHIN, name
            if theirs["variance_ratio"] is None:
                assert math.isnan(ratio), name
            else:
                assert off(ratio, theirs["variance_ratio"]) <= WITHIN, name


@pytest.mark.parametrize("name", ["nhefs_rep3_cal", "recid_atc_rep2", "jtrain3_rep2_cal"])
def test_every_denominator_is_the_one_it_is_named_for(name):
    stored = next(balance for balance in BALANCES if balance["name"] == name)
    design, sample = matched_sample(name)
    for denominator in ("treated", "comparison", "pooled"):
        found = deviations(design, sample, denominator)
        rows = {row.name: row for row in assess_balance(design, sample, denominator=denominator)}
        for row in stored["rows"]:
            if row["binary"]:
                continue
            variances = {
                "treated": row["sd_treated"] ** 2,
                "comparison": row["sd_comparison"] ** 2,
                "pooled": (row["sd_treated"] ** 2 + row["sd_comparison"] ** 2) / 2.0,
            }
            expected = math.sqrt(variances[denominator])
            assert off(found[row["name"]], expected) <= WITHIN, row["name"]
            for when, smd in (
                ("before", rows[row["name"]].smd_before),
                ("after", rows[row["name"]].smd_after),
            ):
                gap = row[when]["mean_treated"] - row[when]["mean_comparison"]
                assert abs(smd - gap / expected) <= WITHIN, row["name"]
