"""phi by hand, its invariances, and its algebra on large samples."""

import numpy as np
import pytest

from tests.reference.closed_forms import (
    abadie_imbens,
    adjusted,
    score_covariance,
    set_clustered,
)
from tests.reference.cohorts import (
    continuous_cohort,
    fit_logistic,
    greedy_pairs,
    nearest_with_replacement,
    within_radius,
)
from tests.reference.linear_form import (
    largest_person_share,
    linear_form,
    person_sums,
    sets_from_arrays,
    use_of_partners,
    variance,
)
from tests.reference.neighbours import nearest_rows, neighbour_lists

# Two matched treated (rows 0 and 1), four comparison rows (2 to 5), a treated row that was dropped.
ETA = np.array([0.0, 1.0, 0.1, 0.3, 0.9, 1.4, 5.0])
TREATED = np.array([True, True, False, False, False, False, True])
Y = np.array([1.0, 7.0, 2.0, 0.0, 1.0, 5.0, 9.0])
X = np.array([[1, 2], [1, 0], [1, 1], [1, 2], [1, 0], [1, 1], [1, 4]], dtype=float)
HALF = np.full(7, 0.5)
INFORMATION = np.diag([8.0, 4.0])
SETS = sets_from_arrays(
    np.array([0, 1]), np.array([0, 1, 3]), np.array([2, 4, 5]), np.array([1, 0.5, 0.5])
)


def small_form(**options):
    return linear_form(ETA, HALF, X, INFORMATION, TREATED, Y, SETS, J=1, J_G=2, **options)


def test_every_piece_of_a_form_that_was_worked_out_by_hand():
    form = small_form()

    assert form.estimate == 1.5
    assert form.tau.tolist() == [-1, 4]
    assert form.K.tolist() == [0, 0, 1, 0, 0.5, 0.5, 0]
    assert form.Q.tolist() == [0, 0, 1, 0, 0.25, 0.25, 0]
    assert form.effective_partners == pytest.approx(4 / 1.5)
    # near row 0: rows 2 and 3, mean 1, variance 2; near row 1: rows 4 and 5, mean 3, variance 8
    assert form.local_mean.tolist() == [1, 3]
    assert form.local_variance.tolist() == [2, 8]
    # u = (0, 4), centred (-2, 2): lambda^2 = 1 - (2/2 + 8/2) / 8
    assert form.shrinkage == pytest.approx(np.sqrt(3 / 8))
    # g = ([0, -1] + [0, 2]) / 2
    assert form.gradient == pytest.approx([0, 0.5])
    assert form.direction == pytest.approx([0, 0.125])
    # nearest own neighbours: 2 and 3, 4 and 5, 5 and 4
    assert form.leave_out == pytest.approx([0, 0, 2, 0, -4, 4, 0])
    root = np.sqrt(2)
    assert form.phi == pytest.approx(
        [-np.sqrt(3) - root / 4, np.sqrt(3), -root + 1 / 8, 1 / 4, root, -root + 1 / 8, -1 / 2]
    )


def test_closed_forms_that_were_worked_out_by_hand():
    form = small_form()

    assert abadie_imbens(form) == pytest.approx(25 / 4)  # nobody is used twice
    assert set_clustered(Y, SETS) == pytest.approx(25 / 4)
    assert score_covariance(form, X) == pytest.approx([0.5, -0.25])
    value, floored = adjusted(form, X, INFORMATION)
    assert value == pytest.approx(25 / 4 + 1 / 16 + 1 / 16)
    assert not floored


def test_dropped_rows_may_be_left_out_and_rows_outside_the_fit_have_no_score_term():
    assert small_form(dropped="zero").phi[6] == 0
    fitted = np.ones(7, dtype=bool)
    fitted[[3, 6]] = False
    phi = small_form(fitted=fitted).phi

    assert phi[3] == 0
    assert phi[6] == 0
    assert phi[2] == small_form().phi[2]


def test_a_given_score_has_no_score_term():
    form = linear_form(ETA, HALF, None, None, TREATED, Y, SETS, J=1, J_G=2)

    assert form.phi == pytest.approx(
        [-np.sqrt(3), np.sqrt(3), -np.sqrt(2), 0, np.sqrt(2), -np.sqrt(2), 0]
    )


def test_without_shrinkage_the_noise_of_the_local_means_stays():
    assert small_form(shrinkage=1.0).phi[1] == pytest.approx(2 * np.sqrt(2))


def test_the_floor_of_the_shrinkage_is_one_half():
    y = Y.copy()
    y[1] = 3.0  # u = (0, 0): no spread at all between the treated
    assert linear_form(ETA, HALF, X, INFORMATION, TREATED, y, SETS, J=1, J_G=2).shrinkage == 1.0
    y[1] = 3.5
    assert linear_form(ETA, HALF, X, INFORMATION, TREATED, y, SETS, J=1, J_G=2).shrinkage == 0.5


def test_neighbours_skip_the_row_itself_other_cells_and_the_own_person():
    eta = np.array([0.0, 0.1, -0.1, 0.3, 0.0, 0.2])
    pool = np.array([1, 2, 3, 4, 5])
    cell = np.array(["a", "a", "a", "b", "a", "a"])
    person = np.array([1, 2, 3, 4, 5, 1])

    assert nearest_rows(0, eta, pool, 3).tolist() == [4, 1, 2]  # the tie goes to the smaller row
    assert nearest_rows(4, eta, pool, 2).tolist() == [1, 2]
    assert nearest_rows(3, eta, pool, 2, cell).tolist() == []
    assert nearest_rows(0, eta, pool, 9, cell, person).tolist() == [4, 1, 2]
    lists, fallbacks = neighbour_lists([0, 3], eta, pool, 2, 2, cell, person)
    assert fallbacks == 1
    assert lists[3].tolist() == [5, 1]


def test_lonely_cells_are_left_and_counted():
    cell = np.array(["a", "b", "a", "b", "b", "b", "a"])
    form = small_form(cell=cell, dropped="zero")
    plain = small_form(dropped="zero")

    # row 2 is alone in its cell: row 0 near it and row 2 itself look at all cells
    assert (form.fallbacks_focal, form.fallbacks_partner) == (1, 1)
    assert form.local_mean.tolist() == plain.local_mean.tolist()
    assert form.leave_out == pytest.approx(plain.leave_out)


def test_rows_of_the_own_person_are_no_neighbours():
    person = np.array([0, 1, 2, 2, 3, 4, 5])
    form = small_form(person=person)

    # row 2 may not look at row 3, its own: the next is row 4
    assert form.leave_out[2] == 2.0 - 1.0
    person[0] = 2
    assert small_form(person=person).local_mean[0] == pytest.approx((1 + 5) / 2)


def test_person_sums_and_their_factor_by_hand():
    phi = np.array([1.0, 2.0, -4.0, 0.5])
    person = np.array(["b", "a", "b", "c"])

    assert person_sums(phi, person)[1].tolist() == [2, -3, 0.5]
    total = 4 + 9 + 0.25
    assert variance(phi, 2) == pytest.approx((1 + 4 + 16 + 0.25) / 4)
    assert variance(phi, 2, person, focal_persons=3) == pytest.approx(1.5 * total / 4)
    assert variance(phi, 2, np.arange(4), focal_persons=3) == variance(phi, 2)
    assert largest_person_share(phi, person) == pytest.approx(9 / total)


# ------------------------------------------------------------------------------------- cohorts


def matched_cohort(seed, design="nearest", n_treated=60, n_pool=240, varying=True, p=4):
    cohort = continuous_cohort(np.random.default_rng(seed), n_treated, n_pool, p, varying=varying)
    fit = fit_logistic(cohort.X, cohort.treated)
    focal, pool = np.flatnonzero(cohort.treated), np.flatnonzero(~cohort.treated)
    if design == "radius":
        sets = within_radius(fit.eta, focal, pool, 0.1)
    elif design == "greedy":
        sets = greedy_pairs(fit.eta, focal, pool)
    else:
        sets = nearest_with_replacement(fit.eta, focal, pool, 3 if design == "three" else 1)
    return cohort, fit, sets


def form_of(cohort, fit, sets, y=None, X=None, information=None, **options):
    return linear_form(
        fit.eta,
        fit.F,
        cohort.X if X is None else X,
        fit.information if information is None else information,
        cohort.treated,
        cohort.y if y is None else y,
        sets,
        **options,
    )


DESIGNS = ["nearest", "three", "radius", "greedy"]


@pytest.mark.parametrize("design", DESIGNS)
def test_a_new_scale_of_the_outcome_scales_phi_and_a_shift_changes_nothing(design):
    cohort, fit, sets = matched_cohort(3, design)
    form = form_of(cohort, fit, sets)
    other = form_of(cohort, fit, sets, y=5 - 2 * cohort.y)

    assert other.phi == pytest.approx(-2 * form.phi, abs=1e-11)
    assert other.shrinkage == pytest.approx(form.shrinkage)


@pytest.mark.parametrize("design", DESIGNS)
def test_recoding_the_columns_of_the_model_changes_nothing(design):
    cohort, fit, sets = matched_cohort(4, design)
    A = np.random.default_rng(1).standard_normal((5, 5))
    other = form_of(cohort, fit, sets, X=cohort.X @ A, information=A.T @ fit.information @ A)

    assert other.phi == pytest.approx(form_of(cohort, fit, sets).phi, abs=1e-9)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_atc_is_the_att_of_the_arms_swapped(design):
    cohort, fit, sets = matched_cohort(5, design)
    form = form_of(cohort, fit, sets)
    other = linear_form(
        -fit.eta,
        1 - fit.F,
        cohort.X,
        fit.information,
        ~cohort.treated,
        cohort.y,
        sets,
        estimand="atc",
    )

    assert other.estimate == -form.estimate
    assert other.phi == pytest.approx(-form.phi, abs=1e-12)


def test_order_of_rows_changes_nothing():
    cohort, fit, sets = matched_cohort(6, "three")
    order = np.random.default_rng(2).permutation(len(cohort.y))
    place = np.argsort(order)
    moved = [(int(place[i]), place[p], s) for i, p, s in sets]
    other = linear_form(
        fit.eta[order],
        fit.F[order],
        cohort.X[order],
        fit.information,
        cohort.treated[order],
        cohort.y[order],
        moved,
    )

    assert other.phi == pytest.approx(form_of(cohort, fit, sets).phi[order], abs=1e-12)


def test_a_constant_outcome_has_no_variance():
    cohort, fit, sets = matched_cohort(7)
    form = form_of(cohort, fit, sets, y=np.full(len(cohort.y), 3.0))

    assert variance(form.phi, form.n_focal) == 0


def test_parts_of_the_arms_add_up_to_phi():
    cohort, fit, sets = matched_cohort(8, "three")
    form = form_of(cohort, fit, sets, shrinkage=1.0)
    parts = form.contrast(1.0, 0.0, 1.0) + form.contrast(0.0, 1.0, 1.0)

    assert parts == pytest.approx(form.phi, abs=1e-12)
    # the focal part is the plain error of the focal mean: N / (N - 1) * sum (y - mean)^2 / N^2
    own = cohort.y[form.focal]
    assert variance(form.contrast(1.0, 0.0), form.n_focal) == pytest.approx(
        own.var(ddof=1) / len(own)
    )


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("varying", [False, True])
def test_phi_and_the_closed_form_agree_on_a_large_sample(design, varying):
    cohort, fit, sets = matched_cohort(9, design, 500, 2000, varying, 6)
    form = form_of(cohort, fit, sets)
    V = variance(form.phi, form.n_focal)
    V_adj, floored = adjusted(form, cohort.X, fit.information)

    assert not floored
    # sqrt(J / (J + 1)) and lambda also damp the covariance with the score, so phi lies above
    assert 0.97 < V / V_adj < 1.15
    # without the correction the two would be far apart, in either direction
    assert abadie_imbens(form) / V_adj < 0.9 if varying else abadie_imbens(form) / V_adj > 1.3


@pytest.mark.parametrize("varying", [False, True])
def test_c_minus_d_is_g_in_expectation(varying):
    gaps, sizes = [], []
    for seed in range(80):
        cohort, fit, sets = matched_cohort([10, seed], "nearest", 100, 400, varying)
        form = form_of(cohort, fit, sets)
        f = fit.F * (1 - fit.F)
        # d: derivative of the effect on the treated, E[F effect(x)] / E[F], by the coefficients
        d = (cohort.X * (f * (cohort.effects - cohort.truth))[:, None]).sum(axis=0) / 100
        gaps.append(score_covariance(form, cohort.X) - d - form.gradient)
        sizes.append(form.gradient)
    error = np.std(gaps, axis=0, ddof=1) / np.sqrt(len(gaps))

    assert np.all(np.abs(np.mean(gaps, axis=0)) < 4 * error + 0.01)
    # g itself is b, the prognosis: +-1/2 in four columns
    assert np.mean(sizes, axis=0) == pytest.approx([0, 0.5, -0.5, 0.5, -0.5], abs=0.06)


def test_use_counts_every_share():
    K, Q = use_of_partners(SETS, 7)
    assert K.sum() == 2
    assert Q.sum() == 1.5
