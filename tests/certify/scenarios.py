"""The scenario families of the coverage study."""

from tests.certify.cohorts import Scenario

_LARGE = 2_000


def _pool(n_treated: int) -> int:
    return 10_000 if n_treated >= _LARGE else 4_000


def _cell(n: int, rate: float, overlap: str, method: str, outcome: str = "binary") -> Scenario:
    name = f"{n}/{100 * rate:.0f}% {overlap} {method}"
    if outcome != "binary":
        name += f" {outcome}"
    return Scenario(name, n, _pool(n), rate, overlap, method, outcome)


HEADLINE = tuple(
    [
        _cell(n, rate, overlap, "1-nn")
        for n in (60, 120, 500, _LARGE)
        for rate in (0.3, 0.6)
        for overlap in ("good", "poor")
    ]
    + [_cell(500, 0.05, "poor", "1-nn"), _cell(_LARGE, 0.05, "poor", "1-nn")]
    + [
        _cell(n, 0.3, overlap, method)
        for method in ("5-nn", "1:1", "radius")
        for n in (120, _LARGE)
        for overlap in ("good", "poor")
    ]
)
"""The 30 scenarios of the honesty promise: a difference of proportions."""

WITHHELD = tuple(_cell(n, 0.05, overlap, "1-nn") for n in (60, 120) for overlap in ("good", "poor"))
"""Too few expected events to be published: reported, with a floor of 93 %."""

OTHER_MEASURES = tuple(
    _cell(n, 0.3, overlap, method, outcome)
    for outcome in ("count", "time")
    for n in (120, 500)
    for overlap in ("good", "poor")
    for method in ("1-nn", "5-nn", "radius", "1:1")
)

EFFECTS = tuple(
    Scenario(name, n, _pool(n), rate, overlap, method, effect=effect)
    for name, n, rate, overlap, method, effect in (
        ("120 -12 points 1-nn", 120, 0.3, "good", "1-nn", -0.12),
        ("120 +12 points radius", 120, 0.3, "poor", "radius", 0.12),
        ("500 -5 points 5-nn", 500, 0.1, "good", "5-nn", -0.05),
        ("500 -8 points 1:1", 500, 0.3, "good", "1:1", -0.08),
    )
)

BEYOND = (
    Scenario("square left out 1-nn", 500, 4_000, 0.3, "good", "1-nn", misspecified="square"),
    Scenario("square left out 5-nn", 500, 4_000, 0.3, "good", "5-nn", misspecified="square"),
    Scenario("3:1 good", 500, 4_000, 0.3, "good", "3:1"),
    Scenario("3:1 small", 120, 4_000, 0.3, "good", "3:1"),
    Scenario("kernel good", 500, 4_000, 0.3, "good", "kernel"),
    Scenario("kernel poor", 120, 4_000, 0.3, "poor", "kernel"),
    Scenario("poisson counts 5-nn", 120, 4_000, 0.6, "good", "5-nn", "count", shape=0.0),
    Scenario("heavy counts 5-nn", 120, 4_000, 0.6, "good", "5-nn", "count", shape=0.2),
    Scenario("heavy counts radius", 500, 4_000, 0.6, "poor", "radius", "count", shape=0.2),
    Scenario("tied scores 1-nn", 500, 4_000, 0.3, "good", "1-nn all ties", levels=3),
    Scenario("tied scores 5-nn", 500, 4_000, 0.3, "poor", "5-nn", levels=3),
    Scenario("both arms 1-nn", 500, 4_000, 0.3, "good", "1-nn", both_arms=True),
    Scenario("sites 1-nn", 500, 4_000, 0.3, "good", "1-nn", site=0.5),
    Scenario("repeated people radius", 150, 2_000, 0.4, "good", "radius", people=4),
    Scenario("repeated people 1-nn", 150, 2_000, 0.4, "good", "1-nn", people=4),
    Scenario("40 columns 1-nn", 120, 4_000, 0.3, "good", "1-nn", columns=30),
)
"""Families that were not used to choose the rules."""

VARYING = tuple(
    Scenario(f"effects vary {method}", 120, 2_000, 0.3, "good", method, "continuous", varying=True)
    for method in ("1-nn", "5-nn", "radius", "1:1")
) + tuple(
    Scenario(f"effects constant {method}", 500, 2_000, 0.3, "good", method, "continuous")
    for method in ("1-nn", "5-nn", "radius", "1:1")
)
"""Strong prognosis across the score: the fitted score matters most here."""

_RADIUS_VARIES = next(s for s in VARYING if s.name == "effects vary radius")
_RADIUS_CONSTANT = next(s for s in VARYING if s.name == "effects constant radius")

GATE: tuple[tuple[Scenario, tuple[str, ...]], ...] = (
    (
        _cell(_LARGE, 0.05, "poor", "1-nn"),
        ("reuse ignored", "distinct once"),
    ),
    (_cell(_LARGE, 0.05, "poor", "5-nn"), ("reuse ignored", "distinct once", "pooled form")),
    (_cell(_LARGE, 0.3, "poor", "1-nn"), ("weights off by one",)),
    (_cell(120, 0.1, "good", "radius", "time"), ("people for events",)),
    (_RADIUS_VARIES, ("score as known", "match ignored", "unmatched comparison")),
    (_RADIUS_CONSTANT, ("score as known", "match ignored")),
    (
        Scenario(
            "given score 5-nn", 500, 2_000, 0.3, "good", "5-nn", "continuous", score_known=True
        ),
        ("correction for a given score",),
    ),
    (
        Scenario("repeated people radius", 150, 2_000, 0.4, "good", "radius", people=4),
        ("rows as people",),
    ),
    (_cell(60, 0.05, "good", "radius"), ("events rescued",)),
    (
        Scenario("few matched 1-nn", 500, 1_000, 0.3, "poor", "1-nn", "continuous", caliper=0.005),
        ("divided by all treated",),
    ),
    (
        Scenario("effects constant 120", 120, 2_000, 0.3, "good", "radius", "continuous"),
        ("two neighbours",),
    ),
)
"""Cells of the gate, each with the planted methods that it must reject."""
