"""Disclosure control of the analyses: sizes, gate, measures."""

from engine.release.control.policy import (
    CELL,
    CLASS,
    FEW_EXPECTED,
    FEW_PLANNED,
    GROUP,
    SIGNIFICANT,
    Policy,
    Results,
    Scale,
    column_alone,
    few_between,
    on_its_side,
    p_values,
    rough,
    rounded,
    share_of,
    smd_of,
    spans_zero,
    strikes_of,
    two_decimals,
)
from engine.release.rounding import round_step

FIGURES = (
    "treated",
    "comparison",
    "difference",
    "ci_low",
    "ci_high",
    "treated_ci",
    "comparison_ci",
    "per_100",
    "p_value",
    "p_text",
    "p_holm",
    "p_benjamini_hochberg",
    "people_needed",
    "direction",
    "spans_zero",
    "parts_add",
    "moj_compatible",
    "adjusted",
)
SIZES = (
    "treated",
    "treated_matched",
    "comparison_pool",
    "comparison_matched",
    "comparison_effective",
    "reoffenders_treated",
    "reoffenders_comparison",
)
ARMS = ("treated", "comparison")
_PER_100 = {"reoffended", "n_reoffences"}


def control_analysis(policy: Policy, exact: Results) -> Results:
    """Return an analysis."""
    kept = ("id", "kind", "label", "dimension", "level", "declared", "status", "why_not",
            "region_controlled", "verdict")  # fmt: skip
    counts = sizes_of(policy, exact["counts"] or dict.fromkeys(SIZES))
    if exact["why_not"] == "too_few_treated":
        counts["withheld"] = [FEW_PLANNED]
    own = exact["treated_only"]
    summary = exact["balance_summary"]
    return {
        **{key: exact[key] for key in kept},
        "gate": gate_of(policy, exact["gate"], exact["counts"]),
        "counts": counts,
        "balance_summary": None
        if summary is None
        else {
            **column_alone(summary, "largest_smd_name", "largest_smd_label"),
            "largest_smd": smd_of(summary["largest_smd"]),
        },
        "measures": control_measures(policy, exact["measures"]),
        "treated_only": None if own is None else treated_only_of(policy, own),
    }


def sizes_of(policy: Policy, exact: Results) -> Results:
    """Return the sizes of an analysis; none where the group is too small.

    Where few people are without a match their number must not come out as a difference, so how
    many there were before matching is held back.
    """
    matched = exact["treated_matched"]
    small = matched is None or matched < policy.fewest_people
    few = {name: small or exact[f"{name}_matched"] < policy.fewest_people for name in ARMS}
    found: Results = {
        name: None if few[name.partition("_")[0]] else rounded(policy, exact[name])
        for name in SIZES[:5]
    }
    lost = not small and few_between(policy, matched, exact["treated"])
    if not few["comparison"] and few_between(
        policy, exact["comparison_matched"], exact["comparison_pool"]
    ):
        found["comparison_pool"] = None
    if lost:
        found["treated"] = None
    found["treated_matched_percent"] = (
        None if small or lost else share_of(policy, matched, exact["treated"])
    )
    for name, of in (("treated", "treated_matched"), ("comparison", "comparison_matched")):
        n = exact[f"reoffenders_{name}"]
        hidden = few[name] or n is None or min(n, exact[of] - n) < policy.fewest_in_cell
        found[f"reoffenders_{name}"] = None if hidden else rounded(policy, n)
    rules = [GROUP] if any(few.values()) else []
    return {**found, "withheld": [*rules, CELL] if lost else rules}


def gate_of(policy: Policy, exact: Results | None, counts: Results) -> Results | None:
    """Return the gate; sizes are rounded, and hidden where the group is too small."""
    if exact is None:
        return None
    matched, treated = counts["treated_matched"], counts["treated"]
    few = matched < policy.fewest_people
    rules = []
    for rule in exact["rules"]:
        value, limit = rule["value"], rule["limit"]
        if rule["code"] == "matched_treated":
            value = None if few else rounded(policy, value)
        elif rule["code"] == "matched_share":
            limit = int(round_step(100.0 * limit))
            if few or few_between(policy, matched, treated):
                value = None
            elif rule["passed"]:
                value = max(share_of(policy, matched, treated), limit)
            else:
                value = int(on_its_side(share_of(policy, matched, treated), limit, -1.0))
        elif value is not None:
            value = (
                min(smd_of(value) or 0.0, limit)
                if rule["passed"]
                else on_its_side(value, limit, 0.01)
            )
        named = column_alone(rule, "name", "label") if "name" in rule else rule
        rules.append({**named, "limit": limit, "value": value})
    return {"passed": exact["passed"], "rules": rules}


def control_measures(policy: Policy, exact: list[Results]) -> list[Results]:
    """Return the measures of an analysis.

    Where nearly everybody of a group reoffended, the number of reoffenders tells how few did not,
    so it is held back as the base of the other measures too.
    """
    of_all = [
        arm
        for arm in ARMS
        if exact and CLASS in strikes_of(policy, exact[0]["support"][arm], "share")
    ]
    found = [control_measure(policy, one) for one in exact]
    for one in found:
        if one["base"] == "reoffenders":
            one.update(dict.fromkeys(f"n_{arm}" for arm in of_all))
    return found


def control_measure(policy: Policy, exact: Results) -> Results:
    """Return one measure, rounded, or withheld."""
    kept = ("measure", "published_name", "table", "label", "base", "unit", "verdict",
            "enough_expected", "enough_reoffenders", "interval_method", "level")  # fmt: skip
    found: Results = {key: exact[key] for key in kept}
    support = exact["support"]
    rules = [
        *strikes_of(policy, support["treated"], exact["kind"]),
        *strikes_of(policy, support["comparison"], exact["kind"]),
    ]
    if not exact["enough_expected"]:
        rules.insert(0, FEW_EXPECTED)
    scale = Scale(exact["kind"])
    if not rules and exact["kind"] == "share":
        shown = {scale.nearest(exact[arm]) for arm in ARMS}
        rules += [CLASS] if shown & {0, 100} else []
    rules = list(dict.fromkeys(rules))
    base = ("n_treated", "n_comparison")
    for name in base:
        few = exact[name] < policy.fewest_people
        found[name] = None if few else rounded(policy, exact[name])
    found["significant"] = not rules and exact["verdict"] in SIGNIFICANT
    found["withheld"] = rules
    if rules:
        found.update(dict.fromkeys(FIGURES))
        if found["verdict"] != "too_few_reoffenders":
            found["verdict"] = None
        return found
    return {**found, **figures_of(exact, scale)}


def figures_of(exact: Results, scale: Scale) -> Results:
    """Return the figures of a measure that may be shown."""
    difference, low, high = exact["difference"], exact["ci_low"], exact["ci_high"]
    found: Results = {
        "treated": scale.nearest(exact["treated"]),
        "comparison": scale.nearest(exact["comparison"]),
        "difference": scale.nearest(difference),
        **scale.interval(low, high),
        "treated_ci": scale.limits(exact["treated_ci"]),
        "comparison_ci": scale.limits(exact["comparison_ci"]),
        "per_100": None,
        **p_values(exact["p_value"]),
        "p_holm": two_decimals(exact["p_holm"]),
        "p_benjamini_hochberg": two_decimals(exact["p_benjamini_hochberg"]),
        "people_needed": rough(exact["people_needed"]),
        "direction": None if difference is None else "lower" if difference < 0 else "higher",
        "spans_zero": spans_zero(low, high),
    }
    parts = (found["treated"], found["comparison"], found["difference"])
    found["parts_add"] = None if None in parts else abs(parts[0] - parts[1] - parts[2]) < 1e-9
    if exact["measure"] in _PER_100:
        found["per_100"] = _per_100(found, exact["unit"])
    welch, adjusted = exact["moj_compatible"], exact["adjusted"]
    found["moj_compatible"] = None
    if welch is not None:
        p = welch["p_value"]
        found["moj_compatible"] = {
            "method": welch["method"],
            **scale.interval(welch["ci_low"], welch["ci_high"]),
            **p_values(p),
            "significant": exact["enough_expected"] and exact["enough_reoffenders"]
            and p is not None and p <= 0.05,
            "spans_zero": spans_zero(welch["ci_low"], welch["ci_high"]),
        }  # fmt: skip
    found["adjusted"] = None
    if adjusted is not None:
        found["adjusted"] = {
            "difference": scale.nearest(adjusted["difference"]),
            **scale.interval(adjusted["ci_low"], adjusted["ci_high"]),
            **p_values(adjusted["p_value"]),
        }
    return found


def treated_only_of(policy: Policy, exact: Results) -> Results:
    """Return the rate of the treated alone."""
    rules = strikes_of(policy, exact["support"]["treated"], "share")
    scale = Scale("share")
    if not rules and scale.nearest(exact["treated"]) in {0, 100}:
        rules = [CLASS]
    few = exact["n_treated"] < policy.fewest_people
    return {
        "measure": exact["measure"],
        "unit": exact["unit"],
        "treated": None if rules else scale.nearest(exact["treated"]),
        "treated_ci": None if rules else scale.limits(exact["treated_ci"]),
        "n_treated": None if few else rounded(policy, exact["n_treated"]),
        "withheld": rules,
    }


def _per_100(found: Results, unit: str) -> Results:
    """Return rounded figures per 100 people."""
    factor = 1.0 if unit == "per_100_people" else 100.0
    names = ("treated", "comparison", "difference", "ci_low", "ci_high")
    return {
        name: None if found[name] is None else int(round_step(factor * found[name]))
        for name in names
    }
