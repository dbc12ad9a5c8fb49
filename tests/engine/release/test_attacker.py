"""An attacker who knows the software, the size of the list and every released figure.

Each test makes all studies of a range of sizes, groups those whose releases are the same, and asks
which values of a protected number one and the same release allows. Between 1 and 9 people are
protected: at least five values must remain possible, or the release must say nothing of them.
"""

import json
from collections import defaultdict
from itertools import product

import pytest

from engine.effects.measures import MEASURES
from engine.release.control.analyses import control_analysis
from engine.release.control.differences import control_analyses
from engine.release.control.match import (
    control_balance,
    control_certificate,
    control_path,
    control_sensitivity,
)
from engine.release.control.people import control_attrition, control_linkage
from engine.release.control.policy import Policy
from tests.engine.release.exact_study import (
    make_analysis,
    make_balance_row,
    make_exact,
    make_measure,
    make_stage,
)

POLICY = Policy()
FEASIBLE = 5
SMALL = range(1, 10)


def given_away(studies):
    """Protected values that a release narrows down to fewer than five.

    ``studies`` yields what the attacker knows and sees, the number that is protected, and how many
    people a list lost in all. Where those are fewer than ten, who knows the list has them within
    two or three from the size of the study, and no rounding of anything else can hide them.
    """
    possible = defaultdict(set)
    fewest = {}
    for seen, protected, lost in studies:
        key = json.dumps(seen, sort_keys=True)
        possible[key].add(protected)
        fewest[key] = 0 if lost in SMALL else FEASIBLE
    return [
        values
        for key, values in possible.items()
        if any(value in SMALL for value in values) and len(values) < fewest[key]
    ]


def sizes_released(submitted, matched, unmatched, other_losses):
    """Everything of a release that tells how many are without a match."""
    exact = make_exact()
    treated = matched + unmatched
    analysis = {**make_analysis(), "measures": []}
    analysis["counts"].update(treated=treated, treated_matched=matched)
    analysis["gate"]["rules"][0]["value"] = matched
    analysis["gate"]["rules"][1]["value"] = matched / treated
    stages = [
        make_stage("sentence", other_losses, treated, {"no_sentence": other_losses}),
        make_stage("matching", unmatched, matched, {"unmatched": unmatched}),
    ]
    attrition = {"submitted": submitted, "analysed": matched, "stages": stages, "groups": []}
    certificate = {**exact["certificate"], "treated_matched": matched, "maximum_matchable": treated}
    path = {**exact["path"][0], "treated_matched": matched, "treated": treated}
    released = control_analysis(POLICY, analysis)
    return [
        submitted,
        {key: released[key] for key in ("counts", "gate")},
        control_attrition(POLICY, attrition),
        control_certificate(POLICY, certificate),
        control_path(POLICY, path, [])["treated_matched_percent"],
    ]


@pytest.mark.parametrize("submitted", [64, 103, 251])
def test_how_few_are_without_a_match_is_not_given_away(submitted):
    studies = (
        (sizes_released(submitted, matched, unmatched, other), unmatched, submitted - matched)
        for matched in range(max(30, submitted - 36), submitted + 1)
        for unmatched in range(submitted - matched + 1)
        for other in [submitted - matched - unmatched]
    )

    assert given_away(studies) == []


def test_an_attack_on_exact_shares_succeeds():
    """The same attack finds what whole percents of exact counts gave away."""
    studies = (
        ([round(matched / 5) * 5, round(100 * matched / (matched + lost))], lost, 50)
        for matched in range(60, 100)
        for lost in range(20)
    )

    assert given_away(studies)


def test_how_few_of_a_group_were_lost_is_not_given_away():
    """Sent in: 60 and 40, which the sender knows; the total that was analysed is released."""

    def released(lost_of_one, lost_of_other):
        levels = [("yes", 60, lost_of_one), ("no", 40, lost_of_other)]
        analysed = 100 - lost_of_one - lost_of_other
        stages = [make_stage("sentence", 100 - analysed, analysed, {})]
        groups = [
            {"dimension": "completed", "level": level, "label": level, "submitted": n,
             "analysed": n - lost}
            for level, n, lost in levels
        ]  # fmt: skip
        exact = {"submitted": 100, "analysed": analysed, "stages": stages, "groups": groups}
        return control_attrition(POLICY, exact)

    pairs = list(product(range(61), range(41)))
    assert given_away((released(*pair), pair[0], sum(pair)) for pair in pairs) == []
    assert given_away((released(*pair), pair[1], sum(pair)) for pair in pairs) == []


def test_how_few_of_a_group_were_not_found_is_not_given_away():
    def released(lost_of_one, lost_of_other):
        exact = make_exact()["linkage"]
        exact.update(submitted=100, linked=100 - lost_of_one - lost_of_other, by_method=[])
        exact["by_group"] = [
            {"group": "sex", "level": level, "label": level, "rows": n, "linked": n - lost}
            for level, n, lost in (("M", 60, lost_of_one), ("F", 40, lost_of_other))
        ]
        exact["expected_false"] = None
        return control_linkage(POLICY, exact)

    pairs = list(product(range(61), range(41)))
    assert given_away((released(*pair), pair[0], sum(pair)) for pair in pairs) == []
    assert given_away((released(*pair), pair[1], sum(pair)) for pair in pairs) == []


def test_a_small_level_is_not_the_rest_of_the_others():
    def released(people, small, middle):
        sizes = {"a": people - small - middle, "b": middle, "c": small}
        rows = []
        for level, n in sizes.items():
            row = make_balance_row(f"group={level}", "percent", n / people, n)
            row["support"]["without"] = people - n
            row.update(smd_before=0.0, smd_after=0.0, comparison_before=0.3, comparison_after=0.3)
            rows.append(row)
        shown = control_balance(POLICY, {**make_exact()["balance"], "rows": rows})["rows"]
        return [(row["name"], row["treated"], row["withheld"]) for row in shown]

    for published in (65, 90, 150):
        studies = (
            (released(people, small, middle), small, 50)
            for people in range(published - 2, published + 3)
            for small in range(21)
            for middle in range(people - small + 1)
        )
        assert given_away(studies) == []


def test_how_few_did_not_reoffend_is_not_the_base_of_other_measures():
    """Where the rate is withheld because nearly all reoffended, so are the reoffenders."""

    def released(people, others):
        events = people - others
        rate = make_measure(
            make_measures_of("share"), (people, events), (400, 150), (events / people, 0.375)
        )
        days = make_measure(make_measures_of("days"), (events, events), (150, 150), (120.0, 130.0))
        analysis = make_analysis(measures=[rate, days])
        analysis["counts"].update(
            treated=people, treated_matched=people, reoffenders_treated=events
        )
        found = control_analysis(POLICY, analysis)
        figures = ("n_treated", "n_comparison", "treated", "withheld")
        return [found["counts"], [[one[key] for key in figures] for one in found["measures"]]]

    studies = (
        (released(people, others), others, 50) for people in range(80, 90) for others in range(20)
    )

    assert given_away(studies) == []
    assert released(85, 3)[1][1][0] is None
    assert released(85, 30)[1][1][0] == 55


def make_measures_of(kind):
    return next(one for one in MEASURES if one.kind == kind)


@pytest.mark.parametrize(
    ("arm", "people", "events", "rules"),
    [
        ("treated", 29, 12, ["D1"]),
        ("treated", 90, 9, ["D2"]),
        ("treated", 90, 81, ["D3"]),
        ("comparison", 90, 9, ["D2"]),
        ("comparison", 20, 2, ["D1", "D2"]),
        ("comparison", 90, 45, []),
    ],
)
def test_other_calipers_and_placebos_need_people_on_both_sides(arm, people, events, rules):
    exact = make_exact()
    for one in (exact["path"][0], exact["sensitivity"]["placebos"][0]):
        one["support"][arm] = {"people": people, "events": events}
    point = control_path(POLICY, exact["path"][0], [])
    placebo = control_sensitivity(POLICY, exact["sensitivity"], [], "fewer")["placebos"][0]

    for found in (point, placebo):
        assert found["withheld"] == rules
        figures = [found[key] for key in ("difference", "ci_low", "ci_high", "spans_zero")]
        assert (figures == [None] * 4) == bool(rules)
        assert "support" not in found


def test_a_gate_that_is_missed_never_shows_a_value_that_would_pass():
    for matched in range(30, 70):
        analysis = make_analysis()
        analysis["counts"].update(treated=100, treated_matched=matched)
        share = analysis["gate"]["rules"][1]
        smd = analysis["gate"]["rules"][2]
        share.update(value=matched / 100, passed=False)
        smd.update(value=0.1 + matched / 10_000, passed=False)
        rules = control_analysis(POLICY, analysis)["gate"]["rules"]

        assert rules[1]["value"] < rules[1]["limit"]
        assert rules[2]["value"] > rules[2]["limit"]


# ------------------------------------------------- a whole, its parts, and people of no part

RATE, _, DAYS, INDICTABLE = MEASURES[:4]


def part_of(id_, kind, people, events, dimension=None):
    """An analysis of so many treated people; half of the events are indictable offences."""
    mean = events / people if people else 0.0
    measures = [
        make_measure(RATE, (people, events), (4000, 1500), (mean, 0.375), p=0.5),
        make_measure(DAYS, (events, events), (1500, 1500), (120.0, 130.0), p=0.5),
        make_measure(
            INDICTABLE, (events, events // 2), (1500, 700), (0.5, 0.46), p=0.5, reoffenders=events
        ),
    ]
    one = {**make_analysis(id_, kind, measures), "dimension": dimension, "level": id_}
    one["counts"].update(
        treated=people, treated_matched=people, reoffenders_treated=events,
        comparison_matched=4000, reoffenders_comparison=1500,
    )  # fmt: skip
    one["gate"]["rules"][0]["value"] = people
    one["gate"]["rules"][1]["value"] = 1.0
    return one


def not_run(id_, dimension):
    nothing = {"counts": None, "gate": None, "balance_summary": None, "verdict": None}
    why = {"status": "not_run", "why_not": "too_few_treated", "measures": []}
    return {**part_of(id_, "sub", 1, 0, dimension), **nothing, **why}


def split_study(people, parts, *, run_from):
    """Exact analyses: the total, and each part of at least so many people; the last is unnamed."""
    made = [part_of("main", "main", people, sum(events for _, events in parts))]
    for number, (n, events) in enumerate(parts):
        name = f"part {number}"
        made.append(
            part_of(name, "sub", n, events, "sex") if n >= run_from else not_run(name, "sex")
        )
    return made


def trio_study(people, parts):
    """The total and two runs on the first part; the others have no assessment."""
    runs = [part_of(f"run {n}", "oasys", *parts[0]) for n in range(2)]
    return [part_of("main", "main", people, sum(events for _, events in parts)), *runs]


def dropped(found):
    """Releases of parts as they were before anything stood between a total and its parts."""
    return [control_analysis(POLICY, one) for one in found]


STUDIES = {
    "a small level that is not run": ((84, 19), lambda *a: split_study(*a, run_from=60)),
    "a level that is not run": ((84, 45), lambda *a: split_study(*a, run_from=60)),
    "two levels": ((84, 61), lambda *a: split_study(*a, run_from=60)),
    "people of no level": ((84, 9), lambda *a: split_study(*a, run_from=60)[:-1]),
    "people without an assessment": ((78, 25), trio_study),
    "many without an assessment": ((78, 66), trio_study),
}


def all_of(sizes, make, control):
    """What is seen of every pair of events of two parts, and the protected number."""
    for events in product(range(sizes[0] + 1), range(min(sizes[1], 30) + 1)):
        parts = list(zip(sizes, events, strict=True))
        yield control(make(sum(sizes), parts)), events[1], 50


@pytest.mark.parametrize("name", STUDIES)
def test_a_part_that_is_not_published_is_not_had_by_subtraction(name):
    sizes, make = STUDIES[name]

    assert given_away(all_of(sizes, make, lambda one: control_analyses(POLICY, one))) == []
    assert given_away(all_of(sizes, make, dropped))


def test_how_few_of_a_part_did_not_reoffend_is_not_had_by_subtraction():
    def studies(control):
        for events, others in product(range(85), range(30)):
            made = split_study(84 + 61, [(84, events), (61, 61 - others)], run_from=60)
            yield control(made), others, 50

    assert given_away(studies(lambda one: control_analyses(POLICY, one))) == []
    assert given_away(studies(dropped))
