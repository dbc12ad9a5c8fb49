"""Rules that choose words: what an interval says, how a design is called, what to warn of.

The sentences themselves stand in the templates. Here is decided which of them is true.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from engine.release.formats import is_number, lookup

Verdict = Literal["fewer", "more", "inconclusive", "too_few", "no_interval", "none"]

CLOSE = 0.05
FAIR = 0.10
"""Limits of the absolute standardised mean difference for 'closely' and 'fairly' matched."""


def verdict(estimate: Mapping[str, Any]) -> Verdict:
    """What an estimate and its interval allow to be said.

    Parameters
    ----------
    estimate : mapping
        One entry of ``estimates``.

    Returns
    -------
    str
        ``fewer`` or ``more`` where the whole interval lies on one side of zero; ``inconclusive``
        where it touches or spans zero; ``too_few`` where the publication rule lets nothing be
        called clear, wherever the interval lies; ``no_interval`` where there is none; ``none``
        where there is no estimate at all.
    """
    if not is_number(estimate.get("difference")):
        return "none"
    low, high = estimate.get("ci_low"), estimate.get("ci_high")
    if not (is_number(low) and is_number(high)):
        return "no_interval"
    if not (estimate.get("publishable", True) and estimate.get("enough_events", True)):
        return "too_few"
    if high < 0:
        return "fewer"
    if low > 0:
        return "more"
    return "inconclusive"


def main_caution(results: Mapping[str, Any]) -> str | None:
    """Key of the one sentence that a reader of the estimates must not miss.

    Parameters
    ----------
    results : mapping
        The results as written to results.json.

    Returns
    -------
    str or None
        An estimate that the publication rule holds back comes first, then a placebo outcome that
        raises an alarm, then any other caution of an estimate. Warnings on the match itself stand
        by themselves wherever estimates are shown.
    """
    estimates = results.get("estimates") or []
    held = [
        f"estimates.{number}.cautions.0"
        for number, one in enumerate(estimates)
        if verdict(one) in ("too_few", "no_interval")
    ]
    alarms = [
        f"placebos.{number}.sentence"
        for number, one in enumerate(results.get("placebos") or ())
        if one.get("alarm")
    ]
    others = [f"estimates.{number}.cautions.0" for number in range(len(estimates))]
    return next((k for k in (*held, *alarms, *others) if lookup(results, k) is not None), None)


def limit_words(estimate: Mapping[str, Any]) -> tuple[str, str]:
    """Words for the sides of zero on which the two limits of an interval lie."""
    less, more = {"binary": ("fewer", "more"), "time": ("days sooner", "days later")}.get(
        str(estimate.get("type")), ("lower", "higher")
    )
    low, high = (
        more if is_number(value) and value > 0 else less
        for value in (estimate.get("ci_low"), estimate.get("ci_high"))
    )
    return low, high


def direction(estimate: Mapping[str, Any]) -> str:
    """Word for where a clear difference points, empty where it does not point."""
    fewer, more = {"binary": ("fewer", "more"), "time": ("sooner", "later")}.get(
        str(estimate.get("type")), ("lower on average", "higher on average")
    )
    return {"fewer": fewer, "more": more}.get(verdict(estimate), "")


def closeness(smd: object) -> Literal["closely", "fairly", "poorly"]:
    """Word for a standardised mean difference after matching.

    Parameters
    ----------
    smd : float or None
        ``None`` where the means differ and the standard deviation is 0, which is poor.

    Returns
    -------
    str
        The same rule as the counts of ``balance_summary``.
    """
    if not is_number(smd):
        return "poorly"
    size = abs(smd)
    return "closely" if size <= CLOSE else "fairly" if size <= FAIR else "poorly"


def _decimals(estimate: Mapping[str, Any]) -> int | None:
    """Decimals for the means of a count, one number for both so that they line up.

    ``None`` where both are so small that only significant digits tell them apart.
    """
    means = [estimate.get(arm) for arm in ("treated", "comparison")]
    size = max((abs(one) for one in means if is_number(one)), default=0.0)
    if size < 0.01:
        return None
    digits = 0 if size >= 10_000 else 1 if size >= 100 else 2 if size >= 1 else 3
    first, second = means
    if is_number(first) and is_number(second) and first != second:
        digits += f"{first:.{digits}f}" == f"{second:.{digits}f}"
    return digits


def value_format(estimate: Mapping[str, Any]) -> str:
    """Format for the two values of an estimate; finer where rounding would make them equal."""
    kind = estimate.get("type")
    if kind == "time":
        return "days"
    if kind != "binary":
        digits = _decimals(estimate)
        return "mean" if digits is None else f"fixed_{digits}"
    treated, comparison = estimate.get("treated"), estimate.get("comparison")
    if is_number(treated) and is_number(comparison):
        same = f"{treated * 100:.0f}" == f"{comparison * 100:.0f}"
        return "per_100_fine" if same and treated != comparison else "per_100"
    return "per_100"


def size_format(estimate: Mapping[str, Any]) -> str:
    """Format for the size of a difference, its direction said in words."""
    kind = str(estimate.get("type"))
    if kind in ("time", "binary"):
        return "days_size" if kind == "time" else "per_100_size"
    return f"{table_formats(estimate)[1]}_size"


def table_formats(estimate: Mapping[str, Any]) -> tuple[str, str]:
    """Formats for values and differences of an estimate in a table."""
    kind = estimate.get("type")
    if kind == "binary":
        return "percent", "points"
    if kind == "time":
        return "days_fine", "days_fine"
    digits = _decimals(estimate)
    # A difference gets one decimal more than the means it is the difference of.
    return (
        ("mean", "mean") if digits is None else (f"fixed_{digits}", f"fixed_{min(digits + 1, 4)}")
    )


def focal(results: Mapping[str, Any]) -> str:
    """Arm whose people the match is for: ``treated``, for the ATC ``comparison``."""
    counts = results.get("counts") or {}
    if counts.get("focal"):
        return str(counts["focal"])
    return "comparison" if (results.get("design") or {}).get("estimand") == "atc" else "treated"


def order_by_size(entries: Sequence[Mapping[str, Any]], *keys: str) -> list[int]:
    """Positions of entries, largest absolute figure first, undefined last, ties as they stand."""

    def rank(position: int) -> list[float]:
        figures = [entries[position].get(key) for key in keys]
        return [-abs(one) if is_number(one) else 1.0 for one in figures]

    return sorted(range(len(entries)), key=rank)
