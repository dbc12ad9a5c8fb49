"""Numbers as printed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.release.formats import ABSENT, FORMATS, figure, lookup, plain_text

TEXTS = ("text", "words")


@pytest.mark.parametrize(
    ("form", "value", "shown"),
    [
        ("count", 1234567, "1,234,567"),
        ("count", 0, "0"),
        ("days_fine", -6.16, "−6.2"),
        ("width", 0.16289, "0.163"),
        ("width", 2.0, "2"),
        ("width", 0.05, "0.05"),
        ("width", 100.0, "100"),
        ("width", 0.0022823, "0.00228"),
        ("width", 0.00001234, "1.23e−5"),
        ("width", 0.0, "0"),
        ("fixed_2", 1234.5678, "1,234.57"),
        ("fixed_4_size", -0.00414, "0.0041"),
        ("effective", 12.34, "12.3"),
        ("effective", 1851.0, "1,851"),
        ("percent", 0.31172, "31.2%"),
        ("points", -0.02053, "−2.1"),
        ("points", -0.0001, "0.0"),
        ("per_100", 0.31, "31"),
        ("per_100", 0.004, "0.4"),
        ("per_100", 0.0001, "less than 0.1"),
        ("per_100", 0.995, "99.5"),
        ("per_100", 1.0, "100"),
        ("per_100_size", -0.0501, "5"),
        ("smd", -0.0004, "0.000"),
        ("smd", -0.0412, "−0.041"),
        ("smd_size", -0.0412, "0.041"),
        ("smd", 4e12, "4.00e12"),
        ("mean", 12345.6, "12,346"),
        ("mean", 123.45, "123.5"),
        ("mean", 1.234, "1.23"),
        ("mean", 0.1234, "0.123"),
        ("mean", 0.00001234, "1.2e−5"),
        ("mean", -0.0, "0.000"),
        ("days", 120.4, "120"),
        ("days", 0.4, "0.4"),
        ("p", 0.0004, "<0.001"),
        ("p", 0.04999, "0.050"),
        ("p", 0.99999, ">0.999"),
        ("scientific", 3.14e-12, "3.1e−12"),
        ("scientific", 0.0, "0"),
        ("coefficient", -3.41872, "−3.4187"),
        ("text", None, ABSENT),
        ("whole", -0.3, "0"),
        ("whole_size", -12, "12"),
        ("whole_least", 0, "less than 1"),
        ("whole_least", -3, "3"),
        ("whole_percent", 69, "69%"),
        ("trimmed", -0.3, "−0.3"),
        ("trimmed", 1.0, "1"),
        ("trimmed", 0.07, "0.07"),
        ("trimmed", -0.001, "0"),
        ("trimmed_size", -0.58, "0.58"),
        ("trimmed_least", 0, "less than 0.01"),
        ("trimmed_least", -0.07, "0.07"),
        ("year", 2016, "2016"),
        ("withheld", ["D2", "np"], "[suppressed: D2, np]"),
        ("withheld", [], ABSENT),
        ("words", "service_site", "service site"),
    ],
)
def test_a_number_is_printed_as_its_kind_asks(form, value, shown):
    assert FORMATS[form](value) == shown


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in TEXTS])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "12", True, [1]])
def test_what_is_no_number_is_not_printed_as_one(form, value):
    assert FORMATS[form](value) == ABSENT


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(sorted(FORMATS)))
def test_no_format_prints_a_hyphen_a_negative_zero_or_a_novel(value, form):
    if form in TEXTS:
        return

    shown = FORMATS[form](value)

    assert "-" not in shown
    assert not shown.startswith("−") or any(c in "123456789" for c in shown)
    if form not in ("count", "effective") or abs(value) < 1e9:
        assert len(shown) <= 24


def test_lookup_follows_names_positions_and_lengths():
    results = {"a": [{"b": 1.5}, {"b": None}], "text": "abc"}

    assert lookup(results, "a.0.b") == 1.5
    assert lookup(results, "a.len") == 2
    for missing in ("a.2.b", "a.x", "z", "text.0", "a.0.b.c", "a.-1"):
        assert lookup(results, missing) is None
    assert figure(results, "a.0.b", "ratio") == "1.50"
    assert figure(results, "a.1.b", "ratio") == ABSENT


def test_control_characters_and_direction_marks_do_not_reach_a_reader():
    assert plain_text("\x1b[31mred\x1b[0m\x9b1m\u202e\ud800\x00") == "[31mred[0m1m"
    assert plain_text("two\nlines\tand\u2028more") == "two lines and more"
    assert plain_text("Ærø 年 é") == "Ærø 年 é"
