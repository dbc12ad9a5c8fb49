"""A linkage model of the person matching service: what is taken, refused, and changed by it."""

import json

import pytest

from engine.errors import InputError
from engine.store.imported_model import read_imported_model
from engine.store.link_model import BIRTH_LEVELS, NAME_LEVELS
from engine.store.prepare import prepare
from engine.store.reading import open_store
from tests.engine.store.nation import make_extract

JARO = "jaro_winkler_similarity"
SHARED = 'array_length(list_intersect("{0}_l", "{0}_r")) >= 1'
BORN = "CAST(date_of_birth_{} AS TEXT)"
YEAR_AND_EDIT = (
    f"substr({BORN.format('l')}, 1, 3) = substr({BORN.format('r')}, 1, 3) AND levenshtein("
    f"substr({BORN.format('l')}, 4, 7), substr({BORN.format('r')}, 4, 7)) <= 1"
)
BOTH_NEAR = (
    f'({JARO}("name_1_std_l", "name_1_std_r") >= 0.7) AND '
    f'({JARO}("last_name_std_l", "last_name_std_r") >= 0.7)'
)
NAMES = (
    ('"first_and_last_name_std_l" = "first_and_last_name_std_r"', 0.80),
    (f'{JARO}("first_and_last_name_std_l", "first_and_last_name_std_r") >= 0.9', 0.06),
    ('"name_1_std_l" = "last_name_std_r" AND "name_1_std_r" = "last_name_std_l"', 0.02),
    (
        f"({SHARED.format('forename_std_arr')} AND {SHARED.format('last_name_std_arr')}) and 1=1",
        0.04,
    ),
    (f"({SHARED.format('forename_std_arr')}) AND ({SHARED.format('last_name_std_arr')})", 0.01),
    (BOTH_NEAR, 0.03),
    ('"name_1_std_l" = "name_1_std_r"', 0.015),
    ('"last_name_std_l" = "last_name_std_r"', 0.015),
    ("ELSE", 0.01),
)
BIRTHS = (
    ('"date_of_birth_l" = "date_of_birth_r"', 0.90),
    (f"\n {SHARED.format('date_of_birth_arr')}\n and len(date_of_birth_arr_l) <= 6", 0.02),
    (SHARED.format("date_of_birth_arr"), 0.01),
    (YEAR_AND_EDIT, 0.04),
    ('ABS(EPOCH("date_of_birth_l") - EPOCH("date_of_birth_r")) <= 157788000.0', 0.02),
    ("ELSE", 0.01),
)


def comparison(levels, missing="x_l IS NULL"):
    null = {"sql_condition": missing, "is_null_level": True}
    found = [
        {"sql_condition": text, "m_probability": m, "u_probability": 0.1} for text, m in levels
    ]
    return {"output_column_name": "anything", "comparison_levels": [null, *found]}


def model(names=NAMES, births=BIRTHS, **more):
    other = comparison([('"postcode_l" = "postcode_r"', 0.7), ("ELSE", 0.3)])
    return {"comparisons": [comparison(names), other, comparison(births)], **more}


@pytest.fixture
def read(tmp_path):
    def from_model(content):
        path = tmp_path / "model.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_imported_model(path)

    return from_model


def test_levels_are_shared_as_our_priors_are(read):
    m = read(model()).m
    name, birth = m["name"], m["date_of_birth"]
    assert name["both exact"] == pytest.approx(0.85)
    assert name["swapped"] == pytest.approx(0.02)
    assert name["surname only"] == pytest.approx(0.015)
    # 0.07 : 0.055 : 0.01 : 0.015 of what is near
    assert name["surname exact with short form, middle name or initial"] == pytest.approx(0.042)
    assert name["both Jaro-Winkler at least 0.92"] == pytest.approx(0.033)
    assert name["part of a double surname"] == pytest.approx(0.006)
    assert name["both Jaro-Winkler at least 0.88"] == pytest.approx(0.009)
    assert name["forename equals middle name"] == pytest.approx(0.015 * 4 / 15)
    assert birth["exact"] == pytest.approx(0.93)
    assert birth["one edit"] == pytest.approx(0.04 * 15 / 40)
    assert birth["day and month swapped"] == pytest.approx(0.02 * 15 / 25)
    for ours, theirs in ((NAME_LEVELS, name), (BIRTH_LEVELS, birth)):
        assert list(theirs) == [label for label, _, _ in ours]
        assert sum(theirs.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["levenshtein", "damerau_levenshtein"])
def test_earlier_models_compare_whole_dates(read, kind):
    whole = f"{kind}(CAST(date_of_birth_l AS TEXT), CAST(date_of_birth_r AS TEXT)) <= 1"
    births = [(whole if text.startswith("substr") else text, m) for text, m in BIRTHS]
    assert read(model(births=births)).m == read(model()).m


def test_shares_that_miss_one_by_rounding_are_brought_to_it(read):
    short = [(text, m * 0.98) for text, m in NAMES]
    assert read(model(short)).m["name"] == pytest.approx(read(model()).m["name"])


WRONG = {
    "no json": "no json",
    "no settings": {"format": 1},
    "a list": [1, 2],
    "deep": "[" * 100_000,
    "too large": json.dumps(model(more="x" * (1 << 20))),
    "no birth dates": {"comparisons": [comparison(NAMES)]},
    "names twice": {"comparisons": [comparison(NAMES), comparison(NAMES), comparison(BIRTHS)]},
    "a level is missing": model(NAMES[1:]),
    "a level is unknown": model([*NAMES[:-1], ("1 = 1", 0.001), NAMES[-1]]),
    "a share is no share": model([*NAMES[:-1], ("ELSE", 1.5)]),
    "a share is no number": model([*NAMES[:-1], ("ELSE", float("nan"))]),
    "shares of something else": model([(text, m / 2) for text, m in NAMES]),
}


@pytest.mark.parametrize("case", WRONG)
def test_anything_else_is_refused_and_nothing_of_it_is_quoted(read, case):
    with pytest.raises(InputError, match="linkage model cannot be used") as caught:
        read(WRONG[case])
    assert "1 = 1" not in str(caught.value)


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_imported_model(tmp_path / "nowhere.json")


def test_a_store_takes_its_shares_and_nothing_else(tmp_path):
    make_extract(tmp_path / "extract", 300, 3)
    given = tmp_path / "model.json"
    given.write_text(json.dumps(model()))
    found = {}
    for name, link_model in (("own", None), ("given", given), ("back", None)):
        prepare(tmp_path / "extract", tmp_path / "store", link_model=link_model)
        store = open_store(tmp_path / "store")
        file = store.manifest["link"]["files"]["model"]["name"]
        found[name] = json.loads((store.folder / "parts" / file).read_text())
    imported = read_imported_model(given)

    assert found["back"] == found["own"]
    assert found["given"].pop("imported_sha256") == imported.sha256
    for own, other in zip(found["own"]["comparisons"], found["given"]["comparisons"], strict=True):
        shares = imported.m.get(other["name"], {})
        for level, changed in zip(own["levels"], other["levels"], strict=True):
            assert changed == level | {"m": shares.get(level["label"], level["m"])}
    assert found["given"]["prior"] == found["own"]["prior"]
