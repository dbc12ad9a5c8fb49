"""Populations larger than memory: written in parts, fitted and matched in a process of its own.

``python -m benchmarks.parts FOLDER CEILING WHAT`` prints one JSON object: seconds by stage, the
peak of the process, and a digest of what it found.
"""

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.population import CATEGORIES, LEVELS, NUMBERS, population
from benchmarks.stopwatch import begin_peak, peak_above

PART = 1_000_000


def write_parts(folder: Path, rows: int) -> None:
    """Write a population as Arrow files of a million people, numbered by id in random order."""
    folder.mkdir(parents=True)
    size = min(PART, rows)
    for part in range(rows // size):
        people = population(size, part=part)
        # Ids are spread by an odd factor: neighbours in the data are not neighbours in the ids.
        ids = (np.arange(part * size, (part + 1) * size) * 48_271) % (2**31 - 1)
        columns = {"id": pa.array(ids), "treated": pa.array(people.treated)}
        columns |= {name: pa.array(x) for name, x in zip(NUMBERS, people.numbers, strict=True)}
        for name, codes, levels in zip(CATEGORIES, people.codes, LEVELS, strict=True):
            words = pa.array([f"{level:02d}x" for level in range(levels)])
            columns[name] = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), words)
        table = pa.table(columns)
        with pa.ipc.new_file(folder / f"part-{part:04d}.arrow", table.schema) as writer:
            writer.write_table(table)


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def main(folder: str, ceiling: str, what: str) -> None:
    """Fit, or fit and match, and print how it went."""
    from engine.matching.options import check_options
    from engine.matching.propensity import fit_propensity
    from engine.matching.rows import read_rows
    from engine.matching.scoring import score_rows
    from engine.matching.selection import select_matches
    from engine.memory import parse_ceiling
    from engine.spill import spilling
    from engine.tables import open_table

    options = check_options(
        treatment="treated",
        covariates=NUMBERS + CATEGORIES,
        id="id",
        caliper="0.2 sd-logit",
        seed=0,
    )
    seconds: dict[str, tuple[float, float]] = {}
    peaks: dict[str, int] = {}

    def lap(name: str, began: tuple[float, float]) -> tuple[float, float]:
        now = time.process_time(), time.perf_counter()
        seconds[name] = now[0] - began[0], now[1] - began[1]
        peaks[name] = peak_above(0) or 0
        begin_peak()
        return now

    limit = parse_ceiling(ceiling)
    assert limit is not None
    with spilling(limit) as spill:
        began = time.process_time(), time.perf_counter()
        rows = read_rows(open_table(folder), options, None, spill)
        began = lap("read and order", began)
        if what == "fit":
            model = fit_propensity(rows.design, rows.treated)
            lap("fit", began)
            found = np.array([term.coefficient for term in model.terms])
            answer = _digest(found)
        else:
            scoring = score_rows(rows, options)
            began = lap("fit", began)
            matched = select_matches(rows, scoring, options)
            lap("match", began)
            assert matched.pairing is not None
            assert matched.certificate.violations == 0
            answer = _digest(matched.pairing.partner, matched.pairing.indptr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peaks": peaks,
                "peak": max(peak, *peaks.values()),
                "answer": answer,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
