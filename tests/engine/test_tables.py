"""Tables of every kind in, columns out; refusals that name places and never values."""

import datetime as dt
import hashlib
import os
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from engine import errors
from engine.columns import (
    MISSING_CODE,
    as_boolean_treatment,
    as_codes,
    as_float64,
    count_missing,
    missing_rows,
    require_no_missing,
)
from engine.errors import AccessError, InputError, JusticeLabError, UsageError
from engine.tables import column, near_names, open_table, shown

SECRET = "Zebedee"


@pytest.fixture
def write(tmp_path):
    def _write(content, name="people.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


def refusal(call):
    with pytest.raises(JusticeLabError) as caught:
        call()
    text = str(caught.value)
    assert SECRET not in text
    return text


def floats(source, name):
    return as_float64(column(source, name, "covariate"), name=name, source=source).tolist()


def codes(source, name, **options):
    return as_codes(column(source, name, "covariate"), name=name, source=source, **options)


PLAIN = "age,sex,prior\n31,M,0.5\n42,F,1.5\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        "sep=;\r\n" + PLAIN.replace(",", ";").replace(".", ",").replace("\n", "\r\n"),
        PLAIN.replace(",", ";").replace(".", ","),
        '"age","sex","prior"\n"31","M","0.5"\n"42","F","1.5"\n',
        "age , sex,prior \n31,M,0.5\n42,F,1.5\n",
        "age,sex,prior,,\n31,M,0.5,,\n42,F,1.5,,\n,,,,\n,,,,\n",
        "\n" + PLAIN,
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.rstrip("\n"),
    ],
    ids=[
        "plain",
        "bom",
        "crlf",
        "semicolon",
        "tab",
        "pipe",
        "excel-sep-line-decimal-comma",
        "decimal-comma",
        "quoted",
        "spaces-in-header",
        "blank-trailing-columns-and-rows",
        "blank-first-line",
        "utf-16",
        "utf-16-le-no-mark",
        "utf-16-be-no-mark",
        "no-last-line-end",
    ],
)
def test_a_text_table_reads_the_same_however_it_was_exported(write, content):
    source = open_table(write(content))

    assert source.columns == ("age", "sex", "prior")
    assert source.n_rows == 2
    assert source.first_row == 2
    assert floats(source, "age") == [31.0, 42.0]
    assert floats(source, "prior") == [0.5, 1.5]
    assert codes(source, "sex").levels == ("F", "M")


def test_windows_text_is_read_and_noted(write):
    source = open_table(write("town,n\nM\u00fcnchen,1\n\u20ac,2\n".encode("cp1252")))

    assert codes(source, "town").levels == ("M\u00fcnchen", "\u20ac")
    assert any("Windows-1252" in note for note in source.notes)


def test_text_that_is_utf8_only_late_in_the_file_is_utf8(write):
    body = "a,b\n" + "1,x\n" * 1_500_000 + "2,\u00fc\n"
    assert codes(open_table(write(body)), "b").levels == ("x", "\u00fc")


def test_leading_zeros_stay_text_and_quoted_line_ends_stay_in_their_cell(write):
    source = open_table(write('id,note\n007,"two\nlines"\n012,one\n'))

    assert codes(source, "id").levels == ("007", "012")
    assert source.n_rows == 2


def test_empty_cells_in_text_and_numbers_are_missing(write):
    source = open_table(write("a,b\n1,x\nNA,\n,NA\n4,y\n"))

    assert count_missing(source.read("a")) == 2
    assert missing_rows(source.read("b")).tolist() == [False, True, True, False]


def test_a_nameless_column_with_cells_is_left_out_and_noted(write):
    source = open_table(write(f",a\n{SECRET},1\nq,2\n"))

    assert source.columns == ("a",)
    assert source.notes == ("column 1 has no name and cannot be used",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n\n", "no text"),
        ("a,b\n", "no rows"),
        ("a,b\n\n\n", "no rows"),
        ("a,b\n,\n,\n", "no rows"),
        (f"a, a\n1,{SECRET}\n", "columns 1 and 2"),
        (f"a,b\n1,2\n1,{SECRET},3\n3,4\n", "line 3"),
        (f"a,b\n1,2\n{SECRET}\n", "line 3"),
        (f'a,b\n"x",2\n{SECRET},3\n"p,4\n', "people.csv"),
        (f"a,b\n1,{SECRET},2\n2,y,3\n", "row.names = FALSE"),
        ("1,2\n3,4\n", "numbers where column names are needed"),
        (",,\n1,2,3\n", "no column names"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"PK\x03\x04....", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0....", "old Excel workbook"),
        (b"\x1f\x8b....", "gzip"),
        (b"<!DOCTYPE html><p>", "web page"),
        (b"PAR1 and then nothing", "damaged or incomplete"),
        (b"ARROW1\0\0 and then nothing", "damaged or incomplete"),
        (b"a,b\n1,\0\0\x01\n", "not text"),
        ("x" * 1_200_000, "first line"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_words(write, content, words):
    path = write(content)
    assert words in refusal(lambda: open_table(path))


def test_missing_file_offers_the_near_name(write):
    write(PLAIN)
    near = write(PLAIN).with_name("poeple.csv")
    assert "Did you mean 'people.csv'?" in refusal(lambda: open_table(near))


def test_a_folder_and_an_object_that_is_no_table_are_refused(tmp_path):
    assert "folder" in refusal(lambda: open_table(tmp_path))
    with pytest.raises(UsageError, match="type list"):
        open_table([1, 2])


def test_a_file_that_may_not_be_read_is_an_access_error(write, monkeypatch):
    path = write(PLAIN)

    def closed(*_args, **_options):
        raise PermissionError(SECRET)

    monkeypatch.setattr("pathlib.Path.open", closed)
    with pytest.raises(AccessError) as caught:
        open_table(path)
    assert SECRET not in str(caught.value)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    pipe = tmp_path / "people.csv"
    os.mkfifo(pipe)
    assert "pipe or device" in refusal(lambda: open_table(pipe))


def test_a_misspelt_column_offers_near_names(write):
    source = open_table(write("age,Previous Convictions,sex\n1,2,3\n"))

    text = refusal(lambda: column(source, "previous_convictoins", "covariate"))
    assert "the covariate column" in text.lower()
    assert "Did you mean 'Previous Convictions'?" in text
    assert "3 columns" in text
    assert near_names("AGE", source.columns) == ["age"]
    parts = ["log_age", "age_at_index", "sex", "region"]
    assert near_names("age", parts)[-1] == "age_at_index"
    assert near_names("index", parts) == ["age_at_index"]
    assert near_names("zz", ["a_zz_very_long_name"]) == []
    assert shown("a\x1b[31m") == "a\N{REPLACEMENT CHARACTER}[31m"


@pytest.fixture
def people():
    return pa.table(
        {
            "id": [f"P{i:05d}" for i in range(3000)],
            "age": pa.array(range(3000), pa.int32()),
            "area": ["north", "south", None] * 1000,
            "score": np.linspace(0, 1, 3000),
            "flag": [True, False, False] * 1000,
        }
    )


def test_parquet_is_read_column_by_column_and_keeps_small_dictionaries(people, tmp_path):
    path = tmp_path / "people.parquet"
    pq.write_table(people, path, row_group_size=700)
    source = open_table(path)

    assert (source.name, source.columns, source.n_rows) == (
        "people.parquet",
        tuple(people.column_names),
        3000,
    )
    assert source.bytes == path.stat().st_size
    assert source.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()
    assert pa.types.is_dictionary(source.read("area").type)
    assert codes(source, "area").levels == ("north", "south")
    assert codes(source, "area").codes[:3].tolist() == [0, 1, MISSING_CODE]
    assert source.read("id").cast(pa.string()).equals(people.column("id"))
    for cut in (8, path.stat().st_size // 2, path.stat().st_size - 1):
        short = tmp_path / "short.parquet"
        short.write_bytes(path.read_bytes()[:cut])
        assert "damaged" in refusal(lambda file=short: open_table(file))


def test_a_parquet_damaged_in_the_middle_is_refused_on_reading(people, tmp_path):
    path = tmp_path / "people.parquet"
    pq.write_table(people, path, compression="zstd")
    raw = bytearray(path.read_bytes())
    raw[40:4000] = b"\xff" * 3960
    path.write_bytes(raw)
    source = open_table(path)
    assert "damaged" in refusal(lambda: source.read("id"))


@pytest.mark.parametrize("compression", ["uncompressed", "lz4"])
def test_feather_and_arrow_files_open(people, tmp_path, compression):
    path = tmp_path / "people.feather"
    feather.write_feather(people, path, compression=compression, chunksize=999)
    source = open_table(path)

    assert source.n_rows == 3000
    assert source.read("score").equals(people.column("score"))


def test_an_arrow_stream_opens(people, tmp_path):
    path = tmp_path / "people.arrows"
    with pa.ipc.new_stream(path, people.schema) as writer:
        writer.write_table(people, max_chunksize=1000)
    source = open_table(path)

    assert source.n_rows == 3000
    assert codes(source, "area").levels == ("north", "south")


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t,
        lambda t: t.to_pandas(),
        lambda t: t.to_pandas().set_index(pd.Index(range(5, 3005))),
        pl.from_arrow,
        lambda t: t.to_reader(),
    ],
    ids=["pyarrow", "pandas", "pandas-indexed", "polars", "reader"],
)
def test_tables_in_memory_come_through_the_arrow_interface(people, make):
    source = open_table(make(people))

    assert source.name == "table"
    assert source.columns == tuple(people.column_names)
    assert source.sha256() is None
    assert source.first_row == 1
    assert codes(source, "area").levels == ("north", "south")
    assert floats(source, "age")[:3] == [0.0, 1.0, 2.0]
    assert floats(source, "flag")[:3] == [1.0, 0.0, 0.0]


def test_text_of_polars_comes_in_a_type_that_can_be_sorted_and_picked(people):
    for kind in (pl.String, pl.Categorical, pl.Enum(["north", "south"])):
        frame = pl.from_arrow(people).with_columns(pl.col("area").cast(kind))
        for table in (frame, frame.slice(1, 0).vstack(frame).vstack(frame)):
            source = open_table(table)

            for name in ("id", "area"):
                assert source.read(name).take(pa.array([5, 0])).to_pylist()[1] is not None
            assert codes(source, "area").levels == ("north", "south")


def test_a_column_of_mixed_types_is_refused_without_its_values():
    frame = pd.DataFrame({"a": [1, SECRET, 3.5]})
    assert "one type" in refusal(lambda: open_table(frame))


def test_two_columns_of_one_name_and_no_rows_are_refused():
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert "columns 1 and 2" in refusal(lambda: open_table(twice))
    assert "no rows" in refusal(lambda: open_table(pa.table({"a": pa.array([], pa.int64())})))
    assert "no columns" in refusal(lambda: open_table(pa.table({})))


def test_text_where_numbers_are_needed_names_counts_and_rows(write):
    source = open_table(write(f"a,b\n1,x\n{SECRET},y\n3,z\nunknown,w\n,v\n"))

    text = refusal(lambda: floats(source, "a"))
    assert "2 of its 4 filled cells are not numbers" in text
    assert "rows 3 and 5" in text
    assert "--categorical" in text


def test_numbers_stored_as_text_are_refused():
    source = open_table(pa.table({"a": ["1", "2.5", "-3e4"]}))
    assert "stored as text" in refusal(lambda: floats(source, "a"))


def test_a_number_column_spoilt_by_a_few_cells_is_no_category():
    source = open_table(pa.table({"a": ["1", "2", "3", SECRET, "5", None]}))

    text = refusal(lambda: codes(source, "a"))
    assert "1 cell of 5" in text
    assert "row 4 (row 1 is the first row of data)" in text
    assert codes(source, "a", forced=True).n_missing == 1


def test_codes_that_are_all_digits_are_a_category(write):
    assert codes(open_table(write("a,b\n01,1\n02,2\n")), "a").levels == ("01", "02")


@pytest.mark.parametrize(
    "cells",
    [
        ["1,234.50", "950.00", "12,000.25"],
        ["1.234,50", "950,00", "12.000,25"],
        ["1'234.50", "950.00", "12'000.25"],
        ["1\u00a0234,50", "950,00", "2\u00a0000,25"],
        ["\u00a31234.50", "\u00a3950", "\u00a312"],
        ["1234.50 \u20ac", "950 \u20ac", "12 \u20ac"],
        ["12.5%", "50%", "7%"],
        ["31\u00a0", "42", "18"],
        ["12,5", "13,5", "14"],
    ],
)
def test_numbers_dressed_by_a_spreadsheet_are_refused_and_not_made_categories(cells):
    source = open_table(pa.table({"a": [*cells, None]}))

    for read in (codes, floats):
        text = refusal(lambda read=read: read(source, "a"))
        assert "thousands separator" in text
        assert "row" in text
        assert "plain number" in text
    assert len(codes(source, "a", forced=True).levels) == len(set(cells))


def test_fractions_stored_as_text_are_no_categories():
    source = open_table(pa.table({"a": ["1.5", "2.5", "1.5"]}))
    assert "stored as text" in refusal(lambda: codes(source, "a"))


@pytest.mark.parametrize(
    ("content", "decimal"),
    [
        ("a;n\n0,5;1.234\n1,5;950\n", ","),  # beside 0,5 a point groups thousands
        ("a;n\n0.5;1,234\n1.5;950\n", "."),
        ("a\tn\n1\t1,234\n2\t950\n", None),  # either mark may be meant
        ("a;n\n1;1.234\n2;950\n", None),
    ],
)
def test_a_number_that_may_be_thousands_is_never_read_as_a_fraction(write, content, decimal):
    source = open_table(write(content))

    assert "thousands separator" in refusal(lambda: floats(source, "n"))
    assert floats(source, "a") == ([0.5, 1.5] if decimal else [1.0, 2.0])
    assert ("decimal comma" in "".join(source.notes)) == (decimal == "," or "\t" in content)


def test_fractions_of_three_digits_are_read_where_their_mark_is_sure(write):
    assert floats(open_table(write("a;n\n1;1,234\n2;0,125\n")), "n") == [1.234, 0.125]
    assert floats(open_table(write("a,n\n1,1.234\n2,950\n")), "n") == [1.234, 950.0]


@pytest.mark.parametrize("cells", [["03.02.1981", "14.11.1990"], ["1981-02-03 10:00", "1990/1/1"]])
def test_dates_written_as_text_are_no_categories(cells):
    source = open_table(pa.table({"born": cells}))

    for read in (codes, floats):
        assert "holds dates" in refusal(lambda read=read: read(source, "born"))
    assert codes(source, "born", forced=True).levels == tuple(sorted(cells))


def test_a_name_in_most_rows_is_no_category_unless_it_is_named_as_one():
    names = [f"{SECRET} {i}" for i in range(30)]
    source = open_table(pa.table({"name": [*names, *names[:25]]}))

    text = refusal(lambda: codes(source, "name"))
    assert "30 different values in 55 filled cells" in text
    assert len(codes(source, "name", forced=True).levels) == 30
    twice = open_table(pa.table({"area": [*names, *names]}))
    assert len(codes(twice, "area").levels) == 30


def test_a_title_above_the_column_names_is_refused(write):
    text = refusal(lambda: open_table(write("Our service 2024,,,\nid,t,age,sex\n1,0,30,M\n")))
    assert "3 of 4 columns have cells but no name" in text
    assert "merged headings" in text


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (pa.array([dt.date(2020, 1, 1), None]), "holds dates"),
        (pa.array([[1], [2]]), "lists or records"),
        (pa.array([1.0, float("inf")]), "1 infinite number"),
        (pa.array([1, 2**60]), "too large"),
        (pa.array([1, -(2**63)]), "too large"),
    ],
)
def test_columns_that_are_no_numbers_are_refused(array, words):
    source = open_table(pa.table({"a": array}))
    assert words in refusal(lambda: floats(source, "a"))


def test_numbers_of_every_kind_become_float64():
    values = pa.array([1, 0, None])
    for kind in (
        pa.int8(),
        pa.uint64(),
        pa.float32(),
        pa.bool_(),
        pa.decimal128(23, 2),
        pa.dictionary(pa.int8(), pa.int64()),
        pa.null(),
    ):
        if pa.types.is_dictionary(kind):
            array = values.dictionary_encode()
        elif pa.types.is_null(kind):
            array = pa.nulls(3)
        else:
            array = values.cast(kind)
        source = open_table(pa.table({"a": array}))
        result = as_float64(source.read("a"), name="a", source=source)
        expected = [np.nan] * 3 if pa.types.is_null(kind) else [1, 0, np.nan]

        assert result.dtype == np.float64
        np.testing.assert_array_equal(result, expected)


def test_nan_is_an_empty_cell():
    source = open_table(pa.table({"a": [1.0, float("nan"), None]}))

    assert count_missing(source.read("a")) == 2
    assert codes(source, "a").levels == ("1",)
    text = refusal(
        lambda: require_no_missing(source.read("a"), name="a", role="outcome", source=source)
    )
    assert "2 empty cells" in text
    assert "rows 2 and 3" in text


@pytest.mark.parametrize("role", ["exact", "exact column", "covariate"])
def test_an_empty_cell_names_the_column_once_and_a_repair_that_helps(role):
    source = open_table(pa.table({"a": [1.0, None]}))
    text = refusal(lambda: require_no_missing(source.read("a"), name="a", role=role, source=source))

    assert f"The {role.split()[0]} column 'a' has 1 empty cell." in text
    assert ("--missing indicator" in text) == (role == "covariate")


def test_levels_do_not_depend_on_the_dictionary_of_the_file():
    words = ["b", "a", None, "c", "a"]
    plain = pa.chunked_array([words])
    turned = pa.chunked_array(
        [
            pa.DictionaryArray.from_arrays(
                pa.array([2, 1, None], pa.int8()), pa.array(["unused", "a", "b"])
            ),
            pa.DictionaryArray.from_arrays(
                pa.array([0, 3], pa.int8()), pa.array(["c", None, "zz", "a"])
            ),
        ]
    )
    source = open_table(pa.table({"a": plain}))
    expected = as_codes(plain, name="a", source=source)
    for values in (turned, plain.cast(pa.large_string()), plain.cast(pa.string_view())):
        result = as_codes(values, name="a", source=source)

        assert result.levels == expected.levels == ("a", "b", "c")
        np.testing.assert_array_equal(result.codes, expected.codes)
        assert result.n_missing == 1
    assert expected.codes.dtype == np.uint16


def test_numbers_as_levels_sort_by_size_and_print_whole():
    source = open_table(pa.table({"a": [10.0, 9.0, 2.5], "b": [10, 9, 100]}))

    assert codes(source, "a").levels == ("2.5", "9", "10")
    assert codes(source, "b").levels == ("9", "10", "100")


def test_an_identifier_is_no_category_unless_it_is_named_as_one(people):
    source = open_table(people)

    assert "looks like an identifier" in refusal(lambda: codes(source, "id"))
    assert len(codes(source, "id", forced=True).levels) == 3000
    many = open_table(pa.table({"a": [f"x{i}" for i in range(70_000)]}))
    assert "looks like an identifier" in refusal(lambda: codes(many, "a", forced=True))


@pytest.mark.parametrize(
    ("values", "wanted", "expected"),
    [
        ([True, False], None, [True, False]),
        ([1, 0], None, [True, False]),
        ([0.0, 1.0], None, [False, True]),
        ([2, 1], "2", [True, False]),
        (["yes", "no"], "yes", [True, False]),
        ([True, False], "TRUE", [True, False]),
        ([True, False], "0", [False, True]),
        ([1.5, 2.0], "2.0", [False, True]),
    ],
)
def test_who_is_treated(values, wanted, expected):
    source = open_table(pa.table({"t": values}))
    result = as_boolean_treatment(source.read("t"), wanted, name="t", source=source)
    assert result.tolist() == expected


@pytest.mark.parametrize(
    ("values", "wanted", "words"),
    [
        ([1, None], None, "1 empty cell"),
        ([1, 2], None, "--treated"),
        ([SECRET, "no"], None, "2 different values"),
        (["0", "1", "1", SECRET, "0"], None, "0 and 1 but for 1 cell of 5"),
        (["0", "1", "1", SECRET, "0"], None, "row 4"),
        ([SECRET, "no"], "yes", "no row"),
        ([SECRET, "no"], " NO ", "capitals or spaces"),
        ([1, 1], None, "every row is treated"),
        ([0, 0], None, "no row is treated"),
    ],
)
def test_a_treatment_that_says_nothing_is_refused(values, wanted, words):
    source = open_table(pa.table({"t": values}))
    text = refusal(lambda: as_boolean_treatment(source.read("t"), wanted, name="t", source=source))
    assert words.casefold() in text.casefold()


def test_a_treatment_of_too_many_values_is_refused():
    source = open_table(pa.table({"t": np.arange(70_000)}))
    text = refusal(lambda: as_boolean_treatment(source.read("t"), "5", name="t", source=source))
    assert "70,000 different values" in text
    assert "--treatment" in text


def test_errors_read_as_sentences_and_survive_a_process_boundary():
    error = InputError("two things", where="a.csv", rule="one thing", repair="Remove one")

    assert str(error) == "Two things. Where: a.csv. Rule: one thing. Remove one."
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert {
        kind.__name__: kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, JusticeLabError)
    } == {
        "JusticeLabError": 70,
        "UsageError": 2,
        "InputError": 65,
        "CannotCreateError": 73,
        "StorageError": 74,
        "BusyError": 75,
        "AccessError": 77,
        "ConfigurationError": 78,
        "DamagedShardError": 74,
        "DisagreementError": 70,
        "UnfittedError": 65,
    }
