"""Charts as SVG: well-formed, told in words, inside their frame, the same bytes each time."""

import copy
import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.release import svg
from engine.release.charts import draw, interval_plot, love_plot, overlap_plot
from engine.release.formats import FORMATS

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture):
    return ["".join(one.itertext()) for one in ET.fromstring(picture).iter(f"{SVG}text")]


def test_every_chart_is_a_well_formed_picture_with_a_text_alternative(any_results):
    for name, picture in draw(any_results).items():
        root = ET.fromstring(picture)
        assert root.get("role") == "img"
        title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
        assert title.get("id") == f"{name}-title"
        assert title.text
        assert description.text.endswith(".")
        assert len(description.text) > 40
        for bad in ("nan", "inf,", "rotate"):
            assert bad not in picture


def test_text_stays_inside_the_frame(any_results):
    for picture in draw(any_results).values():
        root = ET.fromstring(picture)
        width, height = float(root.get("width")), float(root.get("height"))
        for one in root.iter(f"{SVG}text"):
            size, x = float(one.get("font-size")), float(one.get("x"))
            long = svg.text_width(one.text, size, bold=one.get("font-weight") == "700")
            share = {"end": 1.0, "middle": 0.5}.get(one.get("text-anchor"), 0.0)
            assert x - share * long > -8
            assert x + (1 - share) * long < width + 8
            assert 0 < float(one.get("y")) <= height


def test_same_results_same_bytes(any_results):
    assert draw(any_results) == draw(copy.deepcopy(any_results))


def test_love_plot_says_the_message_the_measure_and_the_limits(results):
    shown = texts(love_plot(results))

    assert shown[0] == "17 of 22 characteristics are closely matched, none poorly"
    assert "absolute standardised mean difference" in shown
    assert {"before matching", "after matching", "0.05"} <= set(shown)
    assert love_plot(results).count("<circle") == 22 + 1  # one more in the key
    summary = results["balance_summary"]
    description = ET.fromstring(love_plot(results)).find(f"{SVG}desc").text
    assert FORMATS["smd_size"](summary["largest_smd_after"]) in description


def test_groups_differ_by_shape_as_well_as_by_colour(results):
    picture = love_plot(results)

    assert svg.circle(0, 0).split()[0] != svg.diamond(0, 0).split()[0]
    assert svg.DARK_BLUE in picture
    assert svg.ORANGE in picture
    assert 'fill="none"' in overlap_plot(results)


def test_love_plot_names_one_poorly_matched_term(results):
    results["balance_summary"] |= {"closely_matched": 21, "fairly_matched": 0, "poorly_matched": 1}

    assert texts(love_plot(results))[0] == "1 of 22 characteristics is still poorly matched"


def test_love_plot_with_many_terms_keeps_the_worst_and_says_so(results):
    rows = results["balance"]
    results["balance"] = [{**rows[0], "name": f"t{i}", "smd_after": 0.001 * i} for i in range(100)]

    shown = texts(love_plot(results))

    assert {f"t{i}" for i in range(60, 100)} <= set(shown)
    assert "t59" not in shown
    assert "the 40 with the largest difference after matching" in " ".join(shown)


@pytest.mark.parametrize("value", [None, math.nan, 0.0, -1e300, 5e-324, 1.0, -0.100001])
@pytest.mark.parametrize("width", [svg.WIDE, svg.NARROW])
def test_love_plot_takes_any_difference(results, value, width):
    results["balance"] = [{**results["balance"][0], "smd_before": value, "smd_after": value}]

    picture = love_plot(results, width)

    ET.fromstring(picture)
    assert ("not defined" in picture) == (value is None or math.isnan(value))


def test_love_plot_of_nothing_is_a_picture(results):
    ET.fromstring(love_plot({}))
    ET.fromstring(love_plot(results | {"balance": [], "balance_summary": {}}))


def test_a_value_beyond_the_axis_is_shown_with_its_number(results):
    results["balance"][0] |= {"smd_before": 4.25, "smd_after": 0.2}

    assert "4.25 before →" in texts(love_plot(results))


@pytest.mark.parametrize(
    "change",
    [
        {"edges": [], "treated": [], "comparison_before": [], "comparison_after": []},
        {"edges": [1.0, 1.0], "treated": [3], "comparison_before": [2], "comparison_after": [1]},
        {"edges": [-700.0, 700.0], "treated": [3], "comparison_before": [0],
         "comparison_after": [0.0]},
        {"edges": [-1e308, 1e308], "treated": [3], "comparison_before": [1],
         "comparison_after": [1.0]},
        {"edges": [0.0, 1e-300], "treated": [0], "comparison_before": [0],
         "comparison_after": [0.0]},
        {"comparison_after": [None] * 32},
        {"treated": [0] * 32},
    ],
)  # fmt: skip
def test_overlap_plot_takes_any_bands(results, change):
    results["overlap"] |= change

    for width in (svg.WIDE, svg.NARROW):
        ET.fromstring(overlap_plot(results, width))


def test_overlap_plot_without_comparison_people_says_so(results):
    results["overlap"]["comparison_after"] = [0.0] * 32

    assert "no comparison people" in texts(overlap_plot(results))


@pytest.mark.parametrize(
    ("auc", "words"),
    [(0.504, "look alike"), (0.62, "still differ"), (None, "before and after")],
)
def test_overlap_plot_draws_its_message_from_the_auc(results, auc, words):
    results["balance_summary"]["auc_after"] = auc

    assert words in ET.fromstring(overlap_plot(results)).find(f"{SVG}title").text


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(-0.05, 0.01, "cannot tell yet"), (-0.05, -0.01, "fewer"), (0.01, 0.05, "more")],
)
def test_interval_plot_says_what_the_interval_says(results, low, high, words):
    results["estimates"][0] |= {"ci_low": low, "ci_high": high, "difference": (low + high) / 2}

    assert words in ET.fromstring(interval_plot(results, 0)).find(f"{SVG}title").text


@given(
    st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(0, 1e9), st.sampled_from(["binary", "time"])
)
def test_interval_plot_takes_any_interval(middle, below, above, kind):
    estimate = {"outcome": "y", "type": kind, "difference": middle, "ci_low": middle - below,
                "ci_high": middle + above}  # fmt: skip

    ET.fromstring(interval_plot({"estimates": [estimate]}, 0, svg.NARROW))


def test_names_are_escaped_and_cut_to_their_room(results):
    long = '<script>alert("x")</script>&\x1b[31m' + "x" * 5000
    results["balance"][0]["name"] = long

    picture = love_plot(results)

    ET.fromstring(picture)
    assert "<script" not in picture
    assert "\x1b" not in picture
    assert all(len(shown) < 120 for shown in texts(picture))


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 9))
def test_ticks_are_few_round_and_inside(low, span, most):
    found = svg.ticks(low, low + span, most)

    assert len(found) <= most
    assert all(low - 1e-6 * span <= one <= low + span * (1 + 1e-6) for one in found)
    assert found == sorted(set(found))


def test_ticks_print_without_noise():
    assert [svg.tick_text(one, 0.1) for one in svg.ticks(0, 0.43, 7)] == [
        "0.0", "0.1", "0.2", "0.3", "0.4",
    ]  # fmt: skip
    assert svg.ticks(0, 0.43, 7)[3] == 0.3


@given(st.text(max_size=300), st.floats(20, 400))
def test_a_shortened_name_fits_its_room(name, width):
    short = svg.shorten(name, width, 13)

    assert svg.text_width(short, 13) <= width or len(short) <= 3
    assert short == name or "…" in short


def test_names_that_differ_in_the_middle_stay_different():
    names = [f"number of convictions of group {i:02d} in the last ten years" for i in range(40)]
    short = svg.tell_apart([*names, "age", "priors"], 200, 13.5)

    assert len(set(short)) == 42
    assert short[-2:] == ["age", "priors"]
    assert all(f"{i:02d}" in one for i, one in enumerate(short[:40]))
    assert all(one.startswith("number…") and one[-1] == "…" for one in short[:40])
    kinds = [f"{kind} * {name}" for name in names for kind in ("age group", "prior sentence")]
    assert len(set(svg.tell_apart(kinds, 200, 13.5))) == 80


@given(
    st.lists(st.text("abßж", max_size=60), min_size=1, max_size=12),
    st.floats(30, 300),
)
def test_names_told_apart_fit_their_room(names, width):
    short = svg.tell_apart(names, width, 13)

    assert len(short) == len(names)
    for name, one in zip(names, short, strict=True):
        assert svg.text_width(one, 13) <= max(width, svg.text_width(one[:1] + "…", 13))
        if svg.text_width(name, 13) <= width:
            assert one == name


def test_wrapped_lines_hold_every_word_once():
    sentence = "one two three four five six seven eight nine ten"

    lines = svg.wrap(sentence, 90, 13)

    assert " ".join(lines) == sentence
    assert len(lines) > 2


def test_no_chart_names_a_file_a_font_of_ours_or_a_random_id(results):
    for picture in draw(results).values():
        assert not re.search(r"url\(|href|@font-face|clip", picture)
