"""What a new user runs into: every refusal names column, rule and repair, and writes nothing."""

import codecs

import numpy as np
import pyarrow as pa
import pytest

from engine.errors import InputError, JusticeLabError, UsageError
from engine.match import match

SECRET = "Zebedee"
BASE = {"treatment": "treat", "covariates": ["age", "priors"], "id": "id"}
pytestmark = pytest.mark.usefixtures("one_thread")


def people(n=40):
    rng = np.random.default_rng(3)
    return {
        "id": [f"p{i}" for i in range(n)],
        "treat": [int(i % 3 == 0) for i in range(n)],
        "age": [float(x) for x in rng.integers(18, 60, n)],
        "priors": [float(x) for x in rng.integers(0, 9, n)],
        "group": [("a", "b")[i % 2] for i in range(n)],
        "name": [SECRET + str(i) for i in range(n)],
        "back": [int(x) for x in rng.integers(0, 2, n)],
    }


def changed(**columns):
    return pa.table({**people(), **columns})


def with_cell(name, place, value):
    column = list(people()[name])
    column[place] = value
    return changed(**{name: column})


def refusal(table, tmp_path, **options):
    out = tmp_path / "out"
    with pytest.raises(JusticeLabError) as caught:
        match(table, out=out, **{**BASE, **options})
    assert not out.exists()
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "people.csv"])
    text = str(caught.value)
    assert SECRET not in text
    assert caught.value.repair, text
    return caught.value, text


@pytest.mark.parametrize(
    ("options", "role", "near"),
    [
        ({"treatment": "traet"}, "treatment", "'treat'"),
        ({"covariates": ["age", "prior"]}, "covariate", "'priors'"),
        ({"covariates": ["AGE"]}, "covariate", "'age'"),
        ({"exact": ["gruop"]}, "exact", "'group'"),
        ({"anti_exact": ["grp"]}, "anti-exact", "'group'"),
        ({"id": "ID"}, "id", "'id'"),
        ({"person": "nmae"}, "person", "'name'"),
        ({"score": "ages"}, "score", "'age'"),
        ({"covariate_caliper": ["agee 2"]}, "caliper", "'age'"),
        ({"mahalanobis": ["prirs"], "caliper": "1 logit"}, "Mahalanobis", "'priors'"),
        ({"outcome": ["bakc:binary"]}, "outcome", "'back'"),
    ],
)
def test_a_misspelt_column_is_refused_with_near_names(tmp_path, options, role, near):
    error, text = refusal(changed(), tmp_path, **options)
    assert isinstance(error, InputError)
    assert text.startswith(f"The {role} column")
    assert near in text


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (changed(treat=[1] * 40), {}, "every row is treated"),
        (changed(treat=[0] * 40), {}, "no row is treated"),
        (changed(treat=[1] + [0] * 39), {}, "only one treated row"),
        (changed(treat=[0] + [1] * 39), {}, "only one comparison row"),
        (with_cell("treat", 4, 2), {}, "treat"),
        (with_cell("treat", 4, None), {}, "treat"),
        (with_cell("age", 3, None), {}, "'age' has 1 empty cell"),
        (with_cell("id", 3, None), {}, "id column 'id' has 1 empty cell."),
        (with_cell("id", 3, "p7"), {}, "'id' names 1 row a second time"),
        (with_cell("group", 3, None), {"exact": "group"}, "'group' has 1 empty cell"),
        (with_cell("back", 3, 2), {"outcome": "back:binary"}, "'back' has 1 cell that cannot be"),
        (with_cell("back", 3, -1), {"outcome": "back:count"}, "'back' has 1 cell that cannot be"),
        (with_cell("back", 3, None), {"outcome": "back:binary"}, "'back' has 1 empty cell"),
        (changed(), {"outcome": "name:count"}, "'name'"),
        (changed(), {"score": "name", "covariates": []}, "'name'"),
        (changed(), {"score": "age", "score_scale": "probability"}, "not probabilities"),
        (changed(), {"mahalanobis": "name", "caliper": "1 logit"}, "'name'"),
        (changed(age=[30.0] * 40), {"mahalanobis": "age", "caliper": "1 logit"}, "'age'"),
        (changed(), {"covariate_caliper": "group 1"}, "'group'"),
        (changed(), {"caliper": "1e-9 logit"}, "nobody could be matched"),
        (changed(age=[1.0] * 40), {"covariates": "age", "caliper": "1 sd-logit"}, "are equal"),
        (changed(), {"treated": "yes"}, "treat"),
        (changed().slice(0, 0), {}, "no rows"),
    ],
)  # fmt: skip
def test_data_that_cannot_be_matched_are_refused(tmp_path, table, options, words):
    error, text = refusal(table, tmp_path, **options)
    assert error.exit_code in (2, 65)
    assert words.lower() in text.lower()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariates": ["age", "age"]}, "named twice"),
        ({"categorical": ["group"]}, "not a covariate"),
    ],
)
def test_names_that_contradict_each_other_are_refused(tmp_path, options, words):
    error, text = refusal(changed(), tmp_path, **options)
    assert isinstance(error, UsageError)
    assert words in text


def csv_text(table, delimiter=",", decimal="."):
    rows = zip(*table.values(), strict=True)
    lines = [delimiter.join(table)]
    lines += [delimiter.join(str(cell).replace(".", decimal) for cell in row) for row in rows]
    return "\r\n".join(lines) + "\r\n"


EXCEL = {
    "plain": lambda t: csv_text(t).encode(),
    "mark": lambda t: codecs.BOM_UTF8 + csv_text(t).encode(),
    "semicolons": lambda t: codecs.BOM_UTF8 + csv_text(t, ";").encode(),
    "decimal comma": lambda t: codecs.BOM_UTF8 + csv_text(t, ";", ",").encode(),
    "sep line": lambda t: ("sep=;\r\n" + csv_text(t, ";")).encode(),
    "utf-16": lambda t: csv_text(t, "\t").encode("utf-16"),
    "empty rows": lambda t: (csv_text(t) + ",,,,,,\r\n" * 3).encode(),
    "windows": lambda t: csv_text({**t, "group": [g + "é" for g in t["group"]]}).encode("cp1252"),
}


@pytest.mark.parametrize("form", EXCEL)
def test_a_csv_as_excel_saves_it_gives_the_same_match(tmp_path, form):
    table = people()
    table["age"] = [age + 0.5 for age in table["age"]]
    path = tmp_path / "people.csv"
    path.write_bytes(EXCEL[form](table))
    plan = {**BASE, "exact": "group", "outcome": "back:binary"}
    found, wanted = match(path, **plan), match(pa.table(table), **plan)
    for part in ("counts", "balance", "estimates", "propensity", "design", "certificate"):
        assert found.results[part] == wanted.results[part], part
    assert found.pairs["treated_id"].to_pylist() == wanted.pairs["treated_id"].to_pylist()


def test_a_text_column_is_a_category_and_a_number_in_text_is_refused_as_a_score(tmp_path):
    table = {**people(), "age": [f"{x} years" for x in people()["age"]]}
    path = tmp_path / "people.csv"
    path.write_text(csv_text(table))
    error, text = refusal(path, tmp_path, score="age", covariates=[])
    assert "'age'" in text
    assert "row" in error.where
    result = match(changed(), **{**BASE, "covariates": ["group", "age"]})
    assert [row["name"] for row in result.results["balance"]] == ["group=b", "age"]


def test_an_earlier_match_stays_whole_when_the_next_is_refused(tmp_path):
    out = tmp_path / "out"
    match(changed(), out=out, **BASE)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    for options in ({"covariates": ["aeg"]}, {"caliper": "1e-9 logit"}, {"ratio": 0}):
        with pytest.raises(JusticeLabError):
            match(changed(), out=out, **{**BASE, **options})
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_rows_of_one_id_hash_or_a_missing_value_are_counted_not_shown(tmp_path):
    twice = people()
    twice["id"][5] = twice["id"][6] = twice["id"][7]
    _, text = refusal(pa.table(twice), tmp_path)
    assert "'id' names 2 rows a second time" in text
    assert "p7" not in text
    _, text = refusal(with_cell("age", 9, None), tmp_path)
    assert "row 10" in text


def test_a_text_id_of_every_kind_orders_rows_alike():
    plain = match(changed(), **BASE)
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        ids = pa.array(people()["id"])
        ids = ids.dictionary_encode() if pa.types.is_dictionary(kind) else ids.cast(kind)
        person = pa.array(people()["name"], pa.string_view())
        table = pa.table({**people(), "id": ids, "name": person})
        found = match(table, **BASE, person="name", exact="group")
        wanted = match(changed(), **BASE, person="name", exact="group")
        assert found.results == wanted.results
        assert match(table, **BASE).results == plain.results
