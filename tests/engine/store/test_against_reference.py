"""The store equals a row-by-row reference on thousands of careers full of hard days."""

from collections import Counter, defaultdict

import pytest

from engine.store.prepare import prepare
from engine.store.reading import open_store, read_whole, read_years
from tests.engine.store import reference
from tests.engine.store.nation import make_extract, make_tables, write_extract


@pytest.fixture(scope="module", params=[(2500, 1, 0.4), (800, 2, 0.9)], ids=["usual", "hard"])
def nation(request, tmp_path_factory):
    people, seed, hard = request.param
    folder = tmp_path_factory.mktemp("nation")
    tables = make_extract(folder / "extract", people, seed, hard=hard, parts=3)
    prepare(folder / "extract", folder / "store", people_in_a_partition=400)
    store = open_store(folder / "store")
    index = read_years(store, "index").to_pylist()
    outcomes = read_years(store, "outcomes").to_pylist()
    rows = {name: table.to_pylist() for name, table in tables.items()}
    # the checks treat releases after the date of the extract as unknown
    for spell in rows["custody_spells"]:
        if spell["released_on"] and spell["released_on"] > store.extract_date:
            spell["released_on"] = None
    by_person = {
        name: group(rows[name])
        for name in (
            "disposals",
            "offences",
            "custody_spells",
            "oasys_assessments",
            "supervision_and_benefits",
        )
    }
    people = {
        row["person_id"]: row | {"date_of_birth": born["date_of_birth"]}
        for row, born in zip(rows["person_profile"], rows["persons"], strict=True)
    }
    return rows, by_person, people, index, outcomes, store


def group(rows):
    found = defaultdict(list)
    for row in rows:
        found[row["person_id"]].append(row)
    return found


def disposal_of(rows):
    return {row["disposal_id"]: row for row in rows["disposals"]}


def test_every_disposal_is_in_the_store_once(nation):
    rows, _, _, index, outcomes, _ = nation
    assert len(index) == len(rows["disposals"])
    assert [row["disposal_id"] for row in index] == [row["disposal_id"] for row in outcomes]
    assert {row["disposal_id"] for row in index} == set(disposal_of(rows))


def test_the_careers_have_the_hard_days(nation):
    rows, by_person, _, _, _, _ = nation
    seen = set()
    for disposal in rows["disposals"]:
        index = disposal["index_date"]
        if index is None:
            continue
        end, proof = reference.months_later(index, 12), reference.months_later(index, 18)
        for offence in by_person["offences"][disposal["person_id"]]:
            day, proven = reference.offence_day(offence), offence["conviction_date"]
            gap = (day - index).days
            seen |= {("gap", gap)} if gap in {0, 1, 365, 366, 367} else set()
            seen |= {"last day"} if day == end else set()
            seen |= {"last proof"} if index < day <= end and proven == proof else set()
            late = (proven - proof).days == 1
            seen |= {"proof a day late"} if index < day <= end and late else set()
            seen |= {"before, proven after"} if day < index < proven <= proof else set()
            seen |= {"no date"} if offence["offence_date"] is None else set()
        seen |= {"leap day"} if (index.month, index.day) == (2, 29) else set()
    days = [(d["person_id"], d["disposal_date"]) for d in rows["disposals"]]
    seen |= {"several on a day"} if len(set(days)) < len(days) else set()
    assert seen >= {
        *(("gap", gap) for gap in (0, 1, 365, 366, 367)),
        "last day",
        "last proof",
        "proof a day late",
        "before, proven after",
        "no date",
        "leap day",
        "several on a day",
    }


def test_outcomes(nation):
    rows, by_person, _, _, outcomes, _ = nation
    disposals = disposal_of(rows)
    for found in outcomes:
        disposal = disposals[found["disposal_id"]]
        person = disposal["person_id"]
        expected = reference.outcomes(
            disposal, by_person["offences"][person], by_person["disposals"][person]
        )
        if expected is None:
            assert found["reoffended"] is None
            assert found["n_reoffences"] is None
        else:
            assert {name: found[name] for name in expected} == expected


def test_deaths_and_deportations_are_marked(nation):
    rows, _, people, _, outcomes, _ = nation
    disposals = disposal_of(rows)
    marked = 0
    for found in outcomes:
        disposal = disposals[found["disposal_id"]]
        index = disposal["index_date"]
        for name, column in (("died", "died_on"), ("deported", "deported_on")):
            day = people[disposal["person_id"]][column]
            if index is None:
                assert found[f"{name}_in_follow_up"] is None
                continue
            inside = day is not None and index < day <= reference.months_later(index, 12)
            assert found[f"{name}_in_follow_up"] == inside
            marked += inside
    assert marked


def test_histories(nation):
    rows, by_person, people, index, _, _ = nation
    disposals = disposal_of(rows)
    for found in index:
        disposal = disposals[found["disposal_id"]]
        person = disposal["person_id"]
        expected = reference.history(
            disposal,
            people[person],
            by_person["offences"][person],
            by_person["disposals"][person],
        )
        assert {name: found[name] for name in expected} == expected
        if found["copas_rate"] is not None:
            assert found["copas_rate"] == pytest.approx(reference.copas_rate(found), rel=1e-14)


def test_exclusions(nation):
    rows, by_person, people, index, _, _ = nation
    disposals = disposal_of(rows)
    seen = set()
    for found in index:
        disposal = disposals[found["disposal_id"]]
        person = disposal["person_id"]
        expected = reference.excluded(
            disposal,
            people[person],
            by_person["offences"][person],
            by_person["custody_spells"][person],
        )
        assert found["excluded"] == expected
        seen.add(expected)
    assert len(seen) >= 6


def test_assessments(nation):
    rows, by_person, _, index, _, _ = nation
    disposals = disposal_of(rows)
    linked = 0
    for found in index:
        disposal = disposals[found["disposal_id"]]
        expected = reference.nearest_assessment(
            disposal, by_person["oasys_assessments"][disposal["person_id"]]
        )
        if expected is None:
            assert found["oasys_days_before"] is None
            assert found["need_drugs"] is None
        else:
            linked += 1
            gap = (disposal["index_date"] - expected["assessment_date"]).days
            assert found["oasys_days_before"] == gap
            assert found["need_drugs"] == expected["need_drugs"]
            assert found["need_ete"] == expected["need_ete"]
            assert found["oasys_score_ogp"] == expected["score_ogp"]
    assert linked


def test_work_and_benefits(nation):
    rows, by_person, _, index, _, _ = nation
    disposals = disposal_of(rows)
    seen = set()
    for found in index:
        disposal = disposals[found["disposal_id"]]
        expected = reference.support(
            disposal, by_person["supervision_and_benefits"][disposal["person_id"]]
        )
        assert {name: found[name] for name in expected} == expected
        seen |= {(name, value) for name, value in expected.items() if isinstance(value, bool)}
    # every flag is met in both states
    assert len(seen) == 2 * sum(isinstance(value, bool) for value in expected.values())


def test_without_records_of_work_nothing_is_known_of_it(tmp_path):
    tables = make_tables(60, 4, 0.3)
    del tables["supervision_and_benefits"]
    write_extract(tmp_path / "extract", tables)
    prepare(tmp_path / "extract", tmp_path / "store")
    index = read_years(open_store(tmp_path / "store"), "index")
    for name in ("never_linked", "employed_month_before", "days_benefits_year_before"):
        assert index[name].null_count == index.num_rows > 0


def test_periods_stay_in_the_store(nation):
    rows, _, _, _, _, store = nation
    kept = read_whole(store, "support").to_pylist()
    assert len(kept) == len(rows["supervision_and_benefits"])

    def counted(table):
        return Counter(
            tuple(row[name] for name in ("person_id", "period_start", "period_end", "kind", "code"))
            for row in table
        )

    assert counted(kept) == counted(rows["supervision_and_benefits"])
