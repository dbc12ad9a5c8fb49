"""The main result put to the test: hidden bias, other matches, and the year before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.effects.analysis import Opened
from engine.effects.difference import difference_intervals
from engine.effects.measures import RATE, ArmCounts, count_arm
from engine.effects.neighbourhoods import find_neighbourhoods, judged_match
from engine.effects.outcome import Outcome
from engine.effects.sample import matched_sample
from engine.effects.sensitivity.assess import Sensitivity, assess_placebo, assess_sensitivity
from engine.effects.sensitivity.placebo import Placebo
from engine.errors import InputError
from engine.matching.balance import deviations, largest_smd
from engine.matching.designed import Designed, design_analysis
from engine.matching.options import MatchOptions
from engine.matching.pool import Pool
from engine.matching.selection import pair_rows, pairing_weights
from engine.matching.store_columns import LAST_SANCTION
from engine.matching.terms import Sample

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
PLACEBO = "sanction_in_year_before"
_DAYS = 365


@dataclass(frozen=True)
class PathResult:
    """The main measure in a match with another caliper and ratio.

    Attributes
    ----------
    caliper : float
        In standard deviations of the logit.
    ratio : int
    treated_matched : int
    treated : int
    largest_smd : float
        Of any covariate; nan where nobody is matched.
    difference, ci_low, ci_high : float
        nan where the match is too small.
    support : dict of str to ArmCounts
        People and events of both arms.
    """

    caliper: float
    ratio: int
    treated_matched: int
    treated: int
    largest_smd: float
    difference: float
    ci_low: float
    ci_high: float
    support: dict[str, ArmCounts]


@dataclass(frozen=True)
class PlaceboResult:
    """A placebo test with the people and events of both arms."""

    placebo: Placebo
    support: dict[str, ArmCounts]


@dataclass(frozen=True)
class Robustness:
    """What it would take to overturn the main result."""

    sensitivity: Sensitivity
    path: tuple[PathResult, ...]
    placebos: tuple[PlaceboResult, ...]


def support_of(
    values: Floats, treated: Flags, weight: Floats, person: NDArray[np.int64] | None
) -> dict[str, ArmCounts]:
    """Return people and events behind a difference of rates.

    Parameters
    ----------
    values : float64, shape (n,)
        Of 0 and 1.
    treated : bool, shape (n,)
    weight : float64, shape (n,)
        0 for who is not matched.
    person : int64, shape (n,), or None
        Whose row it is; each row a person if None.
    """
    arms = {"treated": treated & (weight > 0.0), "comparison": ~treated & (weight > 0.0)}
    return {
        name: count_arm(RATE, values[arm], None if person is None else person[arm])
        for name, arm in arms.items()
    }


def assess_robustness(
    pool: Pool,
    designed: Designed,
    opened: Opened,
    *,
    calipers: Sequence[float],
    ratios: Sequence[int],
    orders: int,
    placebo: MatchOptions | None,
    progress: Callable[[float], None] | None = None,
) -> Robustness:
    """Put the rate of the main analysis to the test.

    Parameters
    ----------
    pool : Pool
    designed : Designed
    opened : Opened
    calipers : sequence of float
        In standard deviations of the logit.
    ratios : sequence of int
    orders : int
        Other orders of the match, where it has one.
    placebo : MatchOptions or None
        Options without the columns that tell the last year; None for no placebo.
    progress : callable, optional
        Told the share done.
    """
    rate = opened.measures[0]
    sensitivity = assess_sensitivity(
        rate.estimate,
        opened.rate,
        opened.sample,
        designed.rows,
        designed.scoring,
        designed.options,
        orders,
    )
    if progress is not None:
        progress(0.4)
    path = () if designed.options.by_window else _path(designed, opened, calipers, ratios)
    if progress is not None:
        progress(0.8)
    placebos = () if placebo is None else _placebo(pool, designed, placebo)
    return Robustness(sensitivity, path, placebos)


def _path(
    designed: Designed, opened: Opened, calipers: Sequence[float], ratios: Sequence[int]
) -> tuple[PathResult, ...]:
    """Match with other calipers and ratios on the same score."""
    rows, scoring, options = designed.rows, designed.scoring, designed.options
    everyone = Sample.of(rows.treated, np.ones(rows.n_rows))
    deviation = deviations(rows.design, everyone, options.smd_denominator)
    base = scoring.on_logit
    settings = [(caliper, ratio) for caliper in calipers for ratio in ratios]
    pairings = [
        pair_rows(base.with_caliper(caliper * scoring.sd_logit), rows, options, ratio)
        for caliper, ratio in settings
    ]
    rate = opened.rate
    intervals = difference_intervals(
        RATE.outcome, rate, (judged_match(opened.sample, one) for one in pairings)
    )
    found = []
    for (caliper, ratio), pairing, interval in zip(settings, pairings, intervals, strict=True):
        weight = pairing_weights(pairing, rows.n_rows)
        matched = int(np.count_nonzero(pairing.set_size))
        smd = difference = low = high = float("nan")
        if matched > 1:
            sample = Sample.of(rows.treated, weight)
            smd = largest_smd(rows.design, sample, designed.balance, deviation)
        if interval is not None:
            difference, low, high = interval.estimate, interval.low, interval.high
        found.append(
            PathResult(
                float(caliper),
                ratio,
                matched,
                designed.n_treated,
                smd,
                difference,
                low,
                high,
                support_of(rate, rows.treated, weight, rows.person),
            )
        )
    return tuple(found)


def _placebo(pool: Pool, designed: Designed, options: MatchOptions) -> tuple[PlaceboResult, ...]:
    """Match without what tells the last year, and compare that year."""
    try:
        other = design_analysis(pool, designed.keep, options)
    except InputError:
        return ()  # the covariates that are left make no model, so there is nothing to compare
    sample = matched_sample(other.rows, other.scoring, other.matched, other.options)
    near = find_neighbourhoods(sample)
    if len(sample.focal) < 2 or not near.complete:
        return ()
    values = other.rows.identity.gather(sanction_in_last_year(pool, other.keep))
    found = assess_placebo(Outcome(PLACEBO, "binary"), values, sample, near)
    support = support_of(values, sample.treated, sample.weight, sample.person)
    return (PlaceboResult(found, support),)


def sanction_in_last_year(pool: Pool, keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return whether there was a sanction in the year before the disposal, float64."""
    days = pool.table[LAST_SANCTION].filter(pa.array(keep)).fill_null(_DAYS + 1)
    return (to_numpy(days.combine_chunks()) <= _DAYS).astype(np.float64)
