"""Writing a plan as the file that it is read from, with a comment on every option."""

import json
import textwrap
from typing import Any

from pydantic import BaseModel

from engine.plan.model import Plan

_WIDTH = 100


def plan_text(plan: Plan | None = None, *, files: bool = True) -> str:
    """Return a plan as a commented TOML file.

    Parameters
    ----------
    plan : Plan, optional
        The defaults where it is not given.
    files : bool
        Whether to name the files of the study; what is handed over does not.

    Returns
    -------
    str
        Reading it gives the same plan.
    """
    plan = plan or Plan()
    lines = [
        "# Plan of a study. Every line shows the default; change what shall be different.",
        "# The plan is hashed before any outcome is read, and its hash stands in the report.",
        "",
        f"format = {plan.format}",
    ]
    for section in type(plan).model_fields:
        model = getattr(plan, section)
        if not isinstance(model, BaseModel) or (section == "study" and not files):
            continue
        lines += ["", f"# {(type(model).__doc__ or '').splitlines()[0]}", f"[{section}]"]
        for name, field in type(model).model_fields.items():
            lines += _comment(field.description or "")
            lines.append(f"{name} = {_toml(getattr(model, name))}")
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    """Return a description as lines of a comment, long ones folded."""
    return [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(
            paragraph, _WIDTH, initial_indent="# ", subsequent_indent="#   ",
            break_long_words=False, break_on_hyphens=False,
        )
    ]  # fmt: skip


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # a basic string of TOML, in which the one control character beyond JSON's is escaped too
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
