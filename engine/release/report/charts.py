"""All charts of a report, each in a wide and a narrow form."""

from collections.abc import Mapping
from typing import Any

from engine.release import svg
from engine.release.charts import interval_picture
from engine.release.formats import figure, is_number, lookup, plain_text
from engine.release.love import love_plot
from engine.release.overlap import has_overlap, overlap_plot
from engine.release.report import again
from engine.release.report.bars import error_bars
from engine.release.report.chevron import chevron
from engine.release.report.forest import Row, forest
from engine.release.report.pictogram import pictogram
from engine.release.report.say import Card, cards, find, standing, verdict
from engine.release.report.sentences import Sentence, plain

_IN_CARD = 270
"""Width of a chart inside a card on a phone of 320 pixels."""

_MOST_FACTS = 20
"""Rows of the love plot; a reader of the page has them all in the table behind it."""

WHY_NOT = {
    "too_few_treated": "too few people",
    "no_match": "nobody could be paired",
    "no_score": "too few people for so many facts",
    "no_assessments": "no assessments",
    "no_regions": "no regions on record",
}


def draw(results: Mapping[str, Any]) -> dict[str, str]:
    """Charts by name, each also with the ending ``-narrow`` for a phone.

    Parameters
    ----------
    results : mapping
        The released results of a study.

    Returns
    -------
    dict of str to str
        SVG; charts that the results hold no figures for are left out.
    """
    made: dict[str, str] = {}
    shown = cards(results)
    alike = _alike(results)
    for ending, width in (("", svg.WIDE), ("-narrow", svg.NARROW)):
        groups = _groups(results)
        if groups:
            made[f"pictogram{ending}"] = pictogram(results, groups, width)
        for card in shown:
            if is_number(lookup(results, f"{card.values}.ci_low")):
                made[f"gap-{card.measure}{ending}"] = _gap(results, card, ending)
            if is_number(lookup(results, f"{card.key}.treated")):
                made[f"bars-{card.measure}{ending}"] = _bars(results, card, width)
        if lookup(results, "attrition.stages") is not None:
            made[f"attrition{ending}"] = chevron(results, width)
        if alike["balance"]:
            made[f"love-plot{ending}"] = love_plot(alike, width, "fixed_2_size", _MOST_FACTS)
        if has_overlap(alike):
            made[f"overlap-plot{ending}"] = overlap_plot(alike, width, "ratio")
        if len(rows := part_rows(results)) > 1 and _any(results, rows):
            made[f"parts{ending}"] = _parts(results, rows, width)
        if (runs := trio_rows(results)) and _any(results, runs):
            made[f"trio{ending}"] = _trio(results, runs, width)
    return {**made, **again.draw(results, _SIDES)}


def _any(results: Mapping[str, Any], rows: list[Row]) -> bool:
    """Whether at least one row of a forest plot has an interval."""
    return any(is_number(lookup(results, f"{row.base}.ci_low")) for row in rows)


def _groups(results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Groups of the pictogram: both, or those who took part alone where nothing was compared."""
    key = find(results, "reoffended")
    if key is not None:
        found = [
            (f"{key}.{arm}", words, colour)
            for arm, words, colour in (
                ("treated", "who took part", svg.DARK_BLUE),
                ("comparison", "similar people", "#b4430c"),
            )
        ]
    elif verdict(results) == "not_adequate":
        found = [("analyses.0.treated_only.treated", "who took part", svg.DARK_BLUE)]
    else:
        found = []
    return found if all(is_number(lookup(results, one)) for one, *_ in found) else []


def _gap(results: Mapping[str, Any], card: Card, ending: str) -> str:
    """Interval of a card; the two smaller cards stand side by side, so theirs are narrower."""
    width = svg.WIDE if card.measure == "reoffended" else svg.NARROW
    if ending:
        width = _IN_CARD
    return interval_picture(
        results,
        card.values,
        "whole",
        width,
        name=f"gap-{card.measure}{ending}",
        title=f"{card.title}: {plain(results, Sentence(card.verdict))}",
        description=" ".join(plain(results, one) for one in card.said),
    )


_BARS = {
    "reoffended": ("People who reoffended", "In every 100 people", "whole"),
    "n_reoffences": ("New offences", "Average for each person", "trimmed"),
    "days_to_first_reoffence": ("Days to the first reoffence", "Reoffenders only", "whole"),
}


def _bars(results: Mapping[str, Any], card: Card, width: int) -> str:
    what, unit, form = _BARS[card.measure]
    verdict_words = plain(results, Sentence(card.verdict))
    first = f"{what}: {verdict_words[:1].lower()}{verdict_words[1:]}"
    return error_bars(
        results,
        card.key,
        form,
        (first, f"{unit}; the thin line is the 95% interval of each group"),
        width,
        name=f"bars-{card.measure}",
    )


def _alike(results: Mapping[str, Any]) -> dict[str, Any]:
    """Balance and overlap under the names that the charts of a match read."""
    summary = dict(lookup(results, "balance.summary") or {})
    for word in ("closely", "fairly", "poorly"):
        summary[f"{word}_matched"] = summary.get(word)
    rows = lookup(results, "balance.rows") or []
    return {
        "balance": [{**row, "name": row.get("label", row.get("name"))} for row in rows],
        "balance_summary": summary,
        "overlap": lookup(results, "overlap"),
    }


def part_rows(results: Mapping[str, Any]) -> list[Row]:
    """Rows of the forest plot: the main result, the regional one, and the parts of the plan."""
    rows = []
    for i, one in enumerate(results.get("analyses") or ()):
        if one.get("kind") == "oasys":
            continue
        key = find(results, "reoffended", str(one.get("id")))
        rows.append(
            Row(
                label=plain_text(one.get("label", "")),
                base=key or f"analyses.{i}",
                main=bool(one.get("declared")),
                instead=_instead(results, one, key),
            )
        )
    return rows


def _instead(results: Mapping[str, Any], one: Mapping[str, Any], key: str | None) -> str:
    if one.get("status") == "not_run":
        return WHY_NOT.get(str(one.get("why_not")), "not run")
    if key is None:
        return "not alike enough"
    found = standing(lookup(results, key))
    return "held back" if found in ("withheld", "too_few") else ""


def trio_rows(results: Mapping[str, Any]) -> list[Row]:
    """Rows for the three runs with and without the assessment of needs."""
    rows = []
    for name in lookup(results, "trio.runs") or ():
        for i, one in enumerate(results.get("analyses") or ()):
            if one.get("id") == name:
                key = find(results, "reoffended", name)
                label = plain_text(one.get("label", ""))
                rows.append(Row(label, key or f"analyses.{i}", True, _instead(results, one, key)))
    return rows


_SIDES = ("fewer reoffended", "more reoffended")


def _parts(results: Mapping[str, Any], rows: list[Row], width: int) -> str:
    tests = figure(results, "tests.total", "count")
    late = any(not row.main for row in rows)
    return forest(
        results,
        rows,
        (
            "The result for everybody, and for parts of the group",
            f"Gap in people who reoffended, in every 100, with 95% interval; {tests} tests in all",
        ),
        _SIDES,
        ("named before figures were opened", "chosen later") if late else None,
        width,
        name="parts",
    )


def _trio(results: Mapping[str, Any], rows: list[Row], width: int) -> str:
    agrees = {True: "agree", False: "do not all agree"}.get(
        lookup(results, "trio.agrees"), "cannot all be given"
    )
    return forest(
        results,
        rows,
        (
            "Needs taken into account: the three results " + agrees,
            "Gap in people who reoffended, in every 100, with 95% interval",
        ),
        _SIDES,
        None,
        width,
        name="trio",
    )
