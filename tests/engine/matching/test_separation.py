"""Separation: the verdict against exact cones, against whole programmes and against R."""

import functools
import gzip
import itertools
import json
from csv import DictReader
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from engine.matching import separation
from engine.matching.screening import screen, tally_columns
from engine.matching.separation import (
    SeparatedTerm,
    describe_separated,
    separated_terms,
)

ORACLES = Path(__file__).parents[2] / "oracles"


# ------------------------------------------------------------------------------------- designs
def names_of(p_numeric, n_levels):
    return (
        "(intercept)",
        *(f"x{j}" for j in range(p_numeric)),
        *(f"c{f}={level}" for f, levels in enumerate(n_levels) for level in range(1, levels)),
    )


def matrix_of(numeric, codes, n_levels):
    """The one-hot matrix, in the order of the names."""
    n = numeric.shape[1]
    dummies = [codes[f] == v for f, levels in enumerate(n_levels) for v in range(1, levels)]
    return np.column_stack([np.ones(n), *numeric, *dummies]).astype(float)


def verdict_of(numeric, codes, n_levels, treated, **options):
    names = names_of(len(numeric), n_levels)
    keep = options.pop("keep", np.ones(len(names), dtype=bool))
    return separated_terms(numeric, codes, n_levels, names, keep, treated, **options)


def numbers_only(*columns):
    return np.array(columns, dtype=np.float64), np.empty((0, len(columns[0])), np.uint16), ()


def categories_only(*columns):
    codes = np.array(columns, dtype=np.uint16)
    return np.empty((0, codes.shape[1])), codes, tuple(int(c.max()) + 1 for c in codes)


def signs(terms):
    """Possible signs of each infinite term: {-1}, {1} or both."""
    return {t.name: frozenset({t.direction}) if t.determined else BOTH for t in terms}


BOTH = frozenset({-1, 1})


def by_programmes(numeric, codes, n_levels, treated):
    """Smallest and largest value of each coefficient over the cone: two programmes each."""
    x = matrix_of(numeric, codes, n_levels)
    z = np.where(treated, 1.0, -1.0)[:, None] * x
    size = np.abs(x).max(axis=0)
    size[size == 0] = 1.0
    p = x.shape[1]
    out = {}
    for j, name in enumerate(names_of(len(numeric), n_levels)):
        possible = set()
        for sign in (-1, 1):
            goal = np.zeros(p)
            goal[j] = -sign
            top = linprog(
                goal, A_ub=-z / size, b_ub=np.zeros(len(z)), bounds=(-1, 1), method="highs"
            )
            if -top.fun > 1e-7:
                possible.add(sign)
        if possible:
            out[name] = frozenset(possible)
    # Complete: some direction has a margin of at least one everywhere.
    wide = linprog(
        np.zeros(p), A_ub=-z / size, b_ub=-np.ones(len(z)), bounds=(None, None), method="highs"
    )
    return out, "complete" if wide.status == 0 else "quasi"


def by_rays(x, treated):
    """Possible signs of three coefficients from the extreme rays, in whole numbers: exact."""
    z = np.where(treated, 1, -1)[:, None] * x.astype(np.int64)
    possible = [set(), set(), set()]
    positive = np.zeros(len(z), dtype=bool)
    for a, b in itertools.combinations(np.unique(z, axis=0), 2):
        ray = np.array(
            [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
        )
        for direction in (ray, -ray):
            margin = z @ direction
            if direction.any() and (margin >= 0).all():
                positive |= margin > 0
                for j in range(3):
                    if direction[j]:
                        possible[j].add(int(np.sign(direction[j])))
    return [frozenset(s) for s in possible], bool(positive.all())


def full_rank(x):
    return np.linalg.matrix_rank(x) == x.shape[1]


def random_design(rng, n=None):
    """A small design with numbers, counts and categories; None if aliased or of one arm."""
    n = n or int(rng.integers(10, 61))
    p_numeric, p_codes = int(rng.integers(0, 4)), int(rng.integers(0, 4))
    if p_numeric + p_codes == 0:
        return None
    numeric = np.empty((p_numeric, n))
    for j in range(p_numeric):
        draw = rng.normal(size=n)
        kind = rng.integers(0, 4)
        numeric[j] = (draw, np.round(draw), np.round(12 * draw + 40), np.exp(2 * draw) * 1e4)[kind]
    n_levels = tuple(int(k) for k in rng.integers(2, 6, p_codes))
    codes = np.array([rng.integers(0, k, n) for k in n_levels], np.uint16).reshape(p_codes, n)
    x = matrix_of(numeric, codes, n_levels)
    eta = x[:, 1:] / np.maximum(x[:, 1:].std(axis=0), 1e-9) @ rng.normal(size=x.shape[1] - 1)
    treated = rng.random(n) < 1 / (1 + np.exp(-(eta - eta.mean()) * rng.choice([0.2, 1.0, 4.0])))
    if treated.all() or not treated.any() or not full_rank(x):
        return None
    return numeric, codes, n_levels, treated


# ------------------------------------------------------------------------------ known examples
def test_overlap_has_no_separated_term():
    numeric, codes, n_levels = numbers_only([1, 2, 3, 4, 5, 6])
    assert verdict_of(numeric, codes, n_levels, np.array([0, 1, 0, 1, 0, 1], bool)) == ()


def test_complete_separation_names_the_number_and_the_intercept():
    numeric, codes, n_levels = numbers_only([1, 2, 3, 4, 5, 6])
    terms = verdict_of(numeric, codes, n_levels, np.array([0, 0, 0, 1, 1, 1], bool))
    assert [(t.name, t.direction, t.kind, t.determined) for t in terms] == [
        ("(intercept)", -1, "complete", True),
        ("x0", 1, "complete", True),
    ]


def test_ranges_that_touch_in_one_point_are_quasi_separated():
    numeric, codes, n_levels = numbers_only([1, 2, 3, 3, 4, 5])
    terms = verdict_of(numeric, codes, n_levels, np.array([0, 0, 0, 1, 1, 1], bool))
    assert [(t.name, t.direction, t.kind) for t in terms] == [
        ("(intercept)", -1, "quasi"),
        ("x0", 1, "quasi"),
    ]


def test_one_indicator_found_in_the_treated_only_is_the_only_infinite_term():
    # The shape of the endometrial data: everybody with NV = 1 has the outcome, the rest overlap.
    rng = np.random.default_rng(11)
    other = rng.normal(size=(2, 79))
    treated = rng.random(79) < 0.4
    marker = np.zeros(79)
    marker[np.flatnonzero(treated)[:13]] = 1
    numeric, codes, n_levels = numbers_only(other[0], marker, other[1])
    terms = verdict_of(numeric, codes, n_levels, treated)
    assert terms == (SeparatedTerm("x1", 1, "quasi", determined=True, konis=1),)


def test_level_without_treated_is_quasi_separated():
    numeric, codes, n_levels = categories_only([0, 0, 1, 1, 2, 2])
    terms = verdict_of(numeric, codes, n_levels, np.array([0, 1, 0, 1, 0, 0], bool))
    assert [(t.name, t.direction, t.kind) for t in terms] == [("c0=2", -1, "quasi")]


def test_reference_level_without_treated_moves_the_intercept_and_every_level():
    numeric, codes, n_levels = categories_only([0, 0, 1, 1, 2, 2])
    terms = verdict_of(numeric, codes, n_levels, np.array([0, 0, 0, 1, 0, 1], bool))
    assert [(t.name, t.direction) for t in terms] == [
        ("(intercept)", -1),
        ("c0=1", 1),
        ("c0=2", 1),
    ]


def test_two_empty_cells_leave_the_sign_of_their_contrast_open():
    # Levels 0 and 1 hold no treated: both logits fall, their difference may go anywhere.
    numeric, codes, n_levels = categories_only([0, 0, 1, 1, 2, 2])
    terms = verdict_of(numeric, codes, n_levels, np.array([0, 0, 0, 0, 0, 1], bool))
    assert [(t.name, t.direction, t.determined) for t in terms] == [
        ("(intercept)", -1, True),
        ("c0=1", -1, False),
        ("c0=2", 1, True),
    ]


def test_infinite_term_that_one_programme_calls_finite_is_named():
    # Konis' optimum stops on an edge of the cone here, with a zero for the intercept.
    numeric, codes, n_levels = categories_only([0, 0, 1, 1], [0, 1, 0, 1])
    terms = verdict_of(numeric, codes, n_levels, np.array([0, 0, 1, 1], bool))
    found = {t.name: t for t in terms}
    assert (found["(intercept)"].direction, found["c0=1"].direction) == (-1, 1)
    assert found["(intercept)"].determined
    assert not found["c1=1"].determined


def test_category_with_one_level_has_no_term():
    numeric = np.array([[1.0, 2, 3, 4]])
    codes = np.zeros((1, 4), np.uint16)
    assert verdict_of(numeric, codes, (1,), np.array([0, 1, 0, 1], bool)) == ()


def test_one_treated_row_inside_the_hull_overlaps_and_outside_separates():
    numeric, codes, n_levels = numbers_only([1, 2, 3, 4])
    assert verdict_of(numeric, codes, n_levels, np.array([0, 0, 1, 0], bool)) == ()
    assert len(verdict_of(numeric, codes, n_levels, np.array([0, 0, 0, 1], bool))) == 2


def test_dropped_terms_take_no_part():
    numeric, codes, n_levels = numbers_only([1, 2, 3, 4], [0, 1, 0, 1])
    treated = np.array([0, 0, 1, 1], bool)
    assert {t.name for t in verdict_of(numeric, codes, n_levels, treated)} >= {"x0"}
    keep = np.array([True, False, True])
    assert verdict_of(numeric, codes, n_levels, treated, keep=keep) == ()


def test_rows_of_weight_zero_take_no_part_and_other_weights_do_not_matter():
    numeric, codes, n_levels = numbers_only([1, 2, 3, 4, 5, 6, 0])
    treated = np.array([0, 0, 0, 1, 1, 1, 1], bool)
    assert verdict_of(numeric, codes, n_levels, treated) == ()
    weights = np.array([1, 2, 0.5, 1, 3, 1, 0])
    terms = verdict_of(numeric, codes, n_levels, treated, weights=weights)
    assert {t.name for t in terms} == {"(intercept)", "x0"}


def test_scales_that_differ_by_sixteen_decades_do_not_hide_separation():
    rng = np.random.default_rng(5)
    base = rng.normal(size=(3, 400))
    treated = base[0] + 0.5 * base[1] > 0.3
    huge = base * np.array([[1e8], [1e-8], [1.0]]) + np.array([[1e9], [1.0], [0.0]])
    terms = verdict_of(np.ascontiguousarray(huge), np.empty((0, 400), np.uint16), (), treated)
    assert signs(terms)["x0"] == signs(terms)["x1"] == {1}
    assert terms[0].kind == "complete"
    treated[np.argmin(base[0] + 0.5 * base[1])] = True
    assert verdict_of(huge, np.empty((0, 400), np.uint16), (), treated) == ()


def test_heavy_tails_of_another_column_do_not_hide_separation():
    rng = np.random.default_rng(6)
    tail = rng.standard_cauchy(3000) ** 3
    line = rng.normal(size=3000)
    numeric = np.stack([tail, line])
    treated = line > 1
    terms = verdict_of(numeric, np.empty((0, 3000), np.uint16), (), treated)
    assert terms[0].kind == "complete"
    assert signs(terms)["x1"] == {1}


# ------------------------------------------------------------------------- against brute force
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_three_coefficients_equal_the_exact_extreme_rays(data):
    n = data.draw(st.integers(4, 12))
    cell = st.tuples(st.integers(-4, 4), st.integers(-2, 2), st.booleans())
    rows = data.draw(st.lists(cell, min_size=n, max_size=n))
    treated = np.array([r[2] for r in rows])
    numeric, codes, n_levels = numbers_only([r[0] for r in rows], [r[1] for r in rows])
    x = matrix_of(numeric, codes, n_levels)
    if not full_rank(x):
        return
    possible, complete = by_rays(x, treated)
    terms = verdict_of(numeric, codes, n_levels, treated)
    want = {name: s for name, s in zip(("(intercept)", "x0", "x1"), possible, strict=True) if s}
    assert signs(terms) == want
    if terms:
        assert terms[0].kind == ("complete" if complete else "quasi")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_verdict_equals_two_programmes_per_coefficient(seed):
    design = random_design(np.random.default_rng(seed))
    if design is None:
        return
    want, kind = by_programmes(*design)
    terms = verdict_of(*design)
    assert signs(terms) == want
    assert {t.kind for t in terms} <= {kind}
    for term in terms:
        if term.determined:
            assert term.konis in {0, term.direction}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_verdict_does_not_depend_on_row_order_or_on_the_hint(seed):
    rng = np.random.default_rng(seed)
    design = random_design(rng)
    if design is None:
        return
    numeric, codes, n_levels, treated = design
    want = verdict_of(*design)
    for _ in range(3):
        order = rng.permutation(len(treated))
        moved = np.ascontiguousarray(numeric[:, order]), codes[:, order], n_levels, treated[order]
        assert verdict_of(*moved, logit=rng.normal(size=len(treated))) == want


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_verdict_does_not_depend_on_units(seed):
    rng = np.random.default_rng(seed)
    design = random_design(rng)
    if design is None or len(design[0]) == 0:
        return
    numeric, codes, n_levels, treated = design
    slopes = 10.0 ** rng.integers(-6, 7, len(numeric))
    rescaled = np.ascontiguousarray(numeric * slopes[:, None])
    # The intercept keeps its meaning: the columns are multiplied, not moved.
    assert signs(verdict_of(rescaled, codes, n_levels, treated)) == signs(verdict_of(*design))


@pytest.mark.slow
def test_no_quasi_separated_design_of_a_thousand_is_missed():
    rng = np.random.default_rng(2024)
    done = missed = 0
    while done < 1_000:
        design = random_design(rng)
        if design is None:
            continue
        numeric, codes, n_levels, treated = design
        n = len(treated)
        # Planted: a direction with margin zero for some rows of both arms and positive elsewhere.
        x = matrix_of(numeric, codes, n_levels)
        scaled = x / np.maximum(np.abs(x).max(axis=0), 1e-9)
        plant = rng.integers(-2, 3, x.shape[1]).astype(float)
        eta = scaled @ plant
        if len(codes) and done % 2:
            eta = np.where(codes[0] == n_levels[0] - 1, 1.0, 0.0)
        else:
            eta = np.round(eta - np.median(eta), 12)
        treated = np.where(eta == 0, rng.random(n) < 0.5, eta > 0)
        if treated.all() or not treated.any() or not eta.any():
            continue
        done += 1
        missed += not verdict_of(numeric, codes, n_levels, treated)
    assert missed == 0


# -------------------------------------------------------------------- constraint generation
@pytest.mark.parametrize("hint", [False, True])
def test_rows_outside_the_first_programme_decide(hint, monkeypatch):
    """One row among 60,000 overlaps: found by violation, not by luck, whatever the first rows."""
    rng = np.random.default_rng(8)
    n = 60_000
    numeric = rng.normal(size=(3, n))
    codes = rng.integers(0, 5, (2, n)).astype(np.uint16)
    eta = numeric[0] + 0.5 * (codes[0] == 2)
    treated = eta > 1.6
    monkeypatch.setattr(separation, "SEED_ROWS", 40)
    logit = eta + rng.normal(size=n) if hint else None
    terms = verdict_of(numeric, codes, (5, 5), treated, logit=logit)
    assert terms[0].kind == "complete"
    assert signs(terms)["x0"] == {1}
    treated[np.argmin(np.abs(eta))] = True
    assert verdict_of(numeric, codes, (5, 5), treated, logit=logit) == ()


def test_categories_alone_are_merged_to_their_cells_without_changing_the_verdict():
    rng = np.random.default_rng(9)
    n = 20_000
    codes = np.stack([rng.integers(0, k, n) for k in (6, 5, 4)]).astype(np.uint16)
    treated = (rng.random(n) < 0.05) & (codes[0] != 3) & ~((codes[1] == 0) | (codes[2] == 1))
    none = np.empty((0, n))
    merged = verdict_of(none, codes, (6, 5, 4), treated)
    table = separation._table(none, codes, (6, 5, 4), np.ones(13, bool), treated, None)
    assert len(table.treated) < 240
    # A number that explains nothing makes the merge impossible.
    whole = verdict_of(rng.normal(size=(1, n)), codes, (6, 5, 4), treated)
    assert signs(merged) == signs(whole)
    assert [t.konis for t in merged] == [t.konis for t in whole]


def test_sixty_treated_and_forty_dummies():
    rng = np.random.default_rng(10)
    n = 100_000
    numeric = rng.normal(size=(2, n))
    shares = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.01, 0.007, 0.002, 0.001])
    codes = np.stack([rng.choice(9, n, p=shares) for _ in range(5)]).astype(np.uint16)
    treated = np.zeros(n, bool)
    treated[rng.choice(n, 60, replace=False)] = True
    terms = {t.name: t for t in verdict_of(numeric, codes, (9,) * 5, treated)}
    empty = {
        f"c{f}={v}" for f in range(5) for v in range(1, 9) if not np.any(codes[f][treated] == v)
    }
    assert empty
    assert empty <= set(terms)
    assert all(terms[name].direction == -1 and terms[name].determined for name in empty)


def test_a_solver_without_an_answer_is_an_error_and_never_a_verdict(monkeypatch):
    class Silent:
        status = 4

    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: Silent())
    numeric, codes, n_levels = numbers_only([1, 2, 3, 4])
    with pytest.raises(separation.JusticeLabError, match="separation"):
        verdict_of(numeric, codes, n_levels, np.array([0, 1, 0, 1], bool))


def test_verdict_stands_when_the_unscaled_programme_has_no_answer(monkeypatch):
    def fail(*_):
        raise separation.JusticeLabError("no answer")

    monkeypatch.setattr(separation, "_konis", fail)
    numeric, codes, n_levels = numbers_only([1, 2, 3, 4], [0, 1, 0, 1])
    terms = verdict_of(numeric, codes, n_levels, np.array([0, 0, 1, 1], bool))
    assert [(t.name, t.direction, t.konis) for t in terms] == [
        ("(intercept)", -1, 0),
        ("x0", 1, 0),
        ("x1", 0, 0),
    ]


# ------------------------------------------------------------------------------- against R
def stored(folder, name):
    """A stored JSON file, compressed or not."""
    plain = ORACLES / folder / f"{name}.json"
    if plain.exists():
        return json.loads(plain.read_text(encoding="utf-8"))
    with gzip.open(plain.with_suffix(".json.gz"), "rt", encoding="utf-8") as file:
        return json.load(file)


@functools.cache
def stored_table(path):
    with gzip.open(ORACLES / path, "rt", encoding="utf-8", newline="") as file:
        return tuple(DictReader(file))


def coded_oracle(design):
    """The coded design and the names of its parameters in the engine's order."""
    rows = stored_table(design["table"])
    if any(row.get("design") for row in rows[:1]):
        rows = [row for row in rows if row["design"] == design["name"]]
    if design.get("weights"):
        rows = [row for row in rows if float(row[design["weights"]]) > 0]
    assert len(rows) == design["rows"]
    numbers = [c for c in design["columns"] if c not in design["categorical"]]
    numeric = np.array([[float(row[c]) for row in rows] for c in numbers])
    names, codes, n_levels = ["(intercept)", *numbers], [], []
    for column in design["categorical"]:
        levels, code = np.unique([row[column] for row in rows], return_inverse=True)
        codes.append(code)
        n_levels.append(len(levels))
        names += [f"{column}={level}" for level in levels[1:]]
    treated = np.array([float(row[design["response"]]) == 1 for row in rows])
    assert treated.sum() == design["events"]
    return (
        numeric.reshape(len(numbers), len(rows)),
        np.array(codes, np.uint16).reshape(len(codes), len(rows)),
        tuple(n_levels),
        tuple(names),
        treated,
    )


@pytest.mark.oracle
def test_verdict_equals_detectseparation_and_its_cone():
    designs = stored("results", "separation")["designs"]
    assert len(designs) >= 200
    assert sum(design["separated"] for design in designs) >= 50
    certain = {"inf": frozenset({1}), "-inf": frozenset({-1}), "either": BOTH}
    printed = {"inf": 1, "-inf": -1, "0": 0}
    for design in designs:
        where = design["name"]
        numeric, codes, n_levels, names, treated = coded_oracle(design)
        keep = np.array([name not in design["dropped"] for name in names])
        terms = separated_terms(numeric, codes, n_levels, names, keep, treated)
        found = {t.name: t for t in terms}
        assert set(design["coefficients"]) == set(names) - set(design["dropped"]), where
        assert bool(terms) == design["separated"], where
        assert {t.kind for t in terms} <= {"complete" if design["complete"] else "quasi"}, where

        # Which terms are infinite, and which signs are certain, by two programmes a coefficient.
        cone = {name: certain[v] for name, v in design["cone"].items() if v != "0"}
        assert signs(terms) == cone, where

        # What R prints: no infinity of it is missing here and no certain sign is contradicted.
        # Where its programme has one optimum only, every sign and every zero is met.
        for name, text in design["coefficients"].items():
            theirs, term = printed[text], found.get(name)
            assert not theirs or term is not None, (where, name)
            assert not theirs or not term.determined or term.direction == theirs, (where, name)
            if design["unique"]:
                assert theirs == (term.konis if term else 0), (where, name)


# ------------------------------------------------------------------------------------- screen
@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_whatever_the_screen_finds_is_separation(seed):
    design = random_design(np.random.default_rng(seed))
    if design is None:
        return
    numeric, codes, n_levels, treated = design
    found = screen(
        tally_columns(numeric, codes, n_levels, treated),
        [f"x{j}" for j in range(len(numeric))],
        [f"c{f}" for f in range(len(n_levels))],
        [[str(v) for v in range(k)] for k in n_levels],
    )
    if found.levels_without_treated or found.levels_without_comparison or found.apart:
        terms = {t.name: t for t in verdict_of(*design)}
        assert terms
        for item in found.levels_without_treated:
            if item.level != "0":
                assert f"{item.column}={item.level}" in terms
        for gap in found.apart:
            assert gap.column in terms


# ----------------------------------------------------------------------------------- describe
def test_describe_says_which_coefficients_and_which_way():
    quasi = SeparatedTerm("race=c", -1, "quasi", determined=True, konis=-1)
    complete = SeparatedTerm("age", 0, "complete", determined=False, konis=0)
    assert "quasi-complete" in describe_separated((quasi,))
    assert "race=c (falls without limit)." in describe_separated((quasi,))
    assert "complete separation" in describe_separated((complete, complete))
    assert "age (is not determined)" in describe_separated((complete,))
    assert describe_separated(()) == ""
