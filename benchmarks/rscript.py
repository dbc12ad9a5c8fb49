"""MatchIt as a side of a race: R in a process of its own, timed by R."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.population import scores
from benchmarks.race import Lap, NotInstalled, clean_environment, end_process

_OLDEST = (4, 6)
_VERSIONS = "cat(as.character(packageVersion('MatchIt')), R.version$major, R.version$minor)"
_SCRIPT = Path(__file__).parent / "sides" / "matchit.R"


@cache
def matchit_version() -> str:
    """Return the version of MatchIt that Rscript finds.

    Raises
    ------
    NotInstalled
        There is no Rscript, no MatchIt, or one older than 4.6.
    """
    program = shutil.which("Rscript")
    if program is None:
        raise NotInstalled("R with MatchIt")
    asked = subprocess.run(
        [program, "-e", _VERSIONS],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(1),
    )
    words = asked.stdout.split()
    if asked.returncode or len(words) != 3:
        raise NotInstalled("MatchIt for R")
    if tuple(int(part) for part in words[0].split(".")[:2]) < _OLDEST:
        raise NotInstalled(f"MatchIt 4.6 or later (found {words[0]})")
    return f"{words[0]}, R {words[1]}.{words[2]}"


class MatchItSide:
    """MatchIt on scores, one thread."""

    def __init__(self, rows: int, treated_share: float, ratio: int, *, replace: bool) -> None:
        matchit_version()
        self._ratio, self._replace = ratio, replace
        self._folder = tempfile.TemporaryDirectory(prefix="justicelab-benchmark-")
        folder = Path(self._folder.name)
        logit, treated = scores(rows, treated_share)
        logit.tofile(folder / "score")
        treated.astype(np.uint8).tofile(folder / "treated")
        self._process = subprocess.Popen(
            ["Rscript", "--vanilla", str(_SCRIPT)],
            env=clean_environment(1), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._ask("load", str(folder / "score"), str(folder / "treated"), str(rows))

    def _ask(self, *words: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError(f"R ended with status {self._process.wait()}")
        return reply

    def lap(self) -> Lap:
        """Match once."""
        place = Path(self._folder.name) / "partner"
        replace = str(self._replace).upper()
        cpu, wall = map(float, self._ask("match", str(self._ratio), replace, str(place)).split())
        partner = np.fromfile(place, dtype=np.int32).astype(np.int64).reshape(-1, self._ratio)
        return Lap({"match": cpu}, {"match": wall}, {"partner": partner})

    def close(self) -> None:
        """End R."""
        end_process(self._process)
        self._folder.cleanup()
