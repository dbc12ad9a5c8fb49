"""Outcomes and histories row by row in plain Python, written from the method and nothing else.

No array, no database, none of the engine's code: dates are ``datetime.date``, a person is a list of
dictionaries, and every rule is one visible condition.
"""

import calendar
import datetime as dt
import math

COUNTED = {"conviction", "caution", "reprimand_warning"}
CUSTODY = {"custody", "youth_custody"}
ORDERS = {"suspended_sentence", "community_order", "youth_rehabilitation"}
GRAVITY = {"indictable_only": 0, "either_way": 1, "summary": 2}


def months_later(day, months):
    """The same day of a later month, or that month's last day."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def age(born, day):
    if born is None or day is None or day < born:
        return None
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def offence_day(offence):
    return offence["offence_date"] or offence["conviction_date"]


def counts(offence):
    return offence["recordable"] and not offence["breach"] and offence["outcome"] in COUNTED


def outcomes(disposal, offences, disposals):
    """The eleven measures of one index disposal; None where a measure is for reoffenders only."""
    index = disposal["index_date"]
    if index is None:
        return None
    reoffences = [
        o
        for o in offences
        if counts(o)
        and index < offence_day(o) <= months_later(index, 12)
        and o["conviction_date"] <= months_later(index, 18)
    ]
    type_of = {d["disposal_id"]: d["disposal_type"] for d in disposals}
    result = {"reoffended": bool(reoffences), "n_reoffences": len(reoffences)}
    conditional = (
        "days_to_first_reoffence",
        "first_reoffence_indictable",
        "first_reoffence_either_way",
        "first_reoffence_summary",
        "n_reoffences_indictable",
        "n_reoffences_either_way",
        "n_reoffences_summary",
        "custody_for_first_reoffence",
        "n_custodial_sentences",
    )
    if not reoffences:
        return result | dict.fromkeys(conditional)
    first = min(
        reoffences,
        key=lambda o: (offence_day(o), GRAVITY[o["trial_mode"]], o["offence_id"]),
    )
    result["days_to_first_reoffence"] = (offence_day(first) - index).days
    for mode, name in (
        ("indictable_only", "indictable"),
        ("either_way", "either_way"),
        ("summary", "summary"),
    ):
        result[f"first_reoffence_{name}"] = first["trial_mode"] == mode
        result[f"n_reoffences_{name}"] = sum(o["trial_mode"] == mode for o in reoffences)
    result["custody_for_first_reoffence"] = type_of.get(first["disposal_id"]) in CUSTODY
    result["n_custodial_sentences"] = len(
        {o["disposal_id"] for o in reoffences if type_of.get(o["disposal_id"]) in CUSTODY}
    )
    return result


def history(disposal, person, offences, disposals):
    """Criminal history before the day of the disposal, ages, and the Copas rate."""
    day = disposal["disposal_date"]
    before = [o for o in offences if counts(o) and o["conviction_date"] < day]
    sanctions = {o["conviction_date"] for o in before}
    first = min(sanctions) if sanctions else None
    born = person["date_of_birth"] or person["birth_month"]
    result = {
        "previous_offences": len(before),
        "previous_sanctions": len(sanctions),
        "previous_convictions": len(
            {o["conviction_date"] for o in before if o["outcome"] == "conviction"}
        ),
        "previous_cautions": len(
            {o["conviction_date"] for o in before if o["outcome"] != "conviction"}
        ),
        "previous_custodial_sentences": len(
            {
                d["disposal_date"]
                for d in disposals
                if d["disposal_date"] < day and d["disposal_type"] in CUSTODY
            }
        ),
        "previous_court_orders": len(
            {
                d["disposal_date"]
                for d in disposals
                if d["disposal_date"] < day and d["disposal_type"] in ORDERS
            }
        ),
        "previous_breach_or_bail": sum(
            o["conviction_date"] < day
            and (o["breach"] or o["group20"] == "absconding or bail offences")
            for o in offences
        ),
        "career_days": (day - first).days if first else 0,
        "days_since_last_sanction": (day - max(sanctions)).days if sanctions else None,
        "age_at_index": age(born, disposal["index_date"]),
        "age_at_disposal": age(born, day),
        "age_at_first_sanction": age(born, first or day),
    }
    for group in ("theft offences", "violence against the person", "other"):
        name = "previous_" + group.replace(" ", "_")
        result[name] = sum(o["group13"] == group for o in before)
    return result


def copas_rate(row):
    """ln((1 + previous sanctions) / (10 + age now - age at first sanction))."""
    gap = row["age_at_disposal"] - row["age_at_first_sanction"]
    return math.log((1 + row["previous_sanctions"]) / (10 + gap))


def excluded(disposal, person, offences, spells):
    """The first reason why a disposal is no index disposal."""
    own = [o for o in offences if o["disposal_id"] == disposal["disposal_id"]]
    born = person["date_of_birth"] or person["birth_month"]
    young = age(born, disposal["index_date"])
    breach_only = bool(own) and all(o["breach"] for o in own)
    linked = []
    if disposal["disposal_type"] in CUSTODY:
        linked = [
            s
            for s in spells
            if s["disposal_id"] == disposal["disposal_id"]
            or (s["released_on"] is not None and s["released_on"] == disposal["release_date"])
        ]
    recall = any(
        s["spell_type"] == "life_recall" and s["released_on"] == disposal["release_date"]
        for s in linked
        if s["released_on"] is not None
    )
    reasons = {
        "excluded by the data owner": disposal["excluded_reason"] is not None,
        "no index date": disposal["index_date"] is None,
        "no proven offence": not any(counts(o) for o in own) and not breach_only,
        "breach only": breach_only,
        "recall of a life sentence": recall,
        "remand only": bool(linked) and all(s["spell_type"] == "remand" for s in linked),
        "under the age of responsibility": young is not None and young < 10,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def support(disposal, spells):
    """Work, benefits and other support in the month and the year up to the day before."""
    day = disposal["disposal_date"]
    families = {
        "jsa": {"JSA"},
        "ib_esa": {"IB", "ESA"},
        "income_support": {"IS"},
        "universal_credit": {"UC"},
    }
    kinds = {"employed": "employment", "benefits": "benefits"}
    kinds |= {name: name for name in ("accommodation", "programmes")}
    chosen = {name: [s for s in spells if s["kind"] == kind] for name, kind in kinds.items()} | {
        name: [s for s in spells if s["kind"] == "benefits" and s["code"] in codes]
        for name, codes in families.items()
    }
    result = {}
    for window, months in (("month_before", 1), ("year_before", 12)):
        begin = months_later(day, -months)
        asked = [begin + dt.timedelta(days=n) for n in range((day - begin).days)]
        for name, own in chosen.items():
            covered = [
                one
                for one in asked
                if any(
                    s["period_start"] <= one and (s["period_end"] is None or one <= s["period_end"])
                    for s in own
                )
            ]
            result[f"{name}_{window}"] = bool(covered)
            if name in {"employed", "benefits"} and months == 12:
                result[f"days_{name}_{window}"] = len(covered)
    result["never_linked"] = not any(
        s["period_start"] < day and s["kind"] in {"employment", "benefits"} for s in spells
    )
    return result


def nearest_assessment(disposal, assessments):
    """The latest complete assessment on the index date or up to 365 days before."""
    index = disposal["index_date"]
    if index is None:
        return None
    near = [
        a
        for a in assessments
        if a["status"] == "complete" and 0 <= (index - a["assessment_date"]).days <= 365
    ]
    return max(near, key=lambda a: (a["assessment_date"], a["assessment_id"]), default=None)
