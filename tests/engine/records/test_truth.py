"""The truth of a small nation is found again by the engine, and the check of it can fail."""

import numpy as np
import pytest

from engine.records.synthetic.interventions import BY_NEED, RANDOM, UNOBSERVED
from engine.store.prepare import prepare
from engine.store.reading import open_store
from tests.certify.truth import Recovered, broken, recover


def test_intervals_cover_the_true_effects(nation, tmp_path):
    prepare(nation.out / "extract", tmp_path / "store")
    found = recover(open_store(tmp_path / "store"), nation.out / "truth" / "people.parquet")
    assert [one.name for one in found] == [
        one["name"] for one in nation.made.effects["submissions"]
    ]
    observed = [one for one in found if one.selection != UNOBSERVED]
    assert len(observed) >= 5
    assert sum(one.treated for one in observed) > 600
    assert broken(observed) == []
    # an effect that is there is told from none
    strong = next(one for one in found if one.name == "medium-adverse-cherry")
    assert strong.low > 0


def studies(rng, n, *, shift=0.0, shrink=1.0, selection=BY_NEED):
    for _ in range(n):
        estimate = rng.normal(0.1 + 0.02 * shift, 0.02)
        se = 0.02 * shrink
        yield Recovered(
            "", selection, 100, estimate, estimate - 1.96 * se, estimate + 1.96 * se, se, 0.1
        )


@pytest.mark.parametrize("n", [6, 40])
def test_nominal_intervals_pass_the_check(n):
    rng = np.random.default_rng(n)
    failed = sum(bool(broken(list(studies(rng, n)))) for _ in range(200))
    assert failed <= 5


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"shift": 2.5}, "mean"),
        ({"shrink": 0.3}, "cover"),
        ({"shrink": 3.0}, "squared"),
    ],
)
def test_wrong_intervals_fail_the_check(options, word):
    rng = np.random.default_rng(1)
    assert word in " ".join(broken(list(studies(rng, 40, **options))))


def test_unobserved_selection_is_not_held_to_it():
    rng = np.random.default_rng(2)
    hidden = list(studies(rng, 20, shift=9.0, selection=UNOBSERVED))
    plain = list(studies(rng, 20, selection=RANDOM))
    assert broken([*plain, *hidden]) == broken(plain) == []
