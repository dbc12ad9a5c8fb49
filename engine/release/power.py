"""Power as a plain dictionary, and as words: of a planned cohort, and of a finished match."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from engine.effects.power import (
    LEAST_EVENTS,
    Detectable,
    check_plan,
    cohort_size,
    detectable_rate,
    match_power,
)
from engine.errors import InputError
from engine.release.files import write_bytes
from engine.release.folder import FORMAT
from engine.release.formats import is_number
from engine.release.power_chart import power_chart

POWERS = (0.8, 0.9)
"""Powers that are shown beside the one asked for."""
DIFFERENCES = (0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15)
"""Sizes of differences that are shown beside the one asked for."""
COHORTS = (60, 80, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 2400, 3200, 4800, 6400, 10000)
"""Numbers of submitted people for which the smallest detectable difference is shown."""

_LIMIT = 64 << 20


def plan_power(
    base_rate: float,
    *,
    difference: float = 0.05,
    direction: str = "fewer",
    power: float = 0.8,
    alpha: float = 0.05,
    ratio: float = 1.0,
    design_effect: float = 1.0,
    attrition: float = 0.0,
) -> dict[str, Any]:
    """Say how many people a difference needs, and what cohorts of usual size could show.

    Parameters
    ----------
    base_rate : float
        Share of similar people with the outcome, in (0, 1).
    difference : float
        Size of the wanted difference, above 0.
    direction : {'fewer', 'more'}
    power, alpha, ratio, design_effect, attrition : float
        As for :func:`engine.effects.power.cohort_size`.

    Returns
    -------
    dict
        ``assumptions``, ``wanted``, ``sizes`` (for a range of differences and powers),
        ``detectable`` (for a range of cohorts; null where no difference can be shown or fewer
        than 30 treated people with the outcome are expected) and ``sentence``.

    Raises
    ------
    UsageError
        A value is out of its range.
    """
    sign = -1.0 if direction == "fewer" else 1.0
    common = {
        "alpha": alpha,
        "ratio": ratio,
        "design_effect": design_effect,
        "attrition": attrition,
    }
    powers = sorted({*POWERS, power})
    wanted = cohort_size(base_rate, sign * abs(difference), power=power, **common)
    sizes = [
        asdict(cohort_size(base_rate, sign * size, power=one, **common))
        for size in sorted({*DIFFERENCES, abs(difference)})
        if 0.0 < base_rate + sign * size < 1.0
        for one in powers
    ]
    detectable = []
    for submitted in sorted({*COHORTS, wanted.submitted}):
        analysed = int(np.floor(submitted * (1.0 - attrition) + 1e-9))
        if analysed == 0:
            continue
        treated = analysed / design_effect
        found = [
            detectable_rate(base_rate, treated, treated * ratio, power=one, alpha=alpha)
            for one in powers
        ]
        detectable.append(
            {
                "submitted": submitted,
                "analysed": analysed,
                "differences": [_expected(_detectable(one), base_rate, analysed) for one in found],
            }
        )
    result = {
        "format": FORMAT,
        "kind": "power-plan",
        "assumptions": {"base_rate": base_rate, "direction": direction, "power": power, **common},
        "wanted": asdict(wanted),
        "sizes": sizes,
        "detectable": detectable,
    }
    return {**result, "sentence": _plan_sentence(result)}


def power_of_match(
    folder: Path | str, *, power: float = 0.8, alpha: float = 0.05
) -> dict[str, Any]:
    """Say what a finished match could have shown, from its results.json.

    Parameters
    ----------
    folder : path
        Folder that ``justicelab match --out`` wrote.
    power, alpha : float
        As for :func:`engine.effects.power.cohort_size`.

    Returns
    -------
    dict
        ``outcomes``: for each, its smallest detectable differences, the people needed for the
        difference found, and a ``sentence``.

    Raises
    ------
    InputError
        There is no results.json of a match, or it holds no outcome.
    """
    check_plan(0.5, power=power, alpha=alpha)
    results = read_results(Path(folder))
    powers = tuple(sorted({*POWERS, power}))
    outcomes = [_outcome(one, powers, alpha) for one in results.get("estimates") or ()]
    if not outcomes:
        raise InputError(
            "the match has no outcome",
            where="results.json",
            rule="the power of a match is that of its outcomes",
            repair="Run the match again with --outcome",
        )
    return {
        "format": FORMAT,
        "kind": "power-of-match",
        "assumptions": {"power": power, "alpha": alpha},
        "outcomes": [{**one, "sentence": _outcome_sentence(one, power)} for one in outcomes],
    }


def read_results(folder: Path) -> dict[str, Any]:
    """Return the results.json of a folder.

    Raises
    ------
    InputError
        There is none, or it is not one of a match.
    """
    try:
        handle = os.open(folder / "results.json", os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            text = file.read(_LIMIT + 1)
    except OSError:
        raise InputError(
            "there is no results.json that can be read",
            where=f"the folder '{folder.name}'",
            repair="Give the folder that 'justicelab match --out' wrote",
        ) from None
    try:
        results = json.loads(text) if len(text) <= _LIMIT else None
    except (ValueError, RecursionError):
        results = None
    if not (
        isinstance(results, dict)
        and results.get("format") == FORMAT
        and results.get("kind") == "match"
    ):
        raise InputError(
            "results.json is not the result of a match",
            where=f"the folder '{folder.name}'",
            repair="Give the folder that 'justicelab match --out' wrote",
        )
    return results


def write_chart(path: Path, plan: Mapping[str, Any]) -> None:
    """Write the chart of a plan as an SVG file, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write, in a folder that exists; an earlier chart of that name is replaced.
    plan : mapping
        From :func:`plan_power`.
    """
    write_bytes(path.absolute().parent, path.name, (power_chart(plan) + "\n").encode())


def _detectable(found: Detectable) -> dict[str, float | None]:
    return {
        "power": found.power,
        "fewer": found.fewer if np.isfinite(found.fewer) else None,
        "more": found.more if np.isfinite(found.more) else None,
    }


def _expected(
    found: dict[str, float | None], base_rate: float, analysed: int
) -> dict[str, float | None]:
    """Leave out differences with which fewer than 30 people with the outcome are expected."""
    kept = dict(found)
    for way, sign in (("fewer", -1.0), ("more", 1.0)):
        size = found[way]
        if size is not None and analysed * (base_rate + sign * size) < LEAST_EVENTS:
            kept[way] = None
    return kept


def _outcome(estimate: Mapping[str, Any], powers: Sequence[float], alpha: float) -> dict[str, Any]:
    """Return the power of one outcome of a match; null where its estimate has no interval."""
    numbers = [
        estimate.get(key)
        for key in (
            "treated",
            "comparison",
            "standard_error",
            "n_treated",
            "effective_comparison",
        )
    ]
    freedom = estimate.get("degrees_of_freedom")
    found = None
    if all(is_number(one) for one in numbers):
        treated, comparison, error, n_treated, n_comparison = (float(str(one)) for one in numbers)
        found = match_power(
            estimate["type"],
            treated,
            comparison,
            error,
            n_treated,
            n_comparison,
            degrees_of_freedom=float(freedom) if is_number(freedom) else float("inf"),
            powers=tuple(powers),
            alpha=alpha,
        )
    return {
        "outcome": estimate.get("outcome"),
        "type": estimate.get("type"),
        "difference": estimate.get("difference"),
        "n_treated": estimate.get("n_treated"),
        "design_effect": found.design_effect
        if found is not None and np.isfinite(found.design_effect)
        else None,
        "differences": [] if found is None else [_detectable(one) for one in found.detectable],
        "needed": [] if found is None else list(found.needed),
    }


def chance(power: float) -> str:
    """A power in words, '80 in every 100'; a decimal only where there is one."""
    return f"{round(power * 100, 1):g} in every 100"


def people_in_100(size: float) -> str:
    """The size of a difference in people of every 100; a decimal only where there is one."""
    return f"{round(abs(size) * 100, 1):g}"


def _plan_sentence(plan: Mapping[str, Any]) -> str:
    """Return how many people the wanted difference needs, in words."""
    wanted, assumed = plan["wanted"], plan["assumptions"]
    rate = assumed["base_rate"]
    many = f"{wanted['submitted']:,} people must be submitted"
    if wanted["submitted"] != wanted["analysed"] and wanted["limited_by"] != "minimum":
        many += f", so that {wanted['analysed']:,} can be compared"
    words = (
        f"To have a chance of {chance(wanted['power'])} of showing "
        f"{people_in_100(wanted['difference'])} {assumed['direction']} in every 100 "
        f"({people_in_100(rate + wanted['difference'])} instead of {people_in_100(rate)}), "
        f"about {many}."
    )
    reason = {
        "events": " That many are needed to expect 30 people with the outcome among them.",
        "minimum": " That is the smallest number that may be submitted.",
    }.get(wanted["limited_by"], "")
    return words + reason


def _outcome_sentence(outcome: Mapping[str, Any], power: float) -> str:
    """Return what the match could have shown on an outcome, in words."""
    chosen = next((one for one in outcome["differences"] if one["power"] == power), None)
    if chosen is None:
        return "There are too few people with the outcome to say what this match could have shown."
    if outcome["type"] == "binary":
        ways = [
            f"{people_in_100(chosen[way])} {way}"
            for way in ("fewer", "more")
            if chosen[way] is not None
        ]
        if not ways:
            return "No difference, however large, would have been shown by so few people."
        what = f"{' or '.join(ways)} in every 100"
    else:
        unit = " days" if outcome["type"] == "time" else " on average"
        what = f"{chosen['fewer']:.3g}{unit}"
    words = (
        f"The smallest difference that this match had a chance of {chance(power)} of showing is "
        f"{what}."
    )
    needed = outcome["needed"][outcome["differences"].index(chosen)]
    if needed is not None and needed > (outcome["n_treated"] or 0):
        words += f" For a difference of the size found, about {needed:,} people would be needed."
    return words
