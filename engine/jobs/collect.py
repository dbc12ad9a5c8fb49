"""Put shards together: every unit once, equal duplicates dropped, different ones an error."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.jobs.shards import Shard, Units, disagreement

Floats = NDArray[np.float64]

_LISTED = 5


class Collected:
    """Results of the units of a range, as far as they are there.

    Parameters
    ----------
    wanted : Units
    columns : tuple of str

    Attributes
    ----------
    values : float64, shape (len(wanted), number of columns)
        0 where there is nothing yet.
    """

    def __init__(self, wanted: Units, columns: tuple[str, ...]) -> None:
        self.wanted = wanted
        self.columns = columns
        self.values = np.zeros((len(wanted), len(columns)))
        self._there = np.zeros(len(wanted), dtype=np.bool_)

    def add(self, shard: Shard) -> None:
        """Take in the part of a shard that is wanted.

        Raises
        ------
        DisagreementError
            A unit is there already with other bytes.
        """
        start = max(shard.units.start, self.wanted.start)
        stop = min(shard.units.stop, self.wanted.stop)
        if start >= stop:
            return
        new = shard.values[start - shard.units.start : stop - shard.units.start]
        place = slice(start - self.wanted.start, stop - self.wanted.start)
        again = self._there[place]
        old = self.values[place][again]
        if not np.array_equal(_bits(old), _bits(new[again])):
            raise disagreement(Units(start, stop))
        self.values[place] = new
        self._there[place] = True

    @property
    def done(self) -> int:
        """Units that are there."""
        return int(np.count_nonzero(self._there))

    @property
    def missing_count(self) -> int:
        """Units that are not there."""
        return len(self.wanted) - self.done

    @property
    def so_far(self) -> Floats:
        """Values of the units that are there, in order, float64, shape (done, columns)."""
        return self.values[self._there]

    def missing(self) -> Iterator[Units]:
        """Yield the ranges that are not there, in order."""
        edges = np.flatnonzero(np.diff(np.concatenate(([True], self._there, [True]))))
        for start, stop in list(pairwise(edges.tolist()))[::2]:
            yield Units(self.wanted.start + start, self.wanted.start + stop)

    def complete(self) -> Floats:
        """Return the values of all units.

        Raises
        ------
        InputError
            Some are missing; says which.
        """
        if self.missing_count:
            gaps = [f"{gap.start:,} to {gap.stop - 1:,}" for gap in self.missing()]
            more = f" and {len(gaps) - _LISTED:,} more ranges" if len(gaps) > _LISTED else ""
            raise InputError(
                f"{self.missing_count:,} of {len(self.wanted):,} units are missing",
                where=f"units {', '.join(gaps[:_LISTED])}{more}",
                rule="results are made from all units or not at all",
                repair="Run the missing shares, or run the job without --shard",
            )
        return self.values


def _bits(values: Floats) -> NDArray[np.uint64]:
    """Return the bits: two nan of the same bits are equal, 0.0 and -0.0 are not."""
    return np.ascontiguousarray(values).view(np.uint64)
