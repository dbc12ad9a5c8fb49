"""What the studies of a batch share: the call that links their people, and what pools hold."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numba

from engine.analyses import columns_of
from engine.cohort.base import Base, base_name, open_base, write_base
from engine.cohort.pool import pool_base
from engine.cohort.rules import IndexRules
from engine.errors import JusticeLabError, StorageError
from engine.linkage.link import Wanted, link_submissions
from engine.matching.pool import pool_columns
from engine.release.batch_folder import finished_study, study_path
from engine.release.folder import plain_errors, private_folder, work_folder
from engine.release.study_folder import PRIVATE, check_study_folder, study_folder
from engine.requested import Request, facts_of, request_of, require_columns, wanted_of
from engine.store.reading import Store
from engine.study import Linking, load_linkage, save_linkage, within_ceiling
from engine.submission.sandbox import Sandbox

Progress = Callable[[str, float, str], None]


def link_studies(
    plans: Sequence[tuple[str, Path]],
    store: Store,
    folder: Path,
    today: dt.date | None,
    linking: Linking,
    progress: Progress | None,
) -> list[Request]:
    """Link the people of all studies that are not linked yet in one call; each keeps its links.

    Parameters
    ----------
    plans : sequence of (str, Path)
        Name and plan of each study.
    store : Store
    folder : Path
        Of the batch.
    today : datetime.date or None
        The day of the check.
    linking : Linking
        Memory for the database, and what each study may use.
    progress : callable or None

    Returns
    -------
    list of Request
        Of the studies that are to be run.

    Raises
    ------
    StorageError
        A study does not fit the ceiling; nobody was linked.
    """
    database = linking.memory_bytes
    left: list[Request] = []
    waiting: list[tuple[Path, Request, Wanted]] = []
    with Sandbox() as sandbox:
        for n, (name, plan) in enumerate(plans, 1):
            out = study_path(folder, name)
            try:
                request = request_of(plan)
                facts = facts_of(request, store)
                if finished_study(out, facts.content):
                    continue
                check_study_folder(out)
                check = request.check(store, today, sandbox)
                require_columns(request.plan, store, check)
                fitting = within_ceiling(linking, store, request.plan, check)
                database = min(database, fitting.memory_bytes)
                private_folder(out.parent)
                with study_folder(out, facts.content, facts) as study:
                    reviewed = request.decisions is not None
                    left.append(request)
                    if load_linkage(study, check.table, reviewed=reviewed) is None:
                        waiting.append((out, request, wanted_of(request, check, store)))
            except StorageError:
                raise
            except JusticeLabError:
                continue  # told where the study is run, with the same words
            if progress is not None:
                progress("check", n / len(plans), name)
    if not waiting:
        return left
    told = None if progress is None else lambda stage, share: progress(stage, share, "")
    with work_folder(folder / PRIVATE) as work:
        links = link_submissions(
            [one for _, _, one in waiting],
            store,
            threads=numba.get_num_threads(),
            memory_bytes=database,
            work=work,
            progress=told,
        )
        for n, found in links:
            out, request, _ = waiting[n]
            facts = facts_of(request, store)
            with study_folder(out, facts.content, facts) as study:
                save_linkage(study, found, reviewed=request.decisions is not None)
    return left


def share_pools(requested: Sequence[Request], store: Store, private: Path) -> None:
    """Work out once what the pools of many studies share, as files that all processes map."""
    wanted: dict[IndexRules, list[str]] = {}
    for one in requested:
        own = pool_columns(columns_of(one.plan), one.plan.sub_analyses.by)
        wanted.setdefault(one.plan.index.rules(), []).extend(own)
    for rules, names in wanted.items():
        columns = sorted(set(names))
        folder = private / base_name(store, rules, columns)
        if folder.is_dir():
            continue
        begun = private / f".{folder.name}.{os.getpid()}.part"
        private_folder(begun)
        with plain_errors(f"the folder '{folder.name}'"):
            write_base(begun, pool_base(store, rules), store, columns)
            with contextlib.suppress(FileExistsError):
                begun.rename(folder)


def drop_pools(private: Path) -> None:
    """Remove what pools shared: it can be made again, and it is as large as the store."""
    for entry in private.glob("pool-*"):
        shutil.rmtree(entry, ignore_errors=True)


@functools.lru_cache(maxsize=1)
def _base(folder: Path) -> Base:
    """Open what pools share once in a process."""
    return open_base(folder)


def base_of(request: Request, store: Store, private: Path) -> Base | None:
    """Return what the pool of a study shares with others; None where it is not there."""
    columns = set(pool_columns(columns_of(request.plan), request.plan.sub_analyses.by))
    for folder in sorted(private.glob(f"{base_name(store, request.plan.index.rules())}-*")):
        base = _base(folder)
        if base.index is not None and columns <= set(base.index.column_names):
            return base
    return None
