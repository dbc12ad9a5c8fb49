"""Run the project beside its peers, write the record and show the table."""

import argparse
import os
import sys
from pathlib import Path

import pytest

from benchmarks.record import put_into_readme

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "records"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--full",
        dest="size",
        action="store_const",
        const="full",
        default="small",
        help="the national sizes that the bars are for (12 GB of memory, about an hour)",
    )
    size.add_argument(
        "--quick",
        dest="size",
        action="store_const",
        const="quick",
        help="a few ten thousand rows: shows that every case runs, and nothing else",
    )
    parser.add_argument("--only", metavar="WORDS", help="cases whose names match, as pytest -k")
    parser.add_argument(
        "--add",
        action="store_true",
        help="keep the figures of other cases that the record has, of the same machine and size",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RECORDS,
        help="folder for SIZE.json and SIZE.md (default: benchmarks/records)",
    )
    parser.add_argument(
        "--nations",
        metavar="DIR",
        type=Path,
        help="keep the synthetic nations here for the next run (20 GB with --full)",
    )
    parser.add_argument(
        "--readme",
        nargs="*",
        type=Path,
        metavar="RECORD",
        help="run nothing: put the tables of records into README.md (default: every full.json of "
        "benchmarks/records and its folders, one for each machine)",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the suites under pytest-benchmark; return 0 only if every bar is met."""
    given = _parser().parse_args(arguments)
    if given.readme is not None:
        records = given.readme or [RECORDS / "full.json", *sorted(RECORDS.glob("*/full.json"))]
        put_into_readme(records, HERE.parent / "README.md")
        return 0
    out = given.out.resolve()
    if given.nations:
        given.nations = given.nations.resolve()
    os.chdir(HERE.parent)
    options = [
        str(HERE), "--benchmark-only", "--benchmark-quiet", f"--size={given.size}",
        f"--record={out}", "-q", "-p", "no:cacheprovider",
    ]  # fmt: skip
    if given.add:
        options.append("--add")
    if given.nations:
        options.append(f"--nations={given.nations}")
    if given.only:
        options += ["-k", given.only]
    return int(pytest.main(options))


if __name__ == "__main__":
    sys.exit(main())
