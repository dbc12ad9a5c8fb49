"""The page of a study: whole, closed to the outside, true to its results, plain in its words."""

import base64
import copy
import hashlib
import itertools
import json
import re

import pytest

from engine.matching.store_columns import BY_NAME, plain_of
from engine.release.encoding import json_bytes
from engine.release.formats import figure
from engine.release.report.caveats import CAVEATS
from engine.release.report.page import TITLES, study_page
from tests.engine.release.report.conftest import StudyPage, first_screen, words_of
from tests.engine.release.report.drawn import KINDS, with_bootstrap
from tests.engine.release.report.studies import VERDICTS, study
from tests.engine.release.test_pages import PAYLOADS

# Numbers of the templates themselves: rates are in every 100, intervals hold 95%, a definition's
# examples. Everything else is a figure of the study.
FIXED = {"100", "95", "5", "31", "0.03", "3", "0.05", "0.1"}
# Half of the studies have a bootstrap.
RANDOM = [(seed, VERDICTS[seed % 5]) for seed in range(100, 130)]


@pytest.mark.parametrize(("seed", "verdict"), RANDOM)
def test_every_number_is_one_key_of_the_results(seed, verdict):
    results = study(seed, verdict)
    if seed % 2:
        results = with_bootstrap(results, seed, list(KINDS)[seed // 2 % len(KINDS)])
    written = json.loads(json_bytes(results))
    page = StudyPage(study_page(results))

    assert len(page.figures) > 100
    for key, form, shown in page.figures:
        assert shown == figure(written, key, form), key
    shown = {number for *_, text in page.figures for number in numbers(text)}
    for text in page.loose:
        text = re.sub(r"Tables? [1-7](\.| to 7:)", "", text)
        assert numbers(text) <= FIXED, text
    for chart, tag, tick, text in page.drawn:
        axis = tag == "text" and (tick or chart.startswith(("love-plot", "overlap-plot", "bars-")))
        missing = set() if axis else numbers(text) - FIXED - shown
        assert not missing, (chart, tag, text)


def numbers(text):
    return set(re.findall(r"\d+(?:[.,]\d+)*", text))


def test_a_number_without_a_key_would_be_found(results):
    page = StudyPage(study_page(results).replace('<h2 id="who">', '<h2 id="who">412 '))

    assert any(numbers(text) - FIXED for text in page.loose)


def test_the_page_is_well_formed_with_unique_ids(results):
    page = StudyPage(study_page(results))

    assert len(page.ids) == len(set(page.ids))
    assert "None" not in " ".join(page.text)
    levels = [int(tag[1]) for tag in re.findall(r"<(h[1-6])\b", study_page(results))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_the_page_needs_nothing_from_outside_and_runs_nothing(results):
    text = study_page(results)
    page = StudyPage(text)

    assert len(text.encode()) <= 1_000_000
    assert not [one for one in page.attributes if one[1].startswith("on") or one[1] == "style"]
    links = [value for _, name, value in page.attributes if name in ("href", "src", "xlink:href")]
    assert all(value.startswith("#") and value[1:] in page.ids for value in links)
    assert not re.search(r"<(script|iframe|object|embed|link|base|form|img)\b", text)
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in text


def test_all_parts_are_there(results):
    text = study_page(results)

    for name in TITLES:
        assert f'<h2 id="{name}">' in text
    assert 'id="headline"' in text


def test_charts_have_words_and_a_table_behind_them(results):
    text = study_page(results)
    charts = re.findall(r"<svg [^>]*role=\"img\"[^>]*>", text)

    assert charts
    assert text.count('role="img"') == len(charts)
    for chart in charts:
        title, description = re.search(r'aria-labelledby="([^"]+)"', chart).group(1).split()
        assert re.search(rf'<title id="{title}">[^<]+</title>', text)
        assert re.search(rf'<desc id="{description}">[^<]+</desc>', text)
    sections = re.findall(r"<section.*?</section>", text, re.DOTALL)
    for section in sections:
        if "<figure>" in section:
            assert re.search(r"<details>.*<table>", section[section.index("<figure>") :], re.DOTALL)


def test_tables_have_captions_scopes_and_names(results):
    text = study_page(results)
    tables = re.findall(r"<table>.*?</table>", text, re.DOTALL)

    assert len(tables) > 4
    for table in tables:
        assert table.startswith("<table>")
        assert "<caption>" in table
        assert re.search(r'<th scope="col"', table)
        assert not re.search(r"<th(?! scope)", table.replace("<thead", ""))


def test_same_results_same_bytes(results):
    assert study_page(results) == study_page(copy.deepcopy(results))


def test_words_that_say_too_much_stand_nowhere(results):
    text = words_of(study_page(results)).lower()

    for words in ("no effect", "no difference", "no impact", "proves", "proved that", "caused"):
        assert words not in text
    for found in re.finditer("significant", text):
        assert "more than chance" in text[max(0, found.start() - 200) : found.end()]


def test_nothing_pretends_to_be_official(results):
    text = words_of(study_page(results)).lower()

    for words in ("official statistic", "national statistic", "crown copyright", "gov.uk"):
        assert words not in text
    assert ("made-up data" in text) == results["study"]["synthetic"]


def test_held_back_figures_are_marked_with_their_rule():
    results = study(1, "fewer")
    measure = results["analyses"][0]["measures"][3]
    hidden = ("treated", "comparison", "difference", "ci_low", "ci_high", "p_text", "p_value")
    measure |= dict.fromkeys((*hidden, "treated_ci", "comparison_ci", "moj_compatible"))
    measure |= {"withheld": ["D2"], "verdict": "inconclusive", "significant": False}

    page = StudyPage(study_page(results))

    marks = [one for one in page.figures if one[0] == "analyses.0.measures.3.withheld"]
    assert len(marks) >= 5
    assert {shown for *_, shown in marks} == {"[suppressed: D2]"}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_names_of_a_user_are_shown_and_never_run(payload):
    plain = StudyPage(study_page(study(2, "fewer")))
    results = study(2, "fewer")
    results["study"]["service"] = results["study"]["service"] and payload
    results["study"]["organisation"] = results["study"]["organisation"] and payload
    for one in results["analyses"]:
        one["label"] = payload
    for row in results["balance"]["rows"] + results["attrition"]["stages"]:
        row["label"] = payload
    for key in results["service"]["answers"]:
        results["service"]["answers"][key] = payload

    text = study_page(results)

    page = StudyPage(text)
    tags = {(tag, name) for tag, name, _ in page.attributes}
    assert tags <= {(tag, name) for tag, name, _ in plain.attributes}
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def syllables(word):
    """Syllables of an English word, counted by its groups of vowels."""
    word = re.sub(r"[^a-z]", "", word.lower())
    if not word:
        return 1
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = bool(re.search(r"[^aeiouyl]e$|[^aeiouydt]ed$|[^aeiouycsxz]es$", word)) and groups > 1
    return max(1, groups - silent + word.startswith("reo"))


def grade(text):
    """Flesch-Kincaid grade: 0.39 words a sentence and 11.8 syllables a word, less 15.59."""
    sentences = [one for one in re.split(r"[.!?]+(?:\s|$)", text) if re.search("[A-Za-z]", one)]
    words = re.findall(r"[A-Za-z’']+|\d[\d,.]*", text)
    total = sum(map(syllables, words))
    return 0.39 * len(words) / len(sentences) + 11.8 * total / len(words) - 15.59


def test_the_grade_of_known_texts():
    assert [syllables(one) for one in ("people", "reoffended", "made", "little", "range")] == [
        2,
        4,
        1,
        2,
        1,
    ]
    assert grade("The cat sat on the mat.") < 0
    assert (
        grade(
            "Methodological heterogeneity necessitates comprehensive sensitivity analyses,"
            " notwithstanding considerable administrative limitations."
        )
        > 20
    )


def sentences_of(screen):
    """All whole sentences of a part of a page."""
    blocks = re.findall(r"<(?:p|li)\b[^>]*>(.*?)</(?:p|li)>", screen, re.DOTALL)
    sentences = [" ".join(re.sub("<[^>]+>", " ", one).split()) for one in blocks]
    return " ".join(one for one in sentences if one.endswith("."))


@pytest.mark.parametrize("seed", range(5))
def test_the_first_screen_is_plain_to_read(verdict, seed):
    results = study(seed, verdict)
    told = sentences_of(first_screen(study_page(results)))

    assert len(told) > 200
    assert grade(told) <= 7


def test_the_first_screen_is_plain_whatever_fact_the_groups_differ_in():
    screen = first_screen(study_page(study(1, "match_not_adequate")))
    assert screen.count("length of the sentence") == 1

    for plain in {plain_of(name) for name in BY_NAME}:
        told = screen.replace("length of the sentence", plain)
        assert grade(sentences_of(told)) <= 7, plain
        assert JARGON.findall(re.sub("<[^>]+>", " ", told)) == [], plain


@pytest.mark.parametrize("seed", range(5))
def test_the_first_screen_needs_no_statistics(verdict, seed):
    screen = first_screen(study_page(study(seed, verdict)))

    assert JARGON.findall(re.sub("<[^>]+>", " ", screen)) == []


JARGON = re.compile(
    r"\b(propensity|caliper|logit|log|standardised|covariates?|balance|SMD|p-value|significant"
    r"|Welch|OGRS|Copas|odds|confounder|weighted|match(?:ed|ing)?|treated|controls?|ATT)\b",
    re.IGNORECASE,
)


def test_every_caveat_of_the_contract_has_words():
    for lead, words in CAVEATS.values():
        assert lead.endswith(".")
        assert words.endswith(".")


def test_a_test_that_finds_nothing_beside_a_clear_verdict_is_a_warning():
    results = study(1, "fewer")
    results["sensitivity"]["gamma"] |= {"gamma": 1.0, "sentence": "There is nothing to explain."}

    words = words_of(study_page(results))

    assert "A second test" in words
    assert "even a slight unseen difference" in words
    assert "There is nothing to explain." not in words


def test_parts_that_were_chosen_late_are_marked():
    results = study(1, "fewer")
    for one in results["analyses"]:
        one["declared"] = True
    early = words_of(study_page(results))
    results["analyses"][-1]["declared"] = False
    late = words_of(study_page(results))

    assert "Every part was named in the plan" in early
    assert "chosen later" not in early
    assert "chosen later" in late
    assert "Every part was named in the plan" not in late
