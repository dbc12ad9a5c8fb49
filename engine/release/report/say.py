"""What may be said: the rule from a verdict and its interval to the sentences of the first screen.

Each sentence is chosen by the verdict and takes its numbers from the interval. A verdict that its
own interval contradicts is refused, so that no page can say one thing and show another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import JusticeLabError
from engine.release.formats import is_number, lookup
from engine.release.report.sentences import Sentence, sentence

Standing = Literal["fewer", "more", "inconclusive", "too_few", "not_adequate", "withheld"]

CARDS = ("reoffended", "n_reoffences", "days_to_first_reoffence")
"""The three measures of the first screen."""

_STANDINGS: dict[str, Standing] = {
    "fewer": "fewer",
    "earlier": "fewer",
    "more": "more",
    "later": "more",
    "inconclusive": "inconclusive",
    "too_few_reoffenders": "too_few",
    "match_not_adequate": "not_adequate",
}
LABELS = {
    "fewer": "People who took part reoffended less often",
    "more": "People who took part reoffended more often",
    "inconclusive": "We cannot tell yet",
    "too_few": "Too few people to judge",
    "not_adequate": "No fair comparison could be made",
    "withheld": "The result cannot be shown",
}
"""Verdict of a study in a few words."""


def standing(measure: Mapping[str, Any]) -> Standing:
    """What a measure allows to be said.

    Parameters
    ----------
    measure : mapping
        One measure of one analysis.

    Returns
    -------
    str
        ``fewer`` or ``more`` (for days: earlier or later), ``inconclusive``, ``too_few``,
        ``not_adequate``, or ``withheld`` where the interval may not be shown.

    Raises
    ------
    JusticeLabError
        The verdict contradicts the interval beside it.

    Notes
    -----
    Ends are rounded outward, so an end of 0 beside a clear verdict stands for less than one.
    """
    if measure.get("verdict") is None:
        return "withheld"
    found = _STANDINGS.get(str(measure["verdict"]))
    if found is None:
        raise JusticeLabError(f"no such verdict: {measure.get('verdict')}")
    low, high, middle = (measure.get(key) for key in ("ci_low", "ci_high", "difference"))
    if not (is_number(low) and is_number(high) and is_number(middle)):
        return found if found in ("too_few", "not_adequate") else "withheld"
    agrees = {
        "fewer": high <= 0 and low < 0,
        "more": low >= 0 and high > 0,
        "inconclusive": low <= 0 <= high,
    }
    if not agrees.get(found, True) or not low <= middle <= high:
        raise JusticeLabError(
            f"the verdict of '{measure.get('measure')}' contradicts its own interval",
            rule="A verdict is fewer or more only where the whole interval lies on one side of 0",
        )
    return found


def find(results: Mapping[str, Any], measure: str, analysis: str = "main") -> str | None:
    """Key of a measure of an analysis, ``None`` where the results hold none."""
    for i, one in enumerate(results.get("analyses") or ()):
        if one.get("id") == analysis:
            for j, held in enumerate(one.get("measures") or ()):
                if held.get("measure") == measure:
                    return f"analyses.{i}.measures.{j}"
    return None


def verdict(results: Mapping[str, Any]) -> Standing:
    """What the study as a whole allows to be said: the standing of its headline measure."""
    said = results["headline"]
    if said["verdict"] == "match_not_adequate":
        return "not_adequate"
    key = find(results, said["measure"], said["analysis"])
    return "withheld" if key is None else standing(lookup(results, key))


def service(results: Mapping[str, Any]) -> str:
    """Words for the service, its own name where it has one."""
    named = lookup(results, "study.service") is not None
    return "{study.service|text}" if named else "the service"


def within(results: Mapping[str, Any]) -> str:
    """Words for the time in which people were followed."""
    if lookup(results, "study.follow_up_months") == 12:
        return "within a year"
    return "within {study.follow_up_months|whole} months"


@dataclass(frozen=True)
class Headline:
    """The first thing that a reader meets.

    Attributes
    ----------
    standing : str
    label : str
        The verdict in a few words.
    lead : tuple of Sentence
        What was seen and what it means, a sentence each.
    then : tuple of Sentence
        What it does not mean, what is missing, what would cure it.
    """

    standing: Standing
    label: str
    lead: tuple[Sentence, ...]
    then: tuple[Sentence, ...]


def headline(results: Mapping[str, Any]) -> Headline:
    """The verdict of a study in plain sentences.

    Parameters
    ----------
    results : mapping
        The released results of a study.

    Returns
    -------
    Headline
    """
    found = verdict(results)
    said = results["headline"]
    key = find(results, said["measure"], said["analysis"]) or ""
    lead, then = {
        "fewer": _clear,
        "more": _clear,
        "inconclusive": _unclear,
        "too_few": _too_few,
        "not_adequate": _not_adequate,
        "withheld": _held_back,
    }[found](results, found)
    return Headline(
        found,
        LABELS[found],
        tuple(sentence(words, key) for words in lead),
        tuple(sentence(words, key) for words in then),
    )


def _rates(results: Mapping[str, Any]) -> list[str]:
    return [
        f"Of every 100 people who took part, {{.treated|whole}} reoffended {within(results)}.",
        "Of every 100 similar people who did not take part, {.comparison|whole} did.",
    ]


def _clear(results: Mapping[str, Any], found: str) -> tuple[list[str], list[str]]:
    near, far = ("ci_high", "ci_low") if found == "fewer" else ("ci_low", "ci_high")
    gap = (
        f"The true gap is likely to be between {{.{near}|whole_least}} and {{.{far}|whole_size}}"
        f" {found} in every 100."
    )
    return [*_rates(results), gap], []


_USUAL = 20_000
"""People of the largest services whose matched study was published; no list is longer."""


def _unclear(results: Mapping[str, Any], _: str) -> tuple[list[str], list[str]]:
    gap = (
        "The true gap could be anything from {.ci_low|whole_size} fewer to {.ci_high|whole_size}"
        " more in every 100."
    )
    needed = lookup(results, "headline.people_needed")
    if is_number(needed) and needed <= _USUAL:
        need = (
            "To tell a gap of the size we saw from chance, about {headline.people_needed|count}"
            " people who took part would be needed."
        )
    else:
        need = "The gap we saw is so small that no list of people of a usual size could tell."
    fair = "This does not show that the service fails. It does not show that it works."
    return [*_rates(results), gap], [need, fair]


def _too_few(results: Mapping[str, Any], _: str) -> tuple[list[str], list[str]]:
    measure = lookup(results, find(results, results["headline"]["measure"]) or "") or {}
    lead = []
    if is_number(measure.get("treated")) and is_number(measure.get("comparison")):
        lead = _rates(results)
    lead.append(
        "The two groups look different, but fewer than {limits.least_reoffenders|count} of those"
        " who took part reoffended. That is too few for a fair verdict."
    )
    return lead, [
        "More people would cure this: a longer list, or the lists of several years put together.",
        "This does not show that the service fails. It does not show that it works.",
    ]


def _not_adequate(results: Mapping[str, Any], _: str) -> tuple[list[str], list[str]]:
    rules = lookup(results, "analyses.0.gate.rules") or ()
    missed = {str(rule.get("code")) for rule in rules if not rule.get("passed")}
    lead = [_ALL_PAIRED if missed == {"largest_smd"} else _NOT_FOUND]
    for number, rule in enumerate(rules):
        words = None if rule.get("passed") else _MISSED.get(str(rule.get("code")))
        if words is not None and is_number(rule.get("value")):
            lead.append(words.replace("{~", f"{{analyses.0.gate.rules.{number}"))
    alone = "analyses.0.treated_only"
    if is_number(lookup(results, f"{alone}.treated")):
        lead.append(
            f"Of every 100 people who took part, {{{alone}.treated|whole}} reoffended"
            f" {within(results)}. With nothing to set it beside, that number does not show how well"
            " the service works."
        )
    return lead, [
        (
            "What would help: more facts on how people were chosen, a wider group to compare with,"
            " or a longer list."
        ),
        "This does not show that the service fails. It does not show that it works.",
    ]


_NOT_FOUND = "We could not find people who were enough like those who took part."
_ALL_PAIRED = (
    "We found people to set them beside, but the two groups as a whole are not enough alike."
)
_MISSED = {
    "matched_treated": (
        "Only {~.value|count} of them could be paired with people like them, and at least"
        " {~.limit|count} are needed."
    ),
    "matched_share": (
        "Only {~.value|whole_percent} of them could be paired with people like them, and at least"
        " {~.limit|whole_percent} are needed."
    ),
    "largest_smd": (
        "The two groups still differ too much in what was known before, most of all in"
        " ‘{~.plain|text}’."
    ),
}
"""Sentence for each rule of the gate that was not met."""


def _held_back(_: Mapping[str, Any], __: str) -> tuple[list[str], list[str]]:
    return ["The figures rest on so few people that they are held back."], [
        "More people would cure this: a longer list, or the lists of several years put together."
    ]


@dataclass(frozen=True)
class Card:
    """One of the three measures of the first screen.

    Attributes
    ----------
    key : str
        Where the measure stands in the results.
    measure, title : str
    values : str
        Key below which the two values and the difference stand.
    unit : str
        Words after a value.
    standing : str
    verdict : str
        The verdict in a word or two.
    said : tuple of Sentence
    note : str
        Said of the measure as such, empty where there is nothing to say.
    """

    key: str
    measure: str
    title: str
    values: str
    unit: str
    standing: Standing
    verdict: str
    said: tuple[Sentence, ...]
    note: str


_WHOLE = ("whole_least", "whole_size")
_CARDS = {
    "reoffended": (
        "How many reoffended",
        ".per_100",
        "in every 100 people",
        ("fewer", "more"),
        " in every 100 people",
        "",
    ),
    "n_reoffences": (
        "How often",
        ".per_100",
        "new offences for every 100 people",
        ("fewer", "more"),
        " for every 100 people",
        "This counts all who took part, not just those who reoffended.",
    ),
    "days_to_first_reoffence": (
        "How soon",
        "",
        "days to the first new offence",
        ("sooner", "later"),
        "",
        "This counts only those who reoffended.",
    ),
}


def cards(results: Mapping[str, Any]) -> list[Card]:
    """The cards of the first screen that the results hold figures for."""
    made = []
    for name in CARDS:
        key = find(results, name)
        if key is not None:
            made.append(_card(results, name, key))
    return made


def _card(results: Mapping[str, Any], name: str, key: str) -> Card:
    title, values, unit, (less, more), tail, note = _CARDS[name]
    found = standing(lookup(results, key))
    base = key + values
    least, size = ("days_least", "days_said") if unit.startswith("days") else _WHOLE
    said = {
        "fewer": f"The true gap is likely to be between {{.ci_high|whole_least}} and"
        f" {{.ci_low|{size}}} {less}{tail}.",
        "more": f"The true gap is likely to be between {{.ci_low|whole_least}} and"
        f" {{.ci_high|{size}}} {more}{tail}.",
        "inconclusive": f"The true gap could be anything from {{.ci_low|{size}}} {less} to"
        f" {{.ci_high|{size}}} {more}{tail}.",
        "too_few": "Too few people reoffended for a fair verdict.",
        "withheld": "Held back, as it would rest on too few people.",
        "not_adequate": "No fair comparison could be made.",
    }[found]
    labels = {
        "fewer": f"{{.difference|{least}}} {less}",
        "more": f"{{.difference|{least}}} {more}",
        "inconclusive": "Not clear yet",
        "too_few": "Too few to judge",
        "withheld": "Held back",
        "not_adequate": "Not compared",
    }
    return Card(
        key=key,
        measure=name,
        title=title,
        values=base,
        unit=unit,
        standing=found,
        verdict=sentence(labels[found], base).words,
        said=(sentence(said, base),),
        note=note,
    )
