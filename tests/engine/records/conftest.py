"""One small synthetic nation for all tests of this room."""

from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from engine.records.schema import TABLE
from engine.records.synthetic.nation import synthesise

PEOPLE = 60_000


def read(out, name):
    folder = out / "extract" / TABLE[name].zone / name
    return pq.ParquetDataset(sorted(folder.glob("*.parquet"))).read()


@pytest.fixture(scope="session")
def nation(tmp_path_factory):
    out = tmp_path_factory.mktemp("nation")
    made = synthesise(PEOPLE, out, seed=11, threads=2)
    return SimpleNamespace(out=out, made=made, read=lambda name: read(out, name))
