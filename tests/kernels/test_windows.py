"""Radius and kernel weights against sums over listed windows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import windows
from kernels.windows import EPANECHNIKOV, TRICUBE, UNIFORM, window_sums
from tests import naive
from tests.kernels.matching_support import radius, tables, tie_free
from tests.kernels.support import COMPILED, entry, examples

kernel_weight = entry(windows.kernel_weight)

KERNELS = [None, "epanechnikov", "tricube"]
SHAPES = list(zip([UNIFORM, EPANECHNIKOV, TRICUBE], KERNELS, strict=True))
TOLERANCE = {None: 1e-12, "epanechnikov": 1e-11, "tricube": 1e-9}


def check(logit, focal, eligible, **options):
    found = radius(logit, focal, eligible, **options)
    members = naive.windows(
        logit, focal, eligible, cell=options.get("cell"), caliper=options["caliper"]
    )
    assert list(found.focal) == list(members)
    for i, low, high in zip(found.focal, found.low, found.high, strict=True):
        assert list(found.pool[low:high]) == members[int(i)]
    weight, total = naive.window_weights(logit, focal, eligible, **options)
    rough = TOLERANCE[options.get("kernel")]
    assert np.allclose(found.total, total, rtol=rough, atol=rough)
    # A total that is only rounding says: nobody has weight. Such windows count as unmatched.
    if np.all((total == 0) | (total > 1e-6)):
        assert np.array_equal(found.total > 0, total > 0)
        assert np.allclose(found.weight, weight, rtol=rough, atol=10 * rough)
        matched = np.count_nonzero(total > 0)
        assert abs(found.weight.sum() - matched) <= 1e-8 * (1 + matched)
    return found


@pytest.mark.parametrize("kernel", KERNELS)
@given(
    table=tables(), caliper=st.sampled_from([0.1, 0.30000000000000004, 1.0, 2.0]), data=st.data()
)
@examples(120, 60)
def test_windows_of_small_tables(kernel, table, caliper, data):
    n = len(table[0])
    options = {"caliper": caliper, "kernel": kernel}
    if data.draw(st.booleans()):
        options["cell"] = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    check(*table, **options)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("caliper", [0.001, 0.02, 0.5, 3.0])
def test_windows_longer_than_the_stride_of_running_sums(kernel, caliper):
    n = 1_500 if COMPILED else 250
    check(*tie_free(n, 12, share=0.2), caliper=caliper, kernel=kernel)


@pytest.mark.parametrize("kernel", KERNELS)
def test_windows_of_many_with_cells_and_ties(kernel):
    n = 1_200 if COMPILED else 250
    rng = np.random.default_rng(13)
    logit = list(np.round(rng.normal(size=n), 2))
    focal = list(rng.random(n) < 0.3)
    eligible = list(rng.random(n) < 0.9)
    check(logit, focal, eligible, cell=list(rng.integers(0, 3, n)), caliper=0.25, kernel=kernel)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shift", [-1e6, 1e6])
def test_windows_far_from_zero(kernel, shift):
    n = 600 if COMPILED else 200
    logit, focal, eligible = tie_free(n, 14)
    check([x + shift for x in logit], focal, eligible, caliper=0.25, kernel=kernel)


@pytest.mark.parametrize("kernel", KERNELS)
def test_windows_with_an_outlier_are_added_point_by_point(kernel):
    logit, focal, eligible = tie_free(150, 15)
    logit[5] = 1e15
    check(logit, focal, eligible, caliper=0.25, kernel=kernel)


def test_an_even_radius_of_zero_takes_equal_scores_only():
    check([0.0, 0.0, 1.0, -0.0, 1.0], [True, False, True, False, False], [True] * 5, caliper=0.0)
    check([2.0] * 4, [True, False, True, False], [True] * 4, caliper=0.0)


def test_a_window_whose_members_all_stand_at_the_edge_has_no_weight():
    for kernel in KERNELS[1:]:
        found = radius([0.0, 1.0, -1.0], [True, False, False], caliper=1.0, kernel=kernel)
        assert list(found.total) == [0.0]
        assert list(found.weight) == [0.0, 0.0, 0.0]
    found = radius([0.0, 1.0, -1.0], [True, False, False], caliper=1.0)
    assert list(found.weight) == [0.0, 0.5, 0.5]


@pytest.mark.parametrize(("shape", "kernel"), SHAPES)
def test_kernel_values(shape, kernel):
    for u in np.linspace(0, 1, 101):
        assert abs(kernel_weight(shape, u) - naive.kernel_value(kernel, u)) < 1e-15
    assert kernel_weight(shape, 0.0) == 1.0
    if kernel:
        assert kernel_weight(shape, 1.0) == 0.0
        assert kernel_weight(shape, 0.4) > kernel_weight(shape, 0.6)


@pytest.mark.parametrize(("shape", "kernel"), SHAPES)
def test_sums_with_masses(shape, kernel):
    m = 2_000 if COMPILED else 300
    rng = np.random.default_rng(16)
    score = np.sort(rng.normal(size=m))
    mass = rng.uniform(-1, 1, m)
    query = rng.normal(size=60)
    caliper = 0.3
    first = np.searchsorted(score, query - caliper)
    stop = np.searchsorted(score, query + caliper, side="right")
    found = window_sums(score, mass, caliper, shape, query, first, stop)
    for k in range(len(query)):
        parts = [
            mass[j] * naive.kernel_value(kernel, abs(query[k] - score[j]) / caliper)
            for j in range(first[k], stop[k])
        ]
        assert abs(found[k] - math.fsum(parts)) < TOLERANCE[kernel]


def test_no_points_and_no_queries():
    nothing = np.empty(0)
    none = np.empty(0, dtype=np.int64)
    assert len(window_sums(nothing, nothing, 1.0, TRICUBE, nothing, none, none)) == 0
    zero = np.zeros(1, dtype=np.int64)
    assert window_sums(nothing, nothing, 1.0, TRICUBE, np.zeros(1), zero, zero)[0] == 0.0
