"""The gate: whether a match is good enough for its outcomes to be opened."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.matching.balance import BalanceRow
from engine.matching.store_columns import column_of

GateCode = Literal["matched_treated", "matched_share", "largest_smd"]


_ROUNDING = 1e-9
"""Means that differ by less than this are equal but for rounding."""


def settled_smd(row: BalanceRow) -> float:
    """Return the standardised mean difference after matching, inf where it has no size.

    Where the treated do not vary a difference has no size; one within rounding is none.
    """
    if abs(row.mean_treated_matched - row.mean_comparison_after) < _ROUNDING:
        return 0.0
    return row.smd_after if row.smd_after == row.smd_after else float("inf")


@dataclass(frozen=True)
class GateRule:
    """One rule of the gate.

    Attributes
    ----------
    code : GateCode
    limit, value : float
    passed : bool
    name : str or None
        The covariate that the value belongs to.
    """

    code: GateCode
    limit: float
    value: float
    passed: bool
    name: str | None = None


@dataclass(frozen=True)
class Gate:
    """Verdict of the gate and the rules behind it."""

    passed: bool
    rules: tuple[GateRule, ...]


def judge_match(
    treated: int,
    matched: int,
    balance: Sequence[BalanceRow],
    *,
    matched_treated: int,
    matched_share: float,
    largest_smd: float,
    covariates: Collection[str] = (),
) -> Gate:
    """Judge a match by size, share and balance alone; no outcome is known here.

    Parameters
    ----------
    treated, matched : int
        Treated people who could be matched, and those who were.
    balance : sequence of BalanceRow
        Squares and interactions are not looked at.
    matched_treated : int
        Fewest matched treated people.
    matched_share : float
        Smallest share of the treated who are matched.
    largest_smd : float
        Largest absolute standardised mean difference of any covariate.
    covariates : collection of str
        Covariates that are looked at, all of them where none is named.

    Returns
    -------
    Gate

    Notes
    -----
    A covariate on which the means differ though the treated do not vary has no standardised
    difference; the gate takes it for one that is too large.
    """
    worst, name = 0.0, None
    for row in balance:
        size = abs(settled_smd(row))
        if row.kind not in {"numeric", "level"}:
            continue
        if covariates and column_of(row.name) not in covariates:
            continue
        if size > worst:
            worst, name = size, row.name
    share = matched / treated if treated else 0.0
    rules = (
        GateRule("matched_treated", matched_treated, matched, matched >= matched_treated),
        GateRule("matched_share", matched_share, share, share >= matched_share),
        GateRule("largest_smd", largest_smd, worst, worst <= largest_smd, name),
    )
    return Gate(all(rule.passed for rule in rules), rules)
