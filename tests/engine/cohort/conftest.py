"""A sandbox for the files of a module."""

import pytest

from engine.submission.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as one:
        yield one
