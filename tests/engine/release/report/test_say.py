"""What a study lets be said: never against its interval, never more than it shows."""

import random
import re
from collections import Counter

import pytest

from engine.errors import JusticeLabError
from engine.release.formats import lookup
from engine.release.report import say
from engine.release.report.lines import can_say, cannot_say, clear_parts, for_all
from engine.release.report.page import study_page
from engine.release.report.sentences import Sentence, plain, sentence
from tests.engine.release.report.conftest import words_of
from tests.engine.release.report.studies import MEASURES, VERDICTS, study

CLEAR = re.compile(
    r"between (less than [01.]+|[\d.,]+) and ([\d.,]+) (fewer|more|days? sooner|days? later)"
)
UNCLEAR = re.compile(
    r"anything from ([\d.,]+) (?:fewer|days? sooner) to ([\d.,]+) (?:more|days? later)"
)
NEUTRAL = re.compile(
    r"less or more often|fewer or more|sooner or later|fewer than \d+|more than chance"
)
LOWER = re.compile(r"\b(fewer|less often|sooner|earlier)\b")
HIGHER = re.compile(r"\b(more|later)\b")
FORBIDDEN = re.compile(
    r"no effect|no difference|no impact|\bprove[sd]\b|caused?\b|statistically|significan",
    re.IGNORECASE,
)


def text(results, said):
    return plain(results, said)


def everything(results):
    """Measure and sentence of all that is said of the results of a study, as plain text."""
    told = say.headline(results)
    key = "reoffended"
    yield key, " ".join([told.label, *(text(results, one) for one in told.lead)])
    for card in say.cards(results):
        words = " ".join(text(results, one) for one in card.said)
        yield card.measure, f"{text(results, Sentence(card.verdict))}. {words}"
    for name, *_ in MEASURES:
        said = can_say(results, name)
        if said is not None:
            yield name, text(results, said)


def number(words):
    return 0.0 if words.startswith("less than") else float(words.replace(",", ""))


def contradicts(measure, words):
    """Whether words tell another interval, or another direction, than the measure has."""
    measure = measure or {"ci_low": None, "verdict": None}
    shown = measure.get("per_100") or measure
    low, high = shown["ci_low"], shown["ci_high"] if shown["ci_low"] is not None else None
    clear = measure["verdict"] in ("fewer", "more", "earlier", "later") and low is not None
    told = []
    for near, far, side in CLEAR.findall(words):
        ends = (number(near), number(far))
        told.append(ends if side in ("more", "days later", "day later") else (-ends[1], -ends[0]))
    wide = [(-number(one), number(other)) for one, other in UNCLEAR.findall(words)]
    if any(one != (low, high) for one in told + wide) or (told and not clear) or (wide and clear):
        return True
    rest = NEUTRAL.sub("", UNCLEAR.sub("", CLEAR.sub("", words)))
    if clear and not told and not LOWER.search(rest) and not HIGHER.search(rest):
        return True
    falls, rises = (clear and high <= 0), (clear and low >= 0)
    return bool((LOWER.search(rest) and not falls) or (HIGHER.search(rest) and not rises))


def test_2000_studies_never_say_what_their_interval_does_not():
    seen = Counter()
    contradictions = []
    for seed in range(2_000):
        results = study(seed, VERDICTS[seed % 5])
        seen[results["headline"]["verdict"]] += 1
        for name, words in everything(results):
            key = say.find(results, name)
            if contradicts(key and lookup(results, key), words):
                contradictions.append((seed, name, words))
            if FORBIDDEN.search(words):
                contradictions.append((seed, "forbidden", words))

    assert contradictions[:3] == []
    assert min(seen[verdict] for verdict in VERDICTS) >= 300


def test_parts_that_are_clear_are_told_as_their_intervals_have_them():
    told = 0
    for seed in range(200):
        results = study(seed, VERDICTS[seed % 4])
        for said in clear_parts(results):
            base = said.figures[1][0].removesuffix(".label")
            words = text(results, said)
            assert not contradicts(lookup(results, base), words), (seed, words)
            told += 1
    assert told > 500


def test_the_check_for_contradictions_finds_a_planted_one():
    results = study(5, "fewer")
    measure = results["analyses"][0]["measures"][0]
    words = dict(everything(results))["reoffended"]
    swapped = {**measure, "per_100": None, "ci_low": 2, "ci_high": 12, "verdict": "more"}
    wide = {"ci_low": -5, "ci_high": 5, "verdict": "inconclusive"}

    assert not contradicts(measure, words)
    assert contradicts(swapped, words)
    assert contradicts(wide, words)
    assert contradicts(wide, "People who took part reoffended less often.")
    assert contradicts({**measure, "verdict": "inconclusive"}, "It is not clear. 7 more.")


@pytest.mark.parametrize(
    ("verdict", "low", "high"),
    [
        ("fewer", -5, 1),
        ("fewer", 1, 5),
        ("more", -1, 5),
        ("earlier", -1, 3),
        ("later", -3, -1),
        ("inconclusive", 1, 5),
        ("inconclusive", -5, -1),
        ("unheard of", -5, 1),
    ],
)
def test_a_verdict_against_its_interval_is_refused(verdict, low, high):
    measure = {"measure": "x", "verdict": verdict, "ci_low": low, "ci_high": high, "difference": 0}
    measure["difference"] = (low + high) / 2

    with pytest.raises(JusticeLabError):
        say.standing(measure)


def test_an_end_rounded_to_nothing_is_called_less_than_one():
    results = study(1, "fewer")
    part = results["analyses"][0]["measures"][0]
    part |= {"ci_low": -6, "ci_high": 0, "difference": -3}
    part["per_100"] |= {"ci_low": -6, "ci_high": 0, "difference": -3}

    lead = " ".join(text(results, one) for one in say.headline(results).lead)

    assert "between less than 1 and 6 fewer in every 100" in lead
    assert "between less than 1 and 6 fewer in every 100" in text(
        results, can_say(results, "reoffended")
    )


def mirrored(results):
    """The same study with every difference of its first measure turned around."""
    one = results["analyses"][0]["measures"][0]
    for part in (one, one["per_100"]):
        part["ci_low"], part["ci_high"] = -part["ci_high"], -part["ci_low"]
        part["difference"] = -part["difference"]
        part["treated"], part["comparison"] = part["comparison"], part["treated"]
    one["verdict"] = results["headline"]["verdict"] = "more"
    return results


def test_more_is_the_mirror_of_fewer_as_plain_and_as_long():
    fewer = say.headline(study(3, "fewer"))
    more = say.headline(mirrored(study(3, "fewer")))

    assert len(fewer.lead) == len(more.lead) == 3
    for one, other in zip(fewer.lead, more.lead, strict=True):
        assert re.sub(r"fewer|ci_high|ci_low", "", one.words) == re.sub(
            r"more|ci_high|ci_low", "", other.words
        )
    assert fewer.label.replace("less", "more") == more.label


def test_an_inconclusive_study_says_how_many_people_would_be_needed():
    results = study(3, "inconclusive")
    results["headline"]["people_needed"] = 450
    told = say.headline(results)
    words = " ".join(text(results, one) for one in told.lead + told.then)

    assert "could be anything from" in words
    assert "about 450 people" in words
    assert "does not show that the service fails. It does not show that it works" in words

    results["headline"]["people_needed"] = None
    words = " ".join(text(results, one) for one in say.headline(results).then)
    assert "so small" in words


def test_a_match_that_is_not_adequate_says_what_is_missing_and_compares_nothing():
    results = study(3, "match_not_adequate")
    told = say.headline(results)
    words = " ".join(text(results, one) for one in told.lead + told.then)

    assert "could not find people who were enough like" in words
    assert "at least 70% are needed" in words
    assert "What would help" in words
    assert "similar people who did not" not in words
    assert say.cards(results) == []
    assert can_say(results, "n_reoffences") is None


def test_where_everybody_was_paired_it_is_not_said_that_nobody_was_found():
    results = study(3, "match_not_adequate")
    for rule in results["analyses"][0]["gate"]["rules"]:
        rule["passed"] = rule["code"] != "largest_smd"
    words = " ".join(text(results, one) for one in say.headline(results).lead)

    assert "could not find" not in words
    assert "two groups as a whole are not enough alike" in words
    assert "most of all in" in words


def test_too_few_reoffenders_says_what_would_cure_it():
    results = study(3, "too_few_reoffenders")
    told = say.headline(results)
    words = " ".join(text(results, one) for one in told.lead + told.then)

    assert "fewer than 30 of those who took part reoffended" in words
    assert "More people would cure this" in words


@pytest.mark.parametrize("verdict", VERDICTS)
def test_each_line_names_the_service_and_stands_alone(verdict):
    for seed in range(20):
        results = study(seed, verdict)
        results["study"]["service"] = "Bridge to Work"
        names = [name for name, *_ in MEASURES]
        lines = [can_say(results, name) for name in names]
        lines += [cannot_say(results, name) for name in names] + [for_all(results)]
        for said in filter(None, lines):
            words = text(results, said)
            assert "Bridge to Work" in words
            assert words.endswith(".")
            assert not re.match(r"(It|They|This) (?!is not clear|study)", words), words
            assert "n/a" not in words


def test_a_sentence_takes_numbers_by_key_only():
    assert sentence("{.a|whole} of 100", "x.0").figures == [("x.0.a", "whole")]
    assert plain({"a": -7.4}, sentence("{a|whole_size} fewer")) == "7 fewer"
    for words in ("{a|nothing}", "{a}", "a brace { left", "{a b|whole}"):
        with pytest.raises(ValueError, match=r"no format|brace"):
            sentence(words)


def test_names_with_braces_are_names():
    results = {"study": {"service": "{study.first|whole} {x}"}}

    assert plain(results, sentence("{study.service|text}.")) == "{study.first|whole} {x}."


def test_random_studies_differ():
    assert len({random.Random(seed).random() for seed in range(5)}) == 5
    assert study(1, "fewer") == study(1, "fewer")
    assert study(1, "fewer") != study(2, "fewer")


def test_a_headline_that_is_held_back_says_so_and_nothing_else():
    results = study(3, "fewer")
    measure = results["analyses"][0]["measures"][0]
    hidden = ("treated", "comparison", "difference", "ci_low", "ci_high", "p_text", "per_100")
    measure |= dict.fromkeys((*hidden, "treated_ci", "comparison_ci", "moj_compatible", "verdict"))
    measure |= {"withheld": ["D2"], "significant": False}
    results["headline"]["verdict"] = None

    words = words_of(study_page(results))

    assert "The result cannot be shown" in words
    assert "so few people that they are held back" in words
    assert "likely to be between" not in words[: words.index("The result in three numbers")]
    assert can_say(results, "reoffended") is None
