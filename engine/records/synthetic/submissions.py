"""Submissions as organisations hand them in, and the truth about everybody in them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.records.synthetic.careers import Careers
from engine.records.synthetic.identities import Identities, make_identities
from engine.records.synthetic.interventions import (
    INTERVENTIONS,
    PRISON,
    ROW_CALLS,
    STAGE_ROW,
    START,
    Intervention,
    Interventions,
    Treated,
    Truth,
    in_records,
)
from engine.records.synthetic.people import Ints, People, make_people, uniforms
from engine.records.synthetic.typing_errors import Person, date_of, day_first, write_row
from engine.records.synthetic.world import Coefficients, Floats

COLUMNS = (
    "row_id",
    "first_name",
    "last_name",
    "date_of_birth",
    "gender",
    "pnc_id",
    "prison_number",
    "intervention_start",
    "intervention_end",
    "service_site",
    "completed",
)

TRUTH_SCHEMA = pa.schema(
    [
        pa.field("submission", pa.utf8(), nullable=False),
        pa.field("row_id", pa.utf8(), nullable=False),
        pa.field("person_id", pa.int64()),
        pa.field("disposal_id", pa.int64()),
        pa.field("reoffences_without", pa.int64()),
        pa.field("reoffences_with", pa.int64()),
        pa.field("days_without", pa.int64()),
        pa.field("days_with", pa.int64()),
        pa.field("problems", pa.utf8(), nullable=False),
    ]
)
"""Who is who, and the proven reoffences of the year without and with the intervention; days to the
first are null where there is none, everything is null for people in no record."""


class Row(NamedTuple):
    """One row of a submission with its truth."""

    intervention: int
    key: float
    typed: tuple[str, ...]
    problems: tuple[str, ...]
    person_id: int | None = None
    disposal_id: int | None = None
    reoffences_without: int | None = None
    reoffences_with: int | None = None
    days_without: int | None = None
    days_with: int | None = None


def _person(people: People, known: Identities, i: int) -> Person:
    """Return what the records say of one person of a block."""
    return Person(
        known.first[i].as_py(),
        known.middle[i].as_py(),
        known.last[i].as_py(),
        known.other_last[i].as_py(),
        date_of(int(known.birth_day[i])) if known.birth_known[i] else None,
        bool(people.male[i]),
        known.pnc[i].as_py(),
        known.prison[i].as_py(),
    )


def _period(one: Intervention, leave: int, index: int, u: Floats) -> tuple[int, int]:
    """Return the days on which the intervention began and ended."""
    if one.setting == PRISON:
        begin = leave + int(u[0] * (index - leave - 28))
        return begin, min(begin + 21 + int(u[1] * 90), index)
    begin = index + int(u[0] * 14)
    return begin, begin + 40 + int(u[1] * 120)


def _typed(
    person: Person, stranger: Person, begin: int, end: int, u: Floats
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the cells after ``row_id``, and the problems."""
    row = write_row(person, stranger, u[:32].tolist())
    site = f"Site {'ABCDE'[min(int(u[32] * 5), 4)]}"
    cells = (
        row.first,
        row.last,
        row.birth,
        row.gender,
        row.pnc,
        row.prison,
        day_first(date_of(begin)),
        day_first(date_of(end)),
        site,
        "yes" if u[33] < 0.8 else "no",
    )
    return cells, row.problems


def treated_rows(
    people: People,
    careers: Careers,
    known: Identities,
    treated: Treated,
    truth: Truth,
    disposal_ids: Ints,
    seed: int,
    interventions: Interventions = INTERVENTIONS,
) -> list[Row]:
    """Return the rows of a block's treated people.

    Parameters
    ----------
    people, careers, known : block
        ``careers`` as they would have been without interventions.
    treated : Treated
    truth : Truth
    disposal_ids : int64, shape (m,)
        Index disposal of each treated person in the records.
    seed : int
    interventions : tuple of Intervention

    Returns
    -------
    list of Row
    """
    person = careers.person[treated.row]
    u = uniforms(people.unit[person], STAGE_ROW, seed, ROW_CALLS)
    rows = []
    for j, i in enumerate(person.tolist()):
        one = interventions[treated.intervention[j]]
        career = int(treated.row[j])
        begin, end = _period(
            one, int(careers.leave[career]), int(careers.index_day[career]), u[START : START + 2, j]
        )
        stranger = _person(people, known, (i + 1) % len(people.unit))
        cells, problems = _typed(_person(people, known, i), stranger, begin, end, u[:, j])
        rows.append(
            Row(
                int(treated.intervention[j]),
                float(u[36, j]),
                cells,
                problems,
                int(people.unit[i]) + 1,
                int(disposal_ids[j]),
                int(truth.count_without[j]),
                int(truth.count_with[j]),
                int(truth.days_without[j]) if truth.count_without[j] else None,
                int(truth.days_with[j]) if truth.count_with[j] else None,
            )
        )
    return rows


def absent_rows(
    first: int,
    position: int,
    seed: int,
    solved: Coefficients,
    years: tuple[int, int],
    interventions: Interventions = INTERVENTIONS,
) -> list[Row]:
    """Return the rows of one submission whose people are in no record.

    Parameters
    ----------
    first : int
        Number of the first person who is in no record.
    position : int
        Position of the intervention.
    seed : int
    solved : Coefficients
    years : tuple of int
    interventions : tuple of Intervention

    Returns
    -------
    list of Row
    """
    one = interventions[position]
    count = one.size - in_records(one)
    if count == 0:
        return []
    people = make_people(first, count, seed, solved, years)
    nobody = np.zeros(count, dtype=bool)
    known = make_identities(people, nobody, nobody, seed)
    # somebody whom the police do not know has no number of theirs
    known = known._replace(pnc=pa.nulls(count, pa.utf8()))
    u = uniforms(people.unit, STAGE_ROW, seed, ROW_CALLS)
    rows = []
    for i in range(count):
        begin = int(people.first_day[i])
        person = _person(people, known, i)
        cells, problems = _typed(person, person, begin, begin + 60, u[:, i])
        rows.append(Row(position, float(u[36, i]), cells, problems))
    return rows


def write_submissions(
    rows: list[Row], folder: Path, interventions: Interventions = INTERVENTIONS
) -> list[Row]:
    """Write one csv for each submission; return the rows in the order in which they stand.

    Rows of a submission stand in a random order, and their ``row_id`` counts them.
    """
    ordered = sorted(rows, key=lambda row: (row.intervention, row.key))
    for position in sorted({row.intervention for row in ordered}):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, row in enumerate(r for r in ordered if r.intervention == position):
            writer.writerow((f"R{number + 1:05d}", *row.typed))
        path = folder / f"{interventions[position].name}.csv"
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return ordered


def _mean(values: list[int]) -> float | None:
    return sum(values) / len(values) if values else None


def _effects_of(one: Intervention, rows: list[Row]) -> dict[str, Any]:
    """Return the truth of one submission as plain values."""
    present = [row for row in rows if row.person_id is not None]
    arms = {}
    for arm in ("without", "with"):
        counts = [getattr(row, f"reoffences_{arm}") for row in present]
        days = [getattr(row, f"days_{arm}") for row in present]
        arms[arm] = {
            "reoffenders": sum(count > 0 for count in counts),
            "rate": _mean([int(count > 0) for count in counts]),
            "frequency": _mean(counts),
            "days_to_first": _mean([day for day in days if day is not None]),
        }
    return {
        **one._asdict(),
        "submitted": len(rows),
        "in_records": len(present),
        "with_a_problem": sum(bool(row.problems) for row in rows),
        "arms": arms,
        "effect_on_rate": _difference(arms, "rate"),
        "effect_on_frequency": _difference(arms, "frequency"),
        "effect_on_days": _difference(arms, "days_to_first"),
    }


def _difference(arms: dict[str, dict[str, Any]], measure: str) -> float | None:
    first, second = arms["with"][measure], arms["without"][measure]
    return None if first is None or second is None else first - second


def write_truth(
    ordered: list[Row],
    skipped: dict[int, str],
    folder: Path,
    interventions: Interventions = INTERVENTIONS,
) -> dict[str, Any]:
    """Write the truth about each row (Parquet) and each submission (JSON); return the latter."""
    numbers: dict[int, int] = {}
    columns: dict[str, list[Any]] = {name: [] for name in TRUTH_SCHEMA.names}
    for row in ordered:
        numbers[row.intervention] = numbers.get(row.intervention, 0) + 1
        columns["submission"].append(interventions[row.intervention].name)
        columns["row_id"].append(f"R{numbers[row.intervention]:05d}")
        columns["problems"].append("; ".join(row.problems))
        for name in TRUTH_SCHEMA.names[2:-1]:
            columns[name].append(getattr(row, name))
    pq.write_table(pa.table(columns, schema=TRUTH_SCHEMA), folder / "people.parquet")
    effects = {
        "submissions": [
            _effects_of(interventions[i], [row for row in ordered if row.intervention == i])
            for i in sorted(numbers)
        ],
        "skipped": [
            {
                "name": interventions[i].name,
                "size": interventions[i].size,
                "reason": reason,
            }
            for i, reason in sorted(skipped.items())
        ],
    }
    text = json.dumps(effects, indent=1) + "\n"
    (folder / "effects.json").write_text(text, encoding="utf-8", newline="")
    return effects
