"""The workbook that an organisation fills: guidance, people, an example, the description form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.submission.dates import OLDEST, YOUNGEST
from engine.submission.description import GROUPS, QUESTIONS, SHEET
from engine.submission.fields import DATES, FIELDS, column_letter
from engine.submission.rules import FEWEST_PEOPLE
from engine.submission.workbook import Styles, safe_text, workbook_bytes, write_rows

PEOPLE_SHEET, EXAMPLE_SHEET, GUIDANCE_SHEET = "People", "Example", "Guidance"
ROWS = 5_000
"""Rows of the sheet of people that have formats and drop-down lists."""

CHOICES = {
    "gender": ("M", "F"),
    "completed": ("Yes", "No"),
    "intensity": ("Low", "Medium", "High"),
    "selection_route": ("Self", "Prison", "Probation", "Court", "Police", "Charity", "Other"),
}
"""Fields with a drop-down list; all but gender take other texts too."""

EXAMPLE = (
    {
        "row_id": "A001", "last_name": "O'Example", "first_name": "Jo", "middle_names": "Sam",
        "date_of_birth": "25/12/1980", "gender": "F", "pnc_id": "02/73319Z",
        "prison_number": "A1234BC", "intervention_start": "01/02/2019",
        "intervention_end": "30/04/2019", "index_date": "15/01/2019", "service_site": "Leeds",
        "selection_route": "Probation", "intensity": "High", "completed": "Yes",
    },
    {
        "row_id": "A002", "last_name": "Sample-Person", "first_name": "Alex",
        "date_of_birth": "03/07/1991", "gender": "M", "postcode": "SW1A 1AA",
        "intervention_start": "12/03/2019", "intervention_end": "30/05/2019",
        "service_site": "York", "selection_route": "Self", "intensity": "Low", "completed": "No",
    },
)  # fmt: skip
"""Invented people."""

_GUIDANCE = f"""
    Fill the sheet '{PEOPLE_SHEET}', one row for each person who took part, at least
    {FEWEST_PEOPLE} people.

    Send everybody who took part in a period, also those who dropped out: if those who did well
    are chosen, the result says nothing.

    Fill the sheet '{SHEET}'. How people were selected or referred matters most.

    Required columns must be filled. Of intervention start, index date and conviction date at
    least one is needed; the intervention start date is the best. Delete no column.

    Dates are day, month, year: 25/12/1980. The columns of dates are set to text, so that no
    program exchanges day and month: leave them so. Dates copied from another spreadsheet may stay
    dates.

    Write years with four digits. A birth year of two digits is read as the year that makes the
    person {YOUNGEST} to {OLDEST} years old today, any other year as of this century.

    PNC ID and prison number find far more people than names do. Give them wherever you have them.

    You may add columns of your own for results by group, such as a strand of the programme, if
    they have few different values. Send nothing else about people.

    Before you send the file, run: justicelab check FILE. It runs on your own computer, needs no
    network, and lists what to repair by row and column.

    This file holds personal data once it is filled. Keep it where only those who need it can
    open it, and send it only in the way that was agreed.
"""
GUIDANCE = tuple(" ".join(text.split()) for text in _GUIDANCE.split("\n\n"))

_WIDTHS = {"row_id": 14, "last_name": 22, "first_name": 18, "gender": 9, "pnc_id": 16}
_IS_DATE = (
    "=IF(ISNUMBER({0}),TRUE,AND(LEN({0})=10,"
    "DAY(DATE(VALUE(RIGHT({0},4)),VALUE(MID({0},4,2)),VALUE(LEFT({0},2))))=VALUE(LEFT({0},2)),"
    "MONTH(DATE(VALUE(RIGHT({0},4)),VALUE(MID({0},4,2)),VALUE(LEFT({0},2))))=VALUE(MID({0},4,2))))"
)
"""Whether a cell holds a date, or a text of day, month and year that the calendar has; without
functions whose answer depends on the language of the program."""


def template_bytes() -> bytes:
    """Return the template as an xlsx workbook, the same bytes each time."""

    def fill(book: Any, styles: Styles) -> None:
        _guidance(book.add_worksheet(GUIDANCE_SHEET), styles)
        people = book.add_worksheet(PEOPLE_SHEET)
        _heads(people, styles)
        _entries(people)
        example = book.add_worksheet(EXAMPLE_SHEET)
        _heads(example, styles)
        rows = [[person.get(field.name, "") for field in FIELDS] for person in EXAMPLE]
        write_rows(example, 1, rows, styles["entry"])
        _form(book.add_worksheet(SHEET), styles)

    return workbook_bytes("Submission of people who took part in a service", fill)


def description_bytes(answers: Mapping[str, str]) -> bytes:
    """Return a workbook with the description form alone, filled.

    Parameters
    ----------
    answers : mapping of str to str
        Texts by the keys of the questions; the other questions stay empty.
    """

    def fill(book: Any, styles: Styles) -> None:
        _form(book.add_worksheet(SHEET), styles, answers)

    return workbook_bytes("Description of a service", fill)


def _guidance(sheet: Any, styles: Styles) -> None:
    """Write how to fill the template, and a table of its columns."""
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 20)
    sheet.set_column(2, 2, 90)
    sheet.write_string(0, 0, "How to fill this workbook", styles["title"])
    for number, text in enumerate(GUIDANCE, 1):
        sheet.merge_range(number, 0, number, 2, f"{number}. {text}", styles["text"])
        sheet.set_row(number, 32)
    first = len(GUIDANCE) + 2
    write_rows(sheet, first, [("Column", "Status", "What to write")], styles["head"])
    rows = [(field.header, field.status, field.guidance) for field in FIELDS]
    write_rows(sheet, first + 1, rows, styles["text"])


def _heads(sheet: Any, styles: Styles) -> None:
    """Write the row of column names and keep it in sight."""
    write_rows(sheet, 0, [[field.header for field in FIELDS]], styles["head"])
    sheet.freeze_panes(1, 0)
    for column, field in enumerate(FIELDS):
        sheet.set_column(column, column, _WIDTHS.get(field.name, 17), styles["entry"])


def _entries(sheet: Any) -> None:
    """Give the columns of people their drop-down lists, checks of dates, and hints."""
    for column, field in enumerate(FIELDS):
        hint = {"input_title": field.header[:32], "input_message": field.guidance[:255]}
        if field.name in DATES:
            # a warning that can be passed over: the check reads many other forms of a date
            rule: dict[str, Any] = {
                "validate": "custom",
                "value": _IS_DATE.format(f"{column_letter(column)}2"),
                "error_type": "warning",
                "error_title": "Please look at the date",
                "error_message": "Day, month and year, such as 25/12/1980, are the surest.",
            }
        elif field.name in CHOICES:
            rule = {
                "validate": "list",
                "source": list(CHOICES[field.name]),
                "error_type": "stop" if field.name == "gender" else "information",
            }
        else:
            rule = {"validate": "any"}
        sheet.data_validation(1, column, ROWS, column, {**rule, **hint})
    # texts of digits are meant; without this Excel offers to make numbers and dates of them
    every = f"A2:{column_letter(len(FIELDS) - 1)}{ROWS + 1}"
    sheet.ignore_errors({"number_stored_as_text": every, "two_digit_text_year": every})


def _form(sheet: Any, styles: Styles, answers: Mapping[str, str] | None = None) -> None:
    """Write the description form: a question, a place for the answer or the answer, a hint."""
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 80)
    sheet.set_column(2, 2, 60)
    sheet.write_string(0, 0, "About the service", styles["title"])
    write_rows(sheet, 1, [("Question", "Your answer", "What to write")], styles["head"])
    row = 2
    for question in (*QUESTIONS, *GROUPS):
        sheet.write_string(row, 0, question.text, styles["bold"])
        answer = (answers or {}).get(question.key)
        if answer is None:
            sheet.write_blank(row, 1, None, styles["answer"])
        else:
            sheet.write_string(row, 1, safe_text(answer), styles["answer"])
        sheet.write_string(row, 2, question.guidance, styles["text"])
        if question in QUESTIONS:
            sheet.set_row(row, 48)
        elif question.guidance == "Yes or No.":
            sheet.data_validation(row, 1, row, 1, {"validate": "list", "source": ["Yes", "No"]})
        row += 1
