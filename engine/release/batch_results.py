"""What a batch says across its studies, from released results alone: summary, changes, requests.

Nothing here has ever seen an exact figure: a row is made of what disclosure control has let through
for one study, so a table across studies can tell nothing that the studies together do not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from engine.release.formats import lookup
from engine.release.report import say

Results = Mapping[str, Any]

STANDINGS = ("fewer", "more", "inconclusive", "too_few", "not_adequate", "withheld")
"""Verdicts in the order of the table of requests."""

_FIGURES = {
    "people": ("counts", "treated_matched"),
    "treated": ("measure", "treated"),
    "comparison": ("measure", "comparison"),
    "difference": ("measure", "difference"),
    "ci_low": ("measure", "ci_low"),
    "ci_high": ("measure", "ci_high"),
    "p_value": ("measure", "p_value"),
}
_VERSIONS = {
    "plan_sha256": "plan_sha256",
    "code_sha256": "provenance.code_sha256",
    "software_version": "provenance.software_version",
    "store_id": "provenance.store_id",
    "extract_date": "provenance.extract_date",
    "content_id": "provenance.content_id",
}
SUMMARY = pa.schema(
    [
        *((name, pa.utf8()) for name in ("study", "service", "organisation", "period", "verdict")),
        *((name, pa.float64()) for name in _FIGURES),
        *((name, pa.utf8()) for name in _VERSIONS),
    ]
)
"""A line of the summary; rates, difference and interval in every 100 people, as released."""

COMPARED = ("verdict", *_FIGURES)
"""What a change between two releases is looked for in."""
_CAUSES = {"plan_sha256": "plan", "code_sha256": "software", "store_id": "store"}
_BEFORE = ("verdict", "people", "treated", "comparison", "difference", "ci_low", "ci_high")
CHANGES = pa.schema(
    [
        *((name, pa.utf8()) for name in ("study", "service", "status", "changed", "because")),
        *(
            (f"{name}_{when}", pa.utf8() if name == "verdict" else pa.float64())
            for name in _BEFORE
            for when in ("before", "now")
        ),
    ]
)
"""A line of what has changed since another batch."""

REQUESTS = pa.schema(
    [
        ("quarter", pa.utf8()),
        ("requested", pa.int64()),
        ("reported", pa.int64()),
        *((name, pa.int64()) for name in (*STANDINGS, "failed")),
    ]
)
"""Studies by quarter: those asked for in it, those reported in it, and their verdicts."""


def summary_row(name: str, results: Results) -> dict[str, Any]:
    """Return the line of one study.

    Parameters
    ----------
    name : str
        Of its folder.
    results : mapping
        Its released results.
    """
    said = results["headline"]
    main = results["analyses"][0]
    key = say.find(results, said["measure"], said["analysis"])
    parts = {"counts": main["counts"] or {}, "measure": lookup(results, key) if key else {}}
    only = main.get("treated_only") or {}
    figures = {column: parts[part].get(field) for column, (part, field) in _FIGURES.items()}
    if figures["treated"] is None:
        figures["treated"] = only.get("treated")
    return {
        "study": name,
        **{one: lookup(results, f"study.{one}") for one in ("service", "organisation", "period")},
        "verdict": say.verdict(results),
        **{one: None if value is None else float(value) for one, value in figures.items()},
        **{column: lookup(results, path) for column, path in _VERSIONS.items()},
    }


def changes(
    now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return what has changed between two batches, a line for each study of either.

    Parameters
    ----------
    now, before : sequence of mapping
        Lines of :func:`summary_row`; studies are the same by name.

    Returns
    -------
    list of dict
        ``status`` is ``new``, ``gone``, ``same`` or ``changed``; ``changed`` names the figures that
        differ, and ``because`` what else does: plan, software, store. A study that is the same in
        all of these and still differs has another submission.
    """
    ours, theirs = ({one["study"]: one for one in rows} for rows in (now, before))
    lines = []
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        new, old = ours.get(name), theirs.get(name)
        both = new is not None and old is not None
        differ = [c for c in COMPARED if new.get(c) != old.get(c)] if new and old else []
        causes = (
            [word for c, word in _CAUSES.items() if new.get(c) != old.get(c)] if new and old else []
        )
        status = "changed" if differ else "same"
        lines.append(
            {
                "study": name,
                "service": (new or old or {}).get("service"),
                "status": status if both else "new" if old is None else "gone",
                "changed": ", ".join(differ),
                "because": ", ".join(causes),
                **{
                    f"{column}_{when}": None if row is None else row.get(column)
                    for column in _BEFORE
                    for when, row in (("before", old), ("now", new))
                },
            }
        )
    return lines


def quarter_of(day: dt.date) -> str:
    """Return the quarter of a day.

    Examples
    --------
    >>> quarter_of(dt.date(2026, 11, 29))
    '2026 Q4'
    """
    return f"{day.year} Q{(day.month + 2) // 3}"


def requests(
    asked: Mapping[str, dt.date | None],
    reported: Mapping[str, dt.date],
    verdicts: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return the count of requests and results by quarter.

    Parameters
    ----------
    asked : mapping of str to datetime.date or None
        Every study with the day on which it was asked for, None where its plan does not say.
    reported : mapping of str to datetime.date
        Studies with a report and its day.
    verdicts : mapping of str to str
        Their verdicts, after disclosure control.

    Returns
    -------
    list of dict
        By quarter, the studies without a day last (``not given``). A verdict counts in the quarter
        of its report; ``failed`` counts studies without a report in the quarter of the request.
        These are numbers of studies, not of people, and what each of them tells has been released.
    """
    unknown = "not given"
    empty = dict.fromkeys(REQUESTS.names[1:], 0)
    found: dict[str, dict[str, Any]] = {}

    def line(quarter: str) -> dict[str, Any]:
        return found.setdefault(quarter, {"quarter": quarter, **empty})

    for name, day in asked.items():
        own = line(unknown if day is None else quarter_of(day))
        own["requested"] += 1
        own["failed"] += name not in reported
    for name, day in reported.items():
        own = line(quarter_of(day))
        own["reported"] += 1
        own[verdicts[name]] += 1
    return [found[quarter] for quarter in sorted(found, key=lambda one: (one == unknown, one))]
