"""From the options of a match to the recipe of its replicates."""

import math

import numpy as np
import pytest

from engine.effects.rematching import recipe_for
from engine.errors import UsageError
from engine.matching.options import check_options
from engine.matching.problem import Problem
from kernels.rematch import GREEDY, NEAREST, WINDOW, rematch
from kernels.windows import TRICUBE, UNIFORM

PROBLEM = Problem(
    np.array([0.0, 0.1, 0.2, 0.9]),
    np.array([True, False, True, False]),
    np.array([True, True, True, True]),
    caliper=0.25,
)


def recipe(problem=PROBLEM, *, hold_caliper=False, **options):
    asked = check_options(treatment="t", covariates=("x",), **options)
    return recipe_for(problem, asked, hold_caliper=hold_caliper)


def test_designs():
    assert recipe(replace=True, ratio=3).design == NEAREST
    assert recipe(replace=True, ratio=3).ratio == 3
    assert recipe().design == GREEDY
    radius = recipe(radius=True, caliper="0.1 logit")
    assert (radius.design, radius.shape) == (WINDOW, UNIFORM)
    assert recipe(kernel="tricube", caliper="0.1 logit").shape == TRICUBE


def test_calipers():
    own = recipe(caliper="0.2 sd-logit")
    assert (own.caliper, own.per_deviation, own.probability) == (0.2, True, False)
    held = recipe(caliper="0.2 sd-logit", hold_caliper=True)
    assert (held.caliper, held.per_deviation) == (0.25, False)
    plain = recipe(caliper="0.25 logit")
    assert (plain.caliper, plain.per_deviation) == (0.25, False)
    gap = recipe(caliper="0.25 probability")
    assert (gap.caliper, gap.per_deviation, gap.probability) == (0.25, False, True)
    kept = recipe(keep_share=0.9)
    assert (kept.caliper, kept.per_deviation) == (0.25, False)


def test_cells_and_people():
    problem = Problem(
        PROBLEM.score,
        PROBLEM.focal,
        PROBLEM.eligible,
        cell=np.array([0, 0, 4, 4]),
        person=np.array([0, 1, 2, 3]),
        caliper=math.inf,
    )
    found = recipe(problem, replace=True)
    assert found.n_cells == 5
    assert found.person.tolist() == [0, 1, 2, 3]
    values = np.array([[1.0], [2.0], [4.0], [8.0]])
    sums, matched = rematch(found, problem.score, np.array([1, 2, 3, 1], dtype=np.uint16), values)
    assert matched == 4
    assert sums.tolist() == [[1.0 + 3 * 4.0], [2.0 + 3 * 8.0]]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"anti_exact": ("a",)}, "--anti-exact"),
        ({"covariate_caliper": ("x 2",)}, "--covariate-caliper"),
        ({"mahalanobis": ("x",), "caliper": "1 logit"}, "--mahalanobis"),
        ({"person": "p", "one_per_person": True}, "--one-per-person"),
        ({"ratio": 2, "max_ratio": 3}, "--max-ratio"),
        ({"replace": True, "ties": "all"}, "--ties all"),
        ({"reuse_max": 2}, "--reuse-max"),
        ({"order": "closest"}, "--order closest"),
    ],
)
def test_rules_without_a_meaning_for_copies_are_refused(options, name):
    with pytest.raises(UsageError, match=name):
        recipe(**options)
