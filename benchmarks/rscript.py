"""R with MatchIt as a side of a race: R in a process of its own, timed by R."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.population import population, scores
from benchmarks.race import Lap, NotInstalled, clean_environment, end_process
from benchmarks.sides.bootstrap import values_of

_OLDEST = (4, 6)
_VERSIONS = "cat(as.character(packageVersion('MatchIt')), R.version$major, R.version$minor)"
_SCRIPTS = Path(__file__).parent / "sides"


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


class _RSide:
    """A script of R in a process of its own, one thread: a line of words, a line of reply."""

    def __init__(self, script: str) -> None:
        matchit_version()
        self._folder = tempfile.TemporaryDirectory(prefix="justicelab-benchmark-")
        self.folder = Path(self._folder.name)
        self._process = subprocess.Popen(
            ["Rscript", "--vanilla", str(_SCRIPTS / script)],
            env=clean_environment(1), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, *words: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError(f"R ended with status {self._process.wait()}")
        return reply

    def close(self) -> None:
        """End R."""
        end_process(self._process)
        self._folder.cleanup()


class MatchItSide(_RSide):
    """MatchIt on scores, one thread."""

    def __init__(self, rows: int, treated_share: float, ratio: int, *, replace: bool) -> None:
        super().__init__("matchit.R")
        self._ratio, self._replace = ratio, replace
        logit, treated = scores(rows, treated_share)
        logit.tofile(self.folder / "score")
        treated.astype(np.uint8).tofile(self.folder / "treated")
        self.ask("load", str(self.folder / "score"), str(self.folder / "treated"), str(rows))

    def lap(self) -> Lap:
        """Match once."""
        place = self.folder / "partner"
        replace = str(self._replace).upper()
        cpu, wall = map(float, self.ask("match", str(self._ratio), replace, str(place)).split())
        partner = np.fromfile(place, dtype=np.int32).astype(np.int64).reshape(-1, self._ratio)
        return Lap({"match": cpu}, {"match": wall}, {"partner": partner})


class PipelineSide(_RSide):
    """A bootstrap in R that draws rows, fits with glm() and matches with matchit()."""

    def __init__(self, rows: int, replicates: int) -> None:
        super().__init__("pipeline.R")
        self._replicates = replicates
        people = population(rows)
        people.treated.astype(np.uint8).tofile(self.folder / "treated")
        values_of(people.treated).tofile(self.folder / "value")
        people.numbers.tofile(self.folder / "numbers")
        people.codes.astype(np.uint8).tofile(self.folder / "codes")
        sizes = (str(rows), str(len(people.numbers)), str(len(people.codes)))
        self.ask("load", str(self.folder), *sizes)

    def lap(self) -> Lap:
        """Make the replicates."""
        place = self.folder / "estimates"
        reply = self.ask("replicates", str(self._replicates), str(place))
        cpu, wall = map(float, reply.split())
        estimates = np.fromfile(place, dtype=np.float64)
        return Lap({"replicates": cpu}, {"replicates": wall}, {"estimates": estimates})
