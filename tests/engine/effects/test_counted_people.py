"""Numbers of people behind figures: a person with several disposals is one person."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.effects.measures import MEASURES, ArmCounts, count_arm
from engine.release.study_results import overlap_results

KINDS = {measure.kind: measure for measure in MEASURES}
ROWS = st.lists(
    st.tuples(st.sampled_from([float("nan"), 0.0, 1.0, 3.0]), st.integers(0, 6)), max_size=30
)


@pytest.mark.parametrize("kind", KINDS)
@given(rows=ROWS)
def test_people_are_counted_as_a_set_of_them(kind, rows):
    values = np.array([value for value, _ in rows], dtype=float)
    person = np.array([owner for _, owner in rows], dtype=np.int64)
    known = [(value, owner) for value, owner in rows if not math.isnan(value)]
    events = {owner for value, owner in known if kind == "days" or value > 0}

    found = count_arm(KINDS[kind], values, person)

    assert found == ArmCounts(len({owner for _, owner in known}), len(events))
    # everybody with one row: as many people as rows
    single = count_arm(KINDS[kind], values, np.arange(len(rows)))
    assert single == count_arm(KINDS[kind], values)


def test_a_class_of_the_overlap_counts_people_and_not_rows():
    logit = np.array([0.1, 0.1, 0.12, 0.9, 0.9, 0.9, -np.inf])
    designed = SimpleNamespace(
        scoring=SimpleNamespace(logit=logit),
        rows=SimpleNamespace(
            treated=np.array([True, False, False, False, False, True, False]),
            person=np.array([0, 1, 1, 1, 2, 3, 1]),
        ),
        sample=SimpleNamespace(rows=(np.array([1, 2, 3]), np.array([0, 5]))),
        matched=SimpleNamespace(weight=np.array([1.0, 0.5, 0.5, 1.0, 0.0, 1.0, 0.0])),
    )

    found = overlap_results(designed)

    assert [n for n in found["treated"] if n] == [1, 1]
    assert [n for n in found["comparison_before"] if n] == [1, 2]
    assert [n for n in found["comparison_after"] if n] == [1, 1]
