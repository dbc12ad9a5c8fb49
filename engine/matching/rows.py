"""The rows of a match: every column it needs but the outcomes, in canonical order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.columns import (
    as_boolean_treatment,
    as_codes,
    as_float64,
    require_no_missing,
    row_numbers,
)
from engine.errors import InputError
from engine.matching.caliper import logits, standard_deviation
from engine.matching.design import Design, read_design
from engine.matching.identity import Identity, identify
from engine.matching.options import MatchOptions
from engine.matching.propensity import require_both_arms
from engine.spill import MEMORY, Space
from engine.tables import TableSource, column

_LISTED = 1 << 22
"""Numbers up to which those that occur are marked in a list, and not sorted."""


@dataclass(frozen=True)
class Rows:
    """Everything a match reads before outcomes, in canonical row order.

    Attributes
    ----------
    identity : Identity
    treated : bool, shape (n,)
    design : Design
    cell : int64, shape (n,), optional
        Exact-match cell, in [0, number of cells).
    person : int64, shape (n,), optional
        Person number, in [0, number of people).
    anti : int64, shape (a, n)
    covariate : float64, shape (v, n)
        Columns with calipers of their own.
    width : float64, shape (v,)
        Raw width of each.
    mahalanobis : float64, shape (d, n)
        Columns of the Mahalanobis distance, not yet whitened.
    score : float64, shape (n,), optional
        Logit of a score given by the user.
    """

    identity: Identity
    treated: NDArray[np.bool_]
    design: Design
    cell: NDArray[np.int64] | None
    person: NDArray[np.int64] | None
    anti: NDArray[np.int64]
    covariate: NDArray[np.float64]
    width: NDArray[np.float64]
    mahalanobis: NDArray[np.float64]
    score: NDArray[np.float64] | None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.treated)


def read_rows(
    source: TableSource,
    options: MatchOptions,
    progress: Callable[[float], None] | None = None,
    space: Space = MEMORY,
) -> Rows:
    """Read the columns of a match, all but the outcomes.

    Parameters
    ----------
    source : TableSource
    options : MatchOptions
    progress : callable, optional
        Told the share done.
    space : Space
        Where the columns that are kept are made.

    Returns
    -------
    Rows

    Raises
    ------
    InputError
        A column is missing from the table, has empty cells, or cannot be what it is named as.
    """
    values = column(source, options.treatment, "treatment")
    require_no_missing(values, name=options.treatment, role="treatment", source=source)
    in_data_order = as_boolean_treatment(
        values, options.treated, name=options.treatment, source=source
    )
    require_both_arms(in_data_order)
    identity = identify(source, options.id, options.seed, space)
    design = read_design(
        source, options.covariates, options.categorical, identity, options.missing, progress,
        space,
    )  # fmt: skip
    limits = options.covariate_caliper
    covariate = _numbers(source, tuple(c.column for c in limits), "caliper", identity)
    width = [
        limit.width * (standard_deviation(values) if limit.in_sd else 1.0)
        for limit, values in zip(limits, covariate, strict=True)
    ]
    return Rows(
        identity,
        identity.gather(in_data_order),
        design,
        _cells(source, options.exact, identity),
        None if options.person is None else _people(source, options.person, identity),
        _codes(source, options.anti_exact, "anti-exact", identity),
        covariate,
        np.array(width, dtype=np.float64),
        _numbers(source, options.mahalanobis, "Mahalanobis", identity),
        None if options.score is None else _score(source, options, identity),
    )


def _numbers(
    source: TableSource, names: tuple[str, ...], role: str, identity: Identity
) -> NDArray[np.float64]:
    result = np.empty((len(names), source.n_rows))
    for j, name in enumerate(names):
        values = column(source, name, role)
        require_no_missing(values, name=name, role=f"{role} column", source=source)
        result[j] = identity.gather(as_float64(values, name=name, source=source))
    return result


def _codes(
    source: TableSource, names: tuple[str, ...], role: str, identity: Identity
) -> NDArray[np.int64]:
    result = np.empty((len(names), source.n_rows), dtype=np.int64)
    for j, name in enumerate(names):
        values = column(source, name, role)
        require_no_missing(values, name=name, role=f"{role} column", source=source)
        coded = as_codes(values, name=name, source=source, forced=True)
        result[j] = identity.gather(coded.codes)
    return result


def _cells(
    source: TableSource, names: tuple[str, ...], identity: Identity
) -> NDArray[np.int64] | None:
    """Number the combinations of exact columns that occur, in sorted order."""
    if not names:
        return None
    return number_cells(list(_codes(source, names, "exact", identity)))


def number_cells(codes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Number the combinations of levels that occur, in the order of their codes.

    Parameters
    ----------
    codes : sequence of int64 arrays, shape (n,)
        Level codes of each exact column, at least one.

    Returns
    -------
    int64, shape (n,)
        In [0, number of cells).
    """
    cell = _renumbered(codes[0])
    for more in codes[1:]:
        # Renumbered after each column: a product of many level counts would not fit.
        cell = _renumbered(cell * (int(more.max()) + 1) + more)
    return cell


def _renumbered(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return small numbers that keep the order of the given ones, which are not negative."""
    most = int(numbers.max())
    if most > _LISTED:
        return np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    there = np.zeros(most + 1, dtype=np.bool_)
    there[numbers] = True
    return (np.cumsum(there) - 1)[numbers]


def _people(source: TableSource, name: str, identity: Identity) -> NDArray[np.int64]:
    """Return the number of each row's person, by the first row in canonical order."""
    values = column(source, name, "person")
    require_no_missing(values, name=name, role="person column", source=source)
    if not pa.types.is_dictionary(values.type):
        values = pc.dictionary_encode(values)
    array = values.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    in_order = identity.gather(to_numpy(array.indices))
    # Numbered anew in canonical order: the number of a person is the key of their random draws.
    return to_numpy(pc.dictionary_encode(to_arrow(in_order)).indices).astype(np.int64)


def _score(source: TableSource, options: MatchOptions, identity: Identity) -> NDArray[np.float64]:
    """Read the user's score and bring it to the logit scale."""
    name = str(options.score)
    values = column(source, name, "score")
    require_no_missing(values, name=name, role="score", source=source)
    numbers = as_float64(values, name=name, source=source)
    if options.score_scale == "logit":
        return identity.gather(numbers)
    outside = (numbers <= 0.0) | (numbers >= 1.0)
    if outside.any():
        raise InputError(
            f"the score column '{name}' has {int(outside.sum()):,} cells that are not "
            "probabilities between 0 and 1",
            where=f"{source.name}, {row_numbers(source, outside)}",
            rule="a probability of being treated lies above 0 and below 1",
            repair="Remove those rows, or give logits with --score-scale logit",
        )
    return identity.gather(logits(numbers))
