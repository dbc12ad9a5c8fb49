"""Bootstrap of a finished match: the match's own replicates, kept, resumed and shared."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

import justicelab
from engine.errors import CannotCreateError, InputError, UsageError
from engine.jobs.bootstrap import Asked, bootstrap, collect, prepare, show_plan
from engine.jobs.collect import Collected
from engine.jobs.finished import open_finished, read_linear_forms
from engine.jobs.job import job_folder, verified
from engine.release.folder import read_manifest

REPLICATES = 208
DESIGNS = {
    "1:1": {},
    "5-nn": {"replace": True, "ratio": 5, "caliper": "0.5 sd-logit"},
    "people": {"replace": True, "person": "who"},
    "radius": {"radius": True, "caliper": "0.5 sd-logit"},
    "atc": {"replace": True, "estimand": "atc"},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of 300 rows as a file, in two orders."""
    folder = tmp_path_factory.mktemp("table")
    random = np.random.default_rng(4)
    n = 300
    age = random.normal(35, 9, n)
    treated = random.random(n) < 1 / (1 + np.exp(1.2 - 0.04 * (age - 35)))
    rows = {
        "id": [f"p{i:04d}" for i in range(n)],
        "who": [f"w{i // 2:03d}" for i in range(n)],
        "site": random.choice(["north", "south"], n),
        "treated": treated.astype(int),
        "age": np.round(age, 1),
        "priors": random.poisson(3, n),
        "event": (random.random(n) < 0.3 + 0.1 * treated).astype(int),
        "count": random.poisson(2 + treated, n),
    }
    had = rows["event"] == 1
    rows["days"] = pa.array(np.arange(n) % 90 + 1, mask=~had)
    whole = pa.table(rows)
    pc.write_csv(whole, folder / "table.csv")
    pc.write_csv(whole.take(random.permutation(n)), folder / "other.csv")
    return folder / "table.csv"


def matched(table, out, design="5-nn", **more):
    options = {
        "treatment": "treated",
        "covariates": ["age", "priors"],
        "id": "id",
        "outcome": ["event:binary", "count:count", "days:time"],
        "orders": 0,
        **DESIGNS[design],
        **more,
    }
    return justicelab.match(table, out=out, **options)


@pytest.fixture(scope="module")
def finished(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "out"
    matched(table, out)
    return out


@pytest.fixture
def folder(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize("design", DESIGNS)
def test_the_linear_form_on_the_disk_has_the_variance_of_the_estimate(table, tmp_path, design):
    result = matched(table, tmp_path / "out", design)
    match = open_finished(tmp_path / "out")
    forms = read_linear_forms(match)
    file = pq.read_table(tmp_path / "out" / "linear-form.parquet")
    assert file.column_names == ["id", "unit", "event:binary", "count:count", "days:time"]
    assert file.num_rows == 300
    people = 150 if design == "people" else 300
    assert {len(sums) for sums in forms.sums.values()} == {people}
    count = result.results["estimates"][1]
    error = np.sqrt(np.sum(forms.sums["count:count"] ** 2)) / forms.n_focal
    if design == "people":
        factor = count["people"] / (count["people"] - 1.0)
        error *= np.sqrt(factor)
    assert error == pytest.approx(count["standard_error"], rel=1e-12)


@pytest.mark.parametrize(
    ("design", "kind"),
    [
        ("5-nn", "wild"),
        ("people", "weighted"),
        ("atc", "subsample"),
        ("1:1", "set"),
        ("radius", "refit"),
    ],
)
def test_a_job_draws_the_replicates_of_the_match_bit_for_bit(table, tmp_path, design, kind):
    interval = "auto" if kind == "set" else kind
    outcome = ["event:binary", "count:count"]
    result = matched(
        table, tmp_path / "out", design, interval=interval, replicates=REPLICATES, outcome=outcome
    )
    content = bootstrap(tmp_path / "out", Asked(REPLICATES, kind, table=str(table)))
    for own, theirs in zip(content["estimates"], result.results["estimates"], strict=True):
        (same,) = [one for one in theirs["resampled"] if one["kind"] == kind]
        assert own["intervals"] == same["intervals"]
        assert own["standard_error"] == same["standard_error"]
        assert own["speaks"] == same["speaks"]


def test_bootstrap_json_stands_beside_the_results_and_in_the_manifest(folder):
    results = (folder / "results.json").read_bytes()
    content = bootstrap(folder, Asked(REPLICATES))
    assert json.loads((folder / "bootstrap.json").read_bytes()) == content
    assert (folder / "results.json").read_bytes() == results
    listed = {one["name"]: one for one in read_manifest(folder)["files"]}
    assert listed["bootstrap.json"]["bytes"] == (folder / "bootstrap.json").stat().st_size
    assert content["resampling"]["kind"] == "wild"
    assert "valid for every match" in content["resampling"]["why"]
    assert [one["outcome"] for one in content["estimates"]] == ["event", "count", "days"]
    for one, other in zip(content["estimates"], json.loads(results)["estimates"], strict=True):
        assert one["main"]["ci_low"] == other["ci_low"]
        assert 0.5 < one["standard_error"] / other["standard_error"] < 2.0


def values_of(folder, count):
    prepared = prepare(folder, Asked(count))
    collected = Collected(prepared.wanted, prepared.job.columns)
    place = job_folder(prepared.finished.folder, prepared.job)
    for shard in verified(place, prepared.job, drop=False):
        collected.add(shard)
    return collected.complete()


def test_more_replicates_begin_with_the_fewer(folder, finished, tmp_path):
    bootstrap(folder, Asked(REPLICATES))
    fewer = values_of(folder, REPLICATES).copy()
    bootstrap(folder, Asked(2 * REPLICATES))
    more = (folder / "bootstrap.json").read_bytes()
    assert np.array_equal(values_of(folder, 2 * REPLICATES)[:REPLICATES], fewer)
    shutil.copytree(finished, tmp_path / "fresh")
    bootstrap(tmp_path / "fresh", Asked(2 * REPLICATES))
    assert (tmp_path / "fresh" / "bootstrap.json").read_bytes() == more


def test_shares_in_any_order_and_workers_give_the_same_bytes(folder, finished, tmp_path):
    bootstrap(folder, Asked(REPLICATES))
    whole = (folder / "bootstrap.json").read_bytes()
    shared, pooled = tmp_path / "shared", tmp_path / "pooled"
    for place in (shared, pooled):
        shutil.copytree(finished, place)
    for share in ("3/3", "1/3"):
        assert bootstrap(shared, Asked(REPLICATES), share=share) is None
    with pytest.raises(InputError, match="missing"):
        collect(shared, Asked(REPLICATES))
    assert not (shared / "bootstrap.json").exists()
    bootstrap(shared, Asked(REPLICATES), share="2/3")
    collect(shared, Asked(REPLICATES))
    assert (shared / "bootstrap.json").read_bytes() == whole
    bootstrap(pooled, Asked(REPLICATES), workers=2)
    assert (pooled / "bootstrap.json").read_bytes() == whole


@pytest.mark.parametrize("design", ["5-nn", "people"])
def test_the_order_of_the_rows_does_not_matter(table, tmp_path, design):
    for name in ("table", "other"):
        matched(table.with_name(f"{name}.csv"), tmp_path / name, design)
        bootstrap(tmp_path / name, Asked(REPLICATES))
    for name in ("bootstrap.json", "linear-form.parquet", "results.json"):
        assert (tmp_path / "other" / name).read_bytes() == (tmp_path / "table" / name).read_bytes()


def test_only_a_job_that_was_started_is_resumed(folder):
    with pytest.raises(CannotCreateError, match="no bootstrap to resume"):
        bootstrap(folder, Asked(REPLICATES), resume=True)
    bootstrap(folder, Asked(REPLICATES))
    assert bootstrap(folder, Asked(2 * REPLICATES), resume=True) is not None
    with pytest.raises(CannotCreateError, match="--seed"):
        bootstrap(folder, Asked(REPLICATES, seed=5), resume=True)


def test_a_match_made_anew_takes_its_old_bootstrap_away(table, folder):
    bootstrap(folder, Asked(REPLICATES))
    matched(table, folder, seed=3)
    assert not (folder / "bootstrap.json").exists()
    with pytest.raises(CannotCreateError, match="the inputs"):
        bootstrap(folder, Asked(REPLICATES, seed=0), resume=True)
    assert bootstrap(folder, Asked(REPLICATES))["resampling"]["seed"] == 3


@pytest.mark.parametrize("name", ["results.json", "linear-form.parquet"])
def test_a_changed_file_is_refused(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(bytes(data))
    with pytest.raises(InputError, match="has changed"):
        bootstrap(folder, Asked(REPLICATES))


def test_what_cannot_be_resampled_is_refused_with_the_reason(table, folder, tmp_path):
    with pytest.raises(UsageError, match="not valid"):
        bootstrap(folder, Asked(REPLICATES, "set", table=str(table)))
    with pytest.raises(UsageError, match="at least 199"):
        bootstrap(folder, Asked(100))
    with pytest.raises(UsageError, match="kind"):
        bootstrap(folder, Asked(REPLICATES, "plain"))
    with pytest.raises(UsageError, match="--table"):
        bootstrap(folder, Asked(REPLICATES, "refit"))
    with pytest.raises(InputError, match="not the table"):
        bootstrap(folder, Asked(REPLICATES, "refit", table=str(table.with_name("other.csv"))))
    with pytest.raises(InputError, match="no finished match"):
        bootstrap(tmp_path / "nothing", Asked(REPLICATES))
    matched(table, tmp_path / "none", outcome=[])
    with pytest.raises(InputError, match="no estimate"):
        bootstrap(tmp_path / "none", Asked(REPLICATES))


def test_a_refit_of_nearest_neighbours_is_labelled_a_diagnostic(table, folder):
    content = bootstrap(folder, Asked(REPLICATES, "refit", table=str(table)))
    assert any("diagnostic only" in note for note in content["notes"])
    assert len(content["estimates"]) == 3


def test_the_folder_of_a_study_keeps_its_exact_results_in_private(folder, tmp_path):
    (tmp_path / "study").mkdir(mode=0o700)
    folder.rename(tmp_path / "study" / "private")
    assert bootstrap(tmp_path / "study", Asked(REPLICATES)) is not None
    assert (tmp_path / "study" / "private" / "bootstrap.json").exists()


def test_the_plan_computes_nothing(folder):
    plan = show_plan(folder, Asked(REPLICATES))
    assert plan["kind"] == "wild"
    assert not (folder / "shards").exists()


def test_progress_tells_the_interval_so_far(folder):
    told = []
    bootstrap(folder, Asked(REPLICATES), progress=lambda *news: told.append(news))
    assert told[0] == ("replicates", 0.0, f"0 of {REPLICATES}")
    assert told[-1][1] == 1.0
    assert "event:binary" in told[-1][2]
    assert "so far" in told[-1][2]


@pytest.mark.parametrize(
    ("design", "kind"),
    [("people", "wild"), ("5-nn", "weighted"), ("1:1", "set"), ("radius", "refit")],
)
def test_exact_cells_are_strata_where_they_are_asked_for(table, tmp_path, design, kind):
    matched(table, tmp_path / "out", design, exact=["site"])
    plain = Asked(REPLICATES, kind, table=str(table))
    within = replace(plain, strata="exact")
    loose = bootstrap(tmp_path / "out", plain)
    strict = bootstrap(tmp_path / "out", within)
    assert loose["resampling"]["strata"] == "arm"
    assert strict["resampling"]["strata"] == "exact"
    assert "exact cell" in strict["notes"][-1]
    assert strict["estimates"][0]["intervals"] != loose["estimates"][0]["intervals"]
    for one, other in zip(strict["estimates"], loose["estimates"], strict=True):
        assert 0.7 < one["standard_error"] / other["standard_error"] < 1.3
    if kind in ("wild", "weighted"):
        forms = read_linear_forms(open_finished(tmp_path / "out"))
        assert set(forms.stratum.tolist()) == {0, 1, 2, 3}
        sums = forms.sums["count:count"]
        centred = np.concatenate(
            [sums[forms.stratum == s] - sums[forms.stratum == s].mean() for s in range(4)]
        )
        error = np.sqrt(np.sum(centred**2)) / forms.n_focal
        assert strict["estimates"][1]["standard_error"] == pytest.approx(error, rel=0.25)


def test_the_strata_of_people_are_those_of_their_rows(table, tmp_path):
    matched(table, tmp_path / "out", "people", exact=["site"])
    form = pq.read_table(tmp_path / "out" / "linear-form.parquet")
    rows = pc.read_csv(table)
    by_id = {row["id"]: row for row in rows.to_pylist()}
    code = {"north": 0, "south": 1}
    assert form["stratum"].to_pylist() == [
        2 * code[by_id[i]["site"]] + by_id[i]["treated"] for i in form["id"].to_pylist()
    ]
    found = read_linear_forms(open_finished(tmp_path / "out")).stratum
    for person in range(len(found)):
        own = [s for s, u in zip(form["stratum"].to_pylist(), form["unit"].to_pylist(), strict=True)
               if u == person]  # fmt: skip
        assert found[person] == own[0] // 2 * 2 + max(s % 2 for s in own)


def test_strata_that_there_are_not_are_refused(table, folder, tmp_path):
    with pytest.raises(UsageError, match="no exact cells"):
        bootstrap(folder, Asked(REPLICATES, strata="exact"))
    with pytest.raises(UsageError, match="strata are not known"):
        bootstrap(folder, Asked(REPLICATES, strata="site"))
    matched(table, tmp_path / "exact", exact=["site"])
    with pytest.raises(UsageError, match="not drawn within strata"):
        show_plan(tmp_path / "exact", Asked(REPLICATES, "subsample", strata="exact"))
