"""What the results of a study say around its analyses: its tests, its service, its data."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from engine.cohort.choose import is_group
from engine.effects.cautions import LEAST_EVENTS, LEAST_EXPECTED
from engine.effects.measures import MEASURES
from engine.effects.verdicts import ALPHA
from engine.matching.balance import CLOSE, FAIR
from engine.matching.store_columns import GROUPS
from engine.plan.model import Plan
from engine.release.study_words import group_label, method_label
from engine.store.reading import Store
from engine.store.rules import FOLLOW_UP_MONTHS, PROOF_MONTHS
from engine.submission.check import Check
from engine.submission.description import GROUPS as APPROVALS
from engine.submission.description import QUESTIONS, Description
from engine.submission.rules import FEWEST_PEOPLE

_LEVEL, _POWER = 0.95, 0.8
Results = dict[str, Any]


def study_facts(
    plan: Plan, description: Description | None, store: Store, years: Mapping[int, int]
) -> Results:
    """Return name, period and follow-up of a study.

    Parameters
    ----------
    plan : Plan
        Its words go before those of the submission.
    description : Description or None
    store : Store
    years : mapping of int to int
        Treated people by the year of their index date.
    """
    answers = {} if description is None else description.answers
    own = plan.service
    return {
        "organisation": own.organisation or answers.get("organisation"),
        "service": own.service or answers.get("service"),
        "period": own.period or answers.get("period"),
        "people_by_year": {str(year): years[year] for year in sorted(years)},
        "extract_date": store.extract_date.isoformat(),
        "follow_up_months": FOLLOW_UP_MONTHS,
        "waiting_months": PROOF_MONTHS - FOLLOW_UP_MONTHS,
        "synthetic": store.synthetic,
    }


def limits_of(plan: Plan) -> Results:
    """Return the thresholds that sentences speak of."""
    return {
        "alpha": ALPHA,
        "level": _LEVEL,
        "power": _POWER,
        "least_expected": int(LEAST_EXPECTED),
        "least_reoffenders": LEAST_EVENTS,
        "smd_close": CLOSE,
        "smd_fair": FAIR,
        "least_people": plan.disclosure.fewest_people,
        "least_cell": plan.disclosure.fewest_in_cell,
        "count_base": plan.disclosure.count_base,
        "least_submitted": FEWEST_PEOPLE,
    }


def headline_of(first: Results) -> Results:
    """Return the headline: verdict, people needed, and what could have been found."""
    rate = first["measures"][0] if first["measures"] else None
    detectable = (rate or {}).get("detectable") or {"fewer": None, "more": None}
    return {
        "verdict": first["verdict"],
        "analysis": first["id"],
        "measure": MEASURES[0].name,
        "people_needed": None if rate is None else rate["people_needed"],
        "detectable_fewer": detectable["fewer"],
        "detectable_more": detectable["more"],
    }


def tests_of(analyses: Sequence[Results], plan: Plan) -> Results:
    """Return how many tests were made, and how many would find something by chance."""
    made = [
        sum(measure["p_value"] is not None for measure in one["measures"])
        for one in analyses
        if one["measures"] and not one["same_as_main"]
    ]
    return {
        "measures": max(made, default=0),
        "analyses": len(made),
        "total": sum(made),
        "expected_by_chance": round(ALPHA * sum(made), 1),
        "correction": list(plan.measures.correction),
    }


def balance_of(first: Results, main: Results) -> Results:
    """Return the balance of the main analysis."""
    rows = first["balance"]
    before = [abs(row["smd_before"]) for row in rows if row["smd_before"] is not None]
    names = [row["name"].partition("=")[0] for row in rows if row["kind"] == "level"]
    summary = first["balance_summary"]
    return {
        "denominator": "pooled",
        "summary": {
            "characteristics": summary["characteristics"],
            "terms": len(rows),
            "closely": summary["closely"],
            "fairly": summary["fairly"],
            "poorly": summary["poorly"],
            "largest_smd_before": max(before, default=None),
            "largest_smd_after": summary["largest_smd"],
            "largest_smd_name": summary["largest_smd_name"],
            "largest_smd_label": summary["largest_smd_label"],
            "auc_before": main["auc_before"],
            "auc_after": main["auc_after"],
        },
        "many": sorted({name for name in names if names.count(name) > 2}),
        "rows": rows,
    }


def path_of(points: Sequence[Results], method: Results) -> list[Results]:
    """Return the path with the mark of the match that was taken."""
    caliper = method["caliper_sd"]
    return [
        {
            **point,
            "is_main": caliper is not None
            and abs(point["caliper"] - caliper) < 1e-9
            and point["ratio"] == method["ratio"],
        }
        for point in points
    ]


def trio_of(analyses: Sequence[Results]) -> Results | None:
    """Return the runs with and without assessments side by side; None where they were not run."""
    runs = [one for one in analyses if one["kind"] == "oasys"]
    if not runs or any(one["status"] == "not_run" for one in runs):
        return None
    rates = [one["measures"][0] for one in runs if one["measures"]]
    agrees: bool | None = None
    if len(rates) == len(runs) and all(rate["ci_low"] is not None for rate in rates):
        agrees = all(
            one["ci_low"] <= other["difference"] <= one["ci_high"]
            for one in rates
            for other in rates
        )
    return {
        "runs": [one["id"] for one in runs],
        "assessed": runs[1]["counts"]["treated"],
        "treated": runs[0]["counts"]["treated"],
        "agrees": agrees,
        "items": [column.label.removeprefix("Need: ") for column in GROUPS["oasys"]],
    }


def service_of(plan: Plan, description: Description | None) -> Results:
    """Return the organisation's own words."""
    answers = {} if description is None else dict(description.answers)
    return {
        "answers": answers,
        "questions": [{"key": one.key, "text": one.text} for one in (*QUESTIONS, *APPROVALS)],
        "groups": [] if description is None else list(description.groups),
        "comment": plan.service.comment or None,
    }


def linkage_results(links: pa.Table, report: Results, check: Check) -> Results:
    """Return how people were found, and of which kinds of people more were found."""
    status = links["status"].cast(pa.utf8()).to_pylist()
    linked = status.count("linked")
    methods: dict[str, int] = {}
    if "method" in links.column_names:
        for how, found in zip(links["method"].cast(pa.utf8()).to_pylist(), status, strict=True):
            if found == "linked" and how is not None:
                methods[how] = methods.get(how, 0) + 1
    return {
        "submitted": check.rows,
        "linked": linked,
        "by_method": [
            {"method": name, "label": method_label(name), "n": n} for name, n in methods.items()
        ],
        "expected_false": report.get("expected_false_links"),
        "by_group": [
            {
                "group": one["column"],
                "level": one["level"],
                "label": group_label(one["column"], one["level"]),
                "rows": one["rows"],
                "linked": one["linked"],
            }
            for one in report.get("bias", ())
        ],
    }


def has_spells(store: Store) -> bool:
    """Whether the extract had spells in custody; without them releases of disposals serve."""
    return int(store.manifest["rows"].get("custody_spells", 0)) > 0


def study_content(
    treated: pa.Table, manifest: Mapping[str, Any], description: Description | None
) -> str:
    """Return the hash of what a study computes from, whatever the order of the sender's rows."""
    groups = sorted(name for name in treated.column_names if is_group(name))
    order = np.argsort(treated["disposal_id"].to_numpy())
    rows = treated.select(["disposal_id", *groups]).take(pa.array(order)).to_pylist()
    facts = {
        "records": manifest["extract_sha256"],
        "store": manifest["code_sha256"],
        "treated": rows,
        "description": None if description is None else description.answers,
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def plain_values(value: Any) -> Any:
    """Return dataclasses, tables and tuples as plain values."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain_values(asdict(value))
    if isinstance(value, pa.Table):
        return value.to_pylist()
    if isinstance(value, Mapping):
        return {str(key): plain_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(one) for one in value]
    return value
