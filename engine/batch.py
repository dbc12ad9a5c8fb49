"""Many studies of one store: all submissions linked in one call, then study by study, then told.

Each study is the one that ``run`` would make, to the byte, in a folder of its own; one that fails
stops no other. How far a batch has got is read off its folders, so a batch that was killed goes on
when it is run again, and several machines can do a share each.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numba

from engine.batch_shared import drop_pools, link_studies, share_pools
from engine.batch_work import DONE, Options, parameters_of, studies
from engine.errors import InputError, JusticeLabError, UsageError
from engine.jobs.cluster import backend_for
from engine.jobs.footprint import local_workers
from engine.jobs.job import Course, Job, held, job_folder, parse_share, share_of, verified
from engine.jobs.job import run as run_units
from engine.jobs.shards import Units, name_of
from engine.release.batch_folder import (
    BATCH_FILES,
    BATCH_FOLDERS,
    begin_batch,
    finished_study,
    forget_failure,
    read_batch,
    read_failure,
    released_study,
    study_path,
    write_summary,
)
from engine.release.batch_overlap import too_alike, treated_of, warnings_of
from engine.release.batch_results import changes, requests, summary_row
from engine.release.folder import locked, prepare_folder, private_folder
from engine.release.manifest import InputFacts, RunFacts, code_sha256
from engine.release.pack import HeldFolder
from engine.release.study_folder import PRIVATE
from engine.requested import facts_of, request_of
from engine.store.reading import Store, open_store

Progress = Callable[[str, float, str], None]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, repr=False)
class Batch:
    """A finished batch.

    Attributes
    ----------
    folder : Path
    rows : list of dict
        A line of released figures for each study with a report.
    failed : dict of str to str
        Message for each study without one.
    changes : list of dict or None
        Since the earlier batch, where one was named.
    warnings : list of str
        Studies of nearly the same people, which may not be handed over together.
    """

    folder: Path
    rows: list[dict[str, Any]]
    failed: dict[str, str]
    changes: list[dict[str, Any]] | None
    warnings: list[str]


def batch(
    plans: Sequence[str | Path],
    store: str | Path,
    out: str | Path,
    *,
    previous: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    share: str | None = None,
    collect: bool = False,
    title: str = "Studies of services",
    options: Options | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Batch | None:
    """Run a study for each plan, going on where an earlier run of the same batch ended.

    Parameters
    ----------
    plans : sequence of path
        Plans that name their submissions; a study is called like its plan.
    store : path
        A prepared store.
    out : path
        Folder of the batch: absent, empty or an earlier batch.
    previous : path, optional
        Folder of an earlier batch to compare with.
    workers : int, optional
        Processes on this machine; this process and its threads where not given.
    scheduler : str, optional
        Of a Dask cluster.
    share : str, optional
        ``i/n``: do this share of the studies only, beside other processes.
    collect : bool
        Run no study: refuse if one is missing, and write what they say together.
    title : str
        Heading of the index page.
    options : Options, optional
    progress : callable, optional
        Told the stage, the share done, and what is known so far.
    tell : callable, optional
        Told what a user of a cluster should know.

    Returns
    -------
    Batch or None
        None for a share.

    Raises
    ------
    UsageError
        Two plans have one name, or a name is no name of a folder.
    InputError
        There is no store, no earlier batch, or a study is missing from what is collected.
    AccessError, CannotCreateError, BusyError, StorageError
        The folder cannot be written to; run again to go on.
    """
    named = _names(plans)
    shared = _dealt(options or Options(), 1 + local_workers(workers, scheduler))
    opened = open_store(store)
    before = None if previous is None else read_batch(Path(previous))
    folder = prepare_folder(out, BATCH_FILES, BATCH_FOLDERS)
    wanted: Units | None = Units(0, len(named))
    if share is not None:
        wanted = share_of(Units(0, len(named)), *parse_share(share), block=1)
        if wanted is None:
            return None
    assert wanted is not None
    started, seconds = dt.datetime.now(dt.UTC), dict[str, float]()
    contents = _contents(named, opened)
    job = Job("batch", _facts(named, opened, shared), contents, ("status",), code_sha256())
    place = job_folder(folder, job)
    with ExitStack() as stack:
        backend = backend_for(workers, scheduler, stack, tell)
        stack.enter_context(locked(folder, shared=share is not None))
        # Before anything else: a folder that has something in it and no manifest is a stranger's.
        begin_batch(folder, _batch_facts(named, opened, title, (), started, seconds))
        private = private_folder(folder / PRIVATE)
        # Names in clear text stand in temporary files of the linkage: those of dead runs are swept.
        stack.enter_context(locked(private, shared=share is not None))
        stack.enter_context(held(place, job, shared=share is not None))
        if share is None and not collect:
            _forget_unfinished(place, job, folder, named, contents, private)
        if not collect:
            mine = list(named.items())[wanted.start : wanted.stop]
            with _timed(seconds, "link"):
                left = link_studies(mine, opened, folder, shared.today, shared.linking, progress)
            with _timed(seconds, "pools"):
                share_pools(left, opened, private)
            with _timed(seconds, "studies"):
                collected = run_units(
                    place, job, wanted, studies, parameters_of(named, opened, folder, shared),
                    backend, shared=share is not None, tell=_reporter(progress),
                )  # fmt: skip
            if share is not None:
                return None
            collected.complete()
            drop_pools(private)
        content = _batch_facts(named, opened, title, (), started, seconds)
        return _summed(folder, named, before, content, None if previous is None else Path(previous))


def _dealt(options: Options, processes: int) -> Options:
    """Return the options of each of some processes: they share the ceiling."""
    if options.ceiling is None:
        return options
    return replace(options, ceiling=options.ceiling // processes)


def _names(plans: Sequence[str | Path]) -> dict[str, Path]:
    """Return the plans by the name of their study."""
    if not plans:
        raise UsageError("there is no plan", repair="Name the plans of the studies: plans/*.toml")
    found: dict[str, Path] = {}
    for plan in map(Path, plans):
        if not _NAME.fullmatch(plan.stem):
            raise UsageError(
                "the name of a plan cannot be that of a folder",
                rule="letters, digits, dots, hyphens and underscores, at most 100",
                repair="Give the plan another name",
            )
        if plan.stem in found:
            raise UsageError(
                f"two plans are called '{plan.stem}'",
                rule="a study is called like its plan",
                repair="Give one of them another name",
            )
        found[plan.stem] = plan.absolute()
    return found


def _contents(named: Mapping[str, Path], store: Store) -> tuple[str, ...]:
    """Return the hash of what each study is made of; of nothing where its plan is wrong."""
    found = []
    for plan in named.values():
        try:
            found.append(facts_of(request_of(plan), store).content)
        except JusticeLabError as error:
            found.append(hashlib.sha256(str(error).encode()).hexdigest())
    # One study has inputs of its own like each of many, so that a job never takes them for shared.
    return tuple(found) if len(found) > 1 else (*found, "")


def _facts(named: Mapping[str, Path], store: Store, options: Options) -> dict[str, Any]:
    """Return what decides the results of all studies."""
    return {
        "studies": list(named),
        "store": store.manifest["extract_sha256"],
        "today": None if options.today is None else options.today.isoformat(),
    }


def _forget_unfinished(
    place: Path,
    job: Job,
    folder: Path,
    named: Mapping[str, Path],
    contents: Sequence[str],
    private: Path,
) -> None:
    """Remove the marks of studies that failed or are not whole, so that they are done again."""
    names = list(named)
    for shard in verified(place, job, drop=True):
        n = shard.units.start
        whole = shard.values[0, 0] == DONE and finished_study(
            study_path(folder, names[n]), contents[n]
        )
        if not whole:
            (place / name_of(job.id, shard.units)).unlink()
            forget_failure(private, names[n])


def _summed(
    folder: Path,
    named: Mapping[str, Path],
    before: Sequence[Mapping[str, Any]] | None,
    facts: RunFacts,
    previous: Path | None,
) -> Batch:
    """Write what the studies say together."""
    private = folder / PRIVATE
    rows, results, days, asked, failed = [], [], {}, {}, {}
    for name, plan in named.items():
        asked[name] = _requested(plan)
        fault = read_failure(private, name)
        found = None if fault is not None else released_study(study_path(folder, name))
        if fault is not None:
            failed[name] = fault["message"]
        elif found is None:
            raise InputError(
                f"the study '{name}' is missing",
                rule="a batch is told from all of its studies or not at all",
                repair="Run the missing shares, or run the batch without --shard",
            )
        else:
            results.append((name, found[0]))
            rows.append(summary_row(name, found[0]))
            days[name] = found[1]
    verdicts = {row["study"]: row["verdict"] for row in rows}
    changed = None if before is None else changes(rows, before)
    content = repr([(row["study"], row["content_id"]) for row in rows])
    facts = replace(facts, content=hashlib.sha256(content.encode()).hexdigest())
    title = str(facts.options["title"])
    write_summary(
        HeldFolder(folder, []), rows, changed, requests(asked, days, verdicts), results, title,
        facts,
    )  # fmt: skip
    pairs = too_alike(
        treated_of({row["study"]: study_path(folder, row["study"]) for row in rows}),
        treated_of({row["study"]: study_path(previous, row["study"]) for row in before or ()})
        if previous is not None
        else {},
    )
    return Batch(folder, rows, failed, changed, warnings_of(pairs))


def _batch_facts(
    named: Mapping[str, Path],
    store: Store,
    title: str,
    content: Sequence[tuple[str, str]],
    started: dt.datetime,
    seconds: Mapping[str, float],
) -> RunFacts:
    """Return what the manifest is told."""
    return RunFacts(
        {"title": title, "studies": list(named)},
        (InputFacts("store", "store", store.manifest["extract_sha256"], None, 0, 0),),
        hashlib.sha256(repr(list(content)).encode()).hexdigest(),
        started,
        seconds,
        numba.get_num_threads(),
    )


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long a stage takes."""
    began = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - began, 3)


def _requested(plan: Path) -> dt.date | None:
    """Return the day on which a study was asked for, None where its plan does not say."""
    try:
        day = request_of(plan).plan.study.requested
    except JusticeLabError:
        return None
    return dt.date.fromisoformat(day) if day else None


def _reporter(progress: Progress | None) -> Callable[[Course], None] | None:
    if progress is None:
        return None
    return lambda course: progress(
        "studies", course.done / course.wanted, f"{course.done:,} of {course.wanted:,}"
    )
