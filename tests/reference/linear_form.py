"""phi: one number a row whose sum over N is the error of the matched estimate.

inference.md, sections 2.2 (with a fitted score), 4 (radius and kernel: the same), 8 (persons).
"""

from dataclasses import dataclass, replace

import numpy as np

from tests.reference.neighbours import neighbour_lists


def sets_from_arrays(focal, indptr, partner, share):
    """Sets as a list from the compressed form: partners of set s stand at indptr[s]:indptr[s+1]."""
    return [
        (int(f), partner[indptr[s] : indptr[s + 1]], share[indptr[s] : indptr[s + 1]])
        for s, f in enumerate(focal)
    ]


def equal_shares(pairs):
    """Sets from a list of (focal row, partner rows), each partner with the same share."""
    return [
        (int(f), np.asarray(p, dtype=np.int64), np.full(len(p), 1.0 / len(p))) for f, p in pairs
    ]


def use_of_partners(sets, n):
    """K_j = sum of shares and Q_j = sum of squared shares of every row (0 for unused rows)."""
    K = np.zeros(n)
    Q = np.zeros(n)
    for _, partners, shares in sets:
        for j, s in zip(partners, shares, strict=True):
            K[j] += s
            Q[j] += s * s
    return K, Q


def set_differences(y, sets):
    """tau_i = y_i - sum_j s_ij y_j of every set, focal minus partners."""
    return np.array([y[i] - np.dot(shares, y[partners]) for i, partners, shares in sets])


@dataclass(frozen=True)
class LinearForm:
    """Everything that enters phi, in focal-minus-partner sign unless said otherwise.

    Attributes
    ----------
    phi : ndarray (n,)
        The linear form of the effect, treated minus comparison for either estimand.
    estimate : float
        The effect, treated minus comparison.
    sign : int
        +1 for the ATT, -1 for the ATC: `phi` = sign * contrast(1, 1).
    focal, n_focal : ndarray (N,), int
        Matched focal rows in the order of the sets; their number N.
    tau : ndarray (N,)
        Focal outcome minus share-weighted partner mean.
    K, Q : ndarray (n,)
        Summed shares and squared shares.
    effective_partners : float
        N^2 / sum K^2.
    local_mean, local_variance, local_size : ndarray (N,)
        Of the partners' arm near every focal row.
    leave_out : ndarray (n,)
        y_j minus the mean over its own neighbours, for rows with K > 0 (0 elsewhere).
    residual : ndarray (n,)
        e_j = sqrt(m / (m + 1)) * leave_out, m the neighbours found.
    gradient, direction : ndarray (p,)
        g, and a = I^-1 g (zero if the score was given).
    h : ndarray (n,)
        a'x_r, zero for rows that were not fitted.
    focal_probability : ndarray (n,)
        Probability of belonging to the focal arm.
    shrinkage : float
        lambda of the difference.
    fallbacks_focal, fallbacks_partner : int
        Neighbour lists that had to leave their exact cell.
    dropped : ndarray
        Focal rows without a set.
    """

    phi: np.ndarray
    estimate: float
    sign: int
    focal: np.ndarray
    n_focal: int
    tau: np.ndarray
    y: np.ndarray
    K: np.ndarray
    Q: np.ndarray
    effective_partners: float
    local_mean: np.ndarray
    local_variance: np.ndarray
    local_size: np.ndarray
    leave_out: np.ndarray
    residual: np.ndarray
    gradient: np.ndarray
    direction: np.ndarray
    h: np.ndarray
    focal_probability: np.ndarray
    shrinkage: float
    fallbacks_focal: int
    fallbacks_partner: int
    dropped: np.ndarray

    def shrinkage_of(self, a_focal=1.0, a_partner=1.0):
        """lambda for a_focal * (focal mean) - a_partner * (partner mean)."""
        u = self._focal_residual(a_focal, a_partner)
        total = np.sum(u**2)
        if total == 0:
            return 1.0
        noise = a_partner**2 * np.sum(self.local_variance / self.local_size)
        return float(np.sqrt(max(1 - noise / total, 0.25)))

    def _focal_residual(self, a_focal, a_partner):
        u = a_focal * self.y[self.focal] - a_partner * self.local_mean
        return u - u.mean()

    def contrast(self, a_focal=1.0, a_partner=1.0, shrinkage=None):
        """phi of a_focal * (focal mean) - a_partner * (partner mean), focal minus partners.

        `shrinkage` = None takes lambda of this very contrast; 1.0 leaves the noise in.
        """
        N = self.n_focal
        if shrinkage is None:
            shrinkage = self.shrinkage_of(a_focal, a_partner)
        u = self._focal_residual(a_focal, a_partner)
        F = self.focal_probability
        h = a_partner * self.h
        phi = -a_partner * self.K * self.residual + N * h * F
        phi[self.focal] = np.sqrt(N / (N - 1)) * (
            shrinkage * u - N * h[self.focal] * (1 - F[self.focal])
        )
        phi[self.dropped] = -N * h[self.dropped] * (1 - F[self.dropped])
        return phi


def linear_form(
    eta,
    F,
    X,
    information,
    treated,
    y,
    sets,
    *,
    estimand="att",
    cell=None,
    person=None,
    J=4,
    J_G=10,
    shrinkage=None,
    dropped="score",
    fitted=None,
    eligible=None,
    least=(2, 1),
    near_focal=None,
    near_partner=None,
):
    """phi and its pieces for one outcome.

    Parameters
    ----------
    eta, F : ndarray (n,)
        Logit score and probability of treatment.
    X : ndarray (n, p) or None
        Model matrix with its intercept.
    information : ndarray (p, p) or None
        I = sum over fitted rows of F (1 - F) x x'. None: the score was given, h = 0.
    treated : ndarray (n,) of bool
    y : ndarray (n,)
    sets : list of (int, ndarray, ndarray)
        Matched focal row, its partners, their shares.
    estimand : {'att', 'atc'}
    cell, person : ndarray (n,) or None
        Exact cell and person of every row.
    J, J_G : int
        Neighbours of a partner within its arm; partners' rows near a focal row.
    shrinkage : float or None
        lambda. None: by the formula. Counts: 1.0.
    dropped : {'score', 'zero'}
        phi of focal rows without a set: -N h (1 - F), or 0.
    fitted, eligible : ndarray (n,) of bool or None
        Rows of the fit (only they carry the score term); rows that may be neighbours.
    least : (int, int)
        Fewest neighbours, near a focal row and of a partner, before the cell is left: two for a
        variance, one for a residual.
    near_focal, near_partner : dict or None
        Neighbour lists by row, instead of the search (for other tie rules).
    """
    n = len(y)
    y = np.asarray(y, dtype=float)
    sign = 1 if estimand == "att" else -1
    in_focal = treated if estimand == "att" else ~treated
    # For the ATC the arms change places: probability and score of the other label.
    probability = F if estimand == "att" else 1 - F
    pool = ~in_focal if eligible is None else ~in_focal & eligible
    pool = np.flatnonzero(pool)

    focal = np.array([i for i, _, _ in sets], dtype=np.int64)
    N = len(focal)
    K, Q = use_of_partners(sets, n)
    tau = set_differences(y, sets)

    # 1. local means of the partners' arm near every focal row
    fallbacks_focal = 0
    if near_focal is None:
        near_focal, fallbacks_focal = neighbour_lists(focal, eta, pool, J_G, least[0], cell, person)
    local_mean = np.array([y[near_focal[i]].mean() for i in focal])
    local_variance = np.array([y[near_focal[i]].var(ddof=1) for i in focal])
    local_size = np.array([len(near_focal[i]) for i in focal])

    # 2. g, the mean local covariance of the model's columns with the outcome
    p = 0 if information is None else X.shape[1]
    gradient = np.zeros(p)
    direction = np.zeros(p)
    h = np.zeros(n)
    if information is not None:
        for i, mean in zip(focal, local_mean, strict=True):
            near = near_focal[i]
            for j in near:
                gradient += X[j] * (y[j] - mean) / (len(near) - 1)
        gradient /= N
        # 3. a = I^-1 g and its linear predictor. For the ATC the model of the other label has
        # coefficients -theta: its score is -x (W - F), so h keeps its sign with 1 - F for F.
        direction = np.linalg.solve(information, gradient)
        h = X @ direction
        if fitted is not None:
            h = np.where(fitted, h, 0.0)

    # 5. residuals of the used partners within their own arm
    used = np.flatnonzero(K > 0)
    fallbacks_partner = 0
    if near_partner is None:
        near_partner, fallbacks_partner = neighbour_lists(
            used, eta, pool, J, least[1], cell, person
        )
    leave_out = np.zeros(n)
    residual = np.zeros(n)
    for j in used:
        m = len(near_partner[j])
        leave_out[j] = y[j] - y[near_partner[j]].mean()
        residual[j] = np.sqrt(m / (m + 1)) * leave_out[j]

    unmatched = in_focal.copy()
    unmatched[focal] = False
    form = LinearForm(
        phi=np.zeros(n),
        estimate=float(sign * tau.mean()),
        sign=sign,
        focal=focal,
        n_focal=N,
        tau=tau,
        y=y,
        K=K,
        Q=Q,
        effective_partners=float(N**2 / np.sum(K**2)),
        local_mean=local_mean,
        local_variance=local_variance,
        local_size=local_size,
        leave_out=leave_out,
        residual=residual,
        gradient=gradient,
        direction=direction,
        h=h,
        focal_probability=probability,
        shrinkage=1.0,
        fallbacks_focal=fallbacks_focal,
        fallbacks_partner=fallbacks_partner,
        dropped=np.flatnonzero(unmatched),
    )
    # 4. and 6.
    lam = form.shrinkage_of() if shrinkage is None else shrinkage
    phi = form.contrast(1.0, 1.0, lam)
    if dropped == "zero":
        phi[form.dropped] = 0.0
    return replace(form, phi=sign * phi, shrinkage=lam)


def person_sums(phi, person):
    """S_q, the sum of phi over the rows of each person, persons in sorted order."""
    labels = np.unique(person)
    return labels, np.array([phi[person == q].sum() for q in labels])


def variance(phi, N, person=None, focal_persons=None, repeats=None):
    """V = sum S_q^2 / N^2, times G / (G - 1) when people repeat.

    Parameters
    ----------
    phi : ndarray (n,)
    N : int
        Matched focal rows.
    person : ndarray (n,) or None
        None: every row is a person of its own and there is no factor.
    focal_persons : int or None
        G, the persons among the matched focal rows.
    repeats : bool or None
        Whether the factor applies; None: if a person has more than one row.
    """
    if person is None:
        return float(np.sum(phi**2) / N**2)
    labels, sums = person_sums(phi, person)
    if repeats is None:
        repeats = len(labels) < len(phi)
    factor = focal_persons / (focal_persons - 1) if repeats else 1.0
    return float(factor * np.sum(sums**2) / N**2)


def largest_person_share(phi, person):
    """Largest S_q^2 over sum S_q^2: above 0.05 one person carries the result."""
    _, sums = person_sums(phi, person)
    return float(np.max(sums**2) / np.sum(sums**2))
