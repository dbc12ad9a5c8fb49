"""The results of a match as a short table of plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary(results: Mapping[str, Any]) -> str:
    """Return the lines printed after a match: counts, balance, estimates, certificate.

    Parameters
    ----------
    results : mapping
        What results.json holds.

    Returns
    -------
    str
        Lines of at most 100 characters for usual names, each ended by a line feed.
    """
    counts = results["counts"]
    balance = results["balance_summary"]
    design = results["design"]
    lines = [
        *_pairs(
            [
                ("Rows", _whole(counts["rows"])),
                ("Treated", _whole(counts["treated"])),
                ("Comparison pool", _whole(counts["comparison_pool"])),
                (
                    "Matched",
                    (
                        f"{_whole(counts['treated_matched'])} "
                        f"({_whole(counts['treated_unmatched'])} without a match)"
                    ),
                ),
                (
                    "Comparison used",
                    (
                        f"{_whole(counts['comparison_used'])} "
                        f"(effective sample size {_decimal(counts['effective_comparison'], 1)})"
                    ),
                ),
                ("Target", design["estimand_label"]),
                (
                    "Largest SMD",
                    f"{_decimal(balance['largest_smd_before'], 3)} before, "
                    f"{_decimal(balance['largest_smd_after'], 3)} after"
                    + _of(balance["largest_smd_after_name"]),
                ),
                (
                    "Balance",
                    (
                        f"{balance['closely_matched']} closely, "
                        f"{balance['fairly_matched']} fairly, "
                        f"{balance['poorly_matched']} poorly matched"
                    ),
                ),
                (
                    "Certificate",
                    (
                        f"{_whole(results['certificate']['pairs_checked'])} pairs checked, "
                        f"{_whole(results['certificate']['violations'])} violations"
                    ),
                ),
            ]
        )
    ]
    if results["estimates"]:
        lines += ["", *_estimates(results["estimates"])]
    return "".join(f"{line}\n" for line in lines)


def _estimates(estimates: list[Mapping[str, Any]]) -> list[str]:
    """Return a table of the estimates, one line each."""
    rows = [("Outcome", "treated", "comparison", "difference", "95 % interval", "p")]
    rows += [
        (
            _printable(e["outcome"]),
            _decimal(e["treated"], 4),
            _decimal(e["comparison"], 4),
            _decimal(e["difference"], 4),
            f"{_decimal(e['ci_low'], 4)} to {_decimal(e['ci_high'], 4)}",
            _decimal(e["p_value"], 4),
        )
        for e in estimates
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    table = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    methods = sorted({str(e["interval_method"]) for e in estimates})
    return [*table, f"Interval: {', '.join(methods)}"]


def _pairs(pairs: list[tuple[str, str]]) -> list[str]:
    """Return lines of a name and a text, the texts below each other."""
    width = max(len(name) for name, _ in pairs)
    return [f"{name:<{width}}  {text}" for name, text in pairs]


def _of(name: str | None) -> str:
    return f" ({_printable(name)})" if name else ""


def _printable(text: str) -> str:
    """Return the text without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _decimal(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
