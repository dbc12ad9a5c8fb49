"""Put a bootstrap beside the results it belongs to, and into the page that shows them.

``results.json`` stays as it is. Every file is staged before the first is put in place, and the
manifest comes last: what a kill leaves between is found by the hashes, and the same command, which
computes no replicate twice, puts it right.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.release.disclosure import Policy, Released, release_bootstrap, release_results
from engine.release.encoding import json_bytes
from engine.release.files import Staged, discard, publish, stage_bytes, stage_json
from engine.release.folder import MANIFEST, locked, read_file, read_manifest
from engine.release.manifest import id_name
from engine.release.pages import match_page
from engine.release.report.files import PAGE, stage_report
from engine.release.study_folder import RELEASE, AuditLog

BOOTSTRAP = "bootstrap.json"
_LIMIT = 1 << 30


def publish_match_bootstrap(
    folder: Path, manifest: Mapping[str, Any], results: Mapping[str, Any], content: dict[str, Any]
) -> None:
    """Write the bootstrap of a match beside its results, and its page anew.

    Parameters
    ----------
    folder : Path
    manifest, results : mapping
        Of the match that was resampled.
    content : dict
        The bootstrap.

    Raises
    ------
    InputError
        The match has been made anew since.
    StorageError
        The disk is full or failing.
    """
    with locked(folder):
        current = _same(folder, manifest)
        page = match_page({**results, "bootstrap": content}, content_id=current["content_id"])
        staged = [
            stage_json(folder, BOOTSTRAP, content),
            stage_bytes(folder, PAGE, page.encode("utf-8", errors="replace")),
        ]
        _replace(folder, current, staged)


def publish_study_bootstrap(
    private: Path, manifest: Mapping[str, Any], exact: dict[str, Any], content: dict[str, Any]
) -> Released:
    """Write the bootstrap of a study: exact into its private folder, rounded into its report.

    Parameters
    ----------
    private : Path
        The private folder; the release folder stands beside it.
    manifest, exact : mapping
        Of the study that was resampled, and its exact results.
    content : dict
        The exact bootstrap.

    Returns
    -------
    Released
        The bootstrap as it stands in the release folder.

    Raises
    ------
    InputError
        The study has been made anew since, or the release folder is not what disclosure control
        makes of it.
    StorageError
        The disk is full or failing.
    """
    release = private.parent / RELEASE
    policy = Policy(**exact["plan"]["disclosure"])
    shown = release_bootstrap(exact, content, policy)
    with ExitStack() as stack:
        for folder in (private, release):
            stack.enter_context(locked(folder))
        current = _same(private, manifest)
        results = release_results(exact, policy).results
        public = _require_release(release, results)
        staged: list[Staged] = [stage_json(release, BOOTSTRAP, shown.results)]
        try:
            staged.extend(stage_report(release, {**results, "bootstrap": shown.results}))
            _replace(private, current, [stage_json(private, BOOTSTRAP, content)])
        except BaseException:
            discard(release, staged)
            raise
        _replace(release, public, staged)
        resampling = content["resampling"]
        AuditLog(private).note(
            "bootstrap",
            job=content["job"],
            kind=resampling["kind"],
            replicates=resampling["replicates"],
        )
    return shown


def _same(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest as it is now, if it is still that of the same output."""
    current = read_manifest(folder)
    name = id_name(manifest["kind"])
    if current is None or current.get(name) != manifest[name]:
        raise InputError(
            f"the {manifest['kind']} has been made anew while its bootstrap ran",
            rule="a bootstrap belongs to what it has resampled",
            repair="Run the bootstrap again",
        )
    return current


def _require_release(release: Path, results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of the release folder, if its results are those of the private ones."""
    manifest = read_manifest(release)
    if manifest is None or read_file(release, "results.json", _LIMIT) != json_bytes(results):
        raise InputError(
            "the release folder is not that of the study",
            where=release.name,
            rule="its results are what disclosure control makes of the exact ones",
            repair="Run the study again",
        )
    return manifest


def _replace(folder: Path, manifest: dict[str, Any], staged: Sequence[Staged]) -> None:
    """Put files in the place of those of the same names, the manifest after them."""
    names = {one.record.name for one in staged}
    kept = [one for one in manifest["files"] if one["name"] not in names]
    whole = {
        **manifest,
        "files": [*kept, *(asdict(one.record) for one in staged)],
        "bootstrap": {"ended": datetime.now(UTC).isoformat(timespec="milliseconds")},
    }
    publish(folder, [*staged, stage_json(folder, MANIFEST, json.loads(json_bytes(whole)))])
