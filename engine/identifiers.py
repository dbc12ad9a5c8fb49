"""Numbers that the police, prisons and probation give to people: their forms and check letters.

Two of the four carry a check letter, which stops nearly every slip of a key; a number that fails it
is treated as missing and never as a contradiction. Nothing is repaired by guessing: a letter O in
place of a zero is an invalid number.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

CHECK_LETTERS = "ZABCDEFGHJKLMNPQRTUVWXY"
"""23 letters, without I, O and S; the remainder of the division by 23 is the place."""

LONGEST = 40
"""Characters of the longest text that is looked at; no identifier has half as many."""

FIRST_YEAR = 1900

Fault = Literal["", "form", "check letter", "year", "placeholder"]

_PNC_WITH_SLASH = re.compile(r"(\d{4}|\d{2})[/\\-](\d{1,7})([A-Z])", re.ASCII)
_PNC_LONG = re.compile(r"(\d{4})(\d{7})([A-Z])", re.ASCII)
_PNC_SHORT = re.compile(r"(\d{2})(\d{1,7})([A-Z])", re.ASCII)
_CRO = re.compile(r"(\d{1,6})[/\\-]?(\d{2})([A-Z])", re.ASCII)
_CRO_LOCAL = re.compile(r"SF[/\\-]?(\d{2})[/\\-](\d{1,6})([A-Z])", re.ASCII)
_PRISON = re.compile(r"[A-Z]\d{4}[A-Z]{2}", re.ASCII)
_PRISON_OLD = re.compile(r"[A-Z]{2}\d{4}", re.ASCII)
_SEPARATORS = str.maketrans("", "", "/-")
_CRN = re.compile(r"[A-Z]\d{6}", re.ASCII)


@dataclass(frozen=True)
class Identifier:
    """What an identifier was read as.

    Attributes
    ----------
    value : str or None
        Canonical form; None for an empty cell and for a number that is not valid.
    fault : str
        Why it is not valid: its form, its check letter, its year, or a known placeholder.
    """

    value: str | None
    fault: Fault = ""


def check_letter(number: int) -> str:
    """Return the letter that a PNC ID or CRO number with these digits ends in.

    Parameters
    ----------
    number : int
        Two-digit year followed by the serial, as one whole number; at least 0.

    Notes
    -----
    ``CHECK_LETTERS[number mod 23]``. 23 is prime and divides neither a power of ten nor nine, so
    every single wrong digit and every swap of neighbours among these digits is found.

    Examples
    --------
    >>> check_letter(81_0000034)
    'U'
    """
    return CHECK_LETTERS[number % 23]


def pnc_id(text: str, this_year: int) -> Identifier:
    """Read a PNC ID (Police National Computer) into the form ``YYYY/NNNNNNNX``.

    Parameters
    ----------
    text : str
        With or without slash, with a year of two or four digits and a serial of 1 to 7.
    this_year : int
        Year up to which a two-digit year belongs to this century; later years are refused.

    Returns
    -------
    Identifier

    Notes
    -----
    Without a slash, fewer than 12 characters are the short form with a two-digit year. The check
    letter covers the two-digit year and the serial padded to seven digits, not the century: a
    wrong century is caught by its range only.

    Examples
    --------
    >>> pnc_id("02/73319Z", 2026).value
    '2002/0073319Z'
    """
    plain = _plain(text)
    if not plain:
        return Identifier(None)
    found = _PNC_WITH_SLASH.fullmatch(plain) or (
        _PNC_LONG.fullmatch(plain) if len(plain) >= 12 else _PNC_SHORT.fullmatch(plain)
    )
    if found is None:
        return Identifier(None, "form")
    written, serial, letter = found.groups()
    year = int(written) if len(written) == 4 else _century(int(written), this_year)
    if check_letter(int(written[-2:] + serial.zfill(7))) != letter:
        return Identifier(None, "check letter")
    if not FIRST_YEAR <= year <= this_year:
        return Identifier(None, "year")
    if int(serial) == 0:
        return Identifier(None, "placeholder")
    return Identifier(f"{year}/{serial.zfill(7)}{letter}")


def cro_number(text: str) -> Identifier:
    """Read a CRO number (Criminal Records Office): ``NNNNNN/YYX``, or ``SFYY/NX`` for local files.

    Parameters
    ----------
    text : str
        The serial may lack its leading zeros.

    Returns
    -------
    Identifier

    Notes
    -----
    The check letter covers the two-digit year and the serial, padded to six digits in the standard
    form and as written in the local one. 000000/00Z is a known placeholder.

    Examples
    --------
    >>> cro_number("SF05/482703J").value
    'SF05/482703J'
    """
    plain = _plain(text)
    if not plain:
        return Identifier(None)
    if local := _CRO_LOCAL.fullmatch(plain):
        year, serial, letter = local.groups()
        if check_letter(int(year + serial)) != letter:
            return Identifier(None, "check letter")
        return Identifier(f"SF{year}/{serial}{letter}")
    standard = _CRO.fullmatch(plain)
    if standard is None:
        return Identifier(None, "form")
    serial, year, letter = standard.groups()
    serial = serial.zfill(6)
    if check_letter(int(year + serial)) != letter:
        return Identifier(None, "check letter")
    if int(serial) == 0:
        return Identifier(None, "placeholder")
    return Identifier(f"{serial}/{year}{letter}")


def prison_number(text: str) -> Identifier:
    """Read a prison number: a letter, four digits, two letters; or the older two letters and four.

    Notes
    -----
    There is no check letter and a slip usually gives another person's number, so this number needs
    a name or a birth date beside it.

    Examples
    --------
    >>> prison_number(" a 1234 bc").value
    'A1234BC'
    """
    plain = _plain(text).translate(_SEPARATORS)
    if not plain:
        return Identifier(None)
    if _PRISON.fullmatch(plain) or _PRISON_OLD.fullmatch(plain):
        return Identifier(plain)
    return Identifier(None, "form")


def probation_number(text: str) -> Identifier:
    """Read a CRN (case reference number of probation): a letter and six digits.

    Examples
    --------
    >>> probation_number("x123456").value
    'X123456'
    """
    plain = _plain(text)
    if not plain:
        return Identifier(None)
    return Identifier(plain) if _CRN.fullmatch(plain) else Identifier(None, "form")


def year_of_pnc_id(canonical: str) -> int:
    """Return the year of a canonical PNC ID: nobody has one from before their birth."""
    return int(canonical[:4])


def _plain(text: str) -> str:
    """Return capitals without any space; a text too long for a number loses nothing and fails."""
    if len(text) > LONGEST:
        return text.strip()
    return "".join(unicodedata.normalize("NFKC", text).split()).upper()


def _century(year: int, this_year: int) -> int:
    """Return the year of a two-digit year: of this century up to this year, else the last one."""
    return 2000 + year if year <= this_year % 100 else 1900 + year
