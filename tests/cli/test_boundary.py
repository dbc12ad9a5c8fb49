"""Signals end a command with their own code, whatever a library makes of them."""

import inspect
import os
import signal
import time
from pathlib import Path

import pytest

from cli.batch import batch
from cli.bootstrap import bootstrap
from cli.boundary import guarded, resumable
from cli.demo import demo as show_demo
from cli.prepare import prepare
from cli.run import run
from engine import demo, kept
from engine.jobs import job
from engine.release import batch_folder, study_folder
from engine.release import folder as release_folder
from engine.store import folder as store_folder


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_a_library_turns_into_an_error_of_its_own(number, code, capsys):
    @guarded
    def command():
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except (SystemExit, KeyboardInterrupt):
            raise RuntimeError("query interrupted") from None

    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as caught:
        command()

    assert caught.value.code == code
    assert "Internal error" not in capsys.readouterr().err
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ((), "Interrupted. Nothing was kept yet: the same command starts from the beginning."),
        (("private/shards/study-1/", "shards/batch-1/job.json", "parts/.x.part"), "Nothing was"),
        (("private/shards/study-1/found-report.json",), "is kept: run the same command to go on."),
        (("shards/bootstrap-1/0-99",), "is kept: run the same command to go on."),
        (("studies/one/private/shards/study-1/main.json",), "run the same command to go on."),
        (("parts/0a-index.arrow",), "run the same command to go on."),
        (("store/parts/0a-index.arrow",), "run the same command to go on."),
    ],
)
def test_an_interrupted_command_says_whether_it_goes_on(tmp_path, capsys, made, words):
    for name in made:
        place = tmp_path / "out" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            place.mkdir()
        else:
            place.touch()

    @resumable("out")
    def command(*, out):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        command(out=tmp_path / "out")

    assert caught.value.code == 130
    assert words in capsys.readouterr().err


def test_a_command_that_keeps_nothing_says_only_that_it_was_interrupted(capsys):
    @guarded
    def command(*, out):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        command(out=Path("out"))

    assert capsys.readouterr().err == "justicelab: Interrupted.\n"


def test_what_is_kept_is_looked_for_where_it_is_written():
    assert kept.PARTS == store_folder.PARTS
    assert kept.SHARDS == release_folder.SHARDS
    assert kept.PRIVATE == study_folder.PRIVATE
    assert kept.STUDIES == batch_folder.STUDIES == demo.STUDIES
    assert kept.STORE == demo.STORE
    assert kept.DESCRIPTION == job.DESCRIPTION


@pytest.mark.parametrize(
    ("command", "folder"),
    [
        (run, "out"),
        (batch, "out"),
        (show_demo, "out"),
        (prepare, "store"),
        (bootstrap, "folder"),
    ],
)
def test_commands_that_go_on_name_the_folder_where_they_are(command, folder):
    assert folder in inspect.signature(command).parameters
    assert folder in [cell.cell_contents for cell in command.__closure__]
