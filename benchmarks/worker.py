"""One side of a race in a process of its own, told what to do over its standard input.

A process for each side keeps thread settings, memory and warmed-up code of one side from the other.
The sides of a race live at the same time and take turns.
"""

import importlib
import importlib.util
import json
import os
import sys
import traceback
from typing import Any

import numpy as np

from benchmarks.stopwatch import Stopwatch, begin_peak, peak_above

# Package that a side needs, where that is not the project itself.
NEEDS = {
    "glum_dense": "glum",
    "glum_split": "glum",
    "scikit_learn": "sklearn",
    "statsmodels": "statsmodels",
    "scipy_tree": "scipy",
    "cluster": "distributed",
}


def _side(name: str) -> Any:
    module, function = name.split(":")
    return getattr(importlib.import_module(f"benchmarks.sides.{module}"), function)


def _missing(name: str) -> str | None:
    package = NEEDS.get(name.split(":")[1])
    if package is not None and importlib.util.find_spec(package) is None:
        return package
    return None


def _prepare(order: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    missing = _missing(order["side"])
    if missing is not None:
        return None, {"missing": missing}
    side = _side(order["side"])
    if order["warm"] is not None:
        # Compiles and imports everything once, on a small task, outside the clock.
        side(**order["warm"])(Stopwatch())
    return side(**order["task"]), {}


def _run(run: Any, order: dict[str, Any]) -> dict[str, Any]:
    watch = Stopwatch()
    begun = begin_peak()
    answer = run(watch)
    peak = peak_above(begun)
    np.savez(order["answer"], **answer)
    return {"parts": watch.parts, "peak": peak}


def main() -> None:
    """Serve orders, one JSON object a line, until the input ends."""
    # What libraries print must not get between the replies.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    run: Any = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "prepare":
                run, reply = _prepare(order)
            else:
                reply = _run(run, order)
        except Exception:  # noqa: BLE001 - the parent decides what a failed side means
            reply = {"failed": traceback.format_exc()}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
