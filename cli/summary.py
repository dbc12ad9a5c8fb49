"""The results of a match as a short table of plain text."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from engine.release.formats import lookup
from engine.release.words import main_caution

WIDTH = 80
"""Columns of the narrowest terminal in common use."""

_SMALLEST_P = 0.0001


def summary(results: Mapping[str, Any]) -> str:
    """Return the lines printed after a match: counts, balance, certificate, estimates.

    Parameters
    ----------
    results : mapping
        What results.json holds.

    Returns
    -------
    str
        Lines of at most 80 characters unless a single name is longer, each ended by a line feed.
        The estimates end with how their intervals were made and the one caution not to be missed.
    """
    counts = results["counts"]
    balance = results["balance_summary"]
    certificate = results["certificate"]
    own, other = ("comparison", "treated")
    if counts.get("focal", "treated") == "treated":
        own, other = other, own
    pool = counts["treated" if own == "treated" else "comparison_pool"]
    lines = _pairs(
        [
            ("Rows", _whole(counts["rows"])),
            ("Treated", _whole(counts["treated"])),
            ("Comparison pool", _whole(counts["comparison_pool"])),
            (
                "Matched",
                (
                    f"{_whole(counts['treated_matched'])} of {_whole(pool)} {own} "
                    f"({_whole(counts['treated_unmatched'])} without a match)"
                ),
            ),
            (
                f"{other.capitalize()} used",
                (
                    f"{_whole(counts['comparison_used'])} "
                    f"(effective sample size {_decimal(counts['effective_comparison'], 1)})"
                ),
            ),
            ("Target", results["design"]["estimand_label"]),
            (
                "Largest SMD",
                f"{_decimal(balance['largest_smd_before'], 3)} before, "
                f"{_decimal(balance['largest_smd_after'], 3)} after"
                + _of(balance["largest_smd_after_name"]),
            ),
            (
                "Balance",
                (
                    f"{_whole(balance['closely_matched'])} closely, "
                    f"{_whole(balance['fairly_matched'])} fairly, "
                    f"{_whole(balance['poorly_matched'])} poorly matched"
                ),
            ),
            (
                "Certificate",
                (
                    f"{_whole(certificate['pairs_checked'])} pairs checked, "
                    f"{_whole(certificate['violations'])} violations"
                ),
            ),
        ]
    )
    if results["estimates"]:
        lines += ["", *_estimates(results["estimates"])]
        caution = main_caution(results)
        if caution is not None:
            lines += _caution(results, caution)
    return "".join(f"{line}\n" for line in lines)


def message(text: str, stream: TextIO) -> str:
    """Return a message wrapped for a terminal; for a file or a pipe as one line.

    Parameters
    ----------
    text : str
        One paragraph.
    stream : file object
        Where it will be printed.

    Returns
    -------
    str
        The text without control characters and without a line feed at its end.
    """
    plain = _printable(text)
    if not stream.isatty():
        return plain
    return textwrap.fill(plain, shutil.get_terminal_size().columns, break_long_words=False)


def _estimates(estimates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table of the estimates; where the names leave no room, they stand above."""
    names = ["Outcome", *(_printable(e["outcome"]) for e in estimates)]
    rows = [("treated", "comparison", "difference", "95% interval", "p")]
    rows += [
        (
            _decimal(e["treated"], 4),
            _decimal(e["comparison"], 4),
            _decimal(e["difference"], 4),
            f"{_decimal(e['ci_low'], 4)} to {_decimal(e['ci_high'], 4)}",
            _p_value(e["p_value"]),
        )
        for e in estimates
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    figures = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    longest = max(map(len, names))
    if longest + 2 + len(figures[0]) <= WIDTH:
        table = [f"{name:<{longest}}  {row}" for name, row in zip(names, figures, strict=True)]
    else:
        table = [
            line for pair in zip(names, figures, strict=True) for line in (pair[0], f"  {pair[1]}")
        ]
    methods = sorted({str(e["interval_method"]) for e in estimates})
    return [*table, *_wrapped(f"Interval: {', '.join(methods)}")]


def _caution(results: Mapping[str, Any], key: str) -> list[str]:
    """Return a caution, with its outcome where there are several."""
    part, number, _ = key.split(".", 2)
    several = part == "estimates" and len(results[part]) > 1
    about = f" on {_printable(results[part][int(number)]['outcome'])}" if several else ""
    return _wrapped(f"Caution{about}: {_printable(str(lookup(results, key)))}")


def _wrapped(text: str) -> list[str]:
    """Return the lines of a sentence, the later ones set in."""
    return textwrap.wrap(
        text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return lines of a name and a text, the texts below each other."""
    width = max(len(name) for name, _ in pairs)
    return [
        line
        for name, text in pairs
        for line in textwrap.wrap(
            f"{name:<{width}}  {text}",
            WIDTH,
            subsequent_indent=" " * (width + 2),
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        )
    ]


def _of(name: str | None) -> str:
    return f" ({_printable(name)})" if name else ""


def _printable(text: str) -> str:
    """Return the text without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _decimal(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _p_value(value: float | None) -> str:
    return "<0.0001" if value is not None and value < _SMALLEST_P else _decimal(value, 4)
