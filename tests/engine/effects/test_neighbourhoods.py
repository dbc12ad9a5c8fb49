"""Local comparison groups by a search through everybody, lonely exact cells included."""

from dataclasses import replace

import numpy as np
import pytest

from engine.effects.neighbourhoods import find_neighbourhoods
from engine.matching.problem import lay_out
from tests.certify.cohorts import Scenario, draw_cohort
from tests.certify.matches import finish, options_of


def nearest_of(sample, row, k, members):
    """Distances to the k nearest members other than the row itself."""
    others = members[members != row]
    return np.sort(np.abs(sample.logit[others] - sample.logit[row]))[:k]


@pytest.mark.parametrize("cells", [1, 8, 150])
@pytest.mark.parametrize("estimand", ["att", "atc"])
def test_nearest_in_the_cell_or_in_all_where_the_cell_is_lonely(cells, estimand):
    scenario = Scenario("neighbourhoods", 60, 300, 0.3, method="5-nn")
    done = finish(draw_cohort(scenario, 1), replace(options_of(scenario), estimand=estimand))
    plain = done.sample
    cell = np.random.default_rng(cells).integers(0, cells, plain.n_rows)
    layout = lay_out(plain.logit, plain.is_focal, plain.eligible, cell)
    sample = replace(plain, cell=cell, layout=layout)
    near = find_neighbourhoods(sample)
    pool = np.flatnonzero(~sample.is_focal & sample.eligible)
    lonely = 0
    for rows, around, k in (
        (sample.focal, near.around_focal, 10),
        (sample.partners, near.around_partner, 4),
    ):
        for place, row in enumerate(rows):
            members = pool[cell[pool] == cell[row]]
            if np.count_nonzero(members != row) < 2:
                members, lonely = pool, lonely + 1
            found = around.found[place, : around.count[place]]
            assert row not in found
            assert set(found) <= set(members)
            distances = np.sort(np.abs(sample.logit[found] - sample.logit[row]))
            assert np.array_equal(distances, nearest_of(sample, row, k, members))
    assert near.fallbacks == lonely
    assert (lonely > 0) == (cells == 150)
    assert near.complete
