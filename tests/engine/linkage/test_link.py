"""Links of a synthetic nation: right ones, calibrated, the same in any order and on any threads."""

import io
import os
import stat

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import AccessError, InputError, UsageError
from engine.linkage.link import link_people
from engine.store.reading import Store
from tests.engine.linkage.conftest import shares, without_numbers

LARGE = "large-beneficial-need"
SMALL = "small-none-need"


def bytes_of(links):
    sink = io.BytesIO()
    plain = links.cast(
        pa.schema(
            [
                (f.name, pa.utf8() if pa.types.is_dictionary(f.type) else f.type)
                for f in links.schema
            ]
        )
    )
    with pa.ipc.new_stream(sink, plain.schema) as writer:
        writer.write_table(plain.combine_chunks())
    return sink.getvalue()


def test_the_table_keeps_its_promise(linked):
    linkage, people, _ = linked(LARGE)
    links = linkage.links
    assert links["row"].to_pylist() == people["row"].to_pylist()
    types = {field.name: field.type for field in links.schema}
    assert (types["row"], types["person_id"]) == (pa.int32(), pa.int64())
    assert types["probability"] == pa.float64()
    for name in ("status", "method", "reason"):
        assert pa.types.is_dictionary(types[name])
    rows = links.to_pylist()
    for row in rows:
        assert (row["status"] == "linked") == (row["person_id"] is not None)
        assert (row["reason"] is None) == (row["status"] == "linked") == (row["method"] is not None)
        assert 0 <= row["probability"] <= 1
    found = [row["person_id"] for row in rows if row["person_id"] is not None]
    assert len(found) == len(set(found))


def test_recall_and_precision_without_and_with_numbers(linked):
    bare, _, who = linked(LARGE, numbers=False)
    precision, recall = shares(bare.links, who)
    assert precision >= 0.999
    assert recall >= 0.95
    full, _, who = linked(LARGE)
    precision, recall = shares(full.links, who)
    assert precision >= 0.999
    assert recall >= 0.975


def test_presets_trade_recall_for_precision(linked):
    links = {
        preset: linked(LARGE, numbers=False, preset=preset)[0].links
        for preset in ("strict", "standard", "broad")
    }
    counts = [links[name]["person_id"].null_count for name in ("strict", "standard", "broad")]
    assert counts[0] > counts[1] > counts[2]
    with pytest.raises(UsageError, match=r"no such preset"):
        linked(SMALL, preset="loose")


def test_probabilities_are_calibrated(linked):
    linkage, _, who = linked(LARGE, numbers=False)
    chance = np.array(linkage.links["probability"])
    person = np.array(linkage.links["person_id"].to_pylist(), dtype=object)
    linked_rows = np.array([one is not None for one in person])
    right = np.array([a is not None and a == b for a, b in zip(person, who, strict=True)])
    expected = linkage.report.expected_false_links
    assert expected == pytest.approx(float((1 - chance[linked_rows]).sum()))
    wrong = int(linked_rows.sum() - right.sum())
    # a Poisson count about its mean
    assert abs(wrong - expected) <= 4 * np.sqrt(expected) + 1
    truth = np.array([one is not None for one in who])
    unlinked = ~linked_rows & (chance < 0.05)
    assert truth[unlinked].mean() < 0.3


def test_the_same_links_on_any_threads_and_in_any_order(nation, submission, linked):
    one, people, _ = linked(LARGE, threads=1)
    two, _, _ = linked(LARGE, threads=2)
    assert bytes_of(one.links) == bytes_of(two.links)
    assert one.band.equals(two.band)
    assert one.report == two.report
    order = np.random.default_rng(3).permutation(people.num_rows)
    shuffled = link_people(
        people.take(pa.array(order)), nation.store, work=nation.folder / "work-order"
    )
    back = shuffled.links.take(pa.array(np.argsort(order)))
    assert bytes_of(back) == bytes_of(one.links)
    assert shuffled.band.equals(one.band)
    assert shuffled.report == one.report


@settings(max_examples=3)
@given(st.sets(st.integers(0, 250), min_size=1, max_size=40))
def test_other_rows_change_no_weight(nation, linked, kept):
    whole, people, _ = linked("medium-none-random", numbers=False)
    rows = pa.array(sorted(kept))
    part = link_people(
        without_numbers(people).take(rows), nation.store, work=nation.folder / "work-part"
    )
    for name in ("weight", "person_id", "status", "probability", "method", "reason"):
        assert part.links[name].to_pylist() == whole.links[name].take(rows).to_pylist()


def test_a_second_row_of_a_person_is_told(nation, submission):
    people, _ = submission(SMALL)
    twice = pa.concat_tables([people, people.slice(0, 5)])
    twice = twice.set_column(0, "row", [list(range(2, twice.num_rows + 2))])
    links = link_people(twice, nation.store, work=nation.folder / "work-twice").links
    first = links.slice(0, 5).to_pylist()
    second = links.slice(people.num_rows).to_pylist()
    for one, other in zip(first, second, strict=True):
        if one["status"] == "linked":
            assert other["reason"] == "same_person_twice"
            assert other["person_id"] is None
        else:
            assert one["reason"] == other["reason"]
    assert any(one["status"] == "linked" for one in first)


def test_the_alias_that_a_sender_gives_finds_the_person(nation, submission):
    people, who = submission(SMALL)
    n = next(i for i, one in enumerate(who) if one is not None)
    one = without_numbers(people).slice(n, 1)
    name = one["first_name"][0].as_py() + " " + one["last_name"][0].as_py()
    for column, value in (("first_name", "Xavierre"), ("last_name", "Qwertyson"), ("alias", name)):
        one = one.set_column(one.column_names.index(column), column, [[value]])
    links = link_people(one, nation.store, work=nation.folder / "work-alias").links
    assert links["person_id"].to_pylist() == [who[n]]


def test_nobody_and_empty_rows(nation, submission):
    people, _ = submission(SMALL)
    none = link_people(people.slice(0, 0), nation.store, work=nation.folder / "work-none")
    assert none.links.num_rows == 0
    assert none.report.rows == 0
    row = without_numbers(people).slice(0, 1)
    for column in ("first_name", "last_name", "gender", "date_of_birth"):
        place = row.column_names.index(column)
        row = row.set_column(place, column, pa.nulls(1, row.schema.field(column).type))
    empty = link_people(row, nation.store, work=nation.folder / "work-empty").links.to_pylist()
    assert [(one["status"], one["reason"]) for one in empty] == [("not_linked", "no_birth_date")]


def test_the_work_folder_is_private_and_swept(nation, submission):
    people, _ = submission(SMALL)
    work = nation.folder / "work-private"
    before = os.umask(0)
    try:
        link_people(people, nation.store, work=work)
    finally:
        os.umask(before)
    assert stat.S_IMODE(work.stat().st_mode) == 0o700
    assert list(work.iterdir()) == []
    # what a killed run left
    (work / "spill").mkdir()
    (work / "spill" / "names.tmp").write_text("SMITH")
    link_people(people, nation.store, work=work)
    assert list(work.iterdir()) == []
    work.chmod(0o755)
    with pytest.raises(AccessError, match=r"open to other users"):
        link_people(people, nation.store, work=work)


def test_a_damaged_store_is_refused_without_a_name(nation, submission):
    people, _ = submission(SMALL)
    link = nation.store.manifest["link"]
    files = {**link["files"], "names": {"name": "gone.parquet"}}
    manifest = {**nation.store.manifest, "link": {**link, "files": files}}
    broken = Store(
        nation.store.folder, manifest, nation.store.extract_date, nation.store.last_index_date
    )
    with pytest.raises(InputError) as caught:
        link_people(people, broken, work=nation.folder / "work-broken")
    text = str(caught.value).casefold()
    assert not any(name.casefold() in text for name in people["last_name"].to_pylist())


def test_progress_is_told_in_order(nation, submission):
    people, _ = submission(SMALL)
    told = []
    link_people(
        people, nation.store, work=nation.folder / "work-told",
        progress=lambda stage, share: told.append((stage, share)),
    )  # fmt: skip
    assert told == [("candidates", 0.0), ("decisions", 0.0), ("decisions", 1.0)]


def test_rows_in_portions_are_linked_as_together(nation, linked, monkeypatch):
    whole, people, _ = linked("medium-none-random", numbers=False)
    monkeypatch.setattr("engine.linkage.link.ROWS_AT_ONCE", 120)
    parts = link_people(without_numbers(people), nation.store, work=nation.folder / "work-portions")
    assert bytes_of(parts.links) == bytes_of(whole.links)
    assert parts.band.equals(whole.band)


def test_nothing_is_said_while_people_are_linked(nation, submission, capfd, caplog):
    people, _ = submission(SMALL)
    with caplog.at_level("DEBUG"):
        link_people(people, nation.store, work=nation.folder / "work-quiet")
    assert capfd.readouterr() == ("", "")
    said = caplog.text.casefold()
    names = {name.casefold() for name in people["last_name"].to_pylist()}
    assert not any(f"'{name}'" in said for name in names)
