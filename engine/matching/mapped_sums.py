"""The sums of a fit over columns in files: a few blocks of rows at a time, no array of all rows."""

import numba
import numpy as np
from numpy.typing import NDArray

from engine.spill import Space
from kernels._jit import CHUNK
from kernels.blocks import chunk_count
from kernels.columns import CodedColumns
from kernels.information import SEGMENTS, assemble_information
from kernels.logistic import predictor_pass
from kernels.shares import (
    BLOCK,
    block_count,
    gradient_of_blocks,
    information_of_segments,
    sum_of_blocks,
)

Floats = NDArray[np.float64]

_BLOCKS = 4
"""Blocks between two looks at the memory: half a million rows, some 50 MB of columns."""


class MappedSums:
    """Sums in this process, block after block; see :class:`kernels.newton.Sums`.

    Parameters
    ----------
    columns : CodedColumns
    treated : uint8, shape (n,)
    weights : float64, shape (n,) or (0,)
    space : Space
        Where the linear predictor is made; relieved after every half million rows.

    Notes
    -----
    The linear predictor is made again where the information needs it: that costs less than writing
    it to a file and reading it.
    """

    def __init__(
        self,
        columns: CodedColumns,
        treated: NDArray[np.uint8],
        weights: Floats,
        space: Space,
    ) -> None:
        self._columns = columns
        self._treated = treated
        self._weights = weights
        self._space = space
        self._last = self._kept = np.empty(0)
        self._back = False

    def _there_and_back(self, starts: range) -> range:
        """Return the starts in the other direction than last time: what was read last is there."""
        self._back = not self._back
        return starts if self._back else starts[::-1]

    def at(self, beta: Floats) -> tuple[float, Floats]:
        """See :class:`kernels.newton.Sums`."""
        self._last = beta.copy()
        count = block_count(len(self._treated))
        found = np.empty((count, self._columns.n_terms + 1))
        for start in self._there_and_back(range(0, count, _BLOCKS)):
            stop = min(start + _BLOCKS, count)
            found[start:stop] = gradient_of_blocks(
                self._columns, beta, self._treated, self._weights, start, stop
            )
            self._relieve(start * BLOCK * CHUNK, stop * BLOCK * CHUNK)
        return sum_of_blocks(found)

    def keep(self) -> None:
        """See :class:`kernels.newton.Sums`."""
        self._kept = self._last

    def information(self) -> Floats:
        """See :class:`kernels.newton.Sums`."""
        step = min(numba.get_num_threads(), SEGMENTS)
        parts = {}
        for start in self._there_and_back(range(0, SEGMENTS, step)):
            stop = min(start + step, SEGMENTS)
            parts[start] = information_of_segments(
                self._columns, self._kept, self._weights, start, stop
            )
            rows = -(-len(self._treated) // SEGMENTS)
            self._relieve(start * rows, stop * rows)
        ordered = [parts[start] for start in sorted(parts)]
        dense, cross, tables = (np.concatenate(some) for some in zip(*ordered, strict=True))
        return assemble_information(self._columns, dense, cross, tables)

    def predictor(self) -> Floats:
        """See :class:`kernels.newton.Sums`."""
        n = len(self._treated)
        eta = self._space.empty(n, np.float64)
        chunks = chunk_count(n)
        step = (1 << 20) // CHUNK
        for start in range(0, chunks, step):
            predictor_pass(self._columns, self._kept, eta, start, min(start + step, chunks))
            self._relieve(start * CHUNK, (start + step) * CHUNK)
        return eta

    def _relieve(self, start: int, stop: int) -> None:
        n = len(self._treated)
        self._space.relieve(slice(min(start, n), min(stop, n)), n)
