"""A store is the same however it is made, is renewed where records changed, and survives kills."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from engine.errors import InputError, UsageError
from engine.store import prepare as prepare_module
from engine.store.drift import drift_notes
from engine.store.prepare import last_index_date, prepare
from engine.store.reading import open_store, read_whole, read_years
from tests.engine.store.nation import EXTRACT_DAY, make_extract, make_tables, write_extract

ROOT = Path(__file__).resolve().parents[3]
SIZE = 100


@pytest.fixture(scope="module")
def tables():
    return make_tables(500, 11, 0.3)


@pytest.fixture
def extract(tmp_path, tables):
    write_extract(tmp_path / "extract", tables, 3)
    return tmp_path / "extract"


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def changed(tables, **cells):
    """Tables in which the first offence has another date of proof, two years later."""
    table = tables["offences"]
    proof = table["conviction_date"].to_pylist()
    proof[0] = max(proof[0], dt.date(2023, 5, 5))
    place = table.column_names.index("conviction_date")
    return {**tables, "offences": table.set_column(place, "conviction_date", pa.array([*proof]))}


def test_the_same_bytes_for_any_threads_memory_and_way_of_cutting_files(tmp_path, tables):
    write_extract(tmp_path / "a", tables, 1)
    prepare(tmp_path / "a", tmp_path / "one", threads=1, people_in_a_partition=SIZE)
    prepare(
        tmp_path / "a",
        tmp_path / "two",
        threads=3,
        memory_bytes=96 << 20,
        people_in_a_partition=SIZE,
    )
    assert tree(tmp_path / "one") == tree(tmp_path / "two")

    write_extract(tmp_path / "b", tables, 4)
    prepare(tmp_path / "b", tmp_path / "three", people_in_a_partition=SIZE)
    parts = {name: content for name, content in tree(tmp_path / "one").items() if "/" in name}
    again = {name: content for name, content in tree(tmp_path / "three").items() if "/" in name}
    assert {n for n in parts if "quarantine" not in n} == {
        n for n in again if "quarantine" not in n
    }


def test_everything_is_private(extract, tmp_path):
    before = os.umask(0)
    try:
        prepare(extract, tmp_path / "store")
    finally:
        os.umask(before)
    for path in [tmp_path / "store", *(tmp_path / "store").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "store" / "work").exists()


def test_unchanged_partitions_are_kept(extract, tables, tmp_path):
    store = tmp_path / "store"
    first = prepare(extract, store, people_in_a_partition=SIZE)
    assert (first.rebuilt, first.reused) == (5, 0)
    before = tree(store)
    again = prepare(extract, store, people_in_a_partition=SIZE)
    assert (again.rebuilt, again.reused) == (0, 5)
    assert tree(store) == before

    write_extract(extract, changed(tables), 3)
    third = prepare(extract, store)
    assert (third.rebuilt, third.reused) == (1, 4)
    fresh = tmp_path / "fresh"
    prepare(extract, fresh, people_in_a_partition=SIZE)
    for kind in ("index", "outcomes"):
        renewed, new = (read_years(open_store(one), kind) for one in (store, fresh))
        assert renewed.equals(new)
    named = {name for name in tree(store) if "-index" in name}
    assert len(named) == 5  # nothing is left of the partition that was replaced


def test_new_people_and_new_codes_leave_old_partitions_alone(extract, tables, tmp_path):
    store = tmp_path / "store"
    prepare(extract, store, people_in_a_partition=SIZE)
    more = make_tables(130, 12, 0.3)
    shift = {"person_id": 10_000_000, "disposal_id": 10_000_000, "offence_id": 10_000_000,
             "principal_offence_id": 10_000_000, "spell_id": 10_000_000,
             "assessment_id": 10_000_000}  # fmt: skip
    joined = {}
    for name, table in tables.items():
        added = more[name]
        for column, by in shift.items():
            if column in added.column_names:
                place = added.column_names.index(column)
                kind = added.schema.field(column)
                added = added.set_column(place, kind, pc.add(added[column], pa.scalar(by)))
        if name == "disposals":
            place = added.column_names.index("police_force")
            forces = pa.array(["00"] * added.num_rows).dictionary_encode()
            added = added.set_column(place, "police_force", forces)
        joined[name] = pa.concat_tables([table, added], promote_options="permissive")
    write_extract(extract, joined, 2)
    result = prepare(extract, store, people_in_a_partition=SIZE)
    # the last old partition is open at its end, so people that follow it may fall into it
    assert result.reused >= 4
    assert result.rebuilt <= 3
    forces = read_years(open_store(store), "index", ["police_force"])["police_force"]
    assert set(forces.to_pylist()) == {"00", "01", "06", "20", "31"}
    assert open_store(store).manifest["code_lists"]["police_force"][-1] == "00"


@pytest.mark.parametrize("step", ["_build", "write_link_index", "write_manifest", "sweep"])
def test_a_run_that_breaks_off_leaves_a_store(extract, tables, tmp_path, monkeypatch, step):
    store = tmp_path / "store"
    prepare(extract, store, people_in_a_partition=SIZE)
    old = read_years(open_store(store), "outcomes").to_pylist()
    write_extract(extract, changed(tables), 3)

    def broken(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare_module, step, broken)
    with pytest.raises(KeyboardInterrupt):
        prepare(extract, store)
    monkeypatch.undo()
    left = read_years(open_store(store), "outcomes").to_pylist()
    if step != "sweep":
        assert left == old
    result = prepare(extract, store)
    assert result.rebuilt == (1 if step == "_build" else 0)
    prepare(extract, tmp_path / "fresh", people_in_a_partition=SIZE)
    assert set(tree(store / "parts")) == set(tree(tmp_path / "fresh" / "parts"))


def test_killed_runs_leave_the_old_store_and_the_next_one_finishes(tmp_path, tables):
    extract, store = tmp_path / "extract", tmp_path / "store"
    write_extract(extract, tables, 1)
    prepare(extract, store, people_in_a_partition=50)
    old = (store / "manifest.json").read_bytes()
    hashes = {f["sha256"] for p in json.loads(old)["partitions"] for f in p["files"].values()}
    names = {f["name"] for p in json.loads(old)["partitions"] for f in p["files"].values()}
    # one changed cell for everybody, so that each partition is made anew
    profile = tables["person_profile"]
    place = profile.column_names.index("nationality_group")
    groups = pa.array(["elsewhere"] * profile.num_rows).dictionary_encode()
    write_extract(
        extract,
        {**tables, "person_profile": profile.set_column(place, "nationality_group", groups)},
        1,
    )
    code = f"from engine.store.prepare import prepare; prepare({str(extract)!r}, {str(store)!r})"
    killed = 0
    for wait in (0.8, 1.6, 2.4):
        child = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
        if (store / "manifest.json").read_bytes() == old:
            assert names <= set(tree(store / "parts"))
    assert killed
    prepare(extract, store)
    prepare(extract, tmp_path / "fresh", people_in_a_partition=50)
    assert tree(store / "parts") == tree(tmp_path / "fresh" / "parts")
    manifest = json.loads((store / "manifest.json").read_bytes())
    assert not hashes & {p["files"]["index"]["sha256"] for p in manifest["partitions"]}


def test_a_damaged_partition_is_made_anew(extract, tmp_path):
    store = tmp_path / "store"
    prepare(extract, store, people_in_a_partition=SIZE)
    before = tree(store)
    (one, *_) = (store / "parts").glob("*-outcomes.arrow")
    content = bytearray(one.read_bytes())
    content[len(content) // 2] ^= 1
    one.write_bytes(content)
    assert prepare(extract, store).rebuilt == 1
    assert tree(store) == before


def test_drift_is_noted_by_year(extract, tables, tmp_path):
    store = tmp_path / "store"
    prepare(extract, store)
    table = tables["disposals"]
    years = np.array([day.year if day else 0 for day in table["index_date"].to_pylist()])
    kept = table.filter(pa.array((years != 2015) | (np.arange(len(years)) % 2 == 0)))
    place = kept.column_names.index("probation_region")
    empty = kept.set_column(place, "probation_region", pa.nulls(len(kept), pa.utf8()))
    gone = set(table["disposal_id"].to_pylist()) - set(kept["disposal_id"].to_pylist())
    offences = tables["offences"]
    mask = pa.array([one not in gone for one in offences["disposal_id"].to_pylist()])
    spells = tables["custody_spells"]
    inside = pa.array([one not in gone for one in spells["disposal_id"].to_pylist()])
    write_extract(
        extract,
        {
            **tables,
            "disposals": empty,
            "offences": offences.filter(mask),
            "custody_spells": spells.filter(inside),
        },
        1,
    )
    notes = prepare(extract, store).drift
    assert any(note.startswith("2015: ") and "before" in note for note in notes)
    assert any("probation_region empty in 100.0 %" in note for note in notes)
    assert open_store(store).manifest["drift"] == list(notes)


def test_rates_without_a_full_follow_up_are_not_compared():
    old = {
        "2020": {"included": 100, "reoffenders": 20},
        "2022": {"included": 100, "reoffenders": 9},
    }
    new = {
        "2020": {"included": 100, "reoffenders": 30},
        "2022": {"included": 100, "reoffenders": 30},
    }
    notes = drift_notes(old, new, 2022)
    assert [note for note in notes if "reoffended" in note] == [
        "2020: 30.0 % reoffended, 20.0 % before"
    ]


@pytest.mark.parametrize(
    ("extract_date", "last"),
    [
        ((2024, 3, 31), (2022, 9, 30)),
        ((2024, 2, 29), (2022, 8, 31)),  # 31 August and 18 months is 29 February
        ((2023, 2, 28), (2021, 8, 31)),
        ((2024, 1, 15), (2022, 7, 15)),
        ((2023, 8, 31), (2022, 2, 28)),
        ((2025, 8, 30), (2024, 2, 29)),
    ],
)
def test_last_usable_index_date(extract_date, last):
    assert last_index_date(dt.date(*extract_date)) == dt.date(*last)


def test_the_mark_of_people_who_do_not_exist_is_kept_and_can_be_taken_away(tmp_path, tables):
    ids = []
    for marks, synthetic in (
        ({}, False),
        ({"synthetic": True}, True),
        ({"synthetic": False}, False),
    ):
        write_extract(tmp_path / "extract", tables, **marks)
        made = prepare(tmp_path / "extract", tmp_path / "store", people_in_a_partition=SIZE)
        assert open_store(tmp_path / "store").synthetic is synthetic
        assert made.rebuilt == (0 if ids else 5)  # no figure depends on it
        ids.append(made.manifest["extract_sha256"])
    assert len(set(ids)) == 3  # another description is another extract
    manifest = open_store(tmp_path / "store").manifest
    del manifest["synthetic"]
    (tmp_path / "store" / "manifest.json").write_text(json.dumps(manifest))
    assert not open_store(tmp_path / "store").synthetic  # made by an older version


def test_reading_columns_and_years(extract, tmp_path):
    prepare(extract, tmp_path / "store", people_in_a_partition=SIZE)
    store = open_store(tmp_path / "store")
    assert store.extract_date == EXTRACT_DAY
    assert store.last_index_date == dt.date(2022, 9, 30)
    whole = read_years(store, "index")
    some = read_years(store, "index", ["person_id", "sex", "index_year"], [2014, 2016])
    assert some.column_names == ["person_id", "sex", "index_year"]
    wanted = pc.is_in(whole["index_year"], pa.array([2014, 2016], pa.int16()))
    assert some.to_pylist() == whole.filter(wanted).select(some.column_names).to_pylist()
    assert 2014 in store.years
    assert not set(whole.column_names) & {"reoffended", "n_reoffences", "days_to_first_reoffence"}
    no_date = read_years(store, "index", ["index_date"], [0])
    assert no_date["index_date"].null_count == len(no_date)
    assert read_years(store, "index", ["sex"], [1900]).num_rows == 0
    spells = read_whole(store, "custody")
    assert spells["person_id"].to_pylist() == sorted(spells["person_id"].to_pylist())
    with pytest.raises(UsageError):
        read_years(store, "index", ["no_such_column"])
    with pytest.raises(UsageError):
        read_years(store, "custody")
    for part in (tmp_path / "store" / "parts").glob("*-index.arrow"):
        part.write_bytes(b"")
    with pytest.raises(InputError):
        read_years(store, "index")


def test_an_extract_without_optional_tables(tmp_path, tables):
    few = {k: v for k, v in tables.items()
           if k in {"persons", "person_profile", "disposals", "offences"}}  # fmt: skip
    make_extract(tmp_path / "extract", 10, 0)
    for name in set(tables) - set(few):
        for file in (tmp_path / "extract").rglob(f"{name}/*.parquet"):
            file.unlink()
    write_extract(tmp_path / "extract", few, 1)
    prepare(tmp_path / "extract", tmp_path / "store")
    index = read_years(open_store(tmp_path / "store"), "index")
    assert index["oasys_days_before"].null_count == len(index)
    assert len(index) == tables["disposals"].num_rows
