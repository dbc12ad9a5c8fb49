"""Rounding of what is handed over: counts to a base, shares to whole percent, ends outward."""

import math

_NEARLY = 1e-9
"""Of a step: a limit this close to a whole step is on it."""


def round_count(n: float, base: int) -> int:
    """Return a count rounded to the nearest multiple of the base, halves up."""
    return math.floor(n / base + 0.5) * base


def round_step(value: float, step: float = 1.0) -> float:
    """Return a value rounded to the nearest step, halves away from 0; never minus 0."""
    whole = math.floor(abs(value) / step + 0.5)
    return _tidy(math.copysign(whole, value) * step, step)


def down(value: float, step: float = 1.0) -> float:
    """Return the largest step that is not above a value."""
    return _tidy(math.floor(value / step + _NEARLY) * step, step)


def up(value: float, step: float = 1.0) -> float:
    """Return the smallest step that is not below a value."""
    return _tidy(math.ceil(value / step - _NEARLY) * step, step)


def two_digits(value: float) -> float:
    """Return the step of two significant digits, at most two decimals.

    Examples
    --------
    >>> [two_digits(v) for v in (0.004, 0.31, 1.24, 12.4, 1240.0)]
    [0.01, 0.01, 0.1, 1.0, 100.0]
    """
    if abs(value) < 1.0:
        return 0.01
    return float(10.0 ** (len(str(int(abs(value)))) - 2))


def round_p(p: float, alpha: float = 0.05) -> float:
    """Return a p-value to two decimals, never on the other side of the limit.

    Examples
    --------
    >>> [round_p(p) for p in (0.0004, 0.049, 0.05, 0.0501, 0.054, 0.996)]
    [0.0, 0.05, 0.05, 0.06, 0.06, 1.0]
    """
    rounded = round_step(p, 0.01)
    if p > alpha >= rounded:
        return round(alpha + 0.01, 2)
    return rounded


def p_text(p: float) -> str:
    """Return a p-value that :func:`round_p` has rounded as it is printed."""
    return "<0.01" if p < 0.005 else f"{p:.2f}"


def _tidy(value: float, step: float) -> float:
    """Remove what binary fractions leave beyond the step, and the sign of 0."""
    decimals = max(0, -math.floor(math.log10(step) + _NEARLY))
    rounded = round(value, decimals) + 0.0
    return rounded if decimals else float(int(rounded))
