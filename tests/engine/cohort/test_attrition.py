"""Everybody submitted is accounted for once, in the whole and in every sub-group."""

import itertools

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cohort.attrition import (
    REASON_OF_RULE,
    Attrition,
    attrition,
    own_reasons,
    percent_text,
    sender_rows,
    steps,
    steps_by_group,
    with_stage,
)
from engine.cohort.reasons import NOT_ANALYSED, REASONS, STAGE_OF, STAGES
from engine.errors import DisagreementError
from engine.submission.rules import RULES
from tests.engine.submission.support import BORN, LAST, SITE, checked, column, people, text

LATER = {"assessment": "no_assessment", "matching": "unmatched"}


def account_of(reasons, sites):
    rows = pa.table(
        {
            "row": pa.array(range(2, 2 + len(reasons)), pa.int64()),
            "stage": pa.array([STAGE_OF.get(code) for code in reasons], pa.utf8()),
            "reason": pa.array(reasons, pa.utf8()),
            "service_site": pa.array(sites, pa.utf8()),
        }
    )
    return Attrition(rows, tuple(stage for stage in STAGES if stage not in LATER))


EARLY = [reason.code for reason in REASONS if reason.stage not in LATER]
ACCOUNTS = st.lists(
    st.tuples(st.sampled_from([None, None, *EARLY]), st.sampled_from(["A", "B", None])), max_size=40
)


@given(ACCOUNTS)
@settings(max_examples=60)
def test_stages_add_up_in_the_whole_and_in_every_group(drawn):
    account = account_of([code for code, _ in drawn], [site for _, site in drawn])
    table = steps(account).to_pylist()
    groups = steps_by_group(account)

    assert table[0]["remaining"] == account.submitted == len(drawn)
    assert table[-1]["remaining"] == account.remaining
    for before, line in itertools.pairwise(table):
        assert before["remaining"] - line["dropped"] == line["remaining"]
        assert line["percent"] * len(drawn) == pytest.approx(100 * line["dropped"])
    if any(site for _, site in drawn):
        for line in table:
            same = groups.filter(
                pc.equal(groups["reason"], line["reason"])
                if line["reason"]
                else pc.is_null(groups["reason"])
            )
            assert sum(same["dropped"].to_pylist()) == line["dropped"]
            assert sum(same["remaining"].to_pylist()) == line["remaining"]
    else:
        assert groups.num_rows == 0


def test_later_stages_are_appended_in_their_order():
    account = account_of([None, "not_found", None, None], ["A", "A", "B", None])
    account = with_stage(account, "assessment", {2: "no_assessment"})
    account = with_stage(account, "matching", {4: "unmatched"})

    assert account.remaining == 1
    assert account.stages == tuple(STAGES)
    lines = {line["reason"]: line for line in steps(account).to_pylist()}
    assert lines["unmatched"] == {
        "stage": "matching",
        "reason": "unmatched",
        "dropped": 1,
        "remaining": 1,
        "percent": 25.0,
    }


@pytest.mark.parametrize(
    ("stage", "losses", "what"),
    [
        ("linkage", {2: "not_found"}, "does not come after"),
        ("eligibility", {}, "does not come after"),
        ("outcome", {}, "does not come after"),
        ("matching", {2: "not_found"}, "another stage"),
        ("matching", {3: "unmatched"}, "lost twice"),
        ("matching", {9: "unmatched"}, "not in the submission"),
    ],
)
def test_a_stage_that_does_not_fit_is_refused(stage, losses, what):
    account = account_of([None, "not_found"], ["A", "A"])

    with pytest.raises(DisagreementError, match=what):
        with_stage(account, stage, losses)


def test_every_rule_that_keeps_a_row_aside_has_a_reason():
    quarantine = {name for name, rule in RULES.items() if rule.severity == "quarantine"}

    assert set(REASON_OF_RULE) == quarantine
    own = {reason.code for reason in REASONS if reason.in_own_file}
    assert set(REASON_OF_RULE.values()) == own


def test_codes_are_unique_and_every_stage_has_some():
    assert len(STAGE_OF) == len(REASONS)
    assert {reason.stage for reason in REASONS} == set(STAGES)
    assert [list(STAGES).index(reason.stage) for reason in REASONS] == sorted(
        list(STAGES).index(reason.stage) for reason in REASONS
    )
    assert {reason.stage for reason in REASONS if reason.in_own_file} == {"submission"}


@given(st.integers(0, 500), st.integers(1, 500))
@settings(max_examples=60)
def test_percentages_are_whole(dropped, more):
    submitted = dropped + more
    shown = percent_text(dropped, submitted)
    share = 100 * dropped / submitted

    if shown == "<1%":
        assert 0 < share < 1
    else:
        assert abs(int(shown.removesuffix("%")) - share) <= 0.5 + 1e-9


@pytest.fixture
def check(tmp_path, sandbox):
    rows = column(SITE, ["South", "North", "North"])
    rows[3][BORN] = "31/02/1980"
    rows[4][BORN] = ""
    rows[5][LAST] = ""
    rows[5][BORN] = "31/02/1980"
    rows.append(list(rows[9]))
    return checked(tmp_path, text(rows), sandbox)


def links(check, *unlinked):
    """Links of the usable rows: status and reason of the first ones, all others linked."""
    pairs = [*unlinked, *[("linked", None)] * (check.usable - len(unlinked))]
    return pa.table(
        {
            "row": check.table["row"],
            "status": pa.array([status for status, _ in pairs], pa.utf8()),
            "reason": pa.array([reason for _, reason in pairs], pa.utf8()),
        }
    )


def test_a_submission_adds_up(check):
    how = links(
        check,
        ("unresolved", "close_rival"),
        ("not_linked", "not_found"),
        ("not_linked", "same_person_twice"),
    )
    usable = check.table["row"].to_pylist()
    losses = pa.table({"row": usable[-2:], "reason": ["no_sentence", "repeat_participation"]})
    account = attrition(check, how, losses)
    lines = {line["reason"]: line["dropped"] for line in steps(account).to_pylist()}

    assert account.submitted == check.rows == len(people()) + 1
    assert {code: n for code, n in lines.items() if n} == {
        "missing_identifier": 2,
        "impossible_date": 1,
        "duplicate": 1,
        "unresolved": 1,
        "not_found": 1,
        "no_sentence": 1,
        "repeat_participation": 2,
    }
    groups = steps_by_group(account)
    north = groups.filter(pc.equal(groups["level"], "North"))
    assert north["remaining"][0].as_py() == sum(i % 3 > 0 for i in range(len(people())))


def test_a_row_cannot_be_lost_twice(check):
    how = links(check, ("not_linked", "not_found"))
    losses = pa.table({"row": check.table["row"][:1], "reason": ["no_sentence"]})

    with pytest.raises(DisagreementError, match="twice"):
        attrition(check, how, losses)


def test_the_sender_sees_reasons_of_the_own_file_and_nothing_else(check):
    table = sender_rows(check).to_pylist()
    own = {reason.code for reason in REASONS if reason.in_own_file}

    assert [line["row"] for line in table] == check.listing["row"].to_pylist()
    assert {line["code"] for line in table} <= own | {NOT_ANALYSED}
    told = {line["row"]: line["code"] for line in table if line["code"] != NOT_ANALYSED}
    assert told == own_reasons(check)
    assert {line["code"] for line in table if line["row"] in check.table["row"].to_pylist()} == {
        NOT_ANALYSED
    }
