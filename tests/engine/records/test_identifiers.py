"""Identifiers of the synthetic nation: check letters, formats, uniqueness."""

import re

import numpy as np
import pytest

from engine.records.synthetic import identifiers

VALID = ["1981/0000034U", "2002/0073319Z", "2000/0000223R", "1979/0163001B", "2003/0000003Y"]
VALID += ["1967/9893091D"]
INVALID = ["2003/0011985Z", "2012/0052494O", "2023/0583843N", "2001/0171310S"]
UNITS = np.arange(300_000, dtype=np.uint64)


def letter_of(text):
    """The rule in plain integers: two-digit year and serial as one number, modulo 23."""
    return "ZABCDEFGHJKLMNPQRTUVWXY"[int(text[2:4] + text[5:12]) % 23]


@pytest.mark.parametrize("text", VALID)
def test_published_ids_are_made_again(text):
    made = identifiers.pnc_ids(np.array([int(text[:4])]), np.array([int(text[5:12])]))
    assert made.to_pylist() == [text]


@pytest.mark.parametrize("text", INVALID)
def test_published_wrong_ids_are_never_made(text):
    made = identifiers.pnc_ids(np.array([int(text[:4])]), np.array([int(text[5:12])]))
    assert made.to_pylist() != [text]


def test_ids_are_valid_and_never_repeat_within_a_year():
    serial = identifiers.serial_numbers(UNITS)
    made = identifiers.pnc_ids(np.full(len(UNITS), 2007), serial).to_pylist()
    assert len(set(made)) == len(made)
    for text in made[:: len(made) // 500]:
        assert re.fullmatch(r"2007/\d{7}[A-Z]", text)
        assert text[-1] == letter_of(text)


def test_cro_numbers_have_both_forms_and_a_valid_letter():
    serial = identifiers.serial_numbers(UNITS[:5000])
    made = identifiers.cro_numbers(np.full(5000, 1999), serial).to_pylist()
    assert len(set(made)) == len(made)
    letters = identifiers.CHECK_LETTERS
    forms = set()
    for text in made:
        short = re.fullmatch(r"(\d{6})/(\d\d)([A-Z])", text)
        local = re.fullmatch(r"SF(\d\d)/(\d{7})([A-Z])", text)
        forms.add(bool(short))
        number = short[2] + short[1] if short else local[1] + local[2]
        assert (short or local)[3] == letters[int(number) % 23]
    assert forms == {True, False}


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (identifiers.prison_numbers, r"[A-Z]\d{4}[A-Z]{2}"),
        (identifiers.case_numbers, r"[A-Z]\d{6}"),
    ],
)
def test_prison_and_case_numbers_are_unique(make, form):
    made = make(UNITS).to_pylist()
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(form, text) for text in made[::997])
