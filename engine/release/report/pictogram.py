"""A hundred people in each group, those who reoffended filled in."""

from collections.abc import Mapping
from typing import Any

from engine.release import svg
from engine.release.formats import figure, lookup

_ACROSS = 20
_PITCH, _ROW = 15.6, 31.0


def pictogram(
    results: Mapping[str, Any],
    groups: list[tuple[str, str, str]],
    width: float = svg.WIDE,
    *,
    name: str = "pictogram",
) -> str:
    """Groups of 100 small figures, of which as many are filled as reoffended.

    Parameters
    ----------
    results : mapping
        The released results of a study.
    groups : list of (str, str, str)
        Key of the whole number in every 100, words for the group, colour of the filled figures.
    width : int
        Pixels; below 500 the groups stand one above the other.
    name : str
        Unique name of the chart.

    Returns
    -------
    str
        SVG.
    """
    narrow = width < 500
    column = width if narrow or len(groups) == 1 else (width - 40) / 2
    across = _ACROSS
    pitch = min(_PITCH, (column - 6) / across)
    height = 38 + _ROW * (100 // across)
    parts: list[str] = []
    told: list[str] = []
    for position, (key, words, colour) in enumerate(groups):
        left = 0.0 if narrow else position * (column + 40)
        top = position * (height + 14) if narrow else 0.0
        filled = min(max(round(lookup(results, key)), 0), 100)
        shown = figure(results, key, "whole")
        told.append(f"{shown} of 100 {words} are filled in.")
        number = svg.text(
            left,
            top + 22,
            shown,
            size=21,
            font_weight=700,
            fill=colour,
            data_key=key,
            data_format="whole",
        )
        after = left + svg.text_width(shown, 21, bold=True) + 4
        parts.extend((number, svg.text(after, top + 21, f"of 100 {words}", size=14)))
        places = [
            (left + 6 + pitch * (i % across), top + 42 + _ROW * (i // across)) for i in range(100)
        ]
        parts.append(_people(places[:filled], {"fill": colour}))
        parts.append(
            _people(places[filled:], {"fill": "#fff", "stroke": "#8a949c", "stroke_width": 1.1})
        )
    whole = len(groups) * (height + 14) - 14 if narrow else height
    return svg.picture(
        name + ("-narrow" if narrow else ""),
        width,
        whole + 6,
        "People who reoffended in every 100",
        " ".join(told),
        *parts,
    )


def _people(places: list[tuple[float, float]], look: dict[str, object]) -> str:
    """Small figures of people, one path for all of them."""
    t = svg.tenth
    drawn = "".join(
        f"M{t(x - 2.6)},{t(y - 5)}a2.6,2.6 0 1 1 5.2,0a2.6,2.6 0 1 1 -5.2,0Z"
        f"M{t(x - 4.6)},{t(y + 1.8)}q0,-3 3,-3h3.2q3,0 3,3v5.6h-1.6v7h-6v-7h-1.6Z"
        for x, y in places
    )
    return svg.tag("path", d=drawn, **look) if drawn else ""
