"""Disclosure control between a whole and its parts: what is left when parts are taken from it.

A part that is withheld, was not run, or has no name (people of no known level, region or
assessment) is what the total leaves when the published parts are subtracted. Rounded counts and
whole percents together can fix the exact counts of a small group, so the attacker is taken to know
those: whatever is left has to keep the rules of a published group. Where it does not, the smallest
published part is withheld as well.
"""

from collections.abc import Sequence

from engine.release.control.analyses import FIGURES, SIZES, control_analysis
from engine.release.control.policy import BETWEEN, Policy, Results, strikes_of


def control_analyses(policy: Policy, exact: Sequence[Results]) -> list[Results]:
    """Return all analyses of a study, parts withheld where they would give others away.

    Parameters
    ----------
    policy : Policy
    exact : sequence of dict
        The main analysis first.
    """
    found = [control_analysis(policy, one) for one in exact]
    whole = exact[0]
    everybody = _treated(whole)
    if everybody is None:
        return found
    totals = [
        n
        for n, one in enumerate(exact)
        if one["kind"] in ("main", "region") and _treated(one) == everybody
    ]
    for parts in _splits(exact):
        for total in totals:
            _hide_groups(policy, exact, found, parts, total)
        for total in totals:
            for name in _supports(exact[total]):
                _hide_measure(policy, exact, found, parts, total, name)
    _hide_alike(exact, found)
    for one in found:
        _same_rule(one)
    return found


def _splits(exact: Sequence[Results]) -> list[list[int]]:
    """Return the analyses that share out people between them; one of some people stands alone."""
    together: dict[str, list[int]] = {}
    for n, one in enumerate(exact):
        if one["kind"] == "sub":
            together.setdefault(f"sub {one['dimension']}", []).append(n)
        elif one["kind"] != "main" and not one["same_as_main"]:
            together[one["id"]] = [n]
    return list(together.values())


def _treated(exact: Results) -> int | None:
    return None if exact["counts"] is None else exact["counts"]["treated"]


def _supports(exact: Results) -> dict[str, tuple[str, Results]]:
    """Return kind and support of the treated, of each measure that an analysis has."""
    own = exact["treated_only"]
    found = {} if own is None else {own["measure"]: ("share", own["support"]["treated"])}
    return found | {
        one["measure"]: (one["kind"], one["support"]["treated"]) for one in exact["measures"]
    }


def _shows(found: Results, name: str) -> bool:
    """Whether an analysis shows a measure of the treated, or how many reoffended."""
    if name == "reoffended" and found["counts"]["reoffenders_treated"] is not None:
        return True
    own = found["treated_only"]
    shown = [*found["measures"], *([] if own is None else [own])]
    return any(one["measure"] == name and not one["withheld"] for one in shown)


def _unnamed(exact: Sequence[Results], total: int, parts: Sequence[int]) -> int:
    """Return how many treated people of the total are in none of the parts, before matching."""
    return int(exact[total]["counts"]["treated"]) - sum(
        exact[n]["counts"]["treated"] for n in parts
    )


def _run(exact: Sequence[Results], parts: Sequence[int]) -> list[int]:
    return [n for n in parts if exact[n]["counts"] is not None]


def _smallest(exact: Sequence[Results], parts: Sequence[int]) -> int:
    return min(parts, key=lambda n: (exact[n]["counts"]["treated"], n))


def _hide_groups(
    policy: Policy, exact: Sequence[Results], found: list[Results], parts: Sequence[int], total: int
) -> None:
    """Withhold whole parts until those that are left out are nobody or enough people."""
    shown = [n for n in parts if found[n]["counts"]["treated_matched"] is not None]
    while shown:
        left = _unnamed(exact, total, shown)
        matched = exact[total]["counts"]["treated_matched"] - sum(
            exact[n]["counts"]["treated_matched"] for n in shown
        )
        if left == 0 or min(left, matched) >= policy.fewest_people:
            break
        smallest = _smallest(exact, shown)
        _hide_group(found[smallest])
        shown.remove(smallest)
    for n in parts:
        if n not in shown and exact[n]["counts"] is not None:
            _hide_group(found[n])


def _hide_measure(
    policy: Policy,
    exact: Sequence[Results],
    found: list[Results],
    parts: Sequence[int],
    total: int,
    name: str,
) -> None:
    """Withhold a measure of parts until what is left of it keeps the rules of a group.

    That a part is withheld for another's sake says that it has enough people itself, and so how
    few the other can have at most: all parts that are withheld bear the same rule.
    """
    kind, whole = _supports(exact[total])[name]
    shown = [n for n in parts if _shows(found[n], name)]
    while shown:
        rest = {
            key: whole[key] - sum(_supports(exact[n])[name][1][key] for n in shown)
            for key in ("people", "events")
        }
        if _unnamed(exact, total, shown) == 0 or not strikes_of(policy, rest, kind):
            break
        smallest = _smallest(exact, shown)
        _hide(found[smallest], name)
        shown.remove(smallest)
    alone = len(parts) == 1 and _unnamed(exact, total, shown or _run(exact, parts)) == 0
    if not alone and not strikes_of(policy, whole, kind):
        for n in parts:
            if n not in shown:
                _hide(found[n], name)


def _hide_alike(exact: Sequence[Results], found: list[Results]) -> None:
    """Withhold of each run on the people with an assessment what is withheld of the other."""
    runs = [n for n, one in enumerate(exact) if one["kind"] == "oasys" and not one["same_as_main"]]
    for n in runs:
        if any(BETWEEN in found[other]["counts"]["withheld"] for other in runs):
            _hide_group(found[n])
        for other in runs:
            for one in found[other]["measures"]:
                if BETWEEN in one["withheld"]:
                    _hide(found[n], one["measure"])
            own = found[other]["treated_only"]
            if own is not None and BETWEEN in own["withheld"]:
                _hide(found[n], own["measure"])


def _same_rule(found: Results) -> None:
    """Let a part that withholds something for another's sake say no more of what it withholds.

    Which other rules its measures break, and whether enough people reoffended, would bound how
    many of it did, and with the total how many of the others.
    """
    if not any(BETWEEN in one["withheld"] for one in found["measures"]):
        return
    for one in found["measures"]:
        one["enough_reoffenders"] = None
        if one["withheld"]:
            _hide_figures(one)
        if one["base"] == "reoffenders" and found["counts"]["reoffenders_treated"] is None:
            one["n_treated"] = None


def _hide_group(found: Results) -> None:
    """Withhold a part with its sizes."""
    counts = found["counts"]
    counts.update(dict.fromkeys((*SIZES, "treated_matched_percent")), withheld=[BETWEEN])
    for rule in [] if found["gate"] is None else found["gate"]["rules"]:
        if rule["code"] in ("matched_treated", "matched_share"):
            rule["value"] = None
    for one in found["measures"]:
        _hide_figures(one)
        one["n_treated"] = None
    if found["treated_only"] is not None:
        found["treated_only"].update(
            treated=None, treated_ci=None, n_treated=None, withheld=[BETWEEN]
        )


def _hide(found: Results, name: str) -> None:
    """Withhold one measure of a part; with the rate goes all that tells how many reoffended.

    That a measure of those who reoffended is shown says that they are enough for one.
    """
    for one in found["measures"]:
        if one["measure"] == name:
            _hide_figures(one)
        if name == "reoffended" and one["base"] == "reoffenders":
            _hide_figures(one)
            one["n_treated"] = None
    if name == "reoffended":
        found["counts"]["reoffenders_treated"] = None
        own = found["treated_only"]
        if own is not None:
            own.update(treated=None, treated_ci=None, withheld=[BETWEEN])


def _hide_figures(one: Results) -> None:
    one.update(
        dict.fromkeys(FIGURES),
        verdict=None,
        significant=False,
        enough_expected=None,
        enough_reoffenders=None,
        withheld=[BETWEEN],
    )
