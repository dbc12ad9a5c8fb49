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
from engine.release.linear_form import outcome_name
from engine.release.manifest import content_id
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
    def estimates(self) -> dict[str, dict[str, Any]]:
        """Estimates of the results by outcome, ``COLUMN:TYPE``; those that are a number."""
        found = zip(self.outcomes, self.results["estimates"], strict=True)
        return {outcome_name(key): one for key, one in found if one["difference"] is not None}


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
    require_consistent(folder, manifest)
    results = json.loads(checked_bytes(folder, manifest, "results.json"))
    if all(one["difference"] is None for one in results["estimates"]):
        raise InputError(
            "the match has no estimate",
            rule="what is resampled is the estimate of an effect",
            repair="Match again with --outcome",
        )
    return Finished(folder.absolute(), manifest, results)


def require_consistent(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest whose options, inputs or sources are not those that its id is a hash of.

    Raises
    ------
    InputError
        It has changed since it was written.
    """
    try:
        code = manifest["software"]["code_sha256"]
        own = content_id(manifest["options"], manifest["content_sha256"], code)
        whole = own == manifest["content_id"]
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise InputError(
            f"the file '{MANIFEST}' has changed since it was written",
            where=folder.name,
            rule="the id in it is a hash of its options, its inputs and the software",
            repair="Make the match again",
        )


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
class LinearForms:
    """What each person adds to the error of each estimate.

    Attributes
    ----------
    unit : uint64, shape (people,)
        Random key of each.
    sums : dict of str to float64, shape (people,)
        By outcome, ``COLUMN:TYPE``: the outcomes that have a linear form.
    n_focal : int
        Matched focal rows, by which an error is divided.
    """

    unit: NDArray[np.uint64]
    sums: dict[str, Floats]
    n_focal: int


def read_linear_forms(match: Finished) -> LinearForms:
    """Read the linear forms of a match, summed over the rows of each person."""
    data = checked_bytes(match.folder, match.manifest, LINEAR_FORM)
    table = pq.read_table(pa.BufferReader(data))
    # Copies: for the read-only memory of Arrow every kernel would be compiled once more.
    unit = to_numpy(table.column("unit")).copy()
    sums = {name: to_numpy(table.column(name)).copy() for name in table.column_names[2:]}
    if match.results["design"]["person"] is not None:
        sums = {name: np.bincount(unit.astype(np.int64), weights=v) for name, v in sums.items()}
        unit = np.arange(int(unit.max()) + 1, dtype=np.uint64)
    return LinearForms(unit, sums, match.results["counts"]["treated_matched"])


@dataclass(frozen=True)
class Remade:
    """The match made once more from its table.

    Attributes
    ----------
    rows : Rows
    scoring : Scoring
    sample : MatchedSample
    values : dict of str to float64, shape (n,)
        Outcomes in canonical order, by ``COLUMN:TYPE``.
    """

    rows: Rows
    scoring: Scoring
    sample: MatchedSample
    values: dict[str, Floats]


def remake(match: Finished, table: Path | str) -> Remade:
    """Read the table of a match again, fit its score and match.

    Raises
    ------
    InputError
        It is not the table that the match was made from.
    """
    source = open_table(table)
    require_same_table(match, source)
    options = match.options
    rows = read_rows(source, options)
    scoring = score_rows(rows, options)
    matched = select_matches(rows, scoring, options)
    sample = matched_sample(rows, scoring, matched, options)
    values = {one: read_outcome(source, one, rows.identity) for one in match.outcomes}
    return Remade(rows, scoring, sample, {outcome_name(one): v for one, v in values.items()})


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
