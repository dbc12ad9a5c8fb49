"""Names in their common form."""

import pytest

from engine.store.names import name_tokens, sound
from engine.store.nicknames import full_names


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
