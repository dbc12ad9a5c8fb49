"""Lines to quote: what can and what cannot be said, each true when cut out of its page."""

from collections.abc import Mapping
from typing import Any

from engine.release.formats import lookup
from engine.release.report.say import Standing, find, service, standing, verdict, within
from engine.release.report.sentences import Sentence, sentence

_ENDS = {
    "fewer": "between {~.ci_high|~least} and {~.ci_low|~size} {less}",
    "more": "between {~.ci_low|~least} and {~.ci_high|~size} {more}",
    "inconclusive": "anything from {~.ci_low|~size} {less} to {~.ci_high|~size} {more}",
}


def _ends(found: Standing, less: str, more: str, *, part: str = "", form: str = "whole") -> str:
    """Words for an interval: both ends as sizes, their direction in words."""
    least = "whole_least" if form == "whole" else f"{form}_size"
    words = _ENDS[found].replace("{less}", less).replace("{more}", more)
    return words.replace("~least", least).replace("~size", f"{form}_size").replace("~", part)


def can_say(results: Mapping[str, Any], measure: str) -> Sentence | None:
    """What a study allows to be said about a measure, in one sentence that stands alone.

    Parameters
    ----------
    results : mapping
        The released results of a study.
    measure : str
        Name of the measure.

    Returns
    -------
    Sentence or None
        ``None`` where nothing can be said.
    """
    if verdict(results) == "not_adequate":
        return _alone(results) if measure == "reoffended" else None
    key = find(results, measure)
    if key is None:
        return None
    held = lookup(results, key)
    found = standing(held)
    name, time = service(results), within(results)
    if found == "withheld":
        return None
    if found == "too_few":
        return sentence(
            f"{{.label|text}}: too few cases among people who took part in {name} to say if the"
            " gap to similar people is more than chance.",
            key,
        )
    took, others = f"people who took part in {name}", "similar people who did not"
    unclear = found == "inconclusive"
    if measure == "reoffended":
        ends = _ends(found, "fewer", "more", part=".per_100")
        if unclear:
            words = (
                f"It is not clear yet if {took} reoffended less or more often {time} than {others}:"
                f" the true gap could be {ends} in every 100."
            )
        else:
            less = "less" if found == "fewer" else "more"
            words = (
                f"Similar people put side by side, {took} reoffended {less} often {time} than"
                f" {others}: {ends} in every 100."
            )
    elif measure == "n_reoffences":
        ends = _ends(found, "fewer", "more", part=".per_100")
        if unclear:
            words = (
                f"It is not clear yet if {took} committed fewer or more crimes {time} than"
                f" {others}: the true gap could be {ends} for every 100 people."
            )
        else:
            words = (
                f"Similar people put side by side, {took} committed {found} crimes {time} than"
                f" {others}: {ends} for every 100 people."
            )
    elif measure == "days_to_first_reoffence":
        ends = _ends(found, "days sooner", "days later")
        if unclear:
            words = (
                f"Counting only people who reoffended, it is not clear yet if {took} did so sooner"
                f" or later than {others}: the true gap could be {ends}."
            )
        else:
            when = "sooner" if found == "fewer" else "later"
            words = (
                f"Counting only people who reoffended, {took} did so {when} than {others}: {ends},"
                " on average."
            )
    else:
        shares = held.get("unit") == "per_100_reoffenders"
        ends = _ends(found, "fewer", "more", form="whole" if shares else "trimmed")
        each = "in every 100" if shares else "for each person"
        could = "the true gap could be " if unclear else ""
        words = (
            f"{{.label|text}}, counting only people who reoffended: {could}{ends} {each} for {took}"
            f" than for {others}."
        )
    return sentence(words, key)


def _alone(results: Mapping[str, Any]) -> Sentence | None:
    alone = "analyses.0.treated_only"
    if lookup(results, f"{alone}.treated") is None:
        return None
    return sentence(
        f"Of every 100 people who took part in {service(results)} and could be followed,"
        f" {{.treated|whole}} reoffended {within(results)}; nobody alike enough was found to"
        " compare them with.",
        alone,
    )


def cannot_say(results: Mapping[str, Any], measure: str) -> Sentence:
    """What a study does not show about a measure, in one sentence that stands alone."""
    key = find(results, measure) or ""
    found = verdict(results)
    if found != "not_adequate" and key:
        found = standing(lookup(results, key))
    name = service(results)
    took = f"people who took part in {name}"
    if found == "not_adequate":
        words = (
            f"This analysis does not show if {took} reoffended less or more often than they would"
            " have done without it."
            if measure == "reoffended"
            else f"This analysis does not show that {name} fails, and it does not show that it"
            " works."
        )
    elif found == "withheld":
        words = f"{{.label|text}}: this analysis has too few cases to say a thing about {took}."
    elif measure == "reoffended":
        words = (
            f"This analysis does not show that {name} alone brought the gap about: people may"
            " differ in ways that no record holds."
            if found in ("fewer", "more")
            else f"This analysis does not show that {name} fails, and it does not show that it"
            " works."
        )
    elif measure == "n_reoffences":
        words = (
            f"This analysis does not show that each of the {took} committed {found} crimes: the"
            " figure is an average."
            if found in ("fewer", "more")
            else f"This analysis does not show if {took} committed fewer or more crimes than they"
            " would have done without it."
        )
    elif measure == "days_to_first_reoffence":
        words = (
            f"This analysis does not show that {name} made anybody reoffend sooner or later: it"
            " counts only people who reoffended, and who they are may differ between the groups."
        )
    else:
        words = (
            f"{{.label|text}}: this counts only people who reoffended, so it does not show what"
            f" {name} does for all who took part."
        )
    return sentence(words, key)


def for_all(results: Mapping[str, Any]) -> Sentence:
    """The line that holds for every study: rates of services are not league tables."""
    return sentence(
        f"This analysis does not show that {service(results)} does better or worse than another"
        " service, or than the country as a whole: their people differ."
    )
