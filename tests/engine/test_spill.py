"""Arrays in files: the same values, files without names, pages that are given back."""

import errno
import gc
import os
import time
from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from engine import spill as module
from engine.errors import StorageError
from engine.matching.design import read_design
from engine.matching.identity import identify
from engine.spill import MEMORY, Spill, blocks, resident_bytes, spilling
from engine.tables import open_table

MIB = 1 << 20


def test_a_large_array_is_in_a_file_that_has_no_name_and_is_private(tmp_path):
    with spilling(1 << 30, tmp_path) as spill:
        assert spill.out_of_core
        small, large = spill.empty(10, np.int32), spill.empty((2, MIB), np.float64)
        assert (small.shape, large.shape, large.dtype) == ((10,), (2, MIB), np.float64)
        assert (large == 0).all()
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o77 == 0
        assert list(folder.iterdir()) == []
        before = resident_bytes()
        # A little at a time: what an allocator keeps of an array for the whole is not the spill's.
        for row, part in product(range(2), blocks(MIB, 1 << 12)):
            large[row, part] = np.arange(row * MIB + part.start, row * MIB + part.stop)
        spill.release()
        assert resident_bytes() < before + 8 * MIB
        assert np.array_equal(large.reshape(-1), np.arange(2 * MIB))
    assert list(tmp_path.iterdir()) == []


def test_arrays_outlive_their_spill_and_their_room_is_free_when_they_are_gone(tmp_path):
    with spilling(1 << 30, tmp_path) as spill:
        kept = spill.empty(MIB, np.float64)
        kept[:] = 7.0
        free = os.statvfs(tmp_path).f_bavail
        gone = spill.empty(64 * MIB, np.uint8)
        del gone
        gc.collect()
        assert os.statvfs(tmp_path).f_bavail > free - 32 * MIB // os.statvfs(tmp_path).f_frsize
    assert (kept == 7.0).all()


def test_the_guard_keeps_the_process_below_its_ceiling(tmp_path):
    ceiling = (resident_bytes() + 128 * MIB) * 8 // 7
    most = 0
    with spilling(ceiling, tmp_path) as spill:
        large = spill.empty(512 * MIB, np.uint8)
        for part in blocks(len(large), 16 * MIB):
            large[part] = part.start // (16 * MIB)
            time.sleep(0.01)
            most = max(most, resident_bytes())
        assert most < ceiling
        assert (large[:: 16 * MIB] == np.arange(32)).all()


def test_pages_of_some_rows_are_given_back_and_the_others_stay(tmp_path):
    with spilling(1 << 40, tmp_path) as spill:
        spill._early = 0
        wide, other = spill.empty((3, 4 * MIB), np.uint8), spill.empty(4 * MIB, np.uint16)
        wide[:] = 1
        other[:] = 2
        before = resident_bytes()
        spill.relieve(slice(MIB, 3 * MIB), 5)  # of other arrays
        assert resident_bytes() > before - MIB
        spill.relieve(slice(MIB, 3 * MIB), 4 * MIB)
        assert before - 13 * MIB < resident_bytes() < before - 9 * MIB
        assert (wide == 1).all()
        assert (other == 2).all()


def test_no_room_is_said_before_anything_is_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(module.os, "posix_fallocate", full)
    with (
        spilling(1 << 30, tmp_path) as spill,
        pytest.raises(StorageError, match="no room for 8 MiB"),
    ):
        spill.empty(MIB, np.float64)


def test_room_can_be_asked_for_before_anything_is_made(tmp_path):
    with spilling(1 << 30, tmp_path) as spill:
        spill.require_room(1)
        with pytest.raises(StorageError, match=r"no room for .* GiB of working data"):
            spill.require_room(1 << 60)


def test_what_arrow_keeps_is_given_back_after_each_column(tmp_path, monkeypatch):
    given_back = []
    monkeypatch.setattr(Spill, "relieve_arrow", lambda _: given_back.append("column"))
    n = 50
    table = pa.table({"id": range(n), "age": range(n), "sex": ["M", "F"] * (n // 2)})
    source = open_table(table)
    with spilling(1 << 30, tmp_path) as spill:
        read_design(source, ("age", "sex"), (), identify(source, "id", 0), "error", space=spill)
    assert len(given_back) == 2


def test_memory_is_a_space_too():
    MEMORY.relieve_arrow()
    MEMORY.relieve()
    assert not MEMORY.out_of_core
    assert MEMORY.empty((2, 3), np.uint16).dtype == np.uint16


def test_blocks_cover_every_row_once():
    assert [list(range(10))[part] for part in blocks(10, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(blocks(0, 4)) == []


def test_where_the_system_does_not_say_what_is_resident_pages_are_given_back_always(monkeypatch):
    def absent(*_):
        raise OSError

    monkeypatch.setattr("builtins.open", absent)
    assert resident_bytes() > 1 << 60


def test_a_file_system_in_memory_is_passed_over(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    memory, disk = tmp_path / "in memory", tmp_path / "disk"
    for folder in (memory, disk):
        folder.mkdir()
    escaped = str(memory).replace(" ", "\\040")
    mounts.write_text(f"/dev/x / ext4 rw 0 0\ntmpfs {escaped} tmpfs rw 0 0\n")
    real = module.Path
    monkeypatch.setattr(
        module, "Path", lambda text: mounts if text == "/proc/self/mounts" else real(text)
    )
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(memory))
    assert module._place_on_disk(disk) == disk
    assert module._in_memory(memory)
    assert module._place_on_disk(memory) == real("/var/tmp")
    monkeypatch.setattr(module.os, "access", lambda folder, _: folder == memory)
    with pytest.raises(StorageError, match="no folder on a disk"):
        module._place_on_disk(memory)
