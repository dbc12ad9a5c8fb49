"""Lines to quote: what can and what cannot be said, each true when cut out of its page."""

from collections.abc import Mapping
from typing import Any

from engine.release.formats import lookup
from engine.release.report.say import find, service, standing, verdict, within
from engine.release.report.sentences import Sentence, sentence

_TOOK = "people who took part in [name]"
_OTHERS = "similar people who did not"

_ENDS = {
    "fewer": "most likely between {~.ci_high|[least]} and {~.ci_low|[size]} [less]",
    "more": "most likely between {~.ci_low|[least]} and {~.ci_high|[size]} [more]",
    "inconclusive": "anything from {~.ci_low|[size]} [less] to {~.ci_high|[size]} [more]",
}
_CLEAR = {
    "reoffended": (
        f"[Took] reoffended [often] [time] than {_OTHERS}. The gap is [ends] in every 100."
    ),
    "n_reoffences": (
        f"[Took] committed [word] new offences [time] than {_OTHERS}. The gap is [ends] for every"
        " 100 people."
    ),
    "days_to_first_reoffence": (
        f"Of those who reoffended, {_TOOK} did so [word] than {_OTHERS}. The gap is [ends], on"
        " average."
    ),
    "share": (
        "{.label|text}, of those who reoffended: [ends] in every 100 for"
        f" {_TOOK} than for {_OTHERS}."
    ),
    "count": (
        "{.label|text}, of those who reoffended: [ends] for each person among"
        f" {_TOOK} than among {_OTHERS}."
    ),
}
_UNCLEAR = {
    "reoffended": (
        f"It is not clear yet if {_TOOK} reoffended less or more often [time] than {_OTHERS}. The"
        " true gap could be [ends] in every 100."
    ),
    "n_reoffences": (
        f"It is not clear yet if {_TOOK} committed fewer or more new offences [time] than"
        f" {_OTHERS}. The true gap could be [ends] for every 100 people."
    ),
    "days_to_first_reoffence": (
        f"Of those who reoffended, it is not clear yet if {_TOOK} did so sooner or later than"
        f" {_OTHERS}. The true gap could be [ends]."
    ),
    "share": (
        "{.label|text}, of those who reoffended: the true gap could be [ends] in every"
        f" 100 for {_TOOK} than for {_OTHERS}."
    ),
    "count": (
        "{.label|text}, of those who reoffended: the true gap could be [ends] for each"
        f" person among {_TOOK} than among {_OTHERS}."
    ),
}
_TOO_FEW = (
    f"{{.label|text}}: too few cases among {_TOOK} to say if the gap to similar people is more than"
    " chance."
)
_NEITHER = "This study does not show that [name] fails. It does not show that [name] works."
_CONDITIONAL = (
    "{.label|text}: this counts only those who reoffended, so it does not show what [name] does for"
    " all who took part."
)
_NOT_CLEAR_CUT = {
    "reoffended": (
        "This study does not show that [name] alone made the gap. People may differ in ways that no"
        " record holds."
    ),
    "n_reoffences": (
        "This study does not show that each person who took part in [name] committed [word] new"
        " offences. The figure is an average."
    ),
}
_NOT_UNCLEAR = {
    "reoffended": _NEITHER,
    "n_reoffences": "This study does not show if [name] leads to fewer or more new offences.",
}
_NOT_DAYS = (
    "This study does not show that [name] made people reoffend sooner or later. It counts only"
    " those who did reoffend, and who they are may differ from group to group."
)
_NOT_COMPARED = (
    f"This study does not show if {_TOOK} reoffended less or more often than they would have done"
    " without it."
)
_HELD_BACK = f"{{.label|text}}: this study has too few cases to say a thing about {_TOOK}."


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
    key = find(results, measure)
    if verdict(results) == "not_adequate":
        return _alone(results) if measure == "reoffended" else None
    if key is None:
        return None
    held = lookup(results, key)
    found = standing(held)
    if found == "withheld":
        return None
    if found == "too_few":
        return _filled(results, _TOO_FEW, key)
    unit = str(held.get("unit"))
    kind = measure if measure in _CLEAR else "share" if unit.startswith("per_100") else "count"
    word = {"fewer": "sooner", "more": "later"}.get(found, "") if unit == "days" else found
    return _filled(
        results,
        (_UNCLEAR if found == "inconclusive" else _CLEAR)[kind],
        key,
        {
            **_interval_parts(held, found),
            "[often]": "less often" if found == "fewer" else "more often",
            "[word]": word,
        },
    )


def _interval_parts(measure: Mapping[str, Any], found: str) -> dict[str, str]:
    """Words for the two ends of an interval: their sizes by key, their direction in words."""
    days = measure.get("unit") == "days"
    whole = measure.get("per_100") or measure.get("unit") not in ("per_person", "per_reoffender")
    return {
        "[ends]": _ENDS[found],
        "[less]": "sooner" if days else "fewer",
        "[more]": "later" if days else "more",
        "[least]": "whole_least" if whole else "trimmed_least",
        "[size]": "days_said" if days else "whole_size" if whole else "trimmed_size",
        "{~": "{.per_100" if measure.get("per_100") else "{",
    }


def cannot_say(results: Mapping[str, Any], measure: str) -> Sentence:
    """What a study does not show about a measure, in one sentence that stands alone.

    Parameters
    ----------
    results : mapping
        The released results of a study.
    measure : str
        Name of the measure.

    Returns
    -------
    Sentence
    """
    key = find(results, measure)
    if verdict(results) == "not_adequate" or key is None:
        return _filled(results, _NOT_COMPARED if measure == "reoffended" else _NEITHER, "")
    found = standing(lookup(results, key))
    if found == "withheld":
        words = _HELD_BACK
    elif measure == "days_to_first_reoffence":
        words = _NOT_DAYS
    elif found in ("fewer", "more"):
        words = _NOT_CLEAR_CUT.get(measure, _CONDITIONAL)
    else:
        words = _NOT_UNCLEAR.get(measure, _CONDITIONAL)
    return _filled(results, words, key, {"[word]": found})


def for_all(results: Mapping[str, Any]) -> Sentence:
    """The line that holds for every study: rates of services are no league table."""
    words = (
        "This study does not show that [name] does better or worse than other services, or than the"
        " country as a whole. The people they work with differ."
    )
    return _filled(results, words, "")


def clear_parts(results: Mapping[str, Any]) -> list[Sentence]:
    """Every clear result of an analysis other than the main one, a sentence each."""
    made = []
    for i, one in enumerate(results.get("analyses") or ()):
        for j, measure in enumerate(one.get("measures") or ()):
            found = standing(measure)
            if not i or found not in ("fewer", "more"):
                continue
            key = f"analyses.{i}.measures.{j}"
            days = measure.get("unit") == "days"
            hundred = str(measure.get("unit")).startswith("per_100") or measure.get("per_100")
            each = "" if days else " in every 100" if hundred else " for each person"
            parts = _interval_parts(measure, found)
            words = f"{{analyses.{i}.label|text}}, {{.label|text}}: [ends]{each}."
            made.append(_filled(results, words, key, parts))
    return made


def _alone(results: Mapping[str, Any]) -> Sentence | None:
    """The rate of those who took part, where nobody alike was found."""
    alone = "analyses.0.treated_only"
    if lookup(results, f"{alone}.treated") is None:
        return None
    words = (
        "Of every 100 people who took part in [name] and could be followed, {.treated|whole}"
        " reoffended [time]; no group enough like them was found to compare them with."
    )
    return _filled(results, words, alone)


def _filled(
    results: Mapping[str, Any], words: str, key: str, parts: Mapping[str, str] | None = None
) -> Sentence:
    """A sentence with its parts in square brackets put in."""
    for mark, part in (parts or {}).items():
        words = words.replace(mark, part)
    words = (
        words.replace("[Took]", f"P{_TOOK[1:]}")
        .replace("[name]", service(results))
        .replace("[time]", within(results))
    )
    return sentence(words, key)
