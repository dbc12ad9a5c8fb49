"""The work of one process of a batch: studies one after another, each in a folder of its own."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.batch_shared import base_of
from engine.errors import BusyError, JusticeLabError, StorageError
from engine.jobs.shards import Units
from engine.link import MEMORY
from engine.release.batch_folder import finished_study, forget_failure, study_path, write_failure
from engine.release.study_folder import PRIVATE
from engine.requested import Request, facts_of, request_of
from engine.store.reading import Store, open_store
from engine.study import Linking, run_request

DONE = 0.0
"""What stands for a study with a report; for others it is the exit code of their error."""
_INTERNAL = 70
_PATIENCE = 900
"""Seconds that a study waits for another process which is at it."""
_PAUSE = 5.0
"""Seconds between two looks: each checks the submission again."""
_HOME = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    """What all studies of a batch share.

    Parameters
    ----------
    today : datetime.date, optional
        The day of the check.
    memory_bytes : int
        Memory for the database.
    ceiling : int or None
        Memory for all processes of this machine together; a study that does not fit its part is
        refused before any is linked.
    """

    today: dt.date | None = None
    memory_bytes: int = MEMORY
    ceiling: int | None = None

    @property
    def linking(self) -> Linking:
        """How people are looked for, and what a study may use."""
        return Linking(memory_bytes=self.memory_bytes, ceiling=self.ceiling)


def parameters_of(
    named: Mapping[str, Path], store: Store, folder: Path, options: Options
) -> dict[str, Any]:
    """Return what a worker is told: paths, names and numbers.

    Parameters
    ----------
    named : mapping of str to Path
        Plans by the name of their study.
    store : Store
    folder : Path
        Of the batch.
    options : Options
    """
    return {
        "plans": [[name, str(plan)] for name, plan in named.items()],
        "store": str(store.folder.absolute()),
        "folder": str(folder.absolute()),
        "today": None if options.today is None else options.today.isoformat(),
        "memory": options.memory_bytes,
        "ceiling": options.ceiling,
    }


def studies(parameters: Mapping[str, Any], units: Units) -> NDArray[np.float64]:
    """Run some studies of a batch: the work of one process, and what a worker is sent.

    Parameters
    ----------
    parameters : mapping
        See :func:`parameters_of`.
    units : Units
        Places of the studies.

    Returns
    -------
    float64, shape (len(units), 1)
        0 for a study with a report, the exit code of its error for one without.
    """
    store = open_store(parameters["store"])
    day = parameters["today"]
    options = Options(
        None if day is None else dt.date.fromisoformat(day),
        parameters["memory"],
        parameters["ceiling"],
    )
    found = [
        _study(name, plan, store, Path(parameters["folder"]), options)
        for name, plan in parameters["plans"][units.start : units.stop]
    ]
    return np.array(found, dtype=np.float64)[:, None]


def _study(name: str, plan: str, store: Store, folder: Path, options: Options) -> float:
    """Run one study, unless it stands; keep why it failed, and go on."""
    private, out = folder / PRIVATE, study_path(folder, name)
    try:
        request = request_of(plan)
        _run_in_turn(request, store, out, private, options)
    except StorageError:
        raise  # the next study would meet the same disk
    except JusticeLabError as error:
        write_failure(private, name, error.exit_code, str(error))
        return float(error.exit_code)
    except Exception as error:  # noqa: BLE001 - no study stops the others; its text may quote a cell
        write_failure(private, name, _INTERNAL, _told(error))
        return float(_INTERNAL)
    forget_failure(private, name)
    return DONE


def _run_in_turn(
    request: Request, store: Store, out: Path, private: Path, options: Options
) -> None:
    """Run a study unless it stands; wait while another process is at it.

    Such as a task of a batch whose own process is gone: a cluster lets it run to its end.
    """
    content = facts_of(request, store).content
    last = time.monotonic() + _PATIENCE
    while not finished_study(out, content):
        try:
            run_request(
                request,
                store,
                out,
                linking=options.linking,
                today=options.today,
                base=base_of(request, store, private),
            )
        except BusyError:
            if time.monotonic() >= last:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _told(error: Exception) -> str:
    """Return the kind of an exception nobody expected, and our lines; nothing of its text."""
    lines, trace = [], error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(_HOME) and not any(one.startswith(".venv") for one in path.parts):
            lines.append(f"{path.relative_to(_HOME)}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"Internal error: {type(error).__name__} at {' > '.join(lines[-4:])}."
