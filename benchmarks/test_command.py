"""The command as a whole: a national table from file to page, and how soon it starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.command import Finished, run_command
from benchmarks.population import CATEGORIES, NUMBERS
from benchmarks.race import ROOT, clean_environment
from benchmarks.record import Figure

COVARIATES = ",".join(NUMBERS + CATEGORIES)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """An empty folder for compiled kernels; the first case fills it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """Write a table of so many rows once and return its path."""

    def table(rows: int) -> Path:
        place = tmp_path_factory.getbasetemp() / f"people-{rows}.parquet"
        if not place.exists():
            subprocess.run(
                [sys.executable, "-m", "benchmarks.extract", str(rows), str(place)],
                cwd=ROOT, env=clean_environment(None), check=True,
            )  # fmt: skip
        return place

    return table


def _repeat(benchmark, laps: int, run) -> list[Finished]:
    found: list[Finished] = []
    benchmark.pedantic(lambda: found.append(run()), rounds=laps)
    return found


def _seconds(what: str, rows: int, runs: list[Finished], limit, note: str = "") -> Figure:
    best = min(runs, key=lambda run: run.wall)
    return Figure(
        what, rows, "wall s", best.wall, "s", ours={"wall": best.wall}, limit=limit,
        note="; ".join(text for text in (f"{best.cpu:.3g} CPU s", note) if text),
    )  # fmt: skip


def _match(table: Path, out: Path, cache: Path, *more: str) -> Finished:
    return run_command(
        "match", str(table), "--treatment", "treated", "--covariates", COVARIATES,
        "--caliper", "0.2 sd-logit", "--outcome", "reoffended:binary",
        "--outcome", "offences:count", "--out", str(out), *more,
        cache=cache,
    )  # fmt: skip


def test_cold_compile(benchmark, note, size, cache):
    if size.name == "quick":
        pytest.skip("takes as long at any size")
    runs = _repeat(benchmark, 1, lambda: run_command("warm-up", cache=cache))
    what = "cold compile of all kernels, two processes"
    note(_seconds(what, 0, runs, size.bar(30.0), "empty cache"))


def test_start_help(benchmark, note, size, cache):
    runs = _repeat(benchmark, 5, lambda: run_command("--help", cache=cache))
    note(_seconds("justicelab --help", 0, runs, size.bar(0.4)))


def test_start_thousand(benchmark, note, size, cache, write, tmp_path):
    table = write(1_000)
    _match(table, tmp_path / "warm", cache)
    out = iter(tmp_path / f"match-{i}" for i in range(5))
    runs = _repeat(benchmark, 5, lambda: _match(table, next(out), cache))
    note(_seconds("whole match, warm cache", 1_000, runs, size.bar(2.0)))


@pytest.mark.parametrize("identified", [True, False], ids=["id", "plain"])
def test_whole_match(benchmark, note, size, cache, write, tmp_path, identified):
    rows = size.national
    table = write(rows)
    more = ("--id", "id") if identified else ()
    _match(write(1_000), tmp_path / "warm", cache, *more)
    out = iter(tmp_path / f"match-{i}" for i in range(size.laps))
    runs = _repeat(benchmark, size.laps, lambda: _match(table, next(out), cache, *more))
    what = f"whole match of a Parquet file of 25 columns, {'with' if identified else 'without'} id"
    peak = max(run.peak for run in runs) / 1e9
    figures = [
        _seconds(what, rows, runs, size.bar(8.0), "reading and writing included"),
        Figure(what, rows, "GB", peak, "GB", ours={"peak": peak}, limit=size.bar(2.5)),
    ]
    note(*figures)
