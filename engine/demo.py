"""The whole job on a nation that does not exist: records, store, three services, their reports.

One service works, one changes nothing, one takes on people too different to judge. What is true is
known, because the nation is made up, so every reader can see whether the reports say it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba

from engine.records.synthetic.interventions import (
    BENEFICIAL,
    CHERRY_PICKED,
    COMMUNITY_SETTING,
    NONE,
    PRISON,
    RANDOM,
    Intervention,
)
from engine.records.synthetic.nation import synthesise
from engine.release.encoding import json_bytes
from engine.release.files import write_bytes
from engine.release.folder import (
    FORMAT,
    MANIFEST,
    locked,
    plain_errors,
    prepare_folder,
    private_folder,
    read_manifest,
)
from engine.release.manifest import code_sha256
from engine.release.report.files import PAGE as REPORT
from engine.release.report.index import index_page
from engine.release.study_folder import RELEASE
from engine.store.prepare import prepare
from engine.study import run
from engine.submission.template import description_bytes
from engine.warm_up import compiling_study

Progress = Callable[[str, float, str], None]

FOLDER = "justicelab-demo"
"""Name of the folder where none is given."""
PEOPLE = 100_000
NATION, STORE, STUDIES, PAGE = "nation", "store", "studies", "index.html"
FOLDERS = frozenset({NATION, STORE, STUDIES})
FILES = frozenset({PAGE, MANIFEST})

_SEED = 0


@dataclass(frozen=True)
class Service:
    """A service that does not exist.

    Parameters
    ----------
    name : str
        Of its submission and its study.
    title : str
        As it stands in the report.
    share : float
        Its people, of all people of the nation.
    effect, strength, selection, setting, pull
        See :class:`engine.records.synthetic.interventions.Intervention`.
    answers : mapping of str to str
        The description form, without name and organisation.
    """

    name: str
    title: str
    share: float
    effect: str
    strength: float
    selection: str
    setting: str
    pull: float
    answers: Mapping[str, str]

    def intervention(self, people: int) -> Intervention:
        """Return what the synthetic nation is told of it."""
        size = round(self.share * people)
        return Intervention(
            self.name, size, self.effect, self.strength, self.selection, self.setting, self.pull
        )

    def description(self) -> bytes:
        """Return the workbook of its description form."""
        own = {"organisation": "A made-up charity", "service": self.title}
        return description_bytes({**own, **self.answers})


SERVICES = (
    Service(
        "trade-workshop",
        "Trade workshop",
        0.02,
        BENEFICIAL,
        0.35,
        RANDOM,
        PRISON,
        1.0,
        {
            "what": "Made up for the demo. People learn a trade in prison. In the made-up nation "
            "it works: of the offences that people would have committed in the year after "
            "release, more than a third do not happen.",
            "where": "In prison.",
            "dose": "A few weeks to a few months before release.",
            "selection": "By lot among everybody with enough time left in prison.",
        },
    ),
    Service(
        "evening-course",
        "Evening course",
        0.02,
        NONE,
        0.0,
        RANDOM,
        COMMUNITY_SETTING,
        1.0,
        {
            "what": "Made up for the demo. People on community orders go to an evening course. In "
            "the made-up nation it changes nothing: everybody offends as they would have done "
            "without it.",
            "where": "Outside prison.",
            "dose": "A few weeks to a few months from the start of the order.",
            "selection": "By lot among everybody with a new order.",
        },
    ),
    Service(
        "second-start",
        "Second start",
        0.045,
        NONE,
        0.0,
        CHERRY_PICKED,
        PRISON,
        100.0,
        {
            "what": "Made up for the demo. A service in prison that takes the oldest people and "
            "those who were hardly ever in prison before, nearly all of them. In the made-up "
            "nation it changes nothing, but its people would reoffend less than others anyway.",
            "where": "In prison.",
            "dose": "A few weeks to a few months before release.",
            "selection": "Hand-picked: the older and the less often in prison, the likelier. "
            "Hardly anybody like them is left to compare them with.",
        },
    ),
)


@dataclass(frozen=True, repr=False)
class DemoStudy:
    """A finished study of the demo.

    Attributes
    ----------
    service : Service
    results : dict
        What was released.
    true_effect : float
        On the share of people of the submission who reoffend.
    report : Path
    """

    service: Service
    results: dict[str, Any]
    true_effect: float
    report: Path


@dataclass(frozen=True)
class Demo:
    """A finished demo.

    Attributes
    ----------
    page : Path
        Leads to the reports.
    studies : tuple of DemoStudy
    """

    page: Path
    studies: tuple[DemoStudy, ...]


def demo(
    out: str | os.PathLike[str] = FOLDER,
    *,
    people: int = PEOPLE,
    seed: int = _SEED,
    progress: Progress | None = None,
) -> Demo:
    """Make a nation and its store, and run a study of each of three services.

    Parameters
    ----------
    out : path
        Folder: absent, empty, or an earlier demo. One that broke off is taken up where it was.
    people : int
        In the nation; a service has 2 to 5 % of them.
    seed : int
        Of the nation.
    progress : callable, optional
        Takes the name of a stage, the share of it that is done, and what is being done.

    Returns
    -------
    Demo

    Raises
    ------
    AccessError, CannotCreateError, BusyError, StorageError
        The folder holds something else or cannot be written to.
    """
    folder = prepare_folder(out, FILES, FOLDERS)
    steps = 2 + len(SERVICES)
    with locked(folder):
        facts = _begin(folder, people, seed)
        with compiling_study():
            tell = _stage(progress, f"1/{steps} a made-up nation of {people:,} people", _NATION)
            _make_nation(folder, people, seed, tell)
            tell = _stage(progress, f"2/{steps} its store", _STORE)
            prepare(
                folder / NATION / "extract",
                folder / STORE,
                threads=numba.get_num_threads(),
                progress=tell,
            )
        truth = json.loads((folder / NATION / "truth" / "effects.json").read_text("utf-8"))
        effects = {one["name"]: one["effect_on_rate"] for one in truth["submissions"]}
        private_folder(folder / STUDIES)
        studies = []
        for number, service in enumerate(SERVICES, 3):
            tell = _stage(progress, f"{number}/{steps} study of '{service.title}'", _STUDY)
            studies.append(_study(folder, service, effects[service.name], tell))
        listed = [(one.report.relative_to(folder).as_posix(), one.results) for one in studies]
        page = index_page(listed, "Three made-up services")
        write_bytes(folder, PAGE, page.encode("utf-8", errors="replace"))
        write_bytes(folder, MANIFEST, json_bytes({**facts, "status": "complete"}))
    return Demo(folder / PAGE, tuple(studies))


def _begin(folder: Path, people: int, seed: int) -> dict[str, Any]:
    """Mark the folder as a demo under way; remove what another version or nation left."""
    whole = repr((code_sha256(), people, seed, SERVICES))
    content = hashlib.sha256(whole.encode()).hexdigest()
    facts = {"format": FORMAT, "kind": "demo", "content_id": content, "people": people}
    known = read_manifest(folder)
    with plain_errors(f"the folder '{folder.name}'"):
        (folder / PAGE).unlink(missing_ok=True)
        if known is not None and known.get("content_id") != content:
            for name in FOLDERS:
                if (folder / name).is_dir():
                    shutil.rmtree(folder / name)
    write_bytes(folder, MANIFEST, json_bytes({**facts, "status": "incomplete"}))
    return facts


def _make_nation(folder: Path, people: int, seed: int, tell: Callable[[str, float], None]) -> None:
    """Make the nation under a name that is swept after a kill, unless it stands."""
    if (folder / NATION).is_dir():
        return
    begun = folder / f".{NATION}.{os.getpid()}.part"
    with plain_errors(f"the folder '{folder.name}'"):
        synthesise(
            people,
            begun,
            seed=seed,
            interventions=tuple(one.intervention(people) for one in SERVICES),
            threads=numba.get_num_threads(),
            progress=tell,
        )
        for service in SERVICES:
            path = begun / "submissions" / f"{service.name}-description.xlsx"
            path.write_bytes(service.description())
        begun.rename(folder / NATION)


def _study(
    folder: Path, service: Service, effect: float, tell: Callable[[str, float], None]
) -> DemoStudy:
    """Run the study of a service as a user would."""
    submissions = folder / NATION / "submissions"
    out = folder / STUDIES / service.name
    study = run(
        submissions / f"{service.name}.csv",
        folder / STORE,
        out,
        description=submissions / f"{service.name}-description.xlsx",
        progress=tell,
    )
    return DemoStudy(service, study.released.results, effect, out / RELEASE / REPORT)


_NATION = ("choose", "write")
_STORE = ("check", "partitions", "link index")
_STUDY = (
    *("check", "candidates", "weights", "decisions", "sentences", "pool"),
    *("match", "measures", "sensitivity", "other analyses", "write"),
)
"""What the parts of a stage are called, in order."""


def _stage(
    progress: Progress | None, stage: str, parts: tuple[str, ...]
) -> Callable[[str, float], None]:
    """Return what takes the progress of one stage: its parts count alike."""

    def tell(part: str, share: float) -> None:
        if progress is not None and part in parts:
            progress(stage, (parts.index(part) + share) / len(parts), part)

    if progress is not None:
        progress(stage, 0.0, "")
    return tell
