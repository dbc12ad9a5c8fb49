"""What preparing a store needs in memory, known from the footers of the extract."""

import pyarrow.parquet as pq

from engine.memory import database_share
from engine.records.extract import Extract

_PER_ROW = {
    "person_profile": 160,
    "disposals": 700,
    "offences": 120,
    "custody_spells": 80,
    "oasys_assessments": 120,
}
"""Bytes a row of a partition while its columns are computed: some 65 of a disposal, in pieces of
eight bytes and twice over."""
_OTHER = 60
_UNEVEN = 1.1
"""The fullest partition beside the mean one: records cluster on people with low numbers."""
_READ_AHEAD = 2


def database_of_prepare(extract: Extract, ceiling: int | None, people_in_a_partition: int) -> int:
    """Return the memory of the database while a store is prepared.

    Parameters
    ----------
    extract : Extract
    ceiling : int or None
        Bytes for the whole process; None for the default of the machine.
    people_in_a_partition : int

    Raises
    ------
    StorageError
        Too little is left for the database; the message carries the estimate.
    """
    if ceiling is None:
        return database_share("preparing the store", None, ())
    people = max(extract.tables["person_profile"].rows, 1)
    share = min(1.0, _UNEVEN * people_in_a_partition / people)
    rows = sum(
        share * files.rows * _PER_ROW.get(name, _OTHER) for name, files in extract.tables.items()
    )
    largest = max(_largest_column(file) for t in extract.tables.values() for file in t.files)
    return database_share(
        "preparing the store",
        ceiling,
        [
            ("one partition of people", rows),
            ("the largest column of a row group", _READ_AHEAD * largest),
        ],
    )


def _largest_column(file: object) -> int:
    """Return the unpacked bytes of the largest column of a row group."""
    footer = pq.read_metadata(file)
    groups = (footer.row_group(i) for i in range(footer.num_row_groups))
    sizes = [g.column(j).total_uncompressed_size for g in groups for j in range(g.num_columns)]
    return max(sizes, default=0)
