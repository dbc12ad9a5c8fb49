"""The sums of a fit, made by processes or machines that each map a part of the same columns.

The columns lie in Arrow files where everybody finds them. A task names a range of rows and carries
the coefficients; its shard holds the sums over that range and nothing about a person. Whoever fits
adds them in the fixed tree, so the fit is that of one process, to the last bit.
"""

import functools
import hashlib
import json
import mmap
from collections import deque
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.errors import InputError
from engine.jobs.backends import Backend, Done, Task
from engine.jobs.shards import Units, read_shard
from engine.release.folder import plain_errors, private_folder
from engine.release.manifest import code_sha256
from engine.spill import MEMORY, Space
from kernels.columns import CodedColumns, number_columns
from kernels.information import SEGMENTS, assemble_information
from kernels.logistic import linear_predictor
from kernels.memory import one_range, unlocked
from kernels.shares import (
    block_count,
    gradient_of_blocks,
    information_of_segments,
    sum_of_blocks,
)

Floats = NDArray[np.float64]

_COLUMNS = "columns.arrow"
_CELLS = "cells.arrow"
_MODEL = "model.json"
_TASKS_A_WORKER = 2


def write_columns(
    folder: Path, columns: CodedColumns, treated: NDArray[np.uint8], weights: Floats
) -> None:
    """Write the columns of a fit where other processes can map them.

    Parameters
    ----------
    folder : Path
        Private; made where it is absent.
    columns : CodedColumns
    treated : uint8, shape (n,)
    weights : float64, shape (n,) or (0,)
    """
    private_folder(folder)
    arrays = {f"number {j}": x for j, x in enumerate(number_columns(columns))}
    arrays["treated"] = treated
    if len(weights):
        arrays["weight"] = weights
    with plain_errors(f"the folder '{folder.name}'"):
        _write(folder / _COLUMNS, arrays)
        _write(folder / _CELLS, {"cells": columns.cells.reshape(-1)})
        facts = {
            "centre": [float(x).hex() for x in columns.centre],
            "scale": [float(x).hex() for x in columns.scale],
            "numeric_term": columns.numeric_term.tolist(),
            "cell_start": columns.cell_start.tolist(),
            "cell_term": columns.cell_term.tolist(),
            "depth": columns.cell_term.shape[1],
            "n_terms": columns.n_terms,
        }
        (folder / _MODEL).write_text(json.dumps(facts), encoding="ascii")


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    # One batch, also of no rows: a model without categories has no cells.
    batch = pa.record_batch({name: to_arrow(values) for name, values in arrays.items()})
    with pa.ipc.new_file(str(path), batch.schema) as writer:
        writer.write_batch(batch)


class _Mapped:
    """An Arrow file of one batch, whose pages can be given back."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._batch = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(self.map))).get_batch(0)

    def column(self, name: str) -> NDArray[Any]:
        return unlocked(to_numpy(self._batch.column(name)))

    @property
    def names(self) -> list[str]:
        return list(self._batch.schema.names)


@functools.lru_cache(maxsize=1)
def _opened(
    folder: str,
) -> tuple[CodedColumns, NDArray[np.uint8], Floats, tuple[mmap.mmap, ...]]:
    """Map the columns of a fit, once in a process."""
    place = Path(folder)
    try:
        facts = json.loads((place / _MODEL).read_text(encoding="ascii"))
        table, cells = _Mapped(place / _COLUMNS), _Mapped(place / _CELLS)
    except (OSError, ValueError, pa.ArrowException):
        raise InputError(
            "the columns of the fit cannot be read",
            where=place.name,
            rule="every worker sees the folder of the fit under the same path",
            repair="Check the shared storage, and run again",
        ) from None
    treated = table.column("treated")
    numbers = [table.column(f"number {j}") for j in range(len(facts["centre"]))]
    values, start = one_range(numbers)
    columns = CodedColumns(
        values,
        start,
        np.array([float.fromhex(x) for x in facts["centre"]]),
        np.array([float.fromhex(x) for x in facts["scale"]]),
        np.array(facts["numeric_term"], dtype=np.int64),
        cells.column("cells").reshape(-1, len(treated)),
        np.array(facts["cell_start"], dtype=np.int64),
        np.array(facts["cell_term"], dtype=np.int64).reshape(-1, facts["depth"]),
        facts["n_terms"],
    )
    weights = table.column("weight") if "weight" in table.names else np.empty(0)
    return columns, treated, weights, (table.map, cells.map)


def gradients(parameters: Mapping[str, Any], units: Units) -> Floats:
    """Return gradient and deviance of a range of blocks, one number a unit."""
    columns, treated, weights, maps = _opened(parameters["columns"])
    width = columns.n_terms + 1
    beta = np.array(parameters["beta"])
    found = gradient_of_blocks(
        columns, beta, treated, weights, units.start // width, units.stop // width
    )
    _give_back(maps)
    return found.reshape(-1, 1)


def informations(parameters: Mapping[str, Any], units: Units) -> Floats:
    """Return what a range of segments adds to the information, one number a unit."""
    columns, _, weights, maps = _opened(parameters["columns"])
    width = parameters["width"]
    beta = np.array(parameters["beta"])
    parts = information_of_segments(
        columns, beta, weights, units.start // width, units.stop // width
    )
    _give_back(maps)
    count = (units.stop - units.start) // width
    return np.hstack([part.reshape(count, -1) for part in parts]).reshape(-1, 1)


def _give_back(maps: tuple[mmap.mmap, ...]) -> None:
    for mapped in maps:
        mapped.madvise(mmap.MADV_DONTNEED)


class _Queue:
    """Tasks as they become known; empty between two passes, and filled again."""

    def __init__(self) -> None:
        self.tasks: deque[Task] = deque()

    def __iter__(self) -> "_Queue":
        return self

    def __next__(self) -> Task:
        if not self.tasks:
            raise StopIteration
        return self.tasks.popleft()


class SharedSums:
    """Sums over columns in a folder, made by a backend; see :class:`kernels.newton.Sums`.

    Parameters
    ----------
    folder : Path
        Private, on storage that all workers see; filled here.
    columns : CodedColumns
    treated : uint8, shape (n,)
    weights : float64, shape (n,) or (0,)
    backend : Backend
        Kept busy with one map from the first pass to the last.
    space : Space
        Where the linear predictor is made.

    Notes
    -----
    The backend draws tasks when it has somebody to do them; between two passes there are none, and
    it is not asked for a result then. So its workers live through all passes.
    """

    def __init__(
        self,
        folder: Path,
        columns: CodedColumns,
        treated: NDArray[np.uint8],
        weights: Floats,
        backend: Backend,
        space: Space = MEMORY,
    ) -> None:
        write_columns(folder, columns, treated, weights)
        self._folder = folder
        self._columns = columns
        self._n = len(treated)
        self._backend = backend
        self._code = code_sha256()
        self._queue = _Queue()
        self._done = backend.map(self._queue)
        self._space = space
        self._last = self._kept = np.empty(0)

    def at(self, beta: Floats) -> tuple[float, Floats]:
        """See :class:`kernels.newton.Sums`."""
        self._last = beta.copy()
        width = self._columns.n_terms + 1
        found = self._summed(gradients, beta, block_count(self._n), width)
        return sum_of_blocks(found)

    def keep(self) -> None:
        """See :class:`kernels.newton.Sums`."""
        self._kept = self._last

    def information(self) -> Floats:
        """See :class:`kernels.newton.Sums`."""
        shapes = [part.shape[1:] for part in self._empty_parts()]
        sizes = [int(np.prod(shape)) for shape in shapes]
        found = self._summed(informations, self._kept, SEGMENTS, sum(sizes))
        edges = np.cumsum(sizes)[:-1]
        parts = [
            np.ascontiguousarray(part).reshape(SEGMENTS, *shape)
            for part, shape in zip(np.split(found, edges, axis=1), shapes, strict=True)
        ]
        return assemble_information(self._columns, parts[0], parts[1], parts[2])

    def _empty_parts(self) -> tuple[Floats, Floats, Floats]:
        beta = np.zeros(self._columns.n_terms)
        return information_of_segments(self._columns, beta, np.empty(0), 0, 0)

    def predictor(self) -> Floats:
        """See :class:`kernels.newton.Sums`."""
        eta = self._space.empty(self._n, np.float64)
        linear_predictor(self._columns, self._kept, eta)
        return eta

    def _summed(
        self,
        compute: Callable[[Mapping[str, Any], Units], Floats],
        beta: Floats,
        count: int,
        width: int,
    ) -> Floats:
        """Let ``count`` parts be summed, ``width`` numbers each; return them in order."""
        named = hashlib.sha256(compute.__name__.encode() + beta.tobytes()).hexdigest()
        parameters = {"columns": str(self._folder), "beta": beta.tolist(), "width": width}
        shares = min(count, _TASKS_A_WORKER * self._backend.workers)
        edges = [count * share // shares for share in range(shares + 1)]
        for start, stop in pairwise(edges):
            units = Units(start * width, stop * width)
            self._queue.tasks.append(
                Task(
                    compute,
                    parameters,
                    str(self._folder),
                    self._code,
                    named,
                    named,
                    ("sum",),
                    units,
                )
            )
        result = np.empty((count, width))
        for _ in range(shares):
            done: Done = next(self._done)
            shard = read_shard(self._folder, done.name)
            part = slice(done.units.start // width, done.units.stop // width)
            result[part] = shard.values.reshape(-1, width)
            (self._folder / done.name).unlink()
        return result

    def close(self) -> None:
        """End the workers."""
        self._done.close()
