"""Compile every kernel into the private cache, and choose the number of threads."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow as pa

from engine.effects.replicates import (
    MULTIPLIERS,
    FullFit,
    multiplier_replicates,
    people_to_draw,
    rematched_replicates,
)
from engine.effects.sensitivity.rosenbaum import rosenbaum_gamma
from engine.errors import UsageError
from engine.match import match
from engine.matching.design import Covariate, Design
from engine.matching.propensity import fit_propensity
from engine.records.synthetic.careers import follow_up, simulate_careers
from engine.records.synthetic.coefficients import SOLVED
from engine.records.synthetic.people import make_people
from engine.records.synthetic.world import build_world
from kernels._jit import CACHE_FOLDER
from kernels.columns import CodedColumns, pack_categories
from kernels.events import KINDS, follow_up_into, history_into, latest_before_into
from kernels.memory import one_range
from kernels.rematch import GREEDY, NEAREST, WINDOW, Recipe
from kernels.spells import covered_before_into
from kernels.windows import UNIFORM

_ROWS = 240
_HOME = Path(__file__).resolve().parents[1]

_PLAIN = {
    "treatment": "treated",
    "covariates": ("age", "area"),
    "id": "name",
    "outcome": ("event:binary",),
}
_MATCHES: tuple[dict[str, Any], ...] = (
    {"caliper": "0.2 sd-logit", "path": True},
    {"replace": True, "ratio": 2, "ties": "all", "exact": ("area",), "person": "who"},
    {"order": "closest"},
    {"order": "closest", "ratio": 2, "person": "who", "one_per_person": True},
    {"mahalanobis": ("age",), "caliper": "1 sd-logit", "replace": True},
    {"kernel": "tricube", "caliper": "0.05 probability"},
    {"keep_share": 0.5, "fit": "ridge"},
    {"fit": "firth", "order": "random", "max_ratio": 2, "squares": True},
)
"""Matches that between them enter every kernel."""

_OF_A_STUDY: dict[str, Any] = {
    "replace": True,
    "ratio": 2,
    "caliper": "0.2 sd-logit",
    "exact": ("area",),
}
"""A match that enters the kernels of a study."""


def processors() -> int:
    """Return how many processors there are for this process."""
    return int(numba.config.NUMBA_NUM_THREADS)


def set_threads(n: int) -> None:
    """Let kernels use ``n`` threads; results do not depend on it.

    Raises
    ------
    UsageError
        There are not that many processors for this process.
    """
    if not 1 <= n <= numba.config.NUMBA_NUM_THREADS:
        raise UsageError(
            f"there are {numba.config.NUMBA_NUM_THREADS} processors",
            rule="--threads is at least 1 and at most the number of processors",
            repair="Give a number in that range, or leave out --threads",
        )
    numba.set_num_threads(n)


def compile_note() -> str | None:
    """Return what a user should know before a run that has to compile, None where nothing.

    Returns
    -------
    str or None
        A sentence or two, where the private cache is empty or no folder can hold it.
    """
    if numba.config.DISABLE_JIT:
        return None
    if CACHE_FOLDER is None:
        return (
            "The kernels are compiled anew, which takes about half a minute in every run, because "
            "no folder of this user can keep them. Set XDG_CACHE_HOME to a folder of your own."
        )
    if any(CACHE_FOLDER.rglob("*.nbi")):
        return None
    return "First use: the kernels are compiled, which takes about half a minute once."


def _table() -> pa.Table:
    """A small table of made-up rows in which every option has something to do."""
    number = np.arange(_ROWS)
    spread = (number * 37) % 101
    return pa.table(
        {
            "name": [f"row {i}" for i in number],
            "treated": ((spread + (number * 53) % 40) > 80).astype(np.int64),
            "age": (18 + spread % 50).astype(np.float64),
            "area": [("north", "south", "west")[i % 3] for i in number],
            "who": number // 2,
            "event": (number * 29) % 7 < 2,
        }
    )


def compile_fits() -> None:
    """Compile the kernels of the propensity fit, with and without frequency weights."""
    table = _table()
    ages = table["age"].to_numpy().copy()
    areas = (np.arange(_ROWS) % 3).astype(np.uint16)
    design = Design(
        (Covariate("age", (), 0), Covariate("area", ("north", "south", "west"), 0)),
        (ages,),
        areas[None, :],
    )
    treated = np.asarray(table["treated"]) == 1
    fit_propensity(design, treated)
    fit_propensity(design, treated, method="firth", weights=np.ones(_ROWS))


def compile_matches() -> None:
    """Compile the kernels of matching and balance, on a score that needs no fit."""
    table = _table()
    for options in _MATCHES:
        plain = {key: value for key, value in options.items() if key != "fit"}
        match(table, **{**_PLAIN, **plain, "score": "age"})


def compile_study() -> None:
    """Compile the kernels that match and measure the people of a study."""
    compile_set_sums()
    match(_table(), **{**_PLAIN, **_OF_A_STUDY})


@contextmanager
def compiling_study() -> Iterator[None]:
    """Compile the kernels of a study in another process, beside what is done meanwhile.

    Yields
    ------
    None
        What does not get compiled by then is compiled when it is first called.
    """
    if CACHE_FOLDER is None:
        yield
        return
    process = _compile("w.compile_study()")
    try:
        yield
        process.wait()
    finally:
        process.kill()
        process.wait()


def compile_set_sums() -> None:
    """Compile the kernel of exact tests on matched sets."""
    rows = np.arange(6, dtype=np.int64)
    outcome = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    rosenbaum_gamma(rows[:2], 2 * rows[:3], rows[2:], outcome, "binary")


def compile_events() -> None:
    """Compile the kernels that count events before and after a day."""
    first = np.array([0, 1, 2], dtype=np.int64)
    day, number = np.arange(2, dtype=np.int32), np.empty(2, dtype=np.int32)
    small, flag = np.zeros(2, dtype=np.int8), np.ones(2, dtype=np.uint8)
    pairs, of_kind = np.empty((2, 2), dtype=np.int32), np.empty((2, KINDS), dtype=np.int32)
    place = np.empty(2, dtype=np.int64)
    many = [np.empty_like(number) for _ in range(5)]
    follow_up_into(
        *(first, first, day, day, day, flag, day, day, flag, small, day, np.full(2, -1)),
        *(number, many[0], small.copy(), small.copy(), of_kind, many[1], 0, 2),
    )
    history_into(
        *(first, first, day, small, day, flag, small, small, flag),
        *(number, of_kind, many[0], pairs, many[1], many[2], many[3], pairs.copy(), 0, 2),
    )
    latest_before_into(first, first, day, day, day, place, 0, 2)
    kinds = np.zeros(2, dtype=np.uint16)
    covered_before_into(first, first, day, day, day, day, kinds, kinds.copy(), pairs, 0, 2)


def compile_multipliers() -> None:
    """Compile the kernels of the bootstrap with matches held fixed."""
    unit = np.arange(_ROWS, dtype=np.uint64)
    for multiplier in MULTIPLIERS:
        multiplier_replicates(np.ones((1, _ROWS)), unit, multiplier=multiplier, stop=1)


def compile_rematches() -> None:
    """Compile the kernels of the bootstrap that fits and matches again."""
    numbers = one_range([np.cos(np.arange(_ROWS) * 1.7)])
    codes = (np.arange(_ROWS) % 3).astype(np.uint16)[None, :]
    cells, start, terms = pack_categories(codes, [np.array([-1, 1, 2])])
    columns = CodedColumns(*numbers, np.zeros(1), np.ones(1), np.array([3]), cells, start, terms, 4)
    treated = np.arange(_ROWS) % 5 == 0
    everybody = np.ones(_ROWS, dtype=np.bool_)
    full = FullFit(
        columns, treated.astype(np.uint8), np.zeros(4), 50.0 * np.eye(4), everybody[:4], everybody
    )
    draws = people_to_draw(treated, everybody)
    none = np.empty(0, dtype=np.int64)
    for design in (NEAREST, GREEDY, WINDOW):
        recipe = Recipe(treated, everybody, none, 1, none, design, 1, UNIFORM, 0.2, True, True)
        rematched_replicates(recipe, np.ones((_ROWS, 1)), draws, full=full, stop=1)


def compile_careers() -> None:
    """Compile the kernels of the synthetic nation."""
    people = make_people(0, _ROWS, 0, SOLVED, (2010, 2010))
    follow_up(simulate_careers(people, build_world(SOLVED), 0, 15_000))


_CHAINS = (
    (compile_fits, compile_matches),
    (compile_rematches, compile_multipliers, compile_careers, compile_events, compile_set_sums),
)
"""Parts for each of two processes: as long as each other, and with few kernels in common. A match
calls the kernels of the fit, so it comes after them in the same process."""


def _compile(calls: str) -> subprocess.Popen[bytes]:
    """Start a process that calls functions of this module, named ``w``."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter and our own functions
        [sys.executable, "-c", f"from engine import warm_up as w; {calls}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=_HOME,
    )


def warm_up(progress: Callable[[str, float], None] | None = None) -> None:
    """Compile every kernel into the private cache.

    Parameters
    ----------
    progress : callable, optional
        Called with ``"compile"`` and the share done.

    Notes
    -----
    Compiling runs on one core, so two processes compile a half each, and meet in the cache; then
    everything runs once here, which compiles whatever they did not get to. More processes would
    compile more helpers anew, which have no cache entries.
    """

    def tell(share: float) -> None:
        if progress is not None:
            progress("compile", share)

    tell(0.0)
    if CACHE_FOLDER is not None:
        processes = [
            _compile("; ".join(f"w.{part.__name__}()" for part in chain)) for chain in _CHAINS
        ]
        for done, process in enumerate(processes):
            process.wait()
            tell((done + 1) / 3)
    for chain in _CHAINS:
        for part in chain:
            if part is not compile_matches:
                part()
    table = _table()
    for options in _MATCHES:
        match(table, **{**_PLAIN, **options})
    tell(1.0)
