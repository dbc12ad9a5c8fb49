"""A hundred studies of one store beside as many runs, with and without linkage and reports."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from benchmarks.command import run_command
from benchmarks.record import Figure

STUDIES, SUBMITTED = 100, 545
"""Studies, and rows of each submission: 8 % are in no record, so some 500 people are there."""
WORKERS = 2
_ALONE = 3
"""Studies that are run by themselves; the others are projected from their mean."""
_SEED = 11


@pytest.fixture(scope="module")
def home(size, tmp_path_factory) -> Path:
    """A nation with a submission for each study, its store, and a plan for each."""
    from engine.records.synthetic.interventions import (
        BENEFICIAL,
        BY_NEED,
        COMMUNITY_SETTING,
        NONE,
        PRISON,
        RANDOM,
        Intervention,
    )
    from engine.records.synthetic.nation import synthesise
    from engine.store.prepare import prepare

    if size.name == "quick":
        pytest.skip("a nation of a few ten thousand people has no room for so many studies")
    folder = tmp_path_factory.mktemp("batch")
    kinds = (
        (BENEFICIAL, 0.35, RANDOM, PRISON),
        (NONE, 0.0, RANDOM, COMMUNITY_SETTING),
        (NONE, 0.0, BY_NEED, COMMUNITY_SETTING),
        (BENEFICIAL, 0.25, BY_NEED, PRISON),
    )
    services = [
        Intervention(f"service-{n:03d}", SUBMITTED, *kinds[n % len(kinds)])
        for n in range(_studies(size))
    ]
    synthesise(size.million, folder / "nation", seed=_SEED, interventions=tuple(services))
    prepare(folder / "nation" / "extract", folder / "store", memory_bytes=4 << 30)
    (folder / "plans").mkdir()
    for one in services:
        text = f'[study]\nsubmission = "../nation/submissions/{one.name}.csv"\n'
        (folder / "plans" / f"{one.name}.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """Compiled kernels, filled before anything is timed."""
    folder = tmp_path_factory.mktemp("cache")
    run_command("warm-up", cache=folder)
    return folder


def test_batch(benchmark, note, size, home, cache):
    plans = sorted((home / "plans").glob("*.toml"))
    store, out = str(home / "store"), home / "out"
    words = ("batch", *map(str, plans), "--store", store, "--out", str(out), "-q")
    whole = benchmark.pedantic(
        lambda: run_command(*words, "--workers", str(WORKERS), cache=cache), rounds=1
    )
    alone = [
        run_command("run", "--plan", str(plan), "--store", store, "--out",
                    str(home / "alone" / plan.stem), "-q", cache=cache)
        for plan in plans[:_ALONE]
    ]  # fmt: skip
    for plan in plans[:_ALONE]:
        own, theirs = (
            (folder / plan.stem / "private" / "results.json").read_bytes()
            for folder in (home / "alone", out / "studies")
        )
        assert own == theirs
    seconds = json.loads((out / "manifest.json").read_text("utf-8"))["run"]["seconds"]
    written = sum(_writing(out / "studies" / plan.stem) for plan in plans) / WORKERS
    separate = sum(one.wall for one in alone) / len(alone) * len(plans)
    share = len(plans) / STUDIES  # the bars are for a hundred
    what = f"batch of {len(plans)} studies of 500, {WORKERS} processes"
    note(
        Figure(
            what, size.million, "wall s", whole.wall, "s", ours={"wall": whole.wall},
            limit=size.bar(720.0 * share), note=f"{whole.cpu:.4g} CPU s",
        ),
        Figure(
            f"{what}, without linkage and reports", size.million, "wall s",
            seconds["studies"] + seconds["pools"] - written, "s",
            ours={**seconds, "reports": written}, limit=size.bar(240.0 * share),
        ),
        Figure(
            what, size.million, "wall s", whole.wall / separate, "x",
            f"{len(plans)} runs, projected from {len(alone)}", {"wall": whole.wall},
            {"wall": separate}, size.bar(0.2),
        ),
        Figure(
            f"{what}, peak memory", size.million, "GB", whole.peak / 1e9, "GB",
            ours={"peak": whole.peak / 1e9}, note="of the largest process",
        ),
    )  # fmt: skip


def _studies(size) -> int:
    """Return how many studies the people are enough for."""
    return min(STUDIES, size.million // 20 // SUBMITTED)


def _writing(study: Path) -> float:
    """Return the seconds in which a study wrote its report and its other files."""
    lines = (study / "private" / "audit.log").read_text("utf-8").splitlines()
    times = {line["event"]: line["time"] for line in map(json.loads, lines)}
    end, begin = (datetime.fromisoformat(times[event]) for event in ("end", "released"))
    return (end - begin).total_seconds()
