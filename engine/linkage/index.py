"""The national link index of a store, opened in a private database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.records.database import Database, quoted
from engine.store.folder import PARTS
from engine.store.link_model import MODEL_FORMAT
from engine.store.reading import Store


def index_folder(store: Store) -> Path:
    """Return the folder whose files the database has to read."""
    return store.folder / PARTS


def open_index(database: Database, store: Store) -> None:
    """Make the views ``identities`` and ``identifiers`` and the table ``names``.

    Raises
    ------
    InputError
        A file of the store is missing.
    """
    for kind, what in (("identities", "VIEW"), ("identifiers", "VIEW"), ("names", "TABLE")):
        path = quoted(str(_file(store, kind).resolve()))
        database.run(f"CREATE TEMP {what} {kind} AS SELECT * FROM read_parquet({path})")


def read_model(store: Store) -> dict[str, Any]:
    """Return the model of the linkage that was saved when the store was prepared.

    Raises
    ------
    InputError
        It is missing, damaged or of another version.
    """
    try:
        model: dict[str, Any] = json.loads(_file(store, "model").read_bytes())
    except ValueError:
        model = {}
    if model.get("format") != MODEL_FORMAT:
        raise InputError(
            "the linkage model of the store is damaged or was made by another version",
            repair="Run 'justicelab prepare' again",
        )
    return model


def _file(store: Store, kind: str) -> Path:
    """Return a file of the link index."""
    try:
        path = index_folder(store) / store.manifest["link"]["files"][kind]["name"]
    except KeyError:
        raise InputError(
            "the store has no link index", repair="Run 'justicelab prepare' again"
        ) from None
    if not path.is_file():
        raise InputError(
            "a file of the store is missing or damaged",
            where=path.name,
            repair="Run 'justicelab prepare' again",
        )
    return path
