"""Sentences whose numbers are keys: one text, printed on a page or as plain words.

A sentence is written as ``Of every 100 people, {.treated|whole} reoffended.`` The part in braces
names a key of the results and a format. A key that begins with a dot stands below the base that
the sentence is made for. So no number can get into a sentence except by its key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.release.formats import FORMATS, figure, lookup

if TYPE_CHECKING:
    from markupsafe import Markup

_FIGURE = re.compile(r"\{([A-Za-z0-9_.]+)\|([a-z0-9_]+)\}")


@dataclass(frozen=True)
class Sentence:
    """Words with the keys of their numbers.

    Attributes
    ----------
    words : str
        Text in which ``{key|format}`` stands for a figure, every key whole.
    """

    words: str

    def __add__(self, other: "Sentence") -> "Sentence":
        """Return both as one text with a space between them."""
        return Sentence(f"{self.words} {other.words}")

    @property
    def figures(self) -> list[tuple[str, str]]:
        """Keys and formats in the order in which they are read."""
        return _FIGURE.findall(self.words)


def sentence(words: str, base: str = "") -> Sentence:
    """A sentence with its relative keys made whole.

    Parameters
    ----------
    words : str
        Text of ours, never of a user.
    base : str
        Key below which keys with a leading dot stand.

    Returns
    -------
    Sentence

    Raises
    ------
    ValueError
        A format is not known, or a brace is left over: a slip in the words.
    """

    def whole(found: re.Match[str]) -> str:
        key, form = found.groups()
        if form not in FORMATS:
            raise ValueError(f"no format '{form}'")
        return f"{{{base + key if key.startswith('.') else key}|{form}}}"

    made = _FIGURE.sub(whole, words)
    if re.search(r"[{}]", _FIGURE.sub("", made)):
        raise ValueError(f"a brace that names no figure: {words}")
    return Sentence(made)


def plain(results: Mapping[str, Any], said: Sentence) -> str:
    """The sentence as plain text, for a spreadsheet or a text alternative."""
    return _FIGURE.sub(lambda found: figure(results, *found.groups()), said.words)


def marked(results: Mapping[str, Any], said: Sentence) -> "Markup":
    """The sentence as HTML; each figure carries its key and format, and everything is escaped."""
    from markupsafe import Markup, escape  # noqa: PLC0415 - only pages pay for it

    parts: list[Markup] = []
    last = 0
    for found in _FIGURE.finditer(said.words):
        parts.extend((escape(said.words[last : found.start()]), span(results, *found.groups())))
        last = found.end()
    parts.append(escape(said.words[last:]))
    return Markup("").join(parts)


def span(results: Mapping[str, Any], key: str, form: str, look: str | None = None) -> "Markup":
    """One figure or text of the results as an element that carries its key and format."""
    from markupsafe import Markup  # noqa: PLC0415 - as in marked

    value = lookup(results, key)
    name = look or ("words" if form == "text" or isinstance(value, str) else "number")
    made = Markup('<span class="{}" data-key="{}" data-format="{}">{}</span>')
    return made.format(name, key, form, FORMATS[form](value))
