"""What is found in which row and column, what stays usable, and what the next step gets."""

import datetime as dt

import pytest

from engine.errors import InputError, UsageError
from engine.store.reading import Store
from engine.submission.check import check_submission
from engine.submission.fields import column_letter
from engine.submission.rules import NOTHING, RULES, SEVERITIES
from engine.submission.window import Window, window_of, window_of_store
from tests.engine.submission.support import (
    BORN,
    END,
    FIRST,
    HEADS,
    LAST,
    PNC,
    SITE,
    START,
    TODAY,
    changed,
    checked,
    column,
    csv_file,
    people,
    person,
    pnc,
    rules,
    text,
    xlsx_file,
)


def places(check, rule):
    return [(p.row, p.column) for p in check.problems if p.rule == rule]


def test_a_clean_file_becomes_typed_columns(tmp_path, sandbox):
    check = checked(tmp_path, csv_file(), sandbox)

    assert (check.verdict, check.rows, check.usable) == ("accepted", 70, 70)
    first = check.table.slice(0, 1).to_pylist()[0]
    assert first["row"] == 2
    assert first["last_name"] == "Babababa"
    assert first["date_of_birth"] == dt.date(1970, 3, 2)
    assert first["pnc_id"] == f"2003/0001000{pnc(0)[-1]}"
    assert first["intervention_start"] == dt.date(2018, 1, 8)
    assert first["intervention_end"] == dt.date(2018, 3, 9)
    assert first["gender"] == "M"
    assert first["service_site"] == "Leeds"
    assert first["index_date"] is None


def test_problems_name_row_and_column_and_the_other_rows_go_on(tmp_path, sandbox):
    rows = people()
    rows[3][BORN] = "31/02/1980"
    rows[10][LAST] = ""
    rows[10][START] = "01/01/2031"
    rows[20][PNC] = "02/73319Y"
    check = checked(tmp_path, text(rows), sandbox)

    assert (check.verdict, check.rows, check.usable) == ("rows_quarantined", 70, 68)
    assert places(check, "date_impossible") == [(5, "date_of_birth")]
    assert places(check, "last_name_missing") == [(12, "last_name")]
    assert places(check, "date_in_future") == [(12, "intervention_start")]
    assert places(check, "pnc_id_invalid") == [(22, "pnc_id")]
    assert {5, 12}.isdisjoint(check.table["row"].to_pylist())
    # an invalid number is as good as none
    kept = {r["row"]: r for r in check.table.to_pylist()}
    assert kept[22]["pnc_id"] is None
    # a date that was refused is not reported as missing too
    assert "start_date_empty" not in rules(check)


def test_row_numbers_are_those_of_the_sheet(tmp_path, sandbox):
    rows = [["Title"], [], HEADS, *people()]
    rows[10][BORN] = "31/02/1980"
    rows.insert(8, [])
    for data in (xlsx_file({"A": rows}), "\r\n".join(",".join(row) for row in rows)):
        check = checked(tmp_path, data, sandbox)
        assert places(check, "date_impossible") == [(12, "date_of_birth")]


def test_the_object_has_the_agreed_form(tmp_path, sandbox):
    check = checked(tmp_path, text(changed(BORN, "31/02/1980")), sandbox)
    content = check.as_object()

    assert list(content) == ["verdict", "rows", "usable", "problems"]
    assert all(
        list(p) == ["row", "column", "rule", "severity", "repair"] for p in content["problems"]
    )
    assert {
        "row": 6,
        "column": "date_of_birth",
        "rule": "date_impossible",
        "severity": "quarantine",
        "repair": RULES["date_impossible"].repair,
    } in content["problems"]


def test_unknown_columns_are_called_by_their_letter(tmp_path, sandbox):
    rows = [[*row, f"secret {i}"] for i, row in enumerate(people())]
    check = checked(tmp_path, text(rows, [*HEADS, "John Smith of Leeds"]), sandbox)

    assert places(check, "unneeded_column") == [(None, "I")]
    assert "Smith" not in str(check.problems)


def test_columns_for_sub_groups_are_kept(tmp_path, sandbox):
    rows = [[*row, "AB"[i % 2], "yes"] for i, row in enumerate(people())]
    check = checked(tmp_path, text(rows, [*HEADS, "Strand", "Completed?"]), sandbox)

    assert check.verdict == "accepted"
    assert set(check.table["group: Strand"].to_pylist()) == {"A", "B"}
    assert set(check.table["completed"].to_pylist()) == {"yes"}


def test_several_aliases_are_kept(tmp_path, sandbox):
    rows = [[*row, "Smith", "Jones" if i else ""] for i, row in enumerate(people())]
    check = checked(tmp_path, text(rows, [*HEADS, "Alias", "Maiden name"]), sandbox)

    assert check.table["alias"].to_pylist()[:2] == ["Smith", "Smith ; Jones"]


def test_the_same_person_twice(tmp_path, sandbox):
    again = person(3)
    again[START], again[END] = "01/12/2021", ""
    spelt = [person(5)[0].upper(), *person(5)[1:]]
    by_number = [*person(7)]
    by_number[FIRST] = "Jonathan"
    check = checked(tmp_path, text([*people(), again, spelt, by_number]), sandbox)

    assert places(check, "repeat_participation") == [(72, None)]
    assert places(check, "duplicate_row") == [(73, None), (74, None)]
    assert check.usable == 71


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("31/02/2019", "The calendar has no such day."),
        ("31/03/2030", "The date lies in the future."),
        ("in spring", "The cell does not hold a date."),
    ],
)
def test_a_person_stays_without_an_end_date_that_cannot_be_used(tmp_path, sandbox, end, reason):
    check = checked(tmp_path, text(changed(END, end)), sandbox)

    (problem,) = [p for p in check.problems if p.rule == "end_date_not_used"]
    assert (problem.row, problem.column, problem.severity) == (6, "intervention_end", "warning")
    assert problem.found.endswith(f"counts as not given. {reason}")
    assert end not in problem.found + problem.repair
    assert check.usable == 70
    assert check.table["intervention_end"].to_pylist()[4] is None
    assert check.table["intervention_start"].to_pylist()[4] is not None


@pytest.mark.parametrize(
    "row",
    [
        ["Total: 121 people"],
        ["Total", "121"],
        ["Grand total", "", "", "", "121"],
        ["", "", "", "", "", "", "", "Leeds"],
        ["Source", "our case system"],
        ["people at our other site"],
    ],
)
def test_a_total_or_a_note_is_one_problem_and_no_person(tmp_path, sandbox, row):
    rows = people(60)
    rows.insert(30, [*row, *[""] * (len(HEADS) - len(row))])
    check = checked(tmp_path, text(rows), sandbox)

    assert [(p.row, p.rule) for p in check.problems if p.row] == [(32, "not_a_person")]
    assert (check.rows, check.usable, check.listing.num_rows) == (60, 60, 60)
    few = checked(tmp_path, text(rows[1:]), sandbox)
    assert "fewer_than_60" in rules(few)


def test_a_person_with_few_cells_is_no_note(tmp_path, sandbox):
    rows = people()
    rows[3] = [*rows[3][:2], *[""] * 6]
    rows[5] = ["Total", *rows[5][1:]]
    rows[7] = ["", "", "", "", rows[7][PNC], "", "", ""]
    check = checked(tmp_path, text(rows), sandbox)

    assert "not_a_person" not in rules(check)
    assert (check.rows, check.usable) == (70, 68)


def test_rows_with_years_of_two_digits_are_named_where_they_are_few(tmp_path, sandbox):
    def short(cell):
        return cell[:6] + cell[8:]

    one = checked(tmp_path, text(changed(BORN, short(person(4)[BORN]))), sandbox)
    whole = checked(tmp_path, text(column(BORN, short)), sandbox)

    assert places(one, "two_digit_years") == [(6, "date_of_birth")]
    assert places(whole, "two_digit_years") == [(None, "date_of_birth")]


def test_people_are_counted_and_not_rows(tmp_path, sandbox):
    rows = [*people(59), *[person(0)] * 5]
    assert "fewer_than_60" in rules(checked(tmp_path, text(rows), sandbox))
    assert "fewer_than_60" not in rules(checked(tmp_path, text(people(60)), sandbox))
    # rows that cannot be told apart count each
    rows = [[*person(i)[:2], "", *person(i)[3:4], "", *person(i)[5:]] for i in range(60)]
    assert "fewer_than_60" not in rules(checked(tmp_path, text(rows), sandbox))


def test_a_number_of_two_people_is_used_for_none(tmp_path, sandbox):
    check = checked(tmp_path, text(changed(PNC, pnc(5))), sandbox)

    assert places(check, "identifier_shared") == [(6, "pnc_id"), (7, "pnc_id")]
    kept = {r["row"]: r["pnc_id"] for r in check.table.to_pylist()}
    assert (kept[6], kept[7]) == (None, None)


@pytest.mark.parametrize(
    ("head", "value", "rule"),
    [
        ("Prison number", "A1234", "prison_number_invalid"),
        ("CRO number", "482703/05Z", "cro_number_invalid"),
        ("CRN", "123456", "crn_invalid"),
        ("CRN", "A1234BC", "identifier_in_wrong_column"),
    ],
)
def test_other_numbers(tmp_path, sandbox, head, value, rule):
    rows = [[*row, value if i == 4 else ""] for i, row in enumerate(people())]
    check = checked(tmp_path, text(rows, [*HEADS, head]), sandbox)

    assert [p.row for p in check.problems if p.rule == rule] == [6]
    assert check.usable == 70


WINDOW = Window(dt.date(2017, 1, 1), dt.date(2021, 6, 30))


@pytest.mark.parametrize(
    ("given", "outside"),
    [
        ({"Index date": "31/12/2016"}, "index_date"),
        ({"Index date": "01/01/2017"}, None),
        ({"Index date": "30/06/2021"}, None),
        ({"Index date": "01/07/2021"}, "index_date"),
        # the index date may lie up to six months before the start
        ({"Intervention start date": "30/12/2021"}, None),
        ({"Intervention start date": "31/12/2021"}, "intervention_start"),
        # a release may follow years after the start
        ({"Intervention start date": "01/01/2015"}, None),
        ({"Conviction date": "01/07/2021"}, "conviction_date"),
        ({"Conviction date": "01/01/2001"}, None),
        # the index date, where it is known, decides
        ({"Index date": "01/06/2021", "Intervention start date": "01/05/2022"}, None),
    ],
)
def test_the_window(tmp_path, sandbox, given, outside):
    heads = [*HEADS[:START], "Index date", "Conviction date", "Intervention start date"]
    rows = [[*row[:START], "", "", "01/02/2019"] for row in people()]
    rows[4][START:] = [given.get(head, "") for head in heads[START:]]
    check = checked(tmp_path, text(rows, heads), sandbox, window=WINDOW)

    assert places(check, "outside_window") == ([(6, outside)] if outside else [])


def test_the_window_as_it_is_written():
    assert window_of("2017-01-01:2021-06-30") == WINDOW
    for wrong in ("2017-01-01", "2021-06-30:2017-01-01", "a:b", "1/1/2017:1/1/2018", ""):
        with pytest.raises(UsageError):
            window_of(wrong)


def test_the_window_of_a_store(tmp_path):
    parts = [{"years": [[2016, 5], [2017, 9]]}, {"years": [[0, 1], [2015, 2]]}]
    store = Store(tmp_path, {"partitions": parts}, dt.date(2024, 1, 1), dt.date(2022, 6, 30))
    assert window_of_store(store) == Window(dt.date(2015, 1, 1), dt.date(2022, 6, 30))


def test_a_declared_order_makes_american_dates_readable(tmp_path, sandbox):
    rows = people()
    for row in rows:
        for place in (BORN, START, END):
            day, month, year = row[place].split("/")
            row[place] = f"{month}/{day}/{year}"
    assert "date_ambiguous" in rules(checked(tmp_path, text(rows), sandbox))
    check = checked(tmp_path, text(rows), sandbox, order="month")
    assert check.verdict == "accepted"
    assert check.table["date_of_birth"][0].as_py() == dt.date(1970, 3, 2)


def test_a_heading_with_a_slip_is_pointed_at_by_its_letter(tmp_path, sandbox):
    def details(old, new):
        heads = [new if head == old else head for head in HEADS]
        check = checked(tmp_path, csv_file(heads=heads), sandbox)
        return [p.detail for p in check.problems if p.rule == "column_missing"]

    assert details("Surname", "Surnmae") == [
        f"The heading of column {column_letter(LAST)} is nearly its name: correct it."
    ]
    assert details("Surname", "Secret") == [""]


FORM = {
    "Name of the organisation": "A charity",
    "Name of the service": "Next Steps",
    "What is the service?": "Mentoring towards work",
    "Where is it delivered?": "Leeds",
    "How much does a person receive?": "Ten hours",
    "How were participants selected or referred?": "By probation; all of 2018 to 2021",
}


def with_form(answers, **sheets):
    return xlsx_file(
        {
            "People": [HEADS, *people()],
            "Description": [["Question", "Your answer"], *map(list, answers.items())],
            **sheets,
        }
    )


def test_the_description_travels_on(tmp_path, sandbox):
    check = checked(tmp_path, with_form(FORM), sandbox, "people.xlsx")

    assert check.verdict == "accepted"
    assert rules(check, severity="note") == set()
    assert check.description.answers["selection"].startswith("By probation")
    assert check.description.groups == ()


def test_a_question_without_answer_is_named(tmp_path, sandbox):
    answers = {**FORM, "How were participants selected or referred?": ""}
    check = checked(tmp_path, with_form(answers), sandbox, "people.xlsx")

    assert places(check, "description_incomplete") == [(None, "selection")]
    assert check.verdict == "accepted_with_warnings"


@pytest.mark.parametrize(
    ("answers", "group"),
    [
        ({"Is it for people with sexual offences?": "Yes"}, "sexual_offences"),
        ({"Is it for another specific need? Which?": "gambling"}, "other_need"),
        ({"What is the service?": "Support for drug users"}, "drugs_or_alcohol"),
        ({"What is the service?": "For men with mental health needs"}, "mental_health"),
        ({"Name of the service": "Domestic violence programme"}, "domestic_abuse"),
        ({"Is it for people with sexual offences?": "No"}, None),
    ],
)
def test_groups_that_need_an_approval_are_flagged_and_not_refused(
    tmp_path, sandbox, answers, group
):
    check = checked(tmp_path, with_form({**FORM, **answers}), sandbox, "people.xlsx")

    assert places(check, "needs_approval") == ([(None, group)] if group else [])
    assert check.usable == 70
    assert check.description.groups == ((group,) if group else ())


def test_a_description_in_a_file_of_its_own(tmp_path, sandbox):
    form = tmp_path / "form.xlsx"
    form.write_bytes(with_form(FORM))
    check = checked(tmp_path, csv_file(), sandbox, description=form)
    assert check.description.answers["service"] == "Next Steps"

    form.write_bytes(b"%PDF-1.7")
    check = checked(tmp_path, csv_file(), sandbox, description=form)
    assert check.description is None
    assert check.usable == 70


def test_a_file_that_is_not_there(tmp_path, sandbox):
    with pytest.raises(InputError):
        check_submission(tmp_path / "nothing.csv", today=TODAY, sandbox=sandbox)
    with pytest.raises(InputError):
        check_submission(tmp_path, today=TODAY, sandbox=sandbox)


def test_rows_in_any_order_give_the_same_people(tmp_path, sandbox):
    rows = column(SITE, ["A", "B", "C"])
    rows[3][BORN] = "31/02/1980"
    one = checked(tmp_path, text(rows), sandbox)
    other = checked(tmp_path, text(rows[::-1]), sandbox)

    assert (
        one.table.drop_columns("row")
        .sort_by("last_name")
        .equals(other.table.drop_columns("row").sort_by("last_name"))
    )
    assert rules(one) == rules(other)


def test_every_format_gives_the_same_table(tmp_path, sandbox):
    from tests.engine.submission.support import ods_file, parquet_file

    tables = [
        checked(tmp_path, data, sandbox).table.drop_columns("row")
        for data in (csv_file(), xlsx_file(), ods_file(), parquet_file())
    ]
    assert all(table.equals(tables[0]) for table in tables)


def test_every_rule_says_what_is_wrong_and_what_to_do():
    for rule in RULES.values():
        assert rule.severity in SEVERITIES
        assert rule.found.endswith(".")
        assert rule.repair.endswith(".")
        if rule.severity != "note":
            assert rule.repair != NOTHING
