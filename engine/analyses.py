"""The analyses of a study: which there are, and each of them from its match to its measures.

Every analysis is a choice of rows, covariates and exact columns of the same pool. Its match is made
and judged first; outcomes are opened for the rows of those that pass the gate, and of the others
the rate of the treated alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.effects.analysis import Opened, estimate_measures, mean_limits
from engine.effects.measures import RATE, Outcomes, count_arm, values_of
from engine.effects.robustness import assess_robustness
from engine.effects.welch import describe_group
from engine.errors import InputError, JusticeLabError, UnfittedError
from engine.matching.balance import assess_balance
from engine.matching.designed import Designed, design_analysis, with_exact, with_ratio
from engine.matching.gate import Gate, judge_match
from engine.matching.options import MatchOptions
from engine.matching.pool import Pool, assessed, in_known_regions, with_levels
from engine.matching.store_columns import GROUPS, tells_last_year
from engine.plan.advice import in_words_of_the_plan
from engine.plan.model import Plan
from engine.release.linear_form import linear_form_table
from engine.release.results import balance_results, match_tables
from engine.release.study_folder import StudyFolder
from engine.release.study_results import (
    certificate_results,
    design_results,
    method_results,
    opened_results,
    overlap_results,
    profile_results,
    robustness_results,
    score_results,
    treated_only,
    unmatched_results,
)
from engine.release.study_words import sub_label

Progress = Callable[[str, float], None]
Flags = NDArray[np.bool_]
TRIO = ("oasys_all_without", "oasys_linked_without", "oasys_linked_with")
_FEWEST = 2


@dataclass(frozen=True)
class Unit:
    """One analysis: its rows, its model, its words.

    Attributes
    ----------
    id, kind, label : str
        Kinds are ``main``, ``region``, ``oasys`` and ``sub``.
    keep : bool, shape (pool rows,)
    covariates, exact : tuple of str
    dimension, level : str or None
        Of a sub-analysis.
    fewest : int
        Treated people without whom it is not run.
    same_as_main : bool
        Whether it is the main analysis under another name.
    """

    id: str
    kind: str
    label: str
    keep: Flags
    covariates: tuple[str, ...]
    exact: tuple[str, ...] = ()
    dimension: str | None = None
    level: str | None = None
    fewest: int = _FEWEST
    same_as_main: bool = False


def columns_of(plan: Plan) -> tuple[str, ...]:
    """Return every column of the store that some analysis needs."""
    needed = [*plan.covariate_columns, *plan.matching.exact]
    needed += [plan.region.column] if plan.region.control else []
    needed += [column.name for column in GROUPS["oasys"]] if plan.oasys.trio else []
    return tuple(dict.fromkeys(needed))


def main_unit(plan: Plan, pool: Pool) -> Unit:
    """Return the main analysis: everybody."""
    everybody = np.ones(len(pool.treated), dtype=np.bool_)
    return Unit("main", "main", "All people analysed", everybody, plan.covariate_names)


def other_units(plan: Plan, pool: Pool) -> list[Unit]:
    """Return the analyses beside the main one, in the order of the report."""
    own = plan.covariate_names
    units = []
    if plan.region.control:
        keep = in_known_regions(pool, plan.region.column)
        label = "Compared with people of the same region"
        units.append(Unit("region", "region", label, keep, own, (plan.region.column,)))
    if plan.oasys.trio:
        everybody, linked = np.ones(len(pool.treated), dtype=np.bool_), assessed(pool)
        needs = tuple(column.name for column in GROUPS["oasys"] if column.name not in own)
        units += [
            Unit(TRIO[0], "oasys", "Everybody, without assessments", everybody, own,
                 same_as_main=True),
            Unit(TRIO[1], "oasys", "People with an assessment, without its answers", linked, own),
            Unit(TRIO[2], "oasys", "People with an assessment, with its answers", linked,
                 (*own, *needs)),
        ]  # fmt: skip
    return units + _parts(plan, pool, own)


def _parts(plan: Plan, pool: Pool, covariates: tuple[str, ...]) -> list[Unit]:
    """Return the sub-analyses that the plan declares, the largest levels first."""
    units: list[Unit] = []
    for dimension in plan.sub_analyses.by:
        levels = [level for level in pool.groups.get(dimension, ()) if level is not None]
        names = sorted(set(levels), key=lambda name: (-levels.count(name), name))
        units += [
            Unit(
                f"{dimension}={level}",
                "sub",
                sub_label(dimension, level),
                with_levels(pool, dimension, level),
                covariates,
                dimension=dimension,
                level=level,
                fewest=plan.sub_analyses.fewest_people,
            )
            for level in names
        ]
    return units[: plan.sub_analyses.most]


def options_of(plan: Plan, unit: Unit) -> MatchOptions:
    """Return the options of an analysis's match."""
    return plan.match_options(unit.covariates, unit.exact)


def judge(designed: Designed, plan: Plan) -> Gate:
    """Put a match through the gate of the plan."""
    limits = plan.gate
    return judge_match(
        designed.n_treated,
        designed.n_matched,
        designed.judged_balance,
        matched_treated=limits.matched_treated,
        matched_share=limits.matched_share,
        largest_smd=limits.largest_smd,
        covariates=limits.covariates,
    )


def design_and_judge(
    pool: Pool,
    unit: Unit,
    plan: Plan,
    tell: Callable[[float], None] | None = None,
    main: Designed | None = None,
) -> tuple[Designed, Gate]:
    """Match an analysis and judge the match; no outcome is known here.

    An analysis with the rows and covariates of the main one has its score, too. Where balance alone
    misses the gate the plan's further ratios are tried: with more partners chance moves their
    averages less. The first that passes is taken, else the best balanced.
    """
    options = options_of(plan, unit)
    if main is not None and _has_score_of(main, unit):
        best = with_exact(main, pool, options)
    else:
        best = design_analysis(pool, unit.keep, options, tell)
    gate = judge(best, plan)
    further = () if best.options.by_window else plan.matching.further_ratios
    for ratio in further:
        if {rule.code for rule in gate.rules if not rule.passed} != {"largest_smd"}:
            break
        if ratio <= plan.matching.ratio:
            continue
        other = with_ratio(best, ratio)
        other_gate = judge(other, plan)
        if other_gate.passed or other_gate.rules[2].value < gate.rules[2].value:
            best, gate = other, other_gate
    return best, gate


def _has_score_of(main: Designed, unit: Unit) -> bool:
    """Whether an analysis has the rows and the covariates of the main one."""
    same = main.options.covariates == unit.covariates
    return same and bool(np.array_equal(main.keep, unit.keep))


def run_main(
    held: StudyFolder, unit: Unit, pool: Pool, outcomes: Outcomes, plan: Plan, tell: Progress
) -> tuple[dict[str, Any], dict[str, pa.Table | None], Designed | None]:
    """Run the main analysis, or take it up where it was finished before.

    Returns
    -------
    main : dict
        ``analysis`` and everything that the results say of it alone.
    tables : dict of str to pyarrow.Table or None
        Of the private folder.
    designed : Designed or None
        Its match, where it was made now.
    """
    known = held.load("main")
    if known is not None:
        tables = {name: held.load_table(name) for name in known["tables"]}
        if all(table is not None for table in tables.values()):
            held.stage_balance(known["balance_file"])
            return known, tables, None
    tell("match", 0.0)
    try:
        designed, gate = design_and_judge(pool, unit, plan, lambda share: tell("match", share))
    except JusticeLabError as error:
        raise in_words_of_the_plan(error) from None
    options = designed.options
    analysis = _described(unit, designed, gate)
    balance = balance_results(
        assess_balance(designed.rows.design, designed.sample, denominator=options.smd_denominator)
    )
    held.stage_balance(balance)
    held.save("main-balance", {"balance": analysis["balance"], "gate": analysis["gate"]})
    held.audit.note("gate", passed=gate.passed)
    # From here on outcomes may be read: the match is judged, and its balance is on the disk.
    found: dict[str, Any] = {
        "analysis": analysis,
        "balance_file": balance,
        "sensitivity": None,
        "path": [],
        "overlap": overlap_results(designed),
        "score": score_results(designed),
        "unmatched": unmatched_results(designed),
        "certificate": certificate_results(designed),
        "method": method_results(designed, plan.matching.caliper),
        "profile": profile_results(pool, designed),
        "unmatched_rows": _unmatched_rows(pool, designed),
    }
    tables = match_tables(
        designed.rows, options, designed.scoring, designed.matched, designed.sample
    )
    if gate.passed:
        tell("measures", 0.0)
        opened = estimate_measures(designed, outcomes.open(), lambda share: tell("measures", share))
        _open(analysis, opened)
        held.audit.note("measures", tests=len(opened.measures))
        found["method"].update(
            interval_method=opened.measures[0].estimate.interval.method,
            interval_why=opened.measures[0].estimate.choice.why,
        )
        estimates = [one.estimate for one in opened.measures]
        tables["linear-form"] = linear_form_table(designed.rows, estimates, 1.0)
        tell("sensitivity", 0.0)
        asked = plan.sensitivity
        robustness = assess_robustness(
            pool,
            designed,
            opened,
            calipers=asked.calipers,
            ratios=tuple(sorted({*asked.ratios, options.ratio} if asked.ratios else ())),
            orders=asked.orders,
            placebo=_placebo_options(plan, unit) if asked.placebo else None,
            progress=lambda share: tell("sensitivity", share),
        )
        found.update(robustness_results(robustness))
    else:
        analysis.update(_closed(designed, pool, outcomes))
    tables = {name: table for name, table in tables.items() if table is not None}
    for name, table in tables.items():
        held.save_table(name, table)
    return held.save("main", {**found, "tables": list(tables)}), tables, designed


def run_unit(
    held: StudyFolder,
    unit: Unit,
    pool: Pool,
    outcomes: Outcomes,
    plan: Plan,
    main: dict[str, Any],
    designed_main: Designed | None = None,
) -> dict[str, Any]:
    """Run an analysis beside the main one, or take it up where it was finished before.

    ``designed_main`` is the match of the main analysis; the result is the same without it.
    """
    if unit.same_as_main:
        return {**main, **_words(unit)}
    name = f"analysis-{_slug(unit.id)}"
    known = held.load(name)
    if known is not None:
        return known
    treated = int(np.count_nonzero(unit.keep & pool.treated))
    if treated < unit.fewest:
        why = {"oasys": "no_assessments", "region": "no_regions"}.get(unit.kind)
        return held.save(name, _not_run(unit, why or "too_few_treated"))
    try:
        designed, gate = design_and_judge(pool, unit, plan, main=designed_main)
    except UnfittedError:
        return held.save(name, _not_run(unit, "no_score"))
    except InputError:
        return held.save(name, _not_run(unit, "no_match"))
    analysis = _described(unit, designed, gate)
    held.save(f"{name}-balance", {"balance": analysis["balance"], "gate": analysis["gate"]})
    if gate.passed:
        opened = estimate_measures(designed, outcomes.open(), adjust=False)
        _open(analysis, opened)
    else:
        analysis.update(_closed(designed, pool, outcomes))
    return held.save(name, analysis)


def _described(unit: Unit, designed: Designed, gate: Gate) -> dict[str, Any]:
    """Return an analysis before its outcomes are opened."""
    return {
        **_words(unit),
        "status": "estimated" if gate.passed else "descriptive_only",
        "why_not": None,
        "verdict": "match_not_adequate",
        "measures": [],
        "treated_only": None,
        **design_results(designed, gate),
    }


def _open(analysis: dict[str, Any], opened: Opened) -> None:
    """Put what the outcomes say into an analysis."""
    found = opened_results(opened)
    analysis["counts"].update(found.pop("counts"))
    analysis.update(found)


def _words(unit: Unit) -> dict[str, Any]:
    return {
        "id": unit.id,
        "kind": unit.kind,
        "label": unit.label,
        "dimension": unit.dimension,
        "level": unit.level,
        "declared": True,
        "region_controlled": unit.kind == "region",
        "same_as_main": unit.same_as_main,
    }


def _not_run(unit: Unit, why: str) -> dict[str, Any]:
    """Return an analysis that was not run; nothing is counted of it."""
    return {
        **_words(unit),
        "status": "not_run",
        "why_not": why,
        "verdict": None,
        "measures": [],
        "treated_only": None,
        "gate": None,
        "counts": None,
        "balance_summary": None,
        "balance": [],
        "fit": None,
    }


def _closed(designed: Designed, pool: Pool, outcomes: Outcomes) -> dict[str, Any]:
    """Open the rate of the treated alone, of all of them and of nobody else."""
    treated = designed.keep & pool.treated
    values = values_of(outcomes.open_rate(treated)[RATE.name])
    group = describe_group(values, np.ones(len(values)))
    limits = mean_limits(RATE, group, float(len(values)))
    return {"treated_only": treated_only(group.mean, limits, count_arm(RATE, values))}


def _placebo_options(plan: Plan, unit: Unit) -> MatchOptions:
    """Return the options of the match without what tells the year before."""
    left = tuple(name for name in unit.covariates if not tells_last_year(name))
    return plan.match_options(left, unit.exact)


def _unmatched_rows(pool: Pool, designed: Designed) -> list[int]:
    """Return the rows of the submission whose people have no match."""
    lost = ~designed.matched.matched[designed.rows.treated]
    return [int(row) for row in pool.row[lost]]


def _slug(text: str) -> str:
    """Return a name for a file that holds nothing of the submission: a hash."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
