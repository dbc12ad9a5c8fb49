"""Plans and finished matches as dictionaries, sentences and a chart."""

import json
import xml.etree.ElementTree as ET

import pytest

from engine.errors import InputError, UsageError
from engine.release import svg
from engine.release.power import plan_power, power_of_match, write_chart
from engine.release.power_chart import power_chart

SVG = "{http://www.w3.org/2000/svg}"
PLANS = [
    {"base_rate": 0.4, "ratio": 5.0, "attrition": 0.3},
    {"base_rate": 0.04, "difference": 0.02, "direction": "more", "power": 0.95},
    {"base_rate": 0.02, "difference": 0.004},
    {"base_rate": 0.5, "difference": 0.45, "direction": "more"},
    {"base_rate": 0.001, "difference": 0.0009},
]


def estimate(**changes):
    return {
        "outcome": "reoffended",
        "type": "binary",
        "treated": 0.35,
        "comparison": 0.40,
        "difference": -0.05,
        "standard_error": 0.03,
        "degrees_of_freedom": 700.0,
        "n_treated": 400,
        "effective_comparison": 1500.0,
        **changes,
    }


@pytest.fixture
def match_folder(tmp_path):
    def write(*estimates, **changes):
        content = {"format": 1, "kind": "match", "estimates": list(estimates), **changes}
        (tmp_path / "results.json").write_text(json.dumps(content))
        return tmp_path

    return write


def test_a_plan_says_one_sentence():
    plan = plan_power(0.4, attrition=0.3)
    assert plan["sentence"] == (
        "To have a chance of 80 in every 100 of showing 5 fewer in every 100 (35 instead of 40), "
        "about 2,102 people must be submitted, so that 1,471 can be compared."
    )
    assert "no effect" not in plan["sentence"]
    assert "30 people with the outcome" in plan_power(0.1, difference=0.07)["sentence"]
    smallest = plan_power(0.5, difference=0.45, direction="more")["sentence"]
    assert smallest.endswith("That is the smallest number that may be submitted.")


def test_a_plan_shows_the_power_asked_for_beside_the_usual_ones():
    plan = plan_power(0.4, difference=0.06, power=0.95)
    assert {row["power"] for row in plan["sizes"]} == {0.8, 0.9, 0.95}
    assert -0.06 in {row["difference"] for row in plan["sizes"]}
    wanted = next(r for r in plan["sizes"] if (r["difference"], r["power"]) == (-0.06, 0.95))
    assert wanted == plan["wanted"]
    at = next(r for r in plan["detectable"] if r["submitted"] == wanted["submitted"])
    assert at["differences"][2]["fewer"] == pytest.approx(0.06, abs=1e-4)


def test_too_few_people_with_the_outcome_show_nothing():
    for row in plan_power(0.4)["detectable"]:
        for one in row["differences"]:
            if one["fewer"] is not None:
                assert row["analysed"] * (0.4 - one["fewer"]) >= 30
    assert plan_power(0.4)["detectable"][0]["differences"][0]["fewer"] is None


def test_all_lost_leaves_no_row():
    assert plan_power(0.4, attrition=0.99)["detectable"][0]["analysed"] > 0


@pytest.mark.parametrize("plan", PLANS, ids=lambda p: str(p["base_rate"]))
@pytest.mark.parametrize("width", [svg.WIDE, svg.NARROW])
def test_the_chart_is_a_picture_with_words_inside_its_frame(plan, width):
    picture = power_chart(plan_power(**plan), width)
    root = ET.fromstring(picture)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}desc").text.endswith(".")
    assert "nan" not in picture
    wide, high = float(root.get("width")), float(root.get("height"))
    for one in root.iter(f"{SVG}text"):
        long = svg.text_width(
            one.text, float(one.get("font-size")), bold=one.get("font-weight") == "700"
        )
        share = {"end": 1.0, "middle": 0.5}.get(one.get("text-anchor"), 0.0)
        x = float(one.get("x"))
        assert x - share * long > -8
        assert x + (1 - share) * long < wide + 8
        assert 0 < float(one.get("y")) <= high
    assert picture == power_chart(plan_power(**plan), width)


def test_the_chart_is_written_whole(tmp_path):
    plan = plan_power(0.4)
    write_chart(tmp_path / "plan.svg", plan)
    write_chart(tmp_path / "plan.svg", plan)
    assert (tmp_path / "plan.svg").read_text() == power_chart(plan) + "\n"
    assert [one.name for one in tmp_path.iterdir()] == ["plan.svg"]


def test_a_finished_match(match_folder):
    folder = match_folder(
        estimate(),
        estimate(outcome="offences", type="count", treated=1.1, comparison=1.4, difference=-0.3),
        estimate(outcome="days", type="time", standard_error=None),
        estimate(outcome="rare", standard_error=0.4, n_treated=3, effective_comparison=3.0),
    )
    found = power_of_match(folder, power=0.95)
    first, count, without, rare = found["outcomes"]
    assert first["sentence"].startswith(
        "The smallest difference that this match had a chance of 95 in every 100 of showing is "
    )
    assert "fewer or" in first["sentence"]
    assert "about 1,907 people would be needed" in first["sentence"]
    assert count["design_effect"] is None
    assert "on average" in count["sentence"]
    assert "would be needed" not in count["sentence"]
    assert without["differences"] == []
    assert without["sentence"].startswith("There are too few")
    assert "however large" in rare["sentence"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": 1, "kind": "study"}', '{"format": 9, "kind": "match"}']
)
def test_a_folder_of_something_else_is_refused(tmp_path, content):
    with pytest.raises(InputError, match="no results"):
        power_of_match(tmp_path)
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(InputError, match="not the result of a match"):
        power_of_match(tmp_path)


def test_a_match_without_outcomes_is_refused(match_folder):
    with pytest.raises(InputError, match="no outcome"):
        power_of_match(match_folder())
    with pytest.raises(UsageError):
        power_of_match(match_folder(estimate()), power=2.0)
