"""Reading one partition: everything the extract holds on a range of people, in a total order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from engine.records import code_lists as codes
from engine.records.database import Database, quoted
from engine.records.extract import Extract
from engine.store.coding import CODED, Lists, code, code_numbers
from kernels.events import NEVER

Whole = np.ndarray[Any, Any]
_CUSTODIAL = ", ".join(quoted(kind) for kind in codes.CUSTODIAL_TYPES)


@dataclass(frozen=True)
class PartitionInput:
    """What is known of the people whose number lies in a range.

    Parameters
    ----------
    first, last : int
        The range of person_id, both included.
    people, disposals, offences, spells, assessments, support : pyarrow.Table
        Sorted by person and then as their kernels need it.
    spell_ends : pyarrow.Table
        For custodial disposals with spells: whether the release ended a recall of a life sentence,
        and whether all was remand.
    has_support : bool
        Whether the extract has a table of work, benefits and other support.
    """

    first: int
    last: int
    people: pa.Table
    disposals: pa.Table
    offences: pa.Table
    spells: pa.Table
    spell_ends: pa.Table
    assessments: pa.Table
    support: pa.Table
    has_support: bool

    def digest(self, lists: Lists) -> str:
        """Hash of the content: the same records have the same hash in every extract."""
        digest = hashlib.sha256(f"{self.has_support}\0".encode())
        for table in (
            self.people,
            self.disposals,
            self.offences,
            self.spells,
            self.spell_ends,
            self.assessments,
            self.support,
        ):
            digest.update(f"{table.num_rows}\0".encode())
            for name in table.column_names:
                digest.update(f"{name}\0".encode())
                _hash_column(digest, table[name], lists.get(name, ()))
        return digest.hexdigest()


def _hash_column(digest: Any, column: pa.ChunkedArray, values: tuple[str, ...]) -> None:
    """Hash the values of a column, which has no nulls but in codes, however it is chunked."""
    if pa.types.is_dictionary(column.type):
        numbers = code_numbers(column)
        used = np.flatnonzero(np.bincount(numbers + 1, minlength=1))
        for one in used:
            if one:
                digest.update(f"{one - 1}={values[one - 1]}\0".encode())
        digest.update(np.ascontiguousarray(numbers).tobytes())
        return
    for chunk in column.chunks:
        digest.update(np.ascontiguousarray(chunk.to_numpy(zero_copy_only=False)).tobytes())


def partition_bounds(database: Database, size: int, before: tuple[int, ...]) -> tuple[int, ...]:
    """Return the first person of each partition; the last one is open at its end.

    Parameters
    ----------
    database : Database
    size : int
        People in a partition.
    before : tuple of int
        Bounds of the store that is renewed: they are kept, so that partitions can be reused, and
        people with higher numbers get partitions of their own.
    """
    start = before[-1] if before else None
    where = f"WHERE person_id > {start}" if start is not None else ""
    found = database.rows(
        "SELECT person_id FROM (SELECT person_id, row_number() OVER (ORDER BY person_id) AS n "
        f"FROM clean_person_profile {where}) WHERE n % {size} = {0 if before else 1 % size} "
        "ORDER BY person_id"
    )
    new = [person for (person,) in found]
    if not before:
        return tuple(new) or (0,)
    return (*before, *new)


def read_partition(database: Database, extract: Extract, first: int, last: int) -> PartitionInput:
    """Read what an extract holds on the people from ``first`` to ``last``."""
    within = f"person_id BETWEEN {first} AND {last}"
    return PartitionInput(
        first,
        last,
        database.table(_people_sql(extract, within)),
        database.table(_disposals_sql(within)),
        database.table(_offences_sql(extract, within)),
        database.table(_spells_sql(extract, within)),
        database.table(_spell_ends_sql(extract, within)),
        database.table(_assessments_sql(extract, within)),
        database.table(_support_sql(extract, within)),
        has_support="supervision_and_benefits" in extract.tables,
    )


def _day(column: str) -> str:
    """SQL for days since 1970, ``NEVER`` for null."""
    name = column.rsplit(".", maxsplit=1)[-1]
    return f"coalesce(({column} - DATE '1970-01-01')::INTEGER, {NEVER}) AS {name}"


def _codes_of(table: str) -> str:
    return ", ".join(code(column) for column in CODED[table])


def _people_sql(extract: Extract, within: str) -> str:
    """SQL for people. The birth date is the full one where identities have it."""
    births = (
        f"LEFT JOIN (SELECT person_id, date_of_birth FROM clean_persons WHERE {within}) "
        "USING (person_id)"
        if "persons" in extract.tables
        else ""
    )
    birth = "coalesce(date_of_birth, birth_month)" if births else "birth_month"
    return (
        f"SELECT person_id, coalesce(({birth} - DATE '1970-01-01')::INTEGER, {NEVER}) AS birth, "
        f"{_codes_of('person_profile')}, {_day('died_on')}, {_day('deported_on')} "
        f"FROM clean_person_profile {births} WHERE {within} ORDER BY person_id"
    )


def _disposals_sql(within: str) -> str:
    days = ", ".join(
        _day(name)
        for name in ("disposal_date", "index_date", "custody_start", "release_date", "order_start")
    )
    return (
        f"SELECT person_id, disposal_id, principal_offence_id, {days}, "
        f"coalesce(sentence_days, -1) AS sentence_days, indeterminate, {_codes_of('disposals')} "
        f"FROM clean_disposals WHERE {within} ORDER BY person_id, disposal_date, disposal_id"
    )


def _offences_sql(extract: Extract, within: str) -> str:
    """SQL for offences. A missing date is the date of proof; missing groups are looked up."""
    lookup = "offence_lookup" in extract.tables
    joined = "LEFT JOIN clean_offence_lookup AS l USING (ho_code)" if lookup else ""
    groups = ", ".join(
        code(name, f"coalesce(o.{name}, l.{name})" if lookup else f"o.{name}")
        for name in ("group12", "group13", "group20", "group24")
    )
    return (
        "SELECT o.person_id, o.offence_id, o.disposal_id, "
        "(coalesce(o.offence_date, o.conviction_date) - DATE '1970-01-01')::INTEGER "
        "AS offence_date, "
        "(o.conviction_date - DATE '1970-01-01')::INTEGER AS conviction_date, "
        "(o.recordable AND NOT o.breach AND o.outcome IN "
        "('conviction', 'caution', 'reprimand_warning')) AS counts, "
        "o.breach, (o.outcome <> 'conviction')::TINYINT AS way, "
        f"coalesce(o.severity, 'nan'::FLOAT) AS severity, {code('trial_mode', 'o.trial_mode')}, "
        f"{groups} FROM (SELECT * FROM clean_offences WHERE {within}) AS o {joined} "
        "ORDER BY person_id, offence_date, offence_id"
    )


def _spells_sql(extract: Extract, within: str) -> str:
    if "custody_spells" not in extract.tables:
        within = "false"
    return (
        f"SELECT person_id, spell_id, {_day('received_on')}, {_day('released_on')}, "
        f"coalesce(disposal_id, -1) AS disposal_id, {_codes_of('custody_spells')} "
        f"FROM clean_custody_spells WHERE {within} ORDER BY person_id, received_on, spell_id"
    )


def _spell_ends_sql(extract: Extract, within: str) -> str:
    if "custody_spells" not in extract.tables:
        within = "false"
    return (
        "SELECT disposal_id, coalesce(bool_or(spell_type = 'life_recall' "
        "AND released_on = release_date), false) AS life_recall, "
        "coalesce(bool_and(spell_type = 'remand'), false) AS remand_only FROM ("
        "SELECT d.disposal_id, d.release_date, s.spell_id, s.spell_type, s.released_on "
        f"FROM (SELECT * FROM clean_disposals WHERE {within} AND disposal_type IN ({_CUSTODIAL})) "
        f"AS d JOIN (SELECT * FROM clean_custody_spells WHERE {within}) AS s "
        "ON s.person_id = d.person_id AND s.released_on = d.release_date UNION ALL "
        "SELECT d.disposal_id, d.release_date, s.spell_id, s.spell_type, s.released_on "
        f"FROM (SELECT * FROM clean_disposals WHERE {within} AND disposal_type IN ({_CUSTODIAL})) "
        f"AS d JOIN (SELECT * FROM clean_custody_spells WHERE {within}) AS s "
        "ON s.disposal_id = d.disposal_id) GROUP BY disposal_id ORDER BY disposal_id"
    )


def _assessments_sql(extract: Extract, within: str) -> str:
    needs = ", ".join(f"coalesce({name}, -1)::TINYINT AS {name}" for name in codes.NEEDS)
    scores = ", ".join(
        f"coalesce({name}, 'nan'::FLOAT) AS {name}" for name in codes.ASSESSMENT_SCORES
    )
    if "oasys_assessments" not in extract.tables:
        within = "false"
    return (
        f"SELECT person_id, assessment_id, {_day('assessment_date')}, {needs}, {scores} "
        f"FROM clean_oasys_assessments WHERE {within} AND status = 'complete' "
        "ORDER BY person_id, assessment_date, assessment_id"
    )


def _support_sql(extract: Extract, within: str) -> str:
    if "supervision_and_benefits" not in extract.tables:
        within = "false"
    return (
        f"SELECT person_id, {_day('period_start')}, {_day('period_end')}, "
        f"{_codes_of('supervision_and_benefits')} FROM clean_supervision_and_benefits "
        f"WHERE {within} ORDER BY person_id, period_start, period_end, kind, code"
    )


def column(table: pa.Table, name: str, kind: Any = None) -> Whole:
    """Return a number column as one contiguous array of its own.

    Arrow's own arrays are read-only, which kernels would be compiled a second time for.
    """
    return np.array(table[name].to_numpy(), dtype=kind)
