"""Charts of a report: as many figures as people, bars as long as their numbers, words for all."""

import re

import pytest

from engine.release import svg
from engine.release.report.bars import error_bars
from engine.release.report.charts import draw
from engine.release.report.chevron import chevron
from engine.release.report.forest import Row, forest
from engine.release.report.pictogram import pictogram
from tests.engine.release.report.studies import study


@pytest.mark.parametrize(("share", "filled"), [(0, 0), (1, 1), (31, 31), (100, 100), (130, 100)])
def test_a_pictogram_has_100_people_and_fills_as_many_as_reoffended(share, filled):
    drawn = pictogram({"share": share}, [("share", "who took part", svg.DARK_BLUE)])
    paths = re.findall(r'<path d="([^"]+)" fill="([^"]+)"', drawn)
    people = {colour: shape.count("M") // 2 for shape, colour in paths}

    assert people.get(svg.DARK_BLUE, 0) == filled
    assert people.get("#fff", 0) == 100 - filled
    assert f"{share} of 100 who took part are filled in" in drawn


@pytest.mark.parametrize("width", [svg.WIDE, svg.NARROW])
def test_bars_of_attrition_are_as_long_as_the_people_left(width):
    results = study(3, "fewer")
    drawn = chevron(results, width)
    bars = [
        [float(x) for x in re.findall(r"(-?[\d.]+),", shape)]
        for shape in re.findall(rf'<path d="([^"]+)" fill="{svg.DARK_BLUE}"', drawn)
    ]
    people = [results["attrition"]["submitted"]]
    people += [stage["remaining"] for stage in results["attrition"]["stages"]]

    assert len(bars) == len(people)
    left = bars[0][0]
    unit = (max(bars[0]) - left) / people[0]
    for bar, n in zip(bars, people, strict=True):
        assert max(bar) - left == pytest.approx(unit * n, abs=0.2)


def test_attrition_tells_every_step_in_words():
    results = study(3, "fewer")
    told = re.search("<desc[^>]*>(.*?)</desc>", chevron(results)).group(1)

    for stage in results["attrition"]["stages"]:
        assert stage["label"] in told
        assert f"{stage['remaining']:,} left" in told


def test_a_forest_plot_keeps_the_order_of_its_intervals():
    results = {
        str(i): {"difference": middle, "ci_low": middle - 4, "ci_high": middle + 4}
        for i, middle in enumerate((-8, 0, 8))
    }
    rows = [Row(f"row {i}", str(i), main=i != 1) for i in range(3)]
    rows.append(Row("without", "none", instead="too few people"))
    drawn = forest(
        results, rows, ("title", "subtitle"), ("fewer", "more"), ("early", "late"), name="x"
    )
    lines = re.findall(r'<path d="M([\d.]+),[\d.]+L([\d.]+),', drawn)
    spans = [(float(low), float(high)) for low, high in lines]

    assert len(spans) == 3
    assert spans == sorted(spans)
    assert len({round(high - low) for low, high in spans}) == 1
    assert "without: too few people" in drawn
    assert "row 0: −8, interval −12 to −4" in drawn


def test_error_bars_start_at_zero_and_reach_their_value():
    results = {"m": {"treated": 20, "comparison": 40, "n_treated": 100, "n_comparison": 300}}
    results["m"] |= {"treated_ci": [15, 25], "comparison_ci": None}
    drawn = error_bars(results, "m", "whole", ("title", "unit"), name="x")
    bars = [
        float(width)
        for width in re.findall(
            rf'<rect [^>]*width="([\d.]+)"[^>]*fill="(?:{svg.DARK_BLUE}|{svg.ORANGE})"', drawn
        )
    ]

    assert bars[1] == pytest.approx(2 * bars[0], abs=0.3)
    assert "Took part: 20, n = 100, 95% interval 15 to 25" in drawn


def test_every_chart_comes_in_two_widths(results):
    drawn = draw(results)

    assert {name for name in drawn if not name.endswith("-narrow")} == {
        name.removesuffix("-narrow") for name in drawn if name.endswith("-narrow")
    }
    for chart in drawn.values():
        assert 'role="img"' in chart
        assert "<title" in chart
        assert "<desc" in chart
