"""The public Python API: ``import justicelab`` and ``justicelab.match(table, treatment=...)``.

Importing this module is light; the matching engine loads when a name of it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine import errors
    from engine.match import MatchResult, match

    __version__: str

__all__ = ["MatchResult", "__version__", "errors", "match"]

_HOME = {"match": ("engine.match", "match"), "MatchResult": ("engine.match", "MatchResult")}


def __getattr__(name: str) -> object:
    """Return a public name, loading its module on first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("justicelab")
    if name == "errors":
        return import_module("engine.errors")
    if name in _HOME:
        module, attribute = _HOME[name]
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'justicelab' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
