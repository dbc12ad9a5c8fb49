"""Shards: files that each hold the results of a range of units, and prove that they do.

A shard is a pure function of (job, inputs of its units, range): whoever makes it, whenever, makes
the same values. It is written whole or not at all, and it carries a hash of all its bytes, so a
shard that is there and verifies is finished work, and anything else is no work at all.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.buffers import to_arrow, to_numpy
from engine.errors import DamagedShardError, DisagreementError, StorageError
from engine.release.files import write_bytes
from engine.release.folder import read_file

FORMAT = "1"
SUFFIX = ".shard"
_NAME = re.compile(r"shard-([0-9a-f]{8})-([0-9]{12})-([0-9]{12})\.shard")
_DIGEST = 64
_LARGEST = 1 << 30

Floats = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Units:
    """A range of units of work: start, ..., stop - 1.

    Attributes
    ----------
    start, stop : int
        0 <= start < stop < 10^12.
    """

    start: int
    stop: int

    def __len__(self) -> int:
        """Return how many there are."""
        return self.stop - self.start


@dataclass(frozen=True)
class Shard:
    """Results of a range of units.

    Attributes
    ----------
    job : str
        Id of the job, 64 hexadecimal digits.
    inputs : str
        Hash of what these units are computed from.
    units : Units
    columns : tuple of str
    values : float64, shape (len(units), number of columns)
    """

    job: str
    inputs: str
    units: Units
    columns: tuple[str, ...]
    values: Floats


def name_of(job: str, units: Units) -> str:
    """Return the file name of a shard: it says whose, and which units."""
    return f"shard-{job[:8]}-{units.start:012d}-{units.stop:012d}{SUFFIX}"


def units_in(name: str, job: str) -> Units | None:
    """Return the units that a file name promises; None for a file that is not this job's shard."""
    found = _NAME.fullmatch(name)
    if found is None or found[1] != job[:8]:
        return None
    units = Units(int(found[2]), int(found[3]))
    return units if units.start < units.stop else None


def encode(shard: Shard) -> bytes:
    """Return the bytes of a shard.

    Notes
    -----
    An Arrow IPC stream whose schema metadata is the header, followed by the SHA-256 of all of it as
    64 hexadecimal digits. A reader of Arrow streams stops before the hash, so the file opens
    everywhere. No column has nulls, hence no memory that nobody wrote.
    """
    header = {
        "format": FORMAT,
        "job": shard.job,
        "inputs": shard.inputs,
        "start": str(shard.units.start),
        "stop": str(shard.units.stop),
    }
    fields = [pa.field(name, pa.float64(), nullable=False) for name in shard.columns]
    schema = pa.schema(fields, metadata=header)
    arrays = [to_arrow(np.ascontiguousarray(column)) for column in shard.values.T]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(pa.table(arrays, schema=schema))
    body = sink.getvalue().to_pybytes()
    return body + hashlib.sha256(body).hexdigest().encode()


def decode(data: bytes) -> Shard:
    """Return the shard that the bytes hold.

    Raises
    ------
    DamagedShardError
        The bytes are not those of a shard, or one of them has changed.
    """
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise DamagedShardError("the bytes of a shard have changed since it was written")
    # The hash held, so these are bytes that this software wrote, in this form or an earlier one.
    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as reader:
            table = reader.read_all()
    except pa.ArrowException:
        raise DamagedShardError("a shard is not an Arrow stream") from None
    header = {key.decode(): text.decode() for key, text in (table.schema.metadata or {}).items()}
    try:
        units = Units(int(header["start"]), int(header["stop"]))
        shard = Shard(
            header["job"], header["inputs"], units, tuple(table.column_names), _matrix(table)
        )
    except (KeyError, ValueError):
        raise DamagedShardError("the header of a shard is incomplete") from None
    if header.get("format") != FORMAT or len(shard.values) != len(units):
        raise DamagedShardError("a shard has another form or length than it says")
    return shard


def _matrix(table: pa.Table) -> Floats:
    values = np.empty((table.num_rows, table.num_columns))
    for place, column in enumerate(table.columns):
        values[:, place] = to_numpy(column.combine_chunks())
    return values


def write_shard(folder: Path, shard: Shard) -> str:
    """Write a shard: temporary file, fsync, rename, fsync of the folder; then it is acknowledged.

    Returns
    -------
    str
        Its file name.

    Raises
    ------
    DisagreementError
        Somebody has made the same units from the same inputs, with other values.
    StorageError, AccessError
        The disk is full, read-only or failing; the folder can be resumed.

    Notes
    -----
    A task may be done twice, by a worker that was only thought lost. Equal bytes are written once
    more and change nothing; different ones must not take the place of those that are there.
    """
    name = name_of(shard.job, shard.units)
    data = encode(shard)
    if (folder / name).exists() and _differs(folder, name, shard, data):
        raise disagreement(shard.units)
    return write_bytes(folder, name, data).name


def _differs(folder: Path, name: str, shard: Shard, data: bytes) -> bool:
    """Whether a whole shard of the same job and inputs stands there with other bytes."""
    try:
        there = read_shard(folder, name)
    except (DamagedShardError, StorageError):
        return False
    return (there.job, there.inputs) == (shard.job, shard.inputs) and encode(there) != data


def disagreement(units: Units) -> DisagreementError:
    """Return the error of two shards that give the same unit different values."""
    return DisagreementError(
        "two shards of one job give the same unit different values",
        where=f"units {units.start:,} to {units.stop - 1:,}",
        rule="a unit is a pure function of the job and its number",
        repair="Move the folder of shards away, run again, and report this: it is a fault of the "
        "software or of the machine",
    )


def read_shard(folder: Path, name: str) -> Shard:
    """Read and verify a shard, its name included.

    Raises
    ------
    DamagedShardError
        The file is not the shard that its name promises.
    StorageError
        The disk is failing.
    """
    shard = decode(read_file(folder, name, _LARGEST))
    if name != name_of(shard.job, shard.units):
        raise DamagedShardError("a shard stands under the name of another")
    return shard


def inputs_digest(digests: Sequence[str], units: Units) -> str:
    """Return the hash of the inputs of a range of units.

    Parameters
    ----------
    digests : sequence of str
        One for every unit, or a single one that all units share.
    units : Units
    """
    own = digests if len(digests) == 1 else digests[units.start : units.stop]
    return hashlib.sha256("\n".join(own).encode()).hexdigest()
