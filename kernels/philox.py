"""Counter-based random numbers: Philox4x64-10.

A random word is a pure function of a key and a counter, so threads, workers, retries and resumed
jobs cannot change it. The key is the 128-bit seed; the counter words are (unit, replicate, stage,
0). Words equal those of NumPy's ``Philox`` at the same key and counter.

References
----------
Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC'11.
"""

import numpy as np

from kernels._jit import kernel

STAGE_IDENTITY = 1
"""Counter word 2 of the key that puts rows in canonical order and breaks ties."""
STAGE_MATCHING_ORDER = 2
"""Counter word 2 of the key that orders treated people for ``--order random``."""
STAGE_INSTABILITY = 1_000
"""Counter word 2, less its number, of the keys of each order in the instability band."""
STAGE_MULTIPLIER = 10
"""Counter word 2 of the multipliers of a bootstrap with matches held fixed."""
STAGE_SETS = 11
"""Counter word 2 of the draws of matched sets or people, with or without replacement."""
STAGE_COUNTS = 12
"""Counter word 2 of the counts of people in a bootstrap that fits and matches again."""
STAGE_POOL_START = 20
"""Counter word 2 of the starts that are drawn for comparison disposals."""

_M0 = np.uint64(0xD2E7470EE14C6C93)
_M1 = np.uint64(0xCA5A826395121157)
_W0 = np.uint64(0x9E3779B97F4A7C15)
_W1 = np.uint64(0xBB67AE8584CAA73B)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@kernel(inline=True)
def _high(a, b):
    """Upper 64 bits of the 128-bit product of two words."""
    a_low = a & _LOW
    a_high = a >> _HALF
    b_low = b & _LOW
    b_high = b >> _HALF
    middle = a_high * b_low + ((a_low * b_low) >> _HALF)
    carry = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _HALF) + (carry >> _HALF)


@kernel(inline=True)
def philox4x64(c0, c1, c2, c3, k0, k1):
    """Return the four random words of one counter.

    Parameters
    ----------
    c0, c1, c2, c3 : uint64
        Counter words.
    k0, k1 : uint64
        Key words.

    Returns
    -------
    tuple of four uint64
    """
    for _ in range(10):
        h0 = _high(_M0, c0)
        l0 = _M0 * c0
        h1 = _high(_M1, c2)
        l1 = _M1 * c2
        c0 = h1 ^ c1 ^ k0
        c1 = l1
        c2 = h0 ^ c3 ^ k1
        c3 = l0
        k0 = k0 + _W0
        k1 = k1 + _W1
    return c0, c1, c2, c3


@kernel()
def keys_into(unit, stage, seed_low, seed_high, keys):
    """Fill the random key of each unit.

    Parameters
    ----------
    unit : uint64, shape (n,)
        Identity of each row: a number, or the hash of a text.
    stage : uint64
        What the keys are for; a stage never shares words with another.
    seed_low, seed_high : uint64
        The 128-bit seed.
    keys : uint64, shape (n,)
        Filled with the first word of each counter (unit, 0, stage, 0).
    """
    zero = np.uint64(0)
    for i in range(unit.shape[0]):
        keys[i] = philox4x64(unit[i], zero, stage, zero, seed_low, seed_high)[0]


@kernel()
def hash_texts_into(offsets, data, hashes):
    """Fill a 64-bit hash of each text, a pure function of its bytes.

    Parameters
    ----------
    offsets : int64, shape (n + 1,)
        Text i is ``data[offsets[i]:offsets[i + 1]]``.
    data : uint8, shape (m,)
        UTF-8 bytes, one text after another.
    hashes : uint64, shape (n,)
        Filled. Eight bytes at a time enter a multiply-and-fold mix, the length last; two different
        texts collide with probability about 2^-64.
    """
    for i in range(hashes.shape[0]):
        state = _W0
        word = np.uint64(0)
        filled = 0
        for position in range(offsets[i], offsets[i + 1]):
            word |= np.uint64(data[position]) << np.uint64(8 * filled)
            filled += 1
            if filled == 8:
                state ^= word
                state = (state * _M0) ^ _high(state, _M1)
                word = np.uint64(0)
                filled = 0
        state ^= word
        state = (state * _M0) ^ _high(state, _M1)
        state ^= np.uint64(offsets[i + 1] - offsets[i])
        state = (state * _M0) ^ _high(state, _M1)
        hashes[i] = state


@kernel(inline=True)
def below(word, bound):
    """Map a random word to an integer in [0, bound) by multiply-high, no modulo."""
    return _high(word, np.uint64(bound))
