"""Verdicts by their table, and corrections for many tests against R and a plain twin."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.effects.measures import MEASURES
from engine.effects.verdicts import benjamini_hochberg, holm, verdict_of
from tests.kernels.support import examples

RATE, _, DAYS = MEASURES[:3]

# p-value, difference, expected events, treated reoffenders -> verdict
TABLE = [
    (0.049, -0.05, 40.0, 40, "fewer"),
    (0.049, 0.05, 40.0, 40, "more"),
    (0.05, -0.05, 40.0, 40, "fewer"),
    (0.0500001, -0.05, 40.0, 40, "inconclusive"),
    (0.9, 0.05, 40.0, 40, "inconclusive"),
    (0.001, -0.05, 10.0, 30, "fewer"),
    (0.001, -0.05, 9.99, 30, "too_few_reoffenders"),
    (0.001, -0.05, 10.0, 29, "too_few_reoffenders"),
    (0.001, 0.05, 5.0, 5, "too_few_reoffenders"),
    (0.2, 0.05, 5.0, 5, "inconclusive"),
    (math.nan, -0.05, 40.0, 40, "inconclusive"),
    (0.001, 0.0, 40.0, 40, "inconclusive"),
]


@pytest.mark.parametrize(("p", "difference", "expected", "reoffenders", "verdict"), TABLE)
def test_verdicts(p, difference, expected, reoffenders, verdict):
    found = verdict_of(RATE, difference, p, expected=expected, reoffenders=reoffenders)

    assert found == verdict


def test_days_are_earlier_or_later():
    assert verdict_of(DAYS, -3.0, 0.01, expected=99, reoffenders=99) == "earlier"
    assert verdict_of(DAYS, 3.0, 0.01, expected=99, reoffenders=99) == "later"


def test_there_are_eleven_measures_with_their_published_names():
    assert len({measure.published_name for measure in MEASURES}) == len(MEASURES) == 11
    assert [measure.table for measure in MEASURES] == [1, 2, 3, 4, 4, 4, 5, 5, 5, 6, 7]
    assert [m.name for m in MEASURES if not m.of_reoffenders] == ["reoffended", "n_reoffences"]


def test_corrections_as_r_has_them():
    # p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") and "BH" in R 4.3
    p = [0.01, 0.02, 0.03, 0.04, 0.05]

    assert holm(p) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert benjamini_hochberg(p) == pytest.approx([0.05] * 5)
    # p.adjust(c(0.001, 0.4, 0.012, 0.03), ...)
    p = [0.001, 0.4, 0.012, 0.03]
    assert holm(p) == pytest.approx([0.004, 0.4, 0.036, 0.06])
    assert benjamini_hochberg(p) == pytest.approx([0.004, 0.4, 0.024, 0.04])


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=12))
@examples(200, 200)
def test_corrections_keep_order_and_never_lower_a_p_value(p):
    made = [value for value in p if not math.isnan(value)]
    for correction in (holm, benjamini_hochberg):
        found = correction(p)
        pairs = [(a, b) for a, b in zip(p, found, strict=True) if not math.isnan(a)]
        assert [math.isnan(b) for b in found] == [math.isnan(a) for a in p]
        assert all(a <= b <= 1.0 for a, b in pairs)
        ordered = [b for _, b in sorted(pairs)]
        assert ordered == sorted(ordered)
    ordered = sorted(made)
    twin = []
    for value in made:
        steps = [(len(made) - rank) * q for rank, q in enumerate(ordered) if q <= value]
        twin.append(min(1.0, max(steps)))
    assert [b for a, b in zip(p, holm(p), strict=True) if not math.isnan(a)] == pytest.approx(twin)
