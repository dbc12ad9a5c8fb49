"""Cells as people write them: dates, names, gender, postcodes, column names."""

import datetime as dt
import time

import pytest

from engine.submission.dates import read_dates
from engine.submission.fields import FIELDS, column_letter, field_of, recognised
from engine.submission.values import read_genders, read_name, read_postcode

TODAY = dt.date(2026, 6, 1)
CHRISTMAS = dt.date(1980, 12, 25)


@pytest.mark.parametrize(
    "written",
    [
        "25/12/1980",
        "25.12.1980",
        "25-12-1980",
        "25 12 1980",
        "25/12/80",
        "1980-12-25",
        "1980/12/25",
        "1980-12-25T00:00:00",
        "1980-12-25 00:00:00.000",
        "1980-12-25T00:00:00Z",
        "25/12/1980 00:00",
        "25/12/1980 12:00:00 AM",
        "29580",
        "29580.0",
        "29580.75",
        "25 December 1980",
        "25 Dec 1980",
        "25-Dec-80",
        "25th December 1980",
        "25th of December 1980",
        "Thursday, 25 December 1980",
        "Thu 25 Dec 1980",
        "December 25, 1980",
        "Dec 25th 1980",
        "19801225",
        "25121980",
        " 25 / 12 / 1980 ".strip(),
        "25,12,1980",
        "25\\12\\1980",
    ],
)
def test_one_day_in_many_writings(written):
    (cell,) = read_dates([written], "birth", TODAY)
    assert (cell.day, cell.fault) == (CHRISTMAS, "")


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("31/02/1980", "date_impossible"),
        ("29/02/1981", "date_impossible"),
        ("00/00/0000", "date_impossible"),
        ("00/01/1980", "date_impossible"),
        ("1980-13-01", "date_impossible"),
        ("1980-02-30", "date_impossible"),
        ("32/01/1980", "date_impossible"),
        ("32/13/1980", "date_impossible"),
        ("31 June 1980", "date_impossible"),
        ("12/25/1980", "date_month_first"),
        ("1980", "date_year_only"),
        ("unclear", "date_unreadable"),
        ("12/1980", "date_unreadable"),
        ("Dec 1980", "date_unreadable"),
        ("25 Brumaire 1980", "date_unreadable"),
        ("99999", "date_unreadable"),
        ("1234567", "date_unreadable"),
        ("251280", "date_unreadable"),
        ("99999999", "date_impossible"),
        ("25/12/198O", "date_unreadable"),
        ("1/1/20", "date_century_unclear"),
        ("25/12/1980 or 1981", "date_unreadable"),
        ("2" * 100, "date_unreadable"),
    ],
)
def test_days_that_are_reported_and_not_guessed(written, fault):
    (cell,) = read_dates([written], "birth", TODAY)
    assert (cell.day, cell.fault) == (None, fault)


def test_leap_days_are_days():
    assert read_dates(["29/02/1980"], "birth", TODAY)[0].day == dt.date(1980, 2, 29)


@pytest.mark.parametrize(
    ("year", "meant"), [("27", 1927), ("45", 1945), ("80", 1980), ("99", 1999), ("07", 2007)]
)
def test_a_birth_year_of_two_digits_makes_the_person_10_to_99_years_old(year, meant):
    (cell,) = read_dates([f"01/05/{year}"], "birth", TODAY)
    assert (cell.day, cell.two_digits) == (dt.date(meant, 5, 1), True)


def test_the_rule_of_two_digits_holds_to_the_day():
    # ten years old today, and tomorrow; a hundred today, and tomorrow
    days = read_dates(["01/06/16", "02/06/16", "01/06/26", "02/06/26"], "birth", TODAY)
    assert [d.day for d in days] == [dt.date(2016, 6, 1), None, None, dt.date(1926, 6, 2)]


def test_other_years_of_two_digits_are_of_this_century():
    assert read_dates(["01/05/19"], "event", TODAY)[0].day == dt.date(2019, 5, 1)
    assert read_dates(["01/05/98"], "event", TODAY)[0].day == dt.date(2098, 5, 1)


def test_a_column_of_both_orders_is_ambiguous():
    cells = ["03/04/2019", "04/25/2019", "05/30/2019", "05/05/2019", "25/04/2019", "2019-04-03"]
    days = read_dates(cells, "event", TODAY)

    assert [d.fault for d in days] == [
        "date_ambiguous",
        "date_month_first",
        "date_month_first",
        "",  # the same day in both orders
        "",
        "",
    ]


def test_a_spreadsheet_set_to_month_first_is_found_out():
    typed = [f"{day:02}/04/2019" for day in range(13, 19)]
    made = [f"2019-{month:02}-04" for month in range(3, 9)]
    for order in (None, "day", "month"):
        faults = [d.fault for d in read_dates([*made, *typed], "event", TODAY, order)]
        assert faults[:6] == ["date_exchanged", "", *["date_exchanged"] * 4], order
    # a day above 12 among the dates, a text that could be both, or too few of either: no pattern
    for cells in (
        [*made, "2019-04-13", *typed],
        [*made, "05/04/2019", *typed],
        [*made[1:], *typed],
        [*made, *typed[1:]],
    ):
        assert not any(d.fault for d in read_dates(cells, "event", TODAY))


def test_one_slip_does_not_put_a_column_in_doubt():
    cells = ["03/04/2019", "04/25/2019", *["25/04/2019"] * 10]
    days = read_dates(cells, "event", TODAY)

    assert days[0].day == dt.date(2019, 4, 3)
    assert days[1].fault == "date_month_first"


def test_the_sender_can_declare_the_order():
    cells = ["03/04/2019", "04/25/2019", "25/04/2019"]
    month = read_dates(cells, "event", TODAY, "month")
    day = read_dates(cells, "event", TODAY, "day")

    assert [d.day for d in month] == [dt.date(2019, 3, 4), dt.date(2019, 4, 25), None]
    assert [d.day for d in day] == [dt.date(2019, 4, 3), None, dt.date(2019, 4, 25)]


@pytest.mark.parametrize(
    ("written", "name", "fault"),
    [
        ("O'Brien", "O'Brien", ""),
        ("O\u2019Brien", "O\u2019Brien", ""),
        ("Smith-Jones", "Smith-Jones", ""),
        ("José  María", "José María", ""),
        ("Jose\u0301", "José", ""),
        ("St. John", "St. John", ""),
        ("Robert (Bob)", "Robert (Bob)", ""),
        ("Łukasz", "Łukasz", ""),
        ("李", "李", "name_initial_only"),
        ("Na", "Na", ""),
        ("MIG_ERROR_Smith", "Smith", ""),
        ("DUPLICATE_NO_SHOW_Smith", "Smith", ""),
        ("", "", "name_missing"),
        ("-", "", "name_missing"),
        ("--", "", "name_missing"),
        ("N/A", "", "name_missing"),
        ("NOT ENTERED", "", "name_missing"),
        ("unknown", "", "name_missing"),
        ("J", "J", "name_initial_only"),
        ("J.", "J.", "name_initial_only"),
        ("Smith2", "Smith2", "name_other_characters"),
        ("Smith/Jones", "Smith/Jones", "name_other_characters"),
        ("Mu\u00c3\u00b1oz", "Mu\u00c3\u00b1oz", "name_garbled"),
        ("Mu\ufffdoz", "Mu\ufffdoz", "name_garbled"),
        ("=1+1", "", "name_not_a_name"),
        ("+44 7700", "", "name_not_a_name"),
        ("@SUM(A1)", "", "name_not_a_name"),
        ("-2+3+cmd|' /C calc'!A0", "", "name_not_a_name"),
        ("<b>Smith</b>", "", "name_not_a_name"),
        ("{{7*7}}", "", "name_not_a_name"),
        ("smith@example.org", "", "name_not_a_name"),
        ("12345", "", "name_not_a_name"),
        ("Smith\x07", "", "name_not_a_name"),
        ("Smith\u202e", "", "name_not_a_name"),
    ],
)
def test_names(written, name, fault):
    assert read_name(written) == (name, fault)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("M", ("M", "")),
        ("male", ("M", "")),
        (" Female ", ("F", "")),
        ("F.", ("F", "")),
        ("woman", ("F", "")),
        ("1", ("M", "")),
        ("2", ("F", "")),
        ("9", (None, "gender_not_in_records")),
        ("Unknown", (None, "gender_not_in_records")),
        ("prefer not to say", (None, "gender_not_in_records")),
        ("Non-binary", (None, "gender_not_in_records")),
        ("X", (None, "gender_not_in_records")),
        ("", (None, "gender_missing")),
        ("n/a", (None, "gender_missing")),
        ("3", (None, "gender_unreadable")),
        ("M?", (None, "gender_unreadable")),
        ("Smith", (None, "gender_unreadable")),
    ],
)
def test_gender(written, read):
    assert read_genders([written]) == [read]


def test_gender_of_zeros_and_ones_is_not_guessed():
    assert read_genders(["0", "1", "M"]) == [
        (None, "gender_coding_unclear"),
        (None, "gender_coding_unclear"),
        ("M", ""),
    ]
    # with a 2 it is the coding of the criminal justice standard
    assert read_genders(["0", "1", "2"])[1] == ("M", "")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("sw1a1aa", ("SW1A 1AA", "")),
        (" LS1  4AP", ("LS1 4AP", "")),
        ("NF1 1NF", (None, "")),
        ("", (None, "")),
        ("unknown", (None, "")),
        ("12345", (None, "postcode_invalid")),
        ("LS1", (None, "postcode_invalid")),
        ("A" * 1000, (None, "postcode_invalid")),
    ],
)
def test_postcodes(written, read):
    assert read_postcode(written) == read


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Surname ", "last_name"),
        ("SURNAME*", "last_name"),
        ("Last Name", "last_name"),
        ("family_name", "last_name"),
        ("last_name", "last_name"),
        ("Fore name", "first_name"),
        ("First name(s)", "first_name"),
        ("Given Name", "first_name"),
        ("DOB", "date_of_birth"),
        ("D.O.B.", "date_of_birth"),
        ("D.O.B (dd/mm/yyyy)", "date_of_birth"),
        ("Date of Birth dd/mm/yyyy", "date_of_birth"),
        ("birth-date", "date_of_birth"),
        ("Sex", "gender"),
        ("Gender (M/F)", "gender"),
        ("M/F", "gender"),
        ("PNC", "pnc_id"),
        ("PNC No.", "pnc_id"),
        ("PNC ID Number", "pnc_id"),
        ("NOMIS number", "prison_number"),
        ("Prison No", "prison_number"),
        ("Prisoner Number", "prison_number"),
        ("CRO No", "cro_number"),
        ("Delius CRN", "crn"),
        ("Post Code", "postcode"),
        ("Start date", "intervention_start"),
        ("Date started", "intervention_start"),
        ("Intervention Start Date", "intervention_start"),
        ("Programme end date", "intervention_end"),
        ("Release date", "index_date"),
        ("Date of conviction", "conviction_date"),
        ("Your reference", "row_id"),
        ("Referral route", "selection_route"),
        ("\ufeffSurname", "last_name"),
        ("Favourite colour", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_column_names(header, field):
    assert field_of(header) == field


def test_every_field_is_known_by_its_header_and_its_name():
    assert [field_of(f.header) for f in FIELDS] == [f.name for f in FIELDS]
    assert [field_of(f.name) for f in FIELDS] == [f.name for f in FIELDS]
    variants = [v for f in FIELDS for v in f.variants]
    assert len(variants) == len(set(variants))
    assert recognised(["DOB", "D.O.B.", "Sex", "other"]) == 2


def test_letters_above_columns():
    assert [column_letter(i) for i in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


@pytest.mark.parametrize("text", ["1" * 100_000, " " * 100_000, "A-" * 50_000, "1/" * 50_000])
def test_no_text_takes_long(text):
    start = time.process_time()
    read_dates([text], "birth", TODAY)
    read_name(text)
    read_genders([text])
    read_postcode(text)
    field_of(text)
    assert time.process_time() - start < 0.5
