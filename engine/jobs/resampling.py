"""The ways to resample a finished match, and replicates of its estimates by range."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.effects.bootstrap import (
    acceleration,
    conditional_difference,
    difference_of_ratios,
    mean_difference,
)
from engine.effects.rematching import recipe_for
from engine.effects.replicates import (
    FullFit,
    drawn_replicates,
    multiplier_replicates,
    people_to_draw,
    rematched_replicates,
)
from engine.errors import InputError, UsageError
from engine.jobs.finished import Finished, open_match, read_person_sums, remade_sample, remake
from engine.jobs.shards import Units
from engine.matching.propensity import DEFAULT_RIDGE
from kernels.resample import centred

Floats = NDArray[np.float64]

KINDS = ("auto", "wild", "weighted", "set", "subsample", "refit")
_MULTIPLIER = {"wild": "mammen", "weighted": "exponential"}
WHY = {
    "wild": "Mammen multipliers on what each person adds to the error: valid for every match, "
    "because the linear form holds the reuse of people, repeated people and the fitted score. "
    "It has the variance of the analytic interval and is its second opinion, not its repair.",
    "weighted": "exponential weights on what each person adds to the error: valid for every match "
    "as the wild bootstrap is; the two differ in skewness only.",
    "subsample": "half of the people drawn without replacement from the linear form, brought back "
    "to the size of all: valid for every match.",
    "set": "matched sets drawn with replacement: valid where each comparison person serves once "
    "and the score was given.",
    "refit": "people drawn, score fitted and match made again in each replicate.",
}
RECOMMENDED = {
    "wild": "basic",
    "weighted": "basic",
    "subsample": "basic",
    "set": "percentile",
    "refit": "normal",
}
"""Which interval of a kind to read: the one whose coverage was measured."""


@dataclass(frozen=True)
class Resampler:
    """Replicates of a finished match.

    Attributes
    ----------
    names : tuple of str
        Outcomes it gives replicates of, ``COLUMN:TYPE``.
    replicates : callable
        Maps a range of numbers to estimates, float64, shape (len(units), outcomes).
    skew : tuple of float or None
        BCa's acceleration of each; None where it is not known.
    """

    names: tuple[str, ...]
    replicates: Callable[[Units], Floats]
    skew: tuple[float, ...] | None


def choose_kind(asked: str, match: Finished) -> str:
    """Return the kind of bootstrap for a match.

    Raises
    ------
    UsageError
        The kind is not known, or is not valid for the match; says why and names the valid one.

    Notes
    -----
    A kind that fits and matches again is never refused: for nearest neighbours its result is
    labelled a diagnostic.
    """
    if asked not in KINDS:
        raise UsageError(
            "that kind of bootstrap is not known",
            rule=f"--kind is one of {', '.join(KINDS)}",
            repair="Leave out --kind: the design of the match then decides",
        )
    if asked == "auto":
        return "wild"
    refused = {
        refusal["method"]: refusal["reason"]
        for estimate in match.results["estimates"]
        for refusal in estimate["refused"]
    }
    if asked == "set" and ("set" in refused or "rows as independent" in refused):
        raise UsageError(
            "--kind set is not valid for this match",
            rule=refused.get("set", refused.get("rows as independent", "")),
            repair="Use --kind wild, which is valid for every match",
        )
    return asked


def replicates(parameters: Mapping[str, Any], units: Units) -> Floats:
    """Compute a range of replicates of a finished match.

    Parameters
    ----------
    parameters : mapping
        ``folder``, ``table``, ``kind``, ``seed``, and ``match``, the content id of the match.
    units : Units

    Returns
    -------
    float64, shape (len(units), outcomes)
    """
    return _opened(json.dumps(dict(parameters), sort_keys=True)).replicates(units)


@functools.lru_cache(maxsize=1)
def _opened(parameters: str) -> Resampler:
    """Read what a worker needs, once."""
    given = json.loads(parameters)
    match = open_match(Path(given["folder"]))
    if match.manifest["content_id"] != given["match"]:
        raise InputError(
            "the match has been made anew while its bootstrap ran", repair="Run it again"
        )
    return resampler(match, given["kind"], given["seed"], given["table"])


def resampler(match: Finished, kind: str, seed: int, table: str | None) -> Resampler:
    """Return the replicates of a match by one kind of bootstrap.

    Raises
    ------
    UsageError
        The kind needs the table and it was not given, or the match cannot be made again.
    InputError
        A file is missing or has changed.
    """
    if kind in {"wild", "weighted", "subsample"}:
        return _on_linear_form(match, kind, seed)
    if table is None:
        raise UsageError(
            f"--kind {kind} needs the table of the match",
            rule="the folder of a match does not hold outcomes",
            repair="Add --table with the same file",
        )
    if kind == "set":
        return _on_sets(match, seed, table)
    return _on_new_matches(match, seed, table)


def _names(match: Finished) -> tuple[str, ...]:
    return tuple(f"{one.column}:{one.type}" for one in match.outcomes)


def _on_linear_form(match: Finished, kind: str, seed: int) -> Resampler:
    people = read_person_sums(match)
    estimate = dict(zip(_names(match), match.differences, strict=True))
    centre = np.array([estimate[name] for name in people.names])
    skew = tuple(acceleration(row) for row in people.sums)
    if kind == "subsample":
        n = len(people.unit)
        draws = n // 2
        rows = np.ascontiguousarray(centred(people.sums).T)
        scale = float(np.sqrt(n * (n - 1.0) / (draws * (n - draws)))) if draws else np.nan

        def subsample(units: Units) -> Floats:
            sums = drawn_replicates(
                rows, draws=draws, replace=False, seed=seed, start=units.start, stop=units.stop
            )
            return centre + scale * sums

        return Resampler(people.names, subsample, skew)

    def multiply(units: Units) -> Floats:
        return centre + multiplier_replicates(
            people.sums, people.unit, multiplier=_MULTIPLIER[kind], seed=seed,
            start=units.start, stop=units.stop,
        )  # fmt: skip

    return Resampler(people.names, multiply, skew)


def _columns(values: Floats, kind: str) -> list[Floats]:
    """Return what is summed for an outcome: itself, or its numerator and denominator."""
    if kind != "time":
        return [values]
    had = ~np.isnan(values)
    return [np.where(had, values, 0.0), had.astype(np.float64)]


def _on_sets(match: Finished, seed: int, table: str) -> Resampler:
    remade = remake(match, table)
    sample = remade_sample(match, remade)
    columns: list[Floats] = []
    first: list[int] = []
    for outcome, values in zip(match.outcomes, remade.values, strict=True):
        first.append(len(columns))
        parts = _columns(values, outcome.type)
        columns += [part[sample.focal] for part in parts]
        columns += [sample.set_means(part) for part in parts]
    rows = np.stack(columns, axis=1)
    sign, n = match.sign, len(rows)

    def draw(units: Units) -> Floats:
        sums = drawn_replicates(rows, seed=seed, start=units.start, stop=units.stop)
        found = np.empty((len(units), len(first)))
        for place, (at, outcome) in enumerate(zip(first, match.outcomes, strict=True)):
            if outcome.type == "time":
                found[:, place] = sign * difference_of_ratios(sums[:, at : at + 4])
            else:
                found[:, place] = sign * (sums[:, at] - sums[:, at + 1]) / n
        return found

    return Resampler(_names(match), draw, None)


def _on_new_matches(match: Finished, seed: int, table: str) -> Resampler:
    options = match.options
    if options.fit == "firth":
        raise UsageError(
            "a score fitted by Firth's method is not fitted again in a bootstrap",
            rule="maximum likelihood and ridge are",
            repair="Use --kind wild, which holds the effect of fitting the score",
        )
    remade = remake(match, table)
    scoring, rows = remade.scoring, remade.rows
    recipe = recipe_for(scoring.problem, options)
    draws = people_to_draw(rows.treated, scoring.problem.eligible, rows.person)
    full = None
    if scoring.model is not None:
        fitted = scoring.model.fitted
        full = FullFit(
            fitted.columns, rows.treated.astype(np.uint8), fitted.beta, fitted.information,
            fitted.active, ~scoring.model.left_out,
            DEFAULT_RIDGE if options.fit == "ridge" else 0.0,
        )  # fmt: skip
    columns: list[Floats] = []
    measures = []
    for outcome, values in zip(match.outcomes, remade.values, strict=True):
        at = len(columns)
        columns += _columns(values, outcome.type)
        if outcome.type == "time":
            measures.append(conditional_difference(at, at + 1, match.sign))
        else:
            measures.append(mean_difference(at, match.sign))
    summed = np.stack(columns, axis=1)

    def again(units: Units) -> Floats:
        found = rematched_replicates(
            recipe, summed, draws, full=full, logit=scoring.logit if full is None else None,
            seed=seed, start=units.start, stop=units.stop,
        )  # fmt: skip
        return np.stack([measure(found) for measure in measures], axis=1)

    return Resampler(_names(match), again, None)
