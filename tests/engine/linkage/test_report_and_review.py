"""The report adds up, and the review band goes out and comes back as decisions."""

import csv
import datetime as dt
import re
import stat

import pyarrow as pa
import pytest
import python_calamine as calamine

from engine.errors import CannotCreateError, InputError
from engine.linkage.decisions import Decided
from engine.linkage.link import link_people
from engine.linkage.report import AGE_BANDS, make_report
from engine.linkage.review import decisions_csv, read_review, write_review
from tests.engine.linkage.conftest import shares, without_numbers

LARGE = "large-beneficial-need"


@pytest.fixture(scope="module")
def reviewed(linked, tmp_path_factory):
    linkage, people, who = linked(LARGE, numbers=False)
    path = tmp_path_factory.mktemp("review") / "review.xlsx"
    write_review(linkage.band, path)
    return linkage, people, who, path


def sheet(path):
    return calamine.CalamineWorkbook.from_path(path).get_sheet_by_name("Review").to_python()


def fill(path, target, answers):
    """Save the review as a csv with answers by row and candidate."""
    head, *lines = sheet(path)
    place = {name: i for i, name in enumerate(head)}
    for line in lines:
        key = int(line[place["Row"]]), int(line[place["Candidate"]])
        for name, value in answers.get(key, {}).items():
            line[place[name]] = value
    with target.open("w", newline="") as file:
        csv.writer(file).writerows([head, *lines])
    return target


def answer(word, **changes):
    return {
        "Decision": word, "Decided by": "A. Clerk", "Decided on": "31/12/2025",
        "Why": "same address", **changes,
    }  # fmt: skip


def test_the_report_adds_up(linked):
    linkage, people, _ = linked(LARGE)
    report = linkage.report
    assert report.rows == people.num_rows == report.linked + report.unresolved + report.not_linked
    assert sum(one.links for one in report.methods) == report.linked
    assert sum(report.reasons.values()) == report.unresolved + report.not_linked
    assert sum(one.expected_false for one in report.methods) == pytest.approx(
        report.expected_false_links
    )
    statuses = linkage.links["status"].to_pylist()
    assert statuses.count("unresolved") == report.unresolved
    assert report.identifiers["pnc_id"] == people.num_rows - people["pnc_id"].null_count
    with_weight = people.num_rows - linkage.links["weight"].null_count
    assert sum(rows for _, rows, _ in report.weights) == with_weight
    assert sum(hits for _, _, hits in report.weights) == report.linked
    assert sum(rows for _, _, rows, _ in report.probabilities) == with_weight
    for low, high, rows, expected in report.probabilities:
        assert low * rows <= expected + 1e-9
        assert expected <= high * rows + 1e-9


def test_a_start_before_birth_has_no_age_band(linked):
    linkage, people, _ = linked(LARGE)
    place = people.column_names.index("date_of_birth")
    late = pa.array([dt.date(2030, 1, 1)] * people.num_rows, pa.date32())
    nobody = [Decided(None, "not_linked", None, 0.0, "not_found", None)] * people.num_rows
    report = make_report(people.set_column(place, "date_of_birth", late), nobody)
    levels = {one.level for one in report.bias if one.column == "age"}
    assert levels == {"not known"}
    assert "not known" not in {one.level for one in linkage.report.bias if one.column == "age"}


def test_the_bias_table_compares_each_kind_with_all_others(linked):
    linkage, people, _ = linked(LARGE)
    hit = [one == "linked" for one in linkage.links["status"].to_pylist()]
    bias = {(one.column, one.level): one for one in linkage.report.bias}
    sexes = people["gender"].to_pylist()
    women = [a for a, sex in zip(hit, sexes, strict=True) if sex == "F"]
    men = [a for a, sex in zip(hit, sexes, strict=True) if sex == "M"]
    one = bias["sex", "F"]
    assert (one.rows, one.linked) == (len(women), sum(women))
    assert one.share == sum(women) / len(women)
    assert one.difference == pytest.approx(one.share - sum(men) / len(men))
    assert 0 < one.standard_error < 0.1
    assert {column for column, _ in bias} == {
        "sex", "age", "identifier", "service_site", "completed"
    }  # fmt: skip
    ages = [level for column, level in bias if column == "age"]
    assert ages == [label for _, label in AGE_BANDS if label in ages]
    assert ages[0] == "under 21"
    for column in ("sex", "age", "identifier"):
        assert sum(one.rows for key, one in bias.items() if key[0] == column) == people.num_rows


def test_the_band_holds_every_unresolved_row_and_no_other(reviewed):
    linkage, _, _, _ = reviewed
    links = linkage.links.to_pylist()
    doubtful = {row["row"] for row in links if row["status"] == "unresolved"}
    assert set(linkage.band["row"].to_pylist()) == doubtful
    keys = list(zip(linkage.band["row"].to_pylist(), linkage.band["candidate"].to_pylist(),
                    strict=True))  # fmt: skip
    assert keys == sorted(set(keys))
    assert len(set(linkage.band["code"].to_pylist())) == len(keys)


def test_the_workbook_is_private_and_holds_texts_only(reviewed, tmp_path):
    linkage, _, _, path = reviewed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(sheet(path)) == linkage.band.num_rows + 1
    with pytest.raises(CannotCreateError):
        write_review(linkage.band, path)
    row = linkage.band.slice(0, 1).to_pylist()[0]
    for n, bad in enumerate(("=1+1", "+44", "-2", "@SUM(A1)", "\tx", "\r=1", "=cmd|' /C calc'!A0")):
        evil = pa.Table.from_pylist([{**row, "given_surname": bad}], schema=linkage.band.schema)
        target = tmp_path / f"evil-{n}.xlsx"
        write_review(evil, target)
        (line,) = sheet(target)[1:]
        cells = [cell for cell in line if isinstance(cell, str)]
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells if cell
                       and cell != f"{row['weight']:.1f}")  # fmt: skip
        raw = target.read_bytes()
        assert b"<f>" not in raw


def test_decisions_come_back_and_hold(reviewed, nation, tmp_path):
    linkage, people, who, path = reviewed
    person_of = dict(zip(people["row"].to_pylist(), who, strict=True))
    answers = {}
    for line in linkage.band.to_pylist():
        same = line["person_id"] == person_of[line["row"]]
        answers[line["row"], line["candidate"]] = answer("same person" if same else "Other person ")
    decisions = read_review(fill(path, tmp_path / "back.csv", answers), linkage.band)
    assert len(decisions) == linkage.band.num_rows
    assert {(one.by, one.on, one.why) for one in decisions} == {
        ("A. Clerk", dt.date(2025, 12, 31), "same address")
    }
    told = []
    again = link_people(
        without_numbers(people),
        nation.store,
        progress=lambda stage, share: told.append((stage, share)),
        decisions=lambda band: decisions if band.equals(linkage.band) else None,
        work=nation.folder / "work-back",
    )
    assert again.decisions == tuple(decisions)
    # nobody is looked for twice
    assert [stage for stage, _ in told] == ["candidates", "decisions", "decisions"]
    before, after = shares(linkage.links, who), shares(again.links, who)
    assert after[1] > before[1]
    assert after[0] >= before[0]
    assert again.report.unresolved < linkage.report.unresolved
    made = [row for row in again.links.to_pylist() if row["method"] == "reviewed"]
    assert len(made) == sum(one.same for one in decisions)
    refused = [row for row in again.links.to_pylist() if row["reason"] == "refused_by_reviewer"]
    assert refused
    text = decisions_csv(decisions)
    assert text.splitlines()[0] == "row,person_id,same_person,by,on,why"
    assert len(text.splitlines()) == len(decisions) + 1


def test_cells_left_empty_decide_nothing(reviewed, tmp_path):
    linkage, _, _, path = reviewed
    assert read_review(path, linkage.band) == []
    key = (int(linkage.band["row"][0].as_py()), 1)
    filled = fill(path, tmp_path / "empty.csv", {key: answer("cannot tell")})
    assert read_review(filled, linkage.band) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Decision": "perhaps"}, "none of the words"),
        ({"Decided by": " "}, "lacks who decided"),
        ({"Decided on": "soon"}, "lacks who decided"),
        ({"Decided on": "31/02/2025"}, "lacks who decided"),
        ({"Why": ""}, "lacks who decided"),
        ({"Code": "0" * 12}, "another submission or other records"),
        ({"Row": "99999"}, "another submission or other records"),
        ({"Candidate": "x"}, "another submission or other records"),
    ],
)
def test_a_decision_that_is_not_whole_is_refused(reviewed, tmp_path, changes, message):
    linkage, _, _, path = reviewed
    key = (int(linkage.band["row"][0].as_py()), 1)
    filled = fill(path, tmp_path / "bad.csv", {key: {**answer("same person"), **changes}})
    with pytest.raises(InputError, match=message) as caught:
        read_review(filled, linkage.band)
    row = linkage.band.slice(0, 1).to_pylist()[0]
    words = set(re.findall(r"\w+", str(caught.value).casefold()))
    shown = [
        row[f"{side}_{kind}"] for side in ("given", "record") for kind in ("forename", "surname")
    ]
    assert not words & {name.casefold() for name in [*shown, "clerk"]}


def test_two_persons_for_one_row_are_refused(reviewed, tmp_path):
    linkage, _, _, path = reviewed
    row = next(r["row"] for r in linkage.band.to_pylist() if r["candidate"] == 2)
    answers = {(row, n): answer("same person") for n in (1, 2)}
    with pytest.raises(InputError, match="marked as the same person"):
        read_review(fill(path, tmp_path / "two.csv", answers), linkage.band)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"%PDF-1.7 not a table", b"PK\x03\x04"])
def test_a_file_that_is_no_review_is_refused(reviewed, tmp_path, content):
    linkage, _, _, _ = reviewed
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_review(path, linkage.band)
