"""How common a submitted name or birth date is in the national index.

That is the chance that a different person agrees on it, so a rare name weighs more than a common
one. Forenames are counted among people of the same sex born in the same years, because forenames
go out of fashion: two people born on one day share a forename more often than any two people do.
"""

from __future__ import annotations

from typing import Any

from engine.records.database import Database

RARITY = {
    ("name", "both exact"): "rarity_both",
    ("name", "swapped"): "rarity_swapped",
    ("name", "surname exact with short form, middle name or initial"): "rarity_short",
    ("name", "surname only"): "rarity_surname",
    ("date_of_birth", "exact"): "rarity_birth",
}
"""Comparison and level, and the column whose frequency stands in for the level's own u."""

_YEARS = 5
"""Forenames are counted in years of birth of so many together."""
_PRIOR = 20
"""Weight, in people, of a forename's frequency at any age against that at this age."""


def write_rarities(database: Database, model: dict[str, Any]) -> None:
    """Make the table ``rarities``: a frequency for each submitted identity and level.

    Parameters
    ----------
    database : Database
        With the index, ``submitted`` and ``keyed``.
    model : dict
        Its ``u`` of name levels scale the levels that are not exact.

    Notes
    -----
    A name that nobody has counts as half a person. The frequency of a whole name is the product of
    its parts, or the number of other people who really have it, whichever is greater: names go
    together in families.
    """
    levels = {level["label"]: level["u"] for level in model["comparisons"][0]["levels"]}
    short = levels["surname exact with short form, middle name or initial"] / levels["surname only"]
    (total,) = database.row("SELECT greatest(count(*), 1) FROM identities")
    for kind in ("forename", "surname"):
        database.run(
            f"CREATE TEMP TABLE {kind}_counts AS SELECT {kind}_id AS id, count(*) AS n "
            f"FROM identities WHERE {kind}_id IN (SELECT forename_id FROM keyed UNION "
            f"SELECT surname_id FROM keyed) GROUP BY {kind}_id"
        )
    database.run(
        "CREATE TEMP TABLE forename_age_counts AS SELECT forename_id AS id, sex, "
        f"year(birth) // {_YEARS} AS years, count(*) AS n FROM identities WHERE forename_id IN "
        "(SELECT forename_id FROM keyed UNION SELECT surname_id FROM keyed) GROUP BY ALL"
    )
    database.run(
        "CREATE TEMP TABLE age_counts AS SELECT sex, "
        f"year(birth) // {_YEARS} AS years, count(*) AS n FROM identities GROUP BY ALL"
    )
    database.run(
        "CREATE TEMP TABLE birth_counts AS SELECT birth, count(*) AS n FROM identities "
        "WHERE birth IN (SELECT birth FROM keyed) GROUP BY birth"
    )
    database.run(
        "CREATE TEMP TABLE name_counts AS SELECT block_name, count(*) AS n FROM identities WHERE "
        "block_name IN (SELECT forename_id << 32 | surname_id FROM keyed UNION "
        "SELECT surname_id << 32 | forename_id FROM keyed) GROUP BY ALL"
    )
    share = "(coalesce({}, 0.5)::DOUBLE / " + str(total) + ")"
    by_age = (
        "(coalesce({0}.n, 0) + " + str(_PRIOR) + " * " + share.format("{1}.n") + ") "
        f"/ (coalesce(a.n, 0) + {_PRIOR})"
    )
    forename = by_age.format("fa", "fc")
    reverse = by_age.format("ra", "rc")
    surname = share.format("sc.n")
    reverse_surname = share.format("rs.n")
    database.run(
        "CREATE TEMP TABLE rarities AS SELECT k.uid, "
        f"greatest({forename} * {surname}, (coalesce(w.n, 0) - 1)::DOUBLE / {total}) "
        "AS tf_rarity_both, "
        f"greatest({reverse} * {reverse_surname}, (coalesce(v.n, 0) - 1)::DOUBLE / {total}) "
        "AS tf_rarity_swapped, "
        f"{surname} AS tf_rarity_surname, {surname} * {short} AS tf_rarity_short, "
        f"{share.format('b.n')} AS tf_rarity_birth FROM keyed AS k "
        "LEFT JOIN forename_counts AS fc ON fc.id = k.forename_id "
        "LEFT JOIN surname_counts AS sc ON sc.id = k.surname_id "
        "LEFT JOIN forename_counts AS rc ON rc.id = k.surname_id "
        "LEFT JOIN surname_counts AS rs ON rs.id = k.forename_id "
        "LEFT JOIN forename_age_counts AS fa ON fa.id = k.forename_id AND fa.sex = k.sex "
        f"AND fa.years = year(k.birth) // {_YEARS} "
        "LEFT JOIN forename_age_counts AS ra ON ra.id = k.surname_id "
        f"AND ra.sex = k.sex AND ra.years = year(k.birth) // {_YEARS} "
        f"LEFT JOIN age_counts AS a ON a.sex = k.sex AND a.years = year(k.birth) // {_YEARS} "
        "LEFT JOIN birth_counts AS b ON b.birth = k.birth "
        "LEFT JOIN name_counts AS w ON w.block_name = (k.forename_id << 32 | k.surname_id) "
        "LEFT JOIN name_counts AS v ON v.block_name = "
        "(k.surname_id << 32 | k.forename_id)"
    )
