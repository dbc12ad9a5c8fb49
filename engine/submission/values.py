"""Names, gender and postcodes of a submission: what is a value, what stands for 'not known'."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

GENDERS = {
    "M": ("m", "male", "males", "man", "men", "boy", "1"),
    "F": ("f", "female", "females", "woman", "women", "girl", "2"),
    "unknown": (
        "u", "unk", "unknown", "notknown", "notspecified", "notstated", "notrecorded",
        "indeterminate", "i", "refused", "prefernottosay", "ns", "nk", "0", "9",
    ),
    "other": (
        "x", "o", "other", "nonbinary", "nb", "trans", "transgender", "transman", "transwoman",
        "genderfluid", "genderqueer", "intersex",
    ),
}  # fmt: skip
"""Codings of gender, letters and digits only. Digits are those of the criminal justice standard:
0 not known, 1 male, 2 female, 9 not specified."""

_GENDER_OF = {text: gender for gender, texts in GENDERS.items() for text in texts}

NOT_KNOWN = frozenset(
    (
        "", "na", "none", "null", "nil", "unknown", "notknown", "notentered", "notrecorded",
        "notprovided", "notgiven", "tbc", "tba", "nk", "ntkn", "missing", "blank", "x", "xx", "xxx",
        "test", "nan",
    )
)  # fmt: skip
"""What people and systems write into a cell in place of a name, letters only."""

ADMIN_PREFIX = re.compile(r"^(MIG_ERROR_|NO_SHOW_|DUPLICATE_)+", re.IGNORECASE)
"""Marks that case management systems put before a name."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|", "%")
NOT_IN_NAMES = frozenset('<>=@|{}\\^~"$#')
IN_NAMES = frozenset(" -'\u2019\u2018`\u00b4.,()")
GARBLED = re.compile("[\ufffd\u00c3\u00c2][\u0080-\u00bf\u2018-\u203a\u0192]?|\u00e2\u20ac")

_NO_LETTERS = re.compile(r"[\W\d_]+")
_POSTCODE = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?)(\d[A-Z]{2})", re.ASCII)
NO_ADDRESS = frozenset({"NF11NF", "NF11FA", "ZZ993VZ", "ZZ993WZ"})
"""Postcodes that stand for 'no fixed abode' or 'not known'."""


def is_empty(text: str) -> bool:
    """Whether a cell says nothing: empty, dashes, or a word for 'not known'."""
    # 'Na' is a surname, 'NA' and 'n/a' are not
    return (
        _letters(text) in NOT_KNOWN and not any(c.isdigit() for c in text) and text.strip() != "Na"
    )


def read_name(text: str) -> tuple[str, str]:
    """Read a name.

    Parameters
    ----------
    text : str
        Of at most a few hundred characters, stripped.

    Returns
    -------
    name : str
        Without marks of case management systems and with single spaces; empty for no name.
    fault : str
        Empty, ``name_missing``, ``name_not_a_name``, ``name_garbled``, ``name_initial_only`` or
        ``name_other_characters``. The first two leave no name.
    """
    plain = ADMIN_PREFIX.sub("", unicodedata.normalize("NFC", text)).replace("_", " ")
    plain = " ".join(plain.split())
    if plain.startswith(FORMULA_STARTS) and len(plain) > 1 and not plain.strip("-"):
        return "", "name_missing"
    if plain.startswith(FORMULA_STARTS) and len(plain) > 1:
        return "", "name_not_a_name"
    if is_empty(plain):
        return "", "name_missing"
    if any(c in NOT_IN_NAMES or unicodedata.category(c)[0] == "C" for c in plain):
        return "", "name_not_a_name"
    if not _letters(plain):
        return "", "name_not_a_name"
    if GARBLED.search(plain):
        return plain, "name_garbled"
    if sum(c.isalpha() for c in plain) == 1:
        return plain, "name_initial_only"
    if any(not (c.isalpha() or c in IN_NAMES or unicodedata.category(c)[0] == "M") for c in plain):
        return plain, "name_other_characters"
    return plain, ""


def read_genders(cells: Sequence[str]) -> list[tuple[str | None, str]]:
    """Read a column of gender: for each cell M, F or None, and the rule that was broken.

    Parameters
    ----------
    cells : sequence of str
        The texts of the cells, stripped.

    Returns
    -------
    list of (str or None, str)
        Rules: ``gender_missing``, ``gender_unreadable``, ``gender_coding_unclear``,
        ``gender_not_in_records``.

    Notes
    -----
    Where a column holds zeros and ones but no other number, 0 may mean 'female' or 'not known', so
    neither is read.
    """
    # 'M?' is a guess of the sender's
    folded = ["?" if "?" in cell else _folded(cell) for cell in cells]
    digits = {text for text in folded if text.isdigit()}
    unclear = digits == {"0", "1"}
    readings: list[tuple[str | None, str]] = []
    for text, cell in zip(folded, cells, strict=True):
        gender = _GENDER_OF.get(text)
        if unclear and text in digits:
            readings.append((None, "gender_coding_unclear"))
        elif gender in {"M", "F"}:
            readings.append((gender, ""))
        elif gender is not None:
            readings.append((None, "gender_not_in_records"))
        elif is_empty(cell):
            readings.append((None, "gender_missing"))
        else:
            readings.append((None, "gender_unreadable"))
    return readings


def read_postcode(text: str) -> tuple[str | None, str]:
    """Read a postcode into capitals with one space; the rule is ``postcode_invalid``."""
    plain = "".join(text.upper().split())
    if is_empty(text) or plain in NO_ADDRESS:
        return None, ""
    found = _POSTCODE.fullmatch(plain) if len(plain) <= 8 else None
    return (f"{found[1]} {found[2]}", "") if found else (None, "postcode_invalid")


def comparable(name: str) -> str:
    """Return a name as it is compared with others of the same file: letters alone, no accents."""
    return _letters(unicodedata.normalize("NFKD", name))


def _letters(text: str) -> str:
    return _NO_LETTERS.sub("", text.casefold())


def _folded(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
