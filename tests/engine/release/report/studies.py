"""Released results of studies that never happened: valid ones, from a seed.

Follows the rules of disclosure control: counts in fives, rates whole, ends rounded outward,
verdicts decided on the exact figures and printed with the rounded ones.
"""

import math
import random

MEASURES = [
    # measure, table, base, unit, label
    ("reoffended", 1, "everybody", "per_100_people", "People who reoffended within a year"),
    ("n_reoffences", 2, "everybody", "per_person", "Proven reoffences within a year"),
    ("days_to_first_reoffence", 3, "reoffenders", "days", "Days to the first reoffence"),
    *(
        (
            f"first_reoffence_{one}",
            4,
            "reoffenders",
            "per_100_reoffenders",
            f"First reoffence {one}",
        )
        for one in ("indictable", "either_way", "summary")
    ),
    *(
        (f"n_reoffences_{one}", 5, "reoffenders", "per_reoffender", f"Reoffences that are {one}")
        for one in ("indictable", "either_way", "summary")
    ),
    (
        "custody_for_first_reoffence",
        6,
        "reoffenders",
        "per_100_reoffenders",
        "Custody for the first reoffence",
    ),
    ("n_custodial_sentences", 7, "reoffenders", "per_reoffender", "Custodial sentences"),
]
VERDICTS = ("fewer", "more", "inconclusive", "too_few_reoffenders", "match_not_adequate")
FACTS = [
    "Sex: women",
    "Age at the start of the year",
    "Number of previous offences (log)",
    "Copas rate",
    "OGRS3 (logit)",
    "Index: custody",
    "Sentence: under 6 months",
    "Ethnicity: Black",
    "Ethnicity: Asian",
    "Region: North West",
    "Previous custodial sentences",
    "Employed in the month before",
]


def fives(value):
    return 5 * round(value / 5)


def two_digits(value, way=round):
    """Two significant digits, at most two decimals, rounded by ``way``."""
    if value == 0:
        return 0.0
    step = 10.0 ** max(-2, math.floor(math.log10(abs(value))) - 1)
    return round(way(value / step) * step, 2)


def chance(z):
    return math.erfc(abs(z) / math.sqrt(2))


def measure(rng, row, n_treated, n_comparison, reoffenders, *, z=None):
    """One measure with its interval; ``z`` fixes how clear its difference is."""
    name, table, base, unit, label = row
    shares, days = unit.startswith("per_100"), unit == "days"
    scale = 100.0 if shares else 1.0
    low_level, high_level = (0.12, 0.6) if shares else (60, 200) if days else (0.3, 3.0)
    comparison = rng.uniform(low_level, high_level)
    spread = comparison * rng.uniform(0.03, 0.2)
    z = rng.gauss(0, 2) if z is None else z
    difference = z * spread
    treated = max(comparison + difference, 0.02 * comparison)
    difference = treated - comparison
    z = difference / spread
    low, high = difference - 1.96 * spread, difference + 1.96 * spread
    p = chance(z)
    people = n_treated if base == "everybody" else reoffenders
    expected = people * treated if shares else 999
    found = {
        "measure": name,
        "published_name": f"{name}_1y",
        "table": table,
        "label": label,
        "base": base,
        "unit": unit,
        "p_holm": None,
        "p_benjamini_hochberg": None,
        "people_needed": None,
        "enough_expected": expected >= 10,
        "enough_reoffenders": reoffenders >= 30,
        "n_treated": fives(people),
        "n_comparison": fives(n_comparison if base == "everybody" else 3 * reoffenders),
        "interval_method": "linear form",
        "level": 0.95,
        "adjusted": None,
        "moj_compatible": None,
    }
    held = [] if expected >= 10 else ["np"]
    if days and reoffenders < 30:
        held.append("D1")
    if base == "reoffenders" and rng.random() < 0.05:
        held.append(rng.choice(["D2", "D3"]))
    clear = (1 if low > 0 else -1 if high < 0 else 0) if abs(z) > 1.96 else 0
    enough = expected >= 10 and reoffenders >= 30
    words = {-1: "earlier", 1: "later"} if days else {-1: "fewer", 1: "more"}
    verdict = "inconclusive" if not clear else words[clear] if enough else "too_few_reoffenders"
    if held:
        return (
            found
            | dict.fromkeys(
                (
                    "treated",
                    "comparison",
                    "difference",
                    "ci_low",
                    "ci_high",
                    "treated_ci",
                    "per_100",
                    "comparison_ci",
                    "p_value",
                    "p_text",
                    "direction",
                    "spans_zero",
                    "parts_add",
                ),
            )
            | {"verdict": None, "significant": False, "withheld": held}
        )

    def ends(a, b, factor=scale):
        if shares or days or factor != scale:
            return math.floor(a * factor), math.ceil(b * factor)
        return two_digits(a, math.floor), two_digits(b, math.ceil)

    def middle(a, factor=scale):
        whole = shares or days or factor != scale
        return round(a * factor) if whole else two_digits(a)

    shown = {
        "treated": middle(treated),
        "comparison": middle(comparison),
        "difference": middle(difference),
        "ci_low": ends(low, high)[0],
        "ci_high": ends(low, high)[1],
    }
    per_100 = None
    if name == "reoffended":
        per_100 = dict(shown)
    elif name == "n_reoffences":
        near = ends(low, high, 100.0)
        per_100 = {
            "treated": middle(treated, 100.0),
            "comparison": middle(comparison, 100.0),
            "difference": middle(difference, 100.0),
            "ci_low": near[0],
            "ci_high": near[1],
        }
    needed = None
    if verdict == "inconclusive" and abs(difference) > 0.01 * comparison:
        needed = int(f"{(2.8 * spread / difference) ** 2 * n_treated:.1e}".split(".")[0]) * 10 + 5
    text = "<0.01" if p < 0.01 else f"{p:.2f}" if p > 0.05 or p <= 0.045 else "0.05"
    return (
        found
        | shown
        | {
            "per_100": per_100,
            "treated_ci": list(ends(max(treated - spread, 0), treated + spread)),
            "comparison_ci": list(ends(max(comparison - spread / 3, 0), comparison + spread / 3)),
            "p_value": round(p, 2),
            "p_text": text,
            "verdict": verdict,
            "people_needed": needed,
            "significant": bool(clear) and enough,
            "direction": "lower" if difference < 0 else "higher",
            "spans_zero": not clear,
            "parts_add": abs(shown["treated"] - shown["comparison"] - shown["difference"]) < 1e-9,
            "withheld": [],
            "moj_compatible": {
                "method": "Welch, MoJ-compatible",
                "ci_low": ends(low * 1.05, high * 1.05)[0],
                "ci_high": ends(low * 1.05, high * 1.05)[1],
                "p_value": round(p, 2),
                "p_text": text,
                "significant": bool(clear) and enough,
                "spans_zero": not clear,
            },
        }
    )


def analysis(rng, name, kind, label, *, want=None, level=(None, None), declared=True):
    """One analysis; ``want`` asks for its verdict."""
    treated = rng.randrange(60, 3000)
    share = rng.uniform(0.72, 1.0) if want != "match_not_adequate" else rng.uniform(0.3, 0.69)
    matched = fives(treated * share)
    reoffenders = matched * rng.uniform(0.15, 0.5)
    if want == "too_few_reoffenders":
        matched, reoffenders = fives(rng.randrange(60, 150)), rng.randrange(11, 29)
    elif want is not None:
        reoffenders = max(reoffenders, 40)
    one = {
        "id": name,
        "kind": kind,
        "label": label,
        "dimension": level[0],
        "level": level[1],
        "declared": declared,
        "status": "estimated",
        "why_not": None,
        "region_controlled": kind == "region",
        "gate": None,
        "counts": {
            "treated": fives(treated),
            "treated_matched": matched,
            "treated_matched_percent": round(100 * share),
            "comparison_pool": fives(rng.randrange(100_000, 900_000)),
            "comparison_matched": fives(matched * rng.uniform(1, 5)),
            "comparison_effective": fives(matched * rng.uniform(1, 4)),
            "reoffenders_treated": fives(reoffenders),
            "reoffenders_comparison": fives(reoffenders * 3),
            "withheld": [],
        },
        "balance_summary": summary(rng),
        "verdict": None,
        "measures": [],
        "treated_only": None,
    }
    if want == "not_run":
        one |= {"status": "not_run", "why_not": "too_few_treated"}
        hidden = [key for key in one["counts"] if key not in ("comparison_pool", "withheld")]
        one["counts"] |= dict.fromkeys(hidden) | {"withheld": ["D1"]}
        return one
    failed = want == "match_not_adequate"
    one["gate"] = {
        "passed": not failed,
        "rules": [
            gate("matched_treated", 30, matched, matched >= 30),
            gate("matched_share", 70, round(100 * share), not failed),
            gate("largest_smd", 0.1, 0.23 if failed else 0.06, not failed, FACTS[2]),
        ],
    }
    if failed:
        rate = rng.randrange(15, 60)
        one |= {
            "status": "descriptive_only",
            "verdict": "match_not_adequate",
            "treated_only": {
                "measure": "reoffended",
                "unit": "per_100_people",
                "treated": rate,
                "treated_ci": [rate - rng.randrange(2, 9), rate + rng.randrange(2, 9)],
                "n_treated": matched,
                "withheld": [],
            },
        }
        one["counts"] |= {"reoffenders_treated": None, "reoffenders_comparison": None}
        return one
    z = {
        "fewer": -rng.uniform(2.0, 5),
        "more": rng.uniform(2.0, 5),
        "inconclusive": rng.uniform(-1.9, 1.9),
        "too_few_reoffenders": -rng.uniform(2.2, 4),
    }
    one["measures"] = [
        measure(rng, row, matched, 3 * matched, reoffenders, z=z.get(want) if not i else None)
        for i, row in enumerate(MEASURES)
    ]
    one["verdict"] = one["measures"][0]["verdict"]
    return one


def gate(code, limit, value, passed, label=None):
    return {
        "code": code,
        "limit": limit,
        "value": value,
        "passed": passed,
        "name": label and "x",
        "label": label,
        "plain": label and "length of the sentence",
    }


def summary(rng):
    closely, fairly, poorly = rng.randrange(10, 50), rng.randrange(0, 5), rng.randrange(0, 2)
    return {
        "characteristics": closely + fairly + poorly,
        "closely": closely,
        "fairly": fairly,
        "poorly": poorly,
        "largest_smd": 0.06,
        "largest_smd_name": "x",
        "largest_smd_label": FACTS[2],
    }


def attrition(rng, submitted):
    names = [
        ("not_usable", "Rows that could not be used"),
        ("duplicate", "Named a second time"),
        ("not_linked", "Not found in the national records"),
        ("no_index", "No sentence that fits the service’s dates"),
        ("not_eligible", "Reoffended before the service began"),
        ("unmatched", "Nobody near enough to be paired with"),
    ]
    left, stages = submitted, []
    for code, label in rng.sample(names, rng.randrange(2, 7)):
        lost = fives(left * rng.uniform(0, 0.5))
        left -= lost
        percent = round(100 * lost / submitted)
        stages.append(
            {
                "code": code,
                "label": label,
                "lost": lost,
                "lost_percent": percent,
                "lost_text": "<1%" if lost and not percent else f"{percent}%",
                "remaining": left,
                "merged": [],
                "reasons": [
                    {
                        "code": f"r{i}",
                        "label": f"Reason {word}",
                        "lost": lost // 2,
                        "lost_percent": 1,
                    }
                    for i, word in enumerate(["one", "two"][: rng.randrange(1, 3)])
                ],
            }
        )
    return {
        "submitted": submitted,
        "analysed": left,
        "analysed_percent": round(100 * left / submitted),
        "may_not_add": True,
        "stages": stages,
        "groups": [
            {
                "dimension": "sex",
                "level": level,
                "label": label,
                "submitted": fives(submitted / 2),
                "analysed": fives(left / 2),
                "analysed_percent": rng.randrange(30, 100),
            }
            for level, label in (("M", "Men"), ("F", "Women"))
        ],
    }


def balance(rng):
    rows = []
    for i, label in enumerate(FACTS):
        before, after = round(rng.gauss(0, 0.4), 2), round(rng.gauss(0, 0.04), 2)
        held = ["D14"] if rng.random() < 0.05 else []
        size = abs(after)
        rows.append(
            {
                "name": f"x{i}",
                "label": label,
                "group": "history",
                "kind": "level" if ":" in label else "number",
                "unit": "percent" if ":" in label else "number",
                "treated": None if held else rng.randrange(1, 90),
                "comparison_before": None if held else rng.randrange(1, 90),
                "comparison_after": None if held else rng.randrange(1, 90),
                "smd_before": None if held else before,
                "smd_after": None if held else after,
                "light": None
                if held
                else "green"
                if size <= 0.05
                else "amber"
                if size <= 0.1
                else "red",
                "withheld": held,
            }
        )
    lights = [row["light"] for row in rows]
    return {
        "denominator": "pooled",
        "summary": {
            "characteristics": len(rows),
            "closely": lights.count("green"),
            "fairly": lights.count("amber"),
            "poorly": lights.count("red"),
            "largest_smd_before": 0.62,
            "largest_smd_after": max(abs(row["smd_after"] or 0) for row in rows),
            "largest_smd_name": "x2",
            "largest_smd_label": FACTS[2],
            "auc_before": 0.74,
            "auc_after": 0.5,
        },
        "rows": rows,
    }


def sensitivity(rng):
    placebo = rng.randrange(-3, 4)
    return {
        "gamma": {
            "gamma": rng.choice([None, 1.2, 1.7]),
            "exact": False,
            "sentence": "Two people could differ in the odds of taking part by a factor of 1.2.",
            "note": "Comparison people serve several sets, so Gamma is approximate.",
        },
        "e_values": [
            {
                "measure": one,
                "e_value": rng.choice([1.8, 2.4]),
                "e_value_ci": rng.choice([None, 1.3]),
            }
            for one in ("risk ratio", "odds ratio", "risk difference")
        ],
        "left_out": {
            "sentence": "With something as strong as ‘Copas rate’ left out, 4 fewer in every 100.",
            "rows": [
                {
                    "name": "x",
                    "label": label,
                    "difference": -4,
                    "ci_low": -9,
                    "ci_high": 1,
                    "inconclusive": True,
                    "times": rng.choice([None, 0.8, 1.6]),
                }
                for label in FACTS[:3]
            ],
            "covariates_in_all": 38,
        },
        "placebos": [
            {
                "name": "sanction_in_year_before",
                "label": "A sanction in the year before",
                "unit": "per_100_people",
                "difference": placebo,
                "ci_low": placebo - 4,
                "ci_high": placebo + 4,
                "spans_zero": True,
                "passed": True,
                "sentence": "On what came before, the groups do not differ more than by chance.",
            }
        ],
        "instability": {
            "orders": 20,
            "lowest": -8,
            "highest": -7,
            "sentence": "In 20 other orders the difference stays between 8 and 7 fewer.",
        },
    }


def study(seed, verdict=None):
    """Valid released results of one study."""
    rng = random.Random(f"{seed}-{verdict}")
    verdict = verdict or rng.choice(VERDICTS)
    opened = verdict != "match_not_adequate"
    analyses = [analysis(rng, "main", "main", "All people analysed", want=verdict)]
    if opened:
        if rng.random() < 0.5:
            analyses.append(analysis(rng, "region", "region", "Compared within the same region"))
        if rng.random() < 0.5:
            analyses += [
                analysis(rng, name, "oasys", label)
                for name, label in (
                    ("oasys_all_without", "Everybody, without the assessment"),
                    ("oasys_linked_without", "People with an assessment, without its answers"),
                    ("oasys_linked_with", "People with an assessment, with its answers"),
                )
            ]
        for level, label in (("M", "Men"), ("F", "Women"), ("yes", "Completed"), ("no", "Did not")):
            want = rng.choice([None, None, "not_run", "match_not_adequate"])
            analyses.append(
                analysis(
                    rng,
                    f"group={level}",
                    "sub",
                    label,
                    want=want,
                    level=("group", level),
                    declared=rng.random() < 0.8,
                )
            )
    main = analyses[0]
    first = main["measures"][0] if main["measures"] else {}
    run = sum(1 for one in analyses if one["measures"])
    chain = attrition(rng, fives(rng.randrange(100, 4000)))
    trio = [one["id"] for one in analyses if one["kind"] == "oasys"]
    return {
        "format": 1,
        "kind": "study",
        "study": {
            "organisation": rng.choice([None, "Northside Trust"]),
            "service": rng.choice([None, "Bridge to Work", "Mentoring & <others>"]),
            "period": rng.choice([None, "January 2016 to December 2018"]),
            "first_year": 2016,
            "last_year": 2018,
            "extract_date": "2021-06-30",
            "follow_up_months": rng.choice([12, 12, 24]),
            "waiting_months": 6,
            "synthetic": rng.random() < 0.5,
        },
        "limits": {
            "alpha": 0.05,
            "level": 0.95,
            "power": 0.8,
            "least_expected": 10,
            "least_reoffenders": 30,
            "smd_close": 0.05,
            "smd_fair": 0.1,
            "least_people": 30,
            "least_cell": 10,
            "count_base": 5,
            "least_submitted": 60,
        },
        "headline": {
            "verdict": main["verdict"],
            "analysis": "main",
            "measure": "reoffended",
            "people_needed": first.get("people_needed"),
            "detectable_fewer": 7 if opened else None,
            "detectable_more": 7 if opened else None,
        },
        "analyses": analyses,
        "tests": {
            "measures": 11 if opened else 0,
            "analyses": run,
            "total": 11 * run,
            "expected_by_chance": round(0.55 * run, 1),
            "correction": [],
        },
        "attrition": chain,
        "unmatched": {
            "n": 20,
            "withheld": [],
            "rows": [
                {
                    "name": "previous_sanctions",
                    "label": "Number of previous sanctions",
                    "unit": "number",
                    "matched": 9.1,
                    "unmatched": 21.0,
                    "smd": 1.1,
                }
            ][: rng.randrange(2)],
        },
        "balance": balance(rng),
        "overlap": {
            "scale": "logit",
            "edges": [-9.0, -8.0, -7.0, -6.0, -5.0, -4.0, -3.0],
            "treated": [4, 12, 25, 33, 20, 6],
            "comparison_before": [38, 31, 18, 9, 3, 1],
            "comparison_after": [5, 12, 25, 32, 20, 6],
        },
        "sensitivity": sensitivity(rng) if opened else None,
        "path": [
            {
                "caliper": caliper,
                "ratio": ratio,
                "is_main": (caliper, ratio) == (0.2, 5),
                "treated_matched_percent": 94,
                "largest_smd": 0.05,
                "difference": -6,
                "ci_low": -12,
                "ci_high": 0,
                "spans_zero": True,
                "withheld": [],
            }
            for caliper in (0.05, 0.2)
            for ratio in (1, 5)
        ]
        if opened
        else [],
        "trio": {
            "runs": trio,
            "coverage_percent": 68,
            "agrees": rng.choice([True, False, None]),
            "items": ["Accommodation", "Drugs", "Alcohol"],
        }
        if trio
        else None,
        "profile": {
            "n": main["counts"]["treated_matched"],
            "sections": [
                {
                    "name": "sex",
                    "label": "Sex",
                    "kind": "shares",
                    "levels": [
                        {"label": "Men", "percent": 82, "withheld": []},
                        {"label": "Women", "percent": None, "withheld": ["D2"]},
                    ],
                    "sums_to_100": False,
                    "mean": None,
                    "p10": None,
                    "p90": None,
                    "withheld": [],
                },
                {
                    "name": "age",
                    "label": "Age at the start of the year",
                    "kind": "number",
                    "levels": [],
                    "sums_to_100": None,
                    "mean": 31,
                    "p10": None,
                    "p90": 45,
                    "withheld": ["D7"],
                },
            ],
        },
        "service": {
            "answers": {"what": "A mentor, weekly.", "selection": "Staff refer; 3 in 4 accept."},
            "questions": [
                {"key": "what", "text": "What is the service?"},
                {"key": "dose", "text": "How much does a person receive?"},
                {"key": "selection", "text": "How were participants selected?"},
            ],
            "groups": [],
            "comment": rng.choice([None, "We thank all 12 of our volunteers."]),
        },
        "caveats": [
            "unobserved",
            *(["fragile_to_unobserved"] if opened and main["verdict"] in ("fewer", "more") else []),
            "treatment_as_usual",
            "only_linked_and_matched",
            "selection_route",
            "lower_bound",
            "court_delays",
            *(["inconclusive_is_not_failure"] if main["verdict"] == "inconclusive" else []),
            "this_cohort_only",
            "do_not_compare_raw_rates",
            "conditional_measures",
            "averages_hide",
            "deaths_not_removed",
            *rng.sample(["many_lost", "heavy_reuse", "linkage_uncertain", "placebo_failed"], 1),
        ],
        "certificate": {
            "pairs_checked": 2500,
            "violations": 0,
            "treated_matched": 500,
            "maximum_matchable": 505,
            "checks": [{"name": "caliper", "violations": 0}, {"name": "exact", "violations": 0}],
        },
        "method": {
            "estimand": "att",
            "estimand_label": "matched participants",
            "method": rng.choice(["nearest", "radius"]),
            "ratio": 5,
            "replace": True,
            "caliper": "0.2 sd-logit",
            "caliper_sd": 0.2,
            "fit": "ml",
            "separated": False,
            "covariates": [{"name": "x", "label": label, "group": "history"} for label in FACTS],
            "not_used": [{"name": "y", "label": "Copas rate", "why": "constant"}][
                : rng.randrange(2)
            ],
            "interval_method": "linear form, MOVER-Newcombe",
            "interval_why": "nearest neighbours with replacement",
            "seed": 0,
        },
        "linkage": {
            "submitted": chain["submitted"],
            "linked": fives(chain["submitted"] * 0.87),
            "linked_percent": 87,
            "by_method": [
                {"method": "pnc_id", "label": "Police number", "n": 300, "percent": 41},
                {"method": "exact", "label": "Same name and birth date", "n": 180, "percent": 25},
            ],
            "expected_false_percent": rng.choice([None, 0.1]),
            "by_group": [{"group": "sex", "level": "M", "label": "Men", "linked_percent": 87}],
        },
        "plan": {"matching": {"ratio": 5}, "sub_analyses": {"fewest_people": 60}},
        "plan_sha256": "9f2c" + 60 * "0",
        "policy": {
            "profile": "strict",
            "rules": [
                {"id": "D1", "rule": "Fewest people in a published group", "value": 30},
                {"id": "D2", "rule": "Fewest people on each side of a published cell", "value": 10},
                {"id": "D3", "rule": "No share of none or all", "value": None},
            ],
        },
        "withheld": [{"rule": one, "figures": 2} for one in ("np", "30", "D1", "D2")],
        "provenance": {
            "coverage_certificate": None,
            "content_id": "0123456789abcdef0123456789abcdef",
            "software_version": "0.1.0",
            "code_sha256": "ab" * 32,
            "store_id": "cd" * 32,
            "extract_date": "2021-06-30",
            "schema_version": 1,
        },
    }
