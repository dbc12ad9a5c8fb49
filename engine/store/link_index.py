"""The national link index: names in their common form, sounds, block keys, aliases, frequencies.

A name is a number here: its place in the sorted list of different names. A block key is made of
such numbers and of parts of the birth date, so candidates are found by comparing whole numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.identifiers import cro_number, pnc_id, prison_number, probation_number
from engine.records.database import Database
from engine.records.extract import Extract
from engine.store.folder import PARTS, record, write_part
from engine.store.imported_model import ImportedModel
from engine.store.link_model import SAMPLE, link_model
from engine.store.names import name_tokens, sound
from engine.store.nicknames import full_names

_RANGE = 500_000
_NAMES_AT_ONCE = 1 << 18
NO_NAME = -1

IDENTITY_SCHEMA = pa.schema(
    [
        ("person_id", pa.int64()),
        ("identity_no", pa.int16()),
        ("forename_id", pa.int32()),
        ("surname_id", pa.int32()),
        ("middle_id", pa.int32()),
        ("birth", pa.date32()),
        ("sex", pa.utf8()),
        ("block_name", pa.int64()),
        ("block_sounds_year", pa.int64()),
        ("block_surname_year", pa.int64()),
        ("block_surname_day", pa.int64()),
    ]
)
NAME_SCHEMA = pa.schema(
    [
        ("id", pa.int32()),
        ("name", pa.utf8()),
        ("identities", pa.int64()),
        ("sound", pa.utf8()),
        ("sound_id", pa.int32()),
        ("full_names", pa.list_(pa.utf8())),
    ]
)
IDENTIFIER_SCHEMA = pa.schema(
    [("person_id", pa.int64()), ("id_type", pa.utf8()), ("value", pa.utf8())]
)


def write_link_index(
    database: Database, folder: Path, extract: Extract, model: ImportedModel | None = None
) -> dict[str, Any]:
    """Write the link index into the parts of a store, and return what the manifest says of it.

    Parameters
    ----------
    database : Database
        With the views ``clean_TABLE``.
    folder : Path
        Folder of the store.
    extract : Extract
    model : ImportedModel, optional
        Whose m are taken in place of the fixed priors.

    Returns
    -------
    dict
        Counts and files: ``identities``, ``names``, ``identifiers`` and ``model``.
    """
    _map_names(database)
    names = _name_table(database)
    database.register("name_table", names)
    database.run("CREATE TEMP TABLE names AS SELECT * FROM name_table")
    database.unregister("name_table")
    _identity_view(database)
    files = {
        "names": _write(folder, "names", NAME_SCHEMA, [names]),
        "identities": _write(
            folder, "identities", IDENTITY_SCHEMA, _ranges(database, "identities", "identity_no")
        ),
        "identifiers": _write(
            folder, "identifiers", IDENTIFIER_SCHEMA, _identifiers(database, extract)
        ),
    }
    (persons,) = database.row("SELECT count(*) FROM clean_persons")
    files["model"] = _write_model(folder, _model(database, persons, model))
    return {"persons": persons, "identities": files["identities"]["rows"], "files": files}


def _map_names(database: Database) -> None:
    """Give every text that stands in a name column its common form, in a table ``name_forms``."""
    database.run("CREATE TEMP TABLE name_forms (text VARCHAR, first VARCHAR, joined VARCHAR)")
    columns = [
        f"SELECT {column} AS text FROM clean_{table}"
        for table in ("persons", "person_aliases")
        for column in ("first_name", "last_name", "middle_names")
    ]
    database.run(
        "CREATE TEMP TABLE name_texts AS SELECT DISTINCT text FROM "
        f"({' UNION ALL '.join(columns)}) WHERE text IS NOT NULL"
    )
    (count,) = database.row("SELECT count(*) FROM name_texts")
    for start in range(0, count, _NAMES_AT_ONCE):
        texts = database.table(
            f"SELECT text FROM name_texts ORDER BY text LIMIT {_NAMES_AT_ONCE} OFFSET {start}"
        )["text"]
        tokens = [name_tokens(text) for text in texts.to_pylist()]
        forms = pa.table(
            {
                "text": texts,
                "first": pa.array([words[0] if words else "" for words in tokens], pa.utf8()),
                "joined": pa.array([" ".join(words) for words in tokens], pa.utf8()),
            }
        )
        database.register("forms", forms)
        database.run("INSERT INTO name_forms SELECT text, first, joined FROM forms")
        database.unregister("forms")
    database.run(
        "CREATE TEMP VIEW plain_identities AS SELECT person_id, 0::SMALLINT AS identity_no, "
        "first_name, last_name, middle_names, date_of_birth, sex FROM clean_persons UNION ALL "
        "SELECT a.person_id, a.alias_no, coalesce(a.first_name, p.first_name), "
        "coalesce(a.last_name, p.last_name), coalesce(a.middle_names, p.middle_names), "
        "coalesce(a.date_of_birth, p.date_of_birth), p.sex "
        "FROM clean_person_aliases AS a JOIN clean_persons AS p USING (person_id)"
    )


def _name_table(database: Database) -> pa.Table:
    """Return all different names with their number, frequency, sound and full names."""
    counted = database.table(
        "SELECT name, sum(n)::BIGINT AS identities FROM ("
        "SELECT f.first AS name, count(*) AS n FROM plain_identities AS i "
        "JOIN name_forms AS f ON f.text = i.first_name GROUP BY f.first UNION ALL "
        "SELECT f.joined AS name, count(*) AS n FROM plain_identities AS i "
        "JOIN name_forms AS f ON f.text = i.last_name GROUP BY f.joined UNION ALL "
        "SELECT f.first AS name, 0 AS n FROM name_forms AS f) "
        "WHERE name <> '' GROUP BY name ORDER BY name"
    )
    names = counted["name"].to_pylist()
    sounds = [sound(name.replace(" ", "")) for name in names]
    numbers = {code: number for number, code in enumerate(sorted(set(sounds)))}
    return pa.table(
        [
            pa.array(np.arange(len(names), dtype=np.int32)),
            counted["name"],
            counted["identities"],
            pa.array(sounds, pa.utf8()),
            pa.array([numbers[code] for code in sounds], pa.int32()),
            pa.array([list(full_names(name)) for name in names], pa.list_(pa.utf8())),
        ],
        schema=NAME_SCHEMA,
    )


def _identity_view(database: Database) -> None:
    """Make the view ``identities`` with name numbers and block keys."""
    year, day = "year(birth)", "month(birth) * 32 + day(birth)"
    database.run(
        "CREATE TEMP VIEW identities AS SELECT person_id, identity_no, "
        f"coalesce(f.id, {NO_NAME})::INTEGER AS forename_id, "
        f"coalesce(s.id, {NO_NAME})::INTEGER AS surname_id, "
        f"coalesce(m.id, {NO_NAME})::INTEGER AS middle_id, birth, i.sex, "
        "f.id::BIGINT << 32 | s.id AS block_name, "
        f"(f.sound_id::BIGINT << 32) | (s.sound_id::BIGINT << 14) | {year} AS block_sounds_year, "
        f"s.id::BIGINT << 14 | {year} AS block_surname_year, "
        f"s.id::BIGINT << 14 | ({day}) AS block_surname_day FROM ("
        "SELECT *, CASE WHEN date_of_birth IN (DATE '1900-01-01', DATE '1970-01-01') THEN NULL "
        "ELSE date_of_birth END AS birth FROM plain_identities) AS i "
        "LEFT JOIN name_forms AS a ON a.text = i.first_name "
        "LEFT JOIN name_forms AS b ON b.text = i.last_name "
        "LEFT JOIN name_forms AS c ON c.text = i.middle_names "
        "LEFT JOIN names AS f ON f.name = a.first "
        "LEFT JOIN names AS s ON s.name = b.joined "
        "LEFT JOIN names AS m ON m.name = c.first"
    )


def _ranges(database: Database, view: str, then: str) -> Iterable[pa.Table]:
    """Yield a view in ranges of people, in order, so that it never stands in memory whole."""
    bounds = [
        person
        for (person,) in database.rows(
            "SELECT person_id FROM (SELECT person_id, row_number() OVER (ORDER BY person_id) AS n "
            f"FROM clean_persons) WHERE n % {_RANGE} = 0 ORDER BY person_id"
        )
    ]
    low = -(2**63)
    for high in (*bounds, 2**63 - 1):
        yield database.table(
            f"SELECT * FROM {view} WHERE person_id BETWEEN {low} AND {high} "
            f"ORDER BY person_id, {then}"
        )
        low = high + 1


def _identifiers(database: Database, extract: Extract) -> Iterable[pa.Table]:
    """Yield identifiers that are valid, in their canonical form, each once."""
    database.run(
        "CREATE TEMP VIEW plain_identifiers AS SELECT DISTINCT person_id, id_type, value FROM ("
        "SELECT person_id, 'PNC' AS id_type, pnc_id AS value FROM clean_persons UNION ALL "
        "SELECT person_id, 'CRO', cro_number FROM clean_persons UNION ALL "
        "SELECT person_id, 'NOMS', prison_number FROM clean_persons UNION ALL "
        "SELECT person_id, 'CRN', crn FROM clean_persons UNION ALL "
        "SELECT person_id, id_type, value FROM clean_person_identifiers WHERE valid) "
        "WHERE value IS NOT NULL"
    )
    year = extract.extract_date.year
    for table in _ranges(database, "plain_identifiers", "id_type, value"):
        kinds = np.asarray(table["id_type"])
        values = table["value"].to_pylist()
        for kind, read in (
            ("PNC", lambda text: pnc_id(text, year)),
            ("CRO", cro_number),
            ("NOMS", prison_number),
            ("CRN", probation_number),
        ):
            for place in np.flatnonzero(kinds == kind):
                values[place] = read(values[place]).value
        plain = table.set_column(2, "value", pa.array(values, pa.utf8()))
        yield plain.filter(plain["value"].is_valid())


def _model(database: Database, persons: int, given: ImportedModel | None) -> dict[str, Any]:
    """Draw the sample of identities and estimate the model on it."""
    database.run(
        "CREATE TEMP TABLE identity_sample AS SELECT "
        "row_number() OVER (ORDER BY mixed, person_id, identity_no) - 1 AS n, i.person_id, "
        "coalesce(f.name, '') AS forename, coalesce(s.name, '') AS surname, "
        "coalesce(m.name, '') AS middle, coalesce(f.full_names, []) AS full_names, birth, i.sex "
        "FROM (SELECT *, (person_id::HUGEINT * 2654435761 + identity_no) % 4294967291 AS mixed "
        f"FROM identities ORDER BY mixed, person_id, identity_no LIMIT {SAMPLE}) AS i "
        "LEFT JOIN names AS f ON f.id = forename_id LEFT JOIN names AS s ON s.id = surname_id "
        "LEFT JOIN names AS m ON m.id = middle_id"
    )
    if given is None:
        return link_model(database, persons)
    return {**link_model(database, persons, given.m), "imported_sha256": given.sha256}


def _write(folder: Path, kind: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> Any:
    """Write tables one after the other into one Parquet file, named by the hash of its bytes."""
    rows = 0

    def fill(file: Any) -> None:
        nonlocal rows
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for table in tables:
                rows += table.num_rows
                writer.write_table(table.cast(schema), row_group_size=1 << 17)

    written = write_part(folder, f"new-{kind}.parquet", 0, fill)
    return _named(folder, written, f"{kind}.parquet", rows)


def _write_model(folder: Path, model: dict[str, Any]) -> Any:
    text = json.dumps(model, indent=1, sort_keys=True).encode() + b"\n"
    written = write_part(folder, "new-model.json", 0, lambda file: file.write(text))
    return _named(folder, written, "model.json", 0)


def _named(folder: Path, written: Any, ending: str, rows: int) -> Any:
    """Give a part a name that says its content, so that the old store's part stays."""
    name = f"{hashlib.sha256(written.sha256.encode()).hexdigest()[:32]}-{ending}"
    (folder / PARTS / written.name).rename(folder / PARTS / name)
    return {**record(written), "name": name, "rows": rows}
