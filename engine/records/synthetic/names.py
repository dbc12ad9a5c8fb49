"""Names in the proportions in which they occur in the United Kingdom, near enough.

Common names stand here in order of frequency, which is a fact anybody can count; rare names are
composed. Forenames follow the year of birth, because that is what makes namesakes share an age.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.records.synthetic.name_lists import (
    ASIAN_BOYS,
    ASIAN_GIRLS,
    ASIAN_SURNAMES,
    BLACK_BOYS,
    BLACK_GIRLS,
    BLACK_SURNAMES,
    BOYS,
    BRITISH_SURNAMES,
    EASTERN_SURNAMES,
    ENDS,
    GIRLS,
    RARE_ENDS_BOYS,
    RARE_ENDS_GIRLS,
    RARE_STARTS,
    STARTS,
)
from engine.records.synthetic.world import Floats


class Pool(NamedTuple):
    """Names with cumulative shares."""

    names: pa.Array
    shares: Floats


def _common(names: str, offset: float) -> tuple[list[str], Floats]:
    """Names in order of frequency with weights that fall like 1 / (rank + offset)."""
    listed = list(dict.fromkeys(names.split()))
    return listed, 1.0 / (np.arange(len(listed), dtype=np.float64) + offset)


def _pool(names: str, offset: float, rare: list[str], rare_share: float) -> Pool:
    """Common names by rank, and rare ones that share what is left, some of them rarer still."""
    listed, weights = _common(names, offset)
    known = set(listed)
    others = [name for name in rare if name not in known]
    # a fixed scatter over the rare ones, so that frequency does not follow the alphabet
    scatter = 1.0 / (1.0 + (np.arange(len(others)) * 7919) % max(len(others), 1))
    scatter = scatter + 0.002
    shares = np.concatenate(
        [
            weights / weights.sum() * (1.0 - rare_share),
            scatter / max(scatter.sum(), 1e-300) * rare_share,
        ]
    )
    return Pool(pa.array(listed + others, pa.utf8()), np.cumsum(shares))


def _composed(starts: str, ends: str) -> list[str]:
    return [start + end for start in starts.split() for end in ends.split()]


_RARE_BOYS = _composed(RARE_STARTS, RARE_ENDS_BOYS)
_RARE_GIRLS = _composed(RARE_STARTS, RARE_ENDS_GIRLS)
_RARE_SURNAMES = _composed(STARTS, ENDS)

ERAS = (1965, 1980, 1995)
"""Years of birth at which forenames change."""
WHITE, ASIAN, BLACK, EASTERN = range(4)
"""Where a name comes from."""

FORENAMES = {
    **{(True, WHITE, era): _pool(names, 4.0, _RARE_BOYS, 0.04) for era, names in enumerate(BOYS)},
    **{
        (False, WHITE, era): _pool(names, 4.0, _RARE_GIRLS, 0.05) for era, names in enumerate(GIRLS)
    },
    (True, ASIAN, 0): _pool(ASIAN_BOYS, 3.0, _RARE_BOYS, 0.03),
    (False, ASIAN, 0): _pool(ASIAN_GIRLS, 3.0, _RARE_GIRLS, 0.03),
    (True, BLACK, 0): _pool(BLACK_BOYS, 5.0, _RARE_BOYS, 0.10),
    (False, BLACK, 0): _pool(BLACK_GIRLS, 5.0, _RARE_GIRLS, 0.10),
}
SURNAMES = {
    WHITE: _pool(BRITISH_SURNAMES, 9.0, _RARE_SURNAMES, 0.55),
    ASIAN: _pool(ASIAN_SURNAMES, 3.0, _RARE_SURNAMES, 0.02),
    BLACK: _pool(BLACK_SURNAMES, 6.0, _RARE_SURNAMES, 0.10),
    EASTERN: _pool(EASTERN_SURNAMES, 5.0, _RARE_SURNAMES, 0.05),
}


def draw(pool: Pool, u: Floats) -> pa.Array:
    """Return one name for each uniform number."""
    place = np.searchsorted(pool.shares, u, side="right")
    return pool.names.take(pa.array(np.minimum(place, len(pool.names) - 1)))


def draw_groups(pools: list[Pool], group: NDArray[np.int64], u: Floats) -> pa.Array:
    """Return one name for each row, from the pool that the row's group says."""
    pieces, positions = [], []
    for number, pool in enumerate(pools):
        rows = np.flatnonzero(group == number)
        pieces.append(draw(pool, u[rows]))
        positions.append(rows)
    order = np.argsort(np.concatenate(positions), kind="stable")
    return pa.concat_arrays(pieces).take(pa.array(order))
