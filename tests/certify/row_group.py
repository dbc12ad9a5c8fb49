"""An extract whose offences are one row group of 2 GB, prepared with little memory and much."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import StorageError
from engine.records.synthetic.nation import synthesise
from engine.store.folder import MANIFEST
from engine.store.reading import open_store, read_years

SIZES = {"ci": (64 << 20, 20_000), "release": (2 << 30, 200_000)}
"""By size: bytes of the row group, and people of the nation."""
_TEXT = 60
"""Characters that a text may have."""
_LITTLE, _MUCH = 1 << 30, 4 << 30
"""Memory for the database, less and more than the large column."""
_BESIDE = 1 << 30
"""Memory that a run may take beside the database."""
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
    """Prepare the same nation from many small row groups and from one large one.

    A column of a row group is read as a whole. So with less memory than that the command may end
    with the exit code of storage, and then the old store stands as it was; with enough memory the
    store is the same as that of small row groups.
    """
    wanted, people = SIZES[size]
    with tempfile.TemporaryDirectory(prefix="justicelab-row-group-") as place:
        folder = Path(place)
        synthesise(people, folder / "nation", seed=3, threads=2)
        extract, old = folder / "nation" / "extract", folder / "old"
        lines = [{"case": "as written", **_prepared(extract, old, _LITTLE)}]
        before = (old / MANIFEST).read_bytes()
        # in a process of its own: one that is started inherits the peak of the one that starts it
        program = "import sys; from tests.certify.row_group import large_row_group as make; "
        program += "from pathlib import Path; print(make(Path(sys.argv[1]), int(sys.argv[2])))"
        made = subprocess.run(
            [sys.executable, "-c", program, str(extract), str(wanted)],
            cwd=_ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        found = int(made.stdout)
        little = _prepared(extract, old, _LITTLE)
        kept = little["status"] == 0 or (old / MANIFEST).read_bytes() == before
        lines.append({"case": "one row group, little memory", "bytes": found, **little})
        much = _prepared(extract, folder / "new", _MUCH)
        lines.append({"case": "one row group", "bytes": found, **much})
        same = much["status"] == 0 and all(
            read_years(open_store(old), kind).equals(read_years(open_store(folder / "new"), kind))
            for kind in ("index", "outcomes")
        )
        held = (
            same
            and kept
            and found >= wanted
            and little["status"] in {0, StorageError.exit_code}
            and all(
                line["peak_bytes"] <= given + _BESIDE
                for line, given in ((little, _LITTLE), (much, _MUCH))
            )
        )
        lines.append({"case": "all", "stores are the same": same, "old store stands": kept})
    return lines, held


def _prepared(extract: Path, store: Path, memory: int) -> dict:
    """Run the command in a process of its own; return its exit code, its seconds and its peak."""
    words = ["prepare", str(extract), "--store", str(store), "--memory", f"{memory >> 20}M", "-q"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *words], cwd=_ROOT, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "status": process.returncode,
        "wall_s": round(time.perf_counter() - began, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_bytes": usage.ru_maxrss * 1024,
    }
