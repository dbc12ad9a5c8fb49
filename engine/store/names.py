"""Names in the one form in which records and submissions are compared."""

from __future__ import annotations

import re
import unicodedata

PLACEHOLDERS = ("MIG_ERROR_", "NO_SHOW_", "DUPLICATE_")
_NOT_ENTERED = re.compile(r"\bNOT ENTERED\b")
_JOINED_MC = re.compile(r"\b(MC|MAC) (?=[A-Z])")
_APOSTROPHES = str.maketrans("", "", "'’‘`´")
_OTHER = re.compile(r"[^A-Z]+")
# letters that decomposition leaves whole
_LETTERS = str.maketrans(
    {"ß": "SS", "Æ": "AE", "Ø": "O", "Œ": "OE", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "ı": "I"}
)
_LONGEST = 200
_SOUND_DIGITS = dict(zip("BFPVCGJKQSXZDTLMNR", "111122222222334556", strict=True))


def name_tokens(text: str | None) -> tuple[str, ...]:
    """Return the words of a name in capitals without accents, apostrophes and placeholders.

    Parameters
    ----------
    text : str or None
        As recorded or typed.

    Returns
    -------
    tuple of str
        Words of at least two letters A to Z; hyphens part words, ``MC`` and ``MAC`` join the word
        that follows.
    """
    if not text:
        return ()
    upper = text[:_LONGEST].upper()
    for prefix in PLACEHOLDERS:
        upper = upper.replace(prefix, " ")
    plain = unicodedata.normalize("NFKD", upper.translate(_LETTERS))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).upper()
    plain = _OTHER.sub(" ", plain.translate(_APOSTROPHES)).strip()
    plain = _JOINED_MC.sub(r"\1", _NOT_ENTERED.sub(" ", plain))
    return tuple(word for word in plain.split() if len(word) > 1)


def sound(word: str) -> str:
    """Return the American Soundex of a word of letters A to Z, empty for an empty word."""
    if not word:
        return ""
    code = word[0]
    last = _SOUND_DIGITS.get(word[0], "")
    for letter in word[1:]:
        digit = _SOUND_DIGITS.get(letter, "")
        if digit and digit != last:
            code += digit
            if len(code) == 4:
                break
        if letter not in "HW":
            last = digit
    return code.ljust(4, "0")
