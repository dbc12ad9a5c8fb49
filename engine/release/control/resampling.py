"""Disclosure control of a bootstrap: its intervals as those of the measures, and nothing else.

No replicate, standard error or number of replicates leaves. Where a measure is withheld, so are all
its intervals: their ends would tell what the measure may not.
"""

from engine.release.control.analyses import control_measure
from engine.release.control.policy import Policy, Results, Scale, spans_zero

_NOTHING = {"ci_low": None, "ci_high": None, "spans_zero": None}


def control_bootstrap(policy: Policy, exact: Results, bootstrap: Results) -> Results:
    """Return a bootstrap of the main analysis.

    Parameters
    ----------
    policy : Policy
    exact : dict
        The exact results of the study.
    bootstrap : dict
        The exact bootstrap, see :mod:`engine.jobs.bootstrap`.
    """
    measures = {one["measure"]: one for one in exact["analyses"][0]["measures"]}
    return {
        **{key: value for key, value in bootstrap.items() if key != "estimates"},
        "measures": [
            _measure(policy, measures[one["outcome"]], one) for one in bootstrap["estimates"]
        ],
    }


def _measure(policy: Policy, exact: Results, drawn: Results) -> Results:
    """Return the intervals of one measure: the main one, and those from its replicates."""
    rules = control_measure(policy, exact)["withheld"]
    scale = Scale(exact["kind"])
    main = _interval(scale, drawn["main"]["ci_low"], drawn["main"]["ci_high"], rules)
    found = [
        {"method": one["method"], **_interval(scale, one["low"], one["high"], rules)}
        for one in drawn["intervals"]
    ]
    speaking = [one["spans_zero"] for one in found if one["method"] == drawn["speaks"]]
    known = [*speaking, main["spans_zero"]]
    return {
        **{key: exact[key] for key in ("measure", "label", "table", "unit")},
        "difference": None if rules else scale.nearest(exact["difference"]),
        "main": {"method": drawn["main"]["interval_method"], **main},
        "speaks": drawn["speaks"],
        "intervals": found,
        "agrees": None if None in known or len(known) < 2 else known[0] == known[1],
        "withheld": rules,
    }


def _interval(scale: Scale, low: float | None, high: float | None, rules: list[str]) -> Results:
    if rules:
        return dict(_NOTHING)
    return {**scale.interval(low, high), "spans_zero": spans_zero(low, high)}
