"""Several results below each other: a row each, its interval, and the line of equal groups."""

from collections.abc import Callable, Mapping, Sequence
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
    middle : str
        Key of the difference, where it does not stand below ``base``.
    """

    label: str
    base: str
    main: bool = True
    instead: str = ""
    middle: str = ""


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
    low, high = _with_room(low - margin, high + margin, end - left, ends)
    place = svg.scale(low, high, left, end)
    top += 26
    labels = [
        _lines(row.label, width - _beside(row) if narrow else label - 8, most=2) for row in rows
    ]
    # Where each row begins; on a phone a label of two lines needs more room above its interval.
    tops = [top]
    for lines in labels:
        tops.append(tops[-1] + (36.0 + 16 * len(lines) if narrow else 36.0))
    bottom = tops[-1]
    parts.extend(_sides(place(0.0), top - 10, ends, width))
    parts.extend(_axis(place, (low, high), (top, bottom), 5 if narrow else 7))
    for row, three, lines, start in zip(rows, found, labels, tops, strict=False):
        y = start + (16 * len(lines) + 20 if narrow else 18)
        first = start + 17 if narrow else y + 4.5 - 8 * (len(lines) - 1)
        parts += [
            svg.text(0, first + 16 * i, line, size=_SIZE, **svg.RIM) for i, line in enumerate(lines)
        ]
        if three is not None:
            parts.append(_interval(place, three, y, main=row.main))
        parts.append(_numbers(results, row, width, first if narrow else y + 4.5))
    return svg.picture(
        name + ("-narrow" if narrow else ""),
        width,
        bottom + 28,
        words[0],
        ". ".join(_told(results, row) for row in rows) + ".",
        *parts,
    )


def _lines(words: str, room: float, *, most: int) -> list[str]:
    """Lines of a label, the last cut in its middle where there would be more."""
    lines = svg.wrap(words, room, _SIZE)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [svg.shorten(line, room, _SIZE) for line in lines] or [""]


def _beside(row: Row) -> float:
    """Room that the numbers or words at the right of a row need."""
    return max(svg.text_width(row.instead, 13) + 10, 100.0)


def _axis(
    place: Callable[[float], float], span: tuple[float, float], down: tuple[float, float], most: int
) -> list[str]:
    """Upright lines at round values, the one of equal groups darker, and their numbers below."""
    ticks = svg.ticks(*span, most)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    parts = []
    for value in ticks:
        x = place(value)
        look: dict[str, Any] = {"stroke": svg.LINE}
        if not value:
            look = {"stroke": svg.INK, "stroke_width": 1.4}
        parts.append(svg.tag("line", x1=x, x2=x, y1=down[0], y2=down[1], **look))
        words = svg.tick_text(value, step)
        parts.append(
            svg.text(
                x,
                down[1] + 18,
                words,
                size=13,
                fill=svg.GREY,
                text_anchor="middle",
                class_="tick",
            )
        )
    return parts


def _numbers(results: Mapping[str, Any], row: Row, x: float, y: float) -> str:
    """Ends of the interval of a row at its right, or the words in its place."""
    if _ends(results, row) is None:
        return svg.text(x, y, row.instead, size=13, fill=svg.GREY, text_anchor="end", **svg.RIM)
    numbers = " to ".join(
        svg.tag(
            "tspan",
            figure(results, f"{row.base}.{key}", "whole"),
            data_key=f"{row.base}.{key}",
            data_format="whole",
        )
        for key in ("ci_low", "ci_high")
    )
    return svg.tag("text", numbers, x=x, y=y, font_size=_SIZE, text_anchor="end", **svg.RIM)


def _told(results: Mapping[str, Any], row: Row) -> str:
    """One row in words."""
    if _ends(results, row) is None:
        return f"{row.label}: {row.instead}"
    middle, low, high = (figure(results, key, "whole") for key in _keys(row))
    return f"{row.label}: {middle}, interval {low} to {high}"


def _longest(rows: Sequence[Row]) -> float:
    return max((svg.text_width(row.label, 13.5) for row in rows), default=0.0)


def _keys(row: Row) -> tuple[str, str, str]:
    """Return the keys of the difference and of the two ends."""
    base = row.base
    return row.middle or f"{base}.difference", f"{base}.ci_low", f"{base}.ci_high"


def _ends(results: Mapping[str, Any], row: Row) -> tuple[float, float, float] | None:
    middle, low, high = (lookup(results, key) for key in _keys(row))
    if is_number(low) and is_number(high) and is_number(middle):
        return float(low), float(high), float(middle)
    return None


def _with_room(
    low: float, high: float, pixels: float, ends: tuple[str, str]
) -> tuple[float, float]:
    """Widen a range so that the first word of each side has room beside zero."""
    needs = [svg.text_width(f"{words.split()[0]} →", 13) + 10 for words in ends]
    if sum(needs) < pixels:
        high = max(high, -low * needs[1] / (pixels - needs[1]))
        low = min(low, -high * needs[0] / (pixels - needs[0]))
    return low, high


def _sides(zero: float, y: float, ends: tuple[str, str], width: float) -> list[str]:
    """Words on both sides of zero; their first word alone where there is no room for more.

    Where zero is at the edge, the words of the other side stand alone: they say enough.
    """

    def fit(words: tuple[str, str]) -> tuple[bool, bool]:
        left, right = (svg.text_width(f"{one} →", 13) + 8 for one in words)
        return zero > left, width - zero > right

    words = ends if all(fit(ends)) else (ends[0].split()[0], ends[1].split()[0])
    both = (
        svg.text(zero - 8, y, f"← {words[0]}", size=13, fill=svg.GREY, text_anchor="end"),
        svg.text(zero + 8, y, f"{words[1]} →", size=13, fill=svg.GREY),
    )
    return [side for side, there in zip(both, fit(words), strict=True) if there]


def _interval(
    place: Callable[[float], float], ends: tuple[float, float, float], y: float, *, main: bool
) -> str:
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
