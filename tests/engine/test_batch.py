"""Many studies at once: each the bytes of its own run, failures apart, resumed, compared."""

import csv
import datetime as dt
import json
import shutil
from contextlib import ExitStack
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import batch_shared, batch_work, study_footprint
from engine.batch import batch
from engine.batch_work import Options
from engine.cohort.base import open_base, write_base
from engine.cohort.choose import choose_index
from engine.cohort.pool import comparison_pool, pool_base
from engine.cohort.rules import IndexRules
from engine.errors import InputError, StorageError, UsageError
from engine.linkage.link import Wanted, link_people, link_submissions
from engine.plan.reading import check_plan
from engine.release.batch_overlap import too_alike, warnings_of
from engine.release.batch_results import STANDINGS, changes, quarter_of, requests
from engine.release.folder import locked
from engine.requested import request_of
from engine.store.reading import read_years
from engine.study import run
from engine.submission.check import check_submission
from engine.submission.waves import WAVE_ROWS, join_waves
from tests.certify.batches import NAMES, write_plan
from tests.engine.cohort.support import truth_linker, truth_of

RECORDS = {"manifest.json", "audit.log"}


@pytest.fixture(scope="module")
def plans(truth_nation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plans")
    (folder / "files").symlink_to(truth_nation.out / "submissions")
    for number, name in enumerate(NAMES):
        write_plan(folder, f"s{number}", f'submission = "files/{name}.csv"')
    write_plan(folder, "pooled", "waves = [" + ", ".join(f'"files/{n}.csv"' for n in NAMES) + "]")
    write_plan(folder, "lost", 'submission = "files/nobody.csv"')
    return folder


@pytest.fixture(scope="module")
def made(plans, truth_nation, tmp_path_factory):
    out = tmp_path_factory.mktemp("batch") / "batch"
    return batch(sorted(plans.glob("*.toml")), truth_nation.store.folder, out)


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in RECORDS
    }


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def never(*_, **__):
    pytest.fail("a finished study was run again")


# --------------------------------------------------------------------------- the same as one by one


@pytest.mark.parametrize("name", ["s0", "pooled"])
def test_a_study_of_a_batch_has_the_bytes_of_its_own_run(made, plans, truth_nation, tmp_path, name):
    run(None, truth_nation.store.folder, tmp_path / "study", plan=plans / f"{name}.toml")

    assert files_of(made.folder / "studies" / name) == files_of(tmp_path / "study")


def test_submissions_linked_together_have_the_links_of_each_alone(truth_nation, tmp_path):
    paths = sorted((truth_nation.out / "submissions").glob("*.csv"))
    people = [check_submission(path, fewest=1).table for path in paths]
    # a small number of rows at once, so that submissions are cut and share a part
    wanted = [Wanted(one) for one in people]
    together = list(link_submissions(wanted, truth_nation.store, work=tmp_path / "all"))

    assert [number for number, _ in together] == list(range(len(paths)))
    for one, (_, found) in zip(people, together, strict=True):
        alone = link_people(one, truth_nation.store, work=tmp_path / "one")
        assert found.links.equals(alone.links)
        assert found.band.equals(alone.band)
        assert found.report == alone.report


def test_submissions_may_be_cut_anywhere(truth_nation, tmp_path, monkeypatch):
    path = truth_nation.out / "submissions" / f"{NAMES[0]}.csv"
    people = check_submission(path).table.slice(0, 60)
    whole = link_people(people, truth_nation.store, work=tmp_path / "w")
    monkeypatch.setattr("engine.linkage.link.ROWS_AT_ONCE", 25)
    cut = [people.slice(0, 35), people.slice(35), people.slice(0, 0)]
    parts = list(
        link_submissions([Wanted(p) for p in cut], truth_nation.store, work=tmp_path / "w")
    )

    columns = ["row", "status", "person_id", "weight"]
    found = [row for _, one in parts for row in one.links.select(columns).to_pylist()]
    assert found == whole.links.select(columns).to_pylist()


# ----------------------------------------------------------------------------- waves of one service


def test_a_person_of_several_waves_counts_once_and_is_linked_in_each(made):
    folders = [made.folder / "studies" / name / "private" for name in ("s0", "s1", "pooled")]
    links = [pq.read_table(folder / "links.parquet").to_pylist() for folder in folders]
    treated = [pq.read_table(folder / "treated.parquet").to_pylist() for folder in folders]
    people = [one["person_id"] for one in treated[2]]

    for wave, alone in enumerate(links[:2], 1):
        pooled = [one for one in links[2] if one["row"] // WAVE_ROWS == wave]
        same = [{**one, "row": one["row"] - wave * WAVE_ROWS} for one in pooled]
        assert same == alone
    assert len(people) == len(set(people))
    assert set(people) == {one["person_id"] for some in treated[:2] for one in some}


def test_the_same_people_in_two_waves_are_analysed_once(truth_nation, tmp_path):
    check = check_submission(truth_nation.out / "submissions" / f"{NAMES[0]}.csv")
    both = join_waves([check, check])
    linker = truth_linker(truth_of(truth_nation, NAMES[0]))
    alone, twice = (
        choose_index(one.table, linker(one.table, truth_nation.store).links, truth_nation.store)
        for one in (check, both)
    )

    assert (both.rows, both.usable) == (2 * check.rows, 2 * check.usable)
    assert len(set(both.table["row"].to_pylist())) == both.usable
    assert twice.treated["disposal_id"].equals(alone.treated["disposal_id"])
    again = twice.losses["reason"].to_pylist().count("repeat_participation")
    assert again >= alone.treated.num_rows


def test_few_people_in_one_wave_are_enough_together(truth_nation):
    path = truth_nation.out / "submissions" / "small-none-need.csv"
    check = check_submission(path, fewest=1)
    few = join_waves([check])

    assert check.usable < 60
    assert "fewer_than_60_usable" in {problem.rule for problem in few.problems}
    assert join_waves([check, check_submission(path.with_name(f"{NAMES[0]}.csv"))]).usable > 60


# ------------------------------------------------------------------------------- failures, resuming


def test_a_study_that_fails_stops_no_other(made):
    assert {row["study"] for row in made.rows} == {"s0", "s1", "pooled"}
    assert list(made.failed) == ["lost"]
    assert "no such submission" in made.failed["lost"]
    assert not (made.folder / "studies" / "lost").exists()


def test_an_error_that_nobody_expected_stays_with_its_study(
    plans, truth_nation, tmp_path, monkeypatch
):
    def broken(*_, **__):
        message = "Smith"
        raise ValueError(message)

    monkeypatch.setattr(batch_work, "run_request", broken)
    found = batch([plans / "s0.toml"], truth_nation.store.folder, tmp_path / "batch")

    assert found.rows == []
    assert "ValueError" in found.failed["s0"]
    assert "Smith" not in found.failed["s0"]


def held_study(out, made):
    """The folder of a study of a batch, for another process to hold."""
    private = out / "studies" / "s0" / "private"
    private.mkdir(mode=0o700, parents=True)
    for folder in (out, private.parent):
        folder.chmod(0o700)
    shutil.copy(made.folder / "manifest.json", out)
    return private


def test_a_study_waits_for_another_process_that_is_at_it(
    plans, truth_nation, made, tmp_path, monkeypatch
):
    out, waits = tmp_path / "batch", []
    stack = ExitStack()
    stack.enter_context(locked(held_study(out, made)))

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            stack.close()

    monkeypatch.setattr(batch_work.time, "sleep", wait)
    with stack:
        found = batch([plans / "s0.toml"], truth_nation.store.folder, out)

    assert len(waits) == 2
    assert found.failed == {}
    own, theirs = (files_of(f / "studies" / "s0") for f in (out, made.folder))
    assert own == theirs


def test_a_study_that_is_held_for_ever_fails_alone(
    plans, truth_nation, made, tmp_path, monkeypatch
):
    out = tmp_path / "batch"
    monkeypatch.setattr(batch_work, "_PATIENCE", 0)
    monkeypatch.setattr(batch_work.time, "sleep", lambda _: None)
    with locked(held_study(out, made)):
        found = batch(
            [plans / f"{name}.toml" for name in ("s0", "s1")], truth_nation.store.folder, out
        )

    assert list(found.failed) == ["s0"]
    assert "Another run is writing" in found.failed["s0"]
    assert [row["study"] for row in found.rows] == ["s1"]


def test_a_batch_that_broke_off_goes_on(plans, truth_nation, made, tmp_path, monkeypatch):
    both, whole, calls = [plans / "s0.toml", plans / "s1.toml"], batch_work.run_request, []
    store, out = truth_nation.store.folder, tmp_path / "batch"

    def full(request, *rest, **options):
        calls.append(request)
        if len(calls) == 1:
            raise StorageError("the disk is full")
        return whole(request, *rest, **options)

    (out / "studies").mkdir(mode=0o700, parents=True)
    out.chmod(0o700)
    shutil.copytree(made.folder / "studies" / "s0", out / "studies" / "s0")
    shutil.copy(made.folder / "manifest.json", out)
    monkeypatch.setattr(batch_work, "run_request", full)
    with pytest.raises(StorageError):
        batch(both, store, out)
    assert json.loads((out / "manifest.json").read_text())["status"] == "incomplete"
    monkeypatch.setattr("engine.linkage.link.find_candidates", never)
    found = batch(both, store, out)

    assert len(calls) == 2
    own, theirs = (files_of(f / "studies" / "s1") for f in (found.folder, made.folder))
    assert own == theirs
    monkeypatch.setattr(batch_work, "run_request", never)
    assert batch(both, store, out).rows == found.rows


def test_stages_that_a_killed_run_left_beside_a_whole_study_are_removed(
    plans, truth_nation, made, tmp_path
):
    out = tmp_path / "batch"
    (out / "studies").mkdir(mode=0o700, parents=True)
    out.chmod(0o700)
    shutil.copytree(made.folder / "studies" / "s0", out / "studies" / "s0")
    shutil.copy(made.folder / "manifest.json", out)
    left = out / "studies" / "s0" / "private" / "shards" / "study-0123456789abcdef"
    left.mkdir(mode=0o700)
    (left / "found-links.parquet").write_bytes(b"people")
    batch([plans / "s0.toml"], truth_nation.store.folder, out)

    assert not left.exists()
    own, theirs = (files_of(f / "studies" / "s0") for f in (out, made.folder))
    assert own == theirs


def test_shares_and_processes_take_up_what_is_finished(plans, truth_nation, made, tmp_path):
    three = [plans / f"{name}.toml" for name in ("lost", "s0", "s1")]
    out, store = tmp_path / "batch", truth_nation.store.folder
    assert batch(three, store, out, share="1/2") is None
    with pytest.raises(InputError, match="is missing"):
        batch(three, store, out, collect=True)
    # of the second share one study is there already; the other is for a process of its own
    shutil.copytree(made.folder / "studies" / "s0", out / "studies" / "s0")
    assert batch(three, store, out, share="2/2", workers=1) is None
    found = batch(three, store, out, collect=True)

    assert [row for row in made.rows if row["study"] != "pooled"] == found.rows
    assert list(found.failed) == ["lost"]
    for name in ("s0", "s1"):
        own, theirs = (files_of(f / "studies" / name) for f in (out, made.folder))
        assert own == theirs


def test_the_pool_is_bounded_by_the_kinds_of_disposals_that_a_plan_takes(truth_nation):
    store, check = truth_nation.store, SimpleNamespace(table=None)
    index = read_years(store, "index", ["index_type", "excluded", "index_date"])
    last = store.last_index_date.year
    included = [
        str(kind)
        for kind, excluded, day in zip(
            *(index[name].to_pylist() for name in index.column_names), strict=True
        )
        if excluded is None and day is not None and day.year <= last
    ]
    for kinds in (["community order"], ["release from custody", "caution"]):
        plan = check_plan({"index": {"index_types": kinds}}, "plan")
        _, pool = study_footprint.rows_of_study(store, plan, check)
        assert pool == sum(included.count(kind) for kind in kinds) > 0


@pytest.mark.parametrize("workers", [None, 3])
def test_a_batch_that_does_not_fit_its_ceiling_links_nobody(
    plans, truth_nation, tmp_path, monkeypatch, workers
):
    told = []
    monkeypatch.setattr(batch_shared, "link_submissions", lambda *_, **__: told.append("linked"))
    enough = 1 << 30
    ceiling = enough - 1 if workers is None else (workers + 1) * enough - 1
    monkeypatch.setattr(study_footprint, "_RECORDS", enough)

    with pytest.raises(StorageError, match="--memory"):
        batch(
            [plans / "s0.toml"],
            truth_nation.store.folder,
            tmp_path / "out",
            workers=workers,
            options=Options(ceiling=ceiling),
        )
    assert not told


def test_names_that_cannot_be_told_apart_are_refused(plans, truth_nation, tmp_path):
    (tmp_path / "s0.toml").write_text("")
    store = truth_nation.store.folder
    for wrong in ([plans / "s0.toml", tmp_path / "s0.toml"], [], [tmp_path / "..toml"]):
        with pytest.raises(UsageError):
            batch(wrong, store, tmp_path / "batch")
    assert not (tmp_path / "batch").exists()


# ------------------------------------------------------------------------------ what is told of all


def test_the_summary_is_what_was_released(made):
    rows = {row["study"]: row for row in rows_of(made.folder / "summary.csv")}
    for name in ("s0", "s1", "pooled"):
        text = (made.folder / "studies" / name / "release" / "results.json").read_text()
        released = json.loads(text)
        counts = released["analyses"][0]["counts"]

        assert float(rows[name]["people"]) == counts["treated_matched"]
        assert counts["treated_matched"] % 5 == 0
        assert rows[name]["plan_sha256"] == released["plan_sha256"]
        assert rows[name]["store_id"] == released["provenance"]["store_id"]
    page = (made.folder / "index.html").read_text()
    assert page.count('href="studies/') == 3
    (line,) = rows_of(made.folder / "requests.csv")[:1]
    assert (line["quarter"], line["requested"], line["failed"]) == ("2026 Q1", "4", "1")


def test_what_changed_is_told_with_its_cause(made, plans, truth_nation, tmp_path):
    plan = (plans / "s0.toml").read_text().replace("calipers = [0.2]", "calipers = [0.1]")
    (tmp_path / "s0.toml").write_text(plan.replace("files/", f"{plans}/files/"))
    (tmp_path / "s9.toml").write_text((plans / "lost.toml").read_text())
    found = batch(
        sorted(tmp_path.glob("*.toml")), truth_nation.store.folder, tmp_path / "next",
        previous=made.folder,
    )  # fmt: skip
    lines = {line["study"]: line for line in found.changes}

    assert (lines["s0"]["status"], lines["s0"]["because"]) == ("same", "plan")
    assert {lines[name]["status"] for name in ("s1", "pooled")} == {"gone"}
    page = (tmp_path / "next" / "index.html").read_text()
    assert "What changed since the last release" in page
    assert "No longer here" in page
    with pytest.raises(InputError, match="no finished batch"):
        batch([plans / "s0.toml"], truth_nation.store.folder, tmp_path / "x", previous=tmp_path)


def test_a_figure_that_differs_is_named():
    row = {"study": "a", "service": "A", "verdict": "fewer", "people": 100.0, "difference": -5.0,
           "plan_sha256": "p", "code_sha256": "c", "store_id": "s"}  # fmt: skip
    (line,) = changes([{**row, "difference": -4.0, "store_id": "t"}], [row])

    assert (line["status"], line["changed"], line["because"]) == ("changed", "difference", "store")
    assert (line["difference_before"], line["difference_now"]) == (-5.0, -4.0)
    assert changes([row], [row])[0]["status"] == "same"
    assert changes([row], [])[0]["status"] == "new"


def test_requests_add_up():
    asked = {"a": dt.date(2026, 3, 31), "b": dt.date(2026, 4, 1), "c": None}
    reported = {"a": dt.date(2026, 6, 30), "b": dt.date(2026, 6, 30)}
    lines = requests(asked, reported, {"a": "fewer", "b": "withheld"})

    assert [line["quarter"] for line in lines] == ["2026 Q1", "2026 Q2", "not given"]
    assert sum(line["requested"] for line in lines) == 3
    assert sum(line["reported"] for line in lines) == 2
    assert sum(line[name] for line in lines for name in STANDINGS) == 2
    assert lines[-1]["failed"] == 1
    assert quarter_of(dt.date(2026, 12, 31)) == "2026 Q4"


def test_what_is_given_goes_before_what_the_plan_names(plans, tmp_path):
    given = request_of(plans / "s0.toml", tmp_path / "other.csv")

    assert given.files == (tmp_path / "other.csv",)
    assert request_of(plans / "s0.toml").files == (plans / f"files/{NAMES[0]}.csv",)
    with pytest.raises(UsageError, match="no submission"):
        request_of(None)


def test_what_pools_share_changes_none_of_them(truth_nation, tmp_path):
    store, rules = truth_nation.store, IndexRules()
    names = ("disposal_id", "sex", "probation_region", "age_at_index", "person_id")
    write_base(tmp_path, pool_base(store, rules), store, names)
    base = open_base(tmp_path)
    path = truth_nation.out / "submissions" / f"{NAMES[0]}.csv"
    check = check_submission(path)
    linker = truth_linker(truth_of(truth_nation, NAMES[0]))
    choice = choose_index(check.table, linker(check.table, store).links, store)

    alone, shared = (
        comparison_pool(store, choice.treated, rules, removed=choice.linked, base=one).table
        for one in (None, base)
    )
    assert alone.num_rows > 100
    assert alone.equals(shared)
    index = read_years(store, "index", list(names))
    rows = pa.array(alone["position"].to_numpy())
    for name in names:
        assert (
            index.take(rows)[name]
            .combine_chunks()
            .equals(base.index.take(rows)[name].combine_chunks())
        )


def test_what_pools_share_is_removed_at_the_end(made):
    assert not list((made.folder / "private").glob("*pool*"))


def test_studies_of_nearly_the_same_people_are_named():
    now = {"a": frozenset(range(100)), "b": frozenset(range(5, 100)), "c": frozenset(range(100))}
    before = {"a": frozenset(range(110)), "d": frozenset(range(200, 300))}
    pairs = too_alike(now, before)

    assert ("a", "b") in pairs
    assert ("a", "c") not in pairs
    assert {("a", "a (before)"), ("b", "a (before)"), ("c", "a (before)")} <= set(pairs)
    assert all("d (before)" not in pair for pair in pairs)
    assert all("do not hand over both" in text for text in warnings_of(pairs))


def test_a_wave_and_the_study_of_all_waves_are_too_different_to_be_named(made):
    assert made.warnings == []
