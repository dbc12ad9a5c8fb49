"""A study of thousands against a nation of millions: from submission to report."""

import json
from datetime import datetime
from pathlib import Path

from benchmarks.command import run_command
from benchmarks.record import Figure

NAME = "large-beneficial-need"
PLAN = """
[sub_analyses]
by = ["sex", "age", "completed", "index_type"]
most = 10
"""


def test_study(benchmark, note, size, homes, tmp_path):
    people, home = homes("national")
    submission, store = (str(Path(home) / part) for part in (f"submissions/{NAME}.csv", "store"))
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN, encoding="utf-8")
    words = ("--store", store, "--plan", str(plan), "-q")

    def run(name: str, out: str):
        file = str(Path(submission).with_stem(name))
        return run_command(
            "run", "--submission", file, *words, "--out", str(tmp_path / out), cache=tmp_path
        )

    run("medium-none-random", "warm")  # compiles, outside the clock
    done = benchmark.pedantic(lambda: run(NAME, "study"), rounds=1)
    lines = [
        json.loads(line)
        for line in (tmp_path / "study" / "private" / "audit.log").read_text("utf-8").splitlines()
    ]
    stages = {line["name"]: line for line in lines if line["event"] == "stage"}
    ends = {name: datetime.fromisoformat(line["time"]) for name, line in stages.items()}
    measured = next(line["time"] for line in lines if line["event"] == "measures")
    main = (datetime.fromisoformat(measured) - ends["pool"]).total_seconds()
    trio = [name for name in stages if name.startswith("oasys")]
    parts = [name for name in stages if "=" in name]
    beside = sum(stages[name]["seconds"] for name in (*trio, *parts))
    treated, pool = stages["pool"]["treated"], stages["main"]["pool"]
    what = f"study of {treated:,} people against a nation of {people:,}"
    told = f"a pool of {pool:,} disposals"
    note(
        Figure(
            what, people, "wall s", done.wall, "s", ours={"wall": done.wall},
            limit=size.bar(90.0),
            note=f"{done.cpu:.3g} CPU s; linkage, region, trio, {len(parts)} parts, sensitivity",
        ),
        Figure(
            f"{what}, peak memory", people, "GB", done.peak / 1e9, "GB",
            ours={"peak": done.peak / 1e9}, limit=size.bar(6.0), note=told,
        ),
        Figure(
            "match and measures of its main analysis", people, "wall s", main, "s",
            ours={"main": main}, limit=size.bar(10.0), note=told,
        ),
        Figure(
            f"the same with the trio and {len(parts)} parts", people, "wall s", main + beside, "s",
            ours={"main": main, "trio and parts": beside}, limit=size.bar(40.0),
            note=f"the match within regions takes {stages['region']['seconds']:.3g} s beside",
        ),
    )  # fmt: skip
