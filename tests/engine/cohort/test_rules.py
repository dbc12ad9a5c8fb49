"""The rules one by one: the examples of their docstrings, and settings that make no sense."""

import doctest

import numpy as np
import pytest

from engine.cohort import attrition, rules, starts
from engine.cohort.custody import join_spells
from engine.cohort.rules import IndexRules
from engine.errors import UsageError


@pytest.mark.parametrize("module", [rules, attrition, starts])
def test_examples_in_docstrings(module):
    result = doctest.testmod(module)

    assert result.attempted > 0
    assert result.failed == 0


def test_every_rule_has_an_example():
    functions = [
        value for name, value in vars(rules).items() if name[1:2] == "_" and name[0] in "abcdefgh"
    ]

    assert len(functions) == 8
    assert [f.__name__ for f in functions if ">>>" not in f.__doc__] == []


@pytest.mark.parametrize(
    "settings",
    [
        {"index_types": ()},
        {"index_types": ("fine",)},
        {"index_types": ("caution", "caution")},
        {"custody_overlap": "end"},
        {"supervision_months": -1},
        {"supervision_months": 13},
        {"own_dates_days": -1},
        {"youngest": 30, "oldest": 20},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(UsageError):
        IndexRules(**settings)


FAR = rules.FOREVER


@pytest.mark.parametrize(
    ("spells", "stays"),
    [
        ([(10, 20), (20, 30)], [(10, 30)]),  # released and received on one day: never at liberty
        ([(10, 20), (21, 30)], [(10, 20), (21, 30)]),
        ([(10, 40), (15, 20), (30, 50)], [(10, 50)]),
        ([(60, FAR), (10, 20), (70, 80)], [(10, 20), (60, FAR)]),
        ([(10, 9), (5, 5)], [(5, 5)]),
        ([], []),
    ],
)
def test_spells_become_stays(spells, stays):
    received, released = (np.array([s[i] for s in spells], np.int32) for i in (0, 1))
    one = join_spells(np.full(len(spells), 7), received, released)

    assert list(zip(one.received.tolist(), one.released.tolist(), strict=True)) == stays
    # what another person did is another matter
    both = join_spells(np.repeat([3, 7], len(spells)), np.tile(received, 2), np.tile(released, 2))
    assert list(zip(both.received.tolist(), both.released.tolist(), strict=True)) == stays * 2
