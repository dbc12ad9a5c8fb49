"""The link index holds every identity in its common form, and candidates are found by its keys."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest

from engine.store.link_model import BIRTH_LEVELS, NAME_LEVELS
from engine.store.names import name_tokens, sound
from engine.store.nicknames import full_names
from engine.store.prepare import prepare
from engine.store.reading import open_store
from tests.engine.store.nation import make_extract


@pytest.fixture(scope="module")
def link(tmp_path_factory):
    folder = tmp_path_factory.mktemp("link")
    tables = make_extract(folder / "extract", 3000, 21)
    prepare(folder / "extract", folder / "store")
    files = open_store(folder / "store").manifest["link"]["files"]
    parts = folder / "store" / "parts"
    found = {
        kind: pq.read_table(parts / files[kind]["name"]).to_pylist()
        for kind in ("identities", "names", "identifiers")
    }
    found["model"] = json.loads((parts / files["model"]["name"]).read_text())
    return {name: table.to_pylist() for name, table in tables.items()}, found


def plain_identities(rows):
    """Each identity by person and number; an alias has the person's fields where it has none."""
    persons = {row["person_id"]: row for row in rows["persons"]}
    found = {(p, 0): row for p, row in persons.items()}
    for alias in rows["person_aliases"]:
        own = persons[alias["person_id"]]
        merged = {
            name: alias[name] or own[name]
            for name in ("first_name", "last_name", "middle_names", "date_of_birth")
        }
        found[alias["person_id"], alias["alias_no"]] = {**own, **merged}
    return found


def test_identities_in_their_common_form(link):
    rows, found = link
    names = {row["id"]: row["name"] for row in found["names"]} | {-1: ""}
    expected = plain_identities(rows)
    assert len(found["identities"]) == len(expected) > len(rows["persons"])
    for row in found["identities"]:
        source = expected[row["person_id"], row["identity_no"]]
        assert names[row["forename_id"]] == name_tokens(source["first_name"])[0]
        assert names[row["surname_id"]] == " ".join(name_tokens(source["last_name"]))
        middle = name_tokens(source["middle_names"])
        assert names[row["middle_id"]] == (middle[0] if middle else "")
        assert row["birth"] == source["date_of_birth"]
        assert row["sex"] == source["sex"]


def test_names_with_frequency_sound_and_full_names(link):
    rows, found = link
    counts = Counter()
    for source in plain_identities(rows).values():
        counts[name_tokens(source["first_name"])[0]] += 1
        counts[" ".join(name_tokens(source["last_name"]))] += 1
    assert [row["name"] for row in found["names"]] == sorted(row["name"] for row in found["names"])
    for row in found["names"]:
        assert row["identities"] == counts[row["name"]]
        assert row["sound"] == sound(row["name"].replace(" ", ""))
        assert tuple(row["full_names"]) == full_names(row["name"])


def test_block_keys_are_equal_exactly_where_their_parts_are(link):
    _, found = link
    sounds = {row["id"]: row["sound"] for row in found["names"]}
    parts = {
        "block_name": lambda r: (r["forename_id"], r["surname_id"]),
        "block_sounds_year": lambda r: (
            sounds[r["forename_id"]],
            sounds[r["surname_id"]],
            r["birth"].year,
        ),
        "block_surname_year": lambda r: (r["surname_id"], r["birth"].year),
        "block_surname_day": lambda r: (r["surname_id"], r["birth"].month, r["birth"].day),
    }
    for key, part in parts.items():
        pairs = set()
        for row in found["identities"]:
            if row["birth"] is None and key != "block_name":
                assert row[key] is None
            else:
                pairs.add((row[key], part(row)))
        assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)


def test_identifiers_are_valid_and_each_person_is_there_once(link):
    rows, found = link
    expected = {(r["person_id"], "PNC", r["pnc_id"]) for r in rows["persons"]} | {
        (r["person_id"], "NOMS", r["prison_number"]) for r in rows["persons"] if r["prison_number"]
    }
    listed = [(r["person_id"], r["id_type"], r["value"]) for r in found["identifiers"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == expected


def test_model_is_a_distribution_on_each_level_and_honest_about_chance(link):
    _, found = link
    model = found["model"]
    assert model["prior"] == pytest.approx(0.9 / 3000)
    comparisons = {one["name"]: one["levels"] for one in model["comparisons"]}
    assert list(comparisons) == ["name", "date_of_birth", "sex", "pnc_id", "prison_number"]
    for levels in comparisons.values():
        assert sum(level["m"] for level in levels) == pytest.approx(1)
        assert sum(level["u"] for level in levels) == pytest.approx(1)
        assert all(0 < level["u"] < 1 for level in levels)
    names = {level["label"]: level for level in comparisons["name"]}
    assert names["both exact"]["m"] / names["both exact"]["u"] > 20
    assert names["else"]["m"] < names["else"]["u"]
    # two records of different people have the same sex about as often as 0.8 and 0.2 say
    assert comparisons["sex"][0]["u"] == pytest.approx(0.68, abs=0.03)
    # everybody of this extract has a PNC ID
    assert comparisons["pnc_id"][0]["u"] == pytest.approx(1 / 3000, rel=1e-3)
    assert comparisons["pnc_id"][2]["label"] == "not on record"
    assert comparisons["pnc_id"][2]["u"] == pytest.approx(1 / 3000, rel=0.01)


def test_levels_of_the_priors_add_up():
    for levels in (NAME_LEVELS, BIRTH_LEVELS):
        assert sum(m for _, _, m in levels) == pytest.approx(1)
