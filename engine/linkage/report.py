"""What the linkage is worth: how people were found, how sure that is, and who was missed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from engine.linkage.decisions import METHODS, Decided
from engine.submission.dates import age_on

AGE_BANDS = (
    (0, "under 21"),
    (21, "21 to 24"),
    (25, "25 to 34"),
    (35, "35 to 49"),
    (50, "50 and over"),
)
WEIGHT_STEP, LOWEST_WEIGHT, HIGHEST_WEIGHT = 3, -12, 30
SUREST = (0.0, 0.5, 0.9, 0.99, 0.999, 1.0)
"""Bands of the predicted probability."""
FEW_LEVELS = 20
_IDENTIFIERS = ("pnc_id", "prison_number", "cro_number", "crn")
_DATES = ("intervention_start", "index_date", "conviction_date")
_GROUPS = ("service_site", "selection_route", "intensity", "completed")


@dataclass(frozen=True)
class MethodCount:
    """Links of one method, and how many of them are expected to be wrong."""

    method: str
    links: int
    expected_false: float


@dataclass(frozen=True)
class Bias:
    """Whether people of one kind are found less often than the others.

    Parameters
    ----------
    column, level : str
    rows, linked : int
    share : float
        Linked share, 0 to 1.
    difference : float
        Its distance from the share of all other rows.
    standard_error : float
        Of that difference; 0 where there are no other rows.
    """

    column: str
    level: str
    rows: int
    linked: int
    share: float
    difference: float
    standard_error: float


@dataclass(frozen=True)
class LinkageReport:
    """The report, with exact counts: it stays in the private folder.

    Parameters
    ----------
    rows, linked, unresolved, not_linked : int
    methods : tuple of MethodCount
        Those that found somebody, in the order of the cascade.
    reasons : dict of str to int
        Rows that are not linked, by reason.
    expected_false_links : float
        Sum of 1 - p over the links; links that a reviewer made count as right.
    expected_missed_in_review : float
        Sum of p over the unresolved rows: links that a review would be expected to add.
    identifiers : dict of str to int
        Rows with a valid identifier, by kind, and ``any``.
    weights : tuple of (int, int, int)
        Lower end of a band of 3 bits, rows whose best candidate is in it, and those linked.
    probabilities : tuple of (float, float, int, float)
        Band of the predicted probability, rows with a best candidate in it, and the links expected
        to be right among them.
    bias : tuple of Bias
    """

    rows: int
    linked: int
    unresolved: int
    not_linked: int
    methods: tuple[MethodCount, ...]
    reasons: dict[str, int]
    expected_false_links: float
    expected_missed_in_review: float
    identifiers: dict[str, int]
    weights: tuple[tuple[int, int, int], ...]
    probabilities: tuple[tuple[float, float, int, float], ...]
    bias: tuple[Bias, ...]


def make_report(people: pa.Table, found: Sequence[Decided]) -> LinkageReport:
    """Return the report on a linkage.

    Parameters
    ----------
    people : pyarrow.Table
    found : sequence of Decided
        In the order of ``people``.
    """
    status = Counter(one.status for one in found)
    linked = [one for one in found if one.status == "linked"]
    methods = tuple(
        MethodCount(method, len(chances), _sum(1.0 - chance for chance in chances))
        for method in METHODS
        if (chances := [one.probability for one in linked if one.method == method])
    )
    reasons = Counter(one.reason for one in found if one.reason is not None)
    return LinkageReport(
        len(found),
        status["linked"],
        status["unresolved"],
        status["not_linked"],
        methods,
        dict(sorted(reasons.items())),
        _sum(1.0 - one.probability for one in linked),
        _sum(one.probability for one in found if one.status == "unresolved"),
        _identifiers(people),
        _weights(found),
        _probabilities(found),
        tuple(_bias(people, [one.status == "linked" for one in found])),
    )


def _sum(values: Any) -> float:
    """Return the sum in the order of size, so that it does not depend on that of the rows."""
    return sum(sorted(values), 0.0)


def _identifiers(people: pa.Table) -> dict[str, int]:
    """Count the rows that have each identifier."""
    given = {
        name: people[name].is_valid().to_pylist()
        for name in _IDENTIFIERS
        if name in people.column_names
    }
    any_of = [any(row) for row in zip(*given.values(), strict=True)]
    return {**{name: sum(values) for name, values in given.items()}, "any": sum(any_of)}


def _weights(found: Sequence[Decided]) -> tuple[tuple[int, int, int], ...]:
    """Return the histogram of the best candidates' weights; its ends hold what lies outside."""
    rows: Counter[int] = Counter()
    linked: Counter[int] = Counter()
    for one in found:
        if one.weight is None:
            continue
        band = int(one.weight // WEIGHT_STEP) * WEIGHT_STEP
        band = min(max(band, LOWEST_WEIGHT), HIGHEST_WEIGHT)
        rows[band] += 1
        linked[band] += one.status == "linked"
    return tuple(
        (band, rows[band], linked[band])
        for band in range(LOWEST_WEIGHT, HIGHEST_WEIGHT + 1, WEIGHT_STEP)
    )


def _probabilities(found: Sequence[Decided]) -> tuple[tuple[float, float, int, float], ...]:
    """Return the bands of the predicted probability with what is expected in them."""
    chances = [one.probability for one in found if one.weight is not None]
    bands = []
    for low, high in itertools.pairwise(SUREST):
        inside = [p for p in chances if low <= p < high or (p == high == 1.0)]
        bands.append((low, high, len(inside), _sum(inside)))
    return tuple(bands)


def _bias(people: pa.Table, linked: Sequence[bool]) -> list[Bias]:
    """Compare the linked share of each kind of people with that of all others."""
    found = []
    total, right = len(linked), sum(linked)
    for column, levels in _kinds(people).items():
        counts = Counter(levels)
        if len(counts) > FEW_LEVELS:
            continue
        hits = Counter(level for level, hit in zip(levels, linked, strict=True) if hit)
        for level, rows in sorted(counts.items(), key=_by_age if column == "age" else None):
            others = total - rows
            share = hits[level] / rows
            other = (right - hits[level]) / others if others else share
            error = (
                (share * (1 - share) / rows + other * (1 - other) / others) ** 0.5
                if others
                else 0.0
            )
            found.append(Bias(column, level, rows, hits[level], share, share - other, error))
    return found


def _by_age(band: tuple[str, int]) -> int:
    """Return the place of an age band, the youngest first and those of no known age last."""
    labels = [label for _, label in AGE_BANDS]
    return labels.index(band[0]) if band[0] in labels else len(labels)


def _kinds(people: pa.Table) -> dict[str, list[str]]:
    """Return for each row its sex, age band, identifier and sub-groups."""
    rows = people.num_rows

    def column(name: str) -> list[Any]:
        return people[name].to_pylist() if name in people.column_names else [None] * rows

    starts = [
        next((day for day in days if day is not None), None)
        for days in zip(*(column(name) for name in _DATES), strict=True)
    ]
    kinds = {
        "sex": [sex or "not known" for sex in column("gender")],
        "age": [
            _age_band(age_on(birth, start)) if birth and start else "not known"
            for birth, start in zip(column("date_of_birth"), starts, strict=True)
        ],
        "identifier": [
            "given" if any(values) else "not given"
            for values in zip(*(column(name) for name in _IDENTIFIERS), strict=True)
        ],
    }
    extras = [name for name in people.column_names if name.startswith("group: ")]
    for name in (*_GROUPS, *extras):
        values = column(name)
        if any(value is not None for value in values):
            kinds[name.removeprefix("group: ")] = [value or "not given" for value in values]
    return kinds


def _age_band(age: int) -> str:
    """Return the band of an age; a start before birth, which no check lets pass, has none."""
    return next((label for least, label in reversed(AGE_BANDS) if age >= least), "not known")
