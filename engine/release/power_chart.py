"""The chart of a plan: the smallest difference that a cohort of each size can show."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from engine.release import svg

_LOOKS: tuple[dict[str, Any], ...] = (
    {"stroke": svg.DARK_BLUE},
    {"stroke": svg.ORANGE, "stroke_dasharray": "8 4"},
    {"stroke": svg.DARK_PINK, "stroke_dasharray": "2 4"},
)
"""Lines of rising power, told apart by dashes as well as by colour."""


def power_chart(plan: Mapping[str, Any], width: int = svg.WIDE) -> str:
    """Smallest detectable difference by number of people submitted, one line for each power.

    Parameters
    ----------
    plan : mapping
        From :func:`engine.release.power.plan_power`.
    width : int
        Pixels.

    Returns
    -------
    str
        SVG; people on a logarithmic axis.
    """
    way = plan["assumptions"]["direction"]
    lines = _lines(plan, way)
    wanted = plan["wanted"]
    head, top = svg.heading(
        plan["sentence"],
        f"Smallest difference that can be shown ({way} in every 100) by number of people submitted",
        width,
    )
    key, top = svg.chart_key(
        [(_mark(number), f"chance {power * 100:g} in 100") for number, power in enumerate(lines)],
        width,
        top,
    )
    left, right, top, bottom = 48.0, width - 18.0, top + 16, top + 256
    points = [point for line in lines.values() for point in line]
    people = [one for one, _ in points] + [wanted["submitted"]]
    ends = min(people), max(*people, 2 * min(people))
    most = max([abs(wanted["difference"]) * 100, *(size for _, size in points)]) * 1.05
    across = svg.scale(math.log10(ends[0]), math.log10(ends[1]), left, right)
    up = svg.scale(0.0, most, bottom, top)
    parts = _axes(ends, across, up, (left, right, top, bottom), most)
    for number, line in enumerate(lines.values()):
        if len(line) > 1:
            shape = svg.path((across(math.log10(n)), up(size)) for n, size in line)
            parts.append(svg.tag("path", d=shape, fill="none", stroke_width=2.6, **_LOOKS[number]))
    x, y = across(math.log10(wanted["submitted"])), up(abs(wanted["difference"]) * 100)
    parts.append(svg.circle(x, y, 6, fill="#fff", stroke=svg.DARK_BLUE, stroke_width=3))
    words = f"{wanted['submitted']:,} people"
    # Below and to the left of the point, where the falling lines leave room; beside it at the edge.
    starts = x - svg.text_width(words, 13.5, bold=True) < left
    parts.append(
        svg.text(
            x + 4 if starts else x - 4,
            y + 24,
            words,
            size=13.5,
            font_weight=700,
            text_anchor=None if starts else "end",
            **svg.RIM,
        )
    )
    label = svg.text(
        (left + right) / 2,
        bottom + 42,
        "people submitted",
        size=13.5,
        fill=svg.GREY,
        text_anchor="middle",
    )
    return svg.picture(
        "power" + ("-narrow" if width < 500 else ""),
        width,
        bottom + 54,
        plan["sentence"],
        _description(lines, way),
        head,
        key,
        *parts,
        label,
    )


def _lines(plan: Mapping[str, Any], way: str) -> dict[float, list[tuple[float, float]]]:
    """Points (people, difference per 100) of each power, where a difference can be shown."""
    lines: dict[float, list[tuple[float, float]]] = {}
    for row in plan["detectable"]:
        for one in row["differences"]:
            line = lines.setdefault(one["power"], [])
            if one[way] is not None:
                line.append((row["submitted"], one[way] * 100))
    return lines


def _mark(number: int) -> Callable[[float, float], str]:
    return lambda x, y: svg.tag(
        "path", d=svg.path([(x - 7, y), (x + 9, y)]), stroke_width=2.6, **_LOOKS[number]
    )


def _axes(
    ends: tuple[float, float],
    across: Callable[[float], float],
    up: Callable[[float], float],
    frame: tuple[float, float, float, float],
    most: float,
) -> list[str]:
    """Horizontal grid with the differences, and the numbers of people below."""
    left, right, _, bottom = frame
    parts = []
    found = svg.ticks(0.0, most, 6)
    for value in found:
        y = up(value)
        parts.append(svg.tag("line", x1=left, x2=right, y1=y, y2=y, stroke=svg.LINE))
        words = svg.tick_text(value, found[1] - found[0])
        parts.append(svg.text(left - 7, y + 4, words, size=13, fill=svg.GREY, text_anchor="end"))
    edge = -math.inf
    for value in (
        60,
        100,
        150,
        200,
        300,
        400,
        800,
        1600,
        3200,
        6400,
        10000,
        20000,
        50000,
        100000,
        1000000,
    ):
        if not ends[0] <= value <= ends[1]:
            continue
        x = across(math.log10(value))
        half = svg.text_width(f"{value:,}", 13) / 2
        at = min(max(x, half), right + 16 - half)
        if at - half < edge:
            continue
        edge = at + half + 8
        parts.append(svg.tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, stroke=svg.GREY))
        words = f"{value:,}"
        parts.append(svg.text(at, bottom + 21, words, size=13, fill=svg.GREY, text_anchor="middle"))
    return parts


def _description(lines: Mapping[float, list[tuple[float, float]]], way: str) -> str:
    """The chart in words: the ends of each line."""
    parts = []
    for power, line in lines.items():
        if line:
            (few, large), (many, small) = line[0], line[-1]
            parts.append(
                f"With a chance of {power * 100:g} in 100, {few:,} people can show {large:.1f} "
                f"{way} in every 100, and {many:,} people {small:.1f}."
            )
    return " ".join(parts) or "No cohort of the sizes shown can show a difference."
