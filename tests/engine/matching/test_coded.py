"""Rows of an analysis taken from the coded pool, beside a table of these rows that is read anew."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cohort.choose import choose_index
from engine.cohort.pool import comparison_pool
from engine.errors import InputError
from engine.matching.designed import design_analysis, rows_of_pool, with_exact
from engine.matching.options import check_options
from engine.matching.pool import build_pool, in_known_regions, is_category
from engine.matching.rows import read_rows
from engine.matching.store_columns import GROUPS
from engine.matching.transformations import Transformations
from engine.submission.check import check_submission
from engine.tables import open_table
from tests.engine.cohort.support import truth_linker, truth_of
from tests.kernels.support import examples

NAME = "medium-none-random"
STORED = tuple(column.name for group in GROUPS.values() for column in group)
MADE = Transformations(log=("severity",), square=("time_served_days",))
COVARIATES = (*STORED, *MADE.made)
EXACT = ("probation_region", "index_type", "severity")


@pytest.fixture(scope="module")
def pool(truth_nation):
    check = check_submission(truth_nation.out / "submissions" / f"{NAME}.csv")
    links = truth_linker(truth_of(truth_nation, NAME))(check.table, truth_nation.store).links
    choice = choose_index(check.table, links, truth_nation.store)
    comparison = comparison_pool(truth_nation.store, choice.treated, removed=choice.linked)
    return build_pool(
        truth_nation.store,
        choice.treated,
        comparison.table,
        STORED,
        (),
        5,
        transformations=MADE,
    )


def options_for(covariates, exact, **others):
    return check_options(
        treatment="treated",
        covariates=covariates,
        categorical=tuple(name for name in covariates if is_category(name)),
        exact=exact,
        id="disposal_id",
        missing="indicator",
        seed=5,
        **others,
    )


def read_or_refuse(table, options):
    """Return the rows of a table, or why it is refused."""
    try:
        return read_rows(open_table(table), options), None
    except InputError as error:
        return None, error


def same(one, other):
    """Whether two designs are alike in every name, level and bit."""
    assert one.covariates == other.covariates
    assert np.array_equal(one.codes, other.codes)
    assert len(one.numeric) == len(other.numeric)
    for mine, theirs in zip(one.numeric, other.numeric, strict=True):
        assert mine.tobytes() == theirs.tobytes()


@given(
    st.sets(st.sampled_from(COVARIATES), min_size=1, max_size=8),
    st.lists(st.sampled_from(EXACT), max_size=2, unique=True),
    st.floats(0.02, 1.0),
    st.integers(0, 1000),
)
@examples(60, 6)
def test_rows_are_those_of_a_table_that_is_read(pool, covariates, exact, share, seed):
    rng = np.random.default_rng(seed)
    keep = rng.random(len(pool.treated)) < share
    keep[np.flatnonzero(pool.treated)[:2]] = True
    keep[np.flatnonzero(~pool.treated)[:2]] = True
    names = tuple(name for name in COVARIATES if name in covariates)
    options = options_for(names, tuple(exact))
    table = pool.table.filter(pa.array(keep))
    wanted, refusal = read_or_refuse(table, options)
    if wanted is None:
        with pytest.raises(InputError) as refused:
            rows_of_pool(pool, keep, options)
        assert (refused.value.found, refused.value.rule) == (refusal.found, refusal.rule)
        return
    found, person = rows_of_pool(pool, keep, options)
    same(found.design, wanted.design)
    assert np.array_equal(wanted.identity.order, np.arange(keep.sum()))
    assert found.identity.ids.to_pylist() == wanted.identity.ids.to_pylist()
    assert np.array_equal(found.identity.unit, wanted.identity.unit)
    assert np.array_equal(found.treated, wanted.treated)
    if exact:
        assert np.array_equal(found.cell, wanted.cell)
    else:
        assert found.cell is None
        assert wanted.cell is None
    ids = table["person_id"].to_pylist()
    number = {one: n for n, one in enumerate(dict.fromkeys(ids))}
    assert person.tolist() == [number[one] for one in ids]


def test_the_whole_pool_shares_its_numbers(pool):
    options = options_for(("age_at_index", "severity"), ())
    rows, _ = rows_of_pool(pool, np.ones(len(pool.treated), dtype=np.bool_), options)
    assert rows.design.numeric[0] is pool.coded["age_at_index"].numbers


def test_an_arm_without_people_is_refused(pool):
    with pytest.raises(InputError, match="Nobody is treated"):
        rows_of_pool(pool, ~pool.treated, options_for(("age_at_index",), ()))


@pytest.mark.parametrize("replace", [True, False])
def test_other_exact_columns_change_the_match_and_leave_the_score(pool, replace):
    keep = in_known_regions(pool, "probation_region")
    exact = ("probation_region",)
    main = design_analysis(pool, keep, options_for(COVARIATES[:6], (), replace=replace))
    found = with_exact(main, pool, options_for(COVARIATES[:6], exact, replace=replace))
    anew = design_analysis(pool, keep, options_for(COVARIATES[:6], exact, replace=replace))
    assert found.scoring.logit is main.scoring.logit
    assert found.scoring.logit.tobytes() == anew.scoring.logit.tobytes()
    assert found.scoring.width == anew.scoring.width
    assert found.options == anew.options
    assert np.array_equal(found.rows.cell, anew.rows.cell)
    assert np.array_equal(found.rows.person, anew.rows.person)
    for one in ("focal", "indptr", "partner", "share"):
        mine = getattr(found.matched.pairing, one)
        assert np.array_equal(mine, getattr(anew.matched.pairing, one))
    assert not np.array_equal(found.matched.weight, main.matched.weight)
