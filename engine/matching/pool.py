"""The treated and their comparison pool as one table of the store's columns, read once.

Everything that a study matches on stands in this table in the compact types of the store, rows in
the order of their public keys. Each analysis decodes the rows and columns it needs; nothing is
read from the store again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.cohort.base import Base
from engine.cohort.pool import comparison_pool
from engine.cohort.rules import IndexRules
from engine.errors import InputError
from engine.matching.coded import CodedColumn, code_columns
from engine.matching.identity import random_order
from engine.matching.store_columns import ASSESSED, BY_NAME, DELAY, LAST_SANCTION
from engine.matching.transformations import NONE, Transformations, with_transformations
from engine.store.reading import INDEX, Store, read_years
from engine.submission.fields import SUBGROUPS as OF_SUBMISSION

TREATED, ID, PERSON = "treated", "disposal_id", "person_id"
AGES = ((18, "under 18"), (21, "18 to 20"), (25, "21 to 24"), (35, "25 to 34"), (45, "35 to 44"))
OLDEST_AGES = "45 and over"
_BANDS = (*(name for _, name in AGES), OLDEST_AGES)
OF_STORE = {
    "sex": "sex",
    "age": "age_at_index",
    "year": "index_year",
    "region": "probation_region",
    "prison": "prison",
    "index_type": "index_type",
}
OF_A_PERSON = ("sex", "age", "year", "index_type")
"""Sub-groups whose comparison people are of the same level."""
SUBGROUPS = (*OF_STORE, *OF_SUBMISSION)
"""What sub-analyses can be made by: columns of the store, and of the submission."""


@dataclass(frozen=True)
class Pool:
    """Treated and comparison disposals.

    Attributes
    ----------
    table : pyarrow.Table
        ``disposal_id``, ``person_id``, ``treated``, columns of the store and what the plan makes of
        them; in the order of the public keys. Comparison people may have several rows, treated
        people have one.
    position : int64, shape (n,)
        Row of each in the store's index disposals.
    treated : bool, shape (n,)
    row : int64, shape (number of treated,)
        Row of the submission of each treated person, in table order.
    groups : dict of str to list of (str or None)
        Level of each of them in the sub-groups that the study asks for.
    coded : dict of str to CodedColumn
        Columns that analyses match on.
    people : int64, shape (n,)
        Number of each row's person, by the person's first row.
    """

    table: pa.Table
    position: NDArray[np.int64]
    treated: NDArray[np.bool_]
    row: NDArray[np.int64]
    groups: dict[str, list[str | None]]
    coded: dict[str, CodedColumn]
    people: NDArray[np.int64]

    id: str = ID
    person: str = PERSON
    treatment: str = TREATED

    @property
    def n_treated(self) -> int:
        """Number of treated people."""
        return int(np.count_nonzero(self.treated))


def study_pool(
    store: Store,
    treated: pa.Table,
    removed: NDArray[np.int64],
    rules: IndexRules,
    columns: Sequence[str],
    groups: Sequence[str],
    seed: int,
    base: Base | None = None,
    transformations: Transformations = NONE,
) -> Pool:
    """Read the treated of a study and everybody they may be compared with.

    Parameters
    ----------
    store : Store
    treated : pyarrow.Table
        See :class:`engine.cohort.choose.Choice`.
    removed : int64, shape (k,)
        People who may not be compared with, see :func:`engine.cohort.pool.comparison_pool`.
    rules : IndexRules
    columns, groups, seed
        As in :func:`build_pool`.
    base : Base, optional
        What studies of the store with these rules share; the pool is the same without it.
    transformations : Transformations
        As in :func:`build_pool`.
    """
    years = sorted({day.year for day in treated["index_date"].to_pylist()})
    comparison = comparison_pool(
        store, treated, rules, removed=removed, years=years, seed=seed, base=base
    )
    index = None if base is None else base.index
    return build_pool(
        store, treated, comparison.table, columns, groups, seed,
        index=index, transformations=transformations,
    )  # fmt: skip


def build_pool(
    store: Store,
    treated: pa.Table,
    comparison: pa.Table,
    columns: Sequence[str],
    groups: Sequence[str],
    seed: int,
    *,
    index: pa.Table | None = None,
    transformations: Transformations = NONE,
) -> Pool:
    """Read the disposals of a study from the store.

    Parameters
    ----------
    store : Store
    treated : pyarrow.Table
        ``row`` of the submission, ``position``, the row in the store's index disposals,
        ``delay_days`` and sub-group columns; one row for each person.
    comparison : pyarrow.Table
        ``position`` and ``delay_days``.
    columns : sequence of str
        Columns that any analysis matches on.
    groups : sequence of str
        What sub-analyses are made by.
    seed : int
        Of the public keys.
    index : pyarrow.Table, optional
        All the store's index disposals with every column that is needed, where they have been read.
    transformations : Transformations
        What is made of those columns.

    Returns
    -------
    Pool

    Raises
    ------
    InputError
        The store has no such column, nobody is left on one side, or a column cannot be transformed
        as asked.
    """
    for rows, who in ((treated, "treated people"), (comparison, "comparison people")):
        if rows.num_rows == 0:
            raise InputError(
                f"there are no {who}",
                rule="a study compares people who took part with others",
                repair="See the reasons in the attrition, and the rules of the plan's [index]",
            )
    places = [to_numpy(rows["position"]).astype(np.int64) for rows in (treated, comparison)]
    position = np.concatenate(places)
    is_treated = np.arange(len(position)) < len(places[0])
    all_ids = to_numpy((read_years(store, INDEX, [ID]) if index is None else index)[ID])
    keys = random_order(all_ids[position].astype(np.int64), seed)
    position, is_treated = position[keys], is_treated[keys]
    needed = list(pool_columns(columns, groups))
    whole = read_years(store, INDEX, needed) if index is None else index.select(needed)
    table = whole.take(to_arrow(position)).combine_chunks()
    delays = [to_numpy(rows[DELAY].combine_chunks()) for rows in (treated, comparison)]
    table = table.append_column(DELAY, to_arrow(np.concatenate(delays)[keys]))
    table = with_transformations(table, transformations)
    table = table.append_column(TREATED, pa.array(is_treated))
    rows = keys[is_treated]
    matched_on = tuple(dict.fromkeys((*columns, *transformations.made)))
    return Pool(
        table,
        position,
        is_treated,
        to_numpy(treated["row"]).astype(np.int64)[rows],
        _levels(table, treated, rows, is_treated, groups),
        code_columns(table, matched_on, is_category),
        _numbered(table[PERSON]),
    )


def _numbered(people: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return numbers of people by their first row, int64, shape (n,)."""
    indices = pc.dictionary_encode(people.combine_chunks()).indices
    return to_numpy(indices).astype(np.int64)


def pool_columns(columns: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the store's index disposals that a pool is made of."""
    needed = [name for name in columns if name != DELAY]
    needed += [OF_STORE[name] for name in groups if name in OF_STORE]
    return tuple(dict.fromkeys([ID, *needed, ASSESSED, LAST_SANCTION, PERSON]))


def _levels(
    table: pa.Table,
    people: pa.Table,
    rows: NDArray[np.int64],
    treated: NDArray[np.bool_],
    groups: Sequence[str],
) -> dict[str, list[str | None]]:
    """Return the level of each treated row in each sub-group."""
    found: dict[str, list[str | None]] = {}
    for name in groups:
        if name in OF_STORE:
            values = table[OF_STORE[name]].filter(pa.array(treated)).to_pylist()
            found[name] = [_age_band(v) for v in values] if name == "age" else _texts(values)
            continue
        column = name if name in people.column_names else f"group: {name}"
        if column in people.column_names:
            found[name] = _texts(people[column].take(to_arrow(rows)).to_pylist())
    return found


def _texts(values: list[object]) -> list[str | None]:
    return [None if value is None else str(value) for value in values]


def _age_band(age: int | None) -> str | None:
    if age is None:
        return None
    return next((name for limit, name in AGES if age < limit), OLDEST_AGES)


def with_levels(pool: Pool, name: str, level: str) -> NDArray[np.bool_]:
    """Return the rows of the treated of one level and of those to compare them with, bool, (n,).

    Women are compared with women and the young with the young: of what a person is, the same level.
    What a place or a service decides has no like in the pool, or leaves too few of it: everybody.
    """
    chosen = ~pool.treated
    if name == "age":
        least = dict(zip(_BANDS, (0, *(limit for limit, _ in AGES)), strict=True))[level]
        most = dict(zip(_BANDS, (*(limit for limit, _ in AGES), 1_000), strict=True))[level]
        ages = to_numpy(pool.table[OF_STORE[name]].fill_null(-1).combine_chunks())
        chosen &= (ages >= least) & (ages < most)
    elif name in OF_A_PERSON:
        values = _plain(pool.table[OF_STORE[name]])
        same = pc.equal(values.cast(pa.utf8()), level)
        chosen &= to_numpy(pc.fill_null(same, False).combine_chunks())
    chosen[pool.treated] = [value == level for value in pool.groups[name]]
    return chosen


def assessed(pool: Pool) -> NDArray[np.bool_]:
    """Return who was assessed in the window, bool, shape (n,)."""
    return to_numpy(pc.is_valid(pool.table[ASSESSED]).combine_chunks())


def in_known_regions(pool: Pool, column: str) -> NDArray[np.bool_]:
    """Return the rows in regions that a treated person is in, bool, shape (n,)."""
    values = pool.table[column]
    theirs = pc.unique(values.filter(pa.array(pool.treated))).drop_null()
    return to_numpy(
        pc.fill_null(pc.is_in(_plain(values), value_set=_plain(theirs)), False).combine_chunks()
    )


def _plain(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def is_category(name: str) -> bool:
    """Whether a column of the store is a category."""
    return name in BY_NAME and BY_NAME[name].category
