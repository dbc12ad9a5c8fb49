"""Disclosure control: each rule at its limit, and what no release may ever hold."""

import ast
import copy
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.effects.measures import MEASURES
from engine.errors import UsageError
from engine.release import disclosure
from engine.release.disclosure import Policy, Released, release_bootstrap, release_results
from engine.release.study_caveats import study_caveats
from tests.engine.release.exact_study import (
    PEOPLE,
    make_analysis,
    make_balance_row,
    make_exact,
    make_measure,
    make_stage,
)
from tests.kernels.support import examples

ROOT = Path(__file__).resolve().parents[3]
RATE, FREQUENCY, DAYS = MEASURES[:3]
FIGURES = (
    "treated", "comparison", "difference", "ci_low", "ci_high", "treated_ci", "comparison_ci",
    "per_100", "p_value", "p_text", "direction", "spans_zero", "moj_compatible", "adjusted",
)  # fmt: skip


def released(exact=None, policy=None):
    return release_results(exact or make_exact(), policy or Policy()).results


def one_measure(measure):
    exact = make_exact()
    exact["analyses"] = [make_analysis(measures=[measure])]
    return released(exact)["analyses"][0]["measures"][0]


def walk(value):
    yield value
    for one in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from walk(one)


# ------------------------------------------------------------------------------ the one door


def test_only_disclosure_control_makes_released_results():
    with pytest.raises(TypeError, match="only disclosure control"):
        Released(object(), {}, Policy())
    with pytest.raises(TypeError, match="only disclosure control"):
        Released(None, {}, Policy())


def test_nobody_else_calls_for_the_key_or_makes_the_type():
    home = Path(disclosure.__file__)
    for path in [p for room in ("engine", "cli") for p in (ROOT / room).rglob("*.py")]:
        if path == home:
            continue
        tree = ast.parse(path.read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "_ONLY_HERE" not in names, path
        made = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Released"
        ]
        assert made == [], path


def test_released_results_cannot_be_changed():
    found = release_results(make_exact(), Policy())
    found.results["headline"]["verdict"] = "more"
    found.results["analyses"].clear()

    assert found.results["headline"]["verdict"] == "fewer"
    assert len(found.results["analyses"]) == 1
    with pytest.raises(AttributeError):
        found.results = {}


@pytest.mark.parametrize(
    "milder", [{"fewest_people": 29}, {"fewest_in_cell": 9}, {"count_base": 4}]
)
def test_a_milder_policy_is_refused(milder):
    with pytest.raises(UsageError, match="milder"):
        Policy(**milder)


# ---------------------------------------------------------------------- nothing exact remains


def test_no_exact_count_and_no_unrounded_figure_is_left():
    exact = make_exact()
    del exact["plan"], exact["limits"]
    text = json.dumps(released({**exact, "plan": {}, "limits": {}}))
    figures = {
        value
        for value in walk(exact)
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    counts = {value for value in figures if value > 30 and value == int(value) and value % 5}
    fractions = {value for value in figures if value != round(value, 2)}
    shown = set(re.findall(r"-?\d+(?:\.\d+)?", text))

    assert len(counts) > 30
    assert len(fractions) > 60
    # 33 and the like may stand for a percentage or for days; numbers of people here are larger
    assert {str(int(n)) for n in counts if n > 130} & shown == set()
    assert {repr(value) for value in fractions} & shown == set()


def test_what_disclosure_control_needs_is_taken_out():
    keys = {key for value in walk(released()) if isinstance(value, dict) for key in value}

    assert keys.isdisjoint(
        {"support", "expected", "reoffenders", "standard_error", "people_by_year", "many",
         "heaviest_share", "n"} - {"n"}
    )  # fmt: skip


def test_the_worst_term_is_named_without_its_level():
    exact = make_exact()
    level = {"largest_smd_name": "year=2004", "largest_smd_label": "Year: 2004"}
    exact["balance"]["summary"] |= level
    main = exact["analyses"][0]
    main["balance_summary"] |= level
    main["gate"]["rules"][2] |= {"name": "year=2004", "label": "Year: 2004"}
    found = released(exact)
    assert "2004" not in json.dumps({"balance": found["balance"], "analyses": found["analyses"]})
    assert found["balance"]["summary"]["largest_smd_label"] == "Year"
    assert found["analyses"][0]["gate"]["rules"][2]["label"] == "Year"


def test_terms_that_were_not_used_are_named_without_their_levels():
    exact = make_exact()
    level = {"name": "band=long", "label": "Length: long", "why": "empty level"}
    exact["method"]["not_used"] = [
        level,
        level | {"name": "band=other", "label": "Length: other"},
        {"name": "copas", "label": "Copas rate", "why": "constant"},
    ]
    assert released(exact)["method"]["not_used"] == [
        {"name": "band", "label": "Length", "why": "empty level"},
        {"name": "copas", "label": "Copas rate", "why": "constant"},
    ]


def test_every_count_lies_on_the_grid_for_every_base():
    for base in (5, 10, 25):
        found = released(policy=Policy(count_base=base))
        counts = found["analyses"][0]["counts"]
        sizes = [v for k, v in counts.items() if k != "withheld" and not k.endswith("percent")]
        sizes += [
            m[f"n_{arm}"]
            for m in found["analyses"][0]["measures"]
            for arm in ("treated", "comparison")
        ]
        sizes += [found["attrition"][key] for key in ("submitted", "analysed")]
        sizes += [s[key] for s in found["attrition"]["stages"] for key in ("lost", "remaining")]
        sizes += [g[key] for g in found["attrition"]["groups"] for key in ("submitted", "analysed")]
        sizes += [found["profile"]["n"], found["unmatched"]["n"]]
        sizes += [found["certificate"][key] for key in ("treated_matched", "maximum_matchable")]
        sizes += [found["linkage"]["linked"], *(m["n"] for m in found["linkage"]["by_method"])]

        assert all(size is None or size % base == 0 for size in sizes)
        assert sum(size is not None for size in sizes) > 25


def test_rates_are_whole_percent_and_counts_have_two_digits():
    found = released()["analyses"][0]["measures"]
    rate, frequency, days = found[:3]

    assert (rate["treated"], rate["comparison"], rate["difference"]) == (31, 38, -7)
    assert (rate["ci_low"], rate["ci_high"]) == (-9, -4)  # -8.56 and -4.56, outward
    assert rate["per_100"] == {
        "treated": 31, "comparison": 38, "difference": -7, "ci_low": -9, "ci_high": -4,
    }  # fmt: skip
    assert (frequency["treated"], frequency["comparison"]) == (1.2, 1.4)
    assert frequency["per_100"]["treated"] == 120
    assert (days["treated"], days["difference"], days["per_100"]) == (128, 9, None)
    assert all(isinstance(one[key], int) for one in (rate, days) for key in ("treated", "ci_low"))


def test_a_rounded_end_of_zero_does_not_make_a_clear_result_unclear():
    measure = make_measure(RATE, (PEOPLE, 317), (4627, 1739), (0.31, 0.34), half=0.0297)
    found = one_measure(measure)

    assert (found["ci_low"], found["ci_high"]) == (-6, 0)
    assert (found["spans_zero"], found["verdict"], found["significant"]) == (False, "fewer", True)


# ------------------------------------------------------------------------- rules at their limit


@pytest.mark.parametrize(
    ("treated", "comparison", "rules"),
    [
        ((30, 10), (30, 10), []),
        ((29, 10), (99, 40), ["D1"]),
        ((99, 40), (29, 10), ["D1"]),
        ((99, 9), (99, 40), ["np", "D2"]),
        ((99, 40), (99, 9), ["D2"]),
        ((99, 89), (99, 40), []),
        ((99, 90), (99, 40), ["D3"]),
        ((99, 40), (99, 90), ["D3"]),
        ((99, 99), (99, 40), ["D3"]),
        ((99, 0), (99, 40), ["np", "D2"]),
        ((20, 5), (20, 5), ["np", "D1", "D2"]),
    ],
)
def test_a_rate_is_withheld_by_its_rule(treated, comparison, rules):
    means = tuple(arm[1] / arm[0] for arm in (treated, comparison))
    found = one_measure(make_measure(RATE, treated, comparison, means, p=0.5, reoffenders=40))

    assert found["withheld"] == rules
    if rules:
        assert [found[key] for key in FIGURES] == [None] * len(FIGURES)
        assert found["verdict"] is None
        assert not found["significant"]
    else:
        assert found["treated"] is not None


def test_a_share_that_rounds_to_nobody_or_all_is_withheld():
    for events in (12, 4988):
        treated, comparison = (5000, events), (5000, 2000)
        measure = make_measure(RATE, treated, comparison, (events / 5000, 0.4), reoffenders=99)
        assert one_measure(measure)["withheld"] == ["D3"]


def test_days_need_people_and_have_no_other_side():
    found = one_measure(make_measure(DAYS, (30, 30), (30, 30), (128.3, 119.6), reoffenders=30))
    few = one_measure(make_measure(DAYS, (29, 29), (30, 30), (128.3, 119.6), reoffenders=29))

    assert found["withheld"] == []
    assert few["withheld"] == ["D1"]


def test_too_few_reoffenders_may_be_said_without_figures():
    measure = make_measure(RATE, (99, 9), (99, 40), (0.09, 0.4), p=0.001)
    found = one_measure(measure)

    assert found["verdict"] == "too_few_reoffenders"
    assert found["treated"] is None


def test_a_group_under_thirty_has_no_size():
    exact = make_exact()
    exact["analyses"][0]["counts"].update(treated=29, treated_matched=29)
    exact["analyses"][0]["gate"]["rules"][0]["value"] = 29
    found = released(exact)["analyses"][0]

    assert found["counts"]["withheld"] == ["D1"]
    assert [v for k, v in found["counts"].items() if k != "withheld"] == [None] * 8
    assert [rule["value"] for rule in found["gate"]["rules"][:2]] == [None, None]


def test_no_share_gives_away_a_matched_group_under_thirty():
    exact = make_exact()
    exact["analyses"][0]["counts"].update(treated=35, treated_matched=25)
    exact["analyses"][0]["gate"]["rules"][0]["value"] = 25
    exact["analyses"][0]["gate"]["rules"][1]["value"] = 25 / 35
    found = released(exact)["analyses"][0]

    assert [rule["value"] for rule in found["gate"]["rules"][:2]] == [None, None]
    assert found["counts"]["treated_matched_percent"] is None


def test_the_treated_alone_follow_the_same_rules():
    exact = make_exact()
    for events, rules in ((31, []), (9, ["D2"]), (95, ["D3"])):
        exact["analyses"][0]["treated_only"] = {
            "measure": "reoffended", "unit": "per_100_people", "treated": events / 103,
            "treated_ci": [0.2, 0.4], "n_treated": 103,
            "support": {"treated": {"people": 103, "events": events}},
        }  # fmt: skip
        own = released(exact)["analyses"][0]["treated_only"]
        assert own["withheld"] == rules
        assert (own["treated"] is None) == bool(rules)
        assert own["n_treated"] == 105


# -------------------------------------------------------------------------------- other parts


def test_small_stages_are_merged_with_the_next_that_loses_anybody():
    stages = released()["attrition"]["stages"]

    assert [stage["code"] for stage in stages] == [
        "submission", "sentence", "eligibility", "matching",
    ]  # fmt: skip
    assert stages[1]["merged"] == ["linkage"]
    assert stages[1]["lost"] == 660  # 7 + 652
    assert [reason["code"] for reason in stages[0]["reasons"]] == ["several"]  # 38 + 3
    assert {reason["code"] for reason in stages[1]["reasons"]} == {"no_sentence", "several"}


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(30, 400), st.integers(10, 20)
)
@examples(150, 150)
def test_no_stage_of_an_attrition_shows_few_people(lost, analysed, least):
    exact = make_exact()
    submitted = remaining = analysed + sum(lost)
    stages = []
    for number, n in enumerate(lost):
        remaining -= n
        stages.append(make_stage(f"s{number}", n, remaining, {f"r{number}": n} if n else {}))
    exact["attrition"].update(submitted=submitted, analysed=analysed, stages=stages)
    found = released(exact, Policy(fewest_in_cell=least))["attrition"]

    total = sum(lost)
    for stage in found["stages"]:
        assert stage["lost"] is None or stage["lost"] == 0 or stage["lost"] >= least - 2
        for reason in stage["reasons"]:
            assert reason["lost"] >= least - 2
        if stage["lost"] is None:
            assert 0 < total < least
    codes = [c for stage in found["stages"] for c in [*stage["merged"], stage["code"]]]
    assert len(codes) == len(set(codes))
    assert {f"s{i}" for i, n in enumerate(lost) if n} <= set(codes)


def test_small_levels_are_merged_or_withheld():
    rows = {row["name"]: row for row in released()["balance"]["rows"]}

    assert "group=c" not in rows
    assert rows["group=(other)"]["withheld"] == ["D2"]
    assert rows["flag=yes"]["withheld"] == ["D3"]
    assert rows["rare=yes"]["withheld"] == ["D2"]
    assert rows["rare=yes"]["treated"] is None
    assert (rows["group=a"]["treated"], rows["group=a"]["light"]) == (60, "green")
    assert (rows["age"]["treated"], rows["age"]["smd_after"]) == (31.0, 0.01)


def test_merged_levels_add_up():
    exact = make_exact()
    exact["balance"]["rows"] = [
        make_balance_row("group=a", "percent", 0.97, 983),
        make_balance_row("group=b", "percent", 8 / PEOPLE, 8),
        make_balance_row("group=c", "percent", 9 / PEOPLE, 9),
    ]
    rows = {row["name"]: row for row in released(exact)["balance"]["rows"]}

    assert set(rows) == {"group=a", "group=(other)"}
    assert rows["group=(other)"]["treated"] == 2
    assert rows["group=(other)"]["withheld"] == []


def test_a_lone_small_level_of_few_people_gets_company():
    exact = make_exact()
    sizes = {"a": 60, "b": 33, "c": 7}
    rows = [make_balance_row(f"group={k}", "percent", n / 100, n) for k, n in sizes.items()]
    for row, n in zip(rows, sizes.values(), strict=True):
        row["support"]["without"] = 100 - n
    exact["balance"]["rows"] = rows
    found = {row["name"]: row["treated"] for row in released(exact)["balance"]["rows"]}

    assert found == {"group=a": 60, "group=(other)": 40}  # 100 - 60 - 33 would be the 7


def levels_released(sizes, before):
    exact = make_exact()
    people = sum(sizes.values())
    rows = [make_balance_row(f"sex={k}", "percent", n / people, n) for k, n in sizes.items()]
    for row, n in zip(rows, sizes.values(), strict=True):
        row["label"] = f"Sex: {row['name'].partition('=')[2]}"
        row["support"]["without"] = people - n
        row["comparison_before"] = before[row["label"].partition(": ")[2]]
    exact["balance"].update(many=["sex"], rows=rows)
    return {row["label"]: row["treated"] for row in released(exact)["balance"]["rows"]}


def test_a_level_of_nobody_renames_no_other():
    sizes = {"women": 19, "men": 84, "not known": 0}
    before = {"women": 0.15, "men": 0.85, "not known": 0.0}

    assert levels_released(sizes, before) == {"Sex: women": 18, "Sex: men": 82}
    before |= {"men": 0.83, "not known": 0.02}
    assert levels_released(sizes, before) == {"Sex: women": 18, "Sex: men or other": 82}


@pytest.mark.parametrize(
    ("name", "in_balance", "in_profile"),
    [("elsewhere", "Sex: elsewhere or other", "elsewhere or others"),
     ("other", "Sex: other", "others")],
)  # fmt: skip
def test_profile_and_balance_have_the_same_base(name, in_balance, in_profile):
    sizes = {"UK": 89, name: 11, "not known": 3}
    exact = make_exact()
    exact["profile"]["n"] = 103
    exact["profile"]["sections"] = [
        {"name": "sex", "label": "Sex", "kind": "shares",
         "levels": [{"level": "(missing)" if k == "not known" else k, "label": k, "n": n}
                    for k, n in sizes.items()]},
    ]  # fmt: skip
    (section,) = released(exact)["profile"]["sections"]
    profile = [one["percent"] for one in section["levels"]]

    balance = levels_released(sizes, dict.fromkeys(sizes, 0.1))
    assert profile == list(balance.values()) == [86, 14]
    assert list(balance) == ["Sex: UK", in_balance]
    assert section["levels"][1]["label"] == in_profile


@pytest.mark.parametrize(
    ("size", "shown", "light"),
    [(0.0536, 0.06, "amber"), (-0.0501, -0.06, "amber"), (0.05, 0.05, "green"),
     (0.1004, 0.11, "red"), (0.0996, 0.1, "amber"), (0.0049, 0.0, "green")],
)  # fmt: skip
def test_a_limit_of_likeness_is_never_shown_as_kept_where_it_was_missed(size, shown, light):
    exact = make_exact()
    exact["balance"]["rows"] = [make_balance_row("age", "number", 31.4, PEOPLE)]
    exact["balance"]["rows"][0]["smd_after"] = size
    exact["balance"]["summary"]["largest_smd_after"] = abs(size)
    exact["analyses"][0]["balance_summary"]["largest_smd"] = abs(size)
    exact["path"][0]["largest_smd"] = abs(size)
    rule = exact["analyses"][0]["gate"]["rules"][2]
    rule.update(value=abs(size), passed=abs(size) <= rule["limit"])
    found = released(exact)

    (row,) = found["balance"]["rows"]
    assert (row["smd_after"], row["light"]) == (shown, light)
    assert found["balance"]["summary"]["largest_smd_after"] == abs(shown)
    assert found["analyses"][0]["balance_summary"]["largest_smd"] == abs(shown)
    assert found["path"][0]["largest_smd"] == abs(shown)
    assert found["analyses"][0]["gate"]["rules"][2]["value"] == abs(shown)


def test_a_part_below_the_people_of_the_plan_names_the_plan_and_not_disclosure():
    exact = make_exact()
    part = make_analysis("sex=F", "sub", [make_measure(RATE, (90, 30), (400, 150), (0.33, 0.38))])
    part.update(status="not_run", why_not="too_few_treated", counts=None, gate=None,
                balance_summary=None, measures=[], verdict=None)  # fmt: skip
    exact["analyses"].append(part)
    counts = released(exact)["analyses"][1]["counts"]

    assert counts["withheld"] == ["plan"]
    assert [one for name, one in counts.items() if name != "withheld" and one is not None] == []


def test_percentiles_need_people_beyond_them_and_there_are_no_extremes():
    exact = make_exact()
    section = exact["profile"]["sections"][1]
    section["support"]["high"] = 9
    found = {one["name"]: one for one in released(exact)["profile"]["sections"]}

    assert (found["age"]["p10"], found["age"]["p90"]) == (None, None)
    assert found["age"]["withheld"] == ["D7"]
    assert found["age"]["mean"] == 31.0
    keys = {key for value in walk(released()) if isinstance(value, dict) for key in value}
    assert not {key for key in keys if re.search("minimum|maximum$|^min|^max_|largest_age", key)}


def test_the_few_who_are_not_known_leave_the_shares():
    found = released()["profile"]["sections"][0]

    assert [(one["label"], one["percent"]) for one in found["levels"]] == [
        ("men", 82), ("women", 18),
    ]  # fmt: skip


def test_what_everybody_is_is_not_said():
    exact = make_exact()
    exact["profile"]["sections"][0]["levels"] = [{"level": "M", "label": "men", "n": PEOPLE}]
    found = released(exact)["profile"]["sections"][0]

    assert (found["levels"], found["withheld"]) == ([], ["D3"])


def test_years_have_enough_people_at_both_ends():
    study = released()["study"]

    assert (study["first_year"], study["last_year"]) == (2016, 2018)


def test_classes_of_the_overlap_hold_enough_people_and_open_ends():
    exact = make_exact()
    found = released(exact)["overlap"]

    assert len(found["edges"]) == len(found["treated"]) + 1
    assert found["edges"][:3] == [-7.5, -7.25, -7.0]  # 3 and 8 people are the first class
    assert found["edges"][-1] == 1.0
    assert sum(found["treated"]) in range(95, 106)
    further = copy.deepcopy(exact)
    for key, more in (("treated", 1.0), ("comparison_before", 3.0), ("comparison_after", 1.0)):
        further["overlap"][key] += [0.0] * 9 + [more]
    further["overlap"]["edges"] += [1.25 + 0.25 * i for i in range(10)]
    # somebody far out changes neither edge nor class
    assert released(further)["overlap"]["edges"] == found["edges"]
    few = copy.deepcopy(exact)
    few["overlap"]["treated"] = [0.0] * 38 + [5.0, 9.0]
    assert released(few)["overlap"]["edges"] == []
    assert released(few)["overlap"]["withheld"] == ["D2"]


def test_nothing_is_said_of_what_would_overturn_a_result_that_is_withheld():
    exact = make_exact()
    exact["analyses"][0]["measures"][0] = make_measure(RATE, (99, 9), (99, 40), (0.09, 0.4), p=0.5)
    found = released(exact)

    assert found["sensitivity"]["e_values"] == []
    assert found["sensitivity"]["left_out"] is None
    assert found["path"][0]["difference"] is None
    told = ("people_needed", "detectable_fewer", "detectable_more")
    assert [found["headline"][name] for name in told] == [None] * 3
    assert {"rule": "D2", "figures": 4} in found["withheld"] or any(
        one["rule"] == "D2" for one in found["withheld"]
    )


def test_sentences_hold_only_what_is_printed():
    found = released()["sensitivity"]
    texts = [
        found["gamma"]["sentence"],
        found["left_out"]["sentence"],
        found["instability"]["sentence"],
        *(p["sentence"] for p in found["placebos"]),
    ]

    assert all(texts)
    numbers = {n for text in texts for n in re.findall(r"\d+(?:\.\d+)?", text)}
    assert numbers <= {"1.2", "4", "7", "8", "6", "20", "100"}


def test_a_hidden_factor_that_would_turn_the_result_is_told():
    exact = make_exact()
    verdict = exact["headline"]["verdict"]
    other = 1.0 if verdict == "fewer" else -1.0
    first = exact["sensitivity"]["left_out"]["rows"][0]
    first.update(difference=0.07 * other, inconclusive=False)
    first.update(ci_low=0.07 * other - 0.05, ci_high=0.07 * other + 0.05)

    assert "point the other way" in released(exact)["sensitivity"]["left_out"]["sentence"]
    assert "fragile_to_unobserved" in study_caveats(exact)
    first.update(
        difference=-0.03 * other, ci_low=-0.03 * other - 0.01, ci_high=-0.03 * other + 0.01
    )
    assert "still lie on one side" in released(exact)["sensitivity"]["left_out"]["sentence"]
    assert "fragile_to_unobserved" not in study_caveats(exact)


def test_pairs_do_not_give_the_number_of_people_away():
    certificate = released()["certificate"]

    assert certificate["pairs_checked"] == 5100
    assert certificate["treated_matched"] == 1015


# ---------------------------------------------------------------------------------- properties

arms = st.tuples(st.integers(1, 5000), st.floats(0, 1)).map(
    lambda pair: (pair[0], round(pair[0] * pair[1]))
)


@given(arms, arms, st.floats(0.001, 0.2), st.sampled_from(["share", "count", "days"]))
@examples(300, 300)
def test_whatever_is_released_keeps_the_rules(treated, comparison, half, kind):
    measure = {"share": RATE, "count": FREQUENCY, "days": DAYS}[kind]
    factor = {"share": 1.0, "count": 3.7, "days": 1.0}[kind]
    if kind == "days":
        treated, comparison = (treated[0],) * 2, (comparison[0],) * 2
        means = (101.3, 117.9)
    else:
        means = tuple(factor * arm[1] / arm[0] for arm in (treated, comparison))
    clear = abs(means[0] - means[1]) > half * {"share": 1.0, "count": 4.0, "days": 100.0}[kind]
    p = 0.013 if clear else 0.537
    found = one_measure(make_measure(measure, treated, comparison, means, half, p))

    if found["withheld"]:
        assert [found[key] for key in FIGURES] == [None] * len(FIGURES)
    else:
        for people, events in (treated, comparison):
            assert people >= 30
            assert events >= 10
            assert kind == "days" or people - events >= 10
        assert found["ci_low"] <= found["difference"] <= found["ci_high"]
        if kind == "share":
            assert not {found["treated"], found["comparison"]} & {0, 100}
        if found["significant"]:
            assert found["p_value"] <= 0.05
            assert found["verdict"] in {"fewer", "more", "earlier", "later"}
            assert not found["spans_zero"]
    for name, arm in (("n_treated", treated), ("n_comparison", comparison)):
        assert found[name] is None or (found[name] % 5 == 0 and arm[0] >= 30)


@given(arms, st.integers(0, 200))
@examples(300, 300)
def test_rules_never_become_milder_when_a_count_falls(treated, fewer):
    people, events = treated
    before = make_measure(RATE, (people, events), (4000, 1500), (events / people, 0.375), p=0.5)
    lower = max(events - fewer, 0)
    after = make_measure(RATE, (people, lower), (4000, 1500), (lower / people, 0.375), p=0.5)
    smaller = max(people - fewer, 1)
    group = make_measure(
        RATE, (smaller, min(events, smaller)), (4000, 1500), (min(events, smaller) / smaller, 0.375)
    )

    if "D2" in one_measure(before)["withheld"]:
        assert "D2" in one_measure(after)["withheld"]
    if "D1" in one_measure(before)["withheld"]:
        assert "D1" in one_measure(group)["withheld"]


# -------------------------------------------------------------------------------- the bootstrap


def make_bootstrap(exact, intervals, error=0.0123456789):
    """Return an exact bootstrap whose interval of every measure has the same two ends."""
    return {
        "format": 1,
        "resampling": {"kind": "wild", "replicates": 1999},
        "estimates": [
            {
                "outcome": one["measure"],
                "difference": one["difference"],
                "standard_error": error,
                "p_value": 0.0123456789,
                "without_estimate": 3,
                "speaks": "basic",
                "intervals": [
                    {"method": name, "low": low, "high": high, "low_error": error,
                     "high_error": error}
                    for name, (low, high) in intervals.items()
                ],
                "main": {
                    "interval_method": "by design", "standard_error": error,
                    "ci_low": one["ci_low"], "ci_high": one["ci_high"], "level": 0.95,
                },
            }
            for one in exact["analyses"][0]["measures"]
        ],
        "notes": [],
    }  # fmt: skip


@given(
    st.floats(-0.9, 0.9, allow_subnormal=False),
    st.floats(0.0, 0.5, allow_subnormal=False),
    st.sampled_from(range(len(MEASURES))),
)
@examples(60, 20)
def test_ends_of_a_bootstrap_are_rounded_outward_and_no_more_leaves(low, width, which):
    exact = make_exact()
    drawn = make_bootstrap(exact, {"basic": (low, low + width), "bca": (low, low + width)})
    found = release_bootstrap(exact, drawn, Policy()).results["measures"][which]
    main = released(exact)["analyses"][0]["measures"][which]

    assert found["withheld"] == main["withheld"]
    assert (found["main"]["ci_low"], found["main"]["ci_high"]) == (main["ci_low"], main["ci_high"])
    assert found["difference"] == main["difference"]
    share = MEASURES[which].kind == "share"
    # Counts have two significant digits and at most two decimals; no end is above 1.4.
    step = 0.1 if MEASURES[which].kind == "count" else 1.0
    for one in found["intervals"]:
        ends = (100 * low, 100 * (low + width)) if share else (low, low + width)
        assert ends[0] - step - 1e-9 <= one["ci_low"] <= ends[0] + 1e-6
        assert ends[1] - 1e-6 <= one["ci_high"] <= ends[1] + step + 1e-9
        assert one["spans_zero"] == (low <= 0.0 <= low + width)
    assert 0.0123456789 not in set(walk_numbers(found))
    assert found["agrees"] == (main["spans_zero"] == (low <= 0.0 <= low + width))


def walk_numbers(value):
    return [one for one in walk(value) if isinstance(one, float)]


def test_a_measure_that_is_withheld_has_no_interval_in_the_bootstrap():
    exact = make_exact()
    few = next(one for one in exact["analyses"][0]["measures"] if one["measure"] == RATE.name)
    few["support"]["comparison"]["events"] = Policy().fewest_in_cell - 1
    drawn = make_bootstrap(exact, {"basic": (-0.1, 0.1), "bca": (-0.1, 0.1)})
    first, second = release_bootstrap(exact, drawn, Policy()).results["measures"][:2]

    assert first["withheld"] == ["D2"]
    assert second["withheld"] == []
    assert [one for one in walk(first) if isinstance(one, float)] == []
    assert (first["agrees"], first["difference"]) == (None, None)
