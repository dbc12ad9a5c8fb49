"""The panel of a bootstrap: its numbers, what it says of them, and when nothing may be read."""

import json

import pytest

from engine.release.encoding import json_bytes
from engine.release.formats import figure
from engine.release.report.charts import draw
from engine.release.report.page import study_page
from engine.release.report.sheets import NAMES_OF_SHEETS, csv_tables
from tests.engine.release.report.conftest import StudyPage, words_of
from tests.engine.release.report.drawn import KINDS, with_bootstrap
from tests.engine.release.report.studies import VERDICTS, study


def first_of(results):
    return results["bootstrap"]["measures"][0]


def test_a_study_without_a_bootstrap_has_no_panel(results):
    text = study_page(results)

    assert 'id="again"' not in text
    assert "bootstrap." not in text
    assert "again" not in draw(results)
    assert "bootstrap" not in csv_tables(results)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verdict", VERDICTS[:4])
def test_every_number_of_the_panel_is_a_key(verdict, kind):
    results = with_bootstrap(study(3, verdict), 3, kind)
    written = json.loads(json_bytes(results))
    page = StudyPage(study_page(results))

    found = [one for one in page.figures if one[0].startswith("bootstrap.")]
    for key, form, shown in found:
        assert shown == figure(written, key, form), key
    for i, one in enumerate(results["bootstrap"]["measures"]):
        for j in range(4):
            base = f"bootstrap.measures.{i}"
            keys = {f"{base}.withheld"} if one["withheld"] else {
                f"{base}.intervals.{j}.ci_low", f"{base}.intervals.{j}.ci_high",
            }  # fmt: skip
            assert keys <= {key for key, *_ in found}


def test_the_main_interval_is_named_and_comes_first():
    results = with_bootstrap(study(1, "fewer"))
    text = study_page(results)
    panel = text[text.index('id="again"') :]
    charts = draw(results)

    assert "The main interval, which this report goes by" in panel
    assert panel.index(">Main interval</th>") < panel.index(">Basic (read this one)</th>")
    for name in ("again", "again-narrow"):
        assert charts[name].index("Main interval") < charts[name].index("Drawn again: Percentile")
        assert "(read this one)" in charts[name]


@pytest.mark.parametrize(
    ("main", "second", "said"),
    [
        (True, True, "The two agree: by both, the true gap may lie on either side"),
        (False, False, "The two agree: by both, the whole interval lies on one side"),
        (True, False, "The two do not agree: the main interval takes in zero"),
        (False, True, "The two do not agree: the main interval leaves out zero"),
    ],
)
def test_it_says_whether_the_two_agree(main, second, said):
    results = with_bootstrap(study(1, "fewer"))
    first = first_of(results)
    first["main"]["spans_zero"] = main
    next(one for one in first["intervals"] if one["method"] == "basic")["spans_zero"] = second
    first["agrees"] = main == second

    assert said in words_of(study_page(results))
    assert ("do not agree" in draw(results)["again"]) == (main != second)


def test_where_it_is_not_valid_nothing_is_read_from_it():
    results = with_bootstrap(study(1, "fewer"), kind="refit", valid=False)
    words, chart = words_of(study_page(results)), draw(results)["again"]

    assert "nothing may be read from it" in words
    for one in (words, chart):
        assert "read this one" not in one
        assert "agree" not in one.replace("do not all agree", "").replace("three results agree", "")
    assert "not valid for this match" in chart


def test_a_headline_measure_that_is_held_back_has_no_chart_and_no_verdict():
    results = with_bootstrap(study(1, "fewer"))
    first = first_of(results)
    for one in (first["main"], *first["intervals"]):
        one |= dict.fromkeys(("ci_low", "ci_high", "spans_zero"))
    first |= {"difference": None, "agrees": None, "withheld": ["D2"]}
    text = study_page(results)
    panel = StudyPage(text[text.index('<h3 id="again">') :].partition("</section>")[0])

    assert "again" not in draw(results)
    assert "The two" not in " ".join(panel.text)
    row = [shown for key, _, shown in panel.figures if key == "bootstrap.measures.0.withheld"]
    assert row == ["[suppressed: D2]"] * 5


def test_the_table_has_a_row_for_each_interval_of_each_measure():
    results = with_bootstrap(study(2, "inconclusive"))
    rows = csv_tables(results)["bootstrap"].to_pylist()

    assert NAMES_OF_SHEETS[-1] == "bootstrap"
    assert len(rows) == 5 * len(results["bootstrap"]["measures"])
    assert [row["interval"] for row in rows[:5]] == [
        "main", "percentile", "basic", "normal", "bca",
    ]  # fmt: skip
    assert [row["read"] for row in rows[:5]] == ["yes", "no", "yes", "no", "no"]
    for row, one in zip(rows[1:5], first_of(results)["intervals"], strict=True):
        assert (row["difference_lower_end"], row["difference_upper_end"]) == (
            one["ci_low"], one["ci_high"],
        )  # fmt: skip
