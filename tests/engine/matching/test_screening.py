"""Screening: what each column shows by itself, and how it is told."""

import numpy as np
import pytest

from engine.matching.screening import (
    LevelFinding,
    RangeFinding,
    Screening,
    describe,
    screen,
    tally_columns,
)

EMPTY = Screening((), (), (), (), ())


def screened(weights=None):
    numeric = np.array(
        [[1.0, 2, 3, 4, 5, 6], [1, 2, 3, 3, 4, 5], [6, 5, 4, 3, 2, 1], [7] * 6, [1, 5, 2, 3, 1, 9]]
    )
    codes = np.array([[0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1]], np.uint16)
    treated = np.array([0, 0, 0, 1, 1, 1], bool)
    return screen(
        tally_columns(numeric, codes, (4, 2), treated, weights),
        ("up", "touch", "down", "flat", "free"),
        ("race", "s"),
        (("a", "b", "c", "d"), ("f", "m")),
    )


def test_screen_names_levels_ranges_and_constants():
    assert screened() == Screening(
        levels_without_treated=(LevelFinding("race", "a", 0, 2),),
        levels_without_comparison=(LevelFinding("race", "c", 2, 0),),
        empty_levels=(LevelFinding("race", "d", 0, 0),),
        apart=(
            RangeFinding("down", "complete", -1),
            RangeFinding("touch", "quasi", 1),
            RangeFinding("up", "complete", 1),
        ),
        constant=("flat",),
    )


def test_screen_leaves_out_rows_of_weight_zero():
    found = screened(np.array([0.0, 1, 0, 1, 1, 1]))
    assert {(f.column, f.level) for f in found.levels_without_comparison} == {
        ("race", "b"),
        ("race", "c"),
        ("s", "f"),
    }
    touch = next(f for f in found.apart if f.column == "touch")
    assert touch.kind == "complete"


def test_screen_of_one_arm_claims_nothing_about_ranges():
    numeric = np.array([[1.0, 2, 3]])
    none = np.empty((0, 3), np.uint16)
    assert screen(tally_columns(numeric, none, (), np.zeros(3, bool)), ("x",), (), ()) == EMPTY


def test_screen_of_no_rows_at_all_claims_nothing():
    numeric = np.array([[1.0, 2, 3]])
    none = np.empty((0, 3), np.uint16)
    tally = tally_columns(numeric, none, (), np.array([True, False, True]), np.zeros(3))
    assert screen(tally, ("x",), (), ()) == EMPTY


def test_a_code_without_a_level_is_refused():
    codes = np.array([[0, 1, 2]], np.uint16)
    with pytest.raises(ValueError, match="none of its levels"):
        tally_columns(np.empty((0, 3)), codes, (2,), np.array([True, False, True]))


def test_describe_names_columns_and_levels_in_plain_words():
    text = describe(screened())
    assert "No treated row has race=a (2 comparison rows)." in text
    assert "No comparison row has race=c (2 treated rows)." in text
    assert "No row has race=d." in text
    assert "The ranges of up in the two arms do not overlap: the treated lie above." in text
    assert "The ranges of touch in the two arms share a single point" in text
    assert "The column flat is constant." in text
    assert describe(EMPTY) == ""
