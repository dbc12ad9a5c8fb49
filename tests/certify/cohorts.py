"""Simulated cohorts whose true effect is known: people, treatment, outcomes.

The comparison people have normal and binary columns; the treated have the same shifted, so that the
propensity score is exactly logistic. Outcomes depend on the columns along the score and across it.
Each cohort is a pure function of its scenario and number.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NORMALS = 6
BINARIES = 4
_SPREAD = {"good": 0.5, "poor": 1.2}
_PREVALENCE = np.array([0.5, 0.3, 0.2, 0.4])
# Relative weight of each column in the score and in the outcome. They share some columns only.
_SCORE = np.array([1.0, -0.8, 0.6, 0.0, 0.5, 0.0, 0.7, -0.6, 0.0, 0.5])
_RISK = np.array([0.5, 0.0, 0.4, 0.5, -0.3, 0.4, 0.5, 0.0, 0.5, -0.4])


@dataclass(frozen=True)
class Scenario:
    """A population and a match.

    Attributes
    ----------
    name : str
    n_treated, n_pool : int
    rate : float
        Mean outcome of the treated without the service; for counts their mean.
    overlap : {'good', 'poor'}
        SD of the logit within an arm of 0.5 or 1.2.
    method : {'1-nn', '5-nn', '1:1', '3:1', 'radius', 'kernel'}
    outcome : {'binary', 'count', 'time', 'continuous'}
    effect : float
        Added to the probability (or mean) of each treated person.
    varying : bool
        Whether the service removes the effect of the columns on a continuous outcome.
    strength : float
        Factor on the weights of the columns in the outcome.
    columns : int
        Normal columns beside the first six, without weight.
    caliper : float
        In SD of the logit.
    people : int
        Rows of a person, at most; 1 for all different.
    both_arms : bool
        Whether some treated people also have a comparison row.
    misspecified : str
        '' or 'square': the true score holds a square that the model leaves out.
    levels : int
        Columns cut into this many values; 0 for none: a score with heavy ties.
    site : float
        SD of a site effect on the logit of the outcome.
    shape : float
        Shape of the gamma mixing of counts; 0 for Poisson counts.
    score_known : bool
        Whether the match is given the true score and fits none.
    """

    name: str
    n_treated: int
    n_pool: int
    rate: float
    overlap: str = "good"
    method: str = "1-nn"
    outcome: str = "binary"
    effect: float = 0.0
    varying: bool = False
    strength: float = 1.0
    columns: int = 0
    caliper: float = 0.2
    people: int = 1
    both_arms: bool = False
    misspecified: str = ""
    levels: int = 0
    site: float = 0.0
    shape: float = 0.5
    score_known: bool = False


@dataclass(frozen=True)
class Cohort:
    """A simulated cohort.

    Attributes
    ----------
    numeric : float64, shape (p, n)
    treated : bool, shape (n,)
    outcome : float64, shape (n,)
        NaN for no event in a time outcome.
    gain : float64, shape (n,)
        True effect of the service on each person's expected outcome.
    person : int64, shape (n,), or None
    """

    numeric: Floats
    treated: NDArray[np.bool_]
    outcome: Floats
    gain: Floats
    person: NDArray[np.int64] | None


@dataclass(frozen=True)
class _Constants:
    shift: Floats
    treated_share: Floats
    intercept: float


def _weights(scenario: Scenario) -> tuple[Floats, Floats]:
    score = _SCORE * _SPREAD[scenario.overlap]
    variance = np.concatenate((np.ones(NORMALS), _PREVALENCE * (1.0 - _PREVALENCE)))
    score = score / np.sqrt(np.sum(_SCORE**2 * variance))
    return score, _RISK * scenario.strength


def _draw_columns(
    rng: np.random.Generator, n: int, shift: Floats, share: Floats, extra: int
) -> Floats:
    x = np.empty((NORMALS + BINARIES + extra, n))
    x[:NORMALS] = rng.normal(size=(NORMALS, n)) + shift[:, None]
    x[NORMALS : NORMALS + BINARIES] = rng.random((BINARIES, n)) < share[:, None]
    x[NORMALS + BINARIES :] = rng.normal(size=(extra, n))
    return x


def _logistic(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))


def _population(scenario: Scenario) -> Scenario:
    """The scenario without what does not change its population."""
    return replace(scenario, name="", method="", caliper=0.2)


@cache
def _constants(scenario: Scenario) -> _Constants:
    """Shifts of the treated, and the intercept that gives the treated their rate."""
    score, risk = _weights(scenario)
    odds = _PREVALENCE / (1.0 - _PREVALENCE) * np.exp(score[NORMALS:])
    shift, share = score[:NORMALS], odds / (1.0 + odds)
    rng = np.random.default_rng(1)
    x = _draw_columns(rng, 40_000, shift, share, 0)
    linear = risk @ x
    low, high = -20.0, 20.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        if scenario.outcome == "count":
            mean = float(np.mean(np.exp(0.5 * linear + middle)))
        else:
            mean = float(np.mean(_logistic(linear + middle)))
        low, high = (middle, high) if mean < scenario.rate else (low, middle)
    return _Constants(shift, share, 0.5 * (low + high))


def draw_cohort(scenario: Scenario, number: int) -> Cohort:
    """Return cohort ``number`` of a scenario.

    Parameters
    ----------
    scenario : Scenario
    number : int
        At least 0.

    Returns
    -------
    Cohort
    """
    rng = np.random.Generator(np.random.Philox(key=_key(scenario), counter=[0, 0, 0, number]))
    constants = _constants(_population(scenario))
    n_t, n_c = scenario.n_treated, scenario.n_pool
    treated = np.arange(n_t + n_c) < n_t
    none = np.zeros(NORMALS)
    person, owner = None, None
    if scenario.people > 1:
        person, owner = _people(rng, scenario)
        treated = np.arange(len(person)) < int(np.searchsorted(person, scenario.n_treated))
        n_t, n_c = int(treated.sum()), int((~treated).sum())
    x = np.concatenate(
        (
            _draw_columns(rng, n_t, constants.shift, constants.treated_share, scenario.columns),
            _draw_columns(rng, n_c, none, _PREVALENCE, scenario.columns),
        ),
        axis=1,
    )
    if scenario.misspecified == "square":
        x = _keep_by_square(rng, x, treated, n_t, n_c, constants, scenario)
    if scenario.levels:
        edges = np.linspace(-1.5, 1.5, scenario.levels - 1)
        x[:NORMALS] = np.searchsorted(edges, x[:NORMALS]).astype(float)
        x[:NORMALS] = (x[:NORMALS] - (scenario.levels - 1) / 2) * 3.0 / scenario.levels
    _, risk = _weights(scenario)
    linear = risk @ x[: NORMALS + BINARIES]
    if owner is not None:
        linear = linear + 1.5 * rng.normal(size=owner.max() + 1)[owner]
    if scenario.site > 0.0:
        person = rng.integers(0, 60, size=len(linear))
        linear = linear + scenario.site * rng.normal(size=60)[person]
    if scenario.both_arms:
        person = np.arange(n_t + n_c)
        twice = n_t // 3
        person[n_t : n_t + twice] = person[:twice]
        person = np.unique(person, return_inverse=True)[1]
        linear = linear + 1.5 * rng.normal(size=n_t + n_c)[person]
    outcome, gain = _outcome(rng, scenario, constants, x, linear, treated)
    return Cohort(x, treated, outcome, gain, person)


def mean_gain(scenario: Scenario) -> float | None:
    """Return the true mean effect on all treated people where effects vary, else None.

    The interval speaks of the people from whom the treated come, not of the sample at hand.
    """
    if not scenario.varying:
        return None
    constants = _constants(_population(scenario))
    _, risk = _weights(scenario)
    means = np.concatenate((constants.shift, constants.treated_share))
    return -float(risk @ means)


def true_logit(scenario: Scenario, cohort: Cohort) -> Floats:
    """Return the true logit of treatment, up to a constant."""
    score, _ = _weights(scenario)
    logit: Floats = score @ cohort.numeric[: NORMALS + BINARIES]
    return logit


def _key(scenario: Scenario) -> int:
    return int.from_bytes(scenario.name.encode().ljust(16, b"\0")[-16:], "little")


def _people(rng: np.random.Generator, scenario: Scenario) -> tuple[NDArray, NDArray]:
    """Rows of 1 to ``people`` events a person, treated people first."""
    n = scenario.n_treated + scenario.n_pool
    rows = rng.integers(1, scenario.people + 1, size=n)
    person = np.repeat(np.arange(n), rows)
    return person, person


def _keep_by_square(
    rng: np.random.Generator,
    x: Floats,
    treated: NDArray[np.bool_],
    n_t: int,
    n_c: int,
    constants: _Constants,
    scenario: Scenario,
) -> Floats:
    """Draw the treated anew with a selection on a square that the model will not know."""
    pool = _draw_columns(rng, 6 * n_t, constants.shift, constants.treated_share, scenario.columns)
    kept = np.flatnonzero(rng.random(6 * n_t) < np.exp(-0.25 * (pool[0] - 0.5) ** 2))[:n_t]
    x[:, :n_t] = pool[:, kept]
    return x


def _outcome(
    rng: np.random.Generator,
    scenario: Scenario,
    constants: _Constants,
    x: Floats,
    linear: Floats,
    treated: NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    n = len(linear)
    gain = np.full(n, scenario.effect)
    if scenario.outcome == "continuous":
        if scenario.varying:
            gain = -linear
        return linear + rng.normal(size=n) + np.where(treated, gain, 0.0), gain
    if scenario.outcome == "count":
        mean = np.exp(0.5 * linear + constants.intercept)
        if scenario.effect:
            gain = scenario.effect * mean
            mean = np.where(treated, mean + gain, mean)
        if scenario.shape > 0.0:
            mean = mean * rng.gamma(scenario.shape, 1.0 / scenario.shape, size=n)
        return rng.poisson(mean).astype(np.float64), gain
    share = _logistic(linear + constants.intercept)
    if scenario.effect:
        moved = np.clip(share + scenario.effect, 0.0, 1.0)
        gain = moved - share
        share = np.where(treated, moved, share)
    had = rng.random(n) < share
    if scenario.outcome == "binary":
        return had.astype(np.float64), gain
    days = np.ceil(365.0 * rng.beta(1.2, 1.8, size=n))
    return np.where(had, days, np.nan), np.zeros(n)
