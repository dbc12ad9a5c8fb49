"""Sorting in parts gives the order of one sort: of scores, and of the keys of ids."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.matching import identity, sorting
from engine.matching.identity import order_of
from engine.matching.sorting import pool_in_order
from engine.spill import spilling
from tests.kernels.support import examples


@contextmanager
def in_files():
    """A space out of core for arrays of any size."""
    with spilling(1 << 30) as spill:
        yield spill


@pytest.fixture(scope="module")
def space():
    with in_files() as spill:
        yield spill


@pytest.fixture(autouse=True, scope="module")
def small_parts():
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (sorting, "_BLOCK", 16),
            (sorting, "_RANGE", 32),
            (identity, "_BLOCK", 16),
            (identity, "_BUCKET", 32),
        ):
            patch.setattr(module, name, value)
        yield


@examples(80, 10)
@given(st.integers(0, 400), st.integers(1, 60), st.integers(0, 10**6), st.booleans())
def test_scores_in_parts(space, n, different, seed, with_cells):
    rng = np.random.default_rng(seed)
    score = rng.integers(0, different, n) / 7.0 if seed % 2 else rng.normal(size=n)
    take = rng.random(n) < 0.8
    cell = rng.integers(0, 4, n) if with_cells else None
    found = pool_in_order(score, take, cell, 4, space)
    for one, other in zip(found, pool_in_order(score, take, cell, 4), strict=True):
        assert np.array_equal(one, other)


def test_keys_in_buckets(space):
    unit = np.random.default_rng(1).permutation(1_000).astype(np.uint64)
    order, same = order_of(unit, 5, space)
    keys = identity._keys(unit, identity.STAGE_IDENTITY, 5)
    assert np.array_equal(order, np.argsort(keys, kind="stable"))
    assert len(same) == 0


def test_repeated_ids_are_found_in_buckets(space):
    unit = np.concatenate([np.arange(500), [7, 300, 7]]).astype(np.uint64)
    order, same = order_of(unit, 5, space)
    assert sorted(unit[order[same]].tolist()) == [7, 7, 300]
    assert np.array_equal(unit[order[same]], unit[order[same + 1]])
    assert (order[same] < order[same + 1]).all()
