"""Damaged files get an answer every time: no crash of ours, no hang, no file left behind."""

import pytest

from engine.submission.sandbox import SECONDS
from tests.engine.submission.fuzzing import answers_to_damaged_files


@pytest.mark.slow
def test_damaged_files_get_an_answer(tmp_path, sandbox):
    found = answers_to_damaged_files(tmp_path, sandbox, 2_000, 20_26)
    assert found.slowest < SECONDS + 5
    assert 0 < found.peak < 1 << 30
    assert len(found.verdicts) == 4
    assert found.left == 0
