"""The accessible spreadsheet of a study: cover, contents, notes, one table on each sheet."""

import io
import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.release.formats import is_number, lookup, plain_text
from engine.release.report.say import headline
from engine.release.report.sentences import plain
from engine.release.report.sheets import Cell, Sheet, sheets

# A file of figures holds no time of its making: the same results give the same bytes.
_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - the file format knows no time zones

_NOT_APPLICABLE = "[z]"
_NOTES = {
    "rounded": "Counts are rounded, each by itself, so they may not add up.",
    "interval": (
        "Lower and upper ends are those of a 95% interval, the range of true values that fit the"
        " figures. Ends are rounded outward."
    ),
    "chance": (
        "More than chance, which statisticians call significant: a difference this large would come"
        " up by luck alone in at most 5 of 100 studies, and enough people reoffended to say so."
    ),
    "ministry": (
        "MoJ-compatible columns treat the two groups as if nobody had been matched to anybody"
        " (Welch's interval). They are given so that earlier reports can be set beside this one."
    ),
    "reoffenders": (
        "Counts only people who reoffended. The groups differ in who that is, so these figures"
        " describe and do not compare like with like."
    ),
    "alike": (
        "Closely: a standardised mean difference of at most 0.05; fairly: at most 0.1; poorly:"
        " above that."
    ),
}


def workbook_bytes(results: Mapping[str, Any]) -> bytes:
    """The spreadsheet of a study as an xlsx file.

    Parameters
    ----------
    results : mapping
        The released results of a study.

    Returns
    -------
    bytes
        The same for the same results.

    Notes
    -----
    Laid out as public bodies are asked to: a cover, contents and notes, one table on each sheet
    beginning in the first column, one row of headings, no merged or empty cells, words in place of
    a figure that is not there.
    """
    with warnings.catch_warnings():
        # gptables leaves a theme's file open and calls pandas by names that are on their way out.
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return _written(results)


def _written(results: Mapping[str, Any]) -> bytes:
    # Imported here: gptables brings pandas, and a run without a spreadsheet must not pay for it.
    import gptables  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    tables = sheets(results)
    called = {note for one in tables for note in one.notes}
    notes = [(name, words) for name, words in _NOTES.items() if name in called]
    target = io.BytesIO()
    book = gptables.produce_workbook(
        target,
        {_label(one): _table(gptables, pd, one) for one in tables},
        cover=_cover(gptables, results),
        notes_table=pd.DataFrame(notes, columns=["Note reference", "Note text"]),
        # A name that begins with an equals sign or an address is a name.
        workbook_options={
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
        },
    )
    book.set_properties(
        {"title": _safe(_title(results)), "author": "justicelab", "created": _CREATED}
    )
    book.close()
    return target.getvalue()


def _label(sheet: Sheet) -> str:
    return sheet.name.replace("-", "_").capitalize()


def _table(gptables: Any, pd: Any, sheet: Sheet) -> Any:
    """One sheet; every cell holds something, so that nobody takes a gap for the end."""
    held = len(sheet.columns) - 1
    rows = [[_shown(cell, row[held]) for cell in row[:held]] for row in sheet.rows]
    legend = []
    if any(cell == _NOT_APPLICABLE for row in rows for cell in row):
        legend.append("[z] means that there is no such figure.")
    if any(row[held] for row in sheet.rows):
        legend.append(
            "[suppressed: rule] marks a figure that is held back, with the rule that holds it back."
        )
    return gptables.GPTable(
        table=pd.DataFrame(rows, columns=list(sheet.columns[:held]), dtype=object),
        table_name=sheet.name.replace("-", "_"),
        title=" ".join([sheet.title, *(f"$${note}$$" for note in sheet.notes)]),
        legend=legend,
        instructions="This worksheet contains one table. Notes are on the notes worksheet.",
        index_columns={2: 0},
    )


def _shown(cell: Cell, held: Cell) -> Any:
    if is_number(cell):
        return cell
    if cell is None:
        return f"[suppressed: {held}]" if held else _NOT_APPLICABLE
    return _safe(str(cell))


def _safe(words: str) -> str:
    """Text of a user without what the writer would take for a note or a link."""
    return plain_text(words).replace("$$", "$ $").replace("](", "] (") or _NOT_APPLICABLE


def _title(results: Mapping[str, Any]) -> str:
    return f"Reoffending study: {lookup(results, 'study.service') or 'a service'}"


def _cover(gptables: Any, results: Mapping[str, Any]) -> Any:
    told = headline(results)
    about = [
        ("Organisation", lookup(results, "study.organisation")),
        ("Period", lookup(results, "study.period")),
        ("Extract of the records", lookup(results, "study.extract_date")),
        ("Content id", lookup(results, "provenance.content_id")),
        ("Hash of the plan", lookup(results, "plan_sha256")),
        ("Made with justicelab", lookup(results, "provenance.software_version")),
    ]
    made_up = ["Made-up data: nobody in this file exists."] if results["study"]["synthetic"] else []
    return gptables.Cover(
        title=_safe(_title(results)),
        intro=[
            *made_up,
            f"{told.label}.",
            *(_safe(plain(results, one)) for one in (*told.lead, *told.then)),
        ],
        about=[f"{name}: {_safe(str(value))}" for name, value in about if value is not None],
    )
