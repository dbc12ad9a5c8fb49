"""The description of the service: the questions of the form, the answers, who needs an approval.

The answers travel to the report in the organisation's own words. How people were selected or
referred is the most important of them: it shows whether those who would do well anyway were chosen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.submission.fields import folded
from engine.submission.grid import TOO_LONG, Grid
from engine.submission.rules import Problem

SHEET = "Description"


@dataclass(frozen=True)
class Question:
    """One question: key of the answer, text, what to write, and whether it must be answered."""

    key: str
    text: str
    guidance: str
    required: bool = True


QUESTIONS = (
    Question("organisation", "Name of the organisation", "As it shall stand in the report."),
    Question("service", "Name of the service", "As it shall stand in the report."),
    Question(
        "what", "What is the service?", "What people do, and how it is meant to reduce reoffending."
    ),
    Question(
        "where", "Where is it delivered?", "Prisons, towns or regions; in custody or outside."
    ),
    Question("how", "How is it delivered?", "One to one, in groups, by whom.", required=False),
    Question(
        "dose",
        "How much does a person receive?",
        "Hours or sessions, over how many weeks or months.",
    ),
    Question(
        "selection",
        "How were participants selected or referred?",
        "Who may take part, who refers them, who is turned away and why, whether they may refuse. "
        "Say too which of your participants are in this file: all of a period, or which ones.",
    ),
    Question(
        "period", "Which period does the file cover?", "First and last start.", required=False
    ),
)

GROUPS = (
    Question("vulnerable", "Is it for vulnerable young people or adults?", "Yes or No."),
    Question("learning", "Is it for people with learning difficulties?", "Yes or No."),
    Question("mental_health", "Is it for people with mental health needs?", "Yes or No."),
    Question("drugs_or_alcohol", "Is it for people with drug or alcohol needs?", "Yes or No."),
    Question("sexual_offences", "Is it for people with sexual offences?", "Yes or No."),
    Question("domestic_abuse", "Is it for people who committed domestic abuse?", "Yes or No."),
    Question("other_need", "Is it for another specific need? Which?", "No, or the need."),
)
"""Groups for which each request is approved individually; the list is meant to be extended."""

GROUP_WORDS = {
    "learning": r"learning (difficult|disabilit)|autis|neurodiver",
    "mental_health": r"mental(ly)? (health|ill)|personality disorder|psychiatr|psycholog",
    "drugs_or_alcohol": r"drug|alcohol|substance (mis)?use|addict|recovery from",
    "sexual_offences": r"sex(ual)? offen|sexual(ly)? harm|circles of support",
    "domestic_abuse": r"domestic (abuse|violence)|intimate partner|perpetrator",
    "vulnerable": r"vulnerable",
}
"""Words in the description that point to a group whose question is answered 'no' or not at all."""

NO = frozenset({"", "no", "n", "none", "false", "0", "nil", "na", "notapplicable", "nein"})


@dataclass(frozen=True)
class Description:
    """What the organisation says of its service.

    Attributes
    ----------
    answers : dict of str to str
        Text of each question that was answered, by its key.
    groups : tuple of str
        Groups that need an approval, in the order of :data:`GROUPS`.
    """

    answers: dict[str, str]
    groups: tuple[str, ...]


def read_description(grids: list[Grid]) -> tuple[Description | None, list[Problem]]:
    """Read the form from the sheets of a workbook.

    Parameters
    ----------
    grids : list of dict
        All sheets of the workbook.

    Returns
    -------
    description : Description or None
        None where there is no such sheet or it has no answer.
    problems : list of Problem
        Questions without an answer; groups that need an approval.
    """
    answers: dict[str, str] = {}
    keys = {folded(q.text): q.key for q in (*QUESTIONS, *GROUPS)}
    for grid in grids:
        if folded(grid["name"] or "") != folded(SHEET):
            continue
        for row in grid["rows"]:
            for i, cell in enumerate(row):
                key = keys.get(folded(cell))
                if key and i + 1 < len(row) and row[i + 1] not in {"", TOO_LONG}:
                    answers.setdefault(key, row[i + 1])
    if not answers:
        return None, [Problem(None, None, "description_missing")]
    problems = [
        Problem(None, question.key, "description_incomplete")
        for question in QUESTIONS
        if question.required and question.key not in answers
    ]
    groups = tuple(q.key for q in GROUPS if _concerns(q.key, answers))
    problems += [Problem(None, group, "needs_approval") for group in groups]
    return Description(answers, groups), problems


def _concerns(group: str, answers: dict[str, str]) -> bool:
    """Whether the answers say that the service works with a group."""
    if folded(answers.get(group, "")) not in NO:
        return True
    words = GROUP_WORDS.get(group)
    told = " ".join(answers.get(key, "") for key in ("service", "what", "selection"))
    return words is not None and re.search(rf"\b({words})", told, re.IGNORECASE) is not None
