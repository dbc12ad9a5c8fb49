"""Many damaged submissions: an answer to each within the limits, and nothing left behind."""

import tempfile
import time
from pathlib import Path
from typing import Any

from engine.submission.sandbox import SECONDS, Sandbox
from tests.engine.submission.fuzzing import answers_to_damaged_files

FILES = {"ci": 20_000, "release": 100_000}


def fuzz(size: str) -> tuple[list[dict[str, Any]], bool]:
    """Check damaged files with a seed of their own; return what was seen, and whether it holds."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        found = answers_to_damaged_files(Path(folder), sandbox, FILES[size], 7)
    line = {
        "files": FILES[size],
        "verdicts": sorted(found.verdicts),
        "slowest_seconds": round(found.slowest, 2),
        "peak_mib": found.peak >> 20,
        "left_behind": found.left,
        "seconds": round(time.perf_counter() - began),
    }
    return [line], found.slowest < SECONDS and found.peak < 1 << 30 and not found.left
