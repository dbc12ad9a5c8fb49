"""Bootstrap a finished match or study as a job: choose the kind, compute replicates, write."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.effects.choice import LEAST_REPLICATES
from engine.errors import UsageError
from engine.jobs.cluster import backend_for
from engine.jobs.collect import Collected
from engine.jobs.drawn import content_of, interval_so_far
from engine.jobs.finished import Finished, open_finished
from engine.jobs.footprint import local_workers, require_bootstrap_fits
from engine.jobs.job import (
    Course,
    Job,
    held,
    job_folder,
    parse_share,
    require_job,
    run,
    share_of,
    verified,
)
from engine.jobs.remade import require_same_store, require_same_table
from engine.jobs.resampling import (
    NEEDS_SOURCE,
    WHY,
    Resampler,
    check_strata,
    choose_kind,
    opened,
    replicates,
)
from engine.jobs.shards import Units
from engine.release.bootstrap_files import publish_match_bootstrap, publish_study_bootstrap
from engine.release.manifest import code_sha256
from engine.store.reading import open_store
from engine.tables import open_table

Progress = Callable[[str, float, str], None]


@dataclass(frozen=True)
class Asked:
    """What is asked of a bootstrap.

    Attributes
    ----------
    replicates : int
    kind : str
        ``auto`` or one of :data:`engine.jobs.resampling.KINDS`.
    seed : int or None
        None for that of the match.
    level : float
        Confidence level.
    table, store : str or None
        The table of a match, the store of a study, for kinds that need it.
    strata : {'arm', 'exact'}
        What the numbers of people drawn are kept in.
    ceiling : int or None
        Bytes of memory that all processes of this machine may use together.
    """

    replicates: int
    kind: str = "auto"
    seed: int | None = None
    level: float = 0.95
    table: str | None = None
    store: str | None = None
    strata: str = "arm"
    ceiling: int | None = None


@dataclass(frozen=True)
class Prepared:
    """A bootstrap that can begin.

    Attributes
    ----------
    finished : Finished
    kind : str
        Chosen from the design where ``auto`` was asked.
    resampler : Resampler
    job : Job
    parameters : dict
        Of :func:`engine.jobs.resampling.replicates`.
    wanted : Units
    """

    finished: Finished
    kind: str
    resampler: Resampler
    job: Job
    parameters: dict[str, Any]
    wanted: Units


def bootstrap(
    folder: Path | str,
    asked: Asked,
    *,
    resume: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    share: str | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any] | None:
    """Bootstrap a finished match or study, going on where an earlier run of the job ended.

    Parameters
    ----------
    folder : path
        Given to ``--out`` of the match, or the folder of a study.
    asked : Asked
    resume : bool
        Refuse to start anew.
    workers : int, optional
        Processes on this machine; this process and its threads where not given.
    scheduler : str, optional
        Of a Dask cluster.
    share : str, optional
        ``i/n``: compute this share only, beside other processes; :func:`collect` then finishes.
    progress : callable, optional
        Told the stage, the share done, and the interval so far in words.
    tell : callable, optional
        Told what a user of a cluster should know.

    Returns
    -------
    dict or None
        Content of bootstrap.json, of a study the one in its release folder; None for a share.

    Raises
    ------
    UsageError, InputError
        The kind is not valid for the match, or a file is missing or has changed.
    CannotCreateError, BusyError, StorageError, AccessError
        The job cannot be resumed or its folder not be used.

    Notes
    -----
    Replicate r is a pure function of (match, kind, seed, r): more replicates begin with the fewer.
    Of a study the main analysis is resampled, all its measures together.
    """
    prepared = prepare(folder, asked, processes=1 + local_workers(workers, scheduler))
    output, job = prepared.finished.folder, prepared.job
    wanted: Units | None = prepared.wanted
    if share is not None:
        wanted = share_of(prepared.wanted, *parse_share(share))
        if wanted is None:
            return None
    if resume:
        require_job(output, job)
    place = job_folder(output, job)
    with ExitStack() as stack:
        backend = backend_for(workers, scheduler, stack, tell)
        stack.enter_context(held(place, job, shared=share is not None))
        collected = run(
            place, job, wanted or prepared.wanted, replicates, prepared.parameters,
            backend, shared=share is not None, tell=_reporter(progress, prepared, asked.level),
        )  # fmt: skip
    return None if share is not None else _publish(prepared, asked, collected)


def collect(folder: Path | str, asked: Asked) -> dict[str, Any]:
    """Make the intervals from replicates that shares have computed; all of them must be there.

    Raises
    ------
    InputError
        Replicates are missing; says which.
    """
    prepared = prepare(folder, asked)
    output, job = prepared.finished.folder, prepared.job
    require_job(output, job)
    place = job_folder(output, job)
    collected = Collected(prepared.wanted, job.columns)
    with held(place, job):
        for shard in verified(place, job, drop=True):
            collected.add(shard)
    return _publish(prepared, asked, collected)


def prepare(folder: Path | str, asked: Asked, processes: int = 1) -> Prepared:
    """Open a match or study and decide what its bootstrap is; nothing is written."""
    if asked.replicates < LEAST_REPLICATES:
        raise UsageError(
            "there are too few replicates",
            rule=f"an interval from resampling takes at least {LEAST_REPLICATES}",
            repair="Write for example --replicates 1999",
        )
    finished = open_finished(folder)
    kind = choose_kind(asked.kind, finished)
    check_strata(asked.strata, kind, finished)
    if finished.kind == "study" and asked.level != finished.results["limits"]["level"]:
        raise UsageError(
            "the confidence level is not that of the study",
            rule="its report sets the intervals side by side, so all have one level",
            repair="Leave out --level",
        )
    seed = finished.seed if asked.seed is None else asked.seed
    source = _source(finished, asked)
    require_bootstrap_fits(finished, kind, source, asked.ceiling, processes=processes)
    parameters = {
        "folder": str(finished.folder),
        "source": None if source is None else str(Path(source).absolute()),
        "kind": kind,
        "seed": seed,
        "strata": asked.strata,
        "content": finished.content_id,
    }
    made = opened(json.dumps(parameters, sort_keys=True))
    plan = {"kind": kind, "seed": seed, "strata": asked.strata}
    job = Job("bootstrap", plan, (finished.content_id,), made.names, code_sha256())
    return Prepared(finished, kind, made, job, parameters, Units(0, asked.replicates))


def _source(finished: Finished, asked: Asked) -> str | None:
    """Return where outcomes can be read again: the table of a match, the store of a study."""
    own, other = (
        (asked.store, asked.table) if finished.kind == "study" else (asked.table, asked.store)
    )
    if other is not None:
        options = ("--table", "--store") if finished.kind == "study" else ("--store", "--table")
        raise UsageError(
            f"{options[0]} does not belong to a {finished.kind}",
            rule="a match is made from a table, a study from a store",
            repair=f"Give {options[1]}, or nothing where the kind needs none",
        )
    return own


def _reporter(
    progress: Progress | None, prepared: Prepared, level: float
) -> Callable[[Course], None] | None:
    """Return what turns the course of a job into progress and an interval so far."""
    if progress is None:
        return None

    def report(course: Course) -> None:
        note = f"{course.done:,} of {course.wanted:,}"
        first = course.collected.so_far[:, 0]
        said = interval_so_far(prepared.finished, prepared.job.columns[0], first, level)
        progress("replicates", course.done / course.wanted, f"{note}; {said}" if said else note)

    return report


def _publish(prepared: Prepared, asked: Asked, collected: Collected) -> dict[str, Any]:
    """Write bootstrap.json beside the results and into the page; return what may be shown."""
    finished = prepared.finished
    content = content_of(
        finished,
        prepared.resampler,
        collected.complete(),
        asked=asked.kind,
        kind=prepared.kind,
        seed=prepared.parameters["seed"],
        level=asked.level,
        strata=asked.strata,
        job=prepared.job.id,
    )
    folder, manifest, results = finished.folder, finished.manifest, finished.results
    if finished.kind == "study":
        return publish_study_bootstrap(folder, manifest, results, content).results
    publish_match_bootstrap(folder, manifest, results, content)
    return content


def show_plan(folder: Path | str, asked: Asked) -> dict[str, Any]:
    """Return what would be done, after every check that reads no replicate."""
    finished = open_finished(folder)
    study = finished.kind == "study"
    kind = choose_kind(asked.kind, finished)
    check_strata(asked.strata, kind, finished)
    source = _source(finished, asked)
    if kind in NEEDS_SOURCE and source is not None:
        if study:
            require_same_store(finished, open_store(source))
        else:
            require_same_table(finished, open_table(source))
    return {
        finished.kind: (finished.folder.parent if study else finished.folder).name,
        "outcomes": list(finished.estimates),
        "kind": kind,
        "why": WHY[kind],
        "replicates": asked.replicates,
    }
