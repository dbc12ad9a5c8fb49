"""Separation: which logistic coefficients have no finite estimate, and what proves it.

Write z_i = x_i for a treated row and -x_i for a comparison row. The directions b with z_i'b >= 0 in
every row form a cone C. The maximum-likelihood estimate exists if and only if C holds nothing but
zero (Albert & Anderson 1984). Otherwise the likelihood rises for ever along C: rows with z_i'b > 0
for some b in C are *separated*, the others are *flat*, and a coefficient stays finite if and only
if it is zero all over C. Both sets are properties of the data, not of a solver. A programme that
is solved once, as Konis (2007) does, can end on an edge of C and then calls some infinite
coefficients finite, so the programme is repeated here for the rows not yet separated until none is
left; what Konis' own programme reports is kept beside it (``SeparatedTerm.konis``).

Rows enter the programme only when a candidate violates them: a table of millions needs a few
thousand. Numbers are centred at the median and scaled by the quartiles, and rows with huge entries
are scaled down (which leaves C as it is), so that one tolerance fits all columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.errors import JusticeLabError

CHUNK = 65_536
"""Rows of one step of a pass; a step's columns stay in the second-level cache."""
SEED_ROWS = 1_000
"""Rows of each arm that the first programme sees, beside one per level and the extremes."""
BATCH_ROWS = 400
"""Violated rows of each arm that are added at a time."""
VIOLATED = 1e-9
"""A margin below minus this is a violated row (the solver works to 1e-10)."""
POSITIVE = 1e-8
"""A margin or coefficient above this counts as non-zero."""
TRACE = 1e-11
"""Coefficients below this share of the largest are rounding errors of the solver."""
KONIS_TOLERANCE = 1e-4
"""Size from which detectseparation 0.4.0 calls an entry of its solution infinite."""


@dataclass(frozen=True)
class SeparatedTerm:
    """A coefficient without a finite maximum-likelihood estimate.

    Attributes
    ----------
    name : str
        The parameter's name.
    direction : int
        +1 or -1: it goes to plus or minus infinity; 0: it is not determined, separating directions
        of both signs exist and Konis' programme leaves it at zero.
    kind : str
        'complete' (every row is separated) or 'quasi' (some rows are flat); one for all terms.
    determined : bool
        Every separating direction has this sign or zero. If False, the data do not settle the
        sign, and ``direction`` is the one of Konis' programme.
    konis : int
        Sign of this term in the optimum of Konis' programme, 0 if zero there (for every term if
        the columns' units lie so far apart that the programme, which does not scale, fails).
    """

    name: str
    direction: int
    kind: str
    determined: bool
    konis: int


class _Table(NamedTuple):
    """The coded design with its scaling; ``slots`` maps each level to a kept parameter or -1."""

    numeric: Sequence[np.ndarray]
    codes: np.ndarray
    treated: np.ndarray
    active: np.ndarray | None
    people: np.ndarray | None
    centre: np.ndarray
    scale: np.ndarray
    intercept: int
    numeric_slot: np.ndarray
    slots: tuple[np.ndarray, ...]
    size: int


def describe_separated(terms: Sequence[SeparatedTerm]) -> str:
    """Return which coefficients are infinite and which way, as a sentence; '' for none.

    It names columns and levels, never a row's value.
    """
    if not terms:
        return ""
    ways = {1: "grows without limit", -1: "falls without limit", 0: "is not determined"}
    parts = [f"{term.name} ({ways[term.direction]})" for term in terms]
    how = (
        "The covariates tell every treated row from every comparison row (complete separation)"
        if terms[0].kind == "complete"
        else "Some combination of covariates occurs in one arm only (quasi-complete separation)"
    )
    noun = "coefficient has" if len(parts) == 1 else f"{len(parts)} coefficients have"
    return f"{how}, so {'this' if len(parts) == 1 else 'these'} {noun} no finite estimate: " + (
        ", ".join(parts) + "."
    )


def separated_terms(
    numeric: Sequence[np.ndarray],
    codes: np.ndarray,
    n_levels: Sequence[int],
    names: Sequence[str],
    keep: np.ndarray,
    treated: np.ndarray,
    weights: np.ndarray | None = None,
    logit: np.ndarray | None = None,
) -> tuple[SeparatedTerm, ...]:
    """Return the terms whose maximum-likelihood estimate is infinite, sorted by name.

    Parameters
    ----------
    numeric : sequence of float64 arrays, shape (n,), length p_numeric
        Number columns, finite.
    codes : uint16, shape (p_categories, n)
        Level codes; code 0 is the reference level.
    n_levels : sequence of int, length p_categories
        Number of levels of each category.
    names : sequence of str, length p
        Parameter names: intercept, numbers, then levels 1.. of each category.
    keep : bool, shape (p,)
        Parameters in the model. The kept columns must have full rank over the rows that count.
    treated : bool, shape (n,)
        Arm of each row.
    weights : float64, shape (n,), optional
        Frequency weights >= 0. A row of weight zero takes no part; other weights do not matter.
    logit : float64, shape (n,), optional
        A linear predictor of any quality: only a hint at the rows to begin with.

    Returns
    -------
    tuple of SeparatedTerm
        Empty if and only if the maximum-likelihood estimate exists and is finite.

    Raises
    ------
    JusticeLabError
        If the solver gives no answer: no verdict is ever guessed.

    Notes
    -----
    "None" is certified by a subset of the rows alone (its cone contains C); every direction that is


    References
    ----------
    Albert & Anderson (1984), Biometrika 71, 1-10. Konis (2007), DPhil thesis, University of Oxford.
    """
    table = _table(numeric, codes, n_levels, keep, treated, weights)
    work = _first_rows(table, logit)
    found, separated, work, flat_rows = _separate(table, work)
    if not found:
        return ()
    basis = _null_basis(flat_rows)
    functionals = _raw_functionals(table)
    reach = functionals @ basis
    infinite = np.abs(reach).max(axis=1) > POSITIVE
    low, high, work = _signs(table, work, found, basis, functionals, infinite)
    try:
        konis = _konis(table, work, basis)
    except JusticeLabError:
        # Its raw units can lie too far apart for any solver. The verdict does not rest on it: only
        # signs that the data leave open stay open.
        konis = np.zeros(table.size, dtype=np.int64)
    live = np.ones(len(separated), bool) if table.active is None else table.active
    kind = "complete" if separated[live].all() else "quasi"
    kept_names = [name for name, kept in zip(names, keep, strict=True) if kept]
    terms = []
    for j in np.flatnonzero(infinite):
        determined = bool(low[j] != high[j])
        sign = int(high[j]) - int(low[j]) if determined else int(konis[j])
        terms.append(SeparatedTerm(kept_names[j], sign, kind, determined, int(konis[j])))
    return tuple(sorted(terms, key=lambda term: term.name))


def _table(
    numeric: Sequence[np.ndarray],
    codes: np.ndarray,
    n_levels: Sequence[int],
    keep: np.ndarray,
    treated: np.ndarray,
    weights: np.ndarray | None,
) -> _Table:
    """Return the design with scaling and parameter positions, equal rows merged where cheap."""
    treated = np.asarray(treated, dtype=bool)
    active = None if weights is None or np.all(weights > 0) else np.asarray(weights) > 0
    people = None
    combinations = 2.0 * float(np.prod(np.asarray(n_levels, dtype=np.float64)))
    if len(numeric) == 0 and combinations < min(4_000_000.0, max(len(treated), 1_000)):
        # Categories alone: the rows are the cells of one cross-tab, however many people there are.
        cell = treated.astype(np.int64)
        for levels, code in zip(n_levels, codes, strict=True):
            cell *= levels
            cell += code
        tally = np.bincount(cell if active is None else cell[active])
        used = np.flatnonzero(tally)
        rest, parts = used.copy(), []
        for levels in reversed(n_levels):
            parts.append(rest % levels)
            rest //= levels
        codes = np.array(parts[::-1], dtype=np.uint16).reshape(len(n_levels), len(used))
        treated, active, people = rest.astype(bool), None, tally[used]
    position = np.where(keep, np.cumsum(keep) - 1, -1)
    centre, scale = np.zeros(len(numeric)), np.ones(len(numeric))
    for j, column in enumerate(numeric):
        live = column if active is None else column[active]
        if len(live) == 0:
            continue
        lower, middle, upper = np.percentile(live, (25, 50, 75))
        spread = upper - lower
        if spread == 0.0:
            # A column that is mostly one value: how far its other values lie from that.
            far = np.abs(live - middle)
            spread = np.median(far[far > 0]) if far.any() else 0.0
        centre[j] = middle if keep[0] else 0.0
        scale[j] = spread if spread > 0 else 1.0
    slots, start = [], 1 + len(numeric)
    for levels in n_levels:
        slots.append(np.concatenate(([-1], position[start : start + levels - 1])).astype(np.int64))
        start += levels - 1
    numeric_slot = position[1 : 1 + len(numeric)]
    return _Table(
        numeric, codes, treated, active, people, centre, scale, int(position[0]), numeric_slot,
        tuple(slots), int(np.sum(keep)),
    )  # fmt: skip


def _design(table: _Table, rows: np.ndarray) -> np.ndarray:
    """Return z_i of some rows, each divided by its largest entry, shape (rows, p)."""
    x = np.zeros((len(rows), table.size))
    if table.intercept >= 0:
        x[:, table.intercept] = 1.0
    for column, centre, scale, slot in zip(
        table.numeric, table.centre, table.scale, table.numeric_slot, strict=True
    ):
        if slot >= 0:
            x[:, slot] = (column[rows] - centre) / scale
    here = np.arange(len(rows))
    for code, slots in zip(table.codes, table.slots, strict=True):
        slot = slots[code[rows]]
        x[here[slot >= 0], slot[slot >= 0]] = 1.0
    x *= np.where(table.treated[rows], 1.0, -1.0)[:, None]
    # The root keeps the small entries of a row with one huge number above the solver's tolerance.
    return x / np.sqrt(np.maximum(1.0, np.abs(x).max(axis=1, initial=0.0)))[:, None]


def _margins(table: _Table, direction: np.ndarray) -> np.ndarray:
    """Return z_i'b of all rows for max |b| = 1, +inf where a row takes no part.

    Each is divided by its largest term where that exceeds one: rounding grows with the terms.
    """
    n = len(table.treated)
    margin = np.empty(n)
    used = [j for j, slot in enumerate(table.numeric_slot) if slot >= 0 and direction[slot]]
    lookups = [np.where(s >= 0, direction[s], 0.0) for s in table.slots]
    base = direction[table.intercept] if table.intercept >= 0 else 0.0
    for start in range(0, n, CHUNK):
        part = slice(start, min(start + CHUNK, n))
        eta = np.full(part.stop - start, base)
        largest = np.ones(part.stop - start)
        for j in used:
            x = (table.numeric[j][part] - table.centre[j]) / table.scale[j]
            x *= direction[table.numeric_slot[j]]
            eta += x
            np.maximum(largest, np.abs(x), out=largest)
        for code, lookup in zip(table.codes, lookups, strict=True):
            if lookup.any():
                eta += lookup.take(code[part])
        eta /= largest
        margin[part] = np.where(table.treated[part], eta, -eta)
    if table.active is not None:
        margin[~table.active] = np.inf
    return margin


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most ``most`` of the rows, evenly spaced."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _first_rows(table: _Table, logit: np.ndarray | None) -> np.ndarray:
    """Return the rows of the first programme: a spread, the doubtful, levels and extremes."""
    usable = logit is not None and len(logit) == len(table.treated)
    chosen = []
    for arm in (False, True):
        member = table.treated == arm
        rows = np.flatnonzero(member if table.active is None else member & table.active)
        chosen.append(_spread(rows, SEED_ROWS))
        if usable and len(rows) > SEED_ROWS:
            # The rows that the hint puts on the wrong side are the ones that rule directions out.
            doubt = np.asarray(logit)[rows] * (1.0 if arm else -1.0)
            chosen.append(rows[np.argpartition(doubt, SEED_ROWS // 2)[: SEED_ROWS // 2]])
        if len(rows):
            for column in table.numeric:
                here = column[rows]
                chosen.append(rows[[int(here.argmin()), int(here.argmax())]])
            for code, slots in zip(table.codes, table.slots, strict=True):
                last = np.full(len(slots), -1, dtype=np.int64)
                last[code[rows]] = rows
                chosen.append(last[last >= 0])
    return np.unique(np.concatenate(chosen))


def _more_rows(table: _Table, work: np.ndarray, margin: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the working rows with a batch of others added: the worst of each arm and a spread."""
    chosen = [work]
    for arm in (False, True):
        mine = rows[table.treated[rows] == arm]
        chosen.append(_spread(mine, BATCH_ROWS // 2))
        if len(mine) > BATCH_ROWS // 2:
            worst = np.argpartition(margin[mine], BATCH_ROWS // 2)[: BATCH_ROWS // 2]
            chosen.append(mine[worst])
    return np.unique(np.concatenate(chosen))


def _solve(
    objective: np.ndarray,
    constraints: np.ndarray,
    limits: np.ndarray,
    bounds: tuple[float | None, float | None],
) -> np.ndarray:
    """Return the maximiser of the objective subject to constraints @ v <= limits."""
    from scipy.optimize import linprog  # noqa: PLC0415 - 0.3 s, and few tables need it

    size = np.abs(objective).max(initial=0.0)
    if size == 0.0:
        return np.zeros(len(objective))
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    for method in ("highs-ds", "highs"):
        answer = linprog(
            -objective / size, A_ub=constraints, b_ub=limits, bounds=bounds, method=method,
            options=options,
        )  # fmt: skip
        if answer.status == 0:
            return np.asarray(answer.x)
    raise JusticeLabError(
        "the test for separation got no answer from its linear programme",
        rule="no fit is reported as converged without this test",
        repair="rescale number columns of extreme size, or fit with the Firth method",
    )


class _Box(NamedTuple):
    """Limits on v other than |v| <= 1: ``left @ v <= right``, solved for v / unit."""

    left: np.ndarray
    right: np.ndarray
    unit: np.ndarray


def _climb(
    table: _Table,
    work: np.ndarray,
    basis: np.ndarray,
    objective: np.ndarray,
    box: _Box | None = None,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Maximise the objective over the cone and the span of the basis, adding violated rows.

    Returns the direction b = basis @ v, None where the optimum is zero (which the working rows
    alone prove), with max |b| = 1, its margins in all rows, and the working rows.
    """
    while True:
        rows = _design(table, work) @ basis
        rows = rows[np.abs(rows).max(axis=1, initial=0.0) > POSITIVE]
        if box is None:
            rows = np.unique(rows, axis=0)
            v = _solve(objective, -rows, np.zeros(len(rows)), (-1.0, 1.0))
            # The cone reaches the bounds along each of its rays: anything shorter is rounding.
            zero = np.abs(v).max(initial=0.0) < 0.5 or float(objective @ v) <= POSITIVE
        else:
            rows = rows * box.unit
            rows = np.unique(rows / np.abs(rows).max(axis=1, initial=0.0)[:, None], axis=0)
            left = np.concatenate((-rows, box.left * box.unit))
            right = np.concatenate((np.zeros(len(rows)), box.right))
            v = box.unit * _solve(objective * box.unit, left, right, (None, None))
            zero = not np.any(v)
        if zero:
            return None, np.empty(0), work
        b = basis @ v
        b /= np.abs(b).max()
        # A trace of rounding on a huge number would pass for a violated row.
        b[np.abs(b) < TRACE] = 0.0
        margin = _margins(table, b)
        violated = np.flatnonzero(margin < -VIOLATED)
        violated = violated[~np.isin(violated, work, assume_unique=True)]
        if len(violated) == 0:
            return b, margin, work
        work = _more_rows(table, work, margin, violated)


def _separate(
    table: _Table, work: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Find every separable row: directions, separated rows, working rows, flat design rows."""
    whole = np.eye(table.size)
    found: list[np.ndarray] = []
    separated = np.zeros(len(table.treated), dtype=bool)
    while True:
        # Each direction separates a row that none before it did, so there are at most p of them.
        flat = work[~separated[work]]
        direction = None
        while len(flat):
            goal = _design(table, flat).sum(axis=0)
            direction, margin, grown = _climb(table, work, whole, goal)
            flat, again = grown[~separated[grown]], len(grown) > len(work)
            work = grown
            if direction is not None or not again:
                break
        if direction is not None and np.any(margin[flat] > POSITIVE):
            found.append(direction)
            separated |= margin > POSITIVE
            continue
        flat_rows = _design(table, flat)
        if not found:
            return found, separated, work, flat_rows
        # A row outside the working rows may be zero along the directions found and yet not along
        # all of their span: it must be seen by the programme before the span is believed.
        live = ~separated if table.active is None else ~separated & table.active
        missing = _outside_span(table, np.flatnonzero(live), _null_basis(flat_rows))
        missing = missing[~np.isin(missing, work, assume_unique=True)]
        if len(missing) == 0:
            return found, separated, work, flat_rows
        work = np.union1d(work, _spread(missing, BATCH_ROWS))


def _outside_span(table: _Table, rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return the rows that are not zero on the whole span of the basis."""
    out = []
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        out.append(part[np.abs(_design(table, part) @ basis).max(axis=1, initial=0.0) > POSITIVE])
    return np.concatenate(out) if out else rows


def _null_basis(rows: np.ndarray) -> np.ndarray:
    """Return a basis of the directions along which all rows are zero, shape (p, k)."""
    a = np.unique(rows, axis=0) if len(rows) else rows.copy()
    size = rows.shape[1]
    pivots: list[int] = []
    for step in range(min(len(a), size)):
        rest = np.abs(a[step:])
        rest[:, pivots] = 0.0
        i, j = divmod(int(rest.argmax()), size)
        if rest[i, j] <= POSITIVE:
            break
        a[[step, step + i]] = a[[step + i, step]]
        a[step] /= a[step, j]
        others = np.arange(len(a)) != step
        a[others] -= a[others, j][:, None] * a[step]
        pivots.append(j)
    free = [j for j in range(size) if j not in pivots]
    basis = np.zeros((size, len(free)))
    basis[free, np.arange(len(free))] = 1.0
    basis[pivots] = -a[: len(pivots)][:, free]
    return basis


def _raw_functionals(table: _Table) -> np.ndarray:
    """Return rows that give each raw coefficient, up to a positive factor, from a scaled one."""
    functionals = np.eye(table.size)
    if table.intercept >= 0:
        used = table.numeric_slot >= 0
        shift = -table.centre[used] / table.scale[used]
        functionals[table.intercept, table.numeric_slot[used]] = shift
        functionals[table.intercept] /= np.abs(functionals[table.intercept]).max()
    return functionals


def _signs(
    table: _Table,
    work: np.ndarray,
    found: list[np.ndarray],
    basis: np.ndarray,
    functionals: np.ndarray,
    infinite: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return whether each infinite term can go down, can go up, and the working rows."""
    low, high = np.zeros(table.size, dtype=bool), np.zeros(table.size, dtype=bool)

    def note(direction: np.ndarray) -> None:
        value = functionals @ direction
        low[value < -POSITIVE] = True
        high[value > POSITIVE] = True

    for direction in found:
        note(direction)
    if basis.shape[1] == 1:
        return low, high, work
    for j in np.flatnonzero(infinite):
        for sign, seen in ((1.0, high), (-1.0, low)):
            if not seen[j]:
                goal = sign * (functionals[j] @ basis)
                other, _, work = _climb(table, work, basis, goal)
                if other is not None:
                    note(other)
    return low, high, work


def _konis(
    table: _Table,
    work: np.ndarray,
    basis: np.ndarray,
) -> np.ndarray:
    """Return the signs of Konis' programme: most total margin with raw coefficients within one.

    Where its optimum is not unique, a fixed generic objective picks one, so that neither the order
    of the rows nor the solver's path shows.
    """
    used = table.numeric_slot >= 0
    raw = np.eye(table.size)
    raw[table.numeric_slot[used], table.numeric_slot[used]] /= table.scale[used]
    if table.intercept >= 0:
        raw[table.intercept, table.numeric_slot[used]] = -table.centre[used] / table.scale[used]
    total = _column_sums(table)
    bounded = raw @ basis
    # Units that make the largest limit of each v one: raw columns may differ by many decades.
    unit = 1.0 / np.abs(bounded).max(axis=0)
    box = _Box(np.concatenate((bounded, -bounded)), np.ones(2 * len(bounded)), unit)
    goal = total @ basis
    best, _, work = _climb(table, work, basis, goal, box)
    if best is None:
        return np.zeros(table.size, dtype=np.int64)
    # C is a cone, so the optimum fills the box.
    best /= np.abs(raw @ best).max()
    level = float(total @ best)
    if basis.shape[1] > 1 and level > 0.0:
        # Stay at the optimum and move along a generic slope: the square roots of 2, 3, 4, ...
        slope = (np.sqrt(np.arange(2.0, 2.0 + table.size)) % 1.0 - 0.5) @ bounded
        stay = _Box(np.vstack((box.left, -goal / level)), np.append(box.right, 1e-9 - 1.0), unit)
        settled, _, work = _climb(table, work, basis, slope, stay)
        if settled is not None:
            best = settled / np.abs(raw @ settled).max()
    value = raw @ best
    return np.where(np.abs(value) > KONIS_TOLERANCE, np.sign(value), 0.0).astype(np.int64)


def _column_sums(table: _Table) -> np.ndarray:
    """Return the column sums of z over all rows that count, scaled columns."""
    sign = np.where(table.treated, 1.0, -1.0)
    if table.active is not None:
        sign[~table.active] = 0.0
    if table.people is not None:
        sign *= table.people
    total = np.zeros(table.size)
    if table.intercept >= 0:
        total[table.intercept] = sign.sum()
    for column, centre, scale, slot in zip(
        table.numeric, table.centre, table.scale, table.numeric_slot, strict=True
    ):
        if slot >= 0:
            total[slot] = ((column - centre) * sign).sum() / scale
    for code, slots in zip(table.codes, table.slots, strict=True):
        tally = np.bincount(code, weights=sign, minlength=len(slots))
        total[slots[slots >= 0]] = tally[slots >= 0]
    return total
