"""Sums in shares: what a part of the rows adds to deviance, gradient and information.

The fixed tree over chunks falls apart into subtrees: whoever holds a block of rows sums its
subtree, and a few numbers for each block are all that travels. The tree over the blocks is then the
rest of the same tree, so the sums are those of one pass over all rows, to the last bit.
"""

import numpy as np

from kernels._jit import CHUNK
from kernels.blocks import chunk_count, tree_add
from kernels.columns import CodedColumns
from kernels.information import SEGMENTS, information_segments
from kernels.logistic import gradient_pass, predictor_pass

BLOCK = 32
"""Chunks of a block, a power of two: 131,072 rows."""


def block_count(n: int) -> int:
    """Return the number of blocks that ``n`` rows fill."""
    return (chunk_count(n) + BLOCK - 1) // BLOCK


def gradient_of_blocks(
    columns: CodedColumns,
    beta: np.ndarray,
    treated: np.ndarray,
    weights: np.ndarray,
    start: int,
    stop: int,
) -> np.ndarray:
    """Return the gradient and the deviance of each of a range of blocks.

    Parameters
    ----------
    columns : CodedColumns
    beta : float64, shape (p,)
    treated : uint8, shape (n,)
    weights : float64, shape (n,) or (0,)
    start, stop : int
        Range of blocks; no row of others is read.

    Returns
    -------
    float64, shape (stop - start, p + 1)
    """
    n = columns.cells.shape[1]
    last = min(stop * BLOCK, chunk_count(n))
    # Arrays of all rows of which only a part is touched take memory for that part alone.
    eta = np.empty(n)
    partial = np.empty((last, columns.n_terms + 1))
    result = np.empty((stop - start, columns.n_terms + 1))
    for block in range(start, stop):
        first, end = block * BLOCK, min((block + 1) * BLOCK, last)
        gradient_pass(columns, beta, treated, weights, eta, partial, first, end)
        own = partial[first:end]
        tree_add(own)
        result[block - start] = own[0]
    return result


def sum_of_blocks(blocks: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the deviance and the gradient from those of all blocks, which are destroyed."""
    tree_add(blocks)
    return float(blocks[0, -1]), blocks[0, :-1].copy()


def information_of_segments(
    columns: CodedColumns, beta: np.ndarray, weights: np.ndarray, start: int, stop: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a range of segments adds to the information; no row of others is read.

    Parameters
    ----------
    columns, beta, weights
        As for :func:`gradient_of_blocks`.
    start, stop : int
        Range of segments, within 0, ..., SEGMENTS.

    Returns
    -------
    dense, cross, tables : float64
        First dimension stop - start; see :func:`kernels.information.information_segments`.
    """
    n = columns.cells.shape[1]
    rows = (n + SEGMENTS - 1) // SEGMENTS
    eta = np.empty(n)
    first, last = min(start * rows, n), min(stop * rows, n)
    if first < last:
        predictor_pass(columns, beta, eta, first // CHUNK, chunk_count(last))
    return information_segments(columns, eta, weights, start, stop)
