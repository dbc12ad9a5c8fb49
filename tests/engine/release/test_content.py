"""The content id: one name for the same people and plan, whatever file they came in."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from engine.match import match
from engine.matching.options import check_options
from engine.matching.rows import read_rows
from engine.release.content import array_digest, content_digest, first_rows
from engine.tables import open_table

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "recid.csv"
PLAN = {
    "treatment": "workprg",
    "covariates": ("age", "priors", "drugs"),
    "categorical": ("drugs",),
    "exact": ("felon",),
    "id": "id",
    "caliper": "0.2 sd-logit",
    "outcome": ("returned:binary",),
}


@pytest.fixture(scope="module")
def people():
    return pv.read_csv(EXAMPLE).select(
        ["id", "workprg", "age", "priors", "drugs", "felon", "returned", "durat"]
    )


def shuffled(table, seed=5):
    return table.take(np.random.default_rng(seed).permutation(len(table)))


def figures(folder):
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.name != "manifest.json"}


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_the_same_people_in_another_order_and_format_have_the_same_page(people, tmp_path):
    pv.write_csv(people, tmp_path / "people.csv")
    pq.write_table(shuffled(people.select(sorted(people.column_names))), tmp_path / "p.parquet")
    one = tmp_path / "one"
    match(tmp_path / "people.csv", **PLAN, out=one)
    match(tmp_path / "p.parquet", **PLAN, out=tmp_path / "two")
    match(shuffled(people, 6), **PLAN, out=tmp_path / "three")

    for other in (tmp_path / "two", tmp_path / "three"):
        assert figures(other) == figures(one)
        assert manifest(other)["content_id"] == manifest(one)["content_id"]
        assert manifest(other)["inputs"] != manifest(one)["inputs"]
    assert manifest(one)["content_id"] in (one / "report.html").read_text()


def test_a_result_at_a_prompt_is_one_line_without_ids(people):
    result = match(people, **PLAN)

    counts = result.results["counts"]
    assert repr(result) == (
        f"MatchResult({counts['treated_matched']} of 672 treated people matched, 0 violations)"
    )
    assert str(counts["treated_matched"]) in result._repr_html_()


def test_options_said_or_left_at_their_default_are_one_plan(people, tmp_path):
    match(people, **PLAN, out=tmp_path / "one")
    plan = manifest(tmp_path / "one")["options"]
    said = {key: tuple(one) if isinstance(one, list) else one for key, one in plan.items()}

    match(people, **said, out=tmp_path / "two")

    assert figures(tmp_path / "two") == figures(tmp_path / "one")
    assert manifest(tmp_path / "two")["options"] == plan


def changed(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def test_every_cell_that_a_match_uses_counts_and_no_other_does(people):
    plan = {key: value for key, value in PLAN.items() if key != "outcome"}
    options = check_options(**plan, person="durat", score="priors", mahalanobis=("age",))

    def digest(table, order=options):
        return content_digest(read_rows(open_table(table), order), [])

    same = digest(people)
    assert digest(shuffled(people)) == same
    assert digest(people.append_column("more", people["age"])) == same
    assert digest(changed(people, "returned", [1] * len(people))) == same
    seen = {same}
    for name in ("id", "workprg", "age", "priors", "drugs", "felon", "durat"):
        values = people[name].to_pylist()
        values[0] = "R9999" if name == "id" else 1 - values[0] if values[0] in (0, 1) else 7
        seen.add(digest(changed(people, name, values)))
    seen.add(digest(people, dataclasses.replace(options, covariates=("priors", "age", "drugs"))))
    seen.add(digest(people, dataclasses.replace(options, id=None)))
    assert len(seen) == 10


def test_without_an_id_the_order_of_the_table_counts(people):
    options = check_options(treatment="workprg", covariates=("age",))

    def digest(table):
        return content_digest(read_rows(open_table(table), options), [])

    assert digest(people) == digest(people.slice(0))
    assert digest(people) != digest(shuffled(people))


def test_levels_and_notes_count_and_threads_do_not(people):
    options = check_options(treatment="workprg", covariates=("drugs",), categorical=("drugs",))
    rows = read_rows(open_table(people), options)
    words = ["none" if one == 0 else "some" for one in people["drugs"].to_pylist()]
    renamed = read_rows(open_table(changed(people, "drugs", words)), options)

    assert np.array_equal(renamed.design.codes, rows.design.codes)
    digests = {
        content_digest(rows, []),
        content_digest(renamed, []),
        content_digest(rows, ["x"]),
        content_digest(rows, [], ["x"]),
    }
    assert len(digests) == 4
    assert content_digest(rows, [], threads=4) == content_digest(rows, [])


def test_an_array_counts_with_its_type_and_shape():
    digests = {
        array_digest(np.zeros(4)),
        array_digest(np.zeros(4, dtype=np.int64)),
        array_digest(np.zeros((2, 2))),
        array_digest(np.zeros(8)[:0]),
    }
    assert len(digests) == 4
    strided = np.arange(10.0)[::2]
    strided.flags.writeable = False
    assert array_digest(strided) == array_digest(np.array([0.0, 2.0, 4.0, 6.0, 8.0]))


def test_people_count_by_who_is_equal_to_whom():
    numbers = np.array([2, 0, 2, 1, 0])
    assert first_rows(numbers).tolist() == [0, 1, 0, 3, 1]
    assert first_rows(np.array([0, 2, 0, 1, 2])).tolist() == [0, 1, 0, 3, 1]
    assert first_rows(np.empty(0, dtype=np.int64)).tolist() == []
