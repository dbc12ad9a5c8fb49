"""Tables of a study as rows and columns: for csv files and for the spreadsheet."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from engine.buffers import text_array
from engine.release.formats import is_number, lookup, plain_text
from engine.release.report.tables import NAMES, UNITS, corrections

Cell = str | float | bool | None

NAMES_OF_SHEETS = (
    *(f"table-{number}" for number in NAMES),
    "analyses",
    "attrition",
    "balance",
    "profile",
    "calipers",
    "bootstrap",
)
"""Names of all tables that a study may have."""


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes
    ----------
    name : str
        Of the csv file, without its ending.
    title : str
    columns : tuple of str
        Headings; the last is ``withheld``, the rules that hold figures of the row back.
    rows : list of list
        Cells: numbers as released, ``None`` where there is none.
    notes : tuple of str
        Names of the notes that the table calls for.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]
    notes: tuple[str, ...] = field(default=())


_MEASURE = (
    ("People who took part", "n_treated"),
    ("Similar people", "n_comparison"),
    ("Took part", "treated"),
    ("Took part, lower end", "treated_ci.0"),
    ("Took part, upper end", "treated_ci.1"),
    ("Similar", "comparison"),
    ("Similar, lower end", "comparison_ci.0"),
    ("Similar, upper end", "comparison_ci.1"),
    ("Difference", "difference"),
    ("Difference, lower end", "ci_low"),
    ("Difference, upper end", "ci_high"),
    ("p-value", "p_text"),
    ("More than chance", "significant"),
    ("MoJ-compatible lower end", "moj_compatible.ci_low"),
    ("MoJ-compatible upper end", "moj_compatible.ci_high"),
    ("MoJ-compatible p-value", "moj_compatible.p_text"),
)
_COUNTS = (
    ("People who took part", "treated"),
    ("Of them matched", "treated_matched"),
    ("Similar people", "comparison_matched"),
    ("Effective number of similar people", "comparison_effective"),
    ("Reoffenders who took part", "reoffenders_treated"),
    ("Reoffenders among similar people", "reoffenders_comparison"),
)
_BALANCE = (
    ("Took part", "treated"),
    ("Others before matching", "comparison_before"),
    ("Others after matching", "comparison_after"),
    ("Standardised mean difference before", "smd_before"),
    ("Standardised mean difference after", "smd_after"),
)
_PATH = (
    ("Caliper in standard deviations of the logit", "caliper"),
    ("Ratio", "ratio"),
    ("Percent matched", "treated_matched_percent"),
    ("Largest standardised mean difference", "largest_smd"),
    ("Difference", "difference"),
    ("Difference, lower end", "ci_low"),
    ("Difference, upper end", "ci_high"),
)


def sheets(results: Mapping[str, Any]) -> list[Sheet]:
    """All tables of a study that have at least one row.

    Parameters
    ----------
    results : mapping
        The released results of a study.

    Returns
    -------
    list of Sheet
        Tables 1 to 7, then analyses, attrition, balance, profile, calipers and bootstrap.
    """
    made = [
        *_numbered(results),
        _analyses(results),
        _attrition(results),
        _balance(results),
        _profile(results),
        _path(results),
        _bootstrap(results),
    ]
    return [one for one in made if one.rows]


def csv_tables(results: Mapping[str, Any]) -> dict[str, pa.Table]:
    """The same tables by name, with plain column names; numbers have nulls, texts are empty."""
    return {one.name: _arrow(one) for one in sheets(results)}


def _arrow(sheet: Sheet) -> pa.Table:
    columns = []
    for position, _ in enumerate(sheet.columns):
        cells = [row[position] for row in sheet.rows]
        if any(is_number(cell) for cell in cells):
            columns.append(pa.array(cells, pa.float64()))
        else:
            columns.append(text_array(["" if one is None else plain_text(one) for one in cells]))
    names = [re.sub(r"[^a-z0-9]+", "_", one.lower()).strip("_") for one in sheet.columns]
    return pa.Table.from_arrays(columns, names=names)


def _cells(results: Mapping[str, Any], base: str, fields: Sequence[tuple[str, str]]) -> list[Cell]:
    """Cells of one row, the rules that hold figures back in the last one.

    What is yes or no rests on figures: where those are held back, so is the answer.
    """
    found: list[Cell] = []
    held = lookup(results, f"{base}.withheld") or []
    for _, name in fields:
        value = lookup(results, f"{base}.{name}")
        if isinstance(value, bool):
            value = None if held else "yes" if value else "no"
        found.append(value)
    return [*found, ", ".join(map(str, held)) or None]


def _headings(fields: Sequence[tuple[str, str]], *first: str) -> tuple[str, ...]:
    return (*first, *(heading for heading, _ in fields), "withheld")


def _numbered(results: Mapping[str, Any]) -> Iterator[Sheet]:
    fields = (*_MEASURE, *((heading, name) for name, heading in corrections(results)))
    for number, name in NAMES.items():
        rows, units = [], set()
        for i, one in enumerate(results.get("analyses") or ()):
            for j, held in enumerate(one.get("measures") or ()):
                if held["table"] == number:
                    units.add(UNITS.get(held["unit"], held["unit"]))
                    base = f"analyses.{i}.measures.{j}"
                    cells = _cells(results, base, fields)
                    rows.append([one["label"], held["label"], *cells])
        yield Sheet(
            f"table-{number}",
            f"Table {number}. {name}, {', '.join(sorted(units))}",
            _headings(fields, "Analysis", "Measure"),
            rows,
            ("interval", "chance", "ministry", *(("reoffenders",) if number > 2 else ())),
        )


def _analyses(results: Mapping[str, Any]) -> Sheet:
    rows: list[list[Cell]] = [
        [
            one["label"],
            "yes" if one.get("declared") else "no",
            one["status"].replace("_", " "),
            *_cells(results, f"analyses.{i}.counts", _COUNTS),
        ]
        for i, one in enumerate(results.get("analyses") or ())
    ]
    return Sheet(
        "analyses",
        "Analyses and who is in them",
        _headings(_COUNTS, "Analysis", "Named beforehand", "Status"),
        rows,
        ("rounded",),
    )


def _attrition(results: Mapping[str, Any]) -> Sheet:
    rows: list[list[Cell]] = [
        ["Sent in", "All", None, None, lookup(results, "attrition.submitted"), None]
    ]
    for one in lookup(results, "attrition.stages") or ():
        rows.append([one["label"], "All", one["lost"], one["lost_percent"], one["remaining"], None])
        rows.extend(
            [one["label"], reason["label"], reason["lost"], reason["lost_percent"], None, None]
            for reason in one.get("reasons") or ()
        )
    return Sheet(
        "attrition",
        "From the people sent in to the people analysed",
        ("Step", "Reason", "Lost", "Percent of those sent in", "Left", "withheld"),
        rows,
        ("rounded",),
    )


def _balance(results: Mapping[str, Any]) -> Sheet:
    words = {"green": "closely", "amber": "fairly", "red": "poorly"}
    rows: list[list[Cell]] = [
        [
            row["label"],
            row.get("unit"),
            words.get(str(row.get("light"))),
            *_cells(results, f"balance.rows.{i}", _BALANCE),
        ]
        for i, row in enumerate(lookup(results, "balance.rows") or ())
    ]
    return Sheet(
        "balance",
        "How alike the groups were",
        _headings(_BALANCE, "Fact", "Unit", "Matched"),
        rows,
        ("alike",),
    )


def _profile(results: Mapping[str, Any]) -> Sheet:
    rows: list[list[Cell]] = []
    for one in lookup(results, "profile.sections") or ():
        held = ", ".join(one.get("withheld") or []) or None
        for level in one.get("levels") or ():
            rule = ", ".join(level.get("withheld") or []) or None
            rows.append([one["label"], level["label"], level["percent"], "percent", rule])
        if one["kind"] == "number":
            rows.extend(
                [
                    one["label"],
                    words,
                    one.get(key),
                    "number",
                    held if one.get(key) is None else None,
                ]
                for words, key in (
                    ("On average", "mean"),
                    ("One in ten is below", "p10"),
                    ("One in ten is above", "p90"),
                )
            )
    return Sheet(
        "profile",
        "The people who took part and were analysed",
        ("Characteristic", "Group", "Value", "Unit", "withheld"),
        rows,
        ("rounded",),
    )


def _path(results: Mapping[str, Any]) -> Sheet:
    rows: list[list[Cell]] = [
        ["yes" if one.get("is_main") else "no", *_cells(results, f"path.{i}", _PATH)]
        for i, one in enumerate(results.get("path") or ())
    ]
    return Sheet(
        "calipers",
        "Difference in people who reoffended, in every 100, for other calipers and ratios",
        _headings(_PATH, "Match of the study"),
        rows,
        ("interval",),
    )


def _bootstrap(results: Mapping[str, Any]) -> Sheet:
    rows: list[list[Cell]] = []
    for i, one in enumerate(lookup(results, "bootstrap.measures") or ()):
        base = f"bootstrap.measures.{i}"
        rule = ", ".join(one["withheld"]) or None
        named = [("main", f"{base}.main")]
        named += [(o["method"], f"{base}.intervals.{j}") for j, o in enumerate(one["intervals"])]
        for name, key in named:
            read = "yes" if name in ("main", one["speaks"]) else "no"
            ends = [lookup(results, f"{key}.{end}") for end in ("ci_low", "ci_high")]
            rows.append(
                [one["label"], UNITS[one["unit"]], name, read, one["difference"], *ends, rule]
            )
    return Sheet(
        "bootstrap",
        "The main interval of each measure, and those from drawing again",
        ("Measure", "Unit", "Interval", "Read", "Difference", "Difference, lower end",
         "Difference, upper end", "withheld"),
        rows,
        ("interval",),
    )  # fmt: skip
