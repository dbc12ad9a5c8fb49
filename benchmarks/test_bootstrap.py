"""Bootstrap replicates: bars of our own, and pipelines projected from a few of their replicates."""

import contextlib

import numpy as np
import pytest

from benchmarks.race import PythonSide, alone, best, entered, race
from benchmarks.record import Figure
from benchmarks.rscript import PipelineSide

REPLICATES = 1000


def _time(benchmark, side, task, warm, *, threads, laps):
    with contextlib.ExitStack() as stack:
        runner = entered(stack, PythonSide(side, task, threads=threads, warm=warm))
        found = alone(benchmark, runner, laps=laps)
    return found, found[0].answer


@pytest.mark.parametrize(
    ("which", "everybody", "bar"),
    [("million", True, 5.0), ("national", True, 20.0), ("national", False, 20.0)],
)
def test_matches_held_fixed(benchmark, note, size, which, everybody, bar):
    rows = getattr(size, which)
    laps, answer = _time(
        benchmark,
        "bootstrap:multipliers",
        {"rows": rows, "replicates": REPLICATES, "everybody": everybody},
        {"rows": 5_000, "replicates": 8},
        threads=None,
        laps=3,
    )
    ours = best(laps, "wall")
    who = "1-NN matches held fixed" + ("" if everybody else ", score given")
    note(
        Figure(
            f"{REPLICATES} replicates, {who}",
            rows,
            "wall s, all cores",
            sum(ours.values()),
            "s",
            ours=ours,
            limit=size.bar(bar),
            answers=f"SD over replicates / sqrt(sum phi^2) = {float(answer['ratio']):.3f}",
        )
    )
    assert abs(float(answer["ratio"]) - 1.0) < 0.12


def test_one_refit_and_match(benchmark, note, size):
    count = 200 if size.holds_bars else 24
    laps, answer = _time(
        benchmark,
        "bootstrap:refits",
        {"rows": size.least, "replicates": count},
        {"rows": 20_000, "replicates": 8},
        threads=1,
        laps=3,
    )
    ours = best(laps, "cpu")
    note(
        Figure(
            "one refit and 1-NN match",
            size.least,
            "CPU ms, 1 thread",
            1e3 * sum(ours.values()) / count,
            "ms",
            ours=ours,
            limit=size.bar(15.0),
            answers=f"{answer['passes'].mean():.1f} passes to a scaled gradient of 1e-8",
        )
    )
    assert float(answer["warm"]) == 1.0


@pytest.mark.parametrize(
    ("which", "count", "bar"),
    [("least", REPLICATES, 12.0), ("million", 160, 150.0), ("national", 32, 840.0)],
)
def test_a_thousand_refits_and_matches(benchmark, note, size, which, count, bar):
    count = count if size.holds_bars else 24
    laps, answer = _time(
        benchmark,
        "bootstrap:refits",
        {"rows": getattr(size, which), "replicates": count},
        {"rows": 20_000, "replicates": 8},
        threads=None,
        laps=1 if count == REPLICATES else 2,
    )
    ours = best(laps, "wall")
    projected = "" if count == REPLICATES else f", projected from {count}"
    note(
        Figure(
            f"{REPLICATES} refits and 1-NN matches{projected}",
            getattr(size, which),
            "wall s, all cores",
            sum(ours.values()) * REPLICATES / count,
            "s",
            ours=ours,
            limit=size.bar(bar),
        )
    )
    assert float(answer["warm"]) == 1.0


@pytest.mark.parametrize(
    ("peer", "times", "few"),
    [("scikit-learn", 40, 4), ("R, glm and MatchIt", 300, 2)],
)
def test_refits_beside_a_pipeline(benchmark, note, peer_or_note, size, peer, times, few):
    count = 96 if size.holds_bars else 24
    what, task = "one refit and 1-NN match", {"rows": size.least, "replicates": count}
    with contextlib.ExitStack() as stack:
        stack.enter_context(peer_or_note(what, size.least, peer))
        ours = entered(stack, PythonSide("bootstrap:refits", task, warm={**task, "rows": 20_000}))
        if peer == "scikit-learn":
            other = PythonSide(
                "bootstrap:scikit_learn",
                {"rows": size.least, "replicates": few},
                warm={"rows": 5_000, "replicates": 1},
            )
        else:
            other = PipelineSide(size.least, few)
        found = race(benchmark, ours, entered(stack, other), laps=2)
    mine, theirs = (lap.answer["estimates"] for lap in (found.our_lap, found.peer_lap))
    note(
        Figure(
            what,
            size.least,
            "CPU s a replicate, 1 thread",
            found.ratio() * few / count,
            "x",
            beside=peer,
            ours={part: spent / count for part, spent in found.ours.items()},
            peer={part: spent / few for part, spent in found.peer.items()},
            limit=size.bar(1.0 / times),
            answers=f"mean estimates {mine.mean():.4f} and {theirs.mean():.4f}",
        )
    )
    assert abs(mine.mean() - theirs.mean()) < 6.0 * mine.std() / np.sqrt(few)


def test_two_workers_of_a_cluster_beside_threads(benchmark, note, peer_or_note, size):
    rows = size.least
    task = {"rows": rows, "replicates": 2_000 if size.holds_bars else 96}
    what = "replicates of a refit bootstrap as a job, two Dask workers"
    with contextlib.ExitStack() as stack:
        stack.enter_context(peer_or_note(what, rows, "two Dask workers"))
        ours = entered(stack, PythonSide("jobs:cluster", {**task, "workers": 2}, threads=None))
        threads = entered(stack, PythonSide("jobs:threads", task, threads=2))
        found = race(benchmark, ours, threads, laps=3, clock="wall")
    note(
        Figure(
            what,
            rows,
            "wall s",
            found.ratio(),
            "x",
            beside="the threads of one process",
            ours=found.ours,
            peer=found.peer,
            # 0.85 of the throughput of threads.
            limit=size.bar(1.0 / 0.85),
            answers="equal bytes",
        )
    )
    mine, theirs = found.our_lap.answer["values"], found.peer_lap.answer["values"]
    assert np.array_equal(mine.view(np.uint64), theirs.view(np.uint64))
