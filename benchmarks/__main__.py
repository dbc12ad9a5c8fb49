"""``python -m benchmarks``: run every case, write the record and the table."""

import argparse
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the suites under pytest-benchmark; return 0 only if every bar is met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--size",
        choices=["small", "full"],
        default="small",
        help="full: the national sizes that the bars are for (12 GB, about an hour)",
    )
    parser.add_argument("--only", metavar="WORDS", help="cases whose names match, as pytest -k")
    parser.add_argument(
        "--out", type=Path, default=HERE / "recorded", help="folder for SIZE.json and SIZE.md"
    )
    given = parser.parse_args()
    os.chdir(HERE.parent)
    arguments = [
        str(HERE), "--benchmark-only", "--benchmark-quiet", f"--size={given.size}",
        f"--record={given.out}", "-q",
    ]  # fmt: skip
    if given.only:
        arguments += ["-k", given.only]
    return int(pytest.main(arguments))


if __name__ == "__main__":
    sys.exit(main())
