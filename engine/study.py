"""A study from submission to release pack: the method's table of contents.

Check the submission, link its people, find their sentences, account for everybody lost, read the
pool, match, certify, balance, and put the match through the gate. Only then are outcomes opened:
all measures, the match within regions, the runs with and without assessments, the parts declared in
the plan, and what it would take to overturn the result. Disclosure control stands at the end, and
nothing passes it unrounded.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numba
import pyarrow as pa

from engine.analyses import columns_of, main_unit, other_units, run_main, run_unit
from engine.cohort.attrition import Attrition, sender_rows, steps, with_stage
from engine.cohort.base import Base
from engine.cohort.reasons import UNMATCHED, UNRESOLVED
from engine.effects.measures import Outcomes
from engine.effects.verdicts import benjamini_hochberg, holm
from engine.link import MEMORY, LinkedCohort, Linker, link_cohort
from engine.linkage.link import Linkage, link_people
from engine.linkage.review import Decision, decisions_csv, write_review
from engine.matching.pool import Pool, study_pool
from engine.plan.model import Plan
from engine.plan.writing import plan_text
from engine.release.disclosure import Policy, Released, release_results
from engine.release.folder import work_folder
from engine.release.manifest import (
    RunFacts,
    code_sha256,
    content_id,
    software_version,
)
from engine.release.plain import number
from engine.release.study_caveats import study_caveats
from engine.release.study_folder import (
    StudyFolder,
    check_study_folder,
    study_folder,
    write_study,
)
from engine.release.study_frame import (
    balance_of,
    has_spells,
    headline_of,
    limits_of,
    linkage_results,
    path_of,
    plain_values,
    service_of,
    study_content,
    study_facts,
    tests_of,
    trio_of,
)
from engine.release.study_results import attrition_results
from engine.requested import Request, facts_of, request_of, require_columns
from engine.store.reading import Store, open_store
from engine.study_footprint import database_of_study
from engine.submission.check import Check
from engine.submission.dates import Order
from engine.submission.problems import problems_bytes

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Linking:
    """How people are looked for, beside what the plan says.

    Parameters
    ----------
    decisions : Path or None
        A filled workbook of the review band.
    memory_bytes : int
        Memory for the database.
    linker : callable
        :func:`engine.linkage.link.link_people`, or what has its form.
    ceiling : int or None
        Memory for the whole study: the database then gets what the rest leaves, whatever
        ``memory_bytes`` says, and a study that does not fit is refused.
    """

    decisions: Path | None = None
    memory_bytes: int = MEMORY
    linker: Linker = link_people
    ceiling: int | None = None


@dataclass(frozen=True, repr=False)
class Study:
    """A finished study.

    Attributes
    ----------
    released : Released
        What may be handed over.
    exact : dict
        The exact results: they stay where the study was made.
    folder : Path
        With ``private`` and ``release``.
    plan : Plan
    """

    released: Released
    exact: dict[str, Any]
    folder: Path
    plan: Plan

    @property
    def unresolved(self) -> int:
        """Rows with possible matches, none of them certain: they count as not found."""
        reasons = (one for stage in self.exact["attrition"]["stages"] for one in stage["reasons"])
        return sum(one["lost"] for one in reasons if one["code"] == UNRESOLVED)

    def __repr__(self) -> str:
        """Return the verdict alone: a prompt must not print exact counts."""
        return f"Study({self.released.results['headline']['verdict']})"


def run(
    submission: str | Path | None,
    store: str | Path,
    out: str | Path,
    *,
    plan: str | Path | Plan | None = None,
    description: Path | None = None,
    order: Order | None = None,
    linking: Linking | None = None,
    today: dt.date | None = None,
    progress: Progress | None = None,
) -> Study:
    """Run a study and write its two folders.

    Parameters
    ----------
    submission : path or None
        The sender's file; None for what the plan names.
    store : path
        A prepared store.
    out : path
        Folder of the study: absent, empty or an earlier study. A run that broke off is taken up
        where it was, if plan, inputs and code are the same.
    plan : path or Plan, optional
        The defaults where it is not given.
    description : Path, optional
        A workbook with the sheet 'Description', where the submission has none.
    order : {"day", "month"}, optional
        The order of day and month that the sender declares.
    linking : Linking, optional
        How people are looked for.
    today : datetime.date, optional
        The day of the check.
    progress : callable, optional
        Takes the name of a stage and the share of it that is done.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        The plan is wrong, the submission is rejected, there is no store, or nobody can be matched.
    UsageError
        Neither call nor plan names a submission.
    AccessError, CannotCreateError, BusyError, StorageError
        The folder cannot be written to, or the ceiling on memory is too low.
    """
    links = linking or Linking()
    request = request_of(
        plan, submission, description=description, order=order, decisions=links.decisions
    )
    check_study_folder(Path(out))
    return run_request(
        request,
        open_store(store),
        Path(out),
        linking=links,
        today=today,
        progress=progress,
    )


def run_request(
    request: Request,
    store: Store,
    out: Path,
    *,
    linking: Linking,
    today: dt.date | None = None,
    progress: Progress | None = None,
    base: Base | None = None,
) -> Study:
    """Run a study of an opened store; parameters and errors are those of :func:`run`.

    ``base`` holds what studies of the store share: the results are the same without it.
    """
    asked, tell = request.plan, progress or _silent
    facts = facts_of(request, store)
    tell("check", 0.0)
    # What is refused is refused before anything is written.
    check = request.check(store, today)
    require_columns(asked, store, check)
    linking = within_ceiling(linking, store, asked, check)
    with study_folder(out, facts.content, facts) as held:
        held.audit.note("plan", sha256=asked.sha256)
        with held.stage("link", rows=check.usable):
            cohort = _linked(held, check, store, request, linking, tell)
        with held.stage("pool", treated=cohort.choice.treated.num_rows):
            tell("pool", 0.0)
            pool = _pool(cohort, store, asked, base)
        outcomes = Outcomes(store, pool.position)
        unit = main_unit(asked, pool)
        with held.stage("main", pool=len(pool.treated)):
            main, tables, designed = run_main(held, unit, pool, outcomes, asked, tell)
        analyses = [main["analysis"]]
        others = other_units(asked, pool)
        for number, other in enumerate(others):
            with held.stage(other.id):
                tell("other analyses", number / len(others))
                analyses.append(
                    run_unit(held, other, pool, outcomes, asked, main["analysis"], designed)
                )
            designed = None  # of use for the match within regions, the first, and large
        with held.stage("results"):
            account = with_stage(
                cohort.account, "matching", dict.fromkeys(main["unmatched_rows"], UNMATCHED)
            )
            _correct(analyses, asked)
            exact = _exact(asked, check, cohort, account, main, analyses, store)
            exact["caveats"] = study_caveats(exact)
            released = release_results(exact, Policy(**asked.disclosure.model_dump()))
        tell("write", 0.0)
        write_study(
            held,
            exact,
            released,
            {
                **tables,
                "links": cohort.found.links,
                "treated": cohort.choice.treated,
                "removed": pa.table({"person_id": pa.array(cohort.out_of_pool)}),
            },
            {"attrition": steps(account), "for-sender": sender_rows(check)},
            plan_text(asked, files=False),
            RunFacts(
                facts.options, facts.inputs, facts.content, facts.started, held.seconds,
                facts.threads,
            ),
        )  # fmt: skip
    return Study(released, exact, out, asked)


def plan_run(
    submission: str | Path | None,
    store: str | Path,
    out: str | Path,
    *,
    plan: str | Path | None = None,
    description: Path | None = None,
    order: Order | None = None,
) -> tuple[Plan, Check, Store]:
    """Return what a run starts from, and refuse what it would refuse at once; nothing is written.

    Parameters are those of :func:`run`.
    """
    request = request_of(plan, submission, description=description, order=order)
    check_study_folder(Path(out))
    opened = open_store(store)
    check = request.check(opened, None)
    require_columns(request.plan, opened, check)
    return request.plan, check, opened


def within_ceiling(linking: Linking, store: Store, plan: Plan, check: Check) -> Linking:
    """Give the database what a ceiling leaves for it; refuse a study that does not fit.

    Raises
    ------
    StorageError
        With the estimate; nothing was written.
    """
    if linking.ceiling is None:
        return linking
    return replace(linking, memory_bytes=database_of_study(store, plan, check, linking.ceiling))


def _silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class _Found:
    """A linkage that is read from a finished stage."""

    links: pa.Table
    band: pa.Table
    report: dict[str, Any]
    decisions: tuple[Decision, ...]


def save_linkage(held: StudyFolder, found: Linkage, *, reviewed: bool) -> _Found:
    """Keep a linkage as a finished stage of a study, and return it as the stage says it."""
    name = _stage_of(reviewed)
    held.save_table(f"{name}-links", found.links)
    held.save_table(f"{name}-band", found.band)
    report = held.save(f"{name}-report", plain_values(found.report))
    lines = [asdict(one) | {"on": one.on.isoformat()} for one in found.decisions]
    taken = held.save(f"{name}-decisions", {"decisions": lines})
    return _Found(found.links, found.band, report, _decisions(taken))


def load_linkage(held: StudyFolder, people: pa.Table, *, reviewed: bool) -> _Found | None:
    """Return the linkage of a study's people that was finished before, None for none."""
    name = _stage_of(reviewed)
    links, band = held.load_table(f"{name}-links"), held.load_table(f"{name}-band")
    report, taken = held.load(f"{name}-report"), held.load(f"{name}-decisions")
    same = links is not None and links["row"].to_pylist() == people["row"].to_pylist()
    if not same or links is None or band is None or report is None or taken is None:
        return None
    return _Found(links, band, report, _decisions(taken))


def _stage_of(reviewed: bool) -> str:
    return "reviewed" if reviewed else "found"


def _decisions(taken: Mapping[str, Any]) -> tuple[Decision, ...]:
    return tuple(
        Decision(**(line | {"on": dt.date.fromisoformat(line["on"])}))
        for line in taken["decisions"]
    )


def _linked(
    held: StudyFolder,
    check: Check,
    store: Store,
    request: Request,
    linking: Linking,
    tell: Progress,
) -> LinkedCohort:
    """Link the people, or take up a linkage that was finished before; keep what is in doubt."""
    plan, reviewed = request.plan, request.decisions is not None

    def once(people: pa.Table, records: Store, **options: Any) -> Any:
        found = load_linkage(held, people, reviewed=reviewed)
        if found is not None:
            return found
        return save_linkage(held, linking.linker(people, records, **options), reviewed=reviewed)

    with work_folder(held.private.path) as work:
        cohort = link_cohort(
            check,
            store,
            work=work,
            rules=plan.index.rules(),
            preset=plan.linkage.preset,
            decisions=request.decisions,
            threads=numba.get_num_threads(),
            memory_bytes=linking.memory_bytes,
            linker=once,
            progress=tell,
        )
        if cohort.found.band.num_rows:
            write_review(cohort.found.band, work / "review.xlsx")
            held.stage_private("review.xlsx", (work / "review.xlsx").read_bytes())
    if cohort.found.decisions:
        held.stage_private("decisions.csv", decisions_csv(cohort.found.decisions).encode())
    held.stage_private("problems.xlsx", problems_bytes(check))
    return cohort


def _pool(cohort: LinkedCohort, store: Store, plan: Plan, base: Base | None) -> Pool:
    """Read the treated and everybody they may be compared with."""
    return study_pool(
        store,
        cohort.choice.treated,
        cohort.out_of_pool,
        plan.index.rules(),
        columns_of(plan),
        plan.sub_analyses.by,
        plan.matching.seed,
        base,
        plan.transformations.asked(),
    )


def _correct(analyses: list[dict[str, Any]], plan: Plan) -> None:
    """Correct the p-values of all analyses for the number of tests, where the plan asks for it."""
    rows = [m for a in analyses if not a["same_as_main"] for m in a["measures"]]
    p = [float("nan") if m["p_value"] is None else m["p_value"] for m in rows]
    for name, correction in (("holm", holm), ("benjamini_hochberg", benjamini_hochberg)):
        if name in plan.measures.correction:
            for measure, value in zip(rows, correction(p), strict=True):
                measure[f"p_{name}"] = number(value)


def _exact(
    plan: Plan,
    check: Check,
    cohort: LinkedCohort,
    account: Attrition,
    main: dict[str, Any],
    analyses: list[dict[str, Any]],
    store: Store,
) -> dict[str, Any]:
    """Return the exact results of a study; the caveats are added when all the rest is there."""
    first = analyses[0]
    treated = cohort.choice.treated
    years = Counter(day.year for day in treated["index_date"].to_pylist())
    content = study_content(treated, store.manifest, check.description)
    method = {**main["method"], "custody_spells": has_spells(store)}
    return {
        "format": 1,
        "kind": "study",
        "study": study_facts(plan, check.description, store, years),
        "limits": limits_of(plan),
        "headline": headline_of(first),
        "analyses": analyses,
        "tests": tests_of(analyses, plan),
        "attrition": attrition_results(account),
        "unmatched": main["unmatched"],
        "balance": balance_of(first, main["score"]),
        "overlap": main["overlap"],
        "sensitivity": main["sensitivity"],
        "path": path_of(main["path"], method),
        "trio": trio_of(analyses),
        "profile": main["profile"],
        "service": service_of(plan, check.description),
        "certificate": main["certificate"],
        "method": method,
        "linkage": linkage_results(cohort.found.links, plain_values(cohort.found.report), check),
        "plan": plan.canonical(),
        "plan_sha256": plan.sha256,
        "provenance": {
            "content_id": content_id(plan.canonical(), content),
            "coverage_certificate": None,
            "software_version": software_version(),
            "code_sha256": code_sha256(),
            "store_id": store.manifest["extract_sha256"],
            "extract_date": store.extract_date.isoformat(),
            "schema_version": 1,
        },
    }
