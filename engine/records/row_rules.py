"""The rules that rows of an extract keep, as SQL conditions made from the schema.

A condition is true for a row that breaks the rule. Conditions name columns only; no value of a
person stands in them or in what is said of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from engine.identifiers import CHECK_LETTERS
from engine.records import code_lists as codes
from engine.records.database import quoted
from engine.records.extract import BLANKED, NOTED, SET_ASIDE, Extract, TableFiles
from engine.records.schema import Column, is_nullable

LONGEST_TEXT = 60
_MAY_LIE_AHEAD = {"order_end", "period_end", "release_date", "index_date", "order_start"}
"""Dates that records hold in advance."""
_LOOSE_ORDERS = {
    ("disposals", "disposal_date", "release_date"),  # time served on remand
    ("disposals", "disposal_date", "index_date"),
    ("disposals", "order_start", "order_end"),
    ("person_profile", "birth_month", "first_recorded_offence_date"),
    ("person_profile", "birth_month", "died_on"),
}
_FORMS = {
    "pnc_id": r"[0-9]{4}/[0-9]{7}[A-HJ-NP-RT-Z]",
    "cro_number": r"([0-9]{1,6}/[0-9]{2}|SF[0-9]{2}/[0-9]{1,7})[A-HJ-NP-RT-Z]",
    "prison_number": r"[A-Z][0-9]{4}[A-Z]{2}",
    "crn": r"[A-Z][0-9]{6}",
}


@dataclass(frozen=True)
class RowRule:
    """A condition that rows must not meet.

    Parameters
    ----------
    column : str
        The column that the rule is about.
    rule : str
        What holds, in words.
    condition : str
        SQL over the columns of the table; true for a row that breaks the rule.
    action : str
        What is done with such a row; see :class:`engine.records.extract.Problem`.
    """

    column: str
    rule: str
    condition: str
    action: str


def row_rules(extract: Extract, files: TableFiles) -> list[RowRule]:
    """Return the rules for single rows of one table, most damaging first."""
    rules = [
        *_null_rules(files),
        *_date_rules(files, extract.extract_date),
        *_code_rules(files),
        *_text_rules(files),
        *_SPECIAL.get(files.table.name, ()),
    ]
    present = {*files.columns, *files.further}
    rules = [rule for rule in rules if rule.column in present]
    order = {SET_ASIDE: 0, BLANKED: 1, NOTED: 2}
    return sorted(rules, key=lambda rule: order[rule.action])


def _null_rules(files: TableFiles) -> Iterator[RowRule]:
    table = files.table
    for column in table.columns:
        if column.name == "offence_date":
            yield RowRule(
                column.name,
                "not empty; where it is, the date of proof is used",
                f"{column.name} IS NULL",
                NOTED,
            )
        elif not is_nullable(column):
            yield RowRule(column.name, "not empty", f"{column.name} IS NULL", SET_ASIDE)
        if column.required_for and {"disposal_type", "indeterminate"} <= set(files.columns):
            kinds = ", ".join(quoted(kind) for kind in column.required_for)
            condition = f"{column.name} IS NULL AND disposal_type IN ({kinds})"
            if column.name == "sentence_days":
                condition += " AND NOT indeterminate"
            yield RowRule(
                column.name, f"not empty for {' and '.join(column.required_for)}", condition, NOTED
            )


def _date_rules(files: TableFiles, extract_date: dt.date) -> Iterator[RowRule]:
    table = files.table
    limit = f"DATE '{extract_date.isoformat()}'"
    for column in table.columns:
        name = column.name
        if column.type != pa.date32():
            continue
        born = name in {"date_of_birth", "birth_month"}
        if name not in _MAY_LIE_AHEAD:
            yield RowRule(
                name,
                "not after the date of the extract",
                f"{name} > {limit}",
                BLANKED if is_nullable(column) else SET_ASIDE,
            )
        bound = "DATE '1900-01-01'"
        yield RowRule(
            name,
            "after 1900-01-01: a placeholder is empty instead",
            f"{name} {'<=' if born else '<'} {bound}",
            BLANKED if is_nullable(column) else SET_ASIDE,
        )
    present = set(files.columns)
    for order in table.date_orders:
        if {order.earlier, order.later} <= present:
            loose = (table.name, order.earlier, order.later) in _LOOSE_ORDERS
            yield RowRule(
                order.later,
                f"not before {order.earlier}",
                f"{order.later} < {order.earlier}",
                NOTED if loose else SET_ASIDE,
            )


def _code_rules(files: TableFiles) -> Iterator[RowRule]:
    for column in files.table.columns:
        if column.known:
            known = ", ".join(quoted(value) for value in column.known)
            yield RowRule(
                column.name,
                "one of the known values, or a new one that is meant",
                f"{column.name} NOT IN ({known})",
                NOTED,
            )


def _text_rules(files: TableFiles) -> Iterator[RowRule]:
    def is_text(column: Column) -> bool:
        return bool(pa.types.is_string(column.type))

    for column in files.table.columns:
        if is_text(column):
            yield RowRule(
                column.name,
                f"at most {LONGEST_TEXT} characters",
                f"length({column.name}) > {LONGEST_TEXT}",
                BLANKED if is_nullable(column) else NOTED,
            )
        if column.name in _FORMS:
            yield RowRule(
                column.name,
                "the canonical form of the number",
                f"NOT regexp_full_match({column.name}, {quoted(_FORMS[column.name])})",
                NOTED,
            )
    if "pnc_id" in files.columns:
        letter = "TRY_CAST(substr(pnc_id, 3, 2) || substr(pnc_id, 6, 7) AS BIGINT) % 23 + 1"
        yield RowRule(
            "pnc_id",
            "the check letter fits the number",
            f"regexp_full_match(pnc_id, {quoted(_FORMS['pnc_id'])}) "
            f"AND substr('{CHECK_LETTERS}', ({letter})::INTEGER, 1) <> substr(pnc_id, 13, 1)",
            NOTED,
        )


_CUSTODIAL = ", ".join(quoted(kind) for kind in codes.CUSTODIAL_TYPES)
_ORDERS = ", ".join(quoted(kind) for kind in codes.ORDER_TYPES)
_SPECIAL: dict[str, tuple[RowRule, ...]] = {
    "person_profile": (
        RowRule("birth_month", "the first day of a month", "day(birth_month) <> 1", BLANKED),
    ),
    "disposals": (
        RowRule("sentence_days", "not negative", "sentence_days < 0", BLANKED),
        RowRule(
            "index_date",
            "the release for custody, the start for orders",
            f"(disposal_type IN ({_CUSTODIAL}) AND index_date <> release_date) OR "
            f"(disposal_type IN ({_ORDERS}) AND index_date <> order_start)",
            NOTED,
        ),
    ),
    "oasys_assessments": tuple(
        RowRule(name, "0, 1, 2 or empty", f"{name} NOT IN (0, 1, 2)", BLANKED)
        for name in codes.NEEDS
    ),
}
