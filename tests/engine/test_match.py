"""Whole matches on real data: the example's prison work programme and the NHEFS study."""

import gzip
import itertools
import json
from collections import defaultdict
from csv import DictReader
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from causaldata import nhefs_complete
from pyarrow import csv
from scipy import stats

import justicelab
from engine.effects.choice import WELCH_KISH
from engine.match import match
from tests import naive
from tests.kernels.support import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="thousands of rows: only with the compiler")

ROOT = Path(__file__).parents[2]
ORACLES = ROOT / "tests" / "oracles"
RECID = ROOT / "examples" / "recid.csv"
NHEFS = json.loads((ORACLES / "nhefs" / "nhefs.json").read_text())
GLM = json.loads((ORACLES / "results" / "glm.json").read_text())["fits"]
ABADIE_IMBENS = json.loads((ORACLES / "nhefs" / "nhefs_abadie_imbens.json").read_text())
COVARIATES = [
    "black", "alcohol", "drugs", "super", "married", "felon", "property", "person", "priors",
    "educ", "rules", "age", "tserved",
]  # fmt: skip
SMOKING = [
    "sex", "race", "age", "smokeintensity", "smokeyrs", "wt71", "education", "exercise", "active"
]  # fmt: skip


def stored(path):
    return csv.read_csv(pa.BufferReader(gzip.decompress((ORACLES / path).read_bytes())))


@pytest.fixture(scope="module")
def nhefs():
    """The stored people with their stored score."""
    people, scores = stored("nhefs/nhefs.csv.gz"), stored("nhefs/nhefs_scores.csv.gz")
    assert people["id"].equals(scores["id"])
    return people.append_column("lp10", scores["lp10"]).append_column("ps12", scores["ps12"])


@pytest.fixture(scope="module")
def recid_match(tmp_path_factory):
    """The README's command, with its folder."""
    out = tmp_path_factory.mktemp("recid") / "out"
    result = match(
        RECID, treatment="workprg", covariates=COVARIATES, id="id", caliper="0.2 sd-logit",
        outcome=["returned:binary", "rules:count", "durat:time"], out=out, squares=True,
    )  # fmt: skip
    return result, out


def rows_of(path=RECID):
    with path.open(newline="") as file:
        return {row["id"]: row for row in DictReader(file)}


# ---------------------------------------------------------------------------------- recid
def test_recid_model_is_that_of_r():
    fit = next(fit for fit in GLM if fit["name"] == "recid")
    result = match(RECID, treatment="workprg", covariates=fit["columns"], id="id")
    model = result.results["propensity"]
    assert [term["name"] for term in model["terms"]] == fit["terms"]
    for term in model["terms"]:
        name = term["name"]
        error = fit["standard_errors"][name]
        assert abs(term["coefficient"] - fit["coefficients"][name]) <= 1e-8 * error
        assert term["standard_error"] == pytest.approx(error, rel=1e-8)
    assert model["deviance"] == pytest.approx(fit["deviance"], rel=1e-10)
    assert model["null_deviance"] == pytest.approx(fit["null_deviance"], rel=1e-10)
    assert model["converged"]
    assert model["method"] == "ml"


def test_recid_counts_follow_from_the_tables(recid_match):
    result, _ = recid_match
    counts = result.results["counts"]
    assert (counts["rows"], counts["treated"], counts["comparison_pool"]) == (1445, 672, 773)
    assert counts["treated_matched"] == result.pairs.num_rows == counts["pairs"]
    assert counts["treated_matched"] + counts["treated_unmatched"] == 672
    assert counts["treated_matched"] <= counts["maximum_matchable"]
    assert counts["comparison_used"] == len(set(result.pairs["comparison_id"].to_pylist()))
    assert result.results["unmatched"]["n"] == counts["treated_unmatched"] > 0
    assert result.results["certificate"]["violations"] == 0
    assert result.results["design"]["estimand_label"] == "matched participants"
    assert any("matched participants" in note for note in result.results["warnings"])


def test_recid_pairs_are_inside_the_printed_caliper(recid_match):
    result, _ = recid_match
    logit = dict(zip(*(result.scores[name].to_pylist() for name in ("id", "logit")), strict=True))
    caliper = result.results["design"]["caliper"]
    width = 0.2 * np.std(list(logit.values()), ddof=1)
    assert caliper["width_logit"] == pytest.approx(width, rel=1e-12)
    gaps = []
    for treated, comparison, distance, _ in zip(*result.pairs.to_pydict().values(), strict=True):
        assert distance == abs(logit[treated] - logit[comparison]) <= caliper["width_logit"]
        gaps.append(abs(np.diff(naive.expit([logit[treated], logit[comparison]]))[0]))
    assert max(gaps) <= caliper["widest_probability_gap"]


def test_recid_balance_is_the_plain_formula(recid_match):
    result, _ = recid_match
    people = rows_of()
    weights = defaultdict(dict)
    for key, arm, weight in zip(*result.weights.to_pydict().values(), strict=True):
        weights[arm][key] = weight
    for row in result.results["balance"]:
        column = row["name"].removesuffix("^2")
        power = 2 if row["kind"] == "square" else 1
        values = {key: float(person[column]) ** power for key, person in people.items()}
        treated = [values[key] for key, person in people.items() if person["workprg"] == "1"]
        others = [values[key] for key, person in people.items() if person["workprg"] == "0"]
        after = {
            arm: naive.weighted_mean([values[key] for key in own], list(own.values()))
            for arm, own in weights.items()
        }
        binary = set(values.values()) <= {0.0, 1.0}
        share = np.mean(treated)
        deviation = np.sqrt(share * (1 - share)) if binary else np.std(treated, ddof=1)
        assert row["mean_treated"] == pytest.approx(share, rel=1e-12)
        assert row["mean_comparison_after"] == pytest.approx(after["comparison"], rel=1e-12)
        assert row["mean_treated_matched"] == pytest.approx(after["treated"], rel=1e-12)
        before = (np.mean(treated) - np.mean(others)) / deviation
        assert row["smd_before"] == pytest.approx(before, rel=1e-10)
        smd = (after["treated"] - after["comparison"]) / deviation
        assert row["smd_after"] == pytest.approx(smd, rel=1e-10, abs=1e-14)


def test_recid_estimates_are_those_of_scipy(recid_match):
    result, _ = recid_match
    people = rows_of()
    arms = defaultdict(list)
    for key, arm, weight in zip(*result.weights.to_pydict().values(), strict=True):
        assert weight == 1.0
        arms[arm].append(people[key])
    for estimate in result.results["estimates"]:
        name = estimate["outcome"]
        one, other = ([float(p[name]) for p in arms[a]] for a in ("treated", "comparison"))
        test = stats.ttest_ind(one, other, equal_var=False)
        interval = test.confidence_interval(0.95)
        assert estimate["difference"] == pytest.approx(np.mean(one) - np.mean(other), rel=1e-12)
        assert estimate["interval_method"].startswith("design-based")
        welch = {other["method"]: other for other in estimate["secondary"]}[WELCH_KISH]
        assert welch["p_value"] == pytest.approx(test.pvalue, rel=1e-10)
        assert welch["ci_low"] == pytest.approx(interval.low, rel=1e-10)
        assert welch["ci_high"] == pytest.approx(interval.high, rel=1e-10)
        assert (estimate["n_treated"], estimate["n_comparison"]) == (len(one), len(other))


def test_recid_folder_holds_what_the_result_holds(recid_match):
    result, out = recid_match
    assert json.loads((out / "results.json").read_text()) == result.results
    for name in ("pairs", "weights", "scores"):
        assert pq.read_table(out / f"{name}.parquet").equals(getattr(result, name))
    assert not (out / "windows.parquet").exists()
    page = (out / "report.html").read_text()
    assert "working page" in page.lower()
    balance = csv.read_csv(out / "balance.csv")
    assert balance["name"].to_pylist() == [row["name"] for row in result.results["balance"]]
    files = {entry["name"] for entry in json.loads((out / "manifest.json").read_text())["files"]}
    assert files == {file.name for file in out.iterdir()} - {"manifest.json"}
    assert "<table" in result._repr_html_()


def test_the_unmatched_are_profiled_by_plain_means(recid_match):
    result, _ = recid_match
    people = rows_of()
    matched = set(result.pairs["treated_id"].to_pylist())
    treated = {key: p for key, p in people.items() if p["workprg"] == "1"}
    for row in result.results["unmatched"]["profile"]:
        kept = [float(p[row["name"]]) for key, p in treated.items() if key in matched]
        lost = [float(p[row["name"]]) for key, p in treated.items() if key not in matched]
        assert row["mean_matched"] == pytest.approx(np.mean(kept), rel=1e-12)
        assert row["mean_unmatched"] == pytest.approx(np.mean(lost), rel=1e-12)
        share = np.mean(kept)
        binary = set(kept) | set(lost) <= {0.0, 1.0}
        deviation = np.sqrt(share * (1 - share)) if binary else np.std(kept, ddof=1)
        gap = (np.mean(lost) - np.mean(kept)) / deviation
        assert row["smd"] == pytest.approx(gap, rel=1e-10, abs=1e-14)


# ---------------------------------------------------------------------------------- nhefs
@pytest.mark.parametrize("name", NHEFS["matches"])
def test_nhefs_matches_are_those_of_matchit(nhefs, name):
    asked = NHEFS["matches"][name]
    by_probability = asked["link"] == "ps12"
    options = {"replace": True} if asked["replace"] else {"order": asked["m_order"]}
    if by_probability:
        spread = float(np.std(nhefs["ps12"].to_numpy(), ddof=1))
        options |= {"score_scale": "probability", "score": "ps12"}
        caliper = f"{0.2 * spread!r} probability"
    else:
        options |= {"score": "lp10"}
        caliper = f"{asked['caliper_sd']} sd-logit"
    result = match(
        nhefs, treatment="treat", id="id", caliper=caliper, ratio=asked["ratio"],
        exact=[asked["exact"]] if asked["exact"] else [], **options,
    )  # fmt: skip
    counts = result.results["counts"]
    assert counts["treated_matched"] == asked["n_treated_matched"]
    assert counts["pairs"] == asked["n_pairs"]
    assert counts["comparison_used"] == asked["n_controls_used"]
    assert counts["effective_comparison"] == pytest.approx(asked["ess_control"], rel=1e-10)
    with gzip.open(ORACLES / "nhefs" / "nhefs_matches.csv.gz", "rt", newline="") as file:
        wanted = {
            (int(row["treated_id"]), int(row["control_id"]))
            for row in DictReader(file)
            if row["config"] == name
        }
    pairs = (result.pairs[key].to_pylist() for key in ("treated_id", "comparison_id"))
    assert set(zip(*pairs, strict=True)) == wanted
    if not by_probability:
        width = result.results["design"]["caliper"]["width_logit"]
        assert width == pytest.approx(asked["caliper_width"], rel=1e-13)
        assert pc.sum(result.pairs["distance"]).as_py() == pytest.approx(asked["sum_distance"])


def test_nhefs_from_its_package_gives_the_model_of_r():
    frame = nhefs_complete.load_pandas().data
    people = pa.table(
        {
            name: pa.array(frame[name].astype("float64" if name in {"age", "wt71"} else "str"))
            if name in {"education", "exercise", "active"}
            else pa.array(frame[name].astype("float64"))
            for name in [*SMOKING, "qsmk", "death", "seqn"]
        }
    )
    result = match(
        people, treatment="qsmk", covariates=SMOKING, id="seqn", replace=True, ratio=5,
        categorical=["education", "exercise", "active"], caliper="0.2 sd-logit",
        outcome="death:binary",
    )  # fmt: skip
    terms = {term["name"]: term for term in result.results["propensity"]["terms"]}
    wanted = NHEFS["logit"]
    assert len(terms) == len(wanted["terms"])
    for name in ("sex", "race", "age", "smokeintensity", "smokeyrs", "wt71"):
        error = wanted["se"][name]
        assert abs(terms[name]["coefficient"] - wanted["coef"][name]) <= 1e-8 * error
        assert terms[name]["standard_error"] == pytest.approx(error, rel=1e-8)
    assert result.results["propensity"]["deviance"] == pytest.approx(wanted["deviance"], rel=1e-10)
    assert result.results["balance_summary"]["auc_before"] == pytest.approx(wanted["auc"])
    assert result.results["certificate"]["violations"] == 0
    assert result.results["balance_summary"]["largest_smd_after"] < 0.1


# ---------------------------------------------------------------------- search and options
BASE = {"treatment": "workprg", "covariates": COVARIATES, "id": "id"}


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.97])
def test_the_smallest_caliper_keeps_the_share_and_no_smaller_one_does(share, replace):
    result = match(RECID, **BASE, keep_share=share, replace=replace)
    counts, found = result.results["counts"], result.results["keep_share"]
    wanted = int(np.ceil(share * 672))
    assert counts["maximum_matchable"] >= wanted
    width = found["caliper_width_logit"]
    assert width == result.results["design"]["caliper"]["width_logit"]
    again = match(RECID, **BASE, caliper=f"{width!r} logit", replace=replace)
    assert again.results["counts"] == counts
    less = match(RECID, **BASE, caliper=f"{np.nextafter(width, 0)} logit", replace=replace)
    assert less.results["counts"]["maximum_matchable"] < wanted
    if replace:
        assert counts["treated_matched"] >= wanted
    assert found["treated_matched"] == counts["treated_matched"]


def test_a_share_that_no_caliper_keeps_is_refused():
    # More treated than comparison people, each used once.
    with pytest.raises(justicelab.errors.InputError, match="No caliper keeps the share"):
        match(RECID, **BASE, keep_share=1.0, estimand="atc")


@pytest.mark.parametrize("more", [{}, {"replace": True}, {"radius": True, "caliper": "1 logit"}])
def test_each_point_of_the_path_is_the_match_it_speaks_of(more):
    result = match(RECID, **BASE, path=True, **more)
    points = result.results["path"]
    assert len(points) == (8 if "radius" in more else 40)
    for point in (points[0], points[3], points[-1]):
        asked = {**more, "caliper": f"{point['caliper_width_logit']!r} logit"}
        if point["ratio"] is not None:
            asked["ratio"] = point["ratio"]
        single = match(RECID, **BASE, **asked).results
        assert point["treated_matched"] == single["counts"]["treated_matched"]
        assert point["matched_share"] == point["treated_matched"] / 672
        assert point["effective_comparison"] == pytest.approx(
            single["counts"]["effective_comparison"]
        )
        largest = single["balance_summary"]["largest_smd_after"]
        assert point["largest_smd"] == pytest.approx(largest, rel=1e-10)
    assert all(
        one["matched_share"] <= other["matched_share"]
        for one, other in itertools.pairwise(points)
        if one["ratio"] == other["ratio"] and (more or one["ratio"] is None)
    )


def test_common_support_is_the_range_both_groups_have():
    everybody = match(RECID, **BASE)
    logit = np.array(everybody.scores["logit"].to_pylist())
    people = rows_of()
    arm = np.array([people[key]["workprg"] == "1" for key in everybody.scores["id"].to_pylist()])
    low = max(logit[arm].min(), logit[~arm].min())
    high = min(logit[arm].max(), logit[~arm].max())
    outside = (logit < low) | (logit > high)
    counts = match(RECID, **BASE, discard="support").results["counts"]
    assert counts["off_support_treated"] == np.count_nonzero(outside & arm) > 0
    assert counts["off_support_comparison"] == np.count_nonzero(outside & ~arm) > 0
    assert counts["rows"] == 1445


@pytest.mark.parametrize("limit", ["age 24", "age 0.25 sd"])
def test_a_caliper_on_a_covariate_is_kept_in_its_unit(limit):
    people = rows_of()
    age = {key: float(person["age"]) for key, person in people.items()}
    width = 24.0 if limit == "age 24" else 0.25 * np.std(list(age.values()), ddof=1)
    result = match(RECID, **BASE, covariate_caliper=limit)
    gaps = [
        abs(age[one] - age[other])
        for one, other in zip(*list(result.pairs.to_pydict().values())[:2], strict=True)
    ]
    assert 0.8 * width < max(gaps) <= width * (1 + 1e-12)
    (stated,) = result.results["design"]["covariate_calipers"]
    assert stated["column"] == "age"
    assert stated["width"] == pytest.approx(width, rel=1e-12)


def test_progress_names_every_stage_from_nothing_to_done(tmp_path):
    seen = defaultdict(list)
    match(
        RECID, **BASE, path=True, out=tmp_path / "o",
        progress=lambda stage, share: seen[stage].append(share),
    )  # fmt: skip
    assert set(seen) >= {"read", "score", "match", "balance", "path", "estimate", "write"}
    for shares in seen.values():
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


# Not those of a continuous outcome, nor the one that calls distances below 1e-5 tied.
@pytest.mark.parametrize(
    "run", [name for name in ABADIE_IMBENS if not name.endswith(("_cont", "_tolerance"))]
)
def test_differences_are_those_of_another_matching_package(nhefs, run):
    wanted = ABADIE_IMBENS[run]
    assert wanted["caliper_sd"] is None
    result = match(
        nhefs, treatment="treat", id="id", score="lp10", replace=True, ratio=wanted["M"],
        outcome="death:binary",
    )  # fmt: skip
    (estimate,) = result.results["estimates"]
    assert estimate["difference"] == pytest.approx(wanted["est_noadj"], rel=1e-10)
    assert result.results["counts"]["comparison_used"] == wanted["n_controls_used"]


def test_the_balance_is_on_disk_before_an_outcome_is_opened(tmp_path, monkeypatch):
    import engine.match as module

    out, seen = tmp_path / "out", []
    real = module.read_outcome

    def watching(*arguments):
        staged = [file for file in out.iterdir() if file.name.startswith(".balance.csv")]
        seen.append(len(staged) == 1 and staged[0].stat().st_size > 0)
        return real(*arguments)

    monkeypatch.setattr(module, "read_outcome", watching)
    table = pa.table(
        {
            "t": [1, 0] * 40,
            "x": [float(i % 9) for i in range(80)],
            "y": [i % 3 == 0 for i in range(80)],
        }
    )
    module.match(table, treatment="t", covariates=("x",), outcome="y:binary", out=out)
    assert seen == [True]
