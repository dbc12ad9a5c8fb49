"""Rows of a submission come into the form in which the index holds its people."""

import datetime as dt

import pyarrow as pa
import pytest

from engine.linkage.submitted import has_identifier, submitted_identities

DAY = dt.date(1980, 2, 3)


def people(**columns):
    rows = len(next(iter(columns.values())))
    values = {
        "row": list(range(2, rows + 2)),
        "date_of_birth": [DAY] * rows,
        "gender": ["M"] * rows,
    }
    for name in ("first_name", "last_name", "middle_names", "alias", "pnc_id", "prison_number"):
        values[name] = [None] * rows
    return pa.table({**values, **columns})


@pytest.mark.parametrize(
    ("first", "last", "middle", "expected"),
    [
        ("John", "Smith", None, ("JOHN", "SMITH", "")),
        (" john ", "SMITH ", None, ("JOHN", "SMITH", "")),
        ("John Paul", "Smith", None, ("JOHN", "SMITH", "PAUL")),
        ("Jean-Luc", "Picard", None, ("JEAN", "PICARD", "LUC")),
        ("John", "O'Brien", "Peter", ("JOHN", "OBRIEN", "PETER")),
        ("John", "O\u2019Brien", "Peter", ("JOHN", "OBRIEN", "PETER")),
        ("Zo\u00eb", "M\u00fcller", None, ("ZOE", "MULLER", "")),
        ("Bj\u00f8rn", "Gro\u00df", None, ("BJORN", "GROSS", "")),
        ("Ann", "Smith-Jones", None, ("ANN", "SMITH JONES", "")),
        ("Ann", "Mc Donald", None, ("ANN", "MCDONALD", "")),
        ("Ann", "Mac Donald", None, ("ANN", "MACDONALD", "")),
        ("MIG_ERROR_Ann", "DUPLICATE_Lee", None, ("ANN", "LEE", "")),
        ("J", "Smith", None, ("J", "SMITH", "")),
        ("J.", "Smith", None, ("J", "SMITH", "")),
        ("J P", "Smith", None, ("", "SMITH", "")),
        ("John", "Smith", "Not Entered", ("JOHN", "SMITH", "")),
        ("John P", "de la Cruz", None, ("JOHN", "DE LA CRUZ", "")),
        (None, "Smith", None, ("", "SMITH", "")),
        ("\u674e", "\u738b", None, ("", "", "")),
    ],
)
def test_cleaning_of_names(first, last, middle, expected):
    found = submitted_identities(
        people(first_name=[first], last_name=[last], middle_names=[middle])
    )
    row = found.to_pylist()[0]
    assert (row["forename"], row["surname"], row["middle"]) == expected


def test_short_forms_and_sounds():
    (row,) = submitted_identities(people(first_name=["Dave"], last_name=["Smyth"])).to_pylist()
    assert row["full_names"] == ["DAVID"]
    assert (row["forename_sound"], row["surname_sound"]) == ("D100", "S530")
    (empty,) = submitted_identities(people(first_name=[None], last_name=["Lee"])).to_pylist()
    assert empty["full_names"] == []
    assert empty["forename_sound"] == ""


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        (None, []),
        ("Jones", [("JOHN", "JONES", "PAUL")]),
        ("Jack Jones", [("JACK", "JONES", "PAUL")]),
        ("Jack Peter Jones", [("JACK", "JONES", "PETER")]),
        ("Jones; Jack Brown", [("JOHN", "JONES", "PAUL"), ("JACK", "BROWN", "PAUL")]),
        ("Jones or Brown", [("JOHN", "JONES", "PAUL"), ("JOHN", "BROWN", "PAUL")]),
        ("nee Jones", [("JOHN", "JONES", "PAUL")]),
        ("Smith; John Smith; Jones, Jones", [("JOHN", "JONES", "PAUL")]),
        (" ; - ", []),
    ],
)
def test_aliases_are_further_identities(alias, expected):
    table = people(first_name=["John"], last_name=["Smith"], middle_names=["Paul"], alias=[alias])
    rows = submitted_identities(table).to_pylist()
    assert [(r["forename"], r["surname"], r["middle"]) for r in rows[1:]] == expected
    assert [r["alias_no"] for r in rows] == list(range(len(rows)))
    assert {r["n"] for r in rows} == {0}


def test_many_aliases_are_cut_short():
    names = [f"Name{'abcdefghijklmnopqrstuvwxyz'[i]}" for i in range(26)]
    found = submitted_identities(
        people(first_name=["A"], last_name=["Lee"], alias=[";".join(names)])
    )
    assert found.num_rows == 9


@pytest.mark.parametrize("day", [dt.date(1900, 1, 1), dt.date(1970, 1, 1)])
def test_placeholder_birth_dates_are_not_known(day):
    table = people(first_name=["Ann"], last_name=["Lee"], date_of_birth=[day])
    assert submitted_identities(table)["birth"].to_pylist() == [None]


def test_rows_are_told_apart_from_the_index_and_from_each_other():
    table = people(first_name=["Ann", "Bob"], last_name=["Lee", "Ray"], alias=["Poe", None])
    found = submitted_identities(table)
    assert found["uid"].to_pylist() == [-1, -2, -3]
    assert found["n"].to_pylist() == [0, 0, 1]


def test_identifiers_are_given_or_not():
    table = people(first_name=["A", "B", "C"], pnc_id=["1981/0000034U", None, None])
    table = table.set_column(
        table.column_names.index("prison_number"), "prison_number", [[None, None, "A1234BC"]]
    )
    assert has_identifier(table) == [True, False, True]
    assert has_identifier(table.select(["row"])) == [False] * 3
