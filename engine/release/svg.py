"""A small writer of static charts: elements, text of known width, scales with round ticks.

Why not a chart library: rendering the two charts of a match with Vega-Lite (vl-convert 1.9) took
0.44 s and 0.48 CPU s of the 2 s that a small match may take, most of it the start of a JavaScript
engine; that engine reserves more than 34 GB of addresses and aborts the whole process where a
scheduler caps them (``ulimit -v``), after all the computing is done. This module draws both charts
in a few milliseconds, can lay out a label above its row for a phone, and names no file, font or
random id, so the same input gives the same bytes.
"""

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from engine.release.formats import fixed, plain_text

DARK_BLUE = "#12436d"
ORANGE = "#f46a25"
DARK_PINK = "#801650"
INK = "#1d2429"
GREY = "#4f5a63"
LINE = "#c5ccd2"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif"

WIDE = 680
NARROW = 330
"""Widths of a chart in pixels: for a page and a file, and for a phone."""

RIM: dict[str, Any] = {
    "paint_order": "stroke",
    "stroke": "#fff",
    "stroke_width": 5,
    "stroke_linejoin": "round",
}
"""Attributes of a text that lies over lines: a white rim keeps them from striking it through."""

_HEAD = 7
"""First letters kept of a name that is cut before its middle."""

_NARROW = frozenset("ijlrtfI.,:;'|!()[] ")
_WIDE = frozenset("mwMW@%+=<>")


def tag(name: str, *children: str, **attributes: object) -> str:
    """One element; an underscore in an attribute's name stands for a hyphen.

    Parameters
    ----------
    name : str
        Name of the element.
    *children : str
        Markup inside it.
    **attributes : object
        Numbers are rounded to a tenth; ``None`` leaves the attribute out.

    Returns
    -------
    str
        Markup, attributes escaped and in the order given.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(_attribute(value))}"
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(children)
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def _attribute(value: object) -> str:
    return tenth(value) if isinstance(value, int | float) else plain_text(value)


def tenth(value: float) -> str:
    """A coordinate with at most one decimal: finer than any screen shows."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text(x: float, y: float, content: str, *, size: float = 14, **attributes: object) -> str:
    """Horizontal text, escaped and without control characters."""
    return tag("text", escape(plain_text(content)), x=x, y=y, font_size=size, **attributes)


def text_width(content: str, size: float, *, bold: bool = False) -> float:
    """Width that a text takes at most, in pixels, whatever sans-serif font a reader has.

    Parameters
    ----------
    content : str
        One line.
    size : float
        Font size in pixels.
    bold : bool
        Whether the text is bold.

    Returns
    -------
    float
        An upper estimate: measured on Verdana and DejaVu Sans, the widest in common use.
    """
    total = 0.0
    for character in content:
        if character in _NARROW:
            total += 0.39
        elif character in _WIDE:
            total += 0.95
        elif unicodedata.east_asian_width(character) in "WF":
            total += 1.02
        elif unicodedata.combining(character):
            continue
        elif character.isupper():
            total += 0.74
        else:
            total += 0.63
    return total * size * (1.08 if bold else 1.0)


def shorten(content: str, width: float, size: float) -> str:
    """Text cut in its middle to fit a width: both ends of a name carry meaning."""
    if text_width(content, size) <= width:
        return content
    keep = len(content) - 1
    while keep > 2:
        head = (keep + 1) // 2
        short = content[:head].rstrip() + "\u2026" + content[len(content) - (keep - head) :]
        if text_width(short, size) <= width:
            return short
        # Steps of a twentieth: a name may have thousands of characters.
        keep -= max(1, keep // 20)
    return content[:1] + "\u2026"


def tell_apart(names: Sequence[str], width: float, size: float) -> list[str]:
    """Names cut to fit a width, so that different names stay different where that can be.

    Parameters
    ----------
    names : sequence of str
        One line each.
    width, size : float
        Room and font size in pixels.

    Returns
    -------
    list of str
        Each name as :func:`shorten` cuts it; where that makes several look the same, the part in
        which they differ with what surrounds it.
    """
    shown = [shorten(name, width, size) for name in names]
    alike: dict[str, list[int]] = {}
    for position, short in enumerate(shown):
        alike.setdefault(short, []).append(position)
    for group in alike.values():
        if len({names[position] for position in group}) > 1:
            same = [names[position] for position in group]
            start = _shared_start(same)
            end = _shared_start([name[::-1] for name in same])
            for position in group:
                shown[position] = _around(names[position], start, end, width, size)
    return shown


def _shared_start(names: Sequence[str]) -> int:
    """Number of first letters that all names share."""
    # What the first and the last in sorted order share, all between them share too.
    pairs = zip(min(names), max(names), strict=False)
    return next((i for i, (one, other) in enumerate(pairs) if one != other), min(map(len, names)))


def _around(name: str, start: int, end: int, width: float, size: float) -> str:
    """Part of a name from ``start`` to ``end`` letters before its end, widened to fill a width."""
    low, high = min(start, len(name) - end), max(start, len(name) - end)

    def cut(low: int, high: int) -> str:
        # The first letters stay: names of another kind may differ in the same middle.
        head = name[:low] if low <= _HEAD + 1 else name[:_HEAD].rstrip() + "\u2026"
        return head + name[low:high].rstrip() + "\u2026" * (high < len(name))

    while low > 0 or high < len(name):
        wider = max(low - 1, 0), min(high + 1, len(name))
        if text_width(cut(*wider), size) > width:
            break
        low, high = wider
    return shorten(cut(low, high), width, size)


def wrap(content: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Lines of a sentence that fit a width; a single longer word stays whole."""
    lines: list[str] = []
    for word in content.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size, bold=bold) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most ``most`` of them.

    Parameters
    ----------
    low, high : float
        Ends of an axis, finite, ``low < high``.
    most : int
        Largest number of ticks, at least 2.

    Returns
    -------
    list of float
        Multiples of 1, 2 or 5 times a power of ten inside the ends.
    """
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        wide = factor * step
        first, last = math.ceil(low / wide - 1e-9), math.floor(high / wide + 1e-9)
        if last - first + 1 <= most:
            # Division by a whole number gives the nearest double to 0.3; 3 * 0.1 does not.
            return [n / round(1 / wide) if wide < 1 else n * wide for n in range(first, last + 1)]
    return [low, high]


def tick_text(value: float, step: float) -> str:
    """Text of a tick with as many decimals as the distance between ticks needs."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return fixed(value, min(decimals, 6))


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Map from values to pixels that never leaves its range.

    Parameters
    ----------
    low, high : float
        Ends of the values, finite, ``low < high``.
    start, end : float
        Their pixels.

    Returns
    -------
    callable
        Pixel of a value; values outside sit at the nearest end.
    """

    def place(value: float) -> float:
        # Halves keep the difference of two huge ends finite.
        part = (value / 2 - low / 2) / (high / 2 - low / 2)
        return start + min(max(part, 0.0), 1.0) * (end - start)

    return place


def path(points: Iterable[tuple[float, float]]) -> str:
    """Path data of a line through points."""
    return "M" + "L".join(f"{tenth(x)},{tenth(y)}" for x, y in points)


def circle(x: float, y: float, radius: float = 5, **attributes: object) -> str:
    """A filled circle: the mark of 'after matching'."""
    return tag("circle", cx=x, cy=y, r=radius, **{"fill": DARK_BLUE, **attributes})


def diamond(x: float, y: float, radius: float = 5.5, **attributes: object) -> str:
    """An open diamond: the mark of 'before matching'."""
    corners = [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]
    look = {"fill": "#fff", "stroke": ORANGE, "stroke_width": 2.2, **attributes}
    return tag("path", d=path(corners) + "Z", **look)


def picture(
    name: str, width: float, height: float, title: str, description: str, *content: str
) -> str:
    """A whole chart with its text alternative.

    Parameters
    ----------
    name : str
        Short name, unique in a page; ids are made from it.
    width, height : float
        Size in pixels.
    title, description : str
        The message, and the numbers behind it in words.
    *content : str
        Markup.

    Returns
    -------
    str
        An ``svg`` element with ``role="img"``, on white.
    """
    return tag(
        "svg",
        tag("title", escape(plain_text(title)), id=f"{name}-title"),
        tag("desc", escape(plain_text(description)), id=f"{name}-desc"),
        tag("rect", width=width, height=height, fill="#fff"),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {tenth(width)} {tenth(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        font_family=FONT,
        fill=INK,
    )


def heading(title: str, message: str, width: float) -> tuple[str, float]:
    """Title and subtitle, wrapped; and where the next thing may begin."""
    size = 17 if width >= 500 else 16
    y, parts = 6.0, []
    for line in wrap(title, width - 12, size, bold=True):
        y += size * 1.3
        parts.append(text(0, y - 4, line, size=size, font_weight=700))
    for line in wrap(message, width - 12, 13.5):
        y += 18
        parts.append(text(0, y, line, size=13.5, fill=GREY))
    return "".join(parts), y + 8


def chart_key(
    entries: Sequence[tuple[Callable[[float, float], str], str]], width: float, top: float
) -> tuple[str, float]:
    """Key above the chart: mark and words, next line where the width is used up."""
    x, y, parts = 8.0, top + 14, []
    for mark, words in entries:
        need = 22 + text_width(words, 13.5)
        if x > 8 and x + need > width:
            x, y = 8.0, y + 22
        parts.append(mark(x, y))
        parts.append(text(x + 14, y + 4.5, words, size=13.5))
        x += need + 14
    return "".join(parts), y + 12
