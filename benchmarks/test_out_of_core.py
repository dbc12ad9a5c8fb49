"""A fit of more rows than memory: its ceiling, its growth, and the coefficients of memory."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.parts import write_parts
from benchmarks.population import COEFFICIENTS
from benchmarks.race import ROOT, clean_environment
from benchmarks.record import Figure

CEILING = "4GB"
WHAT = f"fit out of core, {COEFFICIENTS} coefficients"


@pytest.fixture(scope="module")
def parts(tmp_path_factory, size) -> Path:
    """Populations in parts, named by their number of people; 7 GB of disk, and as much to work."""
    folder = tmp_path_factory.mktemp("parts")
    for rows in _sizes(size):
        write_parts(folder / str(rows), rows)
    return folder


def _sizes(size) -> tuple[int, int, int]:
    return size.national, 3 * size.national, 10 * size.national


def _run(folder: Path, what: str) -> dict:
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.parts", str(folder), CEILING, what],
        cwd=ROOT,
        env=clean_environment(None) | {"TMPDIR": str(folder.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise RuntimeError(process.stderr[-2000:])
    return json.loads(process.stdout)


def test_fit_out_of_core(benchmark, note, size, parts):
    sizes = _sizes(size)
    _run(parts / str(sizes[0]), "fit")  # compiles
    found = benchmark.pedantic(
        lambda: {rows: _run(parts / str(rows), "fit") for rows in sizes}, rounds=1
    )
    cpu = {rows: one["seconds"]["fit"][0] for rows, one in found.items()}
    read = {rows: one["seconds"]["read and order"][0] for rows, one in found.items()}
    small, middle, large = sizes
    exponent = math.log(cpu[large] / cpu[small]) / math.log(large / small)
    peak = found[large]["peak"]
    cores = os.cpu_count()
    note(
        Figure(
            f"growth of {WHAT}", large, "CPU s", exponent, "exponent", f"{small:,} rows",
            {"large": cpu[large]}, {"small": cpu[small]}, size.bar(1.05),
            note=f"{cpu[middle]:.3g} CPU s at {middle:,}, {cores} cores",
        ),
        Figure(
            WHAT, large, "GB", peak / 1e9, "GB", ours={"peak": peak / 1e9},
            limit=size.bar((4 << 30) / 1e9), note="ceiling 4 GiB; reading and ordering included",
        ),
        Figure(
            "reading and ordering a population in parts", large, "CPU s", read[large], "s",
            ours={"CPU": read[large]}, note=f"{read[small]:.3g} CPU s at {small:,}",
        ),
    )  # fmt: skip


def test_match_out_of_core(benchmark, note, size, parts):
    rows = _sizes(size)[1]
    found = benchmark.pedantic(lambda: _run(parts / str(rows), "match"), rounds=1)
    seconds = found["seconds"]
    note(
        Figure(
            "fit and match 1:1 by score ranges", rows, "CPU s", seconds["match"][0], "s",
            ours={stage: pair[0] for stage, pair in seconds.items()},
            note=f"certificate included; peak {found['peak'] / 1e9:.2f} GB, ceiling 4 GiB",
        )
    )  # fmt: skip
