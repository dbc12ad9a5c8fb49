"""The ways to resample a finished match or study, and replicates of its estimates by range."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.effects.bootstrap import (
    Bootstrap,
    acceleration,
    bootstrap_intervals,
    standard_error_of,
)
from engine.effects.choice import refusals_by_design
from engine.effects.rematching import recipe_for
from engine.effects.replicates import centred_within, people_to_draw, rematched_replicates
from engine.effects.resampled import full_fit, source_of_linear_form, source_of_sets
from engine.effects.sources import (
    DIAGNOSTIC,
    VALID_REMATCH,
    conditional_difference,
    mean_difference,
)
from engine.errors import InputError, UsageError
from engine.jobs.finished import Finished, open_finished, read_linear_forms
from engine.jobs.remade import remake
from engine.jobs.shards import Units

Floats = NDArray[np.float64]
Finish = Callable[[Floats, float], Bootstrap]

KINDS = ("auto", "wild", "weighted", "set", "subsample", "refit")
STRATA = ("arm", "exact")
"""What the numbers of people drawn are kept in: arms alone, or the exact cells of each arm."""
NEEDS_SOURCE = ("set", "refit")
"""Kinds that need outcomes, which the folder does not hold."""
WHY = {
    "wild": "Mammen multipliers on what each person adds to the error: valid for every match, "
    "because the linear form holds the reuse of people, repeated people and the fitted score. "
    "It has the variance of the analytic interval and is its second opinion, not its repair.",
    "weighted": "Exponential weights on what each person adds to the error: valid for every match "
    "as the wild bootstrap is; the two differ in skewness only.",
    "subsample": "Fewer people than there are, drawn from the linear form and brought back to the "
    "size of all: valid for every match.",
    "set": "Matched sets drawn with replacement, all sets of a person together: for matches in "
    "which each comparison person serves once.",
    "refit": "People drawn, score fitted and match made again in each replicate.",
}


@dataclass(frozen=True)
class Resampler:
    """Replicates of a finished match.

    Attributes
    ----------
    names : tuple of str
        Outcomes it gives replicates of, ``COLUMN:TYPE``.
    draw : callable
        Maps a range of numbers to estimates, float64, shape (len(units), outcomes).
    finish : tuple of callable
        For each outcome, from its replicates and a confidence level to the bootstrap they make.
    """

    names: tuple[str, ...]
    draw: Callable[[Units], Floats]
    finish: tuple[Finish, ...]


def refused_kinds(finished: Finished) -> dict[str, str]:
    """Return the kinds that are not valid as the main interval of a match, and why."""
    found = refusals_by_design(
        reuse=finished.reuse, fitted=finished.fitted, by_window=finished.by_window
    )
    return {one.method: one.reason for one in found if one.method in KINDS}


def choose_kind(asked: str, finished: Finished) -> str:
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
    if asked == "set" and finished.reuse:
        raise UsageError(
            "--kind set is not valid for this match",
            rule=refused_kinds(finished)["set"],
            repair="Use --kind wild, which is valid for every match",
        )
    return asked


def check_strata(strata: str, kind: str, finished: Finished) -> None:
    """Refuse strata that the match does not have, or that a kind does not keep.

    Raises
    ------
    UsageError
    """
    if strata not in STRATA:
        raise UsageError(
            "those strata are not known",
            rule=f"--strata is one of {', '.join(STRATA)}",
            repair="Leave out --strata: people are then drawn within their arm",
        )
    if strata == "exact" and not finished.options.exact:
        raise UsageError(
            f"the {finished.kind} has no exact cells",
            rule="--strata exact keeps the number of people of each cell of the exact columns",
            repair="Leave out --strata",
        )
    if strata == "exact" and kind == "subsample":
        raise UsageError(
            "fewer people are not drawn within strata",
            rule="cells may be too small for fewer people",
            repair="Use --kind wild or weighted",
        )


def is_valid(kind: str, finished: Finished) -> bool:
    """Whether the intervals of a kind are valid for a match, and not for comparison only."""
    return kind not in refused_kinds(finished)


def notes_on(kind: str, finished: Finished) -> list[str]:
    """Return what a reader of the replicates must know."""
    refused = refused_kinds(finished)
    if kind == "set" and kind in refused:
        return [f"Beside the main interval only: {refused[kind]}."]
    if kind == "refit":
        said = VALID_REMATCH if is_valid(kind, finished) else DIAGNOSTIC
        return [f"Fitting and matching again: {said}."]
    return []


def replicates(parameters: Mapping[str, Any], units: Units) -> Floats:
    """Compute a range of replicates of a finished match.

    Parameters
    ----------
    parameters : mapping
        ``folder``; ``source``, the table of a match or the store of a study; ``kind``; ``seed``;
        ``strata``; and ``content``, the content id.
    units : Units

    Returns
    -------
    float64, shape (len(units), outcomes)
    """
    return opened(json.dumps(dict(parameters), sort_keys=True)).draw(units)


@functools.lru_cache(maxsize=1)
def opened(parameters: str) -> Resampler:
    """Read what replicates are made from; once in a process, whatever ranges it is given.

    Parameters
    ----------
    parameters : str
        Those of :func:`replicates`, as JSON.

    Raises
    ------
    UsageError
        The kind needs a table or store and it was not given, or the match cannot be made again.
    InputError
        A file is missing or has changed.
    """
    given = json.loads(parameters)
    kind, seed, source = given["kind"], given["seed"], given["source"]
    by_cell = given["strata"] == "exact"
    finished = open_finished(Path(given["folder"]))
    if finished.content_id != given["content"]:
        raise InputError(
            f"the {finished.kind} has been made anew while its bootstrap ran", repair="Run it again"
        )
    if kind not in NEEDS_SOURCE:
        return _of_linear_forms(finished, kind, seed, by_cell)
    if source is None:
        option = {"match": "--table", "study": "--store"}[finished.kind]
        raise UsageError(
            f"--kind {kind} needs the {option[2:]} of the {finished.kind}",
            rule=f"the folder of a {finished.kind} does not hold outcomes",
            repair=f"Add {option} with the same {option[2:]}",
        )
    return (_of_sets if kind == "set" else _of_refits)(finished, seed, source, by_cell)


def _of_linear_forms(finished: Finished, kind: str, seed: int, by_cell: bool) -> Resampler:
    forms = read_linear_forms(finished)
    if by_cell and forms.stratum is not None:
        within = {name: centred_within(sums, forms.stratum) for name, sums in forms.sums.items()}
        forms = replace(forms, sums=within)
    names = tuple(name for name in finished.estimates if name in forms.sums)
    sources = [
        source_of_linear_form(
            kind,
            finished.estimates[name]["difference"],
            forms.sums[name],
            forms.unit,
            forms.n_focal,
            seed,
        )
        for name in names
    ]
    return Resampler(
        names,
        lambda units: np.stack([one.draw(units.start, units.stop) for one in sources], axis=1),
        tuple(functools.partial(_finish, one.finish, seed) for one in sources),
    )


def _finish(
    finish: Callable[[Floats, int, float], Bootstrap], seed: int, estimates: Floats, level: float
) -> Bootstrap:
    return finish(estimates, seed, level)


def _of_sets(finished: Finished, seed: int, source: str, by_cell: bool) -> Resampler:
    remade = remake(finished, source)
    sources = [
        source_of_sets(remade.values[name], one["type"], remade.sample, seed, by_cell=by_cell)
        for name, one in finished.estimates.items()
    ]
    return Resampler(
        tuple(finished.estimates),
        lambda units: np.stack([one.draw(units.start, units.stop) for one in sources], axis=1),
        tuple(functools.partial(_finish, one.finish, seed) for one in sources),
    )


def _of_refits(finished: Finished, seed: int, source: str, by_cell: bool) -> Resampler:
    remade = remake(finished, source)
    scoring, sample, rows = remade.scoring, remade.sample, remade.rows
    full = full_fit(rows, scoring, remade.options)
    recipe = recipe_for(scoring.problem, remade.options)
    cell = rows.cell if by_cell else None
    draws = people_to_draw(rows.treated, sample.eligible, sample.person, cell=cell)
    columns: list[Floats] = []
    measures = []
    for name, one in finished.estimates.items():
        values, at = remade.values[name], len(columns)
        had = ~np.isnan(values)
        columns += [np.where(had, values, 0.0), had.astype(np.float64)]
        if one["type"] == "time":
            measures.append(conditional_difference(at, at + 1, sample.sign))
        else:
            measures.append(mean_difference(at, sample.sign))
    summed = np.stack(columns, axis=1)
    forms = read_linear_forms(finished)

    def draw(units: Units) -> Floats:
        found = rematched_replicates(
            recipe, summed, draws, full=full, logit=None if full is not None else scoring.logit,
            seed=seed, start=units.start, stop=units.stop,
        )  # fmt: skip
        return np.stack([measure(found) for measure in measures], axis=1)

    def finish(estimate: float, skew: float | None, estimates: Floats, level: float) -> Bootstrap:
        return Bootstrap(
            "refit", len(estimates), seed, estimates, standard_error_of(estimates),
            bootstrap_intervals(estimate, estimates, level=level, skew=skew), "", skew,
        )  # fmt: skip

    def skew_of(name: str) -> float | None:
        return acceleration(forms.sums[name]) if name in forms.sums else None

    return Resampler(
        tuple(finished.estimates),
        draw,
        tuple(
            functools.partial(finish, one["difference"], skew_of(name))
            for name, one in finished.estimates.items()
        ),
    )
