"""The panel of a bootstrap: the main interval, named as such, beside those of the replicates."""

from collections.abc import Mapping
from typing import Any

from engine.release import svg
from engine.release.formats import is_number, lookup
from engine.release.report.forest import Row, forest
from engine.release.report.sentences import Sentence, sentence
from engine.release.report.tables import FORMS, UNITS

METHODS = {"percentile": "Percentile", "basic": "Basic", "normal": "Normal", "bca": "BCa"}

_FIRST = "bootstrap.measures.0"
_FIRST_LINE = (
    "The main interval, which this report goes by, follows from how the match was made"
    " ({.measures.0.main.method|text}). As a second opinion the result was worked out"
    " {.resampling.replicates|count} times more,"
)
_HOW = {
    "wild": "each time with more or less weight, by lot, on what each person adds to it",
    "weighted": "each time with every person counted more or less, by lot",
    "subsample": "each time with some of the people only, drawn by lot",
    "set": "each time with sets of matched people drawn by lot",
    "refit": "each time with people drawn by lot, the score worked out anew and a new match",
}
_AGREE = {
    (True, True): "The two agree: by both, the true gap may lie on either side of zero.",
    (True, False): "The two agree: by both, the whole interval lies on one side of zero.",
    (False, True): (
        "The two do not agree: the main interval takes in zero and the other does not. The result"
        " is close to the line, and the main interval decides."
    ),
    (False, False): (
        "The two do not agree: the main interval leaves out zero and the other does not. The result"
        " is close to the line, so read it with care."
    ),
}
"""Sentence by whether the two agree and whether the main interval takes in zero."""

_NOT_VALID = (
    "This way of drawing again is not valid for this kind of match. It is shown for those who"
    " check, and nothing may be read from it."
)


def told(results: Mapping[str, Any]) -> list[Sentence]:
    """Return what the panel says.

    Parameters
    ----------
    results : mapping
        The released results of a study, with its released bootstrap under ``bootstrap``.
    """
    first, resampling = results["bootstrap"]["measures"][0], results["bootstrap"]["resampling"]
    lines = [_FIRST_LINE + f" {_HOW[resampling['kind']]}."]
    if not resampling["valid"]:
        lines.append(_NOT_VALID)
    elif first["agrees"] is not None:
        lines.append(_AGREE[first["agrees"], first["main"]["spans_zero"]])
    lines.append("Both allow for chance alone. Neither can mend a comparison that is not fair.")
    return [sentence(one, "bootstrap") for one in lines]


def rows(results: Mapping[str, Any]) -> list[Row]:
    """Return the rows of the chart: the main interval of the headline measure, then the others."""
    first = lookup(results, _FIRST)
    if first is None or not is_number(first["main"]["ci_low"]):
        return []
    middle = f"{_FIRST}.difference"
    found = [Row("Main interval", f"{_FIRST}.main", middle=middle)]
    for i, one in enumerate(first["intervals"]):
        read = " (read this one)" if _speaks(results, one["method"]) else ""
        label = f"Drawn again: {METHODS[one['method']]}{read}"
        found.append(Row(label, f"{_FIRST}.intervals.{i}", main=False, middle=middle))
    return found


def _speaks(results: Mapping[str, Any], method: str) -> bool:
    """Whether this is the interval of the replicates to be read; none is where they do not hold."""
    resampling, first = lookup(results, "bootstrap.resampling"), lookup(results, _FIRST)
    return bool(resampling["valid"]) and method == first["speaks"]


def chart(results: Mapping[str, Any], sides: tuple[str, str], width: int) -> str:
    """Draw the intervals of the headline measure, one under the other."""
    valid = bool(lookup(results, "bootstrap.resampling.valid"))
    agrees = lookup(results, f"{_FIRST}.agrees") if valid else None
    word = "stand side by side" if agrees is None else "agree" if agrees else "do not agree"
    return forest(
        results,
        rows(results),
        (
            f"The main interval and those from drawing again {word}",
            "Gap in people who reoffended, in every 100, with 95% interval",
        ),
        sides,
        ("main interval", "second opinion" if valid else "not valid for this match"),
        width,
        name="again",
    )


def draw(results: Mapping[str, Any], sides: tuple[str, str]) -> dict[str, str]:
    """Return the chart in its two widths; nothing where there is no bootstrap, or no interval."""
    if not rows(results):
        return {}
    widths = (("", svg.WIDE), ("-narrow", svg.NARROW))
    return {f"again{ending}": chart(results, sides, width) for ending, width in widths}


def panel(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the template chooses by; None where there is no bootstrap.

    Parameters
    ----------
    results : mapping
        The released results of a study, with its released bootstrap under ``bootstrap``.
    """
    held = lookup(results, "bootstrap")
    if held is None:
        return None
    first = held["measures"][0]
    return {
        "told": told(results),
        "methods": [
            (METHODS[one["method"]], _speaks(results, one["method"])) for one in first["intervals"]
        ],
        "measures": [
            (
                f"bootstrap.measures.{i}",
                UNITS.get(one["unit"], ""),
                FORMS.get(one["unit"], "whole"),
                [
                    f"bootstrap.measures.{i}.intervals.{j}" if j < len(one["intervals"]) else ""
                    for j in range(len(first["intervals"]))
                ],
            )
            for i, one in enumerate(held["measures"])
        ],
        "notes": [f"bootstrap.notes.{i}" for i in range(1, len(held["notes"]))],
    }
