"""The synthetic nation at length: published figures, time, memory, and its truth found again."""

import resource
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from engine.records.synthetic.nation import Nation, synthesise
from engine.store.prepare import prepare
from engine.store.reading import open_store
from tests.certify.truth import Recovered, broken, recover

PEOPLE = 5_000_000
SIZES = {"ci": ((200_000, 3),), "release": ((PEOPLE, 1), (500_000, 8))}
"""By size: people of a nation, and how many nations of so many, each with a seed of its own."""
_SECONDS, _BYTES = 600.0, 8e9
_OFFENCES, _DISPOSALS = 40_000_000, 8_000_000
_ERRORS, _MANY = 3.0, 4.0
"""Standard errors that chance hardly exceeds in any figure of one large nation, and of several
small ones, where people who come back make a few figures stray by more than their errors say."""


class Certified(NamedTuple):
    """What a run took, and which promises it broke."""

    people: int
    seconds: float
    peak_bytes: float
    rows: dict
    broken: tuple


def nations(size: str, threads: int = 2) -> tuple[list[Certified], list[Recovered], list[str]]:
    """Make nations of a size, hold each to its promises, and find the truth of all of them again.

    Returns
    -------
    list of Certified, list of Recovered, list of str
        The last says what is broken over all nations.
    """
    made, found, wrong = [], [], []
    for people, count in SIZES[size]:
        for seed in range(1, count + 1):
            with tempfile.TemporaryDirectory(prefix="justicelab-nation-") as place:
                folder = Path(place)
                one = certify_nation(folder / "nation", people, seed, threads)
                made.append(one)
                wrong += [f"{people:,} people, seed {seed}: {text}" for text in one.broken]
                prepare(folder / "nation" / "extract", folder / "store", threads=threads)
                truth = folder / "nation" / "truth" / "people.parquet"
                found += recover(open_store(folder / "store"), truth, seed)
    return made, found, wrong + broken(found)


def certify_nation(folder: Path, people: int = PEOPLE, seed: int = 1, threads: int = 2):
    """Make a nation and compare it with the published figures and the limits of size.

    A figure keeps its tolerance, but where that is less than what chance does: at 5 million people
    only the rates of juveniles and of offence groups with few people in the cohort.
    Time is held to at 5 million people, where starting up is nothing; memory at any size. It is the
    largest of the process so far, so the largest nation comes first.
    """
    begun = time.monotonic()
    nation = synthesise(people, folder, seed=seed, threads=threads)
    seconds = time.monotonic() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return Certified(
        people, seconds, peak, nation.rows, _broken_promises(nation, people, seconds, peak)
    )


def _broken_promises(nation: Nation, people: int, seconds: float, peak: float) -> tuple:
    """Return what is not as promised of one nation."""
    errors = _ERRORS if people >= PEOPLE else _MANY
    wrong = [
        f"{line.figure}: {line.synthetic:.2f} and not {line.published:.2f}"
        for line in nation.calibration
        if line.gap > max(line.tolerance, errors * line.noise)
    ]
    share = people / PEOPLE
    for name, least in (("offences", _OFFENCES), ("disposals", _DISPOSALS)):
        if nation.rows[name] < least * share:
            wrong.append(f"{name}: {nation.rows[name]:,} rows")
    if people >= PEOPLE and seconds > _SECONDS:
        wrong.append(f"time: {seconds:.0f} s")
    if peak > _BYTES:
        wrong.append(f"memory: {peak / 1e9:.1f} GB")
    return tuple(wrong)
