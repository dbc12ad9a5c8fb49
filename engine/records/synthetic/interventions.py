"""Interventions with known effects: who is selected, and what the intervention does to them.

A cohort is a sample without replacement from everybody's eligible index disposals, with chances in
proportion to a weight; the weight is the selection. A person with many disposals is the likelier to
be met, as in life, and is taken once, at the first disposal at which the service would meet them:
what comes later has no say in it. The effect removes events from the year after the index date, or
adds some; both careers are kept, so the truth is exact for each person.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.records.synthetic.calibration import cohort_rows
from engine.records.synthetic.careers import Careers, add_months, follow_up
from engine.records.synthetic.people import (
    STAGE_SUBMISSIONS,
    Ints,
    People,
    uniforms,
    year_starts,
)
from engine.records.synthetic.world import (
    COMMUNITY,
    FINE,
    FIRST_YEAR,
    KINDS,
    LIFE,
    SHORT,
    SUSPENDED,
    Floats,
)
from kernels.elementary import exponential, logarithm

LARGEST_SHARE = 0.05
"""A submission larger than this share of the people is not made."""

SCARCE = 2.0
"""Eligible people for each of a cohort's, below which a cohort is not made."""
_KEPT = 6
"""Times its size that candidates of an intervention are kept, as others may take some first, and as
a person may be there with several disposals."""

_LEAST_SCORE = -600.0
"""Score below which nobody is likelier to be chosen than another: no weight may become 0."""

NONE, BENEFICIAL, ADVERSE = "none", "beneficial", "adverse"
RANDOM, BY_NEED, CHERRY_PICKED, UNOBSERVED = "random", "by need", "cherry-picked", "unobserved"
PRISON, COMMUNITY_SETTING = "prison", "community"


class Intervention(NamedTuple):
    """One intervention and the organisation's submission.

    Parameters
    ----------
    name : str
    size : int
        Rows submitted.
    effect : str
        ``none``, ``beneficial`` or ``adverse``.
    strength : float
        Chance that an event of the year is removed, or that one is added.
    selection : str
        ``random``; ``by need``: the more OASys needs, the likelier; ``cherry-picked``: the older
        and the less often in custody, the likelier, which records show; ``unobserved``: the more
        motivated, the likelier, which no record shows.
    setting : str
        ``prison``: between reception and release; ``community``: soon after the start of an order.
    pull : float
        Times the selection's usual strength, at least 0; nothing to a random one.
    """

    name: str
    size: int
    effect: str
    strength: float
    selection: str
    setting: str
    pull: float = 1.0


Interventions = tuple[Intervention, ...]

INTERVENTIONS: Interventions = (
    Intervention("small-beneficial-random", 60, BENEFICIAL, 0.40, RANDOM, PRISON),
    Intervention("small-none-need", 60, NONE, 0.0, BY_NEED, COMMUNITY_SETTING),
    Intervention("medium-beneficial-need", 300, BENEFICIAL, 0.35, BY_NEED, PRISON),
    Intervention("medium-none-random", 300, NONE, 0.0, RANDOM, COMMUNITY_SETTING),
    Intervention("medium-adverse-cherry", 300, ADVERSE, 0.18, CHERRY_PICKED, COMMUNITY_SETTING),
    Intervention("large-beneficial-need", 3_000, BENEFICIAL, 0.25, BY_NEED, COMMUNITY_SETTING),
    Intervention("large-none-cherry", 3_000, NONE, 0.0, CHERRY_PICKED, PRISON),
    Intervention("large-none-unobserved", 3_000, NONE, 0.0, UNOBSERVED, PRISON),
    Intervention("large-adverse-random", 3_000, ADVERSE, 0.10, RANDOM, PRISON),
    Intervention("national-beneficial-need", 20_000, BENEFICIAL, 0.20, BY_NEED, PRISON),
    Intervention("national-none-need", 20_000, NONE, 0.0, BY_NEED, COMMUNITY_SETTING),
    Intervention("national-adverse-cherry", 20_000, ADVERSE, 0.06, CHERRY_PICKED, PRISON),
    Intervention(
        "national-beneficial-unobserved", 20_000, BENEFICIAL, 0.20, UNOBSERVED, COMMUNITY_SETTING
    ),
)

STAGE_ROW, ROW_CALLS = STAGE_SUBMISSIONS + 3072, 10
"""Stage and calls of the numbers that a submission's row is made of."""
START = 34
"""Which of them decides the day on which the service began."""

ABSENT = 0.08
"""Share of a submission's rows whose people are in no record."""


class Candidates(NamedTuple):
    """Eligible index disposals with the smallest selection keys, shape (m,), several of a person.

    Parameters
    ----------
    intervention : int64
        Position in the list of interventions.
    key : float64
        A standard exponential over the weight: the smallest keys are a weighted sample.
    unit : uint64
        Person.
    row : int64
        Row of the person's block of careers.
    day : int64
        Index date.
    """

    intervention: Ints
    key: Floats
    unit: NDArray[np.uint64]
    row: Ints
    day: Ints

    def take(self, rows: Ints) -> Candidates:
        """Return some of the rows."""
        columns: Any = [column[rows] for column in self]
        return Candidates(*columns)


class Treated(NamedTuple):
    """Treated people of one block, shape (m,), each person once.

    Parameters
    ----------
    intervention : position in the list
    row : row of the career whose index date counts
    """

    intervention: Ints
    row: Ints


class Truth(NamedTuple):
    """What would have happened, and what did; shape (m,), in the order of ``Treated``.

    Parameters
    ----------
    count_without, count_with : int64
        Proven reoffences of the year without and with the intervention.
    days_without, days_with : int64
        Days to the first, 0 where none.
    row : int64
        Row of the index disposal in the careers as they happened.
    """

    count_without: Ints
    count_with: Ints
    days_without: Ints
    days_with: Ints
    row: Ints


def possible(interventions: Interventions, people: int) -> list[int]:
    """Return the positions of the interventions that so many people allow."""
    return [i for i, one in enumerate(interventions) if one.size <= LARGEST_SHARE * people]


def in_records(intervention: Intervention) -> int:
    """Return how many people of a submission are in the records."""
    return intervention.size - round(ABSENT * intervention.size)


def days_to_start(unit: NDArray[np.uint64], seed: int) -> Ints:
    """Return the days from the start of an order to that of a community service, 0 to 13."""
    return (uniforms(unit, STAGE_ROW, seed, ROW_CALLS)[START] * 14).astype(np.int64)


def eligible_rows(
    people: People, careers: Careers, years: tuple[int, int], last_day: int, seed: int
) -> tuple[Ints, Ints]:
    """Return the rows that a prison and a community intervention may choose from.

    Notes
    -----
    Adults on the day of the sentence whose index date lies in the years and whose follow-up and
    waiting period end before the extract; nobody is inside again or offends between the start of a
    community order and that of the service, because an organisation would not have met them: the
    same rule has to hold for the comparison.
    """
    starts = year_starts()
    rows = cohort_rows(careers.person, careers.index_day)
    rows = np.sort(rows)
    index = careers.index_day[rows]
    adult = careers.proven[rows] - people.birth_day[careers.person[rows]] >= 18 * 365.2425
    inside = (
        (index >= starts[years[0] - FIRST_YEAR])
        & (index < starts[years[1] + 1 - FIRST_YEAR])
        & (add_months(index, 18) <= last_day)
        & adult
    )
    outcome = careers.outcome[rows]
    stay = index - careers.leave[rows]
    prison = inside & (outcome >= SHORT) & (outcome != LIFE) & (stay >= 42)
    order = inside & ((outcome == COMMUNITY) | (outcome == SUSPENDED))
    # the first event after the index date: rows of a person are in order of days
    width = np.int64(1 << 20)
    event = careers.person * width + careers.day
    own = careers.person[rows] * width + index
    wait = days_to_start(people.unit[careers.person[rows]], seed)
    after = np.searchsorted(event, own, side="right")
    # an offence on the day of the start is not before it
    clear = np.searchsorted(event, own + np.maximum(wait, 1), side="left") == after
    return rows[prison], rows[order & clear]


def earlier_custody(careers: Careers) -> Ints:
    """Return the custodial sentences that each person had before the day of each disposal."""
    order = np.lexsort((careers.proven, careers.person))
    person, proven = careers.person[order], careers.proven[order]
    custody = (careers.outcome[order] >= SHORT).astype(np.int64)
    total = np.cumsum(custody) - custody
    # those of the same day are not before it, those of somebody else not one's own
    new_person = np.ones(len(person), dtype=bool)
    new_person[1:] = person[1:] != person[:-1]
    new_day = new_person.copy()
    new_day[1:] |= proven[1:] != proven[:-1]
    place = np.arange(len(person))
    of_day = total[np.maximum.accumulate(np.where(new_day, place, 0))]
    of_person = total[np.maximum.accumulate(np.where(new_person, place, 0))]
    earlier = np.empty(len(person), dtype=np.int64)
    earlier[order] = of_day - of_person
    return earlier


def _weights(people: People, careers: Careers, rows: Ints, one: Intervention) -> Floats:
    """Weight of each row under an intervention's selection."""
    person = careers.person[rows]
    if one.selection == BY_NEED:
        score = 0.16 * (people.needs[:, person].sum(axis=0) - 7.5)
    elif one.selection == CHERRY_PICKED:
        age = (careers.index_day[rows] - people.birth_day[person]) / 365.2425
        score = 0.04 * (age - 30.0) - 0.45 * earlier_custody(careers)[rows]
    elif one.selection == UNOBSERVED:
        score = 0.8 * people.motivation[person]
    else:
        score = np.zeros(len(rows))
    out = np.empty(len(rows))
    exponential(np.maximum(one.pull * score, _LEAST_SCORE), out)
    return out


def candidates(
    people: People,
    careers: Careers,
    seed: int,
    years: tuple[int, int],
    last_day: int,
    chosen: list[int],
    interventions: Interventions = INTERVENTIONS,
) -> Candidates:
    """Return the block's candidates: the rows with the smallest keys, by intervention.

    Parameters
    ----------
    people : People
    careers : Careers
    seed : int
    years : tuple of int
        First and last year of index dates.
    last_day : int
    chosen : list of int
        Positions of those that are made.
    interventions : tuple of Intervention

    Returns
    -------
    Candidates
    """
    prison, community = eligible_rows(people, careers, years, last_day, seed)
    pieces = []
    for position in chosen:
        one = interventions[position]
        rows = prison if one.setting == PRISON else community
        unit = people.unit[careers.person[rows]]
        # a number for each disposal: an event's day is unique in a career
        event = unit * np.uint64(1 << 20) + careers.day[rows].astype(np.uint64)
        u = uniforms(event, STAGE_SUBMISSIONS + 16 * (position + 1), seed, 1)
        waiting = np.empty(len(rows))
        logarithm(np.ascontiguousarray(u[0]), waiting)
        key = -waiting / _weights(people, careers, rows, one)
        few = np.argsort(key, kind="stable")[: _KEPT * one.size]
        pieces.append(
            Candidates(
                np.full(len(few), position, dtype=np.int64),
                key[few],
                unit[few],
                rows[few],
                careers.index_day[rows[few]],
            )
        )
    return join_candidates(pieces)


def join_candidates(pieces: Iterable[Candidates]) -> Candidates:
    """Return all candidates of several lots."""
    nothing = np.empty(0, dtype=np.int64)
    nobody = Candidates(nothing, np.empty(0), np.empty(0, dtype=np.uint64), nothing, nothing)
    columns: Any = [np.concatenate(column) for column in zip(nobody, *pieces, strict=True)]
    return Candidates(*columns)


def fewest(found: Candidates, interventions: Interventions = INTERVENTIONS) -> Candidates:
    """Return the candidates that can still be chosen: the smallest keys of each intervention.

    ``_KEPT`` times the size, because another intervention may take some of the people first.
    """
    keep = []
    for position in np.unique(found.intervention):
        rows = np.flatnonzero(found.intervention == position)
        order = np.lexsort((found.row[rows], found.unit[rows], found.key[rows]))
        keep.append(rows[order][: _KEPT * interventions[position].size])
    return found.take(np.concatenate(keep) if keep else np.empty(0, dtype=np.int64))


def choose(
    found: Candidates, wanted: list[int], interventions: Interventions = INTERVENTIONS
) -> tuple[Candidates, list[int]]:
    """Return who is treated, each person by one intervention at most, small cohorts first.

    Parameters
    ----------
    found : Candidates
    wanted : list of int
        Positions of those that are made.
    interventions : tuple of Intervention

    Returns
    -------
    chosen : Candidates
    scarce : list of int
        Positions of those with fewer than ``SCARCE`` eligible people for each they need; nobody is
        treated there, because hardly anybody would be left to compare them with.

    Notes
    -----
    Disposals with keys up to a bound are met by the service; the bound is such that enough people
    have one, and they are taken at their first.
    """
    taken = np.empty(0, dtype=np.uint64)
    keep = [np.empty(0, dtype=np.int64)]
    scarce = []
    for position in wanted:
        needed = in_records(interventions[position])
        rows = np.flatnonzero(found.intervention == position)
        rows = rows[~np.isin(found.unit[rows], taken)]
        best = np.sort(found.key[_lowest_of_each(found, rows, found.key)])
        if len(best) < SCARCE * needed:
            scarce.append(position)
            continue
        rows = rows[found.key[rows] <= best[needed - 1]]
        rows = _lowest_of_each(found, rows, found.day)
        taken = np.union1d(taken, found.unit[rows])
        keep.append(rows)
    return found.take(np.concatenate(keep)), scarce


def _lowest_of_each(found: Candidates, rows: Ints, values: NDArray[np.generic]) -> Ints:
    """Return of the rows the one with each person's lowest value, by person."""
    order = rows[np.lexsort((found.row[rows], values[rows], found.unit[rows]))]
    first = np.ones(len(order), dtype=bool)
    first[1:] = found.unit[order][1:] != found.unit[order][:-1]
    return order[first]


def apply_effects(
    people: People,
    careers: Careers,
    treated: Treated,
    seed: int,
    interventions: Interventions = INTERVENTIONS,
) -> tuple[Careers, Truth]:
    """Return the careers as they happened, and the truth about each treated person.

    Parameters
    ----------
    people : People
    careers : Careers
        As they would have been without any intervention.
    treated : Treated
    seed : int
    interventions : tuple of Intervention

    Returns
    -------
    careers : Careers
    truth : Truth

    Notes
    -----
    A beneficial intervention removes each event of the year after the index date with a chance of
    ``strength``; an adverse one adds one event, ending in a fine, with that chance. What lies
    after the year stays as it was.
    """
    without, days_without = follow_up(careers)
    index = careers.index_day[treated.row]
    person = careers.person[treated.row]
    end = add_months(index, 12)
    strength = np.array([one.strength for one in interventions])[treated.intervention]
    effect = np.array([one.effect for one in interventions])[treated.intervention]
    by_person = np.full(len(people.unit), -1, dtype=np.int64)
    by_person[person] = np.arange(len(person))
    # removal: a word for each event, by the event's day, which is unique in a career
    place = by_person[careers.person]
    treated_event = place >= 0
    place = np.maximum(place, 0)
    if len(person):
        inside = treated_event & (careers.day > index[place]) & (careers.day <= end[place])
        unit = people.unit[careers.person] * np.uint64(1 << 20) + careers.day.astype(np.uint64)
        u = uniforms(unit, STAGE_SUBMISSIONS + 1024, seed, 1)[0]
        gone = inside & (effect[place] == BENEFICIAL) & (u < strength[place])
    else:
        gone = np.zeros(len(careers.person), dtype=bool)
    kept = [column[~gone] for column in careers]
    v = uniforms(people.unit[person], STAGE_SUBMISSIONS + 2048, seed, 1)
    adds = np.flatnonzero((effect == ADVERSE) & (v[0] < strength))
    extra = _added(careers, person[adds], index[adds], v[:, adds])
    alive = extra.proven <= people.exit_day[extra.person]
    extra = Careers(*(column[alive] for column in extra))
    columns = [np.concatenate(pair) for pair in zip(kept, extra, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    happened = Careers(*(column[order] for column in columns))
    with_it, days_with = follow_up(happened)
    # the index row is still there: find it by person and index day
    here = _find(happened, careers, treated.row)
    return happened, Truth(
        without[treated.row], with_it[here], days_without[treated.row], days_with[here], here
    )


def _added(careers: Careers, person: Ints, index: Ints, v: Floats) -> Careers:
    """Return one added event for each person: a summary matter, fined within ten weeks."""
    count = len(person)
    zero = np.zeros(count, dtype=np.int64)
    day = index + 1 + (v[1] * 364).astype(np.int64)
    proven = day + 7 + (v[2] * 60).astype(np.int64)
    kind = np.where(v[3] < 0.5, KINDS.index("summary non-motoring"), KINDS.index("other"))
    # what stood before the added event, for the history of its own
    first = np.searchsorted(careers.person, person)
    return Careers(
        person,
        day,
        proven,
        proven,
        kind,
        zero + 2,
        zero + FINE,
        zero + 1,
        careers.items[first] if count else zero,
        zero,
        zero - 1,
    )


def _find(happened: Careers, before: Careers, rows: Ints) -> Ints:
    """Return the positions of rows of the career before in the career that happened."""
    width = np.int64(1 << 20)
    # an event's day and items together tell it from an added one on the same day
    key = happened.person * width + happened.day
    wanted = before.person[rows] * width + before.day[rows]
    return np.searchsorted(key, wanted)
