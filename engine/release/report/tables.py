"""The seven tables of results: which rows and columns each has, and where each cell stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.release.formats import lookup

NAMES = {
    1: "People who reoffended",
    2: "How often people reoffended",
    3: "Days to the first reoffence",
    4: "Court of the first reoffence",
    5: "Reoffences by kind of court",
    6: "Custody for the first reoffence",
    7: "Custodial sentences",
}
UNITS = {
    "per_100_people": "in every 100 people",
    "per_person": "average for each person",
    "days": "average days, reoffenders only",
    "per_100_reoffenders": "in every 100 reoffenders",
    "per_reoffender": "average for each reoffender",
}
FORMS = {"per_person": "trimmed", "per_reoffender": "trimmed"}


@dataclass(frozen=True)
class Numbered:
    """One of the seven tables.

    Attributes
    ----------
    number : int
    name, unit, form : str
        Caption, unit in words, format of the values.
    rows : list of (str, str, str)
        Key of the analysis, key of the measure, name of the measure.
    several : bool
        Whether the table holds more than one measure.
    """

    number: int
    name: str
    unit: str
    form: str
    rows: list[tuple[str, str, str]]
    several: bool


def numbered_tables(results: Mapping[str, Any]) -> list[Numbered]:
    """Tables 1 to 7, a row for each analysis whose outcomes were opened.

    Parameters
    ----------
    results : mapping
        The released results of a study.

    Returns
    -------
    list of Numbered
        Tables without rows are left out: where outcomes stayed closed there are none.
    """
    rows: dict[int, list[tuple[str, str, str]]] = {number: [] for number in NAMES}
    units: dict[int, str] = {}
    for i, analysis in enumerate(results.get("analyses") or ()):
        for j, measure in enumerate(analysis.get("measures") or ()):
            base = f"analyses.{i}"
            rows[measure["table"]].append((base, f"{base}.measures.{j}", measure["measure"]))
            units[measure["table"]] = measure["unit"]
    return [
        Numbered(
            number,
            NAMES[number],
            UNITS.get(units[number], ""),
            FORMS.get(units[number], "whole"),
            found,
            len({name for *_, name in found}) > 1,
        )
        for number, found in rows.items()
        if found
    ]


def corrections(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Columns of corrected p-values that were asked for: field and heading."""
    asked = lookup(results, "tests.correction") or ()
    names = {
        "holm": ("p_holm", "p (Holm)"),
        "benjamini_hochberg": ("p_benjamini_hochberg", "p (BH)"),
    }
    return [names[one] for one in asked if one in names]
