"""Time in which the treated could not reoffend does not count for the service.

Nothing happens to anybody here: half of the people of a nation are said to start something some
months after their index date, if nothing has come in between. The two halves then reoffend alike,
unless the comparison is not held to the same rule.
"""

import datetime as dt
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from engine.cohort.choose import choose_index
from engine.cohort.pool import comparison_pool
from engine.cohort.rules import IndexRules
from engine.store.reading import read_whole, read_years
from tests.engine.cohort import reference
from tests.engine.cohort.support import links_of

RULES = IndexRules(sexual_offences=True)
KIND = "community order"


def may_start(disposal, disposals, spells, rng):
    """Return the day on which a service after a disposal starts, None where nobody is met."""
    delay = int(rng.integers(60, 180))
    start = disposal["index_date"] + dt.timedelta(delay)
    nearer = any(
        reference.usable(other, RULES) and disposal["index_date"] < other["index_date"] <= start
        for other in disposals
    )
    inside = any(r <= start < e for r, e in reference.stays(disposals, spells))
    again = disposal["days"] is not None and disposal["days"] < delay
    return None if nearer or inside or again else start


@pytest.fixture(scope="module")
def halves(truth_nation):
    """Choice for the half that starts, and the outcomes of every disposal."""
    store = truth_nation.store
    rng = np.random.default_rng(7)
    spells = defaultdict(list)
    for row in read_whole(store, "custody").to_pylist():
        spells[row["person_id"]].append(row)
    outcomes = read_years(store, "outcomes", ["reoffended", "days_to_first_reoffence"])
    first = outcomes["days_to_first_reoffence"].to_pylist()
    own = defaultdict(list)
    for row, days in zip(read_years(store, "index").to_pylist(), first, strict=True):
        own[row["person_id"]].append(row | {"days": days})
    rows = []
    for person, disposals in own.items():
        fitting = [
            d
            for d in disposals
            if reference.usable(d, RULES)
            and d["index_type"] == KIND
            and d["index_date"] <= store.last_index_date
        ]
        if person % 2:
            continue
        # One of the person's disposals that could have led to the service, as the pool draws one.
        starts = [start for d in fitting if (start := may_start(d, disposals, spells[person], rng))]
        if starts:
            rows.append((person, starts[rng.integers(len(starts))]))
    people = pa.table(
        {
            "row": pa.array(range(len(rows)), pa.int64()),
            "intervention_start": pa.array([start for _, start in rows], pa.date32()),
            **{
                name: pa.nulls(len(rows), pa.date32())
                for name in ("intervention_end", "index_date", "conviction_date")
            },
        }
    )
    links = links_of(people, [person for person, _ in rows])
    choice = choose_index(people, links, store, RULES)
    return store, choice, np.array(outcomes["reoffended"].to_pylist(), dtype=float)


def compare(halves, treated):
    """Rate of the treated, rate of the pool, and the standard error of their difference."""
    store, choice, reoffended = halves
    everybody = np.arange(0, 2 * 8_000, 2)
    pool = comparison_pool(store, treated, RULES, removed=everybody, seed=3).table
    pool = pool.filter(pa.array([kind == KIND for kind in pool["index_type"].to_pylist()]))
    one, other = (reoffended[table["position"].to_numpy()] for table in (choice.treated, pool))
    variance = sum(values.mean() * (1 - values.mean()) / len(values) for values in (one, other))
    return one.mean(), other.mean(), variance**0.5, pool


def test_held_to_the_same_rule_the_halves_are_alike(halves):
    _, choice, _ = halves
    treated, comparison, error, pool = compare(halves, choice.treated)

    assert choice.treated.num_rows > 500
    assert abs(treated - comparison) < 2.5 * error
    # those who are left have waited as long
    waited, drawn = (table["delay_days"].to_numpy() for table in (choice.treated, pool))
    spread = (waited.var() / len(waited) + drawn.var() / len(drawn)) ** 0.5
    assert abs(waited.mean() - drawn.mean()) < 2.5 * spread


def test_without_the_rule_the_time_counts_for_the_service(halves):
    _, choice, _ = halves
    place = choice.treated.column_names.index("delay_days")
    nobody_waits = choice.treated.set_column(
        place, "delay_days", pa.array(np.zeros(choice.treated.num_rows, np.int32))
    )
    treated, comparison, error, _ = compare(halves, nobody_waits)

    assert treated - comparison < -3 * error
