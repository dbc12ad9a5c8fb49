"""Signals end a command with their own code, whatever a library makes of them."""

import os
import signal
import time

import pytest

from cli.boundary import guarded


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
