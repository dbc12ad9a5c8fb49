"""The manifest and the content id."""

from datetime import UTC, datetime

from engine.release.encoding import json_bytes
from engine.release.files import FileRecord
from engine.release.manifest import (
    InputFacts,
    RunFacts,
    build_manifest,
    code_sha256,
    content_id,
    peak_memory_bytes,
)

TABLE = InputFacts("table", "people.csv", "ab" * 32, 120, 4, 3)
FACTS = RunFacts(
    options={"treatment": "t", "caliper": 0.2},
    inputs=[TABLE],
    content="a1",
    started=datetime(2026, 5, 4, 10, 0, tzinfo=UTC),
    stages={"read": 0.5, "fit": 1.5},
    threads=2,
)


def test_content_id_is_of_plan_content_and_code_only():
    same = content_id({"caliper": 0.2, "treatment": "t"}, "a1", "c")

    assert content_id(FACTS.options, FACTS.content, "c") == same
    assert len(same) == 32
    others = {
        content_id({**FACTS.options, "caliper": 0.25}, "a1", "c"),
        content_id(FACTS.options, "a2", "c"),
        content_id(FACTS.options, "a1", "d"),
    }
    assert len(others | {same}) == 4


def test_code_hash_is_stable_within_an_installation():
    assert code_sha256() == code_sha256()
    assert len(code_sha256()) == 64


def test_manifest_says_what_was_made_from_what_and_how():
    record = FileRecord("results.json", "ef" * 32, 10)

    manifest = build_manifest(
        "match", FACTS, [record], code="c", ended=datetime(2026, 5, 4, 10, 1, tzinfo=UTC)
    )

    assert manifest["status"] == "complete"
    assert manifest["content_id"] == content_id(FACTS.options, FACTS.content, "c")
    assert manifest["content_sha256"] == "a1"
    assert manifest["files"] == [
        {"name": "results.json", "sha256": "ef" * 32, "bytes": 10, "rows": None}
    ]
    assert manifest["inputs"][0]["name"] == "people.csv"
    assert {"python", "numba", "numpy", "pyarrow"} <= set(manifest["versions"])
    assert manifest["run"]["started"] == "2026-05-04T10:00:00.000Z"
    assert manifest["run"]["ended"] == "2026-05-04T10:01:00.000Z"
    assert manifest["run"]["seconds"] == {"read": 0.5, "fit": 1.5}
    assert 1 << 20 < manifest["run"]["peak_memory_bytes"] <= peak_memory_bytes()
    assert json_bytes(manifest)


def test_only_a_match_has_a_content_id_in_its_manifest():
    """That of a study stands in its results, and is another one."""
    manifest = build_manifest("study-release", FACTS, [], code="c", ended=None)

    assert "content_id" not in manifest
    assert manifest["run_id"] == content_id(FACTS.options, FACTS.content, "c")


def test_a_manifest_without_an_end_is_incomplete():
    assert build_manifest("match", FACTS, [], code="c", ended=None)["status"] == "incomplete"
