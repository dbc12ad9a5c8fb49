"""National records: a synthetic nation, its store, and what a study reads of it."""

import math
import time
from pathlib import Path

import pytest

from benchmarks.command import Finished, run_command
from benchmarks.record import Figure

MODEL_COLUMNS = 60
"""Columns that a study's model has, of those that the store holds."""
_OUTCOMES = ("reoffended", "n_reoffences", "days_to_first_reoffence")


@pytest.fixture(scope="module")
def nations(tmp_path_factory, size) -> Path:
    """A folder for nations and stores, named by the number of people."""
    if size.name == "quick":
        pytest.skip("a nation of a few ten thousand people takes as long as starting up")
    return tmp_path_factory.mktemp("nations")


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """Compiled kernels, filled before anything is timed."""
    folder = tmp_path_factory.mktemp("cache")
    run_command("warm-up", cache=folder)
    return folder


def _both(benchmark, sizes: tuple[int, int], run) -> tuple[Finished, Finished]:
    """Run a command at two sizes; pytest-benchmark times both for its own record."""
    found = benchmark.pedantic(lambda: [run(people) for people in sizes], rounds=1)
    return found[0], found[1]


def _figures(what: str, sizes, runs, size, seconds: float) -> list[Figure]:
    """Return seconds and memory at the larger size, and the exponent between the two."""
    small, large = runs
    exponent = math.log(large.cpu / small.cpu) / math.log(sizes[1] / sizes[0])
    return [
        Figure(
            what, sizes[1], "wall s", large.wall, "s", ours={"wall": large.wall},
            limit=size.bar(seconds), note=f"{large.cpu:.3g} CPU s",
        ),
        Figure(
            what, sizes[1], "GB", large.peak / 1e9, "GB", ours={"peak": large.peak / 1e9},
            limit=size.bar(8.0), note=f"{small.peak / 1e9:.2f} GB at {sizes[0]:,}",
        ),
        Figure(
            f"growth of {what}", sizes[1], "CPU s", exponent, "exponent", f"{sizes[0]:,} people",
            {"large": large.cpu}, {"small": small.cpu}, size.bar(1.1),
        ),
    ]  # fmt: skip


def test_synth(benchmark, note, size, nations, cache):
    sizes = (size.national // 10, size.national)

    def run(people: int) -> Finished:
        out = nations / f"nation-{people}"
        return run_command("synth", "--people", str(people), "--out", str(out), "-q", cache=cache)

    runs = _both(benchmark, sizes, run)
    note(*_figures("synth, a synthetic nation", sizes, runs, size, 600.0))


def test_prepare(benchmark, note, size, nations, cache):
    sizes = (size.national // 10, size.national)

    def run(people: int) -> Finished:
        extract, store = nations / f"nation-{people}" / "extract", nations / f"store-{people}"
        return run_command("prepare", str(extract), "--store", str(store), "-q", cache=cache)

    runs = _both(benchmark, sizes, run)
    note(*_figures("prepare, the store of a synthetic nation", sizes, runs, size, 360.0))


def test_read(benchmark, note, size, nations):
    from engine.store.reading import open_store, read_years

    store = open_store(nations / f"store-{size.national}")
    years = list(reversed([year for year in store.years if year <= store.last_index_date.year]))
    names = read_years(store, "index", years=years[:1]).column_names[-MODEL_COLUMNS:]
    chosen: list[int] = []
    for year in years:
        chosen.append(year)
        if read_years(store, "index", ["person_id"], chosen).num_rows >= size.million:
            break

    def read() -> tuple[float, int]:
        began = time.perf_counter()
        tables = [
            read_years(store, "index", names, chosen),
            read_years(store, "outcomes", _OUTCOMES, chosen),
        ]
        # every column once in one piece of memory of its own, as a fit takes it
        columns = [column.combine_chunks() for table in tables for column in table.columns]
        rows = {len(column) for column in columns}
        assert len(rows) == 1
        return time.perf_counter() - began, rows.pop()

    laps: list[tuple[float, int]] = []
    benchmark.pedantic(lambda: laps.append(read()), rounds=size.laps)
    seconds, rows = min(laps)
    what = f"a study's read of {MODEL_COLUMNS} columns and {len(_OUTCOMES)} outcomes"
    note(Figure(what, rows, "wall s", seconds, "s", ours={"wall": seconds}, limit=size.bar(1.0)))
