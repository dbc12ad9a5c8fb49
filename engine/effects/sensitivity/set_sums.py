"""Test statistics of matched sets, and their largest tail under a hidden bias of a given size.

Every test here is a sum over sets of the score of the set's focal person. Under the null
hypothesis that taking part changed nobody's outcome the scores of a set are fixed, and chance
decides only which member of the set is the focal one. With a hidden bias of at most Gamma that
choice is made with odds between any two members of at most Gamma, so each set has a worst case.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.blocks import total
from kernels.exact_sums import upper_tail

MOST_CELLS = 2_000_000
"""Work an exact distribution may cost (steps times reachable sums), about 2 ms each time; above
it the normal approximation takes over. That is 1,400 informative sets of a yes/no outcome, where
the two agree to 0.0005."""


@dataclass(frozen=True)
class StepSum:
    """A sum in which every set adds a fixed step or nothing.

    Attributes
    ----------
    step : int64, shape (s,)
        What the set adds if its focal person is one of the ``high`` members; positive.
    high, low : int64, shape (s,)
        Members who would add the step, and members who would not; at least 1 each.
    observed : int
        The sum as it is.
    """

    step: NDArray[np.int64]
    high: NDArray[np.int64]
    low: NDArray[np.int64]
    observed: int

    @property
    def exact(self) -> bool:
        """Whether the tail is computed from the exact distribution."""
        return self.is_binomial or len(self.step) * int(self.step.sum()) <= MOST_CELLS

    @property
    def is_binomial(self) -> bool:
        """Whether all sets are pairs with the same step."""
        return bool(np.all(self.high == 1) and np.all(self.low == 1) and np.all(self.step == 1))

    def mirrored(self) -> "StepSum":
        """Return the statistic of the opposite direction."""
        return StepSum(self.step, self.low, self.high, int(self.step.sum()) - self.observed)

    def chances(self, share: float) -> NDArray[np.float64]:
        """Return the largest probability of each step, ``share`` = Gamma / (1 + Gamma)."""
        favoured = share * self.high
        return np.asarray(favoured / (favoured + (1.0 - share) * self.low))

    def tail(self, share: float) -> float:
        """Return the largest P(sum >= observed) at Gamma = share / (1 - share).

        Notes
        -----
        Steps are independent with probability Gamma m / (Gamma m + n - m), m = ``high`` of n
        members, which no assignment of a hidden covariate in [0, 1] exceeds (Rosenbaum 2002,
        4.4). Pairs: binomial. Otherwise the exact distribution of the sum, or beyond
        ``MOST_CELLS`` the normal one, with half a step as continuity correction where all steps
        are 1, without where they are ranks.
        """
        from scipy.special import betainc, ndtr  # noqa: PLC0415 - only where an outcome is asked

        size = len(self.step)
        if size == 0 or self.observed <= 0:
            return 1.0
        if self.is_binomial:
            return float(betainc(self.observed, size - self.observed + 1, share))
        chance = self.chances(share)
        if self.exact:
            return float(upper_tail(self.step, chance, self.observed))
        step = self.step.astype(np.float64)
        mean = float(total(step * chance))
        variance = float(total(step * step * chance * (1.0 - chance)))
        half = 0.5 if bool(np.all(self.step == 1)) else 0.0
        return float(ndtr(-(self.observed - half - mean) / np.sqrt(variance)))


@dataclass(frozen=True)
class ScoreSum:
    """A sum in which every set adds one of its members' scores.

    Attributes
    ----------
    blocks : tuple of float64, shape (sets, members)
        Scores of the sets of one size, ascending in each row.
    observed : float
        Sum of the focal people's scores.
    """

    blocks: tuple[NDArray[np.float64], ...]
    observed: float

    @property
    def exact(self) -> bool:
        """The tail is an approximation for large samples."""
        return False

    def mirrored(self) -> "ScoreSum":
        """Return the statistic of the opposite direction."""
        flipped = tuple(np.ascontiguousarray(-block[:, ::-1]) for block in self.blocks)
        return ScoreSum(flipped, -self.observed)

    def moments(self, share: float) -> tuple[float, float]:
        """Return the largest mean, and the largest variance with that mean.

        Notes
        -----
        In each set the worst hidden covariate is 0 for the a members of lowest score and 1 for
        the rest; a is chosen for the largest mean, among equal means for the largest variance
        (Gastwirth, Krieger and Rosenbaum 2000).
        """
        mean = variance = 0.0
        for block in self.blocks:
            size = block.shape[1]
            below = np.cumsum(block, axis=1)
            squares = np.cumsum(block * block, axis=1)
            count = np.arange(1, size, dtype=np.float64)
            mass = (1.0 - share) * count + share * (size - count)
            first = _mixed(below, share) / mass
            spread = np.maximum(_mixed(squares, share) / mass - first * first, 0.0)
            best = first.max(axis=1)
            spread[first < best[:, None]] = -1.0
            mean += float(total(best))
            variance += float(total(spread.max(axis=1)))
        return mean, variance

    def tail(self, share: float) -> float:
        """Return the largest P(sum >= observed) at Gamma = share / (1 - share), by the normal."""
        from scipy.special import ndtr  # noqa: PLC0415 - only where an outcome is asked

        mean, variance = self.moments(share)
        if not variance > 0.0:
            return 1.0
        return float(ndtr(-(self.observed - mean) / np.sqrt(variance)))


def _mixed(sums: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Weigh the lowest members by 1 - share and the rest by share, for each place to cut."""
    lowest = sums[:, :-1]
    return np.asarray((1.0 - share) * lowest + share * (sums[:, -1:] - lowest))


def yes_no_sum(
    own: NDArray[np.float64], partners: NDArray[np.float64], sizes: NDArray[np.int64]
) -> StepSum:
    """Return the Mantel-Haenszel statistic: focal people with the outcome.

    Parameters
    ----------
    own : float64, shape (N,)
        Outcome of each focal person, 0 or 1.
    partners : float64, shape (M,)
        Outcomes of the partners, set after set.
    sizes : int64, shape (N,)
        Partners in each set, at least 1.

    Returns
    -------
    StepSum
        Sets in which all members agree say nothing and are left out; for pairs what remains is
        McNemar's test.
    """
    ends = np.cumsum(sizes)
    with_outcome = own.astype(np.int64)
    counted = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(partners.astype(np.int64))])
    high = with_outcome + counted[ends] - counted[ends - sizes]
    low = sizes + 1 - high
    tells = (high > 0) & (low > 0)
    return StepSum(
        np.ones(int(tells.sum()), dtype=np.int64),
        high[tells],
        low[tells],
        int(with_outcome[tells].sum()),
    )


def signed_rank_sum(difference: NDArray[np.float64]) -> StepSum:
    """Return Wilcoxon's signed-rank statistic of pairs, in half ranks.

    Parameters
    ----------
    difference : float64, shape (N,)
        Focal minus partner.

    Returns
    -------
    StepSum
        Differences of 0 are left out before ranking; tied sizes share their mean rank. Ranks are
        doubled so that they are whole numbers.
    """
    kept = difference[difference != 0.0]
    doubled = doubled_ranks(np.abs(kept))
    ones = np.ones(len(kept), dtype=np.int64)
    return StepSum(doubled, ones, ones, int(doubled[kept > 0.0].sum()))


def aligned_rank_sum(
    own: NDArray[np.float64], partners: NDArray[np.float64], sizes: NDArray[np.int64]
) -> ScoreSum:
    """Return the aligned-rank statistic of Hodges and Lehmann.

    Parameters
    ----------
    own, partners, sizes
        As for :func:`yes_no_sum`, any finite outcomes.

    Returns
    -------
    ScoreSum
        Outcomes minus their set's mean are ranked together (ties share their mean rank); the
        statistic is the sum of the focal people's ranks.
    """
    ends = np.cumsum(sizes)
    starts = ends - sizes
    set_of = np.repeat(np.arange(len(sizes)), sizes)
    sums = np.bincount(set_of, weights=partners, minlength=len(sizes)) + own
    mean = sums / (sizes + 1)
    # Outcomes are whole numbers or half ranks, so true differences are far above 1e-9 and rounding
    # makes those equal that only the division has parted.
    aligned = np.round(np.concatenate([own - mean, partners - mean[set_of]]), 9)
    rank = doubled_ranks(aligned).astype(np.float64) / 2.0
    focal_rank, partner_rank = rank[: len(own)], rank[len(own) :]
    blocks = []
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        places = starts[rows, None] + np.arange(size)
        members = np.concatenate([focal_rank[rows, None], partner_rank[places]], axis=1)
        blocks.append(np.sort(members, axis=1))
    return ScoreSum(tuple(blocks), float(total(focal_rank)))


def doubled_ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return twice the rank of each value from the lowest, tied values sharing their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((2 * last - count + 1)[place], dtype=np.int64)
