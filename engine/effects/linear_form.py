"""One number for each row: the linear form of a matched estimate, and the variance it gives.

To first order an estimate differs from the truth by the mean of ``phi`` over the matched focal
people. The same array holds the noise of the match, the repeated use of partners and the effect of
having estimated the score, so one sum of squares is the variance of every design, and sums over a
person's rows serve repeated people.

References
----------
Abadie and Imbens (2006), Econometrica 74, 235-267; (2016), Econometrica 84, 781-807, proposition
2: for a logit and a balancing score the two corrections for the estimated score differ by one
vector, the mean local covariance of columns and outcome, which the comparison people around the
matched give.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.effects.neighbourhoods import Neighbourhoods
from engine.effects.sample import MatchedSample
from engine.effects.some_rows import gradient_of_rows
from kernels.blocks import total, total_product
from kernels.cholesky import factor, solve
from kernels.logistic import linear_predictors
from kernels.neighbours import add_local_residuals, local_moments

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LinearForm:
    """Linear form of one estimate.

    Attributes
    ----------
    phi : float64, shape (n,)
        In canonical row order; the mean over the N matched focal rows is the error.
    variance : float
        Sum of squares over people, over N^2.
    n_focal : int
    people : int
        Focal people; equals ``n_focal`` where nobody is there twice.
    repeated : bool
        Whether anybody has more than one row.
    largest_share : float
        Largest share of one person in the sum of squares.
    shrinkage : float
        Factor on the focal residuals that takes out the noise of the local means.
    set_variance : float
        The variance of a mean of independent sets.
    neighbour_variance : float
        The population form with local variances, score taken as known; nan without squared shares.
    adjusted_variance : float
        The same with the closed-form correction for the estimated score; a check on ``variance``,
        nan where it was not asked for.
    """

    phi: Floats
    variance: float
    n_focal: int
    people: int
    repeated: bool
    largest_share: float
    shrinkage: float
    set_variance: float
    neighbour_variance: float
    adjusted_variance: float


def _sum_of_squares(values: Floats) -> float:
    return float(total_product(values, values))


def _local(
    values: Floats, found: NDArray[np.int64], count: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    mean, variance = np.empty(len(count)), np.empty(len(count))
    local_moments(values, found, count, mean, variance)
    return mean, variance


@dataclass(frozen=True)
class LocalPieces:
    """What the linear forms of one outcome share, whatever the measure.

    Attributes
    ----------
    values : float64, shape (n,)
    focal_mean, focal_variance : float64, shape (N,)
        Of the outcome around each focal row.
    partner_mean : float64, shape (m,)
        Around each partner, without it.
    set_mean : float64, shape (N,)
        Share-weighted mean of each focal row's partners.
    g : float64, shape (p,), or None
        Mean local covariance of columns and outcome; None where no score was fitted.
    direction : float64, shape (n,), or None
        N h of every row, h = x' I^-1 g.
    """

    values: Floats
    focal_mean: Floats
    focal_variance: Floats
    partner_mean: Floats
    set_mean: Floats
    g: Floats | None
    direction: Floats | None = None


def local_pieces(
    questions: Sequence[tuple[MatchedSample, Neighbourhoods, Floats]],
) -> list[LocalPieces]:
    """Return what the linear forms of outcomes share, for each outcome of each match.

    Parameters
    ----------
    questions : sequence of tuple
        A match, its neighbours, and the outcome of every row that takes part. All matches are made
        on one score.

    Returns
    -------
    list of LocalPieces

    Notes
    -----
    g is the sum over the few rows that are around a focal row. h is wanted of every row: one pass
    over the columns makes that of twelve outcomes.
    """
    found = [_around(*question) for question in questions]
    model = questions[0][0].model if questions else None
    if model is None:
        return found
    slopes = np.array(
        [
            len(own.focal) * _solve(own, piece.g)
            for (own, _, _), piece in zip(questions, found, strict=True)
            if piece.g is not None
        ]
    )
    everywhere = linear_predictors(model.columns, slopes)
    return [replace(piece, direction=h) for piece, h in zip(found, everywhere, strict=True)]


def _around(sample: MatchedSample, near: Neighbourhoods, values: Floats) -> LocalPieces:
    """Return the pieces that the neighbours give."""
    around, beside = near.around_focal, near.around_partner
    own = values[near.rows]
    focal_mean, focal_variance = _local(own, near.place, around.count)
    partner_mean, _ = _local(values, beside.found, beside.count)
    g = None
    if sample.model is not None:
        residual = np.zeros(len(own))
        add_local_residuals(own, near.place, around.count, focal_mean, residual)
        g = gradient_of_rows(sample.model.columns, near.rows, residual) / len(sample.focal)
    return LocalPieces(
        values, focal_mean, focal_variance, partner_mean, sample.set_means(values), g
    )


def _solve(sample: MatchedSample, b: Floats) -> Floats:
    assert sample.model is not None
    lower = np.empty_like(sample.model.information)
    usable = sample.model.active.copy()
    factor(sample.model.information, lower, usable, 0.0)
    x = np.empty(len(b))
    solve(lower, usable, b, x)
    return x


def linear_form(
    sample: MatchedSample,
    near: Neighbourhoods,
    pieces: LocalPieces,
    *,
    shrink: bool = True,
    focal_factor: float = 1.0,
    partner_factor: float = 1.0,
    closed_form: bool = False,
) -> LinearForm:
    """Return the linear form of ``focal_factor * focal mean - partner_factor * partner mean``.

    Parameters
    ----------
    sample : MatchedSample
    near : Neighbourhoods
    pieces : LocalPieces
        Of the outcome.
    shrink : bool
        Take the noise of local means out of the focal residuals. Not for counts, whose mean and
        variance move together: there the intervals of small groups would be too short.
    focal_factor, partner_factor : float
        1 and 1 for a difference; derivatives at the two means for a ratio measure.
    closed_form : bool
        Whether to work out ``adjusted_variance`` too, a pass over all columns; nan otherwise.

    Returns
    -------
    LinearForm

    Notes
    -----
    Matched focal i: sqrt(N / (N - 1)) * (lambda u_i - N h_i (1 - F_i)) with u_i the outcome less
    the mean over 10 neighbours, centred; partner j: -K_j e_j + N h_j F_j with
    e_j = sqrt(J / (J + 1)) (y_j - mean over its J = 4 neighbours); everybody else who was fitted:
    the term in h alone. h = x' I^-1 g, g the mean local covariance of columns and outcome; h = 0
    where the score was given and not fitted. O(n).
    """
    focal, partners, values = sample.focal, sample.partners, pieces.values
    n_focal = len(focal)
    u = focal_factor * values[focal] - partner_factor * pieces.focal_mean
    u -= float(total(u)) / n_focal
    spread = _sum_of_squares(u)
    noise = partner_factor**2 * float(total(pieces.focal_variance / near.around_focal.count))
    shrinkage = float(np.sqrt(max(1.0 - noise / spread, 0.25))) if shrink and spread > 0.0 else 1.0
    raw = partner_factor * (values[partners] - pieces.partner_mean)
    j = near.around_partner.count
    residual = np.sqrt(j / (j + 1.0)) * raw
    weight = sample.weight[partners]

    if pieces.direction is None or sample.score_residual is None:
        phi = np.zeros(sample.n_rows)
    else:
        phi = pieces.direction * sample.score_residual
        if partner_factor != 1.0:
            phi *= partner_factor
    phi[focal] += shrinkage * u
    phi[focal] *= np.sqrt(n_focal / (n_focal - 1.0))
    phi[partners] -= weight * residual

    effect = focal_factor * values[focal] - partner_factor * pieces.set_mean
    effect -= float(total(effect)) / n_focal
    set_variance = _sum_of_squares(effect) / (n_focal - 1.0) / n_focal
    neighbour_variance = adjusted = float("nan")
    if sample.squared_share is not None:
        reuse = weight * weight - sample.squared_share[partners]
        neighbour_variance = (
            set_variance + float(total_product(reuse, residual * residual)) / n_focal**2
        )
        adjusted = neighbour_variance if closed_form else float("nan")
        if closed_form and pieces.g is not None:
            adjusted = _adjusted(
                sample, partner_factor * pieces.g, effect, weight * raw, neighbour_variance
            )
    variance, people, repeated, largest = _variance(sample, phi)
    return LinearForm(
        phi, variance, n_focal, people, repeated, largest, shrinkage,
        set_variance, neighbour_variance, adjusted,
    )  # fmt: skip


def _adjusted(
    sample: MatchedSample,
    g: Floats,
    effect: Floats,
    partner_terms: Floats,
    variance: float,
) -> float:
    """Return variance - 2 g' I^-1 c + g' I^-1 g, not below 5 % of it."""
    assert sample.model is not None
    rows = np.concatenate([sample.focal, sample.partners])
    own = np.concatenate(
        [
            (1.0 - sample.focal_probability(sample.focal)) * effect,
            sample.focal_probability(sample.partners) * partner_terms,
        ]
    )
    order = np.argsort(rows, kind="stable")
    c = gradient_of_rows(sample.model.columns, rows[order], own[order]) / len(sample.focal)
    direction = _solve(sample, g)
    adjusted = (
        variance - 2.0 * float(total_product(direction, c)) + float(total_product(direction, g))
    )
    return max(adjusted, 0.05 * variance)


def person_sums(sample: MatchedSample, phi: Floats) -> Floats:
    """Return the linear form summed over each person's rows, in the order of person numbers."""
    if sample.person is None:
        return phi
    return np.bincount(sample.person, weights=phi).astype(np.float64)


def _variance(sample: MatchedSample, phi: Floats) -> tuple[float, int, bool, float]:
    n_focal = len(sample.focal)
    sums = phi
    people = n_focal
    repeated = False
    if sample.person is not None:
        sums = person_sums(sample, phi)
        people = len(np.unique(sample.person[sample.focal]))
        repeated = sample.has_repeated_people
    squares = _sum_of_squares(sums)
    variance = squares / n_focal**2
    if repeated and people > 1:
        variance *= people / (people - 1.0)
    widest = max(float(sums.max()), -float(sums.min()))
    largest = widest * widest / squares if squares > 0.0 else 0.0
    return variance, people, repeated, largest
