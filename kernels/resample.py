"""Bootstrap replicates with matches held fixed: random multipliers, and draws of whole sets.

Replicate r is a pure function of the inputs, the seed and r. One Philox block has four words and
serves the four consecutive replicates 4 b, ..., 4 b + 3: counter (unit, b, stage, 0). The unit is a
key that belongs to the person and not to a position, so the order of rows decides nothing but the
order of additions, which is fixed: chunks of 4,096 units, then a pairwise tree. A million units and
a thousand replicates are 2.5e8 blocks, 9 ns each. The kernels are serial and release the
interpreter's lock: ranges of replicates may run in as many threads as there are.
"""

import numpy as np

from kernels._jit import CHUNK, kernel
from kernels.blocks import total, tree_add
from kernels.elementary import log_into
from kernels.philox import STAGE_MULTIPLIER, STAGE_SETS, below, philox4x64

GAUSSIAN = 0
MAMMEN = 1
EXPONENTIAL = 2

LANES = 4
"""Words of a Philox block, and so replicates that share one."""
_TILE = 512
_BLOCKS_PER_CALL = 10_000_000
_DRAWS_PER_CALL = 4_000_000

_UNIT_INTERVAL = 2.0**-53
_QUARTER = 1.5707963267948966
_SQRT5 = 2.23606797749979
_MAMMEN_LOW = (1.0 - _SQRT5) / 2.0
_MAMMEN_HIGH = (1.0 + _SQRT5) / 2.0
_MAMMEN_BELOW = np.uint64(13348189408090370666)
"""P(low) = (sqrt(5) + 1) / (2 sqrt(5)) in units of 2^-64."""


@kernel(inline=True)
def _normals_into(words, normal, work):
    """Turn the words of a tile into standard normals, by Box and Muller's transform.

    Rows 0 and 1 of ``words`` give rows 0 and 1 of ``normal``, rows 2 and 3 the others. The radius
    takes 53 bits of one word, so no value exceeds 8.6; of the other word 2 bits give the quadrant
    and 53 the angle in it. Sine and cosine are Taylor polynomials on [-pi/4, pi/4] (truncation
    below 5e-17): within 2e-15 of the exact transform of the same words.
    """
    for pair in range(0, LANES, 2):
        for i in range(_TILE):
            work[i] = (np.float64(words[pair, i] >> np.uint64(11)) + 1.0) * _UNIT_INTERVAL
        log_into(work, normal[pair])
        for i in range(_TILE):
            radius = np.sqrt(-2.0 * normal[pair, i])
            word = words[pair + 1, i]
            part = np.float64((word << np.uint64(2)) >> np.uint64(11)) * _UNIT_INTERVAL
            x = (part - 0.5) * _QUARTER
            z = x * x
            s = -7.647163731819816e-13
            s = s * z + 1.6059043836821613e-10
            s = s * z - 2.505210838544172e-08
            s = s * z + 2.7557319223985893e-06
            s = s * z - 0.0001984126984126984
            s = s * z + 0.008333333333333333
            s = s * z - 0.16666666666666666
            s = x + x * z * s
            c = 4.779477332387385e-14
            c = c * z - 1.1470745597729725e-11
            c = c * z + 2.08767569878681e-09
            c = c * z - 2.755731922398589e-07
            c = c * z + 2.48015873015873e-05
            c = c * z - 0.001388888888888889
            c = c * z + 0.041666666666666664
            c = c * z - 0.5
            c = 1.0 + z * c
            quadrant = word >> np.uint64(62)
            odd = (quadrant & np.uint64(1)) == np.uint64(1)
            first = s if odd else c
            second = c if odd else s
            # Quadrants 0 to 3: (c, s), (-s, c), (-c, -s), (s, -c).
            normal[pair, i] = -radius * first if 1 <= quadrant <= 2 else radius * first
            normal[pair + 1, i] = -radius * second if quadrant >= 2 else radius * second


@kernel(inline=True)
def _multipliers_into(kind, words, multiplier, work):
    """Turn the words of a tile into multipliers; ``work`` is scratch."""
    if kind == MAMMEN:
        for lane in range(LANES):
            for i in range(_TILE):
                low = words[lane, i] < _MAMMEN_BELOW
                multiplier[lane, i] = _MAMMEN_LOW if low else _MAMMEN_HIGH
    elif kind == EXPONENTIAL:
        for lane in range(LANES):
            for i in range(_TILE):
                work[i] = (np.float64(words[lane, i] >> np.uint64(11)) + 1.0) * _UNIT_INTERVAL
            log_into(work, multiplier[lane])
            for i in range(_TILE):
                multiplier[lane, i] = -multiplier[lane, i]
    else:
        _normals_into(words, multiplier, work)


@kernel()
def multiplier_chunks_into(kind, unit, values, seed_low, seed_high, first, partial):
    """Sum multiplier times value over each chunk of units, for a range of replicate blocks.

    Parameters
    ----------
    kind : int
        GAUSSIAN, MAMMEN or EXPONENTIAL.
    unit : uint64, shape (n,)
        Key of each person.
    values : float64, shape (q, n)
    seed_low, seed_high : uint64
    first : int
        First replicate block; ``partial.shape[1]`` blocks are done.
    partial : float64, shape (chunks, blocks, 4, q)
        Filled: replicate 4 (first + b) + lane of column c in ``[chunk, b, lane, c]``.
    """
    n = unit.shape[0]
    stage = np.uint64(STAGE_MULTIPLIER)
    zero = np.uint64(0)
    for chunk in range(partial.shape[0]):
        words = np.zeros((LANES, _TILE), dtype=np.uint64)
        multiplier = np.empty((LANES, _TILE))
        work = np.empty(_TILE)
        low = chunk * CHUNK
        high = min(low + CHUNK, n)
        for b in range(partial.shape[1]):
            block = np.uint64(first + b)
            sums = partial[chunk, b]
            for c in range(values.shape[0]):
                for lane in range(LANES):
                    sums[lane, c] = 0.0
            for start in range(low, high, _TILE):
                m = min(_TILE, high - start)
                for i in range(m):
                    w0, w1, w2, w3 = philox4x64(
                        unit[start + i], block, stage, zero, seed_low, seed_high
                    )
                    words[0, i] = w0
                    words[1, i] = w1
                    words[2, i] = w2
                    words[3, i] = w3
                _multipliers_into(kind, words, multiplier, work)
                for c in range(values.shape[0]):
                    s0 = 0.0
                    s1 = 0.0
                    s2 = 0.0
                    s3 = 0.0
                    for i in range(m):
                        value = values[c, start + i]
                        s0 += multiplier[0, i] * value
                        s1 += multiplier[1, i] * value
                        s2 += multiplier[2, i] * value
                        s3 += multiplier[3, i] * value
                    sums[0, c] += s0
                    sums[1, c] += s1
                    sums[2, c] += s2
                    sums[3, c] += s3


def multiplier_sums(
    kind: int, unit: np.ndarray, values: np.ndarray, seed: tuple[int, int], start: int, stop: int
) -> np.ndarray:
    """Return sum over units of multiplier times value, for a range of replicates.

    Parameters
    ----------
    kind : int
        GAUSSIAN: N(0, 1). MAMMEN: (1 - sqrt(5))/2 with probability (sqrt(5) + 1)/(2 sqrt(5)), else
        (1 + sqrt(5))/2, of mean 0 and second and third moment 1. EXPONENTIAL: Exp(1), mean 1:
        centre the values first.
    unit : uint64, shape (n,)
        Key of each person, all different.
    values : float64, shape (q, n), C-contiguous
        Columns that share their multipliers, so that their covariance is kept.
    seed : tuple of two int
        Low and high word, each in [0, 2^64).
    start, stop : int
        Replicates start, ..., stop - 1, from 0.

    Returns
    -------
    float64, shape (stop - start, q)

    Notes
    -----
    About 11 ns for each unit and four replicates with Mammen's multipliers, 25 ns with normal ones.

    References
    ----------
    Mammen (1993), Annals of Statistics 21, 255-285.
    """
    q, n = values.shape
    chunks = (n + CHUNK - 1) // CHUNK
    result = np.zeros((stop - start, q))
    step = max(1, _BLOCKS_PER_CALL // max(1, n))
    low, high = np.uint64(seed[0]), np.uint64(seed[1])
    for first in range(start // LANES, (stop + LANES - 1) // LANES, step):
        last = min(first + step, (stop + LANES - 1) // LANES)
        partial = np.empty((chunks, last - first, LANES, q))
        if chunks:
            multiplier_chunks_into(kind, unit, values, low, high, first, partial)
            flat = partial.reshape(chunks, -1)
            tree_add(flat)
            sums = flat[0].reshape(-1, q)
            a, b = max(start, first * LANES), min(stop, last * LANES)
            result[a - start : b - start] = sums[a - first * LANES : b - first * LANES]
    return result


@kernel(inline=True)
def _close_chunk(sums, partial, number):
    """Move the running sums of a chunk of draws to its row and start again from 0."""
    for lane in range(LANES):
        for c in range(sums.shape[1]):
            partial[number, lane, c] = sums[lane, c]
            sums[lane, c] = 0.0


@kernel()
def drawn_blocks_into(values, draws, replace, seed_low, seed_high, first, result):
    """Sum the rows that each of a range of replicate blocks draws.

    Parameters
    ----------
    values : float64, shape (n, q), C-contiguous
        One row for each set or person, in canonical order.
    draws : int
        Rows drawn in a replicate, at least 1; at most n without replacement.
    replace : bool
    seed_low, seed_high : uint64
    first : int
        First replicate block; ``result.shape[0]`` blocks are done.
    result : float64, shape (blocks, 4, q)
        Filled.
    """
    n, q = values.shape
    stage = np.uint64(STAGE_SETS)
    zero = np.uint64(0)
    chunks = (draws + CHUNK - 1) // CHUNK
    for b in range(result.shape[0]):
        block = np.uint64(first + b)
        sums = np.zeros((LANES, q))
        partial = np.empty((chunks, LANES, q))
        place = np.empty((LANES, 0 if replace else n), dtype=np.int32)
        if not replace:
            for lane in range(LANES):
                for i in range(n):
                    place[lane, i] = i
        chosen = np.empty(LANES, dtype=np.int64)
        for d in range(draws):
            words = philox4x64(np.uint64(d), block, stage, zero, seed_low, seed_high)
            left = np.uint64(n if replace else n - d)
            chosen[0] = np.int64(below(words[0], left))
            chosen[1] = np.int64(below(words[1], left))
            chosen[2] = np.int64(below(words[2], left))
            chosen[3] = np.int64(below(words[3], left))
            for lane in range(LANES):
                row = chosen[lane]
                if not replace:
                    # Fisher and Yates: the drawn row changes place with the first not drawn yet.
                    other = d + row
                    row = np.int64(place[lane, other])
                    place[lane, other] = place[lane, d]
                for c in range(q):
                    sums[lane, c] += values[row, c]
            if d % CHUNK == CHUNK - 1:
                _close_chunk(sums, partial, d // CHUNK)
        if draws % CHUNK:
            _close_chunk(sums, partial, chunks - 1)
        flat = partial.reshape(chunks, LANES * q)
        tree_add(flat)
        for lane in range(LANES):
            for c in range(q):
                result[b, lane, c] = partial[0, lane, c]


def drawn_sums(
    values: np.ndarray,
    draws: int,
    seed: tuple[int, int],
    start: int,
    stop: int,
    *,
    replace: bool = True,
) -> np.ndarray:
    """Return the sums of randomly drawn rows, for a range of replicates.

    Parameters
    ----------
    values : float64, shape (n, q), C-contiguous
        One row for each set or person, n >= 1: numerators and denominators of ratios are columns.
    draws : int
        Rows drawn in a replicate: n for the bootstrap, fewer for M out of N; at most n without
        replacement.
    seed : tuple of two int
    start, stop : int
        Replicates start, ..., stop - 1.
    replace : bool
        With replacement, or a subsample without.

    Returns
    -------
    float64, shape (stop - start, q)

    Notes
    -----
    Draw d of replicate 4 b + lane is word ``lane`` of counter (d, b, stage, 0), brought below the
    number of rows left by multiply-high. O(draws q) a replicate, and O(n) more without replacement.
    """
    q = values.shape[1]
    result = np.empty((stop - start, q))
    step = max(1, _DRAWS_PER_CALL // max(1, draws))
    low, high = np.uint64(seed[0]), np.uint64(seed[1])
    for first in range(start // LANES, (stop + LANES - 1) // LANES, step):
        last = min(first + step, (stop + LANES - 1) // LANES)
        blocks = np.empty((last - first, LANES, q))
        drawn_blocks_into(values, draws, replace, low, high, first, blocks)
        sums = blocks.reshape(-1, q)
        a, b = max(start, first * LANES), min(stop, last * LANES)
        result[a - start : b - start] = sums[a - first * LANES : b - first * LANES]
    return result


def centred(values: np.ndarray) -> np.ndarray:
    """Return columns less their mean over units, for multipliers whose mean is 1.

    Parameters
    ----------
    values : float64, shape (q, n)

    Returns
    -------
    float64, shape (q, n), C-contiguous
    """
    result = np.array(values, dtype=np.float64, order="C")
    for column in result:
        column -= float(total(np.ascontiguousarray(column))) / max(1, len(column))
    return result
