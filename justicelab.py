"""The public Python API: ``import justicelab`` and ``justicelab.match(table, treatment=...)``.

``justicelab.link(submission, store, out)`` finds the people of a submission in a prepared store;
``justicelab.run(submission, store, out)`` makes a study of them, and
``justicelab.batch(plans, store, out)`` many.

Importing this module is light; the matching engine loads when a name of it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine import errors
    from engine.batch import Batch, batch
    from engine.cohort.rules import IndexRules
    from engine.link import LinkedCohort, link
    from engine.match import MatchResult, match
    from engine.plan.model import Plan
    from engine.plan.reading import read_plan
    from engine.study import Study, run

    __version__: str

__all__ = [
    "Batch",
    "IndexRules",
    "LinkedCohort",
    "MatchResult",
    "Plan",
    "Study",
    "__version__",
    "batch",
    "errors",
    "link",
    "match",
    "read_plan",
    "run",
]

_HOME = {
    "Batch": "engine.batch",
    "IndexRules": "engine.cohort.rules",
    "LinkedCohort": "engine.link",
    "MatchResult": "engine.match",
    "Plan": "engine.plan.model",
    "Study": "engine.study",
    "batch": "engine.batch",
    "link": "engine.link",
    "match": "engine.match",
    "read_plan": "engine.plan.reading",
    "run": "engine.study",
}


def __getattr__(name: str) -> object:
    """Return a public name, loading its module on first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("justicelab")
    if name == "errors":
        return import_module("engine.errors")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'justicelab' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__


if __name__ == "__main__":
    from cli.start import run as start

    start()
