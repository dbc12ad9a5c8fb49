"""Two ways to results that do not depend on the order of rows.

Ours sorts the rows once by the public key of their id and gathers the columns one by one; every sum
then runs in one order. The other way leaves the rows where they are and makes the sums themselves
independent of order: each term is rounded to a fixed-point integer, and integers add up exactly.
It stands here for this comparison only.
"""

from collections.abc import Callable

import numba
import numpy as np
import pyarrow as pa

from benchmarks.population import CATEGORIES, NUMBERS, Population, population
from benchmarks.sides.fit import arrow_table
from benchmarks.stopwatch import Stopwatch
from engine.matching.design import Design, code_columns, read_design
from engine.matching.identity import identify
from engine.tables import open_table
from kernels.columns import CodedColumns, number_columns, take_rows
from kernels.logistic import gradient_of_residual

Answer = dict[str, np.ndarray]
Run = Callable[[Stopwatch], Answer]

_CHUNK = 4096
_SEGMENTS = 64
# A term is below 2^39 in absolute value, so 2^23 of them stay below 2^62.
_BITS = 39
_MOST_ROWS = 1 << 23
# Adding 1.5 * 2^52 leaves the rounded integer in the low bits: vectorised on every processor.
_MAGIC = 6755399441055744.0
_MAGIC_BITS = np.array([_MAGIC]).view(np.int64)[0]


def _table(people: Population) -> pa.Table:
    rows = len(people.treated)
    ids = np.random.default_rng(rows).permutation(rows)
    return arrow_table(people).append_column("id", [ids])


def _residual(treated: np.ndarray) -> np.ndarray:
    """Return what is left of the treatment after its mean: the residual of the first step."""
    return treated - np.count_nonzero(treated) / len(treated)


def _raw(columns: CodedColumns, gradient: np.ndarray) -> np.ndarray:
    """Return the gradient on raw columns, in units of the root of each column's sum of squares."""
    found = gradient.copy()
    rows = columns.cells.shape[1]
    numbers = number_columns(columns)
    for j, term in enumerate(columns.numeric_term):
        found[term] = columns.scale[j] * gradient[term] + columns.centre[j] * gradient[0]
        found[term] /= np.sqrt(np.dot(numbers[j], numbers[j]))
    others = np.setdiff1d(np.arange(columns.n_terms), columns.numeric_term)
    found[others] /= np.sqrt(rows)
    return found


def canonical(rows: int, passes: int) -> Run:
    """Time the order, the gathered columns, and as many sums as a fit makes."""
    people = population(rows)
    source = open_table(_table(people))

    def run(watch: Stopwatch) -> Answer:
        with watch("order"):
            identity = identify(source, "id", 0)
        with watch("columns"):
            design = read_design(source, NUMBERS + CATEGORIES, (), identity, "error")
            treated = identity.gather(people.treated)
        columns, residual = _coded(design), _residual(treated)
        with watch("sums"):
            for _ in range(passes):
                gradient = gradient_of_residual(columns, residual)
        return {"gradient": _raw(columns, gradient)}

    return run


def _coded(design: Design) -> CodedColumns:
    return code_columns(design, np.empty(0))[0]


@numba.njit(error_model="numpy", nogil=True, parallel=True)
def _fixed_sums(numeric, start, centre, factor, cells, cell_start, residual, unit, sums, cell_sums):
    """Add each segment's terms as integers; which segment takes a chunk changes no sum."""
    n = residual.shape[0]
    chunks = (n + _CHUNK - 1) // _CHUNK
    for segment in numba.prange(_SEGMENTS):
        work = np.empty(_CHUNK)
        whole = work.view(np.int64)
        for chunk in range(segment, chunks, _SEGMENTS):
            first = chunk * _CHUNK
            m = min(_CHUNK, n - first)
            part = residual[first : first + m]
            for j in range(start.shape[0]):
                at = start[j] + first
                x = numeric[at : at + m]
                c, f = centre[j], factor[j]
                for i in range(m):
                    work[i] = part[i] * (x[i] - c) * f + _MAGIC
                found = 0
                for i in range(m):
                    found += whole[i] - _MAGIC_BITS
                sums[segment, 1 + j] += found
            for i in range(m):
                work[i] = part[i] * unit + _MAGIC
            found = 0
            for i in range(m):
                whole[i] -= _MAGIC_BITS
                found += whole[i]
            sums[segment, 0] += found
            for g in range(cells.shape[0]):
                cell = cells[g, first : first + m]
                even = cell_sums[segment, 0, cell_start[g] : cell_start[g + 1]]
                odd = cell_sums[segment, 1, cell_start[g] : cell_start[g + 1]]
                for i in range(0, m - 1, 2):
                    even[cell[i]] += whole[i]
                    odd[cell[i + 1]] += whole[i + 1]
                if m & 1:
                    even[cell[m - 1]] += whole[m - 1]


def _factors(columns: CodedColumns) -> np.ndarray:
    """Return powers of two that bring each number's terms below 2^39."""
    largest = [
        max(abs(float(x.max()) - c), abs(float(x.min()) - c))
        for x, c in zip(number_columns(columns), columns.centre, strict=True)
    ]
    return np.ldexp(1.0, _BITS - np.ceil(np.log2(largest)).astype(np.int64))


def _fixed_gradient(columns: CodedColumns, factor: np.ndarray, residual: np.ndarray) -> np.ndarray:
    unit = 2.0**_BITS
    sums = np.zeros((_SEGMENTS, 1 + len(factor)), dtype=np.int64)
    cell_sums = np.zeros((_SEGMENTS, 2, len(columns.cell_term)), dtype=np.int64)
    _fixed_sums(
        columns.numeric, columns.numeric_start, columns.centre, factor, columns.cells,
        columns.cell_start, residual, unit, sums, cell_sums,
    )  # fmt: skip
    by_term = np.zeros(columns.n_terms, dtype=np.int64)
    by_cell = cell_sums.sum(axis=(0, 1))
    for terms in columns.cell_term.T:
        np.add.at(by_term, terms[terms >= 0], by_cell[terms >= 0])
    whole = sums.sum(axis=0)
    by_term[0] = whole[0]
    gradient = by_term / unit
    gradient[columns.numeric_term] = whole[1:] / factor / columns.scale
    return gradient


def fixed_point(rows: int, passes: int) -> Run:
    """Time the columns as they come, and as many order-independent sums.

    Notes
    -----
    The cheapest form there is: one integer of 39 bits for each term, where float64 keeps 53, and
    the range of each column known beforehand.
    """
    assert rows <= _MOST_ROWS
    people = population(rows)
    source = open_table(_table(people))
    identity = identify(source, None, 0)
    residual = _residual(people.treated)
    _require_no_order(people)

    def run(watch: Stopwatch) -> Answer:
        with watch("columns"):
            design = read_design(source, NUMBERS + CATEGORIES, (), identity, "error")
        columns = _coded(design)
        factor = _factors(columns)
        with watch("sums"):
            for _ in range(passes):
                gradient = _fixed_gradient(columns, factor, residual)
        return {"gradient": _raw(columns, gradient)}

    return run


def _require_no_order(people: Population) -> None:
    """Require that the sums of a head of the rows are the same bits in another order."""
    head = slice(0, 100_000)
    table = arrow_table(Population(people.numbers[:, head], people.codes[:, head], people.treated))
    source = open_table(table)
    design = read_design(source, NUMBERS + CATEGORIES, (), identify(source, None, 0), "error")
    columns, residual = _coded(design), _residual(people.treated[head])
    factor = _factors(columns)
    other = np.random.default_rng(1).permutation(len(residual))
    moved = take_rows(columns, other)
    one = _fixed_gradient(columns, factor, residual)
    assert np.array_equal(one, _fixed_gradient(moved, factor, residual[other]))
