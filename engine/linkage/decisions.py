"""Who is linked: the cascade of evidence, the margin, one person for one row, and who is not.

A row is linked to its best candidate where the weight reaches the threshold and leads the runner-up
by the margin; a tie of namesakes is broken where one of them alone has an index disposal that fits
the row. What is in doubt goes to the review band, and what nobody decides is not linked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

METHODS = (
    "reviewed",
    "pnc_id",
    "prison_number",
    "other_identifier",
    "exact_name",
    "short_name",
    "weight",
    "index_disposal",
)
"""How a link was found, the surest first; the cascade takes them in this order."""

REASONS = {
    "not_found": "nobody in the records is alike enough",
    "no_birth_date": "nobody is alike enough, and the birth date is not known",
    "same_person_twice": "the person is linked to another row",
    "refused_by_reviewer": "a reviewer said that it is another person",
    "in_review_band": "one candidate, too weak to be linked without review",
    "close_rival": "two candidates, too close to each other, and no index disposal decides",
    "likely_relative": "same surname and birth date, another forename, as of twins",
    "identifier_conflict": "an identifier points to somebody whom nothing else supports",
    "no_surname_or_identifier": "the forename and birth date agree, and nothing else",
}
"""Why a row is not linked."""

UNRESOLVED = (
    "in_review_band",
    "close_rival",
    "likely_relative",
    "identifier_conflict",
    "no_surname_or_identifier",
)
"""Reasons that a review can settle."""

TWIN_WEIGHT = -5.0
EXACT_IDENTIFIER = 3
EXACT_FORENAME = 3
MOST_ABSENT = 0.5
WITH_INDEX = 0.8
"""Share of participants on record who have an index disposal by the dates of their row."""


class Thresholds(NamedTuple):
    """Weights in bits: of a link, of its lead over the runner-up, and of a review."""

    link: float
    margin: float
    review: float


class Person(NamedTuple):
    """One candidate person of a row; see :func:`engine.linkage.evidence.candidate_people`."""

    person_id: int
    weight: float
    name: str
    birth: str
    sex: int
    pnc: int
    noms: int
    names_alike: int
    sounds: bool
    cro: bool
    crn: bool
    index_disposal: tuple[bool, float] | None = None
    """Whether there is one that fits the dates of the row, and the share of all people who have
    one; None where nobody looked."""
    told_apart: bool = False
    """Whether the weight holds what the index disposal says."""

    @property
    def identified(self) -> bool:
        """Whether an identifier agrees."""
        return EXACT_IDENTIFIER in {self.pnc, self.noms} or self.cro or self.crn

    @property
    def corroborated(self) -> bool:
        """Whether the birth date, the sound of the surname, the forename or the name agrees."""
        return self.birth == "exact" or self.sounds or self.names_alike >= 2 or self.surname_agrees

    @property
    def surname_agrees(self) -> bool:
        """Whether the name speaks for the person by more than a forename."""
        return self.name not in {"", "forename equals middle name", "forename only", "else"}


class Reviewed(NamedTuple):
    """What a reviewer said of one row: which candidate it is, if any, and which it is not."""

    same: int | None
    others: frozenset[int]


@dataclass(frozen=True)
class Decided:
    """What became of one row."""

    person_id: int | None
    status: str
    method: str | None
    probability: float
    reason: str | None
    weight: float | None


def method_of(person: Person) -> str:
    """Return the first step of the cascade that finds a person."""
    if person.corroborated:
        if person.pnc == EXACT_IDENTIFIER:
            return "pnc_id"
        if person.noms == EXACT_IDENTIFIER:
            return "prison_number"
        if person.cro or person.crn:
            return "other_identifier"
    if person.birth == "exact" and person.sex != 0:
        if person.name == "both exact":
            return "exact_name"
        if person.name.startswith("surname exact"):
            return "short_name"
    return "weight"


def is_likely_relative(person: Person) -> bool:
    """Whether a candidate looks like a twin of the person looked for, by the twin guard."""
    return (
        person.name == "surname only"
        and person.birth == "exact"
        and person.names_alike == 0
        and not person.identified
    )


def is_near_relative(person: Person) -> bool:
    """Whether a rival has the surname and birth date looked for, and a forename not unlike it."""
    return (
        person.birth == "exact"
        and person.names_alike > 0
        and (person.name == "surname only" or person.name.startswith("both Jaro"))
    )


def probabilities(weights: Sequence[float], present: float, absent: float) -> list[float]:
    """Return how likely it is that the person looked for is each of the candidates.

    Parameters
    ----------
    weights : sequence of float
        Match weights in bits: the share expected on record times the likelihood ratio, spread over
        all people of the index.
    present : float
        That share, as it stands in the weights; 0 < present < 1.
    absent : float
        Chance that this row is on no record, 0 < absent < 1.

    Returns
    -------
    list of float

    Notes
    -----
    The row is one of the candidates or nobody: ``r 2**w_j / (absent + r sum_k 2**w_k)`` with
    ``r = (1 - absent) / present``. A pair alone would be ``2**w / (1 + 2**w)``, which is too
    modest, as it does not know that a row has one person at most and that most rows have one.
    """
    top = max((*weights, 0.0))
    ratio = (1.0 - absent) / present
    parts = [ratio * 2.0 ** (weight - top) for weight in weights]
    total = absent * 2.0**-top + sum(sorted(parts))
    return [part / total for part in parts]


def absent_chances(has_identifier: Sequence[bool], present: float) -> list[float]:
    """Return for each row how likely it is that the person is on no record.

    Parameters
    ----------
    has_identifier : sequence of bool
        Whether the row has a valid number of the police, prisons or probation.
    present : float
        Share of all rows expected on record.

    Notes
    -----
    Who has such a number is on record. So the people who are not are looked for among the rows
    without one, and their expected number, ``1 - present`` of all rows, falls on those rows alone;
    no more than half of them.
    """
    without = sum(not one for one in has_identifier)
    among = min((1.0 - present) * len(has_identifier) / max(without, 1), MOST_ABSENT)
    return [1.0 - present if one else among for one in has_identifier]


def decide(
    candidates: Mapping[int, Sequence[Person]],
    order: Sequence[tuple[Any, ...]],
    has_birth: Sequence[bool],
    limits: Thresholds,
    present: float,
    absent: Sequence[float],
    reviewed: Mapping[int, Reviewed],
) -> list[Decided]:
    """Decide on every row.

    Parameters
    ----------
    candidates : mapping of int to sequence of Person
        For each place of a row its candidates, the heaviest first.
    order : sequence
        For each row a key that says which of two rows for one person comes first.
    has_birth : sequence of bool
    limits : Thresholds
    present : float
        Expected share on record, as it stands in the weights.
    absent : sequence of float
        Chance of each row to be on no record.
    reviewed : mapping of int to Reviewed
        Decisions of a reviewer by the place of the row. They hold before everything else.

    Returns
    -------
    list of Decided
        In the order of the rows.
    """
    found = [
        _judge(candidates.get(n, ()), has_birth[n], limits, (present, absent[n]), reviewed.get(n))
        for n in range(len(order))
    ]
    taken: set[int] = set()
    linked = sorted(
        (n for n, one in enumerate(found) if one.status == "linked"),
        key=lambda n: (
            METHODS.index(str(found[n].method)),
            -(found[n].weight or 0.0),
            order[n],
        ),
    )
    for n in linked:
        one = found[n]
        if one.person_id in taken:
            found[n] = Decided(
                None, "not_linked", None, one.probability, "same_person_twice", one.weight
            )
        elif one.person_id is not None:
            taken.add(one.person_id)
    return found


def _judge(
    people: Sequence[Person],
    has_birth: bool,
    limits: Thresholds,
    shares: tuple[float, float],
    review: Reviewed | None,
) -> Decided:
    """Judge one row by its own candidates."""
    refused = review is not None
    if review is not None:
        if review.same is not None:
            return Decided(review.same, "linked", "reviewed", 1.0, None, None)
        people = [one for one in people if one.person_id not in review.others]
    relatives = any(is_likely_relative(one) and one.weight >= limits.review for one in people)
    people = guarded(people)
    if not people:
        reason = "not_found" if has_birth else "no_birth_date"
        return Decided(
            None, "not_linked", None, 0.0, "refused_by_reviewer" if refused else reason, None
        )
    doubt, method = _doubt(people, limits), method_of(people[0])
    if doubt == "close_rival":
        told_apart = _break_tie(people, limits)
        if told_apart is not None and _doubt(told_apart, limits) is None:
            people, method, doubt = told_apart, "index_disposal", None
    chances = probabilities([one.weight for one in people], *shares)
    best, chance = people[0], chances[0]
    if doubt is None:
        return Decided(best.person_id, "linked", method, chance, None, best.weight)
    if doubt == "not_found" and not relatives:
        reason = "refused_by_reviewer" if refused else doubt if has_birth else "no_birth_date"
        return Decided(None, "not_linked", None, chance, reason, best.weight)
    reason = "likely_relative" if doubt == "not_found" else doubt
    return Decided(None, "unresolved", None, chance, reason, best.weight)


def guarded(people: Sequence[Person]) -> list[Person]:
    """Return the candidates by the twin guard, the heaviest first."""
    weighed = [
        one._replace(weight=min(one.weight, TWIN_WEIGHT)) if is_likely_relative(one) else one
        for one in people
    ]
    return sorted(weighed, key=lambda one: (-one.weight, one.person_id))


def in_tie(people: Sequence[Person], limits: Thresholds) -> list[Person]:
    """Return the best candidate and those it leads by less than the margin; none without a tie.

    Nor is there one between candidates that are too weak for a review.
    """
    people = guarded(people)
    if not people or people[0].weight < limits.review:
        return []
    close = [one for one in people if people[0].weight - one.weight < limits.margin]
    return close if len(close) > 1 else []


def _break_tie(people: Sequence[Person], limits: Thresholds) -> list[Person] | None:
    """Return the candidates with what an index disposal says of those in a tie, None for nothing.

    Notes
    -----
    It speaks only where exactly one of them has one, and then with ``log2(m / u)`` for that one and
    ``log2((1 - m) / (1 - u))`` for the others; m is :data:`WITH_INDEX`, u the share of all people.
    It tells candidates apart and makes none strong: without it the names have to say, at the
    threshold of a link, that the person is one of those in the tie, ``log2(sum 2**w)``.
    """
    tied = in_tie(people, limits)
    known = {one.person_id: one.index_disposal for one in tied if one.index_disposal is not None}
    having = sum(has for has, _ in known.values())
    together = math.log2(math.fsum(2.0**one.weight for one in tied)) if tied else -math.inf
    if len(known) < len(tied) or having != 1 or together < limits.link:
        return None

    def bits(has: bool, share: float) -> float:
        return math.log2(WITH_INDEX / share if has else (1.0 - WITH_INDEX) / (1.0 - share))

    return guarded(
        [
            one._replace(weight=one.weight + bits(*known[one.person_id]), told_apart=True)
            if one.person_id in known
            else one
            for one in people
        ]
    )


def _doubt(people: Sequence[Person], limits: Thresholds) -> str | None:
    """Return why the best candidate cannot be linked, None where it can."""
    best = people[0]
    settled = method_of(best) in {"pnc_id", "prison_number", "other_identifier"}
    elsewhere = any(one.identified for one in people[1:]) and not best.identified
    if best.identified and not best.corroborated:
        return "identifier_conflict"
    if best.weight < limits.review and not settled:
        if any(one.identified and not one.corroborated for one in people):
            return "identifier_conflict"
        return "not_found"
    if len(people) > 1 and best.weight - people[1].weight < limits.margin:
        return "close_rival"
    if settled:
        return None
    if elsewhere:
        return "identifier_conflict"
    if not best.surname_agrees and not best.identified:
        return "no_surname_or_identifier"
    if best.weight < limits.link:
        return "in_review_band"
    near = any(is_near_relative(one) and not one.told_apart for one in people[1:])
    if best.names_alike < EXACT_FORENAME and near:
        return "close_rival"
    return None
