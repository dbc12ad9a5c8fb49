"""Races: two sides take turns, their minima are compared, and so are their answers.

A ratio of interleaved minima repeats to within a few per cent on a machine that does other work
too, where a ratio of means does not. One thread is timed in CPU seconds, several in wall seconds.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
_THREADS = (
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)


class NotInstalled(Exception):  # noqa: N818 - a state of the environment, reported as such
    """A peer is not there; the message is the name of what is missing."""


@dataclass(frozen=True)
class Lap:
    """One run of one side.

    Attributes
    ----------
    cpu, wall : dict
        Part to seconds.
    answer : dict of arrays
    peak : int or None
        Bytes above what was in use before.
    """

    cpu: dict[str, float]
    wall: dict[str, float]
    answer: dict[str, np.ndarray]
    peak: int | None = None


class Side(Protocol):
    """Anything that runs laps."""

    def lap(self) -> Lap:
        """Run once."""

    def close(self) -> None:
        """End the process behind it."""


def clean_environment(threads: int | None) -> dict[str, str]:
    """Return the environment of a side: peers run with their own default BLAS kernels."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _THREADS and not name.startswith(("OPENBLAS_", "BLIS_", "MKL_"))
    }
    if threads is not None:
        kept.update(dict.fromkeys(_THREADS, str(threads)))
    return kept


class PythonSide:
    """A side in a Python process of its own."""

    def __init__(
        self,
        side: str,
        task: dict[str, Any],
        *,
        threads: int | None = 1,
        warm: dict[str, Any] | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="justicelab-benchmark-")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            cwd=ROOT,
            env=clean_environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            reply = self._ask({"do": "prepare", "side": side, "task": task, "warm": warm})
        except BaseException:
            self.close()
            raise
        if "missing" in reply:
            self.close()
            raise NotInstalled(reply["missing"])

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a side ended with status {self._process.wait()}")
        reply = json.loads(line)
        if "failed" in reply:
            raise RuntimeError(reply["failed"])
        return reply

    def lap(self) -> Lap:
        """Run once."""
        place = Path(self._folder.name) / "answer.npz"
        reply = self._ask({"do": "run", "answer": str(place)})
        with np.load(place) as stored:
            answer = {name: stored[name] for name in stored.files}
        cpu = {part: seconds[0] for part, seconds in reply["parts"].items()}
        wall = {part: seconds[1] for part, seconds in reply["parts"].items()}
        return Lap(cpu, wall, answer, reply["peak"])

    def close(self) -> None:
        """End the process."""
        end_process(self._process)
        self._folder.cleanup()


def end_process(process: subprocess.Popen) -> None:
    """Close the input of a side, which ends it, and wait."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Outcome:
    """Best laps of a race.

    Attributes
    ----------
    ours, peer : dict
        Part to seconds of the lap with the smallest total.
    our_lap, peer_lap : Lap
        The last ones; answers do not change from lap to lap.
    laps : int
    """

    ours: dict[str, float]
    peer: dict[str, float]
    our_lap: Lap
    peer_lap: Lap
    laps: int

    def ratio(self, without: tuple[str, ...] = ()) -> float:
        """Return our seconds over the peer's, the peer's parts named ``without`` left out."""
        peer = sum(seconds for part, seconds in self.peer.items() if part not in without)
        return sum(self.ours.values()) / peer


def best(laps: list[Lap], clock: str) -> dict[str, float]:
    """Return the parts of the lap with the smallest total on the clock, 'cpu' or 'wall'."""
    return min((getattr(lap, clock) for lap in laps), key=lambda parts: sum(parts.values()))


def race(benchmark: Any, ours: Side, peer: Side, *, laps: int, clock: str = "cpu") -> Outcome:
    """Let two sides take turns; pytest-benchmark times our laps for its own record.

    Parameters
    ----------
    benchmark : pytest-benchmark's fixture
    ours, peer : Side
    laps : int
        Turns of each side.
    clock : {'cpu', 'wall'}
    """
    our_laps: list[Lap] = []
    peer_laps: list[Lap] = []
    benchmark.pedantic(
        lambda: our_laps.append(ours.lap()),
        setup=lambda: peer_laps.append(peer.lap()),
        rounds=laps,
    )
    return Outcome(
        best(our_laps, clock), best(peer_laps, clock), our_laps[-1], peer_laps[-1], len(our_laps)
    )


def alone(benchmark: Any, ours: Side, *, laps: int) -> list[Lap]:
    """Run one side by itself."""
    found: list[Lap] = []
    benchmark.pedantic(lambda: found.append(ours.lap()), rounds=laps)
    return found


def entered(stack: contextlib.ExitStack, side: Side) -> Any:
    """Register a side for closing and return it."""
    stack.callback(side.close)
    return side
