"""An extract whose offences are one row group of 2 GB, prepared within the memory it was given."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.records.synthetic.nation import synthesise
from engine.store.reading import open_store, read_years

SIZES = {"ci": (64 << 20, 20_000), "release": (2 << 30, 200_000)}
"""By size: bytes of the row group, and people of the nation."""
_TEXT = 60
"""Characters that a text may have."""
_MEMORY = 1 << 30
_BEYOND = 1.5
"""Largest resident memory, in times of what the database was given."""
_ROOT = Path(__file__).resolve().parents[2]


def large_row_group(extract: Path, size: int) -> int:
    """Rewrite the offences of an extract as one row group of at least so many bytes.

    Every offence gets a text that does not compress, as long as it takes; the checks read it, and
    blank what is too long. Returns the bytes of the row group as its footer tells them.
    """
    folder = extract / "analysis" / "offences"
    parts = sorted(folder.glob("*.parquet"))
    table = pq.ParquetDataset(parts).read()
    rows = table.num_rows
    rng = np.random.default_rng(7)
    place = table.column_names.index("cjs_code")
    width = max(_TEXT, -(-(size - table.nbytes) // rows))
    table = table.set_column(place, "cjs_code", _noise(rng, rows, width))
    for part in parts:
        part.unlink()
    whole = folder / "part-0000.parquet"
    pq.write_table(
        table,
        whole,
        compression="none",
        row_group_size=rows,
        use_dictionary=False,
        store_schema=True,
    )
    footer = pq.read_metadata(whole)
    assert footer.num_row_groups == 1
    return int(footer.row_group(0).total_byte_size)


def _noise(rng: np.random.Generator, rows: int, width: int) -> pa.Array:
    """Return random letters, so many in each row."""
    letters = rng.integers(97, 123, rows * width, dtype=np.uint8)
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    return pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(letters))


def row_group(size: str) -> tuple[list[dict], bool]:
    """Prepare the same nation from many small row groups and from one large one."""
    wanted, people = SIZES[size]
    with tempfile.TemporaryDirectory(prefix="justicelab-row-group-") as place:
        folder = Path(place)
        synthesise(people, folder / "nation", seed=3, threads=2)
        extract = folder / "nation" / "extract"
        lines = [{"case": "as written", **_prepared(extract, folder / "small")}]
        found = large_row_group(extract, wanted)
        large = _prepared(extract, folder / "large")
        lines.append({"case": "one row group", "bytes": found, **large})
        same = all(
            read_years(open_store(folder / "small"), kind).equals(
                read_years(open_store(folder / "large"), kind)
            )
            for kind in ("index", "outcomes")
        )
        held = same and found >= wanted and large["peak_bytes"] <= _BEYOND * _MEMORY
        lines.append({"case": "both", "stores are the same": same, "holds": held})
    return lines, held


def _prepared(extract: Path, store: Path) -> dict:
    """Run the command in a process of its own; return its seconds and its peak."""
    words = ["prepare", str(extract), "--store", str(store), "--memory", f"{_MEMORY >> 20}M", "-q"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *words], cwd=_ROOT, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"prepare ended with status {process.returncode}")
    return {
        "wall_s": round(time.perf_counter() - began, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_bytes": usage.ru_maxrss * 1024,
    }
