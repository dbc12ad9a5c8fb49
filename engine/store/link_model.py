"""The weights of the linkage model, from the national index alone and never from a submission.

How often two different people agree (u) is counted on pairs of the index; how often two records of
one person agree (m) is a fixed prior, rounded from published figures of the justice system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from engine.records.database import Database

MODEL_FORMAT = 2
Agreement: TypeAlias = Mapping[str, Mapping[str, float]]
"""By comparison and level: how often two records of one person agree so (m)."""
SAMPLE = 200_000
STRIDES = (1, 7, 31, 127, 523, 2111, 8443, 33773, 50021, 77777)
"""Each identity of the sample is paired with those that stand so many places later."""
SHARE_ON_RECORD = 0.9
"""Share of a submission that is expected to be on the records."""
PRESETS = {
    "standard": {"link": 3.0, "margin": 3.0, "review": -3.0},
    "strict": {"link": 6.0, "margin": 6.0, "review": -3.0},
    "broad": {"link": 0.0, "margin": 3.0, "review": -3.0},
}

NAME_LEVELS = (
    ("both exact", "l.forename = r.forename AND l.surname = r.surname", 0.80),
    ("swapped", "l.forename = r.surname AND l.surname = r.forename", 0.01),
    (
        "surname exact with short form, middle name or initial",
        (
            "l.surname = r.surname AND (list_has_any(l.full_names, r.full_names) "
            "OR l.forename = r.middle OR l.middle = r.forename OR "
            "(length(least(l.forename, r.forename)) > 0 AND "
            "(starts_with(l.forename, r.forename) OR starts_with(r.forename, l.forename))))"
        ),
        0.07,
    ),
    (
        "both Jaro-Winkler at least 0.92",
        (
            "jaro_winkler_similarity(l.forename, r.forename) >= 0.92 "
            "AND jaro_winkler_similarity(l.surname, r.surname) >= 0.92"
        ),
        0.055,
    ),
    (
        "part of a double surname",
        (
            "l.forename = r.forename AND (starts_with(l.surname, r.surname || ' ') "
            "OR ends_with(l.surname, ' ' || r.surname) OR starts_with(r.surname, l.surname || ' ') "
            "OR ends_with(r.surname, ' ' || l.surname))"
        ),
        0.01,
    ),
    (
        "both Jaro-Winkler at least 0.88",
        (
            "jaro_winkler_similarity(l.forename, r.forename) >= 0.88 "
            "AND jaro_winkler_similarity(l.surname, r.surname) >= 0.88"
        ),
        0.015,
    ),
    ("surname only", "l.surname = r.surname", 0.02),
    (
        "forename equals middle name",
        "l.forename = r.middle OR l.middle = r.forename",
        0.004,
    ),
    ("forename only", "l.forename = r.forename", 0.011),
    ("else", "true", 0.005),
)
BIRTH_LEVELS = (
    ("exact", "l.birth = r.birth", 0.92),
    (
        "day and month swapped",
        (
            "year(l.birth) = year(r.birth) AND month(l.birth) = day(r.birth) "
            "AND day(l.birth) = month(r.birth)"
        ),
        0.015,
    ),
    (
        "one part off by one or ten",
        (
            "(month(l.birth) = month(r.birth) AND year(l.birth) = year(r.birth) "
            "AND abs(day(l.birth) - day(r.birth)) IN (1, 10)) "
            "OR (day(l.birth) = day(r.birth) AND year(l.birth) = year(r.birth) "
            "AND abs(month(l.birth) - month(r.birth)) IN (1, 10)) "
            "OR (day(l.birth) = day(r.birth) AND month(l.birth) = month(r.birth) "
            "AND abs(year(l.birth) - year(r.birth)) IN (1, 10))"
        ),
        0.025,
    ),
    (
        "one edit",
        "levenshtein(strftime(l.birth, '%Y%m%d'), strftime(r.birth, '%Y%m%d')) = 1",
        0.015,
    ),
    (
        "two of three parts",
        (
            "(year(l.birth) = year(r.birth))::INT + (month(l.birth) = month(r.birth))::INT "
            "+ (day(l.birth) = day(r.birth))::INT = 2"
        ),
        0.01,
    ),
    ("else", "true", 0.015),
)
SEX_LEVELS = (("same", "l.sex = r.sex", 0.985), ("else", "true", 0.015))
_COUNTED = (
    ("name", NAME_LEVELS, "l.forename <> '' AND l.surname <> '' AND r.forename <> ''"),
    ("date_of_birth", BIRTH_LEVELS, "l.birth IS NOT NULL AND r.birth IS NOT NULL"),
    ("sex", SEX_LEVELS, "l.sex IS NOT NULL AND r.sex IS NOT NULL"),
)
_IDENTIFIERS = (
    ("pnc_id", "PNC", (0.95, 0.03, 0.01, 0.01)),
    ("prison_number", "NOMS", (0.93, 0.03, 0.02, 0.02)),
)
IDENTIFIER_LABELS = ("exact", "one edit", "not on record", "else")
_EDITS_OF_AN_IDENTIFIER = 200
"""About so many other valid numbers are one edit away from an identifier."""


def link_model(
    database: Database, persons: int, agreement: Agreement | None = None
) -> dict[str, Any]:
    """Return the model as plain values.

    Parameters
    ----------
    database : Database
        With a table ``identity_sample`` (n, person_id, forename, surname, middle, full_names,
        birth, sex), numbered from 0, and the views ``plain_identifiers`` and ``clean_persons``.
    persons : int
        People on the index.
    agreement : mapping, optional
        m of all levels of some comparisons, in place of the fixed priors.
    """
    (size,) = database.row("SELECT count(*) FROM identity_sample")
    comparisons: list[dict[str, Any]] = [
        {"name": name, "levels": _levels(database, levels, known, size)}
        for name, levels, known in _COUNTED
    ]
    for name, kind, m in _IDENTIFIERS:
        (having,) = database.row(
            "SELECT count(DISTINCT person_id) FROM plain_identifiers "
            f"WHERE id_type = '{kind}' AND person_id IN (SELECT person_id FROM clean_persons)"
        )
        comparisons.append({"name": name, "levels": _identifier_levels(persons, having, m)})
    for one in comparisons:
        given = (agreement or {}).get(one["name"], {})
        for level in one["levels"]:
            level["m"] = given.get(level["label"], level["m"])
    return {
        "format": MODEL_FORMAT,
        "persons": persons,
        "prior": SHARE_ON_RECORD / max(persons, 1),
        "comparisons": comparisons,
        "presets": PRESETS,
    }


def _identifier_levels(persons: int, having: int, m: tuple[float, ...]) -> list[dict[str, Any]]:
    """Return the levels of an identifier: how many share a number follows from their count."""
    same = 1.0 / max(persons, 1)
    absent = min(max((persons - having + 0.5) * same, same), 0.98)
    near = min(_EDITS_OF_AN_IDENTIFIER * same, 0.5) * (1.0 - absent)
    same *= 1.0 - absent
    u = (same, near, absent, 1.0 - same - near - absent)
    return [
        {"label": label, "m": one, "u": other}
        for label, one, other in zip(IDENTIFIER_LABELS, m, u, strict=True)
    ]


def _levels(
    database: Database, levels: tuple[tuple[str, str, float], ...], known: str, size: int
) -> list[dict[str, Any]]:
    """Count how many pairs of different people are on each level."""
    cases = " ".join(
        f"WHEN {condition} THEN {place}" for place, (_, condition, _) in enumerate(levels)
    )
    counts = dict.fromkeys(range(len(levels)), 0)
    for stride in STRIDES if size > 1 else ():
        rows = database.rows(
            f"SELECT CASE {cases} END AS level, count(*) FROM identity_sample AS l "
            f"JOIN identity_sample AS r ON r.n = (l.n + {stride}) % {size} "
            f"WHERE l.person_id <> r.person_id AND {known} GROUP BY level ORDER BY level"
        )
        for level, n in rows:
            counts[level] += n
    # a level that no pair reached is rare, not impossible
    total = sum(counts.values()) + 0.5 * len(levels)
    return [
        {"label": label, "m": m, "u": (counts[place] + 0.5) / total, "condition": condition}
        for place, (label, condition, m) in enumerate(levels)
    ]
