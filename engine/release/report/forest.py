"""Several results below each other: a row each, its interval, and the line of equal groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.release import svg
from engine.release.formats import figure, is_number, lookup

_SIZE = 13.5


@dataclass(frozen=True)
class Row:
    """One row of a forest plot.

    Attributes
    ----------
    label : str
    base : str
        Key below which ``difference``, ``ci_low`` and ``ci_high`` stand.
    main : bool
        Whether the mark is filled: the main result, or one declared in advance.
    instead : str
        Words in place of an interval that is not there.
    """

    label: str
    base: str
    main: bool = True
    instead: str = ""


def forest(
    results: Mapping[str, Any],
    rows: Sequence[Row],
    words: tuple[str, str],
    ends: tuple[str, str],
    key: tuple[str, str] | None,
    width: int = svg.WIDE,
    *,
    name: str,
) -> str:
    """Estimates with intervals, one under the other.

    Parameters
    ----------
    results : mapping
        The results that the keys of the rows stand in.
    rows : sequence of Row
    words : (str, str)
        Message and subtitle.
    ends : (str, str)
        Words for the left and the right side of zero.
    key : (str, str) or None
        Words for filled and for open marks.
    width : int
        Pixels; below 500 the labels stand above their rows.
    name : str
        Unique name of the chart.

    Returns
    -------
    str
        SVG.
    """
    narrow = width < 500
    head, top = svg.heading(*words, width)
    parts = [head]
    if key is not None:
        marks = [(_filled, key[0]), (_open, key[1])]
        drawn, top = svg.chart_key(marks, width, top)
        parts.append(drawn)
    label = 0.0 if narrow else min(max(_longest(rows) + 14, 120), 225)
    right = 0.0 if narrow else 104.0
    left, end = label + 12, width - right - 12
    found = [_ends(results, row) for row in rows]
    known = [three for three in found if three is not None]
    low = min([-1.0, *(three[0] for three in known)])
    high = max([1.0, *(three[1] for three in known)])
    margin = 0.04 * (high - low)
    place = svg.scale(low - margin, high + margin, left, end)
    top += 26
    height = 52.0 if narrow else 36.0
    bottom = top + height * len(rows)
    zero = place(0.0)
    parts.extend(_sides(zero, top - 10, ends, width))
    ticks = svg.ticks(low - margin, high + margin, 5 if narrow else 7)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    for value in ticks:
        x = place(value)
        look: dict[str, Any] = (
            {"stroke": svg.LINE} if value else {"stroke": svg.INK, "stroke_width": 1.4}
        )
        parts.append(svg.tag("line", x1=x, x2=x, y1=top, y2=bottom, **look))
        parts.append(
            svg.text(
                x,
                bottom + 18,
                svg.tick_text(value, step),
                size=13,
                fill=svg.GREY,
                text_anchor="middle",
                class_="tick",
            )
        )
    told = []
    for position, (row, three) in enumerate(zip(rows, found, strict=True)):
        y = top + height * position + (36 if narrow else height / 2)
        beside = max(svg.text_width(row.instead, 13) + 10, 100.0)
        room = width - beside if narrow else label - 8
        parts.extend(_label(row.label, y, room, narrow=narrow))
        where = {"x": width, "y": y - 15 if narrow else y + 4.5}
        if three is None:
            parts.append(
                svg.text(
                    content=row.instead,
                    size=13,
                    fill=svg.GREY,
                    text_anchor="end",
                    **svg.RIM,
                    **where,
                )
            )
            told.append(f"{row.label}: {row.instead}")
            continue
        parts.append(_interval(place, three, y, main=row.main))
        ends_shown = [figure(results, f"{row.base}.{k}", "whole") for k in ("ci_low", "ci_high")]
        numbers = " to ".join(
            svg.tag("tspan", text, data_key=f"{row.base}.{k}", data_format="whole")
            for k, text in zip(("ci_low", "ci_high"), ends_shown, strict=True)
        )
        parts.append(
            svg.tag(
                "text",
                numbers,
                font_size=13.5,
                text_anchor="end",
                **svg.RIM,
                **where,
            )
        )
        middle = figure(results, f"{row.base}.difference", "whole")
        told.append(f"{row.label}: {middle}, interval {' to '.join(ends_shown)}")
    return svg.picture(
        name + ("-narrow" if narrow else ""),
        width,
        bottom + 28,
        words[0],
        ". ".join(told) + ".",
        *parts,
    )


def _label(words: str, y: float, room: float, *, narrow: bool) -> list[str]:
    """Label of a row: two lines at most, one on a phone, cut in its middle where that is short."""
    lines = svg.wrap(words, room, _SIZE)
    if narrow or len(lines) > 2:
        lines = [svg.shorten(words, room, _SIZE)]
    first = y - 15 if narrow else y + 4.5 - 8 * (len(lines) - 1)
    return [
        svg.text(0, first + 16 * i, svg.shorten(line, room, _SIZE), size=_SIZE, **svg.RIM)
        for i, line in enumerate(lines)
    ]


def _longest(rows: Sequence[Row]) -> float:
    return max((svg.text_width(row.label, 13.5) for row in rows), default=0.0)


def _ends(results: Mapping[str, Any], row: Row) -> tuple[float, float, float] | None:
    low, high, middle = (
        lookup(results, f"{row.base}.{key}") for key in ("ci_low", "ci_high", "difference")
    )
    if is_number(low) and is_number(high) and is_number(middle):
        return float(low), float(high), float(middle)
    return None


def _sides(zero: float, y: float, ends: tuple[str, str], width: float) -> list[str]:
    """Words on both sides of zero; their first word alone where there is no room for more."""

    def fits(words: tuple[str, str]) -> bool:
        left, right = (svg.text_width(f"{one} →", 13) + 8 for one in words)
        return zero > left and width - zero > right

    words = ends if fits(ends) else (ends[0].split()[0], ends[1].split()[0])
    return [
        svg.text(zero - 8, y, f"← {words[0]}", size=13, fill=svg.GREY, text_anchor="end"),
        svg.text(zero + 8, y, f"{words[1]} →", size=13, fill=svg.GREY),
    ]


def _interval(place: Any, ends: tuple[float, float, float], y: float, *, main: bool) -> str:
    low, high, middle = (place(one) for one in ends)
    line = svg.path([(low, y), (high, y)]) + "".join(
        svg.path([(x, y - 5), (x, y + 5)]) for x in (low, high)
    )
    mark = _filled if main else _open
    return svg.tag("path", d=line, fill="none", stroke=svg.DARK_BLUE, stroke_width=2) + mark(
        middle, y
    )


def _filled(x: float, y: float) -> str:
    return svg.tag("rect", x=x - 5.5, y=y - 5.5, width=11, height=11, fill=svg.DARK_BLUE)


def _open(x: float, y: float) -> str:
    return svg.tag(
        "rect",
        x=x - 5,
        y=y - 5,
        width=10,
        height=10,
        fill="#fff",
        stroke=svg.DARK_BLUE,
        stroke_width=2.2,
    )
