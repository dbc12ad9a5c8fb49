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


def may_start(disposal, disposals, spells, rng):
    """Return the day on which a service after a disposal starts, None where nobody is met."""
    delay = int(rng.integers(60, 180))
    start = disposal["index_date"] + dt.timedelta(delay)
    others = [d for d in disposals if reference.usable(d, RULES) and d is not disposal]
    nearer = any(
        disposal["index_date"] < other["index_date"] <= start
        or (
            other["index_date"] == disposal["index_date"]
            and reference.gravity(other, RULES) < reference.gravity(disposal, RULES)
        )
        for other in others
    )
    inside = any(r <= start < e for r, e in reference.stays(disposals, spells))
    again = disposal["days"] is not None and disposal["days"] < delay
    return None if nearer or inside or again else start


@pytest.fixture(scope="module")
def nation(truth_nation):
    """Store, disposals and spells by person, and the outcome of every disposal."""
    store = truth_nation.store
    spells = defaultdict(list)
    for row in read_whole(store, "custody").to_pylist():
        spells[row["person_id"]].append(row)
    outcomes = read_years(store, "outcomes", ["reoffended", "days_to_first_reoffence"])
    first = outcomes["days_to_first_reoffence"].to_pylist()
    own = defaultdict(list)
    for row, days in zip(read_years(store, "index").to_pylist(), first, strict=True):
        own[row["person_id"]].append(row | {"days": days})
    return store, own, spells, np.array(outcomes["reoffended"].to_pylist(), dtype=float)


@pytest.fixture(scope="module", params=reference.KINDS)
def halves(request, nation):
    """The half that starts, with every disposal of a kind that could have led to the service."""
    store, own, spells, _ = nation
    rng = np.random.default_rng(7)
    rounds = defaultdict(list)
    for person, disposals in own.items():
        starts = [
            may_start(d, disposals, spells[person], rng)
            for d in disposals
            if person % 2 == 0
            and reference.usable(d, RULES)
            and d["index_type"] == request.param
            and d["index_date"] <= store.last_index_date
        ]
        for number, start in enumerate(start for start in starts if start):
            rounds[number].append((person, start))
    # a study takes a person once, so each occasion of a person is in another round
    treated = [chosen(store, rows) for rows in rounds.values()]
    return pa.concat_tables(table.unify_dictionaries() for table in treated).unify_dictionaries()


def chosen(store, rows):
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
    return choose_index(people, links, store, RULES).treated


def mean_and_variance(table, values):
    """Mean, and its variance with each person's rows summed."""
    spread = values - values.mean()
    _, person = np.unique(table["person_id"].to_numpy(), return_inverse=True)
    return values.mean(), (np.bincount(person, weights=spread) ** 2).sum() / len(values) ** 2


def compare(nation, halves, delays=None):
    """Rate of the treated, rate of the pool, the error of their difference, and the pool."""
    store, _, _, reoffended = nation
    (kind,) = set(halves["index_type"].to_pylist())
    place = halves.column_names.index("delay_days")
    asked = halves if delays is None else halves.set_column(place, "delay_days", delays)
    everybody = np.arange(0, 2 * 8_000, 2)
    pool = comparison_pool(store, asked, RULES, removed=everybody, seed=3).table
    assert set(pool["index_type"].to_pylist()) == {kind}
    (one, v_one), (other, v_other) = (
        mean_and_variance(table, reoffended[table["position"].to_numpy()])
        for table in (halves, pool)
    )
    return one, other, (v_one + v_other) ** 0.5, pool


def test_held_to_the_same_rule_the_halves_are_alike(nation, halves):
    treated, comparison, error, pool = compare(nation, halves)

    assert halves.num_rows > 500
    assert abs(treated - comparison) < 2.5 * error
    # those who are left have waited as long
    (waited, v_waited), (drawn, v_drawn) = (
        mean_and_variance(table, table["delay_days"].to_numpy().astype(float))
        for table in (halves, pool)
    )
    assert abs(waited - drawn) < 2.5 * (v_waited + v_drawn) ** 0.5


def test_without_the_rule_the_time_counts_for_the_service(nation, halves):
    nobody_waits = pa.array(np.zeros(halves.num_rows, np.int32))
    treated, comparison, error, _ = compare(nation, halves, nobody_waits)

    assert treated - comparison < -3 * error
