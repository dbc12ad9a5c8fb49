"""The charts of a match: love plot, overlap of the scores, interval of an estimate.

Each is a static SVG with a message as its title, a statistical subtitle, a key above, shapes as
well as colours, and a text alternative that tells the message and the numbers in words. Each comes
in two widths, because text that is scaled down to a phone cannot be read.
"""

from collections.abc import Mapping
from typing import Any

from engine.release import svg
from engine.release.formats import figure, lookup, plain_text
from engine.release.love import love_plot
from engine.release.overlap import has_overlap, overlap_plot
from engine.release.words import direction, size_format, table_formats, verdict

__all__ = ["draw", "interval_plot", "love_plot", "overlap_plot"]


def draw(results: Mapping[str, Any]) -> dict[str, str]:
    """All charts of a match in the two widths that a page needs.

    Parameters
    ----------
    results : mapping
        The results as written to results.json.

    Returns
    -------
    dict of str to str
        SVG by name: ``love-plot``, ``overlap-plot``, ``interval-0`` and so on, each also with the
        ending ``-narrow``. Charts that the results hold no figures for are left out.
    """
    charts = {}
    for ending, width in (("", svg.WIDE), ("-narrow", svg.NARROW)):
        if results.get("balance"):
            charts[f"love-plot{ending}"] = love_plot(results, width)
        if has_overlap(results):
            charts[f"overlap-plot{ending}"] = overlap_plot(results, width)
        for number, estimate in enumerate(results.get("estimates") or ()):
            if verdict(estimate) in ("fewer", "more", "inconclusive", "too_few"):
                charts[f"interval-{number}{ending}"] = interval_plot(results, number, width)
    return charts


def interval_plot(results: Mapping[str, Any], number: int, width: int = svg.WIDE) -> str:
    """Interval of one estimate as a bar with its numbers and the line of equal groups.

    Parameters
    ----------
    results : mapping
        The results as written to results.json.
    number : int
        Position in ``estimates``; the estimate has an interval.
    width : int
        Pixels.

    Returns
    -------
    str
        SVG.
    """
    estimate = results["estimates"][number]
    base = f"estimates.{number}"
    form = table_formats(estimate)[1]
    low, high, middle = (
        figure(results, f"{base}.{key}", form) for key in ("ci_low", "ci_high", "difference")
    )
    return interval_picture(
        results,
        base,
        form,
        width,
        name=f"interval-{number}" + ("-narrow" if width < 500 else ""),
        title=_interval_title(results, number),
        description=f"Estimated difference {middle}, interval from {low} to {high}"
        f" ({_unit(estimate)}).",
    )


def interval_picture(
    results: Mapping[str, Any],
    base: str,
    form: str,
    width: float,
    *,
    name: str,
    title: str,
    description: str,
) -> str:
    """Interval as a bar from end to end, its estimate as a ring, and the line of equal groups.

    Parameters
    ----------
    results : mapping
        The results.
    base : str
        Key below which ``difference``, ``ci_low`` and ``ci_high`` stand, all of them numbers.
    form : str
        Format of the three.
    width : float
        Pixels.
    name, title, description : str
        Unique name of the chart, and its text alternative.

    Returns
    -------
    str
        SVG; each number carries its key and format.
    """
    low, high, middle = (
        figure(results, f"{base}.{key}", form) for key in ("ci_low", "ci_high", "difference")
    )
    ends = [float(lookup(results, f"{base}.{key}")) for key in ("ci_low", "ci_high", "difference")]
    span = max(*ends, 0.0) - min(*ends, 0.0) or 1.0
    margin = max(svg.text_width(words, 14) for words in (low, high)) + 22
    place = svg.scale(
        min(*ends, 0.0) - 0.02 * span, max(*ends, 0.0) + 0.02 * span, margin, width - margin
    )
    y, zero = 40.0, place(0.0)
    left, right = place(ends[0]), place(ends[1])
    # Labels stand beneath their ends, or lean outwards where they would touch each other.
    apart = right - left > margin
    parts = [
        svg.tag(
            "line",
            x1=zero,
            x2=zero,
            y1=14,
            y2=72,
            stroke=svg.INK,
            stroke_width=1.4,
            stroke_dasharray="5 4",
        ),
        svg.tag(
            "rect",
            x=left,
            y=y - 6,
            width=max(right - left, 1.0),
            height=12,
            rx=6,
            fill=svg.DARK_BLUE,
        ),
        svg.circle(place(ends[2]), y, 7, fill="#fff", stroke=svg.DARK_BLUE, stroke_width=3.5),
    ]
    for x, words, key, anchor in (
        (left, low, "ci_low", "middle" if apart else "end"),
        (right, high, "ci_high", "middle" if apart else "start"),
        (place(ends[2]), middle, "difference", "middle"),
    ):
        parts.append(
            svg.text(
                x,
                y - 15 if key == "difference" else y + 25,
                words,
                size=14,
                font_weight=700 if key == "difference" else None,
                text_anchor=anchor,
                data_key=f"{base}.{key}",
                data_format=form,
                **svg.RIM,
            )
        )
    words = "same in both groups"
    half = svg.text_width(words, 13) / 2
    at = min(max(zero, half + 4), width - half - 4)
    parts.append(svg.text(at, 88, words, size=13, fill=svg.GREY, text_anchor="middle"))
    return svg.picture(name, width, 96, title, description, *parts)


def _unit(estimate: Mapping[str, Any]) -> str:
    kind = estimate.get("type")
    if kind == "binary":
        return "percentage points, that is people in every hundred"
    return "days" if kind == "time" else "average per person"


def _interval_title(results: Mapping[str, Any], number: int) -> str:
    """Message of an interval, by the same rule as the headline."""
    estimate = results["estimates"][number]
    name = plain_text(estimate.get("outcome", ""))
    what = verdict(estimate)
    size = figure(results, f"estimates.{number}.difference", size_format(estimate))
    if what == "inconclusive":
        return f"{name}: the numbers cannot tell yet"
    if what == "too_few":
        return f"{name}: too few events for a verdict"
    return f"{name}: {direction(estimate)} among treated people, by {size}"
