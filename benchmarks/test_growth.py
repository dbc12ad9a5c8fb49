"""How time grows with rows: the exponent e of time ~ rows^e between two sizes."""

import contextlib
import math

import pytest

from benchmarks.population import COEFFICIENTS
from benchmarks.race import PythonSide, entered, race
from benchmarks.record import Figure

CASES = {
    "fit": ("fit:ours", {}, f"fit, {COEFFICIENTS} coefficients", {"rows": 250_000}),
    "match": (
        "matching:ours",
        {"treated_share": 0.40, "ratio": 1, "replace": False},
        "match 1:1 without replacement, 40% treated",
        {"rows": 10_000},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_growth(benchmark, note, size, case):
    side, task, what, warm = CASES[case]
    with contextlib.ExitStack() as stack:
        large, least = (
            entered(stack, PythonSide(side, {"rows": rows, **task}, warm={**warm, **task}))
            for rows in (size.national, size.least)
        )
        outcome = race(benchmark, large, least, laps=size.laps)
    exponent = math.log(outcome.ratio()) / math.log(size.national / size.least)
    note(
        Figure(
            f"growth of {what}",
            size.national,
            "CPU s, 1 thread",
            exponent,
            "exponent",
            f"{size.least:,} rows",
            outcome.ours,
            outcome.peer,
            size.bar(1.2),
        )
    )
