"""Weights of the candidate pairs: Splink's Fellegi-Sunter model with parameters that are given.

Nothing is learned from the submission. How often two records of one person agree stands in the
model of the store, and how often two different people do is taken, where a name or a birth date is
shared, from how common exactly that name or date is in the national index.
"""

from __future__ import annotations

import re
from typing import Any

import duckdb
from splink import DuckDBAPI, Linker, SettingsCreator
from splink.internals.exceptions import SplinkException

from engine.errors import InputError, StorageError
from engine.linkage.rarity import CHANCE, WAYS, write_chances
from engine.records.database import Database

FLOOR = -16.0
"""Pairs below this weight are nobody's candidate."""

_KNOWN_VALUES = {
    "name": "forename_l = '' OR surname_l = '' OR forename_r = '' OR surname_r = ''",
    "date_of_birth": "birth_l IS NULL OR birth_r IS NULL",
    "sex": "sex_l IS NULL OR sex_r IS NULL",
    "pnc_id": "pnc_l IS NULL",
    "prison_number": "noms_l IS NULL",
}
"""When a comparison says nothing."""

_IDENTIFIER = {
    "exact": "list_has_any({0}_l, {0}_r)",
    "one edit": (
        "levenshtein(list_extract({0}_r, 1), list_extract({0}_l, 1)) = 1 "
        "OR levenshtein(list_extract({0}_r, 2), list_extract({0}_l, 1)) = 1"
    ),
    "not on record": "{0}_r IS NULL",
    "else": "ELSE",
}
_IDENTIFIER_COLUMN = {"pnc_id": "pnc", "prison_number": "noms"}
_SIDE = re.compile(r"\b([lr])\.(\w+)")


def settings_of(model: dict[str, Any]) -> dict[str, Any]:
    """Return Splink's settings for a model of the store.

    Parameters
    ----------
    model : dict
        ``prior`` and ``comparisons``, each with its levels: label, condition, m and u.

    Notes
    -----
    A level with a term frequency column weighs ``log2(m / u)`` where u is what stands in that
    column for this submitted identity: Splink replaces the level's own u by it. The m of a level
    that a name can reach in many ways is shared among them.
    """
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "uid",
        "probability_two_random_records_match": model["prior"],
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": False,
        "blocking_rules_to_generate_predictions": [{"blocking_rule": "l.uid = r.uid"}],
        "comparisons": [
            {
                "output_column_name": one["name"],
                "comparison_levels": [
                    {
                        "sql_condition": _KNOWN_VALUES[one["name"]],
                        "label_for_charts": "not known",
                        "is_null_level": True,
                    },
                    *(_level(one["name"], level) for level in one["levels"]),
                ],
            }
            for one in model["comparisons"]
        ],
    }


def _level(comparison: str, level: dict[str, Any]) -> dict[str, Any]:
    """Return one level in Splink's words."""
    if comparison in _IDENTIFIER_COLUMN:
        condition = _IDENTIFIER[level["label"]].format(_IDENTIFIER_COLUMN[comparison])
    else:
        condition = _SIDE.sub(r"\2_\1", level["condition"])
    found: dict[str, Any] = {
        "sql_condition": "ELSE" if condition == "true" else condition,
        "label_for_charts": level["label"],
        "m_probability": level["m"] / WAYS.get(level["label"], 1.0),
        "u_probability": level["u"],
        "fix_m_probability": True,
        "fix_u_probability": True,
    }
    chance = CHANCE.get((comparison, level["label"]))
    if chance is not None:
        found |= {"tf_adjustment_column": chance, "disable_tf_exact_match_detection": True}
    return found


def score_pairs(database: Database, model: dict[str, Any]) -> None:
    """Make the table ``scores`` from those of :func:`engine.linkage.candidates.find_candidates`.

    Parameters
    ----------
    database : Database
    model : dict
        The model of the store.

    Raises
    ------
    StorageError, InputError
        The database could not do it; the text of Splink's error, which quotes values, is dropped.

    Notes
    -----
    ``scores``: uid_l, uid_r, match_weight and the level of each comparison, counted from the last
    one, -1 where a value is not known.
    """
    write_chances(database, model)
    _write_records(database)
    try:
        api = DuckDBAPI(database.connection)
        linker = Linker(
            api.register("records"), SettingsCreator(**settings_of(model)), log_level=None
        )
        for column in sorted(set(CHANCE.values())):
            # the frequencies stand in the records themselves; without a registered table Splink
            # would count anew, among the candidates
            linker.table_management.register_term_frequency_lookup(
                api.register("no_frequencies"), column
            )
        linker.table_management.register_blocked_pairs_for_predict(api.register("blocked"))
        scored = linker.inference.predict(threshold_match_weight=FLOOR)
        database.run(f"CREATE TEMP VIEW scores AS SELECT * FROM {scored.physical_name}")
    except duckdb.OutOfMemoryException:
        raise StorageError(
            "memory and the space for spilled data were not enough",
            repair="Give more with --memory, or make room on the disk",
        ) from None
    except (duckdb.Error, SplinkException, ValueError) as error:
        raise InputError(
            f"the linkage refused a step ({type(error).__name__})",
            repair="Run 'justicelab prepare' again",
        ) from None


def _write_records(database: Database) -> None:
    """Put both sides into one table, as Splink wants them, and the pairs beside it."""
    numbers = ", ".join(
        "(SELECT list(value ORDER BY value) FROM known_numbers AS d "
        f"WHERE d.person_id = k.person_id AND d.id_type = '{kind}') AS {name}"
        for kind, name in (("PNC", "pnc"), ("NOMS", "noms"))
    )
    chances = sorted(set(CHANCE.values()))
    typed = ", ".join(f"r.tf_{one}, NULL::VARCHAR AS {one}" for one in chances)
    on_record = ", ".join(f"NULL::DOUBLE AS tf_{one}, NULL::VARCHAR AS {one}" for one in chances)
    database.run(
        "CREATE TEMP TABLE records AS SELECT s.uid, s.forename, s.surname, s.middle, s.full_names, "
        "s.birth, s.sex, CASE WHEN s.pnc IS NOT NULL THEN [s.pnc] END AS pnc, "
        f"CASE WHEN s.noms IS NOT NULL THEN [s.noms] END AS noms, {typed} "
        "FROM submitted AS s JOIN chances AS r USING (uid) UNION ALL "
        "SELECT k.uid, coalesce(f.name, ''), coalesce(l.name, ''), coalesce(m.name, ''), "
        f"coalesce(f.full_names, []), k.birth, k.sex, {numbers}, {on_record} "
        "FROM known AS k LEFT JOIN names AS f ON f.id = k.forename_id "
        "LEFT JOIN names AS l ON l.id = k.surname_id LEFT JOIN names AS m ON m.id = k.middle_id"
    )
    database.run(
        "CREATE TEMP TABLE blocked AS SELECT '0' AS match_key, p.uid AS join_key_l, "
        "k.uid AS join_key_r FROM pairs AS p JOIN known AS k "
        "ON k.person_id = p.person_id AND k.identity_no = p.identity_no"
    )
    columns = ", ".join(f"NULL::VARCHAR AS {one}, NULL::DOUBLE AS tf_{one}" for one in chances)
    database.run(f"CREATE TEMP TABLE no_frequencies AS SELECT {columns} LIMIT 0")
