"""Advice of the matching, which names options of ``match``, in the words of a plan."""

import json
import re

from engine.errors import JusticeLabError
from engine.plan.model import Matching

_ADVICE = re.compile(
    r"--(" + "|".join(Matching.model_fields) + r")\b(?: ('[^']*'|ml|ridge|firth|\d+))?"
)


def in_words_of_the_plan(error: JusticeLabError) -> JusticeLabError:
    """Return an error of the matching with the options of ``match`` as a plan has them."""

    def named(found: re.Match[str]) -> str:
        name, value = found.groups()
        if value is None:
            return f"{name} in the plan's [matching]"
        plain = value.strip("'")
        return (
            f"{name} = {plain if plain.isdigit() else json.dumps(plain)} in the plan's [matching]"
        )

    parts = {part: _ADVICE.sub(named, getattr(error, part)) for part in ("where", "rule", "repair")}
    return type(error)(_ADVICE.sub(named, error.found), **parts)
