"""Philox words against NumPy's, the published vectors and plain integers."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import philox
from kernels.philox import hash_texts_into, keys_into
from tests import naive
from tests.kernels.support import COMPILED, entry, examples

below = entry(philox.below)
philox4x64 = entry(philox.philox4x64)

WORD = st.integers(0, 2**64 - 1)


def words(counter, key):
    found = philox4x64(*(np.uint64(c) for c in counter), *(np.uint64(k) for k in key))
    return tuple(int(w) for w in found)


# kat_vectors of Random123 1.14 (Salmon et al.), philox4x64 with 10 rounds.
PUBLISHED = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    ),
    (
        (2**64 - 1,) * 4,
        (2**64 - 1,) * 2,
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]


@pytest.mark.parametrize(("counter", "key", "wanted"), PUBLISHED)
def test_published_vectors(counter, key, wanted):
    assert words(counter, key) == wanted
    assert naive.philox4x64(counter, key) == wanted


@given(st.tuples(WORD, WORD, WORD, WORD), st.tuples(WORD, WORD))
@examples(200, 100)
def test_words_are_those_of_plain_integers(counter, key):
    assert words(counter, key) == naive.philox4x64(counter, key)


@given(st.tuples(st.integers(1, 2**64 - 2), WORD, WORD, WORD), st.tuples(WORD, WORD))
@examples(100, 50)
def test_words_are_numpys(counter, key):
    # NumPy adds one to the counter before it draws.
    start = np.array([counter[0] - 1, *counter[1:]], dtype=np.uint64)
    generator = np.random.Philox(counter=start, key=np.array(key, dtype=np.uint64))
    assert words(counter, key) == tuple(int(w) for w in generator.random_raw(4))


def test_keys_are_the_first_word_of_unit_zero_stage_zero():
    n = 25_000 if COMPILED else 300
    unit = np.random.default_rng(1).integers(0, 2**64, n, dtype=np.uint64)
    keys = np.empty(n, dtype=np.uint64)
    keys_into(unit, np.uint64(2), np.uint64(77), np.uint64(88), keys)
    for i in range(0, n, max(1, n // 200)):
        assert int(keys[i]) == naive.philox4x64((int(unit[i]), 0, 2, 0), (77, 88))[0]
    assert len(set(keys.tolist())) == n


def hashes(texts):
    data = [text.encode() if isinstance(text, str) else text for text in texts]
    offsets = np.cumsum([0] + [len(d) for d in data]).astype(np.int64)
    found = np.empty(len(data), dtype=np.uint64)
    hash_texts_into(offsets, np.frombuffer(b"".join(data), dtype=np.uint8).copy(), found)
    return found.tolist()


@given(st.lists(st.binary(max_size=20), max_size=8))
@examples(100, 50)
def test_hash_of_a_text_depends_on_its_bytes_only(texts):
    together = hashes(texts)
    assert together == [hashes([text])[0] for text in texts]
    assert len(set(together)) == len(set(texts))


def test_hash_tells_near_texts_apart():
    texts = [b"", b"\0", b"\0\0", b"\0" * 7, b"\0" * 8, b"\0" * 9, b"\0" * 16, b"a", b"a\0", b"\0a"]
    texts += [b"12345678", b"123456789", b"12345678\0", b"87654321", b"1234567812345678"]
    texts += [f"person-{i}".encode() for i in range(20_000 if COMPILED else 500)]
    assert len(set(hashes(texts))) == len(texts)


def test_hash_spreads_over_all_bits():
    found = hashes([str(i) for i in range(4_000 if COMPILED else 800)])
    for bit in range(64):
        ones = sum(h >> bit & 1 for h in found)
        assert abs(ones - len(found) / 2) < 6 * len(found) ** 0.5 / 2


@given(WORD, st.integers(1, 2**62))
@examples(200, 100)
def test_below_is_the_upper_word_of_the_product(word, bound):
    found = int(below(np.uint64(word), bound))
    assert found == word * bound >> 64
    assert 0 <= found < bound


def test_below_reaches_every_value_evenly():
    seen = Counter(int(below(np.uint64(words((i, 0, 0, 0), (1, 2))[0]), 5)) for i in range(2_000))
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert max(seen.values()) - min(seen.values()) < 140
