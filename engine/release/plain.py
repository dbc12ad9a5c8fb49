"""Figures as JSON holds them: finite numbers or nothing."""

from typing import Any

import numpy as np

_P_VALUE_DIGITS = 12


def number(value: float) -> float | None:
    """A finite number, or None."""
    value = float(value)
    return value if np.isfinite(value) else None


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """A dictionary with None for every number that is not finite."""
    return {
        key: number(value) if isinstance(value, float) else value for key, value in values.items()
    }


def p_value(value: float) -> float | None:
    """A p-value to 12 significant digits: its last bits hang on the system's mathematics."""
    return number(float(f"{value:.{_P_VALUE_DIGITS}g}")) if np.isfinite(value) else None
