"""The page: well-formed, closed to the outside, true to results.json, careful in its words."""

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from engine.release.charts import draw
from engine.release.encoding import json_bytes
from engine.release.formats import figure
from engine.release.pages import match_page, notebook_html
from engine.release.words import closeness, limit_words, main_caution, verdict

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr"}
PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% raw %}",
    "</style><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "&lt;b&gt; & <b>",
    "\x1b]8;;http://example.org\x07click\x1b]8;;\x07",
    "\u202egnp.exe",
    "]]><!--",
    "javascript:alert(1)",
    "[red]markup[/red]",
    "../../etc/passwd",
]
PROBABILITY = {
    "given": "0.01 probability",
    "scale": "probability",
    "width_logit": 0.5,
    "widest_probability_gap": 0.01,
}
# Numbers that stand in the templates and not in the results: limits, levels, orders of magnitude.
FIXED = {"0", "0.05", "0.1", "0.5", "1", "2", "4", "10", "25", "30", "95", "100"}


class Page(HTMLParser):
    """Checks nesting and collects texts, attributes and figures."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.figures, self.loose, self.attributes, self.ids = [], [], [], [], []
        self.text = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag in VOID:
            return
        self.open.append((tag, attributes))
        if "data-key" in attributes:
            self.figures.append([attributes["data-key"], attributes["data-format"], ""])

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1]}"
        self.open.pop()

    def handle_data(self, data):
        tags = [tag for tag, _ in self.open]
        if any("data-key" in attributes for _, attributes in self.open):
            self.figures[-1][2] += data
        elif not {"style", "svg", "code", "title"} & set(tags):
            self.loose.append(data)
        if "style" not in tags:
            self.text.append(data)


def test_page_and_notebook_are_well_formed_with_unique_ids(any_results):
    for text in (match_page(any_results, content_id="c0"), notebook_html(any_results)):
        page = Page(text)
        assert len(page.ids) == len(set(page.ids))
        assert "None" not in " ".join(page.text)


def test_page_needs_nothing_from_outside_and_runs_nothing(any_results):
    text = match_page(any_results)
    page = Page(text)

    assert not [one for one in page.attributes if one[1].startswith("on") or one[1] == "style"]
    links = [value for _, name, value in page.attributes if name in ("href", "src", "xlink:href")]
    assert links
    assert all(value.startswith("#") and value[1:] in page.ids for value in links)
    assert not re.search(r"<(script|iframe|object|embed|link|base|form|img)\b", text)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text


def words_of(text):
    """What a reader sees, with single spaces."""
    return " ".join("".join(Page(text).text).split())


def test_only_the_style_of_the_page_itself_is_allowed(results):
    text = match_page(results)

    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text).group(1)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_page_says_that_it_is_a_working_page(any_results):
    text = match_page(any_results)

    assert "Working page, not disclosure-controlled" in text
    assert 'lang="en-GB"' in text
    assert "width=device-width" in text


def test_every_number_is_one_key_of_the_results(any_results):
    """Invariant 29: a printed figure is the formatted function of results.json."""
    written = json.loads(json_bytes(any_results))
    page = Page(match_page(any_results))

    assert len(page.figures) > 20
    for key, form, shown in page.figures:
        assert shown == figure(written, key, form), key
    for text in page.loose:
        for number in re.findall(r"\d+(?:[.,]\d+)*", text):
            assert number in FIXED, text


def test_the_notebook_fragment_is_as_traceable_as_the_page(any_results):
    page = Page(notebook_html(any_results))

    for key, form, shown in page.figures:
        assert shown == figure(any_results, key, form), key


def test_the_notebook_fragment_shows_what_to_know_first(any_results):
    text = " ".join("".join(Page(notebook_html(any_results)).text).split())

    assert all(one in text for one in any_results["warnings"])
    assert all(one["interval_method"] in text for one in any_results["estimates"])
    assert ("Caution" in text) == (main_caution(any_results) is not None)
    assert ("Do not use this match" in text) == (any_results["certificate"]["violations"] > 0)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_names_and_warnings_are_shown_and_never_run(any_results, payload):
    plain = Page(match_page(any_results))
    poisoned = poison(any_results, payload)

    text = match_page(poisoned, content_id=payload)

    page = Page(text)
    assert [one[:2] for one in page.attributes] == [one[:2] for one in plain.attributes]
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    Page(notebook_html(poisoned))


def poison(results, payload):
    """The same results with the payload in every name that a user's table decides."""
    poisoned = copy.deepcopy(results)
    poisoned["design"]["treatment"] = payload
    poisoned["design"]["covariates"] = [payload] * len(poisoned["design"]["covariates"])
    for row in poisoned["balance"]:
        row["name"] = payload
    if poisoned["balance_summary"]["largest_smd_after_name"]:
        poisoned["balance_summary"]["largest_smd_after_name"] = payload
    for row in poisoned["unmatched"]["profile"]:
        row["name"] = payload
    for row in poisoned["estimates"]:
        row["outcome"] = payload
        row["cautions"] = [payload] * len(row["cautions"])
        left_out = (row["sensitivity"] or {}).get("left_out") or {"covariates": []}
        for one in left_out["covariates"]:
            one["name"] = payload
    for part in ("terms", "dropped", "separation"):
        for row in (poisoned["propensity"] or {}).get(part, []):
            row["name"] = payload
    for row in poisoned["placebos"]:
        row["name"] = row["sentence"] = payload
    poisoned["warnings"] = [payload] * len(poisoned["warnings"])
    return poisoned


def test_same_results_same_bytes(any_results):
    assert match_page(any_results) == match_page(copy.deepcopy(any_results), draw(any_results))


@pytest.mark.parametrize(
    ("low", "high", "said", "unsaid"),
    [
        (-0.12, -0.02, "between 2 and 12 fewer in every 100", "cannot tell"),
        (0.02, 0.12, "between 2 and 12 more in every 100", "cannot tell"),
        (-0.06, 0.03, "anything from 6 fewer to 3 more in every 100", "likely to be"),
        (-0.06, 0.0, "the numbers cannot tell yet", "likely to be"),
        (None, None, "Without an interval", "likely to be"),
    ],
)
def test_headline_follows_the_interval(results, low, high, said, unsaid):
    results["estimates"][0] |= {"ci_low": low, "ci_high": high}

    text = " ".join("".join(Page(match_page(results)).text).split())

    start = text[: text.index("What was asked")]
    assert said in start
    assert unsaid not in start


def test_an_inconclusive_result_is_never_called_no_effect(any_results):
    text = "".join(Page(match_page(any_results)).text).lower()

    for words in ("no effect", "no difference", "proved", "proven", "significant", "caused"):
        assert words not in text


HELD = "Only 7.4 events are expected among the treated: this result must not be published."


@pytest.mark.parametrize("change", [{"publishable": False}, {"enough_events": False}])
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ((-0.12, -0.02), "runs from 12 fewer to 2 fewer in every 100"),
        ((-0.06, 0.03), "runs from 6 fewer to 3 more in every 100"),
        ((0.02, 0.12), "runs from 2 more to 12 more in every 100"),
    ],
)
def test_too_few_events_give_no_verdict_wherever_the_interval_lies(results, change, limits, said):
    low, high = limits
    results["estimates"][0] |= {"ci_low": low, "ci_high": high, "cautions": [HELD]} | change

    text = words_of(match_page(results))
    start = text[: text.index("What was asked")]

    assert "reoffended: too few events for a verdict" in start
    assert HELD in start
    assert said in start
    for unsaid in ("likely to be", "among treated people,", "cannot tell"):
        assert unsaid not in start
    assert "too few events to be called clear, however these figures turn out" in text
    assert ("must not be published (577 expected)" in text) == ("publishable" in change)
    assert ("may be published but not called clear" in text) == ("enough_events" in change)
    assert f"Caution: {HELD}" in words_of(notebook_html(results))


def test_the_page_says_how_the_interval_was_made_and_what_was_refused(any_results):
    page = Page(match_page(any_results))
    keys = {key: shown for key, _, shown in page.figures}
    text = words_of(match_page(any_results))

    for number, one in enumerate(any_results["estimates"]):
        base = f"estimates.{number}"
        assert keys[f"{base}.interval_method"] == one["interval_method"]
        for other, interval in enumerate(one["secondary"]):
            assert keys[f"{base}.secondary.{other}.method"] == interval["method"]
        for other, _ in enumerate(one["ratios"]):
            assert f"{base}.ratios.{other}.ci_high" in keys
        assert (f"{base}.adjusted.ci_low" in keys) == (one["adjusted"] is not None)
        for other, caution in enumerate(one["cautions"]):
            assert keys[f"{base}.cautions.{other}"] == caution
    if any_results["estimates"]:
        assert keys["estimates.0.interval_why"] in text
        for number, refusal in enumerate(any_results["estimates"][0]["refused"]):
            assert keys[f"estimates.0.refused.{number}.reason"] == refusal["reason"]
    assert "first one" not in text


def test_an_interval_asked_for_by_name_is_called_so(results):
    by_design = words_of(match_page(results))
    results["estimates"][0] |= {
        "interval_asked": "welch-raw",
        "interval_method": "welch-raw (MoJ-compatible, not design-based)",
    }
    asked = words_of(match_page(results))

    assert "takes in how people were matched" in by_design
    assert "asked for by name" not in by_design
    assert "welch-raw was asked for by name" in asked
    assert "does not take in how people were matched" in asked
    assert "therefore covers chance" not in asked


def test_sensitivity_has_one_sentence_each_with_its_numbers_behind(any_results):
    text = match_page(any_results)
    keys = {key: shown for key, _, shown in Page(text).figures}

    for number, one in enumerate(any_results["estimates"]):
        for part in ("rosenbaum", "left_out", "instability"):
            figures = (one["sensitivity"] or {}).get(part)
            key = f"estimates.{number}.sensitivity.{part}"
            assert (f"{key}.sentence" in keys) == (figures is not None)
    for number, placebo in enumerate(any_results["placebos"]):
        assert keys[f"placebos.{number}.sentence"] == placebo["sentence"]
        assert f"placebos.{number}.ci_low" in keys
    shown = any_results["estimates"] or any_results["placebos"] or any_results["support"]
    assert ('<h2 id="sensitivity">' in text) == bool(shown)


def test_the_sentence_on_e_values_is_not_that_of_the_odds_ratio(results):
    text = words_of(match_page(results))

    assert "from the risk ratio." in text
    assert "from the odds ratio." not in text


def test_an_alarm_of_a_placebo_stands_above_everything_that_follows_the_headline(results):
    placebo = {"name": "height", "difference": 1.0, "ci_low": -1.0, "ci_high": 3.0,
               "p_value": 0.3, "alarm": False, "sentence": "Nothing to see."}  # fmt: skip
    results["placebos"] = [placebo]
    quiet = words_of(match_page(results))
    results["placebos"] = [placebo, placebo | {"alarm": True, "sentence": "Already differed."}]
    alarmed = words_of(match_page(results))

    assert "Nothing to see" not in quiet[: quiet.index("What was asked")]
    assert "Read this with care. Already differed." in alarmed[: alarmed.index("What was asked")]
    assert "Warning. Already differed." in alarmed


def test_placebos_are_shown_without_an_outcome(results):
    results["placebos"] = [{"name": "height", "difference": 1.0, "ci_low": None, "ci_high": None,
                            "p_value": None, "alarm": False, "sentence": "Too few."}]  # fmt: skip
    results |= {"estimates": [], "support": None}

    page = Page(match_page(results))

    assert "sensitivity" in page.ids
    assert "estimates" not in page.ids


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("binary", ("fewer", "more")),
        ("time", ("days sooner", "days later")),
        ("count", ("lower", "higher")),
    ],
)
def test_limits_have_the_word_of_their_side(kind, words):
    def said(low, high):
        return limit_words({"type": kind, "ci_low": low, "ci_high": high})

    assert said(-2, 1) == words
    assert said(-2, -1) == (words[0], words[0])
    assert said(1, 2) == (words[1], words[1])


def test_the_caution_not_to_be_missed_follows_its_rank():
    plain = {"difference": 1.0, "ci_low": 0.5, "ci_high": 2.0, "cautions": ["few"]}
    held = plain | {"enough_events": False}
    alarm = [{"alarm": False}, {"alarm": True, "sentence": "differed"}]

    assert main_caution({}) is None
    assert main_caution({"estimates": [plain | {"cautions": []}], "placebos": alarm[:1]}) is None
    assert main_caution({"estimates": [plain]}) == "estimates.0.cautions.0"
    assert main_caution({"estimates": [plain], "placebos": alarm}) == "placebos.1.sentence"
    assert main_caution({"estimates": [plain, held], "placebos": alarm}) == "estimates.1.cautions.0"


def test_values_that_round_alike_are_told_apart(results):
    results["estimates"][0] |= {"treated": 0.3812, "comparison": 0.3791}

    text = "".join(Page(match_page(results)).text)

    assert "38.1 in every 100" in text
    assert "37.9 in every 100" in text


def test_tables_have_captions_scopes_and_right_aligned_numbers(any_results):
    text = match_page(any_results)

    for table in re.findall(r"<table>.*?</table>", text, re.DOTALL):
        assert table.startswith("<table>\n<caption>")
        assert "<th>" not in table
        assert all(
            'class="figure"' in cell for cell in re.findall(r"<td[^>]*><span class=\"n.*", table)
        )
    assert text.count('role="region"') == text.count("<table>")


def test_a_broken_match_is_called_so_above_everything_else(results):
    results["certificate"]["violations"] = 1
    results["balance_summary"]["poorly_matched"] = 2

    text = "".join(Page(match_page(results)).text)

    first = text.index("Do not use this match")
    assert first < text.index("Read this with care") < text.index("What was asked")


def test_parts_that_the_results_do_not_hold_are_left_out(results):
    text = match_page(results)
    assert "Other calipers and ratios" not in text

    results |= {"warnings": [], "estimates": [], "support": None}
    page = Page(match_page(results))
    assert not {"warnings", "estimates", "path", "sensitivity"} & set(page.ids)
    assert "No outcome was given" in "".join(page.text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "radius", "ratio": None, "order": None}, "every comparison person within"),
        ({"method": "kernel", "kernel": "tricube", "ratio": None}, "tricube kernel"),
        ({"ratio": 2, "max_ratio": 5}, "2 on average and at most 5 for one person"),
        ({"replace": True, "reuse_max": None, "ratio": 3}, "the same person may be used again"),
        ({"reuse_max": 4}, "nobody is used more than 4 times"),
        ({"ratio": 1}, "the nearest comparison person by the logit of the propensity score"),
        ({"caliper": PROBABILITY}, "the nearest comparison person by the propensity score"),
        ({"caliper": PROBABILITY}, "at most 0.01 apart in probability"),
        ({"mahalanobis": ["copas_rate"]}, "by Mahalanobis distance on copas_rate"),
        ({"ties": "all"}, "share the weight"),
        ({"caliper": None, "covariate_calipers": []}, "the nearest person counts, however far"),
        ({"treated_value": "yes"}, "treated where it is yes"),
        ({"anti_exact": ["region"]}, "Must differ"),
        ({"person": "pnc", "one_per_person": True}, "used at most once"),
        ({"missing": "indicator"}, "an indicator of their own"),
    ],
)
def test_the_design_is_told_in_words(results, change, words):
    results["design"] |= change

    assert words in " ".join("".join(Page(match_page(results)).text).split())


def test_a_long_table_is_cut_and_says_where_the_rest_is(results):
    results["balance"] = [
        {**results["balance"][0], "name": f"t{i}", "smd_after": i / 1e4} for i in range(900)
    ]

    text = match_page(results)

    assert "all stand in balance.csv" in text
    assert text.count('data-key="balance.') < 320 * 11


def test_the_table_of_people_adds_up_in_both_arms(any_results):
    text = match_page(any_results)
    table = text[text.index("<caption>From") : text.index("</table>", text.index("<caption>From"))]
    counts = any_results["counts"]
    arms = [[], []]
    for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)[1:]:
        for arm, cell in zip(arms, re.findall(r"<td.*?</td>", row, re.DOTALL), strict=True):
            key = re.search(r'data-key="counts\.(\w+)"', cell)
            arm.append(counts[key.group(1)] if key else 0)

    for whole, *lost, matched in arms:
        assert whole - sum(lost) == matched


def test_many_names_stand_behind_their_number(results):
    few = "".join(Page(match_page(results)).text)
    results["design"]["covariates"] = [f"column {i}" for i in range(40)]

    text = match_page(results)

    assert "12 columns" not in few
    names = text[text.index("<summary>") : text.index("</details>")]
    assert "columns</summary>" in names
    assert names.count('data-key="design.covariates.') == 41


def test_what_to_know_first_comes_before_everything_that_follows_the_headline(results):
    text = match_page(results)

    ids = re.findall(r'<h2 id="(\w+)"', text)
    assert ids[0] == "warnings"
    assert ids[-3:] == ["caveats", "glossary", "reproduce"]
    assert ids == re.findall(r'<li><a href="#(\w+)"', text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "Rows may come in any order, because the column person_id"),
        ({"order": "data"}, "so that order counts"),
        ({"id": None}, "must come in the same order"),
        ({"method": "radius"}, "windows.parquet"),
    ],
)
def test_a_reader_is_told_how_to_repeat_the_match(results, change, words):
    results["design"] |= change

    assert words in " ".join("".join(Page(match_page(results)).text).split())


@pytest.mark.parametrize(
    ("treated", "comparison", "shown"),
    [
        (1.0411, 0.9353, ["1.04", "0.94", "0.106"]),
        (1.231, 1.2269, ["1.231", "1.227", "0.0041"]),
        (12_345.6, 12_001.2, ["12,346", "12,001", "344.4"]),
        (0.0021, 0.0013, ["0.002", "0.001", "8.0e\u22124"]),
    ],
)
def test_both_means_of_a_count_have_the_same_decimals(results, treated, comparison, shown):
    results["estimates"][0] |= {
        "type": "count",
        "treated": treated,
        "comparison": comparison,
        "difference": treated - comparison,
    }
    page = Page(match_page(results))
    table = {key: text for key, _, text in page.figures if key.startswith("estimates.0")}
    assert [table[f"estimates.0.{k}"] for k in ("treated", "comparison", "difference")] == shown


def colours(text):
    """Custom properties of the light and the dark form of the page."""
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    return [dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", part)) for part in (light, dark)]


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_text_has_the_contrast_of_wcag_aa_in_light_and_dark(results):
    for colour in colours(match_page(results)):
        for front in ("ink", "quiet", "accent", "fair", "poor"):
            for back in ("paper", "tint", "notice"):
                bright, dim = sorted(
                    (luminance(colour[front]), luminance(colour[back])), reverse=True
                )
                assert (bright + 0.05) / (dim + 0.05) >= 4.5, (front, back)


def test_footer_cites_the_content_id(results):
    assert "<code>0123abcd</code>" in match_page(results, content_id="0123abcd")


@pytest.mark.parametrize(
    ("estimate", "word"),
    [
        ({}, "none"),
        ({"difference": 0.1}, "no_interval"),
        ({"difference": 0.1, "ci_low": 0.05, "ci_high": None}, "no_interval"),
        ({"difference": 0.1, "ci_low": 0.0, "ci_high": 0.2}, "inconclusive"),
        ({"difference": 0.1, "ci_low": 1e-12, "ci_high": 0.2}, "more"),
        ({"difference": -0.1, "ci_low": -0.2, "ci_high": -1e-12}, "fewer"),
    ],
)
def test_verdict_by_rule(estimate, word):
    assert verdict(estimate) == word


@pytest.mark.parametrize(
    ("smd", "word"),
    [(0.05, "closely"), (-0.0501, "fairly"), (0.1, "fairly"), (0.1001, "poorly"), (None, "poorly")],
)
def test_closeness_by_rule(smd, word):
    assert closeness(smd) == word


def drawn_again(results, *, valid=True):
    """Return results with a bootstrap of their estimates."""
    limits = {"low": -0.25, "high": 0.125, "low_error": 0.001, "high_error": 0.002}
    estimates = [
        {
            "outcome": one["outcome"],
            "type": one["type"],
            "standard_error": 0.0625,
            "speaks": "basic",
            "without_estimate": 3,
            "intervals": [{"method": name, **limits} for name in ("percentile", "basic", "bca")],
            "main": {
                key: one[key] for key in ("interval_method", "standard_error", "ci_low", "ci_high")
            },
        }
        for one in results.get("estimates") or ()
    ]
    resampling = {
        "method": "wild bootstrap of the linear form", "replicates": 1999, "seed": 2**127 + 1,
        "why": "So it is.", "level": 0.95, "valid": valid,
    }  # fmt: skip
    bootstrap = {"resampling": resampling, "estimates": estimates, "notes": ["Main.", "Bear it."]}
    return {**results, "bootstrap": bootstrap}


def test_the_page_of_a_match_sets_its_bootstrap_beside_the_main_interval(any_results):
    results = drawn_again(any_results)
    written = json.loads(json_bytes(results))
    text = match_page(results)
    page = Page(text)

    for key, form, shown in page.figures:
        assert shown == figure(written, key, form), key
    found = {key for key, *_ in page.figures if key.startswith("bootstrap.estimates.")}
    for i, _ in enumerate(any_results.get("estimates") or ()):
        assert {
            f"bootstrap.estimates.{i}.main.ci_low",
            f"bootstrap.estimates.{i}.intervals.2.high",
        } <= found
    if any_results.get("estimates"):
        assert text.count("(read this one)") == len(any_results["estimates"])
        assert "(read this one)" not in match_page(drawn_again(any_results, valid=False))
        assert "bootstrap." not in match_page(any_results)
