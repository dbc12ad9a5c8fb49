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


def test_a_table_without_rows_is_not_shown():
    results = study(1, "inconclusive")
    results["sensitivity"]["left_out"]["rows"] = []
    words = words_of(study_page(results))

    assert "as strong as this fact" not in words
    assert "The strongest are shown" not in words
    assert "The strongest are shown" in words_of(study_page(study(1, "fewer")))


def test_the_share_of_everybody_never_lies_outside_those_of_its_groups():
    """Counts of the least and the most that rounding lets stand, as a trial had them."""
    results = study(1, "fewer")
    results["attrition"].update(submitted=120, analysed=105, analysed_percent=88)
    low, high = results["attrition"]["groups"]
    low.update(submitted=50, analysed=40, analysed_percent=80)
    high.update(submitted=110, analysed=95, analysed_percent=86)
    assert "the share was lowest" not in words_of(study_page(results))

    high.update(submitted=70, analysed=65, analysed_percent=93)
    assert "the share was lowest" not in words_of(study_page(results))  # 37.5/52.5 to 42.5/47.5

    low.update(submitted=500, analysed=400)
    high.update(submitted=700, analysed=650)
    assert "the share was lowest" in words_of(study_page(results))


def test_groups_that_are_all_held_back_are_one_sentence():
    results = study(1, "fewer")
    for one in results["attrition"]["groups"]:
        one.update(analysed=None, analysed_percent=None, withheld=["D2"])
    results["linkage"]["by_group"] = [
        {"group": "age", "level": n, "label": n, "linked_percent": None, "withheld": ["D2"]}
        for n in ("under", "over")
    ]
    text = study_page(results)
    words = words_of(text)

    assert "Table of groups" not in text
    assert "Table of links by group" not in text
    assert "each group could be analysed is held back: [suppressed: D2]" in words
    assert "national records of each group is held back: [suppressed: D2]" in words


def test_a_closer_look_names_the_answers_that_call_for_it():
    results = study(1, "fewer")
    results["caveats"] = ["needs_approval"]
    results["service"]["questions"].append({"key": "learning", "text": "Is it for learners?"})
    assert "Is it for learners" not in first_screen(study_page(results))

    results["service"]["groups"] = ["learning"]
    assert "‘<span" in (screen := first_screen(study_page(results)))
    assert "Is it for learners?" in screen


def test_another_ratio_than_that_of_the_plan_is_said():
    results = study(1, "fewer")
    results["method"]["ratio"] = 20
    assert "The plan asks for a ratio of 5" in words_of(study_page(results))

    results["method"]["ratio"] = 5
    assert "The plan asks for a ratio" not in words_of(study_page(results))


def test_a_part_that_was_too_small_names_the_limit_of_the_plan():
    results = study(1, "fewer")
    part = results["analyses"][-1]
    part.update(status="not_run", why_not="too_few_treated", measures=[])
    part["counts"] = dict.fromkeys(part["counts"]) | {"withheld": ["plan"]}
    results["withheld"].append({"rule": "plan", "figures": 1})
    words = words_of(study_page(results))

    assert "fewer than the 60 people that the plan asks for" in words
    assert (
        "[suppressed: plan] (the part has fewer people than the plan asks of one, which is 60)"
        in words
    )
