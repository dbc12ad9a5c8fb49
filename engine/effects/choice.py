"""Which interval is valid for which match, and why the others are not.

The design of the match decides. Coverage figures are those of a nominal 95 % interval in simulated
cohorts whose true effect is known; docs/intervals.md holds the tables.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from engine.effects.sample import MatchedSample
from engine.effects.welch import OutcomeType
from engine.errors import UsageError

IntervalName = Literal[
    "auto",
    "wald",
    "abadie-imbens",
    "abadie-imbens-adjusted",
    "set-clustered",
    "welch-kish",
    "welch-raw",
    "weighted",
    "wild",
    "set",
    "subsample",
    "refit",
]
NEEDS_REPLICATES = ("weighted", "wild", "set", "subsample", "refit")
LEAST_REPLICATES = 199

BY_DESIGN = {
    "binary": "design-based MOVER-Newcombe",
    "count": "design-based Wald-t",
    "time": "design-based Wald-t of a linearised ratio",
}
WELCH_KISH = "welch-kish (not design-based)"
WELCH_RAW = "welch-raw (MoJ-compatible, not design-based)"
METHODS = {
    "wald": "design-based Wald-t",
    "abadie-imbens": "Abadie-Imbens 2006, local variances",
    "abadie-imbens-adjusted": "Abadie-Imbens 2006, corrected for the fitted score",
    "set-clustered": "clustered by matched set",
    "welch-kish": WELCH_KISH,
    "welch-raw": WELCH_RAW,
    "weighted": "weighted bootstrap of the linear form",
    "wild": "wild bootstrap of the linear form",
    "set": "bootstrap of matched sets",
    "subsample": "M-out-of-N subsampling of the linear form",
    "refit": "bootstrap with refit and new match",
}


@dataclass(frozen=True)
class Refusal:
    """A method that is not valid as the main interval of a match, and why."""

    method: str
    reason: str


@dataclass(frozen=True)
class Choice:
    """How the main interval of an outcome is made.

    Attributes
    ----------
    asked : str
        As the user wrote it.
    method : str
        Name of the interval in results.
    why : str
        One sentence.
    refused : tuple of Refusal
        Methods in common use that are wrong for this match.
    """

    asked: str
    method: str
    why: str
    refused: tuple[Refusal, ...]


_REUSE_IGNORED = (
    "it takes every use of a comparison person for a new person; with reuse it covered 83 to 86 %"
)
_SCORE_AS_KNOWN = (
    "it takes the score as known although it was fitted here; it covered 85 to 92 % where effects "
    "vary and 98 to 99.9 % where they do not"
)
_REMATCHING = (
    "fitting and matching anew in every replicate does not reproduce the noise of nearest "
    "neighbours; it covered 97 to 100 % (percentile, normal) or 83 to 85 % (basic)"
)
_POOLED = "one variance for all comparison people; with reuse it covered 92 to 93 %"
_ROWS = "it takes a person's rows as different people; it covered 89 to 92 %"


def refusals(sample: MatchedSample) -> tuple[Refusal, ...]:
    """Return the methods in common use that are wrong for this match."""
    return refusals_by_design(
        reuse=sample.replace,
        fitted=sample.model is not None,
        by_window=sample.windows is not None,
        repeated=sample.has_repeated_people,
    )


def refusals_by_design(
    *, reuse: bool, fitted: bool, by_window: bool, repeated: bool = False
) -> tuple[Refusal, ...]:
    """Return the methods in common use that are wrong for a match of some design.

    Parameters
    ----------
    reuse : bool
        Whether a comparison person may serve more than once.
    fitted : bool
        Whether the score was fitted on the same rows.
    by_window : bool
        A radius or kernel match.
    repeated : bool
        Whether somebody has more than one row.
    """
    found = []
    if reuse:
        found.append(Refusal("set-clustered", _REUSE_IGNORED))
        found.append(Refusal("set", _REUSE_IGNORED))
        found.append(Refusal("abadie-imbens sample form", _POOLED))
    elif fitted:
        found.append(Refusal("set-clustered", _SCORE_AS_KNOWN))
        found.append(Refusal("set", _SCORE_AS_KNOWN))
    if fitted:
        found.append(Refusal("abadie-imbens", _SCORE_AS_KNOWN))
    if not fitted:
        found.append(
            Refusal(
                "correction for a fitted score",
                "the score was given, not fitted here; with the correction it covered 80 to 90 %",
            )
        )
    if not by_window:
        found.append(Refusal("refit", _REMATCHING))
    if repeated:
        found.append(Refusal("rows as independent", _ROWS))
    return tuple(found)


def _refuse(method: str, reason: str, sample: MatchedSample) -> None:
    raise UsageError(
        f"--interval {method} is not valid for this match",
        rule=reason,
        repair=(
            "Use --interval auto: "
            + ("people are summed over their rows, and " if sample.has_repeated_people else "")
            + "the variance takes in the match, the reuse and the fitted score"
        ),
    )


def parse_interval(asked: str, replicates: int) -> IntervalName:
    """Check the name of an interval and the replicates it needs.

    Raises
    ------
    UsageError
        The name is not known, or a resampling interval has too few replicates.
    """
    if asked not in get_args(IntervalName):
        raise UsageError(
            "that interval is not known",
            rule="--interval is one of " + ", ".join(get_args(IntervalName)),
            repair="Leave out --interval: the design of the match then decides",
        )
    if replicates < 0:
        raise UsageError("--replicates is negative", repair="Give 0 or more")
    if asked in NEEDS_REPLICATES and replicates < LEAST_REPLICATES:
        raise UsageError(
            f"--interval {asked} needs replicates",
            rule=f"an interval from resampling takes at least {LEAST_REPLICATES} replicates",
            repair="Write for example --replicates 1999",
        )
    return asked  # type: ignore[return-value]


def choose_interval(asked: IntervalName, sample: MatchedSample, outcome: OutcomeType) -> Choice:
    """Return the main interval of an outcome, by the design of the match.

    Parameters
    ----------
    asked : IntervalName
        ``auto`` leaves it to the design.
    sample : MatchedSample
    outcome : {'binary', 'count', 'time'}

    Returns
    -------
    Choice

    Raises
    ------
    UsageError
        The method that was asked for is wrong for this match; says why and names the valid one.
    """
    refused = refusals(sample)
    reasons = {refusal.method: refusal.reason for refusal in refused}
    if asked in reasons:
        _refuse(asked, reasons[asked], sample)
    if sample.has_repeated_people and asked not in ("auto", "wald", "weighted", "wild"):
        _refuse(asked, _ROWS, sample)
    if asked == "abadie-imbens-adjusted" and sample.squared_share is None:
        _refuse(asked, "the radius match has too many pairs for squared shares", sample)
    if asked == "abadie-imbens-adjusted" and sample.model is None:
        _refuse(
            asked, "the score was given, not fitted here, so nothing is to be corrected", sample
        )
    return Choice(asked, METHODS.get(asked, BY_DESIGN[outcome]), _why(asked, sample), refused)


def _why(asked: str, sample: MatchedSample) -> str:
    if asked in ("welch-kish", "welch-raw"):
        return (
            "Asked for, to be comparable with published Justice Data Lab figures; it takes the "
            "match for two independent samples."
        )
    parts = []
    if sample.windows is not None:
        parts.append("comparison people serve in many windows")
    elif sample.replace:
        parts.append("comparison people may serve more than once")
    else:
        parts.append("each comparison person serves at most once")
    parts.append(
        "the score was fitted on the same rows"
        if sample.model is not None
        else "the score was given"
    )
    if sample.has_repeated_people:
        parts.append("some people have several rows, which are summed")
    found = "; ".join(parts)
    return f"{found[0].upper()}{found[1:]}: the linear form of the estimate carries all of it."
