"""Rosenbaum's Gamma: how large a hidden bias would explain a difference between matched people."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.effects.sensitivity.set_sums import (
    ScoreSum,
    StepSum,
    aligned_rank_sum,
    doubled_ranks,
    signed_rank_sum,
    yes_no_sum,
)
from engine.effects.welch import OutcomeType
from engine.errors import UsageError

Alternative = Literal["two-sided", "less", "greater"]

_HALVINGS = 60


@dataclass(frozen=True)
class HiddenBias:
    """How large a hidden bias the result withstands.

    Attributes
    ----------
    gamma : float
        Largest Gamma, at least 1, at which the p-value is still at most ``alpha``; 1 where it is
        above ``alpha`` even without hidden bias.
    p_value : float
        P-value without hidden bias, of ``alternative``.
    alpha : float
    alternative : {'two-sided', 'less', 'greater'}
        Of treated against comparison people.
    direction : {'less', 'greater', 'neither'}
        Where the outcomes of treated people lie.
    test : str
        Name of the test.
    sets, informative_sets : int
        All sets, and those that say something about the difference.
    exact : bool
        Whether the tail is that of the exact distribution and no partner serves twice.
    note : str
        What is approximate and what is left out; empty if nothing.
    sentence : str
        The result in plain words.
    """

    gamma: float
    p_value: float
    alpha: float
    alternative: Alternative
    direction: Literal["less", "greater", "neither"]
    test: str
    sets: int
    informative_sets: int
    exact: bool
    note: str
    sentence: str


def rosenbaum_gamma(
    focal: NDArray[np.int64],
    indptr: NDArray[np.int64],
    partner: NDArray[np.int64],
    y: NDArray[np.float64],
    kind: OutcomeType,
    *,
    share: NDArray[np.float64] | None = None,
    focal_treated: bool = True,
    alternative: Alternative = "two-sided",
    alpha: float = 0.05,
) -> HiddenBias:
    """Find the largest hidden bias at which matched sets still show a difference.

    Parameters
    ----------
    focal : int64, shape (N,)
        Row of the person each set is built around.
    indptr : int64, shape (N + 1,)
        Partners of set i are ``partner[indptr[i]:indptr[i + 1]]``, at least one.
    partner : int64, shape (M,)
        Rows of the partners.
    y : float64, shape (n,)
        Outcome of each row: 0 or 1; a count; or days to the event, NaN for no event.
    kind : {'binary', 'count', 'time'}
    share : float64, shape (M,), optional
        Weights of partners in their set. The tests treat the partners of a set alike; unequal
        shares are noted.
    focal_treated : bool
        Whether the focal people are the treated ones (ATT) or the comparison people (ATC).
    alternative : {'two-sided', 'less', 'greater'}
        Whether treated people have lower or higher outcomes than their partners. A one-sided
        alternative must have been chosen before the outcomes were seen.
    alpha : float
        In (0, 1/2).

    Returns
    -------
    HiddenBias

    Raises
    ------
    UsageError
        ``alpha`` is out of range.

    Notes
    -----
    Model: two people of a set differ by at most a factor Gamma in their odds of being the one who
    took part. The two-sided p-value is twice the smaller one-sided bound (Cox 1977), at most 1,
    so it equals the exact McNemar test for pairs at Gamma = 1. The bound increases with Gamma, and
    Gamma is found by halving the interval of Gamma / (1 + Gamma) in [1/2, 1) 60 times, which
    cannot fail. It is always finite: at a Gamma large enough every result is expected.

    Binary: McNemar for pairs and the Mantel-Haenszel statistic for sets, exact up to about 1,400
    informative sets. Count: Wilcoxon's signed rank for pairs, exact up to about 125 of them, the
    aligned rank for larger sets. Time: the same on ranks of time in which 'no event' comes after
    every event, so nobody is left out. Cost: one sort, then O(M) for each halving.

    References
    ----------
    Rosenbaum (2002), Observational Studies, 2nd edition, chapter 4. Gastwirth, Krieger and
    Rosenbaum (2000), Asymptotic separability in sensitivity analysis, JRSS B 62, 545-555.
    """
    if not 0.0 < alpha < 0.5:
        raise UsageError(
            "alpha is out of range",
            rule="alpha lies between 0 and 0.5",
            repair="Give for example 0.05",
        )
    sizes = np.diff(indptr)
    own, partners = y[focal], y[partner]
    statistic, test = _statistic(own, partners, sizes, kind)
    upwards, downwards = statistic, statistic.mirrored()
    if not focal_treated:
        upwards, downwards = downwards, upwards
    tails: dict[str, Callable[[float], float]] = {
        "greater": upwards.tail,
        "less": downwards.tail,
    }
    at_one = {name: tail(0.5) for name, tail in tails.items()}
    direction = _direction(at_one)
    used = list(tails) if alternative == "two-sided" else [alternative]
    level = alpha / 2.0 if alternative == "two-sided" else alpha
    p_value = min(1.0, min(at_one[name] for name in used) * len(used))
    gamma = max(largest_gamma(tails[name], level) for name in used)
    reused = len(np.unique(partner)) < len(partner)
    informative = _informative(statistic)
    note = _note(sizes, share, statistic, kind=kind, reused=reused)
    return HiddenBias(
        gamma,
        p_value,
        alpha,
        alternative,
        direction,
        test,
        len(focal),
        informative,
        statistic.exact and not reused,
        note,
        gamma_sentence(gamma, p_value <= alpha),
    )


def largest_gamma(tail: Callable[[float], float], level: float) -> float:
    """Return the largest Gamma with a tail of at most ``level``, 1 if there is none.

    Parameters
    ----------
    tail : callable
        Takes Gamma / (1 + Gamma) in [1/2, 1) and returns a bound that increases to at least 1/2.
    level : float
        In (0, 1/2).

    Returns
    -------
    float
        At least 1; correct to about 1e-12 for Gamma of a few units.
    """
    low, high = 0.5, 1.0
    if tail(low) > level:
        return 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if tail(middle) <= level:
            low = middle
        else:
            high = middle
    return low / (1.0 - low)


def gamma_sentence(gamma: float, clear: bool) -> str:
    """Return what Gamma means in words.

    Parameters
    ----------
    gamma : float
        At least 1.
    clear : bool
        Whether there is a difference to explain away: the p-value is at most alpha.
    """
    if not clear:
        return (
            "Judged set by set, the matched people do not show a clear difference, so there is "
            "nothing that a hidden difference between them would have to explain away."
        )
    if gamma < 1.1:
        return (
            "Even a slight difference that nobody recorded, one that makes one of two otherwise "
            f"alike people {_above(gamma):.2f} times as likely (in odds) to take part, could "
            "explain this difference away."
        )
    return (
        "To explain this difference away, something nobody recorded would have to make one of two "
        f"otherwise alike people more than {_floor(gamma):.1f} times as likely (in odds) to take "
        "part, and to go hand in hand with the outcome."
    )


def _above(gamma: float) -> float:
    """Round up to a hundredth and never to 1: such a bias does explain the difference away."""
    return float(max(np.ceil(gamma * 100.0 - 1e-9) / 100.0, 1.01))


def _floor(gamma: float) -> float:
    """Round down to a tenth: 'more than' must stay true."""
    return float(np.floor(gamma * 10.0 + 1e-9) / 10.0)


def _statistic(
    own: NDArray[np.float64],
    partners: NDArray[np.float64],
    sizes: NDArray[np.int64],
    kind: OutcomeType,
) -> tuple[StepSum | ScoreSum, str]:
    """Return the statistic that suits the outcome, and its name."""
    pairs = bool(np.all(sizes == 1))
    if kind == "binary":
        name = "McNemar" if pairs else "Mantel-Haenszel"
        return yes_no_sum(own, partners, sizes), name
    suffix = ""
    if kind == "time":
        both = np.concatenate([own, partners])
        ranked = doubled_ranks(np.where(np.isnan(both), np.inf, both)) / 2.0
        own, partners = ranked[: len(own)], ranked[len(own) :]
        suffix = " of times, no event last"
    if pairs:
        return signed_rank_sum(own - partners), f"Wilcoxon signed rank{suffix}"
    return aligned_rank_sum(own, partners, sizes), f"aligned rank{suffix}"


def _informative(statistic: StepSum | ScoreSum) -> int:
    """Count the sets whose members do not all score the same."""
    if isinstance(statistic, StepSum):
        return len(statistic.step)
    return sum(int(np.count_nonzero(block[:, 0] < block[:, -1])) for block in statistic.blocks)


def _direction(at_one: dict[str, float]) -> Literal["less", "greater", "neither"]:
    """Return where treated people lie: the direction of the smaller one-sided p-value."""
    if at_one["less"] == at_one["greater"]:
        return "neither"
    return "less" if at_one["less"] < at_one["greater"] else "greater"


def _note(
    sizes: NDArray[np.int64],
    share: NDArray[np.float64] | None,
    statistic: StepSum | ScoreSum,
    *,
    kind: OutcomeType,
    reused: bool,
) -> str:
    """Return what the reader should know of how the number was made."""
    parts = []
    if reused:
        parts.append(
            "Some comparison people serve in several sets, so the sets are not independent and "
            "Gamma is approximate."
        )
    if not statistic.exact:
        parts.append("The tail is that of the normal approximation.")
    if share is not None and bool(np.any(np.abs(share * np.repeat(sizes, sizes) - 1.0) > 1e-9)):
        parts.append("Partners of a set count alike here, although their weights differ.")
    if kind == "time":
        parts.append("People without the event count as later than everybody with it.")
    return " ".join(parts)
