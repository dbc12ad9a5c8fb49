"""A small synthetic nation whose truth is known, made once for all rooms."""

from types import SimpleNamespace

import pytest

from engine.records.synthetic.nation import synthesise
from engine.store.prepare import prepare
from engine.store.reading import open_store

PEOPLE = 8_000


@pytest.fixture(scope="session")
def truth_nation(tmp_path_factory):
    out = tmp_path_factory.mktemp("nation")
    synthesise(PEOPLE, out, seed=11, threads=2)
    prepare(out / "extract", out / "store", threads=2, memory_bytes=1 << 30)
    return SimpleNamespace(out=out, store=open_store(out / "store"))
