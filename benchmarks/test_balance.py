"""Balance of every covariate: not slower than the match that it is about."""

import contextlib

import numpy as np
import pytest

from benchmarks.race import PythonSide, entered, race
from benchmarks.record import Figure

WHAT = "balance of 20 covariates, before and after"
WARM = {"rows": 20_000}


def _side(name: str, rows: int, **task) -> PythonSide:
    return PythonSide(f"balance:{name}", {"rows": rows, **task}, warm={**WARM, **task})


@pytest.mark.parametrize("scored", [True, False], ids=["scored", "fitted"])
def test_balance_match(benchmark, note, size, scored):
    rows = size.million
    with contextlib.ExitStack() as stack:
        theirs = entered(stack, _side("match", rows, scored=scored))
        ours = entered(stack, _side("ours", rows))
        outcome = race(benchmark, ours, theirs, laps=2 * size.laps + 1)
    mine, other = outcome.our_lap.answer, outcome.peer_lap.answer
    assert np.array_equal(mine["weight"], other["weight"])
    note(
        Figure(
            WHAT,
            rows,
            "CPU s, 1 thread",
            outcome.ratio(),
            "x",
            f"our own match 1:1 of the table, {'score given' if scored else 'with the fit'}",
            outcome.ours,
            outcome.peer,
            size.bar(1.0) if scored else None,
            "balance of that match",
        )
    )


def test_balance_numpy(benchmark, note, size):
    rows = size.million
    with contextlib.ExitStack() as stack:
        theirs = entered(stack, _side("plain_numpy", rows))
        ours = entered(stack, _side("ours", rows))
        outcome = race(benchmark, ours, theirs, laps=size.laps)
    mine, other = outcome.our_lap.answer, outcome.peer_lap.answer
    gaps = {name: float(np.max(np.abs(mine[name] - other[name]))) for name in ("smd", "ks")}
    assert max(gaps.values()) < 1e-10
    note(
        Figure(
            WHAT,
            rows,
            "CPU s, 1 thread",
            outcome.ratio(),
            "x",
            "plain NumPy",
            outcome.ours,
            outcome.peer,
            answers=f"SMD to {gaps['smd']:.0e}, KS to {gaps['ks']:.0e}",
            note="the peer gives no variance ratios",
        )
    )
