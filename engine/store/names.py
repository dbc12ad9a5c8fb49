"""Names and identifiers in the one form in which records and submissions are compared."""

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
CHECK_LETTERS = "ZABCDEFGHJKLMNPQRTUVWXY"
_PNC = re.compile(r"([0-9]{4}|[0-9]{2})/?([0-9]{1,7})([A-Z])")
_PRISON = re.compile(r"[A-Z][0-9]{4}[A-Z]{2}")


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


def canonical_pnc(text: str | None, this_year: int) -> str | None:
    """Return a PNC ID as ``YYYY/NNNNNNNL``, None unless its check letter and year are right.

    Parameters
    ----------
    text : str or None
        With a year of two or four digits, with or without the slash and leading zeros.
    this_year : int
        Two digits up to this year's are of this century.
    """
    if not text or len(text) > _LONGEST:
        return None
    found = _PNC.fullmatch(re.sub(r"[\s-]", "", text.upper()))
    if found is None:
        return None
    year, serial, letter = found.groups()
    if "/" not in text and len(year + serial + letter) < 12 and len(year) == 4:
        # without a slash, fewer than twelve characters are the short form
        year, serial = year[:2], year[2:] + serial
    if len(year) == 2:
        year = f"{this_year // 100 if int(year) <= this_year % 100 else this_year // 100 - 1}{year}"
    if len(serial) > 7 or not 1900 <= int(year) <= this_year:
        return None
    number = int(year[2:] + serial.zfill(7))
    if CHECK_LETTERS[number % 23] != letter:
        return None
    return f"{year}/{serial.zfill(7)}{letter}"


def canonical_prison_number(text: str | None) -> str | None:
    """Return a prison number as ``ANNNNAA``, None where it has another form."""
    if not text or len(text) > _LONGEST:
        return None
    plain = re.sub(r"[\s/-]", "", text.upper())
    return plain if _PRISON.fullmatch(plain) else None
