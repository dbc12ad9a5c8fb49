"""Text files as senders make them by mistake.

Each entry: the bytes (or a function that makes them), the verdict, and a rule that must be among
the problems, None where the verdict says it all.
"""

import codecs
import datetime as dt

from tests.engine.submission.support import (
    BORN,
    END,
    FIRST,
    HEADS,
    LAST,
    PNC,
    SEX,
    SITE,
    START,
    changed,
    column,
    csv_file,
    people,
    person,
    pnc,
    text,
    xlsx_file,
)

GOOD, WARN, SOME, NONE = (
    "accepted",
    "accepted_with_warnings",
    "rows_quarantined",
    "rejected",
)
PLAIN = text()


def renamed(old, new):
    return [new if head == old else head for head in HEADS]


def without(place):
    return [[c for i, c in enumerate(row) if i != place] for row in [HEADS, *people()]]


def rows_without(place):
    heads, *rows = without(place)
    return csv_file(rows, heads)


def serials(cell):
    return str((days(cell) - dt.date(1899, 12, 30)).days)


def days(cell):
    day, month, year = map(int, cell.split("/"))
    return dt.date(year, month, day)


def iso(cell):
    return days(cell).isoformat()


def american(cell):
    return days(cell).strftime("%m/%d/%Y")


def short(cell):
    return days(cell).strftime("%d/%m/%y")


def words(cell):
    return days(cell).strftime("%d %B %Y")


ENCODINGS = {
    "utf-8": (csv_file(), GOOD, None),
    "utf-8-bom": (csv_file(encoding="utf-8-sig"), GOOD, None),
    "utf-16-bom": (csv_file(encoding="utf-16"), GOOD, None),
    "utf-16-le-bom": (codecs.BOM_UTF16_LE + csv_file(encoding="utf-16-le"), GOOD, None),
    "utf-16-be-bom": (codecs.BOM_UTF16_BE + csv_file(encoding="utf-16-be"), GOOD, None),
    "utf-16-le-no-bom": (csv_file(encoding="utf-16-le"), GOOD, None),
    "utf-16-be-no-bom": (csv_file(encoding="utf-16-be"), GOOD, None),
    "utf-16-tabs": (csv_file(encoding="utf-16", delimiter="\t"), GOOD, None),
    "utf-32": (csv_file(encoding="utf-32"), GOOD, None),
    "windows-1252": (csv_file(changed(LAST, "Muñoz"), encoding="cp1252"), GOOD, "text_encoding"),
    "latin-1-name": (csv_file(changed(FIRST, "Zoë"), encoding="latin-1"), GOOD, "text_encoding"),
    "utf-8-accents": (csv_file(changed(LAST, "Núñez-Ødegård")), GOOD, None),
    "utf-8-read-as-windows": (
        csv_file(changed(LAST, "Muñoz".encode().decode("cp1252"))),
        WARN,
        "name_garbled",
    ),
    "replacement-characters": (csv_file(changed(LAST, "Mu\ufffdoz")), WARN, "name_garbled"),
    "mixed-encodings": (csv_file() + "Núñez,".encode() + "Zoë".encode("cp1252"), SOME, None),
    "half-a-utf-16": (csv_file(encoding="utf-16")[:-1], GOOD, None),
    "bom-twice": (codecs.BOM_UTF8 * 2 + csv_file(), GOOD, None),
    "ebcdic": (csv_file(encoding="cp500"), NONE, None),
}

LAYOUTS = {
    "semicolons": (csv_file(delimiter=";"), GOOD, None),
    "tabs": (csv_file(delimiter="\t"), GOOD, None),
    "pipes": (csv_file(delimiter="|"), GOOD, None),
    "named-delimiter": (b"sep=;\r\n" + csv_file(delimiter=";"), GOOD, None),
    "all-quoted": (csv_file(quoting=1), GOOD, None),
    "old-mac-line-ends": (csv_file(end="\r"), GOOD, None),
    "unix-line-ends": (csv_file(end="\n"), GOOD, None),
    "mixed-line-ends": (PLAIN.replace("\r\n", "\n", 20), GOOD, None),
    "no-last-line-end": (PLAIN.rstrip(), GOOD, None),
    "blank-lines-between": (PLAIN.replace("\r\n", "\r\n\r\n"), GOOD, None),
    "empty-rows-at-the-end": (PLAIN + ",,,,,,,\r\n" * 500, GOOD, None),
    "empty-columns-at-the-end": (PLAIN.replace("\r\n", ",,,,\r\n"), GOOD, None),
    "title-above": ("Our service 2019,,,,,,,\r\n\r\n" + PLAIN, GOOD, None),
    "title-above-semicolons": ("Our service\r\n" + text(delimiter=";"), GOOD, None),
    "merged-heads-above": (
        xlsx_file({"People": [["Person", "", "", "", "Records", "Service"], HEADS, *people()]}),
        GOOD,
        None,
    ),
    "heads-in-row-thirty-five": ("note,,,,,,,\r\n" * 34 + PLAIN, NONE, "no_header"),
    "no-heads": (text(people()[1:], people()[0]), NONE, "no_header"),
    "heads-only": (text([]), NONE, "no_rows"),
    "heads-twice": (text([*people(), HEADS]), SOME, "date_unreadable"),
    "total-below": (text([*people(), ["Total", "70"]]), SOME, "birth_date_missing"),
    "heads-in-capitals": (csv_file(heads=[h.upper() for h in HEADS]), GOOD, None),
    "heads-with-spaces": (csv_file(heads=[f"  {h} " for h in HEADS]), GOOD, None),
    "heads-of-others": (
        csv_file(
            heads=["Last name", "First Name", "D.O.B.", "M/F", "PNC", "Started", "Ended", "X"]
        ),
        GOOD,
        "subgroup_column",
    ),
    "dob-twice": (csv_file(heads=renamed("Site", "DOB")), NONE, "column_twice"),
    "name-in-one-column": (
        text([[f"{r[0]} {r[1]}", *r[2:]] for r in people()], ["Name", *HEADS[2:]]),
        NONE,
        "name_in_one_column",
    ),
    "no-surname": (rows_without(LAST), NONE, "column_missing"),
    "no-forename": (rows_without(FIRST), NONE, "column_missing"),
    "no-birth-date": (rows_without(BORN), NONE, "column_missing"),
    "no-gender": (rows_without(SEX), NONE, "column_missing"),
    "misspelt-surname": (csv_file(heads=renamed("Surname", "Surnmae")), NONE, "column_missing"),
    "no-start": (rows_without(START), NONE, "start_date_missing"),
    "no-end": (rows_without(END), WARN, "intervention_end_missing"),
    "no-numbers": (rows_without(PNC), WARN, "identifiers_missing"),
    "conviction-date-only": (
        csv_file(heads=renamed("Intervention start date", "Conviction date")),
        WARN,
        "intervention_start_missing",
    ),
    "column-without-name": (csv_file(heads=renamed("Site", "")), WARN, "unneeded_column"),
    "unclosed-quotation-mark": (PLAIN.replace("Leeds", '"Leeds', 1), NONE, "fewer_than_60"),
    "one-row-too-wide": (PLAIN.replace("Leeds", "Leeds,LS1", 1), SOME, "too_many_cells"),
    "one-row-cut": (PLAIN + "Smith,John\r\n", SOME, "birth_date_missing"),
    "unneeded-column": (
        text([[*r, f"note {i}"] for i, r in enumerate(people())], [*HEADS, "Notes"]),
        WARN,
        "unneeded_column",
    ),
    "strand-column": (
        text([[*r, "AB"[i % 2]] for i, r in enumerate(people())], [*HEADS, "Strand"]),
        GOOD,
        "subgroup_column",
    ),
    "400-columns": (text([r + ["x"] * 400 for r in people()], HEADS + ["c"] * 400), NONE, None),
    "a-million-columns": (b"a," * 1_000_000 + b"\n1\n", NONE, "too_large"),
    "59-people": (text(people(59)), NONE, "fewer_than_60"),
    "60-people": (text(people(60)), GOOD, None),
    "60-rows-of-59": (text([*people(59), person(0)]), NONE, "fewer_than_60"),
    "one-row": (text(people(1)), NONE, "fewer_than_60"),
    "one-column": (b"Surname\r\n" + b"Smith\r\n" * 70, NONE, "no_header"),
}

CELLS = {
    "iso-dates": (text(column(BORN, iso)), GOOD, None),
    "dates-in-words": (text(column(START, words)), GOOD, None),
    "excel-serials": (text(column(BORN, serials)), GOOD, "excel_serial"),
    "two-digit-years": (text(column(BORN, short)), WARN, "two_digit_years"),
    "dates-exchanged-by-a-program": (
        text(column(START, ["2019-03-11", "13/11/2019"])),
        SOME,
        "date_exchanged",
    ),
    "american-dates": (text(column(START, american)), SOME, "date_ambiguous"),
    "one-american-date": (text(changed(START, "12/25/2018")), SOME, "date_month_first"),
    "31-february": (text(changed(BORN, "31/02/1980")), SOME, "date_impossible"),
    "29-february-1981": (text(changed(BORN, "29/02/1981")), SOME, "date_impossible"),
    "zero-date": (text(changed(BORN, "00/00/0000")), SOME, "date_impossible"),
    "birth-year-20": (text(changed(BORN, "01/05/20")), SOME, "date_century_unclear"),
    "future-birth": (text(changed(BORN, "01/01/2035")), SOME, "date_in_future"),
    "birth-in-1870": (text(changed(BORN, "01/01/1870")), SOME, "birth_date_implausible"),
    "birth-in-2015": (text(changed(BORN, "01/01/2015")), SOME, "birth_date_implausible"),
    "child": (text(changed(BORN, "01/06/2004")), WARN, "person_under_18"),
    "placeholder-birth": (text(changed(BORN, "01/01/1900")), SOME, "birth_date_placeholder"),
    "placeholder-birth-1970": (text(changed(BORN, "1970-01-01")), SOME, "birth_date_placeholder"),
    "no-birth": (text(changed(BORN, "")), SOME, "birth_date_missing"),
    "birth-not-known": (text(changed(BORN, "not known")), SOME, "birth_date_missing"),
    "birth-year-only": (text(changed(BORN, "1980")), SOME, "date_year_only"),
    "all-births-missing": (text(column(BORN, [""])), NONE, "column_empty"),
    "future-start": (text(changed(START, "01/01/2030")), SOME, "date_in_future"),
    "start-in-1998": (text(changed(START, "01/01/1998")), SOME, "date_before_2000"),
    "no-start-cell": (text(changed(START, "")), SOME, "start_date_empty"),
    "end-before-start": (text(changed(END, "01/01/2015")), SOME, "end_before_start"),
    "end-on-31-february": (text(changed(END, "31/02/2019")), WARN, "end_date_not_used"),
    "end-in-the-future": (text(changed(END, "31/03/2027")), WARN, "end_date_not_used"),
    "total-below": (PLAIN + "Total: 70 people,,,,,,,\r\n", WARN, "not_a_person"),
    "still-going": (text(changed(END, "ongoing")), GOOD, None),
    "recent-start": (
        text(changed(START, "01/03/2026", rows=column(END, [""]))),
        WARN,
        "too_recent",
    ),
    "no-surname-cell": (text(changed(LAST, "")), SOME, "last_name_missing"),
    "no-forename-cell": (text(changed(FIRST, "N/A")), SOME, "first_name_missing"),
    "surname-is-an-initial": (text(changed(LAST, "B")), WARN, "name_initial_only"),
    "surname-is-a-number": (text(changed(LAST, "12345")), SOME, "name_not_a_name"),
    "digit-in-a-name": (text(changed(LAST, "Smith2")), WARN, "name_other_characters"),
    "no-gender-cell": (text(changed(SEX, "")), SOME, "gender_missing"),
    "gender-in-words": (text(column(SEX, ["Male", "female", "WOMAN", "man"])), GOOD, None),
    "gender-1-and-2": (text(column(SEX, ["1", "2"])), GOOD, None),
    "gender-0-and-1": (text(column(SEX, ["0", "1"])), NONE, "gender_coding_unclear"),
    "gender-x": (text(changed(SEX, "Non-binary")), WARN, "gender_not_in_records"),
    "gender-odd": (text(changed(SEX, "yes")), SOME, "gender_unreadable"),
    "pnc-letter-wrong": (text(changed(PNC, "20030011985Z")), WARN, "pnc_id_invalid"),
    "pnc-form-wrong": (text(changed(PNC, "1923[1234567A")), WARN, "pnc_id_invalid"),
    "pnc-before-birth": (text(changed(PNC, "67/9893091D")), WARN, "pnc_id_before_birth"),
    "prison-number-as-pnc": (text(changed(PNC, "A1234BC")), WARN, "identifier_in_wrong_column"),
    "pnc-of-two-people": (text(changed(PNC, pnc(5))), WARN, "identifier_shared"),
    "few-numbers": (text(column(PNC, [pnc(1), *[""] * 69])), WARN, "identifiers_few"),
    "same-row-twice": (text([*people(), person(3)]), SOME, "duplicate_row"),
    "same-person-again": (
        text(
            [*people(), [*person(3)[:5], "01/12/2021", "01/02/2022", "York"]],
        ),
        WARN,
        "repeat_participation",
    ),
    "same-reference": (
        text([[str(i % 69), *r] for i, r in enumerate(people())], ["Your ref", *HEADS]),
        WARN,
        "reference_twice",
    ),
    "formula": (text(changed(LAST, "=HYPERLINK(A1)")), SOME, "name_not_a_name"),
    "formula-dde": (text(changed(FIRST, "=cmd|' /C calc'!A0")), SOME, "name_not_a_name"),
    "formula-at": (text(changed(FIRST, "@SUM(1+1)*cmd")), SOME, "name_not_a_name"),
    "formula-plus": (text(changed(FIRST, "+1+cmd|' /C calc'!A0")), SOME, "name_not_a_name"),
    "html-cell": (text(changed(LAST, "<script>alert(1)</script>")), SOME, "name_not_a_name"),
    "template-cell": (text(changed(LAST, "{{7*7}}")), SOME, "name_not_a_name"),
    "escape-sequence": (text(changed(LAST, "\x1b[31mSmith")), SOME, "name_not_a_name"),
    "markup-cell": (text(changed(SITE, "[bold]Leeds[/bold]")), GOOD, None),
    "path-cell": (text(changed(SITE, "../../etc/passwd")), GOOD, None),
    "line-end-in-a-cell": (text(changed(LAST, "Smith\nJones")), GOOD, None),
    "ten-megabyte-cell": (text(changed(SITE, "x" * 10_000_000)), SOME, "cell_too_long"),
    "ten-megabyte-name": (text(changed(LAST, "x" * 10_000_000)), SOME, "cell_too_long"),
    "long-cell": (text(changed(LAST, "x" * 400)), SOME, "cell_too_long"),
    "bad-postcode": (
        text([[*r, "12345"] for r in people()], [*HEADS, "Postcode"]),
        WARN,
        "postcode_invalid",
    ),
    "empty-column": (text(column(END, [""])), WARN, "intervention_end_missing"),
    "all-genders-missing": (text(column(SEX, ["n/a"])), NONE, "no_usable_rows"),
    "40-usable-people": (
        text([changed(BORN, "", i, people())[i] if i < 30 else r for i, r in enumerate(people())]),
        SOME,
        "fewer_than_60_usable",
    ),
    "arabic-digits": (text(changed(BORN, "٠١/٠٢/١٩٨٠")), SOME, "date_unreadable"),
}
