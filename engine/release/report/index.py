"""The index page of several studies: a line for each, and all of them in one forest plot."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.release import svg
from engine.release.formats import figure, is_number, lookup, plain_text
from engine.release.report import say
from engine.release.report.forest import Row, forest
from engine.release.report.page import environment, printers, style


def index_page(
    studies: Sequence[tuple[str, Mapping[str, Any]]],
    title: str = "Studies",
    changes: Sequence[Mapping[str, Any]] = (),
) -> str:
    """One self-contained page that lists studies and leads to their reports.

    Parameters
    ----------
    studies : sequence of (str, mapping)
        Path of each report from the folder of the index, and its released results.
    title : str
        Heading of the page.
    changes : sequence of mapping
        What has changed since another index, see :func:`engine.release.batch_results.changes`;
        lines that are the same are left out.

    Returns
    -------
    str
        HTML; its numbers carry keys of ``{"studies": [results, ...], "changes": [line, ...]}``.

    Raises
    ------
    ValueError
        A path is not a relative one.
    """
    from markupsafe import Markup  # noqa: PLC0415 - only pages pay for it

    for path, _ in studies:
        if path.startswith(("/", "\\")) or ":" in path:
            raise ValueError("the path of a report is not relative to the index page")
    results: dict[str, Any] = {"studies": [one for _, one in studies]}
    results["changes"] = [one for one in changes if one["status"] != "same"]
    rows = [_row(number, one) for number, (_, one) in enumerate(studies)]
    made = [int(one["headline"]["verdict"] in ("fewer", "more")) for _, one in studies]
    results["summary"] = [{"studies": len(studies), "clear": sum(made)}]
    charts = {}
    if any(is_number(lookup(results, f"{row.base}.ci_low")) for row in rows):
        for ending, width in (("", svg.WIDE), ("-narrow", svg.NARROW)):
            chart = forest(results, rows, _words(results), _SIDES, None, width, name="studies")
            charts[f"studies{ending}"] = Markup(chart)  # noqa: S704 - ours, from escaped parts
    return (
        environment()
        .get_template("report/index.html.jinja")
        .render(
            **printers(results),
            **style(),
            title=title,
            charts=charts,
            lines=[
                (number, path, row, say.verdict(one), _SHORT[say.verdict(one)], one)
                for number, ((path, one), row) in enumerate(zip(studies, rows, strict=True))
            ],
            changes=[
                (
                    number,
                    _STATUS[line["status"]],
                    *(_SHORT.get(line[f"verdict_{when}"] or "", "") for when in ("before", "now")),
                    line,
                )
                for number, line in enumerate(results["changes"])
            ],
            compared=len(changes),
            made_up=any(lookup(one, "study.synthetic") for _, one in studies),
        )
    )


_SIDES = ("fewer reoffended", "more reoffended")
_SHORT = {
    "fewer": "Less often",
    "more": "More often",
    "inconclusive": "Not clear yet",
    "too_few": "Too few people",
    "not_adequate": "Not compared",
    "withheld": "Held back",
}
_STATUS = {"new": "New", "gone": "No longer here", "changed": "Changed"}
_INSTEAD = {
    "not_adequate": "no fair comparison",
    "too_few": "too few people",
    "withheld": "held back",
}


def _row(number: int, results: Mapping[str, Any]) -> Row:
    key = say.find(results, results["headline"]["measure"], results["headline"]["analysis"])
    name = lookup(results, "study.service") or lookup(results, "study.organisation")
    return Row(
        label=plain_text(name or "A service"),
        base=f"studies.{number}." + (key or "analyses.0"),
        instead=_INSTEAD.get(say.verdict(results), ""),
    )


def _words(results: Mapping[str, Any]) -> tuple[str, str]:
    clear = figure(results, "summary.0.clear", "count")
    total = figure(results, "summary.0.studies", "count")
    return (
        f"{clear} of {total} studies found a gap that is more than chance",
        "Gap in people who reoffended, in every 100, with 95% interval",
    )
