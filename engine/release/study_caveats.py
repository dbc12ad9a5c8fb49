"""Which caveats a study carries: those of every study, and those that its figures call for."""

from typing import Any

from engine.release.sensitivity_words import turned

ALWAYS = (
    "unobserved",
    "treatment_as_usual",
    "only_linked_and_matched",
    "selection_route",
    "lower_bound",
    "court_delays",
    "this_cohort_only",
    "do_not_compare_raw_rates",
    "conditional_measures",
    "averages_hide",
    "deaths_not_removed",
)
_HALF, _MANY_FALSE, _HEAVY = 0.5, 0.01, 0.1


def study_caveats(exact: dict[str, Any]) -> list[str]:
    """Return the codes of the caveats, those that this study calls for first.

    Parameters
    ----------
    exact : dict
        Exact results, all but ``caveats``.
    """
    main, attrition, linkage = exact["analyses"][0], exact["attrition"], exact["linkage"]
    sensitivity, trio = exact["sensitivity"], exact["trio"]
    verdict = main["verdict"]
    false = linkage["expected_false"]
    left_out = (sensitivity or {}).get("left_out")
    strongest = left_out["rows"][:1] if left_out else []
    called_for = {
        "match_not_adequate": verdict == "match_not_adequate",
        "inconclusive_is_not_failure": verdict == "inconclusive",
        "few_reoffenders": verdict == "too_few_reoffenders",
        "fragile_to_unobserved": verdict in {"fewer", "more"}
        and any(row["inconclusive"] or turned(row["difference"], verdict) for row in strongest),
        "placebo_failed": any(not one["passed"] for one in (sensitivity or {}).get("placebos", ())),
        "trio_disagrees": trio is not None and trio["agrees"] is False,
        "many_lost": attrition["analysed"] < _HALF * attrition["submitted"],
        "linkage_uncertain": false is not None and false > _MANY_FALSE * max(linkage["linked"], 1),
        "separated_model": exact["method"]["separated"],
        "heavy_reuse": exact["method"]["heaviest_share"] > _HEAVY,
        "needs_approval": bool(exact["service"]["groups"]),
        "no_custody_spells": not exact["method"]["custody_spells"],
    }
    return [*(code for code, holds in called_for.items() if holds), *ALWAYS]
