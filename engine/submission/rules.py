"""Every rule of the check: how bad it is, what was found and how the sender can cure it.

The texts are fixed, so that no message can hold a person's value: a problem names its rule, row and
field, and nothing from the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["reject", "quarantine", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("reject", "quarantine", "warning", "note")
"""The worst first: the file cannot be used; the row cannot; it can but should be looked at; good to
know."""

Verdict = Literal["accepted", "accepted_with_warnings", "rows_quarantined", "rejected"]

FEWEST_PEOPLE = 60


@dataclass(frozen=True)
class Rule:
    """A rule: severity, what was found, repair."""

    severity: Severity
    found: str
    repair: str


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in one place.

    Attributes
    ----------
    row : int or None
        Number of the row in the sender's file, as a spreadsheet shows it; None for the whole file.
    column : str or None
        Name of the field; the letter of the column where the header is not known; None for all.
    rule : str
        Key of :data:`RULES`.
    detail : str
        What the rule's text cannot know, such as the kind of the file; never from its content.
    """

    row: int | None
    column: str | None
    rule: str
    detail: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return RULES[self.rule].severity

    @property
    def found(self) -> str:
        """What was found, in words."""
        return f"{RULES[self.rule].found} {self.detail}".rstrip()

    @property
    def repair(self) -> str:
        """What the sender can do about it."""
        return RULES[self.rule].repair


def verdict_of(problems: tuple[Problem, ...]) -> Verdict:
    """Return the verdict: that of the worst problem."""
    found = {problem.severity for problem in problems}
    if "reject" in found:
        return "rejected"
    if "quarantine" in found:
        return "rows_quarantined"
    return "accepted_with_warnings" if "warning" in found else "accepted"


_DAY_FIRST = "Write day, month and year, such as 25/12/1980."
_NAME = "Write the name as in the person's records."
NOTHING = "Nothing to do."

RULES: dict[str, Rule] = {
    # the file
    "not_a_table": Rule(
        "reject",
        "The file is not a table that can be read, or it is damaged.",
        "Save the sheet as .xlsx or as 'CSV UTF-8' and send that file.",
    ),
    "protected": Rule(
        "reject",
        "The workbook is an old or a password-protected one that cannot be read.",
        "Take the password off and save it as .xlsx.",
    ),
    "too_large": Rule(
        "reject",
        "The file has more bytes, rows, columns or cells than a submission may have.",
        "Delete empty rows and columns below and beside the table, and other sheets.",
    ),
    "too_much_to_read": Rule(
        "reject",
        "Reading the file takes more memory or time than is allowed.",
        "Copy the table into the template and send that file.",
    ),
    "no_rows": Rule(
        "reject", "There are no rows of people.", "Fill the sheet 'People', one row for a person."
    ),
    "no_header": Rule(
        "reject",
        "No row with column names was found among the first 30 rows.",
        "Put one row of column names, as in the template, above the people.",
    ),
    "several_tables": Rule(
        "reject",
        "More than one sheet holds a table of people.",
        "Put all people on one sheet, or send one file for each sheet.",
    ),
    "column_missing": Rule(
        "reject",
        "A required column is missing.",
        "Add the column, or correct its heading; take it from the template.",
    ),
    "start_date_missing": Rule(
        "reject",
        "There is no column of intervention start, index date or conviction date.",
        "Add at least one of the three; best is the intervention start date.",
    ),
    "name_in_one_column": Rule(
        "reject",
        "Forename and surname stand in one column.",
        "Split them into the columns 'Surname' and 'Forename'.",
    ),
    "column_twice": Rule(
        "reject",
        "Two columns have names that mean the same.",
        "Delete one of them, or rename it.",
    ),
    "no_usable_rows": Rule(
        "reject", "No row can be used.", "Repair what is listed for the rows; it may be one cause."
    ),
    "fewer_than_60": Rule(
        "reject",
        f"There are fewer than {FEWEST_PEOPLE} different people.",
        f"Send at least {FEWEST_PEOPLE} people; a longer period or more sites may reach that.",
    ),
    # rows that cannot be used
    "last_name_missing": Rule("quarantine", "The surname is missing.", _NAME),
    "first_name_missing": Rule("quarantine", "The forename is missing.", _NAME),
    "name_not_a_name": Rule(
        "quarantine", "The cell does not hold a name.", "Write letters, spaces and hyphens only."
    ),
    "birth_date_missing": Rule("quarantine", "The date of birth is missing.", _DAY_FIRST),
    "birth_date_placeholder": Rule(
        "quarantine",
        "The date of birth is one that systems write when it is not known.",
        "Write the real date of birth.",
    ),
    "birth_date_implausible": Rule(
        "quarantine",
        "The date of birth makes the person younger than 10 or older than 100.",
        "Check the year, and that birth and start dates stand in their own columns.",
    ),
    "gender_missing": Rule("quarantine", "The gender is missing.", "Write M or F."),
    "gender_unreadable": Rule("quarantine", "The gender is not a known code.", "Write M or F."),
    "gender_coding_unclear": Rule(
        "quarantine",
        "Gender is coded 0 and 1, which can be read in two ways.",
        "Write M or F.",
    ),
    "start_date_empty": Rule(
        "quarantine",
        "The row has no intervention start, index date or conviction date.",
        "Write at least one of the three.",
    ),
    "date_unreadable": Rule("quarantine", "The cell does not hold a date.", _DAY_FIRST),
    "date_impossible": Rule(
        "quarantine", "The calendar has no such day.", f"Look it up. {_DAY_FIRST}"
    ),
    "date_month_first": Rule(
        "quarantine",
        "The date can only be read with the month first.",
        f"{_DAY_FIRST} If the whole file is month first, say so with --date-order month.",
    ),
    "date_ambiguous": Rule(
        "quarantine",
        "The date can be two days, because the column mixes orders of day and month.",
        "Write dates as 2020-12-25, or say the order of the file with --date-order.",
    ),
    "date_exchanged": Rule(
        "quarantine",
        "The spreadsheet program is set to month first: it has exchanged day and month.",
        "Type the date again as 2020-12-25, or in the template, where it stays as it is typed.",
    ),
    "date_year_only": Rule("quarantine", "The cell holds a year only.", _DAY_FIRST),
    "date_century_unclear": Rule(
        "quarantine",
        "With this year of two digits nobody would be 10 to 99 years old today.",
        "Write the year with four digits.",
    ),
    "date_in_future": Rule(
        "quarantine",
        "The date lies in the future.",
        "Check the year; send only people who have started.",
    ),
    "date_before_2000": Rule(
        "quarantine",
        "The date lies before the year 2000, earlier than any result can be given for.",
        "Check the year, and that birth and start dates stand in their own columns.",
    ),
    "end_before_start": Rule(
        "quarantine", "The intervention ends before it starts.", "Check both dates."
    ),
    "outside_window": Rule(
        "quarantine",
        "The dates lie outside the period for which results can be given.",
        "Leave the person out, or wait until the records reach that far.",
    ),
    "duplicate_row": Rule(
        "quarantine",
        "An earlier row has the same person and the same dates.",
        "Keep one of the rows.",
    ),
    "too_many_cells": Rule(
        "quarantine",
        "The row has more cells than there are columns.",
        "Put cells that hold a comma in quotation marks, or send an .xlsx file.",
    ),
    "cell_too_long": Rule(
        "quarantine",
        "A cell holds far more text than it should.",
        "Shorten it; look for a quotation mark that is never closed.",
    ),
    # to be looked at
    "pnc_id_invalid": Rule(
        "warning",
        "The PNC ID is not valid, so it is not used.",
        "Copy it again; it ends in a check letter, such as 02/73319Z.",
    ),
    "prison_number_invalid": Rule(
        "warning",
        "The prison number is not valid, so it is not used.",
        "Copy it again: a letter, four digits, two letters, such as A1234BC.",
    ),
    "cro_number_invalid": Rule(
        "warning",
        "The CRO number is not valid, so it is not used.",
        "Copy it again; it ends in a check letter.",
    ),
    "crn_invalid": Rule(
        "warning",
        "The CRN is not valid, so it is not used.",
        "Copy it again: a letter and six digits, such as X123456.",
    ),
    "identifier_in_wrong_column": Rule(
        "warning",
        "The number belongs in another column, so it is not used.",
        "Move it to the column of its kind.",
    ),
    "pnc_id_before_birth": Rule(
        "warning",
        "The PNC ID is from a year before the person's birth, so it is not used.",
        "Check the PNC ID and the date of birth.",
    ),
    "identifier_shared": Rule(
        "warning",
        "Rows of different people have the same number, so it is used for none of them.",
        "Find out whose number it is.",
    ),
    "repeat_participation": Rule(
        "warning",
        "An earlier row has the same person with other dates; the person will count once.",
        "Nothing to do if the person took part more than once.",
    ),
    "reference_twice": Rule(
        "warning",
        "An earlier row has the same reference.",
        "Give every row a reference of its own.",
    ),
    "name_garbled": Rule(
        "warning",
        "Letters of the name were damaged when the file was saved.",
        "Save the file as .xlsx or as 'CSV UTF-8'.",
    ),
    "name_initial_only": Rule(
        "warning", "The name is one letter only.", "Write the name in full; few are found by one."
    ),
    "name_other_characters": Rule(
        "warning", "The name holds digits or signs.", "Write letters, spaces and hyphens only."
    ),
    "gender_not_in_records": Rule(
        "warning",
        "The gender is not known or not one of the two of the national records; it is not used.",
        "Write M or F if it is known.",
    ),
    "postcode_invalid": Rule(
        "warning", "The postcode is not valid, so it is not used.", "Write it as SW1A 1AA."
    ),
    "end_date_not_used": Rule(
        "warning",
        "The intervention end date cannot be used and counts as not given.",
        f"{_DAY_FIRST} Leave it empty if the person is still taking part.",
    ),
    "not_a_person": Rule(
        "warning",
        "The row looks like a total or a note; it is left out and not counted.",
        "Delete it; if it is a person, fill name, date of birth, gender and start date.",
    ),
    "person_under_18": Rule(
        "warning",
        "The person was under 18 at the start; children are analysed separately.",
        "Nothing to do if the service works with children.",
    ),
    "two_digit_years": Rule(
        "warning",
        "Years have two digits. A birth year is read as the one that makes the person 10 to 99 "
        "years old today, any other year as of this century.",
        "Check a few rows, or write years with four digits.",
    ),
    "column_empty": Rule("warning", "The column has a name but no cells.", "Fill it."),
    "identifiers_missing": Rule(
        "warning",
        "Nobody has a PNC ID or prison number, so more people will not be found.",
        "Add the PNC ID, the prison number or both wherever you have them.",
    ),
    "identifiers_few": Rule(
        "warning",
        "Fewer than half of the rows have a valid PNC ID or prison number.",
        "Add them wherever you have them.",
    ),
    "intervention_start_missing": Rule(
        "warning",
        "There is no intervention start date; the right sentence may not be found.",
        "Add the intervention start date.",
    ),
    "intervention_end_missing": Rule(
        "warning",
        "There is no intervention end date; the right sentence may not be found.",
        "Add the intervention end date.",
    ),
    "too_recent": Rule(
        "warning",
        "Dates of the last 18 months: reoffending cannot be known yet for these people.",
        "Send them later, or expect them to be left out.",
    ),
    "fewer_than_60_usable": Rule(
        "warning",
        f"Fewer than {FEWEST_PEOPLE} different people are left without the rows kept aside. The "
        "fewer there are, the less can be said about the service.",
        "Repair the rows kept aside, or add people: a longer period, more sites.",
    ),
    "unneeded_column": Rule(
        "warning",
        "The column is not needed and has too many values for sub-groups; it is not used.",
        "Delete it: send no more about people than is needed.",
    ),
    "description_incomplete": Rule(
        "warning",
        "A question on the sheet 'Description' has no answer.",
        "Answer it in a sentence or two; it goes into the report.",
    ),
    "needs_approval": Rule(
        "warning",
        "The service works with a group for which each request is approved individually. This is "
        "not a refusal.",
        "Write to the data lab before you send the file; they will tell you what they need.",
    ),
    # good to know
    "description_missing": Rule(
        "note",
        "The description of the service is not in the file; the report will need it.",
        "Fill the sheet 'Description' of the template, or name a workbook with --description.",
    ),
    "excel_serial": Rule(
        "note", "Dates are numbers of a spreadsheet; they were read as dates.", NOTHING
    ),
    "subgroup_column": Rule("note", "The column is kept for results by group.", NOTHING),
    "other_sheets": Rule("note", "Other sheets of the workbook are not read.", NOTHING),
    "text_encoding": Rule(
        "note",
        "The file is not UTF-8; it was read as Windows text.",
        "Check names with accents, or save as 'CSV UTF-8'.",
    ),
}
