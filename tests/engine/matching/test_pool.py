"""The table of a study's pool: the store's own rows, in the order of public keys, with levels."""

import numpy as np
import pyarrow as pa
import pytest

from engine.cohort.choose import choose_index
from engine.cohort.pool import comparison_pool
from engine.errors import InputError
from engine.matching.pool import (
    ASSESSED,
    assessed,
    build_pool,
    in_known_regions,
    is_category,
    with_levels,
)
from engine.matching.store_columns import BY_NAME, GROUPS, group_of, label_of, level_label
from engine.store.reading import read_years
from engine.submission.check import check_submission
from tests.engine.cohort.support import truth_linker, truth_of

NAME = "medium-none-random"
COLUMNS = ("sex", "age_at_index", "index_type", "probation_region", "delay_days")


@pytest.fixture(scope="module")
def cohort(truth_nation):
    check = check_submission(truth_nation.out / "submissions" / f"{NAME}.csv")
    links = truth_linker(truth_of(truth_nation, NAME))(check.table, truth_nation.store).links
    choice = choose_index(check.table, links, truth_nation.store)
    comparison = comparison_pool(truth_nation.store, choice.treated, removed=choice.linked)
    return choice.treated, comparison.table


@pytest.fixture(scope="module")
def pool(truth_nation, cohort):
    groups = ("sex", "age", "completed", "wing")
    return build_pool(truth_nation.store, *cohort, COLUMNS, groups, 0)


def test_every_row_is_that_of_the_store(truth_nation, cohort, pool):
    names = ["disposal_id", "person_id", "sex", "age_at_index", "index_type", "probation_region"]
    index = read_years(truth_nation.store, "index", names).take(pa.array(pool.position))

    for name in names:
        assert pool.table[name].to_pylist() == index[name].to_pylist()
    delays = {
        row["disposal_id"]: row["delay_days"]
        for table in cohort
        for row in table.select(["disposal_id", "delay_days"]).to_pylist()
    }
    assert pool.table["delay_days"].to_pylist() == [
        delays[one] for one in pool.table["disposal_id"].to_pylist()
    ]


def test_treated_and_comparison_are_told_apart(cohort, pool):
    treated, comparison = cohort
    ids = np.array(pool.table["disposal_id"].to_pylist())

    assert set(ids[pool.treated]) == set(treated["disposal_id"].to_pylist())
    assert set(ids[~pool.treated]) == set(comparison["disposal_id"].to_pylist())
    rows = dict(zip(treated["disposal_id"].to_pylist(), treated["row"].to_pylist(), strict=True))
    assert list(pool.row) == [rows[one] for one in ids[pool.treated]]
    assert pool.n_treated == treated.num_rows


def test_the_order_is_that_of_public_keys_and_not_of_the_file(truth_nation, cohort, pool):
    treated, comparison = cohort
    turned = (
        treated.take(pa.array(np.arange(treated.num_rows)[::-1])),
        comparison.take(pa.array(np.arange(comparison.num_rows)[::-1])),
    )
    other = build_pool(truth_nation.store, *turned, COLUMNS, ("sex", "age", "completed"), 0)
    seeded = build_pool(truth_nation.store, *cohort, COLUMNS, (), 1)

    assert other.table.equals(pool.table)
    assert list(other.row) == list(pool.row)
    assert other.groups["completed"] == pool.groups["completed"]
    assert seeded.position.tolist() != pool.position.tolist()
    assert sorted(seeded.position) == sorted(pool.position)


def test_levels_of_treated_people(cohort, pool):
    treated, _ = cohort
    own = dict(zip(treated["row"].to_pylist(), treated["completed"].to_pylist(), strict=True))
    ages = pool.table.filter(pa.array(pool.treated))["age_at_index"].to_pylist()

    assert pool.groups["completed"] == [own[row] for row in pool.row]
    assert "wing" not in pool.groups
    bands = dict(zip(ages, pool.groups["age"], strict=True))
    for age, band in bands.items():
        low, _, high = band.partition(" to ")
        assert band == "45 and over" if age >= 45 else int(low) <= age <= int(high)


def test_a_part_is_compared_with_people_like_it(pool):
    sexes = np.array(pool.table["sex"].to_pylist())
    ages = np.array(pool.table["age_at_index"].to_pylist())

    assert (with_levels(pool, "sex", "F") == (sexes == "F")).all()
    kept = []
    for band in set(pool.groups["age"]):
        low, _, high = band.partition(" to ")
        inside = ages >= 45 if band == "45 and over" else (ages >= int(low)) & (ages <= int(high))
        keep = with_levels(pool, "age", band)
        assert (keep == inside).all()
        kept.append(keep)
    assert (np.sum(kept, axis=0) <= 1).all()  # nobody is in two bands


def test_a_part_of_a_service_is_compared_with_everybody(pool):
    keep = with_levels(pool, "completed", "yes")
    own = np.array([one == "yes" for one in pool.groups["completed"]])

    assert keep[~pool.treated].all()
    assert (keep[pool.treated] == own).all()


def test_regions_and_assessments(pool):
    regions = np.array(pool.table["probation_region"].to_pylist(), dtype=object)
    theirs = {one for one in regions[pool.treated] if one is not None}

    assert in_known_regions(pool, "probation_region").tolist() == [
        region in theirs for region in regions
    ]
    assert assessed(pool).tolist() == [one is not None for one in pool.table[ASSESSED].to_pylist()]


def test_an_empty_side_is_told(truth_nation, cohort):
    treated, comparison = cohort
    for sides in ((treated.slice(0, 0), comparison), (treated, comparison.slice(0, 0))):
        with pytest.raises(InputError, match="There are no"):
            build_pool(truth_nation.store, *sides, COLUMNS, (), 0)


def test_every_covariate_is_a_column_of_the_store_with_words_of_its_own(truth_nation):
    known = {*read_years(truth_nation.store, "index", years=()).column_names, "delay_days"}
    labels = [column.label for columns in GROUPS.values() for column in columns]

    assert set(BY_NAME) <= known
    assert len(set(labels)) == len(labels)
    schema = read_years(truth_nation.store, "index", years=()).schema
    for name in BY_NAME:
        if name != "delay_days" and pa.types.is_dictionary(schema.field(name).type):
            assert is_category(name), name


def test_words_of_terms():
    assert label_of("sex=F") == "Sex: women"
    assert label_of("sentence_band=(missing)").endswith("no custody")
    assert label_of("sex=(missing)") == "Sex: not known"
    assert label_of("copas_rate missing") == "Copas rate: not known"
    assert label_of("shoe_size") == "Shoe size"
    assert level_label("offence_group13", "robbery") == "robbery"
    assert [group_of(t) for t in ("sex=F", "log_career_days", "need_drugs=2", "shoe")] == [
        "demographics", "history", "oasys", "other",
    ]  # fmt: skip
