"""The rules one by one: the examples of their docstrings, and settings that make no sense."""

import doctest

import pytest

from engine.cohort import attrition, rules, starts
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
