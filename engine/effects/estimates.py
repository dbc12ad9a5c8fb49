"""Estimates of a match: each outcome, each with its interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.effects.outcome import Outcome
from engine.effects.welch import Difference, describe_group, welch_difference
from engine.matching.terms import Sample


@dataclass(frozen=True)
class Estimate:
    """Effect on one outcome.

    Attributes
    ----------
    outcome : Outcome
    measure : str
        In words; conditional measures say so.
    difference : Difference
        Treated minus comparison.
    """

    outcome: Outcome
    measure: str
    difference: Difference


_MEASURES = {
    "binary": "difference in proportions",
    "count": "difference in means",
    "time": "difference in mean days to the event, among those with the event only",
}


def estimate_outcome(outcome: Outcome, values: NDArray[np.float64], sample: Sample) -> Estimate:
    """Estimate the effect on one outcome as a weighted difference in means.

    Parameters
    ----------
    outcome : Outcome
    values : float64, shape (n,)
        NaN for no event, in a time outcome.
    sample : Sample
        The matched sample.

    Returns
    -------
    Estimate

    Notes
    -----
    A time outcome compares the mean days of those who had the event. Who has it may itself be an
    effect of the treatment, so this measure is descriptive.
    """
    groups = []
    for k in range(2):
        own = values[sample.rows[k]]
        weights = sample.weights[k]
        if outcome.type == "time":
            had_event = ~np.isnan(own)
            own, weights = own[had_event], weights[had_event]
        groups.append(describe_group(np.ascontiguousarray(own), np.ascontiguousarray(weights)))
    return Estimate(outcome, _MEASURES[outcome.type], welch_difference(groups[1], groups[0]))
