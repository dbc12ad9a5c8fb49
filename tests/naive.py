"""The slow, obvious version of every algorithm: loops, sorting and dense NumPy.

No compiled code and no import from the product: what stands here is written from the definitions,
so that a mistake in a kernel cannot be repeated here. Sizes are small; nothing here is fast.
"""

import itertools
import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np

# ------------------------------------------------------------------------------- elementary, sums


def expit(x):
    """1 / (1 + exp(-x)) in extended precision, rounded once."""
    x = np.asarray(x, dtype=np.longdouble)
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + small), small / (1 + small)), dtype=np.float64)


def ulps_apart(a, b):
    """Distance of two finite float64 numbers in units in the last place of the second."""
    return abs(Fraction(float(a)) - Fraction(float(b))) / Fraction(math.ulp(float(b)))


def exact_sum(values):
    """Correctly rounded sum."""
    return math.fsum(float(v) for v in values)


def philox4x64(counter, key):
    """Four words of Philox4x64-10 (Salmon et al. 2011) in Python integers."""
    word = 2**64 - 1
    c = list(counter)
    k = list(key)
    for _ in range(10):
        first = 0xD2E7470EE14C6C93 * c[0]
        second = 0xCA5A826395121157 * c[2]
        c = [
            (second >> 64) ^ c[1] ^ k[0],
            second & word,
            (first >> 64) ^ c[3] ^ k[1],
            first & word,
        ]
        k = [(k[0] + 0x9E3779B97F4A7C15) & word, (k[1] + 0xBB67AE8584CAA73B) & word]
    return tuple(c)


def order_by(key):
    """Row numbers sorted by (key, row)."""
    return np.array(sorted(range(len(key)), key=lambda i: (key[i], i)), dtype=np.int64)


def order_by_cell(score, cell):
    """Row numbers sorted by (cell, score, row)."""
    return np.array(sorted(range(len(score)), key=lambda i: (cell[i], score[i], i)), dtype=np.int64)


# ----------------------------------------------------------------------------- logistic regression


def dense_design(numeric, centre, scale, numeric_term, codes, level_terms, n_terms):
    """The one-hot matrix that the kernels never build, float64 (n, n_terms)."""
    n = numeric.shape[1]
    x = np.zeros((n, n_terms))
    x[:, 0] = 1.0
    for j in range(numeric.shape[0]):
        x[:, numeric_term[j]] = (numeric[j] - centre[j]) / scale[j]
    for code, terms in zip(codes, level_terms, strict=True):
        for i in range(n):
            if terms[code[i]] >= 0:
                x[i, terms[code[i]]] += 1.0
    return x


class Pass(NamedTuple):
    """Sums over rows at one coefficient vector."""

    eta: np.ndarray
    deviance: float
    gradient: np.ndarray
    information: np.ndarray


def logistic_pass(x, beta, treated, weights=None):
    """Predictor, deviance, gradient and information in extended precision."""
    x = np.asarray(x, dtype=np.longdouble)
    y = np.asarray(treated, dtype=np.longdouble)
    w = np.ones(len(y)) if weights is None else weights
    w = np.asarray(w, dtype=np.longdouble)
    eta = x @ np.asarray(beta, dtype=np.longdouble)
    small = np.exp(-np.abs(eta))
    score = np.where(eta >= 0, 1 / (1 + small), small / (1 + small))
    curvature = w * small / (1 + small) ** 2
    wrong_way = np.where(y == 1, np.maximum(-eta, 0), np.maximum(eta, 0))
    deviance = 2 * np.sum(w * (np.log1p(small) + wrong_way))
    gradient = x.T @ (w * (y - score))
    information = (x * curvature[:, None]).T @ x
    return Pass(
        np.asarray(eta, dtype=np.float64),
        float(deviance),
        np.asarray(gradient, dtype=np.float64),
        np.asarray(information, dtype=np.float64),
    )


class Fit(NamedTuple):
    """A fitted logistic model."""

    beta: np.ndarray
    covariance: np.ndarray
    deviance: float
    eta: np.ndarray


def logistic_fit(x, treated, weights=None, *, ridge=0.0):
    """Newton's method with step halving on the dense matrix; no penalty on the intercept."""
    penalty = np.full(x.shape[1], float(ridge))
    penalty[0] = 0.0
    beta = np.zeros(x.shape[1])

    def objective(b):
        return logistic_pass(x, b, treated, weights).deviance + float(penalty @ (b * b))

    for _ in range(200):
        now = logistic_pass(x, beta, treated, weights)
        gradient = now.gradient - penalty * beta
        step = np.linalg.solve(now.information + np.diag(penalty), gradient)
        if np.max(np.abs(step)) <= 1e-14 * (1 + np.max(np.abs(beta))):
            break
        before = objective(beta)
        while objective(beta + step) > before * (1 + 1e-13) and np.max(np.abs(step)) > 1e-15:
            step = step / 2
        beta = beta + step
    now = logistic_pass(x, beta, treated, weights)
    covariance = np.linalg.inv(now.information + np.diag(penalty))
    return Fit(beta, covariance, now.deviance, now.eta)


def leverage(x, beta, weights=None):
    """F (1 - F) x' I^-1 x of one copy of each row."""
    now = logistic_pass(x, beta, np.zeros(len(x)), weights)
    inverse = np.linalg.inv(now.information)
    score = expit(now.eta)
    other = expit(-now.eta)
    return score * other * np.array([row @ inverse @ row for row in x])


def firth_fit(x, treated, weights=None):
    """Maximum of log L + log|I| / 2 by its modified score, halving while the score grows."""
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    treated = np.asarray(treated, dtype=np.float64)
    beta = np.zeros(x.shape[1])

    def modified_score(b):
        h = leverage(x, b, weights)
        score = expit(x @ b)
        return x.T @ (w * (treated - score + h * (0.5 - score)))

    def penalised(b):
        now = logistic_pass(x, b, treated, weights)
        return -0.5 * now.deviance + 0.5 * np.linalg.slogdet(now.information)[1]

    for _ in range(2000):
        now = logistic_pass(x, beta, treated, weights)
        step = np.linalg.solve(now.information, modified_score(beta))
        step *= min(1.0, 2.0 / max(np.max(np.abs(step)), 1e-300))
        if np.max(np.abs(step)) < 1e-13:
            break
        before = penalised(beta)
        while penalised(beta + step) < before - 1e-11 and np.max(np.abs(step)) > 1e-14:
            step = step / 2
        beta = beta + step
    now = logistic_pass(x, beta, treated, weights)
    return Fit(beta, np.linalg.inv(now.information), now.deviance, now.eta)


def flic_shift(eta, treated, weights=None):
    """Intercept shift by bisection after which the mean score is the treated share."""
    w = np.ones(len(eta)) if weights is None else np.asarray(weights, dtype=np.float64)
    wanted = float(np.sum(w * np.asarray(treated)))
    low, high = -200.0, 200.0
    for _ in range(200):
        middle = (low + high) / 2
        if float(np.sum(w * expit(eta + middle))) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def independent_columns(x, weights=None, tolerance=1e-11):
    """Left to right: keep a column unless those kept before it explain it (squared lengths)."""
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    scaled = x * np.sqrt(w)[:, None]
    kept = []
    for j in range(x.shape[1]):
        column = scaled[:, j]
        rest = column
        if kept:
            basis = scaled[:, kept]
            rest = column - basis @ np.linalg.lstsq(basis, column, rcond=None)[0]
        if rest @ rest > tolerance * (column @ column):
            kept.append(j)
    return np.isin(np.arange(x.shape[1]), kept)


# --------------------------------------------------------------------------------------- matching


class Pairing(NamedTuple):
    """Sets of comparison rows, one for each focal row."""

    focal: np.ndarray
    indptr: np.ndarray
    comparison: np.ndarray
    share: np.ndarray


def exact_distance(a, b):
    """The real difference of two float64 numbers, not rounded."""
    return abs(Fraction(float(a)) - Fraction(float(b)))


def squared_distance(position, i, j):
    """Sum of squared differences, coordinate by coordinate."""
    total = 0.0
    for d in range(len(position)):
        total += (position[d][i] - position[d][j]) * (position[d][i] - position[d][j])
    return total


def pair(
    logit,
    focal,
    eligible,
    *,
    cell=None,
    person=None,
    one_per_person=False,
    anti=(),
    covariate=(),
    width=(),
    mahalanobis=None,
    caliper=math.inf,
    ratio=1,
    quota=None,
    replace=False,
    reuse_max=1,
    ties="first",
    order="largest",
    data_position=None,
    random_key=None,
):
    """Pair rows by the plain rules; rows are in canonical order, so a lower row wins ties."""
    n = len(logit)
    focals = [i for i in range(n) if focal[i] and eligible[i]]
    pool = [j for j in range(n) if not focal[j] and eligible[j]]
    sets = {i: [] for i in focals}
    shares = {i: [] for i in focals}
    used = dict.fromkeys(pool, 0)
    # With one entry per person: the focal row through which a person entered, or "partner".
    entered = {}
    once = one_per_person and person is not None and not replace
    distances = {
        (i, j): exact_distance(logit[i], logit[j])
        if mahalanobis is None
        else squared_distance(mahalanobis, i, j)
        for i in focals
        for j in pool
    }
    preferences = {
        i: sorted(pool, key=lambda j, i=i: (distances[i, j], logit[j], j)) for i in focals
    }

    def distance(i, j):
        return distances[i, j]

    def allowed(i, j):
        if cell is not None and cell[i] != cell[j]:
            return False
        if not abs(logit[i] - logit[j]) <= caliper:
            return False
        if any(codes[i] == codes[j] for codes in anti):
            return False
        if any(abs(x[i] - x[j]) > most for x, most in zip(covariate, width, strict=True)):
            return False
        if person is not None:
            if person[i] == person[j]:
                return False
            if any(person[j] == person[other] for other in sets[i]):
                return False
        return j not in sets[i]

    def free(j):
        return used[j] < reuse_max and not (once and person[j] in entered)

    def may_be_served(i):
        return not once or entered.get(person[i], i) == i

    def take(i, j):
        sets[i].append(j)
        used[j] += 1
        if once:
            entered[person[i]] = i
            entered[person[j]] = "partner"

    if replace:
        for i in focals:
            last = None
            for j in preferences[i]:
                if not allowed(i, j):
                    continue
                if len(sets[i]) >= ratio and (ties != "all" or distance(i, j) != last):
                    break
                last = distance(i, j)
                take(i, j)
            wanted = min(ratio, len(sets[i]))
            nearer = sum(distance(i, j) < last for j in sets[i])
            tied = len(sets[i]) - nearer
            for j in sets[i]:
                if distance(i, j) < last:
                    shares[i].append(1 / wanted)
                else:
                    shares[i].append((wanted - nearer) / wanted / tied)
    else:
        asked = dict(zip(focals, [ratio] * len(focals) if quota is None else quota, strict=True))
        rank = {
            "largest": lambda i: (-logit[i], i),
            "smallest": lambda i: (logit[i], i),
            "data": lambda i: (data_position[i], i),
            "random": lambda i: (random_key[i], i),
            "closest": lambda i: i,
        }[order]
        for number in range(ratio):
            waiting = sorted((i for i in focals if asked[i] > number), key=rank)
            if order == "closest":
                while True:
                    options = [
                        (distance(i, j), logit[j], logit[i], j, i)
                        for i in waiting
                        if may_be_served(i)
                        for j in pool
                        if free(j) and allowed(i, j)
                    ]
                    if not options:
                        break
                    *_, j, i = min(options)
                    take(i, j)
                    waiting.remove(i)
            else:
                for i in filter(may_be_served, waiting):
                    for j in preferences[i]:
                        if free(j) and allowed(i, j):
                            take(i, j)
                            break
        for i in focals:
            shares[i] = [1 / len(sets[i]) for _ in sets[i]]
    sizes = [len(sets[i]) for i in focals]
    return Pairing(
        np.array(focals, dtype=np.int64),
        np.array([0, *itertools.accumulate(sizes)], dtype=np.int64),
        np.array([j for i in focals for j in sets[i]], dtype=np.int64),
        np.array([s for i in focals for s in shares[i]], dtype=np.float64),
    )


def windows(logit, focal, eligible, *, cell=None, caliper):
    """All comparison rows within the caliper of each focal row, sorted by (logit, row)."""
    n = len(logit)
    found = {}
    for i in range(n):
        if focal[i] and eligible[i]:
            found[i] = [
                j
                for j in range(n)
                if not focal[j]
                and eligible[j]
                and (cell is None or cell[i] == cell[j])
                and abs(logit[i] - logit[j]) <= caliper
            ]
            found[i].sort(key=lambda j: (logit[j], j))
    return found


def kernel_value(kernel, u):
    """Weight at u = difference / caliper."""
    if kernel == "epanechnikov":
        return 1 - u * u
    if kernel == "tricube":
        return (1 - abs(u) ** 3) ** 3
    return 1.0


def window_weights(logit, focal, eligible, *, cell=None, caliper, kernel=None):
    """Summed shares of each row, and the sum of kernel weights of each focal row's window."""
    weight = np.zeros(len(logit))
    totals = []
    for i, members in windows(logit, focal, eligible, cell=cell, caliper=caliper).items():
        values = [
            kernel_value(kernel, abs(logit[i] - logit[j]) / caliper if kernel else 0.0)
            for j in members
        ]
        total = math.fsum(values)
        totals.append(total)
        for j, value in zip(members, values, strict=True):
            if total > 0:
                weight[j] += value / total
    return weight, np.array(totals)


def maximum_matchable(logit, focal, eligible, *, cell=None, caliper, capacity):
    """Largest number of focal rows that can each have a candidate: augmenting paths."""
    reach = windows(logit, focal, eligible, cell=cell, caliper=caliper)
    if capacity == 0:
        return sum(len(members) > 0 for members in reach.values())
    holders = {j: [] for members in reach.values() for j in members}

    def place(i, tried):
        for j in reach[i]:
            if j in tried:
                continue
            tried.add(j)
            if len(holders[j]) < capacity:
                holders[j].append(i)
                return True
            for slot, holder in enumerate(holders[j]):
                if place(holder, tried):
                    holders[j][slot] = i
                    return True
        return False

    return sum(place(i, set()) for i in reach)


def smallest_caliper(logit, focal, eligible, *, cell=None, capacity, share):
    """The smallest difference that, as a caliper, lets enough focal rows be matched."""
    focals = [i for i in range(len(logit)) if focal[i] and eligible[i]]
    wanted = math.ceil(Fraction(share) * len(focals))
    reach = windows(logit, focal, eligible, cell=cell, caliper=math.inf)
    widths = {0.0} | {float(abs(logit[i] - logit[j])) for i in reach for j in reach[i]}
    for width in sorted(widths):
        found = maximum_matchable(
            logit, focal, eligible, cell=cell, caliper=width, capacity=capacity
        )
        if found >= wanted:
            return width
    return math.inf


# ---------------------------------------------------------------------------------------- balance


def weighted_mean(x, w):
    """Sum of w x over sum of w."""
    return exact_sum(float(a) * float(b) for a, b in zip(w, x, strict=True)) / exact_sum(w)


def weighted_variance(x, w):
    """Reliability-weighted variance, the usual one (n - 1) where weights are equal."""
    mean = weighted_mean(x, w)
    mass = exact_sum(w)
    squares = exact_sum(float(b) * float(b) for b in w)
    spread = exact_sum(float(b) * (float(a) - mean) ** 2 for a, b in zip(x, w, strict=True))
    return spread * mass / (mass * mass - squares)


def standardised_difference(mean_treated, mean_comparison, deviation):
    """Difference of means in units of a standard deviation."""
    return (mean_treated - mean_comparison) / deviation


def largest_ecdf_gap(x, w, y, v):
    """KS statistic of two weighted samples: both step functions at every point."""
    gap = 0.0
    for point in sorted({*x, *y}):
        below_x = exact_sum(b for a, b in zip(x, w, strict=True) if a <= point) / exact_sum(w)
        below_y = exact_sum(b for a, b in zip(y, v, strict=True) if a <= point) / exact_sum(v)
        gap = max(gap, abs(below_x - below_y))
    return gap


def effective_size(w):
    """Kish's effective sample size."""
    return exact_sum(w) ** 2 / exact_sum(float(b) ** 2 for b in w)


def area_under_curve(x, w, y, v):
    """Weighted share of pairs in which the first sample is higher, ties counted half."""
    wins = exact_sum(
        float(p) * float(q) * (1.0 if a > b else 0.5 if a == b else 0.0)
        for a, p in zip(x, w, strict=True)
        for b, q in zip(y, v, strict=True)
    )
    return wins / (exact_sum(w) * exact_sum(v))
