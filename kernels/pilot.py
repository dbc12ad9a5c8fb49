"""Subsamples on which a large fit is begun: evenly some rows of each arm, all of a rare one."""

import numpy as np

from kernels.columns import CodedColumns, take_rows

_ROWS = 65_536
"""Rows of each arm, at most; of tables of less than half of them there is no pilot."""
_SHARE = 8
"""A pilot has of each arm at most one row for so many of the table."""
_FIRST = 8
"""A large pilot is begun on a pilot of its own, this many times smaller."""


def pilot_sizes(n: int) -> list[int]:
    """Return the most rows of each arm in the pilots of a table of ``n`` rows, one after another.

    Empty where the table is small, which is fitted as it is.
    """
    if n < _ROWS // 2:
        return []
    most = min(_ROWS, n // _SHARE)
    first = most // _FIRST
    return [first, most] if first >= _ROWS // 16 else [most]


def case_control_sample(
    columns: CodedColumns, treated: np.ndarray, weights: np.ndarray, most: int
) -> tuple[CodedColumns, np.ndarray, np.ndarray]:
    """Return some rows of each arm, weighted back to the table.

    Parameters
    ----------
    columns : CodedColumns
    treated : uint8, shape (n,)
    weights : float64, shape (n,) or (0,)
    most : int
        Rows of each arm: every one of a smaller arm, every second, third, ... of a larger one.

    Returns
    -------
    columns : CodedColumns
    treated : uint8, shape (m,)
    weights : float64, shape (m,)
    """
    parts = []
    shares = []
    for label in (0, 1):
        rows = np.flatnonzero(treated == label)
        taken = rows[:: max(1, -(-len(rows) // most))]
        parts.append(taken)
        share = np.full(len(taken), len(rows) / len(taken))
        shares.append(share * weights[taken] if len(weights) else share)
    rows = np.concatenate(parts)
    return take_rows(columns, rows), treated[rows], np.concatenate(shares)
