"""Disclosure control: the one way from exact results to what may be handed over.

Only :func:`release_results` and :func:`release_bootstrap` make a :class:`Released`, and everything
that writes into a release folder takes one. Rules are decided on exact numbers of people; figures
are rounded afterwards. A figure that a rule forbids becomes null, and the rule's id stands in
``withheld`` beside it.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from engine.release.control.analyses import control_measure
from engine.release.control.differences import control_analyses
from engine.release.control.match import (
    control_balance,
    control_certificate,
    control_method,
    control_overlap,
    control_path,
    control_sensitivity,
    control_trio,
)
from engine.release.control.people import (
    control_attrition,
    control_linkage,
    control_profile,
    control_study,
    control_unmatched,
)
from engine.release.control.policy import Policy, Results, percent_up, rough
from engine.release.control.resampling import control_bootstrap

__all__ = ["Policy", "Released", "release_bootstrap", "release_results"]

_ONLY_HERE = object()


class Released:
    """Results that disclosure control has let through.

    Every reading gives a copy, so nothing can be put into it afterwards.
    """

    __slots__ = ("_policy", "_text")

    def __init__(self, key: object, results: Results, policy: Policy) -> None:
        if key is not _ONLY_HERE:
            message = "only disclosure control makes released results"
            raise TypeError(message)
        self._text = json.dumps(results, allow_nan=False)
        self._policy = policy

    @property
    def results(self) -> Results:
        """The results, as plain values."""
        copy: Results = json.loads(self._text)
        return copy

    @property
    def policy(self) -> Policy:
        """The thresholds they were made with."""
        return self._policy


def release_results(exact: Results, policy: Policy) -> Released:
    """Return what of a study's exact results may be handed over.

    Parameters
    ----------
    exact : dict
        See :mod:`engine.release.study_results`.
    policy : Policy

    Returns
    -------
    Released
    """
    first = exact["analyses"][0]["measures"]
    rules = control_measure(policy, first[0])["withheld"] if first else []
    results = {
        **{key: exact[key] for key in _AS_THEY_ARE},
        "study": control_study(policy, exact["study"]),
        "method": control_method(exact["method"]),
        "headline": _headline(exact["headline"], rules),
        "analyses": control_analyses(policy, exact["analyses"]),
        "attrition": control_attrition(policy, exact["attrition"]),
        "unmatched": control_unmatched(policy, exact["unmatched"]),
        "balance": control_balance(policy, exact["balance"]),
        "overlap": control_overlap(policy, exact["overlap"]),
        "sensitivity": control_sensitivity(
            policy, exact["sensitivity"], rules, exact["headline"]["verdict"]
        ),
        "path": [control_path(policy, one, rules) for one in exact["path"]],
        "trio": control_trio(policy, exact["trio"]),
        "profile": control_profile(policy, exact["profile"]),
        "certificate": control_certificate(policy, exact["certificate"]),
        "linkage": control_linkage(policy, exact["linkage"]),
        "policy": policy.as_results(),
    }
    results["withheld"] = _withheld_in(results)
    return Released(_ONLY_HERE, results, policy)


def release_bootstrap(exact: Results, bootstrap: Results, policy: Policy) -> Released:
    """Return what of the bootstrap of a study may be handed over.

    Parameters
    ----------
    exact, bootstrap : dict
        The exact results of the study and its exact bootstrap.
    policy : Policy

    Returns
    -------
    Released
    """
    return Released(_ONLY_HERE, control_bootstrap(policy, exact, bootstrap), policy)


_AS_THEY_ARE = (
    "format",
    "kind",
    "limits",
    "tests",
    "service",
    "caveats",
    "plan",
    "plan_sha256",
    "provenance",
)
"""Parts that hold no figure of people: words, the plan, hashes, numbers of tests."""


def _headline(exact: Results, rules: list[str]) -> Results:
    """Return the headline; what could have been found tells a rate, so it goes where that goes."""
    if rules:
        return {**exact, "people_needed": None, "detectable_fewer": None, "detectable_more": None}
    return {
        **exact,
        "people_needed": rough(exact["people_needed"]),
        "detectable_fewer": percent_up(exact["detectable_fewer"]),
        "detectable_more": percent_up(exact["detectable_more"]),
    }


def _withheld_in(results: Any) -> list[Results]:
    """Count how often each rule struck."""
    found: Counter[str] = Counter()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            rules = value.get("withheld")
            if isinstance(rules, list):
                found.update(str(rule) for rule in rules)
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk(results)
    return [{"rule": rule, "figures": count} for rule, count in sorted(found.items())]
