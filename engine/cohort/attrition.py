"""Attrition: how many rows were submitted, lost at each stage and why, and analysed; as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.cohort.choose import is_group
from engine.cohort.reasons import (
    DAMAGED_ROW,
    DUPLICATE,
    IMPOSSIBLE_DATE,
    INVALID_IDENTIFIER,
    MISSING_IDENTIFIER,
    NOT_ANALYSED,
    NOT_FOUND,
    NOT_TOLD,
    OUTSIDE_WINDOW,
    REASONS,
    REPEAT,
    STAGE_OF,
    STAGES,
    UNRESOLVED,
)
from engine.errors import DisagreementError
from engine.submission.check import Check
from engine.submission.rules import RULES

REASON_OF_RULE = {
    "last_name_missing": MISSING_IDENTIFIER,
    "first_name_missing": MISSING_IDENTIFIER,
    "birth_date_missing": MISSING_IDENTIFIER,
    "gender_missing": MISSING_IDENTIFIER,
    "name_not_a_name": INVALID_IDENTIFIER,
    "birth_date_placeholder": INVALID_IDENTIFIER,
    "birth_date_implausible": INVALID_IDENTIFIER,
    "gender_unreadable": INVALID_IDENTIFIER,
    "gender_coding_unclear": INVALID_IDENTIFIER,
    "start_date_empty": IMPOSSIBLE_DATE,
    "date_unreadable": IMPOSSIBLE_DATE,
    "date_impossible": IMPOSSIBLE_DATE,
    "date_month_first": IMPOSSIBLE_DATE,
    "date_ambiguous": IMPOSSIBLE_DATE,
    "date_exchanged": IMPOSSIBLE_DATE,
    "date_year_only": IMPOSSIBLE_DATE,
    "date_century_unclear": IMPOSSIBLE_DATE,
    "date_in_future": IMPOSSIBLE_DATE,
    "date_before_2000": IMPOSSIBLE_DATE,
    "end_before_start": IMPOSSIBLE_DATE,
    "outside_window": OUTSIDE_WINDOW,
    "duplicate_row": DUPLICATE,
    "too_many_cells": DAMAGED_ROW,
    "cell_too_long": DAMAGED_ROW,
}
"""The reason that each rule of the check which keeps a row aside stands for."""

_UNLINKED = {"unresolved": UNRESOLVED, "not_linked": NOT_FOUND}
_PLACE = {reason.code: place for place, reason in enumerate(REASONS)}
_STAGES = tuple(STAGES)


@dataclass(frozen=True)
class Attrition:
    """What became of every row of a submission.

    Parameters
    ----------
    rows : pyarrow.Table
        One row for each row of the file: ``row`` (int64), ``stage`` and ``reason`` (utf8, null for
        who is still in), and the columns for sub-groups.
    stages : tuple of str
        Stages that have been carried out, in order.
    """

    rows: pa.Table
    stages: tuple[str, ...]

    @property
    def submitted(self) -> int:
        """Rows of the file."""
        return self.rows.num_rows

    @property
    def remaining(self) -> int:
        """Rows that are still in."""
        return self.rows["reason"].null_count


def attrition(check: Check, links: pa.Table, losses: pa.Table) -> Attrition:
    """Account for every row of a submission up to its index disposal.

    Parameters
    ----------
    check : Check
        Not rejected.
    links : pyarrow.Table
        ``row``, ``status`` (linked, unresolved, not_linked) and ``reason`` of every usable row.
    losses : pyarrow.Table
        ``row`` and ``reason`` of linked rows, see :class:`engine.cohort.choose.Choice`.

    Returns
    -------
    Attrition

    Raises
    ------
    DisagreementError
        A row was lost twice, or the rows do not add up.
    """
    listing = check.listing
    if listing is None:
        raise DisagreementError("a rejected submission has no rows to account for")
    reasons = own_reasons(check)
    if len(reasons) + check.usable != listing.num_rows:
        raise DisagreementError("usable rows and rows kept aside do not add up to those sent")
    status, why = (links[name].cast(pa.utf8()).to_pylist() for name in ("status", "reason"))
    for row, how, reason in zip(links["row"].to_pylist(), status, why, strict=True):
        if how != "linked":
            twice = reason == "same_person_twice"
            _lose(reasons, row, REPEAT if twice else _UNLINKED[how])
    for row, code in zip(losses["row"].to_pylist(), losses["reason"].to_pylist(), strict=True):
        _lose(reasons, row, code)
    if not reasons.keys() <= set(listing["row"].to_pylist()):
        raise DisagreementError("a row that was lost is not in the submission")
    return Attrition(_with_reasons(listing, reasons), _STAGES[: _STAGES.index("eligibility") + 1])


def with_stage(account: Attrition, stage: str, losses: dict[int, str]) -> Attrition:
    """Append a later stage.

    Parameters
    ----------
    account : Attrition
    stage : str
        A stage after those that were carried out.
    losses : dict of int to str
        Row of the file and code of the reason.

    Raises
    ------
    DisagreementError
        The stage is not a later one, a reason belongs to another stage, or a row is not in any
        more.
    """
    done = max(_STAGES.index(one) for one in account.stages)
    if stage not in STAGES or _STAGES.index(stage) <= done:
        raise DisagreementError("the stage does not come after those that were carried out")
    if any(STAGE_OF.get(code) != stage for code in losses.values()):
        raise DisagreementError("a reason belongs to another stage")
    rows = account.rows
    known = dict(zip(rows["row"].to_pylist(), rows["reason"].to_pylist(), strict=True))
    if any(row not in known for row in losses):
        raise DisagreementError("a row that is lost is not in the submission")
    reasons = {row: code for row, code in known.items() if code is not None}
    for row, code in losses.items():
        _lose(reasons, row, code)
    listing = rows.drop_columns(["stage", "reason"])
    return replace(account, rows=_with_reasons(listing, reasons), stages=(*account.stages, stage))


def steps(account: Attrition, chosen: pa.Array | pa.ChunkedArray | None = None) -> pa.Table:
    """Return the losses by reason, in order, exact.

    Parameters
    ----------
    account : Attrition
    chosen : pyarrow boolean array, optional
        Which rows count, all by default.

    Returns
    -------
    pyarrow.Table
        ``stage``, ``reason``, ``dropped``, ``remaining`` (int64) and ``percent`` (float64), the
        share of those submitted that was dropped. The first line is what was submitted, with a
        null reason; every reason of a stage that was carried out follows, also one of nobody.
    """
    rows = account.rows if chosen is None else account.rows.filter(chosen)
    counted = pc.value_counts(rows["reason"]).to_pylist()
    count = {one["values"]: one["counts"] for one in counted}
    remaining = rows.num_rows
    lines: list[dict[str, Any]] = [
        {"stage": "submitted", "reason": None, "dropped": 0, "remaining": remaining, "percent": 0.0}
    ]
    for reason in REASONS:
        if reason.stage in account.stages:
            dropped = count.get(reason.code, 0)
            remaining -= dropped
            share = 100.0 * dropped / rows.num_rows if rows.num_rows else 0.0
            lines.append(
                {
                    "stage": reason.stage,
                    "reason": reason.code,
                    "dropped": dropped,
                    "remaining": remaining,
                    "percent": share,
                }
            )
    if remaining != rows["reason"].null_count:
        raise DisagreementError("the stages of the attrition do not add up")
    return pa.Table.from_pylist(lines, _STEPS)


_STEPS = pa.schema(
    [
        pa.field("stage", pa.utf8()),
        pa.field("reason", pa.utf8()),
        pa.field("dropped", pa.int64()),
        pa.field("remaining", pa.int64()),
        pa.field("percent", pa.float64()),
    ]
)


def steps_by_group(account: Attrition) -> pa.Table:
    """Return :func:`steps` for each level of each column for sub-groups.

    Returns
    -------
    pyarrow.Table
        ``group`` (the column) and ``level`` (null for an empty cell) before the columns of
        :func:`steps`; columns in the order of the file, levels sorted, the empty one last. The
        levels of a group add up to the whole.
    """
    tables = []
    for name in (name for name in account.rows.column_names if is_group(name)):
        column = account.rows[name]
        if column.null_count == len(column):
            continue
        levels = sorted(set(column.to_pylist()) - {None})
        for level in (*levels, None)[: len(levels) + (column.null_count > 0)]:
            where = (
                pc.is_null(column)
                if level is None
                else pc.fill_null(pc.equal(column, level), fill_value=False)
            )
            table = steps(account, where)
            texts = [pa.array([text] * table.num_rows, pa.utf8()) for text in (name, level)]
            tables.append(table.add_column(0, "level", texts[1]).add_column(0, "group", texts[0]))
    if tables:
        return pa.concat_tables(tables)
    return pa.schema(
        [pa.field("group", pa.utf8()), pa.field("level", pa.utf8()), *_STEPS]
    ).empty_table()


def percent_text(dropped: int, submitted: int) -> str:
    """Return a share of those submitted as the report shows it.

    Examples
    --------
    >>> [percent_text(n, 300) for n in (0, 1, 3, 100, 300)]
    ['0%', '<1%', '1%', '33%', '100%']
    """
    if dropped == 0:
        return "0%"
    if 100 * dropped < submitted:
        return "<1%"
    return f"{(200 * dropped + submitted) // (2 * submitted)}%"


def own_reasons(check: Check) -> dict[int, str]:
    """Return the reason of each row that was kept aside, seen from the file alone.

    A row that breaks several rules has the reason that is first in :data:`REASONS`.
    """
    found: dict[int, str] = {}
    for problem in check.problems:
        if problem.row is not None and RULES[problem.rule].severity == "quarantine":
            code = REASON_OF_RULE[problem.rule]
            before = found.get(problem.row)
            if before is None or _PLACE[code] < _PLACE[before]:
                found[problem.row] = code
    return found


def sender_rows(check: Check) -> pa.Table:
    """Return what the sender may know of each row of the file.

    Parameters
    ----------
    check : Check
        Not rejected. Nothing else enters, so no record of anybody can change the table.

    Returns
    -------
    pyarrow.Table
        ``row`` (int64), ``row_id`` (the sender's own reference), ``code`` and ``meaning``: a reason
        that can be seen in the file itself, and :data:`NOT_ANALYSED` for every other row, whether
        it was analysed or not.
    """
    listing = check.listing
    if listing is None:
        raise DisagreementError("a rejected submission has no rows to report on")
    own = own_reasons(check)
    text = {reason.code: reason.text for reason in REASONS if reason.in_own_file}
    codes = [own.get(row, NOT_ANALYSED) for row in listing["row"].to_pylist()]
    return pa.table(
        {
            "row": listing["row"],
            "row_id": listing["row_id"],
            "code": pa.array(codes, pa.utf8()),
            "meaning": pa.array([text.get(code, NOT_TOLD) for code in codes], pa.utf8()),
        }
    )


def _lose(reasons: dict[int, str], row: int, code: str) -> None:
    """Note the reason of a row, which nobody has lost yet."""
    if row in reasons:
        raise DisagreementError("a row was lost twice")
    reasons[row] = code


def _with_reasons(listing: pa.Table, reasons: dict[int, str]) -> pa.Table:
    """Return the rows with stage and reason."""
    codes = [reasons.get(row) for row in listing["row"].to_pylist()]
    stages = [None if code is None else STAGE_OF[code] for code in codes]
    groups = [name for name in listing.column_names if is_group(name)]
    return pa.table(
        {
            "row": listing["row"],
            "stage": pa.array(stages, pa.utf8()),
            "reason": pa.array(codes, pa.utf8()),
            **{name: listing[name] for name in groups},
        }
    )
