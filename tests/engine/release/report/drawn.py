"""Released bootstraps of studies that never happened, consistent with their results."""

import random

KINDS = {
    "wild": ("wild bootstrap of the linear form", "basic"),
    "weighted": ("weighted bootstrap of the linear form", "basic"),
    "subsample": ("M-out-of-N subsampling of the linear form", "basic"),
    "set": ("bootstrap of matched sets", "bca"),
    "refit": ("bootstrap with refit and new match", "normal"),
}
ENDS = ("ci_low", "ci_high")


def with_bootstrap(results, seed=0, kind="wild", *, valid=True):
    """The results of a study with a bootstrap of its first analysis; as they are without one."""
    measures = results["analyses"][0]["measures"]
    if not measures:
        return results
    method, speaks = KINDS[kind]
    rng = random.Random(seed)
    return {
        **results,
        "bootstrap": {
            "format": 1,
            "kind": "bootstrap",
            "study_content_id": results["provenance"]["content_id"],
            "job": 64 * "a",
            "resampling": {
                "asked": "auto",
                "kind": kind,
                "method": method,
                "why": "Valid for every match.",
                "valid": valid,
                "refused": [{"kind": "refit", "reason": "it covered 97 to 100 %"}],
                "replicates": 1999,
                "seed": 0,
                "level": 0.95,
            },
            "measures": [_measure(rng, one, speaks) for one in measures],
            "notes": ["The main interval is the main one.", "Something to keep in mind."],
        },
    }


def _measure(rng, measure, speaks):
    hidden = bool(measure["withheld"]) or measure["ci_low"] is None

    def interval(**more):
        ends = {end: None if hidden else measure[end] for end in ENDS}
        if not hidden and more.get("method"):
            ends["ci_low"] -= rng.choice((0, 1))
            ends["ci_high"] += rng.choice((0, 1))
        zero = None if hidden else ends["ci_low"] <= 0 <= ends["ci_high"]
        return {**more, **ends, "spans_zero": zero}

    main = interval()
    found = [interval(method=one) for one in ("percentile", "basic", "normal", "bca")]
    speaking = next(one for one in found if one["method"] == speaks)
    return {
        **{key: measure[key] for key in ("measure", "label", "table", "unit")},
        "difference": None if hidden else measure["difference"],
        "main": {"method": "design-based MOVER-Newcombe", **main},
        "speaks": speaks,
        "intervals": found,
        "agrees": None if hidden else main["spans_zero"] == speaking["spans_zero"],
        "withheld": measure["withheld"] or (["D2"] if hidden else []),
    }
