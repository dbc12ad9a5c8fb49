"""From a submission to a linked cohort: the check, who was found, the right sentence, who was lost.

It reads like the list of what happens: the file is checked, its people are looked for in the
national records, each of those found gets an index disposal, everybody else a reason.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.cohort.attrition import Attrition, attrition, sender_rows, steps, steps_by_group
from engine.cohort.choose import Choice, choose_index, index_evidence
from engine.cohort.reasons import UNRESOLVED
from engine.cohort.rules import IndexRules, h_cannot_be_seen
from engine.errors import InputError
from engine.linkage.link import Linkage, link_people
from engine.linkage.review import decisions_csv, read_review, write_review
from engine.release.files import stage_bytes, stage_csv, stage_json, stage_parquet
from engine.release.folder import FORMAT, MANIFEST, check_folder, work_folder
from engine.release.manifest import InputFacts, RunFacts
from engine.release.pack import HeldFolder, output_folder, publish_output
from engine.store.reading import Store, open_store
from engine.submission.check import Check, check_submission
from engine.submission.dates import Order
from engine.submission.problems import column_label, problems_bytes
from engine.submission.rules import FEWEST_PEOPLE, Problem
from engine.submission.sandbox import Sandbox
from engine.submission.waves import join_waves
from engine.submission.window import window_of_store

LINK_OUTPUTS = frozenset(
    {
        "results.json",
        "links.parquet",
        "treated.parquet",
        "attrition.csv",
        "attrition-groups.csv",
        "review.xlsx",
        "decisions.csv",
        "problems.xlsx",
        "for-sender.csv",
        MANIFEST,
    }
)
"""Names that a run of ``link`` may write."""

MEMORY = 2 << 30
"""Bytes for the database."""

Progress = Callable[[str, float], None]

Linker = Callable[..., Linkage]
"""What looks for people: :func:`engine.linkage.link.link_people`, or what has its form."""


@dataclass(frozen=True)
class LinkedCohort:
    """A submission with everybody accounted for, up to the index disposal.

    Parameters
    ----------
    check : Check
    found : Linkage
    choice : Choice
    account : Attrition
    rules : IndexRules
    """

    check: Check
    found: Linkage
    choice: Choice
    account: Attrition
    rules: IndexRules

    @property
    def out_of_pool(self) -> NDArray[np.int64]:
        """Everybody who was linked, analysed or not, and every candidate whose link is in doubt.

        A treated person among the comparison people would hide a part of the effect.
        """
        doubt = to_numpy(self.found.band["person_id"])
        return np.union1d(self.choice.linked, doubt.astype(np.int64))


def checked(
    submission: Path | Sequence[Path],
    store: Store,
    *,
    description: Path | None = None,
    order: Order | None = None,
    today: dt.date | None = None,
    sandbox: Sandbox | None = None,
) -> Check:
    """Check a submission against the window of a store.

    Parameters
    ----------
    submission : Path or sequence of Path
        One file, or the waves of a service, see :func:`engine.submission.waves.join_waves`.
    store : Store
    description, order, today, sandbox
        See :func:`engine.submission.check.check_submission`.

    Raises
    ------
    InputError
        The file is rejected.
    """

    def one(file: Path, fewest: int) -> Check:
        return check_submission(
            file,
            description=description,
            window=window_of_store(store),
            order=order,
            today=today,
            sandbox=sandbox,
            fewest=fewest,
        )

    if isinstance(submission, Path):
        check, name = one(submission, FEWEST_PEOPLE), submission.name
    else:
        waves = [one(file, 1) for file in submission]
        check = join_waves(waves)
        worst = [number for number, wave in enumerate(waves) if wave.verdict == "rejected"]
        name = submission[worst[0] if worst else 0].name
    if check.verdict == "rejected":
        rules = dict.fromkeys(_in_words(p) for p in check.problems if p.severity == "reject")
        raise InputError(
            "the submission is rejected",
            where=name,
            rule=" ".join(rules),
            repair=f"Run 'justicelab check {name}' with the same store; it names every "
            "problem and its repair",
        )
    return check


def _in_words(problem: Problem) -> str:
    """Return what is wrong, with the column it is wrong in."""
    label = column_label(problem.column)
    return f"{label}: {problem.found}" if label else problem.found


def link_cohort(
    check: Check,
    store: Store,
    *,
    work: Path,
    rules: IndexRules | None = None,
    preset: str = "standard",
    decisions: Path | None = None,
    threads: int | None = None,
    memory_bytes: int = MEMORY,
    linker: Linker = link_people,
    progress: Progress | None = None,
) -> LinkedCohort:
    """Find the people of a submission, choose their index disposals and account for everybody.

    Parameters
    ----------
    check : Check
        Not rejected; see :func:`checked`.
    store : Store
    work : Path
        A private folder for temporary files.
    rules : IndexRules, optional
    preset : {"standard", "strict", "broad"}
        How sure a link has to be.
    decisions : Path, optional
        A filled workbook of the review band. Its decisions count only for what a run without it
        shows to a reviewer.
    threads : int, optional
        The result does not depend on it.
    memory_bytes : int
        Memory for the database.
    linker : callable
    progress : callable, optional
        Takes the name of a stage and the share of it that is done.

    Returns
    -------
    LinkedCohort
    """
    rules = rules or IndexRules()
    found = linker(
        check.table,
        store,
        preset=preset,
        decisions=None if decisions is None else partial(read_review, decisions),
        evidence=partial(index_evidence, store=store, rules=rules),
        threads=threads,
        memory_bytes=memory_bytes,
        work=work,
        progress=progress,
    )
    if progress is not None:
        progress("sentences", 0.0)
    choice = choose_index(check.table, found.links, store, rules)
    account = attrition(check, found.links, choice.losses)
    return LinkedCohort(check, found, choice, account, rules)


def link(
    submission: str | os.PathLike[str],
    store: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    rules: IndexRules | None = None,
    preset: str = "standard",
    decisions: Path | None = None,
    description: Path | None = None,
    order: Order | None = None,
    today: dt.date | None = None,
    threads: int | None = None,
    memory_bytes: int = MEMORY,
    linker: Linker = link_people,
    progress: Progress | None = None,
) -> LinkedCohort:
    """Link a submission to a store and write everything into a private folder.

    Parameters
    ----------
    submission, store, out : path
        The sender's file, a prepared store, and a folder that is absent, empty or an earlier
        output of this function.
    description : Path, optional
        A workbook with the sheet 'Description', where the submission has none.
    order : {"day", "month"}, optional
        The order of day and month that the sender declares.
    today : datetime.date, optional
        The day of the check.

    Other parameters are those of :func:`link_cohort`.

    Returns
    -------
    LinkedCohort

    Raises
    ------
    InputError
        The submission is rejected, or there is no store.
    AccessError, CannotCreateError, BusyError, StorageError
        The folder cannot be written to.
    """
    started, began = dt.datetime.now(dt.UTC), time.perf_counter()
    file = Path(submission)
    if progress is not None:
        progress("check", 0.0)
    check, opened = plan_link(file, store, out, description=description, order=order, today=today)
    inputs = _inputs(file, check, opened)
    with output_folder(Path(out), LINK_OUTPUTS) as held:
        with work_folder(held.path) as work:
            cohort = link_cohort(
                check,
                opened,
                work=work,
                rules=rules,
                preset=preset,
                decisions=decisions,
                threads=threads,
                memory_bytes=memory_bytes,
                linker=linker,
                progress=progress,
            )
            if progress is not None:
                progress("write", 0.0)
            _stage(held, cohort, work)
        facts = RunFacts(
            {
                "preset": preset,
                "index_rules": cohort.rules.as_object(),
                "reviewed": decisions is not None,
                "date_order": order,
            },
            inputs,
            _content(inputs),
            started,
            {"link": round(time.perf_counter() - began, 3)},
            threads or 1,
        )
        publish_output(held, "link", facts, LINK_OUTPUTS)
    return cohort


def plan_link(
    submission: str | os.PathLike[str],
    store: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    description: Path | None = None,
    order: Order | None = None,
    today: dt.date | None = None,
) -> tuple[Check, Store]:
    """Return what a run of :func:`link` starts from, and refuse what it would refuse at once.

    Nothing is written.
    """
    check_folder(out, LINK_OUTPUTS)
    opened = open_store(store)
    check = checked(Path(submission), opened, description=description, order=order, today=today)
    return check, opened


def results_of(cohort: LinkedCohort) -> dict[str, Any]:
    """Return the exact counts of a linked cohort as plain values; no person stands in it."""
    report = cohort.found.report
    rules = cohort.choice.treated["rule"].cast(pa.utf8()).to_pylist()
    return {
        "format": FORMAT,
        "kind": "link",
        "submission": {
            "verdict": cohort.check.verdict,
            "rows": cohort.check.rows,
            "usable": cohort.check.usable,
        },
        "linkage": _plain(report),
        "index_rules": {
            **cohort.rules.as_object(),
            "chosen_by": {name: rules.count(name) for name in sorted(set(rules))},
            "caveat": h_cannot_be_seen(),
        },
        "attrition": steps(cohort.account).to_pylist(),
        "analysed": cohort.account.remaining,
    }


def unresolved(cohort: LinkedCohort) -> int:
    """Return how many rows wait for a review and count as not linked until then."""
    return cohort.account.rows["reason"].to_pylist().count(UNRESOLVED)


def _stage(held: HeldFolder, cohort: LinkedCohort, work: Path) -> None:
    """Stage every file of the output."""
    folder = held.path
    if cohort.found.band.num_rows:
        write_review(cohort.found.band, work / "review.xlsx")
        review = (work / "review.xlsx").read_bytes()
        held.staged.append(stage_bytes(folder, "review.xlsx", review))
    if cohort.found.decisions:
        text = decisions_csv(cohort.found.decisions)
        held.staged.append(stage_bytes(folder, "decisions.csv", text.encode()))
    held.staged.extend(
        (
            stage_json(folder, "results.json", results_of(cohort)),
            stage_parquet(folder, "links.parquet", cohort.found.links),
            stage_parquet(folder, "treated.parquet", cohort.choice.treated),
            stage_csv(folder, "attrition.csv", steps(cohort.account)),
            stage_csv(folder, "attrition-groups.csv", steps_by_group(cohort.account)),
            stage_bytes(folder, "problems.xlsx", problems_bytes(cohort.check)),
            stage_csv(folder, "for-sender.csv", sender_rows(cohort.check)),
        )
    )


def _inputs(file: Path, check: Check, store: Store) -> tuple[InputFacts, ...]:
    """Return what the manifest says of the submission and the store."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    columns = 0 if check.table is None else check.table.num_columns
    partitions = store.manifest["partitions"]
    rows = sum(count for part in partitions for _, count in part["years"])
    return (
        InputFacts("submission", file.name, digest, file.stat().st_size, check.rows, columns),
        InputFacts("store", store.folder.name, store.manifest["extract_sha256"], None, rows, 0),
    )


def _content(inputs: tuple[InputFacts, ...]) -> str:
    """Return the hash of what was read."""
    return hashlib.sha256("\0".join(str(one.sha256) for one in inputs).encode()).hexdigest()


def _plain(report: Any) -> Any:
    """Return a report as plain values."""
    if is_dataclass(report) and not isinstance(report, type):
        return _plain(asdict(report))
    if isinstance(report, pa.Table):
        return report.to_pylist()
    if isinstance(report, Mapping):
        return {str(key): _plain(value) for key, value in report.items()}
    if isinstance(report, list | tuple):
        return [_plain(value) for value in report]
    return report
