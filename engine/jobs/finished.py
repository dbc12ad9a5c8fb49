"""A finished match as its folder tells it: read, and held against the hashes of its manifest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.effects.outcome import Outcome, parse_outcomes, read_outcome
from engine.effects.sample import MatchedSample, matched_sample
from engine.errors import InputError, UsageError
from engine.matching.options import MatchOptions, check_options
from engine.matching.rows import Rows, read_rows
from engine.matching.scoring import Scoring, score_rows
from engine.matching.selection import select_matches
from engine.release.folder import MANIFEST, read_file, read_manifest
from engine.tables import TableSource, open_table

Floats = NDArray[np.float64]

_LIMIT = 1 << 36
LINEAR_FORM = "linear-form.parquet"


@dataclass(frozen=True)
class Finished:
    """A finished match.

    Attributes
    ----------
    folder : Path
    manifest, results : dict
        As in the files.
    """

    folder: Path
    manifest: dict[str, Any]
    results: dict[str, Any]

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Outcomes in the order of the results."""
        return parse_outcomes(self.manifest["options"]["outcome"])

    @property
    def options(self) -> MatchOptions:
        """Options of the match."""
        given = self.manifest["options"]
        known = (check_options.__kwdefaults__ or {}).keys() | {"treatment"}
        return check_options(**{name: given[name] for name in known if name in given})

    @property
    def differences(self) -> Floats:
        """Estimates, treated minus comparison, float64, shape (outcomes,); nan for none."""
        return np.array(
            [
                np.nan if one["difference"] is None else one["difference"]
                for one in self.results["estimates"]
            ]
        )

    @property
    def sign(self) -> float:
        """Factor from focal minus partners to treated minus comparison."""
        return 1.0 if self.results["design"]["estimand"] == "att" else -1.0


def open_match(path: Path | str) -> Finished:
    """Open the folder of a finished match, or of a study, whose exact results are in ``private``.

    Raises
    ------
    InputError
        There is no finished match, it has no outcome, or a file has changed since.
    """
    folder = Path(path)
    if read_manifest(folder) is None and read_manifest(folder / "private") is not None:
        folder /= "private"
    manifest = read_manifest(folder)
    if manifest is None or manifest["status"] != "complete":
        raise InputError(
            f"there is no finished match in '{folder.name}'",
            rule="a bootstrap resamples a match that has been made with --out",
            repair="Name the folder that was given to --out",
        )
    results = json.loads(checked_bytes(folder, manifest, "results.json"))
    if not results["estimates"]:
        raise InputError(
            "the match has no outcome",
            rule="what is resampled is the estimate of an effect",
            repair="Match again with --outcome",
        )
    return Finished(folder.absolute(), manifest, results)


def checked_bytes(folder: Path, manifest: Mapping[str, Any], name: str) -> bytes:
    """Return the content of a file of an output, as it was when its manifest was written.

    Raises
    ------
    InputError
        The manifest does not list it, or its bytes have changed.
    """
    listed = {one["name"]: one["sha256"] for one in manifest["files"]}
    if name not in listed:
        raise InputError(
            f"the match has no file '{name}'",
            where=f"{folder.name}/{MANIFEST}",
            repair="Make the match again with this version",
        )
    data = read_file(folder, name, _LIMIT)
    if hashlib.sha256(data).hexdigest() != listed[name]:
        raise InputError(
            f"the file '{name}' has changed since the match was made",
            where=folder.name,
            rule="its hash stands in the manifest",
            repair="Make the match again",
        )
    return data


@dataclass(frozen=True)
class PersonSums:
    """What each person adds to the error of each estimate.

    Attributes
    ----------
    unit : uint64, shape (people,)
        Random key of each, ascending.
    sums : float64, shape (outcomes, people)
    names : tuple of str
        Outcomes that have a linear form, ``COLUMN:TYPE``.
    """

    unit: NDArray[np.uint64]
    sums: Floats
    names: tuple[str, ...]


def read_person_sums(match: Finished) -> PersonSums:
    """Read the linear forms of a match and sum them over the rows of each person."""
    data = checked_bytes(match.folder, match.manifest, LINEAR_FORM)
    table = pq.read_table(pa.BufferReader(data))
    names = tuple(table.column_names[2:])
    unit, place = np.unique(to_numpy(table.column("unit")), return_inverse=True)
    sums = np.empty((len(names), len(unit)))
    for row, name in enumerate(names):
        values = to_numpy(table.column(name))
        sums[row] = np.bincount(place, weights=values, minlength=len(unit))
    return PersonSums(unit, sums, names)


@dataclass(frozen=True)
class Remade:
    """The match made once more from its table.

    Attributes
    ----------
    rows : Rows
    scoring : Scoring
    values : tuple of float64 arrays, shape (n,)
        Outcomes in canonical order.
    """

    rows: Rows
    scoring: Scoring
    values: tuple[Floats, ...]


def remake(match: Finished, table: Path | str) -> Remade:
    """Read the table of a match again and fit its score.

    Raises
    ------
    InputError
        It is not the table that the match was made from.
    """
    source = open_table(table)
    require_same_table(match, source)
    rows = read_rows(source, match.options)
    values = tuple(read_outcome(source, outcome, rows.identity) for outcome in match.outcomes)
    return Remade(rows, score_rows(rows, match.options), values)


def remade_sample(match: Finished, remade: Remade) -> MatchedSample:
    """Return the matched sample, from the same rows and rules as the match."""
    options = match.options
    matched = select_matches(remade.rows, remade.scoring, options)
    return matched_sample(remade.rows, remade.scoring, matched, options)


def require_same_table(match: Finished, source: TableSource) -> None:
    """Refuse a table with another hash than the one recorded."""
    recorded = match.manifest["inputs"][0]["sha256"]
    if recorded is None:
        raise UsageError(
            "the match was made from a table in memory, which cannot be read again",
            rule="this kind of bootstrap needs the table",
            repair="Use --kind wild, or match a file",
        )
    if source.sha256() != recorded:
        raise InputError(
            "this is not the table that the match was made from",
            where=source.name,
            rule="the hash of the table stands in the manifest of the match",
            repair="Give the same file, byte for byte",
        )
