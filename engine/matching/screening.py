"""A look at each column by itself before anything is fitted: ranges and levels in each arm.

A level that only one arm has, or a number whose ranges in the two arms do not overlap, is proof by
itself that a maximum-likelihood estimate does not exist. Finding none proves nothing; see
:mod:`engine.matching.separation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.tally import LEFT_OUT, NO_SUCH_LEVEL, level_counts, number_ranges


@dataclass(frozen=True)
class Tally:
    """What one pass over the columns counts; no figure depends on the order of rows.

    Attributes
    ----------
    low, high : float64, shape (p_numeric, 2)
        Range of each number in the comparison group and among the treated; inf and -inf for an
        arm without rows.
    counts : tuple of int64 arrays, shape (levels, 2)
        Comparison and treated rows of each level, by category.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    counts: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True)
class LevelFinding:
    """A level of a category and how many rows of each arm have it."""

    column: str
    level: str
    treated: int
    comparison: int


@dataclass(frozen=True)
class RangeFinding:
    """A number column whose ranges by arm do not overlap.

    ``kind`` is 'complete' if they lie strictly apart and 'quasi' if they share one point;
    ``direction`` is +1 if the treated have the larger numbers.
    """

    column: str
    kind: str
    direction: int


@dataclass(frozen=True)
class Screening:
    """What one look at each column by itself finds; every tuple is sorted by name.

    An empty level stands in ``empty_levels`` alone. Each level without treated or comparison rows
    and each column in ``apart`` is proof of separation; finding none proves nothing.
    """

    levels_without_treated: tuple[LevelFinding, ...]
    levels_without_comparison: tuple[LevelFinding, ...]
    empty_levels: tuple[LevelFinding, ...]
    apart: tuple[RangeFinding, ...]
    constant: tuple[str, ...]


def tally_columns(
    numeric: Sequence[NDArray[np.float64]],
    codes: NDArray[np.uint16],
    n_levels: Sequence[int],
    treated: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
) -> Tally:
    """Count every column by itself, in each arm.

    Parameters
    ----------
    numeric : sequence of float64 arrays, shape (n,), length p_numeric
        Number columns, finite.
    codes : uint16, shape (p_categories, n), C-contiguous
        Level codes.
    n_levels : sequence of int, length p_categories
        Number of levels of each category.
    treated : bool, shape (n,)
    weights : float64, shape (n,) or (0,), optional
        Frequency weights >= 0; empty means all one. A row of weight zero takes no part; other
        weights do not matter.

    Returns
    -------
    Tally

    Raises
    ------
    ValueError
        A code is not below its number of levels.

    Notes
    -----
    One pass, about 2 ns a value.
    """
    arm = taking_part(treated, weights)
    low, high = number_ranges(numeric, arm)
    return Tally(low, high, count_levels(codes, n_levels, arm))


def taking_part(
    treated: NDArray[np.bool_], weights: NDArray[np.float64] | None
) -> NDArray[np.uint8]:
    """Return the arm of each row, ``LEFT_OUT`` for rows of weight zero, uint8, shape (n,)."""
    arm = np.asarray(treated, dtype=np.uint8)
    if weights is not None and len(weights):
        arm = np.where(weights > 0, arm, np.uint8(LEFT_OUT))
    return arm


def count_levels(
    codes: NDArray[np.uint16], n_levels: Sequence[int], arm: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], ...]:
    """Return the rows of each arm in each level, an int64 array (levels, 2) for each category.

    Raises
    ------
    ValueError
        A code is not below its number of levels.
    """
    status, counts = level_counts(codes, list(n_levels), arm)
    if status == NO_SUCH_LEVEL:
        message = "a category holds a code that is none of its levels"
        raise ValueError(message)
    return tuple(counts)


def screen(
    tally: Tally,
    number_names: Sequence[str],
    category_names: Sequence[str],
    level_names: Sequence[Sequence[str]],
) -> Screening:
    """Return what the columns show by themselves: lone levels, disjoint ranges, constants.

    Parameters
    ----------
    tally : Tally
    number_names : sequence of str, length p_numeric
    category_names : sequence of str, length p_categories
    level_names : sequence of sequences of str
        Names of all levels of each category, the reference level first.

    Returns
    -------
    Screening
        The findings by kind, sorted by column and level name.
    """
    lone: tuple[list[LevelFinding], ...] = ([], [], [])
    for column, labels, counts in zip(category_names, level_names, tally.counts, strict=True):
        for label, (comparison, treated) in zip(labels, counts.tolist(), strict=True):
            if treated == 0 or comparison == 0:
                place = 2 if treated == comparison else 0 if treated == 0 else 1
                lone[place].append(LevelFinding(column, label, treated, comparison))
    apart, constant = [], []
    for name, low, high in zip(number_names, tally.low.tolist(), tally.high.tolist(), strict=True):
        both_arms = max(low) < np.inf
        if min(low) == max(high):
            constant.append(name)
        elif both_arms and low[1] >= high[0]:
            apart.append(RangeFinding(name, "complete" if low[1] > high[0] else "quasi", 1))
        elif both_arms and low[0] >= high[1]:
            apart.append(RangeFinding(name, "complete" if low[0] > high[1] else "quasi", -1))
    without_treated, without_comparison, empty = (
        tuple(sorted(found, key=lambda item: (item.column, item.level))) for found in lone
    )
    ranges = tuple(sorted(apart, key=lambda item: item.column))
    return Screening(without_treated, without_comparison, empty, ranges, tuple(sorted(constant)))


def describe(findings: Screening) -> str:
    """Return the findings as plain sentences, '' if there are none.

    They name columns and levels, never a row's value.
    """
    sentences = []
    for item in findings.levels_without_treated:
        rows = f"{item.comparison:,} comparison row{'' if item.comparison == 1 else 's'}"
        sentences.append(f"No treated row has {item.column}={item.level} ({rows}).")
    for item in findings.levels_without_comparison:
        rows = f"{item.treated:,} treated row{'' if item.treated == 1 else 's'}"
        sentences.append(f"No comparison row has {item.column}={item.level} ({rows}).")
    sentences.extend(f"No row has {item.column}={item.level}." for item in findings.empty_levels)
    for gap in findings.apart:
        how = "do not overlap" if gap.kind == "complete" else "share a single point"
        side = "above" if gap.direction > 0 else "below"
        sentences.append(
            f"The ranges of {gap.column} in the two arms {how}: the treated lie {side}."
        )
    sentences.extend(f"The column {name} is constant." for name in findings.constant)
    return " ".join(sentences)
