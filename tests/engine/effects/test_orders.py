"""A match in other orders: made where a tie decides something, known without it where none does."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from engine.effects import difference
from engine.effects.estimates import estimate_outcome
from engine.effects.outcome import Outcome
from engine.effects.sensitivity import assess
from engine.effects.sensitivity.assess import assess_sensitivity
from engine.effects.sensitivity.reorder import _permuted, _restored, pair_in_order
from engine.matching.pairing import pair_with_replacement
from engine.matching.problem import Problem
from kernels.ordering import order_by_key
from tests.certify.cohorts import Scenario, draw_cohort
from tests.certify.matches import finish, options_of

ORDERS = 6


def band(levels, method="5-nn", asked="auto", ties="first", change=None):
    """Return the band of a cohort, and its estimate."""
    scenario = Scenario("orders", 80, 900, 0.4, "good", method, "binary", levels=levels)
    cohort = draw_cohort(scenario, 3)
    cohort = cohort if change is None else change(cohort)
    options = replace(options_of(scenario), ties=ties)
    done = finish(cohort, options)
    estimate = estimate_outcome(
        Outcome("y", "binary"), cohort.outcome, done.sample, done.near, asked
    )
    found = assess_sensitivity(
        estimate, cohort.outcome, done.sample, done.rows, done.scoring, options, ORDERS
    )
    return found.instability, estimate


def rows_twice(cohort):
    """Return a cohort whose comparison people have two rows that differ in the outcome alone."""
    rows = np.concatenate([np.arange(len(cohort.treated)), np.flatnonzero(~cohort.treated)])
    outcome = cohort.outcome[rows]
    outcome[len(cohort.treated) :] = 1.0 - outcome[len(cohort.treated) :]
    return replace(
        cohort,
        numeric=np.ascontiguousarray(cohort.numeric[:, rows]),
        treated=cohort.treated[rows],
        outcome=outcome,
        gain=cohort.gain[rows],
        person=rows,
    )


@pytest.fixture
def made(monkeypatch):
    """Numbers of the orders in which a match was made again."""
    numbers = []

    def counted(problem, rows, options, number):
        numbers.append(number)
        return original(problem, rows, options, number)

    original = assess.pair_in_order
    monkeypatch.setattr(assess, "pair_in_order", counted)
    return numbers


@pytest.mark.parametrize("asked", ["auto", "welch-kish"])
def test_without_ties_no_match_is_made_again(made, monkeypatch, asked):
    found, estimate = band(levels=0, asked=asked)
    assert made == []
    assert (found.runs, found.low, found.high) == (ORDERS, *[estimate.interval.estimate] * 2)

    monkeypatch.setattr(assess, "_depends_on_ties", lambda *_: True)
    again, _ = band(levels=0, asked=asked)
    assert made == list(range(1, ORDERS))
    assert again == found


def test_ties_are_broken_anew_in_each_order(made):
    found, _ = band(levels=3)
    assert made == list(range(1, ORDERS))
    assert found.low < found.high


@pytest.mark.parametrize("ties", ["first", "all"])
def test_which_row_of_a_person_is_in_a_set_is_decided_anew_in_each_order(made, ties):
    found, _ = band(levels=0, ties=ties, change=rows_twice)
    assert made == list(range(1, ORDERS))
    assert found.low < found.high


def test_equal_distances_to_both_sides_are_no_tie_that_an_order_decides():
    score = np.array([0.0, -1.0, 1.0, 5.0, 4.0, 4.0])
    focal = np.array([True, False, False, True, False, False])
    problem = Problem(score, focal, np.ones(6, dtype=np.bool_))

    def decides(ratio, rows, ties="first"):
        some = replace(problem, eligible=np.isin(np.arange(6), rows))
        options = SimpleNamespace(ties=ties, ratio=ratio)
        return assess._depends_on_ties(None, SimpleNamespace(problem=some), options)

    assert not decides(1, [0, 1, 2])
    assert decides(1, [3, 4, 5])
    assert not decides(1, [3, 4, 5], ties="all")
    assert not decides(2, [3, 4, 5])
    assert decides(1, range(6))


def test_the_band_is_the_same_however_many_matches_are_held_at_a_time(monkeypatch):
    together, _ = band(levels=0, method="1:1")
    held = []

    def counted(*questions):
        held.append(len(questions[0]))
        return original(*questions)

    original = difference.local_pieces
    monkeypatch.setattr(difference, "local_pieces", counted)
    monkeypatch.setattr(assess, "_ROWS_AT_ONCE", 1)
    one_by_one, _ = band(levels=0, method="1:1")
    assert held == [1] * (ORDERS - 1)
    assert one_by_one == together


def test_without_replacement_the_order_decides_in_any_case(made):
    found, _ = band(levels=0, method="1:1")
    assert made == list(range(1, ORDERS))
    assert np.isfinite([found.low, found.high]).all()


@pytest.mark.parametrize("ties", ["first", "all"])
def test_with_replacement_only_equal_scores_are_put_in_another_order(ties):
    # Everything permuted and matched anew gives the same sets.
    scenario = Scenario("orders", 80, 900, 0.4, "good", "5-nn", "binary", levels=3)
    options = replace(options_of(scenario), ties=ties)
    done = finish(draw_cohort(scenario, 5), options)
    problem = done.scoring.problem
    moved = 0
    for number in range(1, 5):
        order = order_by_key(done.rows.identity.instability_keys(number))
        anew = _restored(
            pair_with_replacement(_permuted(problem, order), ratio=5, ties_all=ties == "all"), order
        )
        found = pair_in_order(problem, done.rows, options, number)
        assert np.array_equal(found.focal, anew.focal)
        assert np.array_equal(found.indptr, anew.indptr)
        assert np.array_equal(found.partner, anew.partner)
        assert np.array_equal(found.share, anew.share)
        moved += not np.array_equal(found.partner, done.sample.sets.partner)
    assert moved == 4
