"""The guide for data owners names every table and column of the schema, with its type and rules."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from engine.records.schema import TABLES, is_nullable
from engine.store.rules import EXCLUSIONS

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "extract.md").read_text()


def section(name):
    text = GUIDE[GUIDE.index(f"### {name}\n") :]
    return text[: re.search(r"\n##+ ", text[4:]).start() + 4]


def shown(kind):
    if pa.types.is_dictionary(kind):
        return "code"
    return {"string": "text", "date32[day]": "date"}.get(str(kind), str(kind))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_has_its_row(table):
    rows = [
        [cell.strip() for cell in line.split("|")[1:6]]
        for line in section(table.name).splitlines()
        if line.startswith("| `")
    ]
    words = {True: "yes", False: "no"}
    assert [row[:4] for row in rows] == [
        [
            f"`{column.name}`",
            shown(column.type),
            words[column.required],
            words[is_nullable(column)],
        ]
        for column in table.columns
    ]
    for row, column in zip(rows, table.columns, strict=True):
        assert column.rule in row[4]


def test_key_order_and_zone_are_named():
    for table in TABLES:
        text = section(table.name)
        assert f"zone `{table.zone}`" in text
        assert text.startswith(f"### {table.name}\n\n{'Required' if table.required else 'Opt'}")
        for name in (*table.key, *table.sorted_by):
            assert f"`{name}`" in text


def test_reasons_of_exclusion_are_as_many_as_the_store_knows():
    (sentence,) = re.findall(r"Excluded are, in this order: ([^.]+)\.", GUIDE)
    assert len(re.split(r", | or ", sentence)) == len(EXCLUSIONS)
