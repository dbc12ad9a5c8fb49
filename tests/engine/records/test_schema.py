"""The schema of the national records holds together, and the synthetic nation follows it."""

import pyarrow as pa
import pytest

from engine.records import schema
from engine.records.schema import ANALYSIS, IDENTITIES, TABLE, TABLES

NAMES_AND_NUMBERS = {"first_name", "last_name", "middle_names", "date_of_birth", "value"}
NAMES_AND_NUMBERS |= {"pnc_id", "cro_number", "prison_number", "crn"}


def columns(table):
    return {column.name: column for column in table.columns}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_sort_orders_and_dates_are_columns_of_the_table(table):
    known = columns(table)
    assert len(known) == len(table.columns)
    assert set(table.key) | set(table.sorted_by) <= set(known)
    for order in table.date_orders:
        assert known[order.earlier].type == known[order.later].type == pa.date32()
    for name in table.key:
        assert known[name].required
        assert not known[name].nullable


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_foreign_keys_lead_to_a_column_of_the_same_type(table):
    for key in table.foreign_keys:
        target = TABLE[key.table]
        assert columns(target)[key.target].type == columns(table)[key.column].type


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_arrow_schema_says_what_may_be_null(table):
    made = table.schema
    assert made.metadata == {schema.SCHEMA_KEY: b"1"}
    for column in table.columns:
        assert made.field(column.name).nullable == (column.nullable or not column.required)


def test_what_identifies_people_stands_in_zone_i_only():
    for table in TABLES:
        assert table.zone in {IDENTITIES, ANALYSIS}
        if table.zone == ANALYSIS:
            assert not NAMES_AND_NUMBERS & set(columns(table))


def test_codes_list_known_values_and_only_codes_do():
    for table in TABLES:
        for column in table.columns:
            if column.known:
                assert column.type == schema.CODE
                assert len(set(column.known)) == len(column.known)
