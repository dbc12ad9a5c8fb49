"""Which folders are written to, and which are refused."""

import os
import stat

import pytest

from engine.errors import (
    AccessError,
    BusyError,
    CannotCreateError,
    JusticeLabError,
    StorageError,
)
from engine.release.encoding import json_bytes
from engine.release.files import write_bytes
from engine.release.folder import (
    MANIFEST,
    SHARDS,
    check_folder,
    locked,
    prepare_folder,
    private_folder,
    read_file,
    read_manifest,
)

OURS = {"format": 1, "kind": "match", "status": "complete"}


@pytest.fixture
def open_umask():
    old = os.umask(0)
    yield
    os.umask(old)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_private_whatever_the_umask(tmp_path, open_umask):
    folder = prepare_folder(tmp_path / "a" / "b" / "out")

    assert [mode(one) for one in (folder, *folder.parents[:2])] == [0o700] * 3


def test_checking_makes_nothing(tmp_path):
    assert check_folder(tmp_path / "out") == tmp_path / "out"
    assert not (tmp_path / "out").exists()


def test_an_empty_private_folder_and_an_earlier_output_are_accepted(tmp_path):
    folder = prepare_folder(tmp_path / "out")
    prepare_folder(folder)
    write_bytes(folder, "results.json", json_bytes({}))
    write_bytes(folder, MANIFEST, json_bytes(OURS))

    assert prepare_folder(folder) == folder
    assert read_manifest(folder) == OURS


def test_a_link_is_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(AccessError, match="symbolic link"):
        prepare_folder(tmp_path / "link")


@pytest.mark.parametrize("bits", [0o750, 0o705, 0o701, 0o777])
def test_a_folder_open_to_others_is_refused_and_left_as_it_was(tmp_path, bits):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(bits)

    with pytest.raises(AccessError, match="chmod 700"):
        prepare_folder(folder)
    assert mode(folder) == bits


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("x")

    with pytest.raises(CannotCreateError):
        prepare_folder(tmp_path / "out")
    with pytest.raises(CannotCreateError):
        prepare_folder(tmp_path / "out" / "below")


@pytest.mark.parametrize("name", ["notes.txt", "Results.json", ".results.json.part", ".hidden"])
def test_a_folder_with_anything_foreign_is_refused_even_beside_our_manifest(tmp_path, name):
    folder = prepare_folder(tmp_path / "out")
    write_bytes(folder, MANIFEST, json_bytes(OURS))
    (folder / name).write_text("mine")

    with pytest.raises(CannotCreateError) as caught:
        prepare_folder(folder)
    assert name not in str(caught.value)
    assert (folder / name).read_text() == "mine"


@pytest.mark.parametrize(
    "manifest",
    [
        None,
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"format": 1}',
        '{"format": 2, "kind": "match", "status": "complete"}',
        '{"format": 1, "kind": "match", "status": "other"}',
    ],
)
def test_files_with_our_names_but_no_manifest_of_ours_are_foreign(tmp_path, manifest):
    folder = prepare_folder(tmp_path / "out")
    (folder / "report.html").write_text("somebody else's")
    if manifest is not None:
        (folder / MANIFEST).write_text(manifest)

    with pytest.raises(CannotCreateError):
        prepare_folder(folder)


def test_a_link_or_a_folder_under_one_of_our_names_is_foreign(tmp_path):
    folder = prepare_folder(tmp_path / "out")
    write_bytes(folder, MANIFEST, json_bytes(OURS))
    (folder / "results.json").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CannotCreateError):
        prepare_folder(folder)
    (folder / "results.json").unlink()
    (folder / "results.json").mkdir()
    with pytest.raises(CannotCreateError):
        prepare_folder(folder)


def test_a_path_that_cannot_be_is_refused_in_our_own_words(tmp_path):
    for path in (tmp_path / ("x" * 300), tmp_path / "nul\0l"):
        with pytest.raises(JusticeLabError):
            prepare_folder(path)


def test_two_writers_do_not_meet_and_the_dead_one_is_swept(tmp_path):
    folder = prepare_folder(tmp_path / "out")
    (folder / ".scores.parquet.123000.part").write_text("half")

    with locked(folder):
        assert list(folder.iterdir()) == []
        with pytest.raises(BusyError), locked(folder):
            pass
    with locked(folder):
        pass


def test_jobs_on_an_output_stand_in_a_folder_of_their_own(tmp_path):
    folder = prepare_folder(tmp_path / "out")
    write_bytes(folder, MANIFEST, json_bytes(OURS))
    private_folder(folder / SHARDS / "bootstrap-1")
    assert prepare_folder(folder) == folder
    (folder / SHARDS / "bootstrap-1").rmdir()
    (folder / SHARDS).rmdir()
    (folder / SHARDS).write_text("a file")
    with pytest.raises(CannotCreateError):
        prepare_folder(folder)


def test_a_private_folder_may_hold_anything_but_is_nobody_elses(tmp_path):
    folder = private_folder(tmp_path / "a" / "b")
    (folder / "anything").touch()
    assert private_folder(folder) == folder
    folder.chmod(0o755)
    with pytest.raises(AccessError):
        private_folder(folder)


def test_a_file_is_read_whole_never_through_a_link_and_never_beyond_its_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path, "file", 5) == b"12345"
    with pytest.raises(StorageError, match="too large"):
        read_file(tmp_path, "file", 4)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(CannotCreateError):
        read_file(tmp_path, "link", 5)
    with pytest.raises(StorageError, match="reading"):
        read_file(tmp_path, "nothing", 5)


def test_a_shared_hold_keeps_out_who_wants_it_alone_and_sweeps_nothing(tmp_path):
    folder = prepare_folder(tmp_path / "out")
    (folder / ".scores.parquet.123000.part").write_text("half")
    with locked(folder, shared=True), locked(folder, shared=True):
        with pytest.raises(BusyError), locked(folder):
            pass
        assert [one.name for one in folder.iterdir()] == [".scores.parquet.123000.part"]
