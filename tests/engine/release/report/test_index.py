"""The index page of several studies: a line each, true to its study."""

import re

import pytest

from engine.release.formats import figure
from engine.release.report.index import index_page
from tests.engine.release.report.conftest import StudyPage, words_of
from tests.engine.release.report.studies import VERDICTS, study
from tests.engine.release.report.test_page import numbers
from tests.engine.release.test_pages import PAYLOADS

STUDIES = [(f"{verdict}/report.html", study(7, verdict)) for verdict in VERDICTS]


def test_a_line_for_each_study_with_its_verdict_and_a_link():
    text = index_page(STUDIES, "All services")
    words = words_of(text)

    assert text.count("<tbody>") == 1
    for path, _ in STUDIES:
        assert f'<a href="{path}">' in text
    for verdict in ("Less often", "More often", "Not clear yet", "Too few people", "Not compared"):
        assert verdict in words
    assert "All services" in words
    assert "2 of 5 studies found a gap that is more than chance" in words


def test_every_number_of_the_index_is_one_key_of_a_study():
    page = StudyPage(index_page(STUDIES))
    whole = {"studies": [one for _, one in STUDIES]}

    for key, form, shown in page.figures:
        assert shown == figure(whole, key, form), key
    for text in page.loose:
        assert numbers(text) <= {"100", "95"}, text


def test_the_index_is_closed_to_the_outside_and_well_formed():
    text = index_page(STUDIES)
    page = StudyPage(text)

    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"<(script|iframe|object|embed|link|base|form|img)\b", text)
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "None" not in "".join(page.text)


@pytest.mark.parametrize(
    "path", ["javascript:alert(1)", "/etc/passwd", "https://example.org", "\\\\x"]
)
def test_a_path_that_leads_elsewhere_is_refused(path):
    with pytest.raises(ValueError, match="relative"):
        index_page([(path, STUDIES[0][1])])


@pytest.mark.parametrize("payload", PAYLOADS)
def test_names_are_shown_and_never_run(payload):
    results = study(7, "fewer")
    results["study"] |= {"service": payload, "organisation": payload, "period": payload}

    text = index_page([("one/report.html", results)], payload)

    StudyPage(text)
    assert "<script" not in text
    assert "<img" not in text


def test_studies_without_any_interval_need_no_chart():
    text = index_page([("one/report.html", study(7, "match_not_adequate"))])

    assert "no fair comparison" in words_of(text)
    assert 'role="img"' not in text
