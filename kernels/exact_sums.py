"""The exact distribution of a sum of independent steps, each taken or not."""

import numpy as np

from kernels._jit import kernel


@kernel()
def upper_tail(step, chance, observed):
    """Return the probability that a sum of independent steps is at least ``observed``.

    Parameters
    ----------
    step : int64, shape (s,)
        What each step adds if it is taken, at least 0.
    chance : float64, shape (s,)
        Probability that it is taken, in [0, 1].
    observed : int64
        Any number.

    Returns
    -------
    float64
        P(sum >= observed), in [0, 1].

    Notes
    -----
    One step after another is folded into the table of probabilities of every reachable sum:
    additions and products of numbers that are not negative, so nothing cancels and a tail of
    1e-300 keeps its digits. Cost: the sum over s of the range reached so far, at most
    s * sum(step).
    """
    whole = np.int64(0)
    for s in range(step.shape[0]):
        whole += step[s]
    if observed <= 0:
        return 1.0
    if observed > whole:
        return 0.0
    table = np.zeros(whole + 1)
    table[0] = 1.0
    reach = np.int64(0)
    for s in range(step.shape[0]):
        d = step[s]
        taken = chance[s]
        left = 1.0 - taken
        reach += d
        for value in range(reach, d - 1, -1):
            table[value] = table[value] * left + table[value - d] * taken
        for value in range(min(d, reach + 1) - 1, -1, -1):
            table[value] *= left
    tail = 0.0
    for value in range(whole, observed - 1, -1):
        tail += table[value]
    return min(tail, 1.0)
