"""Disclosure control: the one way from exact results to what may be handed over.

Only :func:`release_results` makes a :class:`Released`, and everything that writes into a release
folder takes one. Rules are decided on exact numbers of people; figures are rounded afterwards. A
figure that a rule forbids becomes null, and the rule's id stands in ``withheld`` beside it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from engine.errors import UsageError
from engine.release.rounding import (
    down,
    p_text,
    round_count,
    round_p,
    round_step,
    two_digits,
    up,
)
from engine.release.sensitivity_words import (
    NOTHING_TO_EXPLAIN,
    gamma_sentence,
    instability_sentence,
    left_out_sentence,
    placebo_sentence,
)

GROUP, CELL, CLASS, ROUNDED, WHOLE, EXTREMES = "D1", "D2", "D3", "D4", "D5", "D7"
FEW_EXPECTED = "np"
"""Of the method, not of disclosure: fewer than 10 expected events."""

Results = dict[str, Any]


@dataclass(frozen=True)
class Policy:
    """Thresholds of disclosure control.

    Parameters
    ----------
    fewest_people : int
        In a published group, at least 30.
    fewest_in_cell : int
        On each side of a published figure, at least 10.
    count_base : int
        That counts are rounded to, at least 5.

    Raises
    ------
    UsageError
        A threshold is milder than the rules allow.
    """

    fewest_people: int = 30
    fewest_in_cell: int = 10
    count_base: int = 5

    def __post_init__(self) -> None:
        least = Policy.__dataclass_fields__
        for name in least:
            if getattr(self, name) < least[name].default:
                raise UsageError(
                    "a threshold of disclosure control is milder than the rules allow",
                    where=f"[disclosure] {name}",
                    rule=f"it is at least {least[name].default}",
                    repair="Raise it, or leave it out",
                )

    def as_results(self) -> Results:
        """Return the policy as results hold it."""
        rules = (
            (GROUP, "fewest people in a published group", self.fewest_people),
            (CELL, "fewest people with what a figure counts", self.fewest_in_cell),
            (CLASS, "fewest people without it, so that nothing holds for all", self.fewest_in_cell),
            (ROUNDED, "counts are rounded to multiples of", self.count_base),
            (WHOLE, "rates in whole percent, interval ends rounded outward", None),
            (EXTREMES, "no smallest and largest; fewest people beyond a percentile",
             self.fewest_in_cell),
        )  # fmt: skip
        return {
            "profile": "strict",
            "rules": [{"id": id_, "rule": rule, "value": value} for id_, rule, value in rules],
        }


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
    control = _Control(policy)
    first = exact["analyses"][0]["measures"]
    rules = control.measure(first[0])["withheld"] if first else []
    results = {
        **{key: exact[key] for key in _AS_THEY_ARE},
        "study": control.study(exact["study"]),
        "method": {k: v for k, v in exact["method"].items() if k != "heaviest_share"},
        "headline": _headline(exact["headline"]),
        "analyses": [control.analysis(one) for one in exact["analyses"]],
        "attrition": control.attrition(exact["attrition"]),
        "unmatched": control.unmatched(exact["unmatched"]),
        "balance": control.balance(exact["balance"]),
        "overlap": control.overlap(exact["overlap"]),
        "sensitivity": control.sensitivity(
            exact["sensitivity"], rules, clear=exact["headline"]["verdict"] in _SIGNIFICANT
        ),
        "path": [control.path_point(one, rules) for one in exact["path"]],
        "trio": control.trio(exact["trio"]),
        "profile": control.profile(exact["profile"]),
        "certificate": control.certificate(exact["certificate"]),
        "linkage": control.linkage(exact["linkage"]),
        "policy": policy.as_results(),
    }
    results["withheld"] = _withheld_in(results)
    return Released(_ONLY_HERE, results, policy)


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


def _headline(exact: Results) -> Results:
    needed = exact["people_needed"]
    return {
        **exact,
        "people_needed": _rough(needed),
        "detectable_fewer": _percent_up(exact["detectable_fewer"]),
        "detectable_more": _percent_up(exact["detectable_more"]),
    }


def _rough(n: int | None) -> int | None:
    """Return a number of people to two significant digits, upward."""
    return None if n is None else int(up(float(n), max(two_digits(float(n)), 1.0)))


def _percent(share: float | None) -> int | None:
    return None if share is None else int(round_step(100.0 * share))


def _percent_up(share: float | None) -> int | None:
    return None if share is None else int(up(100.0 * share))


def _plain(value: float | None, step: float) -> float | None:
    return None if value is None else round_step(value, step)


def _digits(value: float | None) -> float | None:
    """Return a value to two significant digits, at most two decimals."""
    return None if value is None else round_step(value, two_digits(value))


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


_FIGURES = (
    "treated",
    "comparison",
    "difference",
    "ci_low",
    "ci_high",
    "treated_ci",
    "comparison_ci",
    "per_100",
    "p_value",
    "p_text",
    "p_holm",
    "p_benjamini_hochberg",
    "people_needed",
    "direction",
    "spans_zero",
    "parts_add",
    "moj_compatible",
    "adjusted",
)
_SIZES = (
    "treated",
    "treated_matched",
    "comparison_pool",
    "comparison_matched",
    "comparison_effective",
    "reoffenders_treated",
    "reoffenders_comparison",
)
_PER_100 = {"reoffended", "n_reoffences"}


class _Control:
    """The rules with their thresholds, one method for each part of the results."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    # ----------------------------------------------------------------------------------- counts

    def count(self, n: float) -> int:
        """Return a rounded count."""
        return round_count(n, self.policy.count_base)

    def cell(self, n: float | None) -> int | None:
        """Return a count of at least the fewest people in a cell, or 0; else None."""
        if n is None or 0 < n < self.policy.fewest_in_cell:
            return None
        return self.count(n)

    def strikes(self, support: Results, kind: str) -> list[str]:
        """Return the rules that a mean of an arm breaks."""
        people, events = support["people"], support["events"]
        found = []
        if people < self.policy.fewest_people:
            found.append(GROUP)
        if events < self.policy.fewest_in_cell:
            found.append(CELL)
        if kind != "days" and people - events < self.policy.fewest_in_cell:
            found.append(CLASS)
        return found

    def study(self, exact: Results) -> Results:
        """Return the facts of a study; its first and last year have enough people beyond them."""
        years = {int(year): n for year, n in exact["people_by_year"].items()}
        found = {key: value for key, value in exact.items() if key != "people_by_year"}
        for name, order in (("first_year", sorted(years)), ("last_year", sorted(years)[::-1])):
            seen, found[name] = 0, None
            for year in order:
                seen += years[year]
                if seen >= self.policy.fewest_in_cell:
                    found[name] = year
                    break
        return found

    # --------------------------------------------------------------------------------- analyses

    def analysis(self, exact: Results) -> Results:
        """Return an analysis."""
        kept = ("id", "kind", "label", "dimension", "level", "declared", "status", "why_not",
                "region_controlled", "verdict")  # fmt: skip
        counts = self.counts(exact["counts"] or dict.fromkeys(_SIZES))
        own = exact["treated_only"]
        summary = exact["balance_summary"]
        return {
            **{key: exact[key] for key in kept},
            "gate": self.gate(exact["gate"], exact["counts"]),
            "counts": counts,
            "balance_summary": None
            if summary is None
            else {**summary, "largest_smd": _plain(summary["largest_smd"], 0.01)},
            "measures": [self.measure(one) for one in exact["measures"]],
            "treated_only": None if own is None else self.treated_only(own),
        }

    def counts(self, exact: Results) -> Results:
        """Return the sizes of an analysis; none where the group is too small."""
        matched = exact["treated_matched"]
        small = matched is None or matched < self.policy.fewest_people
        found: Results = {name: None if small else self.count(exact[name]) for name in _SIZES[:5]}
        found["treated_matched_percent"] = None if small else _percent(matched / exact["treated"])
        for name, of in (("treated", "treated_matched"), ("comparison", "comparison_matched")):
            n = exact[f"reoffenders_{name}"]
            hidden = small or n is None or min(n, exact[of] - n) < self.policy.fewest_in_cell
            found[f"reoffenders_{name}"] = None if hidden else self.count(n)
        return {**found, "withheld": [GROUP] if small else []}

    def gate(self, exact: Results | None, counts: Results) -> Results | None:
        """Return the gate; sizes are rounded, and hidden where the group is too small."""
        if exact is None:
            return None
        rules = []
        for rule in exact["rules"]:
            value = rule["value"]
            if rule["code"] == "matched_treated":
                few = counts["treated_matched"] < self.policy.fewest_people
                value = None if few else self.count(value)
            elif rule["code"] == "matched_share":
                few = counts["treated"] < self.policy.fewest_people
                value = None if few else _percent(value)
            else:
                value = _plain(value, 0.01)
            limit = rule["limit"]
            if rule["code"] == "matched_share":
                limit = _percent(limit)
            rules.append({**rule, "limit": limit, "value": value})
        return {"passed": exact["passed"], "rules": rules}

    def measure(self, exact: Results) -> Results:
        """Return one measure, rounded, or withheld."""
        kept = ("measure", "published_name", "table", "label", "base", "unit", "verdict",
                "enough_expected", "enough_reoffenders", "interval_method", "level")  # fmt: skip
        found: Results = {key: exact[key] for key in kept}
        support = exact["support"]
        rules = [
            *self.strikes(support["treated"], exact["kind"]),
            *self.strikes(support["comparison"], exact["kind"]),
        ]
        if not exact["enough_expected"]:
            rules.insert(0, FEW_EXPECTED)
        scale = self.scale(exact)
        if not rules and exact["kind"] == "share":
            shown = {scale.nearest(exact[arm]) for arm in ("treated", "comparison")}
            rules += [CLASS] if shown & {0, 100} else []
        rules = list(dict.fromkeys(rules))
        base = ("n_treated", "n_comparison")
        for name in base:
            few = exact[name] < self.policy.fewest_people
            found[name] = None if few else self.count(exact[name])
        found["significant"] = not rules and exact["verdict"] in _SIGNIFICANT
        found["withheld"] = rules
        if rules:
            found.update(dict.fromkeys(_FIGURES))
            if found["verdict"] != "too_few_reoffenders":
                found["verdict"] = None
            return found
        return {**found, **self.figures(exact, scale)}

    def figures(self, exact: Results, scale: _Scale) -> Results:
        """Return the figures of a measure that may be shown."""
        difference, low, high = exact["difference"], exact["ci_low"], exact["ci_high"]
        found: Results = {
            "treated": scale.nearest(exact["treated"]),
            "comparison": scale.nearest(exact["comparison"]),
            "difference": scale.nearest(difference),
            **scale.interval(low, high),
            "treated_ci": scale.limits(exact["treated_ci"]),
            "comparison_ci": scale.limits(exact["comparison_ci"]),
            "per_100": None,
            **_p_values(exact["p_value"]),
            "p_holm": _two(exact["p_holm"]),
            "p_benjamini_hochberg": _two(exact["p_benjamini_hochberg"]),
            "people_needed": _rough(exact["people_needed"]),
            "direction": None if difference is None else "lower" if difference < 0 else "higher",
            "spans_zero": _spans_zero(low, high),
        }
        parts = (found["treated"], found["comparison"], found["difference"])
        found["parts_add"] = None if None in parts else abs(parts[0] - parts[1] - parts[2]) < 1e-9
        if exact["measure"] in _PER_100:
            found["per_100"] = _per_100(found, exact["unit"])
        welch, adjusted = exact["moj_compatible"], exact["adjusted"]
        found["moj_compatible"] = None
        if welch is not None:
            p = welch["p_value"]
            found["moj_compatible"] = {
                "method": welch["method"],
                **scale.interval(welch["ci_low"], welch["ci_high"]),
                **_p_values(p),
                "significant": exact["enough_expected"] and exact["enough_reoffenders"]
                and p is not None and p <= 0.05,
                "spans_zero": _spans_zero(welch["ci_low"], welch["ci_high"]),
            }  # fmt: skip
        found["adjusted"] = None
        if adjusted is not None:
            found["adjusted"] = {
                "difference": scale.nearest(adjusted["difference"]),
                **scale.interval(adjusted["ci_low"], adjusted["ci_high"]),
                **_p_values(adjusted["p_value"]),
            }
        return found

    def scale(self, exact: Results) -> _Scale:
        """Return how a measure is rounded."""
        return _Scale(exact["kind"])

    def treated_only(self, exact: Results) -> Results:
        """Return the rate of the treated alone."""
        rules = self.strikes(exact["support"]["treated"], "share")
        scale = _Scale("share")
        if not rules and scale.nearest(exact["treated"]) in {0, 100}:
            rules = [CLASS]
        few = exact["n_treated"] < self.policy.fewest_people
        return {
            "measure": exact["measure"],
            "unit": exact["unit"],
            "treated": None if rules else scale.nearest(exact["treated"]),
            "treated_ci": None if rules else scale.limits(exact["treated_ci"]),
            "n_treated": None if few else self.count(exact["n_treated"]),
            "withheld": rules,
        }

    # ------------------------------------------------------------------- people: lost and matched

    def attrition(self, exact: Results) -> Results:
        """Return the attrition; stages that lose few people are merged with a neighbour."""
        submitted = exact["submitted"]
        stages = self.merged_stages(exact["stages"])
        return {
            "submitted": self.count(submitted),
            "analysed": self.cell(exact["analysed"]),
            "analysed_percent": _percent(exact["analysed"] / submitted)
            if self.cell(exact["analysed"]) is not None
            else None,
            "may_not_add": True,
            "stages": [self.stage(one, submitted) for one in stages],
            "groups": [self.level(one) for one in exact["groups"]],
        }

    def merged_stages(self, stages: list[Results]) -> list[Results]:
        """Merge a stage that loses 1 to 9 people with the next that loses anybody."""
        merged: list[Results] = []
        waiting: Results | None = None
        for stage in stages:
            one = dict(stage, merged=[])
            if waiting is not None:
                one = _joined(waiting, one)
            small = 0 < one["lost"] < self.policy.fewest_in_cell
            waiting = one if small else None
            if not small and (one["lost"] or not one["merged"]):
                merged.append(one)
        if waiting is not None:
            while merged and 0 < waiting["lost"] < self.policy.fewest_in_cell:
                waiting = _joined(merged.pop(), waiting)
            merged.append(waiting)
        return merged

    def stage(self, exact: Results, submitted: int) -> Results:
        """Return a stage with those of its reasons that concern enough people."""
        lost = self.cell(exact["lost"])
        share = exact["lost"] / submitted
        reasons = [one for one in exact["reasons"] if one["lost"] >= self.policy.fewest_in_cell]
        rest = exact["lost"] - sum(one["lost"] for one in reasons)
        if 0 < rest < self.policy.fewest_in_cell and reasons:
            smallest = min(reasons, key=lambda one: one["lost"])
            reasons = [one for one in reasons if one is not smallest]
            rest += smallest["lost"]
        shown = [
            {
                "code": one["code"],
                "label": one["label"],
                "lost": self.cell(one["lost"]),
                "lost_percent": _percent(one["lost"] / submitted),
            }
            for one in reasons
        ]
        if rest >= self.policy.fewest_in_cell:
            shown.append(
                {
                    "code": "several",
                    "label": "several reasons, each of few people",
                    "lost": self.cell(rest),
                    "lost_percent": _percent(rest / submitted),
                }
            )
        return {
            "code": exact["code"],
            "label": exact["label"],
            "left": exact["left"],
            "lost": lost,
            "lost_percent": None if lost is None else _percent(share),
            "lost_text": None
            if lost is None
            else "0%"
            if exact["lost"] == 0
            else "<1%"
            if share < 0.01
            else f"{_percent(share)}%",
            "remaining": self.cell(exact["remaining"]),
            "merged": exact["merged"],
            "reasons": shown,
            "withheld": [CELL] if lost is None else [],
        }

    def level(self, exact: Results) -> Results:
        """Return a level of a sub-group; both who was analysed and who was not need people."""
        sides = (exact["analysed"], exact["submitted"] - exact["analysed"])
        hidden = min(sides) < self.policy.fewest_in_cell
        small = exact["submitted"] < self.policy.fewest_in_cell
        return {
            "dimension": exact["dimension"],
            "level": exact["level"],
            "label": exact["label"],
            "submitted": None if small else self.count(exact["submitted"]),
            "analysed": None if hidden else self.count(exact["analysed"]),
            "analysed_percent": None
            if hidden
            else _percent(exact["analysed"] / exact["submitted"]),
            "withheld": [CELL] if hidden else [],
        }

    def unmatched(self, exact: Results) -> Results:
        """Return how those without a match differ; nothing where they are few."""
        few = 0 < exact["n"] < self.policy.fewest_people
        return {
            "n": None if few else self.count(exact["n"]),
            "withheld": [GROUP] if few else [],
            "rows": []
            if few
            else [
                {
                    "name": one["name"],
                    "label": one["label"],
                    "unit": one["unit"],
                    "matched": _mean(one["matched"], one["unit"]),
                    "unmatched": _mean(one["unmatched"], one["unit"]),
                    "smd": _plain(one["smd"], 0.1),
                }
                for one in exact["rows"]
                if one["unit"] != "percent" or self.safe_share(one["unmatched"], exact["n"])
            ],
        }

    def safe_share(self, share: float | None, n: int) -> bool:
        """Whether enough people stand on both sides of a share."""
        if share is None:
            return False
        having = share * n
        return min(having, n - having) >= self.policy.fewest_in_cell

    # ------------------------------------------------------------------------- balance, overlap

    def balance(self, exact: Results) -> Results:
        """Return the balance; levels of few people are merged into one row of their column."""
        rows: list[Results] = []
        for row in exact["rows"]:
            few = row["kind"] == "level" and row["support"]["with"] < self.policy.fewest_in_cell
            name = row["name"].partition("=")[0]
            if few and name in exact["many"]:
                other = next((one for one in rows if one["name"] == f"{name}=(other)"), None)
                if other is None:
                    rows.append(_other_level(row, name))
                else:
                    _add_level(other, row)
                continue
            rows.append(dict(row))
        summary = exact["summary"]
        return {
            "denominator": exact["denominator"],
            "summary": {
                **summary,
                **{
                    key: _plain(summary[key], 0.01)
                    for key in (
                        "largest_smd_before",
                        "largest_smd_after",
                        "auc_before",
                        "auc_after",
                    )
                },
            },
            "rows": [self.balance_row(row) for row in rows],
        }

    def balance_row(self, exact: Results) -> Results:
        """Return a row of the balance."""
        support = exact["support"]
        rules = []
        if exact["unit"] == "percent":
            if support["with"] < self.policy.fewest_in_cell:
                rules = [CELL]
            elif support["without"] < self.policy.fewest_in_cell:
                rules = [CLASS]
        elif support["with"] < self.policy.fewest_people:
            rules = [GROUP]
        means = ("treated", "comparison_before", "comparison_after")
        size = exact["smd_after"]
        return {
            **{key: exact[key] for key in ("name", "label", "group", "kind", "unit")},
            **{key: None if rules else _mean(exact[key], exact["unit"]) for key in means},
            "smd_before": None if rules else _plain(exact["smd_before"], 0.01),
            "smd_after": None if rules else _plain(size, 0.01),
            "light": _light(size),
            "withheld": rules,
        }

    def overlap(self, exact: Results) -> Results:
        """Return the histograms in classes of enough people; the outermost are open."""
        least = max(self.policy.fewest_in_cell, 1)
        bounds, sums = [0], []
        held = [0.0, 0.0, 0.0]
        for i in range(len(exact["treated"])):
            for k, key in enumerate(("treated", "comparison_before", "comparison_after")):
                held[k] += exact[key][i]
            if held[0] >= least and held[1] >= least:
                sums.append(held)
                bounds.append(i + 1)
                held = [0.0, 0.0, 0.0]
        if sums and any(held):
            sums[-1] = [a + b for a, b in zip(sums[-1], held, strict=True)]
            bounds[-1] = len(exact["treated"])
        edges = [exact["edges"][i] for i in bounds]
        if len(sums) > 2:
            edges[0] = edges[1] - exact["step"]
            edges[-1] = edges[-2] + exact["step"]
        else:
            edges, sums = [], []
        whole = [sum(one[k] for one in sums) for k in range(3)]
        shares = [
            [int(round_step(100.0 * one[k] / whole[k])) if whole[k] else 0 for one in sums]
            for k in range(3)
        ]
        return {
            "scale": exact["scale"],
            "edges": [round_step(edge, 0.01) for edge in edges],
            "treated": shares[0],
            "comparison_before": shares[1],
            "comparison_after": shares[2],
            "withheld": [] if edges else [CELL],
        }

    # ------------------------------------------------------------------------------ sensitivity

    def sensitivity(
        self, exact: Results | None, rules: list[str], *, clear: bool
    ) -> Results | None:
        """Return the sensitivity of the main result, with sentences from rounded figures.

        Where the result itself is withheld nothing is said of it, and where it is not clear there
        is nothing that a hidden factor would have to explain away.
        """
        if exact is None:
            return None
        scale = _Scale("share")
        gamma, left_out, band = exact["gamma"], exact["left_out"], exact["instability"]
        if rules:
            return {
                "gamma": None,
                "e_values": [],
                "left_out": None,
                "placebos": [],
                "instability": None,
                "withheld": rules,
            }
        found: Results = {"gamma": None, "left_out": None, "instability": None, "withheld": []}
        if gamma is not None:
            shown = {**gamma, "gamma": _plain(gamma["gamma"], 0.1)}
            found["gamma"] = {**shown, **gamma_sentence(shown)}
        found["e_values"] = [
            {**one, **{key: _plain(one[key], 0.1) for key in ("e_value", "e_value_ci")}}
            for one in exact["e_values"]
        ]
        if left_out is not None:
            rows = [
                {
                    "name": one["name"],
                    "label": one["label"],
                    "difference": scale.nearest(one["difference"]),
                    **scale.interval(one["ci_low"], one["ci_high"]),
                    "inconclusive": one["inconclusive"],
                    "times": _plain(one["times"], 0.1),
                    "strength": _plain(one["strength"], 0.1),
                }
                for one in (left_out["rows"] if clear else [])
            ]
            found["left_out"] = {
                "rows": rows,
                "covariates_in_all": left_out["covariates_in_all"],
                "sentence": left_out_sentence(rows) if clear else NOTHING_TO_EXPLAIN,
            }
        found["placebos"] = []
        for one in exact["placebos"]:
            shown = {
                **one,
                "difference": scale.nearest(one["difference"]),
                **scale.interval(one["ci_low"], one["ci_high"]),
                "spans_zero": _spans_zero(one["ci_low"], one["ci_high"]),
            }
            found["placebos"].append({**shown, "sentence": placebo_sentence(shown)})
        if band is not None:
            shown = {
                "orders": band["orders"],
                "lowest": scale.interval(band["lowest"], band["highest"])["ci_low"],
                "highest": scale.interval(band["lowest"], band["highest"])["ci_high"],
            }
            found["instability"] = {**shown, "sentence": instability_sentence(shown)}
        return found

    def path_point(self, exact: Results, rules: list[str]) -> Results:
        """Return one point of the path; no difference where that of the main match is withheld."""
        scale = _Scale("share")
        few = exact["treated_matched"] < self.policy.fewest_people
        hidden = few or bool(rules)
        nothing = {"difference": None, "ci_low": None, "ci_high": None}
        return {
            "caliper": exact["caliper"],
            "ratio": exact["ratio"],
            "is_main": exact["is_main"],
            "treated_matched_percent": None
            if few
            else _percent(exact["treated_matched"] / exact["treated"]),
            "largest_smd": None if few else _plain(exact["largest_smd"], 0.01),
            **(
                nothing
                if hidden
                else {
                    "difference": scale.nearest(exact["difference"]),
                    **scale.interval(exact["ci_low"], exact["ci_high"]),
                }
            ),
            "spans_zero": None if hidden else _spans_zero(exact["ci_low"], exact["ci_high"]),
            "withheld": [GROUP] if few else rules,
        }

    def trio(self, exact: Results | None) -> Results | None:
        """Return the three runs with and without assessments."""
        if exact is None:
            return None
        return {
            "runs": exact["runs"],
            "coverage_percent": _percent(exact["assessed"] / exact["treated"])
            if self.safe_share(exact["assessed"] / exact["treated"], exact["treated"])
            else None,
            "agrees": exact["agrees"],
            "items": exact["items"],
        }

    # --------------------------------------------------------------------------- profile, linkage

    def profile(self, exact: Results) -> Results:
        """Return what the treated are like; nothing where they are few."""
        few = exact["n"] < self.policy.fewest_people
        sections = [] if few else [self.section(one, exact["n"]) for one in exact["sections"]]
        return {
            "n": None if few else self.count(exact["n"]),
            "sections": sections,
            "withheld": [GROUP] if few else [],
        }

    def section(self, exact: Results, n: int) -> Results:
        """Return one section of the profile."""
        found: Results = {key: exact[key] for key in ("name", "label", "kind")}
        found.update(levels=[], sums_to_100=None, mean=None, p10=None, p90=None, withheld=[])
        if exact["kind"] == "number":
            support = exact["support"]
            if support["n"] < self.policy.fewest_people:
                return {**found, "withheld": [GROUP]}
            found["mean"] = _digits(exact["mean"])
            beyond = min(support["low"], support["high"]) >= self.policy.fewest_in_cell
            if beyond:
                found["p10"], found["p90"] = _digits(exact["p10"]), _digits(exact["p90"])
            return {**found, "withheld": [] if beyond else [EXTREMES]}
        least = self.policy.fewest_in_cell
        unknown = sum(one["n"] for one in exact["levels"] if one["level"] == "(missing)")
        if 0 < unknown < least:  # the shares are then of those whose level is known
            n -= unknown
            exact = {**exact, "levels": [one for one in exact["levels"]
                                         if one["level"] != "(missing)"]}  # fmt: skip
        shown = [one for one in exact["levels"] if one["n"] >= least]
        rest = n - sum(one["n"] for one in shown)
        if 0 < rest < least and shown:
            rest += shown.pop()["n"]
        if not shown or (len(shown) == 1 and rest == 0):
            # One level that everybody has says something of each of them.
            return {**found, "withheld": [CLASS]}
        levels = [{"label": one["label"], "n": one["n"]} for one in shown]
        levels += [{"label": "others", "n": rest}] if rest else []
        if len(levels) < 2:
            return {**found, "withheld": [CLASS]}
        found["levels"] = [
            {"label": one["label"], "percent": _percent(one["n"] / n), "withheld": []}
            for one in levels
        ]
        found["sums_to_100"] = sum(one["percent"] for one in found["levels"]) == 100
        return found

    def linkage(self, exact: Results) -> Results:
        """Return how people were found."""
        submitted, least = exact["submitted"], self.policy.fewest_in_cell
        methods = [one for one in exact["by_method"] if one["n"] >= least]
        rest = sum(one["n"] for one in exact["by_method"]) - sum(one["n"] for one in methods)
        if 0 < rest < least and methods:
            smallest = min(methods, key=lambda one: one["n"])
            methods = [one for one in methods if one is not smallest]
            rest += smallest["n"]
        shown = [*methods]
        if rest >= least:
            shown.append({"method": "several", "label": "Other ways", "n": rest})
        both = min(exact["linked"], submitted - exact["linked"]) >= least
        false = exact["expected_false"]
        return {
            "submitted": self.count(submitted),
            "linked": self.count(exact["linked"]) if both else None,
            "linked_percent": _percent(exact["linked"] / submitted) if both else None,
            "by_method": [
                {**one, "n": self.count(one["n"]), "percent": _percent(one["n"] / submitted)}
                for one in shown
            ],
            "expected_false_percent": None
            if false is None or not exact["linked"]
            else round_step(100.0 * false / exact["linked"], 0.1),
            "by_group": [
                {
                    "group": one["group"],
                    "level": one["level"],
                    "label": one["label"],
                    "linked_percent": _percent(one["linked"] / one["rows"])
                    if min(one["linked"], one["rows"] - one["linked"]) >= least
                    else None,
                    "withheld": []
                    if min(one["linked"], one["rows"] - one["linked"]) >= least
                    else [CELL],
                }
                for one in exact["by_group"]
            ],
            "withheld": [] if both else [CELL],
        }

    def certificate(self, exact: Results) -> Results:
        """Return the certificate; pairs are a multiple of people, so they are rough."""
        few = exact["treated_matched"] < self.policy.fewest_people
        pairs = float(exact["pairs_checked"])
        return {
            **exact,
            "pairs_checked": None if few else int(round_step(pairs, max(two_digits(pairs), 1.0))),
            "treated_matched": None if few else self.count(exact["treated_matched"]),
            "maximum_matchable": None if few else self.count(exact["maximum_matchable"]),
        }


_SIGNIFICANT = {"fewer", "more", "earlier", "later"}
_CLOSE, _FAIR = 0.05, 0.10


class _Scale:
    """How figures of one kind are rounded: shares per 100, counts to two digits, whole days."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def step(self, value: float) -> float:
        """Return the step of a value on the scale that is printed."""
        return two_digits(value) if self.kind == "count" else 1.0

    def printed(self, value: float) -> float:
        """Return a value on the scale that is printed."""
        return 100.0 * value if self.kind == "share" else value

    def tidy(self, value: float) -> float | int:
        """Return whole numbers as such."""
        return value if self.kind == "count" else int(value)

    def nearest(self, value: float | None) -> float | int | None:
        """Return a value rounded to the nearest step."""
        if value is None:
            return None
        shown = self.printed(value)
        return self.tidy(round_step(shown, self.step(shown)))

    def interval(self, low: float | None, high: float | None) -> Results:
        """Return the ends of an interval, rounded outward."""
        if low is None or high is None:
            return {"ci_low": None, "ci_high": None}
        ends = self.printed(low), self.printed(high)
        return {
            "ci_low": self.tidy(down(ends[0], self.step(ends[0]))),
            "ci_high": self.tidy(up(ends[1], self.step(ends[1]))),
        }

    def limits(self, limits: list[float | None] | None) -> list[float | int] | None:
        """Return the ends of the interval of a mean, or None where it has none."""
        if limits is None or None in limits:
            return None
        found = self.interval(limits[0], limits[1])
        return [found["ci_low"], found["ci_high"]]


def _p_values(p: float | None) -> Results:
    if p is None:
        return {"p_value": None, "p_text": None}
    rounded = round_p(p)
    return {"p_value": rounded, "p_text": p_text(rounded)}


def _two(p: float | None) -> float | None:
    return None if p is None else round_p(p)


def _spans_zero(low: float | None, high: float | None) -> bool | None:
    return None if low is None or high is None else low <= 0.0 <= high


def _per_100(found: Results, unit: str) -> Results:
    """Return rounded figures per 100 people."""
    factor = 1.0 if unit == "per_100_people" else 100.0
    names = ("treated", "comparison", "difference", "ci_low", "ci_high")
    return {
        name: None if found[name] is None else int(round_step(factor * found[name]))
        for name in names
    }


def _mean(value: float | None, unit: str) -> float | int | None:
    """Return a mean of a balance or a profile."""
    return _percent(value) if unit == "percent" else _digits(value)


def _light(size: float | None) -> str:
    if size is None or abs(size) > _FAIR:
        return "red"
    return "green" if abs(size) <= _CLOSE else "amber"


def _joined(first: Results, second: Results) -> Results:
    """Join two neighbouring stages: the second goes on, and holds what the first lost."""
    return {
        **second,
        "label": f"{first['label']}; {second['label']}",
        "lost": first["lost"] + second["lost"],
        "reasons": [*first["reasons"], *second["reasons"]],
        "merged": [*first["merged"], first["code"], *second["merged"]],
    }


def _other_level(row: Results, name: str) -> Results:
    """Return a row for the small levels of a category, with its first one in it."""
    label = row["label"].partition(":")[0]
    return {**row, "name": f"{name}=(other)", "label": f"{label}: other"}


def _add_level(other: Results, row: Results) -> None:
    """Add a small level to the row of small levels."""
    for key in ("treated", "comparison_before", "comparison_after"):
        other[key] = None if None in (other[key], row[key]) else other[key] + row[key]
    other["support"] = {
        "with": other["support"]["with"] + row["support"]["with"],
        "without": other["support"]["without"] - row["support"]["with"],
    }
    for when in ("before", "after"):
        other[f"smd_{when}"] = _share_smd(other["treated"], other[f"comparison_{when}"])


def _share_smd(treated: float | None, comparison: float | None) -> float | None:
    """Return the standardised difference of two shares by the deviation of the treated."""
    if treated is None or comparison is None or not 0.0 < treated < 1.0:
        return None
    return (treated - comparison) / float((treated * (1.0 - treated)) ** 0.5)
