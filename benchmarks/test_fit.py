"""The propensity fit, standard errors included, beside its peers."""

import contextlib

import numpy as np
import pytest

from benchmarks.population import COEFFICIENTS
from benchmarks.race import PythonSide, alone, best, entered, race
from benchmarks.record import Figure

NATIONAL = 5_000_000
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
# Ours takes another road above 200,000 rows: a pilot fit first.
WARM_OURS = {"rows": 250_000}


def _sizes(full: bool, peer: str) -> tuple[int, int]:
    """Return rows and laps of the large case."""
    rows = min(NATIONAL if full else 300_000, LARGEST.get(peer, NATIONAL))
    return rows, 3


def _compare(benchmark, note, what, peer, rows, limit, laps, threads=1):
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
    measure = f"{'CPU' if clock == 'cpu' else 'wall'} s, {cores}"
    note(
        Figure(
            what,
            rows,
            measure,
            value,
            "x",
            NAMES[peer],
            outcome.ours,
            outcome.peer,
            limit,
            answers,
            "value leaves the peer's standard errors out",
        )
    )


@pytest.mark.parametrize("peer", PEERS)
def test_fit_national(benchmark, note, peer_or_note, full, peer):
    rows, laps = _sizes(full, peer)
    what = f"fit, {COEFFICIENTS} coefficients"
    limit = 1 / 8 if full else None
    with peer_or_note(what, rows, NAMES[peer]):
        _compare(benchmark, note, what, peer, rows, limit, laps)


@pytest.mark.parametrize("peer", PEERS)
def test_fit_100_thousand(benchmark, note, peer_or_note, peer):
    what = f"fit, {COEFFICIENTS} coefficients"
    with peer_or_note(what, 100_000, NAMES[peer]):
        _compare(benchmark, note, what, peer, 100_000, 1 / 3, 7)


@pytest.mark.parametrize("peer", ["numpy_newton", "glum_dense", "glum_split"])
def test_fit_all_cores(benchmark, note, peer_or_note, full, peer):
    rows, laps = _sizes(full, peer)
    what = f"fit, {COEFFICIENTS} coefficients"
    with peer_or_note(what, rows, NAMES[peer]):
        _compare(benchmark, note, what, peer, rows, None, laps, threads=None)


def test_fit_memory(benchmark, note, full):
    rows = NATIONAL if full else 300_000
    with contextlib.ExitStack() as stack:
        side = PythonSide("fit:ours_memory", {"rows": rows}, threads=None, warm=WARM_OURS)
        laps = alone(benchmark, entered(stack, side), laps=1)
    peak = laps[0].peak
    note(
        Figure(
            "fit, peak memory above the ordered Arrow table",
            rows,
            "GB",
            None if peak is None else peak / 1e9,
            "GB",
            ours={"peak": peak / 1e9} if peak is not None else {},
            limit=0.5 if full else None,
            note="in a process of its own; design columns included",
        )
    )
    assert best(laps, "cpu")
