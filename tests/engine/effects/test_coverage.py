"""A small coverage study: the interval of the design holds the truth, a wrong one does not.

`python -m tests.certify coverage` is the whole of it.
"""

import pytest

from tests.certify.cohorts import Scenario
from tests.certify.coverage import MAIN, simulate

COHORTS = 1_000
FOUR_ERRORS = 4 * (0.95 * 0.05 / COHORTS) ** 0.5
"""A right interval strays this far once in 15,000 runs; cohorts are fixed, so it never does."""

SMALL = Scenario("small good 1-nn", 120, 1_500, 0.3, "good", "1-nn")
REUSED = Scenario("small poor 5-nn", 200, 1_000, 0.3, "poor", "5-nn")


@pytest.fixture(scope="module")
def cells():
    found = simulate([SMALL, REUSED], COHORTS, {REUSED.name: ("reuse ignored",)}, workers=1)
    return {(cell.scenario.name, cell.interval): cell for cell in found}


@pytest.mark.parametrize("scenario", [SMALL, REUSED], ids=lambda one: one.name)
def test_the_interval_of_the_design_covers_as_it_says(cells, scenario):
    cell = cells[scenario.name, MAIN]
    assert cell.sims == COHORTS
    assert 0.94 - FOUR_ERRORS <= cell.coverage <= 0.96 + FOUR_ERRORS
    assert cell.rejected == pytest.approx(1.0 - cell.coverage, abs=1e-12)
    assert cell.se_ratio == pytest.approx(1.0, abs=0.1)
    assert abs(cell.bias_in_sd) < 0.3


def test_the_same_study_rejects_an_interval_that_ignores_reuse(cells):
    assert cells[REUSED.name, "reuse ignored"].coverage < 0.94 - FOUR_ERRORS
