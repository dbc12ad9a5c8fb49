"""A study from submission to release pack: the method's table of contents.

Check the submission, link its people, find their sentences, account for everybody lost, read the
pool, match, certify, balance, and put the match through the gate. Only then are outcomes opened:
all measures, the match within regions, the runs with and without assessments, the parts declared in
the plan, and what it would take to overturn the result. Disclosure control stands at the end, and
nothing passes it unrounded.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numba
import pyarrow as pa

from engine.analyses import columns_of, main_unit, other_units, run_main, run_unit
from engine.cohort.attrition import Attrition, sender_rows, steps, with_stage
from engine.cohort.reasons import UNMATCHED, UNRESOLVED
from engine.effects.measures import Outcomes
from engine.effects.verdicts import benjamini_hochberg, holm
from engine.errors import InputError
from engine.link import MEMORY, LinkedCohort, Linker, checked, link_cohort
from engine.linkage.link import link_people
from engine.linkage.review import Decision, decisions_csv, write_review
from engine.matching.pool import SUBGROUPS, Pool, study_pool
from engine.matching.store_columns import DELAY
from engine.plan import Plan, plan_text, read_plan
from engine.release.disclosure import Policy, Released, release_results
from engine.release.folder import work_folder
from engine.release.manifest import (
    InputFacts,
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
from engine.store.reading import INDEX, Store, open_store, read_years
from engine.study_footprint import database_of_study
from engine.submission.check import Check
from engine.submission.dates import Order
from engine.submission.problems import problems_bytes
from engine.tables import near_names, shown

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
    submission: str | Path,
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
    submission, store : path
        The sender's file and a prepared store.
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
    AccessError, CannotCreateError, BusyError, StorageError
        The folder cannot be written to, or the ceiling on memory is too low.
    """
    asked = plan if isinstance(plan, Plan) else read_plan(None if plan is None else Path(plan))
    file, folder = Path(submission), Path(out)
    check_study_folder(folder)
    opened = open_store(store)
    links = linking or Linking()
    facts = _facts(asked, file, opened, description, links.decisions)
    tell = progress or _silent
    tell("check", 0.0)
    # What is refused is refused before anything is written.
    check = checked(file, opened, description=description, order=order, today=today)
    require_columns(asked, opened, check)
    links = within_ceiling(links, opened, asked, check)
    with study_folder(folder, facts.content, facts) as held:
        held.audit.note("plan", sha256=asked.sha256)
        with held.stage("link", rows=check.usable):
            cohort = _linked(held, check, opened, asked, links, tell)
        with held.stage("pool", treated=cohort.choice.treated.num_rows):
            tell("pool", 0.0)
            pool = _pool(cohort, opened, asked)
        outcomes = Outcomes(opened, pool.position)
        unit = main_unit(asked, pool)
        with held.stage("main", pool=len(pool.treated)):
            main, tables = run_main(held, unit, pool, outcomes, asked, tell)
        analyses = [main["analysis"]]
        others = other_units(asked, pool)
        for number, other in enumerate(others):
            with held.stage(other.id):
                tell("other analyses", number / len(others))
                analyses.append(run_unit(held, other, pool, outcomes, asked, main["analysis"]))
        with held.stage("results"):
            account = with_stage(
                cohort.account, "matching", dict.fromkeys(main["unmatched_rows"], UNMATCHED)
            )
            _correct(analyses, asked)
            exact = _exact(asked, check, cohort, account, main, analyses, opened)
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
            plan_text(asked),
            RunFacts(
                facts.options, facts.inputs, facts.content, facts.started, held.seconds,
                facts.threads,
            ),
        )  # fmt: skip
    return Study(released, exact, folder, asked)


def plan_run(
    submission: str | Path,
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
    asked = read_plan(None if plan is None else Path(plan))
    check_study_folder(Path(out))
    opened = open_store(store)
    check = checked(Path(submission), opened, description=description, order=order)
    require_columns(asked, opened, check)
    return asked, check, opened


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


def require_columns(plan: Plan, store: Store, check: Check) -> None:
    """Refuse a plan that names columns which neither store nor submission has.

    Raises
    ------
    InputError
        Names the option, the column and near ones.
    """
    known = [*read_years(store, INDEX, years=()).column_names, DELAY]
    columns = [] if check.table is None else check.table.column_names
    extra = [name.removeprefix("group: ") for name in columns]
    for names, choice, place in (
        (plan.covariates.add, known, "[covariates] add"),
        (plan.matching.exact, known, "[matching] exact"),
        (plan.sub_analyses.by, [*SUBGROUPS, *extra], "[sub_analyses] by"),
    ):
        for name in names:
            if name not in choice:
                near = near_names(name, choice)
                raise InputError(
                    f"there is no column '{shown(name)}'",
                    where=f"the plan, {place}",
                    repair=f"Did you mean {' or '.join(repr(shown(n)) for n in near)}?"
                    if near
                    else "Check its spelling",
                )


def _silent(_stage: str, _share: float) -> None:
    """Tell nobody."""


def _facts(
    plan: Plan, file: Path, store: Store, description: Path | None, decisions: Path | None
) -> RunFacts:
    """Return what a study is made of; its content is the id of its stages."""
    inputs = [_file_facts("submission", file)]
    inputs += [_file_facts("description", description)] if description is not None else []
    inputs += [_file_facts("decisions", decisions)] if decisions is not None else []
    rows = sum(count for part in store.manifest["partitions"] for _, count in part["years"])
    inputs.append(InputFacts("store", "store", store.manifest["extract_sha256"], None, rows, 0))
    named = "\0".join(
        [
            plan.sha256,
            code_sha256(),
            store.manifest["code_sha256"],
            *(str(i.sha256) for i in inputs),
        ]
    )
    return RunFacts(
        plan.canonical(),
        inputs,
        hashlib.sha256(named.encode()).hexdigest(),
        dt.datetime.now(dt.UTC),
        {},
        numba.get_num_threads(),
    )


def _file_facts(role: str, path: Path) -> InputFacts:
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return InputFacts(role, path.name, digest, path.stat().st_size, 0, 0)
    except FileNotFoundError:
        raise InputError(f"there is no such {role}", where=path.name) from None


@dataclass(frozen=True)
class _Found:
    """A linkage that is read from a finished stage."""

    links: pa.Table
    band: pa.Table
    report: dict[str, Any]
    decisions: tuple[Decision, ...]


def _linked(
    held: StudyFolder,
    check: Check,
    store: Store,
    plan: Plan,
    linking: Linking,
    tell: Progress,
) -> LinkedCohort:
    """Link the people, or take up a linkage that was finished before; keep what is in doubt."""

    def once(people: pa.Table, records: Store, **options: Any) -> Any:
        name = "reviewed" if options.get("decisions") else "found"
        links, band = held.load_table(f"{name}-links"), held.load_table(f"{name}-band")
        report, taken = held.load(f"{name}-report"), held.load(f"{name}-decisions")
        same = links is not None and links["row"].to_pylist() == people["row"].to_pylist()
        if not same or band is None or report is None or taken is None:
            found = linking.linker(people, records, **options)
            links, band = found.links, found.band
            held.save_table(f"{name}-links", links)
            held.save_table(f"{name}-band", band)
            report = held.save(f"{name}-report", plain_values(found.report))
            lines = [asdict(one) | {"on": one.on.isoformat()} for one in found.decisions]
            taken = held.save(f"{name}-decisions", {"decisions": lines})
        decided = (
            Decision(**(line | {"on": dt.date.fromisoformat(line["on"])}))
            for line in taken["decisions"]
        )
        return _Found(links, band, report, tuple(decided))

    with work_folder(held.private.path) as work:
        cohort = link_cohort(
            check,
            store,
            work=work,
            rules=plan.index.rules(),
            preset=plan.linkage.preset,
            decisions=linking.decisions,
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


def _pool(cohort: LinkedCohort, store: Store, plan: Plan) -> Pool:
    """Read the treated and everybody they may be compared with."""
    return study_pool(
        store,
        cohort.choice.treated,
        cohort.out_of_pool,
        plan.index.rules(),
        columns_of(plan),
        plan.sub_analyses.by,
        plan.matching.seed,
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
