"""Linkage beside an exact waterfall and Splink trained on the cohort; its seconds and memory.

Shares are among the usable rows of the synthetic nation's submissions, whose truth is known. Bars
are on what is missed and what is wrong, in per cent, so that smaller is better.
"""

import contextlib

import numpy as np
import pytest

from benchmarks.race import PythonSide, alone, entered
from benchmarks.record import Figure
from benchmarks.sides.linkage import nation

LARGE, SMALL = "large-none-cherry", "small-beneficial-random"
PEERS = {"waterfall": "exact waterfall", "splink_trained": "Splink trained on the cohort"}
# What is missed and what is wrong at most, in per cent, for each way of asking.
BARS = {
    ("none", "broad"): (5.0, 0.5),
    ("none", "standard"): (7.0, 0.1),
    ("half", "standard"): (2.5, 0.5),
}


@pytest.fixture(scope="module")
def home(size, tmp_path_factory):
    """The synthetic nation: as many people as the size says, at least 60,000."""
    folder = tmp_path_factory.mktemp("nation")
    nation(max(size.million, 60_000), folder)
    return str(folder)


def _shares(answer) -> tuple[float, float]:
    """Return the shares missed and wrong, in per cent."""
    found, truth = answer["found"], answer["truth"]
    right = np.sum((found > 0) & (found == truth))
    return 100 * (1 - right / np.sum(truth > 0)), 100 * (1 - right / max(np.sum(found > 0), 1))


def _lap(benchmark, side, **task):
    with contextlib.ExitStack() as stack:
        process = entered(stack, PythonSide(f"linkage:{side}", task, threads=None))
        return alone(benchmark, process, laps=1)[0]


@pytest.mark.parametrize(("numbers", "preset"), BARS)
def test_found(benchmark, note, size, home, numbers, preset):
    lap = _lap(benchmark, "ours", folder=home, submission=LARGE, numbers=numbers, preset=preset)
    missed, wrong = _shares(lap.answer)
    bars = BARS[numbers, preset]
    rows = len(lap.answer["found"])
    words = f"identifiers for {numbers}, preset {preset}"
    note(
        Figure(f"links missed, {words}", rows, "%", missed, "%", limit=size.bar(bars[0])),
        Figure(f"links wrong, {words}", rows, "%", wrong, "%", limit=size.bar(bars[1])),
    )


@pytest.mark.parametrize("numbers", ["none", "half"])
@pytest.mark.parametrize("peer", PEERS)
def test_peers(benchmark, note, home, peer, numbers):
    lap = _lap(benchmark, peer, folder=home, submission=LARGE, numbers=numbers)
    rows = len(lap.answer["found"])
    for what, value in zip(("missed", "wrong"), _shares(lap.answer), strict=True):
        words = f"links {what}, identifiers for {numbers}"
        note(Figure(words, rows, "%", value, "%", PEERS[peer], note="the peer's own share"))


@pytest.mark.parametrize(("submission", "limit"), [(LARGE, 60.0), (SMALL, 15.0)])
def test_seconds(benchmark, note, size, home, submission, limit):
    lap = _lap(benchmark, "ours", folder=home, submission=submission, numbers="none")
    rows = len(lap.answer["found"])
    note(
        Figure("linking", rows, "wall s", sum(lap.wall.values()), "s", ours=lap.wall,
               limit=size.bar(limit), note=f"{sum(lap.cpu.values()):.3g} CPU s"),
        Figure("linking, peak memory", rows, "GB", None if lap.peak is None else lap.peak / 1e9,
               "GB", limit=size.bar(6.0)),
    )  # fmt: skip
