"""Studies of services of known effect: the truth is in their intervals, and the check can fail."""

import numpy as np
import pytest

from engine.records.synthetic.interventions import (
    ADVERSE,
    BENEFICIAL,
    INTERVENTIONS,
    NONE,
    PRISON,
    RANDOM,
    UNOBSERVED,
)
from tests.certify.study import Studied, promises, studied, summary
from tests.certify.truth import Recovered


def test_the_truth_of_a_small_nation_is_inside_the_intervals(truth_nation, tmp_path):
    found = list(
        studied(
            *(truth_nation.out, truth_nation.store, INTERVENTIONS, tmp_path / "study"),
            by_linkage=0,
            largest_smd=0.5,
        )
    )
    opened = [one for one in found if one.recovered is not None]

    assert len(found) >= 4
    assert len(opened) >= 3
    assert promises(found) == []
    assert {one.verdict for one in found if one.effect == ADVERSE} <= {"more", "inconclusive"}
    assert sum(line.studies for line in summary(found)) == len(found)


def drawn(rng, n, effect=NONE, selection=RANDOM, *, bias=0.0, blind=False, fragile=False):
    """Studies of an unbiased product, or of one with the given fault."""
    truth = {NONE: 0.0, BENEFICIAL: -0.10, ADVERSE: 0.15}[effect]
    for _ in range(n):
        estimate, se = rng.normal(truth + bias, 0.02), 0.02
        low, high = estimate - 1.96 * se, estimate + 1.96 * se
        clear = not blind and not low <= 0.0 <= high
        verdict = ("fewer" if high < 0.0 else "more") if clear else "inconclusive"
        one = Recovered("", selection, 400, estimate, low, high, se, truth)
        yield Studied("", one, effect, selection, PRISON, False, 0, verdict, fragile, ())


def whole(rng):
    return [one for effect in (NONE, BENEFICIAL, ADVERSE) for one in drawn(rng, 30, effect)]


def test_a_right_product_keeps_its_promises():
    rng = np.random.default_rng(4)
    assert sum(bool(promises(whole(rng))) for _ in range(100)) <= 3


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"n": 90, "bias": -0.012}, "mean"),
        ({"n": 30, "effect": BENEFICIAL, "blind": True}, "large effects"),
        ({"n": 30, "effect": ADVERSE, "bias": -0.4}, "called beneficial"),
        ({"n": 30, "bias": -0.05}, "without effect"),
        ({"n": 30, "selection": UNOBSERVED, "bias": -0.1}, "not called fragile"),
    ],
)
def test_a_fault_is_told(fault, word):
    rng = np.random.default_rng(5)
    assert word in " ".join(promises([*whole(rng), *drawn(rng, **fault)]))


def test_a_verdict_against_its_interval_is_told():
    rng = np.random.default_rng(6)
    found = whole(rng)
    found[3] = found[3]._replace(contradictions=("released main reoffended: more",))
    assert "released main reoffended: more" in promises(found)
    hidden = list(drawn(rng, 30, selection=UNOBSERVED, bias=-0.1, fragile=True))
    assert promises([*whole(rng), *hidden]) == []
