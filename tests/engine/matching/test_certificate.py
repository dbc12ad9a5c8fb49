"""The certificate finds every kind of violation that is planted in a finished match."""

from dataclasses import replace

import numpy as np
import pytest

from engine.matching.certificate import Claim, certify_pairs, certify_windows
from engine.matching.pairing import pair_with_replacement, pair_without_replacement
from engine.matching.radius import match_within_radius
from engine.matching.selection import pairing_weights, window_weights
from tests.kernels.matching_support import problem

N = 80


def rows(**more):
    """Rows in three cells with rules of every kind."""
    rng = np.random.default_rng(5)
    focal = rng.random(N) < 0.3
    options = {
        "cell": rng.integers(0, 3, N),
        "anti": [rng.integers(0, 4, N)],
        "covariate": [rng.integers(0, 9, N) * 1.0],
        "width": [4.0],
        "person": rng.integers(0, 60, N),
        "caliper": 0.8,
        **more,
    }
    options = {key: value for key, value in options.items() if value is not None}
    return problem(rng.normal(size=N), focal, **options)


PLAIN = {"anti": None, "covariate": None, "width": None, "person": None}


def claim(asked, pairing, **more):
    facts = {
        "ratio": 1, "replace": False, "reuse_max": 1, "one_per_person": False, **more
    }  # fmt: skip
    return Claim(
        score=asked.score, focal=asked.focal, eligible=asked.eligible, rows=pairing.focal,
        indptr=pairing.indptr, partner=pairing.partner, share=pairing.share,
        weight=pairing_weights(pairing, N), caliper=asked.caliper, cell=asked.cell,
        person=asked.person, anti=asked.anti, covariate=asked.covariate, width=asked.width,
        position=asked.position, **facts,
    )  # fmt: skip


def found(sealed):
    """Violations by check."""
    assert sealed.violations == sum(check.violations for check in sealed.checks)
    return {check.check: check.violations for check in sealed.checks if check.violations}


def repaired(wrong):
    """The claim with the weights that its sets imply, so that only the planted fault is there."""
    size = np.diff(wrong.indptr)
    weight = np.bincount(wrong.partner, weights=wrong.share, minlength=len(wrong.score))
    weight[wrong.rows[size > 0]] = 1.0
    return replace(wrong, weight=weight)


def with_partner(good, place, row):
    """The claim in which one pair has another partner."""
    partner = good.partner.copy()
    partner[place] = row
    return repaired(replace(good, partner=partner))


@pytest.fixture
def greedy():
    asked = rows()
    return claim(asked, pair_without_replacement(asked))


@pytest.fixture
def nearest():
    asked = rows(**PLAIN)
    return claim(asked, pair_with_replacement(asked, ratio=2), ratio=2, replace=True)


def test_a_sound_match_has_no_violation(greedy, nearest):
    for good in (greedy, nearest):
        assert found(certify_pairs(good)) == {}
        assert certify_pairs(good).pairs_checked == len(good.partner) > 10
        assert all(check.checked > 0 for check in certify_pairs(good).checks)


def candidates(good, owner, *, far=False, cell=False, anti=False, age=False, mine=False):
    """Unused rows of the pool that break exactly the named rules for one focal row."""
    row = good.rows[owner]
    free = ~good.focal & ~np.isin(np.arange(N), good.partner)
    tests = {
        "far": np.abs(good.score - good.score[row]) > good.caliper,
        "cell": good.cell != good.cell[row],
        "anti": good.anti[0] == good.anti[0][row],
        "age": np.abs(good.covariate[0] - good.covariate[0][row]) > good.width[0],
        "mine": good.person == good.person[row],
    }
    wanted = {"far": far, "cell": cell, "anti": anti, "age": age, "mine": mine}
    for name, broken in tests.items():
        free &= broken == wanted[name]
    return np.flatnonzero(free)


@pytest.mark.parametrize(
    ("rule", "check"),
    [
        ("far", "inside the caliper"),
        ("cell", "equal on exact columns"),
        ("anti", "different on anti-exact columns"),
        ("age", "inside the calipers on covariates"),
        ("mine", "nobody matched to themselves"),
    ],
)
def test_a_pair_that_breaks_one_rule_is_found(greedy, rule, check):
    good = greedy
    if rule == "mine":
        # Make the partner of the first pair a row of the same person.
        person = good.person.copy()
        person[good.partner[0]] = person[np.repeat(good.rows, np.diff(good.indptr))[0]]
        bad = replace(good, person=person)
    else:
        owners = np.repeat(np.arange(len(good.rows)), np.diff(good.indptr))
        place, row = next(
            (place, options[0])
            for place, owner in enumerate(owners)
            if len(options := candidates(good, owner, **{rule: True}))
        )
        bad = with_partner(good, place, row)
    seen = found(certify_pairs(bad))
    assert seen[check] == 1
    assert set(seen) <= {check, "no unused partner is nearer than the one taken"}


def test_a_pair_inside_one_group_or_with_an_outsider_is_found(greedy):
    name = "one eligible person of each group"
    other_focal = next(row for row in greedy.rows if row != greedy.rows[0])
    assert found(certify_pairs(with_partner(greedy, 0, other_focal)))[name] == 1
    eligible = greedy.eligible.copy()
    eligible[greedy.partner[0]] = False
    assert found(certify_pairs(replace(greedy, eligible=eligible))) == {name: 1}
    eligible = greedy.eligible.copy()
    eligible[np.repeat(greedy.rows, np.diff(greedy.indptr))[1]] = False
    assert found(certify_pairs(replace(greedy, eligible=eligible))) == {name: 1}


def test_a_partner_used_beyond_the_cap_is_found():
    asked = rows(**PLAIN, caliper=np.inf)
    pairing = pair_without_replacement(asked, reuse_max=2)
    uses = np.unique(pairing.partner, return_counts=True)[1]
    twice = int(np.count_nonzero(uses == 2))
    assert twice > 0
    assert found(certify_pairs(claim(asked, pairing, reuse_max=2))) == {}
    assert found(certify_pairs(claim(asked, pairing, reuse_max=1)))["reuse within its cap"] == twice


def test_a_person_twice_in_a_set_is_found(nearest):
    place = int(nearest.indptr[np.flatnonzero(np.diff(nearest.indptr) == 2)[0]])
    same = with_partner(nearest, place + 1, nearest.partner[place])
    assert found(certify_pairs(same))["nobody twice in one set"] == 1
    person = np.arange(N)
    person[nearest.partner[place + 1]] = person[nearest.partner[place]]
    by_person = replace(nearest, person=person)
    assert found(certify_pairs(by_person))["nobody twice in one set"] >= 1


def test_a_person_who_enters_twice_is_found():
    asked = rows()
    pairing = pair_without_replacement(asked, one_per_person=True)
    good = claim(asked, pairing, one_per_person=True)
    assert found(certify_pairs(good)) == {}
    owners = np.repeat(good.rows, np.diff(good.indptr))
    name = "each person used once"
    for one, other in (
        (good.partner[0], good.partner[1]),  # twice as a partner
        (owners[0], owners[1]),  # twice as a focal person
        (owners[0], good.partner[1]),  # once in each group
    ):
        person = good.person.copy()
        person[other] = person[one]
        assert found(certify_pairs(replace(good, person=person)))[name] == 1


def test_whoever_entered_through_another_row_is_not_passed_over():
    # Person 0 is matched by row 0; row 1 is theirs too, and row 3, of person 0, is in the pool.
    asked = problem(
        [0.0, 0.1, 0.0, 0.05, 0.1], [True, True, False, False, False], person=[0, 0, 1, 0, 2]
    )
    pairing = pair_without_replacement(asked, one_per_person=True)
    assert list(pairing.set_size) == [0, 1]
    good = replace(
        claim(rows(), pair_without_replacement(rows()), one_per_person=True),
        score=asked.score, focal=asked.focal, eligible=asked.eligible, rows=pairing.focal,
        indptr=pairing.indptr, partner=pairing.partner, share=pairing.share, cell=None,
        weight=pairing_weights(pairing, 5), person=asked.person, anti=asked.anti,
        covariate=asked.covariate, width=asked.width,
    )  # fmt: skip
    assert found(certify_pairs(good)) == {}
    # The same sets where people may enter through every row: row 0 was passed over.
    assert found(certify_pairs(replace(good, one_per_person=False)))


def test_a_nearer_partner_passed_over_is_found(greedy, nearest):
    # Without replacement: the partner taken is farther than one that nobody used.
    name = "no unused partner is nearer than the one taken"
    owners = np.repeat(np.arange(len(greedy.rows)), np.diff(greedy.indptr))
    place, row = next(
        (place, options[-1])
        for place, owner in enumerate(owners)
        if len(options := candidates(greedy, owner))
    )
    assert found(certify_pairs(with_partner(greedy, place, row))) == {name: 1}
    # With replacement, by counting: swap one for a farther one of the same cell.
    gap = np.abs(nearest.score[:, None] - nearest.score[nearest.rows][None, :])
    for owner in np.flatnonzero(np.diff(nearest.indptr) == 2):
        row = nearest.rows[owner]
        others = np.flatnonzero(
            ~nearest.focal
            & (nearest.cell == nearest.cell[row])
            & (gap[:, owner] <= nearest.caliper)
            & ~np.isin(np.arange(N), nearest.partner[nearest.indptr[owner] :][:2])
        )
        if len(others):
            bad = with_partner(nearest, nearest.indptr[owner], others[0])
            assert found(certify_pairs(bad)) == {"no nearer partner exists": 1}
            break
    else:
        pytest.fail("no set could be worsened")


@pytest.mark.parametrize("replace_", [True, False])
@pytest.mark.parametrize("ruled", [True, False])
def test_somebody_left_without_a_partner_in_reach_is_found(replace_, ruled):
    asked = rows(**({} if ruled else PLAIN))
    make = pair_with_replacement if replace_ else pair_without_replacement
    good = claim(asked, make(asked), replace=replace_)
    size = np.diff(good.indptr)
    owner = int(np.flatnonzero(size)[0])
    kept = np.arange(len(good.partner)) != good.indptr[owner]
    size[owner] = 0
    bad = repaired(
        replace(
            good, partner=good.partner[kept], share=good.share[kept],
            indptr=np.concatenate([[0], np.cumsum(size)]),
        )
    )  # fmt: skip
    seen = found(certify_pairs(bad))
    assert sum(seen.values()) >= 1
    assert set(seen) <= {
        "no nearer partner exists", "no unused partner is nearer than the one taken"
    }  # fmt: skip


def test_mahalanobis_distance_decides_who_is_nearer():
    rng = np.random.default_rng(2)
    asked = rows(**PLAIN, mahalanobis=rng.normal(size=(2, N)))
    good = claim(asked, pair_with_replacement(asked), replace=True)
    assert found(certify_pairs(good)) == {}
    by_score = claim(asked, pair_with_replacement(replace(asked, position=None)), replace=True)
    assert found(certify_pairs(by_score))["no nearer partner exists"] > 5


def test_sets_that_are_too_large_are_found(nearest):
    name = "at most the wanted number"
    large = int(np.count_nonzero(np.diff(nearest.indptr) == 2))
    assert found(certify_pairs(replace(nearest, ratio=1)))[name] == large
    tied = problem([0.0, 1.0, -1.0, 2.0], [True, False, False, False])
    pairing = pair_with_replacement(tied, ties_all=True)
    assert len(pairing.partner) == 2
    good = replace(
        nearest, score=tied.score, focal=tied.focal, eligible=tied.eligible, rows=pairing.focal,
        indptr=pairing.indptr, partner=pairing.partner, share=pairing.share, ratio=1, cell=None,
        weight=pairing_weights(pairing, 4), caliper=np.inf,
    )  # fmt: skip
    assert found(certify_pairs(good)) == {}


def test_wrong_weights_are_found(nearest):
    share = nearest.share.copy()
    share[0] += 0.01
    assert "shares of a set sum to 1" in found(certify_pairs(replace(nearest, share=share)))
    for row, name in (
        (nearest.partner[0], "weights sum to the number matched"),
        (nearest.rows[np.diff(nearest.indptr) > 0][0], "every weight is the sum of its shares"),
    ):
        weight = nearest.weight.copy()
        weight[row] += 0.01
        seen = found(certify_pairs(replace(nearest, weight=weight)))
        assert seen[name] == 1
        assert seen["every weight is the sum of its shares"] == 1


# ------------------------------------------------------------------------------------ windows
@pytest.fixture
def windowed():
    asked = rows(**PLAIN)
    windows = match_within_radius(asked)
    return {
        "score": asked.score,
        "focal": asked.focal,
        "cell": asked.cell,
        "rows": windows.focal,
        "low": windows.low,
        "high": windows.high,
        "pool": windows.pool,
        "weight": window_weights(windows),
        "matched": windows.total > 0,
        "caliper": asked.caliper,
    }


LEFT_OUT = "nobody inside the caliper left out"


def test_sound_windows_have_no_violation(windowed):
    sealed = certify_windows(**windowed)
    assert found(sealed) == {}
    assert sealed.pairs_checked == int((windowed["high"] - windowed["low"]).sum()) > 20


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda w: {"caliper": 0.3}, "inside the caliper"),
        (lambda w: {"caliper": 2.0}, LEFT_OUT),
        (lambda w: {"cell": None}, "pool in order"),
        (lambda w: {"cell": w["cell"][::-1]}, "equal on exact columns"),
        (lambda w: {"focal": ~w["focal"]}, "one of each group"),
        (lambda w: {"weight": w["weight"] - 0.5 * (w["weight"] == 0)}, "no negative weight"),
        (lambda w: {"weight": w["weight"] * 1.01}, "weights sum to the number matched"),
        (lambda w: {"low": np.maximum(w["low"] - 1, 0)}, "inside the caliper"),
        (lambda w: {"high": np.minimum(w["high"] + 1, len(w["pool"]))}, "inside the caliper"),
        (lambda w: {"low": w["low"] + (w["high"] > w["low"])}, LEFT_OUT),
        (lambda w: {"high": w["high"] - (w["high"] > w["low"])}, LEFT_OUT),
    ],
)  # fmt: skip
def test_wrong_windows_are_found(windowed, change, check):
    assert found(certify_windows(**{**windowed, **change(windowed)}))[check] >= 1


@pytest.mark.parametrize("side", ["low", "high"])
def test_every_window_that_is_one_too_wide_is_found(windowed, side):
    low, high, pool = windowed["low"], windowed["high"], windowed["pool"]
    wide = low > 0 if side == "low" else high < len(pool)
    changed = {"low": low - wide} if side == "low" else {"high": high + wide}
    seen = found(certify_windows(**{**windowed, **changed}))
    # The row beyond the window is too far, or in another cell, or both.
    both = seen["inside the caliper"] + seen.get("equal on exact columns", 0)
    assert both >= np.count_nonzero(wide)


@pytest.mark.parametrize("side", ["low", "high"])
def test_every_window_that_is_one_too_narrow_is_found(windowed, side):
    some = windowed["high"] > windowed["low"]
    changed = {side: windowed[side] + (some if side == "low" else -1 * some)}
    seen = found(certify_windows(**{**windowed, **changed}))
    assert seen[LEFT_OUT] == np.count_nonzero(some)


def test_a_partner_exactly_at_the_caliper_is_inside():
    asked = problem([0.0, 0.5, -0.5, 0.75], [True, False, False, False], caliper=0.5)
    windows = match_within_radius(asked)
    sealed = certify_windows(
        asked.score, asked.focal, None, windows.focal, windows.low, windows.high, windows.pool,
        window_weights(windows), windows.total > 0, 0.5,
    )  # fmt: skip
    assert sealed.pairs_checked == 2
    assert found(sealed) == {}
