"""The overlap plot: scores of the two groups before and after matching."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from engine.release import svg
from engine.release.formats import figure, is_number

_WIDEST = 1e300
"""Bands wider than this have no axis; a logit beyond 750 has no probability other than 0 or 1."""


def has_overlap(results: Mapping[str, Any]) -> bool:
    """Whether the results hold at least one band of scores."""
    return len((results.get("overlap") or {}).get("edges") or ()) >= 2


def overlap_plot(
    results: Mapping[str, Any], width: int = svg.WIDE, form: str = "probability"
) -> str:
    """Distribution of the logit of the propensity score, before and after matching.

    Parameters
    ----------
    results : mapping
        The results as written to results.json.
    width : int
        Pixels; below 500 the two panels stand one above the other.
    form : str
        Format of the areas under the curve in the text alternative.

    Returns
    -------
    str
        SVG: in each panel the treated as filled bars and the comparison people as an outline, both
        as shares of their group, so groups of different size can be compared.
    """
    narrow = width < 500
    title = _overlap_title(results)
    head, top = svg.heading(
        title,
        "Share of each group by logit of the propensity score; after matching, comparison people"
        " count by their weight",
        width,
    )
    key, top = svg.chart_key([(_bar_key, "treated"), (_line_key, "comparison")], width, top)
    top += 12
    overlap = results.get("overlap") or {}
    edges = [one for one in overlap.get("edges") or () if is_number(one)]
    treated = _shares(overlap.get("treated"))
    panels = [
        ("Before matching", _shares(overlap.get("comparison_before"))),
        ("After matching", _shares(overlap.get("comparison_after"))),
    ]
    usable = (
        len(edges) >= 2 and 0 < edges[-1] - edges[0] < _WIDEST and len(treated) == len(edges) - 1
    )
    peak = max([1e-9, *treated, *(share for _, shares in panels for share in shares)])
    left, gap, height = 46.0, 36.0, 170.0
    panel_width = width - left - 14 if narrow else (width - left - 14 - gap) / 2
    parts: list[str] = []
    bottom = top
    for number, (name, shares) in enumerate(panels):
        x = left + (0 if narrow else number * (panel_width + gap))
        y = top + (number * (height + 86) if narrow else 0)
        parts.append(svg.text(x, y + 16, name, size=14, font_weight=600))
        frame = (x, x + panel_width, y + 30, y + 30 + height)
        bottom = frame[3]
        if usable:
            parts.extend(_overlap_panel(edges, treated, shares, peak, frame, narrow or not number))
        else:
            parts.append(svg.text(x, y + 60, "no scores to show", size=13, fill=svg.GREY))
    label = svg.text(left, bottom + 42, "logit of the propensity score", size=13.5, fill=svg.GREY)
    return svg.picture(
        "overlap-plot" + ("-narrow" if narrow else ""),
        width,
        bottom + 54,
        title,
        _overlap_description(results, form),
        head,
        key,
        *parts,
        label,
    )


def _overlap_panel(
    edges: Sequence[float],
    treated: Sequence[float],
    comparison: Sequence[float],
    peak: float,
    frame: tuple[float, float, float, float],
    labelled: bool,
) -> list[str]:
    """One panel: horizontal grid, bars of the treated, outline of the comparison people."""
    left, right, top, bottom = frame
    across = svg.scale(edges[0], edges[-1], left, right)
    up = svg.scale(0.0, peak * 1.05, bottom, top)
    parts = []
    shares = svg.ticks(0.0, peak * 1.05, 5)
    step = shares[1] - shares[0] if len(shares) > 1 else peak
    for share in shares:
        y = up(share)
        parts.append(svg.tag("line", x1=left, x2=right, y1=y, y2=y, stroke=svg.LINE))
        if labelled:
            words = svg.tick_text(share * 100, step * 100) + "%"
            parts.append(
                svg.text(left - 6, y + 4, words, size=12, fill=svg.GREY, text_anchor="end")
            )
    bars = "".join(
        f"M{svg.tenth(across(low))},{svg.tenth(bottom)}V{svg.tenth(up(share))}"
        f"H{svg.tenth(across(high))}V{svg.tenth(bottom)}Z"
        for (low, high), share in zip(itertools.pairwise(edges), treated, strict=False)
        if share > 0
    )
    if bars:
        parts.append(svg.tag("path", d=bars, fill=svg.DARK_BLUE, fill_opacity="0.82"))
    if any(share > 0 for share in comparison) and len(comparison) == len(treated):
        outline = f"M{svg.tenth(left)},{svg.tenth(bottom)}" + "".join(
            f"V{svg.tenth(up(share))}H{svg.tenth(across(high))}"
            for high, share in zip(edges[1:], comparison, strict=True)
        )
        outline += f"V{svg.tenth(bottom)}"
        # A white line beneath keeps the outline visible where it crosses the bars.
        for colour, thick in (("#fff", 5), (svg.ORANGE, 2.6)):
            parts.append(
                svg.tag(
                    "path",
                    d=outline,
                    fill="none",
                    stroke=colour,
                    stroke_width=thick,
                    stroke_linejoin="round",
                )
            )
    else:
        parts.append(svg.text(left + 6, top + 14, "no comparison people", size=12.5, fill=svg.GREY))
    parts.append(svg.tag("line", x1=left, x2=right, y1=bottom, y2=bottom, stroke=svg.GREY))
    found = svg.ticks(edges[0], edges[-1], 5)
    step = found[1] - found[0] if len(found) > 1 else 1.0
    for value in found:
        x = across(value)
        parts.append(svg.tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, stroke=svg.GREY))
        words = svg.tick_text(value, step)
        parts.append(
            svg.text(x, bottom + 21, words, size=12.5, fill=svg.GREY, text_anchor="middle")
        )
    return parts


def _shares(counts: Sequence[Any] | None) -> list[float]:
    """Counts or weights of bins as shares of their sum; zeros where there is nothing."""
    sizes = [float(one) if is_number(one) and one > 0 else 0.0 for one in counts or ()]
    total = sum(sizes)
    return [size / total for size in sizes] if total > 0 else sizes


def _overlap_title(results: Mapping[str, Any]) -> str:
    after = (results.get("balance_summary") or {}).get("auc_after")
    if not is_number(after):
        return "Propensity scores of the two groups before and after matching"
    if abs(after - 0.5) <= 0.05:
        return "After matching, the propensity scores of the two groups look alike"
    return "Even after matching, the propensity scores of the two groups still differ"


def _overlap_description(results: Mapping[str, Any], form: str) -> str:
    """The overlap plot in words."""
    return (
        "Two histograms of the logit of the propensity score, treated people as filled bars,"
        " comparison people as an outline. Before matching, the chance that a treated person has a"
        " higher score than a comparison person (AUC) was"
        f" {figure(results, 'balance_summary.auc_before', form)}; after matching it is"
        f" {figure(results, 'balance_summary.auc_after', form)};"
        " one half means that the scores do not tell the groups apart."
        " All numbers stand in the table of score bands."
    )


def _bar_key(x: float, y: float) -> str:
    return svg.tag(
        "rect", x=x - 8, y=y - 6, width=16, height=12, fill=svg.DARK_BLUE, fill_opacity="0.82"
    )


def _line_key(x: float, y: float) -> str:
    line = svg.path([(x - 8, y + 5), (x - 8, y - 5), (x + 8, y - 5), (x + 8, y + 5)])
    return svg.tag("path", d=line, fill="none", stroke=svg.ORANGE, stroke_width=2.6)
