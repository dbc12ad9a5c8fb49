"""How likely a submitted name or birth date is to be written by somebody else.

The weight of an agreement is ``P(written | this person) / P(written)``. The denominator is summed
over the whole index: people of that name, people whose short form or slip of the key it is, and
people whose names were swapped. So a rare name weighs more than a common one, and a name that
nobody has, which must be a slip, weighs as much as the name it is a slip of.

Forenames are counted among people of the same sex born in the same years, because they go out of
fashion: two people born on one day share a forename more often than any two people do.
"""

from __future__ import annotations

from typing import Any

from engine.records.database import Database

CHANCE = {
    ("name", "both exact"): "chance_name",
    ("name", "swapped"): "chance_name",
    ("name", "surname exact with short form, middle name or initial"): "chance_name",
    ("name", "both Jaro-Winkler at least 0.92"): "chance_name",
    ("name", "part of a double surname"): "chance_name",
    ("name", "both Jaro-Winkler at least 0.88"): "chance_name",
    ("name", "surname only"): "chance_surname",
    ("name", "forename equals middle name"): "chance_forename",
    ("name", "forename only"): "chance_forename",
    ("date_of_birth", "exact"): "chance_birth",
}
"""Comparison and level, and the column with the chance that stands in for the level's own u."""

SHORT_FORMS, SLIPS, WILD_SLIPS = 2.0, 25.0, 200.0
"""About so many ways there are to shorten a name, to slip once, and to slip worse: what a person
wrote is one of them."""

WAYS = {
    "surname exact with short form, middle name or initial": SHORT_FORMS,
    "both Jaro-Winkler at least 0.92": SLIPS,
    "part of a double surname": SHORT_FORMS,
    "both Jaro-Winkler at least 0.88": WILD_SLIPS,
}
"""By how many ways the m of a level is shared."""

YEARS = 5
"""Forenames are counted in years of birth of so many together."""
PRIOR = 20
"""Weight, in people, of a forename's frequency at any age against that at this age."""
LEAST = 0.5
"""People that a name counts for that nobody has."""
COMMON_FORENAME = 0.002
"""A forename alone weighs no more than one of this frequency."""


def write_chances(database: Database, model: dict[str, Any]) -> None:
    """Make the table ``chances``: for each submitted identity what stands in for u.

    Parameters
    ----------
    database : Database
        With the index, ``submitted`` and ``keyed``.
    model : dict
        The m of its name levels say how often a name is shortened, swapped or mistyped.

    Notes
    -----
    With f the frequency in the index, for a forename x (of sex and age) and a surname y::

        F(x) = (1 - s - t) f(x) + s sum f(full name of x) / 2 + t sum f(one slip from x) / 25
        S(y) = (1 - t) f(y) + t sum f(one slip from y) / 25
        chance_name = F(x) S(y) + w F(y) S(x)

    s, t and w are the m of short forms, slips and swaps. Where more people share the whole name
    than the product says, as names go together in families, their number without the one person is
    taken instead. All sums are of whole numbers of people.
    """
    m = {level["label"]: level["m"] for level in model["comparisons"][0]["levels"]}
    short = m["surname exact with short form, middle name or initial"]
    slip = m["both Jaro-Winkler at least 0.92"] / 2
    (total,) = database.row("SELECT greatest(count(*), 1) FROM identities")
    _count(database)
    _neighbours(database)
    _forename_people(database)

    def forename(of: str) -> str:
        own = f"((1 - {short + slip}) * {of}.own + {short / SHORT_FORMS} * {of}.full_people)"
        return f"({own} + {slip / SLIPS} * {of}.near / {total})"

    def surname(own: str, near: str) -> str:
        return (
            f"(((1 - {slip}) * coalesce({own}.n, {LEAST}) "
            f"+ {slip / SLIPS} * coalesce({near}.surnames, 0)) / {total})"
        )

    given = f"{forename('f')} * {surname('sc', 'sn')}"
    swapped = f"{forename('g')} * {surname('fc', 'fn')}"
    database.run(
        "CREATE TEMP TABLE chances AS SELECT k.uid, "
        f"greatest({given} + {m['swapped']} * {swapped}, "
        f"(coalesce(w.n, 0) - 1)::DOUBLE / {total}, "
        f"{m['swapped']} * (coalesce(v.n, 0) - 1)::DOUBLE / {total}) AS tf_chance_name, "
        f"{surname('sc', 'sn')} AS tf_chance_surname, "
        f"greatest({forename('f')}, {COMMON_FORENAME}) AS tf_chance_forename, "
        f"coalesce(b.n, {LEAST})::DOUBLE / {total} AS tf_chance_birth FROM keyed AS k "
        "JOIN forename_people AS f ON f.uid = k.uid AND NOT f.reverse "
        "JOIN forename_people AS g ON g.uid = k.uid AND g.reverse "
        "LEFT JOIN surname_counts AS sc ON sc.id = k.surname_id "
        "LEFT JOIN surname_counts AS fc ON fc.id = k.forename_id "
        "LEFT JOIN near_names AS sn ON sn.name = k.surname "
        "LEFT JOIN near_names AS fn ON fn.name = k.forename "
        "LEFT JOIN birth_counts AS b ON b.birth = k.birth "
        "LEFT JOIN name_counts AS w ON w.block_name = (k.forename_id << 32 | k.surname_id) "
        "LEFT JOIN name_counts AS v ON v.block_name = (k.surname_id << 32 | k.forename_id)"
    )


def _count(database: Database) -> None:
    """Count names, ages, birth dates and whole names in the index."""
    for kind in ("forename", "surname"):
        database.run(
            f"CREATE TEMP TABLE {kind}_counts AS SELECT {kind}_id AS id, count(*) AS n "
            f"FROM identities GROUP BY {kind}_id"
        )
    database.run(
        "CREATE TEMP TABLE forename_age_counts AS SELECT forename_id AS id, sex, "
        f"year(birth) // {YEARS} AS years, count(*) AS n FROM identities GROUP BY ALL"
    )
    database.run(
        "CREATE TEMP TABLE age_counts AS SELECT sex, years, sum(n)::BIGINT AS n "
        "FROM forename_age_counts GROUP BY ALL"
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


def _neighbours(database: Database) -> None:
    """Make ``near_names``: for each submitted name how many people have a name one slip away.

    Two names that are one slip apart, a swap of neighbours included, have a name in common when a
    letter is taken out of each, or one of them is the other without a letter.
    """
    database.run(
        "CREATE TEMP TABLE typed_names AS SELECT DISTINCT name FROM (SELECT forename AS name "
        "FROM submitted UNION SELECT surname FROM submitted) WHERE length(name) > 2"
    )
    shortened = (
        "SELECT name, name AS stem FROM {0} UNION SELECT name, "
        "name[:place - 1] || name[place + 1:] AS stem FROM {0}, range(1, 61) AS r(place) "
        "WHERE place <= length(name)"
    )
    database.run(
        "CREATE TEMP TABLE near_names AS SELECT near.name, "
        "sum(coalesce(f.n, 0))::BIGINT AS forenames, sum(coalesce(s.n, 0))::BIGINT AS surnames "
        f"FROM (SELECT DISTINCT t.name, i.name AS other FROM ({shortened.format('typed_names')}) "
        f"AS t JOIN ({shortened.format('names')}) AS i USING (stem) WHERE t.name <> i.name "
        "AND damerau_levenshtein(t.name, i.name) = 1) AS near "
        "JOIN names AS n ON n.name = near.other LEFT JOIN forename_counts AS f ON f.id = n.id "
        "LEFT JOIN surname_counts AS s ON s.id = n.id GROUP BY near.name"
    )


def _forename_people(database: Database) -> None:
    """Make ``forename_people``: people of a submitted forename, its full names and near names.

    ``reverse`` takes the surname for the forename.
    """
    database.run(
        "CREATE TEMP TABLE typed_forenames AS SELECT uid, false AS reverse, forename AS name, "
        "full_names, sex, birth FROM submitted UNION ALL "
        "SELECT uid, true, surname, [surname], sex, birth FROM submitted"
    )
    (total,) = database.row("SELECT greatest(count(*), 1) FROM identities")
    # a share at this age, held up by the share at any age
    share = (
        f"((coalesce(fa.n, 0) + {PRIOR} * coalesce(fc.n, {{}})::DOUBLE / {total}) "
        f"/ (coalesce(a.n, 0) + {PRIOR}))"
    )
    ages = (
        "LEFT JOIN names AS n ON n.name = {0} LEFT JOIN forename_counts AS fc ON fc.id = n.id "
        "LEFT JOIN forename_age_counts AS fa ON fa.id = n.id AND fa.sex = t.sex "
        f"AND fa.years = year(t.birth) // {YEARS} "
        f"LEFT JOIN age_counts AS a ON a.sex = t.sex AND a.years = year(t.birth) // {YEARS}"
    )
    # a short form stands for few names, so the list is summed in the order of its elements
    database.run(
        "CREATE TEMP TABLE full_shares AS SELECT uid, "
        f"list_sum(list({share.format(0)} ORDER BY full_name)) AS share FROM (SELECT uid, sex, "
        "birth, unnest(full_names) AS full_name, name FROM typed_forenames WHERE NOT reverse) AS t "
        f"{ages.format('t.full_name')} WHERE full_name <> t.name GROUP BY uid"
    )
    database.run(
        "CREATE TEMP TABLE forename_people AS SELECT t.uid, t.reverse, "
        f"{share.format(LEAST)} AS own, coalesce(s.share, 0) AS full_people, "
        "coalesce(near.forenames, 0) AS near FROM typed_forenames AS t "
        f"{ages.format('t.name')} LEFT JOIN near_names AS near ON near.name = t.name "
        "LEFT JOIN full_shares AS s ON s.uid = t.uid AND NOT t.reverse"
    )
