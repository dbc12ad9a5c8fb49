"""The exact results of a study as one nested dictionary: private, the input of disclosure control.

It has the keys of what is released, unrounded, and beside each figure the number of people behind
it (``support``), which disclosure control needs and takes out.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from engine.buffers import to_numpy
from engine.cohort.attrition import Attrition, steps, steps_by_group
from engine.cohort.reasons import REASONS, STAGES
from engine.effects.analysis import MeasureResult, Opened
from engine.effects.measures import RATE, ArmCounts
from engine.effects.robustness import Robustness
from engine.effects.verdicts import enough_expected, enough_reoffenders
from engine.matching.balance import CLOSE, FAIR, BalanceRow, effective_size
from engine.matching.designed import Designed
from engine.matching.gate import Gate, settled_smd
from engine.matching.pool import Pool
from engine.matching.score_balance import assess_score
from engine.matching.store_columns import (
    BY_NAME,
    characteristic_of,
    group_of,
    label_of,
    level_label,
    plain_of,
)
from engine.matching.unmatched import profile_unmatched
from engine.release.plain import number, p_value
from engine.release.study_words import STAGES as LOST

PROFILE = (
    "sex",
    "age_at_index",
    "ethnicity_observed",
    "nationality_group",
    "index_type",
    "sentence_band",
    "offence_group13",
    "previous_sanctions",
)
_SHOWN_UNMATCHED = 10
_CLASS = 0.25
"""Width of a class of the overlap, on the logit."""


def measure_results(found: MeasureResult) -> dict[str, Any]:
    """Return one measure."""
    measure, estimate = found.measure, found.estimate
    interval, adjusted, welch = estimate.interval, estimate.adjusted, found.welch
    needed = found.power.needed[0] if found.power is not None else None
    return {
        "measure": measure.name,
        "published_name": measure.published_name,
        "table": measure.table,
        "label": measure.label,
        "base": "reoffenders" if measure.of_reoffenders else "everybody",
        "kind": measure.kind,
        "unit": measure.unit,
        "treated": number(estimate.treated.mean),
        "comparison": number(estimate.comparison.mean),
        "difference": number(interval.estimate),
        "ci_low": number(interval.low),
        "ci_high": number(interval.high),
        "standard_error": number(interval.standard_error),
        "treated_ci": [number(limit) for limit in found.treated_limits],
        "comparison_ci": [number(limit) for limit in found.comparison_limits],
        "p_value": p_value(interval.p_value),
        "p_holm": None,
        "p_benjamini_hochberg": None,
        "verdict": found.verdict,
        "people_needed": needed if found.verdict == "inconclusive" else None,
        "expected": number(found.expected),
        "reoffenders": found.reoffenders,
        "enough_expected": enough_expected(found.expected),
        "enough_reoffenders": enough_reoffenders(found.reoffenders),
        "n_treated": found.treated.people,
        "n_comparison": found.comparison.people,
        "interval_method": interval.method,
        "level": interval.level,
        "moj_compatible": None
        if welch is None
        else {
            "method": welch.method,
            "ci_low": number(welch.low),
            "ci_high": number(welch.high),
            "p_value": p_value(welch.p_value),
        },
        "adjusted": None
        if adjusted is None
        else {
            "difference": number(adjusted.estimate),
            "ci_low": number(adjusted.low),
            "ci_high": number(adjusted.high),
            "p_value": p_value(adjusted.p_value),
        },
        "detectable": None
        if found.power is None
        else {
            "fewer": number(found.power.detectable[0].fewer),
            "more": number(found.power.detectable[0].more),
        },
        "support": {"treated": asdict(found.treated), "comparison": asdict(found.comparison)},
    }


def design_results(designed: Designed, gate: Gate) -> dict[str, Any]:
    """Return what is known of an analysis before its outcomes are opened."""
    people = designed.partner_people
    return {
        "gate": {
            "passed": gate.passed,
            "rules": [
                {
                    **asdict(rule),
                    "value": number(rule.value),
                    "label": None if rule.name is None else label_of(rule.name),
                    "plain": None if rule.name is None else plain_of(rule.name),
                }
                for rule in gate.rules
            ],
        },
        "counts": {
            "treated": designed.n_treated,
            "treated_matched": designed.n_matched,
            "comparison_pool": int(np.count_nonzero(~designed.rows.treated)),
            "comparison_matched": len(people),
            "comparison_effective": number(effective_size(people)),
            "reoffenders_treated": None,
            "reoffenders_comparison": None,
        },
        "balance_summary": balance_summary(designed.judged_balance),
        "balance": [balance_row(row, designed) for row in designed.balance],
        "fit": None if designed.scoring.model is None else designed.scoring.model.method,
    }


def balance_summary(rows: Sequence[BalanceRow]) -> dict[str, Any]:
    """Return how many characteristics are closely, fairly and poorly matched, and the worst term.

    A characteristic of several levels, or with its square, counts once, by its worst term.
    """
    sizes: dict[str, float] = {}
    for row in rows:
        key = characteristic_of(row.name)
        sizes[key] = max(sizes.get(key, 0.0), abs(settled_smd(row)))
    close = sum(size <= CLOSE for size in sizes.values())
    fair = sum(size <= FAIR for size in sizes.values()) - close
    name = max(rows, key=lambda row: abs(settled_smd(row))).name if rows else None
    return {
        "characteristics": len(sizes),
        "closely": close,
        "fairly": fair,
        "poorly": len(sizes) - close - fair,
        "largest_smd": number(max(sizes.values())) if sizes else None,
        "largest_smd_name": name,
        "largest_smd_label": None if name is None else label_of(name),
    }


def balance_row(row: BalanceRow, designed: Designed) -> dict[str, Any]:
    """Return one term of the balance."""
    share = row.kind == "level" or bool(np.isnan(row.variance_ratio_before))
    n = designed.n_matched
    having = round(row.mean_treated_matched * n) if share else n
    return {
        "name": row.name,
        "label": label_of(row.name),
        "group": group_of(row.name),
        "kind": "level" if row.kind == "level" else "number",
        "unit": "percent" if share else "number",
        "treated": number(row.mean_treated_matched),
        "comparison_before": number(row.mean_comparison_before),
        "comparison_after": number(row.mean_comparison_after),
        "smd_before": number(row.smd_before),
        "smd_after": number(settled_smd(row)),
        "support": {"with": having, "without": n - having if share else n},
    }


def opened_results(opened: Opened) -> dict[str, Any]:
    """Return what the outcomes of an analysis say."""
    rate = opened.measures[0]
    return {
        "verdict": rate.verdict,
        "measures": [measure_results(one) for one in opened.measures],
        "counts": {
            "reoffenders_treated": rate.treated.events,
            "reoffenders_comparison": rate.comparison.events,
        },
    }


def treated_only(rate: float, limits: tuple[float, float], counts: ArmCounts) -> dict[str, Any]:
    """Return the rate of the treated alone, for a match that did not pass the gate."""
    return {
        "measure": RATE.name,
        "unit": RATE.unit,
        "treated": number(rate),
        "treated_ci": [number(limit) for limit in limits],
        "n_treated": counts.people,
        "support": {"treated": asdict(counts)},
    }


def overlap_results(designed: Designed) -> dict[str, Any]:
    """Return the histograms of the logit: people before matching, weights after.

    The classes are those of a grid that no person decides, not of the range of the scores.
    """
    logit = designed.scoring.logit
    usable = np.isfinite(logit)
    first = int(np.floor(logit[usable].min() / _CLASS))
    count = int(np.floor(logit[usable].max() / _CLASS)) - first + 1
    others, matched = designed.sample.rows
    ones = np.ones(len(logit))
    before = np.flatnonzero(usable & ~designed.rows.treated)
    # a person with several disposals counts once in a class: classes are held to numbers of people
    there = (np.floor(logit[before] / _CLASS).astype(np.int64) - first) * len(logit)
    assert designed.rows.person is not None
    before = before[np.unique(there + designed.rows.person[before], return_index=True)[1]]
    parts = ((matched, ones), (before, ones), (others, designed.matched.weight))
    sums = [
        np.bincount(
            np.floor(logit[rows] / _CLASS).astype(np.int64) - first,
            weights=weights[rows],
            minlength=count,
        )
        for rows, weights in parts
    ]
    return {
        "scale": "logit",
        "step": _CLASS,
        "edges": [_CLASS * (first + i) for i in range(count + 1)],
        "treated": [float(n) for n in sums[0]],
        "comparison_before": [float(n) for n in sums[1]],
        "comparison_after": [float(w) for w in sums[2]],
    }


def score_results(designed: Designed) -> dict[str, Any]:
    """Return how well the score tells the groups apart."""
    score = assess_score(designed.scoring.logit, designed.sample)
    return {"auc_before": number(score.auc_before), "auc_after": number(score.auc_after)}


def unmatched_results(designed: Designed) -> dict[str, Any]:
    """Return how treated people without a match differ from those with one."""
    lost = designed.scoring.problem.focal & ~designed.matched.matched
    profile = profile_unmatched(
        designed.rows.design, designed.scoring.problem.focal, designed.matched.matched
    )
    known = [row for row in profile if not np.isnan(row.smd)]
    known.sort(key=lambda row: (-abs(row.smd), row.name))
    return {
        "n": int(np.count_nonzero(lost)),
        "rows": [
            {
                "name": row.name,
                "label": label_of(row.name),
                "unit": "percent" if "=" in row.name or row.name.endswith(" missing") else "number",
                "matched": number(row.mean_matched),
                "unmatched": number(row.mean_unmatched),
                "smd": number(row.smd),
            }
            for row in known[:_SHOWN_UNMATCHED]
        ],
    }


def certificate_results(designed: Designed) -> dict[str, Any]:
    """Return what was checked of the match."""
    certificate = designed.matched.certificate
    return {
        "pairs_checked": certificate.pairs_checked,
        "violations": certificate.violations,
        "treated_matched": designed.n_matched,
        "maximum_matchable": designed.matched.maximum_matchable,
        "checks": [
            {"name": check.check, "violations": check.violations} for check in certificate.checks
        ],
    }


def robustness_results(found: Robustness) -> dict[str, Any]:
    """Return sensitivity and path of the main analysis."""
    main, left_out = found.sensitivity, found.sensitivity.left_out
    band, gamma = main.instability, main.gamma
    return {
        "sensitivity": {
            "gamma": None
            if gamma is None
            else {"gamma": number(gamma.gamma), "exact": gamma.exact, "test": gamma.test},
            "e_values": [
                {
                    "measure": one.measure,
                    "e_value": number(one.e_value),
                    "e_value_ci": number(one.e_value_ci),
                }
                for one in main.e_values
            ],
            "left_out": None
            if left_out is None
            else {
                "rows": [
                    {
                        "name": one.name,
                        "label": label_of(one.name),
                        "plain": plain_of(one.name),
                        "difference": number(one.difference),
                        "ci_low": number(one.ci_low),
                        "ci_high": number(one.ci_high),
                        "inconclusive": one.inconclusive,
                        "times": number(one.times),
                        "strength": number(one.strength),
                    }
                    for one in left_out.benchmarks[:_SHOWN_UNMATCHED]
                ],
                "covariates_in_all": len(
                    {characteristic_of(one.name) for one in left_out.benchmarks}
                ),
            },
            "placebos": [
                {
                    "name": one.placebo.name,
                    "label": "A sanction in the year before",
                    "unit": "per_100_people",
                    "difference": number(one.placebo.difference),
                    "ci_low": number(one.placebo.ci_low),
                    "ci_high": number(one.placebo.ci_high),
                    "passed": not one.placebo.alarm,
                    "support": {arm: asdict(counts) for arm, counts in one.support.items()},
                }
                for one in found.placebos
            ],
            "instability": None
            if band is None
            else {"orders": band.runs, "lowest": number(band.low), "highest": number(band.high)},
        },
        "path": [
            {**asdict(point), "largest_smd": number(point.largest_smd)} for point in found.path
        ],
    }


def attrition_results(account: Attrition) -> dict[str, Any]:
    """Return the stages of the attrition with their reasons, and the levels of each sub-group."""
    lines = steps(account).to_pylist()
    text = {reason.code: reason.text for reason in REASONS}
    stages = []
    remaining = account.submitted
    for code, label in STAGES.items():
        own = [line for line in lines if line["stage"] == code]
        if not own:
            continue
        lost = sum(line["dropped"] for line in own)
        remaining -= lost
        stages.append(
            {
                "code": code,
                "label": LOST[code],
                "left": label,
                "lost": lost,
                "remaining": remaining,
                "reasons": [
                    {"code": r["reason"], "label": text[r["reason"]], "lost": r["dropped"]}
                    for r in own
                    if r["dropped"]
                ],
            }
        )
    groups: dict[tuple[str, str | None], list[int]] = {}
    for line in steps_by_group(account).to_pylist():
        key = (line["group"], line["level"])
        found = groups.setdefault(key, [line["remaining"], 0])
        found[1] = line["remaining"]
    return {
        "submitted": account.submitted,
        "analysed": account.remaining,
        "stages": stages,
        "groups": [
            {
                "dimension": group.removeprefix("group: "),
                "level": level,
                "label": "not known" if level is None else level,
                "submitted": n[0],
                "analysed": n[1],
            }
            for (group, level), n in groups.items()
        ],
    }


def profile_results(pool: Pool, designed: Designed) -> dict[str, Any]:
    """Return what the matched treated people are like."""
    chosen = np.zeros(len(pool.treated), dtype=np.bool_)
    chosen[np.flatnonzero(designed.keep)[designed.matched.matched]] = True
    table = pool.table.filter(pa.array(chosen))
    sections = [_section(name, table[name]) for name in PROFILE if name in table.column_names]
    return {"n": int(np.count_nonzero(chosen)), "sections": sections}


def _section(name: str, values: pa.ChunkedArray) -> dict[str, Any]:
    column = BY_NAME[name]
    if column.category:
        counts: dict[str, int] = {}
        for value in values.to_pylist():
            level = "(missing)" if value is None else str(value)
            counts[level] = counts.get(level, 0) + 1
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        levels = [
            {"level": level, "label": level_label(name, level), "n": n} for level, n in ordered
        ]
        return {"name": name, "label": column.label, "kind": "shares", "levels": levels}
    known = np.sort(to_numpy(values.drop_null().combine_chunks()).astype(np.float64))
    mean, low, high = (
        (float(known.sum()) / len(known), _quantile(known, 0.1), _quantile(known, 0.9))
        if len(known)
        else (None, None, None)
    )
    return {
        "name": name,
        "label": column.label,
        "kind": "number",
        "levels": [],
        "mean": mean,
        "p10": low,
        "p90": high,
        "support": {"n": len(known), "low": _below(known, low), "high": _above(known, high)},
    }


def _quantile(ordered: np.ndarray[Any, Any], share: float) -> float:
    """First value that at least this share of the people do not exceed."""
    return float(ordered[max(int(np.ceil(share * len(ordered))) - 1, 0)])


def _below(ordered: np.ndarray[Any, Any], value: float | None) -> int:
    return 0 if value is None else int(np.searchsorted(ordered, value, side="right"))


def _above(ordered: np.ndarray[Any, Any], value: float | None) -> int:
    return 0 if value is None else len(ordered) - int(np.searchsorted(ordered, value, side="left"))


def covariate_results(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the covariates of a model with their words."""
    return [{"name": name, "label": label_of(name), "group": group_of(name)} for name in names]


def method_results(designed: Designed, caliper: str) -> dict[str, Any]:
    """Return how the match was made."""
    options, scoring, weights = designed.options, designed.scoring, designed.sample.weights[0]
    model = scoring.model
    dropped = () if model is None else model.dropped
    lost = designed.n_matched < designed.n_treated
    return {
        "estimand": options.estimand,
        "estimand_label": "matched participants" if lost else "all participants analysed",
        "method": options.method,
        "ratio": None if options.by_window else options.ratio,
        "replace": options.replace,
        "caliper": caliper,
        "caliper_sd": number(scoring.width_logit / scoring.sd_logit)
        if scoring.sd_logit > 0.0
        else None,
        "fit": None if model is None else model.method,
        "separated": model is not None and model.method == "firth-flic",
        "covariates": covariate_results(options.covariates),
        "not_used": [
            {"name": term.name, "label": label_of(term.name), "why": term.reason}
            for term in dropped
        ],
        "exact": list(options.exact),
        "interval_method": None,
        "interval_why": None,
        "seed": options.seed,
        "heaviest_share": number(float(weights.max(initial=0.0)) / max(designed.n_matched, 1)),
    }
