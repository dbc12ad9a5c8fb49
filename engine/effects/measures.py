"""The eleven published measures of a study, and the only place where it opens the outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.effects.outcome import Outcome
from engine.store.index_table import MEASURES as PUBLISHED
from engine.store.reading import OUTCOMES, Store, read_years

Floats = NDArray[np.float64]
Kind = Literal["share", "count", "days"]
Unit = Literal["per_100_people", "per_person", "days", "per_100_reoffenders", "per_reoffender"]


@dataclass(frozen=True)
class Measure:
    """A measure.

    Attributes
    ----------
    name : str
        Column of the store's outcomes.
    label : str
    table : int
        Results table of the report, 1 to 7.
    kind : {'share', 'count', 'days'}
    unit : str
    of_reoffenders : bool
        Whether it is a mean over reoffenders only. Who reoffends may itself be an effect of the
        service, so such a measure describes and does not prove.
    """

    name: str
    label: str
    table: int
    kind: Kind
    unit: Unit
    of_reoffenders: bool

    @property
    def published_name(self) -> str:
        """Name in the ministry's published code."""
        return PUBLISHED[self.name]

    @property
    def outcome(self) -> Outcome:
        """The measure as the estimators take it: means among reoffenders are linearised ratios."""
        if self.of_reoffenders:
            return Outcome(self.name, "time")
        return Outcome(self.name, "binary" if self.kind == "share" else "count")


def _first(name: str, label: str) -> Measure:
    return Measure(f"first_reoffence_{name}", label, 4, "share", "per_100_reoffenders", True)


def _number(name: str, label: str) -> Measure:
    return Measure(f"n_reoffences_{name}", label, 5, "count", "per_reoffender", True)


MEASURES = (
    Measure(
        "reoffended", "People who reoffended within a year", 1, "share", "per_100_people", False
    ),
    Measure("n_reoffences", "Proven reoffences within a year", 2, "count", "per_person", False),
    Measure("days_to_first_reoffence", "Days to the first reoffence", 3, "days", "days", True),
    _first("indictable", "First reoffence for the Crown Court only"),
    _first("either_way", "First reoffence triable either way"),
    _first("summary", "First reoffence for magistrates only"),
    _number("indictable", "Reoffences for the Crown Court only"),
    _number("either_way", "Reoffences triable either way"),
    _number("summary", "Reoffences for magistrates only"),
    Measure(
        "custody_for_first_reoffence",
        "Custody for the first reoffence",
        6,
        "share",
        "per_100_reoffenders",
        True,
    ),
    Measure(
        "n_custodial_sentences",
        "Custodial sentences for reoffences",
        7,
        "count",
        "per_reoffender",
        True,
    ),
)
RATE = MEASURES[0]


def open_outcomes(
    store: Store, position: NDArray[np.int64], names: Sequence[str] = tuple(PUBLISHED)
) -> pa.Table:
    """Read the outcomes of disposals.

    Parameters
    ----------
    store : Store
    position : int64, shape (n,)
        Rows of the store's index disposals.
    names : sequence of str
        Measures, all by default.

    Returns
    -------
    pyarrow.Table, n rows
    """
    return read_years(store, OUTCOMES, list(names)).take(to_arrow(position)).combine_chunks()


class Outcomes:
    """The outcomes of a pool: read at the first call and not before, and once for all analyses.

    Parameters
    ----------
    store : Store
    position : int64, shape (n,)
        Rows of the store's index disposals.
    """

    def __init__(self, store: Store, position: NDArray[np.int64]) -> None:
        self._store, self._position = store, position
        self._table: pa.Table | None = None

    def open(self) -> pa.Table:
        """Return all measures of every row; only for a match that has passed the gate."""
        if self._table is None:
            self._table = open_outcomes(self._store, self._position)
        return self._table

    def open_rate(self, rows: NDArray[np.bool_]) -> pa.Table:
        """Return the rate of some rows and nothing else."""
        return open_outcomes(self._store, self._position[rows], [RATE.name])


def values_of(column: pa.ChunkedArray) -> Floats:
    """Return a measure as numbers, NaN where it does not apply, float64, shape (n,)."""
    numbers = (
        column.cast(pa.float64())
        if not pa.types.is_boolean(column.type)
        else column.cast(pa.uint8()).cast(pa.float64())
    )
    return to_numpy(numbers.fill_null(np.nan)).copy()


@dataclass(frozen=True)
class ArmCounts:
    """How many people stand behind a mean, in one arm of a match.

    Attributes
    ----------
    people : int
        Of the base: everybody, or reoffenders.
    events : int
        With a share of 1, or a count above 0; everybody for days.
    """

    people: int
    events: int


def count_arm(
    measure: Measure, values: Floats, person: NDArray[np.int64] | None = None
) -> ArmCounts:
    """Count the people behind a mean.

    Parameters
    ----------
    measure : Measure
    values : float64, shape (m,)
        Of the matched rows of one arm, NaN where the measure does not apply.
    person : int64, shape (m,), optional
        Whose row it is; each row a person if absent.

    Notes
    -----
    A person with several rows is one person, and one event if any of them has it.
    """
    known = ~np.isnan(values)
    event = known if measure.kind == "days" else known & (values > 0.0)
    if person is None:
        return ArmCounts(int(np.count_nonzero(known)), int(np.count_nonzero(event)))
    return ArmCounts(len(np.unique(person[known])), len(np.unique(person[event])))
