"""A linkage model of another service, saved by Splink: how often two records of one person agree.

Read are models in the form of the person matching service of HM Prison and Probation Service: name
and date of birth, each with levels that are told by their conditions. A condition is only compared
with known forms and never run. What differs between records and submissions stays ours: the prior,
how common each name and date is, and identifiers, which that form puts into one comparison.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.store.folder import plain_errors
from engine.store.link_model import BIRTH_LEVELS, NAME_LEVELS, Agreement
from engine.tables import first_bytes

LARGEST = 1 << 20
"""Bytes of the largest model that is read."""
LONGEST = 2_000
"""Characters of a condition that are looked at."""
FURTHEST = 0.05
"""The shares of a comparison's levels may miss 1 by so much: levels left out, and rounding."""

_FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "name": (
        ("whole", r"first_and_last_name_std_l=first_and_last_name_std_r"),
        ("near", r"jaro_winkler_similarity\(first_and_last_name_std_l,.*"),
        ("swapped", r"name_1_std_l=last_name_std_randname_1_std_r=last_name_std_l"),
        ("whole", r"\(*array_length\(list_intersect\(forename_std_arr_l,.*last_name_std_arr_r.*"),
        ("near", r"\(?jaro_winkler_similarity\(name_1_std_l,.*last_name_std_r.*"),
        ("forename", r"name_1_std_l=name_1_std_r"),
        ("surname", r"last_name_std_l=last_name_std_r"),
        ("else", r"else"),
    ),
    "date_of_birth": (
        ("exact", r"date_of_birth_l=date_of_birth_r"),
        ("exact", r"\(?array_length\(list_intersect\(date_of_birth_arr_l,.*"),
        ("edit", r"substr\(cast\(date_of_birth_lastext\),1,3\).*levenshtein\(.*"),
        ("edit", r"(damerau_)?levenshtein\(cast\(date_of_birth_lastext\),.*"),
        ("near", r"abs\(epoch\(date_of_birth_l\)-epoch\(date_of_birth_r\)\).*"),
        ("else", r"else"),
    ),
}
"""Kinds of levels by the forms of their conditions, without spaces, quotes and capitals."""

_KINDS = {
    "name": {
        "both exact": "whole",
        "swapped": "swapped",
        "surname exact with short form, middle name or initial": "near",
        "both Jaro-Winkler at least 0.92": "near",
        "part of a double surname": "near",
        "both Jaro-Winkler at least 0.88": "near",
        "surname only": "surname",
        "forename equals middle name": "forename",
        "forename only": "forename",
        "else": "else",
    },
    "date_of_birth": {
        "exact": "exact",
        "day and month swapped": "near",
        "one part off by one or ten": "edit",
        "one edit": "edit",
        "two of three parts": "near",
        "else": "else",
    },
}
"""The kind that each level of ours is a part of; aliases are identities of their own here."""

_COLUMNS = {"name": "first_and_last_name_std_l", "date_of_birth": "date_of_birth_l"}
"""A column that only this comparison has."""

_BLANK = re.compile(r'[\s"]+')


@dataclass(frozen=True)
class ImportedModel:
    """What is taken from a model.

    Parameters
    ----------
    sha256 : str
        Of the file.
    m : dict of str to dict of str to float
        By comparison and level of ours: how often two records of one person agree so.
    """

    sha256: str
    m: Agreement


def read_imported_model(path: Path) -> ImportedModel:
    """Read a model that Splink saved.

    Parameters
    ----------
    path : Path
        JSON of at most 1 MiB.

    Raises
    ------
    InputError
        There is no such file, it is no such model, or a comparison or a level that is needed is
        missing.

    Notes
    -----
    A level of theirs that several of ours are a part of is shared among them as our fixed priors
    are. Each comparison is brought to a sum of 1.
    """
    first_bytes(path)
    with plain_errors(f"the file '{path.name}'"):
        content = path.read_bytes() if path.stat().st_size <= LARGEST else b""
    try:
        model: Any = json.loads(content)
        comparisons = [one["comparison_levels"] for one in model["comparisons"]]
        levels = [[_level(level) for level in one] for one in comparisons]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _refusal(path, "it is no settings of Splink as JSON of at most 1 MiB") from None
    priors = {"name": NAME_LEVELS, "date_of_birth": BIRTH_LEVELS}
    return ImportedModel(
        hashlib.sha256(content).hexdigest(),
        {
            comparison: _shared(path, comparison, levels, {label: m for label, _, m in ours})
            for comparison, ours in priors.items()
        },
    )


def _level(level: Mapping[str, Any]) -> tuple[str, float]:
    """Return the condition of a level in its plain form, and its m; 0 for 'not known'."""
    condition = _BLANK.sub("", str(level["sql_condition"])[:LONGEST]).lower()
    if level.get("is_null_level", False):
        return condition, 0.0
    return condition, float(level["m_probability"])


def _shared(
    path: Path,
    comparison: str,
    found: Sequence[Sequence[tuple[str, float]]],
    priors: Mapping[str, float],
) -> dict[str, float]:
    """Return the m of our levels of one comparison."""
    own = [one for one in found if any(_COLUMNS[comparison] in text for text, _ in one)]
    if len(own) != 1:
        raise _refusal(path, f"it has no comparison of {comparison}, or several")
    theirs: dict[str, float] = {}
    for number, (text, m) in enumerate(own[0], 1):
        if m == 0.0:
            continue
        kinds = [kind for kind, form in _FORMS[comparison] if re.fullmatch(form, text)]
        if not kinds or not 0.0 < m <= 1.0:
            raise _refusal(path, f"level {number} of {comparison} is none that is known")
        theirs[kinds[0]] = theirs.get(kinds[0], 0.0) + m
    total = math.fsum(theirs.values())
    if set(theirs) != set(_KINDS[comparison].values()) or abs(total - 1.0) > FURTHEST:
        raise _refusal(path, f"the levels of {comparison} are not all there")
    parts: dict[str, float] = {}
    for label, kind in _KINDS[comparison].items():
        parts[kind] = parts.get(kind, 0.0) + priors[label]
    return {
        label: theirs[kind] / total * priors[label] / parts[kind]
        for label, kind in _KINDS[comparison].items()
    }


def _refusal(path: Path, found: str) -> InputError:
    return InputError(
        "the linkage model cannot be used",
        where=path.name,
        rule=found,
        repair="Give a model of the person matching service as Splink saved it, or leave it out",
    )
