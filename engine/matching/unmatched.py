"""Who was lost: the focal people without a match beside those with one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.matching.balance import Denominator, assess_balance
from engine.matching.design import Design
from engine.matching.terms import Sample


@dataclass(frozen=True)
class UnmatchedRow:
    """One term of the profile.

    Attributes
    ----------
    name : str
    mean_matched, mean_unmatched : float
    smd : float
        Unmatched minus matched, over the standard deviation of the matched; nan where that is 0.
    """

    name: str
    mean_matched: float
    mean_unmatched: float
    smd: float


def profile_unmatched(
    design: Design, focal: NDArray[np.bool_], matched: NDArray[np.bool_]
) -> tuple[UnmatchedRow, ...]:
    """Compare the focal people who were lost with those who were matched.

    Parameters
    ----------
    design : Design
    focal : bool, shape (n,)
        All people whose effect was asked for.
    matched : bool, shape (n,)
        Those among them with a match.

    Returns
    -------
    tuple of UnmatchedRow
        Empty where nobody was lost.
    """
    rows = np.flatnonzero(focal)
    lost = ~matched[rows]
    if not lost.any():
        return ()
    part = design.take(rows)
    denominator: Denominator = "comparison"
    everyone = Sample.of(lost, np.ones(len(rows)))
    terms = assess_balance(part, everyone, denominator=denominator, distances=False)
    return tuple(
        UnmatchedRow(term.name, term.mean_comparison_before, term.mean_treated, term.smd_before)
        for term in terms
    )
