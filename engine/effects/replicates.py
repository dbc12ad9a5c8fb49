"""Bootstrap replicates: ranges of them in threads, each a pure function of (inputs, seed, number).

The kernels are serial and release the interpreter's lock, so threads share nothing but what they
read. How many threads, and how replicates are dealt to them, decides nothing but the time.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Event
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from kernels.blocks import total_product
from kernels.cholesky import factor
from kernels.columns import CodedColumns
from kernels.dependence import independent_columns
from kernels.newton import CONVERGED, fit
from kernels.refit import REFITTED, WIDTH, counts_into, refit
from kernels.rematch import Recipe, rematch
from kernels.resample import (
    EXPONENTIAL,
    GAUSSIAN,
    LANES,
    MAMMEN,
    centred,
    drawn_sums,
    multiplier_sums,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Progress = Callable[[float], None]

MULTIPLIERS = ("mammen", "gaussian", "exponential", "multinomial")
_KINDS = {"mammen": MAMMEN, "gaussian": GAUSSIAN, "exponential": EXPONENTIAL}
_WORK_PER_TASK = 20_000_000

MATCHED = 0
FITTED_EXACTLY = 1
FAILED = 2


def _words(seed: int) -> tuple[int, int]:
    """Split a seed into its two words."""
    if not 0 <= seed < 2**128:
        raise UsageError(
            "the seed is out of range",
            rule="a seed is a whole number from 0 to 2^128 - 1",
            repair="Give a number in that range",
        )
    return seed & (2**64 - 1), seed >> 64


def _in_threads(
    tasks: list[tuple[int, int]],
    work: Callable[[int, int], Any],
    progress: Progress | None,
    stopping: Event | None = None,
) -> Iterator[tuple[tuple[int, int], Any]]:
    """Run ``work`` on ranges of replicates and give back the results in the order of the ranges.

    When the caller gives up, ``stopping`` is set, so that long tasks end early.
    """
    pool = ThreadPoolExecutor(numba.get_num_threads())
    try:
        futures: list[Future[Any]] = [pool.submit(work, *task) for task in tasks]
        for done, (task, future) in enumerate(zip(tasks, futures, strict=True)):
            yield task, future.result()
            if progress is not None:
                progress((done + 1) / len(tasks))
    finally:
        if stopping is not None:
            stopping.set()
        pool.shutdown(cancel_futures=True)


def _ranges(start: int, stop: int, step: int, width: int) -> list[tuple[int, int]]:
    """Cut start, ..., stop - 1 at multiples of ``step`` rounded up to whole blocks of ``width``."""
    step = max(1, step // width) * width
    edges = sorted({start, stop, *range(start // step * step + step, stop, step)})
    return list(pairwise(edges))


def multiplier_replicates(
    sums: Floats,
    unit: NDArray[np.uint64],
    *,
    multiplier: str = "mammen",
    seed: int = 0,
    start: int = 0,
    stop: int,
    progress: Progress | None = None,
) -> Floats:
    """Return replicates of a linear form: the sum over people of multiplier times their sum.

    Parameters
    ----------
    sums : float64, shape (q, n)
        Each person's sum of phi, a row for each outcome; people without any may be left out of
        'mammen' and 'gaussian', whose multipliers have mean 0.
    unit : uint64, shape (n,)
        Key of each person, all different.
    multiplier : {'mammen', 'gaussian', 'exponential', 'multinomial'}
        The last two have mean 1: the sums are centred first.
    seed : int
        In [0, 2^128).
    start, stop : int
        Replicates start, ..., stop - 1.
    progress : callable, optional

    Returns
    -------
    float64, shape (stop - start, q)
        Divide by the matched focal rows for the error of the estimate.

    Raises
    ------
    UsageError
        The multiplier is unknown or the seed out of range.

    Notes
    -----
    The variance over replicates is sum S^2 exactly (the centred sum for the last two), so what the
    choice changes is skewness alone.

    References
    ----------
    Otsu and Rai (2017), Journal of the American Statistical Association 112, 1720-1732.
    """
    if multiplier not in MULTIPLIERS:
        raise UsageError(
            "the multiplier is unknown",
            rule=f"a multiplier is one of {', '.join(MULTIPLIERS)}",
            repair="Choose one of them",
        )
    words = _words(seed)
    q, n = sums.shape
    columns = np.ascontiguousarray(sums)
    if multiplier in {"exponential", "multinomial"}:
        columns = centred(columns)
    rows = np.ascontiguousarray(columns.T)

    def work(first: int, last: int) -> Floats:
        if multiplier == "multinomial":
            return drawn_sums(rows, n, words, first, last)
        return multiplier_sums(_KINDS[multiplier], unit, columns, words, first, last)

    result = np.zeros((stop - start, q))
    if n == 0:
        return result
    step = LANES * max(1, _WORK_PER_TASK // n)
    for (first, last), part in _in_threads(_ranges(start, stop, step, LANES), work, progress):
        result[first - start : last - start] = part
    return result


def drawn_replicates(
    values: Floats,
    *,
    draws: int | None = None,
    replace: bool = True,
    seed: int = 0,
    start: int = 0,
    stop: int,
    progress: Progress | None = None,
) -> Floats:
    """Return the column sums of randomly drawn sets or people.

    Parameters
    ----------
    values : float64, shape (n, q)
        One row for each matched set, or for each person where people repeat (:func:`by_person`).
    draws : int, optional
        Rows drawn; n if absent.
    replace : bool
    seed : int
    start, stop : int
    progress : callable, optional

    Returns
    -------
    float64, shape (stop - start, q)

    Raises
    ------
    UsageError
        There is nothing to draw from, or more is to be drawn without replacement than there is.
    """
    n, q = values.shape
    draws = n if draws is None else draws
    if n == 0 or draws < 1 or (not replace and draws > n):
        raise UsageError(
            f"{draws} draws from {n} {'with' if replace else 'without'} replacement",
            rule="at least one row is drawn, and at most all of them without replacement",
            repair="Draw fewer, or with replacement",
        )
    words = _words(seed)
    rows = np.ascontiguousarray(values)

    def work(first: int, last: int) -> Floats:
        return drawn_sums(rows, draws, words, first, last, replace=replace)

    result = np.empty((stop - start, q))
    step = LANES * max(1, _WORK_PER_TASK // max(draws, n))
    for (first, last), part in _in_threads(_ranges(start, stop, step, LANES), work, progress):
        result[first - start : last - start] = part
    return result


def stratified_replicates(
    values: Floats, stratum: Integers, *, seed: int = 0, start: int = 0, stop: int
) -> Floats:
    """Return the column sums of sets or people drawn inside strata, as many as each of them has.

    Parameters
    ----------
    values : float64, shape (n, q)
    stratum : int64, shape (n,)
        Any numbers.
    seed : int
    start, stop : int
        Replicates start, ..., stop - 1.

    Returns
    -------
    float64, shape (stop - start, q)
    """
    words = _words(seed)
    order = np.argsort(stratum, kind="stable")
    unit = np.empty(len(order), dtype=np.int64)
    unit[order] = np.arange(len(order))
    sizes = np.unique(stratum, return_counts=True)[1].astype(np.int64)
    edges = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    columns = np.ascontiguousarray(values.T)

    def work(first: int, last: int) -> Floats:
        base = first // LANES * LANES
        counts = np.empty((LANES, len(unit)), dtype=np.uint16)
        found = np.empty((last - first, len(columns)))
        for block in range(base, last, LANES):
            counts_into(
                unit, edges, sizes, np.uint64(words[0]), np.uint64(words[1]), block // LANES, counts
            )
            for r in range(max(first, block), min(last, block + LANES)):
                drawn = counts[r - block].astype(np.float64)
                found[r - first] = [total_product(drawn, column) for column in columns]
        return found

    result = np.empty((stop - start, len(columns)))
    step = LANES * max(1, _WORK_PER_TASK // max(1, len(unit)))
    for (first, last), part in _in_threads(_ranges(start, stop, step, LANES), work, None):
        result[first - start : last - start] = part
    return result


def centred_within(sums: Floats, stratum: Integers) -> Floats:
    """Return values less the mean of their stratum, float64, shape (n,)."""
    place = np.unique(stratum, return_inverse=True)[1]
    means = np.bincount(place, weights=sums) / np.bincount(place)
    return np.asarray(sums - means[place], dtype=np.float64)


def by_person(values: Floats, person: Integers) -> Floats:
    """Return the column sums of each person's sets, by person number.

    Parameters
    ----------
    values : float64, shape (n, q)
    person : int64, shape (n,)
        Person of each set's focal row.

    Returns
    -------
    float64, shape (people, q)
    """
    present, place = np.unique(person, return_inverse=True)
    result = np.empty((len(present), values.shape[1]))
    for c in range(values.shape[1]):
        result[:, c] = np.bincount(place, weights=values[:, c], minlength=len(present))
    return result


@dataclass(frozen=True)
class Draws:
    """Whom a replicate of the full bootstrap draws.

    Attributes
    ----------
    unit : int64, shape (n,)
        Person of each row, numbered stratum by stratum; -1 for rows that take no part.
    start : int64, shape (strata + 1,)
        First person of each stratum.
    draws : int64, shape (strata,)
        People drawn in each.
    """

    unit: Integers
    start: Integers
    draws: Integers

    @property
    def share(self) -> float:
        """People drawn over people there are."""
        return float(self.draws.sum()) / max(1, int(self.start[-1]))


def people_to_draw(
    treated: NDArray[np.bool_],
    taking_part: NDArray[np.bool_],
    person: Integers | None = None,
    *,
    within_arms: bool = True,
    cell: Integers | None = None,
    share: float = 1.0,
) -> Draws:
    """Return how people are drawn.

    Parameters
    ----------
    treated : bool, shape (n,)
    taking_part : bool, shape (n,)
        Rows that were fitted or may be matched.
    person : int64, shape (n,), optional
        Person of each row: all rows of a person are drawn together. Each row a person if absent.
    within_arms : bool
        Draw as many of each arm as there are, so that the number treated is fixed; a person with
        a treated row belongs to the treated. Otherwise from everybody.
    cell : int64, shape (n,), optional
        Exact cell of each row: draw within the cells of each arm as well. A person with rows in
        several cells belongs to that of the first.
    share : float
        People drawn over people there are, in (0, 1]; below 1 for M out of N.

    Returns
    -------
    Draws

    Raises
    ------
    UsageError
        The share is outside (0, 1].
    """
    if not 0.0 < share <= 1.0:
        raise UsageError(
            "the share of people to draw is out of range",
            rule="the share is above 0 and at most 1",
            repair="Give for example 0.5",
        )
    rows = np.flatnonzero(taking_part)
    own = rows if person is None else person[rows]
    people, one, place = np.unique(own, return_index=True, return_inverse=True)
    is_treated = np.zeros(len(people), dtype=np.bool_)
    is_treated[place[treated[rows]]] = True
    if not within_arms:
        is_treated[:] = False
    stratum = is_treated.astype(np.int64)
    if cell is not None:
        cells = cell[rows][one]
        stratum = stratum * (int(cells.max(initial=0)) + 1) + cells
    order = np.argsort(stratum, kind="stable")
    number = np.empty(len(people), dtype=np.int64)
    number[order] = np.arange(len(people))
    unit = np.full(len(treated), -1, dtype=np.int64)
    unit[rows] = number[place]
    sizes = np.unique(stratum, return_counts=True)[1]
    start = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    draws = np.array([max(1, int(share * size + 0.5)) for size in sizes], dtype=np.int64)
    return Draws(unit, start, draws)


@dataclass(frozen=True)
class FullFit:
    """The fit of the whole table, from which refits start.

    Attributes
    ----------
    columns : CodedColumns
    treated : uint8, shape (n,)
    beta : float64, shape (p,)
        On the scaled columns.
    information : float64, shape (p, p)
        Penalised for ridge.
    active : bool, shape (p,)
    fitted : bool, shape (n,)
        Rows that were fitted.
    ridge : float
        Penalty ridge / 2 times the sum of squared slopes, 0 for none.
    """

    columns: CodedColumns
    treated: NDArray[np.uint8]
    beta: Floats
    information: Floats
    active: NDArray[np.bool_]
    fitted: NDArray[np.bool_]
    ridge: float = 0.0


@dataclass(frozen=True)
class Rematched:
    """Replicates that were fitted and matched again.

    Attributes
    ----------
    sums : float64, shape (replicates, 2, q)
        Over matched focal copies: sums of their own values, and of their partners' mean values;
        nan for a replicate that failed.
    matched : int64, shape (replicates,)
        Matched focal copies.
    status : int64, shape (replicates,)
        MATCHED; FITTED_EXACTLY where the warm start did not contract and the exact information
        was formed; FAILED where no fit converged.
    passes : int64, shape (replicates,)
        Gradient passes of the warm start.
    """

    sums: Floats
    matched: Integers
    status: Integers
    passes: Integers


def rematched_replicates(
    recipe: Recipe,
    values: Floats,
    draws: Draws,
    *,
    full: FullFit | None = None,
    logit: Floats | None = None,
    seed: int = 0,
    start: int = 0,
    stop: int,
    progress: Progress | None = None,
) -> Rematched:
    """Draw people, fit the score again and match again, replicate by replicate.

    Parameters
    ----------
    recipe : Recipe
        How to match; its caliper is recomputed in each replicate under ``per_deviation``.
    values : float64, shape (n, q)
        Columns to sum: outcomes, and the numerators and denominators of ratios.
    draws : Draws
    full : FullFit, optional
        Refit from here; otherwise every replicate matches on ``logit``.
    logit : float64, shape (n,), optional
        A score that was not fitted on these rows.
    seed : int
    start, stop : int
        Replicates start, ..., stop - 1.
    progress : callable, optional

    Returns
    -------
    Rematched

    Notes
    -----
    Counts are frequency weights; no row is copied. Eight replicates share the passes over the
    columns. Rows outside the fit are never drawn.
    """
    words = _words(seed)
    n = len(recipe.is_focal)
    columns_of_values = np.ascontiguousarray(values)
    stopping = Event()
    lower = np.empty((0, 0))
    penalty = np.empty(0)
    unit = draws.unit
    if full is not None:
        unit = np.where(full.fitted, draws.unit, -1)
        lower = np.empty_like(full.information)
        factor(full.information, lower, full.active.copy(), 0.0)
        penalty = np.full(len(full.beta), full.ridge)
        penalty[0] = 0.0

    def drawn(first: int) -> NDArray[np.uint16]:
        counts = np.empty((WIDTH, n), dtype=np.uint16)
        counts_into(
            unit, draws.start, draws.draws, np.uint64(words[0]), np.uint64(words[1]),
            first // LANES, counts,
        )  # fmt: skip
        return counts

    def work(first: int, last: int) -> list[tuple[Floats, int, int, int]]:
        base = first // WIDTH * WIDTH
        counts = drawn(base)
        passes = np.zeros(WIDTH, dtype=np.int64)
        status = np.full(WIDTH, REFITTED)
        if full is not None:
            _, eta, passes, status = refit(
                full.columns, full.treated, counts, full.beta, lower, full.active, penalty,
                draws.share,
            )  # fmt: skip
        found = []
        for lane in range(first - base, last - base):
            if stopping.is_set():
                break
            own = eta[lane] if full is not None else logit
            if status[lane] != REFITTED or own is None:
                found.append((np.empty(0), 0, FITTED_EXACTLY, int(passes[lane])))
                continue
            sums, matched = rematch(recipe, own, counts[lane], columns_of_values)
            found.append((sums, matched, MATCHED, int(passes[lane])))
        return found

    size = stop - start
    result = Rematched(
        np.full((size, 2, values.shape[1]), np.nan),
        np.zeros(size, dtype=np.int64),
        np.full(size, FAILED),
        np.zeros(size, dtype=np.int64),
    )
    for (first, _), found in _in_threads(
        _ranges(start, stop, WIDTH, WIDTH), work, progress, stopping
    ):
        for k, (sums, matched, status, passes) in enumerate(found):
            place = first - start + k
            result.passes[place] = passes
            if status == FITTED_EXACTLY:
                assert full is not None
                counts = drawn((first + k) // WIDTH * WIDTH)[(first + k) % WIDTH]
                eta = _fit_exactly(full, counts)
                if eta is None:
                    continue
                sums, matched = rematch(recipe, eta, counts, columns_of_values)
            result.sums[place] = sums
            result.matched[place] = matched
            result.status[place] = status
    return result


def _fit_exactly(full: FullFit, counts: NDArray[np.uint16]) -> Floats | None:
    """Fit one replicate by Newton steps with its own information; None where that fails."""
    weights = counts.astype(np.float64)
    arms = [float(weights[full.treated == label].sum()) for label in (0, 1)]
    if min(arms) == 0.0:
        return None
    active = independent_columns(full.columns, weights, full.active)
    fitted = fit(full.columns, full.treated, weights, active, ridge=full.ridge, start=full.beta)
    return fitted.eta if fitted.status == CONVERGED else None
