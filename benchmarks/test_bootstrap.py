"""Bootstrap replicates by themselves: the bars are times, since peers take hundreds of them."""

import contextlib

from benchmarks.race import PythonSide, alone, best, entered
from benchmarks.record import Figure

REPLICATES = 1000


def _time(benchmark, side, task, warm, *, threads, laps):
    with contextlib.ExitStack() as stack:
        runner = entered(stack, PythonSide(side, task, threads=threads, warm=warm))
        found = alone(benchmark, runner, laps=laps)
    return found, found[0].answer


def test_matches_held_fixed(benchmark, note, size):
    rows = size.million
    laps, answer = _time(
        benchmark,
        "bootstrap:multipliers",
        {"rows": rows, "replicates": REPLICATES},
        {"rows": 5_000, "replicates": 8},
        threads=None,
        laps=3,
    )
    ours = best(laps, "wall")
    note(
        Figure(
            f"{REPLICATES} replicates, 1-NN matches held fixed",
            rows,
            "wall s, all cores",
            sum(ours.values()),
            "s",
            ours=ours,
            limit=size.bar(5.0),
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


def test_a_thousand_refits_and_matches(benchmark, note, size):
    count = REPLICATES if size.holds_bars else 24
    laps, answer = _time(
        benchmark,
        "bootstrap:refits",
        {"rows": size.least, "replicates": count},
        {"rows": 20_000, "replicates": 8},
        threads=None,
        laps=1,
    )
    ours = best(laps, "wall")
    note(
        Figure(
            f"{count} refits and 1-NN matches",
            size.least,
            "wall s, all cores",
            sum(ours.values()),
            "s",
            ours=ours,
            limit=size.bar(12.0),
        )
    )
    assert float(answer["warm"]) == 1.0
