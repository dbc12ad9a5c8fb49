"""Matching on a score that is given, beside NumPy, SciPy and MatchIt."""

import contextlib

import numpy as np
import pytest

from benchmarks.population import scores
from benchmarks.race import PythonSide, entered, race
from benchmarks.record import Figure
from benchmarks.rscript import MatchItSide

FEW = 0.05
MANY = 0.40
NAMES = {
    "numpy_search": "NumPy argsort + searchsorted, with replacement",
    "scipy_tree": "SciPy cKDTree, with replacement",
    "matchit": "MatchIt",
}
LIMITS = {"numpy_search": 1 / 2, "scipy_tree": None, "matchit": 1 / 5}
MEASURE = "CPU s, 1 thread"
# MatchIt takes minutes for one lap of these.
SLOW_LAPS = 1


def _side(peer: str, rows: int, share: float, ratio: int, *, replace: bool):
    if peer == "matchit":
        return MatchItSide(rows, share, ratio, replace=replace)
    task = {"treated_share": share, "ratio": ratio, "replace": replace}
    return PythonSide(f"matching:{peer}", {"rows": rows, **task}, warm={"rows": 10_000, **task})


def _distances(logit: np.ndarray, wanted: np.ndarray, partner: np.ndarray) -> np.ndarray:
    gap = np.abs(logit[wanted][:, None] - logit[partner])
    return np.where(partner >= 0, gap, np.inf)


def _compared(rows, share, mine, other, *, replace: bool, same_rule: bool) -> str:
    """Return in words how the pairs compare, and require what must hold."""
    logit, treated = scores(rows, share)
    wanted = np.flatnonzero(treated)
    assert mine.shape == other.shape
    if same_rule:
        differ = int(np.count_nonzero((mine != other).any(axis=1)))
        assert differ <= 1e-6 * len(wanted), f"{differ:,} of {len(wanted):,} sets differ"
        return f"{len(wanted) - differ:,} of {len(wanted):,} sets identical"
    ours, nearest = _distances(logit, wanted, mine), _distances(logit, wanted, other)
    if replace:
        assert (ours <= nearest).all(), "a partner of the peer is nearer"
        same = int(np.count_nonzero(mine == other))
        return f"{same:,} of {mine.size:,} partners identical, the others as near"
    used = mine[mine >= 0]
    assert len(np.unique(used)) == len(used), "a partner serves twice"
    assert (ours >= nearest).all(), "a partner is nearer than the nearest"
    same = float(np.mean(mine == other))
    return f"each partner used once; {same:.0%} are also the peer's, who may repeat"


def _compare(benchmark, note, what, peer, rows, share, ratio, *, replace, limit, laps):
    with contextlib.ExitStack() as stack:
        theirs = entered(stack, _side(peer, rows, share, ratio, replace=replace))
        ours = entered(stack, _side("ours", rows, share, ratio, replace=replace))
        outcome = race(benchmark, ours, theirs, laps=laps)
    answers = _compared(
        rows,
        share,
        outcome.our_lap.answer["partner"],
        outcome.peer_lap.answer["partner"],
        replace=replace,
        same_rule=peer == "matchit",
    )
    figure = Figure(
        what, rows, MEASURE, outcome.ratio(), "x", NAMES[peer], outcome.ours, outcome.peer,
        limit, answers,
    )  # fmt: skip
    note(figure)
    return outcome


def _what(ratio: int, share: float, *, replace: bool) -> str:
    return f"match 1:{ratio} {'with' if replace else 'without'} replacement, {share:.0%} treated"


@pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])
@pytest.mark.parametrize("peer", ["numpy_search", "scipy_tree", "matchit"])
def test_match_one(benchmark, note, peer_or_note, size, peer, replace):
    what = _what(1, FEW, replace=replace)
    limit = LIMITS[peer]
    with peer_or_note(what, size.national, NAMES[peer]):
        _compare(
            benchmark, note, what, peer, size.national, FEW, 1, replace=replace,
            limit=None if limit is None else size.bar(limit), laps=size.laps,
        )  # fmt: skip


def test_match_five(benchmark, note, peer_or_note, size):
    what = _what(5, FEW, replace=False)
    with peer_or_note(what, size.national, NAMES["matchit"]):
        _compare(
            benchmark, note, what, "matchit", size.national, FEW, 5, replace=False,
            limit=size.bar(1 / 30), laps=SLOW_LAPS,
        )  # fmt: skip


def test_match_many_treated_matchit(benchmark, note, peer_or_note, size):
    what = _what(1, MANY, replace=False)
    with peer_or_note(what, size.million, NAMES["matchit"]):
        _compare(
            benchmark, note, what, "matchit", size.million, MANY, 1, replace=False,
            limit=None, laps=SLOW_LAPS,
        )  # fmt: skip


def test_match_many_treated_seconds(benchmark, note, size):
    """The bar is in seconds; the peer that anybody has is in the same row."""
    what = _what(1, MANY, replace=False)
    rows, peer = size.million, "numpy_search"
    with contextlib.ExitStack() as stack:
        theirs = entered(stack, _side(peer, rows, MANY, 1, replace=False))
        ours = entered(stack, _side("ours", rows, MANY, 1, replace=False))
        outcome = race(benchmark, ours, theirs, laps=2 * size.laps + 1)
    answers = _compared(
        rows,
        MANY,
        outcome.our_lap.answer["partner"],
        outcome.peer_lap.answer["partner"],
        replace=False,
        same_rule=False,
    )
    note(
        Figure(
            what,
            rows,
            MEASURE,
            sum(outcome.ours.values()),
            "s",
            NAMES[peer],
            outcome.ours,
            outcome.peer,
            size.bar(0.3),
            answers,
        )
    )
