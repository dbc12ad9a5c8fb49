"""What it costs that results do not depend on the order of rows, by two ways."""

import contextlib

import numpy as np
import pytest

from benchmarks.population import COEFFICIENTS
from benchmarks.race import PythonSide, entered, race
from benchmarks.record import Figure

# Passes over the rows that a fit of this population makes: seven steps, the first and the last.
PASSES = 9


@pytest.mark.parametrize("threads", [1, None], ids=["one", "all"])
def test_canonical_order(benchmark, note, size, threads):
    task = {"rows": size.national, "passes": PASSES}
    warm = {"rows": 20_000, "passes": 1}
    with contextlib.ExitStack() as stack:
        theirs, ours = (
            entered(stack, PythonSide(f"order:{side}", task, threads=threads, warm=warm))
            for side in ("fixed_point", "canonical")
        )
        clock = "cpu" if threads == 1 else "wall"
        outcome = race(benchmark, ours, theirs, laps=size.laps, clock=clock)
    mine, other = outcome.our_lap.answer["gradient"], outcome.peer_lap.answer["gradient"]
    gap = float(np.max(np.abs(mine - other)))
    assert gap < 1e-8
    note(
        Figure(
            f"canonical order, columns of {COEFFICIENTS} coefficients, sums of {PASSES} passes",
            size.national,
            "CPU s, 1 thread" if threads == 1 else "wall s, all cores",
            outcome.ratio(),
            "x",
            "fixed-point sums in the order of the data",
            outcome.ours,
            outcome.peer,
            None,
            f"gradients to {gap:.0e} of a column's length",
            "the peer's terms keep 39 bits; linear predictors and matching cost the same by "
            "both ways and are left out",
        )
    )
