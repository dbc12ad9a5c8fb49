"""JSON, csv and Parquet as written."""

import csv
import io
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.release.encoding import compact_bytes, csv_bytes, json_bytes, parquet_into
from engine.release.tables import BALANCE, balance_table


def parquet_bytes(table):
    sink = io.BytesIO()
    parquet_into(sink, table)
    return sink.getvalue()


def test_json_keeps_order_and_shortest_numbers_and_has_no_nan():
    content = {"b": 0.1, "a": [math.nan, math.inf, -0.0, np.float64(0.3), 3, None, True], "é": "é"}

    written = json_bytes(content)

    assert written.endswith(b"\n")
    assert list(json.loads(written)) == ["b", "a", "é"]
    assert json.loads(written)["a"] == [None, None, 0.0, 0.3, 3, None, True]
    assert b"-0.0" not in written
    assert "é".encode() in written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_numbers_read_back_exactly(value):
    assert json.loads(json_bytes({"x": value}))["x"] == value


@given(st.text(st.characters()))
def test_json_text_is_harmless_on_a_terminal_and_reads_back(text):
    written = json_bytes({text: text})

    shown = written.decode()
    assert not any(c < " " and c != "\n" for c in shown)
    assert not any("\x7f" <= c <= "\x9f" or "\u202a" <= c <= "\u202e" for c in shown)
    assert json.loads(written) == {text: text}


@pytest.mark.parametrize(
    "payload",
    [
        '=HYPERLINK("http://example.org","x")',
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\0=1",
        "\x1b=1",
        "＝1+1",
        "=cmd|' /C calc'!A0",
    ],
)
def test_no_csv_cell_or_header_is_a_formula(payload):
    written = csv_bytes(pa.table({payload: [payload]}))

    rows = list(csv.reader(io.StringIO(written.decode(), newline="")))
    for cell in (rows[0][0], rows[1][0]):
        assert cell.startswith("'")
        assert "\x1b" not in cell
        assert "\0" not in cell


def test_csv_numbers_stay_numbers():
    written = csv_bytes(pa.table({"x": [-0.5, 1e-17, math.nan, None], "n": [-3, 4, None, 0]}))

    assert written == b"x,n\n-0.5,-3\n1e-17,4\n,\n,0\n"


def test_balance_table_has_one_row_a_term_and_nulls_where_undefined(any_results):
    table = balance_table(any_results)

    assert table.schema == BALANCE
    assert table.num_rows == len(any_results["balance"])
    assert table.to_pylist() == any_results["balance"]


def test_parquet_bytes_do_not_depend_on_chunks_or_metadata():
    numbers = np.arange(3000, dtype=np.float64)
    names = pa.array([f"P{i}" for i in range(3000)])
    one = pa.table({"id": names, "logit": numbers})
    many = pa.concat_tables([one.slice(i, 250) for i in range(0, 3000, 250)])
    pandas = one.replace_schema_metadata({"pandas": "{}"})

    assert parquet_bytes(one) == parquet_bytes(many) == parquet_bytes(pandas)
    assert pq.read_table(io.BytesIO(parquet_bytes(one))).equals(one)


def test_parquet_keeps_an_empty_table_and_a_dictionary():
    arm = pa.array(["treated", "comparison"]).dictionary_encode()
    table = pa.table({"arm": arm, "weight": [1.0, 0.5]})

    assert pq.read_table(io.BytesIO(parquet_bytes(table))).equals(table)
    assert pq.read_table(io.BytesIO(parquet_bytes(table.slice(0, 0)))).num_rows == 0


def test_parquet_unites_dictionaries_that_differ_by_chunk():
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]
    table = pa.table({"id": pa.chunked_array(chunks)})

    read = pq.read_table(io.BytesIO(parquet_bytes(table)))

    assert read.column("id").to_pylist() == ["a", "b", "c", "a"]


def test_json_for_programs_holds_the_same_values():
    content = {"a": [1, -0.0, float("nan"), float("inf"), None, True], "é": {"\u2028": "\udc80"}}

    assert json.loads(compact_bytes(content)) == json.loads(json_bytes(content))
    assert compact_bytes(content).isascii()
