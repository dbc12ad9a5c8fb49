"""Choice and pool equal a row-by-row reference on thousands of careers full of hard days."""

import datetime as dt
import itertools
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from engine.cohort.choose import choose_index
from engine.cohort.pool import POOL_LOSSES, comparison_pool
from engine.cohort.rules import IndexRules
from engine.errors import InputError
from engine.store.prepare import prepare
from engine.store.reading import open_store, read_whole, read_years
from engine.store.rules import INDEX_TYPES
from tests.engine.cohort import reference
from tests.engine.cohort.support import links_of
from tests.engine.store.nation import make_extract

EVERYTHING = IndexRules(
    index_types=tuple(reversed(INDEX_TYPES)),
    custody_overlap="any",
    supervision_months=12,
    own_dates=False,
    drop_earlier_reoffenders=False,
    sexual_offences=True,
    youngest=None,
)
SETTINGS = {
    "default": IndexRules(),
    "everything": EVERYTHING,
    "overlap": IndexRules(
        custody_overlap="any", index_types=tuple(reversed(reference.KINDS)), own_dates_days=30
    ),
    "narrow": IndexRules(
        index_types=("community order", "suspended sentence"),
        supervision_months=0,
        own_dates_days=0,
        youngest=21,
        oldest=45,
    ),
}


def by_person(rows):
    found = defaultdict(list)
    for row in rows:
        found[row["person_id"]].append(row)
    return found


@pytest.fixture(scope="module", params=[True, False], ids=["spells", "no spells"])
def careers(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("careers")
    changes = {}
    if not request.param:
        tables = make_extract(folder / "extract", 2000, 5, hard=0.8)
        changes["custody_spells"] = tables["custody_spells"].slice(0, 0)
    make_extract(folder / "extract", 2000, 5, hard=0.8, **changes)
    prepare(folder / "extract", folder / "store", people_in_a_partition=400)
    store = open_store(folder / "store")
    index = read_years(store, "index").to_pylist()
    outcomes = read_years(store, "outcomes", ["days_to_first_reoffence"]).to_pylist()
    disposals = [
        d | o | {"position": place}
        for place, (d, o) in enumerate(zip(index, outcomes, strict=True))
    ]
    spells = by_person(read_whole(store, "custody").to_pylist())
    return store, by_person(disposals), spells


def submission(disposals, spells, seed):
    """Rows with dates on and beside every hard day of the person's career."""
    rng = np.random.default_rng(seed)
    rows = []
    for person, own in disposals.items():
        days = [d["index_date"] for d in own if d["index_date"]]
        days += [reference.months_later(day, months) for day in days for months in (6, 12)]
        days += [
            day
            for s in spells.get(person, [])
            for day in (s["received_on"], s["released_on"])
            if day is not None
        ]
        days = days or [dt.date(2012, 2, 29)]
        for _ in range(rng.integers(1, 4)):
            pick = dt.timedelta(int(rng.integers(-1, 2)))
            start = days[rng.integers(len(days))] + pick
            ends = (start, start + dt.timedelta(int(rng.integers(1, 200))), None)
            near = own[rng.integers(len(own))]
            slip = dt.timedelta(int(rng.choice([0, 0, 3, 7, 8, -7, -8])))
            own_index = near["index_date"] + slip if near["index_date"] else None
            own_conviction = near["disposal_date"] + slip
            kind = rng.integers(6)
            rows.append(
                {
                    "row": len(rows) + 2,
                    "person_id": person,
                    "intervention_start": None if kind < 2 else start,
                    "intervention_end": ends[rng.integers(3)],
                    "index_date": own_index if kind in (0, 3, 5) else None,
                    "conviction_date": own_conviction if kind in (1, 4, 5) else None,
                }
            )
    return rows


def tables(rows):
    dates = ("intervention_start", "intervention_end", "index_date", "conviction_date")
    people = pa.table(
        {
            "row": pa.array([row["row"] for row in rows], pa.int64()),
            **{name: pa.array([row[name] for row in rows], pa.date32()) for name in dates},
            "service_site": pa.array(["AB"[row["row"] % 2] for row in rows]),
        }
    )
    return people, links_of(people, [row["person_id"] for row in rows])


def chosen(choice):
    treated = choice.treated
    return {
        row: (disposal, rule)
        for row, disposal, rule in zip(
            treated["row"].to_pylist(),
            treated["disposal_id"].to_pylist(),
            treated["rule"].to_pylist(),
            strict=True,
        )
    }


def lost(choice):
    return dict(
        zip(choice.losses["row"].to_pylist(), choice.losses["reason"].to_pylist(), strict=True)
    )


@pytest.mark.parametrize("settings", SETTINGS)
def test_choice_and_pool_equal_the_reference(careers, settings):
    store, disposals, spells = careers
    rules = SETTINGS[settings]
    rows = submission(disposals, spells, seed=3)
    people, links = tables(rows)
    choice = choose_index(people, links, store, rules)
    analysed, reasons = reference.cohort(rows, disposals, spells, rules, store.last_index_date)

    assert chosen(choice) == analysed
    assert lost(choice) == reasons

    # a third of the people is the cohort, so that a pool is left
    cohort = [row for row in rows if row["person_id"] % 3 == 0]
    choice = choose_index(*tables(cohort), store, rules)
    treated = list(
        zip(
            choice.treated["index_type"].to_pylist(),
            choice.treated["delay_days"].to_pylist(),
            strict=True,
        )
    )
    pool = comparison_pool(store, choice.treated, rules, removed=choice.linked, seed=2**70 + 9)
    wanted = reference.pool(
        disposals,
        spells,
        treated,
        {row["person_id"] for row in cohort},
        rules,
        store.last_index_date,
        2**70 + 9,
    )

    assert (
        dict(
            zip(
                pool.table["position"].to_pylist(),
                pool.table["delay_days"].to_pylist(),
                strict=True,
            )
        )
        == wanted
    )
    assert sum(pool.losses.values()) + pool.table.num_rows == sum(map(len, disposals.values()))
    assert tuple(pool.losses) == POOL_LOSSES


def test_starts_on_hard_days_of_the_pool_equal_the_reference(careers):
    store, disposals, spells = careers
    rules = IndexRules(youngest=None)
    hard = set()
    for person, own in disposals.items():
        days = sorted(d["index_date"] for d in own if reference.usable(d, rules))
        gaps = {(later - day).days for day, later in itertools.pairwise(days)}
        gaps |= {
            (edge - day).days
            for day in days
            for stay in reference.stays(own, spells[person])
            for edge in stay
            if edge != reference.FOR_EVER
        }
        gaps |= {d["days_to_first_reoffence"] for d in own} - {None}
        hard |= {gap for gap in gaps if 0 < gap < 366}
    # waits as long as what ends them in some career
    delays = sorted(hard)
    kinds = [reference.KINDS[i % 2] for i in range(len(delays))]
    treated = pa.table(
        {
            "person_id": pa.array([1] * len(delays), pa.int64()),
            "index_type": pa.array(kinds),
            "delay_days": pa.array(delays, pa.int32()),
        }
    )
    met = set()
    for seed in range(4):
        pool = comparison_pool(store, treated, rules, removed=np.array([1]), seed=seed)
        wanted = reference.pool(
            disposals,
            spells,
            list(zip(kinds, delays, strict=True)),
            {1},
            rules,
            store.last_index_date,
            seed,
        )
        drawn = pool.table["delay_days"].to_pylist()
        met |= set(drawn)

        assert dict(zip(pool.table["position"].to_pylist(), drawn, strict=True)) == wanted
    assert len(met) > 100


def test_the_last_index_date_is_in_the_data_and_the_next_day_is_not(careers):
    store, disposals, spells = careers
    rows = submission(disposals, spells, seed=3)
    found = choose_index(*tables(rows), store)
    person = {row["row"]: row for row in rows}
    # the end of a stay without an index disposal, and an index date
    ends = [
        stay[1]
        for number, reason in lost(found).items()
        if reason == "no_sentence" and (start := person[number]["intervention_start"])
        for stay in reference.stays(
            disposals[person[number]["person_id"]], spells[person[number]["person_id"]]
        )
        if stay[0] <= start < stay[1] < store.last_index_date
    ]
    days = [*ends[:2], found.treated["index_date"][0].as_py()]
    assert len(days) > 1
    for day in days:
        for last in (day, day - dt.timedelta(1)):
            shorter = replace(store, last_index_date=last)
            choice = choose_index(*tables(rows), shorter)
            analysed, reasons = reference.cohort(rows, disposals, spells, IndexRules(), last)

            assert chosen(choice) == analysed
            assert lost(choice) == reasons


def test_the_careers_reach_every_rule_and_reason(careers):
    store, disposals, spells = careers
    rows = submission(disposals, spells, seed=3)
    choice = choose_index(*tables(rows), store)
    rules = Counter(choice.treated["rule"].to_pylist())
    reasons = Counter(choice.losses["reason"].to_pylist())

    assert len(rows) >= 3500
    assert min(rules[name] for name in ("in custody", "through the gate")) >= 5, rules
    assert min(rules[name] for name in ("under supervision", "sender's date")) >= 50, rules
    names = ("no_sentence", "outside_rule", "outside_data", "reoffended_before", "sexual_offence")
    assert min(reasons[name] for name in (*names, "age_limits", "repeat_participation")) >= 5


def test_the_order_of_the_rows_changes_nothing(careers):
    store, disposals, spells = careers
    rows = submission(disposals, spells, seed=4)
    people, links = tables(rows)
    order = np.random.default_rng(1).permutation(len(rows))
    before = choose_index(people, links, store)
    after = choose_index(people.take(pa.array(order)), links.take(pa.array(order)), store)

    assert chosen(before) == chosen(after)
    assert lost(before) == lost(after)
    assert before.linked.tolist() == after.linked.tolist()
    first, second = (
        comparison_pool(store, choice.treated, removed=choice.linked).table
        for choice in (before, after)
    )
    assert first.equals(second)


def test_links_of_other_rows_are_refused(careers):
    store, disposals, spells = careers
    people, links = tables(submission(disposals, spells, seed=4))

    with pytest.raises(InputError, match="not those of the submission"):
        choose_index(people, links.take(pa.array(range(links.num_rows)[::-1])), store)


def test_nobody_linked(careers):
    store, disposals, spells = careers
    people, _ = tables(submission(disposals, spells, seed=4)[:70])
    choice = choose_index(people, links_of(people, [None] * 70), store)
    pool = comparison_pool(store, choice.treated, removed=choice.linked)

    assert choice.treated.num_rows == choice.losses.num_rows == len(choice.linked) == 0
    assert pool.table.num_rows == 0  # there is nobody to be like
