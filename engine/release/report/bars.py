"""Bars of the two groups with their error bars."""

from collections.abc import Mapping
from typing import Any

from engine.release import svg
from engine.release.formats import figure, lookup


def error_bars(
    results: Mapping[str, Any],
    base: str,
    form: str,
    words: tuple[str, str],
    width: int = svg.WIDE,
    *,
    name: str,
) -> str:
    """Value of each group as a bar from zero, with its 95% interval as an error bar.

    Parameters
    ----------
    results : mapping
        The released results of a study.
    base : str
        Key of a measure with ``treated``, ``comparison`` and their ``_ci``.
    form : str
        Format of the values.
    words : (str, str)
        Message, and what is measured.
    width : int
        Pixels; below 500 the names stand above their bars.
    name : str
        Unique name of the chart.

    Returns
    -------
    str
        SVG.
    """
    narrow = width < 500
    head, top = svg.heading(*words, width)
    groups = (
        ("treated", "Took part", svg.DARK_BLUE, "n_treated"),
        ("comparison", "Similar people", svg.ORANGE, "n_comparison"),
    )
    limits = [
        float(value)
        for arm, *_ in groups
        for value in (lookup(results, f"{base}.{arm}_ci") or [lookup(results, f"{base}.{arm}")])
    ]
    label = 150.0
    left = 8.0 if narrow else label
    place = svg.scale(0.0, max([*limits, 1e-9]) * 1.04, left, width - 64.0)
    row, thick = (66.0, 22.0) if narrow else (54.0, 26.0)
    top += 8
    parts, told = [head], []
    for position, (arm, words_of, colour, n) in enumerate(groups):
        y = top + row * position + (row - 12 if narrow else row / 2)
        value = float(lookup(results, f"{base}.{arm}"))
        shown = figure(results, f"{base}.{arm}", form)
        count = figure(results, f"{base}.{n}", "count")
        parts.append(svg.text(0, y - 22 if narrow else y - 2, words_of, size=14.5, font_weight=600))
        at = svg.text_width(words_of, 14.5, bold=True) + 6 if narrow else 0
        parts.append(
            svg.tag(
                "text",
                "n = ",
                svg.tag("tspan", count, data_key=f"{base}.{n}", data_format="count"),
                x=at,
                y=y - 22 if narrow else y + 16,
                font_size=13,
                fill=svg.GREY,
            )
        )
        parts.append(
            svg.tag(
                "rect",
                x=left,
                y=y - thick / 2,
                width=max(place(value) - left, 1.0),
                height=thick,
                fill=colour,
            )
        )
        end = place(value)
        told.append(f"{words_of}: {shown}, n = {count}")
        ci = lookup(results, f"{base}.{arm}_ci")
        if ci is not None:
            low, high = (place(float(one)) for one in ci)
            told[-1] += (
                f", 95% interval {figure(results, f'{base}.{arm}_ci.0', form)} to"
                f" {figure(results, f'{base}.{arm}_ci.1', form)}"
            )
            bar = svg.path([(low, y), (high, y)])
            caps = "".join(svg.path([(x, y - 7), (x, y + 7)]) for x in (low, high))
            for stroke, size in (("#fff", 5.0), (svg.INK, 2.0)):
                parts.append(
                    svg.tag("path", d=bar + caps, fill="none", stroke=stroke, stroke_width=size)
                )
            end = max(end, high)
        parts.append(
            svg.text(
                end + 10,
                y + 5.5,
                shown,
                size=16,
                font_weight=700,
                data_key=f"{base}.{arm}",
                data_format=form,
            )
        )
    bottom = top + row * 2
    parts.append(
        svg.tag(
            "line",
            x1=left,
            x2=left,
            y1=top + (row - 12 - 15 if narrow else 6),
            y2=bottom + (2 if narrow else -6),
            stroke=svg.INK,
            stroke_width=1.4,
        )
    )
    return svg.picture(
        name + ("-narrow" if narrow else ""),
        width,
        bottom + 8,
        words[0],
        ". ".join(told) + ".",
        *parts,
    )
