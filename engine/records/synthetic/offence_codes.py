"""Invented offence codes of the synthetic nation, with the groups that each belongs to.

The codes have the form of the national ones and begin with 9, so that nobody takes them for real.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from engine.records import code_lists as lists
from engine.records.schema import CODE, OFFENCE_LOOKUP
from engine.records.synthetic.people import Ints
from engine.records.synthetic.world import KINDS, Floats

INDICTABLE, EITHER_WAY, SUMMARY = range(3)


class Code(NamedTuple):
    """One offence code: weight among those of its kind and mode, groups, seriousness."""

    kind: str
    mode: int
    weight: float
    group12: str
    group20: str
    group24: str
    severity: float
    recordable: bool = True


_VAP, _THEFT = "violence against the person", "theft offences"
_SUMMARY, _MOTOR = "summary non-motoring", "summary motoring"
_MISC = "miscellaneous crimes against society"
_HANDLING, _OTHER_I, _OTHER_S = "theft and handling", "other indictable", "other summary"
_ORDER24 = "public order and harassment"

CODES = (
    Code(_VAP, 0, 1, _VAP, "violence", "violence (serious)", 9.0),
    Code(_VAP, 0, 3, _VAP, "violence", "acquisitive violence", 8.0),
    Code(_VAP, 1, 8, _VAP, "violence", "violence (assault)", 6.0),
    Code(_VAP, 1, 2, _VAP, "violence", _ORDER24, 5.0),
    Code("sexual offences", 0, 2, "sexual offences", *lists.OFFENCE_GROUPS_20[3:4] * 2, 9.5),
    Code("sexual offences", 0, 1, "sexual offences", *lists.OFFENCE_GROUPS_20[4:5] * 2, 9.5),
    Code("sexual offences", 1, 2, "sexual offences", *lists.OFFENCE_GROUPS_20[3:4] * 2, 7.0),
    Code("sexual offences", 1, 3, "sexual offences", *lists.OFFENCE_GROUPS_20[4:5] * 2, 7.0),
    Code("sexual offences", 2, 1, "sexual offences", *lists.OFFENCE_GROUPS_20[3:4] * 2, 4.0),
    Code("robbery", 0, 1, "robbery", "robbery", "acquisitive violence", 8.0),
    Code(_THEFT, 0, 1, "burglary", *lists.OFFENCE_GROUPS_20[6:7] * 2, 7.5),
    Code(_THEFT, 1, 2, "burglary", *lists.OFFENCE_GROUPS_20[6:7] * 2, 6.5),
    Code(_THEFT, 1, 2, "burglary", *lists.OFFENCE_GROUPS_20[7:8] * 2, 5.0),
    Code(_THEFT, 1, 16, _HANDLING, *lists.OFFENCE_GROUPS_20[8:9] * 2, 3.0),
    Code(_THEFT, 1, 2, _HANDLING, *lists.OFFENCE_GROUPS_20[9:10] * 2, 3.5),
    Code(_THEFT, 1, 2, _HANDLING, "theft from vehicles", "vehicle theft", 3.5),
    Code(_THEFT, 2, 1, _HANDLING, "taking and driving away and related", "vehicle theft", 3.5),
    Code("criminal damage and arson", 0, 1, *("criminal damage",) * 3, 7.0),
    Code("criminal damage and arson", 1, 1, *("criminal damage",) * 3, 4.5),
    Code("drug offences", 0, 1, "drug offences", *lists.OFFENCE_GROUPS_20[17:18] * 2, 8.0),
    Code("drug offences", 1, 1, "drug offences", *lists.OFFENCE_GROUPS_20[17:18] * 2, 6.0),
    Code("drug offences", 1, 8, "drug offences", *lists.OFFENCE_GROUPS_20[18:19] * 2, 2.5),
    Code("possession of weapons", 0, 1, _OTHER_I, "other", "firearms", 8.0),
    Code("possession of weapons", 1, 1, _OTHER_I, "other", "possession of weapons", 4.5),
    Code("public order offences", 0, 1, _OTHER_I, "public order", _ORDER24, 6.5),
    Code("public order offences", 1, 1, _OTHER_I, "public order", _ORDER24, 4.5),
    Code("public order offences", 2, 1, _OTHER_S, "public order", _ORDER24, 2.0),
    Code(_MISC, 0, 1, _OTHER_I, "other", "other", 6.0),
    Code(_MISC, 1, 2, _OTHER_I, "other", "other", 4.0),
    Code(_MISC, 1, 1, "indictable motoring", "other motoring", "motoring", 4.5),
    Code(_MISC, 2, 4, _OTHER_S, "other", "other", 1.5),
    Code(_MISC, 2, 1, _OTHER_S, "soliciting or prostitution", "other", 1.0),
    Code("fraud offences", 0, 1, "fraud and forgery", *("fraud and forgery",) * 2, 6.0),
    Code("fraud offences", 1, 1, "fraud and forgery", *("fraud and forgery",) * 2, 4.0),
    Code("fraud offences", 2, 1, "fraud and forgery", "fraud and forgery", "welfare fraud", 2.5),
    Code(_SUMMARY, 2, 5, _OTHER_S, "violence", "violence (common assault)", 2.5),
    Code(_SUMMARY, 2, 3, _OTHER_S, "criminal damage", "criminal damage", 2.0),
    Code(_SUMMARY, 2, 2, _OTHER_S, "public order", "drunkenness", 1.0),
    Code(_SUMMARY, 2, 3, _OTHER_S, "public order", _ORDER24, 1.5),
    Code(_MOTOR, 2, 5, "summary motoring", "drink driving", "drink driving", 2.5),
    Code(_MOTOR, 2, 7, "summary motoring", "other motoring", "motoring", 1.5),
    Code("other", 0, 1, _OTHER_I, "other", "other", 6.0),
    Code(
        "other", 1, 1, _OTHER_I, "absconding or bail offences", "absconding or bail offences", 3.5
    ),
    Code("other", 1, 1, _OTHER_I, "other", "other", 3.5),
    Code(
        "other", 2, 2, _OTHER_S, "absconding or bail offences", "absconding or bail offences", 2.0
    ),
    Code("other", 2, 3, _OTHER_S, "other", "other", 1.0),
    # the last two are no reoffences: a fixed penalty offence, and breach of an order
    Code(_MOTOR, 2, 0, "summary motoring", "other motoring", "motoring", 0.5, recordable=False),
    Code("other", 2, 0, _OTHER_S, "absconding or bail offences", "other", 1.0),
)
NOT_RECORDABLE = len(CODES) - 2
BREACH = len(CODES) - 1
NOTICE = next(i for i, code in enumerate(CODES) if code.group24 == "drunkenness")
"""The offence for which penalty notices are given."""


def _texts() -> list[str]:
    """Codes 9kk/ss: kind and number within the kind."""
    seen = dict.fromkeys(KINDS, 0)
    texts = []
    for code in CODES:
        seen[code.kind] += 1
        texts.append(f"9{KINDS.index(code.kind) + 1:02d}/{seen[code.kind]:02d}")
    return texts


TEXTS = pa.array(_texts(), pa.utf8())


def _shares() -> list[list[tuple[Ints, Floats]]]:
    """By kind and mode: positions of the codes and their cumulative shares."""
    table = []
    for kind in KINDS:
        by_mode = []
        for mode in range(3):
            places = [i for i, code in enumerate(CODES) if (code.kind, code.mode) == (kind, mode)]
            weights = np.array([CODES[i].weight for i in places], dtype=np.float64)
            by_mode.append((np.array(places, dtype=np.int64), np.cumsum(weights)))
        table.append(by_mode)
    return table


_BY_KIND_AND_MODE = _shares()


def choose_codes(kind: Ints, mode: Ints, u: Floats) -> Ints:
    """Return the position in ``CODES`` of each offence."""
    code = np.empty(len(kind), dtype=np.int64)
    cell = kind * 3 + mode
    for number in np.unique(cell):
        places, weights = _BY_KIND_AND_MODE[number // 3][number % 3]
        rows = np.flatnonzero(cell == number)
        picked = np.searchsorted(weights, u[rows] * weights[-1], side="right")
        code[rows] = places[np.minimum(picked, len(places) - 1)]
    return code


def coded(names: tuple[str, ...], place: Ints, missing: np.ndarray | None = None) -> pa.Array:
    """Return a dictionary array from positions in a code list, null where missing."""
    indices = pa.array(place.astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.utf8()))


def group_positions(names: tuple[str, ...], field: str) -> Ints:
    """Return, for each code, the position of one of its groups in a list of names."""
    return np.array([names.index(getattr(code, field)) for code in CODES], dtype=np.int64)


def lookup_table() -> pa.Table:
    """Return ``offence_lookup``, sorted by code."""

    def groups(field: str) -> pa.Array:
        return pa.array([getattr(code, field) for code in CODES]).dictionary_encode().cast(CODE)

    columns = {
        "ho_code": TEXTS,
        "cjs_code": pa.nulls(len(CODES), pa.utf8()),
        "group12": groups("group12"),
        "group13": groups("kind"),
        "group20": groups("group20"),
        "group24": groups("group24"),
        "severity": pa.array([code.severity for code in CODES], pa.float32()),
        "recordable": pa.array([code.recordable for code in CODES]),
    }
    table = pa.table(columns, schema=OFFENCE_LOOKUP.schema)
    return table.sort_by("ho_code")
