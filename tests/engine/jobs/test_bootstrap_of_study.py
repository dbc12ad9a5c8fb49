"""Bootstrap of a finished study: the main analysis, from its folder or with its store."""

import hashlib
import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

import engine.jobs.remade as remade_module
import engine.release.bootstrap_files as files_module
from engine.effects.bootstrap import bootstrap_intervals
from engine.effects.measures import MEASURES, open_outcomes, values_of
from engine.effects.replicates import drawn_replicates, multiplier_replicates
from engine.effects.sources import difference_of_means
from engine.errors import InputError, StorageError, UsageError
from engine.jobs.bootstrap import Asked, bootstrap, collect, show_plan
from engine.plan.reading import check_plan
from engine.release.formats import figure
from engine.release.manifest import content_id
from engine.release.study_folder import PRIVATE_FILES, RELEASE_FILES, audit_is_whole
from engine.store.reading import read_years
from engine.study import Linking, run
from tests.engine.cohort.support import truth_linker, truth_of
from tests.engine.release.report.conftest import StudyPage

NAME = "medium-none-random"
REPLICATES = 208
# Alone, the main analysis is enough; the nation is small, so people are not as near as in a nation.
QUICK = {
    "gate": {"largest_smd": 1.0, "matched_share": 0.2},
    "sub_analyses": {"by": []},
    "oasys": {"trio": False},
    "region": {"control": False},
    "sensitivity": {"calipers": [], "orders": 0, "placebo": False},
}


@pytest.fixture(scope="module")
def study_of(truth_nation):
    linker = truth_linker(truth_of(truth_nation, NAME))

    def make(out, **sections):
        return run(
            truth_nation.out / "submissions" / f"{NAME}.csv",
            truth_nation.store.folder,
            out,
            plan=check_plan({**QUICK, **sections}, "plan.toml"),
            linking=Linking(linker=linker),
        )

    return make


@pytest.fixture(scope="module")
def made(study_of, tmp_path_factory):
    return study_of(tmp_path_factory.mktemp("made") / "study").folder


@pytest.fixture
def study(made, tmp_path):
    return shutil.copytree(made, tmp_path / "study")


@pytest.fixture
def store(truth_nation):
    return str(truth_nation.store.folder)


def content_of(folder, part="private"):
    return json.loads((folder / part / "bootstrap.json").read_bytes())


def figures_of(folder):
    """Bytes of every file of both folders but the run records."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for part in ("private", "release")
        for path in (folder / part).iterdir()
        if path.is_file() and path.name not in ("manifest.json", "audit.log")
    }


def require_whole(folder):
    """Every file that a manifest lists has its hash, and every file is listed."""
    for part, names in (("private", PRIVATE_FILES), ("release", RELEASE_FILES)):
        manifest = json.loads((folder / part / "manifest.json").read_bytes())
        listed = {one["name"]: one["sha256"] for one in manifest["files"]}
        there = {path.name for path in (folder / part).iterdir() if path.is_file()}
        assert manifest["status"] == "complete"
        assert there <= names
        assert there - {"manifest.json", "audit.log"} == set(listed)
        for name, digest in listed.items():
            assert hashlib.sha256((folder / part / name).read_bytes()).hexdigest() == digest, name
    assert audit_is_whole((folder / "private" / "audit.log").read_bytes())


# --------------------------------------------------------------------------- what it says


@pytest.mark.parametrize("part", ["", "private"])
def test_it_stands_beside_the_results_and_in_both_manifests(study, part):
    before = figures_of(study)
    shown = bootstrap(study / part, Asked(REPLICATES))
    after = figures_of(study)

    require_whole(study)
    assert content_of(study, "release") == shown
    assert after.keys() - before.keys() == {
        "private/bootstrap.json", "release/bootstrap.json", "release/bootstrap.csv",
    }  # fmt: skip
    assert {name for name in before if after[name] != before[name]} == {
        "release/report.html", "release/tables.xlsx",
    }  # fmt: skip
    assert {path.stat().st_mode & 0o077 for path in study.rglob("*")} == {0}


def test_every_measure_is_resampled_around_its_estimate(study):
    bootstrap(study, Asked(REPLICATES))
    exact = json.loads((study / "private" / "results.json").read_bytes())
    content = content_of(study)

    assert content["study_content_id"] == exact["provenance"]["content_id"]
    assert [one["outcome"] for one in content["estimates"]] == [one.name for one in MEASURES]
    for one, main in zip(content["estimates"], exact["analyses"][0]["measures"], strict=True):
        assert one["difference"] == main["difference"]
        assert one["main"]["ci_low"] == main["ci_low"]
        assert one["main"]["interval_method"] == main["interval_method"]
        # A mean of reoffenders has two more terms in its main variance than its linear form has.
        assert 0.6 < one["standard_error"] / main["standard_error"] < 1.3
        assert {limits["method"] for limits in one["intervals"]} == {
            "percentile", "basic", "normal", "bca",
        }  # fmt: skip


def test_the_replicates_are_those_of_the_linear_form(study):
    bootstrap(study, Asked(REPLICATES, "weighted", seed=7))
    table = pq.read_table(study / "private" / "linear-form.parquet")
    matched = json.loads((study / "private" / "results.json").read_bytes())
    n = matched["analyses"][0]["counts"]["treated_matched"]
    person = table["unit"].to_numpy().astype(np.int64)
    people = int(person.max()) + 1
    assert people < len(person)  # some people of the comparison are there with several disposals
    for one in content_of(study)["estimates"][:2]:
        sums = np.zeros(people)
        np.add.at(sums, person, table[f"{one['outcome']}:{one['type']}"].to_numpy())
        errors = multiplier_replicates(
            sums[None], np.arange(people, dtype=np.uint64),
            multiplier="exponential", seed=7, stop=REPLICATES,
        )  # fmt: skip
        wanted = bootstrap_intervals(one["difference"], one["difference"] + errors[:, 0] / n)
        for limits in wanted:
            found = next(i for i in one["intervals"] if i["method"] == limits.method)
            assert (found["low"], found["high"]) == (limits.low, limits.high)


def test_sets_are_those_of_the_pairs_and_the_outcomes_of_the_store(
    study_of, truth_nation, store, tmp_path
):
    folder = study_of(tmp_path / "study", matching={"replace": False, "ratio": 2}).folder
    with pytest.raises(UsageError, match="--store"):
        bootstrap(folder, Asked(REPLICATES, "set"))
    shown = bootstrap(folder, Asked(REPLICATES, "set", store=store))
    pairs = pq.read_table(folder / "private" / "pairs.parquet")
    ids = read_years(truth_nation.store, "index", ["disposal_id"])["disposal_id"].to_numpy()
    outcomes = open_outcomes(truth_nation.store, np.arange(len(ids)), ["reoffended"])
    y = dict(zip(ids.tolist(), values_of(outcomes["reoffended"]).tolist(), strict=True))
    sets = {}
    for treated, other, weight in zip(
        *(pairs[name].to_pylist() for name in ("treated_id", "comparison_id", "weight")),
        strict=True,
    ):
        own = sets.setdefault(treated, [y[treated], 0.0, 0.0])
        own[1] += weight * y[other]
        own[2] += weight
    columns = np.array([(a, b / w, 1.0) for a, b, w in sets.values()])
    drawn = difference_of_means(drawn_replicates(columns, stop=REPLICATES))
    one = content_of(folder)["estimates"][0]
    wanted = {limits.method: limits for limits in bootstrap_intervals(one["difference"], drawn)}

    require_whole(folder)
    assert shown["resampling"]["kind"] == "set"
    assert not shown["resampling"]["valid"]  # the score was fitted on the same rows
    for limits in one["intervals"]:
        if limits["method"] != "bca":
            assert limits["low"] == pytest.approx(wanted[limits["method"]].low, abs=1e-12)
            assert limits["high"] == pytest.approx(wanted[limits["method"]].high, abs=1e-12)


def test_a_radius_match_is_fitted_and_matched_again(study_of, store, tmp_path):
    folder = study_of(
        tmp_path / "study",
        matching={"method": "radius", "fit": "ridge"},
        covariates={"leave_out": ["sentence_band"]},  # one of its levels holds nobody treated
    ).folder
    shown = bootstrap(folder, Asked(REPLICATES, "refit", store=store))
    exact = content_of(folder)["estimates"][0]

    require_whole(folder)
    assert shown["resampling"]["valid"]
    assert any("valid for radius" in note for note in shown["notes"])
    assert 0.5 < exact["standard_error"] / exact["main"]["standard_error"] < 2.0
    words = " ".join(StudyPage((folder / "release" / "report.html").read_text()).text)
    assert "a new match" in words
    assert "nothing may be read" not in words


def test_a_refit_takes_the_ratio_that_the_study_took(study_of, store, tmp_path):
    plan = {"matching": {"further_ratios": [7]}, "gate": {"largest_smd": 1e-9}}
    smd = study_of(tmp_path / "closed", **plan).exact["analyses"][0]["gate"]["rules"][2]["value"]
    plan["gate"] = {"largest_smd": smd, "matched_share": 0.2}
    study = study_of(tmp_path / "study", **plan)
    assert study.exact["method"]["ratio"] == 7
    shown = bootstrap(study.folder, Asked(REPLICATES, "refit", store=store))

    assert shown["measures"][0]["intervals"]


def test_a_refit_of_nearest_neighbours_says_that_it_is_not_valid(study_of, store, tmp_path):
    folder = study_of(tmp_path / "study", matching={"fit": "ridge"}).folder
    shown = bootstrap(folder, Asked(REPLICATES, "refit", store=store))

    assert not shown["resampling"]["valid"]
    assert any("diagnostic only" in note for note in shown["notes"])
    words = " ".join(StudyPage((folder / "release" / "report.html").read_text()).text)
    assert "nothing may be read from it" in words
    assert "The two agree" not in words
    assert "read this one" not in words


# --------------------------------------------------------------------------- the same each time


def test_more_replicates_take_the_place_of_fewer(study, made, tmp_path):
    bootstrap(study, Asked(REPLICATES))
    bootstrap(study, Asked(2 * REPLICATES))
    fresh = shutil.copytree(made, tmp_path / "fresh")
    for share in ("2/2", "1/2"):
        assert bootstrap(fresh, Asked(2 * REPLICATES), share=share) is None
    collect(fresh, Asked(2 * REPLICATES))

    require_whole(study)
    assert figures_of(study) == figures_of(fresh)


@pytest.mark.parametrize("at", range(4))
def test_a_disk_that_fails_while_the_panel_is_put_in_place_costs_nothing(
    study, made, tmp_path, monkeypatch, at
):
    publish = files_module.publish
    calls = []

    def failing(folder, staged, stale=()):
        """Put some of the files in place, then fail as a disk does."""
        calls.append(folder.name)
        if len(calls) == at // 2 + 1:
            publish(folder, staged[: at % 2 * 2], stale)
            files_module.discard(folder, staged)
            raise StorageError("the disk is full")
        publish(folder, staged, stale)

    monkeypatch.setattr(files_module, "publish", failing)
    with pytest.raises(StorageError):
        bootstrap(study, Asked(REPLICATES))
    monkeypatch.undo()
    assert not list(study.rglob("*.part"))
    bootstrap(study, Asked(REPLICATES), resume=True)
    fresh = shutil.copytree(made, tmp_path / "fresh")
    bootstrap(fresh, Asked(REPLICATES))

    assert calls == ["private", "release"][: at // 2 + 1]
    require_whole(study)
    assert figures_of(study) == figures_of(fresh)


def test_a_study_made_anew_takes_its_old_bootstrap_away(study_of, tmp_path):
    folder = study_of(tmp_path / "study").folder
    plain = figures_of(folder)
    bootstrap(folder, Asked(REPLICATES))
    study_of(tmp_path / "study")

    assert figures_of(folder) == plain


# --------------------------------------------------------------------------- what may be shown


def test_what_the_report_withholds_is_shown_nowhere(study_of, tmp_path):
    folder = study_of(tmp_path / "study", disclosure={"fewest_in_cell": 60}).folder
    told = []
    shown = bootstrap(folder, Asked(REPLICATES), progress=lambda *news: told.append(news[2]))
    results = json.loads((folder / "release" / "results.json").read_bytes())
    measures = results["analyses"][0]["measures"]

    assert [one["withheld"] for one in shown["measures"]] == [one["withheld"] for one in measures]
    assert any(one["withheld"] for one in measures)
    for one in shown["measures"]:
        for limits in (one["main"], *one["intervals"]):
            assert (limits["ci_low"] is None) == bool(one["withheld"])
    assert ("so far" in told[-1]) == (not measures[0]["withheld"])


def test_a_withheld_headline_measure_is_not_told_while_it_runs(study_of, tmp_path):
    folder = study_of(tmp_path / "study", disclosure={"fewest_in_cell": 100_000}).folder
    told = []
    content = bootstrap(folder, Asked(REPLICATES), progress=lambda *news: told.append(news[2]))

    assert told[-1] == f"{REPLICATES} of {REPLICATES}"
    assert all(one["withheld"] for one in content["measures"])
    page = StudyPage((folder / "release" / "report.html").read_text())
    assert "worked out" in " ".join(page.text)
    shown = [text for key, _, text in page.figures if key.startswith("bootstrap.measures")]
    assert shown
    assert not [text for text in shown if re.search("^−?[0-9]", text)]


def test_the_interval_so_far_is_as_rough_as_the_report(study):
    told = []
    bootstrap(study, Asked(REPLICATES), progress=lambda *news: told.append(news[2]))

    assert re.fullmatch(
        rf"{REPLICATES} of {REPLICATES}; People who reoffended within a year −?\d+ to −?\d+ so far",
        told[-1],
    )


def test_numbers_of_the_page_are_keys_of_the_two_files(study):
    bootstrap(study, Asked(REPLICATES))
    release = study / "release"
    results = json.loads((release / "results.json").read_bytes())
    whole = {**results, "bootstrap": json.loads((release / "bootstrap.json").read_bytes())}
    page = StudyPage((release / "report.html").read_text())

    assert "bootstrap" not in results
    assert sum(key.startswith("bootstrap.measures.") for key, *_ in page.figures) > 50
    for key, form, text in page.figures:
        assert text == figure(whole, key, form), key


def test_no_figure_leaves_with_more_digits_than_the_report_has(study):
    shown = bootstrap(study, Asked(REPLICATES))

    def numbers(value):
        if isinstance(value, dict):
            return [n for one in value.values() for n in numbers(one)]
        if isinstance(value, list):
            return [n for one in value for n in numbers(one)]
        return [value] if isinstance(value, float) else []

    assert numbers(shown["measures"])
    assert all(round(n, 2) == n for n in numbers(shown["measures"]))
    assert {key for one in shown["measures"] for key in one} == {
        "measure", "label", "table", "unit", "difference", "main", "speaks", "intervals",
        "agrees", "withheld",
    }  # fmt: skip


# --------------------------------------------------------------------------- refusals


def test_a_store_of_other_records_is_refused(study_of, store, tmp_path):
    folder = study_of(tmp_path / "study", matching={"fit": "ridge"}).folder
    other = shutil.copytree(store, tmp_path / "other")
    place = next(path for path in other.glob("*.json") if "extract_sha256" in path.read_text())
    facts = json.loads(place.read_text())
    place.write_text(json.dumps(facts | {"extract_sha256": "0" * 64}))

    with pytest.raises(InputError, match="not the store"):
        bootstrap(folder, Asked(REPLICATES, "refit", store=str(other)))
    with pytest.raises(InputError, match="not the store"):
        show_plan(folder, Asked(REPLICATES, "refit", store=str(other)))
    assert show_plan(folder, Asked(REPLICATES, "refit", store=store))["kind"] == "refit"


def test_a_match_that_does_not_come_out_the_same_is_refused(study, store, monkeypatch):
    design = remade_module.design_analysis

    def fewer(pool, keep, options):
        keep = keep.copy()
        keep[np.flatnonzero(pool.treated)[0]] = False
        return design(pool, keep, options)

    monkeypatch.setattr(remade_module, "design_analysis", fewer)
    with pytest.raises(InputError, match="cannot be made again"):
        bootstrap(study, Asked(REPLICATES, "refit", store=store))


@pytest.mark.parametrize("name", ["results.json", "linear-form.parquet", "treated.parquet"])
def test_a_changed_file_is_refused(study, store, name):
    place = study / "private" / name
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(bytes(data))
    kind = "refit" if name == "treated.parquet" else "wild"

    with pytest.raises(InputError, match="has changed"):
        bootstrap(study, Asked(REPLICATES, kind, store=store if kind == "refit" else None))


def test_a_release_folder_of_something_else_is_left_alone(study):
    place = study / "release" / "results.json"
    place.write_bytes(place.read_bytes().replace(b'"study"', b'"other"', 1))
    before = figures_of(study)

    with pytest.raises(InputError, match="not that of the study"):
        bootstrap(study, Asked(REPLICATES))
    assert figures_of(study) == before


def test_other_sources_other_levels_and_tables_are_refused(study, tmp_path):
    with pytest.raises(UsageError, match="level"):
        bootstrap(study, Asked(REPLICATES, level=0.9))
    with pytest.raises(UsageError, match="--table does not belong"):
        bootstrap(study, Asked(REPLICATES, table="table.csv"))
    with pytest.raises(UsageError, match="not valid for this match"):
        bootstrap(study, Asked(REPLICATES, "set"))
    place = study / "private" / "manifest.json"
    manifest = json.loads(place.read_text())
    manifest["software"]["code_sha256"] = "0" * 64
    own = content_id(manifest["options"], manifest["content_sha256"], "0" * 64)
    place.write_text(json.dumps(manifest | {"run_id": own}))
    with pytest.raises(InputError, match="another version"):
        bootstrap(study, Asked(REPLICATES))


def test_a_study_behind_a_closed_gate_has_nothing_to_resample(study_of, tmp_path):
    folder = study_of(tmp_path / "study", gate={"largest_smd": 1e-9}).folder

    with pytest.raises(InputError, match="no estimate"):
        bootstrap(folder, Asked(REPLICATES))
