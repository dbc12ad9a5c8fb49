"""Pilots: how large they are, and that they weigh what the table weighs."""

import numpy as np
import pytest

from kernels.pilot import case_control_sample, pilot_sizes
from tests.kernels.support import make_table


@pytest.mark.parametrize(
    ("n", "sizes"),
    [
        (0, []),
        (32_767, []),
        (32_768, [4_096]),
        (262_143, [32_767]),
        (262_144, [4_096, 32_768]),
        (50_000_000, [8_192, 65_536]),
    ],
)
def test_a_large_pilot_is_begun_on_a_small_one(n, sizes):
    assert pilot_sizes(n) == sizes


@pytest.mark.parametrize("weighted", [False, True])
def test_a_sample_has_all_of_the_rarer_arm_and_the_weight_of_both(weighted):
    table = make_table(3_000, 2, (4,), weighted=weighted, share=0.03, seed=5)
    columns, treated, weights = case_control_sample(
        table.columns, table.treated, table.weights, 200
    )
    own = table.weights if weighted else np.ones(3_000)
    rows = np.flatnonzero(table.treated)
    assert treated.sum() == len(rows)
    assert columns.cells.shape[1] == len(treated) == len(weights)
    assert 100 < np.count_nonzero(treated == 0) <= 200
    assert np.array_equal(weights[treated == 1], own[rows])
    if not weighted:
        for label in (0, 1):
            assert weights[treated == label].sum() == pytest.approx((table.treated == label).sum())
