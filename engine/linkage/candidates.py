"""Candidates: people of the national index that share a key with a row of the submission.

Keys are whole numbers, so all of them are compared with a submission in one pass over each column
of the index. A candidate is only somebody worth comparing; the score decides.
"""

from __future__ import annotations

from engine.records.database import Database

_YEAR = "year(birth)"
_DAY = "(month(birth) * 32 + day(birth))"

SUBMITTED_KEYS = (
    ("block_name", "forename_id << 32 | surname_id"),
    ("block_name", "surname_id << 32 | forename_id"),
    (
        "block_sounds_year",
        f"(forename_sound_id << 32) | (surname_sound_id << 14) | {_YEAR}",
    ),
    (
        "block_sounds_year",
        f"(surname_sound_id << 32) | (forename_sound_id << 14) | {_YEAR}",
    ),
    ("block_surname_year", f"surname_id << 14 | {_YEAR}"),
    ("block_surname_day", f"surname_id << 14 | {_DAY}"),
    ("birth", "birth"),
    ("birth", "swapped_birth"),
)
"""Column of the index, and what of a submitted identity is compared with it; the expressions are
those of the link index."""

IDENTIFIER_KINDS = (("PNC", "pnc"), ("NOMS", "noms"), ("CRO", "cro"), ("CRN", "crn"))


def find_candidates(database: Database) -> int:
    """Make the tables ``known``, ``known_numbers`` and ``pairs``; return the number of pairs.

    Parameters
    ----------
    database : Database
        With the index and the table ``submitted``.

    Notes
    -----
    ``pairs`` (uid, person_id, identity_no) holds each pair of identities once; ``known`` the
    identities of the index that stand in a pair, ``known_numbers`` the identifiers of their people.
    Everybody who shares an identifier is a candidate with all their identities.
    """
    database.run(
        "CREATE TEMP TABLE sound_ids AS SELECT DISTINCT sound, sound_id::BIGINT AS id FROM names"
    )
    database.run(
        "CREATE TEMP TABLE keyed AS SELECT s.uid, s.n, s.forename, s.surname, s.birth, s.sex, "
        "f.id::BIGINT AS forename_id, l.id::BIGINT AS surname_id, "
        "fs.id AS forename_sound_id, ls.id AS surname_sound_id, "
        "CASE WHEN day(s.birth) <= 12 AND day(s.birth) <> month(s.birth) "
        "THEN make_date(year(s.birth), day(s.birth), month(s.birth)) END AS swapped_birth "
        "FROM submitted AS s "
        "LEFT JOIN names AS f ON f.name = s.forename LEFT JOIN names AS l ON l.name = s.surname "
        "LEFT JOIN sound_ids AS fs ON fs.sound = s.forename_sound "
        "LEFT JOIN sound_ids AS ls ON ls.sound = s.surname_sound"
    )
    found = [
        f"SELECT k.uid, i.person_id, i.identity_no FROM identities AS i "
        f"JOIN (SELECT uid, {key} AS key FROM keyed) AS k ON i.{column} = k.key"
        for column, key in SUBMITTED_KEYS
    ]
    found += [
        "SELECT s.uid, i.person_id, i.identity_no FROM identities AS i JOIN identifiers AS d "
        f"ON d.person_id = i.person_id AND d.id_type = '{kind}' "
        f"JOIN submitted AS s ON s.{column} = d.value"
        for kind, column in IDENTIFIER_KINDS
    ]
    database.run(f"CREATE TEMP TABLE pairs AS {' UNION '.join(found)}")
    database.run(
        "CREATE TEMP TABLE known AS "
        "SELECT row_number() OVER (ORDER BY i.person_id, i.identity_no) AS uid, i.* FROM "
        "identities AS i SEMI JOIN pairs AS p "
        "ON p.person_id = i.person_id AND p.identity_no = i.identity_no"
    )
    database.run(
        "CREATE TEMP TABLE known_numbers AS SELECT * FROM identifiers "
        "SEMI JOIN known USING (person_id)"
    )
    (count,) = database.row("SELECT count(*) FROM pairs")
    return int(count)
