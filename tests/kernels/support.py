"""What the kernel tests share: sizes for each mode, and tables with their dense counterpart."""

from typing import NamedTuple

import numba
import numpy as np
from hypothesis import HealthCheck, settings

from kernels.columns import CodedColumns, pack_categories
from kernels.memory import one_range
from tests import naive

COMPILED = not numba.config.DISABLE_JIT
"""Uncompiled kernels are a few hundred times slower: fewer examples, smaller tables."""


def examples(compiled, uncompiled):
    """Settings of a property test: the same examples at every run, fewer where uncompiled."""
    return settings(
        max_examples=compiled if COMPILED else uncompiled,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def entry(helper):
    """A helper with a way in from Python, which it has not by itself."""
    return numba.njit(error_model="numpy")(helper.py_func) if COMPILED else helper


class Table(NamedTuple):
    """A coded table, its one-hot matrix, labels and frequency weights."""

    columns: CodedColumns
    dense: np.ndarray
    treated: np.ndarray
    weights: np.ndarray
    codes: np.ndarray
    level_terms: list


def make_table(
    n,
    numbers=0,
    levels=(),
    *,
    seed=0,
    weighted=False,
    whole_weights=False,
    share=0.4,
    references=True,
):
    """A random table of ``numbers`` number columns and categories of ``levels`` levels each."""
    rng = np.random.default_rng([seed, n, numbers, *levels])
    numeric = rng.normal(size=(numbers, n)) * 3.0 + 1.0
    centre = rng.normal(size=numbers)
    scale = rng.uniform(0.5, 4.0, size=numbers)
    codes = np.empty((len(levels), n), dtype=np.uint16)
    level_terms = []
    # Coefficients are numbered categories first, so that order and numbering differ.
    used = 1
    for f, count in enumerate(levels):
        codes[f] = rng.integers(0, count, size=n)
        first = -1 if references else used
        terms = np.arange(used - 1 if references else used, used + count, dtype=np.int64)[:count]
        terms[0] = first
        used += count - 1 if references else count
        level_terms.append(terms)
    numeric_term = np.arange(used, used + numbers, dtype=np.int64)[::-1].copy()
    used += numbers
    cells, start, term = pack_categories(codes, level_terms)
    columns = CodedColumns(
        *one_range(numeric), centre, scale, numeric_term, cells, start, term, used
    )
    treated = (rng.random(n) < share).astype(np.uint8)
    if n > 1:
        treated[:2] = 0, 1
    if whole_weights:
        weights = rng.integers(1, 4, size=n).astype(np.float64)
    elif weighted:
        weights = rng.integers(0, 5, size=n) * 0.5
        weights[: min(n, 2)] = 1.0
    else:
        weights = np.empty(0)
    dense = naive.dense_design(numeric, centre, scale, numeric_term, codes, level_terms, used)
    return Table(columns, dense, treated, weights, codes, level_terms)


def with_numbers(columns, numeric, **others):
    """The columns with other numbers, shape (p, n)."""
    values, start = one_range(numeric)
    return columns._replace(numeric=values, numeric_start=start, **others)


def everything(table):
    """All columns of the table have a coefficient."""
    return np.ones(table.columns.n_terms, dtype=np.bool_)


def weights_or_none(table):
    """Weights as the plain versions take them."""
    return table.weights if len(table.weights) else None
