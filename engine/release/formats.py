"""How each kind of figure is printed.

Nothing else in the project turns a figure into text for a reader. A printed figure is a pair (key
of the results, name of a format), so a page can be checked number by number against results.json:
:func:`lookup` finds the figure and ``FORMATS[name]`` prints it.
"""

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

MINUS = "\u2212"
"""The true minus sign: it lines up with digits and screen readers say 'minus'."""

ABSENT = "n/a"
"""Printed where a figure is not defined, for example the variance ratio of a constant."""

_BIDIRECTIONAL = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SCIENTIFIC_FROM = 1e9


def plain_text(value: object) -> str:
    """Text of a name without control characters and direction marks.

    Parameters
    ----------
    value : object
        A column name, a level name or a sentence; anything else is turned into text first.

    Returns
    -------
    str
        The text that is safe to show: no terminal escapes, no characters that XML forbids, no
        marks that reorder what a reader sees; line breaks and tabs become spaces.
    """
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    kept = []
    for character in text:
        if character in "\t\n\r\u2028\u2029":
            kept.append(" ")
        elif character in _BIDIRECTIONAL or character in "\ufffe\uffff":
            continue
        elif unicodedata.category(character) not in ("Cc", "Cs"):
            kept.append(character)
    return "".join(kept)


def lookup(results: Mapping[str, Any], key: str) -> Any:
    """Figure under a dotted key, ``None`` where the results hold nothing there.

    Parameters
    ----------
    results : mapping
        The results as written to results.json.
    key : str
        Names and list positions joined by dots (``balance.3.smd_after``); a last part ``len`` is
        the length of a list.

    Returns
    -------
    object
        The figure, text, list or mapping found, or ``None``.
    """
    found: Any = results
    for part in key.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, Sequence) and not isinstance(found, str):
            if part == "len":
                found = len(found)
            elif part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            else:
                return None
        else:
            return None
    return found


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number (a boolean is not)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _tidy(text: str) -> str:
    """Replace the hyphen by a minus sign, and drop it where only zeros follow."""
    if not text.startswith("-"):
        return text
    return MINUS + text[1:] if any(c in "123456789" for c in text) else text[1:]


def _scientific(value: float, digits: int) -> str:
    if not math.isfinite(value):  # a hundred times the largest number there is
        return ABSENT
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{_tidy(mantissa)}e{_tidy(str(int(exponent)))}"


def fixed(value: float, digits: int) -> str:
    """A number with thousands separators and a fixed number of decimals."""
    if abs(value) >= _SCIENTIFIC_FROM:
        return _scientific(value, 2)
    return _tidy(f"{value:,.{digits}f}")


def _count(value: float) -> str:
    return _tidy(f"{round(value):,}")


def _mean(value: float) -> str:
    """About four significant digits, as a mean of unknown unit needs."""
    size = abs(value)
    if size != 0 and size < 0.001:
        return _scientific(value, 1)
    return fixed(value, 0 if size >= 10_000 else 1 if size >= 100 else 2 if size >= 1 else 3)


def _width(value: float) -> str:
    """Three significant digits or more, no zeros after them: 0.05, 0.163, 0.00228."""
    size = abs(value)
    if 0 < size < 0.0001 or size >= _SCIENTIFIC_FROM:
        return _scientific(value, 2)
    text = fixed(value, 3 if size == 0 or size >= 0.1 else 2 - math.floor(math.log10(size)))
    return text.rstrip("0").rstrip(".")


def _coefficient(value: float) -> str:
    return _scientific(value, 2) if 0 < abs(value) < 0.0001 else fixed(value, 4)


def _per_100(value: float) -> str:
    """Whole people in every 100, with a decimal where a whole number would hide who is there."""
    hundreds = value * 100
    if 0 < abs(hundreds) < 0.05:
        return "less than 0.1"
    if 0 < abs(hundreds) < 0.95 or 99.05 < abs(hundreds) < 100:
        return fixed(hundreds, 1)
    return fixed(hundreds, 0)


def _days(value: float) -> str:
    return fixed(value, 1 if 0 < abs(value) < 0.95 else 0)


def _p_value(value: float) -> str:
    return "<0.001" if value < 0.001 else ">0.999" if value > 0.999 else fixed(value, 3)


def _at_least_one(value: float) -> str:
    """Size of a whole number that is known not to be nothing, though it was rounded."""
    return fixed(abs(value), 0) if round(value) else "less than 1"


def _days_said(value: float) -> str:
    """Size of a whole number of days with its unit."""
    return f"{fixed(abs(value), 0)} {'day' if round(abs(value)) == 1 else 'days'}"


def _trimmed(value: float) -> str:
    """At most two decimals and no zeros after them: figures that came rounded keep their digits."""
    text = fixed(value, 2)
    return text if "e" in text else text.rstrip("0").rstrip(".")


def _withheld(value: Any) -> str:
    """Mark of a figure that is held back, with the rules that hold it back."""
    listed = value if isinstance(value, list | tuple) else []
    rules = [one for one in listed if isinstance(one, str)]
    return f"[suppressed: {', '.join(map(plain_text, rules))}]" if rules else ABSENT


def _size(form: Callable[[float], str]) -> Callable[[float], str]:
    """The same format for the size of a difference, whose direction is said in words."""
    return lambda value: form(abs(value))


_NUMBERS: dict[str, Callable[[float], str]] = {
    "count": _count,
    "effective": lambda value: fixed(value, 0 if value == round(value) else 1),
    "percent": lambda value: fixed(value * 100, 1) + "%",
    "points": lambda value: fixed(value * 100, 1),
    "per_100": _per_100,
    "per_100_fine": lambda value: fixed(value * 100, 1),
    "per_100_size": _size(_per_100),
    "mean": _mean,
    "mean_size": _size(_mean),
    "days": _days,
    "days_size": _size(_days),
    "days_fine": lambda value: fixed(value, 1),
    "width": _width,
    "smd": lambda value: fixed(value, 3),
    "smd_size": lambda value: fixed(abs(value), 3),
    "ratio": lambda value: fixed(value, 2),
    "probability": lambda value: fixed(value, 3),
    "logit": lambda value: fixed(value, 3),
    "coefficient": _coefficient,
    "scientific": lambda value: "0" if value == 0 else _scientific(value, 1),
    "p": _p_value,
    "whole": lambda value: fixed(value, 0),
    "whole_size": lambda value: fixed(abs(value), 0),
    "whole_least": _at_least_one,
    "days_said": _days_said,
    "days_least": lambda value: _days_said(value) if round(value) else "less than 1 day",
    "whole_percent": lambda value: fixed(value, 0) + "%",
    "trimmed": _trimmed,
    "trimmed_least": lambda value: "less than 0.01" if abs(value) < 0.005 else _trimmed(abs(value)),
    "trimmed_size": lambda value: _trimmed(abs(value)),
    "year": lambda value: fixed(value, 0).replace(",", ""),
}


def _with_decimals(digits: int) -> Callable[[float], str]:
    return lambda value: fixed(value, digits)


for _digits in range(5):
    _NUMBERS[f"fixed_{_digits}"] = _with_decimals(_digits)
    _NUMBERS[f"fixed_{_digits}_size"] = _size(_with_decimals(_digits))


def _guarded(form: Callable[[float], str]) -> Callable[[Any], str]:
    return lambda value: form(value) if is_number(value) else ABSENT


FORMATS: dict[str, Callable[[Any], str]] = {
    **{name: _guarded(form) for name, form in _NUMBERS.items()},
    "text": lambda value: ABSENT if value is None else plain_text(value),
    "words": lambda value: ABSENT if value is None else plain_text(value).replace("_", " "),
    "withheld": _withheld,
}
"""Format name to function. Each takes a figure (or ``None``) and returns text."""


def figure(results: Mapping[str, Any], key: str, form: str) -> str:
    """Text of the figure under ``key`` in the format named ``form``."""
    return FORMATS[form](lookup(results, key))
