"""Shards: what is there and verifies is finished work, and nothing else is."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DamagedShardError, StorageError
from engine.jobs.shards import (
    Shard,
    Units,
    decode,
    encode,
    inputs_digest,
    name_of,
    read_shard,
    units_in,
    write_shard,
)
from engine.release.folder import private_folder

JOB = "ab" * 32


def shard(values=((1.0, np.nan), (-0.0, 5e-324)), start=8, columns=("a:binary", "b")):
    values = np.array(values)
    return Shard(JOB, "12" * 32, Units(start, start + len(values)), columns, values)


def same(one, other):
    return (
        one.job == other.job
        and one.inputs == other.inputs
        and one.units == other.units
        and one.columns == other.columns
        and np.array_equal(one.values.view(np.uint64), other.values.view(np.uint64))
    )


def test_a_shard_comes_back_bit_for_bit():
    assert same(decode(encode(shard())), shard())


@given(
    st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=20),
    st.integers(0, 10**11),
)
def test_every_value_comes_back_and_has_one_form(values, start):
    given_shard = shard(values, start)
    assert same(decode(encode(given_shard)), given_shard)
    assert encode(given_shard) == encode(shard(values, start))


def test_every_flipped_bit_is_noticed():
    data = encode(shard())
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(DamagedShardError):
            decode(bytes(damaged))


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 200])
def test_a_cut_shard_is_noticed(length):
    with pytest.raises(DamagedShardError):
        decode(encode(shard())[:length])


def test_a_shard_that_says_more_than_it_holds_is_noticed():
    long = Shard(JOB, "1", Units(0, 9), ("a", "b"), shard().values)
    with pytest.raises(DamagedShardError):
        decode(encode(long))


def test_arrow_reads_a_shard_without_us():
    with pa.ipc.open_stream(encode(shard())) as reader:
        table = reader.read_all()
    assert table.column_names == ["a:binary", "b"]
    assert table.schema.metadata[b"job"].decode() == JOB
    assert table.num_rows == 2


def test_names_say_whose_and_which_units():
    name = name_of(JOB, Units(8, 10))
    assert name == "shard-abababab-000000000008-000000000010.shard"
    assert units_in(name, JOB) == Units(8, 10)
    assert units_in(name, "cd" * 32) is None
    for other in ("job.json", name + ".part", name.replace("008", "012"), f".{name}.1.part"):
        assert units_in(other, JOB) is None


def test_a_shard_under_another_name_is_noticed(tmp_path):
    folder = private_folder(tmp_path / "shards")
    name = write_shard(folder, shard())
    assert same(read_shard(folder, name), shard())
    other = name_of(JOB, Units(16, 18))
    (folder / name).rename(folder / other)
    with pytest.raises(DamagedShardError):
        read_shard(folder, other)
    with pytest.raises(StorageError):
        read_shard(folder, name)


def test_inputs_of_a_range_are_those_of_its_units():
    assert inputs_digest(("a",), Units(0, 5)) == inputs_digest(("a",), Units(7, 9))
    own = tuple("abcdef")
    assert inputs_digest(own, Units(0, 2)) != inputs_digest(own, Units(1, 3))
    assert inputs_digest(own, Units(0, 2)) == inputs_digest(("a", "b", "x"), Units(0, 2))
