"""Several files of one service as one submission: each wave checked by itself, then joined.

Waves are submitted at different times, so a person may stand in several of them; who is who is
found wave by wave, as if each were alone, and a person is analysed once, by the first participation
that can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.buffers import to_numpy
from engine.submission.check import Check
from engine.submission.people import EXTRA
from engine.submission.persons import group_persons
from engine.submission.rules import FEWEST_PEOPLE, Problem, verdict_of

WAVE_ROWS = 10_000_000
"""Row 2 of the third wave is row 30,000,002: more than a file can have, so none meet."""
WAVE = f"{EXTRA}wave"
"""Column for sub-analyses by wave: '1', '2', ..."""

_OF_PEOPLE = ("last_name", "first_name", "date_of_birth", "pnc_id", "prison_number")


def join_waves(checks: Sequence[Check]) -> Check:
    """Return the check of several files as that of one submission.

    Parameters
    ----------
    checks : sequence of Check
        In the order of the waves, each made with ``fewest=1``.

    Returns
    -------
    Check
        Rows count from ``WAVE_ROWS`` times the number of the wave, from 1. That a file has too few
        people counts for all of them together. The description is that of the last wave with one.
    """
    problems = [
        replace(problem, row=None if problem.row is None else _row(number, problem.row))
        for number, check in enumerate(checks, 1)
        for problem in check.problems
        if problem.rule != "fewer_than_60_usable"
    ]
    tables = [_numbered(check.table, n) for n, check in enumerate(checks, 1)]
    listings = [_numbered(check.listing, n) for n, check in enumerate(checks, 1)]
    table, listing = _joined(tables), _joined(listings)
    rows = sum(check.rows for check in checks)
    if rows < FEWEST_PEOPLE:
        problems.append(Problem(None, None, "fewer_than_60"))
    elif table is not None and _people(table) < FEWEST_PEOPLE:
        problems.append(Problem(None, None, "fewer_than_60_usable"))
    found = tuple(dict.fromkeys(problems))
    verdict = verdict_of(found)
    about = next((one.description for one in reversed(checks) if one.description), None)
    if verdict == "rejected" or table is None:
        return Check(verdict, rows, 0, found, None, None, about)
    return Check(verdict, rows, table.num_rows, found, table, listing, about)


def wave_bounds(row: pa.ChunkedArray) -> list[tuple[int, int]]:
    """Return where each wave begins and ends, a single pair where there are no waves.

    Parameters
    ----------
    row : pyarrow array of whole numbers
        Rows of a submission, wave by wave.
    """
    wave = to_numpy(row).astype(np.int64) // WAVE_ROWS
    edges = [0, *(np.flatnonzero(np.diff(wave)) + 1).tolist(), len(wave)]
    return list(pairwise(edges))


def _row(wave: int, row: int) -> int:
    return wave * WAVE_ROWS + row


def _numbered(table: pa.Table | None, wave: int) -> pa.Table | None:
    """Return a table of a wave with rows that say which, and a column that tells it."""
    if table is None:
        return None
    place = table.column_names.index("row")
    rows = pc.add(table["row"], pa.scalar(wave * WAVE_ROWS, table["row"].type))
    table = table.set_column(place, "row", rows)
    return table.append_column(WAVE, pa.array([str(wave)] * table.num_rows, pa.utf8()))


def _joined(tables: Sequence[pa.Table | None]) -> pa.Table | None:
    known = [one for one in tables if one is not None]
    if len(known) < len(tables):
        return None
    return pa.concat_tables(known, promote_options="permissive").combine_chunks()


def _people(table: pa.Table) -> int:
    """Return how many different people the usable rows are."""
    columns = {name: table[name].to_pylist() for name in _OF_PEOPLE if name in table.column_names}
    return len(set(group_persons(columns)))
