"""Writing: whole or not at all."""

import errno
import hashlib
import os
import stat
from pathlib import Path

import pyarrow as pa
import pytest

from engine.errors import AccessError, CannotCreateError, StorageError
from engine.release import files
from engine.release.files import (
    discard,
    publish,
    stage_bytes,
    stage_csv,
    stage_parquet,
    write_bytes,
)
from engine.release.folder import prepare_folder

CALLS = ("open", "write", "fsync", "rename", "fchmod")


def names(folder):
    return sorted(one.name for one in folder.iterdir())


@pytest.fixture
def folder(tmp_path):
    return prepare_folder(tmp_path / "out")


def failing(monkeypatch, index, code):
    """Let the index-th call of any kind that writes fail; the list counts the calls."""
    seen = []
    for name in CALLS:
        real = getattr(os, name)

        def call(*args, real=real, name=name, **options):
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **options)
            seen.append(name)
            if len(seen) - 1 == index:
                raise OSError(code, "no such words may reach a user", "/secret/path")
            return real(*args, **options)

        monkeypatch.setattr(os, name, call)
    return seen


def test_a_file_has_its_bytes_mode_and_record(folder):
    old = os.umask(0)
    try:
        record = write_bytes(folder, "results.json", b"abc")
    finally:
        os.umask(old)

    path = folder / "results.json"
    assert path.read_bytes() == b"abc"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (record.name, record.bytes, record.rows) == ("results.json", 3, None)
    assert record.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert names(folder) == ["results.json"]


def test_the_record_of_a_table_counts_its_rows(folder):
    table = pa.table({"id": ["a", "b"], "logit": [0.5, -0.5]})

    staged = [
        stage_parquet(folder, "scores.parquet", table),
        stage_csv(folder, "balance.csv", table),
    ]
    publish(folder, staged)
    for record in (one.record for one in staged):
        data = (folder / record.name).read_bytes()
        assert record.rows == 2
        assert record.bytes == len(data)
        assert record.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "-x", ".x", "A.json", "x" * 65, "a\0b"])
def test_no_name_leads_out_of_the_folder(folder, name):
    with pytest.raises(CannotCreateError):
        write_bytes(folder, name, b"")


def test_a_link_under_the_name_is_replaced_and_not_followed(folder, tmp_path):
    (tmp_path / "victim").write_text("safe")
    (folder / "results.json").symlink_to(tmp_path / "victim")

    write_bytes(folder, "results.json", b"new")

    assert (tmp_path / "victim").read_text() == "safe"
    assert not (folder / "results.json").is_symlink()


def test_a_folder_swapped_for_a_link_is_not_written_through(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere")

    with pytest.raises((AccessError, CannotCreateError, StorageError)):
        write_bytes(folder, "results.json", b"new")
    assert names(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("index", range(5))
def test_a_failing_disk_leaves_the_old_file_and_no_part_of_the_new(
    folder, monkeypatch, index, code
):
    write_bytes(folder, "results.json", b"old")

    with monkeypatch.context() as patch:
        seen = failing(patch, index, code)
        with pytest.raises(StorageError) as caught:
            write_bytes(folder, "results.json", b"new")

    assert seen[-1] == ("open", "fchmod", "write", "fsync", "rename")[index]
    assert names(folder) == ["results.json"]
    assert (folder / "results.json").read_bytes() == b"old"
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_failing_disk_under_a_parquet_writer_is_told_the_same_way(folder, monkeypatch):
    table = pa.table({"id": list(range(5000)), "logit": [i / 7 for i in range(5000)]})
    with monkeypatch.context() as patch:
        writes = failing(patch, -1, errno.ENOSPC)
        publish(folder, [stage_parquet(folder, "scores.parquet", table)])
    (folder / "scores.parquet").unlink()

    for index in range(len(writes)):
        with monkeypatch.context() as patch:
            failing(patch, index, errno.ENOSPC)
            with pytest.raises(StorageError, match="full"):
                publish(folder, [stage_parquet(folder, "scores.parquet", table)])
        assert [name for name in names(folder) if name != "scores.parquet"] == []
        (folder / "scores.parquet").unlink(missing_ok=True)


def test_a_short_write_is_continued(folder, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data[:3])))

    write_bytes(folder, "results.json", b"0123456789")

    assert (folder / "results.json").read_bytes() == b"0123456789"


def test_an_interrupt_leaves_no_temporary_file(folder, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(folder, "results.json", b"x")
    assert names(folder) == []


def test_a_denied_write_is_a_matter_of_access(folder, monkeypatch):
    failing(monkeypatch, 0, errno.EACCES)

    with pytest.raises(AccessError):
        write_bytes(folder, "results.json", b"x")


def test_nothing_shows_before_everything_is_staged(folder):
    staged = [stage_bytes(folder, name, b"x") for name in ("results.json", "report.html")]

    assert all(name.startswith(".") for name in names(folder))
    publish(folder, staged)
    assert names(folder) == ["report.html", "results.json"]

    discard(folder, [stage_bytes(folder, "scores.parquet", b"x")])
    assert names(folder) == ["report.html", "results.json"]


def test_only_os_calls_that_the_fault_tests_cover_write_anything():
    source = (files.__file__, files.open_folder.__code__.co_filename)
    for path in source:
        text = Path(path).read_text()
        assert "write_text" not in text
        assert "os.replace" not in text
        assert "shutil" not in text
