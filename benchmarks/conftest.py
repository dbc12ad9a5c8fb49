"""Options and fixtures of the benchmarks; figures are collected here and shown at the end."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.race import NotInstalled
from benchmarks.record import Figure, as_record, as_table, joined
from benchmarks.rscript import matchit_version
from benchmarks.sides.linkage import nation
from benchmarks.sizes import SIZES, Size

FIGURES = pytest.StashKey[list[Figure]]()


def pytest_addoption(parser):
    group = parser.getgroup("justicelab benchmarks")
    group.addoption(
        "--size",
        choices=list(SIZES),
        default="small",
        help="full: the national sizes that the bars are for (needs 12 GB and about an hour)",
    )
    group.addoption("--record", type=Path, help="folder for SIZE.json and SIZE.md")
    group.addoption("--add", action="store_true", help="keep the other figures of the record")
    group.addoption(
        "--nations", type=Path, help="folder in which synthetic nations are kept for the next run"
    )


def pytest_configure(config):
    config.stash[FIGURES] = []
    # Before anything is measured, not after.
    if config.getoption("--add"):
        try:
            _added(as_record([], config.getoption("--size"), {}, ""), config)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="session")
def size(request) -> Size:
    """How many rows the cases have."""
    return SIZES[request.config.getoption("--size")]


@pytest.fixture(scope="session")
def homes(request, size, tmp_path_factory):
    """Return people and folder of a synthetic nation with its store, made when it is asked for."""
    kept = request.config.getoption("--nations")
    made: dict[int, str] = {}

    def home(which: str) -> tuple[int, str]:
        # fewer make no submission of thousands
        people = max(getattr(size, which), 60_000)
        if people not in made:
            folder = tmp_path_factory.mktemp("nation") if kept is None else kept / str(people)
            if not (folder / "store" / "manifest.json").exists():
                nation(people, folder)
            made[people] = str(folder)
        return people, made[people]

    return home


@pytest.fixture
def note(request):
    """Keep figures for the table and hold the test to their bars."""

    def keep(*figures: Figure) -> None:
        request.config.stash[FIGURES].extend(figures)
        missed = [figure for figure in figures if figure.verdict == "FAIL"]
        assert not missed, "; ".join(f"{f.what}: {f.value:.3g} > {f.limit:.3g}" for f in missed)

    return keep


@pytest.fixture
def peer_or_note(request):
    """Turn a peer that is not installed into a line of the table and a skip."""

    @contextlib.contextmanager
    def guard(what: str, rows: int, peer: str) -> Iterator[None]:
        try:
            yield
        except NotInstalled as missing:
            reason = f"not installed: {missing}"
            request.config.stash[FIGURES].append(
                Figure(what, rows, "", None, "", beside=peer, note=reason)
            )
            pytest.skip(reason)

    return guard


def _peers() -> dict[str, str]:
    try:
        return {"MatchIt": matchit_version()}
    except NotInstalled as missing:
        return {"MatchIt": f"not installed ({missing})"}


def _added(record, config):
    """Join a record to the one that is in its place, if there is one."""
    there = (config.getoption("--record") or Path()) / f"{config.getoption('--size')}.json"
    return joined(json.loads(there.read_text("utf-8")), record) if there.exists() else record


def pytest_terminal_summary(terminalreporter, config):
    figures = config.stash[FIGURES]
    if not figures:
        return
    size = config.getoption("--size")
    record = as_record(figures, size, _peers(), time.strftime("%Y-%m-%d", time.gmtime()))
    if config.getoption("--add"):
        record = _added(record, config)
    folder = config.getoption("--record")
    table = as_table(record)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{size}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        (folder / f"{size}.md").write_text(table, encoding="utf-8")
    terminalreporter.write_sep("=", "ours beside peers")
    terminalreporter.write_line(table)
