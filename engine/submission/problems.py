"""The problems of a check as a workbook for the sender, to be repaired row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.submission.check import Check
from engine.submission.description import GROUPS, QUESTIONS
from engine.submission.fields import BY_NAME
from engine.submission.rules import Problem
from engine.submission.workbook import Styles, workbook_bytes, write_rows

HEADS = ("Row", "Column", "Severity", "What is wrong", "What to do", "Rule")
MEANINGS = (
    ("reject", "The file cannot be used until this is repaired."),
    ("quarantine", "This row cannot be used until it is repaired; the others can."),
    ("warning", "It can be used, but please look at it."),
    ("note", "Good to know."),
)
HEADINGS = {
    "reject": "Cannot be used",
    "quarantine": "Row kept aside",
    "warning": "Please look",
    "note": "Good to know",
}
"""Severities in the words of the terminal, for whoever has not read what they mean."""
LABELS = {
    "accepted_with_warnings": "accepted, with warnings",
    "rows_quarantined": "some rows kept aside",
}

_QUESTIONS = {question.key: question.text for question in (*QUESTIONS, *GROUPS)}


def problems_bytes(check: Check) -> bytes:
    """Return the problems as an xlsx workbook.

    Parameters
    ----------
    check : Check
        Its problems hold no cell of the file, only rows, columns and rules.

    Returns
    -------
    bytes
        The same for the same check. Every cell is a text or a number, none a formula.
    """

    def fill(book: Any, styles: Styles) -> None:
        summary = book.add_worksheet("Summary")
        summary.set_column(0, 0, 24)
        summary.set_column(1, 1, 80)
        summary.write_string(0, 0, "Check of the submission", styles["title"])
        rows = [
            ("Verdict", LABELS.get(check.verdict, check.verdict)),
            ("Rows of people", f"{check.rows:,}"),
            ("Rows that can be used", f"{check.usable:,}"),
        ]
        after = write_rows(summary, 1, rows, styles["text"])
        write_rows(summary, after + 1, [("Severity", "Meaning")], styles["head"])
        write_rows(summary, after + 2, MEANINGS, styles["text"])
        sheet = book.add_worksheet("Problems")
        for column, width in enumerate((8, 26, 12, 60, 60, 26)):
            sheet.set_column(column, column, width)
        write_rows(sheet, 0, [HEADS], styles["head"])
        sheet.freeze_panes(1, 0)
        _write_problems(sheet, check.problems, styles)
        sheet.autofilter(0, 0, max(len(check.problems), 1), len(HEADS) - 1)

    return workbook_bytes("Problems of a submission", fill)


def column_label(column: str | None) -> str:
    """Return a column as a sender knows it: the template's header, a question, or a letter."""
    if column is None:
        return ""
    if column in BY_NAME:
        return BY_NAME[column].header
    return _QUESTIONS.get(column, f"Column {column}")


def _write_problems(sheet: Any, problems: Sequence[Problem], styles: Styles) -> None:
    """Write one row for each problem; its row number is a number, so that it sorts as one."""
    for number, problem in enumerate(problems, 1):
        if problem.row is None:
            sheet.write_string(number, 0, "all", styles["text"])
        else:
            sheet.write_number(number, 0, problem.row, styles["text"])
        texts = (
            column_label(problem.column),
            problem.severity,
            problem.found,
            problem.repair,
            problem.rule,
        )
        for column, text in enumerate(texts, 1):
            sheet.write_string(number, column, text, styles["text"])
