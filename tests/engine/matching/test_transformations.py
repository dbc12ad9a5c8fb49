"""Logarithms and squares that a plan makes: NumPy's numbers, the store's own columns, refusals."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cohort.choose import choose_index
from engine.cohort.pool import comparison_pool
from engine.errors import InputError
from engine.matching.designed import design_analysis
from engine.matching.pool import build_pool
from engine.matching.store_columns import (
    BY_NAME,
    characteristic_of,
    group_of,
    label_of,
    plain_of,
    tells_last_year,
)
from engine.matching.transformations import Transformations, with_transformations
from engine.plan.reading import check_plan
from engine.submission.check import check_submission
from tests.engine.cohort.support import truth_linker, truth_of
from tests.kernels.support import examples

NAME = "medium-none-random"
whole = st.lists(st.none() | st.integers(0, 32_767), min_size=1, max_size=40)
floats = st.lists(st.none() | st.floats(0, 1e100), min_size=1, max_size=40)


def numbers(values):
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


@given(
    st.one_of(
        whole.map(lambda values: pa.array(values, pa.int16())),
        floats.map(lambda values: pa.array(values, pa.float64())),
    )
)
@examples(80, 300)
def test_what_is_made_is_what_numpy_makes(column):
    table = pa.table({"x": column})
    made = with_transformations(table, Transformations(log=("x",), square=("x",)))

    x = numbers(column.to_pylist())
    assert made.column_names == ["x", "log_x", "x_squared"]
    assert made.select(["x"]).equals(table)
    np.testing.assert_allclose(
        numbers(made["log_x"].to_pylist()), np.log(1.0 + x), rtol=1e-15, atol=0
    )
    np.testing.assert_array_equal(numbers(made["x_squared"].to_pylist()), x * x)
    for name in ("log_x", "x_squared"):
        assert made[name].null_count == column.null_count


def test_negative_numbers_have_squares_and_no_logarithm():
    table = pa.table({"x": [3.25, -1.75, None]})
    made = with_transformations(table, Transformations(square=("x",)))

    assert made["x_squared"].to_pylist() == [10.5625, 3.0625, None]
    with pytest.raises(InputError) as error:
        with_transformations(table, Transformations(log=("x",)))
    assert "[transformations] log" in str(error.value)
    assert "column 'x'" in str(error.value)
    assert "0 or more" in str(error.value)
    assert "1.75" not in str(error.value)


# -------------------------------------------------------------------- beside those of the store

STORED = ("log_previous_sanctions", "age_at_index_squared")
ASKED = Transformations(log=("previous_sanctions",), square=("age_at_index",))
BASE = ("sex", "age_at_index", "previous_sanctions", "index_type", "delay_days")


@pytest.fixture(scope="module")
def sides(truth_nation):
    check = check_submission(truth_nation.out / "submissions" / f"{NAME}.csv")
    links = truth_linker(truth_of(truth_nation, NAME))(check.table, truth_nation.store).links
    choice = choose_index(check.table, links, truth_nation.store)
    comparison = comparison_pool(truth_nation.store, choice.treated, removed=choice.linked)
    return choice.treated, comparison.table


def test_the_columns_that_the_store_has_come_out_bit_for_bit(truth_nation, sides):
    counts = ("previous_offences", "previous_sanctions")
    days = ("career_days", "sentence_days", "days_since_last_sanction")
    asked = Transformations(log=(*counts, *days), square=(*counts, "age_at_index"))
    stored = build_pool(truth_nation.store, *sides, asked.made, (), 0).table
    made = build_pool(
        truth_nation.store, *sides, (*counts, *days, "age_at_index"), (), 0, transformations=asked
    ).table

    assert made["log_sentence_days"].null_count > 0
    for name in asked.made:
        assert made[name].equals(stored[name].cast(pa.float64())), name


def test_a_match_on_a_column_that_is_made_is_that_on_the_column_of_the_store(truth_nation, sides):
    options = check_plan({}, "plan.toml").match_options((*BASE, *STORED), ())
    everybody = np.ones(sum(side.num_rows for side in sides), dtype=np.bool_)
    stored = build_pool(truth_nation.store, *sides, (*BASE, *STORED), (), 0)
    made = build_pool(truth_nation.store, *sides, BASE, (), 0, transformations=ASKED)
    first, second = (design_analysis(pool, everybody, options) for pool in (stored, made))

    assert [row.name for row in first.balance][-2:] == list(STORED)
    assert repr(second.balance) == repr(first.balance)  # nan stands beside nan
    np.testing.assert_array_equal(second.matched.weight, first.matched.weight)
    np.testing.assert_array_equal(second.scoring.logit, first.scoring.logit)


# ---------------------------------------------------------------------------------------- words


def test_words_of_what_is_made_are_those_of_its_column():
    assert label_of("log_severity") == "Gravity of the offence (log)"
    assert label_of("severity_squared missing") == "Gravity of the offence, squared: not known"
    assert label_of("log_career_days_squared") == (
        "Length of the criminal career (log of days), squared"
    )
    assert label_of("previous_cautions=2") == "Number of previous cautions: 2"
    assert label_of("log_shoe_size") == "Shoe size (log)"
    for column in BY_NAME.values():
        for name in (f"log_{column.name}", f"{column.name}_squared", f"log_{column.name} missing"):
            assert plain_of(name) == plain_of(column.name) or name in BY_NAME
            assert group_of(name) == group_of(column.name)
            assert characteristic_of(name) == characteristic_of(column.name)
    # the store has it, so it is none that is made, and has its own words
    assert label_of("age_at_index_squared") == "Age, squared"


def test_what_is_made_of_the_last_sanction_tells_the_last_year():
    last = "days_since_last_sanction"
    made = (last, f"log_{last}", f"{last}_squared", f"log_{last}_squared")

    assert [name for name in (*made, *BY_NAME) if tells_last_year(name)] == [*made, f"log_{last}"]
