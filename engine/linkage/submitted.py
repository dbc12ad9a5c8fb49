"""The people of a submission in the form in which the national link index holds its people.

A row becomes one identity as it was typed, and one more for each alias the sender gave.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pyarrow as pa

from engine.store.names import name_tokens, sound
from engine.store.nicknames import full_names

PLACEHOLDER_BIRTHS = frozenset({dt.date(1900, 1, 1), dt.date(1970, 1, 1)})
"""Birth dates that systems write when nobody knows it, as in the link index."""

SUBMITTED_SCHEMA = pa.schema(
    [
        ("uid", pa.int64()),
        ("n", pa.int32()),
        ("alias_no", pa.int16()),
        ("forename", pa.utf8()),
        ("surname", pa.utf8()),
        ("middle", pa.utf8()),
        ("full_names", pa.list_(pa.utf8())),
        ("forename_sound", pa.utf8()),
        ("surname_sound", pa.utf8()),
        ("birth", pa.date32()),
        ("sex", pa.utf8()),
        ("pnc", pa.utf8()),
        ("noms", pa.utf8()),
        ("cro", pa.utf8()),
        ("crn", pa.utf8()),
    ]
)
_BETWEEN_ALIASES = re.compile(r"[;,/|\n]|\b(?:aka|or|nee|née)\b", re.IGNORECASE)
_MOST_ALIASES = 8
_IDENTIFIERS = {"pnc": "pnc_id", "noms": "prison_number", "cro": "cro_number", "crn": "crn"}


def submitted_identities(people: pa.Table) -> pa.Table:
    """Return the identities of all rows of a submission.

    Parameters
    ----------
    people : pyarrow.Table
        The usable rows, see :func:`engine.submission.people.read_people`; columns that are absent
        count as empty.

    Returns
    -------
    pyarrow.Table
        With :data:`SUBMITTED_SCHEMA`: ``n`` is the place of the row in ``people``, ``uid`` numbers
        the identities from -1 downwards, so that it never meets a row of the index.

    Notes
    -----
    A forename of which only the initial is left keeps it; in the index such words are dropped. An
    alias of one word is another surname, one of more words another whole name.
    """
    rows = people.num_rows
    empty = [None] * rows

    def column(name: str) -> list[Any]:
        return people[name].to_pylist() if name in people.column_names else empty

    found: dict[str, list[Any]] = {name: [] for name in SUBMITTED_SCHEMA.names}
    columns = [
        column(name)
        for name in ("first_name", "last_name", "middle_names", "alias", "date_of_birth", "gender")
    ]
    numbers = {short: column(name) for short, name in _IDENTIFIERS.items()}
    for n, (first, last, middle, alias, birth, sex) in enumerate(zip(*columns, strict=True)):
        own = _names(first, last, middle)
        for alias_no, names in enumerate((own, *_aliases(alias, own))):
            values = {
                "uid": -1 - len(found["uid"]),
                "n": n,
                "alias_no": alias_no,
                **_forms(names),
                "birth": None if birth in PLACEHOLDER_BIRTHS else birth,
                "sex": sex,
                **{short: cells[n] for short, cells in numbers.items()},
            }
            for name, value in values.items():
                found[name].append(value)
    return pa.table(found, schema=SUBMITTED_SCHEMA)


def has_identifier(people: pa.Table) -> list[bool]:
    """Return for each row whether it has a valid identifier of any kind."""
    given = [
        people[name].is_valid().to_pylist()
        for name in _IDENTIFIERS.values()
        if name in people.column_names
    ]
    return [any(row) for row in zip(*given, strict=True)] if given else [False] * people.num_rows


def _names(first: str | None, last: str | None, middle: str | None) -> tuple[str, str, str]:
    """Return forename, surname and middle name; words after the first forename are middle names."""
    given = name_tokens(first) or _initial(first)
    between = (*given[1:], *name_tokens(middle))
    return (given[0] if given else "", " ".join(name_tokens(last)), between[0] if between else "")


def _initial(text: str | None) -> tuple[str, ...]:
    """Return the one letter that a forename consists of."""
    letters = [letter for letter in (text or "").upper() if "A" <= letter <= "Z"]
    return (letters[0],) if len(letters) == 1 else ()


def _aliases(text: str | None, own: tuple[str, str, str]) -> list[tuple[str, str, str]]:
    """Return the other names a row gives, each once and different from the typed one."""
    found: list[tuple[str, str, str]] = []
    for piece in _BETWEEN_ALIASES.split(text or "")[:_MOST_ALIASES]:
        words = name_tokens(piece)
        if not words:
            continue
        names = (
            (own[0], words[0], own[2])
            if len(words) == 1
            else (words[0], words[-1], words[1] if len(words) > 2 else own[2])
        )
        if names != own and names not in found:
            found.append(names)
    return found


def _forms(names: tuple[str, str, str]) -> dict[str, Any]:
    """Return the names with their sounds and full names."""
    forename, surname, middle = names
    return {
        "forename": forename,
        "surname": surname,
        "middle": middle,
        "full_names": list(full_names(forename)) if forename else [],
        "forename_sound": sound(forename),
        "surname_sound": sound(surname.replace(" ", "")),
    }
