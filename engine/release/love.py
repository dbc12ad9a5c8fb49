"""The love plot: how far apart the groups are in every characteristic, before and after."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.release import svg
from engine.release.formats import FORMATS, figure, is_number, plain_text
from engine.release.words import CLOSE, FAIR, order_by_size

MOST_TERMS = 40
"""Rows of a love plot; more do not fit a printed page."""

_AXIS_END = 1.0
"""The axis never ends later than here: larger values sit at its edge with their number, because a
single covariate at 40 would squeeze the limits of 0.05 and 0.1 into one line."""


def love_plot(
    results: Mapping[str, Any],
    width: int = svg.WIDE,
    form: str = "smd_size",
    most: int = MOST_TERMS,
) -> str:
    """Absolute standardised mean difference of every term before and after matching.

    Parameters
    ----------
    results : mapping
        The results as written to results.json.
    width : int
        Pixels; below 500 the names stand above their rows.
    form : str
        Format of the differences in the text alternative.
    most : int
        Largest number of rows.

    Returns
    -------
    str
        SVG. At most ``most`` terms: those with the largest difference after matching, shown in the
        order of their difference before; the subtitle says how many there are.
    """
    balance = results.get("balance") or []
    chosen = order_by_size(balance, "smd_after", "smd_before")[:most]
    rows = [balance[i] for i in chosen]
    rows = [rows[i] for i in order_by_size(rows, "smd_before", "smd_after")]
    narrow = width < 500
    title, message = _love_words(results, len(rows))
    head, top = svg.heading(title, message, width)
    key, top = svg.chart_key(
        [
            (svg.diamond, "before matching"),
            (svg.circle, "after matching"),
        ],
        width,
        top,
    )

    names = [plain_text(row.get("name", "")) for row in rows]
    label_size = 13.5
    longest = max((svg.text_width(name, label_size) for name in names), default=0.0)
    left = 14.0 if narrow else min(max(longest, 60.0), 260.0) + 20
    right = width - 16.0
    row_height = 37.0 if narrow else 23.0
    top += 24
    bottom = top + row_height * max(len(rows), 1)
    end = _love_end(rows)
    place = svg.scale(0.0, end, left, right)

    marks: list[str] = []
    room = (width - 20 if narrow else left - 14) - 4
    labels = svg.tell_apart(names, room, label_size)
    for number, (row, shown) in enumerate(zip(rows, labels, strict=True)):
        y = top + row_height * (number + (0.72 if narrow else 0.5))
        look = {"x": 14, "y": y - 12} if narrow else {"x": left - 12, "y": y + 4.5}
        anchor = None if narrow else "end"
        # The white rim keeps the dashed limits from striking through a name.
        marks.append(
            svg.text(
                content=shown,
                size=label_size,
                text_anchor=anchor,
                **svg.RIM,
                **look,
            )
        )
        marks.extend(_love_marks(row, place, y, end))

    axis = _love_axis(end, place, (left, right), (top, bottom), narrow=narrow)
    label = svg.text(
        (left + right) / 2 if not narrow else left,
        bottom + 42,
        "absolute standardised mean difference",
        size=13.5,
        fill=svg.GREY,
        text_anchor=None if narrow else "middle",
    )
    name = "love-plot" + ("-narrow" if narrow else "")
    return svg.picture(
        name,
        width,
        bottom + 54,
        title,
        _love_description(results, rows, form),
        head,
        key,
        *axis,
        *marks,
        label,
    )


def _love_end(rows: Sequence[Mapping[str, Any]]) -> float:
    """End of the axis: a little past the largest value, at least 0.15, at most 1."""
    sizes = [
        abs(row[key])
        for row in rows
        for key in ("smd_before", "smd_after")
        if is_number(row.get(key))
    ]
    return min(max([0.15, *(1.04 * size for size in sizes)]), _AXIS_END)


def _love_marks(
    row: Mapping[str, Any], place: Callable[[float], float], y: float, end: float
) -> list[str]:
    """Marks of one term: a thin line from before to after, then the two marks."""
    before, after = row.get("smd_before"), row.get("smd_after")
    marks = []
    if is_number(before) and is_number(after):
        marks.append(
            svg.tag(
                "line",
                x1=place(abs(before)),
                x2=place(abs(after)),
                y1=y,
                y2=y,
                stroke=svg.LINE,
                stroke_width=2,
            )
        )
    if is_number(before):
        marks.append(svg.diamond(place(abs(before)), y))
    if is_number(after):
        marks.append(svg.circle(place(abs(after)), y))
    beyond = [
        f"{FORMATS['ratio'](abs(one))} {when}"
        for one, when in ((before, "before"), (after, "after"))
        if is_number(one) and abs(one) > end
    ]
    if beyond:
        words = ", ".join(beyond) + " \u2192"
        marks.append(svg.text(place(end) - 11, y + 4, words, size=12, text_anchor="end", **svg.RIM))
    if not is_number(before) and not is_number(after):
        marks.append(svg.text(place(0) + 8, y + 4, "not defined", size=12, fill=svg.GREY))
    return marks


def _love_axis(
    end: float,
    place: Callable[[float], float],
    across: tuple[float, float],
    down: tuple[float, float],
    *,
    narrow: bool,
) -> list[str]:
    """Axis with ticks below, and the two dashed limits with their numbers above."""
    (left, right), (top, bottom) = across, down
    found = svg.ticks(0.0, end, 5 if narrow else 7)
    step = found[1] - found[0]
    parts = [
        svg.tag("line", x1=left, x2=right, y1=bottom, y2=bottom, stroke=svg.GREY, stroke_width=1)
    ]
    for value in found:
        x = place(value)
        parts.append(svg.tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, stroke=svg.GREY))
        words = svg.tick_text(value, step)
        parts.append(svg.text(x, bottom + 21, words, size=13, fill=svg.GREY, text_anchor="middle"))
    for value, anchor, shift in ((CLOSE, "end", 3), (FAIR, "start", -3)):
        x = place(value)
        parts.append(
            svg.tag(
                "line",
                x1=x,
                x2=x,
                y1=top - 4,
                y2=bottom,
                stroke=svg.GREY,
                stroke_width=1.2,
                stroke_dasharray="5 4",
            )
        )
        words = f"{value:g}"
        parts.append(
            svg.text(x + shift, top - 9, words, size=12.5, fill=svg.GREY, text_anchor=anchor)
        )
    return parts


def _love_words(results: Mapping[str, Any], shown: int) -> tuple[str, str]:
    """Message and subtitle of the love plot."""
    summary = results.get("balance_summary") or {}
    closely, fairly, poorly = (
        summary.get(f"{word}_matched") or 0 for word in ("closely", "fairly", "poorly")
    )
    # A study counts a characteristic once, whatever its levels; its rows are terms.
    total = summary.get("characteristics") or len(results.get("balance") or ())
    of = f"of {FORMATS['count'](total)} characteristic{'' if total == 1 else 's'}"
    if closely + fairly + poorly == 0:
        title = "How alike the groups are cannot be told"
    elif poorly:
        title = f"{FORMATS['count'](poorly)} {of} {_is(poorly)} still poorly matched"
    else:
        title = f"{FORMATS['count'](closely)} {of} {_is(closely)} closely matched, none poorly"
    message = "Absolute standardised mean difference between treated and comparison people"
    if shown < total:
        message += (
            f"; the {shown} with the largest difference after matching, the rest in the table"
        )
    return title, message


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _love_description(
    results: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], form: str
) -> str:
    """The love plot in words."""
    closely, fairly, poorly = (
        figure(results, f"balance_summary.{word}_matched", "count")
        for word in ("closely", "fairly", "poorly")
    )
    before, after = (
        figure(results, f"balance_summary.largest_smd_{when}", form) for when in ("before", "after")
    )
    parts = [
        (
            f"{closely} characteristics are closely matched (difference up to {CLOSE:g}), {fairly}"
            f" fairly (up to {FAIR:g}) and {poorly} poorly (above). The largest absolute"
            f" difference was {before} before matching and is {after} after."
        )
    ]
    for position in order_by_size(rows, "smd_after", "smd_before")[:3]:
        row = rows[position]
        parts.append(
            f"{plain_text(row.get('name', ''))}: {FORMATS[form](row.get('smd_before'))}"
            f" before, {FORMATS[form](row.get('smd_after'))} after."
        )
    return " ".join(parts) + " All numbers stand in the balance table."
