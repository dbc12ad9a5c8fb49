"""What speaks for each candidate person of a row: the best identity, its weight and agreements."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from engine.linkage.decisions import EXACT_IDENTIFIER
from engine.records.database import Database

CANDIDATE_FLOOR = -12.0
"""Candidates below this weight are kept only where an identifier agrees."""


def candidate_people(database: Database) -> pa.Table:
    """Return one row for each row of the submission and candidate person.

    Parameters
    ----------
    database : Database
        With ``scores`` and the tables it was made from.

    Returns
    -------
    pyarrow.Table
        ``n`` (place of the row), ``person_id``, ``weight`` (bits), the levels ``name``, ``birth``,
        ``sex``, ``pnc``, ``noms`` (highest = best, -1 = not known), ``names_alike`` (0 different,
        1 near, 2 short form or middle name, 3 exact forename), ``sounds`` (the surname sounds the
        same), ``cro`` and ``crn`` (the number agrees); by row, the heaviest first.

    Notes
    -----
    A person's weight is that of the identity that agrees best; ties go to the typed name before an
    alias, and to the current identity before older ones.
    """
    numbers = ", ".join(
        "EXISTS (SELECT 1 FROM known_numbers AS d WHERE d.person_id = k.person_id "
        f"AND d.id_type = '{kind}' AND d.value = s.{name}) AS {name}"
        for kind, name in (("CRO", "cro"), ("CRN", "crn"))
    )
    alike = (
        "CASE WHEN l.forename = r.forename THEN 3 "
        "WHEN list_has_any(l.full_names, r.full_names) OR l.forename = r.middle "
        "OR l.middle = r.forename OR (l.forename <> '' AND r.forename <> '' AND "
        "(starts_with(l.forename, r.forename) OR starts_with(r.forename, l.forename))) THEN 2 "
        "WHEN jaro_winkler_similarity(l.forename, r.forename) >= 0.85 THEN 1 ELSE 0 END"
    )
    return database.table(
        "SELECT n, person_id, weight, name, birth, sex, pnc, noms, names_alike, sounds, cro, crn "
        "FROM (SELECT *, row_number() OVER (PARTITION BY n, person_id ORDER BY weight DESC, "
        "alias_no, identity_no) AS place FROM (SELECT s.n, s.alias_no, k.person_id, "
        "k.identity_no, c.match_weight AS weight, c.gamma_name AS name, "
        "c.gamma_date_of_birth AS birth, c.gamma_sex AS sex, c.gamma_pnc_id AS pnc, "
        f"c.gamma_prison_number AS noms, {alike} AS names_alike, "
        f"coalesce(s.surname_sound = m.sound, false) AS sounds, {numbers} FROM scores AS c "
        "JOIN submitted AS s ON s.uid = c.uid_l JOIN known AS k ON k.uid = c.uid_r "
        "JOIN records AS l ON l.uid = c.uid_l JOIN records AS r ON r.uid = c.uid_r "
        "LEFT JOIN names AS m ON m.id = k.surname_id "
        f"WHERE c.match_weight >= {CANDIDATE_FLOOR} OR c.gamma_pnc_id = {EXACT_IDENTIFIER} "
        f"OR c.gamma_prison_number = {EXACT_IDENTIFIER})) "
        "WHERE place = 1 ORDER BY n, weight DESC, person_id"
    )


def levels_of(model: dict[str, Any], comparison: str) -> list[str]:
    """Return the labels of a comparison so that the place is the level in the scores."""
    for one in model["comparisons"]:
        if one["name"] == comparison:
            return [level["label"] for level in reversed(one["levels"])]
    return []
