"""Work and benefits of one block of people: spells of either, cut where custody begins."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.records import code_lists as lists
from engine.records import schema
from engine.records.synthetic.disposal_rows import Disposals
from engine.records.synthetic.identities import dates
from engine.records.synthetic.offence_codes import coded
from engine.records.synthetic.people import (
    STAGE_WORK,
    Ints,
    People,
    exponentials,
    quantile,
    uniforms,
    year_starts,
)
from engine.records.synthetic.world import FIRST_YEAR, Floats

Flags = NDArray[np.bool_]

STEPS = 14
"""Spells in and out of work that a life is made of."""
NEVER_LINKED = 0.08
"""Share of people whom no record of work or benefits is linked to."""
RECORDS_BEFORE = 4
"""Years before the first year of interest in which records of work begin."""
_BEFORE_FIRST = 1095
"""Days before the first offence from which a person's spells are known."""
_SCHOOL, _PENSION = 16.0, 66.0
_PLAIN, _OF_ETE, _OF_DRUGS, _OF_MOTIVATION = 0.5, -0.5, -0.25, 0.25
"""What makes work likelier: a constant, a point of two needs, a standard deviation of
motivation. So records of work hint at the needs of those without an assessment, and a little at
what no record holds."""
_AT_WORK = (5.0, 100.0, 250.0, 480.0, 900.0, 1700.0, 3600.0)
_OUT_OF_WORK = (10.0, 100.0, 260.0, 520.0, 1000.0, 2000.0, 4200.0)
"""Quantiles of the days of a spell."""
_CLAIMS = 0.6
"""Chance that benefits are claimed in a spell out of work."""
_CODES = ("PAYE", "JSA", "IB", "ESA", "IS", "UC")
_EMPLOYED, _JSA, _IB, _ESA, _IS, _UC = range(len(_CODES))


def support_table(
    people: People, rows: Disposals, seed: int, years: tuple[int, int], last_day: int
) -> pa.Table:
    """Return the spells of work and of out-of-work benefits.

    Parameters
    ----------
    people : People
    rows : Disposals
        Custody among them ends a spell, and nobody begins one inside.
    seed : int
    years : tuple of int
        First and last year of index dates.
    last_day : int

    Returns
    -------
    pyarrow.Table
        By person and first day; spells of a person do not overlap.
    """
    count = len(people.unit)
    u = uniforms(people.unit, STAGE_WORK, seed, STEPS // 2 + 1)
    leaning = _PLAIN + _OF_MOTIVATION * people.motivation
    leaning += _OF_ETE * people.needs[lists.NEEDS.index("need_ete")]
    leaning += _OF_DRUGS * people.needs[lists.NEEDS.index("need_drugs")]
    longer = exponentials(0.4 * leaning)
    at_work = u[-1] < longer / (1.0 + longer)
    day = np.maximum(
        people.birth_day + int(_SCHOOL * 365.2425),
        np.maximum(
            people.first_day - _BEFORE_FIRST,
            year_starts()[max(years[0] - RECORDS_BEFORE - FIRST_YEAR, 0)],
        ),
    )
    end = np.minimum(people.birth_day + int(_PENSION * 365.2425), last_day)
    end = np.where(u[-2] < NEVER_LINKED, -1, np.minimum(end, people.exit_day))
    start = np.empty((count, STEPS), dtype=np.int64)
    stop, code = np.empty_like(start), np.empty_like(start)
    for step in range(STEPS):
        grid = np.where(
            at_work, quantile(_AT_WORK, u[step]) * longer, quantile(_OUT_OF_WORK, u[step]) / longer
        )
        start[:, step] = day
        day = day + grid.astype(np.int64) + 1
        stop[:, step] = day - 1
        # the last digits of a length say nothing about it, so they serve as another draw
        draw = u[step] * 4096.0 % 1.0
        code[:, step] = np.where(at_work, _EMPLOYED, _benefit(people, start[:, step], draw))
        at_work = ~at_work
    known = (start <= end[:, None]) & (code >= 0)
    who = np.repeat(np.arange(count), known.sum(axis=1))
    start, stop, code = start[known], np.minimum(stop, end[:, None] + 1)[known], code[known]
    # a spell that reaches the end of a person's time under observation goes on
    lasting = (stop > end[who]) & (end[who] == last_day)
    stop = np.minimum(stop, end[who])
    start, stop, cut = _outside(rows, who, start, stop)
    kept = np.flatnonzero(start <= stop)
    kind = np.where(code == _EMPLOYED, 0, 1)
    return pa.table(
        [
            pa.array(people.unit[who[kept]].astype(np.int64) + 1),
            dates(start[kept]),
            dates(stop[kept], (lasting & ~cut)[kept]),
            coded(lists.SUPPORT_KINDS, kind[kept]),
            coded(_CODES, code[kept]),
        ],
        schema=schema.SUPERVISION_AND_BENEFITS.schema,
    )


def _benefit(people: People, day: Ints, u: Floats) -> Ints:
    """Return the benefit claimed in a spell out of work, -1 for none."""
    drugs = people.needs[lists.NEEDS.index("need_drugs")]
    share = u / _CLAIMS
    sick = share < 0.2 + 0.1 * drugs
    parent = ~sick & ~people.male & (share < 0.5 + 0.1 * drugs)
    starts = year_starts()
    found = np.where(sick, np.where(day < starts[2008 - FIRST_YEAR] + 300, _IB, _ESA), _JSA)
    found = np.where(parent & (day < starts[2013 - FIRST_YEAR]), _IS, found)
    found = np.where(~sick & (day >= starts[2017 - FIRST_YEAR]), _UC, found)
    return np.where(share < 1.0, found, -1)


def _outside(
    rows: Disposals, who: Ints, start: Ints, stop: Ints
) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Return the spells with their time in custody cut off, and which were ended by custody.

    A spell that begins inside begins at the release instead; one that reaches a reception ends the
    day before it.
    """
    inside = np.flatnonzero(rows.leave >= 0)
    if len(inside) == 0:
        return start, stop, np.zeros(len(who), dtype=bool)
    width = np.int64(1 << 20)
    inside = inside[np.argsort(rows.person[inside] * width + rows.leave[inside], kind="stable")]
    person, leave, back = rows.person[inside], rows.leave[inside], rows.index_day[inside]
    key = person * width + leave
    last = np.searchsorted(key, who * width + start, side="right") - 1
    own = (last >= 0) & (person[last] == who)
    start = np.where(own, np.maximum(start, back[last]), start)
    following = np.searchsorted(key, who * width + start, side="right")
    own = following < len(key)
    following = np.minimum(following, len(key) - 1)
    own &= (person[following] == who) & (leave[following] <= stop)
    return start, np.where(own, leave[following] - 1, stop), own
