"""The gate: each rule at its limit, and what has no size."""

from dataclasses import replace

import pytest

from engine.matching.balance import BalanceRow, merge_rare_levels
from engine.matching.gate import judge_match, settled_smd

NAN = float("nan")
ROW = BalanceRow("age", "numeric", 0, 1.0, 0, 1.01, 0.5, 0.1, NAN, NAN, NAN, NAN)
LIMITS = {"matched_treated": 30, "matched_share": 0.7, "largest_smd": 0.1}


def failed(gate):
    return [rule.code for rule in gate.rules if not rule.passed]


def test_a_match_on_every_limit_passes():
    gate = judge_match(43, 31, [ROW], **LIMITS)

    assert gate.passed
    assert failed(gate) == []
    assert judge_match(40, 30, [ROW], **LIMITS).passed
    assert judge_match(100, 70, [ROW], **LIMITS).passed


@pytest.mark.parametrize(
    ("treated", "matched", "smd", "codes"),
    [
        (29, 29, 0.1, ["matched_treated"]),
        (100, 69, 0.1, ["matched_share"]),
        (100, 90, 0.1001, ["largest_smd"]),
        (100, 90, -0.1001, ["largest_smd"]),
        (100, 20, 0.5, ["matched_treated", "matched_share", "largest_smd"]),
        (0, 0, 0.0, ["matched_treated", "matched_share"]),
    ],
)
def test_a_match_beyond_a_limit_fails_by_that_rule(treated, matched, smd, codes):
    gate = judge_match(treated, matched, [replace(ROW, smd_after=smd)], **LIMITS)

    assert not gate.passed
    assert failed(gate) == codes


def test_the_worst_covariate_is_named():
    rows = [ROW, replace(ROW, name="sex=F", kind="level", smd_after=-0.4)]
    rule = judge_match(100, 90, rows, **LIMITS).rules[2]

    assert (rule.name, rule.value) == ("sex=F", 0.4)


def test_named_covariates_alone_are_looked_at():
    rows = [
        replace(ROW, smd_after=0.3),
        replace(ROW, name="sex=F", kind="level", smd_after=0.08),
        replace(ROW, name="copas_rate missing", smd_after=0.2),
    ]

    assert judge_match(100, 90, rows, **LIMITS, covariates=["sex"]).passed
    rule = judge_match(100, 90, rows, **LIMITS, covariates=["sex", "copas_rate"]).rules[2]
    assert (rule.name, rule.value) == ("copas_rate missing", 0.2)
    assert judge_match(100, 90, rows, **LIMITS).rules[2].name == "age"


def shares(name, treated, comparison):
    return replace(
        ROW, name=name, kind="level", mean_treated=treated, mean_treated_matched=treated,
        mean_comparison_before=comparison, mean_comparison_after=comparison,
    )  # fmt: skip


def test_rare_levels_are_judged_together():
    """One person of fifty in a level of one in a hundred is no imbalance."""
    rows = [
        ROW,
        shares("group=a", 0.90, 0.925),
        shares("group=b", 0.06, 0.05),
        shares("group=c", 0.04, 0.025),
        shares("sex=F", 0.10, 0.05),
    ]
    merged = merge_rare_levels(rows, 50, denominator="pooled")

    assert [row.name for row in merged] == ["age", "group=a", "group=(other)", "sex=F"]
    other = merged[2]
    assert (other.mean_treated_matched, other.mean_comparison_after) == pytest.approx((0.1, 0.075))
    assert other.smd_after == pytest.approx(0.025 / ((0.09 + 0.075 * 0.925) / 2) ** 0.5)
    assert merge_rare_levels(rows, 500, denominator="pooled") == tuple(rows)
    many = [shares(f"group={i}", 0.1, 0.1) for i in range(10)]  # they add up to 1, nearly
    assert settled_smd(merge_rare_levels(many, 50, denominator="pooled")[0]) == 0.0


def test_squares_and_interactions_do_not_count():
    rows = [ROW, replace(ROW, name="age^2", kind="square", smd_after=3.0)]

    assert judge_match(100, 90, rows, **LIMITS).passed


def test_a_difference_without_a_size_fails_unless_it_is_rounding():
    constant = replace(ROW, smd_after=NAN)
    rounded = replace(constant, mean_comparison_after=1.0 - 1e-12)

    assert settled_smd(constant) == float("inf")
    assert settled_smd(rounded) == 0.0
    assert failed(judge_match(100, 90, [constant], **LIMITS)) == ["largest_smd"]
    assert judge_match(100, 90, [rounded], **LIMITS).passed
