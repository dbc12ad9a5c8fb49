"""Options: what is refused, in words that name the option, the rule and the repair."""

import pytest

from engine.errors import UsageError
from engine.match import match
from engine.matching.caliper import (
    Caliper,
    CovariateCaliper,
    parse_caliper,
    parse_covariate_caliper,
)
from engine.matching.options import check_options

GOOD = {"treatment": "treat", "covariates": ("age", "sex")}


def refusal(**options):
    with pytest.raises(UsageError) as caught:
        check_options(**{**GOOD, **options})
    error = caught.value
    assert error.exit_code == 2
    assert error.found
    assert error.repair, error.found
    return str(error)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariates": ()}, "nothing to match on"),
        ({"radius": True}, "need a caliper"),
        ({"kernel": "tricube"}, "need a caliper"),
        ({"radius": True, "kernel": "tricube", "caliper": "1 logit"}, "exclude each other"),
        ({"radius": True, "caliper": "1 logit", "ratio": 2}, "--ratio has no meaning"),
        ({"kernel": "tricube", "caliper": "1 logit", "max_ratio": 2}, "--ratio has no meaning"),
        ({"radius": True, "caliper": "1 logit", "anti_exact": "h"}, "no pair rules"),
        ({"radius": True, "caliper": "1 logit", "person": "p"}, "no pair rules"),
        ({"radius": True, "caliper": "1 logit", "mahalanobis": "age"}, "no pair rules"),
        ({"radius": True, "caliper": "1 logit", "covariate_caliper": "age 2"}, "no pair rules"),
        ({"replace": True, "reuse_max": 2}, "--reuse-max contradicts"),
        ({"radius": True, "caliper": "1 logit", "reuse_max": 2}, "--reuse-max contradicts"),
        ({"replace": True, "one_per_person": True, "person": "p"}, "--one-per-person contradicts"),
        ({"one_per_person": True}, "--person"),
        ({"one_per_person": True, "person": "p", "reuse_max": 1}, "contradicts --reuse-max"),
        ({"ties": "all"}, "--ties all needs"),
        ({"ties": "all", "radius": True, "caliper": "1 logit"}, "--ties has no meaning"),
        ({"max_ratio": 3, "replace": True}, "--max-ratio needs"),
        ({"max_ratio": 2, "ratio": 2}, "must exceed --ratio"),
        ({"replace": True, "order": "closest"}, "--order has no meaning"),
        ({"mahalanobis": "age"}, "--mahalanobis needs a caliper"),
        ({"keep_share": 0.0}, "not a share"),
        ({"keep_share": 1.01}, "not a share"),
        ({"keep_share": float("nan")}, "not a share"),
        ({"keep_share": 0.9, "caliper": "1 logit"}, "exclude each other"),
        ({"score": "s", "fit": "ridge"}, "--fit has no meaning"),
        ({"covariates": ("age", "treat")}, "treatment is among the covariates"),
        ({"id": "age"}, "'age' is both a covariate and an identifier"),
        ({"person": "sex"}, "'sex' is both a covariate and an identifier"),
        ({"ratio": 0}, "--ratio is not a whole number of at least 1"),
        ({"ratio": 1.5}, "--ratio"),
        ({"ratio": True}, "--ratio"),
        ({"ratio": "2"}, "--ratio"),
        ({"max_ratio": 0}, "--max-ratio"),
        ({"reuse_max": 0}, "--reuse-max"),
        ({"seed": -1}, "--seed"),
        ({"seed": 2**128}, "--seed"),
        ({"covariates": ["age", 3]}, "--covariates"),
        ({"exact": [""]}, "--exact"),
        ({"caliper": "0.2"}, "does not name its scale"),
        ({"caliper": "0.2 sd"}, "sd-logit, logit or probability"),
        ({"caliper": "0 logit"}, "outside its scale"),
        ({"caliper": "1 probability"}, "outside its scale"),
        ({"caliper": "-1 logit"}, "not a number of at least 0"),
        ({"caliper": "x logit"}, "not a number of at least 0"),
        ({"caliper": "0,2 logit"}, "decimal point"),
        ({"caliper": "nan logit"}, "not a number of at least 0"),
        ({"caliper": "inf logit"}, "not a number of at least 0"),
        ({"covariate_caliper": "age"}, "column and a width"),
        ({"covariate_caliper": "2 sd"}, "not a number"),
        ({"covariate_caliper": "age -1"}, "not a number of at least 0"),
    ],
)
def test_wrong_options_are_refused(options, words):
    assert words in refusal(**options)


@pytest.mark.parametrize(
    "option",
    ["score_scale", "fit", "kernel", "ties", "order", "estimand", "discard", "missing",
     "smd_denominator"],
)  # fmt: skip
def test_a_wrong_choice_is_told_the_right_ones(option):
    text = refusal(**{option: "magic"})
    assert f"--{option.replace('_', '-')} is not one of" in text
    assert "magic" not in text


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"covariates": (), "score": "s"},
        {"radius": True, "caliper": "0.2 sd-logit", "exact": "g"},
        {"kernel": "epanechnikov", "caliper": "1 logit", "discard": "support"},
        {"max_ratio": 3, "ratio": 2},
        {"one_per_person": True, "person": "p"},
        {"replace": True, "ties": "all", "person": "p"},
        {"mahalanobis": ["age"], "caliper": "0.1 probability"},
        {"mahalanobis": ["age"], "caliper": "0.2 sd-logit", "replace": True},
        {"keep_share": 1.0},
        {"reuse_max": 2, "order": "closest", "seed": 2**128 - 1},
    ],
)
def test_sensible_options_are_taken(options):
    checked = check_options(**{**GOOD, **options})
    assert checked.treatment == "treat"
    assert checked.replace == (options.get("replace", False) or checked.by_window)


def test_defaults_are_those_of_the_contract():
    found = check_options(**GOOD)
    assert (found.ratio, found.replace, found.order, found.caliper) == (1, False, "largest", None)
    assert (found.missing, found.seed, found.estimand, found.fit) == ("error", 0, "att", "ml")
    assert (found.ties, found.discard, found.smd_denominator) == ("first", "none", "treated")
    assert check_options(**GOOD, estimand="atc").smd_denominator == "comparison"
    assert found.method == "nearest"
    assert check_options(**GOOD, radius=True, caliper="1 logit").method == "radius"
    assert check_options(**GOOD, kernel="tricube", caliper="1 logit").method == "kernel"


def test_the_treated_value_is_text_of_the_table():
    assert check_options(**GOOD, treated=True).treated == "true"
    assert check_options(**GOOD, treated=False).treated == "false"
    assert check_options(**GOOD, treated=1).treated == "1"


def test_calipers_are_read_and_written_alike():
    assert parse_caliper(None) is None
    for text, wanted in (
        ("0.2 sd-logit", Caliper(0.2, "sd-logit")),
        ("  5e-2   logit ", Caliper(0.05, "logit")),
        ("0.01 probability", Caliper(0.01, "probability")),
        ("2 logit", Caliper(2.0, "logit")),
    ):
        found = parse_caliper(text)
        assert found == wanted
        assert parse_caliper(found.given) == wanted
    for text, wanted in (
        ("age 2", CovariateCaliper("age", 2.0, in_sd=False)),
        ("age 0", CovariateCaliper("age", 0.0, in_sd=False)),
        ("age 0.25 sd", CovariateCaliper("age", 0.25, in_sd=True)),
        ("years of school 1 SD", CovariateCaliper("years of school", 1.0, in_sd=True)),
    ):
        found = parse_covariate_caliper(text)
        assert found == wanted
        assert parse_covariate_caliper(found.given) == wanted


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"treatment": "t", "covariate": ["age"]}, "'covariates'"),
        ({"treatment": "t", "calliper": "1 logit"}, "'caliper'"),
        ({"treatement": "t"}, "'treatment'"),
        ({"treatment": "t", "zzzz": 1}, "there is no option 'zzzz'"),
        ({"covariates": ["age"]}, "there is no treatment"),
        ({**GOOD, "interval": "bootstrap"}, "--interval"),
        ({**GOOD, "replicates": -1}, "--replicates"),
        ({**GOOD, "outcome": "back"}, "binary, count or time"),
        ({**GOOD, "outcome": "back:often"}, "binary, count or time"),
        ({**GOOD, "outcome": [":binary"]}, "binary, count or time"),
        ({**GOOD, "outcome": ["back:binary", "back:count"]}, "named twice"),
    ],
)
def test_the_function_refuses_before_it_opens_the_table(options, words):
    with pytest.raises(UsageError) as caught:
        match("no such file.csv", **options)
    assert words.lower() in str(caught.value).lower()
