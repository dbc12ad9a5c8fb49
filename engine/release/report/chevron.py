"""Attrition: from the people sent in to the people analysed, a step for every loss."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from engine.release import svg
from engine.release.formats import figure, is_number, lookup

_LOST = "#dfe5ea"
_SIZE = 13.5


def chevron(results: Mapping[str, Any], width: int = svg.WIDE) -> str:
    """People left after each step as a bar that narrows like a funnel, the lost beside it.

    Parameters
    ----------
    results : mapping
        The released results of a study.
    width : int
        Pixels; below 500 the words stand above their bars.

    Returns
    -------
    str
        SVG.
    """
    narrow = width < 500
    stages = lookup(results, "attrition.stages") or []
    submitted = lookup(results, "attrition.submitted")
    whole = float(submitted) if is_number(submitted) and submitted > 0 else 1.0
    shown = figure(results, "attrition.analysed", "count")
    title = f"{shown} of {figure(results, 'attrition.submitted', 'count')} people could be analysed"
    head, top = svg.heading(title, "People left after each step, and how many were lost", width)
    left = 0.0 if narrow else 262.0
    room = width - left - 1.0
    rows: list[tuple[str, str, int | None]] = [("Sent in", "attrition.submitted", None)]
    rows += [
        (str(one.get("label", "")), f"attrition.stages.{i}.remaining", i)
        for i, one in enumerate(stages)
    ]
    parts, told, before = [head], [], whole
    y = top + 10
    bar = 34.0
    for label, key, stage in rows:
        value = lookup(results, key)
        value = float(value) if is_number(value) else before
        lines = svg.wrap(label, (width if narrow else left) - 14, _SIZE)
        if narrow:
            for line in lines:
                y += 17
                parts.append(svg.text(0, y - 3, line, size=_SIZE))
            y += 3
        else:
            first = y + bar / 2 + 4.5 - 8.5 * (len(lines) - 1)
            parts += [
                svg.text(
                    0, first + 17 * i, line, size=_SIZE, font_weight=600 if stage is None else None
                )
                for i, line in enumerate(lines)
            ]
        was, now = left + room * before / whole, left + room * value / whole
        parts.append(_band(left, now, y, bar, svg.DARK_BLUE))
        if now < was:
            parts.append(_slice(now, was, y, bar))
        figure_of = figure(results, key, "count")
        need = svg.text_width(figure_of, 16, bold=True)
        inside = now - left > need + 26
        parts.append(
            svg.text(
                left + 12 if inside else now + 10,
                y + bar / 2 + 5.5,
                figure_of,
                size=16,
                font_weight=700,
                data_key=key,
                data_format="count",
                **({"fill": "#fff"} if inside else svg.RIM),
            )
        )
        if stage is None:
            told.append(f"{figure_of} people were sent in")
        else:
            base = f"attrition.stages.{stage}"
            taken = left + 12 + need if inside else now + 10 + need
            places = (taken, now, was, float(width))
            parts.append(_lost(results, base, places, y + bar / 2 + 5))
            told.append(
                f"{label}: {figure(results, f'{base}.lost', 'count')} lost"
                f" ({figure(results, f'{base}.lost_text', 'text')}), {figure_of} left"
            )
        before = value
        y += bar + (9 if narrow else 7)
    return svg.picture(
        "attrition" + ("-narrow" if narrow else ""),
        width,
        y + 2,
        title,
        ". ".join(told) + ".",
        *parts,
    )


def _band(left: float, right: float, y: float, high: float, colour: str) -> str:
    """A bar whose right end points onward."""
    tip = min(9.0, max(right - left, 1.0))
    points = [
        (left, y),
        (max(right - tip, left), y),
        (right, y + high / 2),
        (max(right - tip, left), y + high),
        (left, y + high),
    ]
    return svg.tag("path", d=svg.path(points) + "Z", fill=colour)


def _slice(now: float, was: float, y: float, high: float) -> str:
    """What was lost at a step: the rest of the bar before, in a light colour."""
    tip = 9.0
    points = [
        (now - tip, y),
        (was - tip, y),
        (was, y + high / 2),
        (was - tip, y + high),
        (now - tip, y + high),
        (now, y + high / 2),
    ]
    return svg.tag("path", d=svg.path(points) + "Z", fill=_LOST, stroke="#8a949c")


def _lost(
    results: Mapping[str, Any], base: str, places: tuple[float, float, float, float], y: float
) -> str:
    """How many were lost: in the bar, in the slice that was lost, or beside it, as there is room.

    ``places`` are the end of the number in the row, of the bar, of the slice, and of the chart.
    """
    count = figure(results, f"{base}.lost", "count")
    share = figure(results, f"{base}.lost_text", "text")
    words = (
        f"\u2212{svg.tag('tspan', escape(count), data_key=f'{base}.lost', data_format='count')} ("
        f"{svg.tag('tspan', escape(share), data_key=f'{base}.lost_text', data_format='text')})"
    )
    need = svg.text_width(f"-{count} ({share})", _SIZE)
    taken, now, was, end = places
    look: dict[str, Any]
    if now - 16 - need > taken + 8:
        look = {"x": now - 16, "text_anchor": "end", "fill": "#fff"}
    elif was - 14 - need > max(taken, now) + 8:
        look = {"x": max(taken, now) + 10}
    elif max(was, taken) + 8 + need < end:
        look = {"x": max(was, taken) + 8, **svg.RIM}
    else:
        look = {"x": end - 2, "text_anchor": "end", **svg.RIM}
    return svg.tag("text", words, y=y, font_size=_SIZE, **look)
