"""A table in parts: a folder of Parquet or Arrow files with the same columns, in order of name.

Exports of whole countries come like this, because no single file of them can be handled. Columns
are read one at a time, as from one file, part after part.
"""

from pathlib import Path

import pyarrow as pa

from engine.errors import InputError
from engine.tables import TableSource, first_bytes, hash_in_thread, open_file, shown

_STARTS = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")


def open_partitions(folder: Path) -> TableSource:
    """Open a folder of Parquet or Arrow files as one table.

    Parameters
    ----------
    folder : Path
        Files whose names start with a dot or an underscore are passed over, as other software
        keeps its marks in such.

    Returns
    -------
    TableSource
        Rows in the order of the file names. Its hash is that of the hashes of the files.

    Raises
    ------
    InputError
        There is no such file, one is of another kind, or their columns differ.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] not in "._")
    name = folder.name
    if not files:
        raise InputError(
            "the folder holds no files",
            where=shown(name),
            rule="a table in parts is a folder of Parquet or Arrow files",
            repair="Name the folder that holds the files themselves",
        )
    for path in files:
        head, _ = first_bytes(path)
        if not head.startswith(_STARTS):
            raise InputError(
                "a file of the folder is neither Parquet nor Arrow",
                where=f"{shown(name)}/{shown(path.name)}",
                rule="a table in parts is a folder of Parquet or Arrow files and nothing else",
                repair="Move the file away, or name one file instead of the folder",
            )
    parts = [open_file(path, lambda _: lambda: None) for path in files]
    first = parts[0]
    for part in parts[1:]:
        _require_same_columns(name, first, part)
    return TableSource(
        name,
        first.columns,
        sum(part.n_rows for part in parts),
        hash_in_thread(files),
        sum(part.bytes or 0 for part in parts),
        lambda wanted: _joined([part.read(wanted) for part in parts]),
        first.type_of,
    )


def _require_same_columns(folder: str, first: TableSource, part: TableSource) -> None:
    """Refuse a part whose columns have other names, another order or other types."""
    where = f"{shown(folder)}/{shown(part.name)}"
    rule = "every part has the same columns in the same order"
    if part.columns != first.columns:
        differing = sorted(set(part.columns) ^ set(first.columns))
        what = f"the column '{shown(differing[0])}'" if differing else "the order of its columns"
        raise InputError(
            f"a part of the table differs from the first in {what}",
            where=where,
            rule=rule,
            repair="Write the parts again from one source",
        )
    for name in first.columns:
        if _value_type(part.type_of(name)) != _value_type(first.type_of(name)):
            raise InputError(
                f"the column '{shown(name)}' has another type than in the first part",
                where=where,
                rule=rule,
                repair="Write the parts again from one source",
            )


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _joined(parts: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return the chunks of all parts; text that some part holds as codes becomes text in all."""
    kinds = {part.type for part in parts}
    if len(kinds) > 1:
        parts = [part.cast(_value_type(part.type)) for part in parts]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)
