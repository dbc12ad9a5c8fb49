"""Ties: which of several candidates can have the index disposal that a row tells of.

Namesakes agree in everything a submission says of a person. But whoever took part was, by the dates
of the row, in custody or had a sentence in the months before, and few other people of the records
were. So an index disposal that one candidate has and no rival speaks for that candidate. It is
asked for where the names leave a tie and nowhere else, and nothing later is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.linkage.decisions import Person, Thresholds, in_tie

IndexEvidence: TypeAlias = Callable[
    [pa.Table, NDArray[np.int64]], tuple[NDArray[np.bool_], NDArray[np.float64]]
]
"""Takes rows of a submission and a person for each; returns whether the person has an index
disposal that fits the dates of the row, and the share of all people who do."""


def with_evidence(
    candidates: Mapping[int, Sequence[Person]],
    limits: Thresholds,
    people: pa.Table,
    evidence: IndexEvidence,
) -> dict[int, list[Person]]:
    """Return the candidates, those in a tie with what is known of their index disposals.

    Parameters
    ----------
    candidates : mapping of int to sequence of Person
        By the place of the row.
    limits : Thresholds
    people : pyarrow.Table
        The usable rows.
    evidence : callable
    """
    found = {n: list(some) for n, some in candidates.items()}
    asked = [(n, one.person_id) for n in sorted(found) for one in in_tie(found[n], limits)]
    if not asked:
        return found
    rows = people.take(pa.array([n for n, _ in asked], pa.int64()))
    has, share = evidence(rows, np.array([person for _, person in asked], dtype=np.int64))
    known = dict(zip(asked, zip(has.tolist(), share.tolist(), strict=True), strict=True))
    return {
        n: [
            one._replace(index_disposal=known[n, one.person_id])
            if (n, one.person_id) in known
            else one
            for one in some
        ]
        for n, some in found.items()
    }
