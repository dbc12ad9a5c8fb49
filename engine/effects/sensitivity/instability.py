"""How far an estimate moves with choices that should not matter: tie-breaks and matching orders."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError


@dataclass(frozen=True)
class InstabilityBand:
    """Estimates over repeated matches that differ only in an arbitrary choice.

    Attributes
    ----------
    runs : int
        Estimates in the band.
    undefined : int
        Repeated matches that gave no estimate.
    median : float
        The median-of-orders estimate.
    low, high : float
        Smallest and largest estimate.
    inner_low, inner_high : float
        The middle 90 % of the estimates, by the nearest rank.
    same_sign : float
        Share of estimates on the median's side of 0.
    standard_error : float
        sqrt of the median of SE^2 + (estimate - median)^2; nan without standard errors.
    sentence : str
        The result in plain words.
    """

    runs: int
    undefined: int
    median: float
    low: float
    high: float
    inner_low: float
    inner_high: float
    same_sign: float
    standard_error: float
    sentence: str


def instability_band(
    estimates: Iterable[float], standard_errors: Iterable[float] | None = None
) -> InstabilityBand:
    """Summarise estimates of the same effect over tie-breaks or matching orders.

    Parameters
    ----------
    estimates : iterable of float
        One for each repeated match; nan where a match gave none.
    standard_errors : iterable of float, optional
        Theirs.

    Returns
    -------
    InstabilityBand

    Raises
    ------
    InputError
        No estimate is defined.

    Notes
    -----
    The median is the mean of the middle two for an even number. Its standard error adds to the
    sampling error the spread over orders, as for estimates over random splits (Chernozhukov et al.
    2018, Double/debiased machine learning, definition 3.3). The result does not depend on the order
    in which estimates are given.
    """
    values = np.asarray(list(estimates), dtype=np.float64)
    defined = np.isfinite(values)
    kept = np.sort(values[defined])
    if len(kept) == 0:
        raise InputError(
            "no repeated match gave an estimate",
            rule="an instability band needs at least one estimate",
            repair="Widen the caliper or check the outcome",
        )
    median = _middle(kept)
    error = float("nan")
    if standard_errors is not None:
        errors = np.asarray(list(standard_errors), dtype=np.float64)[defined]
        spread = values[defined] - median
        error = float(np.sqrt(_middle(np.sort(errors * errors + spread * spread))))
    low, high = float(kept[0]), float(kept[-1])
    last = len(kept) - 1
    cut = int(0.05 * len(kept))
    same = float(np.count_nonzero(np.sign(kept) == np.sign(median))) / len(kept)
    return InstabilityBand(
        len(kept),
        len(values) - len(kept),
        median,
        low,
        high,
        float(kept[cut]),
        float(kept[last - cut]),
        same,
        error,
        _sentence(len(kept), low, high, same),
    )


def _middle(ordered: NDArray[np.float64]) -> float:
    """Return the median of sorted values."""
    half = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[half])
    return float(ordered[half - 1] / 2.0 + ordered[half] / 2.0)


def _sentence(runs: int, low: float, high: float, same: float) -> str:
    if runs == 1:
        return "The match was made once, so how far the order of matching matters is not known."
    if low == high:
        return f"The match was repeated {runs} times in another order with the same result."
    if same == 1.0:
        return (
            f"The match was repeated {runs} times in another order; the estimate moved a little, "
            "and pointed the same way every time."
        )
    return (
        f"The match was repeated {runs} times in another order; the estimate changed sides in "
        f"{round(100.0 * (1.0 - same)):.0f} of every 100 repeats, so this match alone does not say "
        "which way the difference goes."
    )
