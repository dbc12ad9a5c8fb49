"""Who is linked: margin, one person for one row, twins, contradictions, reviewers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.linkage.decisions import (
    METHODS,
    REASONS,
    UNRESOLVED,
    Person,
    Reviewed,
    Thresholds,
    absent_chances,
    decide,
    method_of,
    probabilities,
)

STANDARD = Thresholds(3.0, 3.0, -3.0)
NAMES = ("both exact", "surname only", "forename only", "else", "both Jaro-Winkler at least 0.92")


def person(person_id=1, weight=10.0, **changes):
    base = Person(
        person_id, weight, "both exact", "exact", 1, -1, -1, 3, True, cro=False, crn=False
    )
    return base._replace(**changes)


def decided(*rows, limits=STANDARD, reviewed=None, births=None, order=None):
    candidates = {n: list(row) for n, row in enumerate(rows)}
    births = [True] * len(rows) if births is None else births
    order = [(0, n) for n in range(len(rows))] if order is None else order
    return decide(candidates, order, births, limits, 0.9, [0.1] * len(rows), reviewed or {})


def only(*people, **options):
    (one,) = decided(people, **options)
    return one


@pytest.mark.parametrize(
    ("candidate", "method"),
    [
        (person(), "exact_name"),
        (person(pnc=3), "pnc_id"),
        (person(pnc=3, noms=3), "pnc_id"),
        (person(noms=3), "prison_number"),
        (person(cro=True), "other_identifier"),
        (person(crn=True), "other_identifier"),
        (person(name="surname exact with short form, middle name or initial"), "short_name"),
        (person(sex=0), "weight"),
        (person(sex=-1), "exact_name"),
        (person(birth="one edit"), "weight"),
        (person(name="swapped"), "weight"),
        (person(pnc=3, birth="else", name="else", sounds=False, names_alike=0), "weight"),
        (person(pnc=3, birth="else", name="else", sounds=True, names_alike=0), "pnc_id"),
        (person(pnc=3, birth="exact", name="else", sounds=False, names_alike=0), "pnc_id"),
        (person(pnc=3, birth="else", name="else", sounds=False, names_alike=2), "pnc_id"),
        (person(pnc=2), "exact_name"),
    ],
)
def test_the_cascade_takes_the_surest_evidence_first(candidate, method):
    assert method_of(candidate) == method


def test_a_link_needs_the_threshold():
    assert only(person(weight=3.0)).status == "linked"
    weak = only(person(weight=2.9))
    assert (weak.status, weak.person_id, weak.reason) == ("unresolved", None, "in_review_band")
    none = only(person(weight=-3.1))
    assert (none.status, none.reason) == ("not_linked", "not_found")
    assert only(person(weight=-3.0)).reason == "in_review_band"


def test_a_link_needs_its_lead():
    assert only(person(1, 10.0), person(2, 7.0)).person_id == 1
    assert only(person(1, 10.0), person(2, 7.1)).reason == "close_rival"
    # an identifier gives no right to a person whom another one equals
    assert only(person(1, 10.0, pnc=3), person(2, 9.0)).reason == "close_rival"


def test_presets_are_nested():
    people = [person(1, 5.0)]
    assert only(*people, limits=Thresholds(6, 6, -3)).status == "unresolved"
    assert only(*people, limits=Thresholds(3, 3, -3)).status == "linked"
    assert only(*people, limits=Thresholds(0, 3, -3)).status == "linked"


def test_an_identifier_that_nothing_supports_goes_to_review():
    alone = person(1, -9.0, pnc=3, birth="else", name="else", sounds=False, names_alike=0)
    assert only(alone).reason == "identifier_conflict"
    strong = alone._replace(weight=20.0)
    assert only(strong).reason == "identifier_conflict"
    # the name says one person and the number another
    assert only(person(2, 10.0), alone).reason == "identifier_conflict"
    assert only(person(2, 10.0, pnc=3), alone._replace(pnc=-1, noms=3)).method == "pnc_id"


def test_a_corroborated_identifier_needs_no_weight():
    found = only(person(1, -5.0, pnc=3, birth="else", name="else", names_alike=0))
    assert (found.status, found.method) == ("linked", "pnc_id")


def test_no_link_without_surname_or_identifier():
    for name in ("forename only", "forename equals middle name", "else", ""):
        found = only(person(1, 12.0, name=name))
        assert (found.status, found.reason) == ("unresolved", "no_surname_or_identifier")
    assert only(person(1, 12.0, name="forename only", noms=3)).status == "linked"


def test_twins_are_not_linked():
    twin = person(1, 8.0, name="surname only", names_alike=0)
    found = only(twin)
    assert (found.status, found.reason, found.weight) == ("unresolved", "likely_relative", -5.0)
    # of a common surname many share a birth date, and nobody need look at them
    assert only(twin._replace(weight=-4.0)).reason == "not_found"
    # the other twin, whose forename is the one given, is
    assert only(person(2, 9.0), twin).person_id == 2
    assert only(twin._replace(noms=3)).method == "prison_number"
    # a birth date that differs makes no twin
    assert only(twin._replace(birth="one edit")).status == "linked"


def test_a_near_twin_makes_a_weak_forename_a_rival():
    near = person(2, -4.0, name="surname only", names_alike=1)
    typed = person(1, 9.0, name="both Jaro-Winkler at least 0.92", names_alike=1)
    assert only(typed, near).reason == "close_rival"
    assert only(person(1, 9.0), near).person_id == 1


def test_one_person_for_one_row():
    found = decided([person(7, 9.0)], [person(7, 12.0)], [person(8, 9.0)])
    assert [one.person_id for one in found] == [None, 7, 8]
    assert found[0].reason == "same_person_twice"
    assert found[0].status == "not_linked"


def test_a_surer_method_comes_before_a_greater_weight():
    found = decided([person(7, 30.0)], [person(7, 5.0, pnc=3)])
    assert [one.person_id for one in found] == [None, 7]


def test_of_two_equal_rows_the_earlier_date_keeps_the_person():
    found = decided([person(7)], [person(7)], order=[(20, 1), (10, 2)])
    assert [one.person_id for one in found] == [None, 7]
    found = decided([person(7)], [person(7)], order=[(10, 2), (10, 1)])
    assert [one.person_id for one in found] == [None, 7]


def test_nobody_is_found_for_want_of_a_birth_date():
    assert only(births=[False]).reason == "no_birth_date"
    assert only(births=[True]).reason == "not_found"
    assert only(person(1, -7.0, birth=""), births=[False]).reason == "no_birth_date"


def test_a_reviewer_comes_first():
    people = [person(1, 10.0), person(2, 9.5)]
    same = only(*people, reviewed={0: Reviewed(2, frozenset())})
    assert (same.person_id, same.method, same.probability) == (2, "reviewed", 1.0)
    # without the refused one, the other has no rival
    rest = only(*people, reviewed={0: Reviewed(None, frozenset({1}))})
    assert (rest.person_id, rest.method) == (2, "exact_name")
    none = only(*people, reviewed={0: Reviewed(None, frozenset({1, 2}))})
    assert (none.status, none.reason) == ("not_linked", "refused_by_reviewer")
    found = decided(
        [person(1, 30.0, pnc=3)], [person(1, 1.0)], reviewed={1: Reviewed(1, frozenset())}
    )
    assert [one.person_id for one in found] == [None, 1]


def test_probabilities_by_hand():
    # odds 8 : 4 against 0.1 for nobody
    assert probabilities([3.0, 2.0], 0.9, 0.1) == pytest.approx([8 / 12.1, 4 / 12.1])
    # half of such rows are nobody: the share in the weights is scaled from 0.9 to 0.5
    assert probabilities([3.0], 0.9, 0.5) == pytest.approx([8 * 5 / 9 / (0.5 + 8 * 5 / 9)])
    assert probabilities([], 0.9, 0.1) == []
    assert probabilities([2000.0, 1990.0], 0.9, 0.1) == pytest.approx([1.0, 2**-10], abs=1e-3)
    assert probabilities([-3000.0], 0.9, 0.1) == [0.0]


@given(st.lists(st.floats(-60, 60), max_size=8), st.floats(0.5, 0.99), st.floats(0.01, 0.5))
def test_probabilities_are_shares_of_one_row(weights, present, absent):
    found = probabilities(weights, present, absent)
    assert all(0 <= one <= 1 for one in found)
    assert sum(found) <= 1 + 1e-12
    assert [found[i] for i in sorted(range(len(found)), key=lambda i: weights[i])] == sorted(found)
    ratio = (1 - absent) / present
    total = absent + math.fsum(ratio * 2.0**w for w in weights)
    assert found == pytest.approx([ratio * 2.0**w / total for w in weights])


def test_absent_people_are_expected_among_rows_without_numbers():
    assert absent_chances([False] * 4, 0.9) == pytest.approx([0.1] * 4)
    assert absent_chances([True, True, False, False], 0.9) == pytest.approx([0.1, 0.1, 0.2, 0.2])
    assert absent_chances([True] * 9 + [False], 0.9) == pytest.approx([0.1] * 9 + [0.5])
    assert absent_chances([True], 0.9) == pytest.approx([0.1])
    assert absent_chances([], 0.9) == []


candidate = st.builds(
    person,
    person_id=st.integers(1, 6),
    weight=st.integers(-12, 20).map(float),
    name=st.sampled_from(NAMES),
    birth=st.sampled_from(["exact", "one edit", "else", ""]),
    sex=st.sampled_from([-1, 0, 1]),
    pnc=st.sampled_from([-1, 0, 3]),
    names_alike=st.integers(0, 3),
    sounds=st.booleans(),
)
row = st.lists(candidate, max_size=4, unique_by=lambda one: one.person_id)


@given(st.lists(row, min_size=1, max_size=6), st.randoms())
def test_every_row_is_accounted_for_in_any_order(rows, random):
    found = decided(*rows)
    people = [one.person_id for one in found if one.person_id is not None]
    assert len(people) == len(set(people))
    for one in found:
        assert (one.status == "linked") == (one.person_id is not None) == (one.reason is None)
        assert (one.status == "linked") == (one.method in METHODS)
        assert one.reason is None or one.reason in REASONS
        assert (one.status == "unresolved") <= (one.reason in UNRESOLVED)
    places = list(range(len(rows)))
    random.shuffle(places)
    shuffled = []
    for place in places:
        people = list(rows[place])
        random.shuffle(people)
        shuffled.append(people)
    again = decided(*shuffled, order=[(0, place) for place in places])
    assert [again[places.index(n)] for n in range(len(rows))] == found


@given(row, row)
def test_a_row_of_other_people_changes_nothing(own, others):
    others = [one._replace(person_id=one.person_id + 100) for one in others]
    assert decided(own, others)[0] == decided(own)[0]


@given(row)
def test_links_have_their_weight_lead_and_evidence(people):
    one = only(*people)
    if one.status != "linked":
        return
    best = next(p for p in people if p.person_id == one.person_id)
    rivals = [p.weight for p in people if p.person_id != one.person_id]
    guarded = max(rivals, default=-99.0)
    assert best.surname_agrees or best.identified
    if best.name != "surname only":
        others = [
            min(p.weight, -5.0) if p.name == "surname only" and p.birth == "exact"
            and p.names_alike == 0 and not p.identified else p.weight
            for p in people if p.person_id != one.person_id
        ]  # fmt: skip
        guarded = max(others, default=-99.0)
        assert best.weight - guarded >= STANDARD.margin
    assert best.weight >= STANDARD.link or best.identified
