"""Resampling of an estimate as results.json holds it: the intervals, not the replicates."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from engine.effects.resampled import MAIN_LIMITS, Resampled
from engine.release.plain import number, plain


def resampled_results(found: Sequence[Resampled]) -> list[dict[str, Any]]:
    """Return each kind of resampling with all its intervals and their Monte Carlo errors."""
    return [
        {
            "kind": one.kind,
            "replicates": one.bootstrap.replicates,
            "seed": one.bootstrap.seed,
            "standard_error": number(one.bootstrap.standard_error),
            "speaks": MAIN_LIMITS[one.kind],
            "intervals": [plain(asdict(limits)) for limits in one.bootstrap.intervals],
            "note": one.bootstrap.note,
        }
        for one in found
    ]
