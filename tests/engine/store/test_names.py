"""Names and identifiers in their common form."""

import pytest

from engine.store.names import canonical_pnc, canonical_prison_number, name_tokens, sound
from engine.store.nicknames import full_names


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("81/34U", "1981/0000034U"),
        ("02/73319Z", "2002/0073319Z"),
        ("00/223R", "2000/0000223R"),
        ("79/163001B", "1979/0163001B"),
        ("033Y", "2003/0000003Y"),
        ("67/9893091D", "1967/9893091D"),
        ("0273319Z", "2002/0073319Z"),
        ("20020073319Z", "2002/0073319Z"),
        ("2002/0073319Z", "2002/0073319Z"),
        (" 02/73319z ", "2002/0073319Z"),
    ],
)
def test_pnc_vectors(given, canonical):
    assert canonical_pnc(given, 2026) == canonical


@pytest.mark.parametrize(
    "given",
    [
        "20030011985Z",
        "20120052494O",
        "20230583843N",
        "2001/0171310S",
        "1X23/1234567A",
        "1923[1234567A",
        "1923/1234567AA",
        "0962/0073319Z",
        "",
        None,
        "9" * 100_000,
    ],
)
def test_pnc_that_is_not_valid(given):
    assert canonical_pnc(given, 2026) is None


def test_prison_numbers():
    assert canonical_prison_number("a1234bc") == "A1234BC"
    assert canonical_prison_number("A 1234 BC") == "A1234BC"
    assert canonical_prison_number("AB1234C") is None
    assert canonical_prison_number(None) is None


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ("José-María", ("JOSE", "MARIA")),
        ("O'Brien", ("OBRIEN",)),
        ("Mc Donald", ("MCDONALD",)),
        ("MIG_ERROR_Smith", ("SMITH",)),
        ("Not Entered", ()),
        ("J Smith", ("SMITH",)),
        ("Bjørn Straße", ("BJORN", "STRASSE")),
        (None, ()),
    ],
)
def test_name_tokens(given, tokens):
    assert name_tokens(given) == tokens


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("ROBERT", "R163"),
        ("RUPERT", "R163"),
        ("RUBIN", "R150"),
        ("ASHCRAFT", "A261"),
        ("TYMCZAK", "T522"),
        ("PFISTER", "P236"),
        ("HONEYMAN", "H555"),
        ("", ""),
    ],
)
def test_soundex_vectors(word, code):
    assert sound(word) == code


def test_short_forms_meet_in_a_full_name():
    assert set(full_names("BOB")) & set(full_names("ROBERT"))
    assert set(full_names("ALEX")) == {"ALEXANDER", "ALEXANDRA"}
    assert full_names("XERXES") == ("XERXES",)
