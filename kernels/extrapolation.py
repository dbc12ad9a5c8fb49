"""A step that is extrapolated from the last few: Anderson's method for steps of a fixed metric.

Steps that multiply the error by much the same factor each tell where they lead. The combination of
the last few that would have left the shortest step is taken in place of the last one.

References
----------
Anderson (1965), Iterative procedures for nonlinear integral equations, Journal of the ACM 12,
547-560; Walker and Ni (2011), Anderson acceleration for fixed-point iterations, SIAM Journal on
Numerical Analysis 49, 1715-1735.
"""

import numpy as np

from kernels.blocks import total
from kernels.cholesky import factor, solve

_REMEMBERED = 8
"""Steps that the next one is extrapolated from."""
_LEAST_LENGTH = 1e-14
"""Share of its squared length that a remembered change must have left after the others."""


def extrapolated(
    memory: list[tuple[np.ndarray, np.ndarray]],
    beta: np.ndarray,
    step: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    """Return the step that the last few and this one together suggest; remember this one.

    Parameters
    ----------
    memory : list of (float64, float64), shapes (p,)
        Where the last steps were made, and the plain steps there; this one is added. To be cleared
        where the metric changes or an extrapolated step was not taken.
    beta : float64, shape (p,)
        Where this step is made.
    step : float64, shape (p,)
        The plain step.
    weight : float64, shape (p,)
        Squared steps are weighted by it, >= 0.

    Returns
    -------
    float64, shape (p,)
        The plain step itself where nothing is remembered.
    """
    memory.append((beta, step))
    if len(memory) == 1:
        return step
    del memory[: -_REMEMBERED - 1]
    change = np.array([step - one for _, one in memory[:-1]])
    moved = np.array([beta - one for one, _ in memory[:-1]])
    m = len(change)
    products, right = np.empty((m, m)), np.empty(m)
    for i in range(m):
        scaled = change[i] * weight
        right[i] = float(total(scaled * step))
        for j in range(m):
            products[i, j] = float(total(scaled * change[j]))
    usable = np.ones(m, dtype=np.bool_)
    lower, share = np.empty_like(products), np.empty(m)
    # From the latest to the earliest: of two that say the same the later one stays.
    factor(np.ascontiguousarray(products[::-1, ::-1]), lower, usable, _LEAST_LENGTH)
    solve(lower, usable, np.ascontiguousarray(right[::-1]), share)
    found = step.copy()
    for i in range(m):
        found -= share[m - 1 - i] * (moved[i] + change[i])
    return found
