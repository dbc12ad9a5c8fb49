"""Attrition: from the people sent in to the people analysed, a step for every loss."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from engine.release import svg
from engine.release.formats import figure, is_number, lookup

_LOST = "#dfe5ea"
_SIZE = 13.5
_BAR = 34.0


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
    for label, key, stage in rows:
        value = lookup(results, key)
        now = float(value) if is_number(value) else before
        lines = svg.wrap(label, (width if narrow else left) - 14, _SIZE)
        look = {"font_weight": 600 if stage is None else None}
        if narrow:
            first = y + 14.0
            y += 17 * len(lines) + 3
            tall = _BAR
        else:
            tall = max(_BAR, 17.0 * len(lines))
            first = y + tall / 2 + 4.5 - 8.5 * (len(lines) - 1)
        parts += [
            svg.text(0, first + 17 * i, line, size=_SIZE, **look) for i, line in enumerate(lines)
        ]
        ends = (left, left + room * now / whole, left + room * before / whole, float(width))
        parts.append(_row(results, key, stage, ends, y + (tall - _BAR) / 2))
        told.append(_told(results, label, key, stage))
        before = now
        y += tall + (9 if narrow else 7)
    return svg.picture(
        "attrition" + ("-narrow" if narrow else ""),
        width,
        y + 2,
        title,
        ". ".join(told) + ".",
        *parts,
    )


def _told(results: Mapping[str, Any], label: str, key: str, stage: int | None) -> str:
    """One step in words."""
    left = figure(results, key, "count")
    if stage is None:
        return f"{left} people were sent in"
    base = f"attrition.stages.{stage}"
    if lookup(results, f"{base}.lost") is None:
        return (
            f"{label}: number lost {figure(results, f'{base}.withheld', 'withheld')}, {left} left"
        )
    lost = figure(results, f"{base}.lost", "count")
    return f"{label}: {lost} lost ({figure(results, f'{base}.lost_text', 'text')}), {left} left"


def _row(
    results: Mapping[str, Any],
    key: str,
    stage: int | None,
    ends: tuple[float, float, float, float],
    y: float,
) -> str:
    """Bar of one step with its numbers; ``ends``: its start, its end, the end before, the edge."""
    left, now, was, edge = ends
    shown = figure(results, key, "count")
    need = svg.text_width(shown, 16, bold=True)
    inside = now - left > need + 26
    start = left + 12 if inside else now + 10
    parts = [
        _band(left, now, y, _BAR, svg.DARK_BLUE),
        _slice(now, was, y, _BAR) if now < was else "",
        svg.text(
            start,
            y + _BAR / 2 + 5.5,
            shown,
            size=16,
            font_weight=700,
            data_key=key,
            data_format="count",
            **({"fill": "#fff"} if inside else svg.RIM),
        ),
    ]
    if stage is not None:
        base = f"attrition.stages.{stage}"
        parts.append(_lost(results, base, (start + need, now, was, edge), y + _BAR / 2 + 5))
    return "".join(parts)


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
    if lookup(results, f"{base}.lost") is None:
        fields = [("withheld", "withheld")]
    else:
        fields = [("lost", "count"), ("lost_text", "text")]
    shown = [figure(results, f"{base}.{name}", form) for name, form in fields]
    marks = [
        svg.tag("tspan", escape(text), data_key=f"{base}.{name}", data_format=form)
        for (name, form), text in zip(fields, shown, strict=True)
    ]
    sign = "\u2212" if lookup(results, f"{base}.lost") else ""
    words = marks[0] if len(marks) == 1 else f"{sign}{marks[0]} ({marks[1]})"
    need = svg.text_width(" ".join(shown), _SIZE) + 18
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
