"""Disclosure control of who is in a study: years, attrition, linkage, profile."""

from engine.release.control.policy import (
    CELL,
    CLASS,
    EXTREMES,
    GROUP,
    Policy,
    Results,
    cell_of,
    digits,
    is_safe_share,
    mean_of,
    percent,
    plain_step,
    rounded,
    share_of,
)
from engine.release.rounding import round_step


def control_study(policy: Policy, exact: Results) -> Results:
    """Return the facts of a study; its first and last year have enough people beyond them."""
    years = {int(year): n for year, n in exact["people_by_year"].items()}
    found = {key: value for key, value in exact.items() if key != "people_by_year"}
    for name, order in (("first_year", sorted(years)), ("last_year", sorted(years)[::-1])):
        seen, found[name] = 0, None
        for year in order:
            seen += years[year]
            if seen >= policy.fewest_in_cell:
                found[name] = year
                break
    return found


def control_attrition(policy: Policy, exact: Results) -> Results:
    """Return the attrition; stages that lose few people are merged with a neighbour."""
    submitted = exact["submitted"]
    stages = merged_stages(policy, exact["stages"])
    return {
        "submitted": rounded(policy, submitted),
        "analysed": cell_of(policy, exact["analysed"]),
        "analysed_percent": share_of(policy, exact["analysed"], submitted)
        if cell_of(policy, exact["analysed"]) is not None
        else None,
        "may_not_add": True,
        "stages": [stage_of(policy, one, submitted) for one in stages],
        "groups": levels_of(policy, exact["groups"]),
    }


def merged_stages(policy: Policy, stages: list[Results]) -> list[Results]:
    """Merge a stage that loses 1 to 9 people with the next that loses anybody."""
    merged: list[Results] = []
    waiting: Results | None = None
    for stage in stages:
        one = dict(stage, merged=[])
        if waiting is not None:
            one = _joined(waiting, one)
        small = 0 < one["lost"] < policy.fewest_in_cell
        waiting = one if small else None
        if not small and (one["lost"] or not one["merged"]):
            merged.append(one)
    if waiting is not None:
        while merged and 0 < waiting["lost"] < policy.fewest_in_cell:
            waiting = _joined(merged.pop(), waiting)
        merged.append(waiting)
    return merged


def stage_of(policy: Policy, exact: Results, submitted: int) -> Results:
    """Return a stage with those of its reasons that concern enough people."""
    lost = cell_of(policy, exact["lost"])
    share = share_of(policy, exact["lost"], submitted)
    reasons = [one for one in exact["reasons"] if one["lost"] >= policy.fewest_in_cell]
    rest = exact["lost"] - sum(one["lost"] for one in reasons)
    if 0 < rest < policy.fewest_in_cell and reasons:
        smallest = min(reasons, key=lambda one: one["lost"])
        reasons = [one for one in reasons if one is not smallest]
        rest += smallest["lost"]
    shown = [
        {
            "code": one["code"],
            "label": one["label"],
            "lost": cell_of(policy, one["lost"]),
            "lost_percent": share_of(policy, one["lost"], submitted),
        }
        for one in reasons
    ]
    if rest >= policy.fewest_in_cell:
        shown.append(
            {
                "code": "several",
                "label": "several reasons, each of few people",
                "lost": cell_of(policy, rest),
                "lost_percent": share_of(policy, rest, submitted),
            }
        )
    return {
        "code": exact["code"],
        "label": exact["label"],
        "left": exact["left"],
        "lost": lost,
        "lost_percent": None if lost is None else share,
        "lost_text": None
        if lost is None
        else "0%"
        if exact["lost"] == 0
        else "<1%"
        if share < 1
        else f"{share}%",
        "remaining": cell_of(policy, exact["remaining"]),
        "merged": exact["merged"],
        "reasons": shown,
        "withheld": [CELL] if lost is None else [],
    }


def with_company(sizes: list[float], few: list[bool]) -> list[bool]:
    """Return what is hidden of the parts of a whole: a single one could be had by subtraction.

    Parameters
    ----------
    sizes : list of float
        Of the parts; the smallest that may be shown joins one that is hidden alone.
    few : list of bool
        Which of them may not be shown.
    """
    if sum(few) != 1 or len(few) < 2:
        return few
    _, other = min((size, i) for i, size in enumerate(sizes) if not few[i])
    return [hidden or i == other for i, hidden in enumerate(few)]


def levels_of(policy: Policy, exact: list[Results]) -> list[Results]:
    """Return the levels of the sub-groups; who was analysed and who was not need people."""
    found = []
    for dimension in dict.fromkeys(one["dimension"] for one in exact):
        levels = [one for one in exact if one["dimension"] == dimension]
        sides = [min(one["analysed"], one["submitted"] - one["analysed"]) for one in levels]
        hidden = with_company(sides, [side < policy.fewest_in_cell for side in sides])
        found += [
            level_of(policy, one, hidden=few) for one, few in zip(levels, hidden, strict=True)
        ]
    return found


def level_of(policy: Policy, exact: Results, *, hidden: bool) -> Results:
    """Return a level of a sub-group."""
    small = exact["submitted"] < policy.fewest_in_cell
    return {
        "dimension": exact["dimension"],
        "level": exact["level"],
        "label": exact["label"],
        "submitted": None if small else rounded(policy, exact["submitted"]),
        "analysed": None if hidden else rounded(policy, exact["analysed"]),
        "analysed_percent": None
        if hidden
        else share_of(policy, exact["analysed"], exact["submitted"]),
        "withheld": [CELL] if hidden else [],
    }


def control_unmatched(policy: Policy, exact: Results) -> Results:
    """Return how those without a match differ; nothing where they are few."""
    few = 0 < exact["n"] < policy.fewest_people
    return {
        "n": None if few else rounded(policy, exact["n"]),
        "withheld": [GROUP] if few else [],
        "rows": []
        if few
        else [
            {
                "name": one["name"],
                "label": one["label"],
                "unit": one["unit"],
                "matched": mean_of(one["matched"], one["unit"]),
                "unmatched": mean_of(one["unmatched"], one["unit"]),
                "smd": plain_step(one["smd"], 0.1),
            }
            for one in exact["rows"]
            if one["unit"] != "percent" or is_safe_share(policy, one["unmatched"], exact["n"])
        ],
    }


def control_profile(policy: Policy, exact: Results) -> Results:
    """Return what the treated are like; nothing where they are few."""
    few = exact["n"] < policy.fewest_people
    sections = [] if few else [section_of(policy, one, exact["n"]) for one in exact["sections"]]
    return {
        "n": None if few else rounded(policy, exact["n"]),
        "sections": sections,
        "withheld": [GROUP] if few else [],
    }


def section_of(policy: Policy, exact: Results, n: int) -> Results:
    """Return one section of the profile; its shares are of everybody, as those of the balance."""
    found: Results = {key: exact[key] for key in ("name", "label", "kind")}
    found.update(levels=[], sums_to_100=None, mean=None, p10=None, p90=None, withheld=[])
    if exact["kind"] == "number":
        support = exact["support"]
        if support["n"] < policy.fewest_people:
            return {**found, "withheld": [GROUP]}
        found["mean"] = digits(exact["mean"])
        beyond = min(support["low"], support["high"]) >= policy.fewest_in_cell
        if beyond:
            found["p10"], found["p90"] = digits(exact["p10"]), digits(exact["p90"])
        return {**found, "withheld": [] if beyond else [EXTREMES]}
    least = policy.fewest_in_cell
    shown = [one for one in exact["levels"] if one["n"] >= least]
    rest, name = n - sum(one["n"] for one in shown), "others"
    if 0 < rest < least and shown and n * len(shown) < 100 * least:
        joined = shown.pop()
        rest += joined["n"]
        name = "others" if joined["label"] == "other" else f"{joined['label']} or others"
    elif rest < least:  # whole percents of so many people do not give it away
        rest = 0
    if not shown or (len(shown) == 1 and rest == 0):
        # One level that everybody has says something of each of them.
        return {**found, "withheld": [CLASS]}
    levels = [{"label": one["label"], "n": one["n"]} for one in shown]
    levels += [{"label": name, "n": rest}] if rest else []
    if len(levels) < 2:
        return {**found, "withheld": [CLASS]}
    found["levels"] = [
        {"label": one["label"], "percent": percent(one["n"] / n), "withheld": []} for one in levels
    ]
    found["sums_to_100"] = sum(one["percent"] for one in found["levels"]) == 100
    return found


def control_linkage(policy: Policy, exact: Results) -> Results:
    """Return how people were found."""
    submitted, least = exact["submitted"], policy.fewest_in_cell
    methods = [one for one in exact["by_method"] if one["n"] >= least]
    rest = sum(one["n"] for one in exact["by_method"]) - sum(one["n"] for one in methods)
    if 0 < rest < least and methods:
        smallest = min(methods, key=lambda one: one["n"])
        methods = [one for one in methods if one is not smallest]
        rest += smallest["n"]
    shown = [*methods]
    if rest >= least:
        shown.append({"method": "several", "label": "Other ways", "n": rest})
    both = min(exact["linked"], submitted - exact["linked"]) >= least
    false = exact["expected_false"]
    return {
        "submitted": rounded(policy, submitted),
        "linked": rounded(policy, exact["linked"]) if both else None,
        "linked_percent": share_of(policy, exact["linked"], submitted) if both else None,
        "by_method": [
            {
                **one,
                "n": rounded(policy, one["n"]),
                "percent": share_of(policy, one["n"], submitted),
            }
            for one in shown
        ],
        "expected_false_percent": None
        if false is None or not exact["linked"]
        else round_step(100.0 * false / exact["linked"], 0.1),
        "by_group": linked_by_group(policy, exact["by_group"]),
        "withheld": [] if both else [CELL],
    }


def linked_by_group(policy: Policy, exact: list[Results]) -> list[Results]:
    """Return the share found of each level of each group."""
    found = []
    for group in dict.fromkeys(one["group"] for one in exact):
        levels = [one for one in exact if one["group"] == group]
        sides = [min(one["linked"], one["rows"] - one["linked"]) for one in levels]
        hidden = with_company(sides, [side < policy.fewest_in_cell for side in sides])
        found += [
            {
                **{key: one[key] for key in ("group", "level", "label")},
                "linked_percent": None if few else share_of(policy, one["linked"], one["rows"]),
                "withheld": [CELL] if few else [],
            }
            for one, few in zip(levels, hidden, strict=True)
        ]
    return found


def _joined(first: Results, second: Results) -> Results:
    """Join two neighbouring stages: the second goes on, and holds what the first lost."""
    return {
        **second,
        "label": f"{first['label']}; {second['label']}",
        "lost": first["lost"] + second["lost"],
        "reasons": [*first["reasons"], *second["reasons"]],
        "merged": [*first["merged"], first["code"], *second["merged"]],
    }
