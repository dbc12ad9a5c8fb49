"""A study end to end on a small nation: order of opening, gate, resumption, the two folders."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numba
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine.analyses as analyses_module
import engine.cohort.disposals as disposals_module
import engine.effects.measures as measures_module
import engine.study as study_module
from engine.errors import CannotCreateError, InputError, UnfittedError
from engine.plan.model import Plan
from engine.plan.reading import check_plan
from engine.release.study_folder import PRIVATE_FILES, RELEASE_FILES, audit_is_whole
from engine.study import Linking, run
from tests.engine.cohort.support import truth_linker, truth_of

ROOT = Path(__file__).resolve().parents[2]
NAME = "medium-none-random"
# The nation is small, so that the nearest people are not as near as in a nation.
WIDE = {"gate": {"largest_smd": 0.4}}


def plan_of(**sections):
    return check_plan({**WIDE, **sections}, "plan.toml")


@pytest.fixture(scope="module")
def nation(truth_nation):
    truth_nation.linker = truth_linker(truth_of(truth_nation, NAME))
    truth_nation.submission = truth_nation.out / "submissions" / f"{NAME}.csv"
    return truth_nation


@pytest.fixture(scope="module")
def study_of(nation):
    def make(out, plan=None, submission=None, **options):
        return run(
            submission or nation.submission,
            nation.store.folder,
            out,
            plan=plan or plan_of(),
            linking=Linking(linker=nation.linker),
            **options,
        )

    return make


@pytest.fixture(scope="module")
def whole(study_of, tmp_path_factory):
    return study_of(tmp_path_factory.mktemp("whole") / "study")


def released_bytes(study):
    return (study.folder / "release" / "results.json").read_bytes()


def files_of(folder):
    return {path.name for path in folder.iterdir() if path.is_file()}


# ---------------------------------------------------------------------------------- end to end


def test_the_two_folders_hold_what_they_may(whole):
    private, release = whole.folder / "private", whole.folder / "release"

    assert files_of(release) <= RELEASE_FILES
    assert {"results.json", "plan.toml", "report.html", "tables.xlsx"} <= files_of(release)
    assert files_of(private) <= PRIVATE_FILES
    assert {"results.json", "balance.csv", "pairs.parquet", "links.parquet"} <= files_of(private)
    assert {path.stat().st_mode & 0o077 for path in whole.folder.rglob("*")} == {0}
    assert list((private / "shards").iterdir()) == []  # finished stages are not needed any more
    for folder, kind in ((private, "study"), (release, "study-release")):
        manifest = json.loads((folder / "manifest.json").read_text())
        assert (manifest["kind"], manifest["status"]) == (kind, "complete")


def test_the_results_tell_a_whole_study(whole):
    results = whole.released.results
    first = results["analyses"][0]

    assert json.loads(released_bytes(whole)) == results
    assert first["id"] == "main"
    assert first["status"] == "estimated"
    assert [measure["table"] for measure in first["measures"]] == [1, 2, 3, 4, 4, 4, 5, 5, 5, 6, 7]
    assert results["headline"]["verdict"] == first["verdict"] == first["measures"][0]["verdict"]
    assert [one["id"] for one in results["analyses"]][:5] == [
        "main", "region", "oasys_all_without", "oasys_linked_without", "oasys_linked_with",
    ]  # fmt: skip
    assert {one["dimension"] for one in results["analyses"][5:]} == {"sex", "completed"}
    assert results["plan_sha256"] == whole.plan.sha256
    assert results["plan"] == whole.plan.canonical()
    assert results["certificate"]["violations"] == 0
    assert len(results["path"]) == 12
    assert sum(point["is_main"] for point in results["path"]) == 1
    assert len(results["sensitivity"]["placebos"]) == 1
    assert results["tests"]["total"] > results["tests"]["measures"]


def test_the_attrition_ends_with_the_people_analysed(whole):
    account, first = whole.exact["attrition"], whole.exact["analyses"][0]
    stages = account["stages"]

    assert account["submitted"] - sum(stage["lost"] for stage in stages) == account["analysed"]
    assert stages[-1]["code"] == "matching"
    assert account["analysed"] == first["counts"]["treated_matched"]
    assert first["counts"]["treated"] - stages[-1]["lost"] == account["analysed"]


def test_the_exact_difference_is_that_of_the_exact_means_and_inside_its_interval(whole):
    for analysis in whole.exact["analyses"]:
        for one in analysis["measures"]:
            assert one["difference"] == pytest.approx(one["treated"] - one["comparison"])
            if one["ci_low"] is not None:
                assert one["ci_low"] <= one["difference"] <= one["ci_high"]
            if one["measure"] == "reoffended":
                support = one["support"]["treated"]
                assert one["treated"] == pytest.approx(support["events"] / support["people"])


def test_nobody_is_in_both_groups_and_people_are_counted_once(whole, nation):
    private = whole.folder / "private"
    pairs = pq.read_table(private / "pairs.parquet").to_pylist()
    treated = pq.read_table(private / "treated.parquet").to_pylist()
    index = {
        row["disposal_id"]: row["person_id"]
        for row in disposals_module.read_years(
            nation.store, "index", ["disposal_id", "person_id"]
        ).to_pylist()
    }
    own = {row["person_id"] for row in treated}
    others = [index[disposal] for disposal in {pair["comparison_id"] for pair in pairs}]

    assert len(own) == len(treated)
    assert own.isdisjoint(others)
    # a comparison person may be there with several disposals, and is still one person
    assert len(set(others)) < len(others)
    rate = whole.exact["analyses"][0]["measures"][0]
    counts = whole.exact["analyses"][0]["counts"]
    assert counts["comparison_matched"] == len(set(others)) == rate["n_comparison"]
    assert rate["support"]["comparison"]["people"] == len(set(others))
    disposal = {index[pair["comparison_id"]]: [] for pair in pairs}
    for pair in pairs:
        disposal[index[pair["comparison_id"]]].append(pair["comparison_id"])
    again = reoffended_after(nation.store)
    events = sum(any(again[one] for one in mine) for mine in disposal.values())
    assert rate["support"]["comparison"]["events"] == events
    assert counts["comparison_effective"] <= len(set(others))
    links = pq.read_table(private / "links.parquet")
    assert set(links["person_id"].drop_null().to_pylist()).isdisjoint(others)


def reoffended_after(store):
    """Whether the person reoffended in the year after each disposal."""
    ids = disposals_module.read_years(store, "index", ["disposal_id"])["disposal_id"]
    found = disposals_module.read_years(store, "outcomes", ["reoffended"])["reoffended"]
    return dict(zip(ids.to_pylist(), found.to_pylist(), strict=True))


def compared_persons(study, store):
    """Everybody whom a study took for the comparison."""
    pairs = pq.read_table(study.folder / "private" / "pairs.parquet")
    index = disposals_module.read_years(store, "index", ["disposal_id", "person_id"])
    person = dict(zip(*(index[name].to_pylist() for name in index.column_names), strict=True))
    return {person[disposal] for disposal in pairs["comparison_id"].to_pylist()}


def test_candidates_in_doubt_are_not_compared_with(whole, nation, tmp_path, monkeypatch):
    """They may be of the submission, and a treated person in the comparison hides the effect."""
    doubt = sorted(compared_persons(whole, nation.store))[:20]

    def doubtful(people, store, **options):
        found = nation.linker(people, store, **options)
        band = pa.table({"row": pa.array([0] * 20), "person_id": pa.array(doubt)})
        return replace(found, band=band)

    monkeypatch.setattr(study_module, "write_review", lambda _, path: path.write_bytes(b""))
    quick = plan_of(
        sub_analyses={"by": []}, oasys={"trio": False}, region={"control": False},
        sensitivity={"calipers": [], "orders": 0, "placebo": False},
    )  # fmt: skip
    study = run(
        nation.submission, nation.store.folder, tmp_path / "study", plan=quick,
        linking=Linking(linker=doubtful),
    )  # fmt: skip

    assert len(doubt) == 20
    assert compared_persons(study, nation.store).isdisjoint(doubt)


def test_the_first_of_the_trio_is_the_main_analysis(whole):
    main, first = whole.exact["analyses"][0], whole.exact["analyses"][2]

    assert first["measures"] == main["measures"]
    assert first["same_as_main"]


def test_the_audit_log_says_what_happened_and_shows_a_change(whole):
    data = (whole.folder / "private" / "audit.log").read_bytes()
    events = [json.loads(line) for line in data.splitlines()]

    assert [one["event"] for one in events][:3] == ["start", "plan", "stage"]
    assert events[1]["sha256"] == whole.plan.sha256
    assert events[-1]["event"] == "end"
    assert audit_is_whole(data)
    lines = data.splitlines(keepends=True)
    for broken in (
        lines[:3] + lines[4:],
        [lines[1], lines[0], *lines[2:]],
        [*lines[:2], lines[2].replace(b"link", b"lynk"), *lines[3:]],
    ):
        assert not audit_is_whole(b"".join(broken))


# ------------------------------------------------------------------------- order and the gate


@pytest.fixture
def spied(monkeypatch, tmp_path):
    """Note every reading of outcomes: who reads which columns, and what is on the disk then."""
    seen = []

    def watch(module, who):
        read = module.read_years

        def spy(store, kind, columns=None, years=None):
            if kind == "outcomes":
                private = tmp_path / "study" / "private"
                log = (
                    (private / "audit.log").read_text() if (private / "audit.log").exists() else ""
                )
                seen.append(
                    {
                        "who": who,
                        "columns": None if columns is None else list(columns),
                        "balance": any(private.glob(".balance.csv.*.part")),
                        "plan": '"event": "plan"' in log,
                        "gate": '"event": "gate"' in log,
                    }
                )
            return read(store, kind, columns, years)

        monkeypatch.setattr(module, "read_years", spy)

    watch(measures_module, "measures")
    watch(disposals_module, "cohort")
    return seen


def test_no_outcome_is_opened_before_balance_and_plan_are_fixed(study_of, spied, tmp_path):
    study_of(tmp_path / "study")
    measures = [one for one in spied if one["who"] == "measures"]

    assert measures
    assert all(one["balance"] and one["plan"] and one["gate"] for one in measures)
    # whom the rules of the cohort leave out because they reoffended before the service began
    assert {tuple(one["columns"]) for one in spied if one["who"] == "cohort"} <= {
        ("days_to_first_reoffence",)
    }


def test_behind_a_closed_gate_only_the_rate_of_the_treated_is_opened(study_of, spied, tmp_path):
    closed = check_plan({"gate": {"largest_smd": 1e-9}}, "plan.toml")
    study = study_of(tmp_path / "study", closed)
    results = study.released.results

    assert results["headline"]["verdict"] == "match_not_adequate"
    assert {tuple(one["columns"]) for one in spied if one["who"] == "measures"} == {("reoffended",)}
    for analysis in results["analyses"]:
        assert analysis["measures"] == []
        if analysis["status"] != "not_run":
            assert not analysis["gate"]["passed"]
            assert analysis["treated_only"]["n_treated"] is not None
    first = results["analyses"][0]
    assert first["treated_only"]["treated"] is not None
    assert results["sensitivity"] is None
    assert results["path"] == []
    assert results["tests"]["total"] == 0
    assert "match_not_adequate" in results["caveats"]
    assert "do_not_compare_raw_rates" in results["caveats"]


def test_more_partners_are_tried_where_balance_alone_misses_the_gate(
    whole, study_of, spied, monkeypatch, tmp_path
):
    """Each try is judged with outcomes closed; the first that passes is the match of the study."""
    balance = dict.fromkeys((5, 10, 20))
    judge = analyses_module.judge

    def seeing(designed, plan):
        gate = judge(designed, plan)
        balance[designed.options.ratio] = gate.rules[2].value
        assert not any(one["who"] == "measures" for one in spied)
        return gate

    monkeypatch.setattr(analyses_module, "judge", seeing)
    quick = {
        "sub_analyses": {"by": []}, "oasys": {"trio": False}, "region": {"control": False},
        "sensitivity": {"placebo": False, "orders": 0, "calipers": [0.2]},
    }  # fmt: skip
    closed = study_of(tmp_path / "study", plan_of(**quick | {"gate": {"largest_smd": 1e-9}}))
    assert closed.released.results["headline"]["verdict"] == "match_not_adequate"
    assert None not in balance.values()
    assert balance[20] < balance[5]
    assert closed.exact["method"]["ratio"] == min(balance, key=balance.get)

    spied.clear()
    limit = (balance[5] + balance[10]) / 2
    study = study_of(tmp_path / "study", plan_of(**quick | {"gate": {"largest_smd": limit}}))
    assert study.exact["analyses"][0]["status"] == "estimated"
    assert study.exact["method"]["ratio"] == 10
    assert [(one["ratio"], one["is_main"]) for one in study.exact["path"]] == [
        (1, False), (5, False), (10, True),
    ]  # fmt: skip
    assert whole.exact["method"]["ratio"] == 5


def test_advice_in_a_refusal_names_the_plan(study_of, monkeypatch, tmp_path):
    def failing(*_arguments, **_options):
        raise UnfittedError("it did not converge", repair="Use --fit ridge")

    monkeypatch.setattr(analyses_module, "design_and_judge", failing)
    with pytest.raises(UnfittedError, match=r"fit = \"ridge\" in the plan's \[matching\]"):
        study_of(tmp_path / "study")


def test_only_the_room_of_measures_and_that_of_the_cohort_can_read_outcomes():
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "engine").rglob("*.py")
        if "read_years" in path.read_text() and "OUTCOMES" in path.read_text()
    ]

    assert sorted(readers) == [
        "engine/cohort/disposals.py", "engine/effects/measures.py", "engine/store/reading.py",
    ]  # fmt: skip


# ------------------------------------------------------------------------- the same in any way


def test_rows_and_threads_do_not_change_what_is_released(whole, study_of, nation, tmp_path):
    head, *lines = nation.submission.read_text().splitlines()
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([head, *reversed(lines)]) + "\n")
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        other = study_of(tmp_path / "study", submission=turned)
    finally:
        numba.set_num_threads(threads)

    assert released_bytes(other) == released_bytes(whole)


def test_another_plan_has_another_hash_and_content(whole, study_of, tmp_path):
    plan = plan_of(
        matching={"ratio": 2},
        measures={"correction": ["holm", "benjamini_hochberg"]},
        sub_analyses={"by": []},
        oasys={"trio": False},
        region={"control": False},
        sensitivity={"placebo": False, "calipers": [], "orders": 0},
    )
    results = study_of(tmp_path / "study", plan).released.results

    assert results["plan_sha256"] != whole.plan.sha256
    assert (
        results["provenance"]["content_id"] != (whole.released.results["provenance"]["content_id"])
    )
    assert [one["id"] for one in results["analyses"]] == ["main"]
    assert results["trio"] is None
    assert results["path"] == []
    shown = [one for one in results["analyses"][0]["measures"] if not one["withheld"]]
    assert shown
    for one in shown:
        assert one["p_value"] <= one["p_benjamini_hochberg"] + 0.011
        assert one["p_benjamini_hochberg"] <= one["p_holm"] + 0.011


def test_a_run_replaces_an_earlier_study_of_another_plan(study_of, tmp_path):
    quick = {"sub_analyses": {"by": []}, "oasys": {"trio": False}, "region": {"control": False}}
    first = study_of(tmp_path / "study", plan_of(**quick))
    second = study_of(tmp_path / "study", plan_of(matching={"ratio": 3}, **quick))

    assert first.plan.sha256 != second.plan.sha256
    assert json.loads(released_bytes(second))["plan_sha256"] == second.plan.sha256


# -------------------------------------------------------------------------------- resumption


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_run_that_broke_off_goes_on_where_it_was(whole, study_of, monkeypatch, tmp_path, after):
    design = analyses_module.design_and_judge
    calls = []

    def failing(*arguments, **options):
        calls.append(len(calls))
        if len(calls) > after:
            raise KeyboardInterrupt
        return design(*arguments, **options)

    monkeypatch.setattr(analyses_module, "design_and_judge", failing)
    with pytest.raises(KeyboardInterrupt):
        study_of(tmp_path / "study")
    assert not list((tmp_path / "study").rglob("results.json"))
    made = []

    def counting(*arguments, **options):
        made.append(1)
        return design(*arguments, **options)

    monkeypatch.setattr(analyses_module, "design_and_judge", counting)
    study = study_of(tmp_path / "study")
    matched = sum(
        one["status"] != "not_run" and not one["same_as_main"] for one in study.exact["analyses"]
    )

    assert released_bytes(study) == released_bytes(whole)
    assert len(made) == matched - after
    assert audit_is_whole((study.folder / "private" / "audit.log").read_bytes())


def test_a_stage_that_was_damaged_is_made_again(whole, study_of, monkeypatch, tmp_path):
    def broken(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.study.release_results", broken)
    with pytest.raises(KeyboardInterrupt):
        study_of(tmp_path / "study")
    monkeypatch.undo()
    stages = list((tmp_path / "study" / "private" / "shards").glob("*/*"))
    assert any(path.suffix == ".parquet" for path in stages)
    for path in stages:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    assert released_bytes(study_of(tmp_path / "study")) == released_bytes(whole)


SCRIPT = """
import sys
from pathlib import Path
from types import SimpleNamespace
from engine.plan.reading import read_plan
from engine.study import Linking, run
from tests.engine.cohort.support import truth_linker, truth_of
out, name, target, plan = sys.argv[1:]
nation = SimpleNamespace(out=Path(out))
run(nation.out / "submissions" / f"{name}.csv", nation.out / "store", target, plan=plan,
    linking=Linking(linker=truth_linker(truth_of(nation, name))))
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_the_same_bytes(whole, nation, tmp_path):
    target, plan = tmp_path / "study", tmp_path / "plan.toml"
    plan.write_text("[gate]\nlargest_smd = 0.4\n")
    command = [sys.executable, "-c", SCRIPT, str(nation.out), NAME, str(target), str(plan)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if list(target.glob("private/shards/*/main.json")):
            process.send_signal(signal.SIGKILL)
        time.sleep(0.005)
    assert process.wait(60) == -signal.SIGKILL
    assert not (target / "release" / "results.json").exists()

    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert (target / "release" / "results.json").read_bytes() == released_bytes(whole)
    left = [path.name for path in target.rglob("*") if path.name.endswith(".part")]
    assert left == []


# ------------------------------------------------------------------------------------ refusals


def test_a_folder_with_something_else_is_left_alone(study_of, tmp_path):
    (tmp_path / "study").mkdir(mode=0o700)
    (tmp_path / "study" / "letter.txt").write_text("mine")

    with pytest.raises(CannotCreateError):
        study_of(tmp_path / "study")
    assert files_of(tmp_path / "study") == {"letter.txt"}


def test_a_refused_submission_leaves_no_results(study_of, tmp_path):
    (tmp_path / "people.csv").write_text("first_name,last_name\nA,B\n")

    with pytest.raises(InputError, match="rejected"):
        study_of(tmp_path / "study", submission=tmp_path / "people.csv")
    assert not (tmp_path / "study").exists()


def test_a_column_that_the_store_does_not_have_is_named(study_of, tmp_path):
    with pytest.raises(InputError, match="shoe_size"):
        study_of(tmp_path / "study", plan_of(covariates={"add": ["shoe_size"]}))


@pytest.mark.parametrize(
    ("error", "why"),
    [(UnfittedError("it did not converge"), "no_score"), (InputError("nobody"), "no_match")],
)
def test_an_analysis_that_cannot_be_made_says_why(study_of, monkeypatch, tmp_path, error, why):
    design = analyses_module.design_and_judge
    calls = []

    def failing(*arguments, **options):
        calls.append(1)
        if len(calls) > 1:
            raise error
        return design(*arguments, **options)

    monkeypatch.setattr(analyses_module, "design_and_judge", failing)
    plan = plan_of(
        sub_analyses={"by": []}, oasys={"trio": False},
        sensitivity={"calipers": [], "orders": 0, "placebo": False},
    )  # fmt: skip
    main, region = study_of(tmp_path / "study", plan).released.results["analyses"]

    assert main["status"] == "estimated"
    assert (region["status"], region["why_not"], region["verdict"]) == ("not_run", why, None)


def test_a_part_that_the_submission_does_not_have_is_told(whole, study_of, tmp_path):
    with pytest.raises(InputError, match="wing"):
        study_of(tmp_path / "study", plan_of(sub_analyses={"by": ["wing"]}))


def test_a_prompt_shows_the_verdict_alone(whole):
    assert repr(whole) == f"Study({whole.released.results['headline']['verdict']})"


def test_defaults_are_a_plan(whole):
    assert whole.plan.matching == Plan().matching
