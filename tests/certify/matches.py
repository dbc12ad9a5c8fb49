"""One simulated cohort through the product's own engine: fit, match, estimate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.effects.estimates import Estimate, estimate_outcome
from engine.effects.neighbourhoods import Neighbourhoods, find_neighbourhoods
from engine.effects.outcome import Outcome
from engine.effects.sample import MatchedSample, matched_sample
from engine.matching.certificate import Certificate
from engine.matching.design import Covariate, Design
from engine.matching.identity import Identity
from engine.matching.options import MatchOptions, check_options
from engine.matching.radius import match_within_radius
from engine.matching.rows import Rows
from engine.matching.scoring import Scoring, score_rows
from engine.matching.selection import Match, pair_rows, pairing_weights, window_weights
from tests.certify.cohorts import Cohort, Scenario, mean_gain, true_logit

METHODS: dict[str, dict[str, Any]] = {
    "1-nn": {"replace": True},
    "1-nn all ties": {"replace": True, "ties": "all"},
    "5-nn": {"replace": True, "ratio": 5},
    "1:1": {},
    "3:1": {"ratio": 3},
    "radius": {"radius": True},
    "kernel": {"kernel": "epanechnikov"},
}
_UNPROVED = Certificate(0, 0, ())


@dataclass(frozen=True)
class Finished:
    """A matched cohort."""

    rows: Rows
    scoring: Scoring
    match: Match
    sample: MatchedSample
    near: Neighbourhoods


def options_of(scenario: Scenario) -> MatchOptions:
    """Return the options of a scenario's match."""
    return check_options(
        treatment="treated",
        covariates=("x",),
        caliper=f"{scenario.caliper:g} sd-logit",
        **METHODS[scenario.method],
    )


def given_score(scenario: Scenario, cohort: Cohort) -> NDArray[np.float64] | None:
    """Return the true logit where the scenario hands it to the match."""
    return true_logit(scenario, cohort) if scenario.score_known else None


def rows_of(cohort: Cohort, score: NDArray[np.float64] | None = None) -> Rows:
    """Return a cohort as the rows of a match."""
    n = len(cohort.treated)
    covariates = tuple(Covariate(f"x{j}", (), j) for j in range(len(cohort.numeric)))
    design = Design(covariates, tuple(cohort.numeric), np.empty((0, n), dtype=np.uint16))
    units = np.arange(n, dtype=np.uint64)
    none = np.empty((0, n))
    return Rows(
        Identity(None, pa.array(units), units, 0),
        cohort.treated,
        design,
        None,
        cohort.person,
        np.empty((0, n), dtype=np.int64),
        none,
        np.empty(0),
        none,
        score,
    )


def finish(
    cohort: Cohort, options: MatchOptions, score: NDArray[np.float64] | None = None
) -> Finished:
    """Fit, match and find the neighbourhoods of a cohort; without the certificate, for speed."""
    rows = rows_of(cohort, score)
    scoring = score_rows(rows, options)
    n = rows.n_rows
    if options.by_window:
        windows = match_within_radius(scoring.problem, options.kernel)
        matched = np.zeros(n, dtype=np.bool_)
        matched[windows.focal[windows.total > 0]] = True
        match = Match(None, windows, window_weights(windows), matched, 0, 0, _UNPROVED)
    else:
        pairing = pair_rows(scoring.problem, rows, options, options.ratio)
        matched = np.zeros(n, dtype=np.bool_)
        matched[pairing.focal[pairing.set_size > 0]] = True
        match = Match(pairing, None, pairing_weights(pairing, n), matched, 0, 0, _UNPROVED)
    sample = matched_sample(rows, scoring, match, options)
    return Finished(rows, scoring, match, sample, find_neighbourhoods(sample))


def truth_of(cohort: Cohort, finished: Finished, scenario: Scenario) -> float:
    """Return the true mean effect: on the matched, or on all alike where effects vary."""
    everybody = mean_gain(scenario)
    if everybody is not None:
        return everybody
    return float(np.mean(cohort.gain[finished.sample.focal]))


def estimate_of(cohort: Cohort, finished: Finished, scenario: Scenario) -> Estimate:
    """Return the product's estimate for a cohort."""
    kind = "count" if scenario.outcome == "continuous" else scenario.outcome
    outcome = Outcome("y", kind)  # type: ignore[arg-type]
    return estimate_outcome(outcome, cohort.outcome, finished.sample, finished.near)
