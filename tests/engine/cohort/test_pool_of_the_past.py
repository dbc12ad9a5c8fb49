"""Whether a disposal is in the pool depends on nothing that happens after its start.

A disposal that is followed by others belongs to somebody who reoffended. A pool that keeps it with
a smaller chance for what follows compares the treated with people who reoffend too little.
"""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from engine.cohort.pool import comparison_pool
from engine.cohort.rules import IndexRules
from engine.store.prepare import prepare
from engine.store.reading import open_store
from tests.engine.cohort import reference
from tests.engine.store.nation import make_tables, write_extract

RULES = IndexRules(youngest=None)
DELAY = 30
CUTS = [dt.date(2012, 5, 1), dt.date(2018, 2, 28)]
NOBODY = np.array([1])


def pool_of(folder, tables):
    """Index date and start of each disposal in the pool of a service that waits a month."""
    write_extract(folder / "extract", tables)
    prepare(folder / "extract", folder / "store", threads=2, memory_bytes=1 << 30)
    kinds = reference.KINDS
    treated = pa.table(
        {
            "person_id": pa.array([1] * len(kinds), pa.int64()),
            "index_type": pa.array(kinds),
            "delay_days": pa.array([DELAY] * len(kinds), pa.int32()),
        }
    )
    found = comparison_pool(open_store(folder / "store"), treated, RULES, removed=NOBODY).table
    assert set(found["delay_days"].to_pylist()) == {DELAY}
    return found


def until(tables, cut):
    """The tables without the disposals of which nothing had happened by a day."""
    after = pc.greater(tables["disposals"]["disposal_date"], cut)
    later = tables["disposals"].filter(after)["disposal_id"]
    offences = tables["offences"]
    known = pc.fill_null(pc.less_equal(offences["offence_date"], cut), False)
    begun = offences.filter(known)["disposal_id"]
    gone = later.filter(pc.invert(pc.is_in(later, value_set=begun)))
    return len(gone), {
        name: table.filter(pc.invert(pc.is_in(table["disposal_id"], value_set=gone)))
        if "disposal_id" in table.column_names
        else table
        for name, table in tables.items()
    }


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    tables = make_tables(1200, 9, 0.5)
    return tables, pool_of(tmp_path_factory.mktemp("lives"), tables)


@pytest.mark.parametrize("cut", CUTS)
def test_what_comes_later_puts_no_disposal_into_the_pool_or_out_of_it(lives, cut, tmp_path):
    tables, pool = lives
    removed, shorter = until(tables, cut)
    before = cut - dt.timedelta(DELAY)

    def started(table):
        by_then = pc.less_equal(table["index_date"], before)
        return set(table.filter(by_then)["disposal_id"].to_pylist())

    known = started(pool_of(tmp_path, shorter))

    assert started(pool) == known
    assert min(removed, len(known)) > 150


def test_a_person_is_there_with_every_disposal_that_passes(lives):
    _, pool = lives
    persons = pool["person_id"].to_pylist()

    assert len(set(persons)) < 0.8 * len(persons)
