"""Numbers of the police, prisons and probation: published vectors, check letters, ranges."""

import random

import pytest

from engine.identifiers import (
    CHECK_LETTERS,
    check_letter,
    cro_number,
    pnc_id,
    prison_number,
    probation_number,
)

THIS_YEAR = 2026
PNC_VECTORS = {
    "81/34U": "1981/0000034U",
    "02/73319Z": "2002/0073319Z",
    "00/223R": "2000/0000223R",
    "79/163001B": "1979/0163001B",
    "033Y": "2003/0000003Y",
    "67/9893091D": "1967/9893091D",
    "0273319Z": "2002/0073319Z",
    "20020073319Z": "2002/0073319Z",
    "2002/0073319Z": "2002/0073319Z",
    " 02 / 73319z ": "2002/0073319Z",
    "02-73319Z": "2002/0073319Z",
    "０２/73319Z": "2002/0073319Z",
}


@pytest.mark.parametrize(("written", "canonical"), PNC_VECTORS.items())
def test_pnc_ids_as_people_write_them(written, canonical):
    assert pnc_id(written, THIS_YEAR).value == canonical
    assert pnc_id(written, THIS_YEAR).fault == ""
    # the canonical form is its own
    assert pnc_id(canonical, THIS_YEAR).value == canonical


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("20030011985Z", "check letter"),
        ("20120052494O", "check letter"),
        ("20230583843N", "check letter"),
        ("2001/0171310S", "check letter"),
        ("1X23/1234567A", "form"),
        ("1923[1234567A", "form"),
        ("1923/1234567AA", "form"),
        ("02/73319", "form"),
        ("0962/0073319Z", "check letter"),
        # a wrong century passes the letter: only the range of years stops it
        ("1802/0073319Z", "year"),
        ("2802/0073319Z", "year"),
        ("2027/0000001" + check_letter(270000001), "year"),
        ("00/0Z", "placeholder"),
        ("٠٢/73319Z", ""),
        ("9" * 100_000, "form"),
        ("=1+1", "form"),
    ],
)
def test_pnc_ids_that_are_not_valid(written, fault):
    found = pnc_id(written, THIS_YEAR)
    if fault:
        assert (found.value, found.fault) == (None, fault)
    else:  # digits of other scripts have no compatible form
        assert found.value is None


def test_two_digit_years_turn_with_the_calendar():
    assert pnc_id("26/1" + check_letter(260000001), 2026).value.startswith("2026/")
    assert pnc_id("26/1" + check_letter(260000001), 2025).value.startswith("1926/")


def test_an_empty_cell_is_no_fault():
    for read in (cro_number, prison_number, probation_number):
        assert (read("  ").value, read("  ").fault) == (None, "")
    assert (pnc_id("", THIS_YEAR).value, pnc_id("", THIS_YEAR).fault) == (None, "")


def test_every_wrong_digit_and_every_swap_of_neighbours_is_found():
    draw = random.Random(1)
    for _ in range(300):
        digits = [*f"{draw.randrange(27):02d}{draw.randrange(1, 10**7):07d}"]
        letter = check_letter(int("".join(digits)))
        for place in range(9):
            wrong = digits.copy()
            wrong[place] = str((int(wrong[place]) + draw.randrange(1, 10)) % 10)
            assert check_letter(int("".join(wrong))) != letter
        for place in range(8):
            swapped = digits.copy()
            swapped[place : place + 2] = reversed(digits[place : place + 2])
            if swapped != digits:
                assert check_letter(int("".join(swapped))) != letter


def test_the_letters_leave_out_those_that_look_like_digits():
    assert len(set(CHECK_LETTERS)) == 23
    assert not set("IOS") & set(CHECK_LETTERS)


@pytest.mark.parametrize(
    ("written", "canonical", "fault"),
    [
        ("482703/05" + check_letter(5482703), "482703/05" + check_letter(5482703), ""),
        ("34/81" + check_letter(81000034), "000034/81" + check_letter(81000034), ""),
        ("SF05/482703" + check_letter(5482703), "SF05/482703" + check_letter(5482703), ""),
        ("sf 39 / 12 " + check_letter(3912), "SF39/12" + check_letter(3912), ""),
        ("000000/00Z", None, "placeholder"),
        ("482703/05" + check_letter(5482704), None, "check letter"),
        ("SF05/482703" + check_letter(5482704), None, "check letter"),
        ("1234567/05A", None, "form"),
        ("SF/05", None, "form"),
    ],
)
def test_cro_numbers(written, canonical, fault):
    assert (cro_number(written).value, cro_number(written).fault) == (canonical, fault)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("A1234BC", "A1234BC"),
        (" a 1234 bc", "A1234BC"),
        ("A1234/BC", "A1234BC"),
        ("AB1234", "AB1234"),
        ("AB1234C", None),
        ("A123BC", None),
        ("1234567", None),
    ],
)
def test_prison_numbers_of_both_kinds(written, canonical):
    assert prison_number(written).value == canonical


def test_probation_numbers():
    assert probation_number("x123456").value == "X123456"
    assert probation_number("XY12345").fault == "form"
