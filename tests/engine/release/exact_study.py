"""The exact results of a made-up study, whose counts betray themselves: none is a multiple of 5."""

from engine.effects.measures import MEASURES
from engine.effects.verdicts import enough_expected, enough_reoffenders, verdict_of
from engine.plan.model import Plan
from engine.release.study_frame import limits_of

PEOPLE, POOL = 1013, 312_457


def make_measure(measure, treated, comparison, means, half=0.02, p=0.01, reoffenders=None):
    """Return a measure: people and events of both arms, and the two means."""
    share = 1.0 if measure.kind == "share" else 4.0 if measure.kind == "count" else 100.0
    difference = means[0] - means[1]
    reoffenders = treated[1] if reoffenders is None else reoffenders
    expected = float(treated[0]) if measure.kind == "days" else treated[0] * means[0]
    return {
        "measure": measure.name,
        "published_name": measure.published_name,
        "table": measure.table,
        "label": measure.label,
        "base": "reoffenders" if measure.of_reoffenders else "everybody",
        "kind": measure.kind,
        "unit": measure.unit,
        "treated": means[0],
        "comparison": means[1],
        "difference": difference,
        "ci_low": difference - half * share,
        "ci_high": difference + half * share,
        "standard_error": half * share / 1.96,
        "treated_ci": [means[0] - half * share, means[0] + half * share],
        "comparison_ci": [means[1] - half * share, means[1] + half * share],
        "p_value": p,
        "p_holm": None,
        "p_benjamini_hochberg": None,
        "verdict": verdict_of(measure, difference, p, expected=expected, reoffenders=reoffenders),
        "people_needed": None,
        "expected": expected,
        "reoffenders": reoffenders,
        "enough_expected": enough_expected(expected),
        "enough_reoffenders": enough_reoffenders(reoffenders),
        "n_treated": treated[0],
        "n_comparison": comparison[0],
        "interval_method": "design-based",
        "level": 0.95,
        "moj_compatible": {
            "method": "welch",
            "ci_low": difference - half * share,
            "ci_high": difference + half * share,
            "p_value": p,
        },
        "adjusted": {
            "difference": difference,
            "ci_low": difference - half * share,
            "ci_high": difference + half * share,
            "p_value": p,
        },
        "detectable": {"fewer": 0.0412, "more": 0.0431},
        "support": {
            "treated": {"people": treated[0], "events": treated[1]},
            "comparison": {"people": comparison[0], "events": comparison[1]},
        },
    }


def make_measures():
    """Return all eleven, with enough people for each."""
    found = []
    for measure in MEASURES:
        base = (317, 1739) if measure.of_reoffenders else (PEOPLE, 4627)
        means = {"share": (0.3127, 0.3783), "count": (1.2431, 1.4177), "days": (128.31, 119.64)}
        events = tuple(n if measure.kind == "days" else round(0.313 * n) for n in base)
        arms = [(n, event) for n, event in zip(base, events, strict=True)]
        found.append(make_measure(measure, *arms, means[measure.kind], reoffenders=317))
    return found


def make_balance_row(name, unit, treated, support):
    return {
        "name": name,
        "label": name,
        "group": "other",
        "kind": "level" if "=" in name else "number",
        "unit": unit,
        "treated": treated,
        "comparison_before": treated * 0.81,
        "comparison_after": treated * 0.993,
        "smd_before": 0.2137,
        "smd_after": 0.0123,
        "support": {"with": support, "without": PEOPLE - support if unit == "percent" else PEOPLE},
    }


def make_analysis(id_="main", kind="main", measures=None):
    measures = make_measures() if measures is None else measures
    return {
        "id": id_,
        "kind": kind,
        "label": id_,
        "dimension": None,
        "level": None,
        "declared": True,
        "status": "estimated",
        "why_not": None,
        "region_controlled": False,
        "same_as_main": False,
        "verdict": measures[0]["verdict"],
        "gate": {
            "passed": True,
            "rules": [
                {"code": "matched_treated", "limit": 30, "value": PEOPLE, "passed": True,
                 "name": None, "label": None, "plain": None},
                {"code": "matched_share", "limit": 0.7, "value": 0.98637, "passed": True,
                 "name": None, "label": None, "plain": None},
                {"code": "largest_smd", "limit": 0.1, "value": 0.04127, "passed": True,
                 "name": "age", "label": "Age", "plain": "age"},
            ],
        },
        "counts": {
            "treated": 1027,
            "treated_matched": PEOPLE,
            "comparison_pool": POOL,
            "comparison_matched": 4627,
            "comparison_effective": 3911.37,
            "reoffenders_treated": 317,
            "reoffenders_comparison": 1739,
        },
        "balance_summary": {
            "characteristics": 4, "closely": 4, "fairly": 0, "poorly": 0, "largest_smd": 0.04127,
            "largest_smd_name": "age", "largest_smd_label": "Age",
        },
        "balance": [],
        "fit": "ml",
        "measures": measures,
        "treated_only": None,
    }  # fmt: skip


def make_exact():
    """Return the exact results of a study."""
    plan = Plan()
    return {
        "format": 1,
        "kind": "study",
        "study": {
            "organisation": "Second Start",
            "service": "Mentoring",
            "period": None,
            "people_by_year": {"2015": 3, "2016": 8, "2017": 993, "2018": 23},
            "extract_date": "2021-06-30",
            "follow_up_months": 12,
            "waiting_months": 6,
            "synthetic": True,
        },
        "limits": limits_of(plan),
        "headline": {
            "verdict": "fewer", "analysis": "main", "measure": "reoffended",
            "people_needed": 1733, "detectable_fewer": 0.0412, "detectable_more": 0.0431,
        },
        "analyses": [make_analysis()],
        "tests": {"measures": 11, "analyses": 1, "total": 11, "expected_by_chance": 0.6,
                  "correction": []},
        "attrition": {
            "submitted": 1727,
            "analysed": PEOPLE,
            "stages": [
                make_stage("submission", 41, 1686, {"missing_identifier": 38, "duplicate": 3}),
                make_stage("linkage", 7, 1679, {"not_found": 7}),
                make_stage("sentence", 652, 1027, {"no_sentence": 641, "outside_data": 11}),
                make_stage("eligibility", 0, 1027, {}),
                make_stage("matching", 14, PEOPLE, {"unmatched": 14}),
            ],
            "groups": [
                {"dimension": "completed", "level": "yes", "label": "yes", "submitted": 1311,
                 "analysed": 803},
                {"dimension": "completed", "level": "no", "label": "no", "submitted": 416,
                 "analysed": 411},
            ],
        },
        "unmatched": {
            "n": 47,
            "rows": [
                {"name": "age", "label": "Age", "unit": "number", "matched": 31.37,
                 "unmatched": 44.91, "smd": 1.137},
                {"name": "sex=F", "label": "Women", "unit": "percent", "matched": 0.1813,
                 "unmatched": 0.0851, "smd": -0.317},
            ],
        },
        "balance": {
            "denominator": "treated",
            "summary": {
                "characteristics": 4, "closely": 4, "fairly": 0, "poorly": 0,
                "largest_smd_before": 0.2137, "largest_smd_after": 0.04127,
                "largest_smd_name": "age", "largest_smd_label": "Age", "auc_before": 0.7413,
                "auc_after": 0.5037,
            },
            "many": ["group"],
            "rows": [
                make_balance_row("age", "number", 31.374, PEOPLE),
                make_balance_row("group=a", "percent", 0.6032, 611),
                make_balance_row("group=b", "percent", 0.3899, 395),
                make_balance_row("group=c", "percent", 0.0069, 7),
                make_balance_row("flag=yes", "percent", 0.9941, 1007),
                make_balance_row("rare=yes", "percent", 0.0089, 9),
            ],
        },
        "overlap": {
            "scale": "logit",
            "step": 0.25,
            "edges": [-9.0 + 0.25 * i for i in range(41)],
            "treated": [0.0] * 5 + [3.0, 8.0, 21.0] + [31.0] * 30 + [40.0, 11.0],
            "comparison_before": [3017.0] * 40,
            "comparison_after": [25.3] * 40,
        },
        "sensitivity": {
            "gamma": {"gamma": 1.2137, "exact": False, "test": "Mantel-Haenszel"},
            "e_values": [{"measure": "risk ratio", "e_value": 1.7131, "e_value_ci": 1.3177}],
            "left_out": {
                "rows": [
                    {"name": "age", "label": "Age", "plain": "age", "difference": -0.0431,
                     "ci_low": -0.0631, "ci_high": -0.0231, "inconclusive": False,
                     "times": 1.737, "strength": 1.41},
                ],
                "covariates_in_all": 4,
            },
            "placebos": [
                {"name": "before", "label": "Before", "unit": "per_100_people",
                 "difference": 0.0137, "ci_low": -0.0213, "ci_high": 0.0487, "passed": True,
                 "support": {"treated": {"people": PEOPLE, "events": 413},
                             "comparison": {"people": 4627, "events": 1893}}},
            ],
            "instability": {"orders": 20, "lowest": -0.0713, "highest": -0.0617},
        },
        "path": [
            {"caliper": 0.2, "ratio": 5, "treated_matched": PEOPLE, "treated": 1027,
             "largest_smd": 0.04127, "difference": -0.0656, "ci_low": -0.0856, "ci_high": -0.0456,
             "is_main": True,
             "support": {"treated": {"people": PEOPLE, "events": 317},
                         "comparison": {"people": 4627, "events": 1739}}},
        ],
        "trio": {"runs": ["a", "b", "c"], "assessed": 687, "treated": 1027, "agrees": True,
                 "items": ["drugs"]},
        "profile": {
            "n": PEOPLE,
            "sections": [
                {"name": "sex", "label": "Sex", "kind": "shares",
                 "levels": [{"level": "M", "label": "men", "n": 829},
                            {"level": "F", "label": "women", "n": 181},
                            {"level": "(missing)", "label": "not known", "n": 3}]},
                {"name": "age", "label": "Age", "kind": "number", "levels": [], "mean": 31.374,
                 "p10": 20.0, "p90": 44.0, "support": {"n": PEOPLE, "low": 103, "high": 117}},
            ],
        },
        "service": {"answers": {}, "questions": [], "groups": [], "comment": None},
        "caveats": ["unobserved"],
        "certificate": {"pairs_checked": 5063, "violations": 0, "treated_matched": PEOPLE,
                        "maximum_matchable": 1017, "checks": []},
        "method": {"estimand": "att", "heaviest_share": 0.01373, "custody_spells": True,
                   "separated": False},
        "linkage": {
            "submitted": 1727,
            "linked": 1679,
            "by_method": [{"method": "pnc_id", "label": "Police number", "n": 1601},
                          {"method": "exact_name", "label": "Name", "n": 74},
                          {"method": "weight", "label": "Weights", "n": 4}],
            "expected_false": 1.137,
            "by_group": [{"group": "sex", "level": "F", "label": "Women", "rows": 311,
                          "linked": 297},
                         {"group": "sex", "level": "M", "label": "Men", "rows": 1416,
                          "linked": 1411}],
        },
        "plan": plan.canonical(),
        "plan_sha256": plan.sha256,
        "provenance": {"content_id": "0" * 32},
    }  # fmt: skip


def make_stage(code, lost, remaining, reasons):
    return {
        "code": code,
        "label": code,
        "left": f"after {code}",
        "lost": lost,
        "remaining": remaining,
        "reasons": [{"code": name, "label": name, "lost": n} for name, n in reasons.items()],
    }
