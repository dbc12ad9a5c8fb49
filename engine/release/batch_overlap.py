"""Studies of nearly the same people, which may not be handed over together.

Figures of two releases can be subtracted from each other. Where their people differ in a few, what
is left speaks of those few, however well each release is protected by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pyarrow.parquet as pq

from engine.release.folder import plain_errors
from engine.release.study_folder import PRIVATE

FEWEST = 30
"""People in whom two published groups of people must differ, unless they are the same."""


def treated_of(folders: Mapping[str, Path]) -> dict[str, frozenset[int]]:
    """Return the people analysed in each study whose private folder is there.

    Parameters
    ----------
    folders : mapping of str to Path
        Name and folder of each study.
    """
    found = {}
    for name, folder in folders.items():
        path = folder / PRIVATE / "treated.parquet"
        if path.is_file():
            with plain_errors("the file 'treated.parquet'", "reading"):
                table = pq.read_table(path, columns=["person_id"])
            found[name] = frozenset(table["person_id"].to_pylist())
    return found


def too_alike(
    now: Mapping[str, frozenset[int]], before: Mapping[str, frozenset[int]]
) -> list[tuple[str, str]]:
    """Return the studies whose people differ in a few from those of another.

    Parameters
    ----------
    now, before : mapping of str to frozenset of int
        People of each study of this batch, and of an earlier one.

    Returns
    -------
    list of (str, str)
        A study of this batch, and another of it or, marked ``(before)``, of the earlier one. Pairs
        of the same people are not named: their figures leave nobody when subtracted.
    """
    pairs = [*combinations(now.items(), 2)]
    pairs += [(one, (f"{name} (before)", people)) for one in now.items()
              for name, people in before.items()]  # fmt: skip
    return [
        (name, other)
        for (name, people), (other, theirs) in pairs
        if 0 < len(people ^ theirs) < FEWEST
    ]


def warnings_of(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return a sentence for each pair; it holds names of studies and no count."""
    return [
        f"'{one}' and '{other}' are of nearly the same people: do not hand over both, since their "
        f"figures can be subtracted. Fewer than {FEWEST} people differ."
        for one, other in pairs
    ]
