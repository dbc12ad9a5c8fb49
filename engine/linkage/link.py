"""Linking a submission to the national records.

It reads like the method: the rows in their common form, candidates by keys of the index, weights by
a model that never sees a label, decisions in the order of their sureness, and a report on all of
it. What the people did after the intervention takes no part.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import AccessError, UsageError
from engine.linkage.band import review_band
from engine.linkage.candidates import find_candidates
from engine.linkage.decisions import (
    Decided,
    Person,
    Reviewed,
    Thresholds,
    absent_chances,
    decide,
)
from engine.linkage.evidence import candidate_people, levels_of
from engine.linkage.index import index_folder, open_index, read_model
from engine.linkage.report import LinkageReport, make_report
from engine.linkage.review import Decision
from engine.linkage.scoring import score_pairs
from engine.linkage.submitted import SUBMITTED_SCHEMA, has_identifier, submitted_identities
from engine.linkage.ties import IndexEvidence, with_evidence
from engine.records.database import Database, private_database
from engine.store.folder import plain_errors
from engine.store.reading import Store
from engine.submission.waves import wave_bounds

Progress = Callable[[str, float], None]
_MEMORY = 2 << 30
ROWS_AT_ONCE = 4_000
"""Rows whose candidates are weighed together; a row of a large index has hundreds of them."""
_DATES = ("intervention_start", "index_date", "conviction_date")


@dataclass(frozen=True)
class Linkage:
    """Who was found.

    Attributes
    ----------
    links : pyarrow.Table
        One row for each row of the submission, in the same order: ``row`` (int32), ``person_id``
        (int64, null unless linked), ``status`` (``linked``, ``unresolved``, ``not_linked``),
        ``method``, ``probability`` (float64, of the best candidate), ``weight`` (bits, null where
        there is no candidate or a reviewer decided), ``reason`` (null when linked).
    band : pyarrow.Table
        The candidates in doubt, see :func:`engine.linkage.band.review_band`.
    report : LinkageReport
    decisions : tuple of Decision
        Those of a reviewer, taken before everything else.
    """

    links: pa.Table
    band: pa.Table
    report: LinkageReport
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """The people of one submission, and how they are looked for.

    Parameters
    ----------
    people : pyarrow.Table
        The usable rows of a checked submission, or of several waves of one service.
    preset : str
        ``standard``, ``strict`` or ``broad``: the thresholds of a link.
    decisions : callable, optional
        Takes the review band of a linkage without decisions and returns those of a reviewer, see
        :func:`engine.linkage.review.read_review`.
    evidence : callable, optional
        Says which of the candidates in a tie can have an index disposal, see
        :data:`engine.linkage.ties.IndexEvidence`; without it ties stay unresolved.
    """

    people: pa.Table
    preset: str = "standard"
    decisions: Callable[[pa.Table], Sequence[Decision]] | None = None
    evidence: IndexEvidence | None = None


def link_people(
    people: pa.Table,
    store: Store,
    *,
    preset: str = "standard",
    decisions: Callable[[pa.Table], Sequence[Decision]] | None = None,
    evidence: IndexEvidence | None = None,
    threads: int | None = None,
    memory_bytes: int = _MEMORY,
    work: Path,
    progress: Progress | None = None,
) -> Linkage:
    """Find the people of a submission in a store.

    Parameters
    ----------
    people, preset, decisions, evidence
        See :class:`Wanted`.
    store : Store
    threads, memory_bytes, work, progress
        See :func:`link_submissions`.

    Returns
    -------
    Linkage

    Raises
    ------
    UsageError
        There is no such preset.
    AccessError
        The work folder is open to others.
    InputError, StorageError
        The store is damaged, or memory and disk were not enough.

    References
    ----------
    Fellegi and Sunter (1969), A theory for record linkage, JASA 64.
    """
    wanted = [Wanted(people, preset, decisions, evidence)]
    ((_, found),) = link_submissions(
        wanted, store, threads=threads, memory_bytes=memory_bytes, work=work, progress=progress
    )
    return found


def link_submissions(
    wanted: Sequence[Wanted],
    store: Store,
    *,
    threads: int | None = None,
    memory_bytes: int = _MEMORY,
    work: Path,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Linkage]]:
    """Find the people of many submissions in a store: all of them compared with it together.

    Parameters
    ----------
    wanted : sequence of Wanted
    store : Store
    threads : int, optional
        At least 1; all processors by default. The links do not depend on it.
    memory_bytes : int
        Memory for the database; what does not fit spills into ``work``.
    work : Path
        A folder of ours with mode 0700, made where it is absent. Spilled data are removed from it
        at the end, and on the next start after a run that was killed.
    progress : callable, optional
        Takes a stage and the share done.

    Yields
    ------
    number : int
        Place in ``wanted``, ascending.
    found : Linkage
        The same as if the submission were linked by itself: candidates and weights of a row depend
        on the row and the index alone, and who is linked is decided within each submission, and
        within each wave of one.
    """
    tell = progress or (lambda _stage, _share: None)
    model = read_model(store)
    for one in wanted:
        thresholds(model, one.preset)
    _private_folder(work)
    threads = threads or len(os.sched_getaffinity(0))

    @contextmanager
    def opened() -> Iterator[Database]:
        with private_database(
            work, [index_folder(store)], threads=threads, memory_bytes=memory_bytes
        ) as database:
            open_index(database, store)
            yield database

    ends = np.cumsum([one.people.num_rows for one in wanted]).tolist()
    total, done = ends[-1] if ends else 0, 0
    waiting: dict[int, list[Person]] = {}
    for first in range(0, max(total, 1), ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE, total)
        if first < last:
            tell("candidates", first / total)
            some = _identities(wanted, ends, first, last)
            with opened() as database:
                waiting |= people_by_row(_weighed(database, some, model), model)
        while done < len(ends) and ends[done] <= last:
            tell("decisions", done / len(ends))
            begin = ends[done] - wanted[done].people.num_rows
            own = {n - begin: waiting.pop(n) for n in range(begin, ends[done]) if n in waiting}
            yield done, _settled(wanted[done], own, model, opened)
            done += 1
    tell("decisions", 1.0)


def _identities(wanted: Sequence[Wanted], ends: Sequence[int], first: int, last: int) -> pa.Table:
    """Return the identities of some rows of all submissions, counted through."""
    tables, begin, uid = [], 0, -1
    for one, end in zip(wanted, ends, strict=True):
        if begin < last and end > first:
            low, high = max(first - begin, 0), min(last, end) - begin
            table = submitted_identities(one.people.slice(low, high - low))
            number = pc.add(table["n"], pa.scalar(begin + low, pa.int32()))
            names = pa.array(range(uid, uid - table.num_rows, -1), pa.int64())
            uid -= table.num_rows
            tables.append(table.set_column(0, "uid", names).set_column(1, "n", number))
        begin = end
    return pa.concat_tables(tables).cast(SUBMITTED_SCHEMA)


def _settled(
    wanted: Wanted,
    candidates: dict[int, list[Person]],
    model: dict[str, Any],
    opened: Callable[[], AbstractContextManager[Database]],
) -> Linkage:
    """Decide on the rows of one submission, whose candidates are known."""
    people, limits = wanted.people, thresholds(model, wanted.preset)
    rows = people["row"].to_pylist()
    if wanted.evidence is not None:
        candidates = with_evidence(candidates, limits, people, wanted.evidence)
    present = model["prior"] * model["persons"]
    submitted = submitted_identities(people)

    def decided(reviewed: Sequence[Decision]) -> tuple[list[Decided], pa.Table]:
        found: list[Decided] = []
        for begin, end in wave_bounds(people["row"]):
            some = people.slice(begin, end - begin)
            found += decide(
                {n - begin: candidates[n] for n in range(begin, end) if n in candidates},
                _order(some),
                some["date_of_birth"].is_valid().to_pylist(),
                limits,
                present,
                absent_chances(has_identifier(some), present),
                reviewed_rows(reviewed, rows[begin:end]),
            )
        with opened() as database:
            return found, review_band(database, submitted, rows, candidates, found, limits.review)

    found, band = decided(())
    taken: tuple[Decision, ...] = ()
    if wanted.decisions is not None:
        taken = tuple(wanted.decisions(band))
        found, band = decided(taken)
    return Linkage(_links(people, found), band, make_report(people, found), taken)


def _weighed(database: Database, submitted: pa.Table, model: dict[str, Any]) -> pa.Table:
    """Return the candidates of some rows; what they are does not depend on the other rows."""
    database.register("rows", submitted)
    database.run("CREATE TEMP TABLE submitted AS SELECT * FROM rows")
    find_candidates(database)
    score_pairs(database, model)
    return candidate_people(database)


def reviewed_rows(decisions: Sequence[Decision], rows: Sequence[int]) -> dict[int, Reviewed]:
    """Return the decisions of a reviewer by the place of their row; unknown rows are left out."""
    places = {row: n for n, row in enumerate(rows)}
    found: dict[int, Reviewed] = {}
    for one in decisions:
        if one.row not in places:
            continue
        n = places[one.row]
        before = found.get(n, Reviewed(None, frozenset()))
        found[n] = (
            before._replace(same=one.person_id)
            if one.same
            else before._replace(others=before.others | {one.person_id})
        )
    return found


def thresholds(model: dict[str, Any], preset: str) -> Thresholds:
    """Return the thresholds of a preset.

    Raises
    ------
    UsageError
        There is no such preset.
    """
    if preset not in model["presets"]:
        raise UsageError(
            "there is no such preset", rule="one of " + ", ".join(sorted(model["presets"]))
        )
    one = model["presets"][preset]
    return Thresholds(one["link"], one["margin"], one["review"])


def people_by_row(evidence: pa.Table, model: dict[str, Any]) -> dict[int, list[Person]]:
    """Return the candidates of each row, the levels with their names."""
    names, births = levels_of(model, "name"), levels_of(model, "date_of_birth")
    found: dict[int, list[Person]] = {}
    for n, person_id, weight, name, birth, *rest in zip(
        *(evidence[column].to_pylist() for column in evidence.column_names), strict=True
    ):
        person = Person(
            person_id,
            weight,
            names[name] if name >= 0 else "",
            births[birth] if birth >= 0 else "",
            *rest,
        )
        found.setdefault(n, []).append(person)
    return found


def _order(people: pa.Table) -> list[tuple[Any, ...]]:
    """Return which of two rows of one person comes first: the earlier date, then the file's."""
    numbers = people["row"].to_pylist()
    dates = [people[name].to_pylist() for name in _DATES if name in people.column_names]
    first = [
        min((day.toordinal() for day in days if day is not None), default=10**7)
        for days in zip(*dates, strict=True)
    ] or [0] * len(numbers)
    return list(zip(first, numbers, strict=True))


def _links(people: pa.Table, found: list[Decided]) -> pa.Table:
    """Return the decisions as a table."""

    def words(values: list[str | None]) -> pa.Array:
        return pa.array(values, pa.utf8()).dictionary_encode()

    return pa.table(
        {
            "row": people["row"].cast(pa.int32()),
            "person_id": pa.array([one.person_id for one in found], pa.int64()),
            "status": words([one.status for one in found]),
            "method": words([one.method for one in found]),
            "probability": pa.array([one.probability for one in found], pa.float64()),
            "weight": pa.array([one.weight for one in found], pa.float64()),
            "reason": words([one.reason for one in found]),
        }
    )


def _private_folder(work: Path) -> None:
    """Make the work folder with mode 0700, or accept one that is closed to others."""
    with plain_errors(f"the folder '{work.name}'"):
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = os.lstat(work)
        if (
            not stat.S_ISDIR(status.st_mode)
            or status.st_uid != os.geteuid()
            or status.st_mode & 0o077
        ):
            raise AccessError(
                f"the folder '{work.name}' is open to other users, belongs to one or is a link",
                rule="names in clear text stand in it while people are linked",
                repair="Close it with 'chmod 700', or give another folder",
            )
