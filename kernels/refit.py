"""Counts of drawn people, and logistic refits of several replicates in one pass over the columns.

A replicate of the full bootstrap is a column of counts: how often each person was drawn. The rows
are never copied; the counts are frequency weights. Eight replicates share a pass: each column is
loaded once for all of them. A refit starts at the full fit's coefficients and takes its Cholesky
factor as metric, which is within sampling error of the replicate's own; what the metric misses is
learnt from the steps themselves (limited-memory BFGS), so no replicate forms an information matrix.
"""

import numpy as np

from kernels._jit import CHUNK, kernel
from kernels.blocks import tree_add
from kernels.cholesky import solve
from kernels.columns import CodedColumns
from kernels.elementary import exp_in_place
from kernels.philox import STAGE_COUNTS, below, philox4x64

WIDTH = 8
"""Replicates of one pass."""
TOLERANCE = 1e-8
LARGEST_PASSES = 40

REFITTED = 0
SLOW = 1
_OPEN = -1

_WORDS = 4
_TILE = 512
_STRIDE = _TILE + 16
"""Rows of a tile are not 4,096 bytes apart: they would compete for the same cache lines."""
_LANES = 64
_MEMORY = 10
_U = tuple(np.uint64(k) for k in range(WIDTH))
_U0, _U1, _U2, _U3, _U4, _U5, _U6, _U7 = _U


@kernel()
def counts_into(unit, start, draws, seed_low, seed_high, first, counts):
    """Draw people with replacement inside strata and count each row, for a range of replicates.

    Parameters
    ----------
    unit : int64, shape (n,)
        Person of each row, numbered so that the people of a stratum follow each other; -1 for a
        row that takes no part.
    start : int64, shape (strata + 1,)
        Stratum k holds the people start[k], ..., start[k + 1] - 1.
    draws : int64, shape (strata,)
        People drawn in each stratum.
    seed_low, seed_high : uint64
    first : int
        First replicate block: replicates 4 first, ..., 4 first + counts.shape[0] - 1.
    counts : uint16, shape (4 blocks, n)
        Filled.

    Notes
    -----
    Draw d (running on from one stratum to the next) of replicate 4 b + lane is word ``lane`` of the
    Philox counter (d, b, stage, 0), brought below the stratum's size by multiply-high.
    """
    n = unit.shape[0]
    people = start[start.shape[0] - 1]
    stage = np.uint64(STAGE_COUNTS)
    zero = np.uint64(0)
    for b in range(counts.shape[0] // _WORDS):
        drawn = np.zeros((_WORDS, people), dtype=np.uint16)
        block = np.uint64(first + b)
        d = np.uint64(0)
        for k in range(draws.shape[0]):
            size = np.uint64(start[k + 1] - start[k])
            begin = np.uint64(start[k])
            for _ in range(draws[k]):
                w0, w1, w2, w3 = philox4x64(d, block, stage, zero, seed_low, seed_high)
                drawn[_U0, begin + below(w0, size)] += np.uint16(1)
                drawn[_U1, begin + below(w1, size)] += np.uint16(1)
                drawn[_U2, begin + below(w2, size)] += np.uint16(1)
                drawn[_U3, begin + below(w3, size)] += np.uint16(1)
                d += _U1
        for lane in range(_WORDS):
            own = drawn[lane]
            row = counts[_WORDS * b + lane]
            for i in range(n):
                row[i] = own[unit[i]] if unit[i] >= 0 else np.uint16(0)


@kernel(inline=True)
def _slopes_and_cells(columns, beta, slope, cell_value):
    """Fill the slope of each number and the share of each cell, for all replicates."""
    for r in range(WIDTH):
        for j in range(columns.numeric_start.shape[0]):
            slope[j, r] = beta[r, columns.numeric_term[j]] / columns.scale[j]
        for cell in range(columns.cell_term.shape[0]):
            value = 0.0
            for d in range(columns.cell_term.shape[1]):
                term = columns.cell_term[cell, d]
                if term >= 0:
                    value += beta[r, term]
            cell_value[cell, r] = value


@kernel(inline=True)
def _predictor_tile(
    numeric, numeric_start, centre, slope, beta, cells, cell_start, cell_value, first, m, eta
):
    """Write the linear predictors of ``m`` rows, one row of ``eta`` for each replicate."""
    for r in range(WIDTH):
        own = eta[r]
        for i in range(m):
            own[i] = beta[r, 0]
    for j in range(numeric_start.shape[0]):
        middle = centre[j]
        at = numeric_start[j] + first
        x = numeric[at : at + m]
        s0 = slope[j, 0]
        s1 = slope[j, 1]
        s2 = slope[j, 2]
        s3 = slope[j, 3]
        s4 = slope[j, 4]
        s5 = slope[j, 5]
        s6 = slope[j, 6]
        s7 = slope[j, 7]
        for i in range(m):
            value = x[i] - middle
            eta[0, i] += s0 * value
            eta[1, i] += s1 * value
            eta[2, i] += s2 * value
            eta[3, i] += s3 * value
            eta[4, i] += s4 * value
            eta[5, i] += s5 * value
            eta[6, i] += s6 * value
            eta[7, i] += s7 * value
    # Unsigned positions: a signed one is first checked for counting from the end.
    for g in range(cells.shape[0]):
        begin = np.uint64(cell_start[g])
        cell = cells[g, first : first + m]
        for i in range(m):
            k = begin + np.uint64(cell[i])
            eta[0, i] += cell_value[k, _U0]
            eta[1, i] += cell_value[k, _U1]
            eta[2, i] += cell_value[k, _U2]
            eta[3, i] += cell_value[k, _U3]
            eta[4, i] += cell_value[k, _U4]
            eta[5, i] += cell_value[k, _U5]
            eta[6, i] += cell_value[k, _U6]
            eta[7, i] += cell_value[k, _U7]


@kernel(inline=True)
def _residual_tile(treated, counts, first, m, eta, label):
    """Replace the linear predictors of ``m`` rows by count (y - F)."""
    for i in range(m):
        label[i] = 1.0 if treated[first + i] else 0.0
    for r in range(WIDTH):
        own = eta[r]
        count = counts[r, first : first + m]
        for i in range(m):
            own[i] = -own[i]
        exp_in_place(own[:m])
        for i in range(m):
            own[i] = np.float64(count[i]) * (label[i] - 1.0 / (1.0 + own[i]))


@kernel(inline=True)
def _reduce_tile(columns, residual, first, m, lanes, work, gradient, cell_sum):
    """Add X' residual of ``m`` rows to the sums of each replicate."""
    whole = m - m % _LANES
    for j in range(-1, columns.numeric_start.shape[0]):
        if j < 0:
            for i in range(m):
                work[i] = 1.0
        else:
            centre = columns.centre[j]
            at = columns.numeric_start[j] + first
            x = columns.numeric[at : at + m]
            for i in range(m):
                work[i] = x[i] - centre
        for r in range(WIDTH):
            own = residual[r]
            for lane in range(_LANES):
                lanes[lane] = 0.0
            for base in range(0, whole, _LANES):
                for lane in range(_LANES):
                    lanes[lane] += own[base + lane] * work[base + lane]
            for i in range(whole, m):
                lanes[i - whole] += own[i] * work[i]
            size = _LANES
            while size > 1:
                size //= 2
                for lane in range(size):
                    lanes[lane] += lanes[lane + size]
            gradient[r, j + 1] += lanes[0]
    for g in range(columns.cells.shape[0]):
        begin = np.uint64(columns.cell_start[g])
        cell = columns.cells[g, first : first + m]
        for i in range(m):
            k = begin + np.uint64(cell[i])
            cell_sum[k, _U0] += residual[0, i]
            cell_sum[k, _U1] += residual[1, i]
            cell_sum[k, _U2] += residual[2, i]
            cell_sum[k, _U3] += residual[3, i]
            cell_sum[k, _U4] += residual[4, i]
            cell_sum[k, _U5] += residual[5, i]
            cell_sum[k, _U6] += residual[6, i]
            cell_sum[k, _U7] += residual[7, i]


@kernel()
def gradients_pass(columns, beta, treated, counts, partial, predictor):
    """Gradient of each chunk's log likelihood for eight replicates, in one pass over the rows.

    Parameters
    ----------
    columns : CodedColumns
    beta : float64, shape (8, p)
        Coefficients of each replicate on the scaled columns.
    treated : uint8, shape (n,)
    counts : uint16, shape (8, n)
    partial : float64, shape (chunks, 8, p)
        Filled.
    predictor : float64, shape (8, n) or (8, 0)
        If there is room, linear predictors are written there and the gradient is left alone.
    """
    n = treated.shape[0]
    p_numeric = columns.numeric_start.shape[0]
    n_cells = columns.cell_term.shape[0]
    slope = np.empty((p_numeric, WIDTH))
    cell_value = np.empty((n_cells, WIDTH))
    _slopes_and_cells(columns, beta, slope, cell_value)
    for chunk in range(partial.shape[0]):
        eta = np.empty((WIDTH, _STRIDE))
        work = np.empty(_TILE)
        lanes = np.empty(_LANES)
        sums = np.zeros((WIDTH, p_numeric + 1))
        cell_sum = np.zeros((n_cells, WIDTH))
        for first in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n), _TILE):
            m = min(_TILE, n - first)
            _predictor_tile(
                columns.numeric,
                columns.numeric_start,
                columns.centre,
                slope,
                beta,
                columns.cells,
                columns.cell_start,
                cell_value,
                first,
                m,
                eta,
            )
            if predictor.shape[1]:
                for r in range(WIDTH):
                    for i in range(m):
                        predictor[r, first + i] = eta[r, i]
                continue
            _residual_tile(treated, counts, first, m, eta, work)
            _reduce_tile(columns, eta, first, m, lanes, work, sums, cell_sum)
        own = partial[chunk]
        for r in range(WIDTH):
            for j in range(own.shape[1]):
                own[r, j] = 0.0
            own[r, 0] = sums[r, 0]
            for j in range(p_numeric):
                own[r, columns.numeric_term[j]] += sums[r, j + 1] / columns.scale[j]
        for cell in range(n_cells):
            for d in range(columns.cell_term.shape[1]):
                term = columns.cell_term[cell, d]
                if term >= 0:
                    for r in range(WIDTH):
                        own[r, term] += cell_sum[cell, r]


@kernel()
def _advance(
    lower, active, penalty, ratio, gradients, beta, before, steps, changes, stored, scaled, status
):
    """Judge the gradient of each open replicate and take its next step.

    Returns the number of replicates still open. ``before`` holds the gradient of the pass before,
    ``steps`` and ``changes`` the last steps and the changes of the gradient that they made.
    """
    p = beta.shape[1]
    weight = np.empty(_MEMORY)
    direction = np.empty(p)
    still_open = 0
    for r in range(WIDTH):
        if status[r] != _OPEN:
            continue
        g = gradients[r]
        worst = 0.0
        for j in range(p):
            if not active[j]:
                g[j] = 0.0
                continue
            g[j] -= penalty[j] * beta[r, j]
            length = 0.0
            for k in range(j + 1):
                length += lower[j, k] * lower[j, k]
            worst = max(worst, abs(g[j]) / np.sqrt(ratio * length))
        count = stored[r]
        # A step that made things much worse, or a gradient that is not a number.
        if not (worst <= 10.0 * scaled[r]):
            status[r] = SLOW
            continue
        scaled[r] = worst
        if count > 0:
            last = (count - 1) % _MEMORY
            for j in range(p):
                changes[r, last, j] = before[r, j] - g[j]
        # Two loops of limited-memory BFGS around the metric of the full fit.
        for j in range(p):
            before[r, j] = g[j]
            direction[j] = g[j]
        oldest = max(0, count - _MEMORY)
        for number in range(count - 1, oldest - 1, -1):
            slot = number % _MEMORY
            curvature = 0.0
            along = 0.0
            for j in range(p):
                curvature += steps[r, slot, j] * changes[r, slot, j]
                along += steps[r, slot, j] * direction[j]
            weight[slot] = along / curvature if curvature > 0.0 else 0.0
            for j in range(p):
                direction[j] -= weight[slot] * changes[r, slot, j]
        solve(lower, active, direction, direction)
        for j in range(p):
            direction[j] /= ratio
        for number in range(oldest, count):
            slot = number % _MEMORY
            curvature = 0.0
            along = 0.0
            for j in range(p):
                curvature += steps[r, slot, j] * changes[r, slot, j]
                along += changes[r, slot, j] * direction[j]
            back = along / curvature if curvature > 0.0 else 0.0
            for j in range(p):
                direction[j] += (weight[slot] - back) * steps[r, slot, j]
        slot = count % _MEMORY
        for j in range(p):
            steps[r, slot, j] = direction[j]
            beta[r, j] += direction[j]
        stored[r] = count + 1
        # The step just taken is free: it brings a converged replicate closer still.
        if worst <= TOLERANCE:
            status[r] = REFITTED
        elif count + 1 >= LARGEST_PASSES:
            status[r] = SLOW
        else:
            still_open += 1
    return still_open


def refit(
    columns: CodedColumns,
    treated: np.ndarray,
    counts: np.ndarray,
    start: np.ndarray,
    lower: np.ndarray,
    active: np.ndarray,
    penalty: np.ndarray,
    ratio: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Refit eight replicates with counts as frequency weights.

    Parameters
    ----------
    columns : CodedColumns
    treated : uint8, shape (n,)
    counts : uint16, shape (8, n)
        How often each row was drawn; 0 for rows outside the fit.
    start : float64, shape (p,)
        Coefficients of the full fit on the scaled columns.
    lower : float64, shape (p, p)
        Cholesky factor of the full fit's (penalised) information.
    active : bool, shape (p,)
    penalty : float64, shape (p,)
        Ridge penalty of each coefficient, 0 for none.
    ratio : float
        Rows drawn over rows fitted: 1 but in an M-out-of-N bootstrap.

    Returns
    -------
    beta : float64, shape (8, p)
    eta : float64, shape (8, n)
        Linear predictors at ``beta``.
    passes : int64, shape (8,)
        Gradient passes of each replicate.
    status : int64, shape (8,)
        REFITTED, or SLOW where the steps did not contract: form the exact information there.

    Notes
    -----
    A replicate is done when its scaled gradient max |g_j| / sqrt(I_jj) is at most 1e-8, as in the
    full fit: the score is then 1e-8 of its own standard deviation, so no coefficient, and no logit,
    is further from the solution than about 1e-8 sqrt(p) of its standard error. One step more is
    taken. Eight lanes do the same operations whatever the others hold, so a replicate does not
    depend on its neighbours. About 6 ns for each row, replicate and pass with 10 numbers and 10
    categories; 6 to 10 passes.
    """
    p = len(start)
    n = len(treated)
    chunks = (n + CHUNK - 1) // CHUNK
    beta = np.tile(np.where(active, start, 0.0), (WIDTH, 1))
    partial = np.empty((chunks, WIDTH, p))
    before = np.zeros((WIDTH, p))
    steps = np.zeros((WIDTH, _MEMORY, p))
    changes = np.zeros((WIDTH, _MEMORY, p))
    stored = np.zeros(WIDTH, dtype=np.int64)
    scaled = np.full(WIDTH, np.inf)
    status = np.full(WIDTH, _OPEN)
    nothing = np.empty((WIDTH, 0))
    still_open = WIDTH
    while still_open:
        gradients_pass(columns, beta, treated, counts, partial, nothing)
        tree_add(partial.reshape(chunks, WIDTH * p))
        still_open = _advance(
            lower,
            active,
            penalty,
            ratio,
            partial[0],
            beta,
            before,
            steps,
            changes,
            stored,
            scaled,
            status,
        )
    eta = np.empty((WIDTH, n))
    gradients_pass(columns, beta, treated, counts, partial, eta)
    return beta, eta, stored, status
