"""The synthetic nation as files: an extract, submissions, the truth, and its calibration.

OUT/extract/       what a data owner would export; ``extract.json`` comes last
OUT/submissions/   one csv for each intervention
OUT/truth/         who is who, and the true effects
OUT/calibration.json
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import CannotCreateError, UsageError
from engine.records import schema
from engine.records.synthetic.analysis import (
    FORCES,
    PRISONS,
    REGIONS,
    assessment_table,
    disposal_table,
    offence_table,
    profile_table,
    spell_table,
)
from engine.records.synthetic.calibration import (
    Comparison,
    Tally,
    add_tallies,
    compare,
    empty_tally,
    tally_careers,
)
from engine.records.synthetic.careers import Careers, follow_up, simulate_careers
from engine.records.synthetic.coefficients import SOLVED
from engine.records.synthetic.disposal_rows import make_disposals
from engine.records.synthetic.identities import make_identities
from engine.records.synthetic.interventions import (
    INTERVENTIONS,
    Candidates,
    Interventions,
    Treated,
    apply_effects,
    candidates,
    choose,
    fewest,
    join_candidates,
    possible,
)
from engine.records.synthetic.offence_codes import lookup_table
from engine.records.synthetic.people import (
    BLOCK,
    STAGE_RECORDS,
    People,
    make_people,
    uniforms,
)
from engine.records.synthetic.submissions import (
    Row,
    absent_rows,
    treated_rows,
    write_submissions,
    write_truth,
)
from engine.records.synthetic.working_lives import support_table
from engine.records.synthetic.world import COMMUNITY, SUSPENDED, World, build_world

Report = Callable[[str, float], None]
In = TypeVar("In")
Out = TypeVar("Out")

BLOCKS_OF_A_PART = 8
MOST_PEOPLE = 9_000_000
"""Beyond it a PNC serial would repeat within a year."""
FIRST_YEAR, LAST_YEAR = 1990, 2040
YEARS = (2004, 2024)
"""Years of index dates where none are given."""


class Plan(NamedTuple):
    """What decides every byte of the nation."""

    people: int
    seed: int
    years: tuple[int, int]
    interventions: Interventions = INTERVENTIONS

    @property
    def extract_date(self) -> dt.date:
        """Eighteen months after the last index date."""
        return dt.date(self.years[1] + 2, 6, 30)

    @property
    def last_day(self) -> int:
        """The extract date in days since 1970-01-01."""
        return (self.extract_date - dt.date(1970, 1, 1)).days

    @property
    def blocks(self) -> int:
        """Blocks of people, the last one perhaps short."""
        return -(-self.people // BLOCK)


@dataclass(frozen=True)
class Nation:
    """What was written.

    Parameters
    ----------
    rows : dict of int
        Rows of each table.
    effects : dict
        The truth about each submission, and what was skipped.
    calibration : tuple of Comparison
    extract_date : date
    """

    rows: dict[str, int]
    effects: dict[str, Any]
    calibration: tuple[Comparison, ...]
    extract_date: dt.date


class _Part(NamedTuple):
    """What one part file's people leave behind: row counts, submissions, cohorts."""

    rows: dict[str, int]
    submitted: list[Row]
    tally: Tally


def synthesise(
    people: int,
    out: Path,
    *,
    seed: int = 0,
    years: tuple[int, int] = YEARS,
    interventions: Interventions = INTERVENTIONS,
    threads: int = 1,
    progress: Report | None = None,
) -> Nation:
    """Write a synthetic nation.

    Parameters
    ----------
    people : int
        1 to ``MOST_PEOPLE``.
    out : Path
        A folder that does not exist or is empty.
    seed : int
        0 to 2^128 - 1.
    years : tuple of int
        First and last year of index dates.
    interventions : tuple of Intervention
        Each becomes a submission, if there are enough people for it.
    threads : int
        Blocks made at the same time; the files do not depend on it.
    progress : callable, optional
        Takes a stage and the share of it that is done.

    Returns
    -------
    Nation

    Raises
    ------
    UsageError
        A number is out of range.
    CannotCreateError
        The folder holds something.

    Notes
    -----
    Careers are simulated twice: once to choose who is treated, which looks at everybody, and once
    to write. A block of people is a function of (seed, block), so nothing is kept in between.
    Memory: two parts of 131,072 people for each thread, whatever the number of people.
    """
    plan = Plan(people, seed, years, interventions)
    _check(plan)
    _make_folders(out)
    tell = progress or (lambda _stage, _share: None)
    world = build_world(SOLVED)
    chosen, skipped = _select(plan, world, threads, tell)
    rows = dict.fromkeys(schema.TABLE, 0)
    submitted: list[Row] = []
    tally = empty_tally()

    def make(number: int) -> _Part:
        return _write_part(plan, world, chosen, out, number)

    parts = -(-plan.blocks // BLOCKS_OF_A_PART)
    for number, part in enumerate(_in_order(make, range(parts), threads)):
        for name, count in part.rows.items():
            rows[name] += count
        submitted += part.submitted
        tally = add_tallies(tally, part.tally)
        tell("write", (number + 1) / parts)
    rows |= _write_lookups(out)
    first = plan.blocks * BLOCK
    for position in sorted({row.intervention for row in submitted}):
        submitted += absent_rows(first, position, seed, SOLVED, years, interventions)
        first += interventions[position].size
    ordered = write_submissions(submitted, out / "submissions", interventions)
    effects = write_truth(ordered, skipped, out / "truth", interventions)
    calibration = tuple(compare(tally, years))
    _write_json(
        out / "calibration.json",
        [{**line._asdict(), "within": line.within} for line in calibration],
    )
    _write_json(
        out / "extract" / schema.EXTRACT_FILE,
        {
            "justicelab_schema": schema.SCHEMA_VERSION,
            schema.EXTRACT_DATE: plan.extract_date.isoformat(),
            schema.SYNTHETIC: True,
        },
    )
    return Nation(rows, effects, calibration, plan.extract_date)


def planned(
    people: int, *, seed: int = 0, years: tuple[int, int] = YEARS
) -> tuple[tuple[str, int, bool], ...]:
    """Return name and size of each submission, and whether so many people allow it."""
    _check(Plan(people, seed, years))
    made = set(possible(INTERVENTIONS, people))
    return tuple((one.name, one.size, i in made) for i, one in enumerate(INTERVENTIONS))


def _check(plan: Plan) -> None:
    """Refuse numbers out of range."""
    if not 1 <= plan.people <= MOST_PEOPLE:
        raise UsageError(
            f"--people is not between 1 and {MOST_PEOPLE:,}", rule="the synthetic nation's size"
        )
    if not 0 <= plan.seed < 1 << 128:
        raise UsageError("--seed is not a whole number from 0 below 2^128")
    if not FIRST_YEAR <= plan.years[0] <= plan.years[1] <= LAST_YEAR:
        raise UsageError(
            f"--years is not a range within {FIRST_YEAR} to {LAST_YEAR}",
            repair="Write it as 2004-2024",
        )


def _make_folders(out: Path) -> None:
    """Make the folders, or refuse a folder that holds something."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise CannotCreateError(
                "The folder of --out holds something",
                rule="a synthetic nation is written into an empty folder",
                repair="Name another folder",
            )
        for table in schema.TABLES:
            (out / "extract" / table.zone / table.name).mkdir(parents=True, exist_ok=True)
        (out / "submissions").mkdir()
        (out / "truth").mkdir()
    except (FileExistsError, NotADirectoryError):
        raise CannotCreateError("--out is a file and not a folder") from None


def _in_order(work: Callable[[In], Out], inputs: Iterable[In], threads: int) -> Iterator[Out]:
    """Yield the results in the order of the inputs, with few of them waiting at any time."""
    if threads == 1:
        yield from map(work, inputs)
        return
    rest = iter(inputs)
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[Out]] = [
            pool.submit(work, one) for one in itertools.islice(rest, threads + 1)
        ]
        try:
            while waiting:
                result = waiting.pop(0).result()
                waiting.extend(pool.submit(work, one) for one in itertools.islice(rest, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()


def _simulate(plan: Plan, world: World, block: int) -> tuple[People, Careers]:
    """Return a block's people and their careers without interventions."""
    first = block * BLOCK
    count = min(BLOCK, plan.people - first)
    people = make_people(first, count, plan.seed, SOLVED, plan.years)
    return people, simulate_careers(people, world, plan.seed, plan.last_day)


def _select(
    plan: Plan, world: World, threads: int, tell: Report
) -> tuple[Candidates, dict[int, str]]:
    """Return who is treated, and why submissions, by position, are not made."""
    wanted = possible(plan.interventions, plan.people)
    skipped = [i for i in range(len(plan.interventions)) if i not in wanted]

    def look(block: int) -> Candidates:
        people, careers = _simulate(plan, world, block)
        return candidates(
            people, careers, plan.seed, plan.years, plan.last_day, wanted, plan.interventions
        )

    found = join_candidates(())
    for block, more in enumerate(_in_order(look, range(plan.blocks if wanted else 0), threads)):
        found = fewest(join_candidates((found, more)), plan.interventions)
        tell("choose", (block + 1) / plan.blocks)
    chosen, scarce = choose(found, wanted, plan.interventions)
    reasons = dict.fromkeys(skipped, "larger than 5 % of the people")
    return chosen, reasons | dict.fromkeys(scarce, "too few eligible people")


def _write_part(plan: Plan, world: World, chosen: Candidates, out: Path, number: int) -> _Part:
    """Make the blocks of one part, write its files, and return what else came of them."""
    first = number * BLOCKS_OF_A_PART
    blocks = range(first, min(first + BLOCKS_OF_A_PART, plan.blocks))
    made = [_make_block(plan, world, chosen, block) for block in blocks]
    rows = {}
    for name in made[0][0]:
        joined = pa.concat_tables([tables[name] for tables, _, _ in made])
        rows[name] = joined.num_rows
        folder = out / "extract" / schema.TABLE[name].zone / name
        _write_table(joined, folder / f"part-{number:04d}.parquet")
    tally = made[0][2]
    for _, _, more in made[1:]:
        tally = add_tallies(tally, more)
    return _Part(rows, [row for _, submitted, _ in made for row in submitted], tally)


def _make_block(
    plan: Plan, world: World, chosen: Candidates, block: int
) -> tuple[dict[str, pa.Table], list[Row], Tally]:
    """Return the tables of one block, its rows of submissions and its cohorts."""
    seed, last_day = plan.seed, plan.last_day
    people, without = _simulate(plan, world, block)
    low, high = block * BLOCK, block * BLOCK + len(people.unit)
    here = np.flatnonzero((chosen.unit >= low) & (chosen.unit < high))
    treated = Treated(chosen.intervention[here], chosen.row[here])
    careers, truth = apply_effects(people, without, treated, seed, plan.interventions)
    counts, _ = follow_up(careers)
    rows = make_disposals(people, careers, seed, last_day)
    jailed = np.zeros(len(people.unit), dtype=bool)
    jailed[rows.person[rows.leave >= 0]] = True
    supervised = jailed.copy()
    supervised[rows.person[(rows.outcome == COMMUNITY) | (rows.outcome == SUSPENDED)]] = True
    known = make_identities(people, jailed, supervised, seed)
    home = (uniforms(people.unit, STAGE_RECORDS + 1024, seed, 1)[0] * len(FORCES)).astype(np.int64)
    offences, principal = offence_table(people, rows, seed)
    disposals = disposal_table(people, rows, principal, home, seed, last_day)
    tables = {
        **known.tables,
        "person_profile": profile_table(people, rows, known, seed, last_day),
        "disposals": disposals,
        "custody_spells": spell_table(people, rows, disposals, seed, last_day),
        "offences": offences,
        "oasys_assessments": assessment_table(people, rows, seed, last_day),
        "supervision_and_benefits": support_table(people, rows, seed, plan.years, last_day),
    }
    own = np.flatnonzero(rows.source >= 0)
    number_of = np.zeros(len(careers.day), dtype=np.int64)
    number_of[rows.source[own]] = rows.number[own]
    submitted = treated_rows(
        *(people, without, known, treated, truth, number_of[truth.row], seed, plan.interventions)
    )
    return tables, submitted, tally_careers(people, careers, counts, last_day)


def _write_table(table: pa.Table, path: Path) -> None:
    """Write one part file."""
    pq.write_table(
        table,
        path,
        compression="zstd",
        row_group_size=schema.ROW_GROUP_ROWS,
        store_schema=True,
    )


def _write_lookups(out: Path) -> dict[str, int]:
    """Write the lookups; return their rows."""
    lookups = {"offence_lookup": lookup_table()}
    for name, codes, word in (("prisons", PRISONS, "Prison"), ("regions", REGIONS, "Region")):
        listed = sorted(codes)
        lookups[name] = pa.table(
            [pa.array(listed), pa.array([f"{word} {code}" for code in listed])],
            schema=schema.TABLE[name].schema,
        )
    for name, table in lookups.items():
        _write_table(table, out / "extract" / schema.ANALYSIS / name / "part-0000.parquet")
    (out / "extract" / schema.ANALYSIS / "disposal_lookup").rmdir()
    return {name: table.num_rows for name, table in lookups.items()}


def _write_json(path: Path, value: Any) -> None:
    """Write a JSON file with the same bytes everywhere."""
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8", newline="")
