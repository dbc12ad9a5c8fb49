"""The propensity fit, standard errors included, beside its peers."""

import contextlib

import numpy as np
import pytest

from benchmarks.population import COEFFICIENTS
from benchmarks.race import PythonSide, alone, entered, race
from benchmarks.record import Figure

# Rows that a peer can take in 12 GB; it is compared at that size, and the table says so.
LARGEST = {"statsmodels": 1_000_000}
PEERS = ("numpy_newton", "glum_dense", "glum_split", "scikit_learn", "statsmodels")
NAMES = {
    "numpy_newton": "chunked NumPy Newton",
    "glum_dense": "glum, dense",
    "glum_split": "glum, split",
    "scikit_learn": "scikit-learn newton-cholesky",
    "statsmodels": "statsmodels Logit",
}
WARM = {"rows": 20_000}
# Ours takes another road on large tables: from 262,144 rows on two pilot fits come first.
WARM_OURS = {"rows": 270_000}


WHAT = f"fit, {COEFFICIENTS} coefficients"


def _rows(size, peer: str) -> int:
    """Return the rows of the large case."""
    return min(size.national, LARGEST.get(peer, size.national))


def _compare(benchmark, note, peer, rows, limit, laps, threads=1):
    clock = "cpu" if threads == 1 else "wall"
    with contextlib.ExitStack() as stack:
        theirs = entered(
            stack, PythonSide(f"fit:{peer}", {"rows": rows}, threads=threads, warm=WARM)
        )
        ours = entered(
            stack, PythonSide("fit:ours", {"rows": rows}, threads=threads, warm=WARM_OURS)
        )
        outcome = race(benchmark, ours, theirs, laps=laps, clock=clock)
    mine, other = outcome.our_lap.answer, outcome.peer_lap.answer
    gap = np.max(np.abs(mine["coefficients"] - other["coefficients"]) / mine["errors"])
    assert gap < 1e-4, f"{peer} reached another optimum: {gap:.2g} standard errors away"
    assert float(mine["scaled_gradient"]) <= 1e-8
    assert len(mine["coefficients"]) == COEFFICIENTS
    errors = np.nanmax(np.abs(other["errors"] / mine["errors"] - 1.0), initial=0.0)
    seen = "no standard errors" if np.isnan(other["errors"]).all() else f"SE to {errors:.0e}"
    answers = (
        f"coefficients to {gap:.0e} SE, {seen}; scaled gradient "
        f"{float(mine['scaled_gradient']):.0e} / {float(other['scaled_gradient']):.0e}"
    )
    # Ours includes standard errors; a peer that takes extra time for them is not charged for it.
    value = outcome.ratio(without=("errors",))
    cores = "1 thread" if threads == 1 else "all cores"
    remark = "value leaves the peer's standard errors out"
    if rows == LARGEST.get(peer):
        remark += "; as many rows as the peer takes in 12 GB"
    measure = f"{'CPU' if clock == 'cpu' else 'wall'} s, {cores}"
    note(
        Figure(
            WHAT,
            rows,
            measure,
            value,
            "x",
            NAMES[peer],
            outcome.ours,
            outcome.peer,
            limit,
            answers,
            remark,
        )
    )


@pytest.mark.parametrize("peer", PEERS)
def test_fit_national(benchmark, note, peer_or_note, size, peer):
    rows = _rows(size, peer)
    with peer_or_note(WHAT, rows, NAMES[peer]):
        _compare(benchmark, note, peer, rows, size.bar(1 / 8), size.laps)


@pytest.mark.parametrize("peer", PEERS)
def test_fit_least(benchmark, note, peer_or_note, size, peer):
    with peer_or_note(WHAT, size.least, NAMES[peer]):
        _compare(benchmark, note, peer, size.least, size.bar(1 / 3), 2 * size.laps + 1)


@pytest.mark.parametrize("peer", ["numpy_newton", "glum_dense", "glum_split"])
def test_fit_all_cores(benchmark, note, peer_or_note, size, peer):
    rows = _rows(size, peer)
    with peer_or_note(WHAT, rows, NAMES[peer]):
        _compare(benchmark, note, peer, rows, None, size.laps, threads=None)


def test_fit_memory(benchmark, note, size):
    with contextlib.ExitStack() as stack:
        side = PythonSide("fit:ours_memory", {"rows": size.national}, threads=None, warm=WARM_OURS)
        laps = alone(benchmark, entered(stack, side), laps=1)
    peak = laps[0].peak
    note(
        Figure(
            "fit, peak memory above the ordered Arrow table",
            size.national,
            "GB",
            None if peak is None else peak / 1e9,
            "GB",
            ours={"peak": peak / 1e9} if peak is not None else {},
            limit=size.bar(0.5),
            note="in a process of its own; design columns included",
        )
    )
