"""A finished match or study as its folder tells it, held against the hashes of its manifest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.buffers import to_numpy
from engine.effects.measures import MEASURES
from engine.effects.outcome import parse_outcomes
from engine.errors import InputError
from engine.matching.options import MatchOptions, check_options
from engine.plan.model import Plan
from engine.plan.reading import check_plan
from engine.release.folder import MANIFEST, read_file, read_manifest
from engine.release.linear_form import outcome_name
from engine.release.manifest import code_sha256, content_id, id_name

Floats = NDArray[np.float64]

_LIMIT = 1 << 36
LINEAR_FORM = "linear-form.parquet"
PRIVATE = "private"


@dataclass(frozen=True)
class Finished:
    """A finished match, or the main analysis of a finished study.

    Attributes
    ----------
    kind : {'match', 'study'}
    folder : Path
        With the exact results; of a study, ``private``.
    manifest, results : dict
        As in the files.
    content_id : str
        Name of what was computed, whatever the order of the rows.
    estimates : dict of str to dict
        By outcome, ``COLUMN:TYPE``, those that are a number: ``outcome``, ``type``, ``measure``,
        ``difference``, and the main interval.
    n_focal : int
        Matched focal rows.
    by_person : bool
        Whether several rows may be one person's.
    seed : int
    reuse, fitted, by_window : bool
        What decides which way to resample is valid: whether a comparison person may serve more than
        once, whether the score was fitted on the same rows, whether it is a radius or kernel match.
    """

    kind: Literal["match", "study"]
    folder: Path
    manifest: dict[str, Any]
    results: dict[str, Any]
    content_id: str
    estimates: dict[str, dict[str, Any]]
    n_focal: int
    by_person: bool
    seed: int
    reuse: bool
    fitted: bool
    by_window: bool

    @property
    def options(self) -> MatchOptions:
        """Options of the match."""
        if self.kind == "study":
            asked = self.plan.match_options(self.plan.covariate_names, ())
            # the ratio that was taken, which may be one of the plan's further ones
            return (
                asked if asked.by_window else replace(asked, ratio=self.results["method"]["ratio"])
            )
        given = self.manifest["options"]
        known = (check_options.__kwdefaults__ or {}).keys() | {"treatment"}
        return check_options(**{name: given[name] for name in known if name in given})

    @property
    def plan(self) -> Plan:
        """Plan of the study."""
        return check_plan(self.manifest["options"], "the plan of the study")


def open_finished(path: Path | str) -> Finished:
    """Open the folder of a finished match or study.

    Parameters
    ----------
    path : path
        Given to ``--out``; of a study, its folder ``private`` serves as well.

    Raises
    ------
    InputError
        There is nothing finished, it has no estimate, it was made by other sources, or a file has
        changed since.
    """
    folder = Path(path)
    if read_manifest(folder) is None and read_manifest(folder / PRIVATE) is not None:
        folder /= PRIVATE
    manifest = read_manifest(folder)
    if manifest is None or manifest["status"] != "complete":
        raise InputError(
            f"there is no finished match or study in '{folder.name}'",
            rule="a bootstrap resamples what 'match' or 'run' has made with --out",
            repair="Name the folder that was given to --out",
        )
    require_consistent(folder, manifest)
    kind: Literal["match", "study"] = "study" if manifest["kind"] == "study" else "match"
    if manifest["software"]["code_sha256"] != code_sha256():
        raise InputError(
            f"the {kind} was made by another version of this software",
            where=f"{folder.name}/{MANIFEST}",
            rule="results, replicates and page come from the same sources",
            repair=f"Make the {kind} again with this version",
        )
    results = json.loads(checked_bytes(folder, manifest, "results.json"))
    found = _of_study if kind == "study" else _of_match
    finished = found(folder.absolute(), manifest, results)
    if not finished.estimates:
        gate = kind == "study"
        raise InputError(
            f"the {kind} has no estimate",
            rule="what is resampled is the estimate of an effect"
            + (", and outcomes are opened only where the groups are alike enough" if gate else ""),
            repair="See why its gate stayed closed" if gate else "Match again with --outcome",
        )
    return finished


def _of_match(folder: Path, manifest: dict[str, Any], results: dict[str, Any]) -> Finished:
    outcomes = parse_outcomes(manifest["options"]["outcome"])
    pairs = zip(outcomes, results["estimates"], strict=True)
    design = results["design"]
    by_window = design["method"] in {"radius", "kernel"}
    return Finished(
        "match", folder, manifest, results, manifest["content_id"],
        {outcome_name(key): one for key, one in pairs if one["difference"] is not None},
        results["counts"]["treated_matched"], design["person"] is not None,
        manifest["options"]["seed"],
        design["replace"] or by_window or (design["reuse_max"] or 1) > 1,
        results["propensity"] is not None, by_window,
    )  # fmt: skip


def _of_study(folder: Path, manifest: dict[str, Any], results: dict[str, Any]) -> Finished:
    """Return the main analysis; a comparison person may be there with several disposals."""
    main, method = results["analyses"][0], results["method"]
    outcomes = {one.name: one.outcome for one in MEASURES}
    estimates = {
        outcome_name(outcomes[one["measure"]]): {
            **one,
            "outcome": one["measure"],
            "type": outcomes[one["measure"]].type,
            "measure": one["label"],
        }
        for one in main["measures"]
        if one["difference"] is not None
    }
    by_window = method["method"] != "nearest"
    return Finished(
        "study", folder, manifest, results, results["provenance"]["content_id"], estimates,
        main["counts"]["treated_matched"], True, method["seed"], method["replace"] or by_window,
        main["fit"] is not None, by_window,
    )  # fmt: skip


def require_consistent(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest whose options or inputs are not those that its id is a hash of.

    Raises
    ------
    InputError
        It has changed since it was written.
    """
    try:
        code = manifest["software"]["code_sha256"]
        own = content_id(manifest["options"], manifest["content_sha256"], code)
        listed = all({"name", "sha256"} <= one.keys() for one in manifest["files"])
        hashed = all({"name", "sha256"} <= one.keys() for one in manifest["inputs"])
        known = manifest["kind"] in {"match", "study"}
        whole = own == manifest[id_name(manifest["kind"])] and listed and hashed and known
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise InputError(
            f"the file '{MANIFEST}' has changed since it was written",
            where=folder.name,
            rule="the id in it is a hash of its options, its inputs and the software",
            repair="Make the match or study again",
        )


def checked_bytes(folder: Path, manifest: Mapping[str, Any], name: str) -> bytes:
    """Return the content of a file of an output, as it was when its manifest was written.

    Raises
    ------
    InputError
        The manifest does not list it, or its bytes have changed.
    """
    listed = {one["name"]: one["sha256"] for one in manifest["files"]}
    what = manifest["kind"]
    if name not in listed:
        raise InputError(
            f"the {what} has no file '{name}'",
            where=f"{folder.name}/{MANIFEST}",
            repair=f"Make the {what} again with this version",
        )
    data = read_file(folder, name, _LIMIT)
    if hashlib.sha256(data).hexdigest() != listed[name]:
        raise InputError(
            f"the file '{name}' has changed since the {what} was made",
            where=folder.name,
            rule="its hash stands in the manifest",
            repair=f"Make the {what} again",
        )
    return data


def read_table(finished: Finished, name: str) -> pa.Table:
    """Return a Parquet file of an output, as it was when its manifest was written."""
    data = checked_bytes(finished.folder, finished.manifest, name)
    return pq.read_table(pa.BufferReader(data))


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
    stratum : int64, shape (people,), or None
        Twice the exact cell of each, and 1 more for the treated; None without exact columns. A
        person with several rows has the cell of the first, and is treated where any row is.
    """

    unit: NDArray[np.uint64]
    sums: dict[str, Floats]
    n_focal: int
    stratum: NDArray[np.int64] | None = None


def read_linear_forms(finished: Finished) -> LinearForms:
    """Read the linear forms of an output, summed over the rows of each person."""
    table = read_table(finished, LINEAR_FORM)
    # Copies: for the read-only memory of Arrow every kernel would be compiled once more.
    unit = to_numpy(table.column("unit")).copy()
    outcomes = [name for name in table.column_names if ":" in name]
    sums = {name: to_numpy(table.column(name)).copy() for name in outcomes}
    stratum = None
    if "stratum" in table.column_names:
        stratum = to_numpy(table.column("stratum")).astype(np.int64)
    if finished.by_person:
        if stratum is not None:
            people, first = np.unique(unit, return_index=True)
            treated = np.zeros(len(people), dtype=np.int64)
            np.maximum.at(treated, unit.astype(np.int64), stratum % 2)
            stratum = stratum[first] // 2 * 2 + treated
        sums = {name: np.bincount(unit.astype(np.int64), weights=v) for name, v in sums.items()}
        unit = np.arange(int(unit.max()) + 1, dtype=np.uint64)
    return LinearForms(unit, sums, finished.n_focal, stratum)
