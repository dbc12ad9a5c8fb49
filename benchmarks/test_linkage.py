"""Linkage beside an exact waterfall and Splink trained on the cohort; its seconds and memory.

Shares are among the usable rows of the synthetic nation's submissions, whose truth is known. Bars
are on what is missed and what is wrong, in per cent, so that smaller is better.
"""

import contextlib
import itertools
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.command import run_command
from benchmarks.race import PythonSide, alone, entered
from benchmarks.record import Figure

LARGE, SMALL = "large-none-cherry", "small-beneficial-random"
SEVERAL = (
    "large-none-cherry",
    "large-none-unobserved",
    "large-adverse-random",
    "large-beneficial-need",
)
COHORTS, PEOPLE = 20, 60
PEERS = {"waterfall": "exact waterfall", "splink_trained": "Splink trained on the cohort"}
# What is missed and what is wrong at most, in per cent, for each way of asking.
BARS = {
    ("none", "broad"): (5.0, 0.5),
    ("none", "standard"): (7.0, 0.1),
    ("half", "standard"): (2.5, 0.5),
}
WORST_MISSED = 15.0
BANDS = (0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0)
"""Of the predicted probability, as the page on linkage prints them."""


def _shares(answer) -> tuple[float, float]:
    """Return the shares missed and wrong, in per cent."""
    found, truth = answer["found"], answer["truth"]
    right = np.sum((found > 0) & (found == truth))
    return 100 * (1 - right / np.sum(truth > 0)), 100 * (1 - right / max(np.sum(found > 0), 1))


def _lap(benchmark, side, **task):
    with contextlib.ExitStack() as stack:
        process = entered(stack, PythonSide(f"linkage:{side}", task, threads=None))
        return alone(benchmark, process, laps=1)[0]


def _found(benchmark, home, numbers, preset, bars) -> list[Figure]:
    people, folder = home
    lap = _lap(benchmark, "ours", folder=folder, submission=LARGE, numbers=numbers, preset=preset)
    rows = len(lap.answer["found"])
    words = f"of {people:,}, identifiers for {numbers}, preset {preset}"
    return [
        Figure(f"links {what}, {words}", rows, "%", share, "%", limit=bar)
        for what, share, bar in zip(("missed", "wrong"), _shares(lap.answer), bars, strict=True)
    ]


@pytest.mark.parametrize(("numbers", "preset"), BARS)
def test_found(benchmark, note, size, homes, numbers, preset):
    bars = [size.bar(bar) for bar in BARS[numbers, preset]]
    note(*_found(benchmark, homes("million"), numbers, preset, bars))


@pytest.mark.parametrize(
    ("numbers", "preset"),
    [("none", "broad"), ("none", "standard"), ("half", "standard"), ("half", "broad")],
)
def test_found_among_more(benchmark, note, size, homes, numbers, preset):
    """The more people there are, the more namesakes: told beside, without a bar."""
    if size.name == "quick":
        pytest.skip("the same as with fewer people")
    note(*_found(benchmark, homes("national"), numbers, preset, (None, None)))


@pytest.mark.parametrize("numbers", ["none", "half"])
@pytest.mark.parametrize("peer", PEERS)
def test_peers(benchmark, note, size, homes, peer, numbers):
    people, folder = homes("million")
    lap = _lap(benchmark, peer, folder=folder, submission=LARGE, numbers=numbers)
    rows = len(lap.answer["found"])
    for what, value in zip(("missed", "wrong"), _shares(lap.answer), strict=True):
        words = f"links {what}, of {people:,}, identifiers for {numbers}"
        note(Figure(words, rows, "%", value, "%", PEERS[peer], note="the peer's own share"))


def test_cohorts_of_sixty(benchmark, note, size, homes):
    lap = _lap(
        benchmark, "cohorts", folder=homes("million")[1], submission=LARGE, numbers="none",
        cohorts=COHORTS, people=PEOPLE,
    )  # fmt: skip
    found, truth, cohort = (lap.answer[name] for name in ("found", "truth", "cohort"))
    shares = [
        _shares({"found": found[cohort == one], "truth": truth[cohort == one]})
        for one in range(COHORTS)
    ]
    worst = max(missed for missed, _ in shares)
    mean, wrong = _shares(lap.answer)
    words = f"links missed, the worst of {COHORTS} cohorts of {PEOPLE}, identifiers for none"
    told = f"{mean:.1f} % missed and {wrong:.2f} % wrong of all {COHORTS}"
    note(
        Figure(words, len(found), "%", worst, "%", limit=size.bar(WORST_MISSED), note=told),
    )


@pytest.mark.parametrize("numbers", ["none", "all"])
def test_probabilities(benchmark, note, size, homes, numbers):
    """The true share of right best candidates lies within each band of the predicted one."""
    _, folder = homes("million")
    # a small nation has not enough people for all of them
    made = [one for one in SEVERAL if (Path(folder) / "submissions" / f"{one}.csv").exists()]
    lap = _lap(benchmark, "several", folder=folder, submissions=made, numbers=numbers)
    known = lap.answer["best"] > 0
    chance = lap.answer["chance"][known]
    right = (lap.answer["best"] == lap.answer["truth"])[known]
    outside, told = 0, []
    for low, high in itertools.pairwise(BANDS):
        inside = (chance >= low) & ((chance < high) | (high == 1.0))
        n = int(inside.sum())
        if not n:
            continue
        share = float(right[inside].mean())
        # as far as chance alone may take the share of n rows beyond an edge: two standard errors
        room = [2 * np.sqrt(edge * (1 - edge) / n) for edge in (low, high)]
        outside += not low - room[0] <= share <= high + room[1]
        told.append(f"{chance[inside].mean():.4g}/{share:.4g} of {n:,}")
    given = "as given" if numbers == "all" else "for none"
    note(
        Figure(
            f"bands of link probability with a true share outside, identifiers {given}",
            int(known.sum()), "bands", outside, f"of {len(BANDS) - 1}", limit=size.bar(0.0),
            note="predicted/true by band: " + ", ".join(told),
        )
    )  # fmt: skip


@pytest.mark.parametrize(("submission", "limit"), [(LARGE, 60.0), (SMALL, 15.0)])
def test_seconds(benchmark, note, size, homes, submission, limit, tmp_path):
    """The whole command, from a fresh process to the last file."""
    people, home = homes("national")
    folder = Path(home)

    def run(name: str):
        file = folder / "submissions" / f"{name}.csv"
        words = ("--submission", str(file), "--store", str(folder / "store"), "-q")
        return run_command("link", *words, "--out", str(tmp_path / name), cache=tmp_path)

    # compiles the few kernels that it needs, outside the clock
    run("small-none-need")
    done = benchmark.pedantic(lambda: run(submission), rounds=1)
    rows = pq.read_table(tmp_path / submission / "links.parquet", columns=["row"]).num_rows
    what = f"justicelab link to {people:,} people"
    note(
        Figure(
            what, rows, "wall s", done.wall, "s", ours={"wall": done.wall},
            limit=size.bar(limit), note=f"{done.cpu:.3g} CPU s",
        ),
        Figure(
            what, rows, "GB", done.peak / 1e9, "GB", ours={"peak": done.peak / 1e9},
            limit=size.bar(6.0),
        ),
    )  # fmt: skip
