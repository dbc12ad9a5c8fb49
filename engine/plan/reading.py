"""Reading a plan: from a file to checked models, with every fault told by its place and rule."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.errors import AccessError, InputError, UsageError
from engine.plan.consistency import require_consistent
from engine.plan.model import Plan
from engine.tables import near_names

_LARGEST_FILE = 1 << 20


def read_plan(path: Path | None) -> Plan:
    """Read a plan and check it.

    Parameters
    ----------
    path : pathlib.Path or None
        ``plan.toml``; None for the defaults.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        The file is missing or no TOML, or a section, option or value is wrong; the message names
        the option and the rule.
    AccessError
        It may not be read.
    """
    if path is None:
        return Plan()
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError(
            "there is no such plan", where=path.name, repair="Write one with 'justicelab plan'"
        ) from None
    except PermissionError:
        raise AccessError("the plan may not be read by this user", where=path.name) from None
    except OSError:
        raise InputError("the plan cannot be read", where=path.name) from None
    if len(data) > _LARGEST_FILE:
        raise InputError("the plan is larger than a plan can be", where=path.name)
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"line \d+, column \d+", str(error))
        raise InputError(
            "the plan is no TOML file",
            where=f"{path.name}{', ' + place[0] if place else ''}",
            rule="text stands in quotation marks, a list in square brackets, yes and no are true "
            "and false",
            repair="Start from the file that 'justicelab plan' writes",
        ) from None
    return check_plan(content, path.name)


def check_plan(content: dict[str, Any], name: str) -> Plan:
    """Check the content of a plan; parameters and errors as of :func:`read_plan`."""
    try:
        plan = Plan.model_validate(_tuples(content))
    except ValidationError as error:
        raise _refusal(error, name) from None
    require_consistent(plan, name)
    try:
        plan.index.rules()
        plan.match_options(("sex",), ())
    except UsageError as error:
        raise InputError(
            error.found, where=name, rule=error.rule, repair=error.repair or "Change the plan"
        ) from None
    return plan


def _tuples(value: Any) -> Any:
    """Return lists as tuples, which strict models ask for."""
    if isinstance(value, dict):
        return {key: _tuples(one) for key, one in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(one) for one in value)
    return value


_RULES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text in quotation marks",
    "tuple_type": "a list in square brackets",
    "finite_number": "a finite number",
    "string_too_short": "a text that is not empty",
    "string_too_long": "a shorter text",
    "model_type": "a section with options",
    "model_attributes_type": "a section with options",
}


def _refusal(error: ValidationError, name: str) -> InputError:
    """Return the first problem in our words; a model's own message quotes the value."""
    problem = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in problem["loc"]]
    place = _place(path)
    context = problem.get("ctx") or {}
    if problem["type"] == "extra_forbidden":
        known = list(Plan.model_fields) if len(path) == 1 else _options(path[0])
        near = near_names(path[-1], known)
        return InputError(
            f"the plan has no {'section or option' if len(path) == 1 else 'option'} of that name",
            where=f"{name}, {place}",
            rule=f"it is one of {', '.join(known)}",
            repair=f"Did you mean {' or '.join(repr(one) for one in near)}?" if near else "",
        )
    limits = {
        "greater_than_equal": "ge",
        "less_than_equal": "le",
        "greater_than": "gt",
        "less_than": "lt",
    }
    words = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
    if problem["type"] in limits:
        key = limits[problem["type"]]
        rule = f"{words[key]} {context[key]:g}"
    elif problem["type"] == "literal_error":
        rule = f"one of {context['expected']}"
    else:
        rule = _RULES.get(problem["type"], "as in the file that 'justicelab plan' writes")
    return InputError(
        "an option of the plan has a value that it cannot have",
        where=f"{name}, {place}",
        rule=f"it is {rule}",
        repair="Change it, or take the line out for the default",
    )


def _options(section: str) -> list[str]:
    model = Plan.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return list(model.model_fields)


def _place(path: list[str]) -> str:
    if len(path) == 1:
        return path[0]
    nth = f", entry {int(path[2]) + 1}" if len(path) > 2 and path[2].isdigit() else ""
    return f"[{path[0]}] {path[1]}{nth}"
