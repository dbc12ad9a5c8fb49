"""Everybody linked correctly whose dates determine the index disposal gets the true one."""

from collections import defaultdict

import pytest

from engine.cohort.choose import choose_index
from engine.cohort.rules import IndexRules
from engine.link import checked
from engine.store.reading import read_whole, read_years
from tests.engine.cohort import reference
from tests.engine.cohort.support import links_of, truth_of


@pytest.fixture(scope="module")
def disposals(truth_nation):
    found = defaultdict(list)
    for row in read_years(truth_nation.store, "index").to_pylist():
        found[row["person_id"]].append(row)
    return found


@pytest.fixture(scope="module")
def spells(truth_nation):
    found = defaultdict(list)
    for row in read_whole(truth_nation.store, "custody").to_pylist():
        found[row["person_id"]].append(row)
    return found


def determined(start, true, own, spells):
    """Whether the dates leave no other index disposal than the true one.

    Several sentences that end with one release, and an order made on somebody who is in prison for
    another sentence, are told apart by nothing that is in a submission; nor is the order that came
    first, where there was another one before the intervention.
    """
    if true["index_type"] == reference.RELEASE:
        rivals = [d for d in own if d["index_date"] == true["index_date"]]
        return [d["disposal_id"] for d in rivals if d["index_type"] == reference.RELEASE] == [
            true["disposal_id"]
        ]
    inside = any(
        received <= start < released for received, released in reference.stays(own, spells)
    )
    later = [
        d
        for d in own
        if d["index_type"] in reference.KINDS
        and d["index_date"]
        and true["index_date"] <= d["index_date"] <= start
    ]
    return not inside and len(later) == 1


SUBMISSIONS = (
    "small-beneficial-random",
    "small-none-need",
    "medium-beneficial-need",
    "medium-none-random",
    "medium-adverse-cherry",
)


def test_all_of_the_truth_that_dates_determine(truth_nation, disposals, spells):
    # who belongs to the analysis is another matter: an adverse effect may add an offence that the
    # nation dates before the start
    rules = IndexRules(sexual_offences=True, drop_earlier_reoffenders=False)
    linked = decided = right = same_day = 0
    wrong = []
    for name in SUBMISSIONS:
        truth = truth_of(truth_nation, name)
        file = truth_nation.out / "submissions" / f"{name}.csv"
        people = checked(file, truth_nation.store).table
        rows = dict(zip(people["row"].to_pylist(), people.to_pylist(), strict=True))
        persons = [truth[row["row_id"]]["person_id"] for row in rows.values()]
        treated = choose_index(people, links_of(people, persons), truth_nation.store, rules).treated
        found = {row["row"]: row for row in treated.to_pylist()}
        for number, row in rows.items():
            line = truth[row["row_id"]]
            if line["person_id"] is None:
                continue
            own = disposals[line["person_id"]]
            true = next(d for d in own if d["disposal_id"] == line["disposal_id"])
            chosen = found.get(number)
            linked += 1
            same_day += chosen is not None and chosen["index_date"] == true["index_date"]
            if determined(row["intervention_start"], true, own, spells[line["person_id"]]):
                decided += 1
                is_right = chosen is not None and chosen["disposal_id"] == line["disposal_id"]
                right += is_right
                wrong += [] if is_right else [(name, row["row_id"])]

    assert wrong == []
    assert right == decided
    assert linked > 850
    assert decided / linked > 0.95
    assert same_day / linked > 0.97
