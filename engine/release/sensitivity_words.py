"""Sentences on sensitivity, made of rounded figures only."""

from typing import Any

Results = dict[str, Any]

NOTHING_TO_EXPLAIN = (
    "The numbers cannot tell yet, so there is nothing that a hidden factor would have to explain "
    "away. Nor could one that hides an effect be ruled out."
)


def per_100(difference: float) -> str:
    """Return a difference of rates in words.

    Examples
    --------
    >>> [per_100(n) for n in (-4, 0, 1)]
    ['4 fewer in every 100', 'less than 1 in every 100', '1 more in every 100']
    """
    if difference == 0:
        return "less than 1 in every 100"
    return f"{abs(difference):g} {'fewer' if difference < 0 else 'more'} in every 100"


def gamma_sentence(gamma: Results) -> Results:
    """Return sentence and note on Rosenbaum's Gamma."""
    value = gamma["gamma"]
    note = (
        "" if gamma["exact"] else "Comparison people may serve several sets, so it is approximate."
    )
    if value is None:
        return {"sentence": "", "note": note}
    if value <= 1.0:
        return {
            "sentence": "The test alone cannot tell which is lower, so there is nothing a hidden "
            "factor would have to explain away.",
            "note": note,
        }
    return {
        "sentence": "Of two people who look alike on paper, one could have been up to "
        f"{value:g} times as likely to take part, because of something unrecorded, before the "
        "difference could be put down to it.",
        "note": note,
    }


def turned(difference: float, verdict: str) -> bool:
    """Whether a difference points the other way than a verdict.

    Examples
    --------
    >>> [turned(n, "fewer") for n in (-3, 0, 2)], turned(-3, "more")
    ([False, False, True], True)
    """
    return difference > 0 if verdict == "fewer" else difference < 0


def left_out_sentence(rows: list[Results], verdict: str) -> str:
    """Return what leaving out something as strong as the strongest covariate would do."""
    if not rows:
        return ""
    first = rows[0]
    if first["inconclusive"]:
        ends = "and the interval would then include no difference at all"
    elif turned(first["difference"], verdict):
        ends = "and the result would point the other way"
    else:
        ends = "and the interval would still lie on one side"
    return (
        f"A hidden factor as strong as '{first['plain']}' would move the difference to "
        f"{per_100(first['difference'])}, {ends}."
    )


def placebo_sentence(placebo: Results) -> str:
    """Return what the year before says."""
    if placebo["spans_zero"] is None:
        return "There are too few people to compare the year before."
    if placebo["passed"]:
        return (
            "In the year before, when the service could not have played a part, the groups did "
            "not clearly differ in sanctions, as it should be."
        )
    return (
        "In the year before, when the service could not have played a part, the groups already "
        "differed in sanctions, although nothing on that year was used to match them. Part of the "
        "result may come from such a difference."
    )


def instability_sentence(band: Results) -> str:
    """Return how far the result moves with the order of the match."""
    return (
        f"In {band['orders']} matches that differ only in an arbitrary order the difference lies "
        f"between {per_100(band['lowest'])} and {per_100(band['highest'])}."
    )
