"""Other intervals for the same match, printed beside the main one under their own names."""

import numpy as np
from numpy.typing import NDArray

from engine.effects.choice import METHODS, WELCH_KISH, WELCH_RAW
from engine.effects.intervals import Interval, wald
from engine.effects.linear_form import LinearForm
from engine.effects.sample import MatchedSample
from engine.effects.welch import Group, welch_interval

MCNEMAR = "exact McNemar test"


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    Parameters
    ----------
    only_first, only_second : int
        Pairs in which only the one member, or only the other, had the event.

    Returns
    -------
    float
        1 where no pair differs.

    Notes
    -----
    Twice the smaller binomial tail at 1/2, at most 1.

    References
    ----------
    McNemar (1947), Psychometrika 12, 153-157.
    """
    from scipy.special import bdtr  # noqa: PLC0415 - 0.1 s, only where an outcome is asked

    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    return min(1.0, 2.0 * float(bdtr(min(only_first, only_second), discordant, 0.5)))


def are_pairs(sample: MatchedSample) -> bool:
    """Whether everybody is in one pair only."""
    sets = sample.sets
    if sets is None or sample.has_repeated_people:
        return False
    return bool((np.diff(sets.indptr) == 1).all()) and len(np.unique(sets.partner)) == len(
        sets.partner
    )


def pair_test(sample: MatchedSample, values: NDArray[np.float64], level: float) -> Interval:
    """Return McNemar's exact test of 1:1 pairs, as an interval without limits."""
    assert sample.sets is not None
    own, other = values[sample.focal], values[sample.sets.partner]
    first = int(np.count_nonzero((own == 1.0) & (other == 0.0)))
    second = int(np.count_nonzero((own == 0.0) & (other == 1.0)))
    nan = float("nan")
    difference = sample.sign * (first - second) / len(own)
    return Interval(MCNEMAR, difference, nan, nan, nan, nan, mcnemar_p_value(first, second), level)


def secondary_intervals(
    sample: MatchedSample,
    form: LinearForm,
    estimate: float,
    groups: tuple[Group, Group],
    values: NDArray[np.float64] | None,
    level: float,
    *,
    closed_form: bool = True,
) -> tuple[Interval, ...]:
    """Return the intervals that other software would give for this match.

    Parameters
    ----------
    sample : MatchedSample
    form : LinearForm
        Of the treated minus comparison difference.
    estimate : float
    groups : tuple of Group
        Comparison first, then treated.
    values : float64, shape (n,), or None
        0 and 1 for the exact test of pairs; None for other outcomes.
    level : float
    closed_form : bool
        Whether the linear form was made with its variance in closed form.

    Returns
    -------
    tuple of Interval
    """
    found = []
    infinite = float("inf")
    if not form.repeated:
        if not sample.replace:
            found.append(
                wald(METHODS["set-clustered"], estimate, form.set_variance, infinite, level)
            )
        if sample.replace or sample.model is None:
            found.append(
                wald(
                    METHODS["abadie-imbens"],
                    estimate,
                    form.neighbour_variance,
                    infinite,
                    level,
                )
            )
        if sample.model is not None and closed_form:
            found.append(
                wald(
                    METHODS["abadie-imbens-adjusted"],
                    estimate,
                    form.adjusted_variance,
                    infinite,
                    level,
                )
            )
    comparison, treated = groups
    found.append(welch_interval(treated, comparison, WELCH_KISH, raw=False, level=level))
    found.append(welch_interval(treated, comparison, WELCH_RAW, raw=True, level=level))
    if values is not None and are_pairs(sample):
        found.append(pair_test(sample, values, level))
    return tuple(found)
