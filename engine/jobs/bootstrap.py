"""Bootstrap a finished match as a job: choose the kind, compute replicates, write the intervals."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numba
import numpy as np

from engine.effects.bootstrap import quantile
from engine.effects.choice import LEAST_REPLICATES, METHODS
from engine.effects.resampled import Resampled, as_interval
from engine.errors import InputError, UsageError
from engine.jobs.backends import Backend, Dask, Here, Processes
from engine.jobs.collect import Collected
from engine.jobs.finished import Finished, open_match, require_same_table
from engine.jobs.footprint import require_bootstrap_fits
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
from engine.jobs.resampling import (
    NEEDS_TABLE,
    WHY,
    Resampler,
    choose_kind,
    notes_on,
    opened,
    replicates,
)
from engine.jobs.shards import Units
from engine.release.files import publish, stage_json
from engine.release.folder import MANIFEST, locked, read_manifest
from engine.release.linear_form import outcome_name
from engine.release.manifest import code_sha256
from engine.release.plain import number, p_value
from engine.release.resampled import resampled_results
from engine.tables import open_table

BOOTSTRAP = "bootstrap.json"
Progress = Callable[[str, float, str], None]

MAIN_INTERVAL = (
    "The main interval of the study is the one that the design of the match decides on (main); "
    "the bootstrap is a second opinion."
)
_MAIN = ("interval_method", "standard_error", "ci_low", "ci_high", "p_value", "level")
_FEWEST_SHOWN = 50


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
    table : str or None
        The table of the match, for kinds that need it.
    ceiling : int or None
        Bytes of memory that all processes of this machine may use together.
    """

    replicates: int
    kind: str = "auto"
    seed: int | None = None
    level: float = 0.95
    table: str | None = None
    ceiling: int | None = None


@dataclass(frozen=True)
class _Prepared:
    match: Finished
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
    """Bootstrap a finished match, going on where an earlier run of the same job ended.

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
        Content of bootstrap.json; None for a share.

    Raises
    ------
    UsageError, InputError
        The kind is not valid for the match, or a file is missing or has changed.
    CannotCreateError, BusyError, StorageError, AccessError
        The job cannot be resumed or its folder not be used.

    Notes
    -----
    Replicate r is a pure function of (match, kind, seed, r): more replicates begin with the fewer.
    """
    local = 0 if scheduler not in (None, "local") else workers or 0
    if scheduler == "local":
        local = workers or os.cpu_count() or 1
    prepared = _prepare(folder, asked, processes=1 + local)
    output, job = prepared.match.folder, prepared.job
    wanted: Units | None = prepared.wanted
    if share is not None:
        wanted = share_of(prepared.wanted, *parse_share(share))
        if wanted is None:
            return None
    if resume:
        require_job(output, job)
    place = job_folder(output, job)
    with ExitStack() as stack:
        backend = _backend(workers, scheduler, stack, tell)
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
    prepared = _prepare(folder, asked)
    output, job = prepared.match.folder, prepared.job
    require_job(output, job)
    place = job_folder(output, job)
    collected = Collected(prepared.wanted, job.columns)
    with held(place, job):
        for shard in verified(place, job, drop=True):
            collected.add(shard)
    return _publish(prepared, asked, collected)


def _prepare(folder: Path | str, asked: Asked, processes: int = 1) -> _Prepared:
    if asked.replicates < LEAST_REPLICATES:
        raise UsageError(
            "there are too few replicates",
            rule=f"an interval from resampling takes at least {LEAST_REPLICATES}",
            repair="Write for example --replicates 1999",
        )
    match = open_match(folder)
    kind = choose_kind(asked.kind, match)
    threads = numba.get_num_threads() if processes == 1 else 1
    require_bootstrap_fits(
        match, kind, asked.table, asked.ceiling, processes=processes, threads=threads
    )
    seed = match.options.seed if asked.seed is None else asked.seed
    table = None if asked.table is None else str(Path(asked.table).absolute())
    content = str(match.manifest["content_id"])
    parameters = {
        "folder": str(match.folder), "table": table, "kind": kind, "seed": seed, "match": content,
    }  # fmt: skip
    made = opened(json.dumps(parameters, sort_keys=True))
    job = Job("bootstrap", {"kind": kind, "seed": seed}, (content,), made.names, code_sha256())
    return _Prepared(match, kind, made, job, parameters, Units(0, asked.replicates))


def _backend(
    workers: int | None,
    scheduler: str | None,
    stack: ExitStack,
    tell: Callable[[str], None] | None,
) -> Backend:
    if scheduler is not None:
        cluster = Dask(scheduler, workers)
        stack.callback(cluster.close)
        if tell is not None:
            tell(f"The cluster's dashboard is {cluster.dashboard}")
        return cluster
    return Here() if workers is None else Processes(workers)


def _reporter(
    progress: Progress | None, prepared: _Prepared, level: float
) -> Callable[[Course], None] | None:
    """Return what turns the course of a job into progress and an interval so far."""
    if progress is None:
        return None

    def report(course: Course) -> None:
        note = f"{course.done:,} of {course.wanted:,}"
        first = course.collected.so_far[:, 0]
        usable = np.sort(first[np.isfinite(first)])
        if len(usable) >= _FEWEST_SHOWN:
            tail = (1.0 - level) / 2.0
            low, high = quantile(usable, tail), quantile(usable, 1.0 - tail)
            note += f"; {prepared.job.columns[0]} {low:.4g} to {high:.4g} so far"
        progress("replicates", course.done / course.wanted, note)

    return report


def _publish(prepared: _Prepared, asked: Asked, collected: Collected) -> dict[str, Any]:
    """Write bootstrap.json beside the results, and its hash into the manifest."""
    content = _content(prepared, asked, collected)
    match = prepared.match
    with locked(match.folder):
        manifest = read_manifest(match.folder)
        if manifest is None or manifest["content_id"] != match.manifest["content_id"]:
            raise InputError(
                "the match has been made anew while its bootstrap ran",
                rule="a bootstrap belongs to the match it has resampled",
                repair="Run the bootstrap again",
            )
        staged = stage_json(match.folder, BOOTSTRAP, content)
        files = [one for one in manifest["files"] if one["name"] != BOOTSTRAP]
        manifest["files"] = [*files, asdict(staged.record)]
        manifest["bootstrap"] = {"ended": datetime.now(UTC).isoformat(timespec="milliseconds")}
        publish(match.folder, [staged, stage_json(match.folder, MANIFEST, manifest)])
    return content


def _content(prepared: _Prepared, asked: Asked, collected: Collected) -> dict[str, Any]:
    match, kind, made = prepared.match, prepared.kind, prepared.resampler
    values = collected.complete()
    estimates = []
    for column, (name, finish) in enumerate(zip(made.names, made.finish, strict=True)):
        one = match.estimates[name]
        drawn = finish(np.ascontiguousarray(values[:, column]), asked.level)
        interval = as_interval(kind, drawn, one["difference"], asked.level)
        (intervals,) = resampled_results([Resampled(kind, drawn, interval)])
        estimates.append(
            {
                "outcome": one["outcome"],
                "type": one["type"],
                "measure": one["measure"],
                "difference": one["difference"],
                "ci_low": number(interval.low),
                "ci_high": number(interval.high),
                "p_value": p_value(interval.p_value),
                "without_estimate": int(np.count_nonzero(~np.isfinite(drawn.estimates))),
                **intervals,
                "main": {key: one[key] for key in _MAIN},
            }
        )
    return {
        "format": 1,
        "kind": "bootstrap",
        "match_content_id": match.manifest["content_id"],
        "job": prepared.job.id,
        "resampling": {
            "asked": asked.kind,
            "kind": kind,
            "method": METHODS[kind],
            "why": WHY[kind],
            "replicates": asked.replicates,
            "seed": prepared.parameters["seed"],
            "level": asked.level,
        },
        "estimates": estimates,
        "notes": [MAIN_INTERVAL, *notes_on(kind, match)],
    }


def show_plan(folder: Path | str, asked: Asked) -> dict[str, Any]:
    """Return what would be done, after every check that reads no replicate."""
    match = open_match(folder)
    kind = choose_kind(asked.kind, match)
    if kind in NEEDS_TABLE and asked.table is not None:
        require_same_table(match, open_table(asked.table))
    return {
        "match": match.folder.name,
        "outcomes": [outcome_name(one) for one in match.outcomes],
        "kind": kind,
        "why": WHY[kind],
        "replicates": asked.replicates,
    }
