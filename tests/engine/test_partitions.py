"""A table in parts: a folder of Parquet or Arrow files is one table."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.tables import open_table


@pytest.fixture
def table():
    rng = np.random.default_rng(2)
    return pa.table(
        {
            "age": rng.integers(18, 80, 50),
            "area": pa.array(rng.choice(["north", "south", "Wales"], 50)),
        }
    )


def write(table, folder, kind="parquet"):
    folder.mkdir()
    for part, rows in enumerate((20, 25, 5)):
        piece = table.slice(part * 20 if part < 2 else 45, rows)
        if kind == "parquet":
            pq.write_table(piece, folder / f"part-{part}.parquet")
        else:
            with pa.ipc.new_file(str(folder / f"part-{part}.arrow"), piece.schema) as writer:
                writer.write_table(piece)
    return folder


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_parts_are_read_in_the_order_of_their_names(table, tmp_path, kind):
    folder = write(table, tmp_path / "people", kind)
    (folder / "_SUCCESS").touch()
    (folder / ".part-0.crc").write_bytes(b"x")
    source = open_table(folder)
    assert (source.name, source.n_rows, source.columns) == ("people", 50, ("age", "area"))
    assert source.read("age").to_pylist() == table["age"].to_pylist()
    assert source.read("area").to_pylist() == table["area"].to_pylist()
    files = [file for file in sorted(folder.iterdir()) if file.name[0] not in "._"]
    hashes = "\n".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
    assert source.sha256() == hashlib.sha256(hashes.encode()).hexdigest()
    assert source.bytes == sum(file.stat().st_size for file in files)


def test_text_that_one_part_holds_as_codes_is_text(table, tmp_path):
    folder = write(table, tmp_path / "people", "arrow")
    coded = table.slice(20, 25).set_column(
        1, "area", table["area"].slice(20, 25).dictionary_encode()
    )
    with pa.ipc.new_file(str(folder / "part-1.arrow"), coded.schema) as writer:
        writer.write_table(coded)
    assert open_table(folder).read("area").to_pylist() == table["area"].to_pylist()


def refused(folder):
    with pytest.raises(InputError) as caught:
        open_table(folder)
    return str(caught.value)


def test_an_empty_folder_and_other_files_are_refused(table, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no files" in refused(tmp_path / "empty")
    folder = write(table, tmp_path / "people")
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    assert "people/notes.csv" in refused(folder)
    assert "neither Parquet nor Arrow" in refused(folder)


def test_parts_that_differ_are_refused_by_column_and_file(table, tmp_path):
    folder = write(table, tmp_path / "people")
    pq.write_table(table.select(["age"]), folder / "part-2.parquet")
    assert "in the column 'area'" in refused(folder)
    assert "people/part-2.parquet" in refused(folder)
    pq.write_table(table.select(["area", "age"]), folder / "part-2.parquet")
    assert "the order of its columns" in refused(folder)
    text = table.set_column(0, "age", table["age"].cast(pa.string()))
    pq.write_table(text, folder / "part-2.parquet")
    assert "'age' has another type" in refused(folder)


def test_a_part_cut_short_is_refused(table, tmp_path):
    folder = write(table, tmp_path / "people")
    whole = (folder / "part-1.parquet").read_bytes()
    (folder / "part-1.parquet").write_bytes(whole[: len(whole) // 2])
    assert "damaged or incomplete" in refused(folder)
