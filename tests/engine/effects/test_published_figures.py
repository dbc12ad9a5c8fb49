"""Published figures: counts exist whose interval is the published one.

Numbers of people, rounded rates and rounded interval of three published reports; the comparison
groups were much larger than the treated, their numbers are not quoted. Ministry of Justice, Justice
Data Lab reports of January 2014.
"""

from collections.abc import Iterator

import pytest

from engine.effects.welch import Group, welch_interval
from engine.release.rounding import down, round_step, up

PUBLISHED = {
    "Prisoners' Education Trust, all grants": (3_085, 19, 26, (5, 8)),
    "Prisoners' Education Trust, Open University": (805, 18, 23, (2, 8)),
    "Blue Sky": (72, 31, 43, (1, 23)),
}
"""Treated people, their rate and the comparison's in percent, 'so many to so many fewer'."""
ROUNDINGS = {"nearest": (round_step, round_step), "outward": (down, up)}
TIMES = 400
"""Comparison people for each treated person."""


def group_of(reoffenders: int, people: int) -> Group:
    rate = reoffenders / people
    return Group(rate, rate * (1.0 - rate), people, float(people))


def counts_of(percent: int, people: int, most: int) -> Iterator[int]:
    """Yield counts whose rate is printed as the percentage, about so many of them at most."""
    first, last = (percent - 0.5) / 100.0 * people, (percent + 0.5) / 100.0 * people
    inside = [
        k for k in range(int(first), int(last) + 2) if round_step(100.0 * k / people) == percent
    ]
    yield from inside[:: max(1, len(inside) // most)]


def intervals(people: int, treated: int, comparison: int, rounding: str) -> set[tuple[int, int]]:
    """Return the intervals, as fewer reoffenders of 100, that some counts are printed with."""
    low_end, high_end = ROUNDINGS[rounding]
    found = set()
    for own in counts_of(treated, people, 40):
        for other in counts_of(comparison, people * TIMES, 40):
            interval = welch_interval(
                group_of(own, people), group_of(other, people * TIMES), "welch", raw=True
            )
            low, high = low_end(100.0 * interval.low), high_end(100.0 * interval.high)
            found.add((-int(high), -int(low)))
    return found


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("report", PUBLISHED)
def test_counts_exist_whose_interval_is_the_published_one(report, rounding):
    people, treated, comparison, fewer = PUBLISHED[report]

    assert fewer in intervals(people, treated, comparison, rounding)


@pytest.mark.parametrize("report", PUBLISHED)
def test_no_counts_have_an_interval_of_another_width(report):
    people, treated, comparison, (least, most) = PUBLISHED[report]
    found = intervals(people, treated, comparison, "nearest")

    assert not {(least + 1, most - 1), (least - 1, most + 1)} & found
