"""Long checks: ``python -m tests.certify coverage --size ci`` and others.

Each prints its figures as a table, writes them as JSON where asked, and ends with 1 if a promise
does not hold.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tests.certify import fit_nation
from tests.certify.attacks import jobs
from tests.certify.coverage import MAIN, Cell, simulate
from tests.certify.fuzz import fuzz
from tests.certify.nation import nations
from tests.certify.row_group import row_group
from tests.certify.scenarios import (
    BEYOND,
    EFFECTS,
    GATE,
    HEADLINE,
    OTHER_MEASURES,
    VARYING,
    WITHHELD,
)
from tests.certify.study import Studied, certify_studies, plain, summary

FAMILIES = {
    "headline": HEADLINE,
    "withheld": WITHHELD,
    "measures": OTHER_MEASURES,
    "effects": EFFECTS,
    "beyond": BEYOND,
    "varying": VARYING,
}
_SIMS = {"ci": 1_000, "release": 10_000}
_FITS = {"ci": (65_536, 1), "release": (1_000_000, 24)}
"""People and rounds with which the nation's coefficients are found anew."""
_NARROW, _WIDE, _FLOOR = (0.94, 0.96), (0.935, 0.965), 0.93
_MISSES_ALLOWED = 2
_GATE = (0.938, 0.968)
_RATIO = (0.95, 1.10)
_LARGEST_BIAS = 0.3
_ERRORS = 3.0


def _row(cell: Cell) -> str:
    return (
        f"| {cell.scenario.name} | {cell.interval} | {cell.sims:,} | {100 * cell.coverage:.1f} "
        f"({100 * cell.coverage_error:.1f}) | {100 * cell.rejected:.1f} | {cell.se_ratio:.3f} | "
        f"{cell.bias_in_sd:+.2f} |"
    )


def _table(cells: list[Cell]) -> str:
    names = ("scenario", "interval", "cohorts", "coverage % (error)", "p <= 0.05 %", "SE / SD")
    head = "| " + " | ".join((*names, "bias / SD")) + " |"
    return "\n".join([head, "|---|---|---:|---:|---:|---:|---:|", *map(_row, cells)])


def _outside(cell: Cell, band: tuple[float, float], errors: float) -> bool:
    slack = errors * cell.coverage_error
    return not band[0] - slack <= cell.coverage <= band[1] + slack


def coverage(
    size: str, family: str, sims: int | None, workers: int | None
) -> tuple[list[Cell], bool]:
    """Run a family and return its cells, and whether its promise holds."""
    count = sims or _SIMS[size]
    cells = simulate(FAMILIES[family], count, workers=workers)
    main = [cell for cell in cells if cell.interval == MAIN]
    # A small run cannot tell 94.0 from 93.5: its band is widened by its Monte Carlo error.
    errors = 0.0 if count >= _SIMS["release"] else _ERRORS
    if family == "withheld":
        return cells, all(cell.coverage >= _FLOOR - errors * cell.coverage_error for cell in main)
    misses = [cell for cell in main if _outside(cell, _NARROW, errors)]
    held = len(misses) <= _MISSES_ALLOWED and not any(_outside(c, _WIDE, errors) for c in main)
    return cells, held


def negative_controls(sims: int, workers: int | None) -> tuple[list[Cell], bool]:
    """Run the gate: the product passes in each cell, every planted method fails in its own."""
    planted = {scenario.name: names for scenario, names in GATE}
    cells = simulate([scenario for scenario, _ in GATE], sims, planted, workers)
    held = True
    for cell in cells:
        wrong = cell.interval in planted[cell.scenario.name]
        if wrong or cell.interval == MAIN:
            held = held and _rejected(cell) == wrong
    return cells, held


def _rejected(cell: Cell) -> bool:
    """Whether the gate rejects an interval: coverage, standard error or bias are off.

    Coverage has room for one Monte Carlo error and the error ratio for one per cent. Three
    expected events are too few for any interval to be right, so there only too short ones fail.
    """
    low, high = _GATE
    if cell.scenario in WITHHELD or cell.scenario.name.startswith("60/5%"):
        return cell.coverage + cell.coverage_error < _FLOOR
    missed = not low - cell.coverage_error <= cell.coverage <= high + cell.coverage_error
    short, wide = _RATIO
    off = not short - 0.01 <= cell.se_ratio <= wide + 0.01
    return missed or off or abs(cell.bias_in_sd) > _LARGEST_BIAS


def nation(size: str) -> tuple[list[dict], bool]:
    """Make nations, find their truth again; return what was found and whether all holds."""
    made, found, wrong = nations(size)
    print("\n| people | s | peak GB | offences | disposals |\n|---:|---:|---:|---:|---:|")
    for one in made:
        print(
            f"| {one.people:,} | {one.seconds:.0f} | {one.peak_bytes / 1e9:.2f} | "
            f"{one.rows['offences']:,} | {one.rows['disposals']:,} |"
        )
    print(
        "\n| submission | matched | effect (95 %) | truth | error / SE |\n|---|---:|---|---:|---:|"
    )
    for each in found:
        print(
            f"| {each.name} | {each.treated:,} | {100 * each.estimate:+.1f} ({100 * each.low:+.1f} "
            f"to {100 * each.high:+.1f}) | {100 * each.truth:+.1f} | {each.z:+.2f} |"
        )
    print("\n" + ("\n".join(wrong) or "all holds"))
    return [*(one._asdict() for one in made), *(each._asdict() for each in found)], not wrong


def study(size: str, kept: Path | None) -> tuple[list[dict], bool]:
    """Make studies of services of known effect; return them, and whether all holds."""

    def tell(one: Studied) -> None:
        print(json.dumps(plain(one)), file=sys.stderr, flush=True)

    found, wrong = certify_studies(size, tell, kept)
    print(
        "\n| effect | selection | setting | studies | opened | truth | covered | error | "
        "error / SE | fewer | more | inconclusive | fragile |\n"
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    )
    for line in summary(found):
        print(
            f"| {line.effect} | {line.selection} | {line.setting} | {line.studies} | "
            f"{line.opened} | {line.truth:+.1f} | {line.covered} | {line.error:+.2f} | "
            f"{line.error_in_se:+.2f} | {line.fewer} | {line.more} | {line.inconclusive} | "
            f"{line.fragile} |"
        )
    print("\n" + ("\n".join(wrong) or "all holds"))
    return [plain(one) for one in found], not wrong


def main() -> int:
    """Run one check."""
    parser = argparse.ArgumentParser(prog="python -m tests.certify", description=__doc__)
    checks = [
        "coverage",
        "negative-controls",
        "jobs",
        "nation",
        "fit-nation",
        "row-group",
        "study",
        "fuzz",
    ]
    parser.add_argument("check", choices=checks)
    parser.add_argument("--family", choices=tuple(FAMILIES), action="append")
    parser.add_argument("--size", choices=tuple(_SIMS), default="ci")
    parser.add_argument("--sims", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="studies made so far, to go on from")
    asked = parser.parse_args()
    began = time.perf_counter()
    held = True
    cells: list[Cell] = []
    if asked.check == "fit-nation":
        people, rounds = _FITS[asked.size]
        solved = fit_nation.fit(people, rounds, 0.4, seed=100, threads=asked.workers or 2)
        print(fit_nation.source(solved))
        return 0
    long = {
        "jobs": jobs,
        "nation": nation,
        "row-group": row_group,
        "study": partial(study, kept=asked.keep),
        "fuzz": fuzz,
    }
    if asked.check in long:
        lines, held = long[asked.check](asked.size)
        if asked.check not in {"jobs", "nation", "study"}:
            for line in lines:
                print(json.dumps(line))
        if asked.json:
            asked.json.write_text(json.dumps(lines, indent=1) + "\n")
        return 0 if held else 1
    if asked.check == "coverage":
        for family in asked.family or FAMILIES:
            found, kept = coverage(asked.size, family, asked.sims, asked.workers)
            print(
                f"\n{family}: {'holds' if kept else 'DOES NOT HOLD'}\n\n{_table(found)}", flush=True
            )
            cells += found
            held = held and kept
    else:
        cells, held = negative_controls(asked.sims or 2_000, asked.workers)
        print(f"\nnegative controls: {'hold' if held else 'DO NOT HOLD'}\n\n{_table(cells)}")
    print(f"\n{time.perf_counter() - began:.0f} s", file=sys.stderr)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(cell) for cell in cells], indent=1) + "\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
