"""The synthetic nation at full size: published figures, time and memory."""

import resource
import time
from pathlib import Path
from typing import NamedTuple

from engine.records.synthetic.nation import synthesise

PEOPLE = 5_000_000
_SECONDS, _BYTES = 600.0, 8e9
_OFFENCES, _DISPOSALS = 40_000_000, 8_000_000
_ERRORS = 2.0


class Certified(NamedTuple):
    """What a run took, and which promises it broke."""

    seconds: float
    peak_bytes: float
    rows: dict
    broken: tuple


def certify_nation(folder: Path, people: int = PEOPLE, seed: int = 1, threads: int = 2):
    """Make a nation and compare it with the published figures and the limits of size.

    A figure may stray from its tolerance by two standard errors, which only offence groups of a
    few thousand people need. Time and memory are those of 5 million people, scaled.
    """
    begun = time.monotonic()
    nation = synthesise(people, folder, seed=seed, threads=threads)
    seconds = time.monotonic() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    broken = [
        f"{line.figure}: {line.synthetic:.2f} and not {line.published:.2f}"
        for line in nation.calibration
        if line.gap > line.tolerance + _ERRORS * line.noise
    ]
    share = people / PEOPLE
    for name, least in (("offences", _OFFENCES), ("disposals", _DISPOSALS)):
        if nation.rows[name] < least * share:
            broken.append(f"{name}: {nation.rows[name]:,} rows")
    if seconds > _SECONDS * max(share, 0.05):
        broken.append(f"time: {seconds:.0f} s")
    if peak > _BYTES:
        broken.append(f"memory: {peak / 1e9:.1f} GB")
    return Certified(seconds, peak, nation.rows, tuple(broken))
