"""Thresholds of disclosure control, and what every rule is made of."""

from dataclasses import dataclass
from typing import Any

from engine.errors import UsageError
from engine.matching.balance import CLOSE, FAIR
from engine.release.rounding import (
    down,
    p_text,
    round_count,
    round_p,
    round_step,
    two_digits,
    up,
)

GROUP, CELL, CLASS, ROUNDED, WHOLE, EXTREMES, BETWEEN = "D1", "D2", "D3", "D4", "D5", "D7", "D8"
FEW_EXPECTED = "np"
"""Of the method, not of disclosure: fewer than 10 expected events."""
FEW_PLANNED = "plan"
"""Of the plan, not of disclosure: a part with fewer people than it asks for was not run."""

SIGNIFICANT = {"fewer", "more", "earlier", "later"}
Results = dict[str, Any]
_LEFT = (
    "fewest people left when parts are taken from all; where they, or those on one side of a"
    " figure, are too few, another part is held back with them"
)


@dataclass(frozen=True)
class Policy:
    """Thresholds of disclosure control.

    Parameters
    ----------
    fewest_people : int
        In a published group, at least 30.
    fewest_in_cell : int
        On each side of a published figure, at least 10.
    count_base : int
        That counts are rounded to, at least 5.

    Raises
    ------
    UsageError
        A threshold is milder than the rules allow.
    """

    fewest_people: int = 30
    fewest_in_cell: int = 10
    count_base: int = 5

    def __post_init__(self) -> None:
        least = Policy.__dataclass_fields__
        for name in least:
            if getattr(self, name) < least[name].default:
                raise UsageError(
                    "a threshold of disclosure control is milder than the rules allow",
                    where=f"[disclosure] {name}",
                    rule=f"it is at least {least[name].default}",
                    repair="Raise it, or leave it out",
                )

    def as_results(self) -> Results:
        """Return the policy as results hold it."""
        rules = (
            (GROUP, "fewest people in a published group", self.fewest_people),
            (CELL, "fewest people with what a figure counts", self.fewest_in_cell),
            (CLASS, "fewest people without it, so that nothing holds for all", self.fewest_in_cell),
            (ROUNDED, "counts are rounded to multiples of", self.count_base),
            (WHOLE, "rates in whole percent, interval ends rounded outward", None),
            (EXTREMES, "no smallest and largest; fewest people beyond a percentile",
             self.fewest_in_cell),
            (BETWEEN, _LEFT,
             self.fewest_people),
        )  # fmt: skip
        return {
            "profile": "strict",
            "rules": [{"id": id_, "rule": rule, "value": value} for id_, rule, value in rules],
        }


def rounded(policy: Policy, n: float) -> int:
    """Return a rounded count."""
    return round_count(n, policy.count_base)


def cell_of(policy: Policy, n: float | None) -> int | None:
    """Return a count of at least the fewest people in a cell, or 0; else None."""
    if n is None or 0 < n < policy.fewest_in_cell:
        return None
    return rounded(policy, n)


def share_of(policy: Policy, part: float, whole: float) -> int:
    """Return the share of rounded counts in whole percent: it tells no more than they do.

    Who handed in a list knows the exact whole, and from it a share of exact counts gives the part.
    """
    return int(round_step(100.0 * rounded(policy, part) / max(rounded(policy, whole), 1)))


def few_between(policy: Policy, part: float, whole: float) -> bool:
    """Whether the one count taken from the other leaves people, but too few for a cell."""
    return 0 < whole - part < policy.fewest_in_cell


def strikes_of(policy: Policy, support: Results, kind: str) -> list[str]:
    """Return the rules that a mean of an arm breaks."""
    people, events = support["people"], support["events"]
    found = []
    if people < policy.fewest_people:
        found.append(GROUP)
    if events < policy.fewest_in_cell:
        found.append(CELL)
    if kind != "days" and people - events < policy.fewest_in_cell:
        found.append(CLASS)
    return found


def is_safe_share(policy: Policy, share: float | None, n: int) -> bool:
    """Whether enough people stand on both sides of a share."""
    if share is None:
        return False
    having = share * n
    return min(having, n - having) >= policy.fewest_in_cell


def rough(n: int | None) -> int | None:
    """Return a number of people to two significant digits, upward."""
    return None if n is None else int(up(float(n), max(two_digits(float(n)), 1.0)))


def percent(share: float | None) -> int | None:
    """Return a share in whole percent."""
    return None if share is None else int(round_step(100.0 * share))


def on_its_side(value: float, limit: float, step: float) -> float:
    """Return a value rounded to a step, never on the limit that it misses.

    Parameters
    ----------
    value, limit : float
        The value is under the limit where ``step`` is below 0, which it may not be, and over it
        where ``step`` is above 0.
    step : float

    Examples
    --------
    >>> on_its_side(0.104, 0.1, 0.01), on_its_side(69.6, 70.0, -1.0), on_its_side(0.16, 0.1, 0.01)
    (0.11, 69.0, 0.16)
    """
    shown = round_step(value, abs(step))
    missed = shown < limit if step < 0.0 else shown > limit
    return shown if missed else round_step(limit + step, abs(step))


def smd_of(size: float | None) -> float | None:
    """Return a standardised difference to two decimals, beyond each limit that it misses.

    Examples
    --------
    >>> smd_of(0.0536), smd_of(-0.0536), smd_of(0.0499), smd_of(0.104), smd_of(0.0)
    (0.06, -0.06, 0.05, 0.11, 0.0)
    """
    if size is None:
        return None
    shown = abs(size)
    for limit in (FAIR, CLOSE):
        if shown > limit:
            shown = on_its_side(shown, limit, 0.01)
            break
    return round_step(shown if size > 0.0 else -shown, 0.01)


def percent_up(share: float | None) -> int | None:
    """Return a share in whole percent, rounded up."""
    return None if share is None else int(up(100.0 * share))


def plain_step(value: float | None, step: float) -> float | None:
    """Return a value rounded to a step, None where there is none."""
    return None if value is None else round_step(value, step)


def digits(value: float | None) -> float | None:
    """Return a value to two significant digits, at most two decimals."""
    return None if value is None else round_step(value, two_digits(value))


def mean_of(value: float | None, unit: str) -> float | int | None:
    """Return a mean of a balance or a profile."""
    return percent(value) if unit == "percent" else digits(value)


def p_values(p: float | None) -> Results:
    """Return a p-value and its text."""
    if p is None:
        return {"p_value": None, "p_text": None}
    rounded = round_p(p)
    return {"p_value": rounded, "p_text": p_text(rounded)}


def two_decimals(p: float | None) -> float | None:
    """Return a p-value to two decimals, on its side of the limit."""
    return None if p is None else round_p(p)


def spans_zero(low: float | None, high: float | None) -> bool | None:
    """Whether an interval holds 0; decided on exact ends."""
    return None if low is None or high is None else low <= 0.0 <= high


class Scale:
    """How figures of one kind are rounded: shares per 100, counts to two digits, whole days."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def step(self, value: float) -> float:
        """Return the step of a value on the scale that is printed."""
        return two_digits(value) if self.kind == "count" else 1.0

    def printed(self, value: float) -> float:
        """Return a value on the scale that is printed."""
        return 100.0 * value if self.kind == "share" else value

    def tidy(self, value: float) -> float | int:
        """Return whole numbers as such."""
        return value if self.kind == "count" else int(value)

    def nearest(self, value: float | None) -> float | int | None:
        """Return a value rounded to the nearest step."""
        if value is None:
            return None
        shown = self.printed(value)
        return self.tidy(round_step(shown, self.step(shown)))

    def interval(self, low: float | None, high: float | None) -> Results:
        """Return the ends of an interval, rounded outward."""
        if low is None or high is None:
            return {"ci_low": None, "ci_high": None}
        ends = self.printed(low), self.printed(high)
        return {
            "ci_low": self.tidy(down(ends[0], self.step(ends[0]))),
            "ci_high": self.tidy(up(ends[1], self.step(ends[1]))),
        }

    def limits(self, limits: list[float | None] | None) -> list[float | int] | None:
        """Return the ends of the interval of a mean, or None where it has none."""
        if limits is None or None in limits:
            return None
        found = self.interval(limits[0], limits[1])
        return [found["ci_low"], found["ci_high"]]


def column_alone(found: Results, name: str, label: str) -> Results:
    """Return entries that name a term with its column in place of a level, which may be rare."""
    if found[name] is None:
        return found
    return {
        **found,
        name: found[name].partition("=")[0],
        label: None if found[label] is None else found[label].partition(":")[0],
    }
