"""Match certificate: an independent proof that a match is what it claims to be.

Plain NumPy on the rows themselves, sharing no code with the matching kernels. Released packages
have shipped matches outside the caliper, matches that were not the nearest, and one person matched
twice; here every result carries the counts of what was checked and of what was violated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SCAN_BUDGET = 20_000_000
"""Candidate comparisons spent on 'no nearer partner' where rules make it a search."""
_PART = 1 << 23
"""Candidates that are sorted at a time."""


@dataclass(frozen=True)
class Claim:
    """What a pair match claims.

    Attributes
    ----------
    score : float64, shape (n,)
        Score compared by the caliper.
    focal, eligible : bool, shape (n,)
    rows : int64, shape (f,)
        Focal rows.
    indptr : int64, shape (f + 1,)
    partner : int64, shape (indptr[-1],)
    share : float64, shape (indptr[-1],)
    weight : float64, shape (n,)
        Weight of each row in the matched sample.
    caliper : float
    ratio : int
    replace : bool
    reuse_max : int
    cell, person : int64, shape (n,), optional
    one_per_person : bool
    anti : int64, shape (a, n)
    covariate : float64, shape (v, n)
    width : float64, shape (v,)
    position : float64, shape (d, n), optional
        Coordinates of Mahalanobis distance.
    """

    score: NDArray[np.float64]
    focal: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    rows: NDArray[np.int64]
    indptr: NDArray[np.int64]
    partner: NDArray[np.int64]
    share: NDArray[np.float64]
    weight: NDArray[np.float64]
    caliper: float
    ratio: int
    replace: bool
    reuse_max: int
    cell: NDArray[np.int64] | None
    person: NDArray[np.int64] | None
    one_per_person: bool
    anti: NDArray[np.int64]
    covariate: NDArray[np.float64]
    width: NDArray[np.float64]
    position: NDArray[np.float64] | None


@dataclass(frozen=True)
class Check:
    """One property, how often it was tested and how often it failed."""

    check: str
    checked: int
    violations: int


@dataclass(frozen=True)
class Certificate:
    """All checks of a match.

    Attributes
    ----------
    pairs_checked : int
    violations : int
        Sum over all checks; 0 for a sound match.
    checks : tuple of Check
    """

    pairs_checked: int
    violations: int
    checks: tuple[Check, ...]


def _sealed(pairs: int, checks: list[Check]) -> Certificate:
    return Certificate(pairs, sum(check.violations for check in checks), tuple(checks))


def certify_pairs(claim: Claim) -> Certificate:
    """Check every pair and every set of a match.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    Certificate

    Notes
    -----
    'No nearer partner' is exact with replacement and for scores alone; without replacement the
    partners that nobody used must not be nearer than the one taken (they were free all along).
    Where rules or Mahalanobis distance decide, sets are checked by search, as many as a budget of
    20 million comparisons allows. Distances closer than 8 rounding errors count as equal.
    """
    size = np.diff(claim.indptr)
    one = np.repeat(claim.rows, size)
    other = claim.partner
    pairs = len(other)
    checks = [
        Check(
            "one eligible person of each group",
            pairs,
            int(
                np.count_nonzero(
                    ~claim.focal[one]
                    | claim.focal[other]
                    | ~claim.eligible[one]
                    | ~claim.eligible[other]
                )
            ),
        )
    ]
    if np.isfinite(claim.caliper):
        far = np.abs(claim.score[one] - claim.score[other]) > claim.caliper
        checks.append(Check("inside the caliper", pairs, int(np.count_nonzero(far))))
    if claim.cell is not None:
        wrong = claim.cell[one] != claim.cell[other]
        checks.append(Check("equal on exact columns", pairs, int(np.count_nonzero(wrong))))
    if len(claim.anti):
        wrong = (claim.anti[:, one] == claim.anti[:, other]).any(axis=0)
        checks.append(Check("different on anti-exact columns", pairs, int(wrong.sum())))
    if len(claim.width):
        gap = np.abs(claim.covariate[:, one] - claim.covariate[:, other])
        wrong = (gap > claim.width[:, None]).any(axis=0)
        checks.append(Check("inside the calipers on covariates", pairs, int(wrong.sum())))
    checks += _identity_checks(claim, one, other, size)
    checks.append(Check("at most the wanted number", len(size), _too_many(claim, size)))
    checks.append(_nearest_check(claim, size))
    checks += _weight_checks(claim, size)
    return _sealed(pairs, checks)


def _identity_checks(
    claim: Claim, one: NDArray[np.int64], other: NDArray[np.int64], size: NDArray[np.int64]
) -> list[Check]:
    """Nobody with themselves, nobody twice in a set, reuse within its cap."""
    owner = np.repeat(np.arange(len(size)), size)
    whole = other if claim.person is None else claim.person[other]
    order = np.lexsort((whole, owner))
    twice = (owner[order][1:] == owner[order][:-1]) & (whole[order][1:] == whole[order][:-1])
    own = one == other
    if claim.person is not None:
        own |= claim.person[one] == whole
    checks = [
        Check("nobody matched to themselves", len(other), int(np.count_nonzero(own))),
        Check("nobody twice in one set", len(other), int(np.count_nonzero(twice))),
    ]
    if not claim.replace:
        uses = np.unique(other, return_counts=True)[1]
        over = int(np.count_nonzero(uses > claim.reuse_max))
        checks.append(Check("reuse within its cap", len(uses), over))
        if claim.one_per_person and claim.person is not None:
            entered = np.concatenate([whole, claim.person[claim.rows[size > 0]]])
            uses = np.unique(entered, return_counts=True)[1]
            over = int(np.count_nonzero(uses > 1))
            checks.append(Check("each person used once", len(uses), over))
    return checks


def _too_many(claim: Claim, size: NDArray[np.int64]) -> int:
    """Count sets larger than asked for other than by a tie at the last distance."""
    large = np.flatnonzero(size > claim.ratio)
    if not claim.replace:
        return len(large)
    wrong = 0
    for i in large:
        partners = claim.partner[claim.indptr[i] : claim.indptr[i + 1]]
        distance = np.sort(_distances(claim, int(claim.rows[i]), partners))
        tied = distance[claim.ratio - 1] >= distance[-1] - _slack(claim, int(claim.rows[i]))
        wrong += not tied
    return wrong


def _slack(claim: Claim, row: int) -> float:
    """Eight rounding errors of a distance at this row."""
    if claim.position is not None:
        return 1e-12
    return float(8 * np.finfo(float).eps * (1.0 + abs(claim.score[row])))


def _distances(claim: Claim, row: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
    if claim.position is not None:
        gap = claim.position[:, others] - claim.position[:, row, None]
        return (gap * gap).sum(axis=0)
    return np.abs(claim.score[others] - claim.score[row])


def _nearest_check(claim: Claim, size: NDArray[np.int64]) -> Check:
    """Nobody nearer was passed over."""
    pool = ~claim.focal & claim.eligible
    if not claim.replace:
        pool = pool.copy()
        pool[claim.partner] = False
        pool &= ~_entered(claim, size)
    name = (
        "no nearer partner exists"
        if claim.replace
        else "no unused partner is nearer than the one taken"
    )
    ruled = (
        claim.person is not None
        or len(claim.anti) > 0
        or len(claim.width) > 0
        or claim.position is not None
    )
    candidates = np.flatnonzero(pool)
    if ruled:
        return _nearest_by_search(claim, candidates, name, _entered(claim, size))
    return _nearest_by_counting(claim, size, candidates, name)


def _entered(claim: Claim, size: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows of people in the match, of either group, where each may enter it once."""
    if not claim.one_per_person or claim.person is None:
        return np.zeros(len(claim.score), dtype=np.bool_)
    matched = np.concatenate([claim.rows[size > 0], claim.partner])
    return np.isin(claim.person, claim.person[matched])


def _nearest_by_counting(
    claim: Claim, size: NDArray[np.int64], candidates: NDArray[np.int64], name: str
) -> Check:
    """Count, for every set at once, the candidates strictly inside its farthest distance."""
    score = claim.score
    cell = np.zeros(len(score), dtype=np.int8) if claim.cell is None else claim.cell
    groups = np.unique(cell[claim.rows]) if claim.cell is not None else np.zeros(1, dtype=np.int64)
    owner = np.repeat(np.arange(len(size)), size)
    farthest = np.zeros(len(size))
    np.maximum.at(
        farthest, owner, np.abs(score[claim.partner] - score[np.repeat(claim.rows, size)])
    )
    # A set that could have been larger must have nobody left inside the caliper.
    short = size < claim.ratio if claim.replace else size == 0
    reach = np.where(short, claim.caliper, farthest)
    slack = 8 * np.finfo(float).eps * (1.0 + np.abs(score[claim.rows]))
    reach -= slack
    allowed = np.where(short, size, np.maximum(size - 1, 0)) if claim.replace else 0 * size
    set_cell = cell[claim.rows]
    # Neighbours in score are looked up one after another: that finds them in the cache.
    set_order = np.lexsort((score[claim.rows], set_cell))
    set_starts = np.searchsorted(set_cell[set_order], groups)
    set_stops = np.searchsorted(set_cell[set_order], groups, side="right")
    inside = np.zeros(len(size), dtype=np.int64)
    # How many are inside is a sum over any parts of the candidates: parts bound the memory.
    for part in range(0, len(candidates), _PART):
        few = candidates[part : part + _PART]
        by_cell = few if claim.cell is None else few[np.argsort(cell[few], kind="stable")]
        starts = np.searchsorted(cell[by_cell], groups)
        stops = np.searchsorted(cell[by_cell], groups, side="right")
        for k in range(len(groups)):
            values = np.sort(score[by_cell[starts[k] : stops[k]]])
            sets = set_order[set_starts[k] : set_stops[k]]
            at = score[claim.rows[sets]]
            inside[sets] += np.searchsorted(values, at + reach[sets]) - np.searchsorted(
                values, at - reach[sets], side="right"
            )
    wrong = int(np.count_nonzero((inside > allowed) & (reach > 0)))
    return Check(name, len(size), wrong)


def _nearest_by_search(
    claim: Claim, candidates: NDArray[np.int64], name: str, entered: NDArray[np.bool_]
) -> Check:
    """Look for a nearer acceptable candidate, set by set, within the budget."""
    candidates = candidates[np.argsort(claim.score[candidates], kind="stable")]
    values = claim.score[candidates]
    spent = checked = wrong = 0
    for i, row in enumerate(claim.rows):
        at = claim.score[row]
        low = int(np.searchsorted(values, at - claim.caliper))
        high = int(np.searchsorted(values, at + claim.caliper, side="right"))
        spent += high - low
        if spent > _SCAN_BUDGET:
            break
        checked += 1
        taken = claim.partner[claim.indptr[i] : claim.indptr[i + 1]]
        near = candidates[low:high]
        near = near[np.abs(claim.score[near] - at) <= claim.caliper]
        near = near[_acceptable(claim, int(row), near)]
        near = near[~np.isin(near, taken)]
        if claim.person is not None:
            near = near[~np.isin(claim.person[near], claim.person[taken])]
        if len(near) == 0:
            continue
        if len(taken) == 0 or (claim.replace and len(taken) < claim.ratio):
            # Whoever entered through another row may not be served.
            wrong += not entered[row]
            continue
        farthest = _distances(claim, int(row), taken).max()
        nearest = _distances(claim, int(row), near).min()
        wrong += bool(nearest < farthest - _slack(claim, int(row)))
    return Check(name, checked, wrong)


def _acceptable(claim: Claim, row: int, near: NDArray[np.int64]) -> NDArray[np.bool_]:
    fine = np.ones(len(near), dtype=np.bool_)
    if claim.cell is not None:
        fine &= claim.cell[near] == claim.cell[row]
    if claim.person is not None:
        fine &= claim.person[near] != claim.person[row]
    for codes in claim.anti:
        fine &= codes[near] != codes[row]
    for values, width in zip(claim.covariate, claim.width, strict=True):
        fine &= np.abs(values[near] - values[row]) <= width
    return fine


def _weight_checks(claim: Claim, size: NDArray[np.int64]) -> list[Check]:
    """Shares of a set sum to 1; weights sum to the number matched, on both sides."""
    owner = np.repeat(np.arange(len(size)), size)
    sums = np.bincount(owner, weights=claim.share, minlength=len(size))
    matched = size > 0
    broken = int(np.count_nonzero(np.abs(sums[matched] - 1.0) > 1e-9))
    expected = np.zeros(len(claim.weight))
    np.add.at(expected, claim.partner, claim.share)
    expected[claim.rows[matched]] = 1.0
    off = 0
    other_side = 0.0
    for start in range(0, len(expected), _PART):
        part = slice(start, start + _PART)
        gap = np.abs(expected[part] - claim.weight[part])
        off += int(np.count_nonzero(gap > 1e-9 * np.maximum(1.0, expected[part])))
        other_side += float(claim.weight[part][~claim.focal[part]].sum())
    n = int(np.count_nonzero(matched))
    return [
        Check("shares of a set sum to 1", n, broken),
        Check("every weight is the sum of its shares", len(expected), off),
        Check("weights sum to the number matched", 1, int(abs(other_side - n) > 1e-9 * max(1, n))),
    ]


def certify_windows(
    score: NDArray[np.float64],
    focal: NDArray[np.bool_],
    cell: NDArray[np.int64] | None,
    rows: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    pool: NDArray[np.int64],
    weight: NDArray[np.float64],
    matched: NDArray[np.bool_],
    caliper: float,
) -> Certificate:
    """Check the windows and weights of a radius or kernel match.

    Parameters
    ----------
    score : float64, shape (n,)
    focal : bool, shape (n,)
    cell : int64, shape (n,), optional
    rows, low, high : int64, shape (f,)
        Focal rows and their windows of ``pool``.
    pool : int64, shape (n_pool,)
        Comparison rows in sorted order.
    weight : float64, shape (n,)
        Weight of each row in the matched sample.
    matched : bool, shape (f,)
    caliper : float

    Returns
    -------
    Certificate
    """
    ordered = score[pool]
    inside = high > low
    first = np.minimum(low, len(pool) - 1)
    last = np.maximum(high - 1, 0)
    at = score[rows]

    def group(of: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.zeros(len(of), dtype=np.int64) if cell is None else cell[of]

    def beyond(position: NDArray[np.int64], fits: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a pool position outside the window could have been inside."""
        place = np.clip(position, 0, len(pool) - 1)
        near = np.abs(ordered[place] - at) <= caliper
        return fits & near & (group(pool[place]) == group(rows))

    far = inside & (
        (np.abs(ordered[first] - at) > caliper) | (np.abs(ordered[last] - at) > caliper)
    )
    wrong_cell = inside & ((group(pool[first]) != group(rows)) | (group(pool[last]) != group(rows)))
    missed = beyond(low - 1, low > 0) | beyond(high, high < len(pool))
    step = group(pool)
    unsorted = (step[1:] < step[:-1]) | ((step[1:] == step[:-1]) & (ordered[1:] < ordered[:-1]))
    n = int(np.count_nonzero(matched))
    total = float(weight[~focal].sum())
    pairs = int((high - low).sum())
    checks = [
        Check("inside the caliper", len(rows), int(np.count_nonzero(far))),
        Check("equal on exact columns", len(rows), int(np.count_nonzero(wrong_cell))),
        Check("nobody inside the caliper left out", len(rows), int(np.count_nonzero(missed))),
        Check("pool in order", len(pool), int(np.count_nonzero(unsorted))),
        Check("one of each group", len(pool), int(np.count_nonzero(focal[pool]))),
        Check("no negative weight", len(weight), int(np.count_nonzero(weight < -1e-12))),
        Check("weights sum to the number matched", 1, int(abs(total - n) > 1e-6 * max(1, n))),
    ]
    return _sealed(pairs, checks)
