"""What a reviewer sees: the candidates in doubt, both sides beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from engine.linkage.decisions import Decided, Person
from engine.linkage.review import candidate_code
from engine.records.database import Database

MOST_CANDIDATES = 5
"""Candidates shown for one row, the heaviest."""

BAND_SCHEMA = pa.schema(
    [
        ("row", pa.int32()),
        ("candidate", pa.int16()),
        ("person_id", pa.int64()),
        ("weight", pa.float64()),
        ("name", pa.utf8()),
        ("birth", pa.utf8()),
        ("reason", pa.utf8()),
        ("code", pa.utf8()),
        *((f"given_{name}", pa.utf8()) for name in ("forename", "surname", "middle")),
        ("given_birth", pa.date32()),
        *((f"given_{name}", pa.utf8()) for name in ("sex", "pnc", "noms")),
        *((f"record_{name}", pa.utf8()) for name in ("forename", "surname", "middle")),
        ("record_birth", pa.date32()),
        *((f"record_{name}", pa.utf8()) for name in ("sex", "pnc", "noms")),
    ]
)
_GIVEN = ("forename", "surname", "middle", "birth", "sex", "pnc", "noms")


def review_band(
    database: Database,
    submitted: pa.Table,
    rows: Sequence[int],
    candidates: Mapping[int, Sequence[Person]],
    found: Sequence[Decided],
    lowest: float,
) -> pa.Table:
    """Return the candidates of all rows that are not resolved.

    Parameters
    ----------
    database : Database
        With the index and the table ``known``.
    submitted : pyarrow.Table
        See :func:`engine.linkage.submitted.submitted_identities`.
    rows : sequence of int
        Row in the sender's file for each place.
    candidates : mapping of int to sequence of Person
    found : sequence of Decided
    lowest : float
        Candidates below this weight are left out unless they are the only ones or identified.

    Returns
    -------
    pyarrow.Table
        With :data:`BAND_SCHEMA`, by row; candidates count from 1, the heaviest first.
    """
    given = {
        line["n"]: [line[name] for name in _GIVEN]
        for line in submitted.to_pylist()
        if line["alias_no"] == 0
    }
    shown = {
        n: [
            one
            for place, one in enumerate(candidates[n])
            if place == 0 or one.weight >= lowest or one.identified
        ][:MOST_CANDIDATES]
        for n, decided in enumerate(found)
        if decided.status == "unresolved"
    }
    records = _records(database, {one.person_id for people in shown.values() for one in people})
    columns: dict[str, list[Any]] = {name: [] for name in BAND_SCHEMA.names}
    for n in sorted(shown, key=lambda place: rows[place]):
        for place, one in enumerate(shown[n], 1):
            values = (
                rows[n],
                place,
                one.person_id,
                one.weight,
                one.name or "not known",
                one.birth or "not known",
                found[n].reason,
                candidate_code((rows[n], *given[n]), one.person_id),
                *given[n],
                *records[one.person_id],
            )
            for name, value in zip(BAND_SCHEMA.names, values, strict=True):
                columns[name].append(value)
    return pa.table(columns, schema=BAND_SCHEMA)


def _records(database: Database, people: set[int]) -> dict[int, tuple[Any, ...]]:
    """Return what the records say of some people, several names one after the other."""
    if not people:
        return {}
    wanted = pa.table({"person_id": pa.array(sorted(people), pa.int64())})
    database.register("wanted", wanted)
    # the index is read once, not once for each thing that is asked
    for table, source in (("mine", "identities"), ("my_numbers", "identifiers")):
        database.run(
            f"CREATE TEMP TABLE {table} AS SELECT * FROM {source} "
            "SEMI JOIN wanted USING (person_id)"
        )
    numbers = ", ".join(
        "(SELECT string_agg(value, ' ' ORDER BY value) FROM my_numbers AS d "
        f"WHERE d.person_id = w.person_id AND d.id_type = '{kind}')"
        for kind in ("PNC", "NOMS")
    )
    names = ", ".join(
        f"(SELECT string_agg(x, ' / ' ORDER BY first) FROM (SELECT m.name AS x, "
        f"min(i.identity_no) AS first FROM mine AS i JOIN names AS m ON m.id = i.{column} "
        "WHERE i.person_id = w.person_id GROUP BY m.name))"
        for column in ("forename_id", "surname_id", "middle_id")
    )
    own = "FROM mine AS i WHERE i.person_id = w.person_id AND i.identity_no = 0"
    rows = database.rows(
        f"SELECT person_id, {names}, (SELECT birth {own}), (SELECT sex {own}), {numbers} "
        "FROM wanted AS w ORDER BY person_id"
    )
    database.unregister("wanted")
    return {person_id: tuple(values) for person_id, *values in rows}
