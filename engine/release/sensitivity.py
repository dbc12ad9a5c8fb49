"""Sensitivity figures as results.json holds them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from engine.effects.sensitivity.assess import Sensitivity
from engine.release.plain import number, plain

_SHOWN_BENCHMARKS = 10


def sensitivity_results(found: Sensitivity) -> dict[str, Any]:
    """Return the sensitivity of one estimate; None where a figure has no meaning."""
    left_out = None
    if found.left_out is not None:
        strongest = found.left_out.benchmarks[:_SHOWN_BENCHMARKS]
        left_out = {
            "sentence": found.left_out.sentence,
            "covariates": [plain(asdict(one)) for one in strongest],
            "covariates_in_all": len(found.left_out.benchmarks),
        }
    return {
        "rosenbaum": None if found.gamma is None else plain(asdict(found.gamma)),
        "e_values": [plain(asdict(value)) for value in found.e_values],
        "left_out": left_out,
        "instability": None if found.instability is None else plain(asdict(found.instability)),
    }


def headline_sensitivity(found: Sequence[Sensitivity]) -> dict[str, Any] | None:
    """Return Gamma and the E-values of the first outcome."""
    if not found:
        return None
    first = found[0]
    shown = next((v for v in first.e_values if v.measure != "odds ratio"), None)
    gamma = float("nan") if first.gamma is None else first.gamma.gamma
    return {
        "gamma": number(gamma),
        "e_value": number(np.nan if shown is None else shown.e_value),
        "e_value_ci": number(np.nan if shown is None else shown.e_value_ci),
    }
