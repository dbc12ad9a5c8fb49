"""Stages at which people are lost and the codes of the reasons, as data."""

from __future__ import annotations

from dataclasses import dataclass

MISSING_IDENTIFIER = "missing_identifier"
INVALID_IDENTIFIER = "invalid_identifier"
IMPOSSIBLE_DATE = "impossible_date"
DUPLICATE = "duplicate"
OUTSIDE_WINDOW = "outside_window"
DAMAGED_ROW = "damaged_row"
NOT_FOUND = "not_found"
UNRESOLVED = "unresolved"
NO_SENTENCE = "no_sentence"
OUTSIDE_RULE = "outside_rule"
OUTSIDE_DATA = "outside_data"
REOFFENDED = "reoffended_before"
SEXUAL = "sexual_offence"
AGE = "age_limits"
REPEAT = "repeat_participation"
NO_ASSESSMENT = "no_assessment"
UNMATCHED = "unmatched"

SUBMISSION, LINKAGE, SENTENCE, ELIGIBILITY, ASSESSMENT, MATCHING = (
    "submission",
    "linkage",
    "sentence",
    "eligibility",
    "assessment",
    "matching",
)

STAGES = {
    SUBMISSION: "rows of the file that can be used",
    LINKAGE: "people found in the national records",
    SENTENCE: "people with an index disposal",
    ELIGIBILITY: "people who belong to the analysis",
    ASSESSMENT: "people with an assessment near the index date",
    MATCHING: "people with matched comparison people",
}
"""Stages in their order, and what is left after each."""


@dataclass(frozen=True)
class Reason:
    """A reason for which a row is lost.

    Parameters
    ----------
    code, stage, text : str
    in_own_file : bool
        The sender can see it in the file that was sent; any other depends on national records and
        is never told for a single row.
    """

    code: str
    stage: str
    text: str
    in_own_file: bool = False


REASONS = (
    Reason(DAMAGED_ROW, SUBMISSION, "the row is damaged and cannot be read", in_own_file=True),
    Reason(
        MISSING_IDENTIFIER,
        SUBMISSION,
        "surname, forename, birth date or gender is missing",
        in_own_file=True,
    ),
    Reason(
        INVALID_IDENTIFIER,
        SUBMISSION,
        "surname, forename, birth date or gender is not valid",
        in_own_file=True,
    ),
    Reason(
        IMPOSSIBLE_DATE,
        SUBMISSION,
        "a date is missing, impossible or ambiguous",
        in_own_file=True,
    ),
    Reason(DUPLICATE, SUBMISSION, "an earlier row has the same person and dates", in_own_file=True),
    Reason(
        OUTSIDE_WINDOW,
        SUBMISSION,
        "the dates lie outside the period that the records cover",
        in_own_file=True,
    ),
    Reason(NOT_FOUND, LINKAGE, "not found in the national records"),
    Reason(UNRESOLVED, LINKAGE, "possible matches in the records, none of them certain"),
    Reason(NO_SENTENCE, SENTENCE, "no appropriate sentence"),
    Reason(OUTSIDE_RULE, SENTENCE, "the intervention starts too long after every sentence"),
    Reason(OUTSIDE_DATA, SENTENCE, "the index date lies outside the reoffending data"),
    Reason(REOFFENDED, ELIGIBILITY, "already reoffended before the intervention"),
    Reason(SEXUAL, ELIGIBILITY, "the index offence is a sexual one"),
    Reason(AGE, ELIGIBILITY, "outside the limits of age, or age not known"),
    Reason(REPEAT, ELIGIBILITY, "took part more than once; counted in another row"),
    Reason(NO_ASSESSMENT, ASSESSMENT, "no assessment near the index date"),
    Reason(UNMATCHED, MATCHING, "no comparison people that are alike"),
)
"""All reasons, in the order in which they are looked for."""

STAGE_OF = {reason.code: reason.stage for reason in REASONS}

NOT_ANALYSED = "not_analysed"
"""The one code that a sender's file has in place of every reason that depends on records."""
NOT_TOLD = (
    "Nothing in your file stands against this row. Whether the person could be analysed depends on "
    "national records, so it is told in counts only and never row by row."
)
