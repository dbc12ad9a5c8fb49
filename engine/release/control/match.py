"""Disclosure control of the match and of what would overturn its result."""

from itertools import groupby

from engine.matching.balance import CLOSE, FAIR
from engine.release.control.policy import (
    CELL,
    CLASS,
    GROUP,
    SIGNIFICANT,
    Policy,
    Results,
    Scale,
    column_alone,
    few_between,
    is_safe_share,
    mean_of,
    plain_step,
    rounded,
    share_of,
    smd_of,
    spans_zero,
    strikes_of,
)
from engine.release.rounding import round_step, two_digits
from engine.release.sensitivity_words import (
    NOTHING_TO_EXPLAIN,
    gamma_sentence,
    instability_sentence,
    left_out_sentence,
    placebo_sentence,
)


def control_balance(policy: Policy, exact: Results) -> Results:
    """Return the balance; levels of few people are merged into one row of their column."""
    rows: list[Results] = []
    for name, group in groupby(exact["rows"], lambda row: row["name"].partition("=")[0]):
        levels = [dict(row) for row in group]
        rows += merged_levels(policy, levels, name) if name in exact["many"] else levels
    summary = column_alone(exact["summary"], "largest_smd_name", "largest_smd_label")
    return {
        "denominator": exact["denominator"],
        "summary": {
            **summary,
            **{
                key: plain_step(summary[key], 0.01)
                for key in ("largest_smd_before", "auc_before", "auc_after")
            },
            "largest_smd_after": smd_of(summary["largest_smd_after"]),
        },
        "rows": [balance_row_of(policy, row) for row in rows],
    }


def balance_row_of(policy: Policy, exact: Results) -> Results:
    """Return a row of the balance."""
    support = exact["support"]
    rules = []
    if exact["unit"] == "percent":
        if support["with"] < policy.fewest_in_cell:
            rules = [CELL]
        elif support["without"] < policy.fewest_in_cell:
            rules = [CLASS]
    elif support["with"] < policy.fewest_people:
        rules = [GROUP]
    means = ("treated", "comparison_before", "comparison_after")
    size = exact["smd_after"]
    return {
        **{key: exact[key] for key in ("name", "label", "group", "kind", "unit")},
        **{key: None if rules else mean_of(exact[key], exact["unit"]) for key in means},
        "smd_before": None if rules else plain_step(exact["smd_before"], 0.01),
        "smd_after": None if rules else smd_of(size),
        "light": _light(size),
        "withheld": rules,
    }


def control_method(exact: Results) -> Results:
    """Return how the match was made, without what one person decides.

    A term that got no coefficient is named with its column: that a level is empty would say that
    nobody who was analysed is in it.
    """
    method = {key: value for key, value in exact.items() if key != "heaviest_share"}
    if "not_used" in method:
        named = [column_alone(one, "name", "label") for one in method["not_used"]]
        method["not_used"] = [one for n, one in enumerate(named) if one not in named[:n]]
    return method


def control_overlap(policy: Policy, exact: Results) -> Results:
    """Return the histograms in classes of enough people; the outermost are open."""
    least = max(policy.fewest_in_cell, 1)
    bounds, sums = [0], []
    held = [0.0, 0.0, 0.0]
    for i in range(len(exact["treated"])):
        for k, key in enumerate(("treated", "comparison_before", "comparison_after")):
            held[k] += exact[key][i]
        if held[0] >= least and held[1] >= least:
            sums.append(held)
            bounds.append(i + 1)
            held = [0.0, 0.0, 0.0]
    if sums and any(held):
        sums[-1] = [a + b for a, b in zip(sums[-1], held, strict=True)]
        bounds[-1] = len(exact["treated"])
    edges = [exact["edges"][i] for i in bounds]
    if len(sums) > 2:
        edges[0] = edges[1] - exact["step"]
        edges[-1] = edges[-2] + exact["step"]
    else:
        edges, sums = [], []
    whole = [sum(one[k] for one in sums) for k in range(3)]
    shares = [
        [int(round_step(100.0 * one[k] / whole[k])) if whole[k] else 0 for one in sums]
        for k in range(3)
    ]
    return {
        "scale": exact["scale"],
        "edges": [round_step(edge, 0.01) for edge in edges],
        "treated": shares[0],
        "comparison_before": shares[1],
        "comparison_after": shares[2],
        "withheld": [] if edges else [CELL],
    }


def control_sensitivity(
    policy: Policy, exact: Results | None, rules: list[str], verdict: str
) -> Results | None:
    """Return the sensitivity of the main result, with sentences from rounded figures.

    Where the result itself is withheld nothing is said of it, and where it is not clear there
    is nothing that a hidden factor would have to explain away.
    """
    if exact is None:
        return None
    scale, clear = Scale("share"), verdict in SIGNIFICANT
    gamma, left_out, band = exact["gamma"], exact["left_out"], exact["instability"]
    if rules:
        return {
            "gamma": None,
            "e_values": [],
            "left_out": None,
            "placebos": [],
            "instability": None,
            "withheld": rules,
        }
    found: Results = {"gamma": None, "left_out": None, "instability": None, "withheld": []}
    if gamma is not None:
        shown = {**gamma, "gamma": plain_step(gamma["gamma"], 0.1)}
        found["gamma"] = {**shown, **gamma_sentence(shown)}
    found["e_values"] = [
        {**one, **{key: plain_step(one[key], 0.1) for key in ("e_value", "e_value_ci")}}
        for one in exact["e_values"]
    ]
    if left_out is not None:
        rows = [
            {
                "name": one["name"],
                "label": one["label"],
                "plain": one["plain"],
                "difference": scale.nearest(one["difference"]),
                **scale.interval(one["ci_low"], one["ci_high"]),
                "inconclusive": one["inconclusive"],
                "times": plain_step(one["times"], 0.1),
                "strength": plain_step(one["strength"], 0.1),
            }
            for one in (left_out["rows"] if clear else [])
        ]
        found["left_out"] = {
            "rows": rows,
            "covariates_in_all": left_out["covariates_in_all"],
            "sentence": left_out_sentence(rows, verdict) if clear else NOTHING_TO_EXPLAIN,
        }
    found["placebos"] = [placebo_of(policy, one) for one in exact["placebos"]]
    if band is not None:
        shown = {
            "orders": band["orders"],
            "lowest": scale.interval(band["lowest"], band["highest"])["ci_low"],
            "highest": scale.interval(band["lowest"], band["highest"])["ci_high"],
        }
        found["instability"] = {**shown, "sentence": instability_sentence(shown)}
    return found


def placebo_of(policy: Policy, exact: Results) -> Results:
    """Return a placebo test; its groups and cells need people like those of any rate."""
    scale = Scale("share")
    rules = arms_rules(policy, exact["support"])
    nothing = {"difference": None, "ci_low": None, "ci_high": None, "spans_zero": None}
    shown = {
        **{key: exact[key] for key in ("name", "label", "unit", "passed")},
        **(
            nothing
            if rules
            else {
                "difference": scale.nearest(exact["difference"]),
                **scale.interval(exact["ci_low"], exact["ci_high"]),
                "spans_zero": spans_zero(exact["ci_low"], exact["ci_high"]),
            }
        ),
        "withheld": rules,
    }
    return {**shown, "sentence": placebo_sentence(shown)}


def arms_rules(policy: Policy, support: Results) -> list[str]:
    """Return the rules that a difference of rates breaks in one of its two groups."""
    arms = ("treated", "comparison")
    return list(
        dict.fromkeys(rule for arm in arms for rule in strikes_of(policy, support[arm], "share"))
    )


def control_path(policy: Policy, exact: Results, rules: list[str]) -> Results:
    """Return one point of the path; no difference where that of the main match is withheld."""
    scale = Scale("share")
    few = exact["treated_matched"] < policy.fewest_people
    rules = [GROUP] if few else rules or arms_rules(policy, exact["support"])
    lost = few_between(policy, exact["treated_matched"], exact["treated"])
    hidden = bool(rules)
    nothing = {"difference": None, "ci_low": None, "ci_high": None}
    return {
        "caliper": exact["caliper"],
        "ratio": exact["ratio"],
        "is_main": exact["is_main"],
        "treated_matched_percent": None
        if few or lost
        else share_of(policy, exact["treated_matched"], exact["treated"]),
        "largest_smd": None if few else smd_of(exact["largest_smd"]),
        **(
            nothing
            if hidden
            else {
                "difference": scale.nearest(exact["difference"]),
                **scale.interval(exact["ci_low"], exact["ci_high"]),
            }
        ),
        "spans_zero": None if hidden else spans_zero(exact["ci_low"], exact["ci_high"]),
        "withheld": [*rules, CELL] if lost and CELL not in rules else rules,
    }


def control_trio(policy: Policy, exact: Results | None) -> Results | None:
    """Return the three runs with and without assessments."""
    if exact is None:
        return None
    return {
        "runs": exact["runs"],
        "coverage_percent": share_of(policy, exact["assessed"], exact["treated"])
        if is_safe_share(policy, exact["assessed"] / exact["treated"], exact["treated"])
        else None,
        "agrees": exact["agrees"],
        "items": exact["items"],
    }


def control_certificate(policy: Policy, exact: Results) -> Results:
    """Return the certificate; pairs are a multiple of people, so they are rough."""
    few = exact["treated_matched"] < policy.fewest_people
    near = few_between(policy, exact["treated_matched"], exact["maximum_matchable"])
    pairs = float(exact["pairs_checked"])
    return {
        **exact,
        "pairs_checked": None if few else int(round_step(pairs, max(two_digits(pairs), 1.0))),
        "treated_matched": None if few else rounded(policy, exact["treated_matched"]),
        "maximum_matchable": None if few or near else rounded(policy, exact["maximum_matchable"]),
    }


def _light(size: float | None) -> str:
    if size is None or abs(size) > FAIR:
        return "red"
    return "green" if abs(size) <= CLOSE else "amber"


def merged_levels(policy: Policy, levels: list[Results], name: str) -> list[Results]:
    """Return the levels of a category, those of few people as one row at the end.

    Where the merged row is still too small to be shown and the others would give it away, the last
    of them joins it: the smallest would tell that it is no larger than the others. Shares in whole
    percent leave the sum of k levels open by k hundredths of the people: where that is as many as
    a cell needs, nothing is given away.
    """
    least = policy.fewest_in_cell
    levels = [row for row in levels if row["support"]["with"] or row["comparison_before"] != 0.0]
    few = [row for row in levels if row["support"]["with"] < least]
    shown = [row for row in levels if row["support"]["with"] >= least]
    if not few:
        return levels
    merged = _other_level(few[0], name)
    for row in few[1:]:
        _add_level(merged, row)
    people = merged["support"]["with"] + merged["support"]["without"]
    if merged["support"]["with"] < least and shown and people * len(shown) < 100 * least:
        joined = shown.pop()
        if joined["label"] != merged["label"]:
            merged["label"] = f"{joined['label']} or other"
        _add_level(merged, joined)
    return [*shown, merged]


def _other_level(row: Results, name: str) -> Results:
    """Return a row for the small levels of a category, with its first one in it."""
    label = row["label"].partition(":")[0]
    return {**row, "name": f"{name}=(other)", "label": f"{label}: other"}


def _add_level(other: Results, row: Results) -> None:
    """Add a small level to the row of small levels."""
    for key in ("treated", "comparison_before", "comparison_after"):
        other[key] = None if None in (other[key], row[key]) else other[key] + row[key]
    other["support"] = {
        "with": other["support"]["with"] + row["support"]["with"],
        "without": other["support"]["without"] - row["support"]["with"],
    }
    for when in ("before", "after"):
        other[f"smd_{when}"] = _share_smd(other, other[f"comparison_{when}"])


def _share_smd(row: Results, comparison: float | None) -> float | None:
    """Return the standardised difference of two shares by their pooled deviation before."""
    treated, before = row["treated"], row["comparison_before"]
    if treated is None or comparison is None or before is None:
        return None
    variance = (treated * (1.0 - treated) + before * (1.0 - before)) / 2.0
    return (treated - comparison) / float(variance**0.5) if variance > 0.0 else None
