"""What the replicates of a bootstrap say: the interval so far, and bootstrap.json in the end."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.effects.bootstrap import quantile
from engine.effects.choice import METHODS
from engine.effects.measures import MEASURES
from engine.effects.resampled import Resampled, as_interval
from engine.jobs.finished import Finished
from engine.jobs.resampling import WHY, Resampler, is_valid, notes_on, refused_kinds
from engine.release.control.analyses import control_measure
from engine.release.control.policy import Policy, Scale
from engine.release.formats import FORMATS
from engine.release.plain import number, p_value
from engine.release.resampled import resampled_results

Floats = NDArray[np.float64]

MAIN_INTERVAL = (
    "The main interval of the study is the one that the design of the match decides on (main); "
    "the bootstrap is a second opinion."
)
BY_CELL = (
    "The number of people of each exact cell was kept in every replicate, so what chance does to "
    "these numbers is not in the intervals, unlike in the main one."
)
_MAIN = ("interval_method", "standard_error", "ci_low", "ci_high", "p_value", "level")
_FEWEST_SHOWN = 50


def interval_so_far(finished: Finished, name: str, values: Floats, level: float) -> str:
    """Return the percentile interval of the replicates so far in words, empty while there are few.

    Parameters
    ----------
    finished : Finished
    name : str
        Outcome, ``COLUMN:TYPE``.
    values : float64, shape (replicates so far,)
    level : float

    Notes
    -----
    A terminal is often a log that others read: of a study, ends are rounded outward as in its
    report, and nothing is told of a measure that the report withholds.
    """
    usable = np.sort(values[np.isfinite(values)])
    if len(usable) < _FEWEST_SHOWN:
        return ""
    tail = (1.0 - level) / 2.0
    low, high = quantile(usable, tail), quantile(usable, 1.0 - tail)
    if finished.kind == "match":
        return f"{name} {low:.4g} to {high:.4g} so far"
    measure = next(one for one in MEASURES if one.name == finished.estimates[name]["outcome"])
    exact = finished.estimates[name] | {"measure": measure.name}
    if control_measure(Policy(**finished.plan.disclosure.model_dump()), exact)["withheld"]:
        return ""
    ends = Scale(measure.kind).interval(low, high)
    shown = [FORMATS["trimmed"](ends[key]) for key in ("ci_low", "ci_high")]
    return f"{measure.label} {' to '.join(shown)} so far"


def content_of(
    finished: Finished,
    made: Resampler,
    values: Floats,
    *,
    asked: str,
    kind: str,
    seed: int,
    level: float,
    strata: str,
    job: str,
) -> dict[str, Any]:
    """Return the content of bootstrap.json.

    Parameters
    ----------
    finished : Finished
    made : Resampler
    values : float64, shape (replicates, outcomes)
    asked, kind : str
        As the user wrote it, and what the design made of it.
    seed : int
    level : float
    strata : str
    job : str
        Its id.
    """
    return {
        "format": 1,
        "kind": "bootstrap",
        f"{finished.kind}_content_id": finished.content_id,
        "job": job,
        "resampling": {
            "asked": asked,
            "kind": kind,
            "method": METHODS[kind],
            "why": WHY[kind],
            "valid": is_valid(kind, finished),
            "refused": [
                {"kind": name, "reason": reason} for name, reason in refused_kinds(finished).items()
            ],
            "replicates": len(values),
            "seed": seed,
            "level": level,
            "strata": strata,
        },
        "estimates": [
            _estimate(finished, made, column, values, kind, level)
            for column in range(len(made.names))
        ],
        "notes": [
            MAIN_INTERVAL,
            *notes_on(kind, finished),
            *([BY_CELL] if strata == "exact" else []),
        ],
    }


def _estimate(
    finished: Finished, made: Resampler, column: int, values: Floats, kind: str, level: float
) -> dict[str, Any]:
    one = finished.estimates[made.names[column]]
    drawn = made.finish[column](np.ascontiguousarray(values[:, column]), level)
    interval = as_interval(kind, drawn, one["difference"], level)
    (intervals,) = resampled_results([Resampled(kind, drawn, interval)])
    return {
        "outcome": one["outcome"],
        "type": one["type"],
        "measure": one["measure"],
        "difference": one["difference"],
        "ci_low": number(interval.low),
        "ci_high": number(interval.high),
        "p_value": p_value(interval.p_value),
        "without_estimate": int(np.count_nonzero(~np.isfinite(drawn.estimates))),
        **intervals,
        "main": {key: one[key] for key in _MAIN},
    }
