"""The page of a study: one file, no script, no network, from the released results alone."""

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.release.formats import is_number, lookup, plain_text
from engine.release.report import again, say
from engine.release.report.caveats import CAVEATS, GLOSSARY, method, sure
from engine.release.report.charts import WHY_NOT, draw, trio_rows
from engine.release.report.lines import can_say, cannot_say, clear_parts, for_all
from engine.release.report.sentences import Sentence, marked, span
from engine.release.report.tables import corrections, numbered_tables

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent.with_name("templates")

TITLES = {
    "say": "What you can say",
    "who": "Who is in it",
    "alike": "How alike the groups were",
    "sure": "How sure can we be",
    "results": "All results",
    "service": "About the service and the people",
    "method": "How it was done",
}
"""Parts of the page below the first screen, by the name of their heading."""

_CARE = (
    "placebo_failed",
    "linkage_uncertain",
    "fragile_to_unobserved",
    "trio_disagrees",
    "many_lost",
    "heavy_reuse",
    "needs_approval",
)
"""Caveats that belong beside the verdict, the weightiest first."""

_GATE = {
    "matched_treated": "People who took part and have a match",
    "matched_share": "Share of those who took part that has a match",
    "largest_smd": "Largest standardised difference after matching",
}
"""What each rule of the gate looks at."""

_NOT_RUN = {
    **WHY_NOT,
    "too_few_treated": "fewer than the {plan.sub_analyses.fewest_people|count} people that the plan"
    " asks for",
}
"""Why an analysis was not run; a chart has room for fewer words."""

_RULES = {
    "plan": "the part has fewer people than the plan asks of one, which is"
    " {plan.sub_analyses.fewest_people|count}",
    "np": "fewer than {limits.least_expected|count} cases are expected, too few for a fair test",
    "30": "fewer than {limits.least_reoffenders|count} of those who took part reoffended",
}


def study_page(results: Mapping[str, Any], charts: Mapping[str, str] | None = None) -> str:
    """The report of a study as one self-contained, accessible page.

    Parameters
    ----------
    results : mapping
        The released results of a study, after disclosure control; its released bootstrap, where
        there is one, under ``bootstrap``.
    charts : mapping of str to str, optional
        SVG by name from :func:`engine.release.report.charts.draw`; drawn here where not given.

    Returns
    -------
    str
        HTML, the same text for the same results.

    Raises
    ------
    JusticeLabError
        A verdict contradicts the interval beside it.
    """
    from markupsafe import Markup  # noqa: PLC0415 - only pages pay for it

    drawn = draw(results) if charts is None else charts
    return (
        environment()
        .get_template("report/page.html.jinja")
        .render(
            **printers(results),
            **_view(results),
            **style(),
            charts={name: Markup(chart) for name, chart in drawn.items()},  # noqa: S704 - ours, escaped
        )
    )


def style() -> dict[str, Any]:
    """The style sheet of a report and the hash by which the page allows it, and nothing else."""
    from markupsafe import Markup  # noqa: PLC0415 - as above

    text = "".join(
        (_TEMPLATES / name).read_text(encoding="utf-8")
        for name in ("page.css", "report/report.css")
    )
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"style": Markup(text), "style_hash": f"sha256-{digest}"}  # noqa: S704


@functools.cache
def environment() -> "Environment":
    """Templates of reports, with autoescape; read once in a process."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - 40 ms
    from markupsafe import Markup  # noqa: PLC0415 - as above

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda one: (
            plain_text(one) if isinstance(one, str) and not isinstance(one, Markup) else one
        ),
    )


def printers(results: Mapping[str, Any]) -> dict[str, Any]:
    """Functions by which a template prints: figures and sentences of these results, by key."""
    from markupsafe import Markup  # noqa: PLC0415 - as above

    def value(base: str, field: str, form: str) -> Markup:
        held = lookup(results, f"{base}.withheld")
        if lookup(results, f"{base}.{field}") is None and held:
            return span(results, f"{base}.withheld", "withheld", "withheld")
        return span(results, f"{base}.{field}", form)

    def limits(base: str, form: str) -> Markup:
        if lookup(results, f"{base}.ci_low") is None:
            return value(base, "ci_low", form)
        ends = (span(results, f"{base}.{end}", form) for end in ("ci_low", "ci_high"))
        return Markup(" to ").join(ends)

    return {
        "f": lambda key, form="text": span(results, key, form),
        "v": value,
        "limits": limits,
        "say": lambda one: marked(results, one),
        "has": lambda key: lookup(results, key) is not None,
        "significant": lambda key: bool(lookup(results, f"{key}.significant")),
    }


def _view(results: Mapping[str, Any]) -> dict[str, Any]:
    """What the template chooses by: sentences, orders, words. No new numbers."""
    told = say.headline(results)
    main = results["analyses"][0]
    held = [one["measure"] for one in main.get("measures") or ()]
    further = [one for one in held if one not in say.CARDS]
    first = say.CARDS if held else ("reoffended", "n_reoffences")
    key = say.find(results, "reoffended")
    return {
        "titles": TITLES,
        "r": results,
        "told": told,
        "cards": [
            (card, Sentence(card.verdict), f"gap-{card.measure}") for card in say.cards(results)
        ],
        "rounded": [
            card for card in say.cards(results) if lookup(results, f"{card.key}.parts_add") is False
        ],
        "main_key": key,
        "compared": told.standing != "not_adequate",
        "can": [one for name in first if (one := can_say(results, name))],
        "cannot": [*(cannot_say(results, name) for name in first), for_all(results)],
        "can_further": [one for name in further if (one := can_say(results, name))],
        "cannot_further": [cannot_say(results, name) for name in further],
        "care": [(code, CAVEATS[code]) for code in _CARE if code in (results.get("caveats") or ())][
            :2
        ],
        "approvals": [
            i
            for i, one in enumerate(lookup(results, "service.questions") or ())
            if one["key"] in (lookup(results, "service.groups") or ())
        ],
        "caveats": [CAVEATS[code] for code in results.get("caveats") or () if code in CAVEATS],
        "glossary": GLOSSARY,
        "gate_words": _GATE,
        "method": method(results),
        "sure": sure(results),
        "numbered": numbered_tables(results),
        "corrections": corrections(results),
        "in_words": clear_parts(results),
        "declared": all(one.get("declared") for one in results["analyses"]),
        "trio": trio_rows(results),
        "again": again.panel(results),
        "not_run": [
            (i, Sentence(_NOT_RUN.get(str(one.get("why_not")), "not run")))
            for i, one in enumerate(results["analyses"])
            if one.get("status") == "not_run"
        ],
        "withheld_words": {code: Sentence(words) for code, words in _RULES.items()},
        "answers": [
            (i, one["key"])
            for i, one in enumerate(lookup(results, "service.questions") or ())
            if (lookup(results, "service.answers") or {}).get(one["key"]) is not None
            and one["key"] not in ("organisation", "service", "period")
        ],
        "hidden_sections": [
            i
            for i, one in enumerate(lookup(results, "profile.sections") or ())
            if one["kind"] == "shares" and not one.get("levels")
        ],
        "spread": _spread(
            lookup(results, "attrition.groups") or [],
            lookup(results, "attrition.analysed_percent"),
            lookup(results, "limits.count_base") / 2.0,
        ),
        "groups_held": _all_held(lookup(results, "attrition.groups"), "analysed"),
        "links_held": _all_held(lookup(results, "linkage.by_group"), "linked_percent"),
        "balance_order": _by_size(lookup(results, "balance.rows") or []),
    }


def _spread(
    groups: list[Mapping[str, Any]], whole: float | None, half: float
) -> tuple[int, int] | None:
    """Positions of the groups that lost most and fewest, where rounding cannot have made it up.

    Shares come from counts rounded by up to ``half``. Where the share of everybody is not between
    the two, or counts that round to these could turn their order, there is nothing to be said.
    """
    shown = [
        (one["analysed_percent"], i)
        for i, one in enumerate(groups)
        if is_number(one.get("analysed_percent"))
    ]
    if not shown or not is_number(whole):
        return None
    (least, low), (most, high) = min(shown), max(shown)
    if not least <= whole <= most:
        return None
    apart = _ends_of_share(groups[low], half)[1] < _ends_of_share(groups[high], half)[0]
    return (low, high) if apart else None


def _ends_of_share(group: Mapping[str, Any], half: float) -> tuple[float, float]:
    """The least and the most that a share of rounded counts may stand for."""
    part, of = group["analysed"], group["submitted"]
    return (part - half) / (of + half), (part + half) / max(of - half, 1.0)


def _all_held(rows: Sequence[Mapping[str, Any]] | None, field: str) -> bool:
    """Whether a table has rows and nothing to show in any, by one and the same rule."""
    rules = {tuple(one.get("withheld") or ()) for one in rows or ()}
    return len(rules) == 1 and rules != {()} and all(one.get(field) is None for one in rows or ())


def _by_size(rows: list[Mapping[str, Any]]) -> list[int]:
    """Positions of rows, the largest difference after matching first, withheld ones last."""

    def rank(position: int) -> float:
        value = rows[position].get("smd_after")
        return 1.0 if value is None else -abs(value)

    return sorted(range(len(rows)), key=rank)
